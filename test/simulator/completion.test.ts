import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import type { Simulator } from '../../simulator/main.ts'
import { until } from '../stage/until.ts'
import { Client, control, makeMerchant, numbering, startReceiver } from './client.ts'
import type { Envelope, Received } from './client.ts'

const minute_ms = 60_000
const day_ms = 24 * 60 * minute_ms

const mchid = '1900000060'
const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0, refund_spacing_ms: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant(mchid))
const freshNumber = numbering('ENDING')
const freshRefund = numbering('ENDED')

beforeAll(() => client.register())
afterAll(() => simulator.close())

const signed = () => ({ timestamp: Math.floor(clock.ms / 1000) })
const refund = (no: string, more: Record<string, unknown>) => client.refund(no, more, signed())
const query = (no: string) => client.queryRefund(no, signed())
const of = (fen: number) => ({ amount: { refund: fen, total: 100, currency: 'CNY' } })
const notificationsOf = (out_refund_no: string) =>
  simulator.control.view(mchid, null).notifications.filter((one) => one.out_refund_no === out_refund_no)

async function paid(
  how: Partial<Parameters<Simulator['control']['pay']>[0]> = {},
): Promise<{ out_trade_no: string; transaction_id: string }> {
  const out_trade_no = freshNumber()
  await client.place(out_trade_no, {}, signed())
  const { transaction_id } = simulator.control.pay({ mchid, out_trade_no, story: 'lose_notification', ...how })
  return { out_trade_no, transaction_id: transaction_id ?? '' }
}

describe('how a refund ends', () => {
  it('is well, in seconds to a balance and in days to a card', async () => {
    const [balance, card] = [await paid(), await paid({ bank_type: 'CMB_CREDIT' })]
    const [quick, slow] = [freshRefund(), freshRefund()]
    await refund(quick, { transaction_id: balance.transaction_id })
    const toCard = await refund(slow, { transaction_id: card.transaction_id })
    expect(toCard.json.user_received_account).toBe('招商银行信用卡0403')
    clock.ms += 5_000 - 1
    await simulator.runDue()
    expect((await query(quick)).json.status).toBe('PROCESSING')
    clock.ms += 1
    await simulator.runDue()
    const ended = await query(quick)
    expect(ended.json).toMatchObject({ status: 'SUCCESS', user_received_account: '支付用户零钱' })
    expect(Date.parse(String(ended.json.success_time))).toBe(Math.floor(clock.ms / 1000) * 1000)
    expect((await query(slow)).json.status).toBe('PROCESSING')
    clock.ms += 2 * day_ms
    await simulator.runDue()
    expect((await query(slow)).json.status).toBe('SUCCESS')
  })

  it('waits to be told while the merchant’s refunds are held, and is final', async () => {
    const { transaction_id } = await paid()
    const no = freshRefund()
    await refund(no, { transaction_id, ...of(1) })
    simulator.control.holdRefunds({ mchid })
    clock.ms += minute_ms
    await simulator.runDue()
    const later = freshRefund()
    await refund(later, { transaction_id, ...of(1) })
    clock.ms += minute_ms
    await simulator.runDue()
    expect([(await query(no)).json.status, (await query(later)).json.status]).toEqual(['PROCESSING', 'PROCESSING'])
    const closed = simulator.control.finishRefund({ mchid, out_refund_no: no, status: 'CLOSED' })
    expect(closed).toMatchObject({ status: 'CLOSED', success_time: null, finish_time: null })
    expect(() => simulator.control.finishRefund({ mchid, out_refund_no: no, status: 'SUCCESS' })).toThrow(/CLOSED/)
    simulator.control.releaseRefunds({ mchid })
    clock.ms += 5_000
    await simulator.runDue()
    expect([(await query(no)).json.status, (await query(later)).json.status]).toEqual(['CLOSED', 'SUCCESS'])
    const finish = (out_refund_no: string, status: 'CLOSED' | 'ABNORMAL' | 'SUCCESS') =>
      simulator.control.finishRefund({ mchid, out_refund_no, status })
    for (const status of ['CLOSED', 'ABNORMAL', 'SUCCESS'] as const)
      expect(() => finish(no, status)).toThrow(/is CLOSED/)
    expect(() => finish(later, 'SUCCESS')).toThrow(/is SUCCESS/)
    // The payer's bank sends it back.
    expect(finish(later, 'ABNORMAL')).toMatchObject({ status: 'ABNORMAL', success_time: null })
  })

  it('takes the days of a card for what was redirected to one, also after it was held', async () => {
    const { transaction_id } = await paid()
    const no = freshRefund()
    const { json } = await refund(no, { transaction_id })
    simulator.control.finishRefund({ mchid, out_refund_no: no, status: 'ABNORMAL' })
    simulator.control.holdRefunds({ mchid })
    await client.applyAbnormalRefund(
      String(json.refund_id),
      { out_refund_no: no, type: 'MERCHANT_BANK_CARD' },
      { ...signed(), headers: { 'wechatpay-serial': [...client.keys.keys()][0] ?? '' } },
    )
    simulator.control.releaseRefunds({ mchid })
    clock.ms += 2 * day_ms - 1
    await simulator.runDue()
    expect((await query(no)).json.status).toBe('PROCESSING')
    clock.ms += 1
    await simulator.runDue()
    expect((await query(no)).json.status).toBe('SUCCESS')
  })

  it('may be the merchant’s own account, named as WeChat Pay names it', async () => {
    for (const [received_by, account, channel] of [
      ['merchant_basic_account', '商户基本账户', 'OTHER_BALANCE'],
      ['merchant_bank_account', '商户结算银行账户', 'OTHER_BANKCARD'],
    ] as const) {
      const { transaction_id } = await paid()
      const { json } = await refund(freshRefund(), { transaction_id })
      const path = `/refunds/${String(json.refund_id)}`
      await control(simulator.url, path, { status: 'SUCCESS', received_by })
      const ended = await query(String(json.out_refund_no))
      expect(ended.json).toMatchObject({ status: 'SUCCESS', user_received_account: account, channel })
    }
  })

  it('can be told by either number over HTTP, and what makes no sense is refused', async () => {
    const { transaction_id } = await paid()
    const no = 'R|1@*'
    await refund(no, { transaction_id })
    const path = `/refunds/${mchid}/${encodeURIComponent(no)}`
    await expect(control(simulator.url, path, { status: 'DONE' })).rejects.toThrow(/400/)
    const odd = { status: 'CLOSED', received_by: 'merchant_basic_account' }
    await expect(control(simulator.url, path, odd)).rejects.toThrow(/400.*SUCCESS/)
    await expect(control(simulator.url, '/refunds/5030', { status: 'CLOSED' })).rejects.toThrow(/404/)
    expect(await control(simulator.url, path, { status: 'ABNORMAL' })).toMatchObject({ status: 'ABNORMAL' })
    await expect(control(simulator.url, path, { status: 'CLOSED' })).rejects.toThrow(/409/)
  })

  it('may be chance', async () => {
    for (const [fault, status] of [
      ['ABNORMAL', 'ABNORMAL'],
      ['CLOSED', 'CLOSED'],
      ['RETURNED', 'SUCCESS'],
    ] as const) {
      const { transaction_id } = await paid()
      const no = freshRefund()
      simulator.control.addFault({ operation: 'end_refund', fault, out_refund_no: no, times: 1 })
      await refund(no, { transaction_id })
      clock.ms += 5_000
      await simulator.runDue()
      const { json } = await query(no)
      expect([json.status, json.user_received_account === '商户基本账户']).toEqual([status, fault === 'RETURNED'])
    }
  })
})

