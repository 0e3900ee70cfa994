import { defineSignal, defineUpdate, setHandler } from '@temporalio/workflow'
import { refund_updates, signals } from '../../domain/messages.ts'
import type {
  AbnormalHandling,
  PayoutCommand,
  RefundAnswer,
  RefundApproval,
  RefundChanged,
  RefundProgress,
} from '../../domain/messages.ts'
import { replyOnceBegun, replyWhenDone, setSharedHandlers } from '../reply.ts'
import { signalHandler, updateValidator } from '../shape.ts'
import { told } from '../shown.ts'
import { handler_texts } from '../words.ts'
import type { RefundRun } from './run.ts'

const refundChanged = defineSignal<[RefundChanged]>(signals.refund_changed)
const reserveUpdate = defineUpdate<RefundAnswer>(refund_updates.reserve)
const approve = defineUpdate<RefundAnswer, [RefundApproval]>(refund_updates.approve)
const handleAbnormal = defineUpdate<RefundAnswer, [AbnormalHandling]>(refund_updates.handle_abnormal)
const payOut = defineUpdate<RefundAnswer, [PayoutCommand]>(refund_updates.pay_out)

/**
 * Sets the handlers of `refundPayment`: they only put into the inbox, and wait for the body's reply where one is
 * wanted.
 */
export function setRefundHandlers(run: RefundRun): void {
  const { inbox } = run
  const putNews = signalHandler<RefundChanged>('refundChanged', (found) => inbox.put({ kind: 'news', found }))
  setHandler(refundChanged, putNews, {
    description: told(handler_texts.refund_changed),
  })
  setHandler(reserveUpdate, () => replyOnceBegun(run, recordReply), {
    description: told(handler_texts.reserve),
  })
  setHandler(
    approve,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'approval', asked }), recordReply),
    {
      description: told(handler_texts.approve),
      validator: updateValidator('approve'),
    },
  )
  setHandler(
    handleAbnormal,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'abnormal', asked }), recordReply),
    {
      description: told(handler_texts.abnormal),
      validator: updateValidator('handleAbnormal'),
    },
  )
  setHandler(
    payOut,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'payout', asked }), recordReply),
    {
      description: told(handler_texts.pay_out),
      validator: updateValidator('payOut'),
    },
  )
  setSharedHandlers(inbox)
}

/** Replies what holds. A refund that does not exist can only refuse. */
function recordReply(refund: RefundProgress | null | undefined): RefundAnswer {
  if (refund) return { kind: 'state', state: refund.state, revision: refund.revision }
  return { kind: 'refused', code: 'refund_state', state: 'refused' }
}
