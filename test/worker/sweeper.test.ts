import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newDifference } from '../../activities/bill/differences.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { evidenceId, workflowId } from '../../domain/ids.ts'
import type { Confirmation, PaymentFound } from '../../domain/messages.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { limits } from '../../domain/policy.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'
import { rawPlace } from '../../store/evidence.ts'
import { createSealer } from '../../store/sealer.ts'
import { openWords } from '../../store/words.ts'
import { createSweeper, sweeper_patience } from '../../worker/sweeper.ts'
import { refundSample } from '../stage/dossiers.ts'
import { memoryStore } from '../stage/memory.ts'
import { freshStore } from '../store/database.ts'
import {
  checkoutSample,
  closedAtWeChat,
  deliverySample,
  endpointSample,
  evidenceSample,
  mchid,
  merchantSample,
  noon,
  orderSample,
  paymentSample,
} from '../store/samples.ts'

const minute = 60_000
const day = 24 * 60 * minute

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })

/** A Temporal that takes everything and keeps what it was told; runs of orders at rest end before anyone else is heard. */
function listeningTemporal(clock: { now: number }) {
  const heard: {
    signals: PaymentFound[]
    words: Confirmation[]
    starts: string[]
    onStart: (later: (ms: number) => void) => Promise<void>
  } = { signals: [], words: [], starts: [], onStart: () => Promise.resolve() }
  const workflow = {
    signalWithStart: async (_type: string, { signalArgs }: { signalArgs: [PaymentFound] }) =>
      void heard.signals.push(...signalArgs),
    executeUpdateWithStart: async (_name: string, { args }: { args: [Confirmation] }) => {
      heard.words.push(...args)
      return { kind: 'state', state: 'fulfilled', revision: 4 }
    },
    start: async (_type: string, { workflowId }: { workflowId: string }) => {
      heard.starts.push(workflowId)
      await heard.onStart((ms) => (clock.now += ms))
    },
    getHandle: () => ({ executeUpdate: () => Promise.reject(new Error('the run has ended')) }),
  }
  const connection = { withDeadline: async (_: number, call: () => Promise<unknown>) => await call() }
  return { heard, temporal: { client: { workflow }, connection } as unknown as TemporalClient }
}

async function stage(where: 'database' | 'memory' = 'database') {
  const { store, drop } =
    where === 'database'
      ? await freshStore({ is_indexed: false })
      : { store: memoryStore(sealer), drop: () => Promise.resolve() }
  await store.merchants.save(merchantSample())
  const clock = { now: noon }
  const { heard, temporal } = listeningTemporal(clock)
  const ending = new AbortController()
  const warned: string[] = []
  const sweeper = createSweeper({
    store,
    temporal,
    queue_prefix: '',
    shown: { language: 'en', guide_url: null },
    patience: sweeper_patience,
    now: () => clock.now,
    log: { ...silentLogger, warn: (message) => void warned.push(message) },
    swept: () => undefined,
  })
  return {
    store,
    heard,
    drop,
    ending,
    warned,
    /** `ms` later */
    async sweepAfter(ms: number) {
      clock.now += ms
      heard.starts.length = 0
      await sweeper.sweep(ending.signal)
      return heard.starts
    },
    /** an hour later each time: what lingers is looked at hourly */
    async sweep() {
      clock.now += 61 * minute
      heard.signals.length = 0
      await sweeper.sweep()
      return heard.signals.map((found) => ('evidence_id' in found ? found.evidence_id.split('/').at(-1) : ''))
    },
    attentions: async () => (await store.merchants.find(mchid))?.attentions?.map(({ code }) => code) ?? [],
    heardAgo: (name: string, age_ms: number, given: Partial<EvidenceRecord> = {}) =>
      store.evidence.archive(evidenceSample(name, { receive_time: beijingTime(noon - age_ms), ...given })),
  }
}