describe('a notification of a refund', () => {
  const envelope = (received: Received | undefined): Envelope => JSON.parse(received?.text ?? '{}') as Envelope
  const plaintext = (received: Received | undefined) =>
    JSON.parse(client.open(envelope(received).resource)) as Record<string, unknown>

  it('tells the end, to the address of the refund, in the words of notifications', async () => {
    const receiver = await startReceiver()
    for (const [status, summary] of [
      ['SUCCESS', '退款成功'],
      ['ABNORMAL', '退款异常'],
      ['CLOSED', '退款关闭'],
    ] as const) {
      receiver.received.length = 0
      const { out_trade_no, transaction_id } = await paid({ coupon: { nocash_amount: 30 } })
      const out_refund_no = freshRefund()
      const { json } = await refund(out_refund_no, { transaction_id, notify_url: receiver.url, ...of(50) })
      const ended = simulator.control.finishRefund({ mchid, out_refund_no, status })
      const [received] = await until('it is notified', () =>
        receiver.received.length === 1 ? receiver.received : null,
      )
      if (received === undefined) throw new Error('nothing came')
      expect(client.verifies(received)).toBe(true)
      expect(envelope(received)).toMatchObject({
        event_type: `REFUND.${status}`,
        resource_type: 'encrypt-resource',
        summary,
        resource: { original_type: 'refund', associated_data: 'refund', algorithm: 'AEAD_AES_256_GCM' },
      })
      expect(plaintext(received)).toEqual({
        ...{ mchid, out_trade_no, transaction_id, out_refund_no, refund_id: json.refund_id, refund_status: status },
        ...(status === 'SUCCESS' && { success_time: ended.success_time?.replace(/\.\d+/, '') }),
        user_received_account: '支付用户零钱',
        amount: { total: 100, refund: 50, payer_total: 70, payer_refund: 35 },
      })
    }
    await receiver.close()
  })

  it('comes again until it is taken, the same bytes each time', async () => {
    const other = await startSimulator({ port: 0, probe_rate: 0, time_scale: 3_000, refund_balance_delay_ms: 60_000 })
    const own = new Client(other.url, client.merchant)
    await own.register()
    await own.place('AGAIN_0001')
    other.control.pay({ mchid, out_trade_no: 'AGAIN_0001', story: 'lose_notification' })
    const receiver = await startReceiver((n) => [500, 401, 202, 204][n - 1] ?? 204)
    await own.refund('AGAIN', { out_trade_no: 'AGAIN_0001', notify_url: receiver.url })
    await until('it is delivered', () =>
      other.control.view(mchid, null).notifications.some(({ state }) => state === 'delivered'),
    )
    const [, notification] = other.control.view(mchid, null).notifications
    expect(notification?.attempts.map(({ status }) => status)).toEqual([500, 401, 202, 204])
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
    await receiver.close()
    await other.close()
  })

  it('can come before the answer to the refund itself', async () => {
    /** What a refund is told and answered, whose answer comes so late; null: on a busy machine that came first. */
    const overtaken = async (delay_ms: number) => {
      const receiver = await startReceiver()
      const { transaction_id } = await paid()
      const out_refund_no = freshRefund()
      simulator.control.addFault({ operation: 'refund', fault: 'slow', delay_ms, out_refund_no, times: 1 })
      let answered = false
      const given = { transaction_id, notify_url: receiver.url }
      const answer = refund(out_refund_no, given).finally(() => (answered = true))
      await until('it is refunded', () =>
        simulator.control.view(mchid, null).refunds.some((one) => one.out_refund_no === out_refund_no),
      )
      simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS' })
      await until('it is notified', () => receiver.received.length === 1)
      const was_first = !answered
      const { status } = (await answer).json
      await receiver.close()
      return was_first ? [status, plaintext(receiver.received[0]).refund_status] : null
    }
    const seen = (await overtaken(3_000)) ?? (await overtaken(12_000)) ?? (await overtaken(48_000))
    expect(seen).toEqual(['PROCESSING', 'SUCCESS'])
  })

  it('can be an older one after a newer, of any status, and three at once', async () => {
    const receiver = await startReceiver()
    const { transaction_id } = await paid()
    const out_refund_no = freshRefund()
    const { json } = await refund(out_refund_no, { transaction_id, notify_url: receiver.url })
    simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS' })
    await until('it is notified', () => receiver.received.length === 1)
    const late = await simulator.control.notifyRefund({ mchid, out_refund_no, refund_status: 'PROCESSING' })
    expect([late.state, late.event_type]).toEqual(['delivered', 'REFUND.PROCESSING'])
    const refund_id = String(json.refund_id)
    await control(simulator.url, '/notifications/refund', { refund_id, refund_status: 'ABNORMAL', copies: 3 })
    expect(receiver.received.map((one) => plaintext(one).refund_status)).toEqual([
      'SUCCESS',
      'PROCESSING',
      ...Array<string>(3).fill('ABNORMAL'),
    ])
    expect((await query(out_refund_no)).json.status).toBe('SUCCESS')
    await receiver.close()
  })

  it('can be lost by the end itself, or by a fault that leaves payments alone', async () => {
    const { transaction_id } = await paid()
    const [first, second] = [freshRefund(), freshRefund()]
    const notify_url = 'http://127.0.0.1:9/refunds'
    await refund(first, { transaction_id, notify_url, ...of(1) })
    await refund(second, { transaction_id, notify_url, ...of(1) })
    simulator.control.finishRefund({ mchid, out_refund_no: first, status: 'SUCCESS', notification: 'lose' })
    expect(notificationsOf(first)[0]?.state).toBe('lost')
    const fault = { operation: 'notify', fault: 'lose', original_type: 'refund', mchid } as const
    const { fault_id } = simulator.control.addFault(fault)
    const { out_trade_no } = await paid({ story: 'pay' })
    simulator.control.finishRefund({ mchid, out_refund_no: second, status: 'SUCCESS' })
    simulator.control.removeFaults(fault_id)
    expect(notificationsOf(second)[0]?.state).toBe('lost')
    expect(simulator.control.view(mchid, out_trade_no).notifications[0]?.state).toBe('waiting')
  })

  it('is not sent for a refund without an address, unless it is set that the console’s will do', async () => {
    for (const [refund_without_url, count] of [
      ['nothing', 0],
      ['v3', 1],
    ] as const) {
      const other = await startSimulator({ port: 0, refund_without_url, refund_balance_delay_ms: 0 })
      const own = new Client(other.url, client.merchant)
      await own.register({ refund_notify_url: 'http://127.0.0.1:9/console' })
      await own.place('SILENT_001')
      other.control.pay({ mchid, out_trade_no: 'SILENT_001', story: 'lose_notification' })
      await own.refund('SILENT', { out_trade_no: 'SILENT_001' })
      await until('it has ended', () => other.control.view(mchid, null).refunds[0]?.status === 'SUCCESS')
      const { notifications } = other.control.view(mchid, null)
      expect(notifications.filter(({ out_refund_no }) => out_refund_no === 'SILENT')).toHaveLength(count)
      await other.close()
    }
  })
})

