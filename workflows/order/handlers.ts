import { CancellationScope, defineSignal, defineUpdate, setHandler, workflowInfo } from '@temporalio/workflow'
import { operationId } from '../../domain/ids.ts'
import { order_updates, signals } from '../../domain/messages.ts'
import type {
  Command,
  Confirmation,
  FullRefundCommand,
  OrderAnswer,
  OrderProgress,
  PaymentFound,
  ReviewDecision,
} from '../../domain/messages.ts'
import { replyOnceBegun, replyWhenDone, setSharedHandlers } from '../reply.ts'
import { signalHandler, updateValidator } from '../shape.ts'
import { told } from '../shown.ts'
import { handler_texts } from '../words.ts'
import type { OrderRun } from './run.ts'

const paymentFound = defineSignal<[PaymentFound]>(signals.payment_found)
const prepay = defineUpdate<OrderAnswer>(order_updates.prepay)
const refresh = defineUpdate<OrderAnswer, [Command]>(order_updates.refresh)
const close = defineUpdate<OrderAnswer, [Command]>(order_updates.close)
const confirmFulfilment = defineUpdate<OrderAnswer, [Confirmation]>(order_updates.confirm_fulfilment)
const resolveReview = defineUpdate<OrderAnswer, [ReviewDecision]>(order_updates.resolve_review)
const requestRefund = defineUpdate<OrderAnswer, [FullRefundCommand]>(order_updates.request_refund)
const refundChanged = defineSignal<[{ out_refund_no: string }]>(signals.refund_changed)

/** Sets the handlers of `payOrder`: they only put into the inbox, and wait for the body's reply where one is wanted. */
export function setOrderHandlers(run: OrderRun): void {
  const { inbox } = run
  const putPayment = signalHandler<PaymentFound>('paymentFound', (found) => inbox.put({ kind: 'payment', found }))
  setHandler(paymentFound, putPayment, {
    description: told(handler_texts.payment_found),
  })
  setHandler(prepay, () => replyOnceBegun(run, recordReply), {
    description: told(handler_texts.prepay),
  })
  setHandler(
    close,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'close', asked }), recordReply),
    {
      description: told(handler_texts.close),
      validator: updateValidator('close'),
    },
  )
  setHandler(
    confirmFulfilment,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'confirm', asked }), recordReply),
    {
      description: told(handler_texts.confirm_fulfilment),
      validator: updateValidator('confirmFulfilment'),
    },
  )
  setHandler(
    resolveReview,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'review', asked }), recordReply),
    {
      description: told(handler_texts.resolve_review),
      validator: updateValidator('resolveReview'),
    },
  )
  setHandler(
    requestRefund,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'refund_request', asked }), recordReply),
    {
      description: told(handler_texts.request_refund),
      validator: updateValidator('requestRefund'),
    },
  )
  const putRefundNews = signalHandler<{ out_refund_no: string }>('refundOfOrderChanged', ({ out_refund_no }) =>
    inbox.put({ kind: 'refund_news', out_refund_no }),
  )
  setHandler(refundChanged, putRefundNews, {
    description: told(handler_texts.refund_of_order),
  })
  setHandler(
    refresh,
    (command) => {
      inbox.put({ kind: 'refresh', command })
      return recordReply(run.current)
    },
    {
      description: told(handler_texts.refresh),
      validator: updateValidator('refresh'),
    },
  )
  setSharedHandlers(inbox)
  closeOnCancel(run)
}

/** Asks for a close on a cancel in Temporal UI: only WeChat's answer closes an order. */
function closeOnCancel({ inbox }: OrderRun): void {
  const command: Command = {
    operation_id: operationId.cancelled(workflowInfo().runId),
    actor: { kind: 'temporal_ui', id: null },
    reason: 'cancelled in Temporal UI',
  }
  CancellationScope.current().cancelRequested.catch(() => inbox.put({ kind: 'close', asked: { command, reply: null } }))
}

/** Replies what holds, to those who then read the record. An order that does not exist can only refuse. */
function recordReply(order: OrderProgress | null | undefined): OrderAnswer {
  if (order) return { kind: 'state', state: order.state, revision: order.revision }
  if (order === undefined) return { kind: 'state', state: 'created', revision: 0 }
  return { kind: 'refused', code: 'order_state', state: 'failed' }
}
