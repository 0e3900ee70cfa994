/** What WeChat Pay calls the ways to pay that a merchant may have had enabled; MWEB is H5, a phone's own browser. */
export const trade_types = ['NATIVE', 'JSAPI', 'MWEB', 'APP'] as const
export type TradeType = (typeof trade_types)[number]

/** What an appid may be of: 公众号, 小程序, 开放平台移动应用. */
export const app_kinds = ['official_account', 'mini_program', 'mobile_app'] as const
export type AppKind = (typeof app_kinds)[number]

/** What a merchant that has said nothing may use. MWEB is not for 个体工商户 and 小微商户: WeChat Pay refuses it to them. */
export const default_products: readonly TradeType[] = ['NATIVE']
