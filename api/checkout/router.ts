import type { Router, RouterContext } from '@koa/router'
import type { Next } from 'koa'
import type { Actor } from '../../domain/actor.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { limits } from '../../domain/policy.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ClientCall } from '../../wechat/clientcall.ts'
import { absentPart } from '../http/absence.ts'
import { languages } from '../http/language.ts'
import type { Language } from '../http/language.ts'
import { Problem } from '../http/problem.ts'
import { readPageQuery } from '../http/query.ts'
import { requestOf } from '../http/request.ts'
import { exactRouter } from '../http/router.ts'
import { createBuckets } from '../http/ratelimit.ts'
import type { Buckets } from '../http/ratelimit.ts'
import { checkOrderNow, refreshCode } from '../temporal/check.ts'
import { readAsset } from './assets.ts'
import type { Asset } from './assets.ts'
import { qrCodeSvg } from './image.ts'
import { check_results, checkoutPage, unavailablePage, unknownPage } from './page.ts'
import type { CheckResult } from './page.ts'
import { endErrand, h5Link, nameBrowser, payHere } from './pay.ts'
import type { PayContext } from './pay.ts'
import { OrderPoller } from './poller.ts'
import type { PollerOptions } from './poller.ts'
import { open_scenes } from './scene.ts'
import { OrderStreams } from './stream.ts'
import { sceneNote } from './text.ts'
import type { SceneNote } from './text.ts'
import type { PayerView } from './view.ts'
import { findVisit, paceGroup, visitAgain, visitView, visitWay } from './visit.ts'
import type { Visit } from './visit.ts'
import { errand_results, passing_problems } from './way.ts'
import type { ErrandResult } from './way.ts'

/** What the checkout page needs of the API's context. */
export type PageContext = PayContext & {
  log: Logger
  store: PollerOptions['store']
  /** aborted when the process drains: open streams end, so that the server can close */
  draining?: AbortSignal
}

type PayerRequest = RouterContext

const payer: Actor = { kind: 'payer', id: null }
/** Wishes to pay from one public address, behind which many payers may be: a protection of the process. */
const pays_by_address = { burst: 100, per_second: 5 }

const security_headers = {
  // WeChat's bridge on Android sends each call by a hidden frame of weixin:, and takes what came of it by another.
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "frame-src weixin:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
  // The address is the secret: it must not travel to the shop, to the simulator or anywhere else.
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow',
  'X-Frame-Options': 'DENY',
}

/**
 * Routes of the checkout page (docs/api.md, Checkout page): `/pay/:token` and, below it, `order`, `events`, `code.svg`,
 * `check`, `code`, of a checkout `pay`, and `wechat`, where a payer comes back from WeChat. There is no session: whoever
 * has the token may read the order, have WeChat Pay queried and pay, and nothing else. What places an order is a POST.
 */
export function checkoutRouter(context: PageContext): Router {
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
  const pace = createBuckets(() => context.now(), pays_by_address)
  const sendPage = async (ctx: PayerRequest) => {
    ctx.type = 'html'
    const visit = await findVisit(context, ctx)
    const view = await visitView(context, visit)
    const { browser, token } = visit
    // WeChat wants to know which site leads to it; of the address it is told no more than that.
    if (view.way?.trade_type === 'MWEB') {
      ctx.set('Referrer-Policy', 'origin')
      nameBrowser(visit)
    }
    ctx.body = await checkoutPage({
      view,
      language: pageLanguage(ctx, visit),
      token,
      assets: {
        style: assets.style.address,
        script: assets.script.address,
        modules: assets.script.imports.map(({ address }) => address),
      },
      is_phone: browser.kind !== 'desktop' && browser.kind !== 'wechat_desktop',
      check_result: check_results.find((result) => result === readPageQuery(ctx)['checked']) ?? null,
      errand_result: errand_results.find((result) => result === readPageQuery(ctx)['wechat']) ?? null,
      h5_url: view.way?.trade_type === 'MWEB' ? await h5Link(context, visit) : null,
    })
  }
  router.get('/:token', (ctx) => withPageErrors(context, ctx, assets, sendPage))
  router.get('/:token/order', async (ctx) => {
    const visit = await findVisit(context, ctx)
    ctx.body = withNote(await visitView(context, visit), pageLanguage(ctx, visit))
  })
  router.get('/:token/events', (ctx) => sendEvents(context, streams, ctx))
  router.get('/:token/code.svg', (ctx) => sendCode(context, ctx))
  router.get('/:token/wechat', (ctx) => withPageErrors(context, ctx, assets, (given) => handleReturn(context, given)))
  router.post('/:token/check', (ctx) => handleCheck(context, ctx))
  router.post('/:token/code', (ctx) => handleRenewal(context, ctx))
  router.post('/:token/pay', (ctx) => handlePay(context, pace, ctx))
  return router
}

