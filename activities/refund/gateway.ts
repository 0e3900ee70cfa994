import { cancellationSignal } from '@temporalio/activity'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { AbnormalHandling } from '../../domain/messages.ts'
import { limitRefusal } from '../../domain/payment/record.ts'
import { nextRefundQueryDelay, retryDelay } from '../../domain/policy.ts'
import { isRefundResting, numberAtWeChat } from '../../domain/refund/record.ts'
import type { RefundFailure, RefundRecord, RefundState, RefundStep } from '../../domain/refund/record.ts'
import type { WeChatAccount } from '../../wechat/accounts.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import { paymentFact, queryOrder, queryTransaction } from '../../wechat/payments.ts'
import { applyAbnormalRefund, createRefund, queryRefund, refundStanding } from '../../wechat/refunds.ts'
import type { RefundStanding, WeChatRefund, WeChatRefundAnswer } from '../../wechat/refunds.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { archiveQueryAnswer, archiveRefundAnswer } from '../evidence.ts'
import { againFailure, callFailure } from '../failure.ts'
import { liftUnreachable, noteFailedCall, planStep, requireAccount } from '../gateway.ts'
import type { GatewayContext, WaitingRecord } from '../gateway.ts'
import { watchSetups } from '../setup.ts'
import { assertWritableAnswer, flagUnwritableAnswer, isWritableAnswer } from './judgement.ts'
import { acceptedAtMs, requireRefund } from './record.ts'

export type RefundGatewayActivities = ReturnType<typeof createRefundGateway>

type RefundCall = { refund: RefundKey }

/** RefundAnswerFound names what WeChat answered. `asked_time`: when it was asked; absent in older histories. */
export interface RefundAnswerFound {
  evidence_id: string
  asked_time?: Time
}

export type SubmissionOutcome =
  | ({ kind: 'taken' } & RefundAnswerFound)
  /** WeChat said no; believed once a query, a while later, knows no refund of ours under the number */
  | { kind: 'refused'; failure: RefundFailure }
  /** a limit of WeChat's was reached before anything was sent */
  | { kind: 'unsent'; failure: RefundFailure }
  | { kind: 'not_enough'; next_time: string }
  /** the record says that this step no longer fits: nothing was sent */
  | { kind: 'state'; state: RefundState }

export type RefundQueryOutcome =
  | ({ kind: 'found' } & RefundAnswerFound)
  | { kind: 'not_found' }
  /** what is known already, or asked a moment ago */
  | { kind: 'nothing_new' }

export type AbnormalHandlingOutcome =
  ({ kind: 'taken' } & RefundAnswerFound) | { kind: 'refused'; wechat: RefundFailure } | { kind: 'state' }

/**
 * Makes the activities that call WeChat Pay about refunds. Each reads the record first, and their retries are the waits. A
 * refund whose sending was not answered is sent again only after a query that does not know it.
 */
export function createRefundGateway(base: ActivityContext) {
  const context: GatewayContext = { ...base, setups: watchSetups(base) }
  return {
    submitRefund: (call: RefundCall) => submitRefund(context, call),
    pollRefund: (call: RefundCall) => pollRefund(context, call),
    askRefund: (call: RefundCall) => askRefund(context, call),
    askRefundUntilAnswered: (call: RefundCall) => askUntilAnswered(context, call),
    handleAbnormal: (call: RefundCall & AbnormalHandling) => handleAbnormal(context, call),
    findPaymentOf: (call: RefundCall) => findPaymentOf(context, call),
  }
}

