import { afterAll, describe, expect, it } from 'vitest'
import type { CheckoutOccurrence, CheckoutRecord } from '../../domain/checkout/record.ts'
import { freshStore } from './database.ts'
import { at, checkoutSample, mchid, orderSample } from './samples.ts'

const { store, drop } = await freshStore({ is_indexed: false })
afterAll(drop)

const counter = { count: 0 }
async function inserted(given: Parameters<typeof checkoutSample>[1] = {}): Promise<CheckoutRecord> {
  const checkout = checkoutSample(`SALE-${++counter.count}`, given)
  expect(await store.checkouts.insert(checkout)).toEqual({ inserted: true })
  return checkout
}

const claim = (out_trade_no: string): CheckoutOccurrence => ({
  event: 'order_opened',
  operation_id: `order_opened:${out_trade_no}`,
  time: at(30),
  actor: { kind: 'payer', id: null },
  order: { out_trade_no, trade_type: 'NATIVE', payer: 'p' },
})

describe('a checkout that was inserted', () => {
  it('is read as it was written, by its number, its token and its id', async () => {
    const bare = await inserted({ orders: ['TEA-1', 'TEA-1-2'], metadata: { 'a.b': '1', create_time: at(5) } })
    expect(await store.checkouts.find(bare)).toStrictEqual(bare)
    expect(await store.checkouts.findByToken(bare.token)).toStrictEqual(bare)
    expect(await store.checkouts.findById(bare._id)).toStrictEqual(bare)
    expect(await store.checkouts.findByToken('another')).toBeNull()
  })

  it('is not replaced by another of its number', async () => {
    const first = await inserted()
    const second = { ...first, token: 'another' }
    expect(await store.checkouts.insert(second)).toEqual({ inserted: false, existing: first })
  })
})

describe('a number', () => {
  it('is claimed by one of many at once', async () => {
    const checkout = await inserted()
    const once = () => store.checkouts.apply(checkout, claim(checkout.out_trade_no), checkout)
    const outcomes = (await Promise.all(Array.from({ length: 8 }, once))).map(({ outcome }) => outcome)
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
    const { orders, revision } = (await store.checkouts.find(checkout)) ?? checkout
    expect([orders.map(({ out_trade_no }) => out_trade_no), revision]).toEqual([[checkout.out_trade_no], 1])
  })

  it('is claimed, or the checkout is cancelled: both never', async () => {
    const checkout = await inserted()
    const cancel: CheckoutOccurrence = {
      event: 'cancel_asked',
      operation_id: 'cancel_asked',
      time: at(30),
      actor: { kind: 'merchant', id: 'key_1' },
    }
    const [claimed] = await Promise.all([
      store.checkouts.apply(checkout, claim(checkout.out_trade_no), checkout),
      store.checkouts.apply(checkout, cancel, checkout),
    ])
    const { state, orders } = (await store.checkouts.find(checkout)) ?? checkout
    expect([state, orders.length]).toEqual(['closing', claimed.outcome === 'done' ? 1 : 0])
  })
})

describe('how a checkout stands', () => {
  it('is written down from its orders and its reference, by many at once', async () => {
    const { out_trade_no, reference, _id } = await inserted({ orders: [`SALE-${counter.count + 1}`] })
    await store.orders.insert(orderSample(out_trade_no, { state: 'paid', checkout_id: _id }))
    await store.references.claim(mchid, reference, out_trade_no)
    const key = { mchid, out_trade_no }
    const settled = await Promise.all(Array.from({ length: 5 }, () => store.checkouts.settle(key, at(40))))
    expect(new Set(settled.map((checkout) => `${checkout?.state} ${checkout?.paid_by}`))).toEqual(
      new Set([`paid ${out_trade_no}`]),
    )
    const paid = await store.checkouts.find(key)
    expect([paid?.timeline.map(({ event }) => event), paid?.next_action]).toEqual([['paid'], undefined])
  })

  it('is looked at when that is due, the longest overdue first, and again behind the others', async () => {
    const due = (seconds: number) => ({ next_action: { what: 'end', time: at(seconds) } as const })
    const first = await inserted(due(-300))
    const second = await inserted(due(-200))
    const found = async () => (await store.checkouts.findDue(at(-100), 10)).map(({ _id }) => _id)
    expect(await found()).toEqual([first._id, second._id])
    expect(await store.checkouts.putOff(first, at(-150))).toBe(true)
    expect(await store.checkouts.putOff(first, at(-50))).toBe(false)
    expect(await found()).toEqual([second._id, first._id])
  })

  it('is told once: what was planned for that is over, unless more has happened', async () => {
    const told = await inserted({ state: 'expired', revision: 3, next_action: { what: 'tell', time: at(1) } })
    expect(await store.checkouts.noteDone({ ...told, revision: 2 }, 'tell')).toBe(false)
    expect(await store.checkouts.noteDone(told, 'tell')).toBe(true)
    expect((await store.checkouts.find(told))?.next_action).toBeUndefined()
  })
})

describe('checkouts of a merchant', () => {
  it('are listed newest first, by state, number and reference', async () => {
    const reference = 'sale, with a comma'
    const times = [at(1_000), at(2_000), at(3_000)]
    const made: CheckoutRecord[] = []
    for (const create_time of times) made.push(await inserted({ reference, create_time }))
    const list = async (filter: object, limit = 10) =>
      (await store.checkouts.list(mchid, { reference, ...filter }, { limit })).data.map(({ _id }) => _id)
    const ids = made.map(({ _id }) => _id)
    expect(await list({})).toEqual([ids[2], ids[1], ids[0]])
    expect(await list({ create_time_from: at(2_000), create_time_to: at(3_000) })).toEqual([ids[1]])
    expect(await list({ state: ['paid'] })).toEqual([])
    expect(await list({ state: ['open', 'paid'] }, 1)).toEqual([ids[2]])
    expect(await list({ out_trade_no: made[0]?.out_trade_no })).toEqual([ids[0]])
    expect(await store.checkouts.list('1900000099', {}, { limit: 10 })).toMatchObject({ data: [] })
  })
})
