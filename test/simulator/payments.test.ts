import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { beijingDay } from '../../domain/calendar.ts'
import { startSimulator } from '../stage/simulator.ts'
import type { Simulator } from '../../simulator/main.ts'
import { until } from '../stage/until.ts'
import { Client, control, makeMerchant, numbering, startReceiver } from './client.ts'

const day_ms = 24 * 3_600_000

const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant('1900000010'))
const freshNumber = numbering('ORDER')
const pay = (request: Parameters<Simulator['control']['pay']>[0]) => simulator.control.pay(request)

/** A simulator of its own, with its own choices, for one test. */
async function withChoices(
  choices: Parameters<typeof startSimulator>[0],
  test: (own: Client, other: Simulator) => Promise<void>,
): Promise<void> {
  const other = await startSimulator({ port: 0, probe_rate: 0, ...choices })
  try {
    const own = new Client(other.url, client.merchant)
    await own.register()
    await test(own, other)
  } finally {
    await other.close()
  }
}

beforeAll(() => client.register())
afterAll(() => simulator.close())

const signedNow = () => ({ timestamp: Math.floor(clock.ms / 1000) })
const place = (no: string, more = {}) => client.place(no, more, signedNow())
const query = (no: string) => client.query(no, signedNow())
const close = (no: string) => client.close(no, signedNow())

describe('placing', () => {
  it('answers a code and takes only what the documentation names', async () => {
    const placed = await place(freshNumber(), {
      attach: '',
      time_expire: new Date(clock.ms + 600_000).toISOString(),
      goods_tag: 'WXG',
      support_fapiao: true,
      detail: { cost_price: 1, goods_detail: [{ merchant_goods_id: '1', quantity: 1, unit_price: 100 }] },
      scene_info: { payer_client_ip: '14.23.150.211', store_info: { id: '0001' } },
      settle_info: { profit_sharing: false },
    })
    expect(placed.status).toBe(200)
    expect(Object.keys(placed.json)).toEqual(['code_url'])
    expect(placed.json.code_url).toMatch(/^weixin:\/\/wxpay\/bizpayurl\/up\?pr=\w+&groupid=00$/)
    expect(String(placed.json.code_url).length).toBeLessThanOrEqual(64)
  })

  const refusals: [string, Record<string, unknown>, string, unknown][] = [
    ['a missing description', { description: undefined }, '/description', ''],
    ['an empty description', { description: '' }, '/description', ''],
    ['a description of 129 bytes', { description: '茶'.repeat(43) }, '/description', '茶'.repeat(43)],
    ['an emoji', { description: '茶🍵' }, '/description', '茶🍵'],
    ['an emoji in the attachment', { attach: '🍵' }, '/attach', '🍵'],
    ['an attachment of 129 bytes', { attach: '茶'.repeat(43) }, '/attach', '茶'.repeat(43)],
    ['an attachment of 129 characters', { attach: 'a'.repeat(129) }, '/attach', 'a'.repeat(129)],
    ['a number of five characters', { out_trade_no: 'A1234' }, '/out_trade_no', 'A1234'],
    ['a number of 33 characters', { out_trade_no: 'A'.repeat(33) }, '/out_trade_no', 'A'.repeat(33)],
    ['a number with an @', { out_trade_no: 'ORDER@1' }, '/out_trade_no', 'ORDER@1'],
    ['an amount of nothing', { amount: { total: 0 } }, '/amount/total', 0],
    ['an amount with a fraction', { amount: { total: 1.5 } }, '/amount/total', 1.5],
    ['an amount as text', { amount: { total: '100' } }, '/amount/total', '100'],
    ['another currency', { amount: { total: 1, currency: 'XYZ' } }, '/amount/currency', 'XYZ'],
    ['a null', { attach: null }, '/attach', ''],
    ['a time that is none', { time_expire: '2026-01-01 12:00:00' }, '/time_expire', '2026-01-01 12:00:00'],
    ['a day that no calendar has', { time_expire: '2026-02-30T12:00:00Z' }, '/time_expire', '2026-02-30T12:00:00Z'],
    ['an address that is none', { notify_url: '/notify' }, '/notify_url', '/notify'],
    [
      'an address of 256 characters',
      { notify_url: `https://a.example/${'a'.repeat(238)}` },
      '/notify_url',
      `https://a.example/${'a'.repeat(238)}`,
    ],
  ]
  it.each(refusals)('refuses %s', async (_, more, field, value) => {
    const answer = await place(freshNumber(), more)
    expect([answer.status, answer.json.code]).toEqual([400, 'PARAM_ERROR'])
    expect(answer.json.detail).toMatchObject({ field, value, location: 'body' })
    expect(answer.json.message).toContain(`输入源“/body${field}”映射到字段`)
  })

  it('takes the longest of each', async () => {
    const more = {
      description: `${'茶'.repeat(42)}.`,
      attach: 'a'.repeat(128),
      notify_url: `https://a.example/${'a'.repeat(237)}`,
    }
    expect((await place('A'.repeat(32), more)).status).toBe(200)
  })

  it('refuses a field it does not know, by its internal number', async () => {
    for (const [more, field] of [
      [{ sub_mchid: '1' }, '/sub_mchid'],
      [{ amount: { total: 1, refund: 1 } }, '/amount/refund'],
    ] as const) {
      const answer = await place(freshNumber(), more)
      expect([answer.status, answer.json.code]).toEqual([400, 'PARAM_ERROR'])
      expect(answer.json.detail).toMatchObject({ field })
      expect(answer.headers['request-id']).toMatch(/-270924358$/)
    }
  })

  it('refuses what is no JSON object, and a body without its content type', async () => {
    for (const body of ['{"a":', '[]', '"text"', 'null']) {
      const answer = await client.call('POST', '/v3/pay/transactions/native', body, signedNow())
      expect([body, answer.status, answer.json.code]).toEqual([body, 400, 'PARAM_ERROR'])
    }
    const headers = { 'content-type': 'text/plain' }
    const answer = await client.place(freshNumber(), {}, { ...signedNow(), headers })
    expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST'])
  })

  it('refuses another merchant’s number than the one that signed, and an appid that is not bound', async () => {
    const other = await place(freshNumber(), { mchid: '1900000099' })
    expect([other.status, other.json.code]).toEqual([400, 'PARAM_ERROR'])
    expect(other.json.message).toBe('http header中的mchid与post payload中的mchid不匹配')
    const appid = await place(freshNumber(), { appid: 'wx0000000000000000' })
    expect([appid.status, appid.json.code]).toEqual([400, 'APPID_MCHID_NOT_MATCH'])
  })

  it('reads a null as absent where that is set', async () => {
    await withChoices({ null_fields: 'absent' }, async (own) => {
      expect((await own.place('NULL_00001', { attach: null })).status).toBe(200)
    })
  })
})

