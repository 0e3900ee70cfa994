import type { RouterContext } from '@koa/router'
import { currentNumber } from '../../domain/checkout/record.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { TradeType } from '../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { addressGroup, isPublicAddress } from '../../runtime/address.ts'
import type { Networks } from '../../runtime/address.ts'
import { requestClient } from '../http/client.ts'
import { Problem } from '../http/problem.ts'
import { readPageQuery } from '../http/query.ts'
import { payerBrowser } from './agent.ts'
import type { PayerBrowser } from './agent.ts'
import { pageCookies } from './cookie.ts'
import type { CookieContext, PageCookies } from './cookie.ts'
import { offeredMethods, offerView, refusedMethods } from './offer.ts'
import { payerView } from './view.ts'
import type { PayerView, PayerViewContext, ShownOrder } from './view.ts'
import { wayToPay } from './way.ts'
import type { Way } from './way.ts'

/** What finding and showing a page takes. */
export type VisitContext = PayerViewContext &
  CookieContext & {
    store: {
      orders: {
        find(key: OrderKey): Promise<OrderRecord | null>
        findByToken(token: string): Promise<OrderRecord | null>
      }
      checkouts: {
        findByToken(token: string): Promise<CheckoutRecord | null>
        findById(_id: string): Promise<CheckoutRecord | null>
        ordersOf(checkout: Pick<CheckoutRecord, '_id' | 'mchid' | 'orders'>): Promise<OrderRecord[]>
      }
      merchants: { find(mchid: string): Promise<MerchantRecord | null> }
      payments: { find(mchid: string, transaction_id: string): Promise<PaymentRecord | null> }
      refunds: {
        ofOrder(mchid: string, out_trade_no: string): Promise<RefundRecord[]>
        ofOrders(mchid: string, out_trade_nos: readonly string[]): Promise<RefundRecord[]>
      }
    }
    proxies: Networks
  }

/** Visit is one request to a page, with what the page is of and what is known of who opened it. */
export interface Visit {
  token: string
  merchant: MerchantRecord
  /** null: the merchant made the order itself, by the one way that it is paid */
  checkout: CheckoutRecord | null
  /** the order, or the one that shows how the checkout stands; null: none was made yet */
  order: OrderRecord | null
  browser: PayerBrowser
  /** the payer's own; null: not known */
  address: string | null
  cookies: PageCookies
  /** methods that WeChat has refused to this payer */
  refused: readonly TradeType[]
}

/** The form of every checkout token; anything else is not looked up in the database. */
const token_pattern = /^[A-Za-z0-9_-]{16,128}$/

/** Reads what the page at `ctx` is of. Throws `not_found`. */
export async function findVisit(context: VisitContext, ctx: RouterContext): Promise<Visit> {
  const token = String(ctx.params['token'])
  if (!token_pattern.test(token)) throw new Problem('not_found')
  const { orders, checkouts, merchants } = context.store
  const order = await orders.findByToken(token)
  // An order of a checkout has a page of its own by its record: it is the checkout's, where the payer has the choice.
  const checkout = order ? await checkoutOf(context, order) : await checkouts.findByToken(token)
  const found = checkout ?? order
  if (!found) throw new Problem('not_found')
  const merchant = await merchants.find(found.mchid)
  if (!merchant) throw new Error(`the page of ${found._id} has no merchant`)
  const cookies = pageCookies(context, ctx, token)
  return {
    token,
    merchant,
    checkout,
    order: checkout ? await shownOrder(context, checkout) : order,
    browser: visitBrowser(ctx),
    address: requestClient(ctx.req, context.proxies),
    cookies,
    refused: checkout ? cookies.refused() : [],
  }
}

/**
 * The browser by its own word, and by its page's script where that sees more: WeChat does not name a mini program to the
 * server on each system. The script's word makes a page less payable, and never more.
 */
function visitBrowser(ctx: RouterContext): PayerBrowser {
  const browser = payerBrowser(ctx.get('User-Agent'))
  const is_in_mini_program = browser.kind === 'wechat' && readPageQuery(ctx)['in'] === 'mini_program'
  return is_in_mini_program ? { ...browser, kind: 'mini_program' } : browser
}

async function checkoutOf({ store }: VisitContext, { checkout_id }: OrderRecord): Promise<CheckoutRecord | null> {
  return checkout_id ? await store.checkouts.findById(checkout_id) : null
}

/** The same visit with its records as they are now: what a page that stays open is sent. */
export async function visitAgain(context: VisitContext, visit: Visit): Promise<Visit> {
  if (visit.checkout === null) {
    return { ...visit, order: (visit.order && (await context.store.orders.find(visit.order))) ?? visit.order }
  }
  const checkout = (await context.store.checkouts.findById(visit.checkout._id)) ?? visit.checkout
  return { ...visit, checkout, order: await shownOrder(context, checkout) }
}

/** A number that was claimed and has no order yet is as good as none: whoever claimed it makes it, or it stays empty. */
async function shownOrder({ store }: VisitContext, checkout: CheckoutRecord): Promise<OrderRecord | null> {
  const out_trade_no = currentNumber(checkout)
  const order = out_trade_no === null ? null : await store.orders.find({ mchid: checkout.mchid, out_trade_no })
  return order?.checkout_id === checkout._id ? order : null
}

/** Who share a pace: all behind a public address, or, where it is a proxy's or not known, all who have the page's link. */
export function paceGroup({ address, token }: Pick<Visit, 'address' | 'token'>): string {
  return address !== null && isPublicAddress(address) ? addressGroup(address) : token
}

/** How one pays where this page is opened; null: the merchant has chosen. */
export function visitWay({ checkout, merchant, browser, address, refused, order }: Visit): Way | null {
  if (checkout === null) return null
  const known = { address, refused: [...refused, ...refusedMethods(order)] }
  return wayToPay(browser.kind, offeredMethods(checkout, merchant, known))
}

/** What the payer sees, with the order's money where there is any. */
export async function visitView(context: VisitContext, visit: Visit): Promise<PayerView> {
  const { checkout, order, merchant } = visit
  const current = order && (await withMoney(context, order))
  const way = visitWay(visit)
  if (checkout !== null && way !== null) {
    const elsewhere = await refundsElsewhere(context, checkout, order)
    return offerView(context, { checkout, current, way, elsewhere }, merchant)
  }
  if (current === null) throw new Error(`the page of ${merchant.mchid} is of no order`)
  return payerView(context, current, merchant)
}

/**
 * Who pays in two places is to see on either that one payment goes back. Of the checkout's own orders alone: a number that
 * it claimed may be an order of the merchant's own, whose refunds are a stranger's.
 */
async function refundsElsewhere(
  { store }: VisitContext,
  checkout: CheckoutRecord,
  shown: OrderRecord | null,
): Promise<RefundRecord[]> {
  const others = checkout.orders.filter(({ out_trade_no }) => out_trade_no !== shown?.out_trade_no)
  const own = await store.checkouts.ordersOf({ ...checkout, orders: others })
  const numbers = own.filter(({ payment }) => payment !== null).map(({ out_trade_no }) => out_trade_no)
  return numbers.length === 0 ? [] : await store.refunds.ofOrders(checkout.mchid, numbers)
}

async function withMoney({ store }: VisitContext, order: OrderRecord): Promise<ShownOrder> {
  const { mchid, out_trade_no } = order
  if (order.payment === null) return { order, payment: null, refunds: [] }
  const [payment, refunds] = await Promise.all([
    store.payments.find(mchid, order.payment.transaction_id),
    store.refunds.ofOrder(mchid, out_trade_no),
  ])
  return { order, payment, refunds }
}