/** Sends the frozen request, once the payment's minute is ours. */
async function submitRefund(context: GatewayContext, { refund: key }: RefundCall): Promise<SubmissionOutcome> {
  const { store, policy, now } = context
  const refund = await requireRefund(context, key)
  const { wechat_request } = refund
  if (refund.state !== 'processing' || refund.facts !== null || wechat_request === null)
    return { kind: 'state', state: refund.state }
  const account = await requireAccount(context, key)
  if (refund.submission.unanswered) {
    const known = await archiveRefundQuery(context, refund, account, 'submit')
    if (known !== null) return { kind: 'taken', ...(await writableAnswer(context, refund, known)) }
    // Not taken, says a definite answer: what follows is a first sending again.
    await store.refunds.noteSubmission(key, 'processing', { ...refund.submission, unanswered: false })
  }
  const limit = await findReachedLimit(context, refund)
  // What was sent before may have been taken, whatever a query that lags behind says: then it is proven like a refusal.
  if (limit !== null) return { kind: refund.submission.attempts > 0 ? 'refused' : 'unsent', failure: limit }
  if (!(await store.payments.claimRefundMinute(refund, now(), policy.refund.spacing_ms))) {
    const delay_ms = await spacingDelay(context, refund)
    const reason = 'another refund of this payment has the minute'
    throw await planStep(context, waitingRefund(context, refund), { what: 'submit', delay_ms, reason })
  }
  const attempts = refund.submission.attempts + 1
  const last_attempt_time = currentTime(context)
  const begun_time = refund.submission.begun_time ?? last_attempt_time
  const attempt = { attempts, unanswered: true, last_attempt_time, begun_time }
  if (!(await store.refunds.noteSubmission(key, 'processing', attempt)))
    return { kind: 'state', state: (await requireRefund(context, key)).state }
  try {
    const answer = await createRefund(account.client.transport, wechat_request, cancellationSignal())
    await context.setups.noteWorking(key.mchid)
    const kept = await keepAnswer(context, key, answer, last_attempt_time)
    return { kind: 'taken', ...(await writableAnswer(context, refund, kept)) }
  } catch (error) {
    return await handleFailedSubmission(context, refund, attempt, error)
  }
}

/** Tells what a failed sending means: a word to be proven, a balance to be filled, or the same again after a query. */
async function handleFailedSubmission(
  context: GatewayContext,
  refund: RefundRecord,
  attempt: RefundRecord['submission'],
  error: unknown,
): Promise<SubmissionOutcome> {
  const { store, policy, now } = context
  if (!(error instanceof WeChatPayError)) throw error
  const is_definite = !error.outcome_unknown
  const is_short = is_definite && error.kind === 'not_enough'
  const refusal = error.kind === 'refused' ? refundFailure(error) : null
  if (is_definite) {
    // Money that is not there is waited for; what comes then begins anew.
    const { begun_time: _, ...anew } = attempt
    const sent = is_short ? anew : attempt
    const answered = { ...sent, unanswered: false, ...(refusal !== null && { refusal }) }
    await store.refunds.noteSubmission(refund, 'processing', answered)
  }
  if (is_short) {
    return { kind: 'not_enough', next_time: beijingTime(now() + policy.refund.not_enough_ms) }
  }
  if (is_definite && refusal !== null) return { kind: 'refused', failure: refusal }
  const delay_ms = retryDelay(policy.refund.submit_retry_ms, attempt.attempts)
  throw await failedCall(context, { ...refund, submission: attempt }, 'submit', error, delay_ms)
}

function refundFailure(error: WeChatPayError): RefundFailure {
  return { code: error.code ?? String(error.status), message: error.wechat_message ?? '', status: error.status }
}

/** Looks at count and age once more, since both may have changed while this refund waited. */
async function findReachedLimit({ store, now }: GatewayContext, refund: RefundRecord): Promise<RefundFailure | null> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  if (payment === null) throw againFailure(`payment ${refund.transaction_id} is not in the database; restore it`)
  const others = payment.refunds.filter(({ out_refund_no }) => out_refund_no !== refund.out_refund_no)
  const code = limitRefusal({ ...payment, refunds: others }, now())
  return code && { code, message: 'reached while the refund waited to be sent' }
}

async function spacingDelay({ store, policy, now }: GatewayContext, refund: RefundRecord): Promise<number> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  const last_ms = payment?.last_refund_time ? milliseconds(payment.last_refund_time) : now()
  // The waits are spread, so that those who wait for one minute do not all come for it at its end.
  return Math.max(1, last_ms + policy.refund.spacing_ms - now()) + Math.random() * policy.refund.spacing_ms * 0.05
}

