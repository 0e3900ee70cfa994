import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { fee_rate_pattern } from './bills/form.ts'
import { trade_types } from './product.ts'
import type { Merchant, WeChatKeyPair } from './records.ts'

/** A domain as people enter it in WeChat's consoles: no scheme, no port, no path. */
const domain = z.string().regex(/^[0-9A-Za-z.-]{1,253}$/, 'a domain without scheme, port and path')

const merchantApp = z.strictObject({
  appid: z.string().min(1).max(32),
  kind: z.enum(['official_account', 'mini_program', 'mobile_app']),
  /** AppSecret */
  secret: z.string().min(1).max(64).nullable().default(null),
  /** 网页授权域名, as `shop.example` */
  oauth_domain: domain.nullable().default(null),
})

/** `POST /control/merchants`. The same number again updates what is given and keeps the rest. */
export const merchantRequest = z.strictObject({
  mchid: z.string().regex(/^\d{8,32}$/),
  name: z.string().min(1).max(64).optional(),
  appids: z.array(z.string().min(1).max(32)).min(1).max(100).optional(),
  /** 40 upper-case hex digits of the merchant's API certificate; null: it never applied for one */
  serial_no: z.string().min(1).max(64).nullable().optional(),
  /** PEM of the merchant's public key, or of its certificate */
  public_key: z.string().refine(isPublicKey, 'not a PEM public key or certificate').nullable().optional(),
  certificate_state: z.enum(['valid', 'expired', 'revoked']).optional(),
  /** 32 characters; null: never set in the console */
  apiv3_key: z.string().length(32).nullable().optional(),
  key_mode: z.enum(['public_key', 'certificate', 'both']).optional(),
  /** in mode `both`, the share of notifications signed with the public key */
  public_key_share: z.number().min(0).max(1).optional(),
  /** fen to refund from: payments settle into it, refunds take from it; null never runs short */
  balance: z.int().nonnegative().nullable().optional(),
  /** `held`: refunds end only by hand */
  refund_completion: z.enum(['automatic', 'held']).optional(),
  /** where refunds made in the console are notified to; null: nowhere */
  refund_notify_url: z.string().nullable().optional(),
  /** WeChat Pay's fee, `0.60%`, of payments from now on, and the account that it is taken from */
  fee_rate: z.string().regex(fee_rate_pattern).optional(),
  fee_account: z.enum(['BASIC', 'FEES']).optional(),
  /** what it may take payments with; of a new merchant Native alone */
  products: z.array(z.enum(trade_types)).optional(),
  /** what its appids are; one that is not in `appids` yet is bound by this */
  apps: z.array(merchantApp).max(100).optional(),
  /** JSAPI支付授权目录, as `https://shop.example/pay/` */
  pay_directories: z.array(z.url().endsWith('/')).max(5).optional(),
  /** H5支付域名, as `shop.example` */
  h5_domains: z.array(domain).max(5).optional(),
})

export type MerchantRequest = z.input<typeof merchantRequest>

/** MerchantResponse is what a merchant's console would show of WeChat Pay's keys. */
export interface MerchantResponse {
  mchid: string
  name: string
  key_mode: Merchant['key_mode']
  balance: number | null
  wechatpay_public_key_id: string
  wechatpay_public_key: string
  /** listed platform certificates, the newest last; empty in mode `public_key` */
  certificates: { serial_no: string; certificate: string }[]
}

/** The merchant after a registration: what is given, else what it was, else what a new one is. */
export function registeredMerchant(
  given: z.infer<typeof merchantRequest>,
  before: Merchant | undefined,
  made: { wechat_keys: WeChatKeyPair[]; fee_rate: string },
): Merchant {
  const serial_no = given.serial_no === undefined ? (before?.serial_no ?? null) : given.serial_no
  const replaced = before?.serial_no && before.serial_no !== serial_no ? [before.serial_no] : []
  const apps = given.apps ?? before?.apps ?? []
  const appids = [...(given.appids ?? before?.appids ?? []), ...apps.map(({ appid }) => appid)]
  return {
    mchid: given.mchid,
    name: given.name ?? before?.name ?? `商户 ${given.mchid}`,
    appids: [...new Set(appids)],
    serial_no,
    public_key: given.public_key === undefined ? (before?.public_key ?? null) : given.public_key,
    certificate_state: given.certificate_state ?? before?.certificate_state ?? 'valid',
    replaced_serials: [...(before?.replaced_serials ?? []), ...replaced].filter((old) => old !== serial_no),
    apiv3_key: given.apiv3_key === undefined ? (before?.apiv3_key ?? null) : given.apiv3_key,
    key_mode: given.key_mode ?? before?.key_mode ?? 'public_key',
    public_key_share: given.public_key_share ?? before?.public_key_share ?? 0.5,
    wechat_keys: made.wechat_keys,
    newest_share: before?.newest_share ?? 1,
    balance: given.balance === undefined ? (before?.balance ?? null) : given.balance,
    refund_completion: before?.refund_completion ?? 'automatic',
    refund_notify_url:
      given.refund_notify_url === undefined ? (before?.refund_notify_url ?? null) : given.refund_notify_url,
    fee_rate: given.fee_rate ?? before?.fee_rate ?? made.fee_rate,
    fee_account: given.fee_account ?? before?.fee_account ?? 'BASIC',
    products: given.products ?? before?.products ?? ['NATIVE'],
    apps,
    pay_directories: given.pay_directories ?? before?.pay_directories ?? [],
    h5_domains: given.h5_domains ?? before?.h5_domains ?? [],
  }
}

function isPublicKey(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyType === 'rsa'
  } catch {
    return false
  }
}
