import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { durationAt } from '../../../domain/bill/duration.ts'
import type { ReportRecord } from '../../../domain/bill/report.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { newRefund } from '../../../domain/refund/record.ts'
import { deliverySample, evidenceSample, mchid, orderSample, paymentSample } from '../../store/samples.ts'
import { bill_date, day, Desk } from './desk.ts'

const on = (clock: string) => `${bill_date}T${clock}+08:00`
const morning = on('10:00:00.000')

describe('the numbers of a day', () => {
  let desk: Desk
  let run: number
  beforeAll(async () => {
    desk = await Desk.open()
    run = (await desk.perform('openDay', { day, look: 'one' })).run
    await desk.store.reconciliations.write(day, run, {
      fees: { charged: 12_000, returned: -6_000, expected: 11_880, under: 0, over: 120 },
    })
  })
  afterAll(async () => await desk.drop())

  const written = async (): Promise<ReportRecord> => {
    const [report] = await desk.store.reports.between(mchid, [bill_date, bill_date])
    if (report === undefined) throw new Error('no report was written')
    return report
  }

  async function ordered(no: string, given: Partial<OrderRecord> = {}) {
    await desk.store.orders.insert(orderSample(no, { create_time: morning, ...given }))
  }
  const paidAt = (success_time: string, found_by: 'notification' | 'query' = 'notification') => ({
    transaction_id: `t-${success_time}`,
    role: 'order' as const,
    success_time,
    found_by,
    found_time: success_time,
    bank_type: null,
  })
  const entry = (event: 'fulfilled', time: string) => ({
    ...{ revision: 1, operation_id: event, event, from: 'paid' as const, to: 'fulfilled' as const, time },
    actor: { kind: 'weft' as const, id: null },
    evidence_id: null,
    reason: null,
    sequence: null,
    event_type: null,
  })

  it('are counted from its records, of the day and of no other', async () => {
    await ordered('O1', {
      state: 'fulfilled',
      payment: paidAt(on('10:00:30.000')),
      timeline: [entry('fulfilled', on('10:00:31.000'))] as never,
    })
    await ordered('O2', { state: 'closed', close_reason: 'expired' })
    await ordered('O3', { state: 'closed', close_reason: 'cancelled' })
    await ordered('O4', {
      state: 'failed',
      failure: { code: 'NO_AUTH', message: 'no', number_taken: false },
    })
    await ordered('O5', { create_time: '2026-11-23T00:00:00.000+08:00' })
    await ordered('O6', { create_time: '2026-11-21T23:59:59.999+08:00' })
    const payments = [
      paymentSample('t1', { out_trade_no: 'O1', success_time: morning }),
      paymentSample('t2', {
        out_trade_no: 'O1',
        success_time: on('00:00:00.000'),
        evidence_id: `${mchid}/query/O1/S/t2`,
      }),
      paymentSample('t3', {
        out_trade_no: 'B',
        success_time: on('23:59:59.999'),
        evidence_id: `${mchid}/bill_line/t3/S`,
      }),
      paymentSample('t4', { out_trade_no: 'C', success_time: '2026-11-23T00:00:00.000+08:00' }),
    ]
    for (const payment of payments) await desk.store.payments.insert(payment)
    const heard = { out_trade_no: 'O1', transaction_id: 't1' }
    await desk.store.evidence.archive(evidenceSample('n1', { ...heard, receive_time: on('10:00:05.000') }))
    await desk.store.evidence.archive(evidenceSample('n2', { ...heard, receive_time: on('10:00:02.000') }))
    const [payment] = payments
    if (payment === undefined) throw new Error('no payment')
    const draft = {
      ...{ origin: 'api' as const, requested_by: { kind: 'weft' as const, id: null } },
      notify_url: '',
      is_full: false,
    }
    const refund = newRefund(payment, { ...draft, out_refund_no: 'R1', amount: 100, create_time: morning })
    const facts = {
      ...{ refund_id: '503', channel: null, user_received_account: null, success_time: null },
      ...{ accepted_time: morning, payer_refund: null, settlement_refund: null },
    }
    await desk.store.refunds.insert({ ...refund, state: 'processing', facts })
    const refused = newRefund(payment, { ...draft, out_refund_no: 'R2', amount: 100, create_time: morning })
    await desk.store.refunds.insert({ ...refused, state: 'refused', failure: { code: 'NOT_ENOUGH', message: '' } })
    const attempt = { number: 1, time: morning, duration_ms: 5, error: null, answer: null, read_as: null, reason: null }
    const attempts = [
      { ...attempt, status: 503 },
      { ...attempt, status: null, error: 'timeout' },
      { ...attempt, status: 200 },
    ]
    await desk.store.deliveries.insertMissing([
      deliverySample('O1', 1, { create_time: morning, attempts: attempts as never }),
    ])
    await desk.store.rejections.keep({ mchid, receive_time: morning, reason: 'stale', headers: {}, body: '' })
    await desk.store.rejections.keep({ mchid, receive_time: desk.time(), reason: 'stale', headers: {}, body: '' })

    await desk.perform('writeReport', { day, run })
    const { figures, ...report } = await written()
    expect(report).toMatchObject({ mchid, bill_date, run })
    expect(figures).toMatchObject({
      ...{ created_count: 4, created_amount: 3_960, paid_orders: 1, fulfilled_orders: 1 },
      closed: { expired: 1, cancelled: 1 },
      ...{ paid_count: 3, paid_amount: 2_970, refunded_count: 1, refunded_amount: 100 },
      found_by: { notification: 1, query: 1, bill: 1 },
      ...{ heard_count: 1, repeat_count: 1, rejected: { stale: 1 } },
      ...{ order_errors: { NO_AUTH: 1 }, refund_errors: { NOT_ENOUGH: 1 } },
      delivery_errors: { http_503: 1, timeout: 1 },
      ...{ fee_charged: 12_000, fee_returned: -6_000, fee_expected: 11_880, fee_over: 120, fee_days: 1 },
    })
    const about = (ms: number | null, wanted: number) => expect(Math.abs((ms ?? 0) / wanted - 1)).toBeLessThan(0.026)
    about(durationAt(figures.lag, 0.5), 2_000)
    about(durationAt(figures.to_paid, 0.5), 30_000)
    about(durationAt(figures.to_fulfilled, 0.5), 1_000)
  })

  it('are the same when the step is repeated, and say when a message came again', async () => {
    const before = await written()
    await desk.perform('writeReport', { day, run })
    expect((await written()).figures).toEqual(before.figures)
    await desk.store.payments.insert(paymentSample('t9', { out_trade_no: 'O9', success_time: morning }))
    const once = evidenceSample('n9', { out_trade_no: 'O9', transaction_id: 't9', receive_time: on('10:00:02.000') })
    await desk.store.evidence.archive(once)
    await desk.store.evidence.noteRepeat(once._id)
    await desk.perform('writeReport', { day, run })
    expect((await written()).figures).toMatchObject({ heard_count: 2, repeat_count: 2, paid_count: 4 })
  })

  it('are not written by a look that a newer one overtook', async () => {
    const newer = await desk.perform('openDay', { day, look: 'two' })
    await desk.store.payments.insert(paymentSample('t10', { success_time: morning }))
    await desk.perform('writeReport', { day, run })
    expect((await written()).figures.paid_count).toBe(4)
    await desk.perform('writeReport', { day, run: newer.run })
    const report = await written()
    expect([report.run, report.figures.paid_count]).toEqual([newer.run, 5])
    expect(await desk.store.reports.write({ ...report, run: 1 })).toBe(false)
  })
})
