import type { Logger } from './logger.ts'
import { createOutageLog } from './outage.ts'

/**
 * Logs what is wrong with a merchant's WeChat set-up: an error that a person mends. That the database is away, so that a
 * set-up cannot be read again, is none of it: what was read before goes on, and it is said once a minute.
 */
export function createSetupLog(log: Logger, now: () => number): (mchid: string, mistake: unknown) => void {
  const sayOutage = createOutageLog(now)
  return (mchid, mistake) => {
    if (!(mistake instanceof Error && mistake.name === 'StoreUnavailable'))
      return log.error('a WeChat set-up cannot be used', { mchid, mistake })
    const message = 'the database does not answer: WeChat set-ups go on as they were read'
    sayOutage(log, message, { mchid, error: mistake })
  }
}
