import { X509Certificate } from 'node:crypto'
import type { PlatformKey } from './credentials.ts'

/**
 * Why a platform certificate verifies nothing here. `no_changeover`: the merchant has a public key, and nobody has said
 * that WeChat Pay signs with certificates meanwhile. `serial_taken`: another key is known under its serial.
 */
export type CertificateRefusal =
  'dropped' | 'expired' | 'not_yet_valid' | 'unknown_issuer' | 'merchant_certificate' | 'no_changeover' | 'serial_taken'

/** CertificateTrust decides whether a certificate is one of WeChat Pay's own, by who issued it. */
export interface CertificateTrust {
  /** Null: it may verify. `now` in Unix ms. */
  refusalOf(certificate: PlatformKey, now: number): CertificateRefusal | null
}

/** Makes a CertificateTrust for merchants of each mode: the simulator's CA has no say for live ones. */
export function createTrusts(authorities: Record<'live' | 'test', readonly string[] | null>) {
  return { live: createCertificateTrust(authorities.live), test: createCertificateTrust(authorities.test) }
}

/** Clocks differ, and a message on its way when its certificate ends was signed in time. */
export const certificate_grace_ms = 24 * 60 * 60 * 1000

/**
 * Makes the CertificateTrust of this process. `authorities` are the certificates that may issue, as PEM; null: nobody
 * has named WeChat Pay's CA, and dates are all that a certificate is looked at for. Throws for PEM that is none.
 */
export function createCertificateTrust(authorities: readonly string[] | null): CertificateTrust {
  const issuers = authorities?.map((pem) => new X509Certificate(pem)) ?? null
  const issuer_by_key = new WeakMap<PlatformKey, X509Certificate | 'unknown_issuer' | 'merchant_certificate'>()

  function issuerOf(key: PlatformKey, pem: string, known: readonly X509Certificate[]) {
    const found = issuer_by_key.get(key) ?? findIssuer(new X509Certificate(pem), known)
    issuer_by_key.set(key, found)
    return found
  }

  return {
    refusalOf(key, now) {
      const refusal = dateRefusal(key, now)
      if (refusal !== null || issuers === null || key.certificate === null) return refusal
      const issuer = issuerOf(key, key.certificate, issuers)
      if (typeof issuer === 'string') return issuer
      return isInForce(issuer, now) ? null : 'unknown_issuer'
    },
  }
}

function dateRefusal({ effective_time, expire_time }: PlatformKey, now: number): CertificateRefusal | null {
  if (expire_time !== null && expire_time + certificate_grace_ms <= now) return 'expired'
  if (effective_time !== null && now < effective_time - certificate_grace_ms) return 'not_yet_valid'
  return null
}

/** WeChat Pay's CA issues merchants' API certificates too: those name the merchant's organisation, not the CA's. */
function findIssuer(certificate: X509Certificate, known: readonly X509Certificate[]) {
  const issuer = known.find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey))
  if (issuer === undefined) return 'unknown_issuer'
  return organizationOf(certificate) === organizationOf(issuer) ? issuer : 'merchant_certificate'
}

function isInForce(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo)
}

/** `O` of the subject, as Node writes it: one attribute in each line. */
function organizationOf(certificate: X509Certificate): string | null {
  return /^O=(.+)$/m.exec(certificate.subject)?.[1] ?? null
}
