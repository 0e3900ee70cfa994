import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Wish } from './words.ts'

/**
 * How the shop answered `order.paid`; the same answer is given as often as it is asked. `stopped`: Weft cancelled the
 * fulfilment before anything was shipped, and nothing will be.
 */
export type ShopDecision = 'fulfilled' | 'refused' | 'pending' | 'stopped'

/** ShopRefund is money on its way back to the payer: one that the shop asked for, or one that an event named. */
export interface ShopRefund {
  out_refund_no: string
  /** fen */
  amount: number
  /** of another payment than the sale's own: the order was paid twice, and the sale stays */
  is_second: boolean
  /** Weft's state, from the newest event; `new`: Weft has not taken it yet */
  state: string
}

/** ShopOrder is an order as the shop knows it: what it asked for, and the events that it received. */
export interface ShopOrder {
  out_trade_no: string
  /** null: made with the shop's key, but not on its page */
  tea: string | null
  description: string
  /** fen */
  total: number
  wish: Wish
  create_time: string
  checkout_url: string | null
  /**
   * the number that keeps the sale: where it is a checkout with several orders, the one that is paid; null before
   */
  paid_by: string | null
  /** Weft's state, from the newest event; `new` before the first */
  state: string
  sequence: number
  decision: ShopDecision | null
  /** parcels sent: never more than one */
  shipped: number
  /** oldest first */
  refunds: ShopRefund[]
  events: { id: string; type: string; time: string; sequence: number }[]
}

/**
 * The shop's memory: every change is in its file before anybody is answered. Without a folder it forgets at the end.
 */
export class ShopOrders {
  readonly #path: string | null
  readonly #orders: Map<string, ShopOrder>

  constructor(data_dir: string | null) {
    if (data_dir) mkdirSync(data_dir, { recursive: true })
    this.#path = data_dir && join(data_dir, 'orders.json')
    this.#orders = new Map(readOrders(this.#path).map((order) => [order.out_trade_no, order]))
  }

  find(out_trade_no: string): ShopOrder | null {
    return this.#orders.get(out_trade_no) ?? null
  }

  /** Newest first. */
  list(): ShopOrder[] {
    return [...this.#orders.values()].reverse()
  }

  keep(order: ShopOrder): void {
    this.#orders.set(order.out_trade_no, order)
    if (!this.#path) return
    // Written beside and moved over: a crash leaves the old file or the new one, never half of either.
    writeFileSync(`${this.#path}.new`, JSON.stringify([...this.#orders.values()], null, 2))
    renameSync(`${this.#path}.new`, this.#path)
  }
}

function readOrders(path: string | null): ShopOrder[] {
  if (!path) return []
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as (Omit<ShopOrder, 'refunds' | 'paid_by'> &
      Partial<ShopOrder>)[]
    // The first shop knew no refunds, and one after it no checkouts.
    return kept.map((order) => ({ ...order, refunds: order.refunds ?? [], paid_by: order.paid_by ?? null }))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
