import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { GeneratedDay } from '../../../simulator/bills/generator.ts'
import type { FaultRequest } from '../../../simulator/faults.ts'
import { startSimulator } from '../../stage/simulator.ts'
import { Client, control, makeMerchant, numbering } from '../client.ts'
import type { Answer } from '../client.ts'

const at = (text: string): number => Date.parse(`${text.replace(' ', 'T')}+08:00`)
const clock = { now: at('2026-11-20 12:00:00') }
const data_dir = mkdtempSync(join(tmpdir(), 'simulator-bills-'))
const settings = { port: 0, probe_rate: 0, fund_flow_bill_rate: null, refund_spacing_ms: 0, data_dir }
const open = () => startSimulator(settings, { now: () => clock.now })
const freshNumber = numbering('BILL')
const stage = { simulator: await open(), last_mchid: 1_900_000_700, client: new Client('', makeMerchant('1900000700')) }

/** Each test has a merchant of its own and begins on the same day. */
beforeEach(async () => {
  clock.now = at('2026-11-20 12:00:00')
  const client = new Client(stage.simulator.url, makeMerchant(String(++stage.last_mchid)))
  await client.register()
  stage.client = client
  stage.simulator.control.holdRefunds(client.merchant)
  stage.simulator.control.removeFaults(null)
})
afterAll(async () => {
  await stage.simulator.close()
  rmSync(data_dir, { recursive: true })
})

const choices = () => ({ timestamp: Math.floor(clock.now / 1000) })
const mchid = () => stage.client.merchant.mchid

async function paid(total = 1_000, more: object = {}, coupon?: { nocash_amount?: number; cash_amount?: number }) {
  const out_trade_no = freshNumber()
  await stage.client.place(out_trade_no, { amount: { total, currency: 'CNY' }, ...more }, choices())
  const request = { mchid: mchid(), out_trade_no, story: 'lose_notification' as const, ...(coupon && { coupon }) }
  const { transaction_id } = stage.simulator.control.pay(request)
  return { out_trade_no, transaction_id: transaction_id ?? '', total }
}

async function refunded(payment: { transaction_id: string; total: number }, refund: number) {
  const out_refund_no = `R${freshNumber()}`
  const amount = { refund, total: payment.total, currency: 'CNY' }
  const answer = await stage.client.refund(out_refund_no, { transaction_id: payment.transaction_id, amount }, choices())
  expect(answer.status).toBe(200)
  return { out_refund_no, refund_id: String(answer.json['refund_id']) }
}

const trade = (query: string, who = stage.client): Promise<Answer> =>
  who.call('GET', `/v3/bill/tradebill?${query}`, undefined, choices())
const flow = (query: string): Promise<Answer> =>
  stage.client.call('GET', `/v3/bill/fundflowbill?${query}`, undefined, choices())

/** Downloads by fetch: bytes, and headers as they came. */
async function fetched(url: unknown, who = stage.client): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const path = String(url).slice(stage.simulator.url.length)
  const authorization = who.authorization('GET', path, '', choices())
  const answer = await fetch(String(url), { headers: { authorization, accept: '*/*', 'user-agent': 'a test' } })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

/** The rows of a bill by title, read in the plainest way, and its summary. */
async function read(answer: Answer): Promise<{ rows: Record<string, string>[]; footer: Record<string, string> }> {
  expect(answer.status, answer.text).toBe(200)
  const { bytes } = await fetched(answer.json['download_url'])
  expect(createHash('sha1').update(bytes).digest('hex')).toBe(answer.json['hash_value'])
  const lines = bytes.toString().slice(1).split('\r\n')
  const summary = lines.findIndex((line) => line.startsWith('总交易单数') || line.startsWith('资金流水总笔数'))
  const record = (titles = '', line = ''): Record<string, string> => {
    const cells = line.slice(1).split(',`')
    return Object.fromEntries(titles.split(',').map((title, index) => [title, cells[index] ?? '-']))
  }
  return {
    rows: lines.slice(1, summary).map((line) => record(lines[0], line)),
    footer: record(lines[summary], lines[summary + 1]),
  }
}

const day = 'bill_date=2026-11-20'

