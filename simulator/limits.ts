/** Counts calls per name and second. */
export class CallLimiter {
  readonly #now: () => number
  #second = 0
  #counts = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether one more call of this name fits into the running second; counts it. Null has no limit. */
  tryCount(name: string, per_second: number | null): boolean {
    if (per_second === null) return true
    this.count(name)
    return this.#currentCount(name) <= per_second
  }

  /** Whether the running second has had so many of this name already; counts nothing. */
  isFull(name: string, per_second: number | null): boolean {
    return per_second !== null && this.#currentCount(name) >= per_second
  }

  count(name: string): void {
    const count = this.#currentCount(name) + 1 // first of all, because it may begin a new second and its counts
    this.#counts.set(name, count)
  }

  #currentCount(name: string): number {
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#counts = new Map()
    }
    return this.#counts.get(name) ?? 0
  }
}
