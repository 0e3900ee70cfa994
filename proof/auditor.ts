import { randomUUID } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import type { Logger } from '../runtime/logger.ts'
import { createRoundLog } from '../runtime/outage.ts'
import { StoreUnavailable } from '../store/connection.ts'
import type { Store } from '../store/store.ts'
import type { Finding, ProofPatience } from './finding.ts'
import { proveMerchant, proveNumbers } from './passage.ts'
import type { PassagePart, Tally } from './passage.ts'

export const auditor_every_ms = 10 * 60_000

export interface AuditorSettings {
  store: Store
  every_ms: number
  /** what counts as under way, by the clock that Weft's waits follow */
  patience: ProofPatience
  /** records looked at in one round, about; 20,000 unless told */
  round_size?: number
  /** starts the runs that a finding is about: a run first does what a lost one still owed */
  wake: (finding: Finding) => Promise<void>
  now: () => number
  log: Logger
}

const lease_name = 'auditor'
/** even one without records takes some reads */
const cost_of_a_merchant = 20
/** numbers per merchant that are looked at again in the next round; with so many adrift, the audit is what names them */
const most_suspects = 500

/** What is known of a merchant between two rounds. */
interface MerchantWatch {
  /** numbers with findings in the round before; `null` stands for the sums of the book */
  suspects: Set<string | null>
  /** numbers found adrift in two rounds in a row, and told */
  adrift: Set<string | null>
  /** the proof on its way through the merchant's records; null: the next round begins anew */
  proof: AsyncGenerator<PassagePart, Tally> | null
}

/**
 * Proves records and book on a schedule (docs/money.md §3): each round looks again at what was suspected in the one
 * before, then goes on through the merchants' records where it had stopped, a bounded part at a time. What is adrift in
 * two rounds in a row is logged and raises attention on the merchant, which is lifted once all of it is clean.
 */
export function createAuditor(settings: AuditorSettings) {
  const { store, every_ms, now, log } = settings
  const holder = randomUUID()
  const watches = new Map<string, MerchantWatch>()
  const place = { next: 0 }
  const round = { say: createRoundLog(StoreUnavailable) }

  /** One round. False: another worker's auditor holds the lease. */
  async function audit(ending?: AbortSignal): Promise<boolean> {
    const lease = await store.leases.hold(lease_name, holder, { ttl_ms: every_ms * 3, now, ending })
    if (lease === null) return leaveToOther()
    round.say = createRoundLog(StoreUnavailable)
    const mchids = (await store.merchants.list()).map(({ mchid }) => mchid)
    for (const mchid of watches.keys()) if (!mchids.includes(mchid)) watches.delete(mchid)
    for (const mchid of mchids) {
      if (!(await lease.keep())) return leaveToOther()
      await proveOrLog(mchid, () => proveSuspects(settings, mchid, watchOf(mchid)))
    }
    let left = settings.round_size ?? 20_000
    // Each merchant at most once a round; a large one goes on where it stopped in the next.
    for (let turn = 0; turn < mchids.length && left > 0; turn++) {
      if (!(await lease.keep())) return leaveToOther()
      const mchid = mchids[place.next % mchids.length] ?? ''
      left -=
        (await proveOrLog(mchid, () => continuePassage(settings, mchid, watchOf(mchid), { most: left, ending }))) ?? 0
      left -= cost_of_a_merchant
      if (watchOf(mchid).proof === null) place.next = (place.next + 1) % mchids.length
    }
    return true
  }

  /** Another worker's auditor has the lease: what is known here is only good in an unbroken row of rounds. */
  function leaveToOther(): false {
    watches.clear()
    return false
  }

  /**
   * A merchant whose records cannot be read or make no sense keeps no other from its turn. That the database is away is
   * said once a round, not once for each merchant.
   */
  async function proveOrLog<T>(mchid: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      round.say(log, 'a merchant’s records could not be proven; the next round tries again', { mchid, error })
      return null
    }
  }

  function watchOf(mchid: string): MerchantWatch {
    const watch = watches.get(mchid) ?? { suspects: new Set(), adrift: new Set(), proof: null }
    watches.set(mchid, watch)
    return watch
  }

  return {
    audit,
    /** Gives the lease back, behind the last round. */
    release: () => store.leases.release(lease_name, holder),
  }
}

