import { setTimeout as sleep } from 'node:timers/promises'
import { beijingDay, beijingTime } from '../../domain/calendar.ts'
import { MerchantDouble } from '../stage/merchant.ts'
import type { HeardEvent, MerchantAnswer } from '../stage/merchant.ts'
import type { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import type { ApiCheckout, ApiDay, ApiEvent, ApiOrder, MerchantNote, Received, Scene } from './witness.ts'

type Listed = Omit<ApiEvent, 'out_trade_no'> & { data: { order?: { out_trade_no: string } } }
type PayerStory = Parameters<Stage['pay']>[1]

/** A list as the API answers it. */
interface Page<T> {
  data: T[]
  next_cursor: string | null
}

/** By then everything that was broken must be at rest: retries are minutes apart at the end of their plans. */
export const rest_ms = 600_000
const day_ms = 86_400_000

const payer_stories = [
  'pay',
  'pay',
  'pay',
  'lose_notification',
  'notify_three_times',
  'notify_late',
  'second_payment',
  'second_unheard',
] as const
const order_stories = [
  'sale',
  'sale',
  'refunded',
  'stopped',
  'in_parts',
  'cannot_ship',
  'closed',
  'late',
  'late_unheard',
  'unpaid',
  'checkout',
  'checkout',
  'checkout_cancelled',
] as const

/** Merchants and payers: what they do, what they know of it, and what they are told. */
export class Market {
  readonly notes = new Map<string, MerchantNote>()
  readonly #checkouts = new Set<string>()
  readonly #received: Received[] = []
  readonly #followed = new Set<string>()
  readonly #stage: Stage
  readonly #random: () => number
  /** another person than the one whose key asks for refunds */
  #second_key: string
  #key: string
  #is_over = false

  private constructor(stage: Stage, random: () => number, second_key: string) {
    this.#stage = stage
    this.#random = random
    this.#key = stage.key
    this.#second_key = second_key
  }

  /** The merchant's two endpoints listen from now on; either may be the one whose answers decide. */
  static async open(stage: Stage, random: () => number): Promise<Market> {
    const market = new Market(stage, random, await stage.anotherKey())
    stage.shop.answer = (event) => market.#answerOfShop('first', event)
    return market
  }

  /** Adds an observer that hears everything, and may be asked to decide. Answers the ids of both endpoints. */
  async addObserver(): Promise<string[]> {
    const double = await new MerchantDouble().open()
    this.#stage.endsWith(() => double.close())
    double.answer = (event) => this.#answerOfShop('second', event)
    const made = await this.insist<{ secret: string }>('POST', '/v1/endpoints', { url: double.url })
    double.secret = made?.secret ?? ''
    const { data } = (await this.insist<Page<{ id: string }>>('GET', '/v1/endpoints')) ?? { data: [] }
    return data.map(({ id }) => id)
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T
  }

  /** One sale, however it goes. */
  async sell(): Promise<void> {
    const story = this.pick(order_stories)
    if (story === 'checkout' || story === 'checkout_cancelled') await this.#sellByCheckout(story)
    else await this.#sellByOrder(story)
  }

  /** From now on the other endpoint decides. */
  async moveFulfilment(endpoint_id: string): Promise<void> {
    await this.insist('POST', `/v1/endpoints/${endpoint_id}/fulfilment`)
  }

  /** Other keys to the API take the place of both, which are revoked at once. */
  async rotateKeys(): Promise<void> {
    const { store, mchid, now } = this.#stage
    const made = await this.#reached(async () => [await this.#stage.anotherKey(), await this.#stage.anotherKey()])
    const [key = '', second_key = ''] = made
    const fresh = [key, second_key].map((token) => token.slice(-4))
    this.#key = key
    this.#second_key = second_key
    await this.#reached(async () => {
      for (const { id, hint, revoke_time } of await store.keys.list(mchid))
        if (!fresh.includes(hint) && revoke_time === null) await store.keys.revoke(mchid, id, beijingTime(now()))
      return true
    })
  }

  /** A person decides about some of the second payments that are shown, and leaves others. */
  async decideSeconds(): Promise<void> {
    for (const { code, out_trade_no, transaction_id } of await this.#attention()) {
      const note = this.notes.get(out_trade_no ?? '')
      if (code !== 'second_payment' || note === undefined || transaction_id === null) continue
      if (note.seconds.has(transaction_id)) continue
      const decision = this.pick(['accept', 'reject', 'leave'] as const)
      note.seconds.set(transaction_id, 'leave')
      if (decision === 'leave') continue
      const body = { decision, reason: '已核对', transaction_id }
      const answer = await this.insist('POST', `/v1/orders/${note.out_trade_no}/review`, body)
      if (answer !== null) note.seconds.set(transaction_id, decision)
    }
  }

  /** The day before: all lost money is paid then, so that its bill can be had now. */
  get bill_date(): string {
    return beijingDay(this.#stage.now() - day_ms)
  }

  /** WeChat issues the bills of that day anew, and they are compared. */
  async reconcile(): Promise<void> {
    this.#stage.simulator.control.issueBills({ mchid: this.#stage.mchid, bill_date: this.bill_date })
    await this.insist('POST', `/v1/reconciliations/${this.bill_date}`)
  }

  /** A merchant's reader of the feed: goes on where it stopped, whatever happens meanwhile. */
  async follow(): Promise<void> {
    let cursor: string | null = null
    while (!this.#is_over) {
      const path: string = `/v1/events?order=asc&limit=20${cursor === null ? '' : `&cursor=${cursor}`}`
      const page = await this.#call<Page<{ id: string }>>('GET', path).catch(() => null)
      if (page?.status === 200) {
        for (const { id } of page.body.data) this.#followed.add(id)
        cursor = page.body.next_cursor ?? cursor
      }
      await sleep(200)
    }
  }

  end(): void {
    this.#is_over = true
  }

  async scene(): Promise<Scene> {
    const checkouts: ApiCheckout[] = []
    for (const number of this.#checkouts) {
      const seen = await this.insist<ApiCheckout>('GET', `/v1/checkouts/${number}`)
      checkouts.push(seen ?? { out_trade_no: number, state: 'unknown', paid_by: null, orders_opened: [] })
      for (const order of seen?.orders_opened ?? []) this.#note(order)
    }
    const orders = new Map<string, ApiOrder>()
    for (const out_trade_no of this.notes.keys()) {
      const seen = await this.#order(out_trade_no)
      if (seen !== null) orders.set(out_trade_no, seen)
    }
    const listed = await this.#all<Listed>('/v1/events?order=asc&')
    // The feed may show the same event twice: an id tells.
    const events = [...new Map(listed.map((event) => [event.id, event])).values()].map(({ data, ...event }) => {
      return { ...event, out_trade_no: data.order?.out_trade_no ?? '' }
    })
    const open = await this.#all<{ id: string }>('/v1/deliveries?state=waiting&')
    const running: string[] = []
    const query = `WeftMerchant = '${this.#stage.mchid}' AND ExecutionStatus = 'Running'`
    for await (const { workflowId } of this.#stage.temporal.client.workflow.list({ query })) running.push(workflowId)
    return {
      notes: [...this.notes.values()],
      checkouts,
      received: this.#received,
      wechat: this.#stage.wechat,
      orders,
      events,
      followed: this.#followed,
      open_deliveries: open.map(({ id }) => id),
      attention: await this.#attention(),
      running,
      day: await this.insist<ApiDay>('GET', `/v1/reconciliations/${this.bill_date}`),
    }
  }

  /** The same request until somebody answers it, as a merchant's job would; null where it is refused for good. */
  async insist<T>(method: string, path: string, body?: unknown, by: 'first' | 'second' = 'first'): Promise<T | null> {
    return await until(
      `${method} ${path}`,
      async () => {
        const answer = await this.#call<T>(method, path, body, by)
        const is_accepted = answer.status === 202 && /^\/v1\/(reconciliations|checks)/.test(path)
        if (answer.status < 400 && (answer.status !== 202 || is_accepted)) return { said: answer.body }
        const is_for_good = answer.status >= 400 && answer.status < 500 && ![401, 429].includes(answer.status)
        if (is_for_good) return { said: null }
        throw new Error(`answered ${answer.status} ${JSON.stringify(answer.body)}`)
      },
      { within_ms: rest_ms, every_ms: 500 },
    ).then(({ said }) => said)
  }

  /** What is done at the database itself, as by the command line: again until it answers. */
  async #reached<T>(work: () => Promise<T>): Promise<T> {
    const { done } = await until('the database answers', async () => ({ done: await work() }), {
      within_ms: rest_ms,
      every_ms: 500,
    })
    return done
  }

  async #call<T>(method: string, path: string, body?: unknown, by: 'first' | 'second' = 'first') {
    return await this.#stage.call<T>(method, path, body, by === 'first' ? this.#key : this.#second_key)
  }

  #note(out_trade_no: string): MerchantNote {
    const known = this.notes.get(out_trade_no)
    if (known !== undefined) return known
    const note: MerchantNote = { out_trade_no, decision: null, refunds: new Map(), seconds: new Map() }
    this.notes.set(out_trade_no, note)
    return note
  }

  /** The shop decides once per order, remembers it, and is now and then slow or away. */
  #answerOfShop(endpoint: string, { id, type, sequence, data }: HeardEvent): MerchantAnswer {
    const out_trade_no = data.order?.out_trade_no ?? ''
    const is_away = this.#random() < 0.05
    this.#received.push({ id, type, sequence, out_trade_no, endpoint, was_answered: !is_away })
    if (is_away) return { status: 503 }
    if (out_trade_no === '') return { status: 200 }
    const note = this.#note(out_trade_no)
    if (type === 'order.paid') note.decision ??= data.order?.['attach'] === 'cannot_ship' ? 'refused' : 'fulfilled'
    const answer = note.decision === null ? {} : { fulfilment: note.decision, reason: 'as decided' }
    const after_ms = this.#random() < 0.1 ? Math.floor(this.#random() * 7_000) : 0
    return { status: 200, body: JSON.stringify(type.startsWith('refund.') ? {} : answer), after_ms }
  }

  async #order(out_trade_no: string): Promise<ApiOrder | null> {
    return await this.insist<ApiOrder>('GET', `/v1/orders/${out_trade_no}`)
  }

  async #attention(): Promise<Scene['attention']> {
    const page = await this.insist<{ data: Scene['attention'] }>('GET', '/v1/attention?limit=500')
    return page?.data ?? []
  }

  async #all<T>(path: string): Promise<T[]> {
    const rows: T[] = []
    let cursor: string | null = null
    do {
      const at: string = cursor === null ? '' : `&cursor=${cursor}`
      const page: Page<T> | null = await this.insist<Page<T>>('GET', `${path}limit=100${at}`)
      rows.push(...(page?.data ?? []))
      cursor = page === null || page.data.length < 100 ? null : (page.next_cursor ?? null)
    } while (cursor !== null)
    return rows
  }

  /** Pays if that is possible at all: an order may have been closed by then, by chaos too. */
  #pay(out_trade_no: string, story: PayerStory, more: Parameters<Stage['pay']>[2] = {}): boolean {
    try {
      this.#stage.pay({ mchid: this.#stage.mchid, out_trade_no }, story, more)
      return true
    } catch {
      return false
    }
  }

  /** Money of yesterday, of which no notification ever comes: its day's bill tells of it, or somebody asks. */
  async #payUnheard(out_trade_no: string, story: 'pay_after_close' | 'second_payment'): Promise<void> {
    const { mchid, simulator } = this.#stage
    simulator.control.addFault({ operation: 'notify', fault: 'lose', mchid, out_trade_no })
    this.#pay(out_trade_no, story, { success_time: `${this.bill_date}T12:00:00+08:00` })
    if (this.#random() < 0.3) await this.insist('POST', `/v1/orders/${out_trade_no}/check`)
  }

  /** What a trade_type needs beside itself. */
  #method() {
    const openid = this.#stage.simulator.control.openid({
      appid: this.#stage.appid,
      payer: this.pick(['甲', '乙', '丙']),
    })
    return this.pick([
      {},
      { trade_type: 'JSAPI', payer: openid },
      { trade_type: 'MWEB', scene_info: { payer_client_ip: '203.0.113.7', h5_info: { type: 'iOS' } } },
      { trade_type: 'APP', appid: `${this.#stage.appid}_phone` },
    ])
  }

  async #placed(out_trade_no: string): Promise<ApiOrder> {
    return await until(
      `${out_trade_no} can be paid or not at all`,
      async () => {
        const seen = await this.#order(out_trade_no)
        return seen !== null && seen.state !== 'created' && seen
      },
      { within_ms: rest_ms },
    )
  }

  async #sellByOrder(story: Exclude<(typeof order_stories)[number], 'checkout' | 'checkout_cancelled'>): Promise<void> {
    const out_trade_no = this.#stage.number()
    const note = this.#note(out_trade_no)
    const expire_in = story === 'unpaid' ? { expire_in: 120 } : {}
    const request = { out_trade_no, description: '龙井茶', amount: { total: 990 }, attach: story, ...this.#method() }
    await this.insist('POST', '/v1/orders', { ...request, ...expire_in })
    const placed = await this.#placed(out_trade_no)
    if (placed.state !== 'awaiting_payment' || story === 'unpaid') return
    if (story === 'closed' || story === 'late' || story === 'late_unheard') {
      await this.insist('POST', `/v1/orders/${out_trade_no}/close`)
      if (story === 'closed') return
      const isClosed = async () => (await this.#order(out_trade_no))?.state === 'closed'
      await until('it is closed', isClosed, { within_ms: rest_ms })
      if (story === 'late') this.#pay(out_trade_no, 'pay_after_close')
      else await this.#payUnheard(out_trade_no, 'pay_after_close')
      return
    }
    if (!(await this.#payInSomeWay(out_trade_no))) return
    if (story === 'stopped') await this.#refund(note, [990])
    if (story === 'refunded' || story === 'in_parts') {
      const is_shipped = async () =>
        ['fulfilled', 'closed', 'refunded'].includes((await this.#order(out_trade_no))?.state ?? '')
      await until(`${out_trade_no} is shipped, or never will be`, is_shipped, { within_ms: rest_ms, every_ms: 500 })
      await this.#refund(note, story === 'refunded' ? [990] : [300, 150])
    }
  }

  async #payInSomeWay(out_trade_no: string): Promise<boolean> {
    const story = this.pick(payer_stories)
    const has_second = story === 'second_payment' || story === 'second_unheard'
    if (!this.#pay(out_trade_no, has_second ? 'pay' : story)) return false
    if (story === 'second_payment') this.#pay(out_trade_no, 'second_payment')
    if (story === 'second_unheard') await this.#payUnheard(out_trade_no, 'second_payment')
    return true
  }

  /** A sale that two payers may pay in two ways, on two numbers, or nobody does. */
  async #sellByCheckout(story: 'checkout' | 'checkout_cancelled'): Promise<void> {
    const number = this.#stage.number()
    this.#checkouts.add(number)
    await this.insist('POST', '/v1/checkouts', { out_trade_no: number, description: '龙井茶', amount: { total: 990 } })
    const opened: string[] = []
    for (let payers = 1 + Math.floor(this.#random() * 2.5); payers > 0; payers -= 1) {
      const order = await this.insist<ApiOrder>('POST', `/v1/checkouts/${number}/orders`, this.#method())
      if (order === null) continue
      opened.push(order.out_trade_no)
      this.#note(order.out_trade_no)
      if (this.#random() < 0.4) this.#pay(order.out_trade_no, 'pay')
    }
    if (story === 'checkout_cancelled') await this.insist('POST', `/v1/checkouts/${number}/cancel`)
    for (const out_trade_no of opened) {
      if (this.#pay(out_trade_no, this.pick(['pay', 'lose_notification', 'notify_late']))) continue
      if (this.#random() < 0.5) this.#pay(out_trade_no, 'pay_after_close')
      else await this.#payUnheard(out_trade_no, 'pay_after_close')
    }
    if (story === 'checkout') await this.insist('POST', `/v1/checkouts/${number}/cancel`)
  }

  /** The merchant gives back; above its limit another person has to agree, and now and then does not. */
  async #refund(note: MerchantNote, parts: readonly number[]): Promise<void> {
    for (const fen of parts) {
      const out_refund_no = this.#stage.refundNumber()
      const request = { out_refund_no, out_trade_no: note.out_trade_no, amount: { refund: fen } }
      const taken = await this.insist<{ state: string }>('POST', '/v1/refunds', request)
      if (taken === null) continue
      note.refunds.set(out_refund_no, { fen, is_rejected: false })
      if (taken.state !== 'awaiting_approval') continue
      const decision = this.pick(['approve', 'approve', 'reject'] as const)
      const body = { decision, reason: '已核对' }
      const decided = await this.insist('POST', `/v1/refunds/${out_refund_no}/approval`, body, 'second')
      if (decision === 'reject' && decided !== null) note.refunds.set(out_refund_no, { fen, is_rejected: true })
    }
  }
}
