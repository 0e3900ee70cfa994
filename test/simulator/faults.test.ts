import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { until } from '../stage/until.ts'
import { Client, control, makeMerchant, numbering, startReceiver } from './client.ts'

const mchid = '1900000030'
const clock = { ahead_ms: 0 }
const simulator = await startSimulator(
  { port: 0, probe_rate: 0, hold_ms: 2_000, time_scale: 1_000 },
  { now: () => Date.now() + clock.ahead_ms },
)
const client = new Client(simulator.url, makeMerchant(mchid))
const freshNumber = numbering('FAULT')

beforeAll(() => client.register())
afterEach(() => control(simulator.url, '/faults', undefined, 'DELETE'))
afterAll(() => simulator.close())

const fault = (request: object) => control<{ fault_id: string }>(simulator.url, '/faults', request)
const isPlaced = async (no: string): Promise<boolean> => (await client.query(no)).status === 200
/** The call about this order has come and is held. */
const isHeld = (no: string) =>
  until('the call is cut', () => simulator.control.view(mchid, no).calls.some(({ status }) => status === null))
/** The call has taken effect. */
const hasEffect = (no: string, kind: 'orders' | 'refunds') =>
  until(`there are ${kind}`, () => simulator.control.view(mchid, no)[kind].length > 0)

