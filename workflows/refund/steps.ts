import { ActivityFailure, log } from '@temporalio/workflow'
import type { RefundAnswerFound, RefundQueryOutcome, SubmissionOutcome } from '../../activities/refund/gateway.ts'
import { milliseconds } from '../../domain/calendar.ts'
import type {
  AbnormalHandling,
  PayoutCommand,
  RefundAnswer,
  RefundApproval,
  RefundProgress,
} from '../../domain/messages.ts'
import type { PendingCommand, RefundItem } from '../inbox.ts'
import { runUntilInterrupted, waitWithin } from '../wait.ts'
import { answerFound, applyRefundRecorded } from './run.ts'
import { takeItem } from '../run.ts'
import { timer_texts } from '../words.ts'
import type { RefundRun } from './run.ts'

/** `created`: the money is reserved on its payment, by one conditional write, or the refund ends here. */
export async function reserveAmount(run: RefundRun): Promise<RefundProgress> {
  return await applyRefundRecorded(run, await run.activities.records.reserveRefund({ refund: run.key }))
}

/** `awaiting_approval`: until a second person decides or the time is over. */
export async function awaitApproval(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  const delay_ms = refund.approval_expire_time ? milliseconds(refund.approval_expire_time) - Date.now() : 0
  const hasItem = () => !run.inbox.isEmpty
  if (delay_ms > 0 && (await waitWithin(delay_ms, hasItem, timer_texts.approval))) return refund
  if (hasItem()) return refund
  return await applyRefundRecorded(run, await run.activities.contested.recordApprovalExpired({ refund: run.key }))
}

/**
 * `processing`, not taken yet: a refund of everything first stops what the order is about, then the frozen request goes
 * out. News and questions interrupt the waiting, never the sending.
 */
export async function submitRefund(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  if (refund.is_full && isRequestedByPerson(refund)) await run.activities.runs.askOrderToRefund({ refund: run.key })
  const submitted = await runUntilInterrupted(run, () => run.activities.submit({ refund: run.key }))
  return submitted === null ? refund : await applySubmission(run, refund, submitted)
}

/** Somebody asked for it while the order may still be served; automatic refunds come after the order has stopped. */
function isRequestedByPerson({ origin }: RefundProgress): boolean {
  return origin === 'api' || origin === 'operator'
}

async function applySubmission(
  run: RefundRun,
  refund: RefundProgress,
  submitted: SubmissionOutcome,
): Promise<RefundProgress> {
  const { activities: does, key } = run
  switch (submitted.kind) {
    case 'taken':
      return await recordWeChatAnswer(run, submitted)
    case 'unsent':
      return await applyRefundRecorded(
        run,
        await does.contested.recordRefundRefused({ refund: key, failure: submitted.failure }),
      )
    case 'refused':
      return await proveRefusal(run, submitted.failure)
    case 'not_enough': {
      const { next_time } = submitted
      const current = await does.records.noteNotEnough({ refund: key, next_time })
      const wait_ms = milliseconds(next_time) - Date.now()
      await waitWithin(wait_ms, () => !run.inbox.isEmpty, timer_texts.not_enough)
      return current
    }
    case 'state':
      return await reloadRefund(run, refund)
  }
}

/**
 * A refusal is believed when WeChat, asked a minute later, does not know the number. Nothing may shorten the minute.
 */
async function proveRefusal(run: RefundRun, failure: { code: string; message: string }): Promise<RefundProgress> {
  const { activities: does, key } = run
  await waitWithin(run.policy.refund.proof_ms, () => false, timer_texts.refund_proof)
  const says = await does.prove({ refund: key })
  if (says.kind === 'found') return await recordWeChatAnswer(run, says)
  return await applyRefundRecorded(run, await does.contested.recordRefundRefused({ refund: key, failure }))
}

/** Taken by WeChat: asked by plan until it has ended. A notification only wakes. */
export async function awaitOutcome(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  const says = await runUntilInterrupted(run, () => run.activities.poll({ refund: run.key }))
  if (says === null) return refund
  return says.kind === 'found' ? await recordWeChatAnswer(run, says) : await reloadRefund(run, refund)
}

async function applyQueryAnswer(
  run: RefundRun,
  refund: RefundProgress,
  says: RefundQueryOutcome,
): Promise<RefundProgress> {
  return says.kind === 'found' ? await recordWeChatAnswer(run, says) : refund
}

async function recordWeChatAnswer(run: RefundRun, says: RefundAnswerFound): Promise<RefundProgress> {
  return await applyRefundRecorded(
    run,
    await run.activities.contested.recordRefundAnswer({ refund: run.key, ...answerFound(says) }),
  )
}

