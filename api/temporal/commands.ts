import type { DayKey } from '../../domain/bill/reconciliation.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import { workflowId } from '../../domain/ids.ts'
import type { OrderKey, RefundKey } from '../../domain/ids.ts'
import {
  concludeStart,
  deliveryStart,
  order_updates,
  orderStart,
  queueName,
  reconcileStart,
  refund_updates,
  refundStart,
  signals,
} from '../../domain/messages.ts'
import type {
  AbnormalHandling,
  Command,
  Confirmation,
  OrderAnswer,
  PaymentFound,
  PayoutCommand,
  RefundAnswer,
  RefundApproval,
  RefundChanged,
  ReviewDecision,
} from '../../domain/messages.ts'
import { boundedCall } from '../../runtime/temporal.ts'
import { createOutageLog } from '../../runtime/outage.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'
import type { Sealer } from '../../store/sealer.ts'
import { sealWords } from '../../store/words.ts'
import { callOrUnavailable, sendSignal, sendStart, sendUpdate, signal_limit_ms } from './calls.ts'
import type { NoReply, RunTarget, TemporalCallOptions } from './calls.ts'

/** The reply to a command about an order, or why there was none. */
export type OrderOutcome = OrderAnswer | NoReply
export type RefundOutcome = RefundAnswer | NoReply

/** A refund and the order whose money it gives back, by which its run is found in Temporal. */
export type RefundTarget = RefundKey & Pick<OrderKey, 'out_trade_no'>

/** Commands are all calls of the API to Temporal, each with a time limit. None of them decides anything. */
export interface Commands {
  /** Places a new order: sent by the request that inserted it, and by nobody else. At most 8 s. */
  prepay(key: OrderKey): Promise<OrderOutcome>
  /** Answers when `closing` is recorded. At most 8 s. */
  close(key: OrderKey, command: Command): Promise<OrderOutcome>
  /** Answers when the request for a new code is in the inbox; the record shows when the code is there. At most 8 s. */
  refresh(key: OrderKey, command: Command): Promise<OrderOutcome>
  /** Answers when the merchant's confirmation is recorded, or refused. At most 8 s. */
  confirm(key: OrderKey, confirmation: Confirmation): Promise<OrderOutcome>
  /** Answers when a person's decision on money in review is recorded, or refused. At most 8 s. */
  resolveReview(key: OrderKey, decision: ReviewDecision): Promise<OrderOutcome>
  /** Has WeChat Pay queried once. Throws TemporalUnavailable when Temporal does not take it within 2 s. */
  check(key: OrderKey, operation_id: string): Promise<void>
  /** Starts the order's run unless it runs. Throws TemporalUnavailable when Temporal does not within 2 s. */
  startOrder(key: OrderKey): Promise<void>
  /** Signals a found payment, on the intake's own connection, within 1.5 s. False: Temporal did not take it. */
  signalPaymentFound(key: OrderKey, found: PaymentFound): Promise<boolean>

  /**
   * Answers when a new refund is reserved on its payment, or cannot be: sent by the request that recorded it, and by
   * nobody else. `revision` is that of the record: a refund number that is used again is reserved again. At most 8 s.
   */
  reserve(refund: RefundTarget & { revision: number }): Promise<RefundOutcome>
  /** Each answers when the person's decision is recorded, or refused. At most 8 s. */
  approve(refund: RefundTarget, approval: RefundApproval): Promise<RefundOutcome>
  payOut(refund: RefundTarget, payout: PayoutCommand): Promise<RefundOutcome>
  /** Answers when WeChat has taken or refused the other way for the money. At most 8 s. */
  handleAbnormal(refund: RefundTarget, handling: AbnormalHandling): Promise<RefundOutcome>
  /** As `check` and `startOrder`. */
  checkRefund(refund: RefundTarget, operation_id: string): Promise<void>
  startRefund(refund: RefundTarget): Promise<void>
  /** As `signalPaymentFound`, for evidence about a refund. */
  signalRefundChanged(refund: RefundTarget, changed: RefundChanged): Promise<boolean>

