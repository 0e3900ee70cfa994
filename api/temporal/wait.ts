import type { OrderKey } from '../../domain/ids.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import type { Store } from '../../store/store.ts'

/** The part of the API's context that waiting for an order needs. */
interface OrderReading {
  store: { orders: { find(key: OrderKey): Promise<OrderRecord | null> } }
}

const read_interval_ms = 200
/** How long a request waits for a run to have placed an order, reserved a refund or closed an order. */
export const read_limit_ms = 8_000
/** How long a request waits for WeChat Pay's answer to a query. */
export const check_limit_ms = 5_000
/** How long an answer that WeChat Pay has given may take until the record shows it. */
const effect_limit_ms = 2_000

/**
 * Reads every 200 ms until `isAnswer` says so, or `limit_ms` have passed; then what was read last, at first `latest`.
 * Every wait but that for a command's own reply is done so: a run takes ten updates at once, the database thousands of
 * reads.
 */
export async function readUntil<T>(
  read: () => Promise<T>,
  latest: T,
  limit_ms: number,
  isAnswer: (latest: T) => boolean,
): Promise<T> {
  const deadline_ms = Date.now() + limit_ms // waiting happens on the wall's clock, whatever time `now` tells
  while (!isAnswer(latest) && Date.now() < deadline_ms) {
    await new Promise((resolve) => setTimeout(resolve, read_interval_ms))
    latest = await read()
  }
  return latest
}

/** Reads the order until `isAnswer` says so, or `limit_ms` have passed; then the record as it is. */
export async function readOrderUntil(
  { store }: OrderReading,
  order: OrderRecord,
  limit_ms: number,
  isAnswer: (order: OrderRecord) => boolean,
): Promise<OrderRecord> {
  return await readUntil(async () => (await store.orders.find(order)) ?? order, order, limit_ms, isAnswer)
}

/** A record that answers to queries change: an order, or a refund of one. */
interface QueriedRecord extends OrderKey {
  out_refund_no?: string
  revision: number
}

/**
 * Returns the record as WeChat's last answers leave it, within 2 s: an answer is kept before it is acted on, and the record
 * as it was a moment before would be told beside it.
 */
export async function readAfterEffect<R extends QueriedRecord>(
  { store }: { store: Pick<Store, 'evidence'> },
  record: R,
  find: (record: R) => Promise<R | null>,
): Promise<R> {
  const evidence = await store.evidence.ofOrder(record.mchid, record.out_trade_no)
  const isPending = ({ unapplied, kind, out_refund_no }: EvidenceRecord) =>
    unapplied === true && kind === 'query' && out_refund_no === (record.out_refund_no ?? null)
  if (!evidence.some(isPending)) return record
  const { revision } = record
  const read = async () => (await find(record)) ?? record
  return await readUntil(read, record, effect_limit_ms, (latest) => latest.revision !== revision)
}
