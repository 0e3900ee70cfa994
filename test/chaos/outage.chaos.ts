import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../domain/ids.ts'
import { seededRandom } from '../../simulator/random.ts'
import type { HeardEvent, MerchantAnswer } from '../stage/merchant.ts'
import { startOwnServers } from '../stage/outage.ts'
import type { OwnServers } from '../stage/outage.ts'
import { expectAuditClean } from '../stage/proof.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { Balancer } from './balancer.ts'
import { apiPorts, Troupe } from './troupe.ts'
import { openThings } from './witness.ts'
import type { ApiEvent, ApiOrder, MerchantNote, Received, Scene } from './witness.ts'

type Listed = Omit<ApiEvent, 'out_trade_no'> & { data: { order?: { out_trade_no: string } } }

/** A list as the API answers it. */
interface Page<T> {
  data: T[]
  next_cursor: string | null
}

/** How long things are broken; `WEFT_CHAOS_SECONDS=1800` for a night. */
const seconds = Number(process.env.WEFT_CHAOS_SECONDS ?? 150)
const seed = Number(process.env.WEFT_CHAOS_SEED ?? Date.now() % 1_000_000)
const shoppers = 6
/** By then everything that was broken must be at rest: retries are minutes apart at the end of their plans. */
const rest_ms = 600_000

const payer_stories = [
  'pay',
  'pay',
  'pay',
  'lose_notification',
  'notify_three_times',
  'notify_late',
  'second_payment',
] as const
const order_stories = [
  'sale',
  'sale',
  'sale',
  'refunded',
  'in_parts',
  'cannot_ship',
  'closed',
  'late',
  'unpaid',
] as const

