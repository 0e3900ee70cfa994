/** Records of the simulator's state. Times are Unix milliseconds, amounts integer fen. */
import type { GeneratedDayOptions } from './bills/generator.ts'
import type { BillPlant } from './bills/plants.ts'
import type { StateEntry } from './storage.ts'

/** Merchant is a registered merchant with its keys, its balance and its choices. */
export interface Merchant {
  mchid: string
  name: string
  appids: string[]
  /** the merchant's API certificate: 40 hex digits and the PEM of its public key; null before it applied for one */
  serial_no: string | null
  public_key: string | null
  certificate_state: 'valid' | 'expired' | 'revoked'
  /** serials of certificates this one took the place of */
  replaced_serials: string[]
  /** null before it was set in the console: nothing can be encrypted, so no notification is sent */
  apiv3_key: string | null
  key_mode: 'public_key' | 'certificate' | 'both'
  /** in mode `both`, the share of notifications signed with the public key rather than a certificate */
  public_key_share: number
  /** WeChat Pay's key for this merchant, the newest last; more than one only after a rotation */
  wechat_keys: WeChatKeyPair[]
  /** after a rotation, the share of messages signed with the newest key */
  newest_share: number
  /** money to refund from: payments settle into it, refunds take from it; null never runs short */
  balance: number | null
  /** whether refunds end by themselves, in their time, or only by hand */
  refund_completion: 'automatic' | 'held'
  /** where the console says that refunds are notified to, when a refund names no address of its own */
  refund_notify_url: string | null
  /** of what payments settle, as bills write it: `0.60%` */
  fee_rate: string
  /** the account that fees of payments are taken from, and given back to */
  fee_account: 'BASIC' | 'FEES'
  /** what it may take payments with; without a product its calls are answered NO_AUTH */
  products: SimulatedTradeType[]
  /** what is known of its appids; one that is only in `appids` has no kind, and no users with openids */
  apps: SimulatedApp[]
  /** JSAPI支付授权目录: a page may call up the pay sheet below one of these addresses */
  pay_directories: string[]
  /** H5支付域名: an h5_url may be opened from, and lead back to, one of these domains, without scheme and port */
  h5_domains: string[]
}

/** WeChat's words for the products; of H5 it is MWEB. */
export type SimulatedTradeType = 'NATIVE' | 'JSAPI' | 'APP' | 'MWEB'

/** SimulatedApp is an official account, a mini program or a mobile app, bound to the merchant by its appid. */
export interface SimulatedApp {
  appid: string
  kind: 'official_account' | 'mini_program' | 'mobile_app'
  /** AppSecret; null: never made */
  secret: string | null
  /** 网页授权域名, without scheme; null: not set, so nobody can be asked for an openid */
  oauth_domain: string | null
}

/** IssuedBill fixes what the bills of a day say: they are made from the records anew each time, always the same. */
export interface IssuedBill {
  mchid: string
  /** `2026-11-28`, Beijing */
  bill_date: string
  /** from 1; each issue of the day is one more */
  version: number
  /** what happened later is not in it, nor does it change the states in it */
  as_of: number
  /** what it says other than the truth */
  plants: BillPlant[]
  /** the day is a generated one in place of the records' */
  generated?: Partial<GeneratedDayOptions> | undefined
  /** fen by which a generated day moves the basic account */
  moved?: number
  /** the generated days before it, as they had been issued by then; absent: none */
  after?: GeneratedBefore
}

/** What generated days move the basic account by; what was paid on those days moves it not. */
export interface GeneratedBefore {
  days: string[]
  /** fen */
  moved: number
}

export interface WeChatKeyPair {
  /** `PUB_KEY_ID_` and digits */
  id: string
  public_key: string
  private_key: string
}

export interface PlatformCertificate {
  serial_no: string
  certificate: string
  private_key: string
  effective_time: number
  expire_time: number
  /** of the messages signed by certificate, the share that is signed with this one once it is the newest */
  share: number
  /** no longer listed nor used */
  retired: boolean
  /** the CA that issues all others: never listed */
  is_authority?: boolean
}

export type SimulatedTradeState = 'NOTPAY' | 'SUCCESS' | 'REFUND' | 'CLOSED'

/** ArmedPayment is a payment that waits for a close call to race with. */
export interface ArmedPayment {
  story: 'pay_while_closing' | 'pay_after_close_sent'
  transaction_id: string
  openid: string
  nocash_amount: number
  cash_amount: number
  bank_type: string
}

