import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeKeyPair } from '../../simulator/keys.ts'
import { startSimulator } from '../stage/simulator.ts'
import { retry_delays_ms } from '../../simulator/notifier.ts'
import { until } from '../stage/until.ts'
import { Client, makeMerchant, numbering, startReceiver } from './client.ts'
import type { Envelope, Received } from './client.ts'

const hour_ms = 3_600_000
const minute_ms = 60_000

const freshNumber = numbering('NOTIFY')
const envelope = (received: Received | undefined): Envelope => JSON.parse(received?.text ?? '{}') as Envelope

const simulator = await startSimulator({ port: 0, probe_rate: 0, time_scale: 3_000 })
const client = new Client(simulator.url, makeMerchant('1900000020'))

beforeAll(() => client.register())
afterAll(() => simulator.close())

const mchid = '1900000020'
const notificationsOf = (no: string) => simulator.control.view(mchid, no).notifications
const stateOf = (no: string) => notificationsOf(no)[0]?.state
async function placeAt(url: string): Promise<string> {
  const no = freshNumber()
  expect((await client.place(no, { notify_url: url })).status).toBe(200)
  return no
}

describe('a notification', () => {
  it('comes as WeChat Pay sends it: signed, encrypted, and saying what a query says', async () => {
    const receiver = await startReceiver()
    const no = await placeAt(receiver.url)
    const { transaction_id, notification_id } = simulator.control.pay({ mchid, out_trade_no: no })
    await until('it is delivered', () => stateOf(no) === 'delivered')
    const [received] = receiver.received
    if (received === undefined) throw new Error('nothing came')
    expect(client.verifies(received)).toBe(true)
    expect(received.path).toBe('/wechat/notify')
    expect(received.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'Mozilla/4.0',
      accept: '*/*',
      pragma: 'no-cache',
      connection: 'close',
      'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048',
    })
    const { resource, ...head } = envelope(received)
    expect(head).toEqual({
      id: notification_id,
      create_time: expect.stringMatching(/\+08:00$/) as unknown,
      resource_type: 'encrypt-resource',
      event_type: 'TRANSACTION.SUCCESS',
      summary: '支付成功',
    })
    expect(head.id.length).toBe(36)
    expect(resource).toMatchObject({
      original_type: 'transaction',
      algorithm: 'AEAD_AES_256_GCM',
      associated_data: 'transaction',
    })
    expect(resource.nonce).toHaveLength(12)
    expect(JSON.parse(client.open(resource))).toEqual((await client.query(no)).json)
    expect(JSON.parse(client.open(resource))).toMatchObject({ transaction_id, trade_state: 'SUCCESS' })
    await receiver.close()
  })

  it('is over with a 200 or a 204, and comes again after anything else', async () => {
    const answers = [500, 401, 302, 202, 201, 404]
    const receiver = await startReceiver((n) => answers[n - 1] ?? 200)
    const no = await placeAt(receiver.url)
    simulator.control.pay({ mchid, out_trade_no: no })
    await until('it is delivered', () => stateOf(no) === 'delivered')
    expect(notificationsOf(no)[0]?.attempts.map((attempt) => attempt.status)).toEqual([...answers, 200])
    expect(receiver.received.every((received) => received.path === '/wechat/notify')).toBe(true)
    await receiver.close()
  })

  it('is the same bytes each time, signed anew', async () => {
    const receiver = await startReceiver((n) => (n < 4 ? 500 : 204))
    const no = await placeAt(receiver.url)
    simulator.control.pay({ mchid, out_trade_no: no })
    await until('it is delivered', () => stateOf(no) === 'delivered')
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
    expect(new Set(receiver.received.map(({ headers }) => headers['wechatpay-signature'])).size).toBe(4)
    expect(new Set(receiver.received.map(({ headers }) => headers['wechatpay-nonce'])).size).toBe(4)
    expect(receiver.received.every((received) => client.verifies(received))).toBe(true)
    await receiver.close()
  })

  it('comes again when nobody listens, or nobody answers in five seconds', async () => {
    const silent = await startReceiver(() => null)
    const hasty = await startSimulator({ port: 0, probe_rate: 0, notify_answer_limit_ms: 100, time_scale: 1_000 })
    expect(hasty.settings.notify_answer_limit_ms).toBe(100)
    expect(simulator.settings.notify_answer_limit_ms).toBe(5_000)
    const own = new Client(hasty.url, client.merchant)
    await own.register()
    for (const [no, url, error] of [
      ['SILENT_001', silent.url, /no answer in time/],
      ['NOBODY_001', 'http://127.0.0.1:1/notify', /ECONNREFUSED/],
    ] as const) {
      await own.place(no, { notify_url: url })
      hasty.control.pay({ mchid, out_trade_no: no })
      const attempts = await until('the attempts are made', () => {
        const found = hasty.control.view(mchid, no).notifications[0]?.attempts ?? []
        return found.length >= 2 && found
      })
      for (const attempt of attempts) {
        expect(attempt.status).toBeNull()
        expect(attempt.error).toMatch(error)
      }
    }
    await hasty.close()
    await silent.close()
  })

  it('is never sent to an address with a query, or to plain http away from this machine', async () => {
    for (const url of ['http://127.0.0.1:9/notify?a=1', 'http://192.0.2.1/notify']) {
      const no = await placeAt(url)
      simulator.control.pay({ mchid, out_trade_no: no })
      expect(notificationsOf(no)).toMatchObject([{ state: 'undeliverable', attempts: [] }])
    }
  })
})

