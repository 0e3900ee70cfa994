import { describe, expect, it } from 'vitest'
import { CipherError, decryptField } from '../../wechat/cipher.ts'
import type { PlatformKey } from '../../wechat/credentials.ts'
import { createKeyring } from '../../wechat/keyring.ts'
import { encryptFields } from '../../wechat/sensitive.ts'
import { platformPublicKey, publicKeyId } from './server.ts'
import { privateKey, publicKey } from './vectors.ts'

const day = 24 * 60 * 60 * 1000
const start = Date.parse('2026-01-01T00:00:00Z')
const certificate = (serial: string, key: string, effective_time: number): PlatformKey => {
  const expire_time = effective_time + 1825 * day
  return { kind: 'certificate', serial, key: publicKey(key), certificate: null, effective_time, expire_time }
}
const ring = (keys: PlatformKey[], listed: PlatformKey[] = []) =>
  createKeyring({ keys, download: () => Promise.resolve(listed), now: () => start })

describe('sensitive fields', () => {
  it('are encrypted with the public key, which is named', async () => {
    const keyring = ring([certificate('ABCD', 'java-sdk-merchant', start - day), platformPublicKey])
    const { serial, fields } = await encryptFields(keyring, 'abnormal_refund', { a: '6225', b: '张三' })
    expect(serial).toBe(publicKeyId)
    expect(decryptField(fields.a, privateKey('go-sdk'))).toBe('6225')
    expect(decryptField(fields.b, privateKey('go-sdk'))).toBe('张三')
  })

  it('are encrypted with the certificate that took effect last, all with the same', async () => {
    const old = certificate('OLD', 'go-sdk', start - 100 * day)
    const keyring = ring([old, certificate('NEW', 'java-sdk-merchant', start - day)])
    const { serial, fields } = await encryptFields(keyring, 'abnormal_refund', { a: '6225', b: '张三' })
    expect(serial).toBe('NEW')
    const opened = Object.values(fields).map((field) => decryptField(field, privateKey('java-sdk-merchant')))
    expect(opened).toEqual(['6225', '张三'])
  })

  it('wait for the first download of certificates, and fail as set-up when it brings none', async () => {
    const later = ring([], [certificate('ABCD', 'go-sdk', start - day)])
    await expect(encryptFields(later, 'abnormal_refund', { a: 'x' })).resolves.toMatchObject({ serial: 'ABCD' })
    const failure = { kind: 'setup', reason: 'no_key', outcome_unknown: false }
    await expect(encryptFields(ring([]), 'abnormal_refund', { a: 'x' })).rejects.toMatchObject(failure)
  })

  it('hold 214 bytes of UTF-8, which is 71 Chinese characters', async () => {
    const keyring = ring([platformPublicKey])
    const longest = await encryptFields(keyring, 'abnormal_refund', { a: '张'.repeat(71) })
    expect(decryptField(longest.fields.a, privateKey('go-sdk'))).toHaveLength(71)
    await expect(encryptFields(keyring, 'abnormal_refund', { a: '张'.repeat(72) })).rejects.toThrow(CipherError)
  })
})
