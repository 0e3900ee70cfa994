import type { KeyObject } from 'node:crypto'
import type { PlatformKey } from './credentials.ts'

/**
 * Keyring holds the keys that verify what WeChat Pay sends one merchant: public keys and platform certificates side by
 * side, because a merchant that changes from one to the other gets both for a week (docs/wechat-pay.md §1.6). Looking a
 * key up never waits: a missing one is fetched beside the request, and the request fails.
 */
export interface Keyring {
  /** The key a message names as its signer, or null. Expired certificates still verify what they signed in time. */
  find(serial: string): KeyObject | null
  /** The key to encrypt a sensitive field with: the public key, else the certificate that took effect last. */
  newest(): PlatformKey | null
  /**
   * The public key's id, which goes out with every call so that answers are signed with it; null in certificate mode.
   */
  publicKeyId(): string | null
  isEmpty(): boolean
  keys(): readonly PlatformKey[]
  /** Takes the configured keys in place of those configured before; downloaded certificates stay. */
  replace(configured: readonly PlatformKey[]): void
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
}

export interface KeyringSettings {
  keys: readonly PlatformKey[]
  /** Fetches what WeChat Pay lists now; empty when this merchant has no platform certificates. */
  download: () => Promise<PlatformKey[]>
  now: () => number
  /** Called with every download, so that it can be kept for the next start, and every failure. Must not throw. */
  on_refresh?: (outcome: { certificates: PlatformKey[] } | { error: unknown }) => void
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
  const downloaded = new Map<string, PlatformKey>()
  let configured = new Map(settings.keys.map((key) => [key.serial, key]))
  let attempted: number | null = null
  let succeeded: number | null = null
  let underWay: Promise<boolean> | null = null

  const all = (): PlatformKey[] => [...configured.values(), ...downloaded.values()]
  const inCertificateMode = () => all().every((key) => key.kind === 'certificate')

  async function download(): Promise<boolean> {
    try {
      const certificates = await settings.download()
      for (const certificate of certificates) downloaded.set(certificate.serial, certificate)
      dropLongExpired(downloaded, settings.now())
      succeeded = settings.now()
      settings.on_refresh?.({ certificates })
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
    if (attempted !== null && settings.now() - attempted < atMostEvery) return Promise.resolve(false)
    attempted = settings.now()
    underWay = download()
    return underWay
  }

  async function refresh(signal?: AbortSignal): Promise<boolean> {
    return signal ? Promise.race([refreshNow(), falseOnAbort(signal)]) : refreshNow()
  }

  return {
    find(serial) {
      const name = publicKeyIdPattern.test(serial) ? serial : serial.toUpperCase()
      const key = configured.get(name) ?? downloaded.get(name)
      const age = succeeded === null ? Infinity : settings.now() - succeeded
      if (age >= staleAfter && inCertificateMode()) void refreshNow()
      return key?.key ?? null
    },
    newest() {
      const now = settings.now()
      const inForce = all().filter((key) => (key.effective_time ?? 0) <= now && now < (key.expire_time ?? Infinity))
      const latestFirst = inForce.toSorted((a, b) => (b.effective_time ?? 0) - (a.effective_time ?? 0))
      return inForce.find((key) => key.kind === 'public_key') ?? latestFirst[0] ?? null
    },
    publicKeyId: () => all().find((key) => key.kind === 'public_key')?.serial ?? null,
    isEmpty: () => configured.size === 0 && downloaded.size === 0,
    keys: all,
    replace(keys) {
      configured = new Map(keys.map((key) => [key.serial, key]))
    },
    async fetchMissing(serial, signal) {
      if (publicKeyIdPattern.test(serial)) return false
      await refresh(signal)
      return downloaded.has(serial.toUpperCase())
    },
    refresh,
  }
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
