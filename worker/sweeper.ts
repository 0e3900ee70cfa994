import { randomUUID } from 'node:crypto'
import { tellOverdue } from '../activities/bill/overdue.ts'
import { seeCheckoutThrough } from '../activities/checkout/end.ts'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import { nextLook } from '../domain/checkout/change.ts'
import { orderId, out_trade_no_pattern, unknown_order } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { deliveryStart, order_updates, orderStart, refundStart, signals } from '../domain/messages.ts'
import type { Confirmation, OrderAnswer, ShownTo } from '../domain/messages.ts'
import { order_states } from '../domain/order/record.ts'
import { confirmation_kinds, isConfirmationEvidence } from '../domain/payment/evidence.ts'
import type { EvidenceRecord } from '../domain/payment/evidence.ts'
import { limits, orphan_pace } from '../domain/policy.ts'
import type { Logger } from '../runtime/logger.ts'
import { createOutageLog } from '../runtime/outage.ts'
import type { OutageLog } from '../runtime/outage.ts'
import { createRunStarter, signalRun, startRun, updateRun } from '../runtime/runs.ts'
import type { RunStarter } from '../runtime/runs.ts'
import { boundedCall } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { rawPlace } from '../store/evidence.ts'
import type { UnappliedFilter } from '../store/evidence.ts'
import { clocks_differ_ms } from '../store/leases.ts'
import type { HeldLease } from '../store/leases.ts'
import type { Store } from '../store/store.ts'
import { sealWords } from '../store/words.ts'

const minute = 60_000

/** How late something must be before the sweeper helps; all divided by the time scale. */
export interface SweeperPatience {
  every_ms: number
  evidence_ms: number
  orphan_ms: number
  orphan_every_ms: number
  /** from this age on it raises attention, and is looked at in small numbers only */
  evidence_old_ms: number
  created_ms: number
  due_ms: number
}

export const sweeper_patience: SweeperPatience = {
  every_ms: minute / 2,
  evidence_ms: 2 * minute,
  orphan_ms: orphan_pace.first_ms,
  orphan_every_ms: orphan_pace.every_ms,
  evidence_old_ms: 3 * 24 * 60 * minute,
  created_ms: minute,
  due_ms: 2 * minute,
}

export interface SweeperSettings {
  store: Store
  temporal: TemporalClient
  queue_prefix: string
  /** as in the API's calls */
  shown: ShownTo
  patience: SweeperPatience
  now: () => number
  log: Logger
  swept: (kind: string, count: number) => void
}

const lease_name = 'sweeper'
const call_limit_ms = 5_000
/** of what has waited for days, in one round */
const old_batch = 20

/**
 * Finds what no run carries: evidence without effect, and orders, refunds and deliveries whose planned moment has passed.
 * It starts or signals their runs, which is harmless where they run after all (USE_EXISTING). Checkouts have no run: it
 * sees their ends through by itself.
 */
export function createSweeper(settings: SweeperSettings) {
  const { store, patience, now } = settings
  const holder = randomUUID()
  /** how far each kind of lingering evidence was looked through */
  const places = new Map<string, Time>()
  const orphans = { looked_at: 0 }
  const say = createOutageLog(now)

  /** Makes one round: each part for itself, so that one that fails leaves the others their turn. */
  async function sweep(ending?: AbortSignal): Promise<void> {
    const lease = await store.leases.hold(lease_name, holder, { ttl_ms: patience.every_ms * 3, now, ending })
    if (lease === null) return
    const round = { ...settings, lease, say }
    await runPart(round, 'orders', () => sweepOrders(round))
    await runPart(round, 'refunds', () => sweepRefunds(round))
    await runPart(round, 'checkouts', () => sweepCheckouts(round))
    await runPart(round, 'deliveries', () => sweepDeliveries(round))
    await runPart(round, 'evidence', () => sweepEvidence(round))
    await runPart(round, 'feed', () => sweepFeed(round))
    await runPart(round, 'differences', () => remindOfDifferences(round))
    if (now() - orphans.looked_at >= patience.orphan_every_ms) {
      orphans.looked_at = now()
      await runPart(round, 'orphans', () => sweepOrphans(round, places))
      await runPart(round, 'owned', () => liftOrphanAttention(round))
    }
  }

  return {
    sweep,
    /** Gives the lease back, behind the last round. */
    release: () => store.leases.release(lease_name, holder),
  }
}

