import type { CheckoutRecord } from '../domain/checkout/record.ts'
import { orderId } from '../domain/ids.ts'
import { keepsSale } from '../domain/order/judgement.ts'
import { isOrderResting } from '../domain/order/record.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import type { ProofStore } from './dossier.ts'
import { isFresh, isPlanned, latestTime, newFinding } from './finding.ts'
import type { Dossier, Finding, ProofMoment } from './finding.ts'

const page = 200

/** Whether an order and the checkout that it says made it name each other. */
export function madeByFindings({ order, checkout, ...dossier }: Dossier): Finding[] {
  if (!order?.checkout_id) return []
  const about = { mchid: dossier.mchid, out_trade_no: order.out_trade_no }
  const differs = (detail: string) => [newFinding(about, 'checkout_differs', { detail })]
  if (checkout === null) return differs(`was made by the checkout ${order.checkout_id}, which is not recorded`)
  if (checkout.orders.some(({ out_trade_no }) => out_trade_no === order.out_trade_no)) return []
  return differs(`was made by the checkout ${checkout.out_trade_no}, which does not know of it`)
}

/** What of a checkout is adrift: with its own orders, and of those with each other. `orders`: that are there of its numbers. */
export function checkoutFindings(
  checkout: CheckoutRecord,
  orders: readonly OrderRecord[],
  moment: ProofMoment,
): Finding[] {
  const own = orders.filter(({ checkout_id }) => checkout_id === checkout._id)
  const has_ended = checkout.state === 'expired' || checkout.state === 'cancelled'
  const open = own.filter(({ state }) => state !== 'paid' && !isOrderResting(state))
  const kept = own.filter(isKept)
  const differs = (detail: string, under_way: boolean) =>
    newFinding(checkout, 'checkout_differs', { detail, under_way })
  const is_idle = (checkout.state === 'open' || checkout.state === 'closing') && checkout.next_action === undefined
  return [
    ...(kept.length > 1 ? [doubled(checkout, kept)] : []),
    ...kept
      .filter(({ out_trade_no }) => kept.length === 1 && out_trade_no !== checkout.paid_by)
      .map((order) =>
        differs(
          `is ${checkout.state}, and its order ${order.out_trade_no} is ${order.state}`,
          isFresh(latestTime(order), moment) || isPlanned(order.next_action, moment),
        ),
      ),
    ...(has_ended ? open : []).map((order) =>
      differs(
        `is ${checkout.state}, and its order ${order.out_trade_no} is ${order.state}`,
        isPlanned(order.next_action, moment),
      ),
    ),
    ...(is_idle
      ? [newFinding(checkout, 'plan_missing', { detail: `is ${checkout.state}, and nothing is planned` })]
      : []),
  ]
}

/** Its money counts as the sale by rule: what a person accepted beside it was that person's word. */
function isKept({ state, payment, timeline }: OrderRecord): boolean {
  const is_accepted = timeline.some(({ event }) => event === 'accepted')
  return payment?.role === 'order' && keepsSale(state) && !is_accepted
}

function doubled(checkout: CheckoutRecord, kept: readonly OrderRecord[]): Finding {
  const detail = `its orders ${kept.map(({ out_trade_no }) => out_trade_no).join(' and ')} are both kept`
  return newFinding(checkout, 'sale_doubled', { amount: (kept.length - 1) * checkout.amount.total, detail })
}

/** Proves all checkouts of a merchant, a bounded page at a time. What is found is read once more before it is reported. */
export async function* proveCheckouts(
  store: ProofStore,
  mchid: string,
  moment: () => ProofMoment,
): AsyncGenerator<{ looked_at: number; findings: Finding[] }> {
  for (let after: string | null = null; ;) {
    const checkouts = await store.checkouts.inTurn(mchid, after, page)
    const orders = await ordersOf(store, checkouts)
    const seen = checkouts.filter((checkout) => checkoutFindings(checkout, orders, moment()).length > 0)
    const findings: Finding[] = []
    for (const { _id } of seen) {
      const fresh = await store.checkouts.findAll([_id])
      const now_there = await ordersOf(store, fresh)
      findings.push(...fresh.flatMap((checkout) => checkoutFindings(checkout, now_there, moment())))
    }
    yield { looked_at: checkouts.length, findings }
    after = checkouts.at(-1)?._id ?? null
    if (after === null || checkouts.length < page) return
  }
}

/** Those that are there of all their numbers, of which each has a bounded number. */
async function ordersOf({ orders }: ProofStore, checkouts: readonly CheckoutRecord[]): Promise<OrderRecord[]> {
  const ids = checkouts.flatMap(({ mchid, orders: claims }) =>
    claims.map(({ out_trade_no }) => orderId({ mchid, out_trade_no })),
  )
  return ids.length === 0 ? [] : await orders.findAll(ids)
}
