import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import { billSettings } from '../domain/merchant/bill.ts'
import { default_settings, isUsableKey } from '../domain/merchant/record.ts'
import type {
  KeyRecord,
  MerchantApp,
  MerchantRecord,
  MerchantSettings,
  RetiredPublicKey,
  WeChatSetup,
} from '../domain/merchant/record.ts'
import { enabledProducts, fittingApp, payment_methods, trade_types } from '../domain/order/method.ts'
import { endpointUrl } from '../runtime/address.ts'
import { authorityWarning } from '../runtime/authorities.ts'
import { no_connection, readConfig } from '../runtime/config.ts'
import { assertFitForLive } from '../runtime/fitness.ts'
import type { FitnessConfig } from '../runtime/fitness.ts'
import { asksForHelp } from '../runtime/help.ts'
import { newToken, randomId, tokenHash } from '../runtime/secrets.ts'
import type { PlainApp } from '../store/merchants.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { auditEnvironment } from './audit.ts'
import type { AuditEnvironment } from './audit.ts'
import { runCheck } from './check/check.ts'
import { CommandError, isCommand, runCommand, usageText } from './command.ts'
import {
  addEndpoint,
  assertEndpointsUsable,
  assertNotMoved,
  endpointIdAt,
  isSameChoice,
  remarksOnEndpoints,
} from './endpoint.ts'
import type { AppliedEndpoint } from './endpoint.ts'
import { MerchantFileError, readMerchantFile } from './file.ts'
import type { MerchantFile, ReadMerchantFile } from './file.ts'
import { resealAll } from './reseal.ts'

export { MerchantFileError } from './file.ts'
export type { MerchantFile } from './file.ts'

/** What applying a file did. `token` and `secret` are null for what was there already: they are shown once. */
export interface AppliedMerchantFile {
  mchid: string
  is_new: boolean
  notify_url: string
  keys: { name: string; id: string; token: string | null }[]
  endpoints: AppliedEndpoint[]
  apps: Omit<MerchantApp, 'secret'>[]
  /** what an operator should know of what was switched on */
  remarks: string[]
  /** keys that work and that the file does not name */
  unnamed_keys: { name: string; id: string; hint: string }[]
}

/** WeChat Pay signs with both keys for about a week. */
const public_key_overlap_ms = 14 * 86_400_000

export type MerchantConfig = FitnessConfig

/**
 * Adds the merchant of `file`, or brings it to what the file says; what the file leaves out stays. Keys are known by
 * their name and endpoints by their URL, so applying the same file again changes nothing. Throws MerchantFileError with
 * one line per mistake, ConfigError for a live merchant under settings of development, StoreUnavailable.
 */
export async function applyMerchantFile(
  store: Store,
  config: MerchantConfig,
  file: MerchantFile | null,
  { folder = process.cwd(), now = Date.now }: { folder?: string; now?: () => number } = {},
): Promise<AppliedMerchantFile> {
  const others = await store.merchants.list()
  const known = others.find(({ mchid }) => mchid === file?.mchid)
  const wanted = readMerchantFile(completed(file, known), folder)
  const openSealed = () => store.merchants.assertOpen(others)
  assertFitForLive({ config, role: 'merchant', merchants: [...others, wanted], openSealed })
  const before = await store.merchants.find(wanted.mchid)
  await assertApplicable(store, before, wanted)
  await assertEndpointsUsable(store, config, wanted)
  const merchant = await saveMerchant(store, config, wanted, before, beijingTime(now()))
  // Of a way to pay that is switched off no order will ever show that WeChat Pay takes it again.
  for (const trade_type of trade_types.filter((one) => !enabledProducts(merchant).includes(one)))
    await store.merchants.liftProductRefused(merchant.mchid, trade_type)
  const remarks = [...remarksOn(before, merchant), ...remarksOnFulfilment(merchant, wanted)]
  remarks.push(...(await remarksOnEndpoints(store, merchant.mchid, wanted)))
  const endpoints = []
  for (const endpoint of wanted.endpoints) {
    endpoints.push(await addEndpoint(store, merchant.mchid, endpoint, beijingTime(now())))
  }
  const keys: AppliedMerchantFile['keys'] = []
  for (const key of wanted.keys) keys.push(await addKey(store, merchant, key, beijingTime(now())))
  const named = new Set(keys.map(({ id }) => id))
  const working = (await store.keys.list(merchant.mchid)).filter((key) => isUsableKey(key, now()))
  const keptAs = (id: string | undefined) => working.find((key) => key.id === id)
  remarks.push(...wanted.keys.flatMap((key, place) => remarksOnKey(key, keptAs(keys[place]?.id))))
  const unnamed_keys = working.filter(({ id }) => !named.has(id)).map(({ name, id, hint }) => ({ name, id, hint }))
  return {
    mchid: merchant.mchid,
    is_new: before === null,
    notify_url: merchant.notify_url,
    keys,
    endpoints,
    apps: (merchant.apps ?? []).map(({ appid, kind, hint }) => ({ appid, kind, hint })),
    remarks,
    unnamed_keys,
  }
}

