import { wechatTime } from '../domain/calendar.ts'
import { randomDigits, randomLetters } from './random.ts'
import type { IssuedCode, SimulatedApp, Order, SimulatedTradeType } from './records.ts'

export const trade_types = ['NATIVE', 'JSAPI', 'APP', 'MWEB'] as const satisfies SimulatedTradeType[]

/** What placing an order of a product gives, and what the product asks for (docs/wechat-pay.md §2.1). */
interface ProductRule {
  /** the last word of the call's path */
  path: string
  /** the one field of the answer */
  gives: 'code_url' | 'prepay_id' | 'h5_url'
  /** the kinds of app whose appid it is placed with; null: any appid that is bound to the merchant */
  app_kinds: readonly SimulatedApp['kind'][] | null
  /** whether the setting of its life is that of an h5_url */
  life: 'code_life_ms' | 'h5_life_ms'
  /** whether a newer code kills those before it; docs/wechat-pay.md §2.1 says so of Native only */
  is_replaced: boolean
  /** the name in bills, in notifications and in WeChat Pay's console */
  title: string
}

export const products: Record<SimulatedTradeType, ProductRule> = {
  NATIVE: {
    path: 'native',
    gives: 'code_url',
    app_kinds: null,
    life: 'code_life_ms',
    is_replaced: true,
    title: 'Native支付',
  },
  JSAPI: {
    path: 'jsapi',
    gives: 'prepay_id',
    app_kinds: ['official_account', 'mini_program'],
    life: 'code_life_ms',
    is_replaced: false,
    title: 'JSAPI支付',
  },
  APP: {
    path: 'app',
    gives: 'prepay_id',
    app_kinds: ['mobile_app'],
    life: 'code_life_ms',
    is_replaced: false,
    title: 'APP支付',
  },
  MWEB: { path: 'h5', gives: 'h5_url', app_kinds: null, life: 'h5_life_ms', is_replaced: false, title: 'H5支付' },
}

/** The product that a path's last word names. Throws for any other word: the routes name them all. */
export function productOfPath(path: string): SimulatedTradeType {
  const found = Object.entries(products).find(([, rule]) => rule.path === path)
  if (found === undefined) throw new Error(`no product is called ${path}`)
  return found[0] as SimulatedTradeType
}

/** Whether an order of the product can be placed with this appid, as far as its kind says. */
export function isAppFitting(trade_type: SimulatedTradeType, app: SimulatedApp | undefined): boolean {
  const { app_kinds } = products[trade_type]
  return app_kinds === null || (app !== undefined && app_kinds.includes(app.kind))
}

/** The code that placing gives: of Native what a QR code shows, of H5 an address at `host`, else the prepay_id. */
export function newCode(trade_type: SimulatedTradeType, now: number, host: string): IssuedCode {
  const { gives } = products[trade_type]
  if (gives === 'code_url') {
    return { code: `weixin://wxpay/bizpayurl/up?pr=${randomLetters(12)}&groupid=00`, time: now }
  }
  const second = wechatTime(now).slice(0, 19).replaceAll(/\D/g, '')
  const prepay_id = `wx${second}${randomLetters(10).toLowerCase()}${randomDigits(6)}0000`
  if (gives === 'prepay_id') return { code: prepay_id, time: now }
  const search = new URLSearchParams({ prepay_id, package: randomDigits(10) })
  return { code: `http://${host}${h5_path}?${search.toString()}`, time: now }
}

/** WeChat Pay's own path of the page that an h5_url leads to. */
export const h5_path = '/cgi-bin/mmpayweb-bin/checkmweb'

/** The code that the latest placing handed out. */
export function newestCode(order: Order): string {
  return order.codes.at(-1)?.code ?? ''
}
