import { z } from 'zod'
import { verify } from '../wechat/signature.ts'
import type { WeChatKeys } from './keys.ts'
import { openidOf, phone_payer } from './openid.ts'
import { stories } from './payer.ts'
import type { Payer } from './payer.ts'
import type { Merchant, SimulatedApp, Order } from './records.ts'
import type { SimulatorState } from './state.ts'

/** `POST /control/sheets`: what calls the pay sheet up, and what the payer does with it. */
export const sheetRequest = z.strictObject({
  /** `getBrandWCPayRequest` of a page in WeChat, `wx.requestPayment` of a mini program, or OpenSDK of an app */
  client: z.enum(['jsapi', 'mini_program', 'app']),
  /** exactly what that was given */
  parameters: z.record(z.string(), z.unknown()),
  /** of a mini program: its own appid, which WeChat knows and `parameters` does not say */
  appid: z.string().optional(),
  /** of a page: its address, which WeChat knows; without one its directory is not checked */
  page_url: z.string().max(4_096).optional(),
  payer: z.string().min(1).max(64).default(phone_payer),
  story: z.enum(stories).default('pay'),
})

export type SheetRequest = z.input<typeof sheetRequest>
type SheetInvocation = z.infer<typeof sheetRequest>
type SheetClient = SheetInvocation['client']

/** SheetResult is what the client's code gets back; each kind of client has its own form of it. */
export type SheetResult =
  { err_msg: string; err_desc?: string } | { errMsg: string } | { errCode: 0 | -1 | -2; errStr: string }

/** What a sheet shows when it opens, or why it does not. */
export type SheetOpening =
  { kind: 'open'; order: Order; prepay_id: string } | { kind: 'refused'; text: string; result: SheetResult }

type SheetOutcome = { kind: 'ok' } | { kind: 'cancel' } | SheetMistake
/** `missing` is WeChat's word also for a value that it cannot use: 缺少参数. */
type SheetMistake =
  { kind: 'missing'; name: string } | { kind: 'wrong_type'; name: string } | { kind: 'fail'; text: string }

/** The parameters that a client must give as text. */
const text_parameters: Record<SheetClient, readonly string[]> = {
  jsapi: ['appId', 'timeStamp', 'nonceStr', 'package', 'signType', 'paySign'],
  mini_program: ['timeStamp', 'nonceStr', 'package', 'signType', 'paySign'],
  app: ['appId', 'partnerId', 'prepayId', 'packageValue', 'nonceStr', 'timeStamp', 'sign'],
}

const app_kinds: Record<SheetClient, SimulatedApp['kind']> = {
  jsapi: 'official_account',
  mini_program: 'mini_program',
  app: 'mobile_app',
}

/** What the sheet says where the order cannot be paid, by the code of the refusal. */
const refusal_texts: Partial<Record<string, string>> = {
  ORDER_PAID: '该订单已支付',
  PAID_BY_ANOTHER: '该订单已支付',
  ORDER_CLOSED: '该订单已关闭',
  ORDER_EXPIRED: '订单已过期',
  PAYER_MISMATCH: '下单账号与支付账号不一致，请核实后再支付',
}

/** What the client's call comes down to, whatever its kind. */
interface SignedCall {
  appid: string
  prepay_id: string
  signature: string
  /** what the merchant had to sign: four lines (docs/wechat-pay.md §1.10) */
  message: string
}

/**
 * PaySheet is where a payer in WeChat, in a mini program or in an app pays. It checks what it was called up with as
 * WeChat does: types, the form of `package`, the appid of the order, the page's directory, and the merchant's signature.
 */
export class PaySheet {
  readonly #tools: { state: SimulatorState; keys: WeChatKeys; payer: Payer }

  constructor(tools: { state: SimulatorState; keys: WeChatKeys; payer: Payer }) {
    this.#tools = tools
  }

  /** Opens the sheet, or says what WeChat says instead. */
  open(call: SheetInvocation): SheetOpening {
    const opening = this.#check(call)
    if ('order' in opening) return { kind: 'open', ...opening }
    return { kind: 'refused', text: textOf(opening), result: resultOf(call.client, opening) }
  }

