import { randomBytes } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/activity'
import { MockActivityEnvironment } from '@temporalio/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ActivityContext } from '../../../activities/context.ts'
import { createMerchant } from '../../../activities/delivery/attempt.ts'
import type { EndpointReply } from '../../../activities/delivery/courier.ts'
import { createCallSlots } from '../../../activities/slots.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { orderlessDelivery } from '../../../domain/event/delivery.ts'
import type { DeliveryRecord } from '../../../domain/event/delivery.ts'
import { workflowId } from '../../../domain/ids.ts'
import { default_policy, limits } from '../../../domain/policy.ts'
import { createSealer } from '../../../store/sealer.ts'
import { openWords } from '../../../store/words.ts'
import { memoryStore } from '../../stage/memory.ts'
import { until } from '../../stage/until.ts'
import { deliverySample, endpointSample, eventSample, mchid, merchantSample, noon } from '../../store/samples.ts'

const store = memoryStore(createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] }))

const clock = { now: noon }
/** What the shop was asked and says, begun anew with each test. */
const shop = {
  reply: {} as Partial<EndpointReply>,
  /** the orders' numbers that were called for, in the order of the calls */
  calls: [] as string[],
  before_answer: () => Promise.resolve(),
}
beforeEach(() => void Object.assign(shop, { reply: {}, calls: [], before_answer: () => Promise.resolve() }))
const merchant = createMerchant(
  { store, sealer: store.sealer, policy: default_policy, now: () => clock.now } as ActivityContext,
  {
    send: async (_url, _headers, body) => {
      shop.calls.push(body)
      await shop.before_answer()
      const silence = { status: null, error: null, body: null, content_type: null, unreadable: null, answer: null }
      return { ...silence, retry_after_ms: null, duration_ms: 5, ...shop.reply }
    },
    close: () => Promise.resolve(),
  },
  createCallSlots(),
)
/** An attempt that is slow on a busy machine tells Temporal that it is alive. */
async function inActivity<T>(work: () => Promise<T>): Promise<T> {
  return await new MockActivityEnvironment().run(work)
}
const deliver = (given: Parameters<typeof merchant.deliver>[0]) => inActivity(() => merchant.deliver(given))
const redeliver = (given: Parameters<typeof merchant.redeliver>[0]) => inActivity(() => merchant.redeliver(given))

/** What an endpoint says, as the courier brings it. */
function says(status: number, body: string | null = ''): void {
  shop.reply = { status, body, answer: body?.slice(0, 1024) ?? 'x'.repeat(1024) }
}

/** A delivery whose event can be sent, to an endpoint of its own unless one is named. */
async function inserted(order: string, sequence: number, given: Partial<DeliveryRecord> = {}): Promise<DeliveryRecord> {
  const endpoint = endpointSample(`https://shop.example/${given.endpoint_id ?? order}`)
  await store.endpoints.add(endpoint)
  const event = eventSample(order, sequence)
  await store.events.insert({ ...event, body: `${order}/${sequence}` })
  const next_attempt_time = beijingTime(clock.now)
  const delivery = deliverySample(order, sequence, { next_attempt_time, ...given, endpoint_id: endpoint.id })
  await store.deliveries.insertMissing([delivery])
  return delivery
}

async function attemptOf({ _id, out_trade_no }: DeliveryRecord) {
  const outcome = await deliver({ delivery_id: _id, deadline_time: null })
  if (outcome.kind !== 'answered') return outcome
  const run = workflowId.order({ mchid, out_trade_no: out_trade_no ?? '' })
  return { ...outcome, answer: openWords(store.sealer, run, outcome.answer) }
}

