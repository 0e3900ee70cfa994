import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { fenOf, isPlainOrEmpty, momentOfCell, signedFenOf } from './cell.ts'
import { wrongCell } from './form.ts'
import type { BillForm, ColumnSums, RowReader } from './form.ts'
import type { ColumnPlaces } from './header.ts'

/** The columns of the fund-flow bill (docs/wechat-pay.md §5.3); `(元)` is left out of every name. */
const columns = {
  time: ['记账时间'],
  business_no: ['微信支付业务单号'],
  flow_no: ['资金流水单号'],
  name: ['业务名称'],
  type: ['业务类型'],
  direction: ['收支类型'],
  amount: ['收支金额'],
  balance: ['账户结余'],
  applicant: ['资金变更提交申请人'],
  remark: ['备注'],
  voucher_no: ['业务凭证号'],
} as const

type FlowColumn = keyof typeof columns
type FlowPlaces = ColumnPlaces<FlowColumn>

const needed = [
  'time',
  'business_no',
  'flow_no',
  'name',
  'type',
  'direction',
  'amount',
  'balance',
] as const satisfies FlowColumn[]

const footer = {
  rows: { names: ['资金流水总笔数'], unit: 'count', of: null },
  rows_in: { names: ['收入笔数'], unit: 'count', of: null },
  amount_in: { names: ['收入金额'], unit: 'fen', of: 'amount' },
  rows_out: { names: ['支出笔数'], unit: 'count', of: null },
  amount_out: { names: ['支出金额'], unit: 'fen', of: 'amount' },
} as const

export type FlowSum = keyof typeof footer

const directions: Readonly<Record<string, FlowRow['direction']>> = { 收入: 'in', 支出: 'out' }

export const flow_form: BillForm<FlowBill, FlowColumn, FlowSum> = {
  columns,
  layouts: { fundflow: Object.keys(columns) as FlowColumn[] },
  needed: () => [...needed],
  footer,
  rows: (places) => new FlowRows(places),
}

class FlowRows implements RowReader<FlowBill, FlowSum> {
  readonly sums: ColumnSums<FlowSum> = { rows: 0, rows_in: 0, amount_in: 0, rows_out: 0, amount_out: 0 }
  readonly #at: FlowPlaces

  constructor(places: FlowPlaces) {
    this.#at = places
  }

  read(cells: readonly string[], line: number): FlowRow | string {
    const at = this.#at
    const text = (key: FlowColumn) => (at[key] < 0 ? '' : (cells[at[key]] ?? ''))
    const time = momentOfCell(text('time'))
    if (time === null) return wrongCell(columns.time[0], 'time', text('time'))
    const amount = fenOf(text('amount'))
    if (Number.isNaN(amount)) return wrongCell(columns.amount[0], 'amount in yuan', text('amount'))
    const balance = signedFenOf(text('balance'))
    if (Number.isNaN(balance)) return wrongCell(columns.balance[0], 'amount in yuan', text('balance'))
    const direction = directions[text('direction')]
    if (direction === undefined) return wrongCell(columns.direction[0], 'direction that is known', text('direction'))
    const number = text('business_no')
    // Withdrawals have no number. Name and type are open lists: one that nobody knows is booked to suspense and shown.
    if (!isPlainOrEmpty(number)) return wrongCell(columns.business_no[0], 'number', number)
    if (!isPlainOrEmpty(text('flow_no'))) return wrongCell(columns.flow_no[0], 'number', text('flow_no'))
    const unreadable = (['name', 'type'] as const).find((key) => text(key) === '')
    if (unreadable) return wrongCell(columns[unreadable][0], 'word', text(unreadable))
    const { sums } = this
    sums.rows += 1
    sums[direction === 'in' ? 'rows_in' : 'rows_out'] += 1
    sums[direction === 'in' ? 'amount_in' : 'amount_out'] += amount
    return {
      line,
      time,
      business_no: number === '' || number === '0' ? null : number,
      flow_no: text('flow_no'),
      name: text('name'),
      type: text('type'),
      direction,
      amount,
      balance,
      applicant: text('applicant'),
      remark: text('remark'),
      voucher_no: text('voucher_no'),
    }
  }
}
