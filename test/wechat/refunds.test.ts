import { afterEach, describe, expect, it } from 'vitest'
import { decryptField } from '../../wechat/cipher.ts'
import { readCertificate } from '../../wechat/credentials.ts'
import { createKeyring } from '../../wechat/keyring.ts'
import { createLimits } from '../../wechat/limits.ts'
import {
  applyAbnormalRefund,
  createRefund,
  queryRefund,
  readRefund,
  refundBody,
  refundPath,
} from '../../wechat/refunds.ts'
import { encryptFields } from '../../wechat/sensitive.ts'
import { checkSignature } from '../../wechat/signature.ts'
import type { TransportSettings } from '../../wechat/transport.ts'
import { platformPublicKey, playHost, publicKeyId, transportTo } from './server.ts'
import type { Play, Played, PlayedHost } from './server.ts'
import { certificatePem, privateKey, publicKey, vectorsOf } from './vectors.ts'

const open: PlayedHost[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((played) => played.close()))
})

/** A transport to a WeChat Pay that the test plays. */
async function playing(play: Play, settings: Partial<TransportSettings> = {}) {
  const main = await playHost(play)
  open.push(main)
  return { main, transport: transportTo(main.origin, null, settings).transport }
}
const answering = (played: Played) => playing(() => played)
const refusal = (status: number, code: string): Played => ({ status, body: JSON.stringify({ code, message: '…' }) })

const request = {
  transaction_id: '4200009999202601010000000001',
  out_refund_no: 'R20260101|1@weft',
  reason: '缺货 "no stock"',
  notify_url: 'https://pay.example.com/wechat/notify/1900007291',
  amount: { refund: 60, total: 100, currency: 'CNY' },
}
const processing = {
  refund_id: '50300009999202601010000000001',
  out_refund_no: request.out_refund_no,
  transaction_id: request.transaction_id,
  out_trade_no: 'T20260101000000000001',
  channel: 'ORIGINAL',
  user_received_account: '支付用户零钱',
  create_time: '2026-01-01T13:00:00+08:00',
  status: 'PROCESSING',
  amount: { total: 100, refund: 60, payer_total: 90, payer_refund: 54, settlement_refund: 60, settlement_total: 100 },
}
const answerWith = (change: object): Played => ({ status: 200, body: JSON.stringify({ ...processing, ...change }) })

describe('the request for a refund', () => {
  it('is the same bytes every time', () => {
    expect(refundBody(request)).toBe(
      '{"transaction_id":"4200009999202601010000000001","out_refund_no":"R20260101|1@weft",' +
        '"reason":"缺货 \\"no stock\\"","notify_url":"https://pay.example.com/wechat/notify/1900007291",' +
        '"amount":{"refund":60,"total":100,"currency":"CNY"}}',
    )
  })

  it('has no field but these, whatever it is made from, and no null', () => {
    const richer = { ...request, amount: { ...request.amount, settled: 1 }, mchid: '1900007291' }
    expect(refundBody(richer)).toBe(refundBody(request))
    expect(refundBody({ ...request, reason: null })).not.toContain('reason')
    expect(refundBody({ ...request, reason: '' })).not.toContain('reason')
  })
})