describe('a bill', () => {
  it('can be had from 10:00 of the next day on, for three months, and of no day to come', async () => {
    await paid()
    const seen: [string, string, string | undefined][] = []
    for (const [time, query] of [
      ['2026-11-20 23:00:00', day],
      ['2026-11-20 23:00:00', 'bill_date=2026-11-21'],
      ['2026-11-21 08:59:59', day],
      ['2026-11-21 09:59:59', day],
      ['2026-11-21 10:00:00', day],
      ['2026-11-21 10:00:00', 'bill_date=2026-11-19'],
      ['2027-02-20 10:00:00', day],
      ['2027-02-21 10:00:00', day],
      ['2026-11-21 10:00:00', 'bill_date=2026-11-31'],
      ['2026-11-21 10:00:00', 'bill_date=20261120'],
      ['2026-11-21 10:00:00', 'tar_type=GZIP'],
      ['2026-11-21 10:00:00', `${day}&bill_type=ALL_SPECIAL`],
      ['2026-11-21 10:00:00', `${day}&tar_type=ZIP`],
    ] as const) {
      clock.now = at(time)
      const { status, json } = await trade(query)
      seen.push([time, query, status === 200 ? '200' : `${status} ${String(json['code'])}`])
    }
    expect(seen.map(([, , answer]) => answer)).toEqual([
      '400 INVALID_REQUEST',
      '400 INVALID_REQUEST',
      '400 STATEMENT_CREATING',
      '400 STATEMENT_CREATING',
      '200',
      '400 NO_STATEMENT_EXIST',
      '200',
      '400 INVALID_REQUEST',
      ...Array<string>(5).fill('400 PARAM_ERROR'),
    ])
  })

  it('is applied for in a signed answer and downloaded by its merchant alone, unsigned, for five minutes', async () => {
    await paid()
    clock.now = at('2026-11-21 10:30:00')
    const answer = await trade(`${day}&tar_type=GZIP`)
    expect(stage.client.verifies(answer)).toBe(true)
    expect(answer.json).toEqual({
      hash_type: 'SHA1',
      hash_value: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
      download_url: expect.stringMatching(/^http:.+\/v3\/billdownload\/file\?token=[\w-]+&tartype=gzip$/) as string,
    })
    const file = await fetched(answer.json['download_url'])
    expect(file.status).toBe(200)
    expect(file.headers.get('content-type')).toBe('application/x-gzip')
    expect(file.headers.get('content-encoding')).toBeNull()
    expect([...file.headers.keys()].filter((name) => /^wechatpay|request-id/.test(name))).toEqual([])
    const sha1 = createHash('sha1').update(gunzipSync(file.bytes)).digest('hex')
    expect(sha1).toBe(answer.json['hash_value'])

    const stranger = new Client(stage.simulator.url, makeMerchant(String(++stage.last_mchid)))
    await stranger.register()
    const refused = await fetched(answer.json['download_url'], stranger)
    expect([refused.status, refused.bytes.toString()]).toEqual([403, expect.stringContaining('NO_AUTH')])
    const unsigned = await fetch(String(answer.json['download_url']))
    expect(unsigned.status).toBe(401)
    clock.now += 299_000
    expect((await fetched(answer.json['download_url'])).status).toBe(200)
    clock.now += 1_000
    expect((await fetched(answer.json['download_url'])).status).toBe(400)
    const plain = await fetched((await trade(day)).json['download_url'])
    expect(plain.headers.get('content-type')).toMatch(/^text\/plain/)
    expect(plain.bytes.subarray(0, 3).toString('hex')).toBe('efbbbf')
    expect(plain.bytes.subarray(-2).toString()).toBe('\r\n')
  })

  it('lists every payment and refund of the day with its amounts, coupons and fees', async () => {
    const tea = await paid(1_000, { description: '茶,两杯', attach: 'a\nb' })
    const coupons = await paid(1_000, {}, { nocash_amount: 300, cash_amount: 100 })
    stage.simulator.control.pay({ mchid: mchid(), out_trade_no: tea.out_trade_no, story: 'second_payment' })
    const part = await refunded(coupons, 500)
    const rest = await refunded(coupons, 500)
    clock.now = at('2026-11-20 23:59:59')
    const late = await paid(83)
    clock.now = at('2026-11-21 00:00:00')
    const next = await paid()
    stage.simulator.control.finishRefund({ refund_id: part.refund_id, status: 'SUCCESS' })
    clock.now = at('2026-11-21 11:00:00')
    stage.simulator.control.finishRefund({ refund_id: rest.refund_id, status: 'ABNORMAL' })
    const { rows, footer } = await read(await trade(day))

    expect(rows.map((row) => row['商户订单号'])).not.toContain(next.out_trade_no)
    expect(rows).toHaveLength(6)
    const of = (no: string) => rows.filter((row) => row['商户订单号'] === no && row['交易状态'] === 'SUCCESS')
    expect(of(tea.out_trade_no)).toHaveLength(2)
    expect(of(tea.out_trade_no)[0]).toMatchObject({
      交易时间: '2026-11-20 12:00:00',
      公众账号ID: stage.client.merchant.appid,
      商户号: mchid(),
      特约商户号: '0',
      商品名称: '茶\\ 两杯',
      商户数据包: 'a\\nb',
      应结订单金额: '10.00',
      手续费: '0.06000',
      费率: '0.60%',
      微信退款单号: '0',
      退款状态: '',
    })
    expect(of(coupons.out_trade_no)[0]).toMatchObject({
      订单金额: '10.00',
      应结订单金额: '7.00',
      代金券金额: '4.00',
      手续费: '0.04000',
    })
    expect(of(late.out_trade_no)[0]).toMatchObject({ 交易时间: '2026-11-20 23:59:59', 手续费: '0.00000' })
    const refundRow = (no: string) => rows.find((row) => row['商户退款单号'] === no)
    // the fee of 7.00 is 0.04, of 3.50 0.02: each half gives back two fen
    expect(refundRow(part.out_refund_no)).toMatchObject({
      交易状态: 'REFUND',
      微信退款单号: part.refund_id,
      应结订单金额: '0.00',
      申请退款金额: '5.00',
      退款金额: '3.50',
      充值券退款金额: '0.50',
      退款类型: 'ORIGINAL',
      退款状态: 'SUCCESS',
      手续费: '-0.02000',
    })
    // at 09:00, when the bill was made, it was under way; two hours later it no longer was
    expect(refundRow(rest.out_refund_no)).toMatchObject({ 退款状态: 'PROCESSING', 手续费: '-0.02000' })
    expect(footer).toEqual({
      总交易单数: '6.0',
      应结订单总金额: '27.83',
      退款总金额: '7.0',
      充值券退款总金额: '1.0',
      手续费总金额: '0.12',
      订单总金额: '30.83',
      申请退款总金额: '10.0',
    })
    const only = await read(await trade(`${day}&bill_type=SUCCESS`))
    expect(only.rows.map((row) => row['交易状态'])).toEqual(Array<string>(4).fill('SUCCESS'))
    const refunds = await read(await trade(`${day}&bill_type=REFUND`))
    expect(refunds.rows.map((row) => row['退款成功时间']).sort()).toEqual(['', '2026-11-21 00:00:00'])
  })

  it('says CHANGE of an abnormal refund and FAIL of a closed one', async () => {
    const payment = await paid()
    const abnormal = await refunded(payment, 100)
    const closed = await refunded(payment, 100)
    stage.simulator.control.finishRefund({ refund_id: abnormal.refund_id, status: 'ABNORMAL' })
    stage.simulator.control.finishRefund({ refund_id: closed.refund_id, status: 'CLOSED' })
    clock.now = at('2026-11-21 10:00:00')
    const { rows } = await read(await trade(`${day}&bill_type=REFUND`))
    const states = new Map(rows.map((row) => [row['商户退款单号'], row['退款状态']]))
    expect(states).toEqual(
      new Map([
        [abnormal.out_refund_no, 'CHANGE'],
        [closed.out_refund_no, 'FAIL'],
      ]),
    )
  })

  it('stays the same, byte for byte, over a restart too, until its day is issued anew', async () => {
    const payment = await paid()
    const refund = await refunded(payment, 100)
    clock.now = at('2026-11-21 10:00:00')
    const first = (await trade(day)).json['hash_value']
    stage.simulator.control.finishRefund({ refund_id: refund.refund_id, status: 'SUCCESS' })
    stage.simulator.control.addFault({ operation: 'trade_bill_content', fault: 'omitted', mchid: mchid() })
    clock.now += 3_600_000
    await stage.simulator.close()
    stage.simulator = await open()
    const same = new Client(stage.simulator.url, stage.client.merchant)
    expect((await trade(day, same)).json['hash_value']).toBe(first)
    expect(await control<object>(stage.simulator.url, '/bills', { mchid: mchid(), bill_date: '2026-11-20' })).toEqual({
      mchid: mchid(),
      bill_date: '2026-11-20',
      version: 2,
    })
    const second = (await trade(day, same)).json['hash_value']
    expect(second).not.toBe(first)
    expect((await trade(day, same)).json['hash_value']).toBe(second)
  })

  it('of a generated day is the one that its options make', async () => {
    const generated = { rows: 300, seed: 5, appid: stage.client.merchant.appid, difference_share: 0.1 }
    const issued = stage.simulator.control.issueBills({ mchid: mchid(), bill_date: '2026-11-19', generated })
    expect(issued.warning).toBeUndefined()
    const given = new GeneratedDay({ ...generated, mchid: mchid(), bill_date: '2026-11-19' })
    const { download_url } = (await trade('bill_date=2026-11-19')).json
    expect((await fetched(download_url)).bytes).toEqual(Buffer.concat([...given.bill()]))
    const { rows, footer } = await read(await flow('bill_date=2026-11-19'))
    const signed = (row: Record<string, string>) => (row['收支类型'] === '收入' ? 1 : -1) * Number(row['收支金额(元)'])
    const balances = rows.map((row) => Number(row['账户结余(元)']))
    for (const [index, row] of rows.entries())
      expect(balances[index]).toBeCloseTo((balances[index - 1] ?? 1_000_000) + signed(row), 6)
    expect(footer['资金流水总笔数']).toBe(`${rows.length}.0`)
  })

  it('of generated days goes on from day to day, with what was paid on the days between', async () => {
    await paid()
    const generate = (bill_date: string, rows: number) =>
      stage.simulator.control.issueBills({
        mchid: mchid(),
        bill_date,
        generated: { rows, appid: 'wx1', refund_share: 0.2 },
      })
    const balances = async (bill_date: string) => {
      const { rows } = await read(await flow(`bill_date=${bill_date}`))
      const fen = (text = '') => Math.round(Number(text) * 100)
      const [first, last] = [rows[0] ?? {}, rows.at(-1) ?? {}]
      const moved = fen(first['收支金额(元)']) * (first['收支类型'] === '收入' ? 1 : -1)
      return { opening: fen(first['账户结余(元)']) - moved, closing: fen(last['账户结余(元)']) }
    }
    generate('2026-11-18', 30)
    generate('2026-11-19', 20)
    const [one, two] = [await balances('2026-11-18'), await balances('2026-11-19')]
    expect([one.opening, two.opening]).toEqual([100_000_000, one.closing])
    clock.now = at('2026-11-22 12:00:00')
    const three = await balances('2026-11-20')
    expect(three.opening).toBe(two.closing)
    generate('2026-11-21', 10)
    expect((await balances('2026-11-21')).opening).toBe(three.closing)
    // What has been issued keeps its bytes.
    expect(generate('2026-11-17', 5).warning).toContain('2026-11-18 was issued before it')
    expect(await balances('2026-11-18')).toEqual(one)
  })

  it('has a payment of the day on which it is said to have been made', async () => {
    const out_trade_no = freshNumber()
    await stage.client.place(out_trade_no, { amount: { total: 1_000, currency: 'CNY' } }, choices())
    const pay = (success_time: string) => stage.simulator.control.pay({ mchid: mchid(), out_trade_no, success_time })
    expect(() => pay('2026-11-20T12:00:01+08:00')).toThrow(/that moment is to come/)
    const { transaction_id } = pay('2026-11-19T09:30:00+08:00')
    stage.simulator.control.issueBills({ mchid: mchid(), bill_date: '2026-11-19' })
    const { rows } = await read(await trade('bill_date=2026-11-19'))
    expect(rows.map((row) => [row['微信订单号'], row['交易时间']])).toEqual([[transaction_id, '2026-11-19 09:30:00']])
  })

  it('can be issued at once, of today too, and then is of that moment', async () => {
    const before = await paid()
    stage.simulator.control.issueBills({ mchid: mchid(), bill_date: '2026-11-20' })
    clock.now += 1_000
    await paid()
    const { rows } = await read(await trade(day))
    expect(rows.map((row) => row['商户订单号'])).toEqual([before.out_trade_no])
    await expect(control(stage.simulator.url, '/bills', { mchid: mchid(), bill_date: '2026-11-21' })).rejects.toThrow(
      /409/,
    )
    await expect(control(stage.simulator.url, '/bills', { mchid: mchid(), bill_date: '2026-11-31' })).rejects.toThrow(
      /400/,
    )
  })
})

