import { expect } from 'vitest'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { Stage } from './stage.ts'
import { until } from './until.ts'

/** How often something happened that may happen once. */
function count<T>(all: readonly T[], is: (one: T) => boolean): number {
  return all.filter(is).length
}

/**
 * What must hold of a paid and fulfilled order, whatever happened on its way: one payment, one journal entry, one
 * decision, one `order.paid` however often it was sent, one placement however often it was repeated, and no evidence
 * without an outcome.
 */
export async function expectFulfilledOnce(stage: Stage, order: OrderKey): Promise<OrderRecord> {
  const record = await stage.record(order)
  const { timeline } = record
  expect(record.state).toBe('fulfilled')
  expect(count(timeline, ({ event }) => event === 'payment_found')).toBe(1)
  expect(count(timeline, ({ event }) => event === 'fulfilled')).toBe(1)
  expectSound(record)
  const payments = await stage.store.payments.ofOrder(order.mchid, record._id)
  const entries = await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)
  expect([payments.length, entries.length]).toEqual([1, 1])
  expect(payments[0]?.role).toBe('order')
  const paid = stage.shop.of(order.out_trade_no).filter(({ type }) => type === 'order.paid')
  expect(new Set(paid.map(({ id }) => id)).size).toBeLessThanOrEqual(1)
  // An answer that a notification overtook is settled by the sweeper, in its time.
  await until('no evidence is without an outcome', () => hasNoOpenEvidence(stage, order))
  expectPlacedAlike(stage, order)
  return record
}

async function hasNoOpenEvidence(stage: Stage, { mchid, out_trade_no }: OrderKey): Promise<boolean> {
  const evidence = await stage.store.evidence.ofOrder(mchid, out_trade_no)
  const open = evidence.filter(({ outcome }) => outcome === null).map(({ _id }) => _id)
  if (open.length > 0) throw new Error(`without an outcome: ${open.join(', ')}`)
  return true
}

/** Each operation stands once in a timeline whose revisions have no gap. */
export function expectSound({ timeline, revision }: OrderRecord): void {
  const operations = timeline.map(({ operation_id }) => operation_id)
  expect(operations).toEqual([...new Set(operations)])
  const first = timeline[0]?.revision ?? revision
  expect(timeline.map((entry) => entry.revision)).toEqual(timeline.map((_, index) => first + index))
  expect(timeline.at(-1)?.revision ?? first).toBe(revision)
}

/** However often the order was placed, it was the same bytes. */
export function expectPlacedAlike(stage: Stage, order: OrderKey): void {
  const placements = callsOf(stage, order, 'place')
  expect(new Set(placements.map(({ body_sha256 }) => body_sha256)).size).toBe(1)
}

export function callsOf(stage: Stage, { mchid, out_trade_no }: OrderKey, operation: string) {
  const { calls } = stage.simulator.control.view(mchid, out_trade_no)
  return calls.filter((call) => call.operation === operation)
}
