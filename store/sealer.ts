import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Sealed } from '../domain/merchant/record.ts'

export interface SealingKey {
  /** names the key in every text it sealed; never given to another key */
  id: string
  /** 32 bytes, base64 */
  key: string
}

/** Seals what must not lie readable in the database: keys of merchants, webhook secrets, raw answers. */
export interface Sealer {
  /** UTF-8 text in, sealed under the newest key. */
  seal(text: string): Sealed
  /** The text again. Throws `SealingKeyMissing` for an unknown key, `SealBroken` when it was altered. */
  open(sealed: Sealed): string
}

/** The key that sealed a text is no longer configured; the message names it, so that it can be put back. */
export class SealingKeyMissing extends Error {
  override readonly name = 'SealingKeyMissing'
  readonly key_id: string

  constructor(key_id: string) {
    super(`the master key "${key_id}" that sealed this is missing; put it back behind the newest key`)
    this.key_id = key_id
  }
}

/** Sealed text that does not open under the key it names: altered, cut, or sealed by another key of that name. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'

  constructor(key_id: string, options?: ErrorOptions) {
    super(`sealed text does not open with the master key "${key_id}"`, options)
  }
}

const algorithm = 'aes-256-gcm'
const nonce_bytes = 12
const tag_bytes = 16
const key_bytes = 32

/**
 * Keys newest first: the first seals, all of them open, so a key is rotated by putting a new one in front. What is
 * kept is base64 of nonce, ciphertext, tag; the key id is authenticated with it.
 */
export function createSealer({ keys }: { keys: readonly SealingKey[] }): Sealer {
  const by_id = new Map(keys.map(({ id, key }) => [id, keyBytes(id, key)]))
  const newest = keys[0]
  if (newest === undefined) throw new RangeError('a sealer needs at least one master key')
  if (by_id.size !== keys.length) throw new RangeError('two master keys have the same id')

  function keyOf(id: string): Buffer {
    const key = by_id.get(id)
    if (key === undefined) throw new SealingKeyMissing(id)
    return key
  }

  return {
    seal: (text) => ({ sealed: encrypt(text, keyOf(newest.id), newest.id), key_id: newest.id }),
    open: ({ sealed, key_id }) => decrypt(sealed, keyOf(key_id), key_id),
  }
}

/** Reads `id:base64,…`, newest first, as WEFT_MASTER_KEY is written. Throws a RangeError that never shows a key. */
export function parseSealingKeys(text: string): SealingKey[] {
  return text.split(',').map((part) => {
    const [, id, key] = /^\s*([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]+={0,2})\s*$/.exec(part) ?? []
    if (id === undefined || key === undefined)
      throw new RangeError('a master key is written as id:base64, newest first')
    keyBytes(id, key)
    return { id, key }
  })
}

function keyBytes(id: string, key: string): Buffer {
  const bytes = Buffer.from(key, 'base64')
  if (bytes.length !== key_bytes) throw new RangeError(`the master key "${id}" has ${bytes.length} bytes, not 32`)
  return bytes
}

function encrypt(text: string, key: Buffer, key_id: string): string {
  const nonce = randomBytes(nonce_bytes)
  const cipher = createCipheriv(algorithm, key, nonce)
  cipher.setAAD(Buffer.from(key_id, 'utf8'))
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString('base64')
}

function decrypt(sealed: string, key: Buffer, key_id: string): string {
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length < nonce_bytes + tag_bytes) throw new SealBroken(key_id)
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonce_bytes), { authTagLength: tag_bytes })
  decipher.setAAD(Buffer.from(key_id, 'utf8'))
  decipher.setAuthTag(bytes.subarray(-tag_bytes))
  try {
    return decipher.update(bytes.subarray(nonce_bytes, -tag_bytes), undefined, 'utf8') + decipher.final('utf8')
  } catch (cause) {
    throw new SealBroken(key_id, { cause })
  }
}
