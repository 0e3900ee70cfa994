import { milliseconds } from '../../domain/calendar.ts'
import { refundId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { RecordMissing } from '../../store/connection.ts'
import type { ActivityContext } from '../context.ts'

/** Reads the RefundRecord. Throws RecordMissing. */
export async function requireRefund({ store }: ActivityContext, key: RefundKey): Promise<RefundRecord> {
  const refund = await store.refunds.find(key)
  if (refund === null) throw new RecordMissing(refundId(key))
  return refund
}

/** When WeChat took the refund, in Unix ms; now where it has not yet. */
export function acceptedAtMs({ now }: ActivityContext, { facts }: RefundRecord): number {
  return facts === null ? now() : milliseconds(facts.accepted_time)
}
