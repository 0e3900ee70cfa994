import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { event_types } from '../domain/event/event.ts'
import { flow_accounts, least_keep_days } from '../domain/merchant/bill.ts'
import { app_kinds, trade_types } from '../domain/merchant/product.ts'
import { refund_or_hold } from '../domain/merchant/record.ts'
import { scopes } from '../domain/merchant/scope.ts'
import { mchid_pattern } from '../domain/ids.ts'
import { limits } from '../domain/policy.ts'
import { notifyUrlObjection } from '../runtime/address.ts'

const appid = z.string().regex(/^[0-9A-Za-z_-]{1,32}$/, 'is not an appid')
const web_url = z.url({ protocol: /^https?$/, error: 'is not an http(s) address' })
const { min, max } = limits.order_expire_in_s

const day = z.iso.date('is not a day; write 2026-01-01')

/** One of the merchant's apps. A secret that is left out stays as it was. */
const app_file = z.strictObject({
  appid,
  kind: z.enum(app_kinds, `is no kind of app: ${app_kinds.join(', ')}`),
  secret: z
    .string()
    .regex(/^[0-9A-Za-z]{32}$/, 'is not an AppSecret; it has exactly 32 characters')
    .nullable()
    .exactOptional(),
})

/** What is said about a merchant's bills; what is left out stays as it was. */
const bill_file = z.strictObject({
  number_prefixes: z
    .array(z.string().regex(/^[0-9A-Za-z_\-|*]{1,31}$/, 'is not what a number can begin with'))
    .max(20)
    .exactOptional(),
  fee_contract: z
    .strictObject({
      rates: z
        .array(
          z.strictObject({
            from_date: day,
            rate_ppm: z.int().min(0).max(1_000_000),
            trade_type: z
              .string()
              .regex(/^[A-Z_]{1,32}$/, 'is not a trade type as bills have it, as NATIVE')
              .nullable()
              .default(null),
          }),
        )
        .min(1, 'needs at least one rate')
        .max(100)
        .refine(hasBase, 'needs a rate without a trade_type from the first day on'),
      line_tolerance: z.int().min(0).max(1_000_000).default(1),
      day_tolerance: z.int().min(0).max(1_000_000_000).default(0),
    })
    .nullable()
    .exactOptional(),
  accounts: z
    .array(z.enum(flow_accounts, 'is no account of WeChat Pay: BASIC, OPERATION or FEES'))
    .max(flow_accounts.length)
    .refine((accounts) => accounts.includes('BASIC'), 'needs BASIC, which payments go to')
    .refine((accounts) => new Set(accounts).size === accounts.length, 'names an account twice')
    .exactOptional(),
  keep_days: z
    .int()
    .min(least_keep_days, 'would lose what WeChat still has; 100 is the least')
    .nullable()
    .exactOptional(),
})

/** How payers reach the merchant. */
const support_file = z
  .strictObject({
    phone: z
      .string()
      .regex(/^\+?[0-9][0-9 -]{3,23}$/, 'is not a telephone number; write digits, spaces and hyphens')
      .nullable()
      .default(null),
    link: z
      .url({ protocol: /^https$/, error: 'is not an https address' })
      .max(512)
      .nullable()
      .default(null),
  })
  .refine(({ phone, link }) => phone !== null || link !== null, 'needs a phone or a link; null for neither')

/** Every day that has a rate has one for all trade types. */
function hasBase(rates: readonly { from_date: string; trade_type: string | null }[]): boolean {
  const first = rates.map(({ from_date }) => from_date).sort()[0]
  return rates.some(({ from_date, trade_type }) => trade_type === null && from_date === first)
}

/** What is said where a new merchant's file leaves out what every merchant has. */
const kept = {
  error: ({ input }: { input?: unknown }) =>
    input === undefined ? 'is missing; only a merchant that is here already keeps it when it is left out' : undefined,
}

/**
 * A merchant as an operator writes it down: `npm run merchant -- file.json`. Keys are PEM, or paths beside the file.
 */