describe('the retry table', () => {
  it('is the documented one, and ends after 24 h 4 min', () => {
    const offsets: number[] = []
    for (const delay of retry_delays_ms) offsets.push((offsets.at(-1) ?? 0) + delay)
    const minutes = [0.25, 0.5, 1, 4, 14, 34, 64, 94, 124, 184, 364, 544, 724, 1084, 1444]
    expect(offsets).toEqual(minutes.map((offset) => offset * minute_ms))
  })

  it('is followed to its end: first delivery and 15 more, then nothing', async () => {
    let clock = Date.parse('2026-01-01T12:00:00+08:00')
    const other = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock })
    const own = new Client(other.url, client.merchant)
    await own.register()
    const receiver = await startReceiver(() => 500)
    const signedNow = { timestamp: Math.floor(clock / 1000) }
    await own.place('TABLE_0001', { notify_url: receiver.url }, signedNow)
    const start = clock
    other.control.pay({ mchid, out_trade_no: 'TABLE_0001' })
    const notification = () => other.control.view(mchid, 'TABLE_0001').notifications[0]
    await until('it is sent once', () => notification()?.attempts.length === 1)
    for (let n = 0; n < 20; n++) {
      const next = notification()?.next_time
      if (!next) break
      clock = Date.parse(next) - 1
      await other.runDue()
      expect(receiver.received.length).toBe(n + 1)
      clock += 1
      await other.runDue()
    }
    const times = notification()?.attempts.map((attempt) => Date.parse(attempt.time) - start)
    const expected = [0, ...retry_delays_ms].map((_, n) =>
      retry_delays_ms.slice(0, n).reduce((sum, delay) => sum + delay, 0),
    )
    expect(times).toEqual(expected)
    expect(times?.at(-1)).toBe(24 * hour_ms + 4 * minute_ms)
    expect(notification()).toMatchObject({ state: 'given_up', next_time: null })
    const stamps = receiver.received.map(({ headers }) => Number(headers['wechatpay-timestamp']) * 1000 - start)
    expect(stamps).toEqual(expected)
    await other.close()
    await receiver.close()
  })

  it('has 15 deliveries in all where that is set, and is divided by the time scale', async () => {
    const other = await startSimulator({ port: 0, probe_rate: 0, notify_deliveries: '15_in_all', time_scale: 300_000 })
    const own = new Client(other.url, client.merchant)
    await own.register()
    const receiver = await startReceiver(() => 500)
    await own.place('FIFTEEN_01', { notify_url: receiver.url })
    other.control.pay({ mchid, out_trade_no: 'FIFTEEN_01' })
    const ended = await until('its table has ended', () => {
      const [notification] = other.control.view(mchid, 'FIFTEEN_01').notifications
      return notification?.state === 'given_up' && notification
    })
    expect(ended.attempts).toHaveLength(15)
    await other.close()
    await receiver.close()
  })

  it('goes on after a restart, with the same bytes and the same keys', async () => {
    const { mkdtempSync, rmSync, statSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const { join } = await import('node:path')
    const data_dir = mkdtempSync(join(tmpdir(), 'simulator-'))
    const receiver = await startReceiver((n) => (n < 2 ? 500 : 204))
    const clock = { ahead_ms: 0 }
    const now = () => Date.now() + clock.ahead_ms
    const choices = { port: 0, probe_rate: 0, data_dir }
    const own_keys = { now, makeKeyPair } // those of all simulators of this process would be the same after any restart
    const before = await startSimulator(choices, own_keys)
    const own = new Client(before.url, client.merchant)
    const registered = await own.register({ key_mode: 'both' })
    await own.place('RESTART_01', { notify_url: receiver.url })
    await own.place('RESTART_02', { notify_url: receiver.url })
    before.control.pay({ mchid, out_trade_no: 'RESTART_01' })
    const waiting = await until('it waits for the next delivery', () => {
      const [notification] = before.control.view(mchid, 'RESTART_01').notifications
      return notification?.attempts.length === 1 && notification
    })
    const truth = before.control.view(mchid, null)
    await before.close()

    const after = await startSimulator(choices, own_keys)
    const again = new Client(after.url, client.merchant)
    const { calls: _calls, ...kept } = after.control.view(mchid, null)
    const { calls: _before, ...known } = truth
    expect(kept).toEqual(known)
    expect(await again.register()).toEqual({ ...registered, key_mode: 'both' })
    clock.ahead_ms = 15_000
    await after.runDue()
    const delivered = await until('it is delivered', () => {
      const [notification] = after.control.view(mchid, 'RESTART_01').notifications
      return notification?.state === 'delivered' && notification
    })
    expect(delivered.id).toBe(waiting.id)
    expect(delivered.attempts.map((attempt) => attempt.status)).toEqual([500, 204])
    expect(receiver.received[1]?.text).toBe(receiver.received[0]?.text)
    expect((await again.query('RESTART_02')).json.trade_state).toBe('NOTPAY')
    expect((await again.place('RESTART_02', { notify_url: receiver.url })).status).toBe(200)
    expect(statSync(join(data_dir, 'book.jsonl')).mode & 0o077).toBe(0)
    await after.close()
    await receiver.close()
    rmSync(data_dir, { recursive: true })
  })
})