/** Asks by plan until WeChat says something new of the refund. The plan counts from its acceptance. */
async function pollRefund(context: GatewayContext, { refund: key }: RefundCall): Promise<RefundQueryOutcome> {
  const refund = await requireRefund(context, key)
  if (refund.state !== 'processing' && refund.state !== 'abnormal') return { kind: 'nothing_new' }
  const wait_ms = queryDelay(context, refund)
  const waiting = waitingRefund(context, refund)
  const reason = 'the refund has not ended yet'
  if (wait_ms > 0) throw await planStep(context, waiting, { what: 'ask_wechat', delay_ms: wait_ms, reason })
  const outcome = await queryForNews(context, refund)
  if (outcome.kind === 'found') return outcome
  await liftUnreachable(waiting)
  await noteSlowRefund(context, refund)
  const delay_ms = nextQueryDelay(context, refund, context.now())
  throw await planStep(context, waiting, { what: 'ask_wechat', delay_ms, reason })
}

/** Asks WeChat once, because somebody wants to know now; at most once per `query_on_request_ms`. */
async function askRefund(context: GatewayContext, { refund: key }: RefundCall): Promise<RefundQueryOutcome> {
  const refund = await requireRefund(context, key)
  const last_ms = refund.asked.last_time ? milliseconds(refund.asked.last_time) : 0
  if (context.now() - last_ms < context.policy.query_on_request_ms) return { kind: 'nothing_new' }
  return await queryForNews(context, refund)
}

/**
 * Asks WeChat until it has answered, since the answer decides what happens next. Needs no record. Of a refund that has
 * ended too: it was made after all, or past Weft, or came back.
 */
async function askUntilAnswered(context: GatewayContext, { refund: key }: RefundCall): Promise<RefundQueryOutcome> {
  const refund = await context.store.refunds.find(key)
  if (refund !== null) {
    const says = await queryForNews(context, refund)
    if (says.kind === 'not_found' && refund.submission.refusal !== undefined) await askAboutPayment(context, refund)
    return says
  }
  const account = await requireAccount(context, key)
  const asked_time = currentTime(context)
  const answer = await queryRefund(account.client.transport, key, cancellationSignal()).catch(askAgainIn(context))
  if (answer.kind === 'not_found') return { kind: 'not_found' }
  const { found } = await keepAnswer(context, key, answer, asked_time)
  return { kind: 'found', ...found }
}

/**
 * Asks about the payment of a refund that WeChat has refused, since money may have gone back outside Weft. By the payment's
 * own id: of several payments an order's number tells the first. What says so is kept as evidence of this very refusal, and
 * handed to the order's run, which tells a person (activities/order/payment): the same word may have been heard before,
 * of another refund, and then nobody would look at it again.
 */
async function askAboutPayment(context: GatewayContext, refund: RefundRecord): Promise<void> {
  const account = await requireAccount(context, refund)
  try {
    const answer = await queryTransaction(account.client.transport, refund, cancellationSignal())
    if (answer.kind === 'found' && answer.transaction.trade_state === 'REFUND')
      await archiveQueryAnswer(context, refund, answer, refund.out_refund_no)
  } catch (error) {
    if (!(error instanceof WeChatPayError)) throw error
    throw await failedCall(context, refund, 'ask_wechat', error, retryDelay(context.policy.refund.submit_retry_ms, 3))
  }
}

/** Says where the money of an abnormal refund shall go instead. Somebody waits for the answer, so a refusal is one. */
async function handleAbnormal(
  context: GatewayContext,
  given: RefundCall & AbnormalHandling,
): Promise<AbnormalHandlingOutcome> {
  const { refund: key, type, bank_type, bank_account, real_name, serial_no } = given
  const refund = await requireRefund(context, key)
  if (refund.state !== 'abnormal' || refund.facts === null) return { kind: 'state' }
  const account = await requireAccount(context, key)
  const request = { out_refund_no: numberAtWeChat(refund), type, bank_type, bank_account, real_name }
  const { refund_id } = refund.facts
  const { transport } = account.client
  const asked_time = currentTime(context)
  try {
    const answer = await applyAbnormalRefund(transport, refund_id, request, serial_no, cancellationSignal())
    const { found, said } = await keepAnswer(context, key, answer, asked_time)
    if (isWritableAnswer(refund, said)) return { kind: 'taken', ...found }
    // WeChat has taken it: asked for again, it would be handed the payer's account once more. The next query tells.
    await flagUnwritableAnswer(context, refund, said, found.evidence_id)
    return { kind: 'state' }
  } catch (error) {
    if (!(error instanceof WeChatPayError)) throw error
    if (error.kind === 'refused') return { kind: 'refused', wechat: refundFailure(error) }
    throw await failedCall(context, refund, 'ask_wechat', error, retryDelay(context.policy.place_retry_ms, 2))
  }
}

