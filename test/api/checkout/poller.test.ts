import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { OrderPoller } from '../../../api/checkout/poller.ts'
import type { PollerOptions } from '../../../api/checkout/poller.ts'
import { OrderStreams } from '../../../api/checkout/stream.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import { until } from '../../stage/until.ts'
import { at, orderSample } from '../../store/samples.ts'

const pollers: OrderPoller[] = []

afterEach(() => {
  for (const poller of pollers.splice(0)) poller.close()
})

/** The records as a poller sees them, and what it asked of them. */
function stage(given: Partial<PollerOptions> = {}) {
  const records = new Map<string, OrderRecord>()
  const asked = { rounds: [] as string[][], finds: 0, is_away: false, at_once: 0, most_at_once: 0 }
  const poller = new OrderPoller({
    log: silentLogger,
    interval_ms: 5,
    store: {
      orders: {
        findGlimpses: async (ids) => {
          asked.rounds.push(ids)
          asked.most_at_once = Math.max(asked.most_at_once, ++asked.at_once)
          await new Promise((resolve) => setImmediate(resolve))
          asked.at_once--
          if (asked.is_away) throw new Error('away')
          return ids.flatMap((id) => records.get(id) ?? [])
        },
        find: async ({ mchid, out_trade_no }) => {
          asked.finds++
          return records.get(`${mchid}/${out_trade_no}`) ?? null
        },
      },
    },
    ...given,
  })
  pollers.push(poller)
  const order = (number: string, changes: Partial<OrderRecord> = {}) => {
    const record = orderSample(number, { state: 'awaiting_payment', ...changes })
    records.set(record._id, record)
    return record
  }
  const change = (record: OrderRecord, changes: Partial<OrderRecord>) =>
    records.set(record._id, { ...(records.get(record._id) ?? record), ...changes })
  return { poller, asked, order, change }
}

describe('the poller', () => {
  it('asks for all watched orders in one question, and never two questions at once', async () => {
    const { poller, asked, order } = stage()
    for (let number = 0; number < 300; number++) poller.watch(order(`T-${number + 100_000}`), () => undefined)
    await until('five rounds', () => asked.rounds.length >= 5)
    expect(asked.rounds.at(-1)).toHaveLength(300)
    expect(asked.most_at_once).toBe(1)
    expect(asked.finds).toBe(0)
  })

  it('tells every page of an order that changed, after one more read, and nobody else', async () => {
    const { poller, asked, order, change } = stage()
    const [paid, other] = [order('T-100001'), order('T-100002')]
    const told: string[] = []
    poller.watch(paid, ({ state }) => told.push(`first ${state}`))
    poller.watch(paid, ({ state }) => told.push(`second ${state}`))
    poller.watch(other, () => told.push('other'))
    change(paid, { state: 'paid', revision: 1 })
    await until('both were told', () => told.length === 2)
    expect(told).toEqual(['first paid', 'second paid'])
    const rounds = asked.rounds.length
    await until('three rounds more', () => asked.rounds.length >= rounds + 3)
    expect(told).toHaveLength(2)
    expect(asked.finds).toBe(1)
  })

  it('tells of WeChat’s answers without reading more', async () => {
    const { poller, asked, order, change } = stage()
    const record = order('T-100001')
    const seen: (string | null)[] = []
    poller.watch(record, (changed) => seen.push(changed.asked.last_time))
    change(record, { asked: { last_time: at(31), on_request: 0 } })
    await until('it was told', () => seen.length > 0)
    expect(seen).toEqual([at(31)])
    expect(asked.finds).toBe(0)
  })

  it('stands still when nobody watches', async () => {
    const { poller, asked, order } = stage()
    const unwatch = poller.watch(order('T-100001'), () => undefined)
    await until('a round', () => asked.rounds.length >= 1)
    unwatch?.()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const rounds = asked.rounds.length
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(asked.rounds).toHaveLength(rounds)
    expect(poller.size).toBe(0)
  })

  it('refuses what is beyond its limits, and has room again when a page goes', () => {
    const { poller, order } = stage({ max_orders: 2, max_listeners_per_order: 2 })
    const [first, second, third] = [order('T-100001'), order('T-100002'), order('T-100003')]
    const unwatch = poller.watch(first, () => undefined)
    expect(poller.watch(first, () => undefined)).not.toBeNull()
    expect(poller.watch(first, () => undefined)).toBeNull()
    const leave = poller.watch(second, () => undefined)
    expect(poller.watch(third, () => undefined)).toBeNull()
    unwatch?.()
    expect(poller.watch(first, () => undefined)).not.toBeNull()
    leave?.()
    expect(poller.watch(third, () => undefined)).not.toBeNull()
  })

  it('has room for the others, whatever one merchant does', () => {
    const { poller, order } = stage({ max_orders_per_merchant: 2 })
    const own = [1, 2, 3].map((number) => order(`T-10000${number}`))
    const other = order('T-200001', { mchid: '1900000099' })
    expect(own.map((one) => poller.watch(one, () => undefined) !== null)).toEqual([true, true, false])
    expect(poller.watch(other, () => undefined)).not.toBeNull()
  })

  it('lets one order have the pages of a person or two', () => {
    const { poller, order } = stage()
    const record = order('T-100001')
    const pages = Array.from({ length: 20 }, () => poller.watch(record, () => undefined))
    expect(pages.filter((page) => page !== null)).toHaveLength(8)
  })

  it('goes on when the database was away', async () => {
    const { poller, asked, order, change } = stage()
    const record = order('T-100001')
    const told: string[] = []
    asked.is_away = true
    poller.watch(record, ({ state }) => told.push(state))
    await until('a failed round', () => asked.rounds.length >= 1)
    change(record, { state: 'closed', revision: 1 })
    asked.is_away = false
    await until('it was told', () => told.length > 0)
    expect(told).toEqual(['closed'])
  })
})

