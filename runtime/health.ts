import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigError } from './config.ts'
import type { Metrics } from './metrics.ts'

/** What a path says: 200 while all is well, else 503, with `says` as JSON. */
export interface HealthState {
  is_well: boolean
  says: Record<string, string>
}

export interface HealthSettings {
  host: string
  /** 0 takes any free one */
  port: number
  metrics: Metrics
  /** the paths beside `/metrics`; each is asked at every request */
  paths: Record<string, () => HealthState | Promise<HealthState>>
  /** more numbers in the same form, from a server of this process; left out while it does not answer */
  sdk_metrics_url?: string
}

/**
 * Serves `/metrics` and what a role says of itself, for those who watch it, on a port of its own: what is public lies on
 * another one, so that no proxy has to tell them apart. Nothing else is served and no key is needed. Rejects with
 * ConfigError when the port cannot be had.
 */
export async function serveHealth(settings: HealthSettings): Promise<{ port: number; close(): Promise<void> }> {
  const { host, metrics, paths } = settings
  const server = createServer((request, response) => {
    void (async () => {
      const path = request.url ?? ''
      if (path === '/metrics') {
        response.setHeader('Content-Type', metrics.registry.contentType)
        response.end((await metrics.registry.metrics()) + (await sdkMetrics(settings.sdk_metrics_url)))
        return
      }
      const state = Object.hasOwn(paths, path) ? await paths[path]?.() : undefined
      response.writeHead(state === undefined ? 404 : state.is_well ? 200 : 503, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(state?.says ?? { status: 'not_found' }))
    })()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenMistake(error, host, 'WEFT_METRICS_PORT', settings.port)))
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

/** Says which setting to change when a port cannot be listened on; any other error as it is. */
export function listenMistake(error: NodeJS.ErrnoException, host: string, setting: string, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return new ConfigError(`${setting} ${port} is taken by another program; choose another, and one for each role`)
  if (error.code === 'EACCES')
    return new ConfigError(`${setting} ${port} may not be opened by this user; choose one above 1023`)
  if (error.code === 'EADDRNOTAVAIL')
    return new ConfigError(`WEFT_HOST ${host} is no address of this machine; use 0.0.0.0 or 127.0.0.1`)
  return error
}

const sdk_answers_within_ms = 2_000

/** What Temporal's SDK counts: polls, slots, task latencies. Our own numbers do not wait for a server that is silent. */
async function sdkMetrics(url: string | undefined): Promise<string> {
  if (url === undefined) return ''
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(sdk_answers_within_ms) })
    return answer.ok ? await answer.text() : ''
  } catch {
    return ''
  }
}
