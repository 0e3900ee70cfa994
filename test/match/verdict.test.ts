import { describe, expect, it } from 'vitest'
import type { DayPayment, DayRefund } from '../../domain/bill/record.ts'
import type { TradeRow } from '../../domain/bill/row.ts'
import { refund_states } from '../../domain/refund/record.ts'
import type { RefundState } from '../../domain/refund/record.ts'
import { expectedFee, FeeTally } from '../../match/fee.ts'
import { numberShape } from '../../match/foreign.ts'
import { classifyPayment, classifyRefund, classifyReversal, duplicate_verdict } from '../../match/verdict.ts'
import { payment, paymentRow, refund, refundRow, reversalRow } from './sample.ts'

const isOurs = () => false
const isForeign = () => true

describe('a row of a payment and our record of it', () => {
  const of = payment()
  const cases: [
    what: string,
    row: Partial<TradeRow>,
    record: Partial<DayPayment>,
    kind: string | null,
    fields: string[],
  ][] = [
    ['agree', {}, {}, null, []],
    ['agree where the layout has no 订单金额', { total: null, refund: null }, {}, null, []],
    ['agree whatever the role of the money is', {}, { role: 'orphan' }, null, []],
    ['differ in 订单金额', { total: 1_001 }, {}, 'amount', ['total']],
    ['differ in 应结订单金额', { settled_total: 991 }, {}, 'amount', ['settled_total']],
    ['differ in 总金额 of an old layout', { total: null, settled_total: 991 }, {}, 'amount', ['settled_total']],
    ['differ in currency', { currency: 'HKD' }, {}, 'amount', ['currency']],
    ['differ in state', { trade_state: 'REFUND' }, {}, 'state', ['trade_state']],
    ['differ in number', { out_trade_no: 'TEA-0002' }, {}, 'number', ['out_trade_no']],
    ['differ in id', { transaction_id: '42' }, {}, 'number', ['transaction_id']],
    ['differ in appid', { appid: 'wx2' }, {}, 'number', ['appid']],
    [
      'differ in all',
      { out_trade_no: 'X', total: 1, trade_state: 'X' },
      {},
      'number',
      ['out_trade_no', 'total', 'trade_state'],
    ],
    ['differ in amount before state', { total: 1, trade_state: 'X' }, {}, 'amount', ['total', 'trade_state']],
    ['differ by a fen of a coupon', {}, { settled_total: 1_000 }, 'amount', ['settled_total']],
  ]
  it.each(cases)('%s', (_what, row, record, kind, fields) => {
    const verdict = classifyPayment(paymentRow(of, row), payment(record), isForeign)
    expect(verdict.kind).toBe(kind)
    expect(verdict.class).toBe(kind === null ? 'matched' : 'different')
    expect(verdict.fields.map(({ field }) => field)).toEqual(fields)
  })

  it('say what each of them has', () => {
    const { fields } = classifyPayment(paymentRow(of, { total: 1_001 }), of, isOurs)
    expect(fields).toEqual([{ field: 'total', about: 'amount', bill: 1_001, ours: 1_000 }])
  })
})