describe('a fault of the calls for bills', () => {
  const late = async () => {
    await paid()
    clock.now = at('2026-11-21 10:00:00')
  }
  const fault = (operation: FaultRequest['operation'], name: string, more: object = {}) =>
    control<object>(stage.simulator.url, '/faults', { operation, fault: name, mchid: mchid(), ...more })

  it('makes a bill late until a time, or gives the hash of another file', async () => {
    await late()
    await fault('trade_bill', 'STATEMENT_CREATING', { bill_date: '2026-11-20', until: '2026-11-21T15:00:00+08:00' })
    expect(await trade(day)).toMatchObject({ status: 400, json: { code: 'STATEMENT_CREATING' } })
    expect((await trade('bill_date=2026-11-19')).json['code']).toBe('NO_STATEMENT_EXIST')
    clock.now = at('2026-11-21 15:00:00')
    const right = await trade(day)
    expect(right.status).toBe(200)
    await fault('trade_bill', 'wrong_hash', { times: 1 })
    expect((await trade(day)).json['hash_value']).not.toBe(right.json['hash_value'])
    expect((await trade(day)).json['hash_value']).toBe(right.json['hash_value'])
    await fault('fund_flow_bill', 'NO_STATEMENT_EXIST', { times: 1 })
    expect((await flow(day)).json['code']).toBe('NO_STATEMENT_EXIST')
    expect((await flow(day)).status).toBe(200)
  })

  it('spoils a download once', async () => {
    await late()
    const link = (await trade(`${day}&tar_type=GZIP`)).json['download_url']
    const { bytes } = await fetched(link)
    await fault('bill_download', 'truncated', { times: 1, bill_date: '2026-11-20' })
    const half = await fetched(link)
    expect([half.status, half.bytes]).toEqual([200, bytes.subarray(0, Math.floor(bytes.length / 2))])
    await fault('bill_download', 'cut_off', { times: 1 })
    await expect(fetched(link)).rejects.toThrow(/terminated|fetch failed|closed/)
    await fault('bill_download', 'other_form', { times: 1 })
    expect((await fetched(link)).bytes).toEqual(gunzipSync(bytes))
    await fault('bill_download', 'expired', { times: 1 })
    expect((await fetched(link)).status).toBe(400)
    await fault('bill_download', 'disconnect', { times: 1 })
    await expect(fetched(link)).rejects.toThrow(/fetch failed/)
    await fault('bill_download', '503', { times: 1 })
    expect((await fetched(link)).status).toBe(503)
    expect((await fetched(link)).bytes).toEqual(bytes)
    const calls = stage.simulator.control.view(mchid(), null).calls.filter((call) => call.operation === 'bill_download')
    expect(calls.map((call) => call.fault)).toEqual([
      ...[null, 'truncated', 'cut_off', 'other_form', 'expired', 'disconnect', 'error', null],
    ])
  })

  it('plants what the next issue says, and none that cannot be', async () => {
    const first = await paid()
    const second = await paid()
    await fault('trade_bill_content', 'moved', { bill_date: '2026-11-20', out_trade_no: first.out_trade_no })
    await fault('trade_bill_content', 'foreign_payment', { bill_date: '2026-11-20' })
    await fault('fund_flow_bill_content', 'net_income', { bill_date: '2026-11-20' })
    clock.now = at('2026-11-22 10:00:00')
    const numbers = async (query: string) => (await read(await trade(query))).rows.map((row) => row['商户订单号'])
    const rows = await numbers(day)
    expect(rows).toEqual([second.out_trade_no, expect.stringMatching(/^POS/)])
    expect((await stage.client.query(rows[1] ?? '', choices())).status).toBe(404)
    expect(await numbers('bill_date=2026-11-21')).toEqual([first.out_trade_no])
    const flows = (await read(await flow(day))).rows
    expect(flows.map((row) => [row['业务类型'], row['收支金额(元)'], row['备注']])).toEqual(
      Array<string[]>(2).fill(['交易', '9.94', '结算总金额 10.00 元;含手续费 0.06 元']),
    )
    await fault('trade_bill_content', 'empty', { bill_date: '2026-11-20' })
    await fault('trade_bill_content', 'old_layout', { bill_date: '2026-11-21' })
    expect(await numbers(day)).toEqual(rows)
    stage.simulator.control.removeFaults(null)
    await fault('trade_bill_content', 'empty', { bill_date: '2026-11-20' })
    await fault('trade_bill_content', 'old_layout', { bill_date: '2026-11-21' })
    stage.simulator.control.issueBills({ mchid: mchid(), bill_date: '2026-11-20' })
    const empty = await read(await trade(day))
    expect(empty).toMatchObject({ rows: [], footer: { 总交易单数: '0.0', 手续费总金额: '0.0' } })
    for (const [operation, name, more] of [
      ['trade_bill_content', 'broken_chain', {}],
      ['fund_flow_bill_content', 'fee', {}],
      ['trade_bill_content', 'omitted', { times: 1 }],
      ['trade_bill_content', 'amount', { value: 'much' }],
      ['trade_bill_content', '500', {}],
      ['trade_bill', 'truncated', {}],
    ] as const)
      await expect(fault(operation, name, more)).rejects.toThrow(/PARAM_ERROR/)
  })
})