describe('evidence that has had no effect for days', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  it.each([
    ['merchant', evidenceId.merchant],
    ['operator', (owner: string, operation_id: string) => `${owner}/operator/${operation_id}`],
  ] as const)(
    'is a confirmation kept as %s: it was promised to be kept, so it is handed over at any age',
    async (kind, idOf) => {
      const word = { operation_id: 'fulfilment:TEA-1:2:fulfilled', result: 'fulfilled', reason: null }
      const _id = idOf(mchid, word.operation_id)
      const raw = here.store.sealer.seal(JSON.stringify(word), rawPlace({ _id }))
      await here.heardAgo('word', 40 * day, { _id, kind, raw })
      await here.sweep()
      expect(here.heard.words).toEqual([word])
      expect(await here.store.evidence.find(_id)).toMatchObject({ outcome: 'applied', applied_to: `${mchid}/TEA-1` })
    },
  )

  it('is told to a person at three days and not before, and is tried again', async () => {
    await here.heardAgo('young', 2 * day)
    expect(await here.sweep()).toEqual(['young'])
    expect(await here.attentions()).toEqual([])
    await here.heardAgo('old', 3 * day)
    expect(await here.sweep()).toEqual(expect.arrayContaining(['old', 'young']))
    expect(await here.attentions()).toEqual(['evidence_unapplied'])
  })

  it('is told as money without an owner when no order of its number is known', async () => {
    await here.heardAgo('orphan', 5 * day, { outcome: 'orphan' })
    expect(await here.sweep()).toEqual(['orphan'])
    expect(await here.attentions()).toEqual(['orphan_payment'])
  })

  it('is looked at in small numbers, each in its turn and then again from the first', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `old-${n}`)
    for (const [n, name] of names.entries()) await here.heardAgo(name, 9 * day - n * minute)
    const rounds = [await here.sweep(), await here.sweep(), await here.sweep()]
    for (const round of rounds) expect(round.length).toBeLessThanOrEqual(20)
    expect(new Set(rounds.flat())).toEqual(new Set(names))
    expect((await here.sweep())[0]).toBe('old-0')
  })

  it('does not keep a merchant’s word from its turn', async () => {
    for (let n = 0; n < 30; n += 1) await here.heardAgo(`old-${n}`, 9 * day + n)
    const word = { operation_id: 'fulfilment:TEA-1:2:refused', result: 'refused', reason: '缺货' }
    const raw = here.store.sealer.seal(JSON.stringify(word), rawPlace({ _id: `${mchid}/notification/word` }))
    await here.heardAgo('word', 4 * day, { kind: 'merchant', raw })
    await here.sweep()
    expect(here.heard.words[0]?.reason).not.toBe(word.reason)
    expect(
      here.heard.words.map((sent) =>
        openWords(here.store.sealer, workflowId.order({ mchid, out_trade_no: 'TEA-1' }), sent),
      ),
    ).toEqual([word])
  })
})

describe('an order whose run was lost', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  const planned = { what: 'place', time: beijingTime(noon) } as const

  it('is taken up a minute after its moment when it is only recorded, and after two when it is placed', async () => {
    await here.store.orders.insert(orderSample('TEA-1', { next_action: planned }))
    await here.store.orders.insert(orderSample('TEA-2', { next_action: planned, state: 'awaiting_payment' }))
    expect(await here.sweepAfter(59_000)).toEqual([])
    expect(await here.sweepAfter(2_000)).toEqual([`order/${mchid}/TEA-1`])
    expect(await here.sweepAfter(60_000)).toEqual([`order/${mchid}/TEA-1`, `order/${mchid}/TEA-2`])
  })
})

