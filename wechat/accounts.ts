import type { Dispatcher } from 'undici'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { KeyNews, OpenSetup, StoredCertificate } from '../domain/merchant/record.ts'
import { createClient } from './client.ts'
import type { WeChatClient } from './client.ts'
import { certificateFingerprint, readCertificate, readCredentials } from './credentials.ts'
import type { Credentials, PlatformKey } from './credentials.ts'
import { WeChatPayError } from './errors.ts'
import { wechatHosts } from './hosts.ts'
import type { Hosts } from './hosts.ts'
import type { ConfiguredKeys, DownloadOutcome } from './keyring.ts'
import { readNotification } from './notification.ts'
import type { NotificationVerdict, ReceivedNotification } from './notification.ts'
import type { WeChatShare } from './share.ts'
import type { WeChatAttempt } from './transport.ts'
import type { CertificateTrust } from './trust.ts'

/** WeChatAccount is one merchant as this process knows it at WeChat Pay: credentials, key ring and client. */
export interface WeChatAccount {
  mchid: string
  client: WeChatClient
  /** Reads a notification with the newest APIv3 key, then with retired ones; `now` in Unix ms. */
  read(received: ReceivedNotification, now: number): NotificationVerdict
}

export interface WeChatAccountsSettings {
  /** the merchant's opened set-up, or null when there is none: store/merchants, handed in */
  load: (mchid: string) => Promise<OpenSetup | null>
  /** where merchants of mode `test` speak to; without it they have no WeChat */
  test_wechat_url: string | null
  dispatcher: Dispatcher
  now: () => number
  user_agent: string
  /** this process's part of what WeChat Pay allows all of them; the whole unless told */
  share?: () => WeChatShare
  log?: (attempt: WeChatAttempt) => void
  /** called when a set-up in the database cannot be used or read; must not throw */
  on_mistake?: (mchid: string, mistake: unknown) => void
  /**
   * called with each platform certificate that the set-up does not hold yet: one that was taken in is kept, so that it is
   * there at the next start, and a person is told of every one
   */
  note_key?: (mchid: string, news: KeyNews) => Promise<unknown>
  /** why this process must not speak for live merchants, one line each: then they have no account here */
  live_mistakes?: readonly string[]
  /** who may have issued platform certificates; default: nobody has said, so dates alone decide */
  trusts?: Record<OpenSetup['mode'], CertificateTrust>
  /** a set-up loaded longer ago than this is loaded again; the request that finds it old does not wait for that */
  reload_every_ms?: number
}

export interface WeChatAccounts {
  /** The merchant's account, or null without a usable set-up. Throws what `load` throws when nothing is loaded yet. */
  find(mchid: string): Promise<WeChatAccount | null>
  /** Drops what is loaded of a merchant, so that the next `find` loads it, as after a restart: for tests. */
  forget(mchid: string): void
}

interface LoadedAccount {
  revision: number
  setup: OpenSetup | null
  account: WeChatAccount | null
  loaded_time: number
}

/**
 * The merchants' accounts, loaded when first asked for. What is loaded stays usable while the database is away, and
 * changes are taken over within seconds, without a restart and off the request path (architecture §7).
 */
export function createAccounts(settings: WeChatAccountsSettings): WeChatAccounts {
  const reload_every_ms = settings.reload_every_ms ?? 3_000
  const known = new Map<string, LoadedAccount>()
  const under_way = new Map<string, Promise<LoadedAccount>>()

  function load(mchid: string): Promise<LoadedAccount> {
    const running = under_way.get(mchid)
    if (running) return running
    const loading = loadSetup(mchid).finally(() => under_way.delete(mchid))
    under_way.set(mchid, loading)
    return loading
  }

  async function loadSetup(mchid: string): Promise<LoadedAccount> {
    const setup = await settings.load(mchid)
    const before = known.get(mchid)
    const revision = setup?.revision ?? -1
    const account = before?.revision === revision ? before.account : setup && renewedAccount(before, setup)
    const loaded = { revision, setup, account, loaded_time: settings.now() }
    // Anyone may send a notification for any mchid: only merchants that exist are kept in memory.
    if (setup) known.set(mchid, loaded)
    else known.delete(mchid)
    return loaded
  }

  /**
   * Keeps the account, with its downloaded certificates and host choice, unless what identifies the merchant changed.
   */
  function renewedAccount(before: LoadedAccount | undefined, setup: OpenSetup): WeChatAccount | null {
    if (!before?.account || !before.setup || identityOf(before.setup) !== identityOf(setup)) {
      return openAccount(setup, { ...settings, on_download: noteDownload })
    }
    const credentials = usableCredentials(setup, settings)
    if (credentials === null) return null
    before.account.client.keyring.replace({ ...configuredKeys(setup), keys: credentials.keys })
    return before.account
  }

  function noteDownload(setup: OpenSetup, outcome: DownloadOutcome): void {
    const current = known.get(setup.mchid)?.setup ?? setup
    for (const news of newsOf(current, outcome)) {
      settings.note_key?.(setup.mchid, news).catch((mistake: unknown) => settings.on_mistake?.(setup.mchid, mistake))
    }
  }

  return {
    async find(mchid) {
      const loaded = known.get(mchid)
      if (!loaded?.account) return (await load(mchid)).account
      if (settings.now() - loaded.loaded_time >= reload_every_ms) {
        load(mchid).catch((mistake: unknown) => settings.on_mistake?.(mchid, mistake))
      }
      return loaded.account
    },
    forget: (mchid) => void known.delete(mchid),
  }
}