describe('the book', () => {
  it('gives one merchant one key, also when it registers twice at once', async () => {
    const merchant = makeMerchant('1900000022')
    const [first, second] = await Promise.all([1, 2].map(() => new Client(simulator.url, merchant).register()))
    expect(second).toEqual(first)
  })

  it('forgets the oldest order at its limit, with all that belonged to it', async () => {
    const small = await startSimulator({ port: 0, probe_rate: 0, max_orders: 2 })
    const own = new Client(small.url, client.merchant)
    await own.register()
    await own.place('LIMIT_0001')
    small.control.pay({ mchid, out_trade_no: 'LIMIT_0001', story: 'lose_notification' })
    await own.place('LIMIT_0002')
    await own.place('LIMIT_0003')
    const { orders, payments, notifications } = small.control.view(mchid, null)
    expect(orders.map((order) => order.out_trade_no)).toEqual(['LIMIT_0002', 'LIMIT_0003'])
    expect([payments, notifications]).toEqual([[], []])
    expect((await own.query('LIMIT_0001')).status).toBe(404)
    await small.close()
  })

  it('forgets a notification with its order while it is being delivered', async () => {
    const limits = { max_orders: 1, notify_answer_limit_ms: 240_000 }
    const small = await startSimulator({ port: 0, probe_rate: 0, ...limits })
    const own = new Client(small.url, client.merchant)
    await own.register()
    const receiver = await startReceiver(async () => {
      await own.place('FORGET_002')
      return 204
    })
    await own.place('FORGET_001', { notify_url: receiver.url })
    const sent = small.control.notify({ mchid, plaintext: { out_trade_no: 'FORGET_001' } })
    await expect(sent).rejects.toMatchObject({ code: 'NOTIFICATION_NOT_EXIST' })
    expect(receiver.received).toHaveLength(1)
    expect(small.control.view(mchid, null).notifications).toEqual([])
    await small.close()
    await receiver.close()
  })
})