describe('the answer to an event', () => {
  it('that refuses at length is refused, also when only the record is left to say so', async () => {
    const delivery = await inserted('LONG', 1, { purpose: 'fulfilment' })
    const reason = '卖完了'.repeat(400)
    says(200, JSON.stringify({ fulfilment: 'refused', reason }))
    const refused = { kind: 'answered', answer: { result: 'refused', reason: reason.slice(0, 200) } }
    expect(await attemptOf(delivery)).toEqual(refused)
    expect(await attemptOf(delivery)).toEqual(refused)
    expect(shop.calls).toEqual(['LONG/1'])
    const kept = (await store.deliveries.find(delivery._id))?.attempts
    expect(kept).toMatchObject([{ number: 1, read_as: 'refused', reason: reason.slice(0, 200) }])
    expect(kept?.[0]?.answer).toHaveLength(1024)
  })

  it('that is too long to be read decides nothing, so the event is told again', async () => {
    const delivery = await inserted('ENDLESS', 1, { purpose: 'fulfilment' })
    says(200, null)
    await expect(attemptOf(delivery)).rejects.toThrow(ApplicationFailure)
    const kept = await store.deliveries.find(delivery._id)
    expect(kept).toMatchObject({ state: 'waiting', attempts: [{ status: 200, read_as: 'not heard', reason: null }] })
  })

  it('that cannot be opened decides nothing, and the attempt says why', async () => {
    const delivery = await inserted('SEALED', 1, { purpose: 'fulfilment' })
    shop.reply = { status: 200, body: null, unreadable: 'the body cannot be opened as zstd' }
    await expect(attemptOf(delivery)).rejects.toThrow('the body cannot be opened as zstd')
    const kept = await store.deliveries.find(delivery._id)
    const attempt = { read_as: 'not heard', remark: 'the body cannot be opened as zstd' }
    expect(kept).toMatchObject({ state: 'waiting', attempts: [attempt] })
  })

  it('is not needed of a notice: the status says that it was heard', async () => {
    const delivery = await inserted('NOTICE', 1)
    says(200, null)
    expect(await attemptOf(delivery)).toEqual({ kind: 'heard' })
  })
})

describe('a ping', () => {
  async function pinged(name: string, role: 'fulfilment' | 'observer'): Promise<DeliveryRecord> {
    const endpoint = endpointSample(`https://shop.example/${name}`, { role })
    await store.endpoints.add(endpoint)
    const event = eventSample(name, 1, {
      ...{ out_trade_no: null, sequence: null, type: 'test.ping' },
      timestamp: beijingTime(clock.now),
    })
    await store.events.insert({ ...event, body: name })
    const delivery = orderlessDelivery(event, endpoint.id, 'ping', (_id) => _id)
    await store.deliveries.insertMissing([delivery])
    return delivery
  }

  it.each([
    ['PING-WELL', 'fulfilment', 200, '{"fulfilment":"pending"}', 'heard', 'pending'],
    ['PING-SEEN', 'observer', 200, '{"fulfilment":"pending"}', 'heard', 'heard'],
    ['PING-CUT', 'fulfilment', 200, '{"fulfilm', 'undelivered', 'not heard'],
    ['PING-GONE', 'observer', 410, '', 'undelivered', 'not heard'],
  ] as const)('%s to the %s answered with %i %s is told once, and nothing follows', async (...row) => {
    const [name, role, status, body, kind, read_as] = row
    const delivery = await pinged(name, role)
    says(status, body)
    expect(await attemptOf(delivery)).toEqual({ kind })
    expect(await store.deliveries.find(delivery._id)).toMatchObject({ attempts: [{ number: 1, read_as }] })
    const endpoint = await store.endpoints.findPublic(mchid, delivery.endpoint_id)
    expect(endpoint).toMatchObject({ state: 'enabled', failing_since_time: null })
  })
})

describe('a worker that stood still past its heartbeat', () => {
  it('still ends the delivery with what it heard, although its successor has written an attempt under that number', async () => {
    const delivery = await inserted('FROZEN', 1, { purpose: 'fulfilment' })
    let thaw = () => {}
    shop.before_answer = () => new Promise((resolve) => (thaw = resolve))
    says(200, '{"fulfilment":"fulfilled"}')
    const frozen = attemptOf(delivery)
    await until('the shop was asked', () => shop.calls.includes('FROZEN/1'))
    shop.before_answer = () => Promise.resolve()
    const heard = { ...shop.reply }
    shop.reply = { status: null, error: 'the connection was reset' }
    await expect(attemptOf(delivery)).rejects.toThrow(ApplicationFailure)
    shop.reply = heard
    thaw()
    expect(await frozen).toEqual({ kind: 'answered', answer: { result: 'fulfilled', reason: null } })
    const kept = await store.deliveries.find(delivery._id)
    expect(kept).toMatchObject({ state: 'delivered', attempts: [{ read_as: 'not heard' }, { read_as: 'fulfilled' }] })
    expect(kept).not.toHaveProperty('next_attempt_time')
  })

  it('goes by what its successor heard, when it heard nothing itself', async () => {
    const delivery = await inserted('OVERTAKEN', 1, { purpose: 'fulfilment' })
    let thaw = () => {}
    shop.before_answer = () => new Promise((resolve) => (thaw = resolve))
    const frozen = attemptOf(delivery)
    await until('the shop was asked', () => shop.calls.includes('OVERTAKEN/1'))
    shop.before_answer = () => Promise.resolve()
    says(200, '{"fulfilment":"refused","reason":"sold out"}')
    const refused = { kind: 'answered', answer: { result: 'refused', reason: 'sold out' } }
    expect(await attemptOf(delivery)).toEqual(refused)
    says(503)
    thaw()
    expect(await frozen).toEqual(refused)
  })
})

