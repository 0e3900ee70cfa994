import { createHash, createPrivateKey, createPublicKey, scryptSync, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { milliseconds } from '../domain/calendar.ts'
import { mchid_pattern } from '../domain/ids.ts'

/** A merchant's set-up at WeChat Pay as it is typed in and, sealed, stored. Keys and certificates are PEM. */
const wechatSettings = z.strictObject({
  mchid: z.string().regex(mchid_pattern, 'digits, as in the merchant console'),
  appids: z.array(z.string().regex(/^[0-9A-Za-z_-]{1,32}$/, 'an appid as in the console')).min(1),
  serial_no: z
    .string()
    .regex(/^[0-9A-Fa-f]{40}$/, 'the 40 hex digits of the merchant API certificate’s serial')
    .transform((serial) => serial.toUpperCase()),
  private_key: z.string(),
  apiv3_key: z.string().regex(/^[\x21-\x7e]{32}$/, 'exactly 32 letters and digits'),
  public_key_id: z
    .string()
    .regex(/^PUB_KEY_ID_[0-9A-Za-z]{1,64}$/, 'PUB_KEY_ID_ and digits, as shown beside the key')
    .nullish(),
  public_key: z.string().nullish(),
  retired_public_keys: z
    .array(z.object({ public_key_id: z.string(), public_key: z.string(), end_time: z.string() }))
    .nullish(),
  certificates: z.array(z.object({ certificate: z.string() })).nullish(),
})

/** A key of WeChat Pay's that verifies what it sends: a public key of public-key mode, or a platform certificate. */
export interface PlatformKey {
  kind: 'public_key' | 'certificate'
  /** `PUB_KEY_ID_…` or the certificate's serial, upper case: what `Wechatpay-Serial` names */
  serial: string
  key: KeyObject
  /** the certificate as PEM; null for a public key */
  certificate: string | null
  /** Unix ms; null for a public key, which has no end until another takes its place */
  effective_time: number | null
  expire_time: number | null
}

/** A set-up that can be worked with: checked, keys parsed. Never logged, never serialised. */
export interface Credentials {
  mchid: string
  appids: readonly string[]
  serial_no: string
  private_key: KeyObject
  apiv3_key: string
  /** WeChat Pay's keys as far as they were configured; platform certificates may also be downloaded */
  keys: PlatformKey[]
}

/** One thing wrong with a set-up; `field` is a JSON Pointer, `detail` never repeats the value. */
export interface SetupMistake {
  field: string
  code: string
  detail: string
}

/** Reads a merchant's set-up, or says everything that is wrong with it. */
export function readCredentials(
  input: unknown,
): { kind: 'credentials'; credentials: Credentials } | { kind: 'mistakes'; mistakes: SetupMistake[] } {
  const parsed = wechatSettings.safeParse(input)
  if (!parsed.success) {
    const mistakes = parsed.error.issues.map((issue) => ({
      field: `/${issue.path.join('/')}`,
      code: issue.code,
      detail: issue.message,
    }))
    return { kind: 'mistakes', mistakes }
  }
  const settings = parsed.data
  const mistakes: SetupMistake[] = []
  const attempt = <T>(field: string, read: () => T): T | null => {
    try {
      return read()
    } catch (mistake) {
      const detail = mistake instanceof KeyMistake ? mistake.message : 'cannot be read as PEM'
      mistakes.push({ field, code: 'unusable_key', detail })
      return null
    }
  }

  const private_key = attempt('/private_key', () => readPrivateKey(settings.private_key))
  const keys: PlatformKey[] = []
  if (Boolean(settings.public_key) !== Boolean(settings.public_key_id)) {
    const field = settings.public_key ? '/public_key_id' : '/public_key'
    mistakes.push({ field, code: 'missing', detail: 'the public key and its id belong together' })
  } else if (settings.public_key && settings.public_key_id) {
    const pem = settings.public_key
    const serial = settings.public_key_id
    const key = attempt('/public_key', () => readPublicKey(pem, private_key))
    if (key) {
      keys.push({ kind: 'public_key', serial, key, certificate: null, effective_time: null, expire_time: null })
    }
  }
  for (const [index, retired] of (settings.retired_public_keys ?? []).entries()) {
    const key = attempt(`/retired_public_keys/${index}`, () => readPublicKey(retired.public_key, private_key))
    const expire_time = milliseconds(retired.end_time)
    if (key)
      keys.push({
        kind: 'public_key',
        serial: retired.public_key_id,
        key,
        certificate: null,
        effective_time: null,
        expire_time,
      })
  }
  for (const [index, { certificate }] of (settings.certificates ?? []).entries()) {
    const key = attempt(`/certificates/${index}`, () => readCertificate(certificate))
    if (key) keys.push(key)
  }
  if (private_key === null || mistakes.length > 0) return { kind: 'mistakes', mistakes }
  const { mchid, appids, serial_no, apiv3_key } = settings
  return { kind: 'credentials', credentials: { mchid, appids, serial_no, private_key, apiv3_key, keys } }
}

class KeyMistake extends Error {}

function readPrivateKey(pem: string): KeyObject {
  return requireStrongKey(createPrivateKey(pem))
}

function readPublicKey(pem: string, own: KeyObject | null): KeyObject {
  // Node would also take a certificate here, and then the wrong one of the files in the merchant's folder verifies
  // nothing.
  if (!pem.trim().startsWith('-----BEGIN PUBLIC KEY-----')) throw new KeyMistake('not a PUBLIC KEY in PEM')
  const key = requireStrongKey(createPublicKey(pem))
  if (own && createPublicKey(own).equals(key)) {
    throw new KeyMistake('this is the merchant’s own public key; WeChat Pay’s is downloaded in the console')
  }
  return key
}

/**
 * Whether two texts are the serial of one certificate: a number, which some write with the zeros that it begins with, and
 * Node without; OpenSSL puts colons between its bytes.
 */
export function isSameSerial(one: string, other: string): boolean {
  const digits = (serial: string) =>
    serial
      .toUpperCase()
      .replaceAll(':', '')
      .replace(/^0+(?=.)/, '')
  return digits(one) === digits(other)
}

/** Reads a platform certificate. Throws when it is none, or weaker than RSA with 2048 bits. */
export function readCertificate(pem: string): PlatformKey {
  const certificate = new X509Certificate(pem)
  return {
    kind: 'certificate',
    serial: certificate.serialNumber.toUpperCase(),
    key: requireStrongKey(certificate.publicKey),
    certificate: certificate.toString(),
    effective_time: Date.parse(certificate.validFrom),
    expire_time: Date.parse(certificate.validTo),
  }
}

function requireStrongKey(key: KeyObject): KeyObject {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < 2048) throw new KeyMistake('not an RSA key of 2048 bits or more')
  return key
}

/** Short names of the keys, by which a person recognises them and nobody can work back to them. */
export interface Fingerprints {
  private_key: string
  apiv3_key: string
  keys: { serial: string; kind: PlatformKey['kind']; fingerprint: string; expire_time: number | null }[]
}

/**
 * The Fingerprints of a set-up: SHA-256 of the public halves; the APIv3 key, which has none, through scrypt and cut.
 * Only tests call it so far: a console is to show which keys are in force.
 */
export function fingerprints(credentials: Credentials): Fingerprints {
  return {
    private_key: fingerprint(createPublicKey(credentials.private_key)),
    apiv3_key: scryptSync(credentials.apiv3_key, `weft ${credentials.mchid}`, 4).toString('hex'),
    keys: credentials.keys.map(({ serial, kind, key, expire_time }) => {
      return { serial, kind, fingerprint: fingerprint(key), expire_time }
    }),
  }
}

/** The SHA-256 of a certificate as `openssl x509 -fingerprint -sha256` shows it. */
export function certificateFingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256
}

function fingerprint(publicKey: KeyObject): string {
  const digest = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' }))
  return digest.digest('hex').slice(0, 16)
}