export interface Order {
  mchid: string
  out_trade_no: string
  appid: string
  description: string
  attach: string | null
  notify_url: string
  total: number
  currency: string
  device_id: string | null
  /** the product it was placed with: it can be paid with no other */
  trade_type: SimulatedTradeType
  /** of JSAPI, whose openid it was placed for; only this payer can pay it */
  payer_openid: string | null
  /** of H5, the address that the merchant gave as the payer's */
  payer_client_ip: string | null
  /** the parameters of the first call in one spelling: a call with the same number must equal them */
  parameters: string
  create_time: number
  /** the last moment it can be paid: what was asked for, within what WeChat Pay allows */
  time_expire: number
  /** what placing handed out, the newest last */
  codes: IssuedCode[]
  trade_state: SimulatedTradeState
  transaction_id: string | null
  close_time: number | null
  armed: ArmedPayment | null
}

/** IssuedCode is what one placing handed out: a code_url, a prepay_id or an h5_url. */
export interface IssuedCode {
  code: string
  /** when; its life begins */
  time: number
  /** of an h5_url, whose phone has opened it: no other may */
  opened_by?: string
}

export interface Payment {
  transaction_id: string
  mchid: string
  out_trade_no: string
  openid: string
  total: number
  currency: string
  /** part of the total that a coupon of the merchant's own covered */
  nocash_amount: number
  /** part of the total that a coupon with money behind it covered */
  cash_amount: number
  /** `OTHERS`: from the payer's balance; anything else is a bank card */
  bank_type: string
  success_time: number
  /** the merchant's when it was paid */
  fee_rate: string
  fee_account: 'BASIC' | 'FEES'
}

/** SignedWith is how one delivery is signed: rightly, as a probe, or by a key that is not WeChat Pay's. */
export type SignedWith = 'real' | 'probe' | 'other'

export interface NotificationAttempt {
  time: number
  serial_no: string
  signed_with: SignedWith
  /** HTTP status, or null with `error` saying why none came */
  status: number | null
  error: string | null
  /** the answer's first 1,024 characters */
  answer: string | null
  duration_ms: number
}

export interface OutgoingNotification {
  id: string
  mchid: string
  event_type: string
  out_trade_no: string | null
  transaction_id: string | null
  /** the refund that the notification is about; null when it is about a payment */
  out_refund_no: string | null
  url: string
  /** the bytes of every delivery */
  body: string
  create_time: number
  /**
   * `lost`: not sent by itself, as a fault or story asked; `undeliverable`: WeChat Pay sends nothing to such an
   * address; `given_up`: no acceptable answer to the last delivery of the table. A resend by hand delivers all of them.
   */
  state: 'waiting' | 'delivered' | 'given_up' | 'lost' | 'undeliverable'
  next_time: number | null
  /** deliveries of the table already made; sending by hand does not count */
  tries: number
  max_tries: number
  attempts: NotificationAttempt[]
  /** how its deliveries depart from what WeChat Pay does */
  difference: {
    /** how often it is sent at once, the latest signed first */
    copies?: number | undefined
    sign_with?: SignedWith | undefined
    serial_no?: string | undefined
    timestamp_offset_s?: number | undefined
    /** headers to replace, or to leave out with null */
    headers?: Record<string, string | null> | undefined
  }
}

/** Fields that records of an older version's state lack, by kind. */
const added_fields: Record<string, object> = {
  merchant: {
    balance: null,
    refund_completion: 'automatic',
    refund_notify_url: null,
    fee_rate: '0.60%',
    fee_account: 'BASIC',
    products: ['NATIVE'],
    apps: [],
    pay_directories: [],
    h5_domains: [],
  },
  order: { trade_type: 'NATIVE', payer_openid: null, payer_client_ip: null },
  payment: { cash_amount: 0, fee_rate: '0.60%', fee_account: 'BASIC' },
  refund: { history: [] },
  notification: { out_refund_no: null },
}

/** Returns an entry of an older version's state with the missing fields of its record filled in. */
export function upgradeEntry(entry: StateEntry): StateEntry {
  const record = { ...added_fields[entry.kind], ...(entry.record as object) }
  return { ...entry, record: entry.kind === 'order' && !('codes' in record) ? withCodes(record) : record }
}

/** An order of the versions that knew Native only: its code stood in three fields. */
function withCodes(record: object): object {
  const { code_url = '', code_time = 0, dead_codes = [], ...kept } = record as OlderCodeFields
  const dead = dead_codes.map((code): IssuedCode => ({ code, time: 0 }))
  return { ...kept, codes: [...dead, { code: code_url, time: code_time }] satisfies IssuedCode[] }
}

interface OlderCodeFields {
  code_url?: string
  code_time?: number
  dead_codes?: string[]
}
