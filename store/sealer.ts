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
  /** UTF-8 text in, sealed under the newest key for this one place of the database (`sealPlace`). */
  seal(text: string, place: string): Sealed
  /**
   * The text again. Throws `SealingKeyMissing` for an unknown key, `SealBroken` when it was altered, or sealed for
   * another place: who can write to the database cannot hand one merchant's key to another. What was sealed before
   * places were part of it opens in each of the places that there were then, until it is sealed anew (`npm run merchant --
   * reseal`).
   */
  open(sealed: Sealed, place: string): string
  /** Whether the newest key sealed it, for this place. Throws as `open` does. */
  isFresh(sealed: Sealed, place: string): boolean
  /** As `seal`, of bytes, which are kept as bytes. */
  sealBytes(bytes: Buffer, place: string): SealedBytes
  /** As `open`. Bytes were never sealed without their place. */
  openBytes(sealed: SealedBytes, place: string): Buffer
  /** the key that seals */
  newest_key_id: string
}

/** Bytes that are sealed: nonce, ciphertext, tag. */
export interface SealedBytes {
  bytes: Buffer
  key_id: string
}

/** Names one field of one record. */
export function sealPlace(collection: string, _id: string, field: string): string {
  return JSON.stringify([collection, _id, field])
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

/** Sealed text that does not open: altered, cut, moved from another place, or sealed by another key of that name. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'

  constructor(key_id: string, place: string) {
    super(`sealed text does not open with the master key "${key_id}" in its place, ${place}`)
  }
}

/** What sealing some records anew came to. */
export interface Resealed {
  /** sealed values, or records, that another key had sealed */
  changed: number
  /** the places of what does not open, which stays as it is */
  broken: string[]
}

/** What sealing a page of records anew came to. */
export interface ResealedPage extends Resealed {
  /** the `_id` to go on behind; null: all have been looked at */
  last: string | null
}

/** What `open` gives; null where the seal is broken, so that one of them keeps nobody from all the others. */
export function openedUnlessBroken<T>(open: () => T): T | null {
  try {
    return open()
  } catch (error) {
    if (error instanceof SealBroken) return null
    throw error
  }
}

const algorithm = 'aes-256-gcm'
const nonce_bytes = 12
const tag_bytes = 16
const key_bytes = 32

/**
 * Keys newest first: the first seals, all of them open, so a key is rotated by putting a new one in front. What is
 * kept is base64 of nonce, ciphertext, tag; key id and place are authenticated with it, and not kept.
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
    seal: (text, place) => {
      return { sealed: encrypt(text, keyOf(newest.id), boundTo(newest.id, place)), key_id: newest.id }
    },
    open: ({ sealed, key_id }, place) => {
      const key = keyOf(key_id)
      const text =
        decrypt(sealed, key, boundTo(key_id, place)) ??
        (mayHaveNoPlace(place) ? decrypt(sealed, key, boundToNoPlace(key_id)) : null)
      if (text === null) throw new SealBroken(key_id, place)
      return text
    },
    isFresh: ({ sealed, key_id }, place) => {
      return key_id === newest.id && decrypt(sealed, keyOf(key_id), boundTo(key_id, place)) !== null
    },
    sealBytes: (bytes, place) => {
      return { bytes: encryptBytes(bytes, keyOf(newest.id), boundTo(newest.id, place)), key_id: newest.id }
    },
    openBytes: ({ bytes, key_id }, place) => {
      const opened = decryptBytes(bytes, keyOf(key_id), boundTo(key_id, place))
      if (opened === null) throw new SealBroken(key_id, place)
      return opened
    },
    newest_key_id: newest.id,
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

function boundTo(key_id: string, place: string): Buffer {
  return Buffer.from(JSON.stringify([key_id, place]), 'utf8')
}

/** The fields in which seals were kept before places were part of them: an app's secret, an openid, a cookie never were. */
const fields_of_old_seals: Readonly<Record<string, RegExp>> = {
  merchants: /^wechat\./,
  endpoints: /^secrets$/,
  evidence: /^raw$/,
}

function mayHaveNoPlace(place: string): boolean {
  const [collection = '', , field = ''] = JSON.parse(place) as string[]
  return Object.hasOwn(fields_of_old_seals, collection) && fields_of_old_seals[collection]?.test(field) === true
}

/** How seals were made before places were part of them. No key id is JSON, so neither reads as the other. */
function boundToNoPlace(key_id: string): Buffer {
  return Buffer.from(key_id, 'utf8')
}

function encrypt(text: string, key: Buffer, bound: Buffer): string {
  return encryptBytes(Buffer.from(text, 'utf8'), key, bound).toString('base64')
}

function encryptBytes(bytes: Buffer, key: Buffer, bound: Buffer): Buffer {
  const nonce = randomBytes(nonce_bytes)
  const cipher = createCipheriv(algorithm, key, nonce)
  cipher.setAAD(bound)
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

/** Null: it does not open with this key and what it is bound to. */
function decrypt(sealed: string, key: Buffer, bound: Buffer): string | null {
  return decryptBytes(Buffer.from(sealed, 'base64'), key, bound)?.toString('utf8') ?? null
}

function decryptBytes(bytes: Buffer, key: Buffer, bound: Buffer): Buffer | null {
  if (bytes.length < nonce_bytes + tag_bytes) return null
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonce_bytes), { authTagLength: tag_bytes })
  decipher.setAAD(bound)
  decipher.setAuthTag(bytes.subarray(-tag_bytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonce_bytes, -tag_bytes)), decipher.final()])
  } catch {
    return null
  }
}