describe('a fault', () => {
  it('leaves a call unanswered before it takes effect', async () => {
    await fault({ operation: 'place', fault: 'timeout_before', times: 1 })
    const no = freshNumber()
    await expect(client.place(no, {}, { give_up: isHeld(no) })).rejects.toThrow('gave up waiting')
    expect(await isPlaced(no)).toBe(false)
    expect((await client.place(no)).status).toBe(200)
  })

  it('leaves a call unanswered after it took effect', async () => {
    await fault({ operation: 'place', fault: 'timeout_after', times: 1 })
    const no = freshNumber()
    await expect(client.place(no, {}, { give_up: hasEffect(no, 'orders') })).rejects.toThrow('gave up waiting')
    expect(await isPlaced(no)).toBe(true)
  })

  it('cuts what it holds in the end, and can cut at once', async () => {
    await fault({ operation: 'query', fault: 'timeout_before', times: 1 })
    const started = Date.now()
    await expect(client.query('ANY_000001')).rejects.toThrow(/hang up|ECONNRESET/)
    expect(Date.now() - started).toBeGreaterThanOrEqual(1_900)
    await fault({ operation: 'place', fault: 'disconnect', times: 1 })
    const no = freshNumber()
    await expect(client.place(no)).rejects.toThrow(/hang up|ECONNRESET/)
    expect(await isPlaced(no)).toBe(false)
    await fault({ operation: 'place', fault: 'disconnect_after', times: 1 })
    await expect(client.place(no)).rejects.toThrow(/hang up|ECONNRESET/)
    expect(await isPlaced(no)).toBe(true)
  })

  it('answers any error, named by status, by code, or in full', async () => {
    const cases: [object, number, string][] = [
      [{ fault: '500' }, 500, 'SYSTEM_ERROR'],
      [{ fault: '429' }, 429, 'FREQUENCY_LIMITED'],
      [{ fault: '503' }, 503, 'SERVICE_UNAVAILABLE'],
      [{ fault: 'SIGN_ERROR' }, 401, 'SIGN_ERROR'],
      [{ fault: 'NO_AUTH' }, 403, 'NO_AUTH'],
      [{ fault: 'error', status: 403, code: 'RULE_LIMIT', message: '收款限制' }, 403, 'RULE_LIMIT'],
      [{ fault: 'error', status: 400, code: 'NEVER_SEEN' }, 400, 'NEVER_SEEN'],
      [{ fault: 'error' }, 500, 'SYSTEM_ERROR'],
    ]
    for (const [request, status, code] of cases) {
      await fault({ operation: 'place', times: 1, ...request })
      const no = freshNumber()
      const answer = await client.place(no)
      expect([answer.status, answer.json.code]).toEqual([status, code])
      expect(answer.headers['wechatpay-signature']).toBeUndefined()
      expect(answer.headers['request-id'] === undefined).toBe(status === 401)
      expect(await isPlaced(no)).toBe(false)
    }
  })

  it('can answer an error although the call took effect', async () => {
    await fault({ operation: 'place', fault: '500', acted: true, times: 1 })
    const no = freshNumber()
    expect((await client.place(no)).status).toBe(500)
    expect(await isPlaced(no)).toBe(true)
  })

  it('says of a close that the payer is paying, signed because it is 2xx', async () => {
    const no = freshNumber()
    await client.place(no)
    await fault({ operation: 'close', fault: 'USER_PAYING', times: 1 })
    const answer = await client.close(no)
    expect([answer.status, answer.json.code]).toEqual([202, 'USER_PAYING'])
    expect(client.verifies(answer)).toBe(true)
    expect((await client.query(no)).json.trade_state).toBe('NOTPAY')
    expect((await client.close(no)).status).toBe(204)
  })

  it('signs an answer wrongly, or as a probe', async () => {
    for (const kind of ['wrong_signature', 'probe']) {
      await fault({ operation: 'query', fault: kind, times: 1 })
      const no = freshNumber()
      await client.place(no)
      const wrong = await client.query(no)
      expect(wrong.status).toBe(200)
      expect(client.verifies(wrong)).toBe(false)
      expect(String(wrong.headers['wechatpay-signature']).startsWith('WECHATPAY/SIGNTEST/')).toBe(kind === 'probe')
      expect(client.verifies(await client.query(no))).toBe(true)
    }
  })

  it('is refused while 1,000 others stand, with what to do', async () => {
    for (let n = 0; n < 1_000; n++) simulator.control.addFault({ operation: 'place', fault: '500', mchid: 'another' })
    await expect(fault({ operation: 'place', fault: '500' })).rejects.toThrow(/^409 .*TOO_MANY_FAULTS.*DELETE/)
    await control(simulator.url, '/faults', undefined, 'DELETE')
    await fault({ operation: 'place', fault: '500', mchid: 'another' })
  })

  it('answers slowly', async () => {
    await fault({ operation: 'query', fault: 'slow', delay_ms: 150, times: 1 })
    const started = Date.now()
    await client.query('ANY_000001')
    const no = freshNumber()
    await client.place(no)
    await fault({ operation: 'query', fault: 'slow', delay_ms: 150, times: 1 })
    expect((await client.query(no)).status).toBe(200)
    expect(Date.now() - started).toBeGreaterThanOrEqual(150)
  })

  it('keeps a query from seeing the payment yet', async () => {
    const no = freshNumber()
    await client.place(no)
    simulator.control.pay({ mchid, out_trade_no: no, story: 'lose_notification' })
    await fault({ operation: 'query', fault: 'lagging', times: 2 })
    expect((await client.query(no)).json.trade_state).toBe('NOTPAY')
    expect((await client.query(no)).json.transaction_id).toBeUndefined()
    expect((await client.query(no)).json.trade_state).toBe('SUCCESS')
  })

  it('hits only the order and merchant it names, as often as it says, until it is taken away', async () => {
    const [hit, missed] = [freshNumber(), freshNumber()]
    const { fault_id } = await fault({ operation: 'place', fault: '500', mchid, out_trade_no: hit })
    await fault({ operation: 'place', fault: '500', mchid: '1900000099' })
    expect((await client.place(missed)).status).toBe(200)
    for (let n = 0; n < 3; n++) expect((await client.place(hit)).status).toBe(500)
    await control(simulator.url, `/faults/${fault_id}`, undefined, 'DELETE')
    expect((await client.place(hit)).status).toBe(200)
    expect(await control<unknown[]>(simulator.url, '/faults')).toHaveLength(1)
  })

  it('hits a share of the calls', async () => {
    await fault({ operation: 'close', fault: '500', rate: 0.5 })
    const statuses: number[] = []
    for (let n = 0; n < 40; n++) statuses.push((await client.close('NEVER_PLACED')).status)
    const failed = statuses.filter((status) => status === 500).length
    expect(failed).toBeGreaterThan(8)
    expect(failed).toBeLessThan(32)
  })

  it('must be one of its operation', async () => {
    await expect(fault({ operation: 'place', fault: 'lagging' })).rejects.toThrow(/400.*not a fault of place/)
    await expect(fault({ operation: 'notify', fault: '500' })).rejects.toThrow(/400/)
    await expect(fault({ operation: 'place', fault: 'nonsense' })).rejects.toThrow(/400/)
  })
})

