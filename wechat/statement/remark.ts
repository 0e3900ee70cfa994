import { fenOf } from './cell.ts'

/** What a remark of the fund flow says of its own amount, in fen. */
export interface RemarkAmounts {
  total: number
  fee: number
}

/** `退款总金额0.01元;含手续费0.00元`, also `结算总金额 0.01 元;含手续费 0.00 元`. */
const amounts_pattern = /^(?:结算|退款)总金额\s*([\d.]+)\s*元\s*[;；]\s*含手续费\s*([\d.]+)\s*元[;；]?\s*$/

/**
 * Reads the amounts that a remark names; null: it is only text. Where the account got its income net, the fee stands
 * nowhere else (docs/wechat-pay.md §5.3).
 */
export function remarkAmounts(remark: string): RemarkAmounts | null {
  const [, total_text, fee_text] = amounts_pattern.exec(remark) ?? []
  if (total_text === undefined || fee_text === undefined) return null
  const [total, fee] = [fenOf(total_text), fenOf(fee_text)]
  return Number.isNaN(total) || Number.isNaN(fee) ? null : { total, fee }
}