describe(`an installation in which everything is killed, frozen and lost (seed ${seed}, ${seconds} s)`, () => {
  const random = seededRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const notes = new Map<string, MerchantNote>()
  const received: Received[] = []
  const followed = new Set<string>()
  let servers: OwnServers
  let stage: Stage
  let troupe: Troupe
  let is_over = false

  beforeAll(async () => {
    servers = await startOwnServers()
    stage = await Stage.open({
      time_scale: 30,
      simulator: { time_scale: 60 },
      settings: { fulfilment: { mode: 'event' } },
      temporal_address: servers.temporal.address,
      mongodb_uri: servers.database.uri,
      api: false,
      worker: false,
    })
    await stage.store.ensureIndexes()
    const ports = await apiPorts()
    const balancer = await Balancer.open(stage.config.port, ports)
    stage.endsWith(() => balancer.close())
    stage.shop.answer = answerOfShop
    troupe = await Troupe.start(stage, servers, ports, seed)
    misbehave()
  })
  afterAll(async () => {
    try {
      await stage.close()
    } finally {
      await servers.clear()
    }
  })

  /** Of what the network does between two companies, a little of everything. */
  function misbehave(): void {
    const { control } = stage.simulator
    for (const operation of ['place', 'query', 'close', 'refund', 'query_refund'] as const) {
      for (const fault of ['timeout_after', 'timeout_before'] as const)
        control.addFault({ operation, fault, rate: 0.02, mchid: stage.mchid })
      control.addFault({ operation, fault: 'SYSTEM_ERROR', rate: 0.03, mchid: stage.mchid })
    }
    for (const fault of ['drop', 'duplicate'] as const)
      control.addFault({ operation: 'notify', fault, rate: 0.05, mchid: stage.mchid })
  }

  /** The shop decides once per order, remembers it, and is now and then slow or away. */
  function answerOfShop({ id, type, sequence, data }: HeardEvent): MerchantAnswer {
    const out_trade_no = data.order?.out_trade_no ?? ''
    const note = notes.get(out_trade_no)
    const is_away = random() < 0.05
    received.push({ id, type, sequence, out_trade_no, was_answered: !is_away })
    if (is_away || note === undefined) return { status: 503 }
    if (type === 'order.paid') note.decision ??= data.order?.['attach'] === 'cannot_ship' ? 'refused' : 'fulfilled'
    const answer = note.decision === null ? {} : { fulfilment: note.decision, reason: 'as decided' }
    const after_ms = random() < 0.1 ? Math.floor(random() * 7_000) : 0
    return { status: 200, body: JSON.stringify(type.startsWith('refund.') ? {} : answer), after_ms }
  }

  /** The same request until somebody answers it, as a merchant's job would; null where it is refused for good. */
  async function insist<T>(method: string, path: string, body?: unknown): Promise<T | null> {
    return await until(
      `${method} ${path}`,
      async () => {
        const answer = await stage.call<T>(method, path, body)
        if (answer.status < 400 && answer.status !== 202) return { said: answer.body }
        if (answer.status < 500 && answer.status !== 202 && answer.status !== 429) return { said: null }
        throw new Error(`answered ${answer.status}`)
      },
      { within_ms: rest_ms, every_ms: 500 },
    ).then(({ said }) => said)
  }

  const order = (out_trade_no: string) => insist<ApiOrder>('GET', `/v1/orders/${out_trade_no}`)

  /** Pays if that is possible at all: an order may have been closed by then, by chaos too. */
  function pay(key: OrderKey, story: Parameters<Stage['pay']>[1]): boolean {
    try {
      stage.pay(key, story)
      return true
    } catch {
      return false
    }
  }

  async function shop(story: (typeof order_stories)[number]): Promise<void> {
    const key = { mchid: stage.mchid, out_trade_no: stage.number() }
    const note: MerchantNote = { out_trade_no: key.out_trade_no, decision: null, refunds: new Map() }
    notes.set(key.out_trade_no, note)
    const expire_in = story === 'unpaid' ? { expire_in: 120 } : {}
    const request = { out_trade_no: key.out_trade_no, description: '龙井茶', amount: { total: 990 }, attach: story }
    await insist('POST', '/v1/orders', { ...request, ...expire_in })
    const placed = await until('it can be paid or not at all', async () => {
      const seen = await order(key.out_trade_no)
      return seen !== null && seen.state !== 'created' && seen
    })
    if (placed.state !== 'awaiting_payment' || story === 'unpaid') return
    if (story === 'closed' || story === 'late') {
      await insist('POST', `/v1/orders/${key.out_trade_no}/close`)
      if (story === 'closed') return
      await until('it is closed', async () => (await order(key.out_trade_no))?.state === 'closed', {
        within_ms: rest_ms,
      })
      pay(key, 'pay_after_close')
      return
    }
    const payer_story = pick(payer_stories)
    if (!pay(key, payer_story === 'second_payment' ? 'pay' : payer_story)) return
    if (payer_story === 'second_payment') pay(key, 'second_payment')
    if (story === 'refunded' || story === 'in_parts') await refund(note, story === 'refunded' ? [990] : [300, 200])
  }

  /** The merchant gives back what it has shipped, once it knows that it has. */
  async function refund(note: MerchantNote, parts: readonly number[]): Promise<void> {
    const is_shipped = async () =>
      ['fulfilled', 'closed', 'refunded'].includes((await order(note.out_trade_no))?.state ?? '')
    await until('it is shipped, or never will be', is_shipped, { within_ms: rest_ms, every_ms: 500 })
    for (const fen of parts) {
      const out_refund_no = stage.refundNumber()
      const request = { out_refund_no, out_trade_no: note.out_trade_no, amount: { refund: fen } }
      const taken = await insist<{ state: string }>('POST', '/v1/refunds', request)
      if (taken !== null) note.refunds.set(out_refund_no, fen)
    }
  }

  /** A merchant's reader of the feed: goes on where it stopped, whatever happens meanwhile. */
  async function follow(): Promise<void> {
    let cursor: string | null = null
    while (!is_over) {
      const path: string = `/v1/events?order=asc&limit=20${cursor === null ? '' : `&cursor=${cursor}`}`
      const page = await stage.call<Page<{ id: string }>>('GET', path).catch(() => null)
      if (page?.status === 200) {
        for (const { id } of page.body.data) followed.add(id)
        cursor = page.body.next_cursor ?? cursor
      }
      await sleep(200)
    }
  }

  /** The servers, one after the other: less often than the processes, since each time everything waits. */
  async function breakServers(end: number): Promise<void> {
    const acts = [
      () => troupe.killTemporal(),
      () => troupe.restoreTemporal(10_000),
      () => troupe.killDatabase(),
      () => troupe.loseTemporal(),
    ]
    for (let count = 0; Date.now() < end; count += 1) {
      await sleep(10_000 + random() * 10_000)
      await acts[count % acts.length]?.()
    }
  }

  async function all<T>(path: string): Promise<T[]> {
    const rows: T[] = []
    let cursor: string | null = null
    do {
      const at: string = cursor === null ? '' : `&cursor=${cursor}`
      const page = await insist<Page<T>>('GET', `${path}limit=100${at}`)
      rows.push(...(page?.data ?? []))
      cursor = page === null || page.data.length < 100 ? null : (page.next_cursor ?? null)
    } while (cursor !== null)
    return rows
  }

  async function scene(): Promise<Scene> {
    const orders = new Map<string, ApiOrder>()
    for (const out_trade_no of notes.keys()) {
      const seen = await order(out_trade_no)
      if (seen !== null) orders.set(out_trade_no, seen)
    }
    const listed = await all<Listed>('/v1/events?order=asc&')
    const events = listed.map(({ data, ...event }) => ({ ...event, out_trade_no: data.order?.out_trade_no ?? '' }))
    const open = await all<{ id: string }>('/v1/deliveries?state=waiting&')
    const attention = await insist<{ data: { code: string; out_trade_no: string | null }[] }>('GET', '/v1/attention')
    const running: string[] = []
    const query = `WeftMerchant = '${stage.mchid}' AND ExecutionStatus = 'Running'`
    for await (const { workflowId } of stage.temporal.client.workflow.list({ query })) running.push(workflowId)
    return {
      notes: [...notes.values()],
      received,
      wechat: stage.wechat,
      orders,
      events,
      followed,
      open_deliveries: open.map(({ id }) => id),
      attention: attention?.data ?? [],
      running,
    }
  }

  it('has nothing open when it is at rest, and every fen where it belongs', async () => {
    const end = Date.now() + seconds * 1000
    const reader = follow()
    const shopping = Array.from({ length: shoppers }, async () => {
      while (Date.now() < end) {
        await shop(pick(order_stories))
        await sleep(random() * 1_000)
      }
    })
    const breaking = Array.from({ length: 3 }, async () => {
      while (Date.now() < end) {
        await troupe.act()
        await sleep(random() * 2_000)
      }
    })
    await Promise.all([breakServers(end), ...breaking, ...shopping])
    stage.simulator.control.removeFaults(null)
    try {
      await until(
        'nothing is open',
        async () => {
          const open = openThings(await scene())
          if (open.length > 0) throw new Error(`${open.length} things:\n${open.slice(0, 40).join('\n')}`)
          return true
        },
        { within_ms: rest_ms, every_ms: 3_000 },
      )
    } catch (error) {
      throw new Error(`after:\n${troupe.acts.join('\n')}\n${String(error)}`, { cause: error })
    } finally {
      is_over = true
      await reader
    }
    expect(notes.size).toBeGreaterThan(shoppers)
    const { orders, payments, refunds } = await expectAuditClean(stage, 'settled')
    process.stdout.write(
      `${orders} orders, ${payments} payments, ${refunds} refunds; ${troupe.acts.length} acts (seed ${seed})\n`,
    )
  })
})
