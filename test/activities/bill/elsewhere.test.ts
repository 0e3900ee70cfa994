import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dayRange } from '../../../domain/bill/reconciliation.ts'
import { differenceId } from '../../../domain/ids.ts'
import { paymentEntry } from '../../../domain/journal.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { at, mchid, orderSample, paymentSample } from '../../store/samples.ts'
import { as_refund } from '../../wechat/statement/file.ts'
import { day, Desk, tradeFile } from './desk.ts'

const next = { mchid, bill_date: '2026-11-23' }
const tx = '4200000001202611220000000001'
const { 微信退款单号: refund_id, 商户退款单号: out_refund_no } = as_refund
const order = { out_trade_no: 'T20261122-1', order_id: `${mchid}/T20261122-1` }
const success_times = {
  [day.bill_date]: '2026-11-22T23:59:59.000+08:00',
  [next.bill_date]: '2026-11-23T00:00:01.000+08:00',
}

/** A payment that is recorded as of this day. */
function paidOn({ bill_date }: { bill_date: string }) {
  const success_time = success_times[bill_date] ?? ''
  return paymentSample(tx, { ...order, appid: 'wx8888888888888888', success_time })
}

describe('a payment that the bill of another day has', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
    desk.now_ms = dayRange(next.bill_date).to_ms + 12 * 3_600_000
    await desk.store.orders.insert(orderSample(order.out_trade_no, { create_time: at(-90_000) }))
  })
  afterEach(async () => await desk.drop())

  const of = async (own: typeof day, kind: string, subject = tx) =>
    await desk.store.differences.find(differenceId(own, kind, subject))
  const states = async (own: typeof day) =>
    (await desk.store.differences.ofDay(own, null, 500)).map(({ kind, state }) => `${kind} ${state}`)

  // Which day is looked at first is chance: all days of a back-fill begin at once.
  const orders = [
    ['the later bill has it, earlier day first', day, next, [day, next]],
    ['the later bill has it, later day first', day, next, [next, day]],
    ['the earlier bill has it, earlier day first', next, day, [day, next]],
    ['the earlier bill has it, later day first', next, day, [next, day]],
  ] as const

  it.each(orders)('is settled there: %s', async (_, own, other, looks) => {
    await desk.store.payments.insert(paidOn(own))
    for (const one of looks) {
      desk.issue(tradeFile(one === other ? [{}] : []))
      await desk.closed(one)
    }
    const settled = await of(own, 'missing_there')
    expect(settled).toMatchObject({ state: 'healed', weft: { transaction_id: tx } })
    expect(settled?.timeline.at(-1)?.reason).toBe(`it is in the bill of ${other.bill_date}`)
    expect(await states(other)).toEqual([])
    desk.issue(tradeFile([]))
    const looked = await desk.closed(own)
    expect(looked).toMatchObject({ is_proven: true, records: { all: 1, matched: 1, waiting: 0 }, differences: {} })
    desk.issue(tradeFile([{}]))
    expect(await desk.closed(other)).toMatchObject({ is_proven: true, rows: { all: 1, matched: 1, waiting: 0 } })
  })

  it('is settled no longer once that bill is issued anew without it', async () => {
    await desk.store.payments.insert(paidOn(day))
    desk.issue(tradeFile([]))
    await desk.closed(day)
    desk.issue(tradeFile([{}]))
    await desk.closed(next)
    expect(await states(day)).toEqual(['missing_there healed'])
    desk.issue(tradeFile([{ 微信订单号: '4200000001202611220000000002', 商户订单号: 'OTHERS' }]))
    await desk.closed(next)
    desk.issue(tradeFile([]))
    expect(await desk.closed(day)).toMatchObject({ is_proven: false, differences: { missing_there: 1 } })
    expect(await states(day)).toEqual(['missing_there open'])
    desk.issue(tradeFile([{}]))
    await desk.closed(next)
    expect(await states(day)).toEqual(['missing_there healed'])
  })

  const written = async (of: string, given: { event: 'assigned'; owner: null } | { event: 'noted'; note: string }) => {
    const about = { operation_id: `${given.event}:1`, time: at(0), actor: { kind: 'merchant', id: 'key_1' } } as const
    await desk.store.differences.apply(of, { ...about, ...given, reason: given.event === 'noted' ? given.note : null })
  }

  it('is settled there still when a person has written something down of it', async () => {
    await desk.store.payments.insert(paidOn(day))
    desk.issue(tradeFile([]))
    await desk.closed(day)
    desk.issue(tradeFile([{}]))
    await desk.closed(next)
    await written(differenceId(day, 'missing_there', tx), { event: 'assigned', owner: null })
    desk.issue(tradeFile([]))
    expect(await desk.closed(day)).toMatchObject({ is_proven: true, records: { matched: 1 }, differences: {} })
  })

  it('is not taken for one of another day for a note, once its own bill had it and lacks it again', async () => {
    await desk.store.payments.insert(paidOn(day))
    for (const rows of [[], [{}]]) {
      desk.issue(tradeFile(rows))
      await desk.closed(day)
    }
    expect(await states(day)).toEqual(['missing_there healed'])
    await written(differenceId(day, 'missing_there', tx), { event: 'noted', note: 'their support made the bill anew' })
    desk.issue(tradeFile([]))
    expect(await desk.closed(day)).toMatchObject({ is_proven: false, records: { matched: 0, waiting: 1 } })
    expect(await states(day)).toEqual(['missing_there open'])
  })

  it('under another amount is a difference of the bill’s day, with both sides', async () => {
    await desk.store.payments.insert(paidOn(day))
    desk.issue(tradeFile([{ 订单金额: '9.91' }]))
    const looked = await desk.closed(next)
    expect(looked).toMatchObject({ is_proven: false, rows: { all: 1, different: 1, waiting: 0 } })
    const amount = await of(next, 'amount')
    expect(amount).toMatchObject({ state: 'open', amount: 1, weft: { transaction_id: tx } })
    expect(amount?.fields).toEqual(['total: 991 in the bill, 990 here'])
  })

  it('stays missing where no record of any day has it', async () => {
    desk.issue(tradeFile([{}]))
    await desk.looked(next)
    expect(await states(next)).toEqual(['missing_here waiting'])
  })

  it.each([
    ['earlier day first', [day, next]],
    ['later day first', [next, day]],
  ] as const)('or a refund, which is its day’s by its acceptance, is settled there: %s', async (_, looks) => {
    const payment = paidOn({ bill_date: day.bill_date })
    await desk.store.payments.insert({ ...payment, success_time: '2026-11-20T10:00:00.000+08:00' })
    const times = {
      accepted_time: success_times[day.bill_date] ?? '',
      success_time: success_times[next.bill_date] ?? '',
    }
    const facts = { refund_id, status: 'SUCCESS', channel: 'ORIGINAL', settlement_refund: 990, ...times }
    const refund = refundSample(out_refund_no, { ...payment, amount: { refund: 990, total: 990, currency: 'CNY' } })
    await desk.store.refunds.insert({ ...refund, state: 'succeeded', facts } as never)
    for (const one of looks) {
      desk.issue(tradeFile(one === next ? [as_refund] : []))
      await desk.closed(one)
    }
    expect(await of(day, 'refund_missing_there', refund_id)).toMatchObject({ state: 'healed' })
    expect(await states(next)).toEqual([])
    desk.issue(tradeFile([]))
    expect(await desk.closed(day)).toMatchObject({ records: { all: 1, matched: 1, waiting: 0 } })
  })

  it.each([
    ['earlier day first', day, [day, next]],
    ['later day first', day, [next, day]],
    ['its own day is the later, earlier day first', next, [day, next]],
    ['its own day is the later, later day first', next, [next, day]],
  ] as const)('and the bill of its own day too is one line too many, on the later day: %s', async (_, own, looks) => {
    const payment = paidOn(own)
    await desk.store.payments.insert(payment)
    await desk.store.journal.post(paymentEntry(payment, '2026-11-23T00:00:02.000+08:00'))
    const both = async () => {
      for (const one of looks) {
        desk.issue(tradeFile([{}]))
        desk.now_ms += 60_000
        await desk.closed(one)
      }
    }
    const doubled = async () => {
      expect((await of(next, 'duplicate'))?.fields).toEqual([`the bill of ${day.bill_date} has it too`])
      expect(await of(next, 'duplicate')).toMatchObject({
        state: 'open',
        amount: 990,
        out_trade_no: order.out_trade_no,
      })
      expect(await of(day, 'duplicate')).toBeNull()
    }
    await both()
    await doubled()
    await both()
    await doubled()
    const [first, second] = [await desk.closed(day), await desk.closed(next)]
    expect(first).toMatchObject({ is_proven: true, rows: { all: 1, matched: 1 } })
    expect(second).toMatchObject({ is_proven: false, rows: { all: 1, different: 1 }, differences: { duplicate: 1 } })
    await doubled()
    // The later bill is issued anew without it.
    desk.issue(tradeFile([{ 微信订单号: '4200000001202611220000000002', 商户订单号: 'OTHERS' }]))
    expect(await desk.closed(next)).toMatchObject({ is_proven: true, differences: {} })
    expect((await of(next, 'duplicate'))?.state).toBe('healed')
  })

  it('stays one line too many when the bill of its own day is issued anew and has it still', async () => {
    await desk.store.payments.insert(paidOn(day))
    const other_line = { 微信订单号: '4200000001202611220000000002', 商户订单号: 'OTHERS' }
    const looks = [
      ...([
        [day, []],
        [next, [{}]],
        [day, [{}]],
        [next, [{}]],
      ] as const),
      ...([
        [day, [{}, other_line]],
        [next, [{}]],
      ] as const),
    ] as const
    const seen: unknown[] = []
    for (const [one, lines] of looks) {
      desk.issue(tradeFile([...lines]))
      desk.now_ms += 60_000
      const { is_proven, differences } = await desk.closed(one)
      seen.push([is_proven, differences])
    }
    const doubled = [false, { duplicate: 1 }]
    expect(seen).toEqual([[false, { missing_there: 1 }], [true, {}], [true, {}], doubled, [true, {}], doubled])
    expect((await of(next, 'duplicate'))?.state).toBe('open')
  })

  it('and was not recorded when its own day was looked at, is settled there and no line too many', async () => {
    desk.issue(tradeFile([]))
    await desk.closed(day)
    const payment = paidOn(day)
    await desk.store.payments.insert(payment)
    await desk.store.journal.post(paymentEntry(payment, desk.time()))
    desk.issue(tradeFile([{}]))
    desk.now_ms += 60_000
    expect(await desk.closed(next)).toMatchObject({ is_proven: true, rows: { matched: 1 } })
    expect(await states(next)).toEqual([])
  })
})
