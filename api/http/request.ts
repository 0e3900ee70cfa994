import type { Context } from 'koa'
import type { Logger } from '../../runtime/logger.ts'
import { randomId } from '../../runtime/secrets.ts'

/** What is known of every request before anything else: its id, and a logger that names it. */
export interface RequestInfo {
  request_id: string
  log: Logger
}

const request_id_pattern = /^[A-Za-z0-9_-]{1,64}$/

/** Gives `ctx` its request id, the caller's own when it has a valid one, and returns it in the response's header. */
export function beginRequest(ctx: Context, log: Logger): RequestInfo {
  const given = ctx.get('Request-Id')
  const request_id = request_id_pattern.test(given) ? given : randomId('req')
  const info: RequestInfo = { request_id, log: log.child({ request_id }) }
  ctx.set('Request-Id', request_id)
  ctx.state['weft'] = info
  return info
}

/** The request id and logger that `beginRequest` set. Throws when it did not run: a mistake in this program. */
export function requestOf(ctx: Context): RequestInfo {
  const info = ctx.state['weft'] as RequestInfo | undefined
  if (info === undefined) throw new Error('beginRequest has not run for this request')
  return info
}
