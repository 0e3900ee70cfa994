import { describe, expect, it } from 'vitest'
import { beijingTime } from '../../domain/calendar.ts'
import { operationId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { LoadedOrder } from '../../domain/messages.ts'
import { order_states } from '../../domain/order/record.ts'
import type { FulfilmentMode, MerchantSettings } from '../../domain/merchant/record.ts'
import {
  answered,
  approver,
  asked,
  askedToStop,
  decided,
  done,
  findingsIn,
  later,
  owedIn,
  paidOrder,
  refundIn,
  requester,
  reserved,
  sent,
  told,
} from '../stage/acts.ts'
import { placed } from '../store/samples.ts'
import { World } from '../stage/world.ts'

/** One step of a run, in a world where it is due. */
interface Step {
  world: World
  name: string
  argument: unknown
}

const minute = 60_000
const command = { operation_id: 'word', actor: requester, reason: 'for the test' }
const approval = { ...command, actor: approver }

/** A refund of `amount` of `T1` that WeChat has answered in this way; the answer is written down. */
async function ended(mode: FulfilmentMode, fate: string[], amount = 990): Promise<{ world: World; refund: RefundKey }> {
  const there = await paidOrder({ mode })
  there.wechat.fates.push(fate as never)
  const refund = await reserved(there, 'R1', 'T1', amount)
  await askedToStop(there, refund)
  await sent(there, refund)
  there.wechat.progress()
  await asked(there, refund)
  return { world: there, refund }
}

/** An answer of WeChat's about a refund, which is not written down yet. */
async function answering(world: World, refund: RefundKey): Promise<Step> {
  const { kind: _, ...answer } = await done<{ kind: string }>(world, 'askRefundUntilAnswered', { refund })
  return { world, name: 'recordRefundAnswer', argument: { refund, ...answer } }
}

function newsOf({ world, refund }: { world: World; refund: RefundKey }): Step {
  return { world, name: 'recordRefundNews', argument: { order: world.key, out_refund_no: refund.out_refund_no } }
}

async function notified(world: World, transaction: { id: string; total: number }): Promise<Step> {
  const found = { evidence_id: await world.notified(transaction) }
  return { world, name: 'recordPayment', argument: { order: world.key, found } }
}

async function closedOrder(mode: FulfilmentMode): Promise<World> {
  const world = await World.open(mode, [])
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  await done(world, 'recordCloseAsked', { order: world.key, ...command, close_reason: 'merchant' })
  await done(world, 'recordClosed', { order: world.key, evidence_id: 'E1' })
  return world
}

const refund_approval: MerchantSettings['refund_approval'] = { above: 100 }

async function owed(world: World): Promise<{ world: World; refund: RefundKey }> {
  const refund = await owedIn(world)
  await done(world, 'reserveRefund', { refund })
  await sent(world, refund)
  world.wechat.progress()
  await asked(world, refund)
  return { world, refund }
}

/** Each step that makes several writes which are not one. */
const steps: Record<string, (mode: FulfilmentMode) => Promise<Step>> = {
  async 'a payment'(mode) {
    const world = await World.open(mode, [], null, { reference: 'sale' })
    await world.store.orders.apply(world.key, placed())
    world.wechat.is_placed = true
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    return await notified(world, { id: 'T1', total: 990 })
  },
  async 'late money'(mode) {
    const world = await closedOrder(mode)
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    return await notified(world, { id: 'T1', total: 990 })
  },
  async 'a second payment'(mode) {
    const world = await paidOrder({ mode })
    world.wechat.seconds.push({ id: 'T2', total: 990 })
    return await notified(world, { id: 'T2', total: 990 })
  },
  async 'money of another amount'(mode) {
    const world = await World.open(mode, [])
    await world.store.orders.apply(world.key, placed())
    world.wechat.is_placed = true
    world.wechat.transactions.push({ id: 'T1', total: 991 })
    return await notified(world, { id: 'T1', total: 991 })
  },
  async 'a close'(mode) {
    const world = await World.open(mode, [])
    await world.store.orders.apply(world.key, placed())
    return { world, name: 'recordCloseAsked', argument: { order: world.key, ...command, close_reason: 'merchant' } }
  },
  async 'a shop that ships'(mode) {
    const world = await paidOrder({ mode })
    const operation_id = operationId.answered(1, 'fulfilled')
    return {
      world,
      name: 'recordFulfilment',
      argument: { order: world.key, event: 'fulfilled', ...command, operation_id },
    }
  },
  async 'a shop that cannot ship'(mode) {
    const world = await paidOrder({ mode })
    const operation_id = operationId.answered(1, 'refused')
    const argument = { order: world.key, event: 'fulfilment_refused', ...command, operation_id }
    return { world, name: 'recordFulfilment', argument }
  },
  async silence(mode) {
    const world = await paidOrder({ mode })
    const operation_id = operationId.overdue(1)
    return {
      world,
      name: 'recordFulfilment',
      argument: { order: world.key, event: 'fulfilment_overdue', ...command, operation_id },
    }
  },
  async 'money in review that is accepted'(mode) {
    const world = await World.open(mode, [], null, { reference: 'sale' })
    await world.store.orders.apply(world.key, placed())
    world.wechat.is_placed = true
    world.wechat.transactions.push({ id: 'T1', total: 991 })
    const { name, argument } = await notified(world, { id: 'T1', total: 991 })
    await done(world, name, argument)
    const decision = { decision: 'accept', transaction_id: null }
    return { world, name: 'recordReview', argument: { order: world.key, ...command, ...decision } }
  },
  async 'money in review that is rejected'(mode) {
    const world = await paidOrder({ mode })
    await answered(world, 'fulfilment_overdue')
    const decision = { decision: 'reject', transaction_id: null }
    return { world, name: 'recordReview', argument: { order: world.key, ...command, ...decision } }
  },
  async 'a second payment that is accepted'(mode) {
    const world = await paidOrder({ mode, is_paid_twice: true })
    const decision = { decision: 'accept', transaction_id: 'T2' }
    return { world, name: 'recordReview', argument: { order: world.key, ...command, ...decision } }
  },
  async 'a second payment that is rejected'(mode) {
    const world = await paidOrder({ mode, is_paid_twice: true })
    const decision = { decision: 'reject', transaction_id: 'T2' }
    return { world, name: 'recordReview', argument: { order: world.key, ...command, ...decision } }
  },
  async 'a refund of everything that is asked for'(mode) {
    const world = await paidOrder({ mode })
    const { out_refund_no } = await reserved(world, 'R1', 'T1', 990)
    return { world, name: 'recordRefundRequested', argument: { order: world.key, ...command, out_refund_no } }
  },
  async 'a reservation'(mode) {
    const world = await paidOrder({ mode })
    const refund = await world.askRefund('R1', 'T1', 300, requester)
    return { world, name: 'reserveRefund', argument: { refund } }
  },
  async 'a reservation above the limits of a payment and a day'(mode) {
    const world = await paidOrder({ mode, refund_approval: { above: 500, above_per_day: 200 } })
    const refund = await world.askRefund('R1', 'T1', 300, requester)
    return { world, name: 'reserveRefund', argument: { refund } }
  },
  async 'a reservation without room'(mode) {
    const world = await paidOrder({ mode })
    await reserved(world, 'R0', 'T1', 900)
    const refund = await world.askRefund('R1', 'T1', 300, requester)
    return { world, name: 'reserveRefund', argument: { refund } }
  },
  async 'an approval'(mode) {
    const world = await paidOrder({ mode, refund_approval })
    const refund = await reserved(world, 'R1', 'T1', 990)
    return { world, name: 'recordApproval', argument: { refund, ...approval, decision: 'approve' } }
  },
  async 'an approval that is not given'(mode) {
    const world = await paidOrder({ mode, refund_approval })
    const refund = await reserved(world, 'R1', 'T1', 990)
    return { world, name: 'recordApproval', argument: { refund, ...approval, decision: 'reject' } }
  },
  async 'an approval that comes too late'(mode) {
    const world = await paidOrder({ mode, refund_approval })
    const refund = await reserved(world, 'R1', 'T1', 990)
    return { world, name: 'recordApprovalExpired', argument: { refund } }
  },
  async 'a refund that WeChat refuses'(mode) {
    const world = await paidOrder({ mode })
    const refund = await reserved(world, 'R1', 'T1', 990)
    await askedToStop(world, refund)
    return {
      world,
      name: 'recordRefundRefused',
      argument: { refund, failure: { code: 'TRADE_OVERDUE', message: '' } },
    }
  },
  async 'a refund that succeeds'(mode) {
    const world = await paidOrder({ mode })
    const refund = await reserved(world, 'R1', 'T1', 300)
    await sent(world, refund)
    world.wechat.progress()
    return await answering(world, refund)
  },
  async 'a refund that is closed'(mode) {
    const world = await paidOrder({ mode })
    world.wechat.fates.push(['CLOSED'])
    const refund = await reserved(world, 'R1', 'T1', 990)
    await askedToStop(world, refund)
    await sent(world, refund)
    world.wechat.progress()
    return await answering(world, refund)
  },
  async 'a refund that the payer’s account does not take'(mode) {
    const world = await paidOrder({ mode })
    world.wechat.fates.push(['ABNORMAL'])
    const refund = await reserved(world, 'R1', 'T1', 300)
    await sent(world, refund)
    world.wechat.progress()
    return await answering(world, refund)
  },
  async 'news that a part is back'(mode) {
    return newsOf(await ended(mode, ['SUCCESS'], 300))
  },
  async 'news that all is back, as the merchant asked'(mode) {
    return newsOf(await ended(mode, ['SUCCESS']))
  },
  async 'news that all is back, as Weft owed it'(mode) {
    const world = await paidOrder({ mode })
    await answered(world, 'fulfilment_refused')
    return newsOf(await owed(world))
  },
  async 'news that a second payment is back'(mode) {
    const world = await paidOrder({ mode, is_paid_twice: true })
    await decided(world, 'reject', 'T2')
    return newsOf(await owed(world))
  },
  async 'news that a refund is closed'(mode) {
    return newsOf(await ended(mode, ['CLOSED']))
  },
  async 'news that a refund is abnormal'(mode) {
    return newsOf(await ended(mode, ['ABNORMAL']))
  },
  async 'news that a refund is refused'(mode) {
    const world = await paidOrder({ mode })
    const refund = await reserved(world, 'R1', 'T1', 990)
    await askedToStop(world, refund)
    await done(world, 'recordRefundRefused', { refund, failure: { code: 'TRADE_OVERDUE', message: '' } })
    return newsOf({ world, refund })
  },
  async 'news that the bank sent a refund back'(mode) {
    const whole = await ended(mode, ['SUCCESS', 'ABNORMAL'])
    const { world, refund } = whole
    await told(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    return newsOf(whole)
  },
  async 'a refund that was made outside'(mode) {
    const world = await paidOrder({ mode })
    world.wechat.refundOutside('CONSOLE-1', 'T1', 990)
    const refund = { mchid: world.key.mchid, out_refund_no: 'CONSOLE-1' }
    const { evidence_id } = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
    return { world, name: 'adoptRefund', argument: { refund, evidence_id } }
  },
  async 'a refund whose number WeChat has with another amount'(mode) {
    const world = await paidOrder({ mode })
    world.wechat.refundOutside('R1', 'T1', 300)
    const refund = await reserved(world, 'R1', 'T1', 400)
    world.now_ms += 62_000
    await done(world, 'submitRefund', { refund })
    return await answering(world, refund)
  },
  async 'a payment by hand'(mode) {
    const { world, refund } = await ended(mode, ['CLOSED'])
    await told(world, refund)
    return { world, name: 'recordPayout', argument: { refund, ...command, proof: 'slip 7' } }
  },
  async 'news of a payment by hand'(mode) {
    const whole = await ended(mode, ['CLOSED'])
    const { world, refund } = whole
    await told(world, refund)
    await done(world, 'recordPayout', { refund, ...command, proof: 'slip 7' })
    return newsOf(whole)
  },
}

/** What the sweeper and the auditor bring about of what nobody carries any more, and the runs that they start. */
async function takenUp(world: World): Promise<void> {
  const { store, key } = world
  for (let round = 0; round < 3; round += 1) {
    const due = later(world, 5 * minute)
    const kept = await store.evidence.findUnapplied({ received_before: due, outcome: null, limit: 10 })
    for (const { _id: evidence_id, subject, out_refund_no } of kept) {
      if (subject === 'payment') await done(world, 'recordPayment', { order: key, found: { evidence_id } })
      else if (out_refund_no !== null) await heardOf(world, { mchid: key.mchid, out_refund_no }, evidence_id)
    }
    const is_found = (await findingsIn(world)).length > 0
    const late = await store.orders.findDue(order_states, due, 10)
    if (is_found || late.length > 0) {
      const { refunds } = await done<LoadedOrder>(world, 'load', key)
      for (const out_refund_no of refunds) await done(world, 'loadRefund', { mchid: key.mchid, out_refund_no })
    }
    const late_refunds = (await store.refunds.findDue(due, 10)).map(({ out_refund_no }) => out_refund_no)
    for (const refund of await countedOutside(world)) if (is_found) await askedAgain(world, refund)
    for (const refund of await world.refunds()) {
      if (is_found || late_refunds.includes(refund.out_refund_no)) await carried(world, refund)
    }
  }
}

/** Refunds that a payment counts and that are not recorded: the auditor names them. */
async function countedOutside(world: World): Promise<RefundKey[]> {
  const { mchid, out_trade_no } = world.key
  const recorded = new Set((await world.refunds()).map(({ out_refund_no }) => out_refund_no))
  const payments = await world.store.payments.ofOrder(mchid, `${mchid}/${out_trade_no}`)
  const counted = payments.flatMap(({ refunds }) => refunds.map(({ out_refund_no }) => ({ mchid, out_refund_no })))
  return counted.filter(({ out_refund_no }) => !recorded.has(out_refund_no))
}

/** A refund's run is signalled what WeChat has said: it asks, and writes down that it heard. */
async function heardOf(world: World, refund: RefundKey, evidence_id: string): Promise<void> {
  await askedAgain(world, refund)
  await done(world, 'settleNews', { refund, found: { evidence_id }, outcome: 'linked', is_asked: true })
}

async function askedAgain(world: World, refund: RefundKey): Promise<void> {
  const { kind: _, ...answer } = await done<{ kind: string; evidence_id?: string }>(world, 'askRefundUntilAnswered', {
    refund,
  })
  if (answer.evidence_id === undefined) return
  if ((await world.store.refunds.find(refund)) === null) await done(world, 'adoptRefund', { refund, ...answer })
  await done(world, 'recordRefundAnswer', { refund, ...answer })
}

/** The first steps of a refund's run, up to what only WeChat can say; of one made outside that as well. */
async function carried(world: World, refund: RefundKey): Promise<void> {
  await done(world, 'loadRefund', refund)
  if ((await refundIn(world, refund)).state === 'created') await done(world, 'reserveRefund', { refund })
  const current = await refundIn(world, refund)
  if (current.origin === 'outside' && current.next_action?.what === 'ask_wechat') await askedAgain(world, refund)
  const { next_action, revision, timeline, transaction_id } = await refundIn(world, refund)
  const { payment } = await world.record()
  if (next_action?.what === 'submit' && payment?.transaction_id === transaction_id) await askedToStop(world, refund)
  if (next_action?.what !== 'tell_order') return
  const numbers = timeline.map((entry) => operationId.refund(refund.out_refund_no, entry.revision))
  const known = new Set((await world.record()).timeline.map(({ operation_id }) => operation_id))
  // As tellOrder does: what stands in the order's timeline is told.
  if (!numbers.some((number) => known.has(number)) || !known.has(numbers.at(-1) ?? ''))
    await done(world, 'recordRefundNews', { order: world.key, out_refund_no: refund.out_refund_no })
  await done(world, 'noteToldToOrder', { refund, revision })
}

/** What is recorded, told and booked in the end, without times. */
async function outcomeOf(world: World) {
  const { key, store } = world
  const { state, sequence, timeline, attention, fulfilment } = await world.record()
  const events = await store.events.ofOrder(key.mchid, key.out_trade_no)
  const payments = await store.payments.ofOrder(key.mchid, `${key.mchid}/${key.out_trade_no}`)
  const evidence = await store.evidence.findUnapplied({
    received_before: beijingTime(world.now_ms),
    outcome: null,
    limit: 10,
  })
  return {
    order: { state, sequence, attention: attention?.code, result: fulfilment.result },
    timeline: timeline.map(({ event, to }) => `${event} ${to}`),
    events: events.map(({ type }) => type).sort(),
    payments: payments.map(({ transaction_id, role, refunds, acceptance }) => ({
      transaction_id,
      role,
      refunds: refunds.map(({ out_refund_no, amount, state: is }) => `${out_refund_no} ${amount} ${is}`),
      accepted: acceptance?.amount,
    })),
    refunds: (await world.refunds()).map(({ out_refund_no, state: is, attention: why, next_action }) => ({
      out_refund_no,
      is,
      why: why?.code,
      next: next_action?.what,
    })),
    book: (await store.journal.balances(key.mchid)).map(({ account, amount }) => `${account} ${amount}`).sort(),
    sale: await store.references.findHolder(key.mchid, 'sale'),
    open: (await store.deliveries.openOfOrder(key.mchid, key.out_trade_no)).map(({ event_type }) => event_type),
    unapplied: evidence.length,
  }
}

/** In mode `event` the order's own run asks the shop: only where that is over has it nothing left to do. */
const shop_is_asked = [
  'a shop that ships',
  'a shop that cannot ship',
  'silence',
  'late money',
  'money of another amount',
  'a close',
  'money in review that is rejected',
  'a refund of everything that is asked for',
  'a refund that WeChat refuses',
  'a refund that is closed',
  'news that all is back, as the merchant asked',
  'news that all is back, as Weft owed it',
  'news that a refund is closed',
  'news that a refund is abnormal',
  'news that a refund is refused',
  'news that the bank sent a refund back',
  'a payment by hand',
  'news of a payment by hand',
]
const cases = [
  ...Object.keys(steps).map((what) => ['confirm', what] as const),
  ...shop_is_asked.map((what) => ['event', what] as const),
]

describe('a worker that dies behind any write of a step, and whose run is lost with it', () => {
  it.each(cases)('leaves nothing undone, in mode %s, of %s', async (mode, what) => {
    const open = steps[what]
    if (open === undefined) throw new Error(`no step: ${what}`)
    const whole = await open(mode)
    await done(whole.world, whole.name, whole.argument)
    await takenUp(whole.world)
    const expected = await outcomeOf(whole.world)
    expect(await findingsIn(whole.world)).toEqual([])
    for (let writes = 1, has_died = true; has_died; writes += 1) {
      const { world, name, argument } = await open(mode)
      world.writes.left = writes
      await world.perform(name, argument)
      has_died = world.writes.left < 0
      world.writes.left = Infinity
      await takenUp(world)
      expect([writes, await outcomeOf(world), await findingsIn(world)]).toEqual([writes, expected, []])
    }
  })
})
