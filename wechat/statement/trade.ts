import type { TradeKind, TradeRow } from '../../domain/bill/row.ts'
import { feeOf, fenOf, isPlain, isPlainOrEmpty, momentOfCell } from './cell.ts'
import { wrongCell } from './form.ts'
import type { BillForm, ColumnSums, RowReader } from './form.ts'
import type { ColumnPlaces } from './header.ts'

/** The columns of all layouts of the trade bill, each with its older names (docs/wechat-pay.md §5.2). */
const columns = {
  time: ['交易时间'],
  appid: ['公众账号ID'],
  mchid: ['商户号'],
  sub_mchid: ['特约商户号', '子商户号'],
  device: ['设备号'],
  transaction_id: ['微信订单号'],
  out_trade_no: ['商户订单号'],
  payer: ['用户标识'],
  trade_type: ['交易类型'],
  trade_state: ['交易状态'],
  bank: ['付款银行'],
  currency: ['货币种类'],
  settled_total: ['应结订单金额', '总金额'],
  coupon: ['代金券金额', '企业红包金额', '代金券或立减优惠金额'],
  refund_asked_time: ['退款申请时间'],
  refund_success_time: ['退款成功时间'],
  refund_id: ['微信退款单号'],
  out_refund_no: ['商户退款单号'],
  settlement_refund: ['退款金额'],
  coupon_refund: ['充值券退款金额', '企业红包退款金额', '代金券或立减优惠退款金额'],
  refund_type: ['退款类型'],
  refund_status: ['退款状态'],
  product: ['商品名称'],
  attach: ['商户数据包'],
  fee: ['手续费'],
  rate: ['费率'],
  total: ['订单金额'],
  refund: ['申请退款金额'],
  rate_note: ['费率备注'],
} as const

type TradeColumn = keyof typeof columns
type TradePlaces = ColumnPlaces<TradeColumn>

const every_column = Object.keys(columns) as TradeColumn[]
const without = (...left_out: TradeColumn[]) => every_column.filter((key) => !left_out.includes(key))

const refund_moments = ['refund_asked_time', 'refund_success_time'] as const
const of_refunds = [
  'refund_id',
  'out_refund_no',
  'settlement_refund',
  'coupon_refund',
  'refund_type',
  'refund_status',
] as const

const layouts = {
  all: without(...refund_moments),
  success: without(...refund_moments, ...of_refunds, 'refund'),
  refund: every_column,
  old: without(...refund_moments, 'total', 'refund', 'rate_note'),
}

const needed = [
  'time',
  'appid',
  'mchid',
  'transaction_id',
  'out_trade_no',
  'trade_type',
  'trade_state',
  'currency',
  'settled_total',
  'fee',
  'rate',
] as const satisfies TradeColumn[]

/** The numbers of the footer. Each is the plain sum of its column over all rows; the first counts them. */
const footer = {
  rows: { names: ['总交易单数'], unit: 'count', of: null },
  settled_total: { names: ['应结订单总金额', '总交易额'], unit: 'fen', of: 'settled_total' },
  settlement_refund: { names: ['退款总金额', '总退款金额'], unit: 'fen', of: 'settlement_refund' },
  coupon_refund: {
    names: ['充值券退款总金额', '总企业红包退款金额', '总代金券或立减优惠退款金额'],
    unit: 'fen',
    of: 'coupon_refund',
  },
  fee: { names: ['手续费总金额'], unit: 'fee', of: 'fee' },
  total: { names: ['订单总金额'], unit: 'fen', of: 'total' },
  refund: { names: ['申请退款总金额'], unit: 'fen', of: 'refund' },
} as const

export type TradeSum = keyof typeof footer

/** REVOKED gives money back without a refund number, so it is a kind of its own. Any other word stops its row. */
const kinds: Readonly<Record<string, TradeKind>> = { SUCCESS: 'payment', REFUND: 'refund', REVOKED: 'reversal' }

export const trade_form: BillForm<'trade', TradeColumn, TradeSum> = {
  columns,
  layouts,
  // A file that says anything of refunds must say everything of them.
  needed: (places) => [...needed, ...(of_refunds.some((key) => places[key] >= 0) ? of_refunds : [])],
  footer,
  rows: (places) => new TradeRows(places),
}

/** What amounts a row has; a column that the file does not have counts as zero. */
const amounts = ['settled_total', 'coupon', 'settlement_refund', 'coupon_refund', 'total', 'refund'] as const

class TradeRows implements RowReader<'trade', TradeSum> {
  readonly sums: ColumnSums<TradeSum> = {
    rows: 0,
    settled_total: 0,
    settlement_refund: 0,
    coupon_refund: 0,
    fee: 0,
    total: 0,
    refund: 0,
  }
  readonly #at: TradePlaces

  constructor(places: TradePlaces) {
    this.#at = places
  }