/** H5 is switched on by a person, and off where nobody has said so: WeChat Pay does not give it to every merchant. */
function remarksOn(before: MerchantRecord | null, { settings }: MerchantRecord): string[] {
  const is_new = settings.products?.includes('MWEB') && !before?.settings.products?.includes('MWEB')
  return is_new
    ? [
        'MWEB: WeChat Pay gives H5 to companies only, not to 个体工商户 and 小微商户, and after its domain was approved; without that its orders fail with NO_AUTH',
      ]
    : []
}

/** Mode `none` is what a file has that says nothing of it, and whoever names an endpoint as fulfilment's means another. */
function remarksOnFulfilment({ mchid, settings }: MerchantRecord, { endpoints }: ReadMerchantFile): string[] {
  const own = endpoints.find(({ role }) => role === 'fulfilment')
  if (own === undefined || settings.fulfilment.mode !== 'none') return []
  return [
    `fulfilment mode none: what is paid counts as shipped, and what ${own.url} answers decides nothing; with {"settings": {"fulfilment": {"mode": "event"}}} in the file of ${mchid} it does`,
  ]
}

/** Scopes are given with a key and never changed: a key that may do less, or more, is another one. */
function remarksOnKey({ name, scopes }: ReadMerchantFile['keys'][number], key: KeyRecord | undefined): string[] {
  if (key === undefined || isSameChoice(scopes, key.scopes)) return []
  const remedy = `npm run merchant -- new-key ${key.mchid} ${name} ${scopes.join()}, then revoke-key ${key.mchid} ${key.id}`
  return [
    `key ${name} (${key.id}) still has the scopes ${key.scopes.join()}, which are not those of the file: ${remedy}`,
  ]
}

/** The file with what it leaves out of what every merchant has. */
function completed(file: MerchantFile | null, known: MerchantRecord | undefined): MerchantFile | null {
  if (known === undefined || file === null) return file
  const { name, mode, appids } = known
  return { name, mode, appids, ...file }
}

async function assertApplicable(store: Store, before: MerchantRecord | null, wanted: ReadMerchantFile): Promise<void> {
  if (before && before.mode !== wanted.mode) {
    throw new MerchantFileError(`mode: merchant ${wanted.mchid} is ${before.mode}, and a mode never changes`)
  }
  const settings = settingsOf(before, wanted)
  const own = wanted.endpoints.find(({ role }) => role === 'fulfilment')
  const current_id = before?.fulfilment_endpoint_id ?? null
  if (settings.fulfilment.mode === 'event' && !own && current_id === null) {
    throw new MerchantFileError('settings.fulfilment.mode: “event” needs an endpoint with the role fulfilment; add it')
  }
  const apps = appsOf(before, wanted)
  for (const trade_type of settings.products ?? []) {
    if (fittingApp({ appids: wanted.appids, apps }, trade_type) !== null) continue
    const kinds = (payment_methods[trade_type].app_kinds ?? []).join(' or ')
    throw new MerchantFileError(`settings.products: ${trade_type} needs one of apps to be of kind ${kinds}; add it`)
  }
  for (const key of wanted.keys) await assertTokenUsable(store, wanted.mchid, key)
  for (const { url } of wanted.endpoints) await assertNotMoved(store, wanted.mchid, endpointUrl(url))
  if (own && current_id !== null && current_id !== (await endpointIdAt(store, wanted.mchid, own.url))) {
    const remedy = `npm run merchant -- move-endpoint ${wanted.mchid} ${current_id} ${endpointUrl(own.url)}`
    throw new MerchantFileError(`endpoints: ${current_id} is the fulfilment endpoint already; move it: ${remedy}`)
  }
}

