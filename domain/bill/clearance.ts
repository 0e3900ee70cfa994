import type { Account } from '../journal.ts'
import { yuanText } from '../money.ts'
import { flawOf } from './flaw.ts'
import type { DayFlaw } from './flaw.ts'
import type { DayRecord } from './record.ts'

/** The accounts that only wait for a bill: each of their sub-keys is zero once the bills of three more days are posted. */
export const clearing_accounts = [
  'wechat.pending',
  'wechat.refund_transit',
  'fee.clearing',
  'wechat.transfer',
] as const satisfies readonly Account[]
export type ClearingAccount = (typeof clearing_accounts)[number]

/** The bills of so many days behind a day may still bring what it lacks. */
export const clearing_days = 3

export function isClearing(account: Account): account is ClearingAccount {
  return clearing_accounts.includes(account as ClearingAccount)
}

/** A sub-key that should be zero and is not. `amount` in fen, debit positive. */
export interface OpenClearing {
  account: ClearingAccount
  key: string
  amount: number
}

/** What of a day is open, the first ones by key. */
export interface DayClearing {
  open: OpenClearing[]
  /** there are more than are listed */
  is_cut: boolean
}

/** What a record alone calls for on these accounts: the bill's sheets must bring the opposite. */
export function calledFor(record: DayRecord): OpenClearing[] {
  if (record.kind === 'payment')
    return [{ account: 'wechat.pending', key: record.transaction_id, amount: record.settled_total }]
  // What WeChat has taken and not ended stays with it, and what it closed comes back when it does.
  if (record.state === 'closed') return []
  const amount = 0 - (record.settlement_refund ?? record.refund)
  return [{ account: 'wechat.refund_transit', key: record.refund_id, amount }]
}

const bucket_count = 1 << 16
const mixes = 1 << 10

/**
 * Σ of millions of sub-keys in a few megabytes: by bucket, and once more with each key's own factor, so that two that are
 * wrong by the same amount do not hide each other. Only what lies in a bucket that is not zero need be looked at.
 */
export class ClearingSums {
  readonly #sums = new Float64Array(bucket_count * clearing_accounts.length)
  readonly #mixed = new Float64Array(bucket_count * clearing_accounts.length)

  add({ account, key, amount }: OpenClearing): void {
    const { place, mix } = placeOf(account, key)
    this.#sums[place] = (this.#sums[place] ?? 0) + amount
    this.#mixed[place] = (this.#mixed[place] ?? 0) + amount * mix
  }

  /** Nothing is open. */
  isZero(): boolean {
    return this.#sums.every((sum) => sum === 0) && this.#mixed.every((sum) => sum === 0)
  }

  /** Whether a key may be open; false: it is not. */
  mayBeOpen({ account, key }: OpenClearing): boolean {
    const { place } = placeOf(account, key)
    return this.#sums[place] !== 0 || this.#mixed[place] !== 0
  }
}

function placeOf(account: ClearingAccount, key: string): { place: number; mix: number } {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  hash ^= hash >>> 15
  const place = clearing_accounts.indexOf(account) * bucket_count + ((hash >>> 0) % bucket_count)
  return { place, mix: 1 + ((Math.imul(hash, 0x9e3779b1) >>> 16) % mixes) }
}

/** `¥9.90 still stands on wechat.pending …`: what is open by account, with the first of its keys. */
export function clearingFlaws({ open, is_cut }: DayClearing, bill_date: string, age_days: number): DayFlaw[] {
  return clearing_accounts.flatMap((account) => {
    const here = open.filter((one) => one.account === account)
    const [first] = here
    if (first === undefined) return []
    const sum = here.reduce((total, { amount }) => total + amount, 0)
    const named = here.slice(0, most_named).map(({ key, amount }) => `${key} ¥${yuanText(amount)}`)
    const numbers = is_cut ? `> ${here.length}` : here.length
    const values = { bill_date, amount: sum, account, age_days, numbers, named: named.join(', ') }
    return [flawOf('clearing_open', values)]
  })
}

const most_named = 5
