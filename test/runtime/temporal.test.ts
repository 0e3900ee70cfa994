import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, inject, it } from 'vitest'
import {
  concludeStart,
  deliveryStart,
  orderStart,
  reconcileStart,
  refundStart,
  search_attributes,
} from '../../domain/messages.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { WorkflowStart } from '../../domain/messages.ts'
import { within } from '../stage/until.ts'
import {
  boundedCall,
  connectForIntake,
  connectionOptions,
  connectTemporal,
  missingSearchAttributes,
  startOptions,
  TemporalTimeout,
  verifySearchAttributes,
} from '../../runtime/temporal.ts'

const here = { address: inject('temporal_address'), namespace: 'default', api_key: null, tls: null }
const temporal = connectTemporal(here)
/** Takes connections and says nothing, as a machine does that hangs. */
const silent = createServer(() => undefined)
await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
const nowhere = connectForIntake({ ...here, address: `127.0.0.1:${(silent.address() as AddressInfo).port}` })
const refused = connectForIntake({ ...here, address: '127.0.0.1:1' })
afterAll(async () => {
  silent.close()
  await Promise.all([temporal.close(), nowhere.close(), refused.close()])
})

describe('a connection whose server was away', () => {
  it.each(['temporal', 'nowhere'] as const)('is tried again within five seconds (%s)', (name) => {
    const { channelArgs = {} } = { temporal, nowhere }[name].connection.options
    const pause_ms = Number(channelArgs['grpc.max_reconnect_backoff_ms'] ?? 120_000)
    expect(pause_ms * 1.2).toBeLessThan(5_000) // gRPC spreads each pause by a fifth
  })
})

it('a connection that is closed while a call is to be repeated repeats nothing on it', async () => {
  const closing = connectTemporal({ ...here, address: '127.0.0.1:1' })
  const call = closing.connection.workflowService.getSystemInfo({}).catch(() => 'failed')
  // The first attempt fails at once, and the next one is planned: thrown by its timer, nobody could catch its failure.
  await new Promise((resolve) => setTimeout(resolve, 30))
  await closing.close()
  expect(await call).toBe('failed')
  await new Promise((resolve) => setTimeout(resolve, 500))
})

describe('a call with a limit', () => {
  const info = ({ connection }: typeof temporal, limit_ms: number) =>
    boundedCall(connection, limit_ms, () => connection.workflowService.getSystemInfo({}))

  it('is answered by a server that is there', async () => {
    expect(await info(temporal, 5_000)).toHaveProperty('serverVersion')
  })

  it('ends in time when nobody answers', async () => {
    await expect(within(2_000, () => info(nowhere, 500))).rejects.toSatisfy(
      (error: Error & { code?: number }) => error instanceof TemporalTimeout || error.code === 4,
    )
  })

  it('ends in time even when gRPC’s own deadline does not end it', async () => {
    const never = () => new Promise<never>(() => undefined)
    await expect(boundedCall(temporal.connection, 100, never)).rejects.toThrow(TemporalTimeout)
  })

  it('ends in time when nobody is there', async () => {
    const failure = within(3_000, () => info(refused, 1_500))
    await expect(failure).rejects.not.toThrow('it took longer')
  })
})

describe('starting an order’s run', () => {
  const order = { mchid: '1900000001', out_trade_no: `T${randomBytes(8).toString('hex')}` }
  const start = orderStart(order)
  const options = startOptions(start, 'suite-')

  it('carries what Temporal’s pages show', async () => {
    await temporal.client.workflow.start(start.workflow_type, options)
    const handle = temporal.client.workflow.getHandle(options.workflowId)
    const { taskQueue, typedSearchAttributes, ...described } = await handle.describe()
    expect(taskQueue).toBe('suite-weft-orders')
    const shown = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value])
    expect(Object.fromEntries(shown)).toMatchObject({
      [search_attributes.merchant.name]: order.mchid,
      [search_attributes.out_trade_no.name]: order.out_trade_no,
    })
    expect(await described.staticSummary()).toBe(start.summary.en)
    expect(await described.staticDetails()).toBe(start.details.en)
  })

  it('says it in the language that is set, and tells the run so', () => {
    const shown = { language: 'zh-CN', guide_url: 'https://pay.example.cn/docs/attention' } as const
    const { staticSummary, staticDetails, memo } = startOptions(start, 'suite-', shown)
    expect([staticSummary, staticDetails]).toEqual([start.summary['zh-CN'], start.details['zh-CN']])
    expect(memo).toEqual({ shown })
  })

  it('again finds the run that is there, and starts a new one when it has ended', async () => {
    const again = await temporal.client.workflow.start(start.workflow_type, options)
    const handle = temporal.client.workflow.getHandle(options.workflowId)
    expect((await handle.describe()).runId).toBe(again.firstExecutionRunId)
    await handle.terminate()
    const next = await temporal.client.workflow.start(start.workflow_type, options)
    expect(next.firstExecutionRunId).not.toBe(again.firstExecutionRunId)
    await next.terminate()
  })
})

describe('runs that only tell somebody, or prove a day', () => {
  const mchid = '1900000001'
  const day = { mchid, bill_date: '2026-05-01' }
  const told = deliveryStart({ delivery_id: 'a/1/ep', mchid, out_trade_no: 'T000001' })
  const priorityOf = (start: WorkflowStart<unknown[]>) => startOptions(start, '').priority?.priorityKey

  it('have a priority behind that of orders and refunds, which is Temporal’s usual one', () => {
    expect([told, reconcileStart(day), concludeStart(day)].map(priorityOf)).toEqual([4, 4, 4])
    const refund = refundStart({ mchid, out_refund_no: 'R-1', out_trade_no: 'T000001' })
    expect([orderStart({ mchid, out_trade_no: 'T000001' }), refund].map(priorityOf)).toEqual([undefined, undefined])
  })
})

describe('search attributes', () => {
  it('that are registered let the process start', async () => {
    expect(await missingSearchAttributes(temporal)).toEqual([])
    await expect(verifySearchAttributes(temporal)).resolves.toBeUndefined()
  })

  it('that are missing stop it with the command that adds them', async () => {
    const connection = {
      withDeadline: (_: unknown, call: () => Promise<unknown>) => call(),
      operatorService: { listSearchAttributes: async () => ({ customAttributes: { WeftMerchant: 2, WeftState: 1 } }) },
    }
    const bare = { ...temporal, connection } as unknown as typeof temporal
    await expect(verifySearchAttributes(bare)).rejects.toThrow(ConfigError)
    await expect(verifySearchAttributes(bare)).rejects.toThrow(
      /temporal operator search-attribute create --namespace default --name WeftOutTradeNo --type Keyword --name WeftState/,
    )
  })
})

describe('TLS', () => {
  it('names the file that cannot be read', () => {
    const tls = { server_name: 'temporal.example', ca_path: '/no/such/ca.pem', cert_path: null, key_path: null }
    expect(() => connectionOptions({ ...here, tls })).toThrow(/TEMPORAL_TLS_SERVER_CA_CERT_PATH/)
    expect(connectionOptions({ ...here, tls: { ...tls, ca_path: null } })).toMatchObject({
      tls: { serverNameOverride: 'temporal.example' },
    })
  })
})
