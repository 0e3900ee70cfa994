import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../domain/ids.ts'
import { startRole } from '../stage/role.ts'
import type { Role } from '../stage/role.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'

/** More than any refund's history has; where it has fewer, the refund had ended before its run could be lost. */
const longest_history = 40

/** What must hold of a refund of everything that ended well, whatever happened to its runs. */
async function expectRefundedOnce(stage: Stage, order: OrderKey, out_refund_no: string): Promise<void> {
  const { mchid, out_trade_no } = order
  const { refunds } = stage.simulator.control.view(mchid, out_trade_no)
  expect(refunds.map((refund) => [refund.out_refund_no, refund.status])).toEqual([[out_refund_no, 'SUCCESS']])
  const payments = await stage.store.payments.ofOrder(mchid, `${mchid}/${out_trade_no}`)
  expect(payments.map((payment) => payment.refunds)).toEqual([[{ out_refund_no, amount: 990, state: 'succeeded' }]])
  const entries = await stage.store.journal.ofOrder(mchid, out_trade_no)
  expect(entries.map(({ kind }) => kind).sort()).toEqual(['payment', 'refund_accepted', 'refund_succeeded'])
  const { timeline } = await stage.record(order)
  expect(timeline.filter(({ event }) => event === 'refund_changed')).toHaveLength(1)
  const evidence = await stage.store.evidence.ofOrder(mchid, out_trade_no)
  expect(evidence.filter(({ outcome }) => outcome === null)).toEqual([])
}

async function historyLength(stage: Stage, out_refund_no: string): Promise<number> {
  try {
    return (await stage.refundRun(out_refund_no).describe()).historyLength
  } catch {
    return 0 // not started yet
  }
}

describe('a refund', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, simulator: { time_scale: 60 } })
  })
  afterAll(async () => await stage.close())

  /** Terminates the refund's run as soon as its history has `length` events. Answers how many it had. */
  async function loseRunAt(
    length: number,
  ): Promise<{ order: OrderKey; out_refund_no: string; lost_at: number | null }> {
    const order = await stage.fulfilled()
    const out_refund_no = stage.refundNumber()
    const asked = stage.refund({ out_refund_no, out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    await until(
      'the run is so far',
      async () => (await historyLength(stage, out_refund_no)) >= length || (await ended(out_refund_no)),
      {
        every_ms: 5,
      },
    )
    const lost_at = await stage
      .refundRun(out_refund_no)
      .terminate('lost')
      .then(
        () => historyLength(stage, out_refund_no),
        () => null, // it had ended
      )
    await asked
    return { order, out_refund_no, lost_at }
  }

  async function ended(out_refund_no: string): Promise<boolean> {
    try {
      return (await stage.refundRun(out_refund_no).describe()).status.name !== 'RUNNING'
    } catch {
      return false
    }
  }

  it('whose run is lost at any event of its history is made once, booked once and told once', async () => {
    const lost = new Set<number>()
    for (let length = 2; length <= longest_history; length += 4) {
      const walked = await Promise.all([0, 1, 2, 3].map((more) => loseRunAt(length + more)))
      for (const { order, out_refund_no, lost_at } of walked) {
        if (lost_at !== null) lost.add(lost_at)
        await stage.refundReaches(out_refund_no, 'succeeded', 60_000)
        await until('the merchant heard', () => stage.shop.typesOf(order.out_trade_no).includes('refund.succeeded'))
        await until('its run ended', () => ended(out_refund_no))
        await until('all evidence is settled', async () =>
          (await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)).every(
            ({ outcome }) => outcome !== null,
          ),
        )
        await expectRefundedOnce(stage, order, out_refund_no)
      }
    }
    // That runs were really lost on the way, and at many places of it.
    expect(lost.size).toBeGreaterThanOrEqual(8)
  }, 300_000)

  it('that was reset to any earlier event does nothing a second time', async () => {
    const order = await stage.fulfilled()
    const { body } = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    const { out_refund_no } = body
    await stage.refundReaches(out_refund_no, 'succeeded')
    await until('its run ended', () => ended(out_refund_no))
    await expectRefundedOnce(stage, order, out_refund_no)
    const before = await stage.refundRecord(out_refund_no)
    const { connection, namespace } = stage.temporal
    const { runId: run_id } = await stage.refundRun(out_refund_no).describe()
    const { events } = await stage.refundRun(out_refund_no).fetchHistory()
    const points = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes)
    expect(points.length).toBeGreaterThanOrEqual(3)
    for (const { eventId } of points) {
      await connection.workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution: { workflowId: stage.refundRun(out_refund_no).workflowId, runId: run_id },
        reason: 'an operator wants to see it again',
        workflowTaskFinishEventId: eventId as never,
        requestId: randomUUID(),
      })
      await until('the new run ended', () => ended(out_refund_no))
      expect(await stage.refundRecord(out_refund_no), `reset to ${String(eventId)}`).toEqual(before)
      await expectRefundedOnce(stage, order, out_refund_no)
    }
  }, 120_000)
})

