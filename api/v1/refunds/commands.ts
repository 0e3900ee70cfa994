import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { milliseconds } from '../../../domain/calendar.ts'
import type { RefundKey } from '../../../domain/ids.ts'
import { unknown_order } from '../../../domain/ids.ts'
import type { AbnormalHandling, Command } from '../../../domain/messages.ts'
import { needsSecondPerson } from '../../../domain/payment/record.ts'
import type { RefundRecord, RefundState } from '../../../domain/refund/record.ts'
import { WeChatPayError } from '../../../wechat/errors.ts'
import { encryptFields } from '../../../wechat/sensitive.ts'
import { authorise, callerActor } from '../../http/authentication.ts'
import type { Caller } from '../../http/authentication.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import type { RefundOutcome } from '../../temporal/commands.ts'
import type { Question } from '../../temporal/question.ts'
import { check_limit_ms, readAfterEffect, readUntil } from '../../temporal/wait.ts'
import { isPlainText, isReadable, isWeChatText, request_reason, wechatText } from '../shapes.ts'
import { exceedsPaymentProblem } from './endpoints.ts'
import {
  readRefundUntil,
  refund_params,
  refund_with_timeline,
  refundStateProblem,
  refundWithTimeline,
  requireRefund,
} from './shape.ts'

/** Commands about a refund that is under way, or that ended without the payer having the money. */

type RefundParams = z.output<typeof refund_params>

const refund_response = { description: 'the refund as it is now', schema: refund_with_timeline }

function callersRefund({ context, caller, params }: Pick<EndpointCall<RefundParams>, 'context' | 'caller' | 'params'>) {
  return requireRefund(context, { mchid: caller.mchid, out_refund_no: params.out_refund_no })
}

/** The problem for a command that came to nothing. `current` is the record as it is after the command. */
async function refusalProblem(
  { store }: Pick<ApiContext, 'store'>,
  outcome: RefundOutcome,
  current: RefundRecord,
  allowed: readonly RefundState[],
): Promise<Problem> {
  if (outcome === 'unavailable') return unavailableProblem('temporal')
  // No worker took the command in time, so it is not recorded, and a 2xx would promise what may not happen.
  if (outcome === 'timeout') return unavailableProblem('workers')
  if (outcome.kind === 'state') return refundStateProblem(current, allowed)
  switch (outcome.code) {
    case 'refund_exceeds_payment':
      return exceedsPaymentProblem(current, await store.payments.find(current.mchid, current.transaction_id))
    case 'wechat_refused': {
      const { code, message, status = null } = outcome.wechat ?? { code: '–', message: '–' }
      return new Problem('wechat_refused', { values: { code, message }, wechat: { status, code, message } })
    }
    case 'already_decided':
      return alreadyDecidedProblem(current)
    case 'refund_state':
      return refundStateProblem(current, allowed)
    case 'approver_is_requester':
      return new Problem('approver_is_requester')
  }
}

function alreadyDecidedProblem({ approval, payout, state }: RefundRecord): Problem {
  const result = payout?.proof ?? approval?.decision ?? state
  return new Problem('already_decided', { values: { result, reason: payout?.reason ?? approval?.reason ?? '–' } })
}

/** Nobody has sent it: WeChat has nothing of ours to tell of. What has ended it may tell of otherwise than we know. */
const unsent_states: readonly RefundState[] = ['created', 'awaiting_approval']

const checkRefund = declareEndpoint({
  name: 'checkRefund',
  method: 'POST',
  path: '/v1/refunds/{out_refund_no}/check',
  scope: 'refunds:write',
  summary: 'Ask WeChat Pay now',
  description:
    'At most one question per 5 s and refund; otherwise the last answer, see last_check_time. A number that Weft does ' +
    'not know is asked about too: a refund made in WeChat Pay’s console is then taken in, with origin “outside”.',
  params: refund_params,
  responses: { 200: refund_response },
  problems: ['not_found'],
  async handle(call) {
    const refund = await call.context.store.refunds.find({ mchid: call.caller.mchid, ...call.params })
    const asked = refund === null ? await adoptOutsideRefund(call) : await checkRefundNow(call.context, refund)
    return { status: 200, body: refundWithTimeline(asked) }
  },
})

