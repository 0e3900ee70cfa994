/** The value below which `share` (0 to 1) of the values lie, by nearest rank. Throws for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new RangeError('nothing was measured')
  return value
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle]
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle]
  if (upper === undefined || lower === undefined) throw new RangeError('nothing was measured')
  return (lower + upper) / 2
}

/** `value` with at most `digits` digits behind the point, as a number again. */
export function roundTo(value: number, digits = 0): number {
  return Number(value.toFixed(digits))
}

/** Times of single requests in one line: how many, p50, p95, p99 and the longest, in ms. */
export function spreadLine(times_ms: readonly number[]): string {
  const at = (share: number) => roundTo(percentile(times_ms, share), 1)
  return `${times_ms.length} × p50 ${at(0.5)}  p95 ${at(0.95)}  p99 ${at(0.99)}  longest ${at(1)} ms`
}