/** A token is known for ever: one that has ended here, or is another merchant's, is no key of this one's. */
async function assertTokenUsable(
  store: Store,
  mchid: string,
  { name, token }: ReadMerchantFile['keys'][number],
): Promise<void> {
  const known = token === undefined ? null : await store.keys.findByHash(tokenHash(token))
  if (known === null) return
  const what = known.mchid !== mchid ? 'is another merchant’s' : 'has been revoked, or has ended'
  if (known.mchid === mchid && isUsableKey(known, Date.now())) return
  throw new MerchantFileError(`keys: the token of ${name} ${what}; leave it out and another is made`)
}

function settingsOf(before: MerchantRecord | null, { settings = {} }: ReadMerchantFile): MerchantSettings {
  const base = before?.settings ?? default_settings
  return {
    order_expire_in: settings.order_expire_in ?? base.order_expire_in,
    late_payment: settings.late_payment ?? base.late_payment,
    fulfilment: {
      mode: settings.fulfilment?.mode ?? base.fulfilment.mode,
      deadline_in: settings.fulfilment?.deadline_in ?? base.fulfilment.deadline_in,
      on_refused: settings.fulfilment?.on_refused ?? base.fulfilment.on_refused,
      on_overdue: settings.fulfilment?.on_overdue ?? base.fulfilment.on_overdue,
    },
    refund_approval: settings.refund_approval === undefined ? (base.refund_approval ?? null) : settings.refund_approval,
    bills: { ...billSettings(base), ...settings.bills },
    support: settings.support === undefined ? (base.support ?? null) : settings.support,
    ...((settings.products ?? base.products) && { products: settings.products ?? base.products ?? [] }),
  }
}

/** The apps that the file names, else those known of the appids that are left. */
function appsOf(before: MerchantRecord | null, { appids, apps }: ReadMerchantFile): PlainApp[] {
  const left = (before?.apps ?? []).filter(({ appid }) => appids.includes(appid))
  return apps ?? left.map(({ appid, kind }) => ({ appid, kind }))
}

async function saveMerchant(
  store: Store,
  config: MerchantConfig,
  wanted: ReadMerchantFile,
  before: MerchantRecord | null,
  time: string,
): Promise<MerchantRecord> {
  const { mchid, wechat } = wanted
  const own = wanted.endpoints.find(({ role }) => role === 'fulfilment')
  const setup = wechat && {
    ...wechat,
    public_key_id: wechat.public_key_id ?? null,
    public_key: wechat.public_key ?? null,
    retired_public_keys: retiredPublicKeys(before?.wechat ?? null, wechat.public_key_id ?? null, time),
  }
  const saved = await store.merchants.save({
    _id: mchid,
    mchid,
    name: wanted.name,
    mode: wanted.mode,
    state: wanted.state ?? before?.state ?? 'enabled',
    revision: before?.revision ?? 0,
    appids: wanted.appids,
    apps: store.merchants.sealApps(mchid, appsOf(before, wanted), before?.apps),
    notify_url: wanted.notify_url ?? before?.notify_url ?? `${config.public_url}/wechat/notify/${mchid}`,
    wechat: setup ? store.merchants.sealSetup(mchid, setup, before?.wechat ?? null) : (before?.wechat ?? null),
    settings: settingsOf(before, wanted),
    fulfilment_endpoint_id: own ? await endpointIdAt(store, mchid, own.url) : (before?.fulfilment_endpoint_id ?? null),
    create_time: before?.create_time ?? time,
  })
  if (saved.saved) return saved.merchant
  throw new MerchantFileError(`merchant ${mchid} was changed by somebody else at the same time; run this again`)
}

/** The public key that the file no longer names verifies for a while: WeChat Pay does not change over in a moment. */
function retiredPublicKeys(before: WeChatSetup | null, named_id: string | null, time: string): RetiredPublicKey[] {
  const others = (before?.retired_public_keys ?? []).filter((key) => key.public_key_id !== named_id)
  if (!before?.public_key || !before.public_key_id || before.public_key_id === named_id) return others
  const { public_key_id, public_key } = before
  return [...others, { public_key_id, public_key, end_time: beijingTime(milliseconds(time) + public_key_overlap_ms) }]
}

