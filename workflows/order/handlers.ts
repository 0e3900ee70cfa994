import {
  CancellationScope,
  condition,
  defineSignal,
  defineUpdate,
  log,
  setDefaultSignalHandler,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import { operationId } from '../../domain/ids.ts'
import { order_updates, signals } from '../../domain/messages.ts'
import type {
  Command,
  Confirmation,
  FullRefundCommand,
  OrderAnswer,
  PaymentFound,
  ReviewDecision,
} from '../../domain/messages.ts'
import type { PendingCommand } from '../inbox.ts'
import type { OrderRun } from './run.ts'

const paymentFound = defineSignal<[PaymentFound]>(signals.payment_found)
const checkRequested = defineSignal<[{ operation_id: string }]>(signals.check_requested)
const prepay = defineUpdate<OrderAnswer>(order_updates.prepay)
const refresh = defineUpdate<OrderAnswer, [Command]>(order_updates.refresh)
const close = defineUpdate<OrderAnswer, [Command]>(order_updates.close)
const confirmFulfilment = defineUpdate<OrderAnswer, [Confirmation]>(order_updates.confirm_fulfilment)
const resolveReview = defineUpdate<OrderAnswer, [ReviewDecision]>(order_updates.resolve_review)
const requestRefund = defineUpdate<OrderAnswer, [FullRefundCommand]>(order_updates.request_refund)
const refundChanged = defineSignal<[{ out_refund_no: string }]>(signals.refund_changed)

/** Handlers only put into the inbox, and wait for the body's answer where somebody wants one. */
export function setOrderHandlers(run: OrderRun): void {
  const { inbox } = run
  setHandler(paymentFound, (found) => inbox.put({ kind: 'payment', found }), {
    description: 'WeChat says this order has a payment; names the evidence.',
  })
  setHandler(checkRequested, ({ operation_id }) => inbox.put({ kind: 'check', operation_id }), {
    description: 'Somebody wants WeChat asked now.',
  })
  setHandler(prepay, () => withoutCancel(() => replyOncePlaced(run)), {
    description: 'Answers once the order is placed, or cannot be.',
  })
  setHandler(close, (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'close', asked })), {
    description: 'Asks for a close; answers once that is recorded.',
  })
  setHandler(
    confirmFulfilment,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'confirm', asked })),
    {
      description: 'The merchant says whether it shipped.',
    },
  )
  setHandler(resolveReview, (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'review', asked })), {
    description: 'A person decides on money in review, or on a second payment.',
  })
  setHandler(
    requestRefund,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'refund_request', asked })),
    {
      description: 'All of the payment is to go back: stops what the order is about, then answers.',
    },
  )
  setHandler(refundChanged, ({ out_refund_no }) => inbox.put({ kind: 'refund_news', out_refund_no }), {
    description: 'A refund of this order has something to tell.',
  })
  setHandler(
    refresh,
    (command) => {
      inbox.put({ kind: 'refresh', command })
      return recordReply(run)
    },
    { description: 'Wants a code that can still be scanned; the record tells when it is there.' },
  )
  setDefaultSignalHandler((name) => log.warn('a signal of unknown name was ignored', { signal: name }))
  closeOnCancel(run)
}

/** A cancel in Temporal UI is a wish to close: only WeChat's answer closes an order. */
function closeOnCancel({ inbox }: OrderRun): void {
  const command: Command = {
    operation_id: operationId.cancelled(workflowInfo().runId),
    actor: { kind: 'temporal_ui', id: null },
    reason: 'cancelled in Temporal UI',
  }
  CancellationScope.current().cancelRequested.catch(() => inbox.put({ kind: 'close', asked: { command, reply: null } }))
}

async function replyWhenDone<C>(
  run: OrderRun,
  command: C,
  put: (asked: PendingCommand<C>) => void,
): Promise<OrderAnswer> {
  const asked: PendingCommand<C> = { command, reply: null }
  put(asked)
  return await withoutCancel(async () => {
    await condition(() => asked.reply !== null || run.order === null)
    return asked.reply ?? recordReply(run)
  })
}

/** Handlers run in the root scope: without this a cancel would fail their awaits. */
function withoutCancel(work: () => Promise<OrderAnswer>): Promise<OrderAnswer> {
  return CancellationScope.nonCancellable(work)
}

async function replyOncePlaced(run: OrderRun): Promise<OrderAnswer> {
  await condition(() => run.order !== undefined && run.order?.state !== 'created')
  return recordReply(run)
}

/** What holds, for those who then read the record. An order that does not exist can only refuse. */
function recordReply({ order }: OrderRun): OrderAnswer {
  if (order) return { kind: 'state', state: order.state, revision: order.revision }
  if (order === undefined) return { kind: 'state', state: 'created', revision: 0 }
  return { kind: 'refused', code: 'order_state', state: 'failed' }
}