describe('placing the same number again', () => {
  it('gives a new code and kills the old one, however the parameters are spelled', async () => {
    const no = freshNumber()
    const first = await place(no)
    const body = Object.fromEntries(Object.entries(client.orderBody(no, { amount: { total: 100 } })).reverse())
    const second = await client.call('POST', '/v3/pay/transactions/native', body, signedNow())
    expect(second.status).toBe(200)
    expect(second.json.code_url).not.toBe(first.json.code_url)
    expect(() => pay({ code_url: String(first.json.code_url) })).toThrow(/newer code/)
    expect(pay({ code_url: String(second.json.code_url) }).outcome).toBe('paid')
  })

  it('with other parameters is refused, as set', async () => {
    const no = freshNumber()
    await place(no)
    const others = [
      { description: '两杯茶' },
      { amount: { total: 101 } },
      { attach: 'x' },
      { time_expire: '2099-01-01T00:00:00Z' },
    ]
    for (const more of others) {
      const answer = await place(no, more)
      expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST'])
      expect(answer.json.message).toBe('请求重入时，参数与首次请求时不一致')
      expect(answer.headers['request-id']).toMatch(/-268498688$/)
    }
    await withChoices({ place_mismatch: 'OUT_TRADE_NO_USED' }, async (own) => {
      await own.place(no)
      const answer = await own.place(no, { description: '两杯茶' })
      expect([answer.status, answer.json.code, answer.json.message]).toEqual([
        403,
        'OUT_TRADE_NO_USED',
        '商户订单号重复',
      ])
    })
  })

  it('when it is paid or closed is refused for good', async () => {
    const paid = freshNumber()
    await place(paid)
    pay({ mchid: client.merchant.mchid, out_trade_no: paid, story: 'lose_notification' })
    const again = await place(paid)
    expect([again.status, again.json.code, again.json.message]).toEqual([400, 'ORDERPAID', '该订单已支付'])
    const closed = freshNumber()
    await place(closed)
    await close(closed)
    const reopened = await place(closed)
    expect([reopened.status, reopened.json.code, reopened.json.message]).toEqual([400, 'ORDER_CLOSED', '该订单已关闭'])
    await withChoices({ place_paid: 'ORDER_PAID' }, async (own, other) => {
      await own.place(paid)
      other.control.pay({ mchid: own.merchant.mchid, out_trade_no: paid, story: 'lose_notification' })
      const answer = await own.place(paid)
      expect([answer.status, answer.json.code]).toEqual([403, 'ORDER_PAID'])
    })
  })

  it('under another merchant is another order', async () => {
    const no = freshNumber()
    await place(no)
    const other = new Client(simulator.url, makeMerchant('1900000011'))
    await other.register()
    expect((await other.place(no, { description: '别家的茶' }, signedNow())).status).toBe(200)
    expect((await query(no)).json.mchid).toBe(client.merchant.mchid)
  })
})

