import type { Writable } from 'node:stream'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { OrderPoller } from './poller.ts'

export interface StreamOptions {
  poller: OrderPoller
  /** this often the page is told that the stream still comes through; pages give a silent one up (web/pace.js) */
  heartbeat_ms?: number
  /** after this long a stream ends and the page opens the next one */
  max_age_ms?: number
  /** open at once in this process; beyond it pages ask by themselves */
  max_streams?: number
  /** of them one merchant's: others' pages have room whatever it does */
  max_streams_per_merchant?: number
}

/** A page with more unread bytes than this is disconnected; the browser reconnects by itself. */
const max_unread_bytes = 64 * 1024

/** The open pages of this process, each fed by server-sent events. */
export class OrderStreams {
  readonly #options: Required<StreamOptions>
  /** how each open page is ended, and whose it is */
  readonly #endings = new Map<() => void, string>()

  constructor(options: StreamOptions) {
    const usual = { heartbeat_ms: 10_000, max_age_ms: 30 * 60_000, max_streams: 2_000, max_streams_per_merchant: 1_500 }
    this.#options = { ...usual, ...options }
  }

  get size(): number {
    return this.#endings.size
  }

  /**
   * Writes the order to `response` at once and at every change, as `event: order` with `view(order)` in JSON, one after
   * the other, and ends it when the order rests, or cannot be read: the page then comes again. False: too many pages are
   * open, here, of this merchant or of this order; nothing was written.
   */
  open(response: Writable, order: OrderRecord, view: (order: OrderRecord) => Promise<unknown>): boolean {
    if (!this.#hasRoomFor(order.mchid)) return false
    let written = Promise.resolve()
    const send = (changed: OrderRecord) => void (written = written.then(() => write(changed)).catch(() => end()))
    const write = async (changed: OrderRecord) => {
      const shown = await view(changed)
      if (!this.#endings.has(end)) return
      response.write(`event: order\ndata: ${JSON.stringify(shown)}\n\n`)
      if (isOrderResting(changed.state)) end()
      else if (response.writableLength > max_unread_bytes) response.destroy()
    }
    const unwatch = this.#options.poller.watch(order, send)
    if (unwatch === null) return false
    // An event and no comment: a page's script is never told of comments.
    const heartbeat = setInterval(() => response.write('event: heartbeat\ndata: {}\n\n'), this.#options.heartbeat_ms)
    const age = setTimeout(() => end(), this.#options.max_age_ms)
    const release = () => {
      clearInterval(heartbeat)
      clearTimeout(age)
      unwatch()
      this.#endings.delete(end)
    }
    const end = () => {
      release()
      response.end()
    }
    response.on('close', release)
    response.on('error', release) // the other side went away
    this.#endings.set(end, order.mchid)
    response.write('retry: 2000\n\n')
    send(order)
    return true
  }

  #hasRoomFor(mchid: string): boolean {
    const { max_streams, max_streams_per_merchant } = this.#options
    if (this.#endings.size >= max_streams) return false
    return [...this.#endings.values()].filter((whose) => whose === mchid).length < max_streams_per_merchant
  }

  /** Ends every open page, so that the process can: each opens a new stream, at a process that stays. */
  close(): void {
    for (const end of [...this.#endings.keys()]) end()
  }
}