/** The record moved without this run, as after a reset: go on from what it says now. */
async function reloadRefund(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  const loaded = await run.activities.records.loadRefund(run.key)
  return loaded.refund ?? refund
}

export function takeRefundItem(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  return takeItem(run, refund, handleRefundItem)
}

async function handleRefundItem(run: RefundRun, refund: RefundProgress, item: RefundItem): Promise<RefundProgress> {
  switch (item.kind) {
    case 'news':
      return await takeNews(run, refund, item)
    case 'check':
      return await takeCheck(run, refund)
    case 'approval':
      return await takeApproval(run, item.asked)
    case 'abnormal':
      return await takeAbnormal(run, refund, item.asked)
    case 'payout':
      return await takePayout(run, item.asked)
  }
}

/** A notification says that something changed; a query says what. What is told of an ended refund adds nothing. */
async function takeNews(
  run: RefundRun,
  refund: RefundProgress,
  item: RefundItem & { kind: 'news' },
): Promise<RefundProgress> {
  // A refusal too: WeChat's word that it made the refund after all goes before what we took for proven.
  const can_change = ['processing', 'abnormal', 'refused'].includes(refund.state)
  const says = can_change ? await run.activities.prove({ refund: run.key }) : null
  const current = says === null ? refund : await applyQueryAnswer(run, refund, says)
  const outcome = current.revision > refund.revision ? 'applied' : 'linked'
  const settled = await run.activities.records.settleNews({ refund: run.key, found: item.found, outcome })
  return settled === 'ask' ? await takeReversal(run, current, item) : current
}

/** The payer's bank sent back what had succeeded, says a notification: WeChat is asked, and what it says moves the book. */
async function takeReversal(
  run: RefundRun,
  refund: RefundProgress,
  { found }: RefundItem & { kind: 'news' },
): Promise<RefundProgress> {
  const current = await applyQueryAnswer(run, refund, await run.activities.prove({ refund: run.key }))
  const outcome = current.revision > refund.revision ? 'applied' : 'linked'
  await run.activities.records.settleNews({ refund: run.key, found, outcome, is_asked: true })
  return current
}

/** One extra question. When it fails nothing is lost: the plan goes on, and whoever asked reads the last answer. */
async function takeCheck(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  try {
    return await applyQueryAnswer(run, refund, await run.activities.ask({ refund: run.key }))
  } catch (failure) {
    if (!(failure instanceof ActivityFailure)) throw failure
    log.info('a question on request was not answered', { refund: run.key.out_refund_no })
    return refund
  }
}

async function takeApproval(
  run: RefundRun,
  asked: PendingCommand<RefundApproval, RefundAnswer>,
): Promise<RefundProgress> {
  const recorded = await run.activities.contested.recordApproval({ refund: run.key, ...asked.command })
  const current = await applyRefundRecorded(run, recorded)
  asked.reply = recorded.outcome === 'illegal' ? approvalRefusal(current) : refundStateReply(current)
  return current
}

/** The requester may not decide, and what was decided stays decided. */
function approvalRefusal({ state }: RefundProgress): RefundAnswer {
  const code = state === 'awaiting_approval' ? 'approver_is_requester' : 'already_decided'
  return { kind: 'refused', code, state }
}

async function takeAbnormal(
  run: RefundRun,
  refund: RefundProgress,
  asked: PendingCommand<AbnormalHandling, RefundAnswer>,
): Promise<RefundProgress> {
  const handled = await run.activities.handleAbnormal({ refund: run.key, ...asked.command })
  const current = handled.kind === 'taken' ? await recordWeChatAnswer(run, handled) : refund
  asked.reply =
    handled.kind === 'taken'
      ? refundStateReply(current)
      : {
          kind: 'refused',
          code: handled.kind === 'refused' ? 'wechat_refused' : 'refund_state',
          state: current.state,
          ...(handled.kind === 'refused' && { wechat: handled.wechat }),
        }
  return current
}

async function takePayout(run: RefundRun, asked: PendingCommand<PayoutCommand, RefundAnswer>): Promise<RefundProgress> {
  const recorded = await run.activities.contested.recordPayout({ refund: run.key, ...asked.command })
  const current = await applyRefundRecorded(run, recorded)
  const is_payable =
    current.state === 'refused' || current.state === 'closed' || current.state === 'returned_to_merchant'
  const code = is_payable ? 'refund_exceeds_payment' : 'refund_state'
  asked.reply =
    recorded.outcome === 'illegal' ? { kind: 'refused', code, state: current.state } : refundStateReply(current)
  return current
}

function refundStateReply(refund: RefundProgress): RefundAnswer {
  return { kind: 'state', state: refund.state, revision: refund.revision }
}