describe('asking for a refund', () => {
  const frozen = { path: refundPath, body: refundBody(request) }

  it('sends the frozen bytes and is told that the refund was accepted, with proof that can be checked again', async () => {
    const { main, transport } = await answering(answerWith({}))
    const { refund, raw } = await createRefund(transport, frozen)
    expect(main.seen[0]).toMatchObject({ method: 'POST', url: refundPath, body: frozen.body })
    expect(refund).toMatchObject({ status: 'PROCESSING', success_time: null, amount: { refund: 60 } })
    expect(checkSignature(raw, () => publicKey('go-sdk'), Date.now()).verdict).toBe('verified')
    expect(readRefund(raw.body)).toEqual(refund)
  })

  it.each(['USER_ACCOUNT_ABNORMAL', 'TRADE_OVERDUE', 'RULE_LIMIT', 'REFUND_FEE_MISMATCH'])(
    'is refused by %s',
    async (code) => {
      const { transport } = await answering(refusal(403, code))
      const failure = { kind: 'refused', operation: 'refund', code, outcome_unknown: false }
      await expect(createRefund(transport, frozen)).rejects.toMatchObject(failure)
    },
  )

  it('is refused when the answer is definite, but of unknown outcome when a try before it went unanswered', async () => {
    const { transport } = await playing((_seen, count) => (count === 1 ? 'hang_up' : refusal(400, 'PARAM_ERROR')))
    await expect(createRefund(transport, frozen)).rejects.toMatchObject({ kind: 'refused', outcome_unknown: true })
    await expect(createRefund(transport, frozen)).rejects.toMatchObject({ kind: 'refused', outcome_unknown: false })
  })

  it('repeats the same bytes when the first try breaks off', async () => {
    const { main, transport } = await playing((_seen, count) => (count === 1 ? 'hang_up' : answerWith({})))
    await createRefund(transport, frozen)
    expect(main.seen.map((seen) => seen.body)).toEqual([frozen.body, frozen.body])
  })

  it.each<[string, Played, object]>([
    ['an empty account', refusal(403, 'NOT_ENOUGH'), { kind: 'not_enough', outcome_unknown: false }],
    ['a payment not known yet', refusal(404, 'RESOURCE_NOT_EXISTS'), { kind: 'again' }],
    ['an unknown merchant', refusal(404, 'MCH_NOT_EXISTS'), { kind: 'setup' }],
    ['no permission', refusal(403, 'NO_AUTH'), { kind: 'setup' }],
    ['a limit', refusal(429, 'FREQUENCY_LIMITED'), { kind: 'slower', outcome_unknown: true }],
    ['a block', refusal(403, 'REQUEST_BLOCKED'), { kind: 'slower', outcome_unknown: true }],
    ['a system error', refusal(500, 'SYSTEM_ERROR'), { kind: 'again', outcome_unknown: true }],
    ['a code of tomorrow', refusal(403, 'A_CODE_OF_TOMORROW'), { kind: 'again', outcome_unknown: true }],
    ['an empty 404', { status: 404 }, { kind: 'again', outcome_unknown: true }],
    ['no refund', { status: 200, body: '{}' }, { kind: 'again', reason: 'unreadable', outcome_unknown: true }],
    ['another refund', answerWith({ out_refund_no: 'R2' }), { kind: 'again', reason: 'unreadable' }],
    ['nothing', { status: 204 }, { kind: 'again', outcome_unknown: true }],
  ])('answered by %s keeps its number', async (_what, played, failure) => {
    const { transport } = await answering(played)
    await expect(createRefund(transport, frozen)).rejects.toMatchObject(failure)
  })

  it('is put off without a word to WeChat Pay once too many refunds were refused', async () => {
    const now = Date.now()
    const limits = createLimits({ now: () => now, failing: { refund: { per_second: 1, burst: 2 } } })
    const { main, transport } = await playing(() => refusal(403, 'NOT_ENOUGH'), { limits })
    await expect(createRefund(transport, frozen)).rejects.toMatchObject({ kind: 'not_enough' })
    await expect(createRefund(transport, frozen)).rejects.toMatchObject({ kind: 'not_enough' })
    const failure = { kind: 'slower', reason: 'limit', outcome_unknown: false }
    await expect(createRefund(transport, frozen)).rejects.toMatchObject(failure)
    expect(main.seen).toHaveLength(2)
  })
})

