/** Counts calls per name and second. */
export class Limits {
  readonly #now: () => number
  #second = 0
  #counts = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether one more call of this name fits into the running second; counts it. Null has no limit. */
  admits(name: string, per_second: number | null): boolean {
    if (per_second === null) return true
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#counts = new Map()
    }
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    return count <= per_second
  }
}