describe('a row of a refund and our record of it', () => {
  const cases: [
    what: string,
    row: Partial<TradeRow>,
    record: Partial<DayRefund>,
    kind: string | null,
    fields: string[],
  ][] = [
    ['agree', {}, {}, null, []],
    ['agree where WeChat never said what left the account', {}, { settlement_refund: null }, null, []],
    ['agree in an old layout', { refund: null }, {}, null, []],
    [
      'agree in an old layout where WeChat never said',
      { refund: null, settlement_refund: 500 },
      { settlement_refund: null },
      null,
      [],
    ],
    [
      'differ in an old layout where WeChat never said',
      { refund: null, settlement_refund: 499 },
      { settlement_refund: null },
      'refund_amount',
      ['settlement_refund'],
    ],
    ['differ in 申请退款金额', { refund: 501 }, {}, 'refund_amount', ['refund']],
    ['differ in 退款金额', { settlement_refund: 494 }, {}, 'refund_amount', ['settlement_refund']],
    ['differ in number', { out_refund_no: 'BACK-2' }, {}, 'refund_number', ['out_refund_no']],
    ['differ in id', { refund_id: '50' }, {}, 'refund_number', ['refund_id']],
    ['differ in payment', { transaction_id: '42' }, {}, 'refund_number', ['transaction_id']],
    ['differ in order', { out_trade_no: 'TEA-2' }, {}, 'refund_number', ['out_trade_no']],
    ['differ in a word that nobody knows', { refund_status: 'LOST' }, {}, 'refund_state', ['refund_status']],
    [
      'differ in a word that is every object’s',
      { refund_status: 'constructor' },
      {},
      'refund_state',
      ['refund_status'],
    ],
    ['differ in a word that is missing', { refund_status: null }, {}, 'refund_state', ['refund_status']],
  ]
  it.each(cases)('%s', (_what, row, record, kind, fields) => {
    const verdict = classifyRefund(refundRow(refund(), row), refund(record), isForeign)
    expect(verdict.kind).toBe(kind)
    expect(verdict.class).toBe(kind === null ? 'matched' : 'different')
    expect(verdict.fields.map(({ field }) => field)).toEqual(fields)
  })

  /** What each word agrees with, of a refund that never succeeded and of one that did. */
  const agreed: Record<string, { never: RefundState[]; once: RefundState[] }> = {
    PROCESSING: {
      never: ['processing', 'abnormal', 'succeeded', 'closed', 'returned_to_merchant'],
      once: ['processing', 'abnormal', 'succeeded', 'closed', 'returned_to_merchant'],
    },
    SUCCESS: {
      never: ['succeeded', 'returned_to_merchant'],
      once: ['abnormal', 'succeeded', 'closed', 'returned_to_merchant'],
    },
    CHANGE: {
      never: ['abnormal', 'closed', 'returned_to_merchant'],
      once: ['abnormal', 'closed', 'returned_to_merchant'],
    },
    FAIL: { never: ['closed', 'refused'], once: ['closed', 'refused'] },
  }
  it.each(Object.entries(agreed))(
    'agree on %s with the states that can have come of it',
    (refund_status, { never, once }) => {
      const agreeing = (success_time: string | null) =>
        refund_states.filter((state) => {
          const row = refundRow(refund(), { refund_status })
          return classifyRefund(row, refund({ state, success_time }), isOurs).class === 'matched'
        })
      expect(agreeing(null)).toEqual(never)
      expect(agreeing(refund().success_time)).toEqual(once)
    },
  )
})

describe('a refund that was abnormal when its bill was made', () => {
  // The sample was taken by WeChat Pay on 22 November, whose bill is made from nine of the 23rd on.
  it.each([
    ['agrees when it has succeeded since', '2026-11-23T09:00:00.000+08:00', 'matched'],
    ['agrees however much later that was', '2026-12-20T18:00:00.000+08:00', 'matched'],
    ['differs when it had succeeded before: its bank sent it back', '2026-11-23T08:59:59.000+08:00', 'different'],
  ])('%s', (_what, success_time, expected_class) => {
    const accepted_time = '2026-11-22T23:59:59.000+08:00'
    const ours = refund({ state: 'succeeded', accepted_time, success_time })
    expect(classifyRefund(refundRow(ours, { refund_status: 'CHANGE' }), ours, isOurs).class).toBe(expected_class)
  })
})

