import ipaddr from 'ipaddr.js'
import { domainOf } from './oauth.ts'
import { openidOf } from './openid.ts'
import type { Payer, Story } from './payer.ts'
import type { Order } from './records.ts'
import { ControlError } from './refusal.ts'
import type { SimulatorState } from './state.ts'

/** Somebody's browser at an h5_url. */
export interface H5Visit {
  /** the h5_url as it was handed out, without what the merchant has added */
  h5_url: string
  /** where the merchant wants the payer back; null: where the payer came from */
  redirect_url: string | null
  /** other parameters that the merchant has added, which it may not */
  has_more: boolean
  referer: string | null
  /** whose phone it is */
  payer: string
  /** the address that the browser comes from */
  address: string
  is_in_wechat: boolean
}

/** What WeChat's page says where it does not open WeChat. */
const texts = {
  in_wechat: '请在微信外打开订单，进行支付',
  malformed: '商家参数格式有误，请联系商家解决',
  not_registered: '商家存在未配置的参数，请联系商家解决',
  gone: '支付请求已失效，请重新发起支付',
  network: '网络环境未能通过安全验证，请稍后再试',
  paid: '该订单已支付',
  closed: '该订单已关闭',
} as const

type H5Mistake = keyof typeof texts

export type H5Opening =
  { kind: 'open'; order: Order; back: string } | { kind: 'refused'; mistake: H5Mistake; text: string }

/**
 * H5Page is where an h5_url leads to. It opens WeChat for one payer, within five minutes, from a page of the merchant's
 * H5 domain, and for the address that the order was placed for.
 */
export class H5Page {
  readonly #tools: { state: SimulatorState; payer: Payer; settings: { loopback_payer: 'refuse' | 'allow' } }

  constructor(tools: { state: SimulatorState; payer: Payer; settings: { loopback_payer: 'refuse' | 'allow' } }) {
    this.#tools = tools
  }

  /** Opens the page; from then on its h5_url is this payer's alone. */
  open(visit: H5Visit): H5Opening {
    const { state, payer } = this.#tools
    const order = state.findOrderByCode(visit.h5_url, payer.now())
    const mistake = this.#mistakeOf(visit, order)
    if (mistake !== null || order === null) {
      const known = mistake ?? 'gone'
      return { kind: 'refused', mistake: known, text: texts[known] }
    }
    const codes = order.codes.map((one) => (one.code === visit.h5_url ? { ...one, opened_by: visit.payer } : one))
    state.keepOrder({ ...order, codes })
    return { kind: 'open', order, back: visit.redirect_url ?? visit.referer ?? '' }
  }

  /** Lets the payer who has opened the page pay, or go. Returns what became of it, or why nothing did. */
  answer(h5_url: string, payer_name: string, story: Story): 'paid' | 'left' | H5Mistake {
    const { state, payer } = this.#tools
    const order = state.findOrderByCode(h5_url, payer.now())
    const issued = order?.codes.find(({ code }) => code === h5_url)
    if (order === null || issued?.opened_by !== payer_name) return 'gone'
    try {
      const payer_openid = openidOf(order.appid, payer_name)
      const { outcome } = payer.pay({ code_url: h5_url, payer_openid, payer: payer_name, story })
      return outcome === 'paid' ? 'paid' : 'left'
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      return mistakes[error.code] ?? 'gone'
    }
  }

  /** What WeChat's page says of a mistake. */
  textOf(mistake: H5Mistake): string {
    return texts[mistake]
  }

  #mistakeOf(visit: H5Visit, order: Order | null): H5Mistake | null {
    if (visit.is_in_wechat) return 'in_wechat'
    if (visit.has_more || visit.referer === null) return 'malformed'
    const domains = this.#tools.state.merchants.get(order?.mchid ?? '')?.h5_domains ?? []
    if (order === null) return 'gone'
    const isRegistered = (address: string): boolean => domains.includes(domainOf(address) ?? '')
    if (!isRegistered(visit.referer)) return 'not_registered'
    if (visit.redirect_url !== null && !isRegistered(visit.redirect_url)) return 'not_registered'
    const opened_by = order.codes.find(({ code }) => code === visit.h5_url)?.opened_by
    if (opened_by !== undefined && opened_by !== visit.payer) return 'gone'
    const refusal = this.#tools.payer.paymentRefusal(order, visit.h5_url, null)
    if (refusal !== null) return mistakes[refusal.code] ?? 'gone'
    return this.#isAddressOf(order, visit.address) ? null : 'network'
  }

  /** Whether the browser has the address of the order. One on this machine has none that the internet could see. */
  #isAddressOf({ payer_client_ip }: Order, address: string): boolean {
    const placed_for = ipaddr.process(payer_client_ip ?? '0.0.0.0')
    if (!isPublic(placed_for)) return this.#tools.settings.loopback_payer === 'allow'
    const seen = ipaddr.process(address)
    return !isPublic(seen) || seen.toNormalizedString() === placed_for.toNormalizedString()
  }
}

const mistakes: Partial<Record<string, H5Mistake>> = { ORDER_PAID: 'paid', ORDER_CLOSED: 'closed' }

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === 'unicast'
}