type OpeningSettings = WeChatAccountsSettings & { on_download: (setup: OpenSetup, outcome: DownloadOutcome) => void }

function openAccount(setup: OpenSetup, settings: OpeningSettings): WeChatAccount | null {
  if (setup.mode === 'live' && settings.live_mistakes?.length) {
    settings.on_mistake?.(setup.mchid, settings.live_mistakes)
    return null
  }
  const hosts = hostsOf(setup, settings.test_wechat_url)
  const credentials = hosts && usableCredentials(setup, settings)
  if (hosts === null || credentials === null) return null
  const { dispatcher, now, user_agent, log, trusts, share } = settings
  const client = createClient({
    credentials,
    hosts,
    dispatcher,
    now,
    user_agent,
    configured: configuredKeys(setup),
    on_certificates: (outcome) => settings.on_download(setup, outcome),
    on_certificate_mistake: (mistake) => settings.on_mistake?.(setup.mchid, mistake),
    limits: { share },
    ...(log ? { log } : {}),
    ...(trusts ? { trust: trusts[setup.mode] } : {}),
  })
  return {
    mchid: setup.mchid,
    client,
    read: (received, moment) => readWithAnyKey(setup, client, received, moment),
  }
}

function usableCredentials(setup: OpenSetup, { on_mistake }: WeChatAccountsSettings): Credentials | null {
  const [apiv3_key] = setup.apiv3_keys
  if (apiv3_key === undefined) return null
  const certificates = setup.certificates.flatMap(({ serial_no, certificate }) => {
    if (isCertificate(certificate)) return [{ certificate }]
    // It verifies nothing, and keeps no other key from doing so.
    on_mistake?.(setup.mchid, `certificate ${serial_no} of WeChat Pay cannot be read; it is left out`)
    return []
  })
  const read = readCredentials({
    mchid: setup.mchid,
    appids: setup.appids,
    serial_no: setup.serial_no,
    private_key: setup.private_key,
    apiv3_key,
    public_key_id: setup.public_key_id,
    public_key: setup.public_key,
    retired_public_keys: setup.retired_public_keys,
    certificates,
  })
  if (read.kind === 'credentials') return read.credentials
  on_mistake?.(setup.mchid, read.mistakes)
  return null
}

function isCertificate(pem: string): boolean {
  try {
    readCertificate(pem)
    return true
  } catch {
    return false
  }
}

/**
 * The part of a set-up by which WeChat Pay knows the merchant, and which opens its messages: a change needs a new
 * account.
 */
function identityOf({ mode, appids, serial_no, private_key, apiv3_keys }: OpenSetup): string {
  return JSON.stringify([mode, appids, serial_no, private_key, apiv3_keys])
}

function configuredKeys({ dropped_certificates, changeover_end_time }: OpenSetup): Omit<ConfiguredKeys, 'keys'> {
  return {
    dropped: dropped_certificates,
    changeover_end: changeover_end_time === null ? null : milliseconds(changeover_end_time),
  }
}

/** What a download brought that the set-up does not hold. What a person has dropped is no news. */
function newsOf(setup: OpenSetup, outcome: DownloadOutcome): KeyNews[] {
  if ('error' in outcome) {
    const { error } = outcome
    if (!(error instanceof WeChatPayError) || error.reason !== 'no_key') return []
    return [{ kind: 'refused', detail: 'refused: a list of certificates that no key in force here has signed' }]
  }
  const held = new Set(setup.certificates.map(({ serial_no }) => serial_no))
  const taken = outcome.certificates.flatMap(storedCertificate).filter(({ serial_no }) => !held.has(serial_no))
  const refused = outcome.refused.filter(({ refusal }) => refusal !== 'dropped' && refusal !== 'expired')
  return [
    ...taken.map((certificate) => ({ kind: 'taken' as const, certificate, detail: nameOf(certificate) })),
    ...refused.flatMap(({ certificate, refusal }) =>
      storedCertificate(certificate).map((one) => {
        return { kind: 'refused' as const, detail: `refused (${refusal}): ${nameOf(one)}` }
      }),
    ),
  ]
}

function nameOf({ serial_no, certificate }: StoredCertificate): string {
  return `certificate ${serial_no}, SHA-256 ${certificateFingerprint(certificate)}`
}

function storedCertificate({ serial, certificate, effective_time, expire_time }: PlatformKey): StoredCertificate[] {
  if (certificate === null || effective_time === null || expire_time === null) return []
  const times = { effective_time: beijingTime(effective_time), expire_time: beijingTime(expire_time) }
  return [{ serial_no: serial, certificate, ...times }]
}

/** Live merchants speak to WeChat Pay and to nobody else, whatever the environment says. */
function hostsOf(setup: OpenSetup, test_wechat_url: string | null): Hosts | null {
  if (setup.mode === 'live') return wechatHosts
  return test_wechat_url === null ? null : { main: test_wechat_url, backup: null }
}

/**
 * Reads with the newest APIv3 key, then with retired ones: the key may change here before it does in WeChat's console,
 * and old evidence needs old keys.
 */
function readWithAnyKey(
  setup: OpenSetup,
  { keyring }: WeChatClient,
  received: ReceivedNotification,
  now: number,
): NotificationVerdict {
  const readings = setup.apiv3_keys.map(
    (apiv3_key) => () => readNotification(received, { mchid: setup.mchid, apiv3_key, keyring, now }),
  )
  let reading = readings[0]?.() ?? { verdict: 'no_key' as const, serial_no: null }
  for (const readAgain of readings.slice(1)) {
    if (reading.verdict !== 'undecipherable' || reading.reason !== 'key') break
    reading = readAgain()
  }
  return reading
}
