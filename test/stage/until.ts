/** Far longer than anything takes on a machine that is busy with something else: only what never comes is cut off. */
const patience_ms = 180_000

/**
 * Waits for a fact: asks `look` until it answers something, and says what was last seen when it never does. Looks often
 * at first and then ever more seldom, a sixth of the time that has passed, since each look takes from the servers what
 * the awaited step needs; `every_ms`: always after this time.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  { within_ms = patience_ms, every_ms }: { within_ms?: number; every_ms?: number } = {},
): Promise<T> {
  const begun = performance.now()
  let last: unknown
  for (;;) {
    try {
      const seen = await look()
      if (seen !== null && seen !== undefined && seen !== false) return seen
      last = seen
    } catch (error) {
      last = error
    }
    const passed_ms = performance.now() - begun
    if (passed_ms > within_ms) throw new Error(`never came: ${what} (last: ${String(last)})`)
    const pause_ms = every_ms ?? Math.min(250, Math.max(25, passed_ms / 6))
    await new Promise((resolve) => setTimeout(resolve, pause_ms))
  }
}

/**
 * Answers what `call` does, and throws when it takes longer than `limit_ms` by a timer that is set at the same moment: a
 * machine that is busy is late for both.
 */
export async function within<T>(limit_ms: number, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${limit_ms} ms`)), limit_ms)
  })
  try {
    return await Promise.race([call(), limit])
  } finally {
    clearTimeout(timer)
  }
}
