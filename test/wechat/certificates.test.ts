import { describe, expect, it } from 'vitest'
import { readCertificates } from '../../wechat/certificates.ts'
import { CipherError } from '../../wechat/cipher.ts'
import { isSameSerial } from '../../wechat/credentials.ts'
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
    const { keys, mistakes } = readCertificates(vector.body, vector.api_v3_key)
    expect(mistakes).toEqual([])
    expect(keys.map((key) => key.serial)).toEqual(vector.expected_serials)
    expect(keys.every((key) => key.kind === 'certificate' && key.expire_time !== null)).toBe(true)
  })

  it('holds the very key that signed the other vectors of its SDK', () => {
    const vector = vectors.find(({ id }) => id === 'go-mock-download')
    const [key] = readCertificates(vector?.body ?? '', vector?.api_v3_key ?? '').keys
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

  it('is read without the entry that cannot be, which is named', () => {
    const vector = vectors[0]
    const list = JSON.parse(vector?.body ?? '') as { data: { serial_no: string; encrypt_certificate: object }[] }
    const [first] = list.data
    if (!first || !vector) throw new Error('no vectors')
    const broken = { serial_no: 'ABCD', encrypt_certificate: { ciphertext: 'AAAA', nonce: 'x'.repeat(12) } }
    const read = readCertificates(JSON.stringify({ data: [broken, ...list.data] }), vector.api_v3_key)
    expect(read.keys.map(({ serial }) => serial)).toEqual(vector.expected_serials)
    expect(read.mistakes).toEqual([expect.stringMatching(/^certificate ABCD cannot be read: /)])
  })

  it.each([{}, 'certificate', { serial_no: 'ABCD' }, { serial_no: 7, encrypt_certificate: null }])(
    'is read without an entry that is no certificate at all: %j',
    (odd) => {
      const [vector] = vectors
      if (vector === undefined) throw new Error('no vectors')
      const list = JSON.parse(vector.body) as { data: object[] }
      const read = readCertificates(JSON.stringify({ data: [...list.data, odd] }), vector.api_v3_key)
      expect(read.keys.map(({ serial }) => serial)).toEqual(vector.expected_serials)
      expect(read.mistakes).toEqual([`entry ${list.data.length + 1} of the list is no certificate`])
    },
  )

  it('names a serial as people copy it: with colons, in small letters', () => {
    expect(isSameSerial('5f:0a:11', '5F0A11')).toBe(true)
    expect(isSameSerial('00:5f:0a:11', '5f0a11')).toBe(true)
  })

  it('may write the zeros that a serial begins with', () => {
    const vector = vectors[0]
    const [serial = ''] = vector?.expected_serials ?? []
    const body = vector?.body.replaceAll(serial, `00${serial}`) ?? ''
    expect(readCertificates(body, vector?.api_v3_key ?? '').keys[0]?.serial).toBe(serial)
    expect([isSameSerial('00ab01', 'AB01'), isSameSerial('00', '0'), isSameSerial('AB01', 'AB010')]).toEqual([
      true,
      true,
      false,
    ])
  })

  it.each(['', '[]', '{}', '{"data":[{}]}', 'no json'])('that is none is refused: %s', (body) => {
    expect(() => readCertificates(body, 'x'.repeat(32))).toThrow(CipherError)
  })
})