  /** Opens the sheet, and lets the payer do what the story says. Returns what the client's code gets back. */
  answer(call: SheetInvocation): SheetResult {
    const opening = this.open(call)
    if (opening.kind === 'refused') return opening.result
    const { order, prepay_id } = opening
    const payer_openid = openidOf(order.appid, call.payer)
    const { outcome } = this.#tools.payer.pay({
      code_url: prepay_id,
      payer_openid,
      payer: call.payer,
      story: call.story,
    })
    return resultOf(call.client, { kind: outcome === 'paid' ? 'ok' : 'cancel' })
  }

  #check(call: SheetInvocation): { order: Order; prepay_id: string } | SheetMistake {
    const { state, keys, payer } = this.#tools
    const signed = signedCall(call)
    if ('kind' in signed) return signed
    const { appid, prepay_id, signature, message } = signed
    const order = state.findOrderByCode(prepay_id, payer.now())
    const merchant = state.merchants.get(order?.mchid ?? '')
    const unusable: SheetMistake =
      call.client === 'app' ? { kind: 'fail', text: 'prepayId 无效' } : { kind: 'missing', name: 'total_fee' }
    if (order === null || merchant === undefined) return unusable
    if (order.appid !== appid || kindOf(merchant, appid) !== app_kinds[call.client]) return unusable
    if (call.client === 'app' && call.parameters['partnerId'] !== order.mchid) return unusable
    const refusal = payer.paymentRefusal(order, prepay_id, openidOf(order.appid, call.payer))
    if (refusal?.code === 'CODE_EXPIRED' || refusal?.code === 'CODE_DEAD') return unusable
    const page = call.client === 'jsapi' ? call.page_url : undefined
    if (page !== undefined && !merchant.pay_directories.some((directory) => page.startsWith(directory))) {
      return { kind: 'fail', text: `当前页面的URL未注册：${page.split(/[?#]/)[0] ?? ''}` }
    }
    const isSigned = verify(message, signature, keys.publicKey(merchant.public_key ?? ''))
    if (!isSigned) return { kind: 'fail', text: '支付验证签名失败' }
    if (refusal !== null) return { kind: 'fail', text: refusal_texts[refusal.code] ?? refusal.message }
    return { order, prepay_id }
  }
}

/** Reads what the client gave. A value of another type than text is as good as missing, and so is an empty one. */
function signedCall({ client, parameters, appid }: SheetInvocation): SignedCall | SheetMistake {
  const text = (name: string): string => String(parameters[name])
  for (const name of text_parameters[client]) {
    const value = parameters[name]
    if (value === undefined || value === null || value === '') return { kind: 'missing', name }
    const isNumberOfApp = client === 'app' && name === 'timeStamp' && typeof value === 'number'
    if (typeof value !== 'string' && !isNumberOfApp) return { kind: 'wrong_type', name }
  }
  if (client === 'app') {
    if (parameters['packageValue'] !== 'Sign=WXPay') return { kind: 'fail', text: 'packageValue 应为 Sign=WXPay' }
    const lines = [text('appId'), text('timeStamp'), text('nonceStr'), text('prepayId')]
    const read = { appid: text('appId'), prepay_id: text('prepayId'), signature: text('sign') }
    return { ...read, message: `${lines.join('\n')}\n` }
  }
  const prepay_id = /^prepay_id=(.+)$/.exec(text('package'))?.[1]
  if (prepay_id === undefined) return { kind: 'missing', name: 'total_fee' }
  if (parameters['signType'] !== 'RSA') return { kind: 'fail', text: '支付验证签名失败' }
  const own = client === 'jsapi' ? text('appId') : (appid ?? '')
  const lines = [own, text('timeStamp'), text('nonceStr'), text('package')]
  return { appid: own, prepay_id, signature: text('paySign'), message: `${lines.join('\n')}\n` }
}

function kindOf(merchant: Merchant, appid: string): SimulatedApp['kind'] | null {
  return merchant.apps.find((app) => app.appid === appid)?.kind ?? null
}

function textOf(mistake: SheetMistake): string {
  if (mistake.kind === 'fail') return mistake.text
  return `调用支付JSAPI缺少参数：${mistake.name}`
}

/** The result in the words of each client; pages and apps are told a mistake, a cancelled mini program only that. */
function resultOf(client: SheetClient, outcome: SheetOutcome): SheetResult {
  if (client === 'app') {
    if (outcome.kind === 'ok') return { errCode: 0, errStr: '' }
    if (outcome.kind === 'cancel') return { errCode: -2, errStr: '' }
    return { errCode: -1, errStr: outcome.kind === 'fail' ? outcome.text : `${outcome.name} 有误` }
  }
  if (client === 'mini_program') {
    if (outcome.kind === 'ok') return { errMsg: 'requestPayment:ok' }
    if (outcome.kind === 'cancel') return { errMsg: 'requestPayment:fail cancel' }
    if (outcome.kind !== 'wrong_type') return { errMsg: `requestPayment:fail ${textOf(outcome)}` }
    return { errMsg: `requestPayment:fail parameter error: parameter.${outcome.name} should be String` }
  }
  if (outcome.kind === 'ok' || outcome.kind === 'cancel') return { err_msg: `get_brand_wcpay_request:${outcome.kind}` }
  if (outcome.kind === 'fail') return { err_msg: 'get_brand_wcpay_request:fail', err_desc: outcome.text }
  return { err_msg: textOf(outcome) }
}
