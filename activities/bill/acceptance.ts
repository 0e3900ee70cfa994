import { heartbeat } from '@temporalio/activity'
import { acceptanceEntries, acceptanceOf } from '../../domain/bill/acceptance.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { moveDifference } from './differences.ts'

const most_accepted = 500

/**
 * Books what people accepted of WeChat's word about a day: first the payment's record, then the book after it, then the
 * difference is settled. Repeatable at any line: each write finds what the one before it left.
 */
export async function acceptDifferences(context: ActivityContext, { day }: { day: DayKey }): Promise<void> {
  for (;;) {
    const accepted = await context.store.differences.awaited(day, 'settling', most_accepted)
    for (const difference of accepted) {
      await acceptDifference(context, difference)
      heartbeat()
    }
    if (accepted.length < most_accepted) return
  }
}

async function acceptDifference(context: ActivityContext, difference: DifferenceRecord): Promise<void> {
  const { store } = context
  const { _id, mchid, transaction_id } = difference
  const payment = await store.payments.find(mchid, transaction_id ?? '')
  const acceptance = acceptanceOf(difference, payment)
  const corrected =
    'instead' in acceptance || payment === null
      ? null
      : await store.payments.correctSettledTotal(payment, acceptance.settled_total)
  if (corrected === null) {
    const reason = 'what WeChat says cannot be booked any more'
    return await moveDifference(context, _id, 'not_acceptable', { reason })
  }
  const correction = correctionOf(difference)
  const readBooked = () => store.journal.ofOrder(mchid, corrected.out_trade_no)
  const booked_time = currentTime(context)
  for (const entry of acceptanceEntries(corrected, await readBooked(), { ...correction, booked_time }))
    await store.journal.post(entry)
  const isOurs = (entry: JournalEntry) =>
    entry.correction?.by === correction.by && entry.correction.reason === correction.reason
  const entry_ids = (await readBooked()).filter(isOurs).map((entry) => entry._id)
  const deed = { action: 'accept_wechat', out_refund_no: null, entry_ids } as const
  await moveDifference(context, _id, 'accepted', { deed })
}

/** Who accepted WeChat's word, both persons where two were wanted, and why. */
function correctionOf({ id, timeline }: DifferenceRecord): { by: string; reason: string } {
  const at = timeline.findLastIndex(({ event }) => event === 'accept_asked')
  const asked = timeline[at]
  const opened = timeline.slice(0, at).findLastIndex(({ from, to }) => to === 'open' && from !== 'open')
  const proposed = timeline.slice(opened + 1, at).findLast(({ event }) => event === 'proposed')
  const persons = [proposed?.actor.id, asked?.actor.id].filter((person) => person !== undefined && person !== null)
  return { by: persons.join(', ') || 'unknown', reason: `${id}: ${asked?.reason ?? 'no reason was given'}` }
}