describe('a fault of refunds', () => {
  const paid = async (): Promise<string> => {
    const no = freshNumber()
    await client.place(no)
    simulator.control.pay({ mchid, out_trade_no: no, story: 'lose_notification' })
    return no
  }
  const exists = async (no: string): Promise<boolean> => (await client.queryRefund(no)).status === 200

  it('leaves a refund unanswered before or after it was accepted, or cuts it off', async () => {
    for (const [kind, accepted] of [
      ['timeout_before', false],
      ['timeout_after', true],
      ['disconnect', false],
      ['disconnect_after', true],
    ] as const) {
      const out_trade_no = await paid()
      await fault({ operation: 'refund', fault: kind, times: 1, out_trade_no })
      const give_up = accepted ? hasEffect(out_trade_no, 'refunds') : isHeld(out_trade_no)
      await expect(client.refund(`R-${kind}`, { out_trade_no }, { give_up })).rejects.toThrow()
      expect(await exists(`R-${kind}`)).toBe(accepted)
      expect((await client.refund(`R-${kind}`, { out_trade_no })).status).toBe(200)
    }
  })

  it('answers any error, before or after it was accepted, with the statuses of refunds', async () => {
    const cases: [object, number, string, boolean][] = [
      [{ fault: '500', acted: true }, 500, 'SYSTEM_ERROR', true],
      [{ fault: '429', acted: true }, 429, 'FREQUENCY_LIMITED', true],
      [{ fault: '429' }, 429, 'FREQUENCY_LIMITED', false],
      [{ fault: 'NOT_ENOUGH' }, 403, 'NOT_ENOUGH', false],
      [{ fault: 'USER_ACCOUNT_ABNORMAL' }, 403, 'USER_ACCOUNT_ABNORMAL', false],
      [{ fault: 'MCH_NOT_EXISTS' }, 404, 'MCH_NOT_EXISTS', false],
      [{ fault: 'RESOURCE_NOT_EXISTS' }, 404, 'RESOURCE_NOT_EXISTS', false],
    ]
    for (const [index, [request, status, code, accepted]] of cases.entries()) {
      const no = `R-ERROR-${index}`
      await fault({ operation: 'refund', times: 1, out_refund_no: no, ...request })
      const answer = await client.refund(no, { out_trade_no: await paid() })
      expect([answer.status, answer.json.code]).toEqual([status, code])
      expect(await exists(no)).toBe(accepted)
    }
    await fault({ operation: 'place', fault: 'MCH_NOT_EXISTS', times: 1 })
    expect((await client.place(freshNumber())).status).toBe(400)
  })

  it('knows the payment of a refund that names only its transaction', async () => {
    const out_trade_no = await paid()
    const { transaction_id } = simulator.control.view(mchid, out_trade_no).payments[0] ?? {}
    await fault({ operation: 'refund', fault: '500', times: 1, out_trade_no })
    expect((await client.refund('R-NAMED', { transaction_id })).status).toBe(500)
    const { calls } = simulator.control.view(mchid, out_trade_no)
    expect(calls.at(-1)).toMatchObject({ operation: 'refund', out_trade_no, out_refund_no: 'R-NAMED', status: 500 })
  })

  it('signs an answer wrongly or as a probe, and answers slowly', async () => {
    const out_trade_no = await paid()
    for (const kind of ['wrong_signature', 'probe']) {
      await fault({ operation: 'refund', fault: kind, times: 1 })
      const wrong = await client.refund('R-SIGNED', { out_trade_no })
      expect([wrong.status, client.verifies(wrong)]).toEqual([200, false])
      expect(client.verifies(await client.refund('R-SIGNED', { out_trade_no }))).toBe(true)
    }
    await fault({ operation: 'query_refund', fault: 'slow', delay_ms: 150, times: 1 })
    const started = Date.now()
    await exists('R-SIGNED')
    expect(Date.now() - started).toBeGreaterThanOrEqual(150)
  })

  it('keeps a query from finding the refund yet, so many times or for so long, or from seeing how it ended', async () => {
    const out_trade_no = await paid()
    simulator.control.holdRefunds({ mchid })
    await fault({ operation: 'query_refund', fault: 'lagging', times: 2, out_refund_no: 'R-LAGGING' })
    expect((await client.refund('R-LAGGING', { out_trade_no })).status).toBe(200)
    const hidden = await client.queryRefund('R-LAGGING')
    expect([hidden.status, hidden.json.code]).toEqual([404, 'RESOURCE_NOT_EXISTS'])
    expect([await exists('R-LAGGING'), await exists('R-LAGGING')]).toEqual([false, true])
    const { fault_id } = await fault({ operation: 'query_refund', fault: 'lagging', delay_ms: 30_000, mchid })
    await client.refund('R-LATER', { out_trade_no: await paid() })
    expect(await exists('R-LATER')).toBe(false)
    clock.ahead_ms += 30_000
    expect(await exists('R-LATER')).toBe(true)
    await control(simulator.url, `/faults/${fault_id}`, undefined, 'DELETE')
    simulator.control.finishRefund({ mchid, out_refund_no: 'R-LATER', status: 'SUCCESS' })
    await fault({ operation: 'query_refund', fault: 'stale', times: 1 })
    const stale = await client.queryRefund('R-LATER')
    expect([stale.json.status, stale.json.success_time]).toEqual(['PROCESSING', undefined])
    expect((await client.queryRefund('R-LATER')).json.status).toBe('SUCCESS')
    simulator.control.releaseRefunds({ mchid })
  })

  it('hits the abnormal refund too, and only what it has', async () => {
    await fault({ operation: 'abnormal_refund', fault: '500', times: 1 })
    expect((await client.applyAbnormalRefund('5030', {})).status).toBe(500)
    await expect(fault({ operation: 'refund', fault: 'lagging' })).rejects.toThrow(/not a fault of refund/)
    await expect(fault({ operation: 'query', fault: 'stale' })).rejects.toThrow(/not a fault of query/)
    await expect(fault({ operation: 'end_refund', fault: '500' })).rejects.toThrow(/not a fault of end_refund/)
  })
})