const merchant_file = z.strictObject({
  mchid: z.string().regex(mchid_pattern, 'is not a merchant number; it has 8 or more digits, as in WeChat’s console'),
  name: z.string(kept).min(1).max(64),
  mode: z.enum(['live', 'test'], kept),
  state: z.enum(['enabled', 'paused']).optional(),
  appids: z.array(appid, kept).min(1, 'needs at least one appid'),
  apps: z.array(app_file).max(20).optional(),
  notify_url: web_url.optional(),
  wechat: z
    .strictObject({
      serial_no: z
        .string()
        .regex(/^[0-9A-Fa-f]{40}$/, 'is not a serial; it has the 40 hex digits shown for the API certificate')
        .transform((serial) => serial.toUpperCase()),
      private_key: z.string().min(1),
      apiv3_key: z.string().regex(/^[\x21-\x7e]{32}$/, 'is not an APIv3 key; it has exactly 32 characters'),
      public_key_id: z
        .string()
        .regex(/^PUB_KEY_ID_[0-9A-Za-z]{1,64}$/, 'is not a key id; it begins with PUB_KEY_ID_')
        .nullish(),
      public_key: z.string().min(1).nullish(),
    })
    .optional(),
  settings: z
    .strictObject({
      order_expire_in: z.int().min(min).max(max).optional(),
      late_payment: z.enum(refund_or_hold).optional(),
      fulfilment: z
        .strictObject({
          mode: z.enum(['event', 'confirm', 'none']).optional(),
          deadline_in: z
            .int()
            .min(1)
            .max(30 * 86_400)
            .optional(),
          on_refused: z.enum(refund_or_hold).optional(),
          on_overdue: z.enum(refund_or_hold).optional(),
        })
        .optional(),
      refund_approval: z
        .strictObject({
          above: z.int().min(0).nullable().default(null),
          above_per_day: z.int().min(0).nullable().default(null),
        })
        .nullable()
        .optional(),
      bills: bill_file.optional(),
      support: support_file.nullable().optional(),
      products: z
        .array(z.enum(trade_types, `is no way to pay: ${trade_types.join(', ')}`))
        .min(1, 'needs at least one way to pay')
        .refine((products) => new Set(products).size === products.length, 'names a way to pay twice')
        .optional(),
    })
    .optional(),
  endpoints: z
    .array(
      z.strictObject({
        url: web_url.max(2_048),
        /** of one that is here, what is left out stays; a new one is an observer of everything */
        role: z.enum(['fulfilment', 'observer']).optional(),
        event_types: z
          .array(z.enum(['*', ...event_types]))
          .min(1)
          .optional(),
        description: z.string().max(200).nullish(),
      }),
    )
    .max(100)
    .default([]),
  keys: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(64),
        scopes: z.array(z.enum(scopes)).min(1),
        /** chosen by the caller, for development; otherwise made here and shown once */
        token: z
          .string()
          .regex(/^weft_(live|test)_[A-Za-z0-9_-]{43,128}$/, 'is not a token; leave it out and one is made')
          .optional(),
      }),
    )
    .max(100)
    .default([]),
})
/** What an operator gives; of a merchant that is here, what every merchant has may be left out. */
export type MerchantFile = Omit<z.input<typeof merchant_file>, KeptField> & Partial<MerchantFileFields>
type MerchantFileFields = Pick<z.input<typeof merchant_file>, KeptField>
type KeptField = 'name' | 'mode' | 'appids'
export type ReadMerchantFile = z.output<typeof merchant_file>

/** A file that cannot be used. `message` has one line per mistake, and never a value: it may be a key. */
export class MerchantFileError extends Error {
  override readonly name = 'MerchantFileError'
}

/** Checks a merchant's file and reads the keys it names, relative to `folder`. Throws MerchantFileError. */
export function readMerchantFile(given: unknown, folder: string): ReadMerchantFile {
  const parsed = merchant_file.safeParse(given)
  if (!parsed.success) {
    throw new MerchantFileError(
      parsed.error.issues.map((issue) => `${nameOf(issue.path)}: ${issue.message}`).join('\n'),
    )
  }
  const file = parsed.data
  const mistakes = contradictionsIn(file)
  const wechat = file.wechat && { ...file.wechat }
  const attempt = (field: string, read: () => void) => {
    try {
      read()
    } catch (error) {
      mistakes.push(`wechat.${field}: ${(error as Error).message}`)
    }
  }
  if (wechat) {
    let own: KeyObject | null = null
    attempt('private_key', () => {
      wechat.private_key = readPem(wechat.private_key, folder)
      own = readPrivateKey(wechat.private_key)
    })
    attempt('public_key', () => {
      if (!wechat.public_key) return
      wechat.public_key = readPem(wechat.public_key, folder)
      const key = readPublicKey(wechat.public_key)
      if (own !== null && createPublicKey(own).equals(key))
        throw new Error('is the merchant’s own public key; WeChat Pay’s is downloaded in its console')
    })
  }
  if (mistakes.length > 0) throw new MerchantFileError(mistakes.join('\n'))
  return { ...file, ...(wechat ? { wechat } : {}) }
}