/** Takes in a refund that WeChat Pay knows and Weft does not. Throws `not_found`, TemporalUnavailable. */
async function adoptOutsideRefund({ context, caller, params }: EndpointCall<RefundParams>): Promise<RefundRecord> {
  const key = { mchid: caller.mchid, out_refund_no: params.out_refund_no }
  const find = () => context.store.refunds.find(key)
  const refund = await context.questions.put(refundQuestion(context, key, 'stranger'), async () => {
    await context.commands.checkRefund({ ...key, out_trade_no: unknown_order }, `check:${randomUUID()}`)
    return await readUntil(find, null, check_limit_ms, (found) => found !== null)
  })
  if (refund === null) throw new Problem('not_found')
  return refund
}

async function checkRefundNow(context: ApiContext, refund: RefundRecord): Promise<RefundRecord> {
  const { last_time } = refund.asked
  const is_recent = last_time !== null && context.now() - milliseconds(last_time) < context.policy.query_on_request_ms
  if (is_recent || unsent_states.includes(refund.state)) return refund
  const asked = await context.questions.put(refundQuestion(context, refund, 'merchant'), async () => {
    await context.commands.checkRefund(refund, `check:${randomUUID()}`)
    return await readRefundUntil(
      context,
      refund,
      check_limit_ms,
      (read) => read.asked.last_time !== last_time || read.revision !== refund.revision,
    )
  })
  if (asked === null) return refund
  return asked.revision === refund.revision
    ? await readAfterEffect(context, asked, (key) => context.store.refunds.find(key))
    : asked
}

function refundQuestion(
  { policy }: Pick<ApiContext, 'policy'>,
  { mchid, out_refund_no }: RefundKey,
  asked_by: Question['asked_by'],
): Question {
  return { subject: `refund:${mchid}/${out_refund_no}`, mchid, every_ms: policy.query_on_request_ms, asked_by }
}

const approval_request = z
  .strictObject({ decision: z.enum(['approve', 'reject']), reason: request_reason })
  .meta({ id: 'ApprovalRequest' })
type ApprovalRequest = z.output<typeof approval_request>

const approveRefund = declareEndpoint({
  name: 'approveRefund',
  method: 'POST',
  path: '/v1/refunds/{out_refund_no}/approval',
  scope: 'refunds:approve',
  summary: 'Let a refund go, or not',
  description:
    'A refund above the merchant’s refund_approval limit waits for a second person: never for the key that asked for ' +
    'it. Decided once: the same answer again is 200, another one 409.',
  params: refund_params,
  body: approval_request,
  responses: { 200: refund_response },
  problems: ['not_found', 'approver_is_requester', 'already_decided', 'refund_state'],
  handle: approve,
})

async function approve(call: EndpointCall<RefundParams, unknown, ApprovalRequest>): Promise<HttpReply> {
  const { context, caller, body } = call
  const refund = await callersRefund(call)
  if (refund.requested_by.id === caller.key.id) throw new Problem('approver_is_requester')
  if (isApproved(refund, body.decision)) return { status: 200, body: refundWithTimeline(refund) }
  const outcome = await context.commands.approve(refund, {
    // Derived from who decides: what was refused to one person is not yet refused to another.
    operation_id: `approval:${body.decision}:${caller.key.id}`,
    actor: callerActor(caller),
    reason: body.reason,
    decision: body.decision,
  })
  const current = await callersRefund(call)
  if (isApproved(current, body.decision)) return { status: 200, body: refundWithTimeline(current) }
  throw await refusalProblem(context, outcome, current, ['awaiting_approval'])
}

/** True: decided as asked. False: still open. Throws `already_decided` when decided otherwise, else `refund_state`. */
function isApproved(refund: RefundRecord, wanted: 'approve' | 'reject'): boolean {
  const decision = refund.approval?.decision ?? null
  if (decision === wanted) return true
  if (decision !== null) throw alreadyDecidedProblem(refund)
  if (refund.state !== 'awaiting_approval') throw refundStateProblem(refund, ['awaiting_approval'])
  return false
}

