import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decryptText, encryptText } from '../../wechat/cipher.ts'
import { notificationLimit, readNotification } from '../../wechat/notification.ts'
import { checkSignature, freshNonce, signatureHeaders } from '../../wechat/signature.ts'
import { privateKey, publicKey, received, vectorsOf } from './vectors.ts'

interface NotificationVector {
  id: string
  platform_key: string
  api_v3_key: string
  now: number
  headers: Record<string, string>
  body: string
  plaintext: string | null
  accept: boolean
  reason?: string
}
const generated = (vectorsOf('notification-generated') as { vectors: NotificationVector[] }).vectors
const official = (vectorsOf('notification-official') as { vectors: NotificationVector[] }).vectors

const known = ['PUB_KEY_ID_0114232134912410000000000000', 'D7CE59D1F522D701']
const apiv3_key = 'testApiV3Key0123456789abcdefABCD'
const mchid = '1900007291'

/** A key ring that knows the platform of the vectors, and what was asked of it. */
function ring(serials = known) {
  const missed: string[] = []
  const keyring = {
    find: (serial: string) => (serials.includes(serial) ? publicKey('go-sdk') : null),
    fetchMissing: (serial: string) => Promise.resolve(missed.push(serial) < 0),
    isEmpty: () => serials.length === 0,
  }
  return { keyring, missed }
}

function judge(vector: NotificationVector, keyring = ring().keyring) {
  const message = { headers: received(vector.headers), body: Buffer.from(vector.body) }
  return readNotification(message, { mchid, apiv3_key: vector.api_v3_key, keyring, now: vector.now * 1000 })
}

describe('a notification', () => {
  it.each(generated.filter((vector) => vector.accept))('$id is accepted, and opens to what was sent', (vector) => {
    const read = judge(vector)
    if (read.verdict !== 'verified') throw new Error(read.verdict)
    expect(read.plaintext).toBe(vector.plaintext)
    const sent = JSON.parse(vector.plaintext ?? '') as { out_trade_no: string; refund_status?: string }
    expect(read.fact.out_trade_no).toBe(sent.out_trade_no)
    if (read.subject === 'refund') expect(read.fact.refund_status).toBe(sent.refund_status)
    expect(read.subject).toBe(sent.refund_status ? 'refund' : 'payment')
  })

  const refusals: Record<string, [verdict: string, reason: string]> = {
    'generated-bad-tampered-body': ['rejected', 'bad_signature'],
    'generated-bad-reserialised': ['rejected', 'bad_signature'],
    'generated-bad-stale-timestamp': ['rejected', 'stale'],
    'generated-bad-future-timestamp': ['rejected', 'stale'],
    'generated-bad-unknown-serial': ['rejected', 'unknown_serial'],
    'generated-bad-signtest': ['rejected', 'probe'],
    'generated-bad-swapped-nonce': ['rejected', 'bad_signature'],
    'generated-bad-aad-correctly-signed': ['undecipherable', 'key'],
  }
  it.each(generated.filter((vector) => !vector.accept))('$id is refused: $reason', (vector) => {
    const [verdict, reason] = refusals[vector.id] ?? []
    expect(judge(vector)).toMatchObject({ verdict, reason })
  })

  it('has vectors of both kinds', () => {
    expect(generated.filter((vector) => vector.accept)).toHaveLength(5)
    expect(generated.filter((vector) => !vector.accept).map((vector) => vector.id)).toEqual(Object.keys(refusals))
  })

  it.each(official)('$id verifies and opens, and is of no subject that Weft handles', (vector) => {
    const message = { headers: received(vector.headers), body: Buffer.from(vector.body) }
    const check = checkSignature(message, () => publicKey('go-sdk'), vector.now * 1000)
    expect(check.verdict).toBe('verified')
    const { resource } = JSON.parse(vector.body) as {
      resource: { ciphertext: string; nonce: string; associated_data: string }
    }
    expect(decryptText(resource, vector.api_v3_key)).toBe(vector.plaintext)
    expect(judge(vector)).toMatchObject({ verdict: 'undecipherable', reason: 'unknown_subject' })
  })

  it('says the same in each of its deliveries', () => {
    const [first, retry] = generated
    if (!first || !retry) throw new Error('no vectors')
    const { serial_no: _first, ...one } = judge(first) as { serial_no: string }
    const { serial_no: _second, ...other } = judge(retry) as { serial_no: string }
    expect(other).toEqual(one)
    expect(one).toMatchObject({
      notification_id: 'c0ffee00-0000-5000-8000-000000000001',
      event_type: 'TRANSACTION.SUCCESS',
      create_time: '2026-01-01T12:00:05+08:00',
      fact: {
        transaction_id: '4200009999202601010000000001',
        trade_state: 'SUCCESS',
        success_time: '2026-01-01T12:00:05.000+08:00',
        amount: { total: 1, currency: 'CNY', payer_total: 1 },
      },
    })
  })
})