export type Sweeper = ReturnType<typeof createSweeper>

/** What one round works with. Its lease is kept for as long as it lasts, so that no two workers sweep the same. */
type SweepRound = SweeperSettings & { lease: HeldLease; say: OutageLog }

async function runPart(
  { log, swept, lease, say }: SweepRound,
  kind: string,
  work: () => Promise<number>,
): Promise<void> {
  try {
    if (!(await lease.keep())) return
    const count = await work()
    if (count > 0) log.info('the sweeper took up what was late', { kind, count })
    swept(kind, count)
  } catch (error) {
    say(log, `a part of the sweeper failed: ${kind}`, { error })
  }
}

/** Starts runs of overdue orders; `created` ones sooner than others, since a payer waits in front of them. */
async function sweepOrders(settings: SweepRound): Promise<number> {
  const { store, patience, now } = settings
  const begun = order_states.filter((state) => state !== 'created')
  const late = [
    ...(await store.orders.findDue(['created'], beijingTime(now() - patience.created_ms), limits.sweep_batch)),
    ...(await store.orders.findDue(begun, beijingTime(now() - patience.due_ms), limits.sweep_batch)),
  ]
  return await takeUpEach(settings, late, async (order) => {
    await callBounded(settings, (starter) => startRun(starter, orderStart(order)))
    // An order that is carried, and only slow to plan anew, must not keep a lost one from its turn.
    await store.orders.putOff(order, laterPlan(order.time, now()))
  })
}

/**
 * The plan of what was taken up: behind all that is later still, and never past what any worker's clock calls now. Whoever
 * makes the attempt obeys this plan, so that one clock that is ahead would keep all others from it.
 */
function laterPlan(seen: Time, now_ms: number): Time {
  return beijingTime(Math.max(milliseconds(seen), now_ms - clocks_differ_ms))
}

async function sweepRefunds(settings: SweepRound): Promise<number> {
  const { store, patience, now } = settings
  const late = await store.refunds.findDue(beijingTime(now() - patience.due_ms), limits.sweep_batch)
  return await takeUpEach(settings, late, async (refund) => {
    await callBounded(settings, (starter) => startRun(starter, refundStart(refund)))
    await store.refunds.putOff(refund, laterPlan(refund.time, now()))
  })
}

/**
 * Looks at checkouts whose time is over, that are being cancelled, that an older number has paid, or whose end is not told.
 * It alone ends one that no order was opened of, and has the newer orders of a paid one closed; the rest the runs of their
 * orders do as well, and this only where such a run has died.
 */
async function sweepCheckouts(settings: SweepRound): Promise<number> {
  const { store, now } = settings
  const due = await store.checkouts.findDue(beijingTime(now()), limits.sweep_batch)
  return await takeUpEach(settings, due, async (checkout) => {
    // Behind all others that are due: one whose orders WeChat Pay is slow to close never keeps another from its turn.
    if (!(await store.checkouts.putOff(checkout, nextLook(checkout, now())))) return // somebody has it in hand
    await callBounded(settings, (starter) => seeCheckoutThrough(settings, starter, checkout))
  })
}

async function sweepDeliveries(settings: SweepRound): Promise<number> {
  const { store, patience, now } = settings
  const late = await store.deliveries.findDue(beijingTime(now() - patience.due_ms), limits.sweep_batch)
  return await takeUpEach(settings, late, async (delivery) => {
    const { _id, mchid, out_trade_no, next_attempt_time } = delivery
    if (!next_attempt_time) return
    // Behind all others that are late: what is carried and only slow never keeps what is lost from its turn.
    const later = laterPlan(next_attempt_time, now())
    if (!(await store.deliveries.putOff(delivery, later))) return // somebody has it in hand
    // What decides something is delivered, or ended, by its order's own run.
    if (delivery.purpose !== 'notice' && out_trade_no !== null)
      return await startRuns(settings, { mchid, out_trade_no })
    const start = deliveryStart({ delivery_id: _id, mchid, out_trade_no: out_trade_no ?? '' })
    await callBounded(settings, (starter) => startRun(starter, start))
  })
}

