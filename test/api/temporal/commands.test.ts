import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { WorkflowHandle } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createCommands } from '../../../api/temporal/commands.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import type { LogFields, Logger } from '../../../runtime/logger.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { connectForIntake, connectTemporal } from '../../../runtime/temporal.ts'
import { until, within } from '../../stage/until.ts'
import { sealerOf } from '../../store/database.ts'
import { orderSample } from '../../store/samples.ts'

const here = { address: inject('temporal_address'), namespace: 'default', api_key: null, tls: null }
const temporal = connectTemporal(here)
const opened = [temporal]
/** Takes connections and says nothing. */
const silent = createServer(() => undefined)
await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
afterAll(async () => {
  silent.close()
  await Promise.all(opened.map((client) => client.close()))
})

/** A logger that keeps the fields of what it is told. */
function listening(lines: Record<string, unknown>[], bound: LogFields = {}): Logger {
  const keep = (_: string, fields?: LogFields) => void lines.push({ ...bound, ...fields })
  const child = (fields: LogFields) => listening(lines, { ...bound, ...fields })
  return { ...silentLogger, info: keep, warn: keep, error: keep, child }
}

function commandsAt(address: string, queue_prefix = `${randomBytes(5).toString('hex')}-`, log = silentLogger) {
  const client = connectTemporal({ ...here, address })
  const intake = connectForIntake({ ...here, address })
  opened.push(client, intake)
  const shown = { language: 'en', guide_url: null } as const
  return createCommands({ client, intake, sealer: sealerOf('one'), queue_prefix, shown, log, metrics: createMetrics() })
}
const newKey = () => ({ mchid: '1900000001', out_trade_no: `T${randomBytes(8).toString('hex')}` })
const command = { operation_id: 'close:1', actor: { kind: 'merchant', id: 'key_1' } as const, reason: null }

/** What the call answers, or the code that it fails with; throws where that takes longer than `limit_ms`. */
async function answerWithin<T>(limit_ms: number, call: () => Promise<T>): Promise<T | string> {
  return await within(limit_ms, () => call().catch((error: unknown) => (error as Error).name))
}

/** The names of the signals that a run was sent, each once: on a busy machine one is sent again that was taken already. */
async function signalsOf(run: WorkflowHandle): Promise<string[]> {
  const { events } = await run.fetchHistory()
  const names = (events ?? []).flatMap(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName ?? [],
  )
  return [...new Set(names)]
}

describe('while no worker is there', () => {
  const commands = commandsAt(here.address)
  // Its calls have a second or two, which is for the call, and not for a busy machine to connect.
  beforeAll(async () => void (await until('Temporal is reached', () => commands.isReachable())))

  it('a command times out after 8 s, and its run is there for the worker to come', async () => {
    const key = newKey()
    const begun = performance.now()
    expect(await answerWithin(12_000, () => commands.prepay(key))).toBe('timeout')
    expect(performance.now() - begun).toBeGreaterThan(7_000)
    const run = temporal.client.workflow.getHandle(`order/${key.mchid}/${key.out_trade_no}`)
    expect((await run.describe()).status.name).toBe('RUNNING')
    await run.terminate()
  })

  /** Each call has a second or two, which a busy Temporal may not keep: then the same is said again. */
  const taken = (call: () => Promise<void>) => until('Temporal takes it', () => call().then(() => true))

  it('facts and starts are taken at once', async () => {
    const key = newKey()
    for (const _again of [1, 2]) await taken(() => commands.startOrder(key))
    await taken(() => commands.check(key, 'check:1'))
    await until('the fact is taken', () => commands.signalPaymentFound(key, { evidence_id: 'evidence' }))
    const run = temporal.client.workflow.getHandle(`order/${key.mchid}/${key.out_trade_no}`)
    expect(await signalsOf(run)).toEqual(['checkRequested', 'paymentFound'])
    await run.terminate()
  })

  it('what is said and asked of a refund goes to a run of its own', async () => {
    const refund = { ...newKey(), out_refund_no: `R${randomBytes(8).toString('hex')}` }
    await taken(() => commands.startRefund(refund))
    await taken(() => commands.checkRefund(refund, 'check:1'))
    await until('the fact is taken', () => commands.signalRefundChanged(refund, { evidence_id: 'evidence' }))
    const run = temporal.client.workflow.getHandle(`refund/${refund.mchid}/${refund.out_refund_no}`)
    expect((await run.describe()).type).toBe('refundPayment')
    expect(await signalsOf(run)).toEqual(['checkRequested', 'refundChanged'])
    await run.terminate()
  })

  it('the age of the oldest waiting order grows', async () => {
    const key = newKey()
    await taken(() => commands.startOrder(key))
    const age_s = await until('an age', async () => (await commands.orderQueueBacklogAge()) >= 2)
    expect(age_s).toBe(true)
    await temporal.client.workflow.getHandle(`order/${key.mchid}/${key.out_trade_no}`).terminate()
  })
})

describe.each([
  ['refuses connections', () => '127.0.0.1:1'],
  ['is silent', () => `127.0.0.1:${(silent.address() as AddressInfo).port}`],
])('when Temporal %s', (_, address) => {
  it('the intake is told so within its 1.5 s', async () => {
    const commands = commandsAt(address())
    expect(await answerWithin(3_000, () => commands.signalPaymentFound(newKey(), { evidence_id: 'e' }))).toBe(false)
  })

  it('questions and starts are answered as unavailable within 2 s', async () => {
    const commands = commandsAt(address())
    const answers = await Promise.all([
      answerWithin(4_000, () => commands.check(newKey(), 'check:1')),
      answerWithin(4_000, () => commands.startOrder(newKey())),
    ])
    expect(answers).toEqual(['TemporalUnavailable', 'TemporalUnavailable'])
  })

  it('it is not reachable, and the age of its queue keeps nobody from trying', async () => {
    const commands = commandsAt(address())
    expect(await commands.isReachable()).toBe(false)
    expect(await commands.orderQueueBacklogAge()).toBe(0)
  })
})

describe('a command that Temporal does not take', () => {
  it('is logged by its order’s key alone, though whole records are handed over', async () => {
    const order = orderSample('T20260101', { metadata: { note: '给小王' } })
    const lines: Record<string, unknown>[] = []
    const commands = commandsAt('127.0.0.1:1', undefined, listening(lines))
    await commands.close(order, command)
    await commands.signalPaymentFound(order, { evidence_id: 'e' })
    const payout = { ...command, proof: '小王的转账单' }
    await commands.payOut({ ...order, out_refund_no: 'R1' }, payout)
    const named = { mchid: order.mchid, out_trade_no: order.out_trade_no }
    const error = expect.anything() as unknown
    expect(lines).toEqual([
      { ...named, command: 'close', error },
      { ...named, error },
      { mchid: order.mchid, out_refund_no: 'R1', command: 'payOut', error },
    ])
  })

  it('is said to be unavailable, and not a time-out, when nobody is there', async () => {
    expect(await commandsAt('127.0.0.1:1').close(newKey(), command)).toBe('unavailable')
  })
})