describe('a fund-flow bill', () => {
  it('has a line for each movement and a balance that goes on from day to day', async () => {
    const tea = await paid(1_000)
    const closed = await refunded(tea, 500)
    clock.now = at('2026-11-21 09:00:00')
    const more = await paid(2_000)
    stage.simulator.control.finishRefund({ refund_id: closed.refund_id, status: 'CLOSED' })
    clock.now = at('2026-11-22 10:00:00')
    const first = await read(await flow(`${day}&account_type=BASIC`))
    const second = await read(await flow('bill_date=2026-11-21'))

    const short = (row: Record<string, string>) =>
      ['业务类型', '收支类型', '收支金额(元)', '账户结余(元)'].map((title) => row[title]).join(' ')
    expect(first.rows.map(short)).toEqual([
      '交易 收入 10.00 1000010.00',
      '扣除交易手续费 支出 0.06 1000009.94',
      '退款 支出 5.00 1000004.94',
      '退还交易手续费 收入 0.03 1000004.97',
    ])
    expect(second.rows).toHaveLength(3)
    const steps = second.rows.map((row) => [row['业务类型'], row['收支金额(元)']])
    expect(steps).toEqual(expect.arrayContaining([['退款关闭', '5.00']]))
    expect(second.rows.at(-1)?.['账户结余(元)']).toBe('1000029.85')
    expect(first.rows[0]).toEqual({
      记账时间: '2026-11-20 12:00:00',
      微信支付业务单号: tea.transaction_id,
      资金流水单号: tea.transaction_id,
      业务名称: '交易',
      业务类型: '交易',
      收支类型: '收入',
      '收支金额(元)': '10.00',
      '账户结余(元)': '1000010.00',
      资金变更提交申请人: 'system',
      备注: '结算总金额 10.00 元;含手续费 0.06 元',
      业务凭证号: tea.out_trade_no,
    })
    expect(first.rows[2]).toMatchObject({
      微信支付业务单号: closed.refund_id,
      资金变更提交申请人: `${mchid()}API`,
      备注: '退款总金额5.00元;含手续费0.03元',
      业务凭证号: closed.out_refund_no,
    })
    expect(first.footer).toEqual({
      资金流水总笔数: '4.0',
      收入笔数: '2.0',
      收入金额: '10.03',
      支出笔数: '2.0',
      支出金额: '5.06',
    })
    expect(second.rows.map((row) => row['业务凭证号'])).toContain(more.out_trade_no)
  })

  it('of other accounts, or of a day without movement, does not exist', async () => {
    await paid()
    clock.now = at('2026-11-22 10:00:00')
    for (const query of [`${day}&account_type=FEES`, `${day}&account_type=OPERATION`, 'bill_date=2026-11-21'])
      expect(await flow(query)).toMatchObject({ status: 400, json: { code: 'NO_STATEMENT_EXIST' } })
    expect(await flow(`${day}&account_type=ALL`)).toMatchObject({ status: 400, json: { code: 'PARAM_ERROR' } })
  })
})
