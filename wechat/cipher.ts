import { constants, createCipheriv, createDecipheriv, privateDecrypt, publicEncrypt } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

/** Bytes could not be opened with the key at hand: wrong key, altered bytes, or not what they claim to be. */
export class CipherError extends Error {
  override readonly name = 'CipherError'
}

/** What WeChat Pay sends in place of a plaintext, in notifications and in the list of certificates. */
export interface EncryptedText {
  /** base64 of the encrypted bytes followed by the 16-byte tag */
  ciphertext: string
  /** used as its UTF-8 bytes; WeChat Pay sends 12 characters */
  nonce: string
  /** used as its UTF-8 bytes; absent and empty mean the same */
  associated_data?: string | undefined
}

const tagLength = 16

/**
 * Bytes of a standard base64 text, or null for anything that is not its one canonical spelling. Node's own decoder
 * skips what it does not know, and so would take a signature probe for a signature.
 */
export function bytesFromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

/**
 * Opens AEAD_AES_256_GCM (docs/wechat-pay.md §1.8). The key is the APIv3 key, as its bytes.
 * Throws CipherError when key, nonce, associated data or ciphertext do not belong together.
 */
export function decryptText(encrypted: EncryptedText, key: string): string {
  const bytes = bytesFromBase64(encrypted.ciphertext)
  if (bytes === null || bytes.length < tagLength) throw new CipherError('the ciphertext is not base64 with a tag')
  const split = bytes.length - tagLength
  try {
    const opener = createDecipheriv(gcmFor(key), Buffer.from(key), Buffer.from(encrypted.nonce), {
      authTagLength: tagLength,
    })
    opener.setAAD(Buffer.from(encrypted.associated_data ?? ''))
    opener.setAuthTag(bytes.subarray(split))
    const plaintext = Buffer.concat([opener.update(bytes.subarray(0, split)), opener.final()])
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext)
  } catch (cause) {
    if (cause instanceof CipherError) throw cause
    throw new CipherError('the ciphertext does not open with this key, nonce and associated data', { cause })
  }
}

/** Closes a text as WeChat Pay does; the inverse of `decryptText`. A nonce must never be used twice with one key. */
export function encryptText(plaintext: string, nonce: string, associatedData: string, key: string): EncryptedText {
  const closer = createCipheriv(gcmFor(key), Buffer.from(key), Buffer.from(nonce), { authTagLength: tagLength })
  closer.setAAD(Buffer.from(associatedData))
  const bytes = Buffer.concat([closer.update(plaintext, 'utf8'), closer.final(), closer.getAuthTag()])
  return { ciphertext: bytes.toString('base64'), nonce, associated_data: associatedData }
}

/**
 * A real APIv3 key has 32 bytes, and `wechat/credentials` takes no other. The 16-byte keys of the official SDK's
 * published vectors name AES-128 and are opened here so that those vectors can prove this file.
 */
function gcmFor(key: string): 'aes-256-gcm' | 'aes-128-gcm' {
  const length = Buffer.byteLength(key)
  if (length === 32) return 'aes-256-gcm'
  if (length === 16) return 'aes-128-gcm'
  throw new CipherError(`an APIv3 key has 32 bytes, not ${length}`)
}

const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' } as const

/**
 * Encrypts one sensitive field (RSAES-OAEP with SHA-1, base64; docs/wechat-pay.md §1.9).
 * Throws CipherError when the text is longer than the key can carry (214 bytes with 2048 bits).
 */
export function encryptField(plaintext: string, publicKey: KeyObject): string {
  try {
    return publicEncrypt({ key: publicKey, ...oaep }, Buffer.from(plaintext)).toString('base64')
  } catch (cause) {
    throw new CipherError('the field is too long for this key', { cause })
  }
}

/** Decrypts one sensitive field. Throws CipherError when it was not encrypted for this key. */
export function decryptField(ciphertext: string, privateKey: KeyObject): string {
  const bytes = bytesFromBase64(ciphertext)
  if (bytes === null) throw new CipherError('the field is not base64')
  try {
    return privateDecrypt({ key: privateKey, ...oaep }, bytes).toString('utf8')
  } catch (cause) {
    throw new CipherError('the field does not open with this key', { cause })
  }
}
