import { describe, expect, it } from 'vitest'
import type { RefundElement } from '../../../domain/payment/record.ts'
import { isAllGoingBack, isRefundKnown, uncoveredAmount } from '../../../domain/refund/cover.ts'
import { newRefund, refund_states } from '../../../domain/refund/record.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { at, paymentSample } from '../../store/samples.ts'

const actor = { kind: 'weft', id: null } as const

/** A refund of `fen` under this number, and what its payment counts of it. */
function refund(out_refund_no: string, fen: number, given: Partial<RefundRecord> = {}): RefundRecord {
  const draft = { out_refund_no, origin: 'api', requested_by: actor, notify_url: 'http://localhost' } as const
  const made = newRefund(paymentSample('t1'), { ...draft, is_full: false, create_time: at(40), amount: fen })
  return { ...made, ...given }
}
const paid = (...refunds: RefundElement[]) => paymentSample('t1', { refunds })
const element = (out_refund_no: string, amount: number, state: RefundElement['state']): RefundElement => ({
  ...{ out_refund_no, amount, state },
})

describe('whether all of a payment goes back', () => {
  it('is so once every fen is reserved and none may still stay', () => {
    const both = [refund('R1', 500, { state: 'succeeded' }), refund('R2', 490, { state: 'processing' })]
    const whole = paid(element('R1', 500, 'succeeded'), element('R2', 490, 'reserved'))
    expect(isAllGoingBack(whole, both)).toBe(true)
    expect(isAllGoingBack(paid(element('R1', 500, 'succeeded')), both)).toBe(false)
  })

  it.each(refund_states)('counts a reserved one that is %s', (state) => {
    const whole = paid(element('R1', 500, 'succeeded'), element('R2', 490, 'reserved'))
    const refunds = [refund('R2', 490, { state })]
    const is_undecided = state === 'created' || state === 'awaiting_approval'
    expect(isAllGoingBack(whole, refunds)).toBe(!is_undecided)
    expect(isAllGoingBack(whole, refunds, 'R2'), 'that is being decided now').toBe(true)
    expect(isAllGoingBack(whole, refunds, 'R1')).toBe(!is_undecided)
  })

  it('does not wait for one that holds nothing of it, or is sent already', () => {
    const undecided = [refund('R2', 490, { state: 'awaiting_approval' })]
    expect(isAllGoingBack(paid(element('R1', 990, 'succeeded')), undecided)).toBe(true)
    const moved = paid(element('R1', 500, 'succeeded'), element('R2', 490, 'accepted'))
    expect(isAllGoingBack(moved, undecided)).toBe(true)
  })
})

describe('what no refund covers', () => {
  it('is what is left of the payment', () => {
    expect(uncoveredAmount(paid(element('R1', 300, 'reserved')), [])).toBe(690)
    expect(uncoveredAmount(paid(), [refund('R1', 300)])).toBe(990)
  })

  it('is nothing while one that takes all that is left is still to be reserved', () => {
    const owed = refund('TEA-1@3', 990, { origin: 'late_payment' })
    expect(uncoveredAmount(paid(), [refund('R1', 300), owed])).toBe(0)
    expect(uncoveredAmount(paid(), [{ ...owed, state: 'refused' }])).toBe(990)
    expect(uncoveredAmount(paid(), [{ ...owed, transaction_id: 't2' }])).toBe(990)
    expect(uncoveredAmount(paid(), [{ ...owed, origin: 'api' }])).toBe(990)
  })
})

describe('whether it is known how money went back that WeChat says went', () => {
  const refused = (fen: number, code: string | null, given: Partial<RefundRecord> = {}) => {
    const submission = { attempts: 1, unanswered: false, last_attempt_time: at(50) }
    const refusal = code === null ? {} : { refusal: { code, message: '' } }
    return refund('R1', fen, { state: 'processing', submission: { ...submission, ...refusal }, ...given })
  }
  const held = paid(element('R1', 990, 'reserved'))

  it('is not where no refund has taken any', () => {
    expect(isRefundKnown(paid(), [], null)).toBe(false)
    expect(isRefundKnown(paid(element('R1', 300, 'released')), [], null)).toBe(false)
    expect(isRefundKnown(paid(element('R1', 300, 'released'), element('R2', 1, 'accepted')), [], null)).toBe(true)
  })

  it.each(['INVALID_REQUEST', 'PARAM_ERROR'])(
    'is not where WeChat refuses one as too much that has room: %s',
    (code) => {
      expect(isRefundKnown(held, [refused(990, code)], 'R1')).toBe(false)
      const others = paid(element('R1', 600, 'reserved'), element('R2', 390, 'succeeded'))
      expect(isRefundKnown(others, [refused(600, code)], 'R1'), 'exactly').toBe(false)
      expect(isRefundKnown(others, [refused(601, code)], 'R1'), 'there is no room').toBe(true)
      const second = refund('R2', 390, { state: 'succeeded' })
      expect(isRefundKnown(others, [second, refused(600, code)], 'R1'), 'beside another').toBe(false)
    },
  )

  it('is where WeChat refuses it for another reason, has taken it, or speaks of another number', () => {
    expect(isRefundKnown(held, [refused(990, 'TRADE_OVERDUE')], 'R1')).toBe(true)
    expect(isRefundKnown(held, [refused(990, null)], 'R1')).toBe(true)
    expect(isRefundKnown(held, [refused(990, 'PARAM_ERROR')], null)).toBe(true)
    const facts = { refund_id: 'w-1', accepted_time: at(50), channel: null, user_received_account: null }
    const taken = { ...facts, success_time: null, payer_refund: null, settlement_refund: null }
    expect(isRefundKnown(held, [refused(990, 'PARAM_ERROR', { facts: taken })], 'R1')).toBe(true)
  })

  it('is where another refund of the payer’s stands under its number by now', () => {
    const outside = refund('5030@wechat', 990, { origin: 'outside', wechat_refund_no: 'R1' })
    expect(isRefundKnown(held, [refused(990, 'PARAM_ERROR'), outside], 'R1')).toBe(true)
  })
})