/** Throws, for a question that failed about a number without a record, the failure that says when it is asked again. */
function askAgainIn({ policy }: GatewayContext): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof WeChatPayError)) throw error
    throw againFailure(error.message, error.delay_ms ?? policy.setup_retry_ms)
  }
}

/** Asks WeChat for the payment that a refund made outside speaks of, and keeps the answer for its order's run. */
async function findPaymentOf(
  context: GatewayContext,
  { refund: key }: RefundCall,
): Promise<{ out_trade_no: string; evidence_id: string } | null> {
  const { transport } = (await requireAccount(context, key)).client
  const answer = await queryRefund(transport, key, cancellationSignal()).catch(askAgainIn(context))
  if (answer.kind === 'not_found') return null
  const order = { mchid: key.mchid, out_trade_no: answer.refund.out_trade_no }
  const payment = await queryOrder(transport, order, cancellationSignal()).catch(askAgainIn(context))
  if (payment.kind === 'not_found' || paymentFact(payment.transaction).transaction_id === null) return null
  return { out_trade_no: order.out_trade_no, evidence_id: (await archiveQueryAnswer(context, order, payment))._id }
}

/** Asks WeChat; only what says something new of the refund is `found`. */
async function queryForNews(context: GatewayContext, refund: RefundRecord): Promise<RefundQueryOutcome> {
  const account = await requireAccount(context, refund)
  const answer = await archiveRefundQuery(context, refund, account, 'ask_wechat')
  await context.store.refunds.noteAsked(refund, currentTime(context))
  if (answer === null) return { kind: 'not_found' }
  if (isNews(refund, answer.said)) return { kind: 'found', ...(await writableAnswer(context, refund, answer)) }
  if (isWritableAnswer(refund, answer.said)) await noteKnownAnswer(context, refund, answer)
  return { kind: 'nothing_new' }
}

/** Notes that WeChat says rightly what is known: it confirms that, and what was said of a wrong answer before is over. */
async function noteKnownAnswer({ store }: GatewayContext, refund: RefundRecord, { found, said }: KeptAnswer) {
  if (refund.attention?.code === 'evidence_unapplied') await store.refunds.liftUnwritable(refund)
  if (confirming_status[refund.state] === said.status) await store.refunds.noteConfirmed(refund, found.asked_time)
}

/** In each state, the status by which WeChat says once more what is known; any other word is an older one. */
const confirming_status: Partial<Record<RefundState, WeChatRefund['status']>> = {
  processing: 'PROCESSING',
  abnormal: 'ABNORMAL',
  succeeded: 'SUCCESS',
}

/**
 * Whether WeChat's status changes the refund: one in processing that is PROCESSING, or abnormal and ABNORMAL, is no news;
 * of one that succeeded only that the money came back is. What was closed, or went to the merchant's own account, no word
 * moves: a person hears of one that says otherwise (activities/refund/news).
 */
function isNews({ state, facts }: RefundRecord, said: WeChatRefund): boolean {
  const { status } = said
  if (facts === null) return true
  if (state === 'succeeded') return reversals.includes(refundStanding(said))
  if (state === 'closed' || state === 'returned_to_merchant') return false
  return !(state === 'processing' && status === 'PROCESSING') && !(state === 'abnormal' && status === 'ABNORMAL')
}

/** The payer, who had the money, has it no more. */
const reversals: readonly RefundStanding[] = ['ABNORMAL', 'CLOSED', 'RETURNED']

