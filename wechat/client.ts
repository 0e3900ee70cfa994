import type { Dispatcher } from 'undici'
import { downloadCertificates } from './certificates.ts'
import type { Credentials } from './credentials.ts'
import type { Hosts } from './hosts.ts'
import { createKeyring } from './keyring.ts'
import type { ConfiguredKeys, DownloadOutcome, Keyring } from './keyring.ts'
import { createLimits } from './limits.ts'
import type { WeChatLimits, WeChatLimitSettings } from './limits.ts'
import { createTransport } from './transport.ts'
import type { Transport, WeChatAttempt } from './transport.ts'
import type { CertificateTrust } from './trust.ts'

/** WeChatClient holds what one merchant needs to call WeChat Pay and to verify what it sends. */
export interface WeChatClient {
  credentials: Credentials
  keyring: Keyring
  limits: WeChatLimits
  transport: Transport
}

export interface WeChatClientSettings {
  credentials: Credentials
  hosts: Hosts
  /** shared by all merchants of the process: `createDispatcher()` of wechat/connection */
  dispatcher: Dispatcher
  /** Unix ms */
  now: () => number
  user_agent: string
  timeout_ms?: number
  limits?: Omit<WeChatLimitSettings, 'now'>
  log?: (attempt: WeChatAttempt) => void
  /** called with every download of platform certificates; must not throw */
  on_certificates?: (outcome: DownloadOutcome) => void
  /** who may have issued platform certificates: `createCertificateTrust()` of wechat/trust */
  trust?: CertificateTrust
  /** what the merchant's record says of certificates, beside the keys of `credentials` */
  configured?: Omit<ConfiguredKeys, 'keys'>
}

/**
 * Puts one merchant's client together; nothing is sent yet. It holds no timer: certificates are fetched when a look-up
 * finds them old. Made anew when the private key, its serial or the APIv3 key change; new keys of WeChat Pay alone go
 * in by `keyring.replace`.
 */
export function createClient(settings: WeChatClientSettings): WeChatClient {
  const { credentials, hosts, dispatcher, now, user_agent } = settings
  const keyring: Keyring = createKeyring({
    ...settings.configured,
    keys: credentials.keys,
    download: () => downloadCertificates(transport, credentials.apiv3_key, keyring.hasKeyInForce()),
    now,
    ...(settings.trust ? { trust: settings.trust } : {}),
    ...(settings.on_certificates ? { on_refresh: settings.on_certificates } : {}),
  })
  const limits = createLimits({ now, ...settings.limits })
  const transport = createTransport({
    credentials,
    keyring,
    limits,
    hosts,
    dispatcher,
    now,
    user_agent,
    ...(settings.timeout_ms === undefined ? {} : { timeout_ms: settings.timeout_ms }),
    ...(settings.log ? { log: settings.log } : {}),
  })
  return { credentials, keyring, limits, transport }
}
