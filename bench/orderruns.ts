import { createHash, randomBytes } from 'node:crypto'
import { weft_actor } from '../domain/actor.ts'
import { beijingTime } from '../domain/calendar.ts'
import { operationId, orderId, workflowId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { orderStart } from '../domain/messages.ts'
import { applyOrderEvent } from '../domain/order/change.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import { startOptions } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { placeBody, placePath } from '../wechat/payments.ts'
import type { Installation } from './installation.ts'
import { runConcurrently, until } from './load.ts'
import type { BenchMerchant } from './merchants.ts'

export const price = 990

/** A waiting run's history: start, one workflow task, the marker of `load`, and a timer. */
const waiting_history_length = 6

/**
 * `count` orders that wait for their payment, each with its run, exactly as a placed order waits — but written here, so
 * that a thousand of them take seconds. Their first query to WeChat lies ten minutes ahead, so that none of them does
 * anything by itself while it is measured. A worker must be running.
 */
export async function startWaitingOrders(
  installation: Installation,
  merchant: BenchMerchant,
  count: number,
): Promise<OrderKey[]> {
  const keys = await insertOrders(installation, merchant, count)
  await runConcurrently(keys, 32, (key) => startRun(installation, key))
  const ids = keys.map((key) => workflowId.order(key))
  await untilWaiting(installation.temporal, ids, waiting_history_length)
  return keys
}

/** Inserts only the records, for runs that are not Weft's. */
export async function insertOrders(
  { store, config }: Installation,
  merchant: BenchMerchant,
  count: number,
): Promise<OrderKey[]> {
  const orders = Array.from({ length: count }, () => placedOrder(merchant, config.public_url))
  await runConcurrently(orders, 16, (order) => store.orders.insert(order))
  return orders.map(({ mchid, out_trade_no }) => ({ mchid, out_trade_no }))
}

async function startRun({ temporal, config }: Installation, key: OrderKey): Promise<void> {
  const start = orderStart(key)
  await temporal.client.workflow.start(start.workflow_type, startOptions(start, config.queue_prefix))
}

/** Waits until every run has done its first task and waits for something. */
export async function untilWaiting({ client }: TemporalClient, ids: string[], history_length: number): Promise<void> {
  const busy = new Set(ids)
  await until(`${ids.length} runs wait`, 120_000, async () => {
    // The oldest show how far the worker is: while they are busy the others need not be looked at.
    for (const id of busy) {
      const { historyLength } = await client.workflow.getHandle(id).describe()
      if (historyLength < history_length) return false
      busy.delete(id)
    }
    return true
  })
}

/** An order number that nobody else has. */
export function newNumber(letter: string): string {
  return `${letter}${randomBytes(14).toString('hex')}`.toUpperCase()
}

/** Returns an order as POST /v1/orders and the step `recordPlaced` leave it. */
export function placedOrder({ mchid, appid }: BenchMerchant, public_url: string): OrderRecord {
  const now = Date.now()
  const out_trade_no = newNumber('B')
  const key = { mchid, out_trade_no }
  const amount = { total: price, currency: 'CNY' as const }
  const sent = JSON.stringify({ amount: { total: price }, description: '龙井茶', out_trade_no })
  const time_expire = beijingTime(now + 1_800_000)
  const checkout_token = randomBytes(32).toString('base64url')
  const notify_url = `${public_url}/wechat/notify/${mchid}`
  const placing = { ...key, appid, description: '龙井茶', time_expire, attach: null, amount, notify_url }
  const created: OrderRecord = {
    _id: orderId(key),
    ...key,
    appid,
    reference: null,
    state: 'created',
    revision: 0,
    sequence: 0,
    timeline: [],
    sent: { body: sent, sha256: createHash('sha256').update(sent).digest('hex') },
    wechat_request: { path: placePath('NATIVE'), body: placeBody(placing) },
    description: '龙井茶',
    attach: null,
    metadata: {},
    return_url: null,
    trade_type: 'NATIVE',
    amount,
    create_time: beijingTime(now),
    time_expire,
    checkout_token,
    checkout_url: `${public_url}/pay/${checkout_token}`,
    code: null,
    payment: null,
    fulfilment: { mode: 'event', result: null, reason: null, deadline_time: null },
    close_reason: null,
    failure: null,
    placement: { attempts: 1, unanswered: true, last_attempt_time: beijingTime(now) },
    close_sent_time: null,
    asked: { last_time: null, on_request: 0 },
  }
  const change = applyOrderEvent(created, {
    event: 'placed',
    operation_id: operationId.placed(),
    time: beijingTime(now),
    actor: weft_actor,
    code: {
      url: `weixin://wxpay/bizpayurl?pr=${randomBytes(6).toString('hex')}`,
      placed_time: beijingTime(now + 600_000),
    },
    next_query_time: beijingTime(now + 630_000),
  })
  if (change === null) throw new Error('a created order can be placed')
  return { ...created, ...change.set, timeline: [change.entry], revision: 1 }
}