/** What a wait says: in how many ms Temporal shall come again. */
async function delayOf(delivery: DeliveryRecord): Promise<number> {
  const failure = await attemptOf(delivery).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(failure instanceof ApplicationFailure)) throw new Error(`no wait: ${String(failure)}`)
  return Number(failure.nextRetryDelay)
}

const minute = 60_000
const inMs = (ms: number) => beijingTime(clock.now + ms)

describe('an event behind an open one of its order', () => {
  it.each([
    ['that is about to be told follows within a second', 0, 500, 750],
    ['that is told in 8 s follows right after it', 8_000, 8_500, 8_750],
    ['that is told in 12 h looks again in ten minutes at most', 12 * 60 * minute, 7.5 * minute, 10 * minute],
    ['that has been due for a minute is in no hurry either', -minute, minute / 2, minute / 2],
  ])('%s, and its record says when', async (name, planned_ms, least_ms, most_ms) => {
    await inserted(name, 1, { next_attempt_time: inMs(planned_ms) })
    const follower = await inserted(name, 2, { endpoint_id: name })
    const delay_ms = await delayOf(follower)
    expect(delay_ms).toBeGreaterThanOrEqual(least_ms)
    expect(delay_ms).toBeLessThanOrEqual(most_ms + 1)
    const { next_attempt_time } = (await store.deliveries.find(follower._id)) ?? {}
    expect(Math.abs(milliseconds(next_attempt_time ?? '') - clock.now - delay_ms)).toBeLessThanOrEqual(1)
  })

  it('is not taken for lost: any number of them leaves the sweeper to one that is', async () => {
    const insertBlocked = async (order: string) => {
      await inserted(order, 1, { endpoint_id: 'slow', next_attempt_time: inMs(60 * minute) })
      await delayOf(await inserted(order, 2, { endpoint_id: 'slow' }))
    }
    for (let begun = 0; begun < limits.sweep_batch; begun += 10)
      await Promise.all(Array.from({ length: 10 }, (_, index) => insertBlocked(`BLOCKED${begun + index}`)))
    const lost = await inserted('LOST', 1, { next_attempt_time: inMs(1_000) })
    const due = await store.deliveries.findDue(inMs(2 * minute), limits.sweep_batch)
    expect(due.map(({ _id }) => _id)).toContain(lost._id)
  })
})

describe('an event whose endpoint is busy', () => {
  it('says in its record when it comes again', async () => {
    shop.reply = { status: null, error: 'ECONNREFUSED' }
    for (let sequence = 1; sequence <= 10; sequence += 1)
      await delayOf(await inserted(`DOWN${sequence}`, 1, { endpoint_id: 'down' }))
    const calls = shop.calls.length
    const refused = await inserted('DOWN11', 1, { endpoint_id: 'down' })
    const delay_ms = await delayOf(refused)
    expect(delay_ms).toBeGreaterThanOrEqual(5_000)
    expect(shop.calls).toHaveLength(calls)
    const { next_attempt_time } = (await store.deliveries.find(refused._id)) ?? {}
    expect(Math.abs(milliseconds(next_attempt_time ?? '') - clock.now - delay_ms)).toBeLessThanOrEqual(1)
  })
})

describe('a notice that is not heard', () => {
  const attentions = async () => ((await store.merchants.find(mchid))?.attentions ?? []).map(({ code }) => code)

  it('calls for a person from the fifth attempt until the endpoint answers, and stands among what is stuck once it is given up', async () => {
    await store.merchants.save(merchantSample())
    await store.merchants.noteAttention(mchid, 'orphan_payment', beijingTime(clock.now))
    const others = await inserted('HEARD', 1)
    const given_up = await inserted('GIVEN_UP', 1, { event_type: 'order.refunding' })
    for (let number = 1; number <= default_policy.delivery_retry_ms.length; number += 1) {
      says(503)
      expect(await attentions()).toEqual(number > 5 ? ['orphan_payment', 'delivery_failing'] : ['orphan_payment'])
      clock.now += (await delayOf(given_up)) + 1
    }
    says(200)
    await attemptOf(others)
    expect(await attentions()).toContain('delivery_failing') // another endpoint answers, not this one
    says(503)
    expect(await attemptOf(given_up)).toEqual({ kind: 'undelivered' })
    expect(await attentions()).toEqual(['orphan_payment', 'delivery_failing'])
    says(200)
    await attemptOf(await inserted('MENDED', 1, { endpoint_id: 'GIVEN_UP' }))
    expect(await attentions()).toEqual(['orphan_payment'])
  })
})

