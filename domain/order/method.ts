import { default_products } from '../merchant/product.ts'
import type { AppKind, TradeType } from '../merchant/product.ts'
import type { MerchantApp, MerchantRecord } from '../merchant/record.ts'
import type { Policy } from '../policy.ts'
import type { PlacedCode } from './record.ts'

export { trade_types } from '../merchant/product.ts'
export type { TradeType } from '../merchant/product.ts'

/** PaymentMethod is what one way to pay needs, and what the payer's client is handed (docs/wechat-pay.md §2.1). */
export interface PaymentMethod {
  /** the last word of the path that orders are placed at */
  path_word: 'native' | 'jsapi' | 'h5' | 'app'
  /** what WeChat Pay answers a placement with */
  hands_out: 'code_url' | 'prepay_id' | 'h5_url'
  /** how long that lives: two hours, or five minutes */
  life: 'code' | 'h5'
  /** of which apps the appid may be; null: of any, also of one whose kind nobody has said */
  app_kinds: readonly AppKind[] | null
  needs_openid: boolean
  /** the payer's own address, and what kind of browser it is */
  needs_scene_info: boolean
}

const needs_nothing = { needs_openid: false, needs_scene_info: false } as const

export const payment_methods: Readonly<Record<TradeType, PaymentMethod>> = {
  NATIVE: { path_word: 'native', hands_out: 'code_url', life: 'code', app_kinds: null, ...needs_nothing },
  JSAPI: {
    path_word: 'jsapi',
    hands_out: 'prepay_id',
    life: 'code',
    app_kinds: ['official_account', 'mini_program'],
    needs_openid: true,
    needs_scene_info: false,
  },
  MWEB: {
    path_word: 'h5',
    hands_out: 'h5_url',
    life: 'h5',
    app_kinds: null,
    needs_openid: false,
    needs_scene_info: true,
  },
  APP: { path_word: 'app', hands_out: 'prepay_id', life: 'code', app_kinds: ['mobile_app'], ...needs_nothing },
}

/** The ways to pay that the merchant has enabled. */
export function enabledProducts({ settings }: Pick<MerchantRecord, 'settings'>): readonly TradeType[] {
  return settings.products ?? default_products
}

/** ChosenApp is the appid that an order is placed under. */
export interface ChosenApp {
  appid: string
  /** null: nobody has said what it is of */
  kind: AppKind | null
}

/** The merchant's first app that fits the method, or the `wanted` one if that does; null: there is none. */
export function fittingApp(
  { appids, apps = [] }: { appids: readonly string[]; apps?: readonly Pick<MerchantApp, 'appid' | 'kind'>[] },
  trade_type: TradeType,
  wanted?: string | null,
): ChosenApp | null {
  const { app_kinds } = payment_methods[trade_type]
  const known = appids.map((appid) => ({ appid, kind: apps.find((app) => app.appid === appid)?.kind ?? null }))
  const fits = ({ appid, kind }: ChosenApp) =>
    (!wanted || appid === wanted) && (app_kinds === null || (kind !== null && app_kinds.includes(kind)))
  return known.find(fits) ?? null
}

/** How long what a placement handed out can be paid with, and the age from which it is replaced when it is asked for. */
export function codeTerms(
  policy: Pick<Policy, 'code_life_ms' | 'code_renewal_ms' | 'h5_life_ms' | 'h5_renewal_ms'>,
  trade_type: TradeType,
): { life_ms: number; renewal_ms: number } {
  return payment_methods[trade_type].life === 'h5'
    ? { life_ms: policy.h5_life_ms, renewal_ms: policy.h5_renewal_ms }
    : { life_ms: policy.code_life_ms, renewal_ms: policy.code_renewal_ms }
}

/** What a placement was answered, as the order's record keeps it. */
export function placedCode(
  answer: { code_url: string } | { prepay_id: string } | { h5_url: string },
  placed_time: PlacedCode['placed_time'],
): PlacedCode {
  return 'code_url' in answer ? { url: answer.code_url, placed_time } : { ...answer, placed_time }
}