describe('asking about a refund', () => {
  const number = { out_refund_no: request.out_refund_no }

  it('sends the number percent-encoded and brings the refund', async () => {
    const settled = { status: 'SUCCESS', success_time: '2026-01-01T13:02:00+08:00' }
    const { main, transport } = await answering(answerWith(settled))
    const result = await queryRefund(transport, number)
    expect(main.seen[0]).toMatchObject({ method: 'GET', url: `${refundPath}/R20260101%7C1%40weft`, body: '' })
    expect(result).toMatchObject({
      kind: 'found',
      refund: { status: 'SUCCESS', success_time: '2026-01-01T13:02:00.000+08:00', returned_to_merchant: false },
      raw: { status: 200 },
    })
  })

  it('is told of no such refund', async () => {
    const { transport } = await answering(refusal(404, 'RESOURCE_NOT_EXISTS'))
    const result = await queryRefund(transport, number)
    expect(result).toMatchObject({ kind: 'not_found', code: 'RESOURCE_NOT_EXISTS', raw: { status: 404 } })
  })

  it.each<[string, Played, string]>([
    ['an unknown merchant', refusal(404, 'MCH_NOT_EXISTS'), 'setup'],
    ['an empty 404', { status: 404 }, 'again'],
    ['another 404', refusal(404, 'ORDER_NOT_EXIST'), 'again'],
    ['the code with another status', refusal(400, 'RESOURCE_NOT_EXISTS'), 'again'],
    ['a refusal', refusal(400, 'PARAM_ERROR'), 'again'],
    ['a limit', refusal(429, 'FREQUENCY_LIMITED'), 'slower'],
    ['another refund', answerWith({ out_refund_no: 'R20260101|1' }), 'again'],
    ['a refund of no known status', answerWith({ status: 'FAIL' }), 'again'],
  ])('takes %s for no knowledge at all', async (_what, played, kind) => {
    const { transport } = await answering(played)
    await expect(queryRefund(transport, number)).rejects.toMatchObject({ kind, operation: 'query_refund' })
  })
})

describe('sending an abnormal refund elsewhere', () => {
  const card = { bank_account: '6225760000000000', real_name: '张三' }
  const target = { out_refund_no: request.out_refund_no, type: 'USER_BANK_CARD', bank_type: 'CMB_DEBIT' } as const

  it('sends the card encrypted, and names the key that only WeChat Pay has the other half of', async () => {
    const { main, transport } = await answering(answerWith({ status: 'PROCESSING' }))
    const keyring = createKeyring({ keys: [platformPublicKey], download: () => Promise.resolve([]), now: Date.now })
    const { serial, fields } = await encryptFields(keyring, 'abnormal_refund', card)
    const { refund } = await applyAbnormalRefund(transport, processing.refund_id, { ...target, ...fields }, serial)
    expect(refund.status).toBe('PROCESSING')
    const [seen] = main.seen
    expect(seen?.url).toBe(`${refundPath}/50300009999202601010000000001/apply-abnormal-refund`)
    expect(seen?.headers['wechatpay-serial']).toBe(publicKeyId)
    const body = JSON.parse(seen?.body ?? '') as Record<'bank_account' | 'real_name', string>
    expect(Object.keys(body)).toEqual(['out_refund_no', 'type', 'bank_type', 'bank_account', 'real_name'])
    expect(decryptField(body.bank_account, privateKey('go-sdk'))).toBe(card.bank_account)
    expect(decryptField(body.real_name, privateKey('go-sdk'))).toBe(card.real_name)
  })

  it('names the key of the fields even where other calls name none, in certificate mode', async () => {
    const certificate = readCertificate(certificatePem('go-sdk', 'D7CE59D1F522D701'))
    const keyring = createKeyring({ keys: [certificate], download: () => Promise.resolve([]), now: Date.now })
    const { main, transport } = await playing(() => ({ ...answerWith({}), serial: certificate.serial }), { keyring })
    const to_merchant = { ...target, type: 'MERCHANT_BANK_CARD', bank_type: null } as const
    const nothing = { bank_account: null, real_name: null }
    await applyAbnormalRefund(transport, processing.refund_id, { ...to_merchant, ...nothing }, certificate.serial)
    await queryRefund(transport, request)
    expect(main.seen.map((seen) => seen.headers['wechatpay-serial'])).toEqual([certificate.serial, undefined])
    expect(main.seen[0]?.body).toBe('{"out_refund_no":"R20260101|1@weft","type":"MERCHANT_BANK_CARD"}')
  })

  it.each<[Played, object]>([
    [refusal(400, 'PARAM_ERROR'), { kind: 'refused' }],
    [refusal(404, 'RESOURCE_NOT_EXISTS'), { kind: 'refused' }],
    [refusal(429, 'FREQUENCY_LIMITED'), { kind: 'slower' }],
    [refusal(500, 'SYSTEM_ERROR'), { kind: 'again', outcome_unknown: true }],
    [answerWith({ out_refund_no: 'R2' }), { kind: 'again', reason: 'unreadable' }],
  ])('answered by %o fails as %o', async (played, failure) => {
    const { transport } = await answering(played)
    const sent = { ...target, bank_account: 'AA==', real_name: 'AA==' }
    const call = applyAbnormalRefund(transport, processing.refund_id, sent, publicKeyId)
    await expect(call).rejects.toMatchObject({ operation: 'abnormal_refund', ...failure })
  })
})