describe('a query', () => {
  it('tells an unpaid order without money or transaction', async () => {
    const no = freshNumber()
    await place(no, { attach: 'a packet' })
    const answer = await query(no)
    expect(answer.status).toBe(200)
    expect(client.verifies(answer)).toBe(true)
    expect(answer.json).toEqual({
      appid: client.merchant.appid,
      mchid: client.merchant.mchid,
      out_trade_no: no,
      trade_state: 'NOTPAY',
      trade_state_desc: '订单未支付',
      attach: 'a packet',
    })
  })

  it('tells a paid order whole, by its number and by its transaction', async () => {
    const no = freshNumber()
    await place(no)
    const mchid = client.merchant.mchid
    const { transaction_id } = pay({ mchid, out_trade_no: no, coupon: { nocash_amount: 30 }, payer_openid: 'oPayer' })
    expect(transaction_id).toMatch(/^4200\d{24}$/)
    const answer = await query(no)
    expect(answer.json).toMatchObject({
      trade_state: 'SUCCESS',
      trade_type: 'NATIVE',
      transaction_id,
      bank_type: 'OTHERS',
      payer: { openid: 'oPayer' },
      amount: { total: 100, payer_total: 70, currency: 'CNY', payer_currency: 'CNY' },
      promotion_detail: [{ type: 'NOCASH', amount: 30, merchant_contribute: 30 }],
    })
    expect(answer.json.success_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00$/)
    const path = `/v3/pay/transactions/id/${transaction_id}?mchid=${mchid}`
    expect((await client.call('GET', path, undefined, signedNow())).json).toEqual(answer.json)
  })

  it('of a number never placed, or of another merchant’s transaction, finds nothing', async () => {
    const missing = await query('NEVER_PLACED')
    expect([missing.status, missing.json.code]).toEqual([404, 'ORDER_NOT_EXIST'])
    const no = freshNumber()
    await place(no)
    const { transaction_id } = pay({ mchid: client.merchant.mchid, out_trade_no: no })
    const other = new Client(simulator.url, makeMerchant('1900000012'))
    await other.register()
    await other.place(no, {}, signedNow()) // the same number, which must not open the door
    const path = `/v3/pay/transactions/id/${transaction_id}?mchid=${other.merchant.mchid}`
    const answer = await other.call('GET', path, undefined, signedNow())
    expect([answer.status, answer.json.code]).toEqual([404, 'ORDER_NOT_EXIST'])
  })

  it('must name the merchant that signs', async () => {
    const path = '/v3/pay/transactions/out-trade-no/ORDER_000001'
    const without = await client.call('GET', path, undefined, signedNow())
    expect(without.json).toMatchObject({ code: 'PARAM_ERROR', detail: { field: 'mchid', location: 'query' } })
    const other = await client.call('GET', `${path}?mchid=1900000099`, undefined, signedNow())
    expect([other.status, other.json.code]).toEqual([400, 'PARAM_ERROR'])
  })
})