const now = 1_767_240_000_000
const payment = {
  mchid,
  appid: 'wxd678efh567hg6787',
  out_trade_no: 'T20260101000000000001',
  transaction_id: '4200009999202601010000000001',
  trade_state: 'SUCCESS',
  success_time: '2026-01-01T12:00:05+08:00',
  amount: { total: 100, payer_total: 90, currency: 'CNY' },
}

/** A notification as WeChat Pay would send it, with what the test wants different. */
function notify(
  change: { plaintext?: unknown; envelope?: object; body?: string; at?: number; event_type?: string } = {},
) {
  const plaintext =
    typeof change.plaintext === 'string' ? change.plaintext : JSON.stringify(change.plaintext ?? payment)
  const resource = {
    original_type: 'transaction',
    algorithm: 'AEAD_AES_256_GCM',
    ...encryptText(plaintext, 'abcdefghijkl', 'transaction', apiv3_key),
  }
  const event_type = change.event_type ?? 'TRANSACTION.SUCCESS'
  const envelope = { id: 'n-1', create_time: '2026-01-01T12:00:05+08:00', event_type, resource, ...change.envelope }
  return signed(Buffer.from(change.body ?? JSON.stringify(envelope)), change.at)
}

function signed(body: Buffer, at = now / 1000) {
  const signer = { serial_no: known[0] ?? '', private_key: privateKey('go-sdk') }
  const headers = signatureHeaders({ timestamp: at, nonce: freshNonce(), body }, signer)
  return { headers: received(headers) as Record<string, string | string[] | undefined>, body }
}
const envelopeOf = ({ body }: ReturnType<typeof notify>) => JSON.parse(body.toString()) as object
const read = (message: ReturnType<typeof notify>, change: Partial<Parameters<typeof readNotification>[1]> = {}) =>
  readNotification(message, { mchid, apiv3_key, keyring: ring().keyring, now, ...change })

