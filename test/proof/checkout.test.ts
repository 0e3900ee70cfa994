import { describe, expect, it } from 'vitest'
import type { OrderState } from '../../domain/order/record.ts'
import { checkoutFindings, madeByFindings } from '../../proof/checkout.ts'
import { proof_patience } from '../../proof/finding.ts'
import type { ProofMoment } from '../../proof/finding.ts'
import { Story } from '../stage/dossiers.ts'
import { at, checkoutSample, mchid, noon, orderSample } from '../store/samples.ts'

const settled: ProofMoment = { now_ms: noon + 86_400_000, patience: null }
const soon: ProofMoment = { now_ms: noon + 30_000, patience: proof_patience }
const checkout = (given: Parameters<typeof checkoutSample>[1] = {}) =>
  checkoutSample('TEA-1', { orders: ['TEA-1', 'TEA-1-2'], ...given })
const payment = {
  transaction_id: '4200001',
  role: 'order',
  success_time: at(5),
  found_by: 'notification',
  found_time: at(6),
  bank_type: null,
} as const
const order = (number: string, state: OrderState, given: Parameters<typeof orderSample>[1] = {}) =>
  orderSample(number, { state, checkout_id: `${mchid}/TEA-1`, ...given })
const found = (...given: Parameters<typeof checkoutFindings>) =>
  checkoutFindings(...given).map(({ kind, under_way }) => (under_way ? `${kind}, under way` : kind))

describe('an order that names a checkout', () => {
  it('is known to that checkout', () => {
    const { dossier } = new Story('TEA-1-2')
    dossier.order = order('TEA-1-2', 'created')
    const kinds = () => madeByFindings(dossier).map(({ kind }) => kind)
    expect(kinds()).toEqual(['checkout_differs'])
    dossier.checkout = checkout()
    expect(kinds()).toEqual([])
    dossier.checkout = checkoutSample('TEA-1', { orders: ['TEA-1'] })
    expect(kinds()).toEqual(['checkout_differs'])
  })
})

describe('a checkout', () => {
  it('is sound with one order kept, that it says it is paid by', () => {
    const orders = [order('TEA-1', 'closed'), order('TEA-1-2', 'fulfilled', { payment })]
    expect(found(checkout({ state: 'paid', paid_by: 'TEA-1-2' }), orders, settled)).toEqual([])
    expect(found(checkout(), orders, settled)).toEqual(['checkout_differs'])
    expect(found(checkout(), orders, soon)).toEqual(['checkout_differs, under way'])
  })

  it('never has two that are both kept, unless a person took the second', () => {
    const orders = [order('TEA-1', 'paid', { payment }), order('TEA-1-2', 'fulfilled', { payment })]
    const paid = checkout({ state: 'paid', paid_by: 'TEA-1-2' })
    expect(checkoutFindings(paid, orders, settled)).toMatchObject([{ kind: 'sale_doubled', amount: 990 }])
    const entry = { event: 'accepted', from: 'review', to: 'paid' } as never
    const taken = [order('TEA-1', 'paid', { payment, timeline: [entry] }), ...orders.slice(1)]
    expect(found(paid, taken, settled)).toEqual([])
    const going_back = [order('TEA-1', 'refunding', { payment }), ...orders.slice(1)]
    expect(found(paid, going_back, settled)).toEqual([])
  })

  it('that is over has no order that can be paid, but for a moment', () => {
    const orders = [
      order('TEA-1', 'closed'),
      order('TEA-1-2', 'created', { next_action: { what: 'place', time: at(0) } }),
    ]
    expect(found(checkout({ state: 'cancelled' }), orders, settled)).toEqual(['checkout_differs'])
    expect(found(checkout({ state: 'cancelled' }), orders, soon)).toEqual(['checkout_differs, under way'])
    expect(found(checkout({ state: 'open' }), orders, settled)).toEqual([])
  })

  it('is not judged by another order of the merchant’s that has one of its numbers', () => {
    const foreign = order('TEA-1-2', 'paid', { payment, checkout_id: null })
    expect(found(checkout(), [order('TEA-1', 'closed'), foreign], settled)).toEqual([])
  })

  it('that is open has its end planned', () => {
    const { next_action: _, ...idle } = checkout()
    expect(found(idle, [], settled)).toEqual(['plan_missing'])
  })
})