async function addKey(
  store: Store,
  { mchid, mode }: MerchantRecord,
  wanted: ReadMerchantFile['keys'][number],
  create_time: string,
): Promise<AppliedMerchantFile['keys'][number]> {
  const known = (await store.keys.list(mchid)).filter((key) => isUsableKey(key, milliseconds(create_time)))
  const hash = wanted.token && tokenHash(wanted.token)
  const existing = known.find((key) => (hash === undefined ? key.name === wanted.name : key._id === hash))
  if (existing) return { name: wanted.name, id: existing.id, token: null }
  const token = wanted.token ?? newToken(mode)
  const id = randomId('key')
  await store.keys.add({
    _id: tokenHash(token),
    id,
    mchid,
    mode,
    name: wanted.name,
    scopes: wanted.scopes,
    hint: token.slice(-4),
    create_time,
    expire_time: null,
    revoke_time: null,
    last_use_time: null,
  })
  return { name: wanted.name, id, token }
}

/** What an operator reads after `npm run merchant`. Secrets stand here once and nowhere else. */
export function appliedText(report: AppliedMerchantFile): string {
  const shown = (secret: string | null) => (secret === null ? 'unchanged' : `${secret}   shown once, keep it`)
  return [
    `merchant ${report.mchid} ${report.is_new ? 'added' : 'updated'}; notify_url ${report.notify_url}`,
    ...report.keys.map(({ name, token }) => `key ${name}: ${shown(token)}`),
    ...report.endpoints.map(({ url, role, secret }) => `${role} endpoint ${url}: ${shown(secret)}`),
    ...report.apps.map(
      ({ appid, kind, hint }) => `app ${appid} (${kind})${hint === null ? ', no secret' : `, secret …${hint}`}`,
    ),
    ...report.remarks,
    ...report.unnamed_keys.map(
      ({ name, id, hint }) =>
        `key ${name} (${id}, …${hint}) works and is not in the file; npm run merchant -- revoke-key ${report.mchid} ${id}`,
    ),
  ].join('\n')
}

/**
 * The settings of this command: its own environment, or, where that names no database or the demo's, those that `npm
 * start` has here, which takes the same from the environment and makes the rest.
 */
export function merchantEnvironment(environment: AuditEnvironment, folder: string): AuditEnvironment {
  const found = auditEnvironment(environment, folder)
  if (found === environment) return environment
  const key_path = join(folder, '.weft', 'master-key.json')
  const master_key = existsSync(key_path) ? (JSON.parse(readFileSync(key_path, 'utf8')) as string) : undefined
  return {
    ...found,
    WEFT_MASTER_KEY: environment.WEFT_MASTER_KEY || master_key,
    WEFT_PUBLIC_URL: environment.WEFT_PUBLIC_URL || found.WEFT_URL,
    WEFT_TEST_WECHAT_URL: environment.WEFT_TEST_WECHAT_URL || found.WEFT_SIMULATOR_URL,
    ...(!environment.TEMPORAL_ADDRESS && { ...no_connection, TEMPORAL_ADDRESS: found.WEFT_TEMPORAL_ADDRESS }),
    WEFT_ALLOW_PRIVATE_ENDPOINTS: 'true',
  }
}

async function main(words: readonly string[]): Promise<void> {
  const [path] = words
  if (asksForHelp(words)) return console.log(usageText())
  if (path === undefined) throw new CommandError(usageText())
  const config = readConfig(merchantEnvironment(process.env, process.cwd()))
  const store = await openStore({
    uri: config.mongodb_uri,
    database: config.database,
    sealer: createSealer({ keys: config.master_keys }),
  })
  try {
    if (isCommand(path) || path === 'reseal' || path === 'check') {
      const all = await store.merchants.list()
      // What takes a leaked key back, or a bad master key out, is not held up by the settings that made it necessary.
      assertFitForLive({ config, role: 'merchant', merchants: [], openSealed: () => store.merchants.assertOpen(all) })
      if (path === 'check') {
        process.exitCode = await runCheck({ store, config }, words.slice(1), (line) => console.log(line))
        return // it says itself what the warning below would
      }
      console.log(path === 'reseal' ? await resealAll(store) : await runCommand(store, words, Date.now(), config))
    } else {
      const file = parsedFile(resolve(path))
      console.log(appliedText(await applyMerchantFile(store, config, file, { folder: dirname(resolve(path)) })))
    }
    const warning = authorityWarning(config, await store.merchants.list(), Date.now())
    if (warning !== null) console.log(`\n${warning}`)
  } finally {
    await store.close()
  }
}

function parsedFile(path: string): MerchantFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as MerchantFile
  } catch (error) {
    throw new MerchantFileError(`${path} cannot be read as JSON: ${(error as Error).message}`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  })
}