describe('a refund made in the merchant console', () => {
  it('has a number of the console’s, takes what is left, and is notified to the console’s address', async () => {
    const receiver = await startReceiver()
    await client.register({ refund_notify_url: receiver.url })
    const { out_trade_no, transaction_id } = await paid()
    await refund(freshRefund(), { transaction_id, ...of(30) })
    const made = simulator.control.createConsoleRefund({ mchid, transaction_id, reason: '线下退款' })
    expect(made).toMatchObject({ source: 'console', status: 'PROCESSING', amount: { refund: 70 }, out_trade_no })
    expect(made.out_refund_no).toMatch(/^19000000602\d{17}$/)
    expect((await query(made.out_refund_no)).json).toMatchObject({ status: 'PROCESSING', amount: { refund: 70 } })
    clock.ms += 5_000
    await simulator.runDue()
    const received = await until('it is notified', () => receiver.received.at(-1))
    expect((JSON.parse(received.text) as Envelope).event_type).toBe('REFUND.SUCCESS')
    await client.register({ refund_notify_url: null })
    await receiver.close()
  })

  it('may be over at once, and its notification lost', async () => {
    const { out_trade_no } = await paid()
    const outside = { mchid, out_trade_no, refund: 10, status: 'SUCCESS', notification: 'lose' }
    const made = await control<{ out_refund_no: string }>(simulator.url, '/refunds', outside)
    expect((await query(made.out_refund_no)).json).toMatchObject({ status: 'SUCCESS', amount: { refund: 10 } })
    expect((await client.query(out_trade_no, signed())).json.trade_state).toBe('REFUND')
    expect(notificationsOf(made.out_refund_no)).toEqual([])
  })

  it('keeps the rules of refunds', async () => {
    const { out_trade_no, transaction_id } = await paid()
    simulator.control.createConsoleRefund({ mchid, transaction_id, refund: 60 })
    expect(() => simulator.control.createConsoleRefund({ mchid, out_trade_no, refund: 41 })).toThrow(/超过订单可退金额/)
    simulator.control.setBalance({ mchid, balance: 0 })
    expect(() => simulator.control.createConsoleRefund({ mchid, out_trade_no })).toThrow(/余额不足/)
    simulator.control.setBalance({ mchid, balance: null })
    expect(() => simulator.control.createConsoleRefund({ mchid, out_trade_no: 'NEVER_PAID' })).toThrow(
      /no such payment/,
    )
    expect((await refund(freshRefund(), { transaction_id, ...of(41) })).json.code).toBe('INVALID_REQUEST')
  })
})

