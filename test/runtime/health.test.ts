import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { serveHealth } from '../../runtime/health.ts'
import { createMetrics } from '../../runtime/metrics.ts'

describe('the health of a role', () => {
  const metrics = createMetrics()
  const worker = { is_running: true }
  const healthz = () => ({ is_well: worker.is_running, says: { status: worker.is_running ? 'ok' : 'ending' } })
  const open: { close(): Promise<void> }[] = []
  afterEach(async () => {
    worker.is_running = true
    for (const health of open.splice(0)) await health.close()
  })

  async function ask(path: string): Promise<{ status: number; text: string }> {
    const health = await serveHealth({ host: '127.0.0.1', port: 0, metrics, paths: { '/healthz': healthz } })
    open.push(health)
    const answer = await fetch(`http://127.0.0.1:${health.port}${path}`)
    return { status: answer.status, text: await answer.text() }
  }

  it('is good while all queues are worked on, and bad once one is not', async () => {
    expect(await ask('/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' })
    worker.is_running = false
    expect(await ask('/healthz')).toEqual({ status: 503, text: '{"status":"ending"}' })
  })

  it('counts what the sweeper did and what WeChat Pay was asked', async () => {
    metrics.swept.inc({ kind: 'orders' }, 3)
    metrics.gateway_calls.observe({ operation: 'query', outcome: '200' }, 0.2)
    const { status, text } = await ask('/metrics')
    expect(status).toBe(200)
    expect(text).toContain('weft_swept_total{kind="orders"} 3')
    expect(text).toContain('weft_gateway_call_seconds_count{operation="query",outcome="200"} 1')
  })

  it('shows what the SDK counts with its own numbers, which do not wait for it', async () => {
    const sdk = createServer((_request, response) => void response.end('temporal_worker_task_slots_available 7\n'))
    await new Promise<void>((resolve) => sdk.listen(0, '127.0.0.1', resolve))
    const sdk_metrics_url = `http://127.0.0.1:${(sdk.address() as AddressInfo).port}/metrics`
    const health = await serveHealth({ host: '127.0.0.1', port: 0, metrics, paths: {}, sdk_metrics_url })
    open.push(health)
    const read = async () => await (await fetch(`http://127.0.0.1:${health.port}/metrics`)).text()
    const both = await read()
    expect(both).toContain('temporal_worker_task_slots_available 7')
    expect(both).toContain('weft_swept_total')
    sdk.closeAllConnections()
    await new Promise((resolve) => sdk.close(resolve))
    expect(await read()).toContain('weft_swept_total')
  })

  it('serves nothing else', async () => {
    for (const path of ['/', '/METRICS', '/metrics/', '/Healthz', '/healthz/', '/toString', '/metrics?a'])
      expect([path, (await ask(path)).status]).toEqual([path, 404])
  })
})
