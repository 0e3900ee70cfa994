import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  authorization,
  checkSignature,
  freshNonce,
  parseAuthorization,
  probePrefix,
  payMessage,
  paySign,
  requestMessage,
  responseMessage,
  sign,
  signatureHeaders,
  verify,
} from '../../wechat/signature.ts'
import { privateKey, publicKey, publishedKey, received, vectorsOf } from './vectors.ts'

interface RequestVector {
  id: string
  key: string
  raw_message?: boolean
  method: string
  url: string
  timestamp: string
  nonce_str: string
  body: string
  message: string
  signature: string
  authorization: string
}
interface ResponseVector {
  id: string
  key: string
  headers: Record<string, string>
  body: string
  message: string
  valid: boolean
}
interface PayVector {
  id: string
  key: string
  appid: string
  timestamp: string
  nonce_str: string
  prepay_id: string
  message: string
  signature: string
}
const requests = vectorsOf('request-sign') as {
  vectors: RequestVector[]
  message_format: RequestVector[]
  authorization_field_order: { source: string; order: string[] }[]
}
const responses = (vectorsOf('response-verify') as { vectors: ResponseVector[] }).vectors
const payCalls = (vectorsOf('pay-sign') as { vectors: PayVector[] }).vectors

describe('a request signature', () => {
  const messages = requests.vectors.filter((vector) => vector.raw_message)
  const complete = requests.vectors.filter((vector) => !vector.raw_message)

  it.each([...complete, ...requests.message_format])('covers exactly the bytes of $id', (vector) => {
    expect(requestMessage(vector).toString('utf8')).toBe(vector.message)
  })

  it.each(requests.vectors)('of $id is the published one, byte for byte', (vector) => {
    expect(sign(vector.message, privateKey(vector.key))).toBe(vector.signature)
    expect(verify(vector.message, vector.signature, publicKey(vector.key))).toBe(true)
  })

  it.each(complete)('of $id goes out in the published header', (vector) => {
    const { mchid = '', merchant_serial_no: serial_no = '' } = publishedKey(vector.key)
    const header = authorization(vector, { mchid, serial_no, private_key: privateKey(vector.key) })
    expect(header).toBe(vector.authorization)
  })

  it('has vectors of each kind to prove it', () => {
    expect(messages.map((vector) => vector.id)).toEqual(['go-raw-message', 'java-raw-message'])
    expect(complete).toHaveLength(9)
    expect(requests.message_format).toHaveLength(3)
  })

  it('takes the method in upper case whatever the caller wrote', () => {
    const request = { method: 'get', url: '/v3/certificates', timestamp: 1, nonce_str: 'n', body: '' }
    expect(requestMessage(request).toString()).toBe('GET\n/v3/certificates\n1\nn\n\n')
  })
})

describe('an Authorization header', () => {
  const vector = requests.vectors[0]
  if (!vector) throw new Error('no vector')
  const values: Record<string, string> = {
    mchid: '1900007291',
    nonce_str: vector.nonce_str,
    timestamp: vector.timestamp,
    serial_no: '408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB',
    signature: vector.signature,
  }

  it.each(requests.authorization_field_order)('is read in the field order of $source', ({ order }) => {
    const header = `WECHATPAY2-SHA256-RSA2048 ${order.map((name) => `${name}="${values[name] ?? ''}"`).join(',')}`
    expect(parseAuthorization(header)).toEqual({ kind: 'read', authorization: values })
  })

  it('is read back as it was written', () => {
    const signer = { mchid: '1900000001', serial_no: 'AB', private_key: privateKey('doc-merchant') }
    const request = { method: 'GET', url: '/', timestamp: 5, nonce_str: 'n', body: '' }
    const read = parseAuthorization(authorization(request, signer))
    expect(read).toMatchObject({
      kind: 'read',
      authorization: { mchid: '1900000001', timestamp: '5', serial_no: 'AB' },
    })
  })

  it.each(['Bearer abc', 'WECHATPAY2-SM2-WITH-SM3 mchid="1"', 'wechatpay2-sha256-rsa2048 mchid="1"'])(
    'of another scheme is told apart: %s',
    (header) => expect(parseAuthorization(header)).toEqual({ kind: 'other_scheme' }),
  )

  it.each([
    '',
    'WECHATPAY2-SHA256-RSA2048',
    'WECHATPAY2-SHA256-RSA2048 ',
    'WECHATPAY2-SHA256-RSA2048 mchid=1,nonce_str="n",timestamp="1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",serial_no="s"',
    'WECHATPAY2-SHA256-RSA2048 nonce_str="n",timestamp="1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",timestamp="1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="",nonce_str="n",timestamp="1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1s",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="s1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",serial_no="s",signature="x" y',
    'WECHATPAY2-SHA256-RSA2048 = mchid="1",nonce_str="n",timestamp="1",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="now",serial_no="s",signature="x"',
    'WECHATPAY2-SHA256-RSA2048 mchid="1",mchid="2",nonce_str="n",timestamp="1",serial_no="s",signature="x"',
    `WECHATPAY2-SHA256-RSA2048 mchid="1",nonce_str="n",timestamp="1",serial_no="s",signature="${'x'.repeat(5000)}"`,
  ])('that cannot be read is malformed: %.60s', (header) => {
    expect(parseAuthorization(header)).toEqual({ kind: 'malformed' })
  })

  it('has a nonce of 32 upper-case hex digits, another each time', () => {
    expect([freshNonce(), freshNonce()].map((nonce) => /^[0-9A-F]{32}$/.test(nonce))).toEqual([true, true])
    expect(freshNonce()).not.toBe(freshNonce())
  })

  it('never makes the reader throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAuthorization(`WECHATPAY2-SHA256-RSA2048 ${text}`)))
  })
})

