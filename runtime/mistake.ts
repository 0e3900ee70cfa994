import type { Logger } from './logger.ts'

/** how often an outage of the database is said again */
const said_every_ms = 60_000

/**
 * Logs what is wrong with a merchant's WeChat set-up: an error that a person mends. That the database is away, so that a
 * set-up cannot be read again, is none of it: what was read before goes on, and it is said once a minute.
 */
export function createSetupLog(log: Logger, now: () => number): (mchid: string, mistake: unknown) => void {
  let said_ms = -Infinity
  return (mchid, mistake) => {
    if (!(mistake instanceof Error && mistake.name === 'StoreUnavailable'))
      return log.error('a WeChat set-up cannot be used', { mchid, mistake })
    if (now() - said_ms < said_every_ms) return
    said_ms = now()
    log.warn('the database does not answer: WeChat set-ups go on as they were read', { mchid, error: mistake })
  }
}
