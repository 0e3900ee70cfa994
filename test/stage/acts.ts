import type { Actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { operationId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { FulfilmentMode, MerchantSettings } from '../../domain/merchant/record.ts'
import { newRefund } from '../../domain/refund/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import type { ProofPatience } from '../../proof/finding.ts'
import { proveNumbers } from '../../proof/passage.ts'
import { paymentSample, placed } from '../store/samples.ts'
import { World } from './world.ts'

export const requester: Actor = { kind: 'merchant', id: 'key-1' }
export const approver: Actor = { kind: 'operator', id: 'li' }

/** Performs an activity that must succeed. */
export async function done<T = unknown>(world: World, name: string, argument: unknown): Promise<T> {
  const answer = await world.perform(name, argument)
  if ('failure' in answer) throw answer.failure
  return answer.value as T
}

/** Performs an activity whose worker dies after so many writes. */
export async function interrupted(world: World, writes: number, name: string, argument: unknown): Promise<void> {
  world.writes.left = writes
  await world.perform(name, argument)
  world.writes.left = Infinity
}

/** An order of 990 fen that is paid: `T1`, and by `T2` once more where it is paid twice. */
export async function paidOrder(
  given: {
    mode?: FulfilmentMode
    refund_approval?: MerchantSettings['refund_approval']
    is_paid_twice?: boolean
    /** fen that a free coupon of the merchant's own bore */
    nocash?: number
  } = {},
): Promise<World> {
  const { mode = 'confirm', refund_approval = null, is_paid_twice = false, nocash = 0 } = given
  const world = await World.open(mode, [], refund_approval)
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  world.wechat.transactions.push({ id: 'T1', total: 990, nocash })
  await found(world, 'T1')
  if (is_paid_twice) await paidAgain(world)
  return world
}

export async function paidAgain(world: World): Promise<void> {
  world.wechat.seconds.push({ id: 'T2', total: 990 })
  await found(world, 'T2')
}

/** A notification of the transaction is booked. */
export async function found(world: World, id: string): Promise<void> {
  const { transactions, seconds } = world.wechat
  const transaction = [...transactions, ...seconds].find((one) => one.id === id)
  if (transaction === undefined) throw new Error(`no transaction ${id}`)
  await done(world, 'recordPayment', { order: world.key, found: { evidence_id: await world.notified(transaction) } })
}

/** A refund that is asked for and reserved. */
export async function reserved(
  world: World,
  out_refund_no: string,
  transaction_id: string,
  amount: number,
): Promise<RefundKey> {
  const key = await world.askRefund(out_refund_no, transaction_id, amount, requester)
  if (key === null) throw new Error('no such payment, or it waits for a decision')
  await done(world, 'reserveRefund', { refund: key })
  return key
}

/** A payment of 990 fen, `T1`, that WeChat took and that belongs to no order, and the request for a refund of it. */
export async function orphanRefund(world: World, out_refund_no: string, amount: number): Promise<RefundRecord> {
  const orphan = paymentSample('T1', { order_id: null, role: 'orphan' })
  await world.store.payments.insert(orphan)
  world.wechat.is_placed = true
  world.wechat.transactions.push({ id: 'T1', total: 990 })
  const notify_url = 'https://weft.example.cn/wechat/notify/1'
  const given = { origin: 'api', requested_by: requester, notify_url, amount, is_full: false } as const
  const refund = newRefund(orphan, { ...given, out_refund_no, create_time: later(world, 0) })
  await world.store.refunds.insert(refund)
  await done(world, 'reserveRefund', { refund })
  return refund
}

/** Sent to WeChat and taken there, a minute after any other. */
export async function sent(world: World, refund: RefundKey): Promise<void> {
  world.now_ms += 62_000
  const { kind, ...found_there } = await done<{ kind: string }>(world, 'submitRefund', { refund })
  if (kind !== 'taken') throw new Error(`not taken: ${kind}`)
  await done(world, 'recordRefundAnswer', { refund, ...found_there })
}

/** WeChat is asked, and what it says is written. */
export async function asked(world: World, refund: RefundKey): Promise<void> {
  const { kind: _, ...found_there } = await done<{ kind: string }>(world, 'askRefundUntilAnswered', { refund })
  await done(world, 'recordRefundAnswer', { refund, ...found_there })
}

/** The order writes down what became of the refund. */
export async function told(world: World, refund: RefundKey): Promise<void> {
  await done(world, 'recordRefundNews', { order: world.key, out_refund_no: refund.out_refund_no })
  const { revision } = await refundIn(world, refund)
  await done(world, 'noteToldToOrder', { refund, revision })
}

export async function refused(world: World, refund: RefundKey): Promise<void> {
  await done(world, 'recordRefundRefused', { refund, failure: { code: 'TRADE_OVERDUE', message: '' } })
}

/** The refund's run asks the order to stop, where the refund is of everything. */
export async function askedToStop(world: World, refund: RefundKey): Promise<void> {
  if (!(await refundIn(world, refund)).is_full) return
  const { out_refund_no } = refund
  const command = { operation_id: operationId.refundRequested(out_refund_no), actor: requester, reason: null }
  await done(world, 'recordRefundRequested', { order: world.key, ...command, out_refund_no })
}

export async function decided(
  world: World,
  decision: 'accept' | 'reject',
  transaction_id: string | null = null,
): Promise<{ outcome: string }> {
  const command = { operation_id: `review:${decision}:${transaction_id}`, actor: approver, reason: 'for the test' }
  return await done(world, 'recordReview', { order: world.key, ...command, decision, transaction_id })
}

export async function approved(world: World, refund: RefundKey, decision: 'approve' | 'reject'): Promise<void> {
  const command = { operation_id: `approval:${decision}`, actor: approver, reason: 'for the test' }
  await done(world, 'recordApproval', { refund, ...command, decision })
}

/** What the merchant says, or that it says nothing. */
export async function answered(
  world: World,
  event: 'fulfilled' | 'fulfilment_refused' | 'fulfilment_overdue',
): Promise<{ outcome: string; order: { state: string } }> {
  const cause = { operation_id: `answer:${event}`, actor: requester, reason: 'sold out' }
  return await done(world, 'recordFulfilment', { order: world.key, event, ...cause })
}

export async function refundIn(world: World, key: RefundKey) {
  const refund = await world.store.refunds.find(key)
  if (refund === null) throw new Error(`no refund ${key.out_refund_no}`)
  return refund
}

/** The one refund that Weft owes by itself. */
export async function owedIn(world: World) {
  const owed = (await world.refunds()).filter(({ out_refund_no }) => out_refund_no.includes('@'))
  if (owed[0] === undefined || owed.length > 1) throw new Error(`${owed.length} refunds are owed`)
  return owed[0]
}

/** Everything that says that a person should look. */
export async function attentionsIn(world: World): Promise<string[]> {
  const records = [await world.record(), ...(await world.refunds())]
  return records.flatMap(({ attention }) => (attention ? [attention.code] : []))
}

export async function findingsIn(world: World, patience: ProofPatience | null = null): Promise<string[]> {
  const { mchid, out_trade_no } = world.key
  await world.sweepNotices()
  const found_here = await proveNumbers(world.store, mchid, [out_trade_no], { now: () => world.now_ms, patience })
  return found_here.filter(({ under_way }) => !under_way).map(({ kind, detail }) => `${kind}: ${detail}`)
}

export async function balanceIn(world: World, account: string): Promise<number> {
  const balances = await world.store.journal.balances(world.key.mchid)
  return balances.find((one) => one.account === account)?.amount ?? 0
}

export function later(world: World, ms: number): string {
  world.now_ms += ms
  return beijingTime(world.now_ms)
}
