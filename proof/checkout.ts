import { unwantedOrders } from '../domain/checkout/change.ts'
import type { CheckoutRecord } from '../domain/checkout/record.ts'
import { orderId, orderlessEventId } from '../domain/ids.ts'
import { keepsSale } from '../domain/order/judgement.ts'
import { isOrderResting } from '../domain/order/record.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import type { ProofStore } from './dossier.ts'
import { isFresh, isPlanned, isUncarried, latestTime, newFinding } from './finding.ts'
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

/** What is recorded beside a checkout. */
export interface CheckoutSurroundings {
  /** those that are there of its numbers */
  orders: readonly OrderRecord[]
  /** those events of its ends that are there, by `_id` */
  events: ReadonlySet<string>
}

/** What of a checkout is adrift: with its own orders, of those with each other, and with what was told of it. */
export function checkoutFindings(
  checkout: CheckoutRecord,
  { orders, events }: CheckoutSurroundings,
  moment: ProofMoment,
): Finding[] {
  const own = orders.filter(({ checkout_id }) => checkout_id === checkout._id)
  return [
    ...keptFindings(checkout, { own, orders }, moment),
    ...payableFindings(checkout, own, moment),
    ...endFindings(checkout, own, moment),
    ...identityFindings(checkout, own),
    ...planFindings(checkout, moment),
    ...untoldFindings(checkout, events, moment),
  ]
}

/** One order keeps the sale, and the checkout says which. */
function keptFindings(
  checkout: CheckoutRecord,
  { own, orders }: { own: readonly OrderRecord[]; orders: readonly OrderRecord[] },
  moment: ProofMoment,
): Finding[] {
  const kept = own.filter(isKept)
  const [first] = kept
  if (kept.length > 1) return [doubled(checkout, kept)]
  if (first !== undefined && first.out_trade_no !== checkout.paid_by)
    return [differs(checkout, standing(checkout, first), isUnderWay(first, moment))]
  if ((checkout.state === 'paid') !== (checkout.paid_by !== null))
    return [differs(checkout, `is ${checkout.state}, paid by ${checkout.paid_by ?? 'no order'}`)]
  if (checkout.paid_by === null) return []
  const paying = own.find(({ out_trade_no }) => out_trade_no === checkout.paid_by)
  if (paying === undefined) {
    if (orders.some((order) => isPaidBeside(checkout, order))) return []
    return [differs(checkout, `is paid by ${checkout.paid_by}, which is no order of it`)]
  }
  // Its money is booked behind its claim of the sale.
  return paying.payment === null ? [differs(checkout, standing(checkout, paying), isUnderWay(paying, moment))] : []
}

/**
 * Whether a checkout is paid by an order that the merchant made by itself of the same sale, under a number of the checkout.
 * An earlier version wrote that. The sale has its money, so nobody has to do anything.
 */
function isPaidBeside(
  { paid_by, reference }: CheckoutRecord,
  { out_trade_no, checkout_id, payment, reference: sale }: OrderRecord,
): boolean {
  return out_trade_no === paid_by && !checkout_id && sale === reference && payment?.role === 'order'
}

/** Where one has the sale, no other can be paid any more. One that an earlier version wrote paid is not looked at again. */
function payableFindings(checkout: CheckoutRecord, own: readonly OrderRecord[], moment: ProofMoment): Finding[] {
  if (checkout.state !== 'paid') return []
  const paid = checkout.timeline.findLast(({ event }) => event === 'paid')
  const under_way = isPlanned(checkout.next_action, moment) || isFresh(paid?.time ?? null, moment)
  return unwantedOrders(checkout, own).map(({ order: { out_trade_no: number } }) => {
    const remedy = `close it with POST /v1/orders/${number}/close`
    return differs(
      checkout,
      `is paid by ${checkout.paid_by ?? 'none'}, and its order ${number} can be paid: ${remedy}`,
      under_way,
    )
  })
}