function nameOf(path: PropertyKey[]): string {
  return path.length === 0 ? 'the file' : path.map(String).join('.')
}

function contradictionsIn(file: ReadMerchantFile): string[] {
  const mistakes: string[] = []
  for (const [index, app] of (file.apps ?? []).entries()) {
    if (!file.appids.includes(app.appid)) mistakes.push(`apps.${index}.appid: is not in appids; add it there`)
    if (file.apps?.findIndex((other) => other.appid === app.appid) !== index)
      mistakes.push(`apps.${index}.appid: stands there twice`)
  }
  if (Boolean(file.wechat?.public_key) !== Boolean(file.wechat?.public_key_id)) {
    mistakes.push('wechat.public_key: the key and public_key_id belong together; give both or neither')
  }
  if (file.endpoints.filter(({ role }) => role === 'fulfilment').length > 1) {
    mistakes.push('endpoints: only one may have the role fulfilment; make the others observers')
  }
  for (const { name, token } of file.keys) {
    if (token && !token.startsWith(`weft_${file.mode}_`))
      mistakes.push(`keys: the token of ${name} is of the other mode`)
  }
  if (file.mode === 'live' && file.notify_url && !file.notify_url.startsWith('https://')) {
    mistakes.push('notify_url: WeChat Pay notifies https addresses only')
  }
  const objection = file.notify_url === undefined ? null : notifyUrlObjection(file.notify_url)
  if (objection !== null) mistakes.push(`notify_url: ${objection}`)
  return mistakes
}

/** PEM as it is, or the content of the file that the text names. */
function readPem(text: string, folder: string): string {
  const pem = text.trimStart().startsWith('-----BEGIN') ? text : readNamedFile(text, folder)
  if (/-----BEGIN[^\r\n]*\\[rn]/.test(pem))
    throw new Error('has “\\n” as two characters in place of line breaks; in JSON write \\n once, not \\\\n')
  if (/-----BEGIN[^\r\n]*-----END/.test(pem))
    throw new Error('is one line; keep the line breaks of the file that WeChat Pay’s console gave you')
  return pem
}

function readNamedFile(path: string, folder: string): string {
  try {
    return readFileSync(resolve(folder, path), 'utf8')
  } catch {
    throw new Error('is neither PEM nor the path of a file that can be read')
  }
}

/** OpenSSL's own words for a key that it cannot read name neither the mistake nor a remedy. */
function readPrivateKey(pem: string): KeyObject {
  assertOneKey(pem)
  if (/ENCRYPTED/.test(pem)) throw new Error('is encrypted; write it without its passphrase: openssl rsa -in … -out …')
  return strongKey(() => createPrivateKey(pem), 'is not a private key in PEM; WeChat Pay’s is apiclient_key.pem')
}

function readPublicKey(pem: string): KeyObject {
  const mistake = 'is not a PUBLIC KEY in PEM; download it in WeChat’s console beside its id'
  assertOneKey(pem)
  if (!pem.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) throw new Error(mistake)
  return strongKey(() => createPublicKey(pem), mistake)
}

/** Of several keys the first would be taken, and nobody said that it is the one that is meant. */
function assertOneKey(pem: string): void {
  if ((pem.match(/-----BEGIN [A-Z ]*KEY-----/g) ?? []).length > 1) throw new Error('holds several keys; keep one')
}

function strongKey(read: () => KeyObject, mistake: string): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch {
    throw new Error(mistake)
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < 2_048) throw new Error('is not an RSA key of 2048 bits or more')
  return key
}