async function setSecurityHeaders(ctx: PayerRequest, next: Next): Promise<void> {
  ctx.set(security_headers)
  await next()
}

/** What a page's script is sent: the order, and in the reader's language what is to be said of it. */
function withNote(view: PayerView, language: Language): PayerView & { note: SceneNote } {
  return { ...view, note: sceneNote(view, language) }
}

/** Answers errors of the page as HTML in both languages, since a person reads them. */
async function withPageErrors(
  { sayOutage }: PageContext,
  ctx: PayerRequest,
  { style, retry }: { style: Asset; retry: Asset },
  send: (ctx: PayerRequest) => Promise<void>,
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
    const { log } = requestOf(ctx)
    const part = absentPart(error)
    if (part === null) log.error('a checkout page could not be shown', { error })
    else sayOutage(log, `a checkout page could not be shown: ${part} cannot be reached`, { error })
    ctx.status = 503
    ctx.set('Retry-After', '5')
    ctx.body = unavailablePage(style.address, retry.address)
  }
}

/**
 * Sends a file that pages load. Browsers keep it for ever under the version that it has, and no other: while a new version
 * of Weft is brought in, the page of one process may ask another process for its files.
 */
function sendAsset(ctx: PayerRequest, assets: Asset[]): void {
  const asset = assets.find(({ name }) => name === ctx.params['name'])
  if (!asset) throw new Problem('not_found')
  const is_current = readPageQuery(ctx)['v'] === asset.version
  const kept = is_current ? 'public, max-age=31536000, immutable' : 'no-store'
  ctx.set({ 'Cache-Control': kept, 'X-Content-Type-Options': 'nosniff' })
  ctx.set('Content-Type', asset.type)
  ctx.body = asset.content
}

/**
 * `?lang=` wins; then what the shop knows of its customer; then the browser's wish; then the language of the country in
 * which the page is paid.
 */
function pageLanguage(ctx: PayerRequest, { checkout, order }: Visit): Language {
  const asked = languages.find((language) => language === readPageQuery(ctx)['lang'])
  const { locale } = checkout ?? order ?? {}
  if (asked) return asked
  if (locale) return locale
  return ctx.acceptsLanguages('zh-CN', 'zh', 'en') === 'en' ? 'en' : 'zh-CN'
}

async function sendEvents(context: PageContext, streams: OrderStreams, ctx: PayerRequest): Promise<void> {
  const visit = await findVisit(context, ctx)
  const { order } = visit
  // 204 tells the browser not to come again: nothing more happens to this order by itself, or there is none yet.
  if (order === null || isOrderResting(order.state)) return void (ctx.status = 204)
  ctx.status = 200
  ctx.set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' })
  if (ctx.method === 'HEAD') return // who only wants the headers holds no stream
  const language = pageLanguage(ctx, visit)
  const is_open = streams.open(ctx.res, order, async (changed) => {
    const again = visit.checkout === null ? { ...visit, order: changed } : await visitAgain(context, visit)
    return withNote(await visitView(context, again), language)
  })
  if (!is_open) {
    context.sayOutage(requestOf(ctx).log, 'a page has no stream, since too many are open: it asks', {
      mchid: order.mchid,
    })
    throw new Problem('rate_limited', { headers: { 'Retry-After': '30' } })
  }
  // Koa would take a page that is closed for a broken answer; here it is how every stream ends.
  ctx.respond = false
}

async function sendCode(context: PageContext, ctx: PayerRequest): Promise<void> {
  const view = await visitView(context, await findVisit(context, ctx))
  if (!view.code) throw new Problem('not_found')
  ctx.body = await qrCodeSvg(view.code.url)
  ctx.type = 'image/svg+xml'
}

/** Handles "I have paid": queries WeChat Pay at most once and sends the order as it then is. */
async function handleCheck(context: PageContext, ctx: PayerRequest): Promise<void> {
  const visit = await findVisit(context, ctx)
  if (visit.order === null) return sendView(ctx, visit, { ...(await visitView(context, visit)), check: 'not_yet' })
  const order = await checkOrderNow(context, visit.order, payer)
  const checked = { ...visit, order }
  const view = await visitView(context, checked)
  sendView(ctx, checked, { ...view, check: checkResult(order, view) })
}

