import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  defineUpdate,
  log,
  setDefaultSignalHandler,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { RefundKey } from '../../domain/ids.ts'
import { refund_updates, signals } from '../../domain/messages.ts'
import type {
  AbnormalHandling,
  PayoutCommand,
  RefundAnswer,
  RefundApproval,
  RefundChanged,
  RefundProgress,
} from '../../domain/messages.ts'
import { isRefundResting } from '../../domain/refund/record.ts'
import type { RefundState } from '../../domain/refund/record.ts'
import type { PendingCommand } from '../inbox.ts'
import { adoptOutsideRefund, newRefundRun, signalOrder, startRefundDeliveries, updateRefundRun } from './run.ts'
import type { RefundRun } from './run.ts'
import { awaitApproval, awaitOutcome, reserveAmount, submitRefund, takeRefundItem } from './steps.ts'

type RefundRunStep = (run: RefundRun, refund: RefundProgress) => Promise<RefundProgress>

/** What a refund does by itself in each state; a state without a step is at rest. */
const steps: Partial<Record<RefundState, RefundRunStep>> = {
  created: reserveAmount,
  awaiting_approval: awaitApproval,
  processing: (run, refund) =>
    (refund.is_accepted || refund.origin === 'outside' ? awaitOutcome : submitRefund)(run, refund),
  abnormal: awaitOutcome,
}

/**
 * `refundPayment`: one refund from its reservation to its end. As with an order the record decides: every run loads it
 * first, goes on from the state found there, and may be ended and started again at any line (architecture §8).
 */
export async function refundPayment(key: RefundKey): Promise<string> {
  const run = newRefundRun(key)
  setRefundHandlers(run)
  // Money may be on its way: a cancel in Temporal UI stops nothing.
  return await CancellationScope.nonCancellable(() => runToEnd(run))
}

async function runToEnd(run: RefundRun): Promise<string> {
  const loaded = await run.activities.records.loadRefund(run.key)
  run.policy = loaded.policy
  // Looked at once more: it may have been asked for here while WeChat was asked.
  const known =
    loaded.refund ?? (await adoptOutsideRefund(run)) ?? (await run.activities.records.loadRefund(run.key)).refund
  if (known === null) return await runUnknown(run)
  let refund = updateRefundRun(run, known)
  await startRefundDeliveries(run, refund, loaded.deliveries)
  for (;;) {
    refund = await moveToRest(run, refund)
    await condition(allHandlersFinished)
    // No await between this look and the return, as in payOrder.
    if (run.inbox.isEmpty) return refund.state
  }
}

/** Neither we nor WeChat know this number: whoever asked is told so, and what was notified is kept. */
async function runUnknown(run: RefundRun): Promise<string> {
  run.refund = null
  for (;;) {
    for (let item = run.inbox.first; item !== undefined; item = run.inbox.first) {
      if (item.kind === 'news') await run.activities.records.keepNews({ refund: run.key, found: item.found })
      run.inbox.remove(item)
    }
    await condition(allHandlersFinished)
    // No await between this look and the return, as in payOrder.
    if (run.inbox.isEmpty) return 'unknown'
  }
}

async function moveToRest(run: RefundRun, current: RefundProgress): Promise<RefundProgress> {
  let refund = current
  for (;;) {
    const step = nextStep(run, refund)
    if (step === undefined) return refund
    refund = updateRefundRun(run, await step(run, refund))
    await renewHistory(run, refund)
  }
}

/** The order hears first what has happened; then whoever waits is answered; then the refund goes on by itself. */
function nextStep(run: RefundRun, refund: RefundProgress): RefundRunStep | undefined {
  if (refund.next_action?.what === 'tell_order') return signalOrder
  if (!run.inbox.isEmpty) return takeRefundItem
  return isRefundResting(refund.state) ? undefined : steps[refund.state]
}

/** Months of questions would outgrow a history. */
async function renewHistory(run: RefundRun, refund: RefundProgress): Promise<void> {
  if (!workflowInfo().continueAsNewSuggested || refund.state === 'created' || isRefundResting(refund.state)) return
  await condition(() => allHandlersFinished() || !run.inbox.isEmpty)
  if (run.inbox.isEmpty) await continueAsNew<typeof refundPayment>(run.key)
}

const refundChanged = defineSignal<[RefundChanged]>(signals.refund_changed)
const checkRequested = defineSignal<[{ operation_id: string }]>(signals.check_requested)
const reserveUpdate = defineUpdate<RefundAnswer>(refund_updates.reserve)
const approve = defineUpdate<RefundAnswer, [RefundApproval]>(refund_updates.approve)
const handleAbnormal = defineUpdate<RefundAnswer, [AbnormalHandling]>(refund_updates.handle_abnormal)
const payOut = defineUpdate<RefundAnswer, [PayoutCommand]>(refund_updates.pay_out)

/** Handlers only put into the inbox, and wait for the body's answer where somebody wants one. */
function setRefundHandlers(run: RefundRun): void {
  const { inbox } = run
  setHandler(refundChanged, (found) => inbox.put({ kind: 'news', found }), {
    description: 'WeChat says something about this refund: it is asked what.',
  })
  setHandler(checkRequested, ({ operation_id }) => inbox.put({ kind: 'check', operation_id }), {
    description: 'Somebody wants WeChat asked now.',
  })
  setHandler(reserveUpdate, () => withoutCancel(() => replyOnceReserved(run)), {
    description: 'Answers once the refund is reserved, or cannot be.',
  })
  setHandler(approve, (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'approval', asked })), {
    description: 'A second person approves or rejects.',
  })
  setHandler(
    handleAbnormal,
    (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'abnormal', asked })),
    { description: 'Says where the money of an abnormal refund goes instead.' },
  )
  setHandler(payOut, (command) => replyWhenDone(run, command, (asked) => inbox.put({ kind: 'payout', asked })), {
    description: 'The payer was paid by hand.',
  })
  setDefaultSignalHandler((name) => log.warn('a signal of unknown name was ignored', { signal: name }))
}

async function replyWhenDone<C>(
  run: RefundRun,
  command: C,
  put: (asked: PendingCommand<C, RefundAnswer>) => void,
): Promise<RefundAnswer> {
  const asked: PendingCommand<C, RefundAnswer> = { command, reply: null }
  put(asked)
  return await withoutCancel(async () => {
    await condition(() => asked.reply !== null || run.refund === null)
    return asked.reply ?? recordReply(run)
  })
}

/** Handlers run in the root scope: without this a cancel would fail their awaits. */
function withoutCancel(work: () => Promise<RefundAnswer>): Promise<RefundAnswer> {
  return CancellationScope.nonCancellable(work)
}

async function replyOnceReserved(run: RefundRun): Promise<RefundAnswer> {
  await condition(() => run.refund !== undefined && run.refund?.state !== 'created')
  return recordReply(run)
}

function recordReply({ refund }: RefundRun): RefundAnswer {
  if (refund) return { kind: 'state', state: refund.state, revision: refund.revision }
  return { kind: 'refused', code: 'refund_state', state: 'refused' }
}
