import type { Router } from '@koa/router'
import Koa from 'koa'
import type { Context, Next } from 'koa'
import { createOutageLog } from '../runtime/outage.ts'
import type { OutageLog } from '../runtime/outage.ts'
import { CursorMalformed } from '../store/cursor.ts'
import { healthRouter } from './health.ts'
import { absentPart } from './http/absence.ts'
import { compression } from './http/compression.ts'
import type { ApiContext } from './http/context.ts'
import { endpointRouter } from './http/endpoint.ts'
import type { Endpoint } from './http/endpoint.ts'
import { readerLanguage } from './http/language.ts'
import { answerProblem, Problem, unavailableProblem } from './http/problem.ts'
import { beginRequest, requestOf } from './http/request.ts'
import { ruleError } from './http/validation.ts'
import { docsRouter } from './reference/docs.ts'
import type { Contract } from './reference/openapi.ts'
import { TemporalUnavailable } from './temporal/calls.ts'
import { attention_endpoints } from './v1/attention/endpoints.ts'
import { bill_endpoints } from './v1/bills/bills.ts'
import { bill_change_endpoints } from './v1/bills/changes.ts'
import { difference_endpoints } from './v1/bills/differences.ts'
import { batch_endpoints } from './v1/bills/batch.ts'
import { resolution_endpoints } from './v1/bills/resolution.ts'
import { reconciliation_endpoints } from './v1/bills/reconciliations.ts'
import { report_endpoints } from './v1/bills/reports.ts'
import { statement_endpoints } from './v1/bills/statements.ts'
import { checkout_endpoints } from './v1/checkouts/endpoints.ts'
import { delivery_endpoints } from './v1/events/deliveries.ts'
import { event_endpoints } from './v1/events/endpoints.ts'
import { event_messages } from './v1/events/message.ts'
import { ping_endpoints } from './v1/events/probe.ts'
import { redelivery_endpoints } from './v1/events/redelivery.ts'
import { webhook_endpoints } from './v1/events/webhooks.ts'
import { evidence_endpoints } from './v1/evidence.ts'
import { journal_endpoints } from './v1/journal.ts'
import { merchant_endpoints } from './v1/merchants.ts'
import { check_endpoints } from './v1/orders/checks.ts'
import { order_command_endpoints } from './v1/orders/commands.ts'
import { order_endpoints } from './v1/orders/endpoints.ts'
import { review_endpoints } from './v1/orders/review.ts'
import { refund_command_endpoints } from './v1/refunds/commands.ts'
import { refund_endpoints } from './v1/refunds/endpoints.ts'

export type { ApiContext } from './http/context.ts'

/** Everything under /v1, in the order of the documentation. */
export const endpoints: readonly Endpoint[] = [
  ...order_endpoints,
  ...order_command_endpoints,
  ...check_endpoints,
  ...review_endpoints,
  ...checkout_endpoints,
  ...refund_endpoints,
  ...refund_command_endpoints,
  ...event_endpoints,
  ...delivery_endpoints,
  ...redelivery_endpoints,
  ...webhook_endpoints,
  ...ping_endpoints,
  ...attention_endpoints,
  ...evidence_endpoints,
  ...journal_endpoints,
  ...reconciliation_endpoints,
  ...difference_endpoints,
  ...bill_endpoints,
  ...bill_change_endpoints,
  ...statement_endpoints,
  ...batch_endpoints,
  ...resolution_endpoints,
  ...report_endpoints,
  ...merchant_endpoints,
]

/** What the documentation is written from. */
const contract: Contract = { endpoints, messages: event_messages }

/**
 * The whole HTTP side. `others` are routers with rules of their own: the intake of notifications and the checkout page.
 * `version` is the release, said in `Weft-Version`.
 */
export function createApp(context: ApiContext, others: readonly Router[], version: string): Koa {
  const app = new Koa()
  const routers = [
    healthRouter(),
    docsRouter(contract, { version, base_url: context.config.public_url }),
    ...others,
    endpointRouter(endpoints, context),
  ]
  app.silent = true // what goes wrong is logged here, with its request id
  app.use(compression())
  const sayOutage = createOutageLog(context.now)
  app.use((ctx, next) => answerRequest({ ...context, sayOutage }, version, ctx, next))
  for (const router of routers) app.use(router.routes())
  app.use((ctx) => refuseUnroutedRequest(routers, ctx))
  app.on('error', (error: unknown) => context.log.debug('an answer could not be sent', { error }))
  return app
}

/** Answers one request: gives it an id, sends its reply or its problem, logs one line, counts it in the metrics. */
async function answerRequest(
  { sayOutage, ...context }: ApiContext & { sayOutage: OutageLog },
  version: string,
  ctx: Context,
  next: Next,
): Promise<void> {
  const { request_id, log } = beginRequest(ctx, context.log)
  const begun_ms = performance.now()
  ctx.set('Weft-Version', version)
  ctx.set('Cache-Control', 'no-store')
  ctx.set('X-Content-Type-Options', 'nosniff')
  try {
    await next()
  } catch (error) {
    const problem = problemOf(error, ctx)
    const part = absentPart(problem)
    if (part !== null) sayOutage(log, `a request failed: ${part} cannot be reached`, { error })
    else if (problem.status >= 500) log.error('a request failed', { code: problem.code, error })
    answerProblem(ctx, problem, { base_url: context.config.public_url, request_id })
  }
  const duration_ms = Math.round(performance.now() - begun_ms)
  const route_path = String(ctx['_matchedRoute'] ?? 'none')
  const labels = { method: ctx.method, route: route_path, status: String(ctx.status) }
  context.metrics.requests.observe(labels, duration_ms / 1_000)
  log.debug('answered', { ...labels, duration_ms })
}

/** The Problem of the catalogue for whatever a handler threw. */
function problemOf(error: unknown, ctx: Context): Problem {
  if (error instanceof Problem) return error
  const part = absentPart(error)
  if (part !== null) return unavailableProblem(part, error instanceof TemporalUnavailable ? error.cause : error)
  if (error instanceof CursorMalformed) {
    const field = ctx.method === 'GET' ? '/query/cursor' : '/cursor' // what changes something has it in its body
    return new Problem('invalid_request', { errors: [ruleError(field, 'cursor', readerLanguage(ctx))] })
  }
  return new Problem('internal', { cause: error })
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Throws `not_found`, or `method_not_allowed` for an address that answers other methods. */
function refuseUnroutedRequest(routers: readonly Router[], ctx: Context): void {
  if (ctx.status !== 404 || ctx.body !== undefined) return
  requestOf(ctx)
  // An address of its own, as /v1/differences/exposure, is not also the one of a difference by that name.
  const own = endpoints.filter(({ path }) => path === ctx.path).map(({ method }) => method)
  const isAnswered = (method: (typeof methods)[number]) =>
    own.length > 0 ? own.some((one) => one === method) : routers.some((router) => router.match(ctx.path, method).route)
  const allowed = methods.filter(isAnswered)
  if (allowed.length === 0 || allowed.some((method) => method === ctx.method)) throw new Problem('not_found')
  throw new Problem('method_not_allowed', { values: { allowed }, headers: { Allow: allowed.join(', ') } })
}