const abnormal_request = z
  .strictObject({
    type: z.enum(['USER_BANK_CARD', 'MERCHANT_BANK_CARD']).meta({
      description: 'to a bank card of the payer’s, or to the merchant’s own account, to be paid by hand from there',
    }),
    bank_type: wechatText(16).nullish().meta({
      description: 'WeChat Pay’s code of the bank, such as ICBC_DEBIT; of the payer’s card only, as the two below',
    }),
    bank_account: z
      .string()
      .regex(/^[0-9 -]{6,40}$/, 'bank_account')
      .nullish()
      .meta({ description: 'encrypted for WeChat Pay at once; never kept, never logged' }),
    real_name: z
      .string()
      .min(1)
      .max(60)
      .refine(isWeChatText, 'wechat_text')
      .nullish()
      .meta({ description: 'of the card’s owner; encrypted for WeChat Pay at once; never kept, never logged' }),
    reason: request_reason.nullish(),
  })
  .refine(namesTheCard, { message: 'payers_card', path: ['type'] })
  .meta({ id: 'AbnormalRequest' })
type AbnormalRequest = z.output<typeof abnormal_request>

/** True when all three card fields are given for the payer's card, and none of them for the merchant's account. */
function namesTheCard(wanted: Record<'type', string> & Record<string, unknown>): boolean {
  const given = ['bank_type', 'bank_account', 'real_name'].filter((name) => Boolean(wanted[name]))
  return given.length === (wanted.type === 'USER_BANK_CARD' ? 3 : 0)
}

const handleAbnormal = declareEndpoint({
  name: 'handleAbnormalRefund',
  method: 'POST',
  path: '/v1/refunds/{out_refund_no}/abnormal',
  scope: 'refunds:write',
  summary: 'Name another way for a refund that the payer’s account does not take',
  description:
    'Where what goes back of the payment is above the merchant’s refund_approval, of a payment or of a day, another card ' +
    'is named by a second person: a key with refunds:approve, never the one that asked for the refund.',
  params: refund_params,
  body: abnormal_request,
  responses: { 200: refund_response },
  problems: ['not_found', 'approver_is_requester', 'refund_state', 'wechat_refused', 'merchant_not_ready'],
  handle: sendElsewhere,
})

async function sendElsewhere(call: EndpointCall<RefundParams, unknown, AbnormalRequest>): Promise<HttpReply> {
  const { context, caller, body } = call
  const refund = await callersRefund(call)
  if (refund.state !== 'abnormal') throw refundStateProblem(refund, ['abnormal'])
  if (body.type === 'USER_BANK_CARD') await assertMayNameAccount(call, refund)
  const outcome = await context.commands.handleAbnormal(refund, {
    ...newCommand(caller, 'abnormal', body.reason ?? null),
    type: body.type,
    bank_type: body.bank_type ?? null,
    ...(await encryptCard(context, caller.mchid, body)),
  })
  const current = await callersRefund(call)
  if (typeof outcome === 'object' && (outcome.kind === 'state' || isTakenUnclearly(outcome.code, current)))
    return { status: 200, body: refundWithTimeline(current) }
  throw await refusalProblem(context, outcome, current, ['abnormal'])
}

/** Whether WeChat has taken the account and answered as if of another refund: who is refused would send it once more. */
function isTakenUnclearly(code: string, { state, attention }: RefundRecord): boolean {
  return code === 'refund_state' && state === 'abnormal' && attention?.code === 'evidence_unapplied'
}

/**
 * Above the merchant's limit another account is named by a second person: one who may approve refunds, and who did not
 * ask for this one. Throws `approver_is_requester`, `forbidden`.
 */
async function assertMayNameAccount(
  { context: { store }, caller }: Pick<EndpointCall, 'context' | 'caller'>,
  { mchid, out_refund_no, transaction_id, requested_by }: RefundRecord,
): Promise<void> {
  const [merchant, payment] = await Promise.all([
    store.merchants.find(mchid),
    store.payments.find(mchid, transaction_id),
  ])
  const approval_limits = merchant?.settings.refund_approval ?? null
  if (payment === null || !needsSecondPerson(payment, out_refund_no, approval_limits)) return
  if (requested_by.id === caller.key.id) throw new Problem('approver_is_requester')
  authorise(caller, 'refunds:approve')
}

