import type { OrderKey } from '../../domain/ids.ts'
import type { OrderRecord } from '../../domain/order/record.ts'

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
export const effect_limit_ms = 2_000

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
