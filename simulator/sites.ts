import type Router from '@koa/router'
import type { Context } from 'koa'
import getRawBody from 'raw-body'
import { bridgeScript, sheetScript } from './bridge.ts'
import type { H5Page } from './h5.ts'
import type { WebAuthorization } from './oauth.ts'
import type { IdentityApi } from './identity.ts'
import { phone_payer } from './openid.ts'
import { stories } from './payer.ts'
import { h5_path } from './product.ts'
import { writeResponse } from './response.ts'
import { authorizeErrorPage, h5EndPage, h5Page, sheetEndPage, sheetPage } from './screens.ts'
import type { PaySheet, SheetOpening } from './sheet.ts'
import { sheetRequest } from './sheet.ts'
import type { SimulatorState } from './state.ts'
import { languageFor } from './words.ts'
import type { PhoneLanguage } from './words.ts'

const form_limit_bytes = 65_536

/** The name of the cookie that says whose phone a browser is. */
export const payer_cookie = 'simulated_payer'

export interface SiteTools {
  state: SimulatorState
  oauth: WebAuthorization
  identity: IdentityApi
  hold_ms: number
  sheet: PaySheet
  h5: H5Page
}

/**
 * Adds what WeChat serves beside the payment API: the authorise page of open.weixin.qq.com, the openids of
 * api.weixin.qq.com, the H5 page of wx.tenpay.com, and what WeChat itself puts into pages and over them.
 */
export function addSites(router: Router, tools: SiteTools): void {
  addAuthorization(router, tools)
  addSheet(router, tools)
  addH5(router, tools)
}

/** Sends a page; `script`: it has a script of this origin. */
export function sendPage(ctx: Context, text: string, script?: 'script'): void {
  const scripts = script === undefined ? '' : "; script-src 'self'"
  const policy = `default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'${scripts}`
  ctx.set('Content-Security-Policy', policy)
  ctx.set('Cache-Control', 'no-store')
  ctx.type = 'html'
  ctx.body = text
}

/** Whose phone a browser is: what its cookie says, else the one phone at hand. */
export function payerOf(ctx: Context): string {
  const payer = decoded(ctx.cookies.get(payer_cookie) ?? '')
  return payer === '' || payer.length > 64 ? phone_payer : payer
}

function addAuthorization(router: Router, { oauth, identity, hold_ms }: SiteTools): void {
  router.get('/connect/oauth2/authorize', (ctx) => {
    const outcome = oauth.authorize(searchOf(ctx), payerOf(ctx), isInWeChat(ctx))
    ctx.set('Cache-Control', 'no-store')
    if (outcome.kind === 'error') return sendPage(ctx, authorizeErrorPage(outcome.error, languageOf(ctx)))
    ctx.status = 302
    ctx.set('Location', outcome.url)
  })
  router.get('/sns/oauth2/access_token', async (ctx) =>
    writeResponse(ctx, await identity.answer('access_token', searchOf(ctx)), hold_ms),
  )
  router.get('/sns/jscode2session', async (ctx) =>
    writeResponse(ctx, await identity.answer('jscode2session', searchOf(ctx)), hold_ms),
  )
  router.get('/sns/userinfo', (ctx) => {
    ctx.body = JSON.stringify(oauth.userinfo())
    ctx.type = 'text/plain' // as WeChat answers, although it is JSON
  })
}

