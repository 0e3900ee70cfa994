import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import type { Simulator } from '../../simulator/main.ts'
import { Client, makeMerchant, numbering } from './client.ts'
import type { Answer } from './client.ts'

const minute_ms = 60_000
const day_ms = 24 * 60 * minute_ms

const mchid = '1900000050'
const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant(mchid))
const freshNumber = numbering('PAID')
const freshRefund = numbering('REFUND')

beforeAll(() => client.register())
// every test begins in a second of its own, so that the quota of failing requests is whole
afterEach(() => void (clock.ms += 1_000))
afterAll(() => simulator.close())

const signed = () => ({ timestamp: Math.floor(clock.ms / 1000) })
const refund = (no: string, more: Record<string, unknown>) => client.refund(no, more, signed())
const query = (no: string) => client.queryRefund(no, signed())
const stateOf = async (no: string) => (await client.query(no, signed())).json.trade_state
const told = ({ status, json }: Answer) => [status, json.code, json.message]
const of = (fen: number, total = 100) => ({ amount: { refund: fen, total, currency: 'CNY' } })

/** A paid order of 100 fen, or of what `more` says. */
async function paid(
  how: Partial<Parameters<Simulator['control']['pay']>[0]> = {},
  more: Record<string, unknown> = {},
): Promise<{ out_trade_no: string; transaction_id: string }> {
  const out_trade_no = freshNumber()
  await client.place(out_trade_no, more, signed())
  const { transaction_id } = simulator.control.pay({ mchid, out_trade_no, story: 'lose_notification', ...how })
  return { out_trade_no, transaction_id: transaction_id ?? '' }
}

/** A simulator of its own, with its own choices, for one test; `clock` is shared. */
async function withChoices(
  choices: Parameters<typeof startSimulator>[0],
  test: (own: Client, other: Simulator, order: { out_trade_no: string; transaction_id: string }) => Promise<void>,
): Promise<void> {
  const other = await startSimulator({ port: 0, probe_rate: 0, ...choices }, { now: () => clock.ms })
  try {
    const own = new Client(other.url, client.merchant)
    await own.register()
    const out_trade_no = freshNumber()
    await own.place(out_trade_no, {}, signed())
    const { transaction_id } = other.control.pay({ mchid, out_trade_no })
    await test(own, other, { out_trade_no, transaction_id: transaction_id ?? '' })
  } finally {
    await other.close()
  }
}

