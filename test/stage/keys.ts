import { makeKeyPair } from '../../simulator/keys.ts'
import type { KeyMaker } from '../../simulator/keys.ts'

/** Made once per process: to make a pair costs more processor time than most journeys, and which one it is tells nothing. */
const pairs: ReturnType<KeyMaker>[] = []

/** Gives one simulator's keys: its first is the first of every other simulator of this process, its second another. */
export function pairsInTurn(): KeyMaker {
  let given = 0
  return () => (pairs[given++] ??= makeKeyPair())
}
