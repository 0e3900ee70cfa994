import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { beijingTime } from '../../../domain/calendar.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

async function attentionsOf(stage: Stage) {
  return (await stage.store.merchants.find(stage.mchid))?.attentions?.map(({ code }) => code) ?? []
}

describe('a notification that proves nothing', () => {
  let stage: Stage
  let order: OrderKey
  beforeAll(async () => {
    stage = await Stage.open()
    order = await stage.ordered()
  })
  afterAll(async () => await stage.close())

  const paid = (given: object = {}) => ({
    mchid: stage.mchid,
    appid: stage.appid,
    out_trade_no: order.out_trade_no,
    transaction_id: `4200${randomBytes(12).toString('hex')}`,
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    success_time: beijingTime(Date.now()),
    payer: { openid: 'oTest' },
    amount: { total: 990, payer_total: 990, currency: 'CNY', payer_currency: 'CNY' },
    ...given,
  })
  const send = async (given: object) => {
    const url = `${stage.config.public_url}/wechat/notify/${stage.mchid}`
    const sent = await stage.simulator.control.notify({ mchid: stage.mchid, url, plaintext: paid(), ...given })
    return sent.attempts.at(-1)?.status
  }
  const untouched = async () => {
    const record = await stage.record(order)
    expect([record.state, record.payment]).toEqual(['awaiting_payment', null])
    expect(await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)).toEqual([])
  }

  it.each([
    ['forged by a stranger’s key', { sign_with: 'other' }],
    ['a signature probe of WeChat’s', { sign_with: 'probe' }],
    ['stale', { timestamp_offset_s: -301 }],
    ['from the future', { timestamp_offset_s: 900 }],
    ['signed under a serial nobody knows', { serial_no: 'PUB_KEY_ID_0000000000000000000000000000' }],
    ['without its signature', { headers: { 'Wechatpay-Signature': null } }],
    ['without a timestamp', { headers: { 'Wechatpay-Timestamp': null } }],
    ['of another kind of signature', { headers: { 'Wechatpay-Signature-Type': 'WECHATPAY2-SM2-WITH-SM3' } }],
  ])('is answered 401 when it is %s, and the order does not move', async (_, given) => {
    expect(await send(given)).toBe(401)
    await untouched()
  })

  it('is kept as a rejection with its reason, a probe apart from a forgery', async () => {
    const reasons = () => stage.store.rejections.countByReason(stage.mchid)
    await until('all are kept', async () => Object.keys(await reasons()).length >= 3)
    expect(await reasons()).toEqual({ bad_signature: 1, probe: 1, unknown_serial: 1 }) // others are only counted
  })

  it('is answered 413 when it is longer than any notification', async () => {
    expect(await send({ plaintext: undefined, body: 'x'.repeat(64 * 1024 + 1) })).toBe(413)
    await untouched()
  })

  it('is answered 500 when it verifies but is not an envelope, so that it comes again', async () => {
    expect(await send({ plaintext: undefined, body: '{"not":"an envelope"}' })).toBe(500)
    expect(await attentionsOf(stage)).toEqual(['notification_unreadable'])
    await untouched()
  })

  it('is answered 500 when it was encrypted with a key that we do not have, and calls nobody while none is missing', async () => {
    expect(await send({ encrypt_with: randomBytes(16).toString('hex') })).toBe(500)
    expect(await attentionsOf(stage)).not.toContain('decryption_failing')
    await untouched()
  })

  it('is answered 500 and never booked when it speaks of another merchant', async () => {
    expect(await send({ plaintext: paid({ mchid: '1900999999' }) })).toBe(500)
    expect(await attentionsOf(stage)).toContain('foreign_notification')
    await untouched()
  })

  it('is answered 404 for a merchant that does not exist here', async () => {
    const answer = await fetch(`${stage.config.public_url}/wechat/notify/1999999999`, { method: 'POST', body: '{}' })
    expect(answer.status).toBe(404)
  })
})

describe('the first notification of a merchant in certificate mode', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ worker: false, key_mode: 'certificate' })
  })
  afterAll(() => stage.close())

  const answered = async () => {
    const { mchid, appid, config } = stage
    const url = `${config.public_url}/wechat/notify/${mchid}`
    const money = { trade_state: 'SUCCESS', success_time: beijingTime(Date.now()), amount: { total: 5 } }
    const plaintext = { mchid, appid, out_trade_no: stage.number(), transaction_id: '4200first', ...money }
    const sent = await stage.simulator.control.notify({ mchid, url, plaintext })
    return sent.attempts.map(({ status }) => status)
  }

  it('is answered 500 in time when the certificate that proves it does not come', async () => {
    stage.simulator.control.addFault({ operation: 'certificates', fault: 'timeout_before', times: 1 })
    expect(await answered()).toEqual([500])
  })

  it('waits for the download that it began, and is taken', async () => {
    await stage.api?.close()
    await stage.startApi()
    expect(await answered()).toEqual([204])
  })
})