describe('what was taken up', () => {
  it('a lost order has its turn before those that are carried and only slow, once these were taken up', async () => {
    const here = await stage('memory')
    const planned = { what: 'place', time: beijingTime(noon) } as const
    const slow = { ...planned, time: beijingTime(noon - 10 * minute) }
    const insertSlow = (_: unknown, number: number) =>
      here.store.orders.insert(orderSample(`SLOW-${number}`, { next_action: slow, state: 'awaiting_payment' }))
    await Promise.all(Array.from({ length: limits.sweep_batch }, insertSlow))
    await here.store.orders.insert(orderSample('LOST', { next_action: planned, state: 'awaiting_payment' }))
    expect(await here.sweepAfter(6 * minute)).not.toContain(`order/${mchid}/LOST`)
    expect((await here.sweepAfter(minute / 2))[0]).toBe(`order/${mchid}/LOST`)
  })

  it('is planned no later than another worker’s now, by which that one makes the attempt, by a clock 4 min ahead', async () => {
    const here = await stage('memory')
    const { store } = here
    const [soon, late] = [noon + minute, noon - 10 * minute].map((ms) => beijingTime(ms))
    if (soon === undefined || late === undefined) throw new Error('no times')
    for (const [name, time] of [['SOON', soon] as const, ['LATE', late] as const]) {
      await store.orders.insert(orderSample(name, { next_action: { what: 'place', time } }))
      const amount = { refund: 990, total: 990, currency: 'CNY' } as const
      const refund = refundSample(name, { ...paymentSample(`4200${name}`), amount })
      await store.refunds.insert({ ...refund, next_action: { what: 'submit', time } })
      await store.deliveries.insertMissing([deliverySample(name, 1, { next_attempt_time: time })])
    }
    expect(await here.sweepAfter(4 * minute)).toHaveLength(6)
    const plansOf = async (name: string) => {
      const order = await store.orders.find({ mchid, out_trade_no: name })
      const refund = await store.refunds.find({ mchid, out_refund_no: name })
      const delivery = await store.deliveries.find(deliverySample(name, 1)._id)
      return [order?.next_action?.time, refund?.next_action?.time, delivery?.next_attempt_time]
    }
    expect(await plansOf('SOON'), 'what lies ahead stays where it is').toEqual([soon, soon, soon])
    const moved = beijingTime(noon - minute)
    expect(await plansOf('LATE')).toEqual([moved, moved, moved])
  })
})

describe('a checkout whose time is over', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  it('is ended and told in one round, and one that waits for its order is looked at again', async () => {
    const expire_time = beijingTime(noon + minute)
    const due = { expire_time, next_action: { what: 'end', time: expire_time } } as const
    await here.store.endpoints.add(endpointSample('https://shop.example.cn/weft'))
    await here.store.checkouts.insert(checkoutSample('TEA-1', due))
    await here.store.checkouts.insert(checkoutSample('TEA-2', { ...due, orders: ['TEA-2'] }))
    const open = { state: 'awaiting_payment', checkout_id: `${mchid}/TEA-2` } as const
    await here.store.orders.insert(orderSample('TEA-2', open))
    const states = async () => (await here.store.checkouts.inTurn(mchid, null, 10)).map(({ state }) => state)
    expect(await here.sweepAfter(59_000)).toEqual([])
    expect(await here.sweepAfter(2_000)).toHaveLength(1)
    expect(await states()).toEqual(['expired', 'open'])
    expect(await here.sweepAfter(30_000)).toEqual([])
    await here.store.orders.apply({ mchid, out_trade_no: 'TEA-2' }, closedAtWeChat())
    await here.sweepAfter(30_000)
    expect(await states()).toEqual(['expired', 'expired'])
  })
})

describe('a delivery that is long due', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  it('is taken up by its own run, and what decides something by the run of its order', async () => {
    const planned = { next_attempt_time: beijingTime(noon) }
    const deliveries = [
      deliverySample('TEA-1', 1, { ...planned, purpose: 'fulfilment' }),
      deliverySample('TEA-2', 2, { ...planned, purpose: 'cancellation' }),
      deliverySample('TEA-3', 1, planned),
    ]
    await here.store.deliveries.insertMissing(deliveries)
    const runs = [`order/${mchid}/TEA-1`, `order/${mchid}/TEA-2`, `delivery/${deliveries[2]?._id}`]
    expect((await here.sweepAfter(3 * minute)).toSorted()).toEqual(runs.toSorted())
  })
})

describe('a notification of a refund that names no order', () => {
  it('is handed over by the refund’s own number, when the process that took it is gone', async () => {
    const here = await stage()
    const given = { subject: 'refund', out_trade_no: null, transaction_id: null, out_refund_no: 'R-1' } as const
    const { evidence } = await here.heardAgo('nameless', 5 * minute, given)
    await here.sweepAfter(minute)
    expect(here.heard.signals).toEqual([{ evidence_id: evidence._id }])
    await here.drop()
  })
})

