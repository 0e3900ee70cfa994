import { randomBytes } from 'node:crypto'
import type { RouterContext } from '@koa/router'
import type { AttentionCode } from '../../domain/attention.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { pageApp } from '../../domain/checkout/method.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { TradeType } from '../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { OutageLog } from '../../runtime/outage.ts'
import { h5Address } from '../../wechat/clientcall.ts'
import type { ClientCall } from '../../wechat/clientcall.ts'
import { isCode, setup_remedies } from '../../wechat/openid.ts'
import type { CodeExchange, OpenidAnswer, Openids } from '../../wechat/openid.ts'
import type { Language } from '../http/language.ts'
import { Problem } from '../http/problem.ts'
import { requestOf } from '../http/request.ts'
import { readPageQuery } from '../http/query.ts'
import { refreshCode } from '../temporal/check.ts'
import type { CheckContext } from '../temporal/check.ts'
import { wishKey } from '../v1/checkouts/order.ts'
import type { PayerWish } from '../v1/checkouts/order.ts'
import { errand_life_ms } from './cookie.ts'
import { refusedMethods } from './offer.ts'
import { paceGroup, visitAgain, visitWay } from './visit.ts'
import type { Visit, VisitContext } from './visit.ts'
import type { ErrandResult } from './way.ts'

/** What paying on a checkout's page takes. */
export type PayContext = VisitContext &
  CheckContext & {
    store: {
      merchants: {
        openAppSecret(merchant: MerchantRecord, appid: string): string | null
        noteAttention(mchid: string, code: AttentionCode, time: Time, detail?: string): Promise<boolean>
        restateAttention(mchid: string, code: AttentionCode, detail: string): Promise<boolean>
        liftAttention(mchid: string, ...codes: AttentionCode[]): Promise<boolean>
      }
    }
    openids: Openids
    /** says what an outage keeps pages from: every payer who is there meets it */
    sayOutage: OutageLog
    /** makes the order, or finds it: api/v1/checkouts/order */
    openOrder(checkout: CheckoutRecord, wish: PayerWish): Promise<OrderRecord>
    /** what the payer's client is opened with: api/v1/orders/client */
    currentCall(order: OrderRecord): Promise<ClientCall | null>
  }

/** What came of a payer's wish to pay right here. */
export type PayOutcome =
  /** `call`: what opens WeChat; null: nothing yet, and the page shows how it stands */
  | { kind: 'shown'; visit: Visit; call: ClientCall | null }
  /** who the payer is has to be asked of WeChat first: his browser goes to `url` and comes back */
  | { kind: 'errand'; url: string }

/** Pays right here, as far as this page can: the order is made or found, and what opens WeChat is signed for it. */
export async function payHere(context: PayContext, visit: Visit, language: Language): Promise<PayOutcome> {
  const { checkout } = visit
  if (checkout === null) throw new Problem('not_found')
  const way = visitWay(visit)
  if (!way?.trade_type) return { kind: 'shown', visit, call: null }
  const wish = payerWish(visit, way.trade_type)
  if (wish === null) return { kind: 'errand', url: beginErrand(context, visit, { is_again: false, language }) }
  const name = visit.cookies.browser()
  if (name !== null && way.trade_type === 'MWEB') visit.cookies.keepBrowser(name) // for as long again
  const opened = await context.openOrder(checkout, wish)
  const order = opened.payment === null ? await refreshCode(context, opened, { kind: 'payer', id: null }) : opened
  const refused = refusedMethods(order)
  if (refused.length > 0) visit.cookies.keepRefused([...visit.refused, ...refused])
  const again = { ...(await visitAgain(context, visit)), refused: [...visit.refused, ...refused] }
  return { kind: 'shown', visit: again, call: await callFor(context, order, checkout) }
}

/**
 * Where H5 leads while it lives, for a page without scripts; null: nowhere. Only to the payer whose wish made the order:
 * WeChat refuses it from another address than the one it was placed for.
 */
export async function h5Link(context: PayContext, visit: Visit): Promise<string | null> {
  const { order, checkout } = visit
  if (order === null || checkout === null || order.payment !== null) return null
  const newest = checkout.orders.at(-1)
  const wish = payerWish(visit, 'MWEB')
  if (newest?.out_trade_no !== order.out_trade_no || wish === null) return null
  const { payer, address } = wishKey(checkout, wish)
  if (newest.payer !== payer || (wish.known_by === no_cookies && newest.address !== address)) return null
  const call = await callFor(context, order, checkout)
  return call?.kind === 'h5' ? call.h5_url : null
}

