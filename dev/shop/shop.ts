import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Router } from '@koa/router'
import type { RouterContext } from '@koa/router'
import Koa from 'koa'
import rawBody from 'raw-body'
import { beijingTime } from '../../domain/calendar.ts'
import { ShopOrders } from './orders.ts'
import type { ShopDecision, ShopOrder } from './orders.ts'
import { counterPage, failedPage, orderPage } from './pages.ts'
import { isRefundable, nextRefund, orderWithoutRefund, orderWithRefund } from './refunds.ts'
import { isSigned } from './signature.ts'
import { teas } from './teas.ts'
import type { Tea } from './teas.ts'
import { Weft, WeftRefused } from './weft.ts'
import { languages, wishes, words } from './words.ts'
import type { ShopLanguage, Wish } from './words.ts'

export interface ShopOptions {
  /** 0 takes any free one */
  port: number
  host?: string
  weft_url: string
  /**
   * needs orders:write and refunds:write, and settings:read and settings:write when it registers its endpoint itself
   */
  weft_key: string
  /** `whsec_…` of this shop's endpoint; absent: the shop registers its endpoint and keeps the secret */
  webhook_secret?: string
  /** where payers and Weft reach the shop, when that is not where it listens */
  public_url?: string
  /** where orders and the secret are kept; absent: forgotten at the end */
  data_dir?: string
  /** `checkout`: a sale may be paid in every way that the merchant has; `order`, the default: by a QR code */
  sells_by?: SaleKind
}

type SaleKind = 'order' | 'checkout'

/** What the shop reads of an event. */
interface ReceivedEvent {
  id: string
  type: string
  timestamp: string
  sequence: number | null
  data: {
    order?: {
      out_trade_no: string
      /** the number of the sale that it is an order of; null or absent: it is the sale itself */
      checkout?: string | null
      state: string
      description: string
      transaction_id: string | null
      amount: { total: number }
    }
    /** of events about a refund */
    refund?: { out_refund_no: string; transaction_id: string; state: string; amount: { refund: number } }
    /** of events about a checkout as a whole: it is over, and nothing of it was paid */
    checkout?: { out_trade_no: string }
  }
}

const most_bytes = 64 * 1024
const minutes_to_pay = 15

interface Shop {
  orders: ShopOrders
  weft: Weft
  public_url: string
  secret: string
  sells_by: SaleKind
}

/**
 * Opens the demo shop: a merchant like any other, that knows Weft only by its API. Resolves when it can sell and
 * receive events; rejects when the port is taken or Weft does not accept its endpoint.
 */
export async function startShop(options: ShopOptions): Promise<{ url: string; close: () => Promise<void> }> {
  const data_dir = options.data_dir ?? null
  const server = await listen(options.port, options.host ?? '127.0.0.1')
  const url = options.public_url ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections())
  try {
    const weft = new Weft({ url: options.weft_url, key: options.weft_key })
    // The endpoint's address is only known once the port is ours, and its secret before the first event can be read.
    const secret = options.webhook_secret ?? (await weft.registerEndpoint(`${url}/weft-events`, data_dir))
    const app = new Koa()
    const sells_by = options.sells_by ?? 'order'
    app.use(routes({ orders: new ShopOrders(data_dir), weft, public_url: url, secret, sells_by }).routes())
    const handle = app.callback()
    server.on('request', (request, response) => void handle(request, response))
  } catch (error) {
    await close()
    throw error
  }
  return { url, close }
}

function routes(shop: Shop): Router {
  const style = readFileSync(new URL('shop.css', import.meta.url))
  const router = new Router()
  router.get('/shop.css', (ctx) => {
    ctx.type = 'css'
    ctx.body = style
  })
  router.get('/', (ctx) => sendPage(ctx, counterPage(languageOf(ctx), shop.orders.list())))
  router.get('/orders/:number', (ctx) => sendPage(ctx, orderPage(languageOf(ctx), orderOf(shop, ctx))))
  router.post('/buy', (ctx) => buy(shop, ctx))
  router.post('/orders/:number/pay', (ctx) => redirectToCheckout(shop, ctx, orderOf(shop, ctx)))
  router.post('/orders/:number/ship', (ctx) => shipPendingOrder(shop, ctx))
  router.post('/orders/:number/refund', (ctx) => refundOrder(shop, ctx))
  router.post('/weft-events', (ctx) => receiveEvent(shop, ctx))
  return router
}

/**
 * Sells a tea. The order is kept before it is sent to Weft: whatever happens on the way, the next try is the same
 * order.
 */
async function buy(shop: Shop, ctx: RouterContext): Promise<void> {
  const form = new URLSearchParams((await rawBody(ctx.req, { limit: most_bytes })).toString())
  const tea = teas.find(({ id }) => id === form.get('tea'))
  if (!tea) return ctx.throw(400, 'no such tea')
  const order = newOrder(tea, wishes.find((wish) => wish === form.get('wish')) ?? 'ship', languageOf(ctx))
  shop.orders.keep(order)
  await redirectToCheckout(shop, ctx, order)
}