describe('a refund', () => {
  it('is accepted, signed, with every field that the documentation names', async () => {
    const { out_trade_no, transaction_id } = await paid()
    const no = freshRefund()
    const answer = await refund(no, { transaction_id, reason: '茶凉了', notify_url: 'https://shop.example/refunds' })
    expect(answer.status).toBe(200)
    expect(client.verifies(answer)).toBe(true)
    expect(answer.json).toEqual({
      refund_id: expect.stringMatching(/^5030\d{25}$/) as unknown,
      out_refund_no: no,
      transaction_id,
      out_trade_no,
      channel: 'ORIGINAL',
      user_received_account: '支付用户零钱',
      create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00$/) as unknown,
      status: 'PROCESSING',
      funds_account: 'AVAILABLE',
      amount: {
        total: 100,
        refund: 100,
        payer_total: 100,
        payer_refund: 100,
        settlement_total: 100,
        settlement_refund: 100,
        discount_refund: 0,
        currency: 'CNY',
        refund_fee: 0,
      },
    })
    expect((await query(no)).json).toEqual(answer.json)
  })

  it('names its order by either number, and the transaction wins', async () => {
    const [one, other] = [await paid(), await paid()]
    const byOrder = await refund(freshRefund(), { out_trade_no: one.out_trade_no, ...of(40) })
    expect(byOrder.json).toMatchObject({ status: 'PROCESSING', ...one })
    const both = await refund(freshRefund(), { ...one, transaction_id: other.transaction_id })
    expect(both.json).toMatchObject(other)
  })

  it('takes the longest and strangest of each', async () => {
    const { transaction_id } = await paid()
    const no = `R@_-|*${'9'.repeat(58)}`
    const more = {
      transaction_id,
      reason: `${'退'.repeat(26)}..`,
      notify_url: `https://a.example/${'a'.repeat(238)}`,
      funds_account: 'AVAILABLE',
      amount: { refund: 3, total: 100, currency: 'CNY', from: [{ account: 'AVAILABLE', amount: 3 }] },
      goods_detail: [{ merchant_goods_id: '1', unit_price: 3, refund_amount: 3, refund_quantity: 1 }],
    }
    const answer = await refund(no, more)
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ amount: { from: [{ account: 'AVAILABLE', amount: 3 }] } })
    expect((await query(no)).json).toEqual(answer.json)
  })

  const refusals: [string, Record<string, unknown>, string][] = [
    ['neither order nor transaction', { transaction_id: undefined }, '/transaction_id'],
    ['no number', { out_refund_no: undefined }, '/out_refund_no'],
    ['an empty number', { out_refund_no: '' }, '/out_refund_no'],
    ['a number of 65 characters', { out_refund_no: 'R'.repeat(65) }, '/out_refund_no'],
    ['a number with a blank', { out_refund_no: 'A B' }, '/out_refund_no'],
    ['a reason of 81 bytes', { reason: '退'.repeat(27) }, '/reason'],
    ['an emoji', { reason: '🍵' }, '/reason'],
    ['a null', { reason: null }, '/reason'],
    ['an address that is none', { notify_url: 'refunds' }, '/notify_url'],
    ['an account that is none', { funds_account: 'MINE' }, '/funds_account'],
    ['no amount', { amount: undefined }, '/amount'],
    ['no currency', { amount: { refund: 1, total: 100 } }, '/amount/currency'],
    ['another currency', { amount: { refund: 1, total: 100, currency: 'USD' } }, '/amount/currency'],
    ['nothing', of(0), '/amount/refund'],
    ['less than nothing', of(-1), '/amount/refund'],
    ['half a fen', of(0.5), '/amount/refund'],
    [
      'accounts that do not add up',
      { amount: { ...of(5).amount, from: [{ account: 'AVAILABLE', amount: 4 }] } },
      '/amount/from',
    ],
  ]
  it.each(refusals)('is refused with %s', async (_, more, field) => {
    const { transaction_id } = await paid()
    const answer = await refund(freshRefund(), { transaction_id, ...more })
    expect([answer.status, answer.json.code]).toEqual([400, 'PARAM_ERROR'])
    expect(answer.json.detail).toMatchObject({ field, location: 'body' })
    expect(answer.headers['wechatpay-signature']).toBeUndefined()
  })

  it('is refused with a field that the documentation does not name', async () => {
    const { transaction_id } = await paid()
    for (const [more, field] of [
      [{ remark: 'x' }, '/remark'],
      [{ amount: { ...of(1).amount, refund_fee: 1 } }, '/amount/refund_fee'],
    ] as const) {
      const answer = await refund(freshRefund(), { transaction_id, ...more })
      expect([answer.status, answer.json.code]).toEqual([400, 'PARAM_ERROR'])
      expect(answer.json.detail).toMatchObject({ field })
      expect(answer.headers['request-id']).toMatch(/-270924358$/)
    }
  })

  it('of an order that is unknown, unpaid, or another merchant’s finds nothing', async () => {
    const unpaid = freshNumber()
    await client.place(unpaid, {}, signed())
    const other = new Client(simulator.url, makeMerchant('1900000051'))
    await other.register()
    await other.place('OTHERS_01', {}, signed())
    const foreign = simulator.control.pay({ mchid: '1900000051', out_trade_no: 'OTHERS_01' }).transaction_id
    for (const named of [
      { out_trade_no: unpaid },
      { out_trade_no: 'NEVER_PLACED' },
      { transaction_id: '4200000000000000000000000000' },
      { transaction_id: foreign },
    ]) {
      expect(told(await refund(freshRefund(), named))).toEqual([404, 'RESOURCE_NOT_EXISTS', '订单不存在'])
    }
  })

  it('of a merchant nobody knows is 404, which on orders is 400', async () => {
    const stranger = new Client(simulator.url, makeMerchant('1900000098'))
    const answer = await stranger.refund(freshRefund(), { transaction_id: '1' }, signed())
    expect([answer.status, answer.json.code]).toEqual([404, 'MCH_NOT_EXISTS'])
    expect((await stranger.query('ANY_000001', signed())).status).toBe(400)
  })

  it('must tell the order’s total', async () => {
    const { transaction_id } = await paid()
    const answer = await refund(freshRefund(), { transaction_id, ...of(1, 99) })
    expect(told(answer)).toEqual([400, 'INVALID_REQUEST', '您的请求参数与订单信息不一致'])
  })

  it('never exceeds what is left, to which a closed one returns', async () => {
    const { transaction_id } = await paid()
    const first = freshRefund()
    await refund(first, { transaction_id, ...of(60) })
    clock.ms += minute_ms
    const no = freshRefund()
    const exceeding = await refund(no, { transaction_id, ...of(41) })
    expect(told(exceeding)).toEqual([400, 'INVALID_REQUEST', '申请退款金额超过订单可退金额'])
    expect((await query(no)).status).toBe(404)
    simulator.control.finishRefund({ mchid, out_refund_no: first, status: 'CLOSED' })
    expect((await refund(no, { transaction_id, ...of(100) })).status).toBe(200)
  })

  it('can be one of fifty', async () => {
    const { transaction_id } = await paid()
    for (let count = 1; count <= 50; count++) {
      expect((await refund(freshRefund(), { transaction_id, ...of(1) })).status).toBe(200)
      clock.ms += minute_ms
    }
    const more = await refund(freshRefund(), { transaction_id, ...of(1) })
    expect(told(more)).toEqual([400, 'INVALID_REQUEST', '该订单的退款次数已达上限'])
  })

  it('comes a minute after the one before it, or is told so', async () => {
    const [{ transaction_id }, other] = [await paid(), await paid()]
    await refund(freshRefund(), { transaction_id, ...of(1) })
    const no = freshRefund()
    clock.ms += minute_ms - 1
    const early = await refund(no, { transaction_id, ...of(1) })
    expect([early.status, early.json.code]).toEqual([429, 'FREQUENCY_LIMITED'])
    expect((await query(no)).status).toBe(404)
    expect((await refund(freshRefund(), { transaction_id: other.transaction_id })).status).toBe(200)
    clock.ms += 1
    expect((await refund(no, { transaction_id, ...of(1) })).status).toBe(200)
    await withChoices({ refund_spacing_ms: 0 }, async (own, _, order) => {
      for (const number of ['A', 'B']) {
        expect((await own.refund(number, { ...order, ...of(1) }, signed())).status).toBe(200)
      }
    })
    await withChoices({ refund_too_soon: 'INVALID_REQUEST' }, async (own, _, order) => {
      await own.refund('A', { ...order, ...of(1) }, signed())
      expect((await own.refund('B', { ...order, ...of(1) }, signed())).status).toBe(400)
    })
  })

  it('comes within a year of the payment', async () => {
    const [{ transaction_id }, late] = [await paid(), await paid()]
    const before = clock.ms
    clock.ms += 365 * day_ms
    expect((await refund(freshRefund(), { transaction_id, ...of(1) })).status).toBe(200)
    clock.ms += 1
    const answer = await refund(freshRefund(), { transaction_id: late.transaction_id })
    expect(told(answer)).toEqual([403, 'TRADE_OVERDUE', '订单已经超过退款期限'])
    clock.ms = before
  })
})

