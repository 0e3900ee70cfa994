import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  acceptanceOf,
  acceptedMatter,
  actionStates,
  asked_kinds,
  difference_actions,
} from '../../../domain/bill/acceptance.ts'
import type { DifferenceAction, Refusal } from '../../../domain/bill/acceptance.ts'
import type {
  DifferenceDeed,
  DifferenceKind,
  DifferenceOccurrence,
  DifferenceRecord,
} from '../../../domain/bill/difference.ts'
import { obstacle_texts } from '../../../domain/bill/obstacle.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { refundableAmount, reservationOf } from '../../../domain/payment/record.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import type { RefundState } from '../../../domain/refund/record.ts'
import { authorise, callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { check_limit_ms, read_limit_ms, readUntil } from '../../temporal/wait.ts'
import { create_refund_problems, createOrRepeat } from '../refunds/endpoints.ts'
import { requireRefund } from '../refunds/shape.ts'
import { fen, out_refund_no, refund_reason, request_reason } from '../shapes.ts'
import { claimOf, isAboveLimit, personFor, proposalOf } from './limit.ts'
import { acceptedPostings, preview_shape, previewOf, refundPostings } from './preview.ts'
import { difference_params, difference_shape, differenceStateProblem, replyWith, requireDifference } from './shape.ts'
import type { DifferenceParams } from './shape.ts'

const resolution_request = z
  .strictObject({
    action: z.enum(difference_actions).meta({
      description:
        'check: ask WeChat Pay now; ignore: it is understood, and nothing is to be done; reopen; refund: give the money ' +
        'of its payment back; accept_wechat: book what WeChat Pay says',
    }),
    reason: request_reason,
    preview: z.boolean().default(false).meta({ description: 'true: say what it would do, and do nothing' }),
    refund: z
      .strictObject({
        out_refund_no,
        amount: fen.nullish().meta({ description: 'fen; all that is left of the payment when absent' }),
        reason: refund_reason,
      })
      .nullish()
      .meta({ description: 'of action refund' }),
  })
  .refine(({ action, refund }) => (action === 'refund') === Boolean(refund), {
    message: 'refund_named',
    path: ['refund'],
  })
  .meta({ id: 'DifferenceResolution' })
type ResolutionRequest = z.output<typeof resolution_request>
type ResolutionCall = EndpointCall<DifferenceParams, unknown, ResolutionRequest>

const resolveDifference = declareEndpoint({
  name: 'resolveDifference',
  method: 'POST',
  path: '/v1/differences/{difference_id}/resolution',
  scope: 'money:write',
  summary: 'Does something about a difference, with the reason, or says what that would do',
  description:
    'Above the merchant’s refund_approval, accept_wechat is proposed by one key and accepted by the same request of ' +
    'another that has refunds:approve; a refund waits for its own approval. refund needs the scope refunds:write too.',
  params: difference_params,
  body: resolution_request,
  responses: {
    200: {
      description: 'the difference as it is now, or the preview',
      schema: z.union([difference_shape, preview_shape]),
    },
    202: { description: 'recorded; it is being done, or a second person has to accept', schema: difference_shape },
  },
  problems: ['difference_state', 'difference_action', 'approver_is_requester', ...create_refund_problems],
  async handle(call) {
    const difference = await requireDifference(call.context, call.caller, call.params)
    return await resolve_by_action[call.body.action](call, difference)
  },
})

const resolve_by_action: Record<
  DifferenceAction,
  (call: ResolutionCall, difference: DifferenceRecord) => Promise<HttpReply>
> = {
  check,
  ignore: (call, difference) => move(call, difference, 'ignored'),
  reopen: (call, difference) => move(call, difference, 'reopened'),
  refund,
  accept_wechat: accept,
}

function assertState({ body }: ResolutionCall, difference: DifferenceRecord): void {
  if (!actionStates(body.action).includes(difference.state)) throw differenceStateProblem(difference)
}

/** The problem `difference_action`: what is left to do, and why it is not this. */
export function actionProblem(
  { body, language }: EndpointCall<unknown, unknown, { action: DifferenceAction }>,
  kind: DifferenceKind,
  { instead, because }: Refusal,
): Problem {
  const why = obstacle_texts[because][language]
  return new Problem('difference_action', { values: { action: body.action, kind, instead, because, why } })
}

/** The same of one difference: where its state leaves nothing to do, that is what is told. */
function refusalProblem(call: ResolutionCall, difference: DifferenceRecord, refusal: Refusal): Problem {
  return actionStates(refusal.instead).includes(difference.state)
    ? actionProblem(call, difference.kind, refusal)
    : differenceStateProblem(difference)
}

/** Writes what a person said, and has the day counted anew. `noteMoved` comes first: whoever dies then leaves a mark. */
async function apply(
  { context, caller, body }: ResolutionCall,
  difference: DifferenceRecord,
  occurrence: Pick<DifferenceOccurrence, 'event' | 'proposal' | 'agreed' | 'deed'> & { operation_id?: string },
): Promise<DifferenceRecord> {
  const { store } = context
  await store.reconciliations.noteMoved(difference)
  const applied = await store.differences.apply(difference._id, {
    operation_id: `${occurrence.event}:${randomUUID()}`,
    time: beijingTime(context.now()),
    actor: callerActor(caller),
    reason: body.reason,
    ...occurrence,
  })
  await context.commands.concludeDay(difference)
  if (applied.outcome === 'illegal') throw differenceStateProblem(applied.record)
  return applied.record
}

async function move(
  call: ResolutionCall,
  difference: DifferenceRecord,
  event: 'ignored' | 'reopened',
): Promise<HttpReply> {
  assertState(call, difference)
  if (call.body.preview) return { status: 200, body: previewOf(call.body.action, difference) }
  return await replyWith(call, 200, await apply(call, difference, { event }))
}

/** Why WeChat Pay is asked about no difference of this kind; null: it can be. */
export function askRefusal(kind: DifferenceKind): Refusal | null {
  return asked_kinds.includes(kind) ? null : { instead: 'ignore', because: 'not_asked' }
}

/** Has WeChat Pay asked within the merchant's limits, by the day's run; answers what is known within 5 s. */
async function check(call: ResolutionCall, difference: DifferenceRecord): Promise<HttpReply> {
  const { context } = call
  assertState(call, difference)
  const refusal = askRefusal(difference.kind)
  if (refusal !== null) throw actionProblem(call, difference.kind, refusal)
  if (call.body.preview) return { status: 200, body: previewOf('check', difference) }
  const { _id, id, mchid } = difference
  const every_ms = context.policy.query_on_request_ms
  const find = async () => (await context.store.differences.find(_id)) ?? difference
  const asked = await context.questions.put(
    { subject: `difference:${id}`, mchid, every_ms, asked_by: 'merchant' },
    async () => {
      await noteCheckAsked(call, difference)
      await context.store.differences.noteCheck(_id, beijingTime(context.now()))
      if (!(await context.commands.concludeDay(difference))) throw unavailableProblem('temporal')
      return await readUntil(find, await find(), check_limit_ms, ({ check_time }) => check_time === undefined)
    },
  )
  const current = asked ?? (await find())
  return await replyWith(call, current.check_time === undefined ? 200 : 202, current)
}

/** Says in the timeline who wants WeChat Pay asked, and why. One that is full takes no more, and it is asked all the same. */
export async function noteCheckAsked(
  { context, caller, body }: EndpointCall<unknown, unknown, { reason: string }>,
  { _id }: Pick<DifferenceRecord, '_id'>,
): Promise<void> {
  await context.store.differences.apply(_id, {
    ...{ event: 'check_asked', operation_id: `check_asked:${randomUUID()}` },
    ...{ time: beijingTime(context.now()), actor: callerActor(caller), reason: body.reason },
  })
}

async function findPayment(
  { context: { store } }: ResolutionCall,
  { mchid, transaction_id }: DifferenceRecord,
): Promise<PaymentRecord | null> {
  return transaction_id === null ? null : await store.payments.find(mchid, transaction_id)
}

/** Books what WeChat Pay says, by the day's run; above the merchant's limit once a second person says so too. */
async function accept(call: ResolutionCall, difference: DifferenceRecord): Promise<HttpReply> {
  const { context, caller, body } = call
  const payment = await findPayment(call, difference)
  const records = { payment, refund: await context.store.refunds.ofDifference(difference) }
  const acceptance = acceptanceOf(difference, records)
  if ('instead' in acceptance) throw refusalProblem(call, difference, acceptance)
  assertState(call, difference)
  const agreed = acceptedMatter(acceptance)
  const amount = acceptance.apart
  const moved = { amount, claim: claimOf(difference, { agreed, amount }), is_preview: body.preview }
  const needs_second_person = await isAboveLimit(call, moved)
  if (body.preview) {
    const posts = await acceptedPostings(context, records, acceptance)
    return { status: 200, body: previewOf('accept_wechat', difference, { posts, needs_second_person }) }
  }
  const matter = { action: 'accept_wechat', agreed } as const
  const person = needs_second_person ? personFor(difference, matter, caller) : null
  if (person === 'first') {
    const proposal = proposalOf(call, { ...matter, reason: body.reason })
    return await replyWith(call, 202, await apply(call, difference, { event: 'proposed', proposal }))
  }
  if (person === 'proposer') throw new Problem('approver_is_requester')
  if (person === 'no_approver') authorise(caller, 'refunds:approve')
  const asked = await apply(call, difference, { event: 'accept_asked', agreed })
  const find = async () => (await context.store.differences.find(asked._id)) ?? asked
  const current = await readUntil(find, asked, read_limit_ms, ({ state }) => state !== 'settling')
  return await replyWith(call, current.state === 'settling' ? 202 : 200, current)
}

/** Asks for a refund by the refund's own door, with its limits and its approval. The difference stays what it is. */
async function refund(call: ResolutionCall, difference: DifferenceRecord): Promise<HttpReply> {
  const { context, caller, body } = call
  authorise(caller, 'refunds:write')
  assertState(call, difference)
  const payment = await findPayment(call, difference)
  if (payment === null) {
    const { instead } = askRefusal(difference.kind) ?? { instead: 'check' }
    throw actionProblem(call, difference.kind, { instead, because: 'no_payment' })
  }
  const { out_refund_no: number = '', amount = null, reason = null } = body.refund ?? {}
  const known = await context.store.refunds.find({ mchid: caller.mchid, out_refund_no: number })
  const wanted = amount ?? known?.amount.refund ?? refundableAmount(payment)
  if (wanted < 1) throw reservationProblem('refund_exceeds_payment', wanted, payment)
  if (body.preview) {
    const above = (await context.store.merchants.find(caller.mchid))?.settings.refund_approval?.above ?? null
    const approval = above === null ? null : { above }
    const reserved = reservationOf(payment, { out_refund_no: number, amount: wanted, approval }, context.now())
    if ('refusal' in reserved) throw reservationProblem(reserved.refusal, wanted, payment)
    const needs_second_person = reserved.element.approval === 'needed'
    const posts = refundPostings(payment, number, wanted, context.now())
    return { status: 200, body: previewOf('refund', difference, { posts, pays: wanted, needs_second_person }) }
  }
  const state = await createDifferenceRefund(call, difference, payment, {
    out_refund_no: number,
    amount: wanted,
    reason,
  })
  const status = unfinished_refunds.includes(state) ? 202 : 200
  return await replyWith(call, status, await apply(call, difference, refundAsked(number)))
}

/** States of a refund in which it is not on its way yet: it is being reserved, or a second person has to accept it. */
const unfinished_refunds: readonly RefundState[] = ['created', 'awaiting_approval']

/**
 * Makes a refund of a difference's payment, or answers it again. Its metadata say why, for whoever approves it: its own
 * reason is the payer's to read. Answers its state; throws the problems of its door.
 */
export async function createDifferenceRefund(
  call: EndpointCall<unknown, unknown, { reason: string }>,
  { id }: Pick<DifferenceRecord, 'id'>,
  { mchid, transaction_id }: PaymentRecord,
  { out_refund_no: number, amount, reason }: { out_refund_no: string; amount: number; reason: string | null },
): Promise<RefundState> {
  const request = { out_refund_no: number, transaction_id, amount: { refund: amount }, ...(reason && { reason }) }
  // They are no part of what a repeat must have in common.
  const metadata = { difference_id: id, difference_reason: call.body.reason }
  const asked = { ...request, amount: { ...request.amount, currency: 'CNY' as const }, metadata }
  await createOrRepeat({ ...call, body: asked, sent: request })
  return (await requireRefund(call.context, { mchid, out_refund_no: number })).state
}

/** What a difference's timeline says of it, once for each number. */
export function refundAsked(number: string) {
  const deed: DifferenceDeed = { action: 'refund', out_refund_no: number, entry_ids: [] }
  return { event: 'refund_asked', operation_id: `refund_asked:${number}`, deed } as const
}

function reservationProblem(
  refusal: 'refund_exceeds_payment' | 'refund_limit_reached' | 'refund_window_closed',
  wanted: number,
  payment: PaymentRecord,
): Problem {
  if (refusal !== 'refund_exceeds_payment') return new Problem(refusal)
  return new Problem(refusal, { values: { refund: wanted, refundable: refundableAmount(payment) } })
}

export const resolution_endpoints: readonly Endpoint[] = [resolveDifference]
