import type { KeyObject } from 'node:crypto'
import { isSameSerial } from './credentials.ts'
import type { PlatformKey } from './credentials.ts'
import { createCertificateTrust } from './trust.ts'
import type { CertificateRefusal, CertificateTrust } from './trust.ts'

/**
 * Keyring holds the keys that verify what WeChat Pay sends one merchant: public keys and platform certificates side by
 * side, because a merchant that changes from one to the other gets both for a week (docs/wechat-pay.md §1.6). Looking a
 * key up never waits: a missing one is fetched beside the request, and the request fails.
 */
export interface Keyring {
  /**
   * The key a message names as its signer, or null. One that is dropped, over, or not WeChat Pay's is no key. `moment`,
   * Unix ms, now unless told: an archived notification is read with the keys that were in force when it was signed.
   */
  find(serial: string, moment?: number): KeyObject | null
  /** The key to encrypt a sensitive field with: the public key, else the certificate that took effect last. */
  newest(): PlatformKey | null
  /**
   * The public key's id, which goes out with every call so that answers are signed with it; null in certificate mode.
   */
  publicKeyId(): string | null
  /**
   * Whether a key is here that WeChat Pay signs with now. While there is, a list of certificates is taken only when it is
   * signed by such a key: whoever knows the APIv3 key alone cannot bring one of its own.
   */
  hasKeyInForce(): boolean
  isEmpty(): boolean
  keys(): readonly PlatformKey[]
  /** Takes what is configured in place of what was before; downloaded certificates stay, but for those dropped. */
  replace(configured: ConfiguredKeys): void
  /**
   * Says that a message named this serial and no key was found: refreshes, if that can help. True when the key is there
   * now. The intake waits for it only while the ring is empty; an answer from WeChat Pay may. Never rejects.
   */
  fetchMissing(serial: string, signal?: AbortSignal): Promise<boolean>
  /**
   * Downloads the platform certificates, unless that was tried a moment ago; joins a download under way. False when
   * nothing came, or the signal ended the wait (the download goes on). Never rejects.
   */
  refresh(signal?: AbortSignal): Promise<boolean>
  /** `refresh` where no download has succeeded for six hours, in certificate mode; else does nothing. Never rejects. */
  refreshIfStale(): Promise<void>
}

/** ConfiguredKeys is what a merchant's record says of WeChat Pay's keys. */
export interface ConfiguredKeys {
  keys: readonly PlatformKey[]
  /** serials of certificates that a person has dropped: they are never taken in again */
  dropped?: readonly string[]
  /** Unix ms; until then certificates are taken in beside a public key. Null or absent: no change-over was declared */
  changeover_end?: number | null
}

export interface RefusedCertificate {
  certificate: PlatformKey
  refusal: CertificateRefusal
}

/** What a download of certificates led to. */
export type DownloadOutcome = { certificates: PlatformKey[]; refused: RefusedCertificate[] } | { error: unknown }

export interface KeyringSettings extends ConfiguredKeys {
  /** default: nobody has named WeChat Pay's CA, so dates alone decide */
  trust?: CertificateTrust
  /** Fetches what WeChat Pay lists now; empty when this merchant has no platform certificates. */
  download: () => Promise<PlatformKey[]>
  now: () => number
  /** Called with every download, so that it can be kept for the next start, and every failure. Must not throw. */
  on_refresh?: (outcome: DownloadOutcome) => void
  /** Not more often than this, whoever asks: an unknown serial costs its sender nothing. Default 10 s. */
  refresh_every_at_most_ms?: number
  /**
   * Certificates older than this are fetched again on the next look-up. Default 6 h; WeChat Pay asks for under 12 h.
   */
  refresh_after_ms?: number
}

/** A public key's id names no certificate, so no download brings it. */
const publicKeyIdPattern = /^PUB_KEY_ID_/