describe('the same refund number', () => {
  it('is the same refund, as it stands by now', async () => {
    const { transaction_id, out_trade_no } = await paid()
    const no = freshRefund()
    const first = await refund(no, { transaction_id, ...of(60) })
    expect((await refund(no, { transaction_id, ...of(60) })).json).toEqual(first.json)
    simulator.control.finishRefund({ mchid, out_refund_no: no, status: 'SUCCESS' })
    const again = await refund(no, { out_trade_no, ...of(60) })
    expect(again.status).toBe(200)
    expect(again.json).toMatchObject({ refund_id: first.json.refund_id, status: 'SUCCESS' })
    expect(again.json.success_time).toMatch(/\+08:00$/)
    expect(simulator.control.view(mchid, out_trade_no).refunds).toHaveLength(1)
  })

  it('with other amounts, or of another order, is refused', async () => {
    const [{ transaction_id }, other] = [await paid(), await paid()]
    const no = freshRefund()
    await refund(no, { transaction_id, ...of(60) })
    for (const amount of [of(61), of(60, 99)]) {
      const answer = await refund(no, { transaction_id, ...amount })
      expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST'])
      expect(answer.json.message).toContain('订单金额或退款金额与之前请求不一致')
    }
    const elsewhere = await refund(no, { transaction_id: other.transaction_id, ...of(60) })
    expect([elsewhere.status, elsewhere.json.code]).toEqual([400, 'INVALID_REQUEST'])
  })

  it('with another reason is the same, or refused where that is set', async () => {
    await withChoices({}, async (own, _, order) => {
      await own.refund('A', { ...order, reason: 'x' }, signed())
      expect((await own.refund('A', { ...order, reason: 'y' }, signed())).status).toBe(200)
    })
    await withChoices({ refund_reentry: 'parameters' }, async (own, _, order) => {
      await own.refund('A', { ...order, reason: 'x' }, signed())
      expect((await own.refund('A', { reason: 'x', ...order }, signed())).status).toBe(200)
      expect((await own.refund('A', { ...order, reason: 'y' }, signed())).status).toBe(400)
    })
  })

  it('under another merchant is another refund', async () => {
    const { transaction_id } = await paid()
    const no = freshRefund()
    await refund(no, { transaction_id })
    const other = new Client(simulator.url, makeMerchant('1900000052'))
    await other.register()
    const answer = await other.queryRefund(no, signed())
    expect(told(answer)).toEqual([404, 'RESOURCE_NOT_EXISTS', '退款单不存在'])
  })
})

