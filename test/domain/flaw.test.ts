import { describe, expect, it } from 'vitest'
import { orderFlaw } from '../../domain/order/record.ts'
import type { OrderRecord, TimelineEntry } from '../../domain/order/record.ts'
import { paymentFlaw } from '../../domain/payment/record.ts'
import { newRefund, refundFlaw } from '../../domain/refund/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { at, orderSample, paymentSample } from '../store/samples.ts'

const actor = { kind: 'weft', id: null } as const

function entry(revision: number, given: Partial<TimelineEntry> = {}): TimelineEntry {
  const nothing = { evidence_id: null, reason: null, sequence: null, event_type: null }
  const step = { event: 'code_renewed', from: 'awaiting_payment', to: 'awaiting_payment' } as const
  return { revision, operation_id: `op${revision}`, ...step, time: at(revision), actor, ...nothing, ...given }
}

const timeline = [entry(1), entry(2), entry(3)]
const order = orderSample('TEA-1', { state: 'awaiting_payment', revision: 3, timeline })
const draft = { out_refund_no: 'R1', origin: 'api', requested_by: actor, notify_url: 'http://localhost' } as const
const refund = newRefund(paymentSample('t1'), { ...draft, is_full: true, create_time: at(1), amount: 990 })
const element = { out_refund_no: 'R1', amount: 990, state: 'reserved' } as const

describe('what a record must be to be worked with', () => {
  it('is fulfilled by an order, a refund and a payment as they are written', () => {
    expect([orderFlaw(order), refundFlaw(refund), paymentFlaw(paymentSample('t1', { refunds: [element] }))]).toEqual([
      null,
      null,
      null,
    ])
  })

  it('is fulfilled by a refund that was begun anew: its revision goes on and its timeline starts over', () => {
    expect(refundFlaw({ ...refund, revision: 2 })).toBeNull()
    const again = { ...entry(3), event: 'reserved', from: 'created', to: 'processing' } as const
    expect(refundFlaw({ ...refund, state: 'processing', revision: 3, timeline: [again] })).toBeNull()
  })

  it.each<[string, Partial<Record<keyof OrderRecord, unknown>>]>([
    ['its state is paused, which is none', { state: 'paused' }],
    ['its last event is paused, which is none', { timeline: [entry(3, { event: 'paused' as never })] }],
    ['its state is paid, and its timeline ends in awaiting_payment', { state: 'paid' }],
    ['its revision is 4, and its timeline ends at 3', { revision: 4 }],
    ['its revision is undefined', { revision: undefined }],
    ['its timeline has 2 entries for 3 revisions', { timeline: [entry(1), entry(3)] }],
    ['its amount.total is 9.5, which is no amount of fen', { amount: { total: 9.5, currency: 'CNY' } }],
  ])('says of an order that %s', (flaw, given) => {
    expect(orderFlaw({ ...order, ...given } as OrderRecord)).toBe(flaw)
  })

  it('says what is wrong with a refund and with a payment', () => {
    const half = { ...refund.amount, refund: 0.5 }
    expect(refundFlaw({ ...refund, amount: half })).toBe('its amount.refund is 0.5, which is no amount of fen')
    expect(refundFlaw({ ...refund, state: 'lost' } as unknown as RefundRecord)).toBe('its state is lost, which is none')
    const flawOf = (given: object) => paymentFlaw(paymentSample('t1', given))
    expect(flawOf({ role: 'gift' })).toBe('its role is gift, which is none')
    expect(flawOf({ settled_total: NaN })).toBe('its settled_total is NaN, which is no amount of fen')
    expect(flawOf({ refunds: [{ ...element, state: 'gone' }] })).toBe('its refund R1 is gone, which is no state')
    expect(flawOf({ refunds: [{ ...element, amount: 1.5 }] })).toBe('its refund R1 is 1.5, which is no amount of fen')
  })
})
