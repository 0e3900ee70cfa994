import { ActivityFailure, allHandlersFinished, condition, log } from '@temporalio/workflow'
import type { QueryOutcome } from '../../activities/order/gateway.ts'
import { answer_events } from '../../domain/event/answer.ts'
import type {
  Command,
  Confirmation,
  FullRefundCommand,
  OrderAnswer,
  OrderProgress,
  OrderWriteResult,
  PaymentFound,
  ReviewDecision,
} from '../../domain/messages.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderItem, PendingCommand } from '../inbox.ts'
import { runUntilInterrupted } from '../wait.ts'
import { applyQueryAnswer } from './placement.ts'
import { applyRecorded, askUntilInterrupted, startOwedRuns } from './run.ts'
import { takeItem } from '../run.ts'
import type { OrderRun } from './run.ts'

export function takeOrderItem(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  return takeItem(run, order, handleOrderItem)
}

async function handleOrderItem(run: OrderRun, order: OrderProgress, item: OrderItem): Promise<OrderProgress> {
  switch (item.kind) {
    case 'payment':
      return await takePayment(run, order, item)
    case 'check':
      return await takeCheck(run, order, item.operation_id)
    case 'close':
      return await takeClose(run, order, item.asked)
    case 'refresh':
      return await takeRefresh(run, order, item.command)
    case 'confirm':
      return await takeConfirmation(run, order, item.asked)
    case 'review':
      return await takeDecision(run, item.asked)
    case 'refund_request':
      return await takeRefundRequest(run, item.asked)
    case 'refund_news':
      return await takeRefundNews(run, item.out_refund_no)
  }
}

/** Money is never refused: whatever the state, the record step finds its role (domain/payment/record). */
async function takePayment(
  run: OrderRun,
  order: OrderProgress,
  item: OrderItem & { kind: 'payment' },
): Promise<OrderProgress> {
  // What has ended can be contested by a person at the same time: history must not run behind the record there.
  const records = isOrderResting(order.state) ? run.activities.contested : run.activities.records
  const { has_open_question } = run
  const recorded = await records.recordPayment({
    order: run.key,
    found: item.found,
    ...(has_open_question && { has_open_question }),
  })
  if (recorded !== 'unproven') return await applyRecorded(run, recorded)
  // It names no evidence that we can read, but may be right: WeChat is asked. Whatever else comes goes before it, and
  // what is archived and had no effect is handed over again by the sweeper.
  run.inbox.remove(item)
  const says = await askUntilInterrupted(run, () => run.activities.prove({ order: run.key }))
  return says === null ? order : await applyQueryAnswer(run, order, says)
}

/** One extra question. When it fails nothing is lost: the plan goes on, and whoever asked reads the last answer. */
async function takeCheck(run: OrderRun, order: OrderProgress, operation_id: string): Promise<OrderProgress> {
  if (order.state === 'created') return order // it is being placed; the answer to that says more
  let says: QueryOutcome | null
  try {
    says = await askUntilInterrupted(
      run,
      () => run.activities.ask({ order: run.key, operation_id }),
      'payment',
      'close',
      'confirm',
    )
  } catch (failure) {
    if (!(failure instanceof ActivityFailure)) throw failure
    log.info('a question on request was not answered', { order: run.key.out_trade_no })
    return order
  }
  return says === null ? order : await applyQueryAnswer(run, order, says)
}

async function takeClose(run: OrderRun, order: OrderProgress, asked: PendingCommand<Command>): Promise<OrderProgress> {
  if (order.state !== 'created' && order.state !== 'awaiting_payment') {
    asked.reply = closeReply(order)
    return order
  }
  const { operation_id, actor, reason } = asked.command
  const close_reason = actor.kind
  const recorded = await run.activities.records.recordCloseAsked({
    order: run.key,
    operation_id,
    actor,
    reason,
    close_reason,
  })
  const current = await applyRecorded(run, recorded)
  asked.reply = closeReply(current)
  return current
}

/** Closing, closed and failed orders take no money any more, which is all that a close wants. */
function closeReply(order: OrderProgress): OrderAnswer {
  const is_done = order.state === 'closing' || order.state === 'closed' || order.state === 'failed'
  if (is_done) return orderStateReply(order)
  return { kind: 'refused', code: 'order_paid', state: order.state }
}

