import type { Dispatcher } from 'undici'
import { beijingTime } from '../domain/calendar.ts'
import type { OpenSetup } from '../domain/merchant/record.ts'
import { createClient } from './client.ts'
import type { WeChatClient } from './client.ts'
import { readCredentials } from './credentials.ts'
import type { Credentials, PlatformKey } from './credentials.ts'
import { wechatHosts } from './hosts.ts'
import type { Hosts } from './hosts.ts'
import { readNotification } from './notification.ts'
import type { NotificationVerdict, ReceivedNotification } from './notification.ts'
import type { WeChatAttempt } from './transport.ts'

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
  log?: (attempt: WeChatAttempt) => void
  /** called when a set-up in the database cannot be used or read; must not throw */
  on_mistake?: (mchid: string, mistake: unknown) => void
  /** called with platform certificates that the set-up does not hold yet, so that they are there at the next start */
  keep_certificates?: (mchid: string, certificates: OpenSetup['certificates']) => Promise<unknown>
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
      return openAccount(setup, { ...settings, keep: keepCertificates })
    }
    const credentials = usableCredentials(setup, settings)
    if (credentials === null) return null
    before.account.client.keyring.replace(credentials.keys)
    return before.account
  }

  function keepCertificates(setup: OpenSetup, downloaded: readonly PlatformKey[]): void {
    const current = known.get(setup.mchid)?.setup?.certificates ?? setup.certificates
    const news = downloaded
      .flatMap(certificateOf)
      .filter((one) => current.every((old) => old.serial_no !== one.serial_no))
    if (news.length === 0) return
    settings
      .keep_certificates?.(setup.mchid, [...current, ...news])
      .catch((mistake: unknown) => settings.on_mistake?.(setup.mchid, mistake))
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

type OpeningSettings = WeChatAccountsSettings & { keep: (setup: OpenSetup, downloaded: readonly PlatformKey[]) => void }

function openAccount(setup: OpenSetup, settings: OpeningSettings): WeChatAccount | null {
  const hosts = hostsOf(setup, settings.test_wechat_url)
  const credentials = hosts && usableCredentials(setup, settings)
  if (hosts === null || credentials === null) return null
  const { dispatcher, now, user_agent, log } = settings
  const client = createClient({
    credentials,
    hosts,
    dispatcher,
    now,
    user_agent,
    on_certificates: (outcome) => {
      if ('certificates' in outcome) settings.keep(setup, outcome.certificates)
    },
    ...(log ? { log } : {}),
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
  const read = readCredentials({
    mchid: setup.mchid,
    appids: setup.appids,
    serial_no: setup.serial_no,
    private_key: setup.private_key,
    apiv3_key,
    public_key_id: setup.public_key_id,
    public_key: setup.public_key,
    certificates: setup.certificates.map(({ certificate }) => ({ certificate })),
  })
  if (read.kind === 'credentials') return read.credentials
  on_mistake?.(setup.mchid, read.mistakes)
  return null
}

/**
 * The part of a set-up by which WeChat Pay knows the merchant, and which opens its messages: a change needs a new
 * account.
 */
function identityOf({ mode, appids, serial_no, private_key, apiv3_keys }: OpenSetup): string {
  return JSON.stringify([mode, appids, serial_no, private_key, apiv3_keys])
}

function certificateOf({ serial, certificate, effective_time, expire_time }: PlatformKey): OpenSetup['certificates'] {
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
