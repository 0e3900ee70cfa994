import type { Logger } from '../runtime/logger.ts'
import { createOutageLog } from '../runtime/outage.ts'

export interface RoundsSettings {
  /** what makes the rounds, for the log: `the sweeper` */
  name: string
  every_ms: number
  /** `ending` aborts when no more of it is to be done than what is under way */
  round: (ending: AbortSignal) => Promise<unknown>
  /** gives back what kept other workers from the same rounds; once, behind the last of them */
  release?: () => Promise<void>
  log: Logger
}

export interface Rounds {
  start(): void
  /** Begins no round any more, tells the one under way, and resolves when it has ended. */
  close(): Promise<void>
}

/** Makes one round after the other, each `every_ms` behind the end of the last; one that fails leads to the next. */
export function createRounds({ name, every_ms, round, release, log }: RoundsSettings): Rounds {
  const say = createOutageLog(Date.now)
  const running = { timer: null as NodeJS.Timeout | null, round: Promise.resolve() }
  const ending = new AbortController()

  function schedule(): void {
    if (ending.signal.aborted) return
    running.timer = setTimeout(() => {
      running.round = round(ending.signal)
        .then(() => undefined)
        .catch((error: unknown) => say(log, `a round of ${name} failed`, { error }))
        .finally(schedule)
    }, every_ms)
  }

  return {
    start: schedule,
    async close(): Promise<void> {
      ending.abort()
      if (running.timer) clearTimeout(running.timer)
      await running.round
      await release?.().catch((error: unknown) => log.debug('a lease was not given back', { name, error }))
    },
  }
}