/** The same request again gives a new code, and the old one dies; a payment or a close goes before it. */
async function takeRefresh(run: OrderRun, order: OrderProgress, command: Command): Promise<OrderProgress> {
  if (order.state !== 'awaiting_payment') return order
  const placed = await runUntilInterrupted(
    run,
    () => run.activities.place({ order: run.key }),
    'payment',
    'close',
    'check',
  )
  if (placed === null) return order
  if (placed.kind !== 'placed') return await queryAndApply(run, order)
  const { operation_id, actor } = command
  return await applyRecorded(
    run,
    await run.activities.records.recordRenewed({ order: run.key, code: placed.code, operation_id, actor }),
  )
}

/**
 * WeChat would not place it again: paid or closed meanwhile, most likely, and then the next planned question is late.
 */
async function queryAndApply(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  const says = await askUntilInterrupted(
    run,
    () => run.activities.prove({ order: run.key }),
    'payment',
    'close',
    'check',
  )
  return says === null ? order : await applyQueryAnswer(run, order, says)
}

async function takeConfirmation(
  run: OrderRun,
  order: OrderProgress,
  asked: PendingCommand<Confirmation>,
): Promise<OrderProgress> {
  const { operation_id, actor, reason, result } = asked.command
  const event = answer_events[result]
  const recorded = await run.activities.contested.recordFulfilment({
    order: run.key,
    event,
    operation_id,
    actor,
    reason,
  })
  const current = await applyRecorded(run, recorded)
  asked.reply = confirmationReply(recorded, current, result)
  return current
}

function confirmationReply(
  recorded: OrderWriteResult,
  order: OrderProgress,
  result: 'fulfilled' | 'refused',
): OrderAnswer {
  if (recorded.outcome !== 'illegal' || order.fulfilment.result === result) return orderStateReply(order)
  const was_decided = order.fulfilment.result === 'fulfilled' || order.fulfilment.result === 'refused'
  return { kind: 'refused', code: was_decided ? 'already_decided' : 'order_state', state: order.state }
}

async function takeDecision(run: OrderRun, asked: PendingCommand<ReviewDecision>): Promise<OrderProgress> {
  const recorded = await run.activities.contested.recordReview({ order: run.key, ...asked.command })
  const current = await applyRecorded(run, recorded)
  const is_as_asked = recorded.outcome !== 'illegal' || recorded.decided === asked.command.decision
  const code = recorded.decided === null ? 'order_state' : 'already_decided'
  asked.reply = is_as_asked ? orderStateReply(current) : { kind: 'refused', code, state: current.state }
  return current
}

/** Nothing is refused here: the refund is reserved, and an order that has nothing to stop only says how it stands. */
async function takeRefundRequest(run: OrderRun, asked: PendingCommand<FullRefundCommand>): Promise<OrderProgress> {
  const recorded = await run.activities.contested.recordRefundRequested({ order: run.key, ...asked.command })
  const current = await applyRecorded(run, recorded)
  asked.reply = orderStateReply(current)
  return current
}

async function takeRefundNews(run: OrderRun, out_refund_no: string): Promise<OrderProgress> {
  return await applyRecorded(run, await run.activities.contested.recordRefundNews({ order: run.key, out_refund_no }))
}

function orderStateReply(order: OrderProgress): OrderAnswer {
  return { kind: 'state', state: order.state, revision: order.revision }
}

/** Money for a number that Weft does not know: WeChat is asked, and what it confirms is booked as an orphan. */
export async function bookOrphans(run: OrderRun): Promise<string> {
  run.current = null
  for (;;) {
    const item = run.inbox.first
    if (item === undefined) {
      await condition(allHandlersFinished)
      if (run.inbox.isEmpty) return 'orphan'
      continue
    }
    if (item.kind === 'payment') {
      const says = await run.activities.prove({ order: run.key })
      if (says.kind === 'payment') await bookOrphan(run, { evidence_id: says.evidence_id })
      await bookOrphan(run, item.found)
    }
    run.inbox.remove(item)
  }
}

/** Its order may have come meanwhile, and then owes what any order does. */
async function bookOrphan(run: OrderRun, found: PaymentFound): Promise<void> {
  const recorded = await run.activities.contested.recordPayment({ order: run.key, found })
  if (recorded !== 'unproven') await startOwedRuns(run, recorded)
}