describe('a close', () => {
  it('is answered 204, signed over nothing, as often as it comes, and is final', async () => {
    const no = freshNumber()
    const { json } = await place(no)
    for (let time = 0; time < 2; time++) {
      const answer = await close(no)
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(client.verifies(answer)).toBe(true)
    }
    expect((await query(no)).json.trade_state).toBe('CLOSED')
    expect(() => pay({ code_url: String(json.code_url) })).toThrow(/closed/)
  })

  it('of a paid order is refused, in the spelling that is set', async () => {
    for (const [close_paid, status, code] of [
      ['ORDER_PAID', 400, 'ORDER_PAID'],
      ['ORDERPAID', 400, 'ORDERPAID'],
      ['ORDER_PAID_403', 403, 'ORDER_PAID'],
    ] as const) {
      await withChoices({ close_paid }, async (own, other) => {
        await own.place('PAID_00001')
        other.control.pay({ mchid: own.merchant.mchid, out_trade_no: 'PAID_00001', story: 'lose_notification' })
        const answer = await own.close('PAID_00001')
        expect([answer.status, answer.json.code, answer.json.message]).toEqual([status, code, '该订单已支付'])
      })
    }
  })

  it('of a number never placed is 204, or 404 where that is set', async () => {
    expect((await close('NEVER_PLACED')).status).toBe(204)
    await withChoices({ close_unknown: 'ORDER_NOT_EXIST' }, async (own) => {
      expect((await own.close('NEVER_PLACED')).status).toBe(404)
    })
  })

  it('within five minutes is refused where that is set', async () => {
    await withChoices({ close_early: 'refuse' }, async (own) => {
      await own.place('EARLY_0001')
      expect((await own.close('EARLY_0001')).status).toBe(400)
    })
  })

  it('takes the merchant’s number and nothing else', async () => {
    const no = freshNumber()
    await place(no)
    const path = `/v3/pay/transactions/out-trade-no/${no}/close`
    for (const body of [{}, { mchid: client.merchant.mchid, out_trade_no: no }]) {
      const answer = await client.call('POST', path, body, signedNow())
      expect([answer.status, answer.json.code]).toEqual([400, 'PARAM_ERROR'])
    }
    const empty = await client.call('POST', path, undefined, signedNow())
    expect([empty.status, empty.json.code]).toEqual([400, 'PARAM_ERROR'])
  })
})

describe('a payer who is faster than a close', () => {
  it('pays while the close is under way: the close is refused, and the notification comes', async () => {
    const receiver = await startReceiver()
    const no = freshNumber()
    await place(no, { notify_url: receiver.url })
    const armed = pay({ mchid: client.merchant.mchid, out_trade_no: no, story: 'pay_while_closing' })
    expect(armed.outcome).toBe('armed')
    expect((await query(no)).json.trade_state).toBe('NOTPAY')
    const closed = await close(no)
    expect([closed.status, closed.json.code]).toEqual([400, 'ORDER_PAID'])
    expect((await query(no)).json).toMatchObject({ trade_state: 'SUCCESS', transaction_id: armed.transaction_id })
    await until('it is notified', () => receiver.received.length === 1)
    await receiver.close()
  })

  it('pays after the close was received: the close is never answered, and the order is paid', async () => {
    const no = freshNumber()
    await place(no)
    pay({ mchid: client.merchant.mchid, out_trade_no: no, story: 'pay_after_close_sent' })
    const give_up = until(
      'it is paid',
      () => simulator.control.view(client.merchant.mchid, no).orders[0]?.trade_state === 'SUCCESS',
    )
    await expect(client.close(no, { ...signedNow(), give_up })).rejects.toThrow('gave up waiting')
    expect((await query(no)).json.trade_state).toBe('SUCCESS')
    expect((await close(no)).json.code).toBe('ORDER_PAID')
  })

  it('can change their mind before the close comes', async () => {
    const no = freshNumber()
    await place(no)
    const order = { mchid: client.merchant.mchid, out_trade_no: no }
    pay({ ...order, story: 'pay_while_closing' })
    expect(pay({ ...order, story: 'cancel' }).outcome).toBe('cancelled')
    expect((await close(no)).status).toBe(204)
  })

  it('may even be charged after the order closed', async () => {
    const no = freshNumber()
    await place(no)
    const order = { mchid: client.merchant.mchid, out_trade_no: no }
    expect(() => pay({ ...order, story: 'pay_after_close' })).toThrow(/not closed/)
    await close(no)
    const { transaction_id } = pay({ ...order, story: 'pay_after_close' })
    expect((await query(no)).json).toMatchObject({ trade_state: 'SUCCESS', transaction_id })
  })
})

