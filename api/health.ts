import type { Router } from '@koa/router'
import type { HealthState } from '../runtime/health.ts'
import type { ApiContext } from './http/context.ts'
import { exactRouter } from './http/router.ts'

/** The one public route for operators: whether the process is up. */
export function healthRouter(): Router {
  const router = exactRouter()
  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' }
  })
  return router
}

/** What `/readyz` says: whether requests should be sent here. */
export async function readiness(
  { store, commands }: Pick<ApiContext, 'store' | 'commands'>,
  { is_draining }: { is_draining: boolean },
): Promise<HealthState> {
  const [database, temporal] = await Promise.all([store.isReachable(), commands.isReachable()])
  const status = is_draining ? 'draining' : database && temporal ? 'ready' : 'waiting'
  const says = { status, database: database ? 'ok' : 'away', temporal: temporal ? 'ok' : 'away' }
  return { is_well: status === 'ready', says }
}
