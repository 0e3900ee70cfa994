import type { Router, RouterContext } from '@koa/router'
import type { Next } from 'koa'
import type { Actor } from '../../domain/actor.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { limits } from '../../domain/policy.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import type { Logger } from '../../runtime/logger.ts'
import { languages } from '../http/language.ts'
import type { Language } from '../http/language.ts'
import { Problem } from '../http/problem.ts'
import { readQuery } from '../http/query.ts'
import { requestOf } from '../http/request.ts'
import { exactRouter } from '../http/router.ts'
import { checkOrderNow, refreshCode } from '../temporal/check.ts'
import type { CheckContext } from '../temporal/check.ts'
import { readAsset } from './assets.ts'
import type { Asset } from './assets.ts'
import { qrCodeSvg } from './image.ts'
import { check_results, checkoutPage, unavailablePage, unknownPage } from './page.ts'
import type { CheckResult } from './page.ts'
import { OrderPoller } from './poller.ts'
import type { PollerOptions } from './poller.ts'
import { open_scenes } from './scene.ts'
import { OrderStreams } from './stream.ts'
import { sceneNote } from './text.ts'
import type { SceneNote } from './text.ts'
import { payerView } from './view.ts'
import type { PayerView, PayerViewContext, ShownMerchant } from './view.ts'

/** What the checkout page needs of the API's context. */
export type CheckoutContext = CheckContext &
  PayerViewContext & {
    log: Logger
    store: PollerOptions['store'] & {
      orders: { findByToken(token: string): Promise<OrderRecord | null> }
      merchants: { find(mchid: string): Promise<MerchantRecord | null> }
      payments: { find(mchid: string, transaction_id: string): Promise<PaymentRecord | null> }
      refunds: { ofOrder(mchid: string, out_trade_no: string): Promise<RefundRecord[]> }
    }
    /** aborted when the process drains: open streams end, so that the server can close */
    draining?: AbortSignal
  }

type CheckoutRequest = RouterContext

const payer: Actor = { kind: 'payer', id: null }
/** The form of every checkout token; anything else is not looked up in the database. */
const token_pattern = /^[A-Za-z0-9_-]{16,128}$/

const security_headers = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  // The address is the secret: it must not travel to the shop, to the simulator or anywhere else.
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow',
  'X-Frame-Options': 'DENY',
}

/**
 * Routes of the checkout page (docs/api.md, Checkout page): `/pay/:token` and, below it, `order`, `events`, `code.svg`,
 * `check` and `code`. There is no session: whoever has the token may read the order and have WeChat Pay queried, and
 * nothing else.
 */
export function checkoutRouter(context: CheckoutContext): Router {
  const poller = new OrderPoller({ store: context.store, log: context.log })
  const streams = new OrderStreams({ poller })
  context.draining?.addEventListener('abort', () => {
    streams.close()
    poller.close()
  })
  const assets = {
    style: readAsset('checkout.css'),
    script: readAsset('checkout.js'),
    retry: readAsset('retry.js'),
  }

  const router = exactRouter('/pay')
  router.get('/assets/:name', (ctx) => sendAsset(ctx, [...Object.values(assets), ...assets.script.imports]))
  router.use(setSecurityHeaders)
  const sendPage = async (ctx: CheckoutRequest) => {
    ctx.type = 'html'
    const order = await findOrder(context, ctx)
    ctx.body = await checkoutPage({
      view: await viewOf(context, order),
      language: pageLanguage(ctx, order),
      token: order.checkout_token,
      assets: {
        style: assets.style.address,
        script: assets.script.address,
        modules: assets.script.imports.map(({ address }) => address),
      },
      is_phone: /\b(Mobi|Android|iPhone|MicroMessenger)/i.test(ctx.get('User-Agent')),
      check_result: check_results.find((result) => result === readQuery(ctx)['checked']) ?? null,
    })
  }
  router.get('/:token', (ctx) => withPageErrors(ctx, assets, sendPage))
  router.get('/:token/order', async (ctx) => {
    const order = await findOrder(context, ctx)
    ctx.body = withNote(await viewOf(context, order), pageLanguage(ctx, order))
  })
  router.get('/:token/events', (ctx) => sendEvents(context, streams, ctx))
  router.get('/:token/code.svg', (ctx) => sendCode(context, ctx))
  router.post('/:token/check', (ctx) => handleCheck(context, ctx))
  router.post('/:token/code', (ctx) => handleRenewal(context, ctx))
  return router
}

async function setSecurityHeaders(ctx: CheckoutRequest, next: Next): Promise<void> {
  ctx.set(security_headers)
  await next()
}

async function findOrder(context: CheckoutContext, ctx: CheckoutRequest): Promise<OrderRecord> {
  const token = String(ctx.params['token'])
  const order = token_pattern.test(token) ? await context.store.orders.findByToken(token) : null
  if (!order) throw new Problem('not_found')
  return order
}

async function viewOf(context: CheckoutContext, order: OrderRecord): Promise<PayerView> {
  return await viewFor(context, order, await merchantOf(context, order))
}