/** What opens WeChat for the order, and brings the payer back to this page where it leads away from it. */
async function callFor(
  context: PayContext,
  order: OrderRecord,
  { checkout_url }: Pick<CheckoutRecord, 'checkout_url'>,
): Promise<ClientCall | null> {
  const call = await context.currentCall(order)
  if (call?.kind !== 'h5' || order.code?.h5_url === undefined) return call
  return { kind: 'h5', h5_url: h5Address(order.code.h5_url, checkout_url) }
}

/** By what all payers are known whose browsers keep no cookies. */
const no_cookies = 'unknown'

/**
 * Names the browser in which a page is opened that is paid by H5. Its address would not tell it apart: a phone's changes with
 * its network, several may share one, and WeChat lets a single payer open what it hands out. Whoever then wishes to pay
 * without a name has a browser that keeps no cookies.
 */
export function nameBrowser({ cookies }: Pick<Visit, 'cookies'>): void {
  if (cookies.browser() === null) cookies.keepBrowser(randomBytes(16).toString('hex'))
}

/** Null: who the payer is has to be asked first. */
function payerWish({ merchant, cookies, address, browser }: Visit, trade_type: TradeType): PayerWish | null {
  switch (trade_type) {
    case 'JSAPI': {
      const app = pageApp(merchant, 'JSAPI')
      const openid = app && cookies.openid(app.appid)
      return app && openid ? { trade_type, appid: app.appid, openid } : null
    }
    case 'MWEB':
      return {
        trade_type,
        payer_client_ip: address ?? '',
        known_by: cookies.browser() ?? no_cookies,
        h5_type: browser.h5_type,
      }
    case 'NATIVE':
    case 'APP':
      return { trade_type }
  }
}

interface ErrandWish {
  is_again: boolean
  language: Language
}

function beginErrand(context: PayContext, { merchant, token, cookies }: Visit, wish: ErrandWish): string {
  const app = pageApp(merchant, 'JSAPI')
  if (app === null) throw new Error(`merchant ${merchant.mchid} has no official account to pay as`)
  const state = cookies.beginErrand({ appid: app.appid, ...wish })
  const redirect_uri = `${context.config.public_url}/pay/${token}/wechat`
  return context.openids.authoriseUrl(merchant.mode, { appid: app.appid, redirect_uri, state })
}

/** Where a payer who comes back from WeChat goes. */
export type ErrandEnd =
  | { kind: 'known'; language: Language }
  /** once more to WeChat, since the code that he brought was spent */
  | { kind: 'again'; url: string; language: Language }
  | { kind: 'unknown'; result: ErrandResult; language: Language }
  /** this is no end of an errand of this browser's: a reload, a second tab, somebody else's link, no cookies */
  | { kind: 'none'; is_payer_known: boolean }

/**
 * Ends a payer's errand to WeChat: the code that he brings is exchanged, once by each api process, whoever repeats the
 * request there. One that was spent, or may be since no answer came, sends him once more, and never a third time. A person
 * is called where no answer came twice, and at once by what only the merchant can mend, which takes JSAPI from the ways of
 * this payer.
 */
export async function endErrand(context: PayContext, ctx: RouterContext, visit: Visit): Promise<ErrandEnd> {
  const { code = '', state = '' } = readPageQuery(ctx)
  const { merchant, cookies } = visit
  const errand = cookies.endErrand(state)
  if (errand === null) return { kind: 'none', is_payer_known: payerWish(visit, 'JSAPI') !== null }
  const { appid, language } = errand
  const secret = context.store.merchants.openAppSecret(merchant, appid)
  if (secret === null) return { kind: 'unknown', result: 'failed', language }
  const exchange = { appid, secret, code }
  const answer = isCode(code)
    ? await exchangedCode(context, ctx, visit, { state, is_again: errand.is_again, exchange })
    : ({ kind: 'no_code' } as const) // made up: neither WeChat nor anybody's pace has to do with it
  if (answer === null) return { kind: 'none', is_payer_known: true } // the same request before this one has asked
  switch (answer.kind) {
    case 'openid':
      cookies.keepOpenid(appid, answer.openid)
      return { kind: 'known', language }
    case 'no_code':
    case 'spent':
    case 'unavailable':
      if (errand.is_again) return { kind: 'unknown', result: 'failed', language }
      return { kind: 'again', url: beginErrand(context, visit, { is_again: true, language }), language }
    case 'paced':
      return { kind: 'unknown', result: 'failed', language }
    case 'visitor':
      return { kind: 'unknown', result: 'visitor', language }
    case 'setup':
      cookies.keepRefused([...visit.refused, 'JSAPI'])
      return { kind: 'unknown', result: 'failed', language }
  }
}