/** Tells events anew that readers of a feed went past before they were there; one that is still missing its order derives. */
async function sweepFeed(settings: SweepRound): Promise<number> {
  const { store, now } = settings
  const missed = await store.events.findMissed(limits.sweep_batch)
  return await takeUpEach(settings, missed, async (slot) => {
    if (await store.events.tellAnew(slot, now())) return
    const [mchid, out_trade_no = ''] = slot.event_id.split('/')
    if (mchid !== undefined && out_trade_no_pattern.test(out_trade_no))
      await startRuns(settings, { mchid, out_trade_no })
  })
}

/**
 * Signals verified evidence that had no effect again. What stays without effect for an hour is looked at hourly, like
 * orphans, so that it never keeps fresh evidence from its turn.
 */
async function sweepEvidence(settings: SweepRound): Promise<number> {
  const { store, patience, now } = settings
  const late = await store.evidence.findUnapplied({
    received_before: beijingTime(now() - patience.evidence_ms),
    received_after: beijingTime(now() - patience.orphan_every_ms),
    outcome: null,
    limit: limits.sweep_batch,
  })
  return await takeUpEach(settings, late, (evidence) => handOverEvidence(settings, evidence))
}

/** One kind of evidence that stays without effect, and how much of it is looked at in a round. */
interface LingeringKind {
  name: 'words' | 'orphans' | 'stubborn' | 'old'
  search: Omit<UnappliedFilter, 'limit'>
  limit: number
}

/**
 * The kinds of what lingers, so that none keeps another from its turn. A merchant's confirmation never gets too old.
 */
function lingeringKinds({ patience, now }: SweeperSettings): LingeringKind[] {
  const ago = (ms: number) => beijingTime(now() - ms)
  const old = ago(patience.evidence_old_ms)
  const hour = ago(patience.orphan_every_ms)
  const limit = limits.sweep_batch
  return [
    { name: 'words', search: { received_before: hour, kind: confirmation_kinds, outcome: null }, limit },
    {
      name: 'orphans',
      search: { received_before: ago(patience.orphan_ms), received_after: old, outcome: 'orphan' },
      limit,
    },
    { name: 'stubborn', search: { received_before: hour, received_after: old, outcome: null }, limit },
    { name: 'old', search: { received_before: old }, limit: old_batch },
  ]
}

/**
 * Signals money for unknown numbers, and what has had no effect for an hour: its run asks WeChat and books it. Nothing is
 * ever dropped: from three days on it raises attention as well, and goes on in small numbers.
 */
async function sweepOrphans(settings: SweepRound, places: Map<string, Time>): Promise<number> {
  const { store, now } = settings
  const late = new Map<string, EvidenceRecord>()
  for (const kind of lingeringKinds(settings)) {
    const found = await nextLingering(settings, kind, places)
    for (const evidence of found) late.set(evidence._id, evidence)
    if (kind.name !== 'old') continue
    await takeUpEach(settings, found, ({ mchid, outcome }) =>
      store.merchants.noteAttention(
        mchid,
        outcome === 'orphan' ? 'orphan_payment' : 'evidence_unapplied',
        beijingTime(now()),
      ),
    )
  }
  return await takeUpEach(settings, [...late.values()], (evidence) => handOverEvidence(settings, evidence))
}

/** Says of each merchant whether a difference was not settled by its time. Answers of how many that is new. */
async function remindOfDifferences({ store, now, lease }: SweepRound): Promise<number> {
  let reminded = 0
  for (const { mchid } of await store.merchants.list()) {
    if (!(await lease.keep())) return reminded
    if (await tellOverdue(store, mchid, now())) reminded += 1
  }
  return reminded
}

/** Lifts `orphan_payment` from merchants whose orphans have all found their order or gone back. */
async function liftOrphanAttention({ store }: SweeperSettings): Promise<number> {
  const merchants = await store.merchants.findWithAttention('orphan_payment', limits.sweep_batch)
  let lifted = 0
  for (const { mchid } of merchants) {
    const [payment, evidence] = await Promise.all([
      store.payments.findOwnerless(mchid),
      store.evidence.findOrphans(mchid, 1),
    ])
    if (payment.length > 0 || evidence.length > 0) continue
    if (await store.merchants.liftAttention(mchid, 'orphan_payment')) lifted += 1
  }
  return lifted
}