  /** Has a new delivery sent. Throws TemporalUnavailable when Temporal does not take it within 2 s. */
  deliver(delivery: DeliveryRecord): Promise<void>
  /** Has a delivery that ended sent once more. Throws TemporalUnavailable when Temporal does not take it within 2 s. */
  redeliver(delivery: DeliveryRecord): Promise<void>

  /** Has a day reconciled, or leaves it to the run that does so now. Throws TemporalUnavailable within 2 s. */
  startDay(day: DayKey): Promise<void>

  /**
   * Has a day counted anew whose differences were moved, and done what a person wants done about them. False: Temporal
   * did not take it within 2 s; the next look at any day of the merchant does.
   */
  concludeDay(day: DayKey): Promise<boolean>

  /** Seconds that the oldest order task waits for a worker; 0 when unknown. Asked at most once a second. */
  orderQueueBacklogAge(): Promise<number>
  /** Whether Temporal answers within 1 s. */
  isReachable(): Promise<boolean>
}

interface CommandsParts extends TemporalCallOptions {
  /** a connection of its own (runtime/temporal `connectForIntake`) */
  intake: TemporalClient
  /** seals what people wrote on its way through Temporal */
  sealer: Sealer
}

/** What commands are made of. */
export type CommandsOptions = Omit<CommandsParts, 'sayOutage'>

const intake_limit_ms = 1_500
const probe_limit_ms = 1_000
const backlog_kept_ms = 1_000
/** TASK_QUEUE_TYPE_WORKFLOW of Temporal's API */
const WORKFLOW_QUEUE = 1

type OrderCommands = Pick<
  Commands,
  'prepay' | 'close' | 'refresh' | 'confirm' | 'resolveReview' | 'check' | 'startOrder' | 'signalPaymentFound'
>
type RefundCommands = Pick<
  Commands,
  'reserve' | 'approve' | 'payOut' | 'handleAbnormal' | 'checkRefund' | 'startRefund' | 'signalRefundChanged'
>

export function createCommands(given: CommandsOptions): Commands {
  const options: CommandsParts = { ...given, sayOutage: createOutageLog(Date.now) }
  const { client } = options
  return {
    ...orderCommands(options),
    ...refundCommands(options),
    deliver: (delivery) => callOrUnavailable(options, 'deliver', () => sendStart(options, deliveryRun(delivery))),
    redeliver: (delivery) =>
      callOrUnavailable(options, 'redeliver', () => sendStart(options, deliveryRun(delivery, { is_repeat: true }))),
    startDay: (day) =>
      callOrUnavailable(options, 'start', () =>
        sendStart(options, { start: reconcileStart(day), log_fields: { ...day } }),
      ),
    concludeDay: async ({ mchid, bill_date }) => {
      const run = { start: concludeStart({ mchid, bill_date }), log_fields: { mchid, bill_date } }
      const name = signals.differences_moved
      return await callOrUnavailable(options, name, () => sendSignal(options, run, name, null, signal_limit_ms)).then(
        () => true,
        () => false,
      )
    },
    orderQueueBacklogAge: createBacklogProbe(options),
    async isReachable() {
      try {
        await boundedCall(client.connection, probe_limit_ms, () => client.connection.workflowService.getSystemInfo({}))
        return true
      } catch {
        return false
      }
    },
  }
}

function orderCommands(options: CommandsParts): OrderCommands {
  const send = (key: OrderKey, name: string, command: Command) =>
    sendUpdate<OrderAnswer>(options, orderRun(key), name, command.operation_id, [
      sealWords(options.sealer, workflowId.order(key), command),
    ])
  return {
    prepay: (key) => sendUpdate<OrderAnswer>(options, orderRun(key), order_updates.prepay, 'prepay', []),
    close: (key, command) => send(key, order_updates.close, command),
    refresh: (key, command) => send(key, order_updates.refresh, command),
    confirm: (key, confirmation) => send(key, order_updates.confirm_fulfilment, confirmation),
    resolveReview: (key, decision) => send(key, order_updates.resolve_review, decision),
    check: (key, operation_id) => requestCheck(options, orderRun(key), operation_id),
    startOrder: (key) => callOrUnavailable(options, 'start', () => sendStart(options, orderRun(key))),
    signalPaymentFound: (key, found) => handOver(options, orderRun(key), signals.payment_found, found),
  }
}

