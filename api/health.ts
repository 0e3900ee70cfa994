import { Router } from '@koa/router'
import type { ApiContext } from './http/context.ts'

/** Routes for operators: whether the process is up, whether it can work, its metrics. None of them needs a key. */
export function healthRouter(context: ApiContext): Router {
  const router = new Router()
  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' }
  })
  router.get('/readyz', async (ctx) => {
    const [database, temporal] = await Promise.all([context.store.isReachable(), context.commands.isReachable()])
    const is_ready = database && temporal && !context.draining.aborted
    ctx.status = is_ready ? 200 : 503
    ctx.body = {
      status: context.draining.aborted ? 'draining' : is_ready ? 'ready' : 'waiting',
      database: database ? 'ok' : 'away',
      temporal: temporal ? 'ok' : 'away',
    }
  })
  router.get('/metrics', async (ctx) => {
    ctx.body = await context.metrics.registry.metrics()
    ctx.type = context.metrics.registry.contentType
  })
  return router
}
