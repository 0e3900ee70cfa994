import { stateRevision } from '../../../domain/bill/difference.ts'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { beijingDay, beijingTime } from '../../../domain/calendar.ts'
import { callerActor } from '../../http/authentication.ts'
import type { Caller } from '../../http/authentication.ts'
import type { ApiContext } from '../../http/context.ts'

/** What a second person may be wanted for: an action that moves money. */
export type ProposedAction = NonNullable<NonNullable<DifferenceRecord['proposal']>['action']>

/** Fen that one request moves, named so that the same request again is counted once. */
interface MovedAmount {
  amount: number
  claim: string
  /** it is only asked about: nothing is taken of the day's sum */
  is_preview: boolean
  /** false: each part of it takes from the day's sum by itself, when it is done */
  is_counted?: boolean
}

interface LimitedCall {
  context: Pick<ApiContext, 'store' | 'now'>
  caller: Caller
}

/**
 * Whether so many fen are more than one person's word is good for: more than the merchant's limit at once, or more than
 * what is left of the sum of the day, which refunds take from too. What is within it has then taken its place in that sum.
 */
export async function isAboveLimit(
  { context, caller }: LimitedCall,
  { amount, claim, is_preview, is_counted = true }: MovedAmount,
): Promise<boolean> {
  const { store, now } = context
  const { mchid } = caller
  const approval_limits = (await store.merchants.find(mchid))?.settings.refund_approval ?? null
  if (approval_limits === null || amount === 0) return false
  const { above, above_per_day = null } = approval_limits
  if (above !== null && amount > above) return true
  if (above_per_day === null || !is_counted) return false
  const limit = { mchid, day: beijingDay(now()), above: above_per_day }
  return !(await store.allowances[is_preview ? 'hasRoom' : 'claim']({ claim, amount }, limit))
}

/**
 * What a difference takes of the day's sum is named by it, by the state it is in, and by what was agreed with what that
 * moves: opened anew, or of other sides since a look, it is another matter.
 */
export function claimOf({ id, timeline }: DifferenceRecord, { agreed, amount }: AgreedAmount): string {
  return `${id}/${stateRevision({ timeline })}/${agreed}/${amount}`
}

/** What was agreed, and the fen that it moves. */
interface AgreedAmount {
  agreed: string
  amount: number
}

/** What two persons have to agree on: the action, and what it comes to. */
interface ProposedMatter {
  action: ProposedAction
  agreed: string
}

/** What is said when one person's word is not enough. */
export function proposalOf(
  { context, caller }: LimitedCall,
  { action, agreed, reason }: ProposedMatter & { reason: string },
): NonNullable<DifferenceRecord['proposal']> {
  return { actor: callerActor(caller), time: beijingTime(context.now()), reason, action, agreed }
}

/**
 * What this caller is to a difference that two persons have to agree on: the first, who proposes; the second, who may do
 * it; or neither, since he has proposed it himself, or may not approve. What was proposed of other sides, before a look
 * brought them up to date, is another matter.
 */
export function personFor(
  { proposal }: Pick<DifferenceRecord, 'proposal'>,
  { action, agreed }: ProposedMatter,
  { key }: Caller,
): 'first' | 'second' | 'proposer' | 'no_approver' {
  // One of an earlier version does not say for what: there was but one.
  if (proposal === undefined || (proposal.action ?? 'accept_wechat') !== action) return 'first'
  if ((proposal.agreed ?? agreed) !== agreed) return 'first'
  if (proposal.actor.id === key.id) return 'proposer'
  return key.scopes.includes('refunds:approve') ? 'second' : 'no_approver'
}