/** Nothing of one that is over can be paid. */
function endFindings(checkout: CheckoutRecord, own: readonly OrderRecord[], moment: ProofMoment): Finding[] {
  if (checkout.state !== 'expired' && checkout.state !== 'cancelled') return []
  const open = own.filter(({ state }) => state !== 'paid' && !isOrderResting(state))
  return open.map((order) => differs(checkout, standing(checkout, order), isPlanned(order.next_action, moment)))
}

function standing(checkout: CheckoutRecord, order: OrderRecord): string {
  return `is ${checkout.state}, and its order ${order.out_trade_no} is ${order.state}`
}

function isUnderWay(order: OrderRecord, moment: ProofMoment): boolean {
  return isFresh(latestTime(order), moment) || isPlanned(order.next_action, moment)
}

/** Its orders are the sale that it is: each of its amount, all of its reference. */
function identityFindings(checkout: CheckoutRecord, own: readonly OrderRecord[]): Finding[] {
  return own
    .filter(({ amount, reference }) => amount.total !== checkout.amount.total || reference !== checkout.reference)
    .map(({ out_trade_no, amount, reference }) =>
      differs(
        checkout,
        `is of ${checkout.amount.total} for ${checkout.reference}, and its order ${out_trade_no} of ${amount.total} for ${reference ?? 'no sale'}`,
      ),
    )
}

/** One that is not over is looked at, and in time. */
function planFindings(checkout: CheckoutRecord, moment: ProofMoment): Finding[] {
  const { state, next_action } = checkout
  const is_open = state === 'open' || state === 'closing'
  if (next_action === undefined && !is_open) return []
  const is_carried = next_action !== undefined && (moment.patience === null || !isUncarried(next_action, moment))
  if (is_carried) return []
  const detail = next_action ? `was due ${next_action.time}` : 'is not planned'
  return [newFinding(checkout, 'plan_missing', { detail: `is ${state}, and its next step ${detail}` })]
}

/** That it ended without money was told: stock waits for it. */
function untoldFindings(checkout: CheckoutRecord, events: ReadonlySet<string>, moment: ProofMoment): Finding[] {
  const under_way = checkout.next_action?.what === 'tell' && isPlanned(checkout.next_action, moment)
  return endsOf(checkout)
    .filter(({ _id }) => !events.has(_id))
    .map(({ type }) => newFinding(checkout, 'event_missing', { detail: `${type} does not exist`, under_way }))
}

/** The events that its timeline calls for. */
function endsOf({ mchid, out_trade_no, timeline }: CheckoutRecord): { _id: string; type: string }[] {
  return timeline.flatMap(({ event_type: type }) =>
    type === null ? [] : [{ _id: orderlessEventId(mchid, type, out_trade_no), type }],
  )
}

function differs(checkout: CheckoutRecord, detail: string, under_way = false): Finding {
  return newFinding(checkout, 'checkout_differs', { detail, under_way })
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
    const around = await readSurroundings(store, checkouts)
    const seen = checkouts.filter((checkout) => checkoutFindings(checkout, around, moment()).length > 0)
    const findings: Finding[] = []
    for (const { _id } of seen) {
      const fresh = await store.checkouts.findAll([_id])
      const now_there = await readSurroundings(store, fresh)
      findings.push(...fresh.flatMap((checkout) => checkoutFindings(checkout, now_there, moment())))
    }
    yield { looked_at: checkouts.length, findings }
    after = checkouts.at(-1)?._id ?? null
    if (after === null || checkouts.length < page) return
  }
}

/** Of each checkout there is a bounded number of both. */
async function readSurroundings(
  { orders, events }: ProofStore,
  checkouts: readonly CheckoutRecord[],
): Promise<CheckoutSurroundings> {
  const order_ids = checkouts.flatMap(({ mchid, orders: claims }) =>
    claims.map(({ out_trade_no }) => orderId({ mchid, out_trade_no })),
  )
  const event_ids = checkouts.flatMap(endsOf).map(({ _id }) => _id)
  const [found, told] = await Promise.all([
    order_ids.length === 0 ? [] : orders.findAll(order_ids),
    event_ids.length === 0 ? new Set<string>() : events.existing(event_ids),
  ])
  return { orders: found, events: told }
}