/** Finds the next evidence of a kind behind that of the round before; after the last of it, the first again. */
async function nextLingering(
  { store }: SweeperSettings,
  { name, search, limit }: LingeringKind,
  places: Map<string, Time>,
): Promise<EvidenceRecord[]> {
  const place = places.get(name)
  const received_after = laterTime(place, search.received_after)
  const found = await store.evidence.findUnapplied({ ...search, received_after, limit })
  const [first, last] = [found[0], found.at(-1)]
  if (first === undefined || last === undefined || found.length < limit) places.delete(name)
  // A millisecond back, for what came in the same one and did not fit; unless that would be the same place again.
  else if (first.receive_time === last.receive_time) places.set(name, last.receive_time)
  else places.set(name, beijingTime(milliseconds(last.receive_time) - 1))
  return found
}

function laterTime(a: Time | undefined, b: Time | undefined): Time | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return milliseconds(a) > milliseconds(b) ? a : b
}

/** Takes each item, one after the other; one that fails is logged and does not keep the others from their turn. */
async function takeUpEach<T>(
  { log, lease, say }: SweepRound,
  items: T[],
  take: (item: T) => Promise<unknown>,
): Promise<number> {
  for (const [place, item] of items.entries()) {
    if (!(await lease.keep())) {
      log.info('a round was left to another worker, or to a later one', { left: items.length - place })
      return place
    }
    try {
      await take(item)
    } catch (error) {
      say(log, 'something late could not be taken up; the next round tries again', { error })
    }
  }
  return items.length
}

/** What starting a run takes. */
type RunSettings = Pick<SweeperSettings, 'temporal' | 'queue_prefix' | 'shown'>

/** Starts the runs of an order, and of a refund where one is named: each first does what a lost run still owed. */
export async function startRuns(
  settings: RunSettings,
  { mchid, out_trade_no, out_refund_no }: { mchid: string; out_trade_no?: string; out_refund_no?: string },
): Promise<void> {
  if (out_trade_no === undefined) return
  await callBounded(settings, (starter) => startRun(starter, orderStart({ mchid, out_trade_no })))
  if (out_refund_no === undefined) return
  await callBounded(settings, (starter) => startRun(starter, refundStart({ mchid, out_refund_no, out_trade_no })))
}

/** Makes one call to Temporal, bounded: a silent one must not hold up a round. */
async function callBounded<T>(
  { temporal, queue_prefix, shown }: RunSettings,
  call: (starter: RunStarter) => Promise<T>,
): Promise<T> {
  const starter = createRunStarter(temporal.client, queue_prefix, shown)
  return await boundedCall(temporal.connection, call_limit_ms, () => call(starter))
}

/** Signals the run that a piece of evidence concerns, or sends it the merchant's confirmation. */
async function handOverEvidence(settings: SweeperSettings, evidence: EvidenceRecord): Promise<void> {
  const { _id: evidence_id, mchid, out_refund_no } = evidence
  // A refund is known by its own number; a notification of one may leave its order out.
  const out_trade_no = evidence.out_trade_no ?? (evidence.subject === 'refund' ? unknown_order : null)
  if (out_trade_no === null) return
  const key: OrderKey = { mchid, out_trade_no }
  if (isConfirmationEvidence(evidence)) return await handOverConfirmation(settings, key, evidence)
  if (evidence.subject === 'payment') {
    return await callBounded(settings, (starter) =>
      signalRun(starter, orderStart(key), signals.payment_found, { evidence_id }),
    )
  }
  if (out_refund_no === null) return
  // To the refund's own run, which finds out whether Weft knows the number.
  const start = refundStart({ ...key, out_refund_no })
  await callBounded(settings, (starter) => signalRun(starter, start, signals.refund_changed, { evidence_id }))
}

/** Sends a confirmation that found no worker (architecture §5, Updates) until its order's run has taken it. */
async function handOverConfirmation(settings: SweeperSettings, key: OrderKey, evidence: EvidenceRecord): Promise<void> {
  const { store, now } = settings
  if (!('sealed' in evidence.raw)) return
  const confirmation = JSON.parse(store.sealer.open(evidence.raw, rawPlace(evidence))) as Confirmation
  const { operation_id: update_id } = confirmation
  const start = orderStart(key)
  const answer = await callBounded(settings, (starter) =>
    updateRun<OrderAnswer, [OrderKey]>(starter, start, {
      name: order_updates.confirm_fulfilment,
      update_id,
      args: [sealWords(store.sealer, start.workflow_id, confirmation)],
    }),
  )
  const outcome = answer.kind === 'state' ? 'applied' : 'no_effect'
  await store.evidence.recordOutcome(evidence._id, { outcome, applied_to: orderId(key), time: beijingTime(now()) })
}