/** Makes one merchant's key ring. Two processes, or two merchants, share nothing. */
export function createKeyring(settings: KeyringSettings): Keyring {
  const atMostEvery = settings.refresh_every_at_most_ms ?? 10_000
  const staleAfter = settings.refresh_after_ms ?? 6 * 60 * 60 * 1000
  const trust = settings.trust ?? createCertificateTrust(null)
  const downloaded = new Map<string, PlatformKey>()
  let configured: ConfiguredKeys = settings
  let attempted: number | null = null
  let succeeded: number | null = null
  let underWay: Promise<boolean> | null = null

  const refusalOf = (key: PlatformKey, moment = settings.now()): CertificateRefusal | null =>
    isDropped(key, configured) ? 'dropped' : trust.refusalOf(key, moment)
  const held = (): PlatformKey[] => onePerSerial([...downloaded.values(), ...configured.keys])
  const all = (moment?: number) => held().filter((key) => refusalOf(key, moment) === null)
  const inForce = (): PlatformKey[] => all().filter((key) => isInForce(key, settings.now()))
  const publicKeyId = () => configured.keys.find(isPublicKeyInUse)?.serial ?? null
  const takesCertificates = () => publicKeyId() === null || settings.now() < (configured.changeover_end ?? 0)

  async function download(): Promise<boolean> {
    try {
      const listed = await settings.download()
      const listedRefusal = (key: PlatformKey) => (takesCertificates() ? refusalOf(key) : 'no_changeover')
      const { certificates, refused } = judge(listed, held(), listedRefusal)
      for (const certificate of certificates) downloaded.set(certificate.serial, certificate)
      dropLongExpired(downloaded, settings.now())
      succeeded = settings.now()
      settings.on_refresh?.({ certificates, refused })
      return certificates.length > 0
    } catch (error) {
      settings.on_refresh?.({ error })
      return false
    } finally {
      underWay = null
    }
  }

  function refreshNow(): Promise<boolean> {
    if (underWay) return underWay
    const is_too_early = settings.now() - (attempted ?? -Infinity) < atMostEvery
    if (is_too_early || !takesCertificates()) return Promise.resolve(false)
    attempted = settings.now()
    underWay = download()
    return underWay
  }

  async function refresh(signal?: AbortSignal): Promise<boolean> {
    return signal ? Promise.race([refreshNow(), falseOnAbort(signal)]) : refreshNow()
  }

  async function refreshIfStale(): Promise<void> {
    if (settings.now() - (succeeded ?? -Infinity) >= staleAfter && publicKeyId() === null) await refreshNow()
  }

  return {
    find(serial, moment) {
      void refreshIfStale()
      return all(moment).find((key) => isNamed(key, serial))?.key ?? null
    },
    newest: () => newestOf(inForce()),
    publicKeyId,
    hasKeyInForce: () => inForce().length > 0,
    isEmpty: () => all().length === 0,
    keys: () => all(),
    replace(keys) {
      configured = keys
    },
    async fetchMissing(serial, signal) {
      if (publicKeyIdPattern.test(serial)) return false
      await refresh(signal)
      return all().some((key) => isNamed(key, serial))
    },
    refresh,
    refreshIfStale,
  }
}

function isDropped({ serial }: PlatformKey, { dropped = [] }: ConfiguredKeys): boolean {
  return dropped.some((one) => isSameSerial(one, serial))
}

/** A public key that was replaced verifies for a while, and says nothing of the mode that holds. */
function isPublicKeyInUse({ kind, expire_time }: PlatformKey): boolean {
  return kind === 'public_key' && expire_time === null
}

/** Whether a message that names `serial` means this key: a public key's id is taken letter by letter. */
function isNamed({ kind, serial: own }: PlatformKey, serial: string): boolean {
  return kind === 'public_key' ? own === serial : isSameSerial(own, serial)
}

/** The keys by their serials, each as it was named last. */
function onePerSerial(keys: readonly PlatformKey[]): PlatformKey[] {
  return [...new Map(keys.map((key) => [key.serial, key])).values()]
}

/**
 * Answers what of a list is taken in, beside what is held. Of two certificates under one serial the first that can be used
 * is meant: nobody was ever told of the other one.
 */
function judge(
  listed: readonly PlatformKey[],
  held: readonly PlatformKey[],
  refusalOf: (key: PlatformKey) => CertificateRefusal | null,
) {
  const known = [...held, ...listed.filter((key) => refusalOf(key) === null)]
  const judged = listed.map((certificate) => {
    const refusal = refusalOf(certificate) ?? (isSerialTaken(certificate, known) ? 'serial_taken' : null)
    return { certificate, refusal }
  })
  return {
    certificates: judged.filter(({ refusal }) => refusal === null).map(({ certificate }) => certificate),
    refused: judged.filter((one): one is RefusedCertificate => one.refusal !== null),
  }
}

function isSerialTaken({ serial, key }: PlatformKey, known: readonly PlatformKey[]): boolean {
  const first = known.find((one) => one.kind === 'certificate' && isSameSerial(one.serial, serial))
  return first !== undefined && !first.key.equals(key)
}

function newestOf(keys: readonly PlatformKey[]): PlatformKey | null {
  const latestFirst = keys.toSorted((a, b) => (b.effective_time ?? 0) - (a.effective_time ?? 0))
  return keys.find(isPublicKeyInUse) ?? latestFirst[0] ?? null
}

function isInForce({ effective_time, expire_time }: PlatformKey, now: number): boolean {
  return (effective_time ?? 0) <= now && now < (expire_time ?? Infinity)
}

/** Certificates that ended over a year ago verify nothing that could still arrive; the map stays small for ever. */
function dropLongExpired(certificates: Map<string, PlatformKey>, now: number): void {
  const year = 365 * 24 * 60 * 60 * 1000
  for (const [serial, { expire_time }] of certificates) {
    if (expire_time !== null && expire_time < now - year) certificates.delete(serial)
  }
}

function falseOnAbort(signal: AbortSignal): Promise<false> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
}
