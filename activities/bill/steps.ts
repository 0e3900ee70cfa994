import type { BillPolicy, DayKey } from '../../domain/bill/reconciliation.ts'
import type { BillType } from '../../domain/bill/row.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import type { ActivityContext } from '../context.ts'
import { watchSetups } from '../setup.ts'
import { acceptDifferences } from './acceptance.ts'
import { checkDifferences } from './check.ts'
import { askDifferences, awaitHealing } from './ask.ts'
import { closeDay, followDay, openDay } from './day.ts'
import { startDays } from './start.ts'
import type { DayLook } from './day.ts'
import { fetchBill } from './fetch.ts'
import { matchDay } from './match.ts'
import { postBills } from './post.ts'
import { writeReport } from './report.ts'

export type BillActivities = ReturnType<typeof createBills>

/** The steps of a merchant's day. Each may be repeated at any line and leaves the same. */
export function createBills(given: ActivityContext, starter: RunStarter, policy: BillPolicy) {
  const context = { ...given, setups: watchSetups(given) }
  const ask = { context, starter, policy }
  return {
    startDays: (given: { due_ms: number }) => startDays(context, starter, given),
    openDay: (begun: { day: DayKey; look: string }) => openDay(context, begun),
    fetchBill: (wanted: DayLook & { type: BillType }) => fetchBill(context, policy, wanted),
    matchDay: (look: DayLook) => matchDay(context, policy, look),
    askDifferences: (look: DayLook) => askDifferences(ask, look),
    awaitHealing: (look: DayLook) => awaitHealing(ask, look),
    postBills: (look: DayLook) => postBills(context, policy, look),
    writeReport: (look: DayLook) => writeReport(context, look),
    closeDay: (look: DayLook & { given_up?: boolean }) => closeDay({ context, starter }, look),
    acceptDifferences: (given: { day: DayKey }) => acceptDifferences({ context, starter }, given),
    checkDifferences: (given: { day: DayKey }) => checkDifferences(ask, given),
    followDay: (given: { day: DayKey; batch: string }) => followDay({ context, starter }, given),
  }
}