describe('a verified notification', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open()
  })
  afterAll(async () => await stage.close())

  it('of another amount takes the order to review and the money to suspense', async () => {
    const order = await stage.ordered()
    const { transaction_id } = stage.pay(order, 'wrong_amount', { amount: { total: 1 } })
    const record = await stage.reaches(order, 'review')
    expect(record.attention?.code).toBe('payment_contradicted')
    expect(record.payment).toMatchObject({ transaction_id, role: 'contradicted' })
    const [entry] = await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)
    expect(entry?.postings).toContainEqual({ account: 'suspense', key: transaction_id, amount: -1 })
    await until('the merchant is told not to ship', () =>
      stage.shop.typesOf(order.out_trade_no).includes('order.review'),
    )
  })

  it('of a second transaction is booked, kept for a person, and moves nothing', async () => {
    const order = await stage.ordered()
    stage.pay(order)
    const before = await stage.reaches(order, 'fulfilled')
    const { transaction_id } = stage.pay(order, 'second_payment')
    const record = await until('the second payment is in the timeline', async () => {
      const seen = await stage.record(order)
      return seen.timeline.some(({ event }) => event === 'second_payment_found') && seen
    })
    expect(record.state).toBe('fulfilled')
    expect(record.attention?.code).toBe('second_payment')
    expect(record.payment).toEqual(before.payment)
    const second = await stage.store.payments.find(order.mchid, transaction_id ?? '')
    expect(second?.role).toBe('second')
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('order.second_payment'))
  })

  it('for a number that Weft does not know is answered 204, kept as an orphan, and somebody is told', async () => {
    const out_trade_no = stage.number()
    const sent = await stage.simulator.control.notify({
      mchid: stage.mchid,
      url: `${stage.config.public_url}/wechat/notify/${stage.mchid}`,
      plaintext: {
        mchid: stage.mchid,
        appid: stage.appid,
        out_trade_no,
        transaction_id: '4200orphan',
        trade_state: 'SUCCESS',
        success_time: beijingTime(Date.now()),
        amount: { total: 5, currency: 'CNY' },
      },
    })
    expect(sent.attempts.at(-1)?.status).toBe(204)
    const [evidence] = await stage.store.evidence.ofOrder(stage.mchid, out_trade_no)
    expect(evidence?.outcome).toBe('orphan')
    expect(await attentionsOf(stage)).toContain('orphan_payment')
  })

  it('stays on the list while strangers knock, and after the next genuine notification', async () => {
    const url = `${stage.config.public_url}/wechat/notify/${stage.mchid}`
    const knock = (given: object) => stage.simulator.control.notify({ mchid: stage.mchid, url, ...given })
    for (let n = 0; n < 5; n += 1) await knock({ plaintext: {}, sign_with: 'other' })
    expect(await attentionsOf(stage)).not.toContain('signatures_failing')
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    expect(await attentionsOf(stage)).toContain('orphan_payment')
    const answer = await stage.call<{ attentions: { code: string }[] }>('GET', `/v1/merchants/${stage.mchid}`)
    expect(answer.body.attentions.map(({ code }) => code)).toContain('orphan_payment')
  })

  it('of a refund that WeChat itself does not know is kept, answered 204 and has no effect', async () => {
    const order = await stage.ordered()
    const sent = await stage.simulator.control.notify({
      mchid: stage.mchid,
      event_type: 'REFUND.SUCCESS',
      plaintext: {
        mchid: stage.mchid,
        out_trade_no: order.out_trade_no,
        transaction_id: '4200000000000000000000000001',
        out_refund_no: 'R1',
        refund_id: '50300000000000000000000000001',
        refund_status: 'SUCCESS',
        success_time: beijingTime(Date.now()),
        user_received_account: '支付用户零钱',
        amount: { total: 990, refund: 990, payer_total: 990, payer_refund: 990 },
      },
    })
    expect(sent.attempts.at(-1)?.status).toBe(204)
    await until(
      'its run has asked WeChat',
      async () => (await stage.refundRun('R1').describe()).status.name === 'COMPLETED',
    )
    const [evidence] = await stage.store.evidence.ofOrder(stage.mchid, order.out_trade_no)
    expect(evidence).toMatchObject({ subject: 'refund', out_refund_no: 'R1', outcome: null, unapplied: true })
    expect(await stage.store.refunds.find({ mchid: stage.mchid, out_refund_no: 'R1' })).toBeNull()
    expect((await stage.record(order)).state).toBe('awaiting_payment')
  })
})