describe('a payer', () => {
  it('cannot pay twice, nor for somebody else', async () => {
    const { json } = await place(freshNumber())
    const code_url = String(json.code_url)
    pay({ code_url, payer_openid: 'oFirst' })
    expect(() => pay({ code_url, payer_openid: 'oFirst' })).toThrow(/paid already/)
    expect(() => pay({ code_url, payer_openid: 'oSecond' })).toThrow(/somebody else/)
  })

  it('can pay until time_expire, after which the order is still open', async () => {
    const no = freshNumber()
    const { json } = await place(no, { time_expire: new Date(clock.ms + 120_000).toISOString() })
    clock.ms += 120_001
    expect(() => pay({ code_url: String(json.code_url) })).toThrow(/time to pay is over/)
    expect((await query(no)).json.trade_state).toBe('NOTPAY')
  })

  it('has one minute at least and seven days at most', async () => {
    const book = () =>
      control<{ orders: { time_expire: string; create_time: string }[] }>(
        simulator.url,
        `/book?mchid=${client.merchant.mchid}&out_trade_no=${no}`,
      )
    let no = freshNumber()
    for (const [asked_ms, given_ms] of [
      [-60_000, 60_000],
      [10_000, 60_000],
      [30 * day_ms, 7 * day_ms],
    ] as const) {
      no = freshNumber()
      await place(no, { time_expire: new Date(clock.ms + asked_ms).toISOString() })
      const [order] = (await book()).orders
      expect(Date.parse(order?.time_expire ?? '') - Date.parse(order?.create_time ?? '')).toBe(given_ms)
    }
  })

  it('finds the code dead after two hours, until the merchant places again', async () => {
    const no = freshNumber()
    const first = await place(no)
    clock.ms += 2 * 3_600_000
    expect(() => pay({ code_url: String(first.json.code_url) })).toThrow(/two hours/)
    const second = await place(no)
    expect(pay({ code_url: String(second.json.code_url) }).outcome).toBe('paid')
  })

  it('finds the order closed after seven days', async () => {
    const no = freshNumber()
    await place(no)
    clock.ms += 7 * day_ms - 1
    expect((await query(no)).json.trade_state).toBe('NOTPAY')
    clock.ms += 1
    expect((await query(no)).json.trade_state).toBe('CLOSED')
    expect((await place(no)).json.code).toBe('ORDER_CLOSED')
  })

  it('may have been charged a second time on another day, whose bill then has it', async () => {
    const no = freshNumber()
    await place(no)
    const order = { mchid: client.merchant.mchid, out_trade_no: no }
    pay(order)
    const yesterday = beijingDay(clock.ms - day_ms)
    const second = pay({ ...order, story: 'second_payment', success_time: `${yesterday}T12:00:00+08:00` })
    const { payments } = simulator.control.view(client.merchant.mchid, no)
    const found = payments.find(({ transaction_id }) => transaction_id === second.transaction_id)
    expect(found?.success_time).toBe(`${yesterday}T12:00:00.000+08:00`)
    const in_days_to_come = { ...order, story: 'second_payment', success_time: '2999-01-01T12:00:00+08:00' } as const
    expect(() => pay(in_days_to_come)).toThrow(/to come/)
  })

  it('may be charged a wrong amount, or a second time', async () => {
    const no = freshNumber()
    await place(no)
    const order = { mchid: client.merchant.mchid, out_trade_no: no }
    expect(() => pay({ ...order, story: 'second_payment' })).toThrow(/first time/)
    const first = pay({ ...order, story: 'wrong_amount', amount: { total: 1 } })
    expect((await query(no)).json.amount).toMatchObject({ total: 1, payer_total: 1 })
    const second = pay({ ...order, story: 'second_payment' })
    expect(second.transaction_id).not.toBe(first.transaction_id)
    expect((await query(no)).json.transaction_id).toBe(first.transaction_id)
    const book = simulator.control.view(client.merchant.mchid, no)
    expect(book.payments.map((payment) => payment.transaction_id)).toEqual([
      first.transaction_id,
      second.transaction_id,
    ])
  })
})
