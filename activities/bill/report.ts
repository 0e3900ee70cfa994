import { heartbeat } from '@temporalio/activity'
import { addDuration } from '../../domain/bill/duration.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { dayRange } from '../../domain/bill/reconciliation.ts'
import { addFees, newReport, noFigures } from '../../domain/bill/report.ts'
import type { ReportFigures } from '../../domain/bill/report.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { evidence_finders } from '../../domain/payment/evidence.ts'
import type { EvidenceKind } from '../../domain/payment/evidence.ts'
import type { ReportedOrder } from '../../store/orders.ts'
import type { ReportedPayment } from '../../store/payments.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import type { DayLook } from './day.ts'
import { slicesOfDay } from '../../store/side.ts'

/** payments whose notifications are read in one command */
const looked_up_at_once = 500
/** notifications of so many payments; one that came more often than twenty times is counted less */
const most_notifications = 20 * looked_up_at_once

/**
 * Writes the day's numbers, one small record, so that a report reads no orders. Reads the day slice by slice, and is
 * repeatable: what has become of the day's orders since is in the numbers of a later look.
 */
export async function writeReport(context: ActivityContext, { day, run }: DayLook): Promise<void> {
  const { store } = context
  const known = await store.reconciliations.find(day)
  if (known === null || known.run !== run) return
  const figures = await figuresOfDay(store, known)
  await store.reports.write(newReport(day, run, currentTime(context), figures))
}

async function figuresOfDay(store: Store, known: ReconciliationRecord): Promise<ReportFigures> {
  const { mchid, bill_date } = known
  const day: DayKey = { mchid, bill_date }
  const figures = noFigures()
  for await (const orders of slicesOfDay(day, (range, limit) => store.orders.reportedIn(mchid, range, limit))) {
    for (const order of orders) addOrder(figures, order)
    heartbeat()
  }
  for await (const payments of slicesOfDay(day, (range, limit) => store.payments.reportedIn(mchid, range, limit))) {
    for (const payment of payments) addPayment(figures, payment)
    await addNotifications(store, mchid, figures, payments)
    heartbeat()
  }
  for await (const refunds of slicesOfDay(day, (range, limit) => store.refunds.takenIn(mchid, range, limit))) {
    figures.refunded_count += refunds.length
    for (const { amount } of refunds) figures.refunded_amount += amount.refund
    heartbeat()
  }
  await addErrors(store, day, figures)
  addFees(figures, known.fees)
  return figures
}

function addOrder(figures: ReportFigures, order: ReportedOrder): void {
  const { amount, create_time, payment, close_reason, failure, timeline } = order
  figures.created_count += 1
  figures.created_amount += amount.total
  if (order.state === 'closed') addOne(figures.closed, close_reason ?? 'unknown')
  if (failure) addOne(figures.order_errors, failure.code)
  if (!payment) return
  figures.paid_orders += 1
  addDuration(figures.to_paid, between(create_time, payment.success_time))
  const fulfilled = timeline.find(({ event }) => event === 'fulfilled')
  if (fulfilled === undefined) return
  figures.fulfilled_orders += 1
  addDuration(figures.to_fulfilled, between(payment.success_time, fulfilled.time))
}

function addPayment(figures: ReportFigures, { amount, evidence_id }: ReportedPayment): void {
  figures.paid_count += 1
  figures.paid_amount += amount.total
  // The kind stands in the id of the evidence: <mchid>/<kind>/…
  const kind = evidence_id.split('/')[1] ?? ''
  addOne(figures.found_by, Object.hasOwn(evidence_finders, kind) ? evidence_finders[kind as EvidenceKind] : 'unknown')
}

/** How long the first notification of each payment took, and of how many payments another one came. */
async function addNotifications(
  { evidence }: Store,
  mchid: string,
  figures: ReportFigures,
  payments: readonly ReportedPayment[],
): Promise<void> {
  for (let at = 0; at < payments.length; at += looked_up_at_once) {
    const some = payments.slice(at, at + looked_up_at_once)
    const numbers = some.map(({ out_trade_no }) => out_trade_no)
    const heard = new Map<string, { first_time: Time; count: number }>()
    for (const found of await evidence.notificationsOf(mchid, numbers, most_notifications)) {
      const { transaction_id, receive_time, repeats = 0 } = found
      if (transaction_id === null) continue
      const known = heard.get(transaction_id) ?? { first_time: receive_time, count: 0 }
      const first_time = receive_time < known.first_time ? receive_time : known.first_time
      heard.set(transaction_id, { first_time, count: known.count + 1 + repeats })
    }
    for (const { transaction_id, success_time } of some) {
      const told = heard.get(transaction_id)
      if (told === undefined) continue
      figures.heard_count += 1
      if (told.count > 1) figures.repeat_count += 1
      addDuration(figures.lag, between(success_time, told.first_time))
    }
    heartbeat()
  }
}

async function addErrors(store: Store, day: DayKey, figures: ReportFigures): Promise<void> {
  const { mchid, bill_date } = day
  for await (const refunds of slicesOfDay(day, (range, limit) => store.refunds.failuresIn(mchid, range, limit))) {
    for (const { failure, submission } of refunds) {
      const code = failure?.code ?? submission?.refusal?.code
      if (code !== undefined) addOne(figures.refund_errors, code)
    }
    heartbeat()
  }
  for await (const deliveries of slicesOfDay(day, (range, limit) => store.deliveries.attemptsIn(mchid, range, limit))) {
    for (const { attempts = [] } of deliveries)
      for (const { status, error } of attempts)
        if (status === null || status >= 300)
          addOne(figures.delivery_errors, status === null ? (error ?? 'no_answer') : `http_${status}`)
    heartbeat()
  }
  const { from_ms, to_ms } = dayRange(bill_date)
  const range = { from_time: beijingTime(from_ms), to_time: beijingTime(to_ms) }
  figures.rejected = await store.rejections.countIn(mchid, range)
}

/** kinds of failures that are told apart; more are one */
const most_codes = 100

function addOne(counts: Record<string, number>, code: string): void {
  // A name of Mongo's own, or a text of any length, is no code.
  const name = code.slice(0, 64).replace(/^\$|[.\0]/g, '_')
  const key = name in counts || Object.keys(counts).length < most_codes ? name : 'other'
  counts[key] = (counts[key] ?? 0) + 1
}

function between(from: Time, to: Time): number {
  return milliseconds(to) - milliseconds(from)
}