/** The word for the page's `check-result`. Orders that ended need none: their scene shows it. */
function checkResult(order: OrderRecord, view: PayerView): CheckResult | 'paid' | 'closed' {
  if (order.payment !== null) return 'paid'
  if (open_scenes.includes(view.scene)) {
    return order.asked.on_request >= limits.checks_by_payer ? 'limit' : 'not_yet'
  }
  return 'closed'
}

async function handleRenewal(context: PageContext, ctx: PayerRequest): Promise<void> {
  const visit = await findVisit(context, ctx)
  const order = visit.order && (await refreshCode(context, visit.order, payer))
  sendView(ctx, visit, await visitView(context, { ...visit, order }))
}

/** Handles the one button that pays right here; asked for by the page's script, or by its form. */
async function handlePay(context: PageContext, pace: Buckets, ctx: PayerRequest): Promise<void> {
  const visit = await findVisit(context, ctx)
  if (!pace.take(paceGroup(visit)).has_token) {
    const { mchid } = visit.merchant
    context.sayOutage(requestOf(ctx).log, 'payers behind one address come too fast: is it a proxy’s?', { mchid })
    return refusePay(ctx, visit, new Problem('rate_limited', { headers: { 'Retry-After': '5' } }))
  }
  const language = pageLanguage(ctx, visit)
  try {
    const outcome = await payHere(context, visit, language)
    if (outcome.kind === 'shown') {
      const { visit: shown, call } = outcome
      return sendView(ctx, shown, await visitView(context, shown), call)
    }
    // WeChat's bridge needs scripts, and a form must not lead to another site: who has none is told.
    if (wantsJson(ctx)) ctx.body = { errand_url: outcome.url }
    else redirectToPage(ctx, { lang: language, wechat: 'no_script' })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    sayRefused(context, ctx, error)
    refusePay(ctx, visit, error)
  }
}

function sayRefused({ sayOutage }: PageContext, ctx: PayerRequest, problem: Problem): void {
  const { log } = requestOf(ctx)
  const part = absentPart(problem)
  const told = { code: problem.code, error: problem }
  if (part === null) log.warn('a payer could not be given an order', told)
  else sayOutage(log, `a payer could not be given an order: ${part} cannot be reached`, told)
}

/** A problem for the page's script; a form is led back to the page, which says it in words. */
function refusePay(ctx: PayerRequest, visit: Visit, problem: Problem): void {
  if (wantsJson(ctx)) throw problem
  const wechat: ErrandResult = passing_problems.includes(problem.code) ? 'not_placed' : 'not_payable'
  redirectToPage(ctx, { lang: pageLanguage(ctx, visit), wechat })
}

/** Takes a payer who comes back from WeChat to the page, which then goes on where he left it. */
async function handleReturn(context: PageContext, ctx: PayerRequest): Promise<void> {
  const visit = await findVisit(context, ctx)
  const end = await endErrand(context, ctx, visit)
  if (end.kind === 'none') {
    const is_lost = !end.is_payer_known && visitWay(visit)?.trade_type === 'JSAPI'
    return redirectToPage(ctx, is_lost ? { lang: pageLanguage(ctx, visit), wechat: 'not_kept' } : {})
  }
  const lang = end.language
  if (end.kind === 'known') return redirectToPage(ctx, { lang, paying: '1' })
  if (end.kind === 'unknown') return redirectToPage(ctx, { lang, wechat: end.result })
  ctx.status = 303
  ctx.set('Location', end.url)
}

/** Sends `view` as JSON to the page's script, or redirects a form that was sent without scripts back to the page. */
function sendView(
  ctx: PayerRequest,
  visit: Visit,
  view: PayerView & { check?: string },
  call: ClientCall | null = null,
): void {
  const language = pageLanguage(ctx, visit)
  if (wantsJson(ctx)) ctx.body = { ...withNote(view, language), ...(call && { call }) }
  else redirectToPage(ctx, { lang: language, ...(view.check ? { checked: view.check } : {}) })
}

function wantsJson(ctx: PayerRequest): boolean {
  return ctx.accepts('json', 'html') === 'json'
}

function redirectToPage(ctx: PayerRequest, query: Record<string, string>): void {
  ctx.status = 303
  ctx.set('Location', `../${String(ctx.params['token'])}?${new URLSearchParams(query).toString()}`)
}
