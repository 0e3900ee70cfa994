/**
 * WeChatShare is one process's part of what WeChat Pay allows all processes together: of `of` that share, it is the
 * `rank`th, counted from 0 (worker/membership.ts).
 */
export interface WeChatShare {
  of: number
  rank: number
}

/** calls a second, and how many may come at once after a pause */
export interface Rate {
  per_second: number
  burst: number
}

/** What an operation may take of WeChat Pay, all processes together. */
export interface SharedRate {
  calls: Rate
  /** of these, so many may be refused */
  failing?: Rate | undefined
  /** so many processes hold a part at most; the others make no such call, and their callers come again elsewhere */
  most_holders?: number | undefined
}

/** Of a process that is alone. */
export const whole_share: WeChatShare = { of: 1, rank: 0 }

/**
 * Of a process that the others may not have counted yet. The parts of all that are counted leave room for eight guests:
 * a quarter of their sum (docs/wechat-pay.md §3.5).
 */
export const guest_share: WeChatShare = { of: 32, rank: 31 }

/**
 * The part that `share` has of a rate. A part of less than one call would never make one, so no more processes hold a
 * part than the burst has whole calls, and they divide everything among themselves; null: this one holds none.
 */
export function partOf(rate: SharedRate, { of, rank }: WeChatShare): { calls: Rate; failing: Rate | null } | null {
  const holders = Math.max(1, Math.min(of, Math.floor(rate.calls.burst), rate.most_holders ?? of))
  if (rank >= holders) return null
  const part = ({ per_second, burst }: Rate): Rate => ({ per_second: per_second / holders, burst: burst / holders })
  const failing = rate.failing && part(rate.failing)
  return {
    calls: part(rate.calls),
    // One refused call is the least that a holder must be able to pay for; `most_holders` bounds their sum.
    failing: failing ? { ...failing, burst: Math.max(1, failing.burst) } : null,
  }
}