describe('a story', () => {
  it('loses the notification: the order is paid and nobody is told', async () => {
    const receiver = await startReceiver()
    const no = await placeAt(receiver.url)
    simulator.control.pay({ mchid, out_trade_no: no, story: 'lose_notification' })
    expect(notificationsOf(no)).toMatchObject([{ state: 'lost', next_time: null, attempts: [] }])
    expect((await client.query(no)).json.trade_state).toBe('SUCCESS')
    await simulator.runDue()
    expect(receiver.received).toEqual([])
    await receiver.close()
  })

  it('notifies three times at once, each signed at its own time', async () => {
    const receiver = await startReceiver()
    const no = await placeAt(receiver.url)
    simulator.control.pay({ mchid, out_trade_no: no, story: 'notify_three_times' })
    await until('it is delivered', () => stateOf(no) === 'delivered')
    expect(receiver.received).toHaveLength(3)
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
    expect(new Set(receiver.received.map(({ headers }) => headers['wechatpay-timestamp'])).size).toBe(3)
    expect(receiver.received.every((received) => client.verifies(received))).toBe(true)
    await receiver.close()
  })

  it('notifies late, and not before', async () => {
    const receiver = await startReceiver()
    const no = await placeAt(receiver.url)
    const paid = Date.now()
    simulator.control.pay({ mchid, out_trade_no: no, story: 'notify_late', delay_ms: 300 })
    await until('it is delivered', () => stateOf(no) === 'delivered')
    expect((receiver.received[0]?.time ?? 0) - paid).toBeGreaterThanOrEqual(295)
    await receiver.close()
  })

  it('forges a notification: it opens, its signature does not hold, and the order is unpaid', async () => {
    const receiver = await startReceiver(() => 401)
    const no = await placeAt(receiver.url)
    const forged = simulator.control.pay({ mchid, out_trade_no: no, story: 'forge_notification' })
    await until('it is given up', () => stateOf(no) === 'given_up')
    const [received] = receiver.received
    if (received === undefined) throw new Error('nothing came')
    expect(client.keys.has(String(received.headers['wechatpay-serial']))).toBe(true)
    expect(client.verifies(received)).toBe(false)
    expect(JSON.parse(client.open(envelope(received).resource))).toMatchObject({
      trade_state: 'SUCCESS',
      transaction_id: forged.transaction_id,
    })
    expect((await client.query(no)).json.trade_state).toBe('NOTPAY')
    expect(receiver.received).toHaveLength(1)
    await receiver.close()
  })
})

describe('a notification made by hand', () => {
  it('says what it is given, also of refunds, and tells what the receiver answered', async () => {
    const receiver = await startReceiver(() => 500)
    const plaintext = { mchid, out_trade_no: 'REFUND_001', out_refund_no: 'R1', refund_status: 'SUCCESS' }
    const sent = await simulator.control.notify({ mchid, event_type: 'REFUND.SUCCESS', plaintext, url: receiver.url })
    expect(sent).toMatchObject({ state: 'given_up', attempts: [{ status: 500 }] })
    const { resource, summary } = envelope(receiver.received[0])
    expect([resource.original_type, resource.associated_data, summary]).toEqual(['refund', 'refund', '退款成功'])
    expect(JSON.parse(client.open(resource))).toEqual(plaintext)
    const again = await simulator.control.resend(sent.id)
    expect(again.attempts).toHaveLength(2)
    expect(receiver.received[1]?.text).toBe(receiver.received[0]?.text)
    await receiver.close()
  })

  it('can be stale, of another key, another encryption, other bytes, or short of a header', async () => {
    const receiver = await startReceiver(() => 401)
    const to = { mchid, plaintext: { out_trade_no: 'X' }, url: receiver.url }
    await simulator.control.notify({ ...to, timestamp_offset_s: -301 })
    await simulator.control.notify({ ...to, sign_with: 'other', serial_no: 'PUB_KEY_ID_0' })
    await simulator.control.notify({ ...to, encrypt_with: 'x'.repeat(32) })
    await simulator.control.notify({ mchid, body: 'no envelope at all', url: receiver.url })
    await simulator.control.notify({ ...to, headers: { 'wechatpay-nonce': null } })
    await simulator.control.notify({ ...to, sign_with: 'probe' })
    const [stale, other, locked, bytes, short, probe] = receiver.received
    if (!stale || !other || !locked || !bytes || !short || !probe) throw new Error('one of them never came')
    expect(Date.now() / 1000 - Number(stale.headers['wechatpay-timestamp'])).toBeGreaterThan(300)
    expect(client.verifies(stale)).toBe(true)
    expect(other.headers['wechatpay-serial']).toBe('PUB_KEY_ID_0')
    expect(client.verifies(locked)).toBe(true)
    expect(() => client.open(envelope(locked).resource)).toThrow()
    expect([bytes.text, client.verifies(bytes)]).toEqual(['no envelope at all', true])
    expect(short.headers['wechatpay-nonce']).toBeUndefined()
    expect(probe.headers['wechatpay-signature']).toMatch(/^WECHATPAY\/SIGNTEST\/.{344}$/)
    await receiver.close()
  })
})