describe('a merchant without money', () => {
  it('is told so, and refunds under the same number once it has some', async () => {
    const { transaction_id } = await paid()
    simulator.control.setBalance({ mchid, balance: 99 })
    const no = freshRefund()
    const short = await refund(no, { transaction_id })
    expect(told(short)).toEqual([403, 'NOT_ENOUGH', '基本账户余额不足，请充值后重新发起'])
    expect((await query(no)).status).toBe(404)
    simulator.control.setBalance({ mchid, balance: 130 })
    expect((await refund(no, { transaction_id })).status).toBe(200)
    expect(simulator.control.view(mchid, null).balance).toBe(30)
    await client.register({ balance: null })
    expect(simulator.control.view(mchid, null).balance).toBeNull()
  })

  it('has what payments settle, and gets back what a closed or returned refund took', async () => {
    simulator.control.setBalance({ mchid, balance: 0 })
    const { transaction_id } = await paid({ coupon: { nocash_amount: 30, cash_amount: 20 } })
    const balance = () => simulator.control.view(mchid, null).balance
    expect(balance()).toBe(70)
    for (const end of [
      { status: 'CLOSED' },
      { status: 'SUCCESS', received_by: 'merchant_basic_account' },
      { status: 'SUCCESS', received_by: 'merchant_bank_account' },
    ] as const) {
      const no = freshRefund()
      const before = balance()
      expect((await refund(no, { transaction_id, ...of(10) })).status).toBe(200)
      expect(balance()).toBe((before ?? 0) - 7)
      simulator.control.finishRefund({ mchid, out_refund_no: no, ...end })
      expect(balance()).toBe(70 - (end.status === 'SUCCESS' && end.received_by === 'merchant_bank_account' ? 7 : 0))
      clock.ms += minute_ms
    }
    simulator.control.setBalance({ mchid, balance: null })
  })
})

describe('the order of a refund', () => {
  it('shows REFUND from acceptance on, whatever becomes of it, or from success where that is set', async () => {
    const { transaction_id, out_trade_no } = await paid()
    const no = freshRefund()
    await refund(no, { transaction_id, ...of(1) })
    expect((await client.query(out_trade_no, signed())).json).toMatchObject({
      trade_state: 'REFUND',
      trade_state_desc: '订单发生过退款',
      transaction_id,
      amount: { total: 100 },
    })
    simulator.control.finishRefund({ mchid, out_refund_no: no, status: 'CLOSED' })
    expect(await stateOf(out_trade_no)).toBe('REFUND')
    await withChoices({ refund_shown: 'at_success' }, async (own, other, order) => {
      const shown = async () => (await own.query(order.out_trade_no, signed())).json.trade_state
      await own.refund('A', order, signed())
      expect(await shown()).toBe('SUCCESS')
      other.control.finishRefund({ mchid, out_refund_no: 'A', status: 'SUCCESS' })
      expect(await shown()).toBe('REFUND')
    })
  })

  it('is still paid: it can be neither placed nor closed nor paid again', async () => {
    const { transaction_id, out_trade_no } = await paid()
    await refund(freshRefund(), { transaction_id })
    expect((await client.place(out_trade_no, {}, signed())).json.code).toBe('ORDERPAID')
    expect((await client.close(out_trade_no, signed())).json.code).toBe('ORDER_PAID')
    expect(() => simulator.control.pay({ mchid, out_trade_no })).toThrow(/paid already/)
  })

  it('keeps apart what was paid twice', async () => {
    const first = await paid()
    const { out_trade_no } = first
    const second = simulator.control.pay({ mchid, out_trade_no, story: 'second_payment' }).transaction_id
    expect((await refund(freshRefund(), { transaction_id: second })).status).toBe(200)
    const byTransaction = async (id: string | null) =>
      (await client.call('GET', `/v3/pay/transactions/id/${id}?mchid=${mchid}`, undefined, signed())).json.trade_state
    expect([await stateOf(out_trade_no), await byTransaction(second)]).toEqual(['SUCCESS', 'REFUND'])
    expect((await refund(freshRefund(), { out_trade_no })).json).toMatchObject(first)
    expect(await stateOf(out_trade_no)).toBe('REFUND')
  })
})

