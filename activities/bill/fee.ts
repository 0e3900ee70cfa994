import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import type { DayFees, DayKey } from '../../domain/bill/reconciliation.ts'
import { ratesOn } from '../../domain/merchant/bill.ts'
import type { BillSettings } from '../../domain/merchant/bill.ts'
import { yuanText } from '../../domain/money.ts'
import type { FeeAudit, FeeTerms } from '../../match/fee.ts'
import { newDifference } from './differences.ts'
import type { DueTimes } from './differences.ts'

/** lines of payments that the difference shows */
const most_examples = 20

/** What was agreed on for a day; null: nothing, and fees are summed only. */
export function feeTerms({ fee_contract: contract }: BillSettings, bill_date: string): FeeTerms | null {
  const rates = contract && ratesOn(contract, bill_date)
  if (contract === null || rates === null) return null
  return { rate_ppm: rates.base, by_trade_type: rates.by_trade_type, tolerance: contract.line_tolerance }
}

export function dayFees(audit: FeeAudit): DayFees {
  const { payment_count, charged, returned, expected, match, under, over, fractional } = audit
  return {
    ...{ charged, returned, expected, under: under.sum, over: over.sum },
    ...{ payment_count, match_count: match.count, under_count: under.count, over_count: over.count },
    fractional_count: fractional.count,
  }
}

/**
 * The one difference of a day's fees: where payments that are off by more than a line may be come to more than a day may
 * be, and where WeChat charged what is not whole fen. None: the fees are as agreed, or nothing is.
 */
export function feeDifferences(
  day: DayKey,
  { fee_contract }: BillSettings,
  audit: FeeAudit,
  due: DueTimes,
): DifferenceRecord[] {
  const { under, over, fractional, expected, charged } = audit
  const off = over.sum - under.sum
  const is_off = expected !== null && off > (fee_contract?.day_tolerance ?? 0) * 1_000
  if (!is_off && fractional.count === 0) return []
  const fields = [
    ...(is_off && over.count > 0 ? [`over: ${over.count} payments, ${feeText(over.sum)} above the rate`] : []),
    ...(is_off && under.count > 0 ? [`under: ${under.count} payments, ${feeText(-under.sum)} below the rate`] : []),
    ...(fractional.count > 0 ? [`fractional: ${fractional.count} fees are not whole fen`] : []),
  ]
  const examples = [...(is_off ? audit.lines : []), ...fractional.lines].slice(0, most_examples)
  const { payment_count, match } = audit
  return [
    newDifference(day, 'fee', 'day', {
      ...due,
      amount: is_off ? Math.ceil(off / 1_000) : 0,
      fields,
      bill: { payment_count, charged, under, over, match, fractional: fractional.count, lines: examples },
      weft: { expected, fee_contract },
    }),
  ]
}

/** 1/1000 fen, in yuan as bills write fees. */
function feeText(thousandths: number): string {
  return `¥${yuanText(Math.trunc(thousandths / 1_000))}${String(thousandths % 1_000).padStart(3, '0')}`
}