describe('a page’s stream', () => {
  /** Reads what the page is sent. */
  function reader() {
    const response = new PassThrough()
    const text: string[] = []
    response.on('data', (chunk: Buffer) => text.push(chunk.toString()))
    return { response, text: () => text.join('') }
  }

  it('tells the order at once and at each change, and ends when the order rests', async () => {
    const { poller, order, change } = stage()
    const streams = new OrderStreams({ poller })
    const record = order('T-100001')
    const { response, text } = reader()
    expect(streams.open(response, record, async ({ state }) => ({ state }))).toBe(true)
    await until('the first state', () => text().includes('event: order\ndata: {"state":"awaiting_payment"}\n\n'))
    change(record, { state: 'paid', revision: 1 })
    await until('paid', () => text().includes('{"state":"paid"}'))
    change(record, { state: 'fulfilled', revision: 2 })
    await once(response, 'end')
    expect(text()).toContain('{"state":"fulfilled"}')
    expect([streams.size, poller.size]).toEqual([0, 0])
  })

  it('tells through silence that it still comes through, in a way that a script can hear', async () => {
    const { poller, order } = stage()
    const { response, text } = reader()
    new OrderStreams({ poller, heartbeat_ms: 5 }).open(response, order('T-100001'), async () => ({}))
    await until('heartbeats', () => text().split('event: heartbeat\ndata: {}\n\n').length > 2)
    response.destroy()
  })

  it('is one of a limited number, and makes room when its page goes', async () => {
    const { poller, order } = stage()
    const streams = new OrderStreams({ poller, max_streams: 1 })
    const [first, second] = [reader(), reader()]
    expect(streams.open(first.response, order('T-100001'), async () => ({}))).toBe(true)
    expect(streams.open(second.response, order('T-100002'), async () => ({}))).toBe(false)
    expect(second.text()).toBe('')
    first.response.destroy()
    await until('the place is free', () => streams.size === 0)
    expect(streams.open(second.response, order('T-100002'), async () => ({}))).toBe(true)
    second.response.destroy()
  })

  it('is not refused because of another merchant’s', () => {
    const { poller, order } = stage()
    const streams = new OrderStreams({ poller, max_streams_per_merchant: 1 })
    const open = (record: OrderRecord) => streams.open(reader().response, record, async () => ({}))
    expect([open(order('T-100001')), open(order('T-100002'))]).toEqual([true, false])
    expect(open(order('T-200001', { mchid: '1900000099' }))).toBe(true)
    streams.close()
  })

  it('lets a page go that does not read', async () => {
    const { poller, order, change } = stage()
    const streams = new OrderStreams({ poller })
    const record = order('T-100001')
    const response = new PassThrough() // nobody reads
    streams.open(response, record, async () => ({ text: 'x'.repeat(40_000) }))
    let revision = 0
    const goesOn = () => {
      change(record, { revision: ++revision })
      return response.destroyed
    }
    await until('it is let go', goesOn, { every_ms: 10 })
    await until('it is released', () => streams.size === 0)
  })

  it('ends with the process, and after its time', async () => {
    const { poller, order } = stage()
    const streams = new OrderStreams({ poller })
    const first = reader()
    streams.open(first.response, order('T-100001'), async () => ({}))
    streams.close()
    await once(first.response, 'end')
    const second = reader()
    new OrderStreams({ poller, max_age_ms: 10 }).open(second.response, order('T-100002'), async () => ({}))
    await once(second.response, 'end')
    expect(poller.size).toBe(0)
  })
})
