import { randomUUID } from 'node:crypto'
import mongoose from 'mongoose'
import { beijingTime } from '../../domain/calendar.ts'
import { eventId, orderId, paymentId, workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { order_updates, refund_updates, refundStart, signals } from '../../domain/messages.ts'
import { startOptions } from '../../runtime/temporal.ts'
import type { MerchantAnswer } from '../stage/merchant.ts'
import type { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { close, confirm, kept, keptNotice, keyOf, misbehave, ordered, reported, swept } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'
import { command, decide, keptRefund, refunding, taken } from './refundpaths.ts'

/** Changes a record past all doors of the store, or removes it. */
async function altered(stage: Stage, collection: string, _id: string, update: object | null): Promise<void> {
  const { mongodb_uri, database } = stage.config
  const connection = await mongoose.createConnection(mongodb_uri, { dbName: database }).asPromise()
  const records = connection.collection<{ _id: string }>(collection)
  if (update === null) await records.deleteOne({ _id })
  else await records.updateOne({ _id }, update)
  await connection.close()
}

/** How often a run has been answered by an activity of that name. */
async function answeredCount({ stage }: Teller, id: string, name: string): Promise<number> {
  const { events } = await stage.temporal.client.workflow.getHandle(id).fetchHistory()
  const scheduled = (events ?? [])
    .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === name)
    .map(({ eventId }) => String(eventId))
  return (events ?? []).filter((event) =>
    scheduled.includes(String(event.activityTaskCompletedEventAttributes?.scheduledEventId)),
  ).length
}

const check = ({ stage }: Teller, id: string) =>
  stage.temporal.client.workflow.getHandle(id).signal(signals.check_requested, { operation_id: randomUUID() })

/** What a question finds, or finds out of date. */
const found: Record<string, Path> = {
  refunded_before_it_was_found: async (teller, name) => {
    const { stage } = teller
    const order = await ordered(teller, name)
    stage.pay(order, 'lose_notification')
    stage.simulator.control.createConsoleRefund({ ...order, status: 'SUCCESS', notification: 'lose' })
    await stage.reaches(order, 'review')
    await kept(teller, name, order)
  },
  too_late_to_place: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'disconnect', times: 50 })
    await teller.stage.create({ out_trade_no: order.out_trade_no, expire_in: 6 })
    await teller.stage.reaches(order, 'closed')
    await kept(teller, name, order)
  },
  code_still_fresh: async (teller, name) => {
    const order = await ordered(teller, name)
    const given = { operation_id: randomUUID(), actor: { kind: 'operator' as const, id: null }, reason: null }
    await teller.stage.run(order).executeUpdate(order_updates.refresh, { args: [given], updateId: given.operation_id })
    await until('WeChat was asked', async () => (await answeredCount(teller, workflowId.order(order), 'place')) > 1)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  orphan_confirmed: async (teller, name) => {
    const order = await ordered(teller, name)
    await teller.stage.run(order).terminate('the order is to be forgotten')
    await altered(teller.stage, 'orders', orderId(order), null)
    teller.stage.pay(order)
    await swept(teller, order)
    await kept(teller, name, order)
  },
  paid_after_failed: async (teller, name) => {
    const { stage } = teller
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'RULE_LIMIT', times: 1 })
    await stage.create({ out_trade_no: order.out_trade_no })
    await kept(teller, `${name}_first_run`, order)
    await reported(stage, order, '4200000000202611230000000002', 990)
    await stage.reaches(order, 'review')
    await kept(teller, name, order)
  },
}

/** Refunds of which a run knows less than the record, or nothing. */
const strange: Record<string, Path> = {
  refund_unknown: async (teller, name) => {
    const { stage } = teller
    const start = refundStart({ mchid: stage.mchid, out_refund_no: `R_${name}`, out_trade_no: '-' })
    await stage.temporal.client.workflow.signalWithStart(start.workflow_type, {
      ...startOptions(start, stage.config.queue_prefix),
      signal: signals.refund_changed,
      signalArgs: [{ evidence_id: null }],
    })
    await keptRefund(teller, name, `R_${name}`)
  },
}

/** RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL of Temporal's own protocol. */
const signals_of_before = 1

/** The run begins again from the workflow task that asked for `activity`, as an operator may have it do in the UI. */
async function resetBefore({ stage }: Teller, workflow_id: string, activity: string): Promise<void> {
  const handle = stage.temporal.client.workflow.getHandle(workflow_id)
  const { runId } = await handle.describe()
  const { events } = await handle.fetchHistory()
  const asked = events?.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity)
  await stage.temporal.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: workflow_id, runId },
    reason: 'for the story',
    workflowTaskFinishEventId: asked?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId ?? null,
    requestId: randomUUID(),
    // The news that came after would be told again, and go before the sending.
    resetReapplyExcludeTypes: [signals_of_before],
  })
}

/** Refunds that a second person let go. */
const approved: Record<string, Path> = {
  /** What the new run knows from before ends with the approval: it sends, and hears that this was done. */
  refund_reset: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    const { out_refund_no, mchid } = refund
    await teller.stage.refundReaches(out_refund_no, 'awaiting_approval')
    await command(teller, refund, refund_updates.approve, { decision: 'approve' })
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    await until('its run ended', async () => (await teller.stage.refundRun(out_refund_no).describe()).status.name === 'COMPLETED')
    await resetBefore(teller, workflowId.refund({ mchid, out_refund_no }), 'submitRefund')
    await keptRefund(teller, name, out_refund_no)
  },
  /** WeChat's year for refunds is over before the word comes. */
  refund_unsent: async (teller, name) => {
    const { stage } = teller
    const refund = await refunding(teller, name, 500)
    const { transaction_id } = await stage.refundReaches(refund.out_refund_no, 'awaiting_approval')
    const success_time = beijingTime(stage.now() - 366 * 24 * 3_600_000)
    await altered(stage, 'payments', paymentId(stage.mchid, transaction_id), { $set: { success_time } })
    await command(teller, refund, refund_updates.approve, { decision: 'approve' })
    await stage.refundReaches(refund.out_refund_no, 'refused')
    await keptRefund(teller, name, refund.out_refund_no)
  },
}

const asked_often: Record<string, Path> = {
  asked_twice: async (teller, name) => {
    const order = await ordered(teller, name)
    const id = workflowId.order(order)
    for (const times of [1, 2]) {
      await check(teller, id)
      await until('an answer', async () => (await answeredCount(teller, id, 'askOnRequest')) === times)
    }
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
}

const failing = (times: number) => Array.from({ length: times }, (): MerchantAnswer => ({ status: 503 }))

const gone: Record<string, Path> = {
  endpoint_disabled: async (teller, name) => {
    const { stage } = teller
    const asked = keyOf(teller, `${name}_A`)
    teller.answers(asked, ...failing(50))
    await ordered(teller, asked.out_trade_no)
    stage.pay(asked)
    await until('an attempt', () => stage.shop.of(asked.out_trade_no).length > 0)
    const endpoints = await stage.store.endpoints.listEnabled(stage.mchid)
    for (const { _id, create_time } of endpoints) await stage.store.endpoints.disable(_id, 'for the story', create_time)
    await until('it is not asked any more', async () => (await answeredCount(teller, workflowId.order(asked), 'deliverPaid')) > 0)
    await confirm(teller, asked, { result: 'fulfilled' })
    await kept(teller, `${name}_while_delivering`, asked)
    const unasked = await ordered(teller, `${name}_B`)
    stage.pay(unasked)
    await until('nobody is asked', async () => (await answeredCount(teller, workflowId.order(unasked), 'deliverPaid')) > 0)
    await confirm(teller, unasked, { result: 'fulfilled' })
    await kept(teller, `${name}_before`, unasked)
  },
}

const unheard: Record<string, Path> = {
  overdue_stop_unheard: async (teller, name) => {
    const order: OrderKey = keyOf(teller, name)
    teller.answers(order, { status: 202 }, ...failing(200))
    await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'review', 60_000)
    await kept(teller, name, order)
  },
}