describe('a refund', () => {
  const stateOf = (change: object) => readRefund(JSON.stringify({ ...processing, ...change }))
  const { vectors } = vectorsOf('refund') as { vectors: { id: string; body: string }[] }

  it.each(vectors)('$id reads as published', ({ body }) => {
    expect(readRefund(body)).toEqual({
      refund_id: '50000000382019052709732678859',
      out_refund_no: '1217752501201407033233368018',
      transaction_id: '1217752501201407033233368018',
      out_trade_no: '1217752501201407033233368018',
      channel: 'ORIGINAL',
      user_received_account: '招商银行信用卡0403',
      success_time: '2020-12-01T16:18:12.000+08:00',
      create_time: '2020-12-01T16:18:12.000+08:00',
      status: 'SUCCESS',
      amount: {
        total: 100,
        refund: 100,
        payer_total: 90,
        payer_refund: 90,
        settlement_refund: 100,
        settlement_total: 100,
        discount_refund: 10,
        currency: 'CNY',
      },
      returned_to_merchant: false,
    })
  })

  it('may say less, and holds nothing made up then', () => {
    const least = { channel: undefined, user_received_account: null, success_time: '', amount: { total: 5, refund: 5 } }
    expect(stateOf(least)).toMatchObject({
      channel: null,
      user_received_account: null,
      success_time: null,
      amount: {
        total: 5,
        refund: 5,
        payer_total: null,
        payer_refund: null,
        settlement_refund: null,
        settlement_total: null,
        discount_refund: null,
        currency: 'CNY',
      },
      returned_to_merchant: false,
    })
  })

  it('is read whatever form has what nothing is decided by', () => {
    const amount = { total: 5, refund: 5, payer_total: '5', settlement_total: -1, discount_refund: 0.5 }
    expect(stateOf({ channel: 5, promotion_detail: [null], amount })).toEqual(
      stateOf({ channel: undefined, amount: { total: 5, refund: 5 } }),
    )
  })

  it.each([
    ['商户基本账户', true],
    ['商户结算银行账户', true],
    ['支付用户零钱', false],
    ['招商银行信用卡0403', false],
    ['企业支付商户', false],
  ])('received by %s is the merchant’s own again: %s', (user_received_account, returned_to_merchant) => {
    expect(stateOf({ user_received_account, status: 'SUCCESS' })).toMatchObject({ returned_to_merchant })
  })

  it.each([
    { status: 'CLOSE' },
    { status: undefined, refund_status: 'SUCCESS' },
    { refund_id: '' },
    { out_refund_no: undefined },
    { create_time: '' },
    { create_time: undefined },
    { success_time: 'yesterday' },
    { amount: { total: 100 } },
    { amount: { total: 100, refund: '60' } },
    { amount: { total: 100, refund: -1 } },
    { amount: { total: 100, refund: 60, payer_refund: 0.5 } },
  ])('with %o is none', (change) => {
    expect(stateOf(change)).toBeNull()
  })
})
