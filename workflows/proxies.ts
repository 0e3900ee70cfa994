import {
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow'
import type { BillActivities } from '../activities/bill/steps.ts'
import type { DeliveryOutcome, MerchantActivities } from '../activities/delivery/attempt.ts'
import type { GatewayActivities, PlacementOutcome } from '../activities/order/gateway.ts'
import type { RecordActivities } from '../activities/order/steps.ts'
import type { RefundGatewayActivities } from '../activities/refund/gateway.ts'
import type { RefundActivities } from '../activities/refund/steps.ts'
import type { RunActivities } from '../activities/runs.ts'
import type { NotTried } from '../activities/slots.ts'
import type { Bilingual } from '../domain/language.ts'
import { queueName, queues } from '../domain/messages.ts'
import type { Queue } from '../domain/messages.ts'
import { told } from './shown.ts'
import { fetch_texts, step_texts } from './words.ts'

/** Unlimited: money may be involved, and a durable wait is what Weft is for. Age raises attention, never an end. */
const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const

/** What only the database can hold up: soon after it is back, so is the record. */
const record_timeouts = { startToCloseTimeout: '5s', retry: { ...retry, maximumInterval: '5s' } } as const
const local_timeouts = {
  startToCloseTimeout: '900ms',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 2, initialInterval: '50ms' },
} as const

/** The first attempt of a call in line: as long as the HTTP call may take and its record needs, and not repeated. */
const in_line_retry = { maximumAttempts: 1 } as const
const placement_in_line = { startToCloseTimeout: '13s', retry: in_line_retry } as const
const delivery_in_line = { startToCloseTimeout: '18s', retry: in_line_retry } as const

type ActivityProxies<T> = {
  [Name in keyof T]: T[Name] extends (...given: infer A) => Promise<infer R> ? (...given: A) => Promise<R> : never
}

/** One proxy per collaborator. Made inside a run, since the queues' prefix is that of the queue the run is on. */
export function orderProxies() {
  const prefix = workflowInfo().taskQueue.slice(0, -queues.orders.length)
  const on = (queue: Queue) => queueName(queue, prefix)
  const local = proxyLocalActivities<RecordActivities>(local_timeouts)
  const regular = proxyActivities<RecordActivities>(record_timeouts)
  const tellOn = (queue: Queue) =>
    proxyActivities<MerchantActivities>({
      taskQueue: on(queue),
      startToCloseTimeout: '20s',
      // An answer that is already on its way is waited for: it decides.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      heartbeatTimeout: '10s',
      retry,
      summary: told(step_texts.deliver),
    })
  const notices = tellOn('notice')
  const { placeInLine } = proxyLocalActivities<GatewayActivities>({
    ...placement_in_line,
    summary: told(step_texts.place_in_line),
  })
  const { deliverPaidInLine } = proxyLocalActivities<MerchantActivities>({
    ...delivery_in_line,
    summary: told(step_texts.deliver_in_line),
  })
  return {
    /** a record step: local when the database is quick, else the same function as a regular activity, for ever */
    records: localFirst<RecordActivities>(local, regular),
    /** the same steps where two causes can contest a transition: what history says must not run behind the record */
    contested: regular as ActivityProxies<RecordActivities>,
    runs: proxyActivities<RunActivities>({ startToCloseTimeout: '15s', retry, summary: told(step_texts.wake_runs) }),
    place: proxyActivities<GatewayActivities>({
      ...gatewayOptions(on('gateway')),
      summary: told(step_texts.place),
    }).place,
    ask: proxyActivities<GatewayActivities>({
      ...gatewayOptions(on('gateway')),
      retry: { maximumAttempts: 1 },
      summary: told(step_texts.ask_on_request),
    }).askOnRequest,
    prove: proxyActivities<GatewayActivities>({ ...gatewayOptions(on('gateway')), summary: told(step_texts.prove) })
      .askUntilAnswered,
    poll: proxyActivities<GatewayActivities>({
      ...gatewayOptions(on('gateway_poll')),
      summary: told(step_texts.poll_payment),
    }).pollPayment,
    closeForSomebody: proxyActivities<GatewayActivities>({
      ...gatewayOptions(on('gateway')),
      summary: told(step_texts.close),
    }).closeAtWeChat,
    closeInBackground: proxyActivities<GatewayActivities>({
      ...gatewayOptions(on('gateway_poll')),
      summary: told(step_texts.close),
    }).closeAtWeChat,
    deliver: notices.deliver,
    redeliver: notices.redeliver,
    deliverPaid: tellOn('merchant').deliverPaid,
    /** the first attempts of `place` and `deliverPaid`, in line; null where the regular activity is to go on */
    placeInLine: (...given: Parameters<typeof placeInLine>) =>
      madeInLine<PlacementOutcome>(() => placeInLine(...given)),
    deliverPaidInLine: (...given: Parameters<typeof deliverPaidInLine>) =>
      madeInLine<DeliveryOutcome>(() => deliverPaidInLine(...given)),
  }
}

export type OrderProxies = ReturnType<typeof orderProxies>

