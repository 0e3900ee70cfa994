/** Waits for a fact: asks `look` until it answers something, and says what was last seen when it never does. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  { within_ms = 30_000, every_ms = 50 }: { within_ms?: number; every_ms?: number } = {},
): Promise<T> {
  const end = performance.now() + within_ms
  let last: unknown
  for (;;) {
    try {
      const seen = await look()
      if (seen !== null && seen !== undefined && seen !== false) return seen
      last = seen
    } catch (error) {
      last = error
    }
    if (performance.now() > end) throw new Error(`never came: ${what} (last: ${String(last)})`)
    await new Promise((resolve) => setTimeout(resolve, every_ms))
  }
}
