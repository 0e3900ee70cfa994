import { X509Certificate } from 'node:crypto'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import { isUsableKey } from '../domain/merchant/record.ts'
import type { EndpointRecord, MerchantRecord, WeChatSetup } from '../domain/merchant/record.ts'
import { scopes } from '../domain/merchant/scope.ts'
import { endpointUrl, urlObjection } from '../runtime/address.ts'
import { newEndpointSecret, newToken, randomId, tokenHash } from '../runtime/secrets.ts'
import { most_secrets } from '../store/endpoints.ts'
import type { Store } from '../store/store.ts'
import { isSameSerial } from '../wechat/credentials.ts'

/** A call of `npm run merchant` that cannot be carried out. `message` says why, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

export interface CommandCall {
  store: Store
  /** Unix ms */
  now: number
  mchid: string
  /** what stands behind the merchant number */
  words: readonly string[]
  /** development: events may go to http and private addresses */
  allow_private_endpoints: boolean
}

/** One command of `npm run merchant -- <command> <mchid> …`. Answers what an operator reads. */
export interface MerchantCommand {
  /** the words behind the merchant number */
  usage: string
  does: string
  run: (call: CommandCall) => Promise<string>
}

const most_days = 366
const day_ms = 86_400_000

/** All that can be done to a merchant's keys and secrets, by the word it is called with. */
export const commands = {
  list: {
    usage: '',
    does: 'shows everything secret that there is, by name, hint or fingerprint, and what has ended',
    run: async (call) => (await secretLines(call)).join('\n'),
  },
  'new-key': {
    usage: '<name> <scope,scope> [days]',
    does: 'makes a key to the API, which ends after so many days when they are given',
    run: async ({ store, now, mchid, words: [name, given, days] }) => {
      const merchant = await merchantOf(store, mchid)
      const wanted = wordOf(given, /^[a-z:]+(,[a-z:]+)*$/, 'scopes, with commas between them').split(',')
      const unknown = wanted.find((scope) => !(scopes as readonly string[]).includes(scope))
      if (unknown !== undefined) throw new CommandError(`there is no scope ${unknown}; there are ${scopes.join(', ')}`)
      const ends = days === undefined ? null : beijingTime(now + wholeNumber(days, 'days', most_days) * day_ms)
      const named = wordOf(name, /^.{1,64}$/u, 'a name of at most 64 characters')
      return await addNewKey(store, merchant, { name: named, scopes: wanted, expire_time: ends, now })
    },
  },
  'rotate-key': {
    usage: '<key id> <days>',
    does: 'makes another key of the same name and scopes; the old one ends after so many days',
    run: async ({ store, now, mchid, words: [id, days] }) => {
      const old = (await store.keys.list(mchid)).find((key) => key.id === id && isUsableKey(key, now))
      if (old === undefined) throw new CommandError(`no key ${id ?? ''} of merchant ${mchid} works; see list`)
      const ends = beijingTime(now + wholeNumber(days, 'days', most_days) * day_ms)
      const { name, scopes: held } = old
      const shown = await addNewKey(store, await merchantOf(store, mchid), {
        name,
        scopes: held,
        expire_time: null,
        now,
      })
      await store.keys.expire(mchid, old.id, ends)
      return `${shown}\n${old.id} ends at ${ends}`
    },
  },
  'revoke-key': {
    usage: '<key id>',
    does: 'ends a key to the API at once',
    run: async ({ store, now, mchid, words: [id = ''] }) => {
      const key = await store.keys.revoke(mchid, id, beijingTime(now))
      if (key === null) throw new CommandError(`merchant ${mchid} has no key ${id}; see list`)
      return `key ${key.name} (${key.id}) is revoked since ${key.revoke_time}`
    },
  },
  'rotate-secret': {
    usage: '<endpoint id> <days>',
    does: 'makes another secret for an endpoint; events are signed with both for so many days, then with it alone',
    run: async ({ store, now, mchid, words: [id, days] }) => {
      const endpoint = await endpointOf(store, mchid, id)
      const ends = beijingTime(now + wholeNumber(days, 'days', most_days) * day_ms)
      const signing = endpoint.secrets.filter((one) => one.expire_time === null || milliseconds(one.expire_time) > now)
      if (signing.length >= most_secrets)
        throw new CommandError(
          `${signing.length} secrets of ${endpoint.id} sign already; end one first, with revoke-secret`,
        )
      const secret = newEndpointSecret()
      const ending = signing.map((one) => {
        const ends_before = one.expire_time !== null && milliseconds(one.expire_time) < milliseconds(ends)
        return ends_before ? one : { ...one, expire_time: ends }
      })
      const secrets = [...ending, store.endpoints.sealSecret(endpoint._id, secret)]
      if ((await store.endpoints.replaceSecrets(endpoint, secrets)) === null) throw changedMeanwhile()
      return `secret of ${endpoint.url}: ${secret}   shown once, keep it\nthe others sign until ${ends}`
    },
  },
  'revoke-secret': {
    usage: '<endpoint id> <hint>',
    does: 'takes a secret from an endpoint at once; the last one stays, so rotate first',
    run: async ({ store, mchid, words: [id, hint] }) => {
      const endpoint = await endpointOf(store, mchid, id)
      const left = endpoint.secrets.filter((one) => one.hint !== hint)
      if (left.length === endpoint.secrets.length)
        throw new CommandError(`no secret of ${endpoint.id} ends with ${hint ?? ''}`)
      // One that ends would leave the endpoint without a signature, sooner or later.
      if (!left.some(({ expire_time }) => expire_time === null))
        throw new CommandError('this is its only secret without an end; make another first, with rotate-secret')
      if ((await store.endpoints.replaceSecrets(endpoint, left)) === null) throw changedMeanwhile()
      return `the secret …${hint ?? ''} signs no more`
    },
  },
  'move-endpoint': {
    usage: '<endpoint id> <url>',
    does: 'has the events of an endpoint sent to another URL, those under way too; id and secrets stay',
    run: async ({ store, mchid, words: [id, given], allow_private_endpoints }) => {
      const endpoint = await endpointOf(store, mchid, id)
      const word = wordOf(given, /^https?:\/\/[^\s#]{1,2000}$/, 'an http(s) address')
      const objection = urlObjection(word, allow_private_endpoints)
      if (objection !== null) throw new CommandError(`nothing is sent to that address, since ${objection}`)
      const url = endpointUrl(word)
      const there = await store.endpoints.findByUrl(mchid, url)
      if (there !== null && there.id !== endpoint.id)
        throw new CommandError(`${url} is the endpoint ${there.id} already`)
      await store.endpoints.move(mchid, endpoint.id, url)
      return `${endpoint.id} moved from ${endpoint.url} to ${url}; write it into the merchant’s file`
    },
  },
  'forget-apiv3-keys': {
    usage: '',
    does: 'forgets the APIv3 keys before the present one; what was encrypted with them cannot be read again',
    run: async ({ store, mchid }) => {
      if (!(await store.merchants.forgetRetiredKeys(mchid))) throw noSetup(mchid)
      return 'only the APIv3 key in use is kept'
    },
  },
  'drop-public-key': {
    usage: '<PUB_KEY_ID_…>',
    does: 'ends a public key of WeChat Pay’s at once that another has taken the place of',
    run: async ({ store, mchid, words: [id = ''] }) => {
      if (await store.merchants.dropPublicKey(mchid, id)) return `${id} verifies nothing any more`
      throw new CommandError(`${id} is no retired key of merchant ${mchid}; the one in use is changed in its file`)
    },
  },
  'drop-certificate': {
    usage: '<serial>',
    does: 'forgets a certificate of WeChat Pay’s, for ever: nothing signed with it is believed any more',
    run: async ({ store, mchid, words }) => {
      const word = wordOf(words[0], /^[0-9A-Fa-f:]{1,59}$/, 'the serial of a certificate')
      const { wechat } = await merchantOf(store, mchid)
      if (!wechat) throw noSetup(mchid)
      const held = wechat.certificates.find(({ serial_no }) => isSameSerial(serial_no, word))
      const serial = held?.serial_no ?? word.replaceAll(':', '').toUpperCase()
      await store.merchants.dropCertificate(mchid, serial)
      return held === undefined
        ? `no certificate ${serial} was here (list shows those that are); it is never taken in`
        : `certificate ${serial} is dropped; running processes know within seconds`
    },
  },
  changeover: {
    usage: '<days>',
    does: 'takes certificates of WeChat Pay’s in beside its public key for so many days; 0 ends it',
    run: async ({ store, now, mchid, words }) => {
      const days = wholeNumber(words[0], 'days', 60)
      const end_time = days === 0 ? null : beijingTime(now + days * day_ms)
      if (!(await store.merchants.setChangeover(mchid, end_time))) throw noSetup(mchid)
      return end_time === null ? 'the change-over has ended' : `certificates are taken in until ${end_time}`
    },
  },
} as const satisfies Record<string, MerchantCommand>

export type CommandName = keyof typeof commands

export function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(commands, word)
}

/** Carries a command out. Throws CommandError, StoreUnavailable. */
export async function runCommand(
  store: Store,
  words: readonly string[],
  now: number,
  { allow_private_endpoints }: Pick<CommandCall, 'allow_private_endpoints'> = { allow_private_endpoints: false },
): Promise<string> {
  const [name, mchid, ...rest] = words
  if (!isCommand(name)) throw new CommandError(usageText())
  const command: MerchantCommand = commands[name]
  if (mchid === undefined)
    throw new CommandError(`which merchant? ${usageOf(name, command)}`)
  await merchantOf(store, mchid)
  // Of two keys that are to be revoked, nobody may believe that the second one was.
  const most = command.usage.match(/[<[]/g)?.length ?? 0
  if (rest.length > most) throw new CommandError(`${rest.slice(most).join(' ')} is too much; ${usageOf(name, command)}`)
  return await command.run({ store, now, mchid, words: rest, allow_private_endpoints })
}

/** How a merchant's set-up is looked at (cli/check/check.ts). */
export const check_usage = `  npm run merchant -- check <mchid> [--certificate apiclient_cert.pem] [--openid … [--appid …]] [--lang en|zh] [--json]
      looks at all that a program can see of what WeChat Pay asks for before going live, and asks for the rest;
      ends with 1 where something failed. Places orders of ¥0.01 that nobody can pay, and closes them`

function usageOf(name: string, { usage }: MerchantCommand): string {
  return `npm run merchant -- ${name} <mchid> ${usage}`
}

/** What can be called, one line each. */
export function usageText(): string {
  const lines = Object.entries<MerchantCommand>(commands).map(
    ([name, command]) => `  ${usageOf(name, command)}\n      ${command.does}`,
  )
  const others = [
    '  npm run merchant -- file.json\n      adds or changes a merchant',
    '  npm run merchant -- reseal\n      seals everything anew with the newest master key',
    check_usage,
  ]
  return [...others, ...lines].join('\n')
}

async function merchantOf(store: Store, mchid: string): Promise<MerchantRecord> {
  const merchant = await store.merchants.find(mchid)
  if (merchant === null) throw new CommandError(`there is no merchant ${mchid}`)
  return merchant
}

async function endpointOf(store: Store, mchid: string, id = ''): Promise<EndpointRecord> {
  const endpoint = await store.endpoints.findPublic(mchid, id)
  if (endpoint === null) throw new CommandError(`merchant ${mchid} has no endpoint ${id}; see list`)
  return endpoint
}

async function addNewKey(
  store: Store,
  { mchid, mode }: MerchantRecord,
  given: { name: string; scopes: string[]; expire_time: string | null; now: number },
): Promise<string> {
  const { now, ...rest } = given
  const token = newToken(mode)
  const key = { _id: tokenHash(token), id: randomId('key'), mchid, mode, hint: token.slice(-4), ...rest }
  const times = { create_time: beijingTime(now), revoke_time: null, last_use_time: null }
  await store.keys.add({ ...key, ...times })
  return `key ${given.name} (${key.id}): ${token}   shown once, keep it`
}

/** Everything secret of a merchant, without showing any of it. */
async function secretLines({ store, now, mchid }: CommandCall): Promise<string[]> {
  const merchant = await merchantOf(store, mchid)
  const [keys, endpoints] = await Promise.all([store.keys.list(mchid), store.endpoints.list(mchid)])
  return [
    `merchant ${mchid} ${merchant.mode} ${merchant.state}`,
    ...keys.map((key) => {
      const state = isUsableKey(key, now)
        ? `ends ${key.expire_time ?? 'never'}`
        : `ended ${key.revoke_time ?? key.expire_time}`
      const used = `last used ${key.last_use_time ?? 'never'}`
      return `key ${key.id}  ${key.name}  …${key.hint}  ${key.scopes.join(',')}  made ${key.create_time}  ${used}  ${state}`
    }),
    ...endpoints.flatMap(({ id, url, role, secrets }) => [
      `endpoint ${id}  ${role}  ${url}`,
      ...secrets.map((one) => {
        return `  secret …${one.hint}  signs until ${one.expire_time ?? 'it is revoked'}  master key ${one.secret.key_id}`
      }),
    ]),
    ...(merchant.apps ?? []).map(({ appid, kind, secret, hint }) => {
      const kept = secret ? `secret …${hint ?? ''}  master key ${secret.key_id}` : 'no secret'
      return `app ${appid}  ${kind}  ${kept}`
    }),
    ...(merchant.wechat ? wechatLines(merchant.wechat) : ['no WeChat Pay set-up']),
  ]
}

function wechatLines(wechat: WeChatSetup): string[] {
  const { public_key_id, changeover_end_time = null, dropped_certificates = [], retired_public_keys = [] } = wechat
  return [
    `merchant certificate ${wechat.serial_no}  private key under master key ${wechat.private_key.key_id}`,
    `APIv3 key under master key ${wechat.apiv3_key.key_id}; ${wechat.retired_apiv3_keys.length} before it kept`,
    `WeChat Pay public key ${public_key_id ?? 'none'}`,
    ...retired_public_keys.map((key) => `  ${key.public_key_id} verifies until ${key.end_time}`),
    ...wechat.certificates.map(({ serial_no, certificate, expire_time }) => {
      const { fingerprint256 } = new X509Certificate(certificate)
      return `WeChat Pay certificate ${serial_no}  SHA-256 ${fingerprint256}  ends ${expire_time}`
    }),
    ...dropped_certificates.map((serial) => `  dropped: ${serial}`),
    `change-over ${changeover_end_time === null ? 'not declared' : `until ${changeover_end_time}`}`,
  ]
}

function changedMeanwhile(): CommandError {
  return new CommandError('somebody else changed this endpoint at the same time; run this again')
}

function wordOf(word: string | undefined, pattern: RegExp, what: string): string {
  if (word === undefined || !pattern.test(word)) throw new CommandError(`here belongs ${what}`)
  return word
}

function wholeNumber(word: string | undefined, what: string, most: number): number {
  const number = Number(word)
  // Digits alone: an empty word, as a variable of a script that is not set, would be a 0, which ends things at once.
  if (word === undefined || !/^\d{1,4}$/.test(word) || number > most) {
    throw new CommandError(`here belongs a number of ${what}, from 0 to ${most}`)
  }
  return number
}

function noSetup(mchid: string): CommandError {
  return new CommandError(`merchant ${mchid} has no WeChat Pay set-up`)
}
