/**
 * The classes of failure that cross from activities to workflows as `ApplicationFailure.type`. A class says what is to
 * be done next, not what went wrong (architecture §5, gateway failures).
 */
export const failures = {
  /** nothing is wrong; what we wait for has not happened. Benign: kept out of error logs and metrics. */
  not_yet: 'not_yet',
  /** the outcome is unknown or the other side is away: the same call again */
  again: 'again',
  /** the other side, or our own budget, asks for a slower pace */
  slower: 'slower',
  /** the merchant's set-up is refused; only a person can mend it, so keep asking at a slow pace */
  setup: 'setup',
} as const

export type FailureType = keyof typeof failures
