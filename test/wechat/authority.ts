import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { authority_name, makeCertificate, platform_name } from '../../simulator/x509.ts'
import type { X509Name } from '../../simulator/x509.ts'
import { readCertificate } from '../../wechat/credentials.ts'
import type { PlatformKey } from '../../wechat/credentials.ts'

const day_ms = 24 * 60 * 60 * 1000

interface Issued extends PlatformKey {
  private_key: KeyObject
}

/** A CA of a test: issues certificates that are in force from a day before `now` to a year after, unless told otherwise. */
export class TestAuthority {
  readonly pem: string
  readonly #pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #now: number

  constructor(now: number, life_ms = 10 * 365 * day_ms) {
    this.#now = now
    const validity = { effective_time: now - 2 * day_ms, expire_time: now + life_ms }
    const { publicKey: public_key, privateKey: private_key } = this.#pair
    this.pem = makeCertificate({
      subject: authority_name,
      public_key,
      issuer: authority_name,
      private_key,
      ...validity,
    }).pem
  }

  issue({
    subject = platform_name,
    from_day = -1,
    to_day = 365,
  }: { subject?: X509Name; from_day?: number; to_day?: number } = {}): Issued {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { pem } = makeCertificate({
      subject,
      public_key: pair.publicKey,
      issuer: authority_name,
      private_key: this.#pair.privateKey,
      effective_time: this.#now + from_day * day_ms,
      expire_time: this.#now + to_day * day_ms,
    })
    return { ...readCertificate(pem), private_key: pair.privateKey }
  }
}