function refundCommands(options: CommandsParts): RefundCommands {
  const send = (refund: RefundTarget, name: string, command: Command) =>
    sendUpdate<RefundAnswer>(options, refundRun(refund), name, command.operation_id, [
      sealWords(options.sealer, workflowId.refund(refund), command),
    ])
  return {
    reserve: (refund) =>
      sendUpdate<RefundAnswer>(options, refundRun(refund), refund_updates.reserve, `reserve:${refund.revision}`, []),
    approve: (refund, approval) => send(refund, refund_updates.approve, approval),
    payOut: (refund, payout) => send(refund, refund_updates.pay_out, payout),
    handleAbnormal: (refund, handling) => send(refund, refund_updates.handle_abnormal, handling),
    checkRefund: (refund, operation_id) => requestCheck(options, refundRun(refund), operation_id),
    startRefund: (refund) => callOrUnavailable(options, 'start', () => sendStart(options, refundRun(refund))),
    signalRefundChanged: (refund, changed) => handOver(options, refundRun(refund), signals.refund_changed, changed),
  }
}

/** The order's numbers only: callers pass whole records, whose amounts, metadata and codes must not be logged. */
function orderRun({ mchid, out_trade_no }: OrderKey): RunTarget {
  const key = { mchid, out_trade_no }
  return { start: orderStart(key), log_fields: key }
}

function refundRun({ mchid, out_refund_no, out_trade_no }: RefundTarget): RunTarget {
  return { start: refundStart({ mchid, out_refund_no, out_trade_no }), log_fields: { mchid, out_refund_no } }
}

function deliveryRun(delivery: DeliveryRecord, repeat: { is_repeat?: true } = {}): RunTarget {
  const { _id, id, mchid, out_trade_no } = delivery
  const start = deliveryStart({ delivery_id: _id, ...repeat, mchid, out_trade_no: out_trade_no ?? '' })
  return { start, log_fields: { mchid, delivery_id: id } }
}

async function requestCheck(options: CommandsParts, run: RunTarget, operation_id: string): Promise<void> {
  const { check_requested } = signals
  await callOrUnavailable(options, check_requested, () =>
    sendSignal(options, run, check_requested, { operation_id }, signal_limit_ms),
  )
}

/** Signals evidence on the intake's own connection. False: Temporal did not take it. */
async function handOver(options: CommandsParts, run: RunTarget, name: string, argument: unknown): Promise<boolean> {
  try {
    await sendSignal({ ...options, client: options.intake }, run, name, argument, intake_limit_ms)
    return true
  } catch (error) {
    options.sayOutage(options.log, 'what WeChat said was not handed over yet', { ...run.log_fields, error })
    return false
  }
}

/**
 * The age of the order queue's backlog, cached for a second. 0 when the probe fails: it exists to refuse orders that
 * would only wait, and must not refuse any because of its own failure.
 */
function createBacklogProbe({ client, queue_prefix, log, metrics }: CommandsParts): () => Promise<number> {
  let asked_ms = -Infinity
  let latest = Promise.resolve(0)

  async function ask(): Promise<number> {
    const { connection, namespace } = client
    const taskQueue = { name: queueName('orders', queue_prefix) }
    const request = { namespace, taskQueue, taskQueueType: WORKFLOW_QUEUE, reportStats: true }
    try {
      const { stats } = await boundedCall(connection, probe_limit_ms, () =>
        connection.workflowService.describeTaskQueue(request),
      )
      const age_s = Number(stats?.approximateBacklogAge?.seconds ?? 0)
      metrics.backlog_age.set(age_s)
      return age_s
    } catch (error) {
      log.debug('the age of the order queue is unknown', { error })
      return 0
    }
  }

  return () => {
    if (Date.now() - asked_ms < backlog_kept_ms) return latest
    asked_ms = Date.now()
    latest = ask()
    return latest
  }
}