describe('a notification of our own making', () => {
  it('is verified as it stands', () => {
    expect(read(notify())).toMatchObject({ verdict: 'verified', subject: 'payment', mchid, serial_no: known[0] })
  })

  it('is refused when its timestamp is 300 s old, and taken at 299 s', () => {
    expect(read(notify({ at: now / 1000 - 300 }))).toMatchObject({ verdict: 'rejected', reason: 'stale' })
    expect(read(notify({ at: now / 1000 + 300 }))).toMatchObject({ verdict: 'rejected', reason: 'stale' })
    expect(read(notify({ at: now / 1000 - 299 })).verdict).toBe('verified')
  })

  it('of an unknown signer fails now and starts a refresh in the background', () => {
    const { keyring, missed } = ring(['PUB_KEY_ID_2'])
    expect(read(notify(), { keyring })).toMatchObject({ verdict: 'rejected', reason: 'unknown_serial' })
    expect(missed).toEqual([known[0]])
  })

  it('is neither believed nor refused while no key at all is loaded', () => {
    const { keyring, missed } = ring([])
    expect(read(notify(), { keyring })).toEqual({ verdict: 'no_key', serial_no: known[0] })
    expect(missed).toEqual([known[0]])
  })

  it('of a known signer starts no refresh, and without headers no key could help it', () => {
    const { keyring, missed } = ring()
    const { headers, body } = notify()
    const forged = { headers: { ...headers, 'wechatpay-nonce': 'other' }, body }
    expect(read(forged, { keyring })).toMatchObject({ verdict: 'rejected', reason: 'bad_signature' })
    const empty = ring([])
    const bare = { headers: {}, body }
    expect(read(bare, { keyring: empty.keyring })).toMatchObject({ verdict: 'rejected', reason: 'missing_header' })
    expect([missed, empty.missed]).toEqual([[], []])
  })

  it('for another merchant is told apart, whatever its signature', () => {
    expect(read(notify(), { mchid: '1900000002' })).toMatchObject({
      verdict: 'foreign_mchid',
      mchid,
      subject: 'payment',
      notification_id: 'n-1',
    })
  })

  it('with the wrong APIv3 key is kept as undecipherable, for the key may be put right', () => {
    const wrong = read(notify(), { apiv3_key: 'testApiV3Key0123456789abcdefABCE' })
    expect(wrong).toMatchObject({ verdict: 'undecipherable', reason: 'key', notification_id: 'n-1' })
  })

  it('over 64 KiB is refused before anything is computed', () => {
    const large = notify({ body: 'x'.repeat(notificationLimit + 1) })
    expect(read(large)).toMatchObject({ verdict: 'rejected', reason: 'too_large' })
    expect(read(notify({ body: 'x'.repeat(notificationLimit) }))).toMatchObject({ reason: 'envelope' })
  })

  it('without its headers, or with one of them twice, is refused', () => {
    const message = notify()
    expect(read({ ...message, headers: {} })).toMatchObject({ verdict: 'rejected', reason: 'missing_header' })
    const twice = { ...message.headers, 'wechatpay-nonce': ['a', 'b'] }
    expect(read({ ...message, headers: twice })).toMatchObject({ verdict: 'rejected', reason: 'missing_header' })
  })

  it.each([
    ['no JSON', { body: 'no json' }],
    ['a list', { body: '[]' }],
    ['no resource', { envelope: { resource: undefined } }],
    ['another algorithm', { envelope: { resource: { algorithm: 'AEAD_SM4_GCM', ciphertext: '', nonce: 'n' } } }],
  ])('signed, but of %s, is kept as undecipherable', (_what, change) => {
    expect(read(notify(change))).toMatchObject({ verdict: 'undecipherable', reason: 'envelope' })
  })

  it.each([
    ['a byte that begins nothing', 0xff],
    ['half a character', 0xe6],
  ])('with %s in its summary is undecipherable: the text that is archived would not verify again', (_what, byte) => {
    const body = Buffer.from(JSON.stringify({ ...envelopeOf(notify()), summary: '?' }))
    body[body.lastIndexOf('?')] = byte
    expect(read(signed(body))).toMatchObject({ verdict: 'undecipherable', reason: 'envelope' })
  })

  it.each([
    ['no JSON', 'no json'],
    ['no mchid', { ...payment, mchid: undefined }],
    ['a state nobody knows', { ...payment, trade_state: 'ACCEPT' }],
    ['an amount in yuan', { ...payment, amount: { total: 1.5 } }],
    ['a negative amount', { ...payment, amount: { total: -1 } }],
  ])('whose plaintext is of %s, is kept as undecipherable', (_what, plaintext) => {
    expect(read(notify({ plaintext }))).toMatchObject({ verdict: 'undecipherable', reason: 'plaintext' })
  })

  it('may hold fields nobody knows yet, nulls, and what decides nothing in any form', () => {
    const plaintext = { ...payment, new_field: { deep: [null] }, attach: null, promotion_detail: [null] }
    expect(read(notify({ plaintext, envelope: { another: 1, create_time: 5 } })).verdict).toBe('verified')
  })

  it('of a payment is never read as one of a refund', () => {
    expect(read(notify({ event_type: 'REFUND.SUCCESS' }))).toMatchObject({ reason: 'plaintext' })
    expect(read(notify({ event_type: 'COUPON.USE' }))).toMatchObject({ reason: 'unknown_subject' })
  })

  it('never makes the reader throw, signed or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isSigned) => {
        const body = Buffer.from(bytes)
        const message = isSigned ? notify({ body: body.toString('latin1') }) : { headers: notify().headers, body }
        return read(message).verdict !== 'verified'
      }),
      { numRuns: 100 },
    )
    fc.assert(
      fc.property(fc.json(), (plaintext) => read(notify({ plaintext })).verdict === 'undecipherable'),
      { numRuns: 100 },
    )
  })
})

