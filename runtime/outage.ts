import type { LogFields, Logger } from './logger.ts'

/** how often the same is said again while an outage lasts */
const said_every_ms = 60_000

/** Says what an outage keeps from being done, in the words of `message`. */
export type OutageLog = (log: Pick<Logger, 'warn' | 'debug'>, message: string, fields?: LogFields) => void

/**
 * Makes an OutageLog: each message is a warning once a minute, with how often the same happened since, and for `debug` in
 * between. A server that is away for an hour must not bury what a person has to mend under a line for each request.
 */
export function createOutageLog(now: () => number): OutageLog {
  const said = new Map<string, { since_ms: number; times: number }>()
  return (log, message, fields) => {
    const last = said.get(message)
    if (last !== undefined && now() - last.since_ms < said_every_ms) {
      last.times += 1
      return log.debug(message, fields)
    }
    said.set(message, { since_ms: now(), times: 0 })
    log.warn(message, { ...fields, ...(last !== undefined && last.times > 0 && { unsaid_times: last.times }) })
  }
}

/** Says of one of many what failed, in a round over all of them. */
export type RoundLog = (
  log: Pick<Logger, 'warn' | 'debug'>,
  message: string,
  fields: LogFields & { error: unknown },
) => void

/**
 * Makes the RoundLog of one round: an error of this class, as of a database that is away, fails each of them alike, and is a
 * warning once, and for `debug` after; what is wrong with one of them is a warning each time.
 */
export function createRoundLog(Outage: abstract new (...given: never[]) => Error): RoundLog {
  let is_outage_said = false
  return (log, message, fields) => {
    const is_outage = fields.error instanceof Outage
    log[is_outage && is_outage_said ? 'debug' : 'warn'](message, fields)
    is_outage_said ||= is_outage
  }
}
