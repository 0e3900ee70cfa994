/**
 * A clock that a test sets forward: for stories whose days nobody acts in. Temporal's own timers do not follow, so what
 * is to happen meanwhile by plan needs the stage on which time is skipped (days.ts).
 */
export class ForwardClock {
  #ahead_ms = 0

  /** Unix ms. */
  readonly now = (): number => Date.now() + this.#ahead_ms

  /** Throws a RangeError for a moment that is over: what is written down would lie in the future. */
  setTo(time_ms: number): void {
    const forward_ms = time_ms - this.now()
    if (forward_ms < 0) throw new RangeError(`the clock is ${-forward_ms} ms past ${new Date(time_ms).toISOString()}`)
    this.#ahead_ms += forward_ms
  }
}