describe('a refund under way when the simulator stops', () => {
  it('ends after the next start, and a book from before there were refunds can still be read', async () => {
    const data_dir = mkdtempSync(join(tmpdir(), 'simulator-'))
    const settings = { port: 0, probe_rate: 0, data_dir, refund_balance_delay_ms: 300 }
    const first = await startSimulator(settings)
    const own = new Client(first.url, client.merchant)
    await own.register()
    await own.place('STOPPED_01')
    first.control.pay({ mchid, out_trade_no: 'STOPPED_01', story: 'lose_notification' })
    await first.close()
    const book = join(data_dir, 'book.jsonl')
    const older = readFileSync(book, 'utf8').replaceAll(
      /,"(balance|refund_completion|refund_notify_url|cash_amount|out_refund_no)":(null|0|"automatic")/g,
      '',
    )
    expect(older).not.toMatch(/"(balance|cash_amount|out_refund_no)"/)
    writeFileSync(book, older)

    const second = await startSimulator(settings)
    const later = new Client(second.url, client.merchant)
    later.keys.clear()
    const accepted = await later.refund('STOPPED', { out_trade_no: 'STOPPED_01' })
    expect(accepted.json).toMatchObject({ status: 'PROCESSING', amount: { payer_refund: 100, settlement_refund: 100 } })
    await second.close()

    const third = await startSimulator(settings)
    await until('it has ended', () => third.control.view(mchid, 'STOPPED_01').refunds[0]?.status === 'SUCCESS')
    const again = await new Client(third.url, client.merchant).refund('STOPPED', { out_trade_no: 'STOPPED_01' })
    expect(again.json).toMatchObject({ refund_id: accepted.json.refund_id, status: 'SUCCESS' })
    await third.close()
    rmSync(data_dir, { recursive: true })
  })
})
