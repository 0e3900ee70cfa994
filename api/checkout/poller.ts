import type { OrderKey } from '../../domain/ids.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { Logger } from '../../runtime/logger.ts'

/** The part of an order that moves while a page is open. */
export type OrderPulse = Pick<OrderRecord, '_id' | 'state' | 'revision' | 'code' | 'asked'>

export interface PollerOptions {
  store: {
    orders: {
      findGlimpses(ids: string[]): Promise<OrderPulse[]>
      find(key: OrderKey): Promise<OrderRecord | null>
    }
  }
  log: Pick<Logger, 'warn' | 'info'>
  /** between the end of one reading and the start of the next */
  interval_ms?: number
  /** orders watched at once; beyond it a page is refused and asks by itself */
  max_orders?: number
  /** of them one merchant's: others' pages have room whatever it does */
  max_orders_per_merchant?: number
  max_listeners_per_order?: number
}

/** Called with the record as it now is; must not throw. */
export type OrderListener = (order: OrderRecord) => void

interface WatchedOrder {
  /** as the listeners were last called with */
  order: OrderRecord
  listeners: Set<OrderListener>
}

/** Pause after a failed round, so that all processes do not read at once when the database is back. */
const pause_after_failure_ms = 1_000

/**
 * OrderPoller calls the listeners of open pages when their orders change. There is one per process; each round is one
 * query for all orders together (architecture §11) and one read more for each order that did change. No rounds run
 * while nobody watches.
 */
export class OrderPoller {
  readonly #options: Required<PollerOptions>
  readonly #watched = new Map<string, WatchedOrder>()
  #timer: NodeJS.Timeout | null = null
  #is_reading = false
  #is_failing = false
  #is_closed = false

  constructor(options: PollerOptions) {
    const usual = { interval_ms: 200, max_orders: 1_000, max_orders_per_merchant: 750, max_listeners_per_order: 8 }
    this.#options = { ...usual, ...options }
  }

  /** Orders watched now: for tests. */
  get size(): number {
    return this.#watched.size
  }

  /**
   * Calls `listener` at every change after `order`, until the returned function is called. Null: this order, or the
   * process, has as many listeners as it may. A change since `order` was read arrives with the next round.
   */
  watch(order: OrderRecord, listener: OrderListener): (() => void) | null {
    const watched = this.#watched.get(order._id) ?? { order, listeners: new Set<OrderListener>() }
    const is_full = watched.listeners.size >= this.#options.max_listeners_per_order
    const is_too_many = watched.listeners.size === 0 && !this.#hasRoomFor(order)
    if (this.#is_closed || is_full || is_too_many) return null
    watched.listeners.add(listener)
    this.#watched.set(order._id, watched)
    // A page that read an older revision is brought up to date at once; one that read a newer one waits for the round.
    if (order.revision < watched.order.revision) queueMicrotask(() => listener(watched.order))
    this.#plan(this.#options.interval_ms)
    return () => {
      watched.listeners.delete(listener)
      if (watched.listeners.size === 0) this.#watched.delete(order._id)
    }
  }

  #hasRoomFor({ mchid }: OrderKey): boolean {
    const { max_orders, max_orders_per_merchant } = this.#options
    if (this.#watched.size >= max_orders) return false
    // Counted anew: a page is opened seldom, and a sum that is kept could be wrong.
    const same = [...this.#watched.values()].filter(({ order }) => order.mchid === mchid)
    return same.length < max_orders_per_merchant
  }

  /** Ends the rounds; no listener is called any more. */
  close(): void {
    this.#is_closed = true
    this.#watched.clear()
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  #plan(delay_ms: number): void {
    if (this.#is_closed || this.#timer || this.#is_reading || this.#watched.size === 0) return
    this.#timer = setTimeout(() => void this.#round(), delay_ms)
  }

  async #round(): Promise<void> {
    this.#timer = null
    this.#is_reading = true
    try {
      const pulses = await this.#options.store.orders.findGlimpses([...this.#watched.keys()])
      await Promise.all(pulses.map((pulse) => this.#compare(pulse)))
      if (this.#is_failing) this.#options.log.info('open pages are fed again')
      this.#is_failing = false
    } catch (error) {
      if (!this.#is_failing) this.#options.log.warn('open pages cannot be fed: the database did not answer', { error })
      this.#is_failing = true
    }
    this.#is_reading = false
    this.#plan(this.#is_failing ? pause_after_failure_ms : this.#options.interval_ms)
  }

  async #compare(pulse: OrderPulse): Promise<void> {
    const watched = this.#watched.get(pulse._id)
    if (!watched || isSame(watched.order, pulse)) return
    if (pulse.revision === watched.order.revision) {
      watched.order = { ...watched.order, asked: pulse.asked, code: pulse.code }
    } else {
      watched.order = (await this.#options.store.orders.find(watched.order)) ?? watched.order
    }
    for (const listener of watched.listeners) listener(watched.order)
  }
}

function isSame(order: OrderRecord, pulse: OrderPulse): boolean {
  return (
    order.revision === pulse.revision &&
    order.state === pulse.state &&
    order.asked.last_time === pulse.asked.last_time &&
    order.code?.placed_time === pulse.code?.placed_time
  )
}