async function redirectToCheckout(shop: Shop, ctx: RouterContext, order: ShopOrder): Promise<void> {
  try {
    const { checkout_url } = await shop.weft.createSale(shop.sells_by, orderRequest(shop, order))
    // An event may have come meanwhile: what it changed is kept.
    shop.orders.keep({ ...(shop.orders.find(order.out_trade_no) ?? order), checkout_url })
    ctx.status = 303
    ctx.redirect(checkout_url)
  } catch (error) {
    ctx.status = 502
    sendPage(ctx, failedPage(languageOf(ctx), order, error instanceof Error ? error.message : 'unknown'))
  }
}

/** The same bytes for the same order, always: Weft answers a repeat with the order that is there. */
function orderRequest(shop: Shop, order: ShopOrder): object {
  const back = `${shop.public_url}/orders/${order.out_trade_no}`
  return {
    out_trade_no: order.out_trade_no,
    description: order.description,
    amount: { total: order.total, currency: 'CNY' },
    expire_in: minutes_to_pay * 60,
    metadata: { tea: order.tea ?? '', wish: order.wish },
    ...(back.startsWith('https://') ? { return_url: back } : {}), // Weft sends payers to https only
  }
}

function newOrder(tea: Tea, wish: Wish, language: ShopLanguage): ShopOrder {
  const now_ms = Date.now()
  // The number names the Beijing day and time, as the bill of the order's payment does.
  const moment = beijingTime(now_ms).slice(0, 19).replace(/\D/g, '')
  return {
    out_trade_no: `T${moment}-${randomBytes(4).toString('hex')}`,
    tea: tea.id,
    description: tea.name[language],
    total: tea.price,
    wish,
    create_time: new Date(now_ms).toISOString(),
    ...untouched(),
  }
}

/** What every order is before its first event. */
function untouched() {
  return {
    checkout_url: null,
    paid_by: null,
    state: 'new',
    sequence: 0,
    decision: null,
    shipped: 0,
    refunds: [],
    events: [],
  }
}

/** Receives an event of Weft's. One that cannot be verified is not read; a verified one is answered once it is kept. */
async function receiveEvent(shop: Shop, ctx: RouterContext): Promise<void> {
  const body = await rawBody(ctx.req, { limit: most_bytes })
  if (!isSigned(shop.secret, ctx.headers, body)) return ctx.throw(401, 'not signed by Weft')
  const event = JSON.parse(body.toString()) as ReceivedEvent
  const { order: event_order, checkout } = event.data
  if (checkout) endSale(shop, checkout.out_trade_no, event)
  if (!event_order) return void (ctx.status = 204)
  const sale_no = event_order.checkout ?? event_order.out_trade_no
  const order = orderAfterEvent(shop.orders.find(sale_no) ?? adoptedOrder(event), event)
  const decided =
    event.type === 'order.paid' ? decidedOrder(order) : event.type === stop_type ? stoppedOrder(order) : order
  shop.orders.keep(decided)
  ctx.status = 204
  const answer = shopAnswer(decided, event)
  if (answer === null) return
  ctx.status = answer.fulfilment === 'pending' ? 202 : 200
  ctx.body = answer
}

const stop_type = 'order.fulfilment_cancelled'
const bilingualText = (what: 'refusal' | 'stopped' | 'refund_reason') => `${words.en[what]} / ${words['zh-CN'][what]}`

/** The shop's answer to `order.paid` and `order.fulfilment_cancelled`; null: the event is only acknowledged. */
function shopAnswer({ decision }: ShopOrder, { type }: ReceivedEvent): { fulfilment: string; reason?: string } | null {
  if (type === stop_type) return decision === 'fulfilled' ? { fulfilment: 'fulfilled' } : null
  if (type !== 'order.paid' || decision === null) return null
  if (decision === 'refused') return { fulfilment: 'refused', reason: bilingualText('refusal') }
  if (decision === 'stopped') return { fulfilment: 'refused', reason: bilingualText('stopped') }
  return { fulfilment: decision }
}

/**
 * Returns the order after this event. The highest sequence decides its state; an event that comes again changes
 * nothing.
 */
function orderAfterEvent(order: ShopOrder, event: ReceivedEvent): ShopOrder {
  const sequence = event.sequence ?? 0
  if (order.events.some(({ id }) => id === event.id)) return order
  const events = [...order.events, { id: event.id, type: event.type, time: event.timestamp, sequence }]
  const { order: event_order, refund } = event.data
  const number = event_order?.out_trade_no ?? null
  const paid_by = order.paid_by ?? (event.type === 'order.paid' ? number : null)
  // Of a checkout only the order that is paid says how the sale stands: the payer may have left the others behind.
  const is_kept = !event_order?.checkout || number === paid_by
  if (is_kept && sequence <= order.sequence) return { ...order, events }
  const newest = is_kept
    ? { ...order, events, paid_by, sequence, state: event_order?.state ?? order.state }
    : { ...order, events }
  if (!refund) return newest
  const { out_refund_no, state, amount } = refund
  const is_second = !is_kept || refund.transaction_id !== event_order?.transaction_id
  return orderWithRefund(newest, { out_refund_no, amount: amount.refund, is_second, state })
}

