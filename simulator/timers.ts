/** Longest delay that Node takes: 24.8 days. With a longer one a timer fires at once. */
const longest_timer_ms = 2 ** 31 - 1

/** Timers runs one action per id at a moment of the simulator's clock. */
export class Timers {
  readonly #now: () => number
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #stopped = false

  constructor(now: () => number) {
    this.#now = now
  }

  /** Sets the action of this id in place of an earlier one; `time` null sets none, nor does anything after `stop`. */
  set(id: string, time: number | null, action: () => void): void {
    this.clear(id)
    if (time === null || this.#stopped) return
    const delay_ms = Math.max(0, time - this.#now())
    const timer = setTimeout(
      () => {
        // a timer may fire a little before its moment, or a clock may stand still
        if (time > this.#now()) return this.set(id, time, action)
        this.#timers.delete(id)
        action()
      },
      Math.min(delay_ms, longest_timer_ms),
    )
    this.#timers.set(id, timer)
  }

  clear(id: string): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
  }

  stop(): void {
    this.#stopped = true
    for (const id of this.#timers.keys()) this.clear(id)
  }
}