describe('coupons', () => {
  it('come back in proportion: what is settled, what the payer gets, and each coupon’s part', async () => {
    const { transaction_id } = await paid({ coupon: { nocash_amount: 30, cash_amount: 20 } })
    const answer = await refund(freshRefund(), { transaction_id, ...of(50) })
    expect(answer.json.amount).toMatchObject({
      total: 100,
      refund: 50,
      payer_total: 50,
      payer_refund: 25,
      settlement_total: 70,
      settlement_refund: 35,
      discount_refund: 25,
    })
    expect(answer.json.promotion_detail).toEqual([
      { promotion_id: expect.any(String) as unknown, scope: 'GLOBAL', type: 'NOCASH', amount: 30, refund_amount: 15 },
      { promotion_id: expect.any(String) as unknown, scope: 'GLOBAL', type: 'CASH', amount: 20, refund_amount: 10 },
    ])
    const order = await client.query(String(answer.json.out_trade_no), signed())
    expect(order.json).toMatchObject({
      amount: { payer_total: 50 },
      promotion_detail: [{ amount: 30 }, { amount: 20 }],
    })
  })

  it('are given back to the last fen with the last of the order, and never before', async () => {
    const { transaction_id, out_trade_no } = await paid({ coupon: { nocash_amount: 33, cash_amount: 34 } })
    for (const fen of [1, 1, 1, 7, 50, 39, 1]) {
      expect((await refund(freshRefund(), { transaction_id, ...of(fen) })).status).toBe(200)
      clock.ms += minute_ms
    }
    const { refunds } = simulator.control.view(mchid, out_trade_no)
    const sum = (of: (refund: (typeof refunds)[number]) => number) => refunds.reduce((all, one) => all + of(one), 0)
    expect(sum(({ amount }) => amount.refund)).toBe(100)
    expect(sum(({ amount }) => amount.payer_refund)).toBe(33)
    expect(sum(({ amount }) => amount.settlement_refund)).toBe(67)
    expect(sum(({ amount }) => amount.discount_refund)).toBe(67)
  })
})

describe('a query of a refund', () => {
  it('finds nothing under a number never used, and refuses one that cannot be', async () => {
    expect(told(await query('NEVER'))).toEqual([404, 'RESOURCE_NOT_EXISTS', '退款单不存在'])
    const answer = await query('A B')
    expect(answer.json).toMatchObject({
      code: 'PARAM_ERROR',
      detail: { field: 'out_refund_no', location: 'uri_template' },
    })
  })
})