/** Archives WeChat's answer about a refund as evidence. Null: WeChat does not know the number. */
async function archiveRefundQuery(
  context: GatewayContext,
  refund: RefundRecord,
  account: WeChatAccount,
  step: RefundStep,
): Promise<KeptAnswer | null> {
  const asked_time = currentTime(context)
  try {
    const number = { out_refund_no: numberAtWeChat(refund) }
    const answer = await queryRefund(account.client.transport, number, cancellationSignal())
    await context.setups.noteWorking(refund.mchid)
    if (answer.kind === 'not_found') return null
    return await keepAnswer(context, refund, answer, asked_time)
  } catch (error) {
    if (!(error instanceof WeChatPayError)) throw error
    throw await failedCall(context, refund, step, error, retryDelay(context.policy.refund.submit_retry_ms, 3))
  }
}

/**
 * Keeps an answer as evidence. The moment of the question goes along, since the same words of WeChat's, said again, are the
 * same evidence.
 */
async function keepAnswer(
  context: GatewayContext,
  key: RefundKey,
  answer: WeChatRefundAnswer,
  asked_time: Time,
): Promise<KeptAnswer> {
  const { _id: evidence_id } = await archiveRefundAnswer(context, key, answer)
  return { found: { evidence_id, asked_time }, said: answer.refund }
}

/** KeptAnswer is what WeChat said of a refund, and the evidence of it. */
interface KeptAnswer {
  found: Required<RefundAnswerFound>
  said: WeChatRefund
}

/** The evidence of an answer to be written down. Throws where it cannot be: it is asked for again, and a person is called. */
async function writableAnswer(
  context: GatewayContext,
  refund: RefundRecord,
  { found, said }: KeptAnswer,
): Promise<Required<RefundAnswerFound>> {
  await assertWritableAnswer(context, refund, said, found.evidence_id)
  return found
}

function queryDelay(context: GatewayContext, refund: RefundRecord): number {
  const taken_ms = acceptedAtMs(context, refund)
  if (refund.facts === null) return 0
  const asked_ms = refund.asked.last_time ? Math.max(milliseconds(refund.asked.last_time), taken_ms) : taken_ms
  return Math.max(0, asked_ms + nextQueryDelay(context, refund, asked_ms) - context.now())
}

function nextQueryDelay(context: GatewayContext, refund: RefundRecord, at_ms: number): number {
  const elapsed_ms = Math.max(0, at_ms - acceptedAtMs(context, refund))
  return nextRefundQueryDelay(context.policy, elapsed_ms, refund.state === 'abnormal')
}

/** Calls a person when a refund has had days without an end: they ask WeChat Pay. */
async function noteSlowRefund(context: GatewayContext, refund: RefundRecord): Promise<void> {
  const { store, policy, now } = context
  if (refund.state !== 'processing' || now() - acceptedAtMs(context, refund) < policy.attention_ms.refund_slow) return
  await store.refunds.noteAttention(refund, 'processing', { code: 'refund_slow', since_time: currentTime(context) })
}

function waitingRefund({ store }: GatewayContext, refund: RefundRecord): WaitingRecord<RefundStep> {
  return {
    mchid: refund.mchid,
    numbers: { out_refund_no: refund.out_refund_no },
    attention: refund.attention,
    is_resting: isRefundResting(refund.state),
    noteNextAction: (next_action) => store.refunds.noteNextAction(refund, refund.state, next_action),
    noteAttention: (attention) => store.refunds.noteAttention(refund, refund.state, attention),
  }
}

/** Answers what a failed call is retried with. */
async function failedCall(
  context: GatewayContext,
  refund: RefundRecord,
  step: RefundStep,
  error: WeChatPayError,
  delay_ms: number,
): Promise<Error> {
  const begun = refund.timeline.at(-1)?.time ?? refund.create_time
  // That WeChat answers questions does not mean that it takes the refund: whoever asks must not put the alarm off.
  const since_time = step === 'submit' ? (refund.submission.begun_time ?? begun) : (refund.asked.last_time ?? begun)
  const attention = 'wechat_unreachable'
  const patience_ms = context.policy.attention_ms[attention]
  const failed = { error, step, delay_ms, since_time, attention, patience_ms } as const
  return callFailure(error, await noteFailedCall(context, waitingRefund(context, refund), failed))
}