describe('signature probes', () => {
  it('never hit a repeat: the same notification comes again, rightly signed', async () => {
    const other = await startSimulator({ port: 0, probe_rate: 1, time_scale: 1_000 })
    const own = new Client(other.url, client.merchant)
    await own.register()
    const receiver = await startReceiver((_, received) => (own.verifies(received) ? 204 : 401))
    const first = await own.place('PROBE_0001', { notify_url: receiver.url })
    expect(first.headers['wechatpay-signature']).toMatch(/^WECHATPAY\/SIGNTEST\//)
    expect(own.verifies(await own.place('PROBE_0001', { notify_url: receiver.url }))).toBe(true)
    other.control.pay({ mchid, out_trade_no: 'PROBE_0001' })
    const sent = await until('it is sent', () => {
      const [notification] = other.control.view(mchid, 'PROBE_0001').notifications
      return notification?.state === 'delivered' && notification
    })
    expect(sent.attempts.map((attempt) => attempt.signed_with)).toEqual(['probe', 'real'])
    await other.close()
    await receiver.close()
  })

  it('hit a notification once at most, however often it has to come again', async () => {
    const other = await startSimulator({ port: 0, probe_rate: 1, time_scale: 1_000 })
    const own = new Client(other.url, client.merchant)
    await own.register()
    const receiver = await startReceiver((n) => (n < 5 ? 500 : 204))
    await own.place('PROBE_0002', { notify_url: receiver.url })
    other.control.pay({ mchid, out_trade_no: 'PROBE_0002' })
    const sent = await until('it is sent', () => {
      const [notification] = other.control.view(mchid, 'PROBE_0002').notifications
      return notification?.state === 'delivered' && notification
    })
    expect(sent.attempts.map((attempt) => attempt.signed_with)).toEqual(['probe', 'real', 'real', 'real', 'real'])
    await other.close()
    await receiver.close()
  })

  it('come by a share that the seed repeats', async () => {
    const probedOf = async (seed: number): Promise<boolean[]> => {
      const other = await startSimulator({ port: 0, probe_rate: 0.3, seed })
      const own = new Client(other.url, client.merchant)
      await own.register()
      const probed: boolean[] = []
      for (let n = 0; n < 40; n++)
        probed.push(!own.verifies(await own.query(`NEVER_${n}`).then(() => own.close(`NEVER_${n}`))))
      await other.close()
      return probed
    }
    const first = await probedOf(7)
    expect(await probedOf(7)).toEqual(first)
    expect(await probedOf(8)).not.toEqual(first)
    expect(first.filter(Boolean).length).toBeGreaterThan(4)
    expect(first.filter(Boolean).length).toBeLessThan(24)
  })
})

describe('a migration', () => {
  it('mixes both kinds of serial in its share, and each verifies by its own key', async () => {
    const own = new Client(simulator.url, makeMerchant('1900000021'))
    await own.register({ key_mode: 'both', public_key_share: 0.5 })
    const receiver = await startReceiver()
    for (let n = 0; n < 24; n++) {
      await simulator.control.notify({ mchid: '1900000021', plaintext: { n }, url: receiver.url })
    }
    const byPublicKey = receiver.received.filter(({ headers }) =>
      String(headers['wechatpay-serial']).startsWith('PUB_KEY_ID_'),
    )
    expect(byPublicKey.length).toBeGreaterThan(2)
    expect(byPublicKey.length).toBeLessThan(22)
    expect(receiver.received.every((received) => own.verifies(received))).toBe(true)
    await receiver.close()
  })
})