describe('a round that lasts longer than its lease', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  const due = async () => {
    const late = ['TEA-1', 'TEA-2', 'TEA-3'].map((number) =>
      deliverySample(number, 1, { next_attempt_time: beijingTime(noon) }),
    )
    await here.store.deliveries.insertMissing(late)
  }
  const others = (ms: number) => here.store.leases.acquire('sweeper', 'other', minute, noon + ms)

  it('keeps it: no other worker sweeps the same', async () => {
    await due()
    const taken: boolean[] = []
    here.heard.onStart = async (later) => {
      later(minute) // a start that takes long: three of them are longer than the lease
      taken.push(await others(3 * minute + taken.length * minute + 50_000))
    }
    expect(await here.sweepAfter(3 * minute)).toHaveLength(3)
    expect(taken).toEqual([false, false, false])
  })

  it('leaves the rest to others where its worker is to end', async () => {
    await due()
    here.heard.onStart = () => Promise.resolve(here.ending.abort())
    expect(await here.sweepAfter(3 * minute)).toHaveLength(1)
  })

  it('says once a minute that Temporal does not answer, however much is late', async () => {
    await due()
    here.heard.onStart = () => Promise.reject(new Error('Temporal is away'))
    await here.sweepAfter(3 * minute)
    await here.sweepAfter(minute / 2)
    expect(here.warned).toEqual(['something late could not be taken up; the next round tries again'])
    await here.sweepAfter(3 * minute)
    expect(here.warned).toHaveLength(2)
  })

  it('leaves the rest to the worker that has taken it over', async () => {
    await due()
    here.heard.onStart = async (later) => {
      later(2 * minute) // it stood still past its lease
      await others(5 * minute)
    }
    expect(await here.sweepAfter(3 * minute)).toHaveLength(1)
  })
})

describe('money that nobody ordered', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(async () => await here.drop())

  it('is said of its merchant until the last of it has an owner', async () => {
    await here.store.merchants.noteAttention(mchid, 'orphan_payment', beijingTime(noon))
    const orphan = paymentSample('4200orphan', { order_id: null, role: 'orphan' })
    await here.store.payments.insert(orphan)
    await here.sweep()
    expect(await here.attentions()).toEqual(['orphan_payment'])
    await here.store.payments.assignToOrder(orphan, `${mchid}/TEA-1`)
    await here.heardAgo('orphan', minute, { outcome: 'orphan' })
    await here.sweep()
    expect(await here.attentions()).toEqual(['orphan_payment'])
    const { _id } = evidenceSample('orphan')
    await here.store.evidence.recordOutcome(_id, { outcome: 'applied', applied_to: null, time: beijingTime(noon) })
    await here.sweep()
    expect(await here.attentions()).toEqual([])
  })

  it('reminds of the first difference that was not settled by its time, and no longer once none is left', async () => {
    const sides = { found_time: beijingTime(noon), patience_time: beijingTime(noon) }
    const day_key = { mchid, bill_date: '2026-11-22' }
    const [late, later] = ['one', 'two'].map((subject, place) => ({
      ...newDifference(day_key, 'malformed', subject, sides),
      due_time: beijingTime(noon + (place + 1) * 60 * minute),
    }))
    if (late === undefined || later === undefined) throw new Error('no differences')
    await here.store.differences.note([later, late])
    const raised = async () => (await here.store.merchants.find(mchid))?.attentions ?? []
    const end = async ({ _id }: { _id: string }) =>
      await here.store.differences.apply(_id, {
        ...{ event: 'ignored', operation_id: _id, time: beijingTime(noon), actor: { kind: 'merchant', id: 'key_a' } },
      })
    await here.sweepAfter(59 * minute)
    expect(await raised()).toEqual([])
    await here.sweepAfter(2 * minute)
    expect(await raised()).toMatchObject([{ code: 'differences_overdue', since_time: late.due_time }])
    await here.sweepAfter(60 * minute)
    await end(late)
    await here.sweepAfter(minute)
    expect(await raised(), 'the other one is overdue by now').toHaveLength(1)
    await end(later)
    await here.sweepAfter(minute)
    expect(await raised()).toEqual([])
  })
})