describe('an abnormal refund', () => {
  const serial = (): string => [...client.keys.keys()][0] ?? ''
  const card = (more: Record<string, unknown> = {}) => ({
    type: 'USER_BANK_CARD',
    bank_type: 'ICBC_DEBIT',
    bank_account: client.encrypt('6222021234567890123', serial()),
    real_name: client.encrypt('张三', serial()),
    ...more,
  })
  const send = (id: string, body: Record<string, unknown>, header: string | null = serial()) =>
    client.applyAbnormalRefund(id, body, { ...signed(), headers: { 'wechatpay-serial': header } })
  const abnormal = async () => {
    const { transaction_id } = await paid({ bank_type: 'CMB_CREDIT' })
    const out_refund_no = freshRefund()
    const { json } = await refund(out_refund_no, { transaction_id })
    simulator.control.finishRefund({ mchid, out_refund_no, status: 'ABNORMAL' })
    return { out_refund_no, refund_id: String(json.refund_id) }
  }

  it('goes on to the payer’s other card, once, and arrives there in its days', async () => {
    const { out_refund_no, refund_id } = await abnormal()
    const answer = await send(refund_id, { out_refund_no, ...card() })
    expect(answer.status).toBe(200)
    expect(client.verifies(answer)).toBe(true)
    const now = { status: 'PROCESSING', channel: 'OTHER_BANKCARD', user_received_account: '工商银行借记卡0123' }
    expect(answer.json).toMatchObject({ out_refund_no, refund_id, ...now })
    expect((await send(refund_id, { out_refund_no, ...card() })).json).toEqual(answer.json)
    clock.ms += 2 * day_ms
    await simulator.runDue()
    expect((await query(out_refund_no)).json).toMatchObject({ ...now, status: 'SUCCESS' })
  })

  it('goes back to the merchant’s bank account without any card', async () => {
    const { out_refund_no, refund_id } = await abnormal()
    const answer = await send(refund_id, { out_refund_no, type: 'MERCHANT_BANK_CARD' })
    expect(answer.json).toMatchObject({ status: 'PROCESSING', user_received_account: '商户结算银行账户' })
  })

  it('wants the serial of a key of WeChat Pay’s, and fields that open with that key', async () => {
    const { out_refund_no, refund_id } = await abnormal()
    for (const header of [null, client.merchant.serial_no, 'PUB_KEY_ID_0000000000000000000000000000']) {
      const answer = await send(refund_id, { out_refund_no, ...card() }, header)
      expect(told(answer)).toEqual([400, 'PARAM_ERROR', '平台证书序列号Wechatpay-Serial错误'])
    }
    for (const [more, field] of [
      [{ bank_account: '6222021234567890123' }, '/bank_account'],
      [{ real_name: client.encrypt('张三', serial(), 'sha256') }, '/real_name'],
      [{ bank_account: client.encrypt('not a number', serial()) }, '/bank_account'],
      [{ bank_account: undefined }, '/bank_account'],
      [{ bank_type: 'NO_SUCH_DEBIT' }, '/bank_type'],
    ] as const) {
      const answer = await send(refund_id, { out_refund_no, ...card(more) })
      expect(answer.json).toMatchObject({ code: 'PARAM_ERROR', detail: { field } })
    }
    expect((await query(out_refund_no)).json.status).toBe('ABNORMAL')
  })

  it('takes a platform certificate’s key in that mode, and not in the other', async () => {
    const own = new Client(simulator.url, makeMerchant('1900000053'))
    const { certificates } = await own.register({ key_mode: 'certificate' })
    const platform = certificates[0]?.serial_no ?? ''
    const body = {
      out_refund_no: 'ANY',
      ...card({ bank_account: own.encrypt('6222021234567890123', platform), real_name: own.encrypt('张三', platform) }),
    }
    const headers = { 'wechatpay-serial': platform }
    const answer = await own.applyAbnormalRefund('5030', body, { ...signed(), headers })
    expect(told(answer)).toEqual([404, 'RESOURCE_NOT_EXISTS', '退款单不存在'])
    const { out_refund_no, refund_id } = await abnormal()
    expect((await send(refund_id, { ...body, out_refund_no }, platform)).json.code).toBe('PARAM_ERROR')
  })

  it('is only for what is abnormal, and only under its own number', async () => {
    const { transaction_id } = await paid()
    const { json } = await refund(freshRefund(), { transaction_id })
    const named = { out_refund_no: json.out_refund_no, ...card() }
    const early = await send(String(json.refund_id), named)
    expect([early.status, early.json.code]).toEqual([400, 'INVALID_REQUEST'])
    const { refund_id } = await abnormal()
    expect((await send(refund_id, named)).json.code).toBe('INVALID_REQUEST')
    expect((await send('5030', named)).status).toBe(404)
  })
})

describe('the quota of refunds', () => {
  it('is so many a second, and so few that fail, after which good ones must wait too', async () => {
    await withChoices({ refund_rate: 8, refund_spacing_ms: 0 }, async (own, _, order) => {
      const statuses: number[] = []
      clock.ms += 1_000
      for (let n = 0; n < 6; n++)
        statuses.push((await own.refund('A', { out_trade_no: 'NEVER_PLACED' }, signed())).status)
      expect(statuses).toEqual([404, 404, 404, 404, 404, 404])
      const blocked = await own.refund('B', order, signed())
      expect([blocked.status, blocked.json.code]).toEqual([429, 'FREQUENCY_LIMITED'])
      expect((await own.queryRefund('B', signed())).status).toBe(404)
      clock.ms += 1_000
      statuses.length = 0
      for (let n = 0; n < 9; n++) statuses.push((await own.refund('B', order, signed())).status)
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 429])
    })
  })
})