describe('a worker, killed while refunds wait', () => {
  let stage: Stage
  const workers: Role[] = []
  afterAll(async () => {
    for (const worker of workers) await worker.kill()
    await stage.close()
  })

  it('leaves each to the next one, which ends it as it should', async () => {
    stage = await Stage.open({
      time_scale: 20,
      worker: false,
      settings: { refund_approval: { above: 500 } },
      simulator: { time_scale: 20 },
    })
    workers.push(await startRole(stage, 'worker'))
    const { control } = stage.simulator
    const names = ['approval', 'unanswered', 'processing', 'abnormal', 'untold'] as const
    const orders = new Map<string, OrderKey>()
    for (const name of names) orders.set(name, await stage.fulfilled())
    const numberOf = new Map(names.map((name) => [name, stage.refundNumber()]))
    const ask = async (name: (typeof names)[number], refund: number) =>
      await stage.refund({
        out_refund_no: numberOf.get(name),
        out_trade_no: orders.get(name)?.out_trade_no,
        amount: { refund },
      })
    control.holdRefunds({ mchid: stage.mchid })
    const silent = { mchid: stage.mchid, out_trade_no: orders.get('unanswered')?.out_trade_no ?? '' }
    control.addFault({ operation: 'refund', fault: 'timeout_after', times: 1, ...silent })
    for (const name of names) await ask(name, name === 'approval' ? 600 : 400)
    const numbers = (name: (typeof names)[number]) => numberOf.get(name) ?? ''
    await stage.refundReaches(numbers('approval'), 'awaiting_approval')
    for (const name of ['processing', 'abnormal', 'untold'] as const)
      await until('WeChat has taken it', async () => (await stage.refundRecord(numbers(name))).facts !== null)
    await until(
      'it was sent and never answered',
      async () => (await stage.refundRecord(numbers('unanswered'))).submission.unanswered,
    )
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('abnormal'), status: 'ABNORMAL' })
    await stage.refundReaches(numbers('abnormal'), 'abnormal')
    await workers[0]?.kill()

    // While nobody works: WeChat ends two of them, and tells.
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('untold'), status: 'SUCCESS' })
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('abnormal'), status: 'SUCCESS' })
    workers.push(await startRole(stage, 'worker'))
    control.releaseRefunds({ mchid: stage.mchid })
    for (const name of ['unanswered', 'processing', 'abnormal', 'untold'] as const) {
      await stage.refundReaches(numbers(name), 'succeeded', 120_000)
      const { refunds } = control.view(stage.mchid, orders.get(name)?.out_trade_no ?? '')
      expect(refunds.map(({ status }) => status)).toEqual(['SUCCESS'])
      await until('the merchant heard', () =>
        stage.shop.typesOf(orders.get(name)?.out_trade_no ?? '').includes('refund.succeeded'),
      )
    }
    expect((await stage.refundRecord(numbers('approval'))).state).toBe('awaiting_approval')
    expect(control.view(stage.mchid, orders.get('approval')?.out_trade_no ?? '').refunds).toEqual([])
  }, 240_000)
})