describe('an event that is sent once more', () => {
  const repeated = async (delivery: DeliveryRecord) => {
    await redeliver({ delivery_id: delivery._id })
    return await store.deliveries.find(delivery._id)
  }

  it('is delivered when it is heard at last, and nothing waits behind it', async () => {
    says(200)
    const given_up = await inserted('AGAIN', 1, { state: 'undelivered' })
    expect(await repeated(given_up)).toMatchObject({ state: 'delivered', attempts: [{ number: 1, read_as: 'heard' }] })
  })

  it('stays given up when it is not heard, and says why', async () => {
    says(503)
    const given_up = await inserted('IN_VAIN', 1, { state: 'undelivered' })
    const after = await repeated(given_up)
    expect(after).toMatchObject({ state: 'undelivered', attempts: [{ status: 503, read_as: 'not heard' }] })
  })

  it('does not leave the way it has while it is still open', async () => {
    const calls = shop.calls.length
    const open = await inserted('OPEN', 1)
    expect(await repeated(open)).toEqual(await store.deliveries.find(open._id))
    expect(shop.calls).toHaveLength(calls)
  })

  it('decides nothing any more, whatever is answered', async () => {
    says(200, '{"fulfilment":"refused","reason":"sold out"}')
    const asked = await inserted('DECIDED', 1, { state: 'cancelled', purpose: 'fulfilment' })
    expect(await repeated(asked)).toMatchObject({ state: 'cancelled', attempts: [{ read_as: 'heard', reason: null }] })
  })
})

describe('an observer that is gone', () => {
  it('is disabled, and the merchant’s other endpoints are told, anew each time', async () => {
    const others = endpointSample('https://shop.example/others')
    await store.endpoints.add(others)
    const told = async () => {
      const filter = { event_type: 'endpoint.disabled', endpoint_id: others.id }
      const { data } = await store.deliveries.list(mchid, filter, { limit: 10 })
      return data.map(({ state, out_trade_no }) => ({ state, out_trade_no }))
    }
    says(410)
    const url = 'https://shop.example/GONE'
    const gone = await inserted('GONE', 1)
    await delayOf(gone)
    expect(await told()).toEqual([{ state: 'waiting', out_trade_no: null }])
    await store.endpoints.remove(mchid, endpointSample(url).id)
    clock.now += 1_000
    await store.endpoints.add(endpointSample(url, { create_time: beijingTime(clock.now) }))
    says(410)
    await delayOf(await inserted('GONE_AGAIN', 1, { endpoint_id: 'GONE' }))
    expect(await told()).toHaveLength(2)
  })

  it('is told of anew where a person has enabled it meanwhile', async () => {
    const others = endpointSample('https://shop.example/listeners')
    await store.endpoints.add(others)
    const gone = await inserted('BACK', 1)
    says(410)
    await delayOf(gone)
    await store.endpoints.enable(mchid, gone.endpoint_id)
    clock.now += 60_000
    says(410)
    await delayOf(await inserted('BACK_AGAIN', 1, { endpoint_id: 'BACK' }))
    const filter = { event_type: 'endpoint.disabled', endpoint_id: others.id }
    expect((await store.deliveries.list(mchid, filter, { limit: 10 })).data).toHaveLength(2)
  })

  it('is told of by whoever meets it, where the worker died that had disabled it', async () => {
    const others = endpointSample('https://shop.example/heirs')
    await store.endpoints.add(others)
    const gone = await inserted('DIED', 1)
    const [endpoint] = (await store.endpoints.list(mchid)).filter(({ id }) => id === gone.endpoint_id)
    await store.endpoints.disable(endpoint?._id ?? '', 'answered 410 Gone', beijingTime(clock.now))
    for (let attempt = 0; attempt < 2; attempt += 1) expect(await attemptOf(gone)).toEqual({ kind: 'cancelled' })
    const filter = { event_type: 'endpoint.disabled', endpoint_id: others.id }
    const { data } = await store.deliveries.list(mchid, filter, { limit: 10 })
    expect(data).toHaveLength(1)
    expect(await store.events.find(data[0]?.event_id ?? '')).toMatchObject({ type: 'endpoint.disabled' })
  })
})