/** The same for a refund's run. Apart, since every waiting order would carry what it never uses. */
export function refundProxies() {
  const prefix = workflowInfo().taskQueue.slice(0, -queues.orders.length)
  const on = (queue: Queue) => queueName(queue, prefix)
  const gatewayProxy = (summary: Bilingual, queue: Queue = 'gateway') =>
    proxyActivities<RefundGatewayActivities>({ ...gatewayOptions(on(queue)), summary: told(summary) })
  return {
    /**
     * record steps that only this run takes: local when the database is quick; `contested` ones a person or WeChat may
     * win
     */
    records: localFirst<RefundActivities>(
      proxyLocalActivities<RefundActivities>(local_timeouts),
      proxyActivities<RefundActivities>(record_timeouts),
    ),
    contested: proxyActivities<RefundActivities>(record_timeouts),
    runs: proxyActivities<RunActivities>({ startToCloseTimeout: '15s', retry, summary: told(step_texts.wake_order) }),
    submit: gatewayProxy(step_texts.submit_refund).submitRefund,
    ask: proxyActivities<RefundGatewayActivities>({
      ...gatewayOptions(on('gateway')),
      retry: { maximumAttempts: 1 },
      summary: told(step_texts.ask_on_request),
    }).askRefund,
    prove: gatewayProxy(step_texts.prove).askRefundUntilAnswered,
    poll: gatewayProxy(step_texts.poll_refund, 'gateway_poll').pollRefund,
    handleAbnormal: gatewayProxy(step_texts.handle_abnormal).handleAbnormal,
    findPaymentOf: gatewayProxy(step_texts.find_payment).findPaymentOf,
  }
}

export type RefundProxies = ReturnType<typeof refundProxies>

/** The steps of a day. On a queue of their own: a bill never stands before an order. */
export function billProxies() {
  const prefix = workflowInfo().taskQueue.slice(0, -queues.orders.length)
  const taskQueue = queueName('bills', prefix)
  const patient = { ...retry, maximumInterval: '1m' } as const
  const step = (summary: Bilingual, startToCloseTimeout: '1m' | '4h') =>
    proxyActivities<BillActivities>({
      taskQueue,
      startToCloseTimeout,
      heartbeatTimeout: '1m',
      retry: patient,
      summary: told(summary),
    })
  return {
    startDays: step(step_texts.start_days, '4h').startDays,
    openDay: step(step_texts.open_day, '1m').openDay,
    // They run side by side, and Temporal UI names them apart.
    fetchBill: ((given) => step(fetch_texts[given.type], '4h').fetchBill(given)) satisfies BillActivities['fetchBill'],
    matchDay: step(step_texts.match_day, '4h').matchDay,
    askDifferences: step(step_texts.ask_differences, '4h').askDifferences,
    awaitHealing: step(step_texts.await_healing, '1m').awaitHealing,
    postBills: step(step_texts.post_bills, '4h').postBills,
    writeReport: step(step_texts.write_report, '4h').writeReport,
    acceptDifferences: step(step_texts.accept_differences, '4h').acceptDifferences,
    followDay: step(step_texts.follow_day, '4h').followDay,
    checkDifferences: step(step_texts.check_differences, '4h').checkDifferences,
    closeDay: step(step_texts.close_day, '4h').closeDay,
  }
}

function gatewayOptions(taskQueue: string) {
  // The HTTP call is bounded to 10 s. No schedule-to-close: it would fail a poll as soon as its next delay passed it.
  return { taskQueue, startToCloseTimeout: '15s', cancellationType: 'TRY_CANCEL', retry } as const
}

/**
 * Each step on `local`; where that failed, for whatever reason but a cancellation, the same step on `regular`. Local
 * retries without end would hold workflow-task slots while the database is away, and unrelated orders would stand still.
 */
function localFirst<T extends object>(local: object, regular: object): ActivityProxies<T> {
  type ActivityFunction = (...given: unknown[]) => Promise<unknown>
  const functionsOf = (of: object) => of as Record<string, ActivityFunction>
  return new Proxy({} as ActivityProxies<T>, {
    get:
      (_target, name: string) =>
      (...given: unknown[]) =>
        unlessFailed(
          () => functionsOf(local)[name]?.(...given),
          () => functionsOf(regular)[name]?.(...given),
        ),
  })
}

/** What a call in line came to; null where it was not tried, or failed for whatever reason. */
async function madeInLine<O extends { kind: string }>(call: () => Promise<O | NotTried>): Promise<O | null> {
  const outcome = await unlessFailed<O | NotTried | null>(call, () => null)
  return outcome === null || outcome.kind === 'not_tried' ? null : (outcome as O)
}

/** What a local activity answers; where it failed, for whatever reason but a cancellation, what `otherwise` does. */
async function unlessFailed<T>(local: () => Promise<T> | undefined, otherwise: () => T | Promise<T>): Promise<T> {
  try {
    return (await local()) as T
  } catch (failure) {
    // A local activity's own failure or time-out comes as it is, not wrapped in an ActivityFailure.
    if (!(failure instanceof TemporalFailure) || isCancellation(failure)) throw failure
    return await otherwise()
  }
}
