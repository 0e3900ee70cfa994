import type { Attention } from '../attention.ts'
import { milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import type { BillSettings } from './bill.ts'
import type { AppKind, TradeType } from './product.ts'

export type FulfilmentMode = 'event' | 'confirm' | 'none'

/** RefundOrHold is a merchant's choice for money that came late or is not fulfilled: back to the payer, or to a person. */
export const refund_or_hold = ['refund', 'hold'] as const
export type RefundOrHold = (typeof refund_or_hold)[number]

/** What a merchant decided once for all of its orders. */
export interface MerchantSettings {
  /** seconds a payer has, when the order does not say */
  order_expire_in: number
  /** what is done with money that arrives after the order has ended */
  late_payment: RefundOrHold
  fulfilment: {
    mode: FulfilmentMode
    /** seconds from `paid` until a missing answer is overdue */
    deadline_in: number
    on_refused: RefundOrHold
    on_overdue: RefundOrHold
  }
  /** which refunds wait for a second person; null: none does */
  refund_approval: RefundLimits | null
  /** absent: nothing was said (billSettings) */
  bills?: BillSettings
  /** how payers reach the merchant; absent or null: it has not said */
  support?: SupportContact | null
  /** the ways to pay that WeChat Pay has enabled for it; absent: NATIVE alone */
  products?: TradeType[]
}

/** SupportContact is what payers are shown where a person has to help them. At least one of the two is there. */
export interface SupportContact {
  phone: string | null
  /** https */
  link: string | null
}

/** RefundLimits says how many fen may go back by one person's word; absent or null: any number. */
export interface RefundLimits {
  /** of one payment */
  above: number | null
  /** of all payments, by the Beijing day on which the refunds were asked for */
  above_per_day?: number | null
}

export const default_settings: MerchantSettings = {
  order_expire_in: 1_800,
  late_payment: 'refund',
  fulfilment: { mode: 'none', deadline_in: 172_800, on_refused: 'refund', on_overdue: 'hold' },
  refund_approval: null,
  support: null,
}

/** Something sealed with the installation's master key (store/sealer): base64 and the id of the key that opens it. */
export interface Sealed {
  sealed: string
  key_id: string
}

/** StoredCertificate is a platform certificate of WeChat Pay's as a merchant's record keeps it: PEM, with its serial. */
export interface StoredCertificate {
  serial_no: string
  certificate: string
  effective_time: Time
  expire_time: Time
}

/** RetiredPublicKey is a public key of WeChat Pay's that another has taken the place of; it verifies until `end_time`. */
export interface RetiredPublicKey {
  public_key_id: string
  /** PEM */
  public_key: string
  end_time: Time
}

/** KeyNews is a certificate that WeChat Pay shows and that is new here. `detail` names it by serial and fingerprint. */
export type KeyNews =
  { kind: 'taken'; certificate: StoredCertificate; detail: string } | { kind: 'refused'; detail: string }

/** The WeChat Pay set-up of a merchant. Keys are sealed; what is not secret is shown as it is. */
export interface WeChatSetup {
  serial_no: string
  private_key: Sealed
  apiv3_key: Sealed
  public_key_id: string | null
  /** PEM; public */
  public_key: string | null
  /** platform certificates, PEM with serial; public, refreshed in the background */
  certificates: StoredCertificate[]
  /** public keys that still verify for a while; absent: none */
  retired_public_keys?: RetiredPublicKey[]
  /** serials of platform certificates that a person has dropped: they are never taken in again; absent: none */
  dropped_certificates?: string[]
  /** until when certificates are taken in beside a public key; absent or null: no change-over was declared */
  changeover_end_time?: Time | null
  /** APIv3 keys that evidence may still name: newest first, each sealed */
  retired_apiv3_keys: Sealed[]
}

/** MerchantApp is what is known of one of a merchant's appids. */
export interface MerchantApp {
  appid: string
  kind: AppKind
  /** its AppSecret, by which a payer's openid is asked for; null: Weft asks for none of this app */
  secret: Sealed | null
  /** the last four characters of the secret, by which people tell secrets apart */
  hint: string | null
}

export interface MerchantRecord {
  /** = mchid */
  _id: string
  mchid: string
  name: string
  /** `test` merchants speak to the simulator or another test WeChat; `live` ones only to WeChat's two hosts */
  mode: 'live' | 'test'
  state: 'enabled' | 'paused'
  revision: number
  appids: string[]
  /** what is known of them, where somebody has said; absent: nobody has of any */
  apps?: MerchantApp[]
  notify_url: string
  wechat: WeChatSetup | null
  settings: MerchantSettings
  /** the one endpoint whose answer is the fulfilment, in mode `event` */
  fulfilment_endpoint_id: string | null
  create_time: Time
  /**
   * all that a person should look at: nothing that anybody sends takes another one's place. Of each way to pay and each key
   * that a detail names there is one, of any other code one altogether
   */
  attentions?: Attention[]
}

/** Why Weft disables an endpoint by itself. */
export type DisableReason = 'answered 410 Gone' | 'failed for 5 days'

export interface EndpointRecord {
  /** <mchid>/<url> */
  _id: string
  /** ep_… */
  id: string
  mchid: string
  url: string
  role: 'fulfilment' | 'observer'
  /** `["*"]` or event types */
  event_types: string[]
  description: string | null
  state: 'enabled' | 'disabled'
  /** a DisableReason; others were written by hand or by other versions */
  disable_reason: string | null
  /** when it was disabled last; null: it is not. Absent in records of earlier versions */
  disabled_time?: Time | null
  /** sealed `whsec_…`; several during rotation, each with the moment it stops signing */
  secrets: { secret: Sealed; hint: string; expire_time: Time | null }[]
  create_time: Time
  last_success_time: Time | null
  failing_since_time: Time | null
}

export interface KeyRecord {
  /** SHA-256 of the token, hex: the token itself is never stored */
  _id: string
  /** key_… */
  id: string
  mchid: string
  mode: 'live' | 'test'
  name: string
  scopes: string[]
  hint: string
  create_time: Time
  expire_time: Time | null
  revoke_time: Time | null
  last_use_time: Time | null
}

/** Whether a key lets anybody in at `now` (Unix ms). */
export function isUsableKey({ revoke_time, expire_time }: KeyRecord, now: number): boolean {
  return revoke_time === null && (expire_time === null || milliseconds(expire_time) > now)
}

/** A merchant's WeChat Pay set-up, opened: lives in memory only, never logged, never in a Temporal payload. */
export interface OpenSetup {
  mchid: string
  mode: 'live' | 'test'
  appids: string[]
  serial_no: string
  /** PEM */
  private_key: string
  /** newest first; those after the first are retired and only re-read old evidence */
  apiv3_keys: string[]
  public_key_id: string | null
  /** PEM */
  public_key: string | null
  certificates: StoredCertificate[]
  retired_public_keys: RetiredPublicKey[]
  dropped_certificates: string[]
  changeover_end_time: Time | null
  /** changes whenever the set-up does */
  revision: number
}
