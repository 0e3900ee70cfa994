/** Money is integer fen everywhere; yuan exists only in what people read and in WeChat's bills. */
export interface Amount {
  /** fen, an integer ≥ 0 */
  total: number
  /** ISO 4217; WeChat Pay's mainland products know only CNY */
  currency: string
}

/** Throws unless `fen` is an integer that JavaScript and BSON keep exactly. */
export function assertFen(fen: number): void {
  if (!Number.isSafeInteger(fen)) throw new RangeError(`not an integer amount of fen: ${fen}`)
}

/** `990` → `9.90`: fen as yuan text, for people. Exact, since it never divides. */
export function yuanText(fen: number): string {
  assertFen(fen)
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** `8841230` → `88,412.30`: for people, never for a file that a program reads. */
export function groupedYuan(fen: number): string {
  return yuanText(fen).replace(/\B(?=(\d{3})+\.)/g, ',')
}

/** `5940` → `0.05940`: 1/1000 fen as yuan text with five decimals, as bills write fees. Exact, since it never divides. */
export function feeText(thousandths: number): string {
  assertFen(thousandths)
  const digits = String(Math.abs(thousandths)).padStart(6, '0')
  return `${thousandths < 0 ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`
}

/** `¥9.90`, what pages and summaries show. */
export function readableAmount(amount: Amount): string {
  return amount.currency === 'CNY' ? `¥${yuanText(amount.total)}` : `${yuanText(amount.total)} ${amount.currency}`
}