describe('one side alone', () => {
  it.each([
    ['a payment that only the bill has', classifyPayment(paymentRow(), null, isOurs), 'waiting', 'missing_here'],
    ['a payment that only we have', classifyPayment(null, payment(), isOurs), 'waiting', 'missing_there'],
    ['a refund that only the bill has', classifyRefund(refundRow(), null, isOurs), 'waiting', 'refund_missing_here'],
    ['a refund that only we have', classifyRefund(null, refund(), isOurs), 'waiting', 'refund_missing_there'],
    ['a payment of another system', classifyPayment(paymentRow(), null, isForeign), 'foreign', null],
    ['a refund of another system', classifyRefund(refundRow(), null, isForeign), 'foreign', null],
    ['a reversal of ours', classifyReversal(reversalRow(), null, isOurs), 'different', 'state'],
    ['a reversal of another system', classifyReversal(reversalRow(), null, isForeign), 'foreign', null],
    [
      'a reversal of a payment that we have',
      classifyReversal(reversalRow(), payment(), isForeign),
      'different',
      'state',
    ],
    ['what is there once more', duplicate_verdict, 'different', 'duplicate'],
  ])('%s', (_what, verdict, expected_class, kind) => {
    expect([verdict.class, verdict.kind]).toEqual([expected_class, kind])
  })

  it('is something: nothing has no class', () => {
    expect(() => classifyPayment(null, null, isOurs)).toThrow('nothing')
  })
})

describe('the fee', () => {
  it.each([
    [1_000, 6_000, 6_000],
    [83, 6_000, 0],
    [84, 6_000, 1_000],
    [250, 6_000, 2_000],
    [0, 6_000, 0],
    [9_999_999_999_999, 6_000, 60_000_000_000_000],
    [100, 390_000, 39_000],
  ])('of %i fen at %i ppm is %i thousandths of a fen', (settled_total, rate_ppm, fee) => {
    expect(expectedFee(settled_total, rate_ppm)).toBe(fee)
  })

  it('is summed, and the lines that are off by more than the tolerance are named, the worst first', () => {
    const tally = new FeeTally({ rate_ppm: 6_000, tolerance: 1 })
    const fees = [6_000, 7_000, 5_000, 3_000, 10_000]
    for (const [index, fee] of fees.entries()) {
      tally.add(paymentRow(payment({ settled_total: 1_000, transaction_id: `42${index}` }), { fee }))
    }
    tally.add(refundRow(refund(), { fee: -2_970 }))
    expect(tally.result()).toMatchObject({
      ...{ payment_count: 5, charged: 31_000, expected: 30_000, refund_count: 1, returned: -2_970 },
      ...{ match: { count: 3, sum: 0 }, under: { count: 1, sum: -3_000 }, over: { count: 1, sum: 4_000 } },
      lines: [{ charged: 10_000 }, { charged: 3_000 }],
    })
  })

  it('follows the rate of its trade type, where that has its own', () => {
    const tally = new FeeTally({ rate_ppm: 6_000, by_trade_type: { MWEB: 10_000 }, tolerance: 0 })
    for (const [index, trade_type] of ['NATIVE', 'MWEB', 'toString'].entries()) {
      const of = payment({ settled_total: 1_000, transaction_id: `42${index}` })
      tally.add(paymentRow(of, { fee: 6_000, trade_type }))
    }
    expect(tally.result()).toMatchObject({ expected: 22_000, match: { count: 2 }, under: { count: 1, sum: -4_000 } })
  })

  it('that is not whole fen is named, whatever was agreed', () => {
    for (const terms of [null, { rate_ppm: 6_000, tolerance: 1 }]) {
      const tally = new FeeTally(terms)
      tally.add(paymentRow(payment({ settled_total: 1_000 }), { fee: 6_001 }))
      tally.add(paymentRow(payment({ settled_total: 1_000, transaction_id: '43' }), { fee: 6_000 }))
      expect(tally.result()).toMatchObject({ fractional: { count: 1, lines: [{ charged: 6_001 }] }, lines: [] })
    }
  })

  it('is summed only where no rate is known', () => {
    const tally = new FeeTally(null)
    tally.add(paymentRow())
    expect(tally.result()).toMatchObject({ charged: 6_000, expected: null, match: { count: 0 }, lines: [] })
  })
})

describe('the shape of a number', () => {
  it.each([
    ['SHOP20261122-17', 'A9-9'],
    ['pos|7', 'a|9'],
    ['aB1cD2eF3', 'aA9aA9…'],
    ['', ''],
  ])('of %s is %s', (number, shape) => {
    expect(numberShape(number)).toBe(shape)
  })
})
