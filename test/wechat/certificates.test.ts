import { describe, expect, it } from 'vitest'
import { readCertificates } from '../../wechat/certificates.ts'
import { CipherError } from '../../wechat/cipher.ts'
import { publicKey, vectorsOf } from './vectors.ts'

interface CertificatesVector {
  id: string
  api_v3_key: string
  body: string
  expected_serials: string[]
}
const vectors = (vectorsOf('certificates-response') as { vectors: CertificatesVector[] }).vectors

describe('a list of certificates', () => {
  it.each(vectors)('$id opens to the certificates it lists', (vector) => {
    const keys = readCertificates(vector.body, vector.api_v3_key)
    expect(keys.map((key) => key.serial)).toEqual(vector.expected_serials)
    expect(keys.every((key) => key.kind === 'certificate' && key.expire_time !== null)).toBe(true)
  })

  it('holds the very key that signed the other vectors of its SDK', () => {
    const vector = vectors.find(({ id }) => id === 'go-mock-download')
    const [key] = readCertificates(vector?.body ?? '', vector?.api_v3_key ?? '')
    expect(key?.key.equals(publicKey('go-sdk'))).toBe(true)
  })

  it.each(vectors)('$id does not open with another key', (vector) => {
    expect(() => readCertificates(vector.body, 'x'.repeat(32))).toThrow(CipherError)
  })

  it('that lists a certificate under a serial of another is refused', () => {
    const vector = vectors[0]
    const body = vector?.body.replaceAll(vector.expected_serials[0] ?? '', 'A'.repeat(40)) ?? ''
    expect(() => readCertificates(body, vector?.api_v3_key ?? '')).toThrow(/is listed as A+$/)
  })

  it.each(['', '[]', '{}', '{"data":[{}]}', 'no json'])('that is none is refused: %s', (body) => {
    expect(() => readCertificates(body, 'x'.repeat(32))).toThrow(CipherError)
  })
})
