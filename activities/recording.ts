import { ApplicationFailure } from '@temporalio/activity'
import { eventId } from '../domain/ids.ts'
import type { Recorded } from '../domain/messages.ts'
import type { MerchantRecord } from '../domain/merchant.ts'
import { paidSequence } from '../domain/order.ts'
import type { OrderRecord, TimelineEntry } from '../domain/order.ts'
import type { ActivityContext } from './context.ts'
import { progressOf } from './progress.ts'
import { tell } from './telling.ts'
import type { Known } from './telling.ts'

/** What a conditional write answers (store/orders `apply`). */
export interface Applied {
  outcome: Recorded['outcome']
  order: OrderRecord
  /** the entry it wrote, or found written before; null when illegal */
  entry: TimelineEntry | null
}

/**
 * What follows from a write: its event told, a claim given back. A write that was done before is followed up again,
 * since whoever did it may have died right after.
 */
export async function recorded(
  context: ActivityContext,
  { outcome, order, entry }: Applied,
  known: Known = {},
): Promise<Recorded> {
  if (entry?.to === 'refunding') await releaseReference(context, order)
  if (entry?.from === 'paid' && entry.to !== 'paid') await withdrawQuestion(context, order, entry)
  const deliveries = entry === null ? [] : await tell(context, order, entry, known)
  return { outcome, order: progressOf(order), deliveries }
}

/** A sale that goes back to the payer may be paid by its other number. */
async function releaseReference(context: ActivityContext, order: OrderRecord): Promise<void> {
  if (order.reference === null) return
  await context.store.references.release(order.mchid, order.reference, order.out_trade_no)
}

/**
 * The question that `order.paid` asked is answered, or over: where its delivery is still open it is not sent again, and
 * what comes after it may go. An answer that came by the delivery itself has closed it already.
 */
async function withdrawQuestion(context: ActivityContext, order: OrderRecord, entry: TimelineEntry): Promise<void> {
  if (order.fulfilment.mode !== 'event' || entry.operation_id.startsWith('answered:')) return
  const { deliveries } = context.store
  for (const delivery of await deliveries.ofEvent(order.mchid, eventId(order, paidSequence(order)))) {
    if (delivery.purpose === 'fulfilment') await deliveries.finish(delivery._id, 'cancelled')
  }
}

/** The merchant as it is now. One that is gone while its orders live is a fault to be mended. */
export async function merchantOf(context: ActivityContext, mchid: string): Promise<MerchantRecord> {
  const merchant = await context.store.merchants.find(mchid)
  if (merchant === null) throw ApplicationFailure.retryable(`merchant ${mchid} is not in the database; restore it`)
  return merchant
}