describe('a response signature', () => {
  it.each(responses)('of $id is judged as published', (vector) => {
    const { headers, body, key } = vector
    const timestamp = headers['Wechatpay-Timestamp'] ?? ''
    const message = responseMessage({ timestamp, nonce: headers['Wechatpay-Nonce'] ?? '', body })
    expect(message.toString('utf8')).toBe(vector.message)
    expect(verify(message, headers['Wechatpay-Signature'] ?? '', publicKey(key))).toBe(vector.valid)

    const complete = received({ 'Wechatpay-Serial': 'K', ...headers })
    const check = checkSignature({ headers: complete, body }, () => publicKey(key), Number(timestamp) * 1000)
    expect(check.verdict).toBe(vector.valid ? 'verified' : 'rejected')
  })

  it('names a probe as such, so that nobody is alarmed', () => {
    const probe = responses.find((vector) => vector.id.includes('signtest'))
    if (!probe) throw new Error('no probe among the vectors')
    const now = Number(probe.headers['Wechatpay-Timestamp']) * 1000
    const check = checkSignature({ headers: received(probe.headers), body: probe.body }, () => publicKey('go-sdk'), now)
    expect(check).toMatchObject({ verdict: 'rejected', reason: 'probe' })
  })

  it('covers bytes, not text: a body that is no UTF-8 verifies too', () => {
    const body = Buffer.from([0xff, 0xfe, 0x00, 0x0a])
    const message = responseMessage({ timestamp: 1, nonce: 'n', body })
    expect(verify(message, sign(message, privateKey('go-sdk')), publicKey('go-sdk'))).toBe(true)
    expect(message.subarray(4, 8)).toEqual(body)
  })

  it('is false for garbage of any kind, and never throws', () => {
    const good = sign('message', privateKey('go-sdk'))
    const garbage = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.constantFrom('', good.slice(1), good + good, ` ${good}`),
    )
    fc.assert(fc.property(garbage, (text) => verify('message', text, publicKey('go-sdk')) === false))
    for (const other of [`${good}\n`, good.replaceAll('=', ''), good.replace(/\+/g, '-').replace(/\//g, '_') + ' ']) {
      expect(verify('message', other, publicKey('go-sdk'))).toBe(false)
    }
    expect(verify('message', good, publicKey('go-sdk'))).toBe(true)
  })
})

describe('a signed message', () => {
  const now = 1_767_240_000_000
  const body = '{"a":1}'
  const signer = { serial_no: 'PUB_KEY_ID_1', private_key: privateKey('go-sdk') }
  const find = (serial: string) => (serial === 'PUB_KEY_ID_1' ? publicKey('go-sdk') : null)
  const headersAt = (seconds: number) =>
    received(signatureHeaders({ timestamp: now / 1000 + seconds, nonce: freshNonce(), body }, signer))
  const reasonOf = (headers: Record<string, string | string[] | undefined>) => {
    const check = checkSignature({ headers, body }, find, now)
    return check.verdict === 'rejected' ? check.reason : check.verdict
  }

  it.each([0, 299, -299])('is believed at %i s from our clock', (seconds) => {
    expect(checkSignature({ headers: headersAt(seconds), body }, find, now)).toEqual({
      verdict: 'verified',
      serial_no: 'PUB_KEY_ID_1',
    })
  })

  it.each([300, -300, 301, 86_400])('is stale at %i s', (seconds) => {
    expect(reasonOf(headersAt(seconds))).toBe('stale')
  })

  it('that is stale says whether WeChat Pay had signed it: then one of the clocks may be wrong', () => {
    const old = headersAt(-3_600)
    const staleness = (given: Record<string, string> = {}) =>
      checkSignature({ headers: { ...old, ...given }, body }, find, now)
    const stale = { verdict: 'rejected', reason: 'stale', serial_no: 'PUB_KEY_ID_1', timestamp: now / 1000 - 3_600 }
    expect(staleness()).toEqual({ ...stale, is_signed: true })
    expect(staleness({ 'wechatpay-nonce': 'other' })).toEqual({ ...stale, is_signed: false })
    const probe = `${probePrefix}${old['wechatpay-signature']}`
    expect(staleness({ 'wechatpay-signature': probe })).toEqual({ ...stale, is_signed: false })
    const unknown = { 'wechatpay-serial': 'PUB_KEY_ID_2' }
    expect(staleness(unknown)).toEqual({ ...stale, serial_no: 'PUB_KEY_ID_2', is_signed: false })
  })

  it('may have each header in a list of one', () => {
    const listed = Object.fromEntries(Object.entries(headersAt(0)).map(([name, value]) => [name, [value]]))
    expect(reasonOf({ ...listed, 'wechatpay-signature-type': undefined })).toBe('verified')
    expect(reasonOf({ ...listed, 'wechatpay-signature-type': undefined, 'wechatpay-nonce': [] })).toBe('missing_header')
  })

  it.each(['wechatpay-timestamp', 'wechatpay-nonce', 'wechatpay-signature', 'wechatpay-serial'])(
    'without %s is incomplete',
    (name) => {
      expect(reasonOf({ ...headersAt(0), [name]: undefined })).toBe('missing_header')
      expect(reasonOf({ ...headersAt(0), [name]: '' })).toBe('missing_header')
      expect(reasonOf({ ...headersAt(0), [name]: ['1', '2'] })).toBe('missing_header')
    },
  )

  it('may leave out the signature type, and may name no other', () => {
    expect(reasonOf({ ...headersAt(0), 'wechatpay-signature-type': undefined })).toBe('verified')
    expect(reasonOf({ ...headersAt(0), 'wechatpay-signature-type': 'WECHATPAY2-SM2-WITH-SM3' })).toBe(
      'unsupported_signature_type',
    )
  })

  it('is malformed when its timestamp is no number of seconds', () => {
    for (const timestamp of ['now', '1e9', '-5', '1767240000000', '1767240000, 1767240000']) {
      expect(reasonOf({ ...headersAt(0), 'wechatpay-timestamp': timestamp })).toBe('malformed')
    }
  })

  it('of an unknown signer says so', () => {
    expect(reasonOf({ ...headersAt(0), 'wechatpay-serial': 'PUB_KEY_ID_2' })).toBe('unknown_serial')
  })

  it('is refused when any header it covers was changed', () => {
    expect(reasonOf({ ...headersAt(0), 'wechatpay-nonce': 'other' })).toBe('bad_signature')
    expect(reasonOf({ ...headersAt(0), 'wechatpay-timestamp': String(now / 1000 + 1) })).toBe('bad_signature')
  })
})

describe('a pay signature', () => {
  it.each(payCalls)('of $id is the published one', (vector) => {
    const call = { ...vector, trade_type: vector.id.endsWith('app') ? ('APP' as const) : ('JSAPI' as const) }
    expect(payMessage(call)).toBe(vector.message)
    expect(paySign(call, privateKey(vector.key))).toBe(vector.signature)
    expect(verify(vector.message, vector.signature, createPublicKey(privateKey(vector.key)))).toBe(true)
  })
})
