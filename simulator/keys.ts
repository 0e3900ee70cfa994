import { constants, createPrivateKey, createPublicKey, generateKeyPair, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { freshNonce, probePrefix, responseMessage, signatureType } from '../wechat/signature.ts'
import { randomDigits } from './random.ts'
import type { Random } from './random.ts'
import type { Merchant, PlatformCertificate, SignedWith, WeChatKeyPair } from './records.ts'
import type { SimulatorState } from './state.ts'
import { authority_name, makeCertificate, platform_name } from './x509.ts'

/** KeyMaker makes a pair of the size that WeChat Pay's have. */
export type KeyMaker = () => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>

export const makeKeyPair: KeyMaker = () => promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
const certificate_life_ms = 5 * 365 * 24 * 3_600_000
const authority_life_ms = 4 * certificate_life_ms

interface Signer {
  serial_no: string
  private_key: KeyObject
}

/** WeChatKeys makes WeChat Pay's keys and chooses which one signs what. */
export class WeChatKeys {
  readonly #state: SimulatorState
  readonly #random: Random
  readonly #now: () => number
  readonly #makeKeyPair: KeyMaker
  readonly #parsed = new Map<string, KeyObject>()
  #foreignKey: Promise<KeyObject> | null = null
  #firstCertificate: Promise<PlatformCertificate> | null = null
  #authority: Promise<PlatformCertificate> | null = null

  constructor(state: SimulatorState, random: Random, now: () => number, keyMaker = makeKeyPair) {
    this.#state = state
    this.#random = random
    this.#now = now
    this.#makeKeyPair = keyMaker
  }

  /** Makes a WeChat Pay public key for this merchant, as its console would show it. */
  async makeWeChatKey(mchid: string): Promise<WeChatKeyPair> {
    const pair = await this.#makeKeyPair()
    return {
      id: `PUB_KEY_ID_01${mchid.padStart(10, '0')}${randomDigits(16)}`,
      public_key: pair.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      private_key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    }
  }

  /** Puts a new platform certificate on the list; `share` of what certificates sign is signed with it from now on. */
  async addCertificate(share: number): Promise<PlatformCertificate> {
    const authority = await this.authority()
    const pair = await this.#makeKeyPair()
    const effective_time = Math.floor(this.#now() / 1000) * 1000
    const validity = { effective_time, expire_time: effective_time + certificate_life_ms }
    const made = makeCertificate({
      subject: platform_name,
      public_key: pair.publicKey,
      issuer: authority_name,
      private_key: this.#parse(authority.private_key, createPrivateKey),
      ...validity,
    })
    const certificate: PlatformCertificate = {
      serial_no: made.serial_no,
      certificate: made.pem,
      private_key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      ...validity,
      share,
      retired: false,
    }
    this.#state.keepCertificate(certificate)
    return certificate
  }

  /** The CA that issues the platform certificates, made once: what WEFT_TEST_WECHAT_CA_PATH is to name. */
  async authority(): Promise<PlatformCertificate> {
    const kept = [...this.#state.certificates.values()].find(({ is_authority }) => is_authority === true)
    if (kept !== undefined) return kept
    this.#authority ??= this.#makeAuthority()
    return await this.#authority
  }

  async #makeAuthority(): Promise<PlatformCertificate> {
    const pair = await this.#makeKeyPair()
    const effective_time = Math.floor(this.#now() / 1000) * 1000
    const validity = { effective_time, expire_time: effective_time + authority_life_ms }
    const made = makeCertificate({
      subject: authority_name,
      public_key: pair.publicKey,
      issuer: authority_name,
      private_key: pair.privateKey,
      ...validity,
    })
    const authority: PlatformCertificate = {
      serial_no: made.serial_no,
      certificate: made.pem,
      private_key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      ...validity,
      share: 0,
      retired: true,
      is_authority: true,
    }
    this.#state.keepCertificate(authority)
    return authority
  }

  /** The certificates on the list, the newest last. There is always one. */
  async certificates(): Promise<PlatformCertificate[]> {
    const listed = this.#listed()
    if (listed.length > 0) return listed
    this.#firstCertificate ??= this.addCertificate(1)
    await this.#firstCertificate
    return this.#listed()
  }

  /**
   * Who signs an answer: what the request's `Wechatpay-Serial` names when that is a public key of this merchant,
   * else what its mode says (docs/wechat-pay.md §1.6).
   */
  async responseSigner(merchant: Merchant, requestedSerial: string): Promise<Signer> {
    const named = merchant.wechat_keys.find((key) => key.id === requestedSerial)
    if (named !== undefined && merchant.key_mode !== 'certificate') return this.#signerOf(named.id, named.private_key)
    return merchant.key_mode === 'public_key' ? this.#publicKeySigner(merchant) : this.#certificateSigner()
  }

  /** Who signs a notification: in a migration, both kinds by the share that was set. */
  async notificationSigner(merchant: Merchant): Promise<Signer> {
    const byPublicKey =
      merchant.key_mode === 'public_key' || (merchant.key_mode === 'both' && this.#random() < merchant.public_key_share)
    return byPublicKey ? this.#publicKeySigner(merchant) : this.#certificateSigner()
  }

  /**
   * The key that opens what the merchant encrypted for the public key or listed certificate of this serial
   * (docs/wechat-pay.md §1.9); null when it is none of this merchant's.
   */
  decryptionKey(merchant: Merchant, serial_no: string): KeyObject | null {
    const byKey = merchant.key_mode === 'certificate' ? [] : merchant.wechat_keys
    const byCertificate = merchant.key_mode === 'public_key' ? [] : this.#listed()
    const pem =
      byKey.find(({ id }) => id === serial_no)?.private_key ??
      byCertificate.find((certificate) => certificate.serial_no === serial_no)?.private_key
    return pem === undefined ? null : this.#parse(pem, createPrivateKey)
  }

  /** Returns a key that is on no list, for forgeries. */
  async foreignKey(): Promise<KeyObject> {
    this.#foreignKey ??= this.#makeKeyPair().then((pair) => pair.privateKey)
    return this.#foreignKey
  }

  /** The key object of a PEM, parsed once. */
  publicKey(pem: string): KeyObject {
    return this.#parse(pem, createPublicKey)
  }

  #listed(): PlatformCertificate[] {
    return [...this.#state.certificates.values()].filter((certificate) => !certificate.retired)
  }

  async #certificateSigner(): Promise<Signer> {
    const listed = await this.certificates()
    const newest = listed.at(-1)
    const chosen = newest !== undefined && this.#random() < newest.share ? newest : (listed.at(-2) ?? newest)
    if (chosen === undefined) throw new Error('there is no platform certificate')
    return this.#signerOf(chosen.serial_no, chosen.private_key)
  }

  #publicKeySigner(merchant: Merchant): Signer {
    const newest = merchant.wechat_keys.at(-1)
    const older = merchant.wechat_keys.at(-2)
    const chosen = older !== undefined && this.#random() >= merchant.newest_share ? older : newest
    if (chosen === undefined) throw new Error(`merchant ${merchant.mchid} has no WeChat Pay public key`)
    return this.#signerOf(chosen.id, chosen.private_key)
  }

  #signerOf(serial_no: string, pem: string): Signer {
    return { serial_no, private_key: this.#parse(pem, createPrivateKey) }
  }

  #parse(pem: string, create: (pem: string) => KeyObject): KeyObject {
    const known = this.#parsed.get(pem)
    if (known !== undefined) return known
    const key = create(pem)
    if (this.#parsed.size > 10_000) this.#parsed.clear()
    this.#parsed.set(pem, key)
    return key
  }
}

/**
 * The five headers of a signed answer or notification (docs/wechat-pay.md §1.4). Signing runs on the thread pool, so
 * that hundreds of signatures a second leave the event loop free. `key` null makes a probe.
 */
export async function signedHeaders(
  body: string,
  signature: { serial_no: string; key: KeyObject | null; timestamp: number },
): Promise<Record<string, string>> {
  const nonce = freshNonce()
  const message = responseMessage({ timestamp: signature.timestamp, nonce, body })
  return {
    'Wechatpay-Timestamp': String(signature.timestamp),
    'Wechatpay-Nonce': nonce,
    'Wechatpay-Serial': signature.serial_no,
    'Wechatpay-Signature': signature.key === null ? probeSignature() : await signOnThreadPool(message, signature.key),
    'Wechatpay-Signature-Type': signatureType,
  }
}

/** The key with which a message signed in this way is signed; null for a probe. */
export async function signingKey(signed_with: SignedWith, signer: Signer, keys: WeChatKeys): Promise<KeyObject | null> {
  if (signed_with === 'probe') return null
  return signed_with === 'real' ? signer.private_key : keys.foreignKey()
}

/** What a probe carries: the prefix and something of a signature's length (docs/wechat-pay.md §1.5). */
function probeSignature(): string {
  return probePrefix + randomBytes(256).toString('base64')
}

function signOnThreadPool(message: Buffer, key: KeyObject): Promise<string> {
  return new Promise((resolve, reject) => {
    sign('sha256', message, { key, padding: constants.RSA_PKCS1_PADDING }, (error, signature) => {
      if (error) reject(error)
      else resolve(signature.toString('base64'))
    })
  })
}
