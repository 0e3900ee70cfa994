import { describe, expect, it } from 'vitest'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import { orderlessEventId } from '../../domain/ids.ts'
import type { OrderRecord, OrderState } from '../../domain/order/record.ts'
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
  orderSample(number, { state, checkout_id: `${mchid}/TEA-1`, reference: 'TEA-1', ...given })
const entry = (event: CheckoutRecord['state'] & ('expired' | 'cancelled'), type: string) =>
  ({ event, event_type: type, time: at(70) }) as never
const found = (
  given: CheckoutRecord,
  orders: OrderRecord[],
  moment: ProofMoment,
  events: ReadonlySet<string> = new Set(),
) =>
  checkoutFindings(given, { orders, events }, moment).map(({ kind, under_way }) =>
    under_way ? `${kind}, under way` : kind,
  )

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
    expect(checkoutFindings(paid, { orders, events: new Set() }, settled)).toMatchObject([
      { kind: 'sale_doubled', amount: 990 },
    ])
    const accepted = { event: 'accepted', from: 'review', to: 'paid' } as never
    const taken = [order('TEA-1', 'paid', { payment, timeline: [accepted] }), ...orders.slice(1)]
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

  it('that is open has its end planned, and is looked at in time', () => {
    const { next_action: _, ...idle } = checkout()
    expect(found(idle, [], settled)).toEqual(['plan_missing'])
    const late = { ...settled, patience: proof_patience }
    expect(found(checkout(), [], late)).toEqual(['plan_missing'])
    const in_time = { ...late, now_ms: noon + 3_600_000 + 60_000 }
    expect(found(checkout(), [], in_time)).toEqual([])
    const untold = checkout({ state: 'expired', next_action: { what: 'tell', time: at(3600) } })
    expect(found(untold, [], late)).toEqual(['plan_missing'])
  })

  it('that is paid is so by an order of its own with money', () => {
    const { next_action: _, ...paid } = checkout({ state: 'paid', paid_by: 'TEA-1' })
    const first = order('TEA-1', 'paid', { payment })
    expect(found(paid, [first], settled)).toEqual([])
    expect(found(paid, [order('TEA-1', 'closed')], settled)).toEqual(['checkout_differs'])
    expect(found(paid, [], settled)).toEqual(['checkout_differs'])
    expect(found(paid, [{ ...first, checkout_id: `${mchid}/TEA-0` }], settled)).toEqual(['checkout_differs'])
    expect(found({ ...paid, paid_by: null }, [], settled)).toEqual(['checkout_differs'])
    expect(found({ ...checkout(), paid_by: 'TEA-1' }, [first], soon)).toEqual(['checkout_differs'])
    const coming = order('TEA-1', 'awaiting_payment', { next_action: { what: 'ask_wechat', time: at(60) } })
    expect(found(paid, [coming], soon)).toEqual(['checkout_differs, under way'])
  })

  it('may be paid by the merchant’s own order of the sale under its number, as an earlier version wrote it', () => {
    const { next_action: _, ...paid } = checkout({ state: 'paid', paid_by: 'TEA-1-2' })
    const foreign = order('TEA-1-2', 'fulfilled', { payment, checkout_id: null })
    expect(found(paid, [order('TEA-1', 'closed'), foreign], settled)).toEqual([])
    expect(found(paid, [{ ...foreign, reference: 'TEA-2' }], settled)).toEqual(['checkout_differs'])
    expect(found(paid, [{ ...foreign, payment: null }], settled)).toEqual(['checkout_differs'])
  })

  it('that is paid has no other order that can be paid, but while that one is being closed', () => {
    const { next_action: _, ...paid } = checkout({ state: 'paid', paid_by: 'TEA-1' })
    const orders = [order('TEA-1', 'paid', { payment }), order('TEA-1-2', 'awaiting_payment')]
    const later = { ...settled, patience: proof_patience }
    const [finding] = checkoutFindings(paid, { orders, events: new Set() }, later)
    expect(finding).toMatchObject({ kind: 'checkout_differs', under_way: false })
    expect(finding?.detail).toContain('POST /v1/orders/TEA-1-2/close')
    const closing = { ...paid, next_action: { what: 'end', time: at(20) } } as const
    expect(found(closing, orders, soon)).toEqual(['checkout_differs, under way'])
    expect(found(closing, orders, later)).toContain('checkout_differs')
    expect(found(paid, [...orders.slice(0, 1), order('TEA-1-2', 'closed')], later)).toEqual([])
  })

  it('has orders of its own amount and sale', () => {
    const amount = { total: 1, currency: 'CNY' } as const
    expect(found(checkout(), [order('TEA-1', 'closed', { amount })], settled)).toEqual(['checkout_differs'])
    expect(found(checkout(), [order('TEA-1', 'closed', { reference: null })], settled)).toEqual(['checkout_differs'])
  })

  it('that ended without money was told so', () => {
    const { next_action: _, ...told } = checkout({ state: 'expired', timeline: [entry('expired', 'checkout.expired')] })
    const event = orderlessEventId(mchid, 'checkout.expired', 'TEA-1')
    expect(found(told, [], settled, new Set([event]))).toEqual([])
    expect(found(told, [], settled)).toEqual(['event_missing'])
    const telling = { ...told, next_action: { what: 'tell', time: at(20) } } as const
    expect(found(telling, [], soon)).toEqual(['event_missing, under way'])
  })
})
