import { makeKeyPair } from '../../simulator/keys.ts'
import type { KeyMaker } from '../../simulator/keys.ts'
import { startSimulator as start } from '../../simulator/main.ts'

/** Made once per process: a pair costs more processor time than most journeys, and which one it is tells nothing. */
const pairs: ReturnType<KeyMaker>[] = []

/** No test compares the keys of more merchants. */
const different_pairs = 8

/** Gives one simulator's keys: its first is the first of every other simulator of this process, its second another. */
function pairsInTurn(): KeyMaker {
  let given = 0
  return () => (pairs[given++ % different_pairs] ??= makeKeyPair())
}

/** Starts the simulator as production's function does, with key pairs that all simulators of this process share. */
export function startSimulator(
  given: Parameters<typeof start>[0] = {},
  surroundings: Parameters<typeof start>[1] = {},
): ReturnType<typeof start> {
  return start(given, { makeKeyPair: pairsInTurn(), ...surroundings })
}