/**
 * Encrypts the card's fields, so that only WeChat Pay can read them. Throws `merchant_not_ready`, and `unavailable`
 * (wechat) when there is no key to encrypt with.
 */
async function encryptCard(
  { accounts }: ApiContext,
  mchid: string,
  { bank_account, real_name }: AbnormalRequest,
): Promise<Pick<AbnormalHandling, 'bank_account' | 'real_name' | 'serial_no'>> {
  const account = await accounts.find(mchid)
  if (account === null) throw new Problem('merchant_not_ready', { values: { mchid } })
  const plain = { ...(bank_account && { bank_account }), ...(real_name && { real_name }) }
  try {
    const { serial, fields } = await encryptFields<string>(account.client.keyring, 'abnormal_refund', plain)
    return {
      bank_account: fields['bank_account'] ?? null,
      real_name: fields['real_name'] ?? null,
      serial_no: serial,
    }
  } catch (error) {
    // Only certificates that cannot be fetched: what is encrypted is short enough by its schema.
    if (error instanceof WeChatPayError) throw unavailableProblem('wechat', error)
    throw error
  }
}

const payout_request = z
  .strictObject({
    proof: z
      .string()
      .min(1)
      .max(500)
      .refine(isPlainText, 'text')
      .refine(isReadable, 'blank')
      .meta({ description: 'what shows that the payer has the money: a transfer’s number, a receipt' }),
    reason: request_reason,
  })
  .meta({ id: 'PayoutRequest' })
type PayoutRequest = z.output<typeof payout_request>

/** The states in which a refund ended without the payer having the money. */
const payable_states: readonly RefundState[] = ['closed', 'refused', 'returned_to_merchant']

const payOutRefund = declareEndpoint({
  name: 'payOutRefund',
  method: 'POST',
  path: '/v1/refunds/{out_refund_no}/payout',
  scope: 'money:write',
  summary: 'Record that the payer was paid by hand',
  description:
    'For a refund that WeChat Pay paid to the merchant, closed or refused. It is booked, and the payer is owed ' +
    'nothing more. Recorded once: the same proof again is 200, another one 409.',
  params: refund_params,
  body: payout_request,
  responses: { 200: refund_response },
  problems: ['not_found', 'refund_state', 'already_decided', 'refund_exceeds_payment'],
  handle: payOut,
})

async function payOut(call: EndpointCall<RefundParams, unknown, PayoutRequest>): Promise<HttpReply> {
  const { context, caller, body } = call
  const refund = await callersRefund(call)
  if (isPaidOut(refund, body.proof)) return { status: 200, body: refundWithTimeline(refund) }
  const payout = { ...newCommand(caller, 'payout', body.reason), proof: body.proof }
  const outcome = await context.commands.payOut(refund, payout)
  const current = await callersRefund(call)
  if (isPaidOut(current, body.proof)) return { status: 200, body: refundWithTimeline(current) }
  throw await refusalProblem(context, outcome, current, payable_states)
}

/**
 * True: recorded with this proof. False: still open. Throws `already_decided` for another proof, else `refund_state`.
 */
function isPaidOut(refund: RefundRecord, proof: string): boolean {
  if (refund.payout?.proof === proof) return true
  if (refund.payout !== null) throw alreadyDecidedProblem(refund)
  if (!payable_states.includes(refund.state)) throw refundStateProblem(refund, payable_states)
  return false
}

/** A Command with a fresh operation id per request, so that a refused command can be corrected and sent again. */
function newCommand(caller: Caller, what: string, reason: string | null): Command {
  return { operation_id: `${what}:${randomUUID()}`, actor: callerActor(caller), reason }
}

export const refund_command_endpoints: readonly Endpoint[] = [checkRefund, approveRefund, handleAbnormal, payOutRefund]