  read(cells: readonly string[], line: number): TradeRow | string {
    const at = this.#at
    const time = momentOfCell(text(cells, at.time))
    const fee = feeOf(text(cells, at.fee))
    const settled_total = amount(cells, at.settled_total)
    const settlement_refund = amount(cells, at.settlement_refund)
    const coupon_refund = amount(cells, at.coupon_refund)
    const total = amount(cells, at.total)
    const refund = amount(cells, at.refund)
    const numbers = settled_total + settlement_refund + coupon_refund + total + refund + amount(cells, at.coupon) + fee
    if (time === null || Number.isNaN(numbers)) return wrongNumber(cells, at)
    const trade_state = text(cells, at.trade_state)
    const kind = kinds[trade_state]
    if (kind === undefined) return wrongCell(columns.trade_state[0], 'state that is known', trade_state)
    const row: TradeRow = {
      line,
      kind,
      time,
      appid: text(cells, at.appid),
      mchid: text(cells, at.mchid),
      transaction_id: text(cells, at.transaction_id),
      out_trade_no: text(cells, at.out_trade_no),
      trade_type: text(cells, at.trade_type),
      trade_state,
      currency: text(cells, at.currency),
      settled_total,
      total: at.total < 0 ? null : total,
      refund_id: numberOrNone(text(cells, at.refund_id)),
      out_refund_no: numberOrNone(text(cells, at.out_refund_no)),
      settlement_refund,
      refund: at.refund < 0 ? null : refund,
      refund_status: wordOrNone(text(cells, at.refund_status)),
      fee,
      rate: text(cells, at.rate),
    }
    const wrong = wrongText(row) ?? contradiction(row, at)
    if (wrong !== null) return wrong
    const { sums } = this
    sums.rows += 1
    sums.settled_total += settled_total
    sums.settlement_refund += settlement_refund
    sums.coupon_refund += coupon_refund
    sums.fee += fee
    sums.total += total
    sums.refund += refund
    return row
  }
}

function text(cells: readonly string[], place: number): string {
  return place < 0 ? '' : (cells[place] ?? '')
}

function amount(cells: readonly string[], place: number): number {
  return place < 0 ? 0 : fenOf(cells[place] ?? '')
}

/** `0` and nothing mean that a row has no refund (docs/wechat-pay.md §5.2). */
function numberOrNone(cell: string): string | null {
  return cell === '0' || cell === '' ? null : cell
}

function wordOrNone(cell: string): string | null {
  return cell === '' ? null : cell
}

function wrongNumber(cells: readonly string[], at: TradePlaces): string {
  const time = text(cells, at.time)
  if (momentOfCell(time) === null) return wrongCell(columns.time[0], 'time', time)
  const fee = text(cells, at.fee)
  if (Number.isNaN(feeOf(fee))) return wrongCell(columns.fee[0], 'fee in yuan', fee)
  const wrong = amounts.find((key) => Number.isNaN(amount(cells, at[key])))
  return wrongCell(wrong && columns[wrong][0], 'amount in yuan', wrong ? text(cells, at[wrong]) : '')
}

/** What identifies a row must be readable, since rows and records are compared by it. */
function wrongText(row: TradeRow): string | null {
  if (!isPlain(row.transaction_id)) return wrongCell(columns.transaction_id[0], 'number', row.transaction_id)
  if (!isPlainOrEmpty(row.out_trade_no)) return wrongCell(columns.out_trade_no[0], 'number', row.out_trade_no)
  if (!isPlain(row.mchid)) return wrongCell(columns.mchid[0], 'number', row.mchid)
  if (!isPlainOrEmpty(row.appid)) return wrongCell(columns.appid[0], 'appid', row.appid)
  if (!isPlain(row.currency)) return wrongCell(columns.currency[0], 'currency', row.currency)
  if (!isPlainOrEmpty(row.trade_type)) return wrongCell(columns.trade_type[0], 'word', row.trade_type)
  if (!isPlainOrEmpty(row.refund_id ?? '')) return wrongCell(columns.refund_id[0], 'number', row.refund_id ?? '')
  if (!isPlainOrEmpty(row.out_refund_no ?? ''))
    return wrongCell(columns.out_refund_no[0], 'number', row.out_refund_no ?? '')
  if (!isPlainOrEmpty(row.refund_status ?? ''))
    return wrongCell(columns.refund_status[0], 'word', row.refund_status ?? '')
  return isRate(row.rate) ? null : wrongCell(columns.rate[0], 'rate', row.rate)
}

/** `0.60%`. Checked, although it is only shown: it stands behind merchants' own text, and shows cells that moved. */
function isRate(cell: string): boolean {
  const number = cell.endsWith('%') ? cell.slice(0, -1) : cell
  return cell === '' || !Number.isNaN(feeOf(number))
}

/** What the kind of a row does not allow: then its columns are not where the header says. */
function contradiction(row: TradeRow, at: TradePlaces): string | null {
  if (row.kind === 'payment') {
    if (row.refund_id !== null) return 'a payment has a refund number'
    if (row.settlement_refund !== 0 || (row.refund ?? 0) !== 0) return 'a payment has an amount that was refunded'
    return null
  }
  if (at.settlement_refund < 0) return `a row in state ${row.trade_state}, and the file has no columns for refunds`
  if (row.kind === 'refund' && row.refund_id === null) return 'a refund has no number'
  return null
}
