import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  acceptanceOf,
  acceptedMatter,
  actionStates,
  difference_actions,
  kindRefusal,
} from '../../../domain/bill/acceptance.ts'
import type { AcceptedRecords, DifferenceAction, Refusal } from '../../../domain/bill/acceptance.ts'
import type { DifferenceKind, DifferenceOccurrence, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { paymentId } from '../../../domain/ids.ts'
import { refundableAmount } from '../../../domain/payment/record.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import { authorise, callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { nullable_text, request_reason } from '../shapes.ts'
import { claimOf, isAboveLimit, personFor, proposalOf } from './limit.ts'
import type { ProposedAction } from './limit.ts'
import { bill_date } from './reconciliations.ts'
import { actionProblem, createDifferenceRefund, askRefusal, noteCheckAsked, refundAsked } from './resolution.ts'
import { requireDifference, shown_kinds } from './shape.ts'

/** differences that one call looks at */
const most_of_call = 500
const at_once = 10
/** what is not begun by then is left to the next call, so that none is cut off in the middle */
const call_ms = 20_000
/** what WeChat Pay has answered so lately is not asked again for many */
const lately_ms = 10 * 60_000
const most_examples = 5

const left_out_reasons = [
  ...(['not_bookable', 'no_payment', 'nothing_left', 'checked_lately', 'not_open'] as const),
  ...(['approver_is_requester', 'no_approver', 'refused', 'moved_meanwhile'] as const),
] as const
type LeftOutReason = (typeof left_out_reasons)[number]

const batch_request = z
  .strictObject({
    action: z.enum(difference_actions),
    kind: z.enum(shown_kinds),
    reason: request_reason,
    bill_date_from: bill_date.nullish().meta({ description: 'the first Beijing day' }),
    bill_date_to: bill_date.nullish().meta({ description: 'the last Beijing day, with it' }),
    after: z
      .string()
      .max(64)
      .nullish()
      .meta({ description: 'go on behind this difference: `next` of the last answer' }),
    preview: z.boolean().default(false).meta({ description: 'true: say what it would do, and do nothing' }),
  })
  .refine(({ bill_date_from: from, bill_date_to: to }) => !from || !to || from <= to, {
    message: 'day_order',
    path: ['bill_date_to'],
  })
  .meta({ id: 'DifferenceResolutions' })
type BatchCall = EndpointCall<unknown, unknown, z.output<typeof batch_request>>

const batch_shape = z.object({
  object: z.literal('difference_resolutions'),
  count: z
    .int()
    .meta({ description: 'of the differences that were looked at, those that it is or would be done about' }),
  sum: z.int().meta({ description: 'fen that they move; of check, ignore and reopen fen at stake' }),
  needs_second_person: z.boolean(),
  done: z.int(),
  proposed: z.int().meta({ description: 'a second person has to make the same request' }),
  left_out: z.array(
    z.object({
      reason: z.enum(left_out_reasons),
      count: z.int(),
      differences: z.array(z.string()).meta({ description: 'the ids of the first of them' }),
    }),
  ),
  left: z.int().meta({ description: 'of the same kind and days, in a state in which it can be done' }),
  next: nullable_text.meta({ description: 'more of them stand behind this one; null: these were all' }),
})

/** What an action does about each difference; how many fen that moves, or why it is left out. */
interface BatchAction {
  /** why it can be done about no difference of a kind; null: about some it can */
  refusalOf: (kind: DifferenceKind) => Refusal | null
  /** an action that moves money: above the limit two persons have to agree */
  moves: ProposedAction | null
  amountOf: (difference: DifferenceRecord, records: AcceptedRecords, now_ms: number) => number | LeftOutReason
  act: (call: BatchCall, one: Chosen) => Promise<boolean>
}

/** A difference about which something is to be done. */
interface Chosen {
  difference: DifferenceRecord
  payment: PaymentRecord | null
  amount: number
  /** of an action that moves money, what it comes to */
  agreed: string
}

const moving = (event: 'ignored' | 'reopened') => (call: BatchCall, one: Chosen) => write(call, one, { event })
const atStake = ({ amount }: DifferenceRecord) => amount

const batch_actions: Record<DifferenceAction, BatchAction> = {
  ignore: {
    ...{ refusalOf: () => null, moves: null },
    ...{ amountOf: atStake, act: moving('ignored') },
  },
  reopen: {
    ...{ refusalOf: () => null, moves: null },
    ...{ amountOf: atStake, act: moving('reopened') },
  },
  check: {
    ...{ refusalOf: askRefusal, moves: null },
    amountOf({ amount, answer, check_time }, _, now_ms) {
      const is_asked = check_time !== undefined
      const is_answered = answer !== undefined && now_ms - milliseconds(answer.asked_time) < lately_ms
      return is_asked || is_answered ? 'checked_lately' : amount
    },
    async act(call, { difference }) {
      const { context } = call
      await noteCheckAsked(call, difference)
      await context.store.differences.noteCheck(difference._id, beijingTime(context.now()))
      return true
    },
  },
  accept_wechat: {
    ...{ refusalOf: kindRefusal, moves: 'accept_wechat' },
    amountOf(difference, records) {
      const acceptance = acceptanceOf(difference, records)
      return 'instead' in acceptance ? 'not_bookable' : acceptance.apart
    },
    act: (call, one) => write(call, one, { event: 'accept_asked', agreed: one.agreed }),
  },
  refund: {
    ...{ refusalOf: () => null, moves: 'refund' },
    amountOf({ id, deed }, { payment }) {
      if (payment === null) return 'no_payment'
      const mine = payment.refunds.find(({ out_refund_no, state }) => out_refund_no === id && state !== 'released')
      // Whoever asked for it may have died before he wrote that down.
      if (mine !== undefined && deed?.out_refund_no !== id) return mine.amount
      return deed?.action === 'refund' || refundableAmount(payment) === 0 ? 'nothing_left' : refundableAmount(payment)
    },
    act: refundWhole,
  },
}

const resolveDifferences = declareEndpoint({
  name: 'resolveDifferences',
  method: 'POST',
  path: '/v1/differences/resolutions',
  scope: 'money:write',
  summary: 'Does something about all differences of a kind, 500 in one call',
  description:
    'Of many, repeat the call with `after` until `next` is null: what was done once is not done again, so a call that ' +
    'broke off is simply made again. Above the merchant’s refund_approval, counted over the sum of the call, ' +
    'accept_wechat and refund are proposed by one key and done by the same request of another that has ' +
    'refunds:approve. refund gives back all that is left of each payment, needs the scope refunds:write too, and names ' +
    'each refund by its difference.',
  body: batch_request,
  responses: {
    200: { description: 'what was done, what was left out and why, and what is left', schema: batch_shape },
  },
  problems: ['not_found', 'difference_action'],
  async handle(call) {
    const { context, caller, body } = call
    const action = batch_actions[body.action]
    if (body.action === 'refund') authorise(caller, 'refunds:write')
    const refusal = action.refusalOf(body.kind)
    if (refusal !== null) throw actionProblem(call, body.kind, refusal)
    const filter = {
      ...{ kind: body.kind, state: actionStates(body.action) },
      ...{ bill_date_from: body.bill_date_from ?? undefined, bill_date_to: body.bill_date_to ?? undefined },
    }
    const after = body.after ? (await requireDifference(context, caller, { difference_id: body.after }))._id : null
    const found = await context.store.differences.some(caller.mchid, filter, most_of_call, after)
    const result = await resolveFound(call, action, found)
    const last = found.length < most_of_call && result.last === found.at(-1)?.id ? null : result.last
    const left = await context.store.differences.count(caller.mchid, filter)
    const { count, sum, needs_second_person, done, proposed, left_out } = result
    const told = [...left_out].map(([reason, ids]) => ({
      ...{ reason, count: ids.length, differences: ids.slice(0, most_examples) },
    }))
    const shown = { count, sum, needs_second_person, done, proposed, left_out: told, left, next: last }
    return { status: 200, body: { object: 'difference_resolutions', ...shown } }
  },
})

interface BatchResult {
  count: number
  sum: number
  needs_second_person: boolean
  done: number
  proposed: number
  left_out: Map<LeftOutReason, string[]>
  /** the last that was looked at */
  last: string | null
}

async function resolveFound(
  call: BatchCall,
  action: BatchAction,
  found: readonly DifferenceRecord[],
): Promise<BatchResult> {
  const { context, caller, body } = call
  const left_out: BatchResult['left_out'] = new Map()
  const leaveOut = (reason: LeftOutReason, { id }: DifferenceRecord) =>
    void left_out.set(reason, [...(left_out.get(reason) ?? []), id])
  const chosen = await choose(call, action, found, leaveOut)
  const sum = chosen.reduce((total, { amount }) => total + amount, 0)
  const needs_second_person = action.moves !== null && (await isAboveLimit(call, claimOfAll(chosen, sum, call)))
  const result = { count: chosen.length, sum, needs_second_person, done: 0, proposed: 0, left_out }
  const last = found.at(-1)?.id ?? null
  if (body.preview) return { ...result, last }
  const doOne = async (one: Chosen): Promise<void> => {
    const matter = { action: action.moves ?? 'accept_wechat', agreed: one.agreed }
    const person = needs_second_person ? personFor(one.difference, matter, caller) : 'second'
    if (person === 'proposer') return leaveOut('approver_is_requester', one.difference)
    if (person === 'no_approver') return leaveOut('no_approver', one.difference)
    if (person === 'first') {
      if (one.difference.state !== 'open') return leaveOut('not_open', one.difference)
      const proposal = proposalOf(call, { ...matter, reason: body.reason })
      if (await write(call, one, { event: 'proposed', proposal })) result.proposed += 1
      else leaveOut('moved_meanwhile', one.difference)
      return
    }
    const outcome = await action.act(call, one).catch((error: unknown) => {
      if (error instanceof Problem && error.status < 500) return 'refused' as const
      throw error
    })
    if (outcome === true) result.done += 1
    else leaveOut(outcome || 'moved_meanwhile', one.difference)
  }
  const days = new Map(chosen.map(({ difference }) => [difference.bill_date, difference]))
  for (const day of days.values()) await context.store.reconciliations.noteMoved(day)
  const begun_ms = performance.now()
  let from = 0
  for (; from < chosen.length && performance.now() - begun_ms < call_ms; from += at_once)
    await Promise.all(chosen.slice(from, from + at_once).map(doOne))
  for (const { mchid, bill_date: date } of days.values()) await context.commands.concludeDay({ mchid, bill_date: date })
  const is_whole = from >= chosen.length
  return { ...result, last: is_whole ? last : (chosen[from - 1]?.difference.id ?? null) }
}

/** Those about which something can be done, with the fen that it moves. Of one payment no more than once. */
async function choose(
  { context, caller }: BatchCall,
  action: BatchAction,
  found: readonly DifferenceRecord[],
  leaveOut: (reason: LeftOutReason, difference: DifferenceRecord) => void,
): Promise<Chosen[]> {
  const { store, now } = context
  const wanted = action.moves === null ? [] : found.flatMap(({ transaction_id }) => transaction_id ?? [])
  const ids = [...new Set(wanted.map((transaction_id) => paymentId(caller.mchid, transaction_id)))]
  const payments = new Map((await store.payments.findAll(ids)).map((payment) => [payment.transaction_id, payment]))
  const chosen: Chosen[] = []
  const refunded = new Set<string>()
  for (const difference of found) {
    const payment = payments.get(difference.transaction_id ?? '') ?? null
    const refund = action.moves === 'accept_wechat' ? await store.refunds.ofDifference(difference) : null
    const amount = action.amountOf(difference, { payment, refund }, now())
    const is_again = action.moves === 'refund' && payment !== null && refunded.has(payment._id)
    if (typeof amount === 'string') leaveOut(amount, difference)
    else if (is_again) leaveOut('nothing_left', difference)
    else chosen.push({ difference, payment, amount, agreed: agreedOf(action, difference, { payment, refund }, amount) })
    if (payment !== null) refunded.add(payment._id)
  }
  return chosen
}

/** What an action comes to that moves money, as one person agrees to it and another has to. */
function agreedOf(
  { moves }: BatchAction,
  difference: DifferenceRecord,
  records: AcceptedRecords,
  amount: number,
): string {
  const acceptance = moves === 'accept_wechat' ? acceptanceOf(difference, records) : null
  if (acceptance !== null && !('instead' in acceptance)) return acceptedMatter(acceptance)
  // A bill that was issued anew may have another payment in a difference's line.
  return [moves ?? 'nothing', records.payment?.transaction_id ?? '', amount].join(' ')
}

/** The sum of a call as one matter: the same differences in the same states with the same sums are counted once. Refunds count themselves. */
function claimOfAll(chosen: readonly Chosen[], amount: number, { body }: BatchCall) {
  const claims = chosen.map((one) => claimOf(one.difference, one)).join()
  const claim = `differences/${createHash('sha256').update(claims).digest('hex')}`
  return { amount, claim, is_preview: body.preview, is_counted: body.action !== 'refund' }
}

/** False: it is in another state by now. */
async function write(
  { context, caller, body }: BatchCall,
  { difference }: Chosen,
  occurrence: Pick<DifferenceOccurrence, 'event' | 'proposal' | 'agreed' | 'deed'> & { operation_id?: string },
): Promise<boolean> {
  const said = { time: beijingTime(context.now()), actor: callerActor(caller), reason: body.reason }
  const operation_id = `${occurrence.event}:${randomUUID()}`
  const applied = await context.store.differences.apply(difference._id, { operation_id, ...said, ...occurrence })
  return applied.outcome !== 'illegal'
}

/** Gives back all that is left of the payment, under the difference's own id: however often it is asked for, once. */
async function refundWhole(call: BatchCall, one: Chosen): Promise<boolean> {
  const { difference, payment, amount } = one
  if (payment === null) return false
  await createDifferenceRefund(call, difference, payment, { out_refund_no: difference.id, amount, reason: null })
  return await write(call, one, refundAsked(difference.id))
}

/** Stands before the address of one difference. */
export const batch_endpoints: readonly Endpoint[] = [resolveDifferences]
