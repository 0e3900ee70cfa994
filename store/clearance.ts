import { calledFor, ClearingSums, isClearing } from '../domain/bill/clearance.ts'
import type { ClearingAccount, DayClearing, OpenClearing } from '../domain/bill/clearance.ts'
import type { DayKey } from '../domain/bill/reconciliation.ts'
import { bill_types } from '../domain/bill/row.ts'
import { milliseconds } from '../domain/calendar.ts'
import type { Posting } from '../domain/journal.ts'
import { isRefundResting } from '../domain/refund/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import { recordsOf } from './side.ts'
import type { Store } from './store.ts'

type ClearingStore = Pick<Store, 'journal' | 'payments' | 'refunds'>

/** Sub-keys that are looked at one by one; with more than that something else is wrong than single movements. */
const most_suspects = 100_000
const most_open = 1_000
const batch = 50
/** of so many keys: each has its payment or refund, its sheets, and a reversal now and then */
const most_entries = 10_000

/**
 * What a day's payments, refunds and fees leave open on the accounts that bills clear. Reads sheets and records of the day
 * twice, in bounded memory: sums by bucket first, then single keys of the buckets that are not zero, which are looked up
 * in all of the book. `since_ms`: a refund that ended later may still come to nothing. `beat` is called all the while.
 */
export async function clearingOf(
  store: ClearingStore,
  day: DayKey,
  { since_ms, beat = () => undefined }: { since_ms: number; beat?: () => void },
): Promise<DayClearing> {
  const sums = new ClearingSums()
  for await (const some of clearingPostings(store, day)) {
    for (const one of some) sums.add(one)
    beat()
  }
  const suspects = new Map<string, OpenClearing>()
  let is_cut = false
  for await (const some of clearingPostings(store, day)) {
    for (const one of some) {
      if (!sums.mayBeOpen(one)) continue
      const name = `${one.account} ${one.key}`
      const known = suspects.get(name)
      if (known !== undefined) known.amount += one.amount
      else if (suspects.size < most_suspects) suspects.set(name, { ...one })
      else is_cut = true
    }
    beat()
  }
  const open: OpenClearing[] = []
  const left = [...suspects.values()].filter(({ amount }) => amount !== 0).sort((a, b) => (a.key < b.key ? -1 : 1))
  for (let from = 0; from < left.length; from += batch) {
    open.push(...(await stillOpen(store, day.mchid, left.slice(from, from + batch), since_ms)))
    beat()
    if (open.length > most_open) return { open: open.slice(0, most_open), is_cut: true }
  }
  return { open, is_cut }
}

/** What the day's sheets say on these accounts, and what its records call for. */
async function* clearingPostings(store: ClearingStore, day: DayKey): AsyncGenerator<OpenClearing[]> {
  for (const type of bill_types)
    for await (const entries of store.journal.sheetEntries(day, type))
      yield entries.flatMap(({ postings }) => postings.filter(isClearingPosting))
  for await (const records of recordsOf(store, day)) yield records.flatMap(calledFor)
}

function isClearingPosting(posting: Posting): posting is Posting & { account: ClearingAccount } {
  return isClearing(posting.account)
}

/** Which of these are not zero in the whole book, as `<account> <key>`. */
export async function openKeys(
  store: ClearingStore,
  mchid: string,
  those: readonly OpenClearing[],
): Promise<Set<string>> {
  const open = new Set<string>()
  for (let from = 0; from < those.length; from += batch) {
    const some = those.slice(from, from + batch)
    const balances = await balancesOf(store, mchid, [...new Set(some.map(({ key }) => key))])
    for (const { account, key } of some) if (balances.get(`${account} ${key}`)) open.add(`${account} ${key}`)
  }
  return open
}

async function balancesOf({ journal }: ClearingStore, mchid: string, keys: string[]): Promise<Map<string, number>> {
  const entries = await journal.ofKeys(mchid, keys, most_entries)
  const balances = new Map<string, number>()
  for (const { account, key, amount } of entries.flatMap(({ postings }) => postings))
    balances.set(`${account} ${key}`, (balances.get(`${account} ${key}`) ?? 0) + amount)
  return balances
}

/** Which of these are open in the whole book, of whatever day their other side is. */
async function stillOpen(
  store: ClearingStore,
  mchid: string,
  suspects: readonly OpenClearing[],
  since_ms: number,
): Promise<OpenClearing[]> {
  const keys = [...new Set(suspects.map(({ key }) => key))]
  const balances = await balancesOf(store, mchid, keys)
  const of_refunds = new Map(
    (await store.refunds.ofRefundIds(mchid, keys)).map((refund) => [refund.facts?.refund_id ?? '', refund]),
  )
  return suspects
    .map((one) => ({ ...one, amount: balances.get(`${one.account} ${one.key}`) ?? 0 }))
    .filter((one) => one.amount !== 0 && !isExcused(one.account, of_refunds.get(one.key), since_ms))
}

/** A refund under way holds its money, one that ended lately may; of a closed one nobody knows what becomes of its fee. */
function isExcused(account: ClearingAccount, refund: RefundRecord | undefined, since_ms: number): boolean {
  if (refund === undefined) return false
  if (account === 'fee.clearing') return refund.state === 'closed'
  const { state, timeline, create_time } = refund
  return !isRefundResting(state) || milliseconds(timeline.at(-1)?.time ?? create_time) >= since_ms
}
