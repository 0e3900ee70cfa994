import { constants, createCipheriv, privateDecrypt } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesFromBase64,
  CipherError,
  decryptField,
  decryptText,
  encryptField,
  encryptText,
} from '../../wechat/cipher.ts'
import { privateKey, publicKey, vectorsOf } from './vectors.ts'

interface AeadVector {
  id: string
  key: string
  nonce: string
  associated_data: string
  ciphertext: string
  plaintext?: string
  must_fail?: boolean
}
interface FieldVector {
  id: string
  key: string
  padding: string
  ciphertext: string
  plaintext: string
}
const aead = (vectorsOf('aead') as { vectors: AeadVector[] }).vectors
const fields = (vectorsOf('sensitive-field') as { vectors: FieldVector[] }).vectors

describe('an encrypted resource', () => {
  it.each(aead.filter((vector) => !vector.must_fail))('$id opens and closes as published', (vector) => {
    expect(decryptText(vector, vector.key)).toBe(vector.plaintext)
    const closed = encryptText(vector.plaintext ?? '', vector.nonce, vector.associated_data, vector.key)
    expect(closed.ciphertext).toBe(vector.ciphertext)
  })

  it.each(aead.filter((vector) => vector.must_fail))('$id does not open', (vector) => {
    expect(() => decryptText(vector, vector.key)).toThrow(CipherError)
  })

  it('has vectors that must fail among the published ones', () => {
    expect(aead.filter((vector) => vector.must_fail)).toHaveLength(2)
  })

  const key = 'testApiV3Key0123456789abcdefABCD'

  it('gives back any text, and takes an absent associated_data for an empty one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, associated) => {
        return decryptText(encryptText(text, 'nonce0123456', associated, key), key) === text
      }),
    )
    const { ciphertext, nonce } = encryptText('text', 'nonce0123456', '', key)
    expect(decryptText({ ciphertext, nonce }, key)).toBe('text')
  })

  it('does not open when a single bit of it was changed', () => {
    const { ciphertext, nonce } = encryptText('{"amount":100}', 'nonce0123456', 'transaction', key)
    const bytes = Buffer.from(ciphertext, 'base64')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      const encrypted = { ciphertext: changed.toString('base64'), nonce, associated_data: 'transaction' }
      expect(() => decryptText(encrypted, key)).toThrow(CipherError)
    }
  })

  it.each([
    ['another key', { key: 'testApiV3Key0123456789abcdefABCE' }],
    ['a key of the wrong length', { key: 'short' }],
    ['an empty nonce', { nonce: '' }],
    ['no tag', { ciphertext: 'AAAA' }],
    ['loose base64', { ciphertext: '*not base64*' }],
  ])('does not open with %s', (_what, change) => {
    const whole = { ...encryptText('text', 'nonce0123456', '', key), key, ...change }
    expect(() => decryptText(whole, whole.key)).toThrow(CipherError)
  })

  it('that is no UTF-8 inside is refused, not repaired', () => {
    const closer = createCipheriv('aes-256-gcm', key, 'nonce0123456')
    const bytes = Buffer.concat([closer.update(Buffer.from([0xc3, 0x28])), closer.final(), closer.getAuthTag()])
    const encrypted = { ciphertext: bytes.toString('base64'), nonce: 'nonce0123456' }
    expect(() => decryptText(encrypted, key)).toThrow(CipherError)
  })
})

describe('base64', () => {
  it('has one spelling for each sequence of bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => bytesFromBase64(Buffer.from(bytes).toString('base64')) !== null))
    for (const loose of ['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'Q-_=', 'QQ==QQ==', 'WECHATPAY/SIGNTEST/QQ==']) {
      expect(bytesFromBase64(loose)).toBeNull()
    }
  })
})

describe('a sensitive field', () => {
  const oaep = fields.filter((vector) => vector.padding === 'OAEP-SHA1')

  it.each(oaep)('$id opens as published', (vector) => {
    expect(decryptField(vector.ciphertext, privateKey(vector.key))).toBe(vector.plaintext)
  })

  it.each(oaep)('$id is SHA-1, as all official SDKs have it: SHA-256 does not open it', (vector) => {
    const key = { key: privateKey(vector.key), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
    expect(() => privateDecrypt(key, Buffer.from(vector.ciphertext, 'base64'))).toThrow()
  })

  it.each(fields.filter((vector) => vector.padding !== 'OAEP-SHA1'))(
    '$id, of the padding that payment never uses, does not open',
    (vector) => expect(() => decryptField(vector.ciphertext, privateKey(vector.key))).toThrow(CipherError),
  )

  it('comes back for whom it was encrypted, and for nobody else', () => {
    const encrypted = encryptField('张三', publicKey('go-sdk'))
    expect(encrypted).not.toBe(encryptField('张三', publicKey('go-sdk')))
    expect(decryptField(encrypted, privateKey('go-sdk'))).toBe('张三')
    expect(() => decryptField(encrypted, privateKey('java-sdk-merchant'))).toThrow(CipherError)
    expect(() => decryptField('no base64!', privateKey('go-sdk'))).toThrow(CipherError)
  })

  it('holds 214 bytes with a key of 2048 bits', () => {
    expect(decryptField(encryptField('x'.repeat(214), publicKey('go-sdk')), privateKey('go-sdk'))).toHaveLength(214)
    expect(() => encryptField('x'.repeat(215), publicKey('go-sdk'))).toThrow(CipherError)
  })
})
