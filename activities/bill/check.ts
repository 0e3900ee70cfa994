import { setTimeout as pause } from 'node:timers/promises'
import { heartbeat } from '@temporalio/activity'
import { unsettled_states } from '../../domain/bill/difference.ts'
import type { DifferenceKind, DifferenceRecord } from '../../domain/bill/difference.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import type { TradeRow } from '../../domain/bill/row.ts'
import { isNeverForeign } from '../../match/owner.ts'
import { classifyPayment, classifyRefund } from '../../match/verdict.ts'
import type { ActivityContext } from '../context.ts'
import { healDifference } from './acceptance.ts'
import { askDifference, isRecorded } from './ask.ts'
import type { AskContext } from './ask.ts'
import { dayPayment, dayRefund } from '../../store/side.ts'

const most_checked = 100
/** how often what was handed over is looked for: the next look at the day finds what comes later */
const most_looks = 5

/** Asks WeChat about each difference of a day that a person wants asked about, and ends those whose sides agree then. */
export async function checkDifferences(ask: AskContext, { day }: { day: DayKey }): Promise<{ checked: number }> {
  const { store } = ask.context
  let checked = 0
  for (;;) {
    const awaited = await store.differences.awaited(day, 'check', most_checked)
    for (const difference of awaited) {
      if (unsettled_states.includes(difference.state)) await askDifference(ask, difference)
      heartbeat()
    }
    for (const { _id, check_time } of awaited) {
      await compareAgain(ask, await store.differences.find(_id))
      if (check_time !== undefined) await store.differences.endCheck(_id, check_time)
    }
    checked += awaited.length
    if (awaited.length < most_checked) return { checked }
  }
}

/** Kinds of which a line and a record name the same payment or refund: what agrees now has healed. */
const comparable_kinds: readonly DifferenceKind[] = [
  ...(['missing_here', 'amount', 'refund_missing_here', 'refund_amount', 'refund_state'] as const),
]

async function compareAgain({ context, policy }: AskContext, difference: DifferenceRecord | null): Promise<void> {
  if (difference === null || !comparable_kinds.includes(difference.kind)) return
  if (!unsettled_states.includes(difference.state) || difference.bill === null) return
  for (let look = 1; difference.handed_over_time !== undefined && look < most_looks; look += 1) {
    if (await isRecorded(context, difference)) break
    await pause(policy.look_ms)
    heartbeat()
  }
  if (await isAgreed(context, difference)) await healDifference(context, difference._id)
}

async function isAgreed({ store }: ActivityContext, { mchid, kind, bill }: DifferenceRecord): Promise<boolean> {
  const row = bill as unknown as TradeRow
  if (kind === 'missing_here' || kind === 'amount') {
    const payment = await store.payments.find(mchid, row.transaction_id)
    return payment !== null && classifyPayment(row, dayPayment(payment), isNeverForeign).kind === null
  }
  const known = await store.refunds.ofWeChat(mchid, [
    { out_refund_no: row.out_refund_no ?? '', refund_id: row.refund_id },
  ])
  return known.some((refund) => {
    const record = dayRefund(refund)
    return record !== null && classifyRefund(row, record, isNeverForeign).kind === null
  })
}
