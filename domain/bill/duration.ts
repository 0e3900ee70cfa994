/**
 * DurationTally counts durations by how long they were, in steps of 5 %: small however many there are, and tallies of
 * several days can be added up, which medians cannot. The key is the number of the step.
 */
export type DurationTally = Record<string, number>

const step = Math.log(1.05)

/** Counts a duration in ms. One below 0, of two clocks that do not agree, counts as none. */
export function addDuration(tally: DurationTally, ms: number): void {
  const key = String(ms < 1 ? 0 : Math.floor(Math.log(ms) / step) + 1)
  tally[key] = (tally[key] ?? 0) + 1
}

/** The duration, in whole ms, that this share of all was no longer than, to within 2.5 %; null: there was none. */
export function durationAt(tally: DurationTally, share: number): number | null {
  const steps = Object.entries(tally).map(([key, count]) => [Number(key), count] as const)
  steps.sort(([left], [right]) => left - right)
  const wanted = Math.ceil(steps.reduce((sum, [, count]) => sum + count, 0) * share)
  let seen = 0
  for (const [key, count] of steps) {
    seen += count
    if (seen >= wanted) return key === 0 ? 0 : Math.round(Math.exp((key - 0.5) * step))
  }
  return null
}

/** Adds up what is counted under the same names. */
export function addCounts(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(more)) sum[key] = (sum[key] ?? 0) + count
}