describe('a fault of notifications', () => {
  const placedTo = async (url: string): Promise<string> => {
    const no = freshNumber()
    await client.place(no, { notify_url: url })
    return no
  }
  const paidTo = async (url: string): Promise<string> => {
    const no = await placedTo(url)
    simulator.control.pay({ mchid, out_trade_no: no })
    return no
  }
  const notification = (no: string) => simulator.control.view(mchid, no).notifications[0]

  it('loses one altogether, or one delivery only', async () => {
    const receiver = await startReceiver()
    await fault({ operation: 'notify', fault: 'lose', times: 1 })
    const lost = notification(await paidTo(receiver.url))
    expect(lost?.state).toBe('lost')
    await fault({ operation: 'notify', fault: 'drop', times: 1 })
    const no = await paidTo(receiver.url)
    await until('it is delivered', () => notification(no)?.state === 'delivered')
    expect(notification(no)?.attempts).toMatchObject([{ status: null, error: 'dropped' }, { status: 204 }])
    expect(receiver.received).toHaveLength(1)
    const by_hand = await simulator.control.resend(lost?.id ?? '')
    expect(by_hand).toMatchObject({ state: 'delivered', attempts: [{ status: 204 }] })
    await receiver.close()
  })

  it('loses one that is made by hand, too', async () => {
    const receiver = await startReceiver()
    await fault({ operation: 'notify', fault: 'lose', times: 1 })
    const lost = await simulator.control.notify({ mchid, plaintext: {}, url: receiver.url })
    expect(lost).toMatchObject({ state: 'lost', attempts: [] })
    expect(receiver.received).toEqual([])
    await receiver.close()
  })

  it('sends one three times, and lets another be overtaken', async () => {
    const receiver = await startReceiver()
    await fault({ operation: 'notify', fault: 'duplicate', times: 1 })
    const tripled = await paidTo(receiver.url)
    await until('it is delivered', () => notification(tripled)?.state === 'delivered')
    expect(receiver.received).toHaveLength(3)
    /** Whether the second of two came first; a busy machine may send it too late for that. */
    const isOvertaken = async (delay_ms: number) => {
      receiver.received.length = 0
      await fault({ operation: 'notify', fault: 'slow', delay_ms, times: 1 })
      const [first, second] = [await placedTo(receiver.url), await placedTo(receiver.url)]
      for (const out_trade_no of [first, second]) simulator.control.pay({ mchid, out_trade_no })
      await until('both are delivered', () =>
        [first, second].every((number) => notification(number)?.state === 'delivered'),
      )
      const [early, late] = receiver.received.map(({ text }) => (JSON.parse(text) as { id: string }).id)
      expect(receiver.received).toHaveLength(2)
      return early === notification(second)?.id && late === notification(first)?.id
    }
    expect((await isOvertaken(1_000)) || (await isOvertaken(10_000)) || (await isOvertaken(60_000))).toBe(true)
    await receiver.close()
  })

  it('signs one wrongly, after which the same comes rightly signed', async () => {
    const receiver = await startReceiver((_, received) => (client.verifies(received) ? 204 : 401))
    for (const kind of ['wrong_signature', 'probe']) {
      await fault({ operation: 'notify', fault: kind, times: 1 })
      const no = await paidTo(receiver.url)
      await until('it is delivered', () => notification(no)?.state === 'delivered')
      expect(notification(no)?.attempts.map((attempt) => attempt.status)).toEqual([401, 204])
    }
    await receiver.close()
  })
})