const kept_back: Record<string, Path> = {
  refused_and_held: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 200, body: '{"fulfilment":"refused","reason":"sold out"}' })
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'review')
    await kept(teller, name, order)
  },
  late_payment_held: async (teller, name) => {
    const order = await ordered(teller, name)
    await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
    teller.stage.pay(order, 'pay_after_close')
    await teller.stage.reaches(order, 'review')
    await kept(teller, name, order)
  },
}

/**
 * Late money that a person takes while a newer number of the sale can be paid. `late_payment_accepted_before` was recorded
 * with two versions side by side: the step named the newer number, and a workflow of before went on without closing it.
 */
const taken_back: Record<string, Path> = {
  late_payment_accepted: async (teller, name) => {
    const { stage } = teller
    const order = keyOf(teller, name)
    const newer = { ...order, out_trade_no: `${order.out_trade_no}-2` }
    await stage.ordered({ out_trade_no: order.out_trade_no, reference: name })
    await stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    await stage.ordered({ out_trade_no: newer.out_trade_no, reference: name })
    stage.pay(order, 'pay_after_close')
    await stage.reaches(order, 'review')
    await decide(teller, order, 'accept', null)
    await stage.reaches(newer, 'closed')
    await kept(teller, name, order)
  },
}

/** An event that was heard goes once more, because somebody asks. */
const repeated: Record<string, Path> = {
  notice_repeated: async (teller, name) => {
    const { stage } = teller
    const order = await ordered(teller, name)
    await close(teller, order)
    await keptNotice(teller, `${name}_first_run`, order, 1)
    const [delivery] = await stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
    await stage.call('POST', `/v1/deliveries/${delivery?.id}/redeliver`)
    await until('it was heard again', () => stage.shop.of(order.out_trade_no).length === 2)
    await keptNotice(teller, name, order, 1)
  },
}

/** Runs that were asked so much that a new one goes on. */
const renewed: Record<string, Path> = {
  order_in_a_new_run: async (teller, name) => {
    const order = await ordered(teller, name)
    const first_run = await renews(teller, workflowId.order(order))
    await kept(teller, `${name}_before`, order, first_run)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  refund_in_a_new_run: async (teller, name) => {
    const { stage } = teller
    const { out_refund_no, mchid } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    const id = workflowId.refund({ mchid, out_refund_no })
    const first_run = await renews(teller, id)
    await teller.keep(`${name}_before`, id, first_run)
    stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS' })
    await stage.refundReaches(out_refund_no, 'succeeded')
    await keptRefund(teller, name, out_refund_no)
  },
}

/** Asks until the run has given way to the next; answers its id. */
async function renews(teller: Teller, id: string): Promise<string> {
  const handle = teller.stage.temporal.client.workflow.getHandle(id)
  const { runId } = await handle.describe()
  await until(
    'a new run',
    async () => {
      await check(teller, id)
      return (await handle.describe()).runId !== runId
    },
    { within_ms: 60_000 },
  )
  return runId
}

const simulator = { time_scale: 60 }
const fulfilment = { mode: 'event' as const }

/** What is rare: facts that nobody asked for, records that moved without their run, and runs that grew too long. */
export const rare_chapters: Chapter[] = [
  { options: { time_scale: 30, simulator, settings: { fulfilment } }, paths: { ...found, ...strange, ...repeated } },
  { options: { time_scale: 30, simulator, settings: { fulfilment, refund_approval: { above: 100 } } }, paths: approved },
  { options: { settings: { fulfilment } }, paths: asked_often },
  { options: { time_scale: 30, settings: { fulfilment } }, paths: gone },
  // The whole schedule of a delivery passes in two seconds.
  {
    options: { time_scale: 86_400, settings: { fulfilment: { ...fulfilment, deadline_in: 3, on_overdue: 'refund' } } },
    paths: unheard,
  },
  { options: { time_scale: 30, settings: { fulfilment: { ...fulfilment, on_refused: 'hold' }, late_payment: 'hold' } }, paths: { ...kept_back, ...taken_back } },
  {
    options: { time_scale: 30, simulator, settings: { fulfilment } },
    renews_early: true,
    before: ({ stage }) => Promise.resolve(stage.simulator.control.holdRefunds({ mchid: stage.mchid })),
    paths: renewed,
  },
]
