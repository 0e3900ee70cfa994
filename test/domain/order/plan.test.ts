import { describe, expect, it } from 'vitest'
import { applyOrderEvent } from '../../../domain/order/change.ts'
import type { OrderOccurrence, OrderRecord } from '../../../domain/order/record.ts'
import { Story } from '../../stage/dossiers.ts'
import { at, paymentFound, placed, secondPayment } from '../../store/samples.ts'

const deliver = { what: 'deliver', time: at(20) } as const

/** Paid, and the shop is still to be told. */
function paidOrder(): OrderRecord {
  const { order } = new Story().tell(placed())
  const asks = { ...order, fulfilment: { ...order.fulfilment, mode: 'event' as const } }
  const change = applyOrderEvent(asks, paymentFound('t1'))
  if (change === null) throw new Error('illegal')
  return { ...asks, ...change.set, revision: 2, timeline: [...asks.timeline, change.entry] }
}

const cause = (operation_id: string) => ({ operation_id, time: at(40), actor: { kind: 'weft', id: null } as const })
const news = { out_refund_no: 'R1', event_type: 'refund.succeeded', ...cause('news') } as const

describe('the plan of an order that is still to be told to the shop', () => {
  it.each<[string, OrderOccurrence]>([
    ['a part of it is refunded', { event: 'refund_changed', ...news }],
    ['a refund of it is closed', { event: 'refund_closed', ...news }],
    ['a refund of it is refused', { event: 'refund_refused', ...news }],
    ['it is paid a second time', secondPayment('t2')],
  ])('stays when %s: the shop is told at once, and not at the deadline', (_, occurrence) => {
    const order = paidOrder()
    expect(order.next_action).toEqual(deliver)
    expect(applyOrderEvent(order, occurrence)?.set.next_action).toEqual(deliver)
  })

  it('stays when the second payment is decided', () => {
    const order = paidOrder()
    const found = applyOrderEvent(order, secondPayment('t2'))
    if (found === null) throw new Error('illegal')
    const twice = { ...order, ...found.set, revision: 3, timeline: [...order.timeline, found.entry] }
    const decided = { transaction_id: 'second', ...cause('decided') }
    for (const event of ['second_accepted', 'second_rejected'] as const)
      expect(applyOrderEvent(twice, { event, ...decided })?.set.next_action).toEqual(deliver)
  })

  it('is to tell it at once that the question was taken back', () => {
    const stopped = applyOrderEvent(paidOrder(), { event: 'fulfilment_stopped', ...cause('stopped:1') })
    expect(stopped?.set.next_action).toEqual({ what: 'deliver', time: at(40) })
  })
})