function addSheet(router: Router, { state, sheet }: SiteTools): void {
  router.get('/phone/bridge.js', (ctx) => {
    ctx.type = 'js'
    ctx.body = bridgeScript(`http://${ctx.host}`)
  })
  router.get('/phone/sheet.js', (ctx) => {
    ctx.type = 'js'
    ctx.body = sheetScript
  })
  const call = (ctx: Context, given: URLSearchParams) =>
    sheetRequest.safeParse({
      client: 'jsapi',
      parameters: jsonObject(given.get('parameters') ?? ''),
      page_url: given.get('page_url') ?? undefined,
      payer: payerOf(ctx),
      story: given.get('story') ?? 'cancel',
    })
  const show = (ctx: Context, opening: SheetOpening, given: URLSearchParams): void => {
    const language = languageOf(ctx)
    if (opening.kind === 'refused') {
      const end = { result: opening.result, text: opening.text, origin: originOf(given.get('page_url')) }
      return sendPage(ctx, sheetEndPage(end, language), 'script')
    }
    const form = { parameters: given.get('parameters') ?? '', page_url: given.get('page_url') ?? '' }
    sendPage(ctx, sheetPage(opening, nameOf(state, opening.order.mchid), form, language))
  }
  router.get('/phone/sheet', (ctx) => {
    const given = searchOf(ctx)
    const read = call(ctx, given)
    if (!read.success) return ctx.throw(400)
    show(ctx, sheet.open(read.data), given)
  })
  router.post('/phone/sheet', async (ctx) => {
    const given = await formOf(ctx)
    const read = call(ctx, given)
    if (!read.success) return ctx.throw(400)
    const opening = sheet.open(read.data)
    if (opening.kind === 'refused') return show(ctx, opening, given)
    const end = { result: sheet.answer(read.data), text: null, origin: originOf(given.get('page_url')) }
    sendPage(ctx, sheetEndPage(end, languageOf(ctx)), 'script')
  })
}

function addH5(router: Router, { state, h5 }: SiteTools): void {
  router.get(h5_path, (ctx) => {
    const given = searchOf(ctx)
    const { prepay_id = '', package: extra = '', redirect_url = null, ...more } = Object.fromEntries(given)
    const h5_url = `http://${ctx.host}${h5_path}?${new URLSearchParams({ prepay_id, package: extra }).toString()}`
    const opening = h5.open({
      h5_url,
      redirect_url,
      has_more: Object.keys(more).length > 0,
      referer: ctx.get('referer') || null,
      payer: payerOf(ctx),
      address: ctx.req.socket.remoteAddress ?? '',
      is_in_wechat: isInWeChat(ctx),
    })
    const language = languageOf(ctx)
    if (opening.kind === 'open') {
      return sendPage(ctx, h5Page(opening, nameOf(state, opening.order.mchid), h5_url, language))
    }
    const back = redirect_url ?? ctx.get('referer')
    sendPage(ctx, h5EndPage({ screen: 'h5_refused', text: opening.text, back }, language))
  })
  router.post('/phone/h5', async (ctx) => {
    const given = await formOf(ctx)
    const story = stories.find((one) => one === given.get('story')) ?? 'cancel'
    const became = h5.answer(given.get('h5_url') ?? '', payerOf(ctx), story)
    const back = given.get('back') ?? ''
    const language = languageOf(ctx)
    if (became === 'paid') return sendPage(ctx, h5EndPage({ screen: 'h5_paid', text: null, back }, language))
    if (became === 'left') return sendPage(ctx, h5EndPage({ screen: 'h5_left', text: null, back }, language))
    sendPage(ctx, h5EndPage({ screen: 'h5_refused', text: h5.textOf(became), back }, language))
  })
}

function nameOf(state: SimulatorState, mchid: string): string {
  return state.merchants.get(mchid)?.name ?? mchid
}

export function isInWeChat(ctx: Context): boolean {
  return /MicroMessenger/i.test(ctx.get('user-agent'))
}

function languageOf(ctx: Context): PhoneLanguage {
  return languageFor(searchOf(ctx).get('lang'), ctx.get('accept-language'))
}

function searchOf(ctx: Context): URLSearchParams {
  return new URLSearchParams(ctx.querystring)
}

/** The fields of a form; none when there are too many bytes. */
export async function formOf(ctx: Context): Promise<URLSearchParams> {
  try {
    return new URLSearchParams((await getRawBody(ctx.req, { limit: form_limit_bytes })).toString('utf8'))
  } catch {
    return new URLSearchParams()
  }
}

function originOf(address: string | null): string {
  return address !== null && URL.canParse(address) ? new URL(address).origin : 'null'
}

function jsonObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