describe('a quota', () => {
  it('is per merchant and second, and answers the code that is set', async () => {
    let clock = Date.now()
    const strict = await startSimulator(
      { port: 0, probe_rate: 0, query_rate: 2, too_many_code: 'RATELIMIT_EXCEEDED' },
      { now: () => clock },
    )
    const own = new Client(strict.url, makeMerchant('1900000031'))
    const other = new Client(strict.url, makeMerchant('1900000032'))
    await own.register()
    await other.register()
    const signedNow = { timestamp: Math.floor(clock / 1000) }
    const statuses: number[] = []
    for (let n = 0; n < 3; n++) statuses.push((await own.query('NEVER_PLACED', signedNow)).status)
    expect(statuses).toEqual([404, 404, 429])
    expect((await own.query('NEVER_PLACED', signedNow)).json.code).toBe('RATELIMIT_EXCEEDED')
    expect((await other.query('NEVER_PLACED', signedNow)).status).toBe(404)
    clock += 1_000
    expect((await own.query('NEVER_PLACED', signedNow)).status).toBe(404)
    await strict.close()
  })
})

describe('the list of calls', () => {
  it('tells what was received, whether its bytes were the same, and how it was answered', async () => {
    const no = freshNumber()
    await client.query(no)
    await client.place(no)
    await client.place(no)
    await fault({ operation: 'close', fault: 'timeout_before', times: 1 })
    await expect(client.close(no, { give_up: isHeld(no) })).rejects.toThrow()
    const { calls } = simulator.control.view(mchid, no)
    expect(calls.map(({ operation, status, code, fault: hit }) => [operation, status, code, hit])).toEqual([
      ['query', 404, 'ORDER_NOT_EXIST', null],
      ['place', 200, null, null],
      ['place', 200, null, null],
      ['close', null, null, 'timeout_before'],
    ])
    expect(calls[1]?.body_sha256).toBe(calls[2]?.body_sha256)
    expect(calls[1]?.body_sha256).not.toBe(calls[3]?.body_sha256)
  })
})