export type Auditor = ReturnType<typeof createAuditor>

const isAdrift = ({ under_way }: Finding) => !under_way
const orderNumber = ({ out_trade_no }: Finding) => out_trade_no ?? null

/** What was suspected or adrift in the round before: still so is an alarm, clean again is forgotten. */
async function proveSuspects(settings: AuditorSettings, mchid: string, watch: MerchantWatch): Promise<void> {
  const { store, patience, now } = settings
  const numbers = [...watch.suspects, ...watch.adrift].filter((number) => number !== null)
  const found: Finding[] = []
  for (let place = 0; place < numbers.length; place += 100) {
    found.push(...(await proveNumbers(store, mchid, numbers.slice(place, place + 100), { now, patience })))
  }
  const still = found.filter(isAdrift)
  await raiseAlarm(settings, mchid, watch, still)
  const is_open = new Set(still.map(orderNumber))
  // The sums of the book are proven at the end of a whole passage only: until then they stay as they were found.
  for (const number of watch.adrift) if (number !== null && !is_open.has(number)) watch.adrift.delete(number)
  for (const number of watch.suspects) if (number !== null) watch.suspects.delete(number)
}

/** On through the merchant's records; answers how many were looked at. */
async function continuePassage(
  settings: AuditorSettings,
  mchid: string,
  watch: MerchantWatch,
  { most, ending }: { most: number; ending: AbortSignal | undefined },
): Promise<number> {
  const { store, patience, now } = settings
  const page_size = Math.min(most, 200)
  const proof = (watch.proof ??= proveMerchant(store, mchid, { now, patience, page_size }))
  for (let looked_at = 0; looked_at < most && ending?.aborted !== true;) {
    const step = await proof.next().catch((error: unknown) => {
      watch.proof = null
      throw error
    })
    if (step.done === true) {
      watch.proof = null
      await endPassage(settings, mchid, watch, step.value)
      return looked_at
    }
    looked_at += step.value.looked_at
    await noteSuspects(settings, mchid, watch, step.value.findings.filter(isAdrift))
  }
  return most
}

/**
 * Found for the first time: what a run was lost over its run puts right, and the next round looks again. The sums are
 * told when two whole passages find them.
 */
async function noteSuspects(
  settings: AuditorSettings,
  mchid: string,
  watch: MerchantWatch,
  found: Finding[],
): Promise<void> {
  const sums = found.filter((finding) => orderNumber(finding) === null)
  if (watch.suspects.has(null)) await raiseAlarm(settings, mchid, watch, sums)
  for (const finding of found) {
    if (watch.suspects.size >= most_suspects || watch.adrift.has(orderNumber(finding))) continue
    watch.suspects.add(orderNumber(finding))
    await settings.wake(finding).catch((error: unknown) => settings.log.warn('a run was not woken', { mchid, error }))
  }
}

/** A whole passage is over: without anything suspected or adrift, nobody need look any more. */
async function endPassage(
  { store }: AuditorSettings,
  mchid: string,
  watch: MerchantWatch,
  tally: Tally,
): Promise<void> {
  if (tally.adrift > 0) return
  watch.suspects.delete(null)
  watch.adrift.delete(null)
  if (watch.suspects.size === 0 && watch.adrift.size === 0) await store.merchants.liftAttention(mchid, 'book_adrift')
}

async function raiseAlarm({ store, now, log }: AuditorSettings, mchid: string, watch: MerchantWatch, found: Finding[]) {
  if (found.length === 0) return
  for (const { under_way: _, ...finding } of found) {
    // Once per number: what stands for days does not fill the log.
    if (watch.adrift.has(finding.out_trade_no ?? null)) continue
    log.error('records and book are adrift', finding)
  }
  for (const finding of found) watch.adrift.add(orderNumber(finding))
  await store.merchants.noteAttention(mchid, 'book_adrift', beijingTime(now()))
}
