import { cancellationSignal, heartbeat } from '@temporalio/activity'
import type { DifferenceAnswer, DifferenceKind, DifferenceRecord } from '../../domain/bill/difference.ts'
import { most_questions } from '../../domain/bill/reconciliation.ts'
import type { BillPolicy } from '../../domain/bill/reconciliation.ts'
import { isTime, milliseconds } from '../../domain/calendar.ts'
import { orderStart, refundStart, signals } from '../../domain/messages.ts'
import { isDenial, isMoneyFact } from '../../domain/payment/fact.ts'
import { signalRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import { paymentFact, queryTransaction } from '../../wechat/payments.ts'
import type { OrderQueryResult } from '../../wechat/payments.ts'
import { queryRefund } from '../../wechat/refunds.ts'
import { currentTime } from '../context.ts'
import { archiveBillAnswer, archiveRefundAnswer, archiveUnknownTransaction } from '../evidence.ts'
import { callWeChat, notYetFailure } from '../failure.ts'
import { requireAccount } from '../gateway.ts'
import type { GatewayContext } from '../gateway.ts'
import { isSince } from './day.ts'
import { differencesOf } from './differences.ts'
import type { DayLook } from './day.ts'
import { endPhantom, isDenialLeft, isPhantomTold, notePhantom } from './phantom.ts'

/** What asking works with. */
export interface AskContext {
  context: GatewayContext
  starter: RunStarter
  policy: BillPolicy
}

/** `given_up`: so many are missing that another fault is likelier than missing payments, and nobody is asked. */
export interface Asked {
  asked: number
  handed_over: number
  given_up: boolean
}

/** How WeChat is asked about each kind; what is not listed, only a person can judge. */
const questions: Partial<
  Record<DifferenceKind, (ask: AskContext, one: DifferenceRecord) => Promise<DifferenceAnswer>>
> = {
  missing_here: askPayment,
  missing_there: askPayment,
  phantom_payment: askPayment,
  amount: askPayment,
  state: askPayment,
  number: askPayment,
  refund_missing_here: wakeRefund,
  refund_missing_there: askRefund,
  refund_amount: askRefund,
  refund_state: askRefund,
}

/**
 * Asks WeChat about each difference before anybody is told of it, and hands what it proves to the run of the order or
 * refund, by the door that a notification takes. Repeatable: what was asked in this look is not asked again.
 */
export async function askDifferences(ask: AskContext, { day, run }: DayLook): Promise<Asked> {
  const { store } = ask.context
  const known = await store.reconciliations.find(day)
  const result: Asked = { asked: 0, handed_over: 0, given_up: false }
  if (known === null || known.run !== run) return result
  for (const _id of await newestFirst(differencesOf(store, day))) {
    const difference = await store.differences.find(_id)
    const question = difference && questions[difference.kind]
    if (!question) continue
    const is_over = difference.state !== 'open' && difference.state !== 'waiting'
    // What a person accepted was never made is asked about as long as its day is looked at.
    const is_accepted = difference.kind === 'phantom_payment' && difference.state === 'settled'
    if (is_over && !is_accepted && !(await isDenialLeft(store, difference))) continue
    if (result.asked >= most_questions) return { ...result, given_up: true }
    result.asked += 1
    heartbeat({ asked: result.asked })
    if (!isSince(difference.answer?.asked_time, known)) {
      await store.differences.noteAnswer(difference._id, await question(ask, difference))
    }
    if (isSince((await store.differences.find(difference._id))?.handed_over_time, known)) result.handed_over += 1
  }
  return result
}

/**
 * The ids of what WeChat can be asked about, the latest payment or refund first: where there are more than are asked in a
 * look, the newest are those for which somebody still waits. The order depends on the sides alone, so a repeat has the same.
 */
async function newestFirst(differences: AsyncIterable<DifferenceRecord>): Promise<string[]> {
  const found: { _id: string; ms: number }[] = []
  for await (const { _id, kind, bill, weft } of differences) {
    const time: unknown = bill?.['time'] ?? weft?.['accepted_time'] ?? weft?.['success_time']
    if (questions[kind] !== undefined)
      found.push({ _id, ms: typeof time === 'string' && isTime(time) ? milliseconds(time) : 0 })
  }
  return found.sort((one, other) => other.ms - one.ms || (one._id < other._id ? -1 : 1)).map(({ _id }) => _id)
}

/** Asks WeChat about one difference now, where its kind is one that WeChat can be asked about. */
export async function askDifference(ask: AskContext, difference: DifferenceRecord): Promise<void> {
  const question = questions[difference.kind]
  if (question !== undefined)
    await ask.context.store.differences.noteAnswer(difference._id, await question(ask, difference))
}

async function askPayment(ask: AskContext, difference: DifferenceRecord): Promise<DifferenceAnswer> {
  const { context } = ask
  const { mchid, transaction_id, out_trade_no, kind } = difference
  const asked_time = currentTime(context)
  if (transaction_id === null) return { asked_time, says: 'unknown', evidence_id: null }
  const is_booked_alone = kind === 'missing_there' || kind === 'phantom_payment'
  const answer = await askWeChat(context, { mchid, transaction_id }, is_booked_alone)
  if (answer.kind === 'not_found') {
    if (!is_booked_alone) return { asked_time, says: 'unknown', evidence_id: null }
    const said = await archiveUnknownTransaction(context, { mchid, out_trade_no, transaction_id }, answer)
    const unknown = { asked_time, says: 'unknown', evidence_id: said._id }
    await notePhantom(ask, difference, unknown)
    return unknown
  }
  const evidence = await archiveBillAnswer(context, mchid, answer)
  const fact = paymentFact(answer.transaction)
  const said = { asked_time, says: fact.trade_state, evidence_id: evidence._id }
  if (is_booked_alone && isDenial(fact)) {
    // No later bill brings that, so order and people hear of it at once.
    await notePhantom(ask, difference, said)
    return said
  }
  // Whatever the bill's line was held against: a payment that is not recorded goes to its order.
  const is_recorded = (await context.store.payments.find(mchid, transaction_id)) !== null
  if (isMoneyFact(fact) && (kind === 'missing_here' || !is_recorded)) {
    const order = { mchid, out_trade_no: fact.out_trade_no }
    await signalRun(ask.starter, orderStart(order), signals.payment_found, { evidence_id: evidence._id })
    await context.store.differences.noteHandedOver(difference._id, asked_time)
  } else if (evidence.outcome === null) {
    await context.store.evidence.recordOutcome(evidence._id, {
      outcome: 'no_effect',
      applied_to: null,
      time: asked_time,
    })
  }
  if (is_booked_alone && isMoneyFact(fact)) await endPhantom(ask, difference, said)
  return said
}

/** Asks about a payment. That it was never made stops a shipment, so WeChat is asked twice, by both hosts if it has two. */
async function askWeChat(
  context: GatewayContext,
  payment: { mchid: string; transaction_id: string },
  is_booked: boolean,
): Promise<OrderQueryResult> {
  const { client } = await requireAccount(context, payment)
  const ask = (except_host?: string) =>
    callWeChat(context, 'query', () => queryTransaction(client.transport, payment, cancellationSignal(), except_host))
  const first = await ask()
  if (!is_booked || first.kind === 'not_found' || !isDenial(paymentFact(first.transaction))) return first
  const second = await ask(first.raw.host)
  return second.kind === 'found' ? second : first
}

/** A refund that was made outside: its own run asks WeChat, and takes it in. */
async function wakeRefund(ask: AskContext, difference: DifferenceRecord): Promise<DifferenceAnswer> {
  const { context, starter } = ask
  const { mchid, out_refund_no, out_trade_no } = difference
  const asked_time = currentTime(context)
  if (out_refund_no === null || out_trade_no === null) return { asked_time, says: 'unknown', evidence_id: null }
  const start = refundStart({ mchid, out_refund_no: await numberHere(ask, difference, out_refund_no), out_trade_no })
  await signalRun(starter, start, signals.refund_changed, { evidence_id: null })
  await context.store.differences.noteHandedOver(difference._id, asked_time)
  return { asked_time, says: 'handed_over', evidence_id: null }
}

async function askRefund(ask: AskContext, difference: DifferenceRecord): Promise<DifferenceAnswer> {
  const { context, starter } = ask
  const { mchid, out_refund_no, out_trade_no } = difference
  const asked_time = currentTime(context)
  if (out_refund_no === null || out_trade_no === null) return { asked_time, says: 'unknown', evidence_id: null }
  const account = await requireAccount(context, { mchid })
  const answer = await callWeChat(context, 'query_refund', () =>
    queryRefund(account.client.transport, { out_refund_no }, cancellationSignal()),
  )
  if (answer.kind === 'not_found') return { asked_time, says: 'unknown', evidence_id: null }
  const key = { mchid, out_refund_no: await numberHere(ask, difference, out_refund_no) }
  const evidence = await archiveRefundAnswer(context, key, answer)
  const start = refundStart({ ...key, out_trade_no })
  await signalRun(starter, start, signals.refund_changed, { evidence_id: evidence._id })
  return { asked_time, says: answer.refund.status, evidence_id: evidence._id }
}

/** The number that a refund stands under here: made outside under a number of ours, it has another one. */
async function numberHere(
  { context: { store } }: AskContext,
  { mchid, refund_id }: DifferenceRecord,
  out_refund_no: string,
): Promise<string> {
  const known = await store.refunds.ofWeChat(mchid, [{ out_refund_no, refund_id }])
  const same = known.find(({ facts }) => facts !== null && facts.refund_id === refund_id)
  return same?.out_refund_no ?? out_refund_no
}

/** Waits until what was handed over is recorded; after `healing_ms` the day goes on without it. */
export async function awaitHealing(
  { context, policy }: AskContext,
  { day, run }: DayLook,
): Promise<{ missing: number }> {
  const { store, now } = context
  const known = await store.reconciliations.find(day)
  if (known === null || known.run !== run) return { missing: 0 }
  let missing = 0
  let latest_ms = 0
  for await (const difference of differencesOf(store, day)) {
    if (!isSince(difference.handed_over_time, known)) continue
    if (await isRecorded(context, difference)) continue
    missing += 1
    latest_ms = Math.max(latest_ms, milliseconds(difference.handed_over_time ?? known.start_time))
  }
  if (missing > 0 && now() - latest_ms < policy.healing_ms) {
    throw notYetFailure(`${missing} payments or refunds that the bill named are being recorded`, policy.look_ms)
  }
  return { missing }
}

/** Whether what was handed over to a run is recorded by now. */
export async function isRecorded(context: GatewayContext, difference: DifferenceRecord): Promise<boolean> {
  const { store } = context
  const { mchid, kind, transaction_id, out_refund_no, refund_id } = difference
  if (kind === 'phantom_payment') return await isPhantomTold(context, difference)
  if (kind !== 'refund_missing_here') return (await store.payments.find(mchid, transaction_id ?? '')) !== null
  const refunds = await store.refunds.ofWeChat(mchid, [{ out_refund_no: out_refund_no ?? '', refund_id }])
  return refunds.some(({ facts }) => facts !== null)
}
