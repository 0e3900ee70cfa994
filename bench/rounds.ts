import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './figures.ts'

/** What is compared. `run` does one round's work and answers how many a second it did. */
interface Side {
  name: string
  run(): Promise<number>
  /** brings its processes to the speed they have after some time: V8 compiles what it has seen often */
  warm?(): Promise<unknown>
}

/** RateOptions is how much is measured of a rate. */
export interface RateOptions {
  rounds: number
  per_round: number
  /** sent at once, on both sides */
  concurrency: number
}

interface Round {
  subject: number
  yardstick: number
  ratio: number
}

export interface Comparison {
  rounds: Round[]
  /** medians over the rounds; `ratio` is the median of the rounds' ratios */
  subject: number
  yardstick: number
  ratio: number
}

/** Work that a side left to the servers' queues should not be done on the other's time. */
const pause_ms = 400

/**
 * Runs both sides in turn on the same servers, one round unmeasured first. Who begins changes every round, so that a
 * machine that grows slower or faster meanwhile favours neither.
 */
export async function compareSides(subject: Side, yardstick: Side, rounds: number): Promise<Comparison> {
  const measured: Round[] = []
  for (const side of [subject, yardstick]) await side.warm?.()
  for (let round = 0; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? [subject, yardstick] : [yardstick, subject]
    const rates = new Map<Side, number>()
    for (const side of order) {
      rates.set(side, await side.run())
      await sleep(pause_ms)
    }
    const pair = { subject: rates.get(subject) ?? NaN, yardstick: rates.get(yardstick) ?? NaN }
    if (round > 0) measured.push({ ...pair, ratio: pair.subject / pair.yardstick })
  }
  return {
    rounds: measured,
    subject: median(measured.map((round) => round.subject)),
    yardstick: median(measured.map((round) => round.yardstick)),
    ratio: median(measured.map((round) => round.ratio)),
  }
}
