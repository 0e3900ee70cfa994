import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fingerprints, readCertificate, readCredentials } from '../../wechat/credentials.ts'
import { certificatePem, privateKey, publicKey } from './vectors.ts'

const pem = (name: string) => privateKey(name).export({ type: 'pkcs8', format: 'pem' }).toString()
const publicPem = (name: string) => publicKey(name).export({ type: 'spki', format: 'pem' }).toString()

const good = {
  mchid: '1900007291',
  appids: ['wxd678efh567hg6787'],
  serial_no: '408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB',
  private_key: pem('doc-merchant'),
  apiv3_key: 'testApiV3Key0123456789abcdefABCD',
  public_key_id: 'PUB_KEY_ID_0114232134912410000000000000',
  public_key: publicPem('go-sdk'),
}

const mistakesOf = (change: object) => {
  const read = readCredentials({ ...good, ...change })
  return read.kind === 'mistakes' ? read.mistakes.map((mistake) => mistake.field) : []
}

describe('a merchant’s set-up', () => {
  it('is read with its keys ready to use', () => {
    const read = readCredentials({ ...good, serial_no: good.serial_no.toLowerCase() })
    if (read.kind !== 'credentials') throw new Error(JSON.stringify(read.mistakes))
    const { credentials } = read
    expect(credentials.serial_no).toBe(good.serial_no)
    expect(credentials.private_key.asymmetricKeyType).toBe('rsa')
    expect(credentials.keys.map((key) => [key.kind, key.serial])).toEqual([['public_key', good.public_key_id]])
  })

  it('may hold platform certificates, a public key, both, or neither', () => {
    const certificates = [{ certificate: certificatePem('go-sdk', 'D7CE59D1F522D701') }]
    const kinds = (change: object) => {
      const read = readCredentials({ ...good, ...change })
      return read.kind === 'credentials' ? read.credentials.keys.map((key) => key.kind) : read.mistakes
    }
    expect(kinds({ certificates })).toEqual(['public_key', 'certificate'])
    expect(kinds({ certificates, public_key: null, public_key_id: null })).toEqual(['certificate'])
    expect(kinds({ public_key: undefined, public_key_id: undefined })).toEqual([])
  })

  it('may bring its key as PKCS#1 too', () => {
    const pkcs1 = privateKey('doc-merchant').export({ type: 'pkcs1', format: 'pem' }).toString()
    expect(mistakesOf({ private_key: pkcs1 })).toEqual([])
  })

  it.each([
    ['an APIv3 key of 31 characters', { apiv3_key: 'x'.repeat(31) }, '/apiv3_key'],
    ['an APIv3 key that is not ASCII', { apiv3_key: '密'.repeat(32) }, '/apiv3_key'],
    ['a serial of 39 digits', { serial_no: 'A'.repeat(39) }, '/serial_no'],
    ['a private key that is no PEM', { private_key: 'MIIEvg' }, '/private_key'],
    ['a public key in place of the private one', { private_key: publicPem('doc-merchant') }, '/private_key'],
    [
      'a certificate in place of the public key',
      { public_key: certificatePem('go-sdk', 'D7CE59D1F522D701') },
      '/public_key',
    ],
    ['its own public key in place of WeChat Pay’s', { public_key: publicPem('doc-merchant') }, '/public_key'],
    ['a public key without its id', { public_key_id: null }, '/public_key_id'],
    ['an id without its public key', { public_key: null }, '/public_key'],
    ['a certificate that is none', { certificates: [{ certificate: 'x' }] }, '/certificates/0'],
    ['no appid', { appids: [] }, '/appids'],
    ['a mchid of letters', { mchid: 'merchant' }, '/mchid'],
  ])('with %s is refused by its field', (_what, change, field) => {
    expect(mistakesOf(change)).toEqual([field])
  })

  it('with keys too weak, or of another kind, is refused', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    for (const key of [weak, curve]) {
      expect(mistakesOf({ private_key: key.export({ type: 'pkcs8', format: 'pem' }).toString() })).toEqual([
        '/private_key',
      ])
      const half = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
      expect(mistakesOf({ public_key: half })).toEqual(['/public_key'])
    }
  })

  it('tells all of its mistakes at once, and repeats no secret', () => {
    const read = readCredentials({ ...good, private_key: 'SECRET-PEM', public_key: 'SECRET-PUB' })
    expect(read).toMatchObject({ kind: 'mistakes', mistakes: [{ field: '/private_key' }, { field: '/public_key' }] })
    const other = readCredentials({ ...good, apiv3_key: 'SECRET-KEY', serial_no: 'SECRET-SERIAL' })
    expect(JSON.stringify([read, other])).not.toContain('SECRET')
  })
})

describe('fingerprints', () => {
  const shown = (change: object) => {
    const read = readCredentials({ ...good, ...change })
    if (read.kind !== 'credentials') throw new Error(JSON.stringify(read.mistakes))
    return fingerprints(read.credentials)
  }

  it('tell one key from another and hold none of them', () => {
    const first = shown({})
    expect(shown({})).toEqual(first)
    expect(shown({ apiv3_key: 'testApiV3Key0123456789abcdefABCE' }).apiv3_key).not.toBe(first.apiv3_key)
    expect(shown({ private_key: pem('java-sdk-merchant') }).private_key).not.toBe(first.private_key)
    expect(JSON.stringify(first)).not.toContain(good.apiv3_key.slice(0, 8))
    expect(first.keys[0]?.fingerprint).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('a platform certificate', () => {
  it('brings its serial, dates and key', () => {
    const key = readCertificate(certificatePem('java-sdk-wechatpay', '440024045C4A427599D09BB4E3DE0279F2E813FD'))
    expect(key).toMatchObject({
      kind: 'certificate',
      serial: '440024045C4A427599D09BB4E3DE0279F2E813FD',
      effective_time: Date.parse('2022-05-10T02:04:30Z'),
      expire_time: Date.parse('2025-05-09T02:04:30Z'),
    })
    expect(key.key.equals(publicKey('java-sdk-wechatpay'))).toBe(true)
  })
})