/** A checkout is over and nothing of it was paid. */
function endSale(shop: Shop, number: string, { id, type, timestamp }: ReceivedEvent): void {
  const order = shop.orders.find(number)
  if (order === null || order.paid_by !== null || order.events.some((known) => known.id === id)) return
  shop.orders.keep({
    ...order,
    state: 'closed',
    events: [...order.events, { id, type, time: timestamp, sequence: 0 }],
  })
}

/** The decision, once per order number: a second `order.paid` gets the first one's answer, and no second parcel. */
function decidedOrder(order: ShopOrder): ShopOrder {
  if (order.decision !== null) return order
  const decisions: Record<Wish, ShopDecision> = { ship: 'fulfilled', refuse: 'refused', later: 'pending' }
  const decision = decisions[order.wish]
  return decision === 'fulfilled' ? shippedOrder(order) : { ...order, decision }
}

/** Stops the fulfilment for Weft: what was shipped stays shipped, anything else never will be. */
function stoppedOrder(order: ShopOrder): ShopOrder {
  return order.decision === 'fulfilled' ? order : { ...order, decision: 'stopped' }
}

/** One more parcel leaves the shop. */
function shippedOrder(order: ShopOrder): ShopOrder {
  return { ...order, decision: 'fulfilled', shipped: order.shipped + 1 }
}

/** An order made with this shop's key by other means, such as curl: it is the shop's, so the shop ships it. */
function adoptedOrder(event: ReceivedEvent): ShopOrder {
  const event_order = event.data.order
  return {
    out_trade_no: event_order?.checkout ?? event_order?.out_trade_no ?? '',
    tea: null,
    description: event_order?.description ?? '',
    total: event_order?.amount.total ?? 0,
    wish: 'ship',
    create_time: event.timestamp,
    ...untouched(),
  }
}

/** The parcel goes out when Weft has taken the answer: until then a refund could still overtake it. */
async function shipPendingOrder(shop: Shop, ctx: RouterContext): Promise<void> {
  const order = orderOf(shop, ctx)
  if (order.decision === 'pending') {
    try {
      await shop.weft.confirmFulfilment(order.paid_by ?? order.out_trade_no, { result: 'fulfilled' })
    } catch (error) {
      if (!(error instanceof WeftRefused)) throw error
      return ctx.throw(409, error.message)
    }
    const now = shop.orders.find(order.out_trade_no) ?? order
    if (now.decision === 'pending') shop.orders.keep(shippedOrder(now)) // two presses are one parcel
  }
  ctx.status = 303
  ctx.redirect(`/orders/${order.out_trade_no}?lang=${languageOf(ctx)}`)
}

/** Refunds all of the money. The refund is kept before it is sent to Weft: the next try has the same number. */
async function refundOrder(shop: Shop, ctx: RouterContext): Promise<void> {
  const order = orderOf(shop, ctx)
  const { out_trade_no } = order
  if (isRefundable(order)) {
    const refund = nextRefund(order)
    shop.orders.keep(orderWithRefund(order, refund))
    const { out_refund_no, amount } = refund
    const reason = bilingualText('refund_reason') // not of one language: it belongs to the bytes that are sent again
    const now = () => shop.orders.find(out_trade_no) ?? order
    try {
      const { state } = await shop.weft.createRefund({
        out_refund_no,
        out_trade_no: order.paid_by ?? out_trade_no,
        amount: { refund: amount },
        reason,
      })
      const has_newer_event = now().refunds.some((one) => one.out_refund_no === out_refund_no && one.state !== 'new')
      if (!has_newer_event) shop.orders.keep(orderWithRefund(now(), { ...refund, state })) // an event that came meanwhile knows more
    } catch (error) {
      // After silence Weft may have it: the page says that it is being asked for, and offers to ask once more.
      if (error instanceof WeftRefused) {
        shop.orders.keep(orderWithoutRefund(now(), refund))
        return ctx.throw(409, error.message)
      }
    }
  }
  ctx.status = 303
  ctx.redirect(`/orders/${out_trade_no}?lang=${languageOf(ctx)}`)
}

function orderOf(shop: Shop, ctx: RouterContext): ShopOrder {
  return shop.orders.find(String(ctx.params['number'])) ?? ctx.throw(404, 'no such order')
}

function languageOf(ctx: RouterContext): ShopLanguage {
  const asked = languages.find((language) => language === ctx.query['lang'])
  return asked ?? (ctx.acceptsLanguages('zh-CN', 'zh', 'en') === 'en' ? 'en' : 'zh-CN')
}

function sendPage(ctx: RouterContext, page: string): void {
  ctx.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; style-src 'self'; img-src data:",
    'X-Content-Type-Options': 'nosniff',
  })
  ctx.type = 'html'
  ctx.body = page
}

async function listen(port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}