describe('a notification of a refund', () => {
  const refund = {
    mchid,
    out_trade_no: 'T20260101000000000001',
    transaction_id: '4200009999202601010000000001',
    out_refund_no: 'R20260101|1@weft',
    refund_id: '50300009999202601010000000001',
    refund_status: 'SUCCESS',
    success_time: '2026-01-01T13:00:05+08:00',
    user_received_account: '支付用户零钱',
    amount: { total: 100, refund: 60, payer_total: 90, payer_refund: 54 },
  }
  const readRefund = (change: object, event_type = 'REFUND.SUCCESS') =>
    read(notify({ plaintext: { ...refund, ...change }, event_type }))

  it('states what WeChat Pay says of it, in Beijing time', () => {
    expect(readRefund({})).toMatchObject({
      verdict: 'verified',
      subject: 'refund',
      mchid,
      fact: { ...refund, success_time: '2026-01-01T13:00:05.000+08:00' },
    })
  })

  it('may lack what only a success, an account or a coupon brings', () => {
    const least = { success_time: undefined, user_received_account: undefined, amount: { total: 100, refund: 60 } }
    const fact = {
      success_time: null,
      user_received_account: null,
      amount: { total: 100, refund: 60, payer_total: null, payer_refund: null },
    }
    expect(readRefund({ ...least, refund_status: 'CLOSED' }, 'REFUND.CLOSED')).toMatchObject({ fact })
    expect(readRefund({ ...least, user_received_account: '', success_time: '' })).toMatchObject({ fact })
    expect(readRefund({ ...least, user_received_account: null })).toMatchObject({ fact })
    const odd = { user_received_account: 5, amount: { total: 100, refund: 60, payer_total: '90', payer_refund: -1 } }
    expect(readRefund({ ...least, ...odd })).toMatchObject({ fact })
  })

  it.each([
    ['PROCESSING', 'REFUND.PROCESSING'],
    ['ABNORMAL', 'REFUND.ABNORMAL'],
    ['CLOSED', 'REFUND.CLOSED'],
  ])('may be of %s too, listed for an event or not', (refund_status, event_type) => {
    expect(readRefund({ refund_status }, event_type)).toMatchObject({ subject: 'refund', fact: { refund_status } })
  })

  it('keeps to its own fields, whatever a service provider’s has besides', () => {
    const read = readRefund({ sp_mchid: '1900000001', sub_mchid: '1900000002', channel: 'ORIGINAL', new_field: [1] })
    if (read.verdict !== 'verified') throw new Error(read.verdict)
    expect(Object.keys(read.fact).sort()).toEqual(Object.keys(refund).sort())
  })

  it('of a service provider’s merchant names no merchant of ours, and is kept', () => {
    const theirs = { mchid: undefined, sp_mchid: mchid, sub_mchid: '1900000002' }
    expect(readRefund(theirs)).toMatchObject({ verdict: 'undecipherable', reason: 'plaintext' })
  })

  it('for another merchant is told apart', () => {
    expect(readRefund({ mchid: '1900000002' })).toMatchObject({ verdict: 'foreign_mchid', subject: 'refund' })
  })

  it.each([
    ['the field of a query', { refund_status: undefined, status: 'SUCCESS' }],
    ['a status nobody knows', { refund_status: 'FAIL' }],
    ['an amount in yuan', { amount: { ...refund.amount, refund: 0.6 } }],
    ['no transaction_id', { transaction_id: undefined }],
    ['no amount.total', { amount: { ...refund.amount, total: undefined } }],
    ['no amount', { amount: undefined }],
    ['no order and no refund_id', { out_trade_no: undefined, refund_id: undefined }],
    ['a time in another form', { success_time: '20260101120005' }],
  ])('with %s is taken, since it names the refund and only wakes a question', (_what, change) => {
    const { out_refund_no } = refund
    expect(readRefund(change)).toMatchObject({ verdict: 'verified', subject: 'refund', fact: { out_refund_no } })
  })

  it.each([[undefined], [''], ['a/b']])('that names no refund is kept as undecipherable: %s', (out_refund_no) => {
    expect(readRefund({ out_refund_no })).toMatchObject({ verdict: 'undecipherable', reason: 'plaintext' })
  })
})