/** Reads the order's money as well, where there is any. */
async function viewFor(context: CheckoutContext, order: OrderRecord, merchant: ShownMerchant): Promise<PayerView> {
  const { mchid, out_trade_no } = order
  if (order.payment === null) return payerView(context, { order, payment: null, refunds: [] }, merchant)
  const [payment, refunds] = await Promise.all([
    context.store.payments.find(mchid, order.payment.transaction_id),
    context.store.refunds.ofOrder(mchid, out_trade_no),
  ])
  return payerView(context, { order, payment, refunds }, merchant)
}

/** What a page's script is sent: the order, and in the reader's language what is to be said of it. */
function withNote(view: PayerView, language: Language): PayerView & { note: SceneNote } {
  return { ...view, note: sceneNote(view, language) }
}

async function merchantOf(context: CheckoutContext, order: OrderRecord): Promise<MerchantRecord> {
  const merchant = await context.store.merchants.find(order.mchid)
  if (!merchant) throw new Error(`order ${order._id} has no merchant`)
  return merchant
}

/** Answers errors of the page as HTML in both languages, since a person reads them. */
async function withPageErrors(
  ctx: CheckoutRequest,
  { style, retry }: { style: Asset; retry: Asset },
  send: (ctx: CheckoutRequest) => Promise<void>,
): Promise<void> {
  try {
    await send(ctx)
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_request') throw error
    ctx.type = 'html'
    ctx.set(security_headers)
    if (error instanceof Problem && error.code === 'not_found') {
      ctx.status = 404
      ctx.body = unknownPage(style.address)
      return
    }
    requestOf(ctx).log.error('a checkout page could not be shown', { error })
    ctx.status = 503
    ctx.set('Retry-After', '5')
    ctx.body = unavailablePage(style.address, retry.address)
  }
}

function sendAsset(ctx: CheckoutRequest, assets: Asset[]): void {
  const asset = assets.find(({ name }) => name === ctx.params['name'])
  if (!asset) throw new Problem('not_found')
  ctx.set({ 'Cache-Control': 'public, max-age=31536000, immutable', 'X-Content-Type-Options': 'nosniff' })
  ctx.set('Content-Type', asset.type)
  ctx.body = asset.content
}

/**
 * `?lang=` wins; then what the shop knows of its customer; then the browser's wish; then the language of the country in
 * which the page is paid.
 */
function pageLanguage(ctx: CheckoutRequest, { locale }: OrderRecord): Language {
  const asked = languages.find((language) => language === readQuery(ctx)['lang'])
  if (asked) return asked
  if (locale) return locale
  return ctx.acceptsLanguages('zh-CN', 'zh', 'en') === 'en' ? 'en' : 'zh-CN'
}

async function sendEvents(context: CheckoutContext, streams: OrderStreams, ctx: CheckoutRequest): Promise<void> {
  const order = await findOrder(context, ctx)
  const merchant = await merchantOf(context, order)
  // 204 tells the browser not to come again: nothing more happens to this order by itself.
  if (isOrderResting(order.state)) return void (ctx.status = 204)
  ctx.status = 200
  ctx.set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' })
  if (ctx.method === 'HEAD') return // who only wants the headers holds no stream
  const language = pageLanguage(ctx, order)
  const is_open = streams.open(ctx.res, order, async (changed) =>
    withNote(await viewFor(context, changed, merchant), language),
  )
  if (!is_open) throw new Problem('rate_limited', { headers: { 'Retry-After': '30' } })
  // Koa would take a page that is closed for a broken answer; here it is how every stream ends.
  ctx.respond = false
}

async function sendCode(context: CheckoutContext, ctx: CheckoutRequest): Promise<void> {
  const view = await viewOf(context, await findOrder(context, ctx))
  if (!view.code) throw new Problem('not_found')
  ctx.body = await qrCodeSvg(view.code.url)
  ctx.type = 'image/svg+xml'
}

/** Handles "I have paid": queries WeChat Pay at most once and sends the order as it then is. */
async function handleCheck(context: CheckoutContext, ctx: CheckoutRequest): Promise<void> {
  const order = await checkOrderNow(context, await findOrder(context, ctx), payer)
  const view = await viewOf(context, order)
  sendView(ctx, order, { ...view, check: checkResult(order, view) })
}

/** The word for the page's `check-result`. Orders that ended need none: their scene shows it. */
function checkResult(order: OrderRecord, view: PayerView): CheckResult | 'paid' | 'closed' {
  if (order.payment !== null) return 'paid'
  if (open_scenes.includes(view.scene)) {
    return order.asked.on_request >= limits.checks_by_payer ? 'limit' : 'not_yet'
  }
  return 'closed'
}

async function handleRenewal(context: CheckoutContext, ctx: CheckoutRequest): Promise<void> {
  const order = await refreshCode(context, await findOrder(context, ctx), payer)
  sendView(ctx, order, await viewOf(context, order))
}

/** Sends `view` as JSON to the page's script, or redirects a form that was sent without scripts back to the page. */
function sendView(ctx: CheckoutRequest, order: OrderRecord, view: PayerView & { check?: string }): void {
  const language = pageLanguage(ctx, order)
  if (ctx.accepts('json', 'html') === 'json') {
    ctx.body = withNote(view, language)
    return
  }
  const query = new URLSearchParams({ lang: language, ...(view.check ? { checked: view.check } : {}) })
  ctx.status = 303
  ctx.set('Location', `../${String(ctx.params['token'])}?${query.toString()}`)
}