/**
 * What WeChat answers to the code of one errand. Its cookie alone would not end it: whoever keeps a copy could have WeChat
 * asked in a loop, in the merchant's name; so each api process asks once. Null: this one has asked before. `paced`: it is
 * asked too often of this checkout from where the payer is, or from everywhere, and was not now.
 */
async function exchangedCode(
  context: PayContext,
  ctx: RouterContext,
  visit: Visit,
  { state, is_again, exchange }: { state: string; is_again: boolean; exchange: CodeExchange },
): Promise<OpenidAnswer | { kind: 'paced' } | null> {
  const { merchant, checkout, token } = visit
  const whole = checkout?._id ?? token
  const mine = { is_asked: false }
  const question = {
    subject: `errand:${state}`,
    mchid: merchant.mchid,
    every_ms: errand_life_ms,
    asked_by: 'errand',
    group: `${whole} ${paceGroup(visit)}`,
    whole,
  } as const
  try {
    const answer = await context.questions.put(question, () => {
      mine.is_asked = true
      return context.openids.fetch(merchant.mode, exchange)
    })
    // Not within the question: where this fails, the code is spent all the same, and WeChat is not asked again.
    if (answer !== null && mine.is_asked)
      await noteAnswer(context, ctx, visit, { appid: exchange.appid, answer, is_again })
    return answer
  } catch (error) {
    if (error instanceof Problem && error.code === 'rate_limited') return { kind: 'paced' }
    throw error
  }
}

/** What WeChat answered about a payer of an appid. */
interface Heard {
  appid: string
  answer: OpenidAnswer
  is_again: boolean
}

/** Tells people of what WeChat says of an appid. Where that cannot be written now, the payer goes on all the same. */
async function noteAnswer(context: PayContext, ctx: RouterContext, { merchant }: Visit, heard: Heard): Promise<void> {
  const { appid, answer } = heard
  const { mchid } = merchant
  const { log } = requestOf(ctx)
  try {
    await keepAttention(context, merchant, heard)
  } catch (error) {
    context.sayOutage(log, 'what WeChat says of an appid cannot be written', { mchid, appid, error })
  }
  if (answer.kind === 'openid' || answer.kind === 'visitor') return
  const { kind, errcode } = answer
  const told = { mchid, appid, kind, errcode }
  if (kind === 'unavailable') context.sayOutage(log, 'WeChat does not say who payers are', told)
  else log.warn('WeChat has not said who a payer is', told)
}

/** Keeps the merchant's attention honest: what has to be set up takes the place of an outage, and never the reverse. */
async function keepAttention(
  context: PayContext,
  { mchid, attentions }: MerchantRecord,
  { appid, answer, is_again }: Heard,
): Promise<void> {
  const { store } = context
  const is_raised = attentions?.some(({ code }) => code === 'payer_unknown') === true
  if (answer.kind === 'openid' && is_raised) await store.merchants.liftAttention(mchid, 'payer_unknown')
  const remedy = remedyOf(answer, is_again)
  if (remedy === null) return
  const detail = `${appid}: ${remedy}`
  const is_new = await store.merchants.noteAttention(mchid, 'payer_unknown', beijingTime(context.now()), detail)
  if (!is_new && answer.kind === 'setup') await store.merchants.restateAttention(mchid, 'payer_unknown', detail)
}

/** What a person has to do about an answer; null: nothing, or nothing yet. */
function remedyOf(answer: OpenidAnswer, is_again: boolean): string | null {
  if (answer.kind === 'setup') return `${answer.errcode}, ${setup_remedies[answer.errcode]}`
  // Codes that were spent call nobody: whoever has the page's link can make some up.
  if (answer.kind !== 'unavailable' || !is_again) return null
  const { errcode } = answer
  if (errcode !== null && errcode !== busy_code) return `${errcode}, twice in a row: WeChat refuses for now`
  return `${errcode ?? 'no answer'}, twice in a row: api.weixin.qq.com has to be reachable from the api processes`
}

/** WeChat's own word for a system that is busy, which is what a broken way to it looks like as well. */
const busy_code = -1
