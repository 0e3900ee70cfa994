import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from '../runtime/metrics.ts'

export interface HealthSettings {
  host: string
  /** 0 takes any free one */
  port: number
  metrics: Metrics
  /** whether the workers run; asked at every `/healthz` */
  isRunning: () => boolean
}

/**
 * A worker's `/healthz` and `/metrics`, for those who watch it; nothing else is served and no key is needed. Rejects
 * with the operating system's error when the port is taken.
 */
export async function serveHealth(settings: HealthSettings): Promise<{ port: number; close(): Promise<void> }> {
  const { host, metrics, isRunning } = settings
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url === '/metrics') {
        response.setHeader('Content-Type', metrics.registry.contentType)
        response.end(await metrics.registry.metrics())
        return
      }
      const is_known = request.url === '/healthz'
      const is_healthy = is_known && isRunning()
      response.writeHead(is_healthy ? 200 : is_known ? 503 : 404, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ status: is_healthy ? 'ok' : is_known ? 'ending' : 'not_found' }))
    })()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(settings.port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
