/** The columns of bills and how a bill becomes bytes (docs/wechat-pay.md §5). */
import { billTime, countText, escapeRemark, escapeText, feeText, lineOfCells, oddLine, sumText, yuan } from './form.ts'
import type { BillLine, FlowDetail, TradeDetail } from './row.ts'

/** Column is one value of every line. */
interface Column<Detail> {
  title: string
  cell: (detail: Detail) => string
}

/** FooterCell is a value of the summary: a count of lines, or a sum in 1/1000 fen. */
interface FooterCell<Detail> {
  title: string
  form: 'count' | 'sum'
  of: (detail: Detail) => number
}

/** Layout is the form of a file. */
export interface Layout<Detail> {
  columns: Column<Detail>[]
  footer: FooterCell<Detail>[]
}

const timeOrEmpty = (ms: number | null): string => (ms === null ? '' : billTime(ms))

const tradeColumns = {
  交易时间: (row) => billTime(row.time),
  公众账号ID: (row) => row.appid,
  商户号: (row) => row.mchid,
  特约商户号: () => '0',
  设备号: (row) => escapeText(row.device_id),
  微信订单号: (row) => row.transaction_id,
  商户订单号: (row) => row.out_trade_no,
  用户标识: (row) => row.openid,
  交易类型: (row) => row.trade_type,
  交易状态: (row) => row.trade_state,
  付款银行: (row) => row.bank_type,
  货币种类: (row) => row.currency,
  应结订单金额: (row) => yuan(row.settled_total),
  代金券金额: (row) => yuan(row.coupon),
  退款申请时间: (row) => billTime(row.time),
  退款成功时间: (row) => timeOrEmpty(row.refund_success_time),
  微信退款单号: (row) => row.refund_id,
  商户退款单号: (row) => row.out_refund_no,
  退款金额: (row) => yuan(row.settlement_refund),
  充值券退款金额: (row) => yuan(row.coupon_refund),
  退款类型: (row) => row.refund_type,
  退款状态: (row) => row.refund_status,
  商品名称: (row) => escapeText(row.description),
  商户数据包: (row) => escapeText(row.attach),
  手续费: (row) => feeText(row.fee),
  费率: (row) => row.rate,
  订单金额: (row) => yuan(row.total),
  申请退款金额: (row) => yuan(row.refund),
  费率备注: () => '',
} satisfies Record<string, (row: TradeDetail) => string>

type TradeTitle = keyof typeof tradeColumns

const tradeFooter = {
  总交易单数: { form: 'count', of: () => 1 },
  应结订单总金额: { form: 'sum', of: (row) => row.settled_total * 1000 },
  退款总金额: { form: 'sum', of: (row) => row.settlement_refund * 1000 },
  充值券退款总金额: { form: 'sum', of: (row) => row.coupon_refund * 1000 },
  手续费总金额: { form: 'sum', of: (row) => row.fee },
  订单总金额: { form: 'sum', of: (row) => row.total * 1000 },
  申请退款总金额: { form: 'sum', of: (row) => row.refund * 1000 },
} satisfies Record<string, Omit<FooterCell<TradeDetail>, 'title'>>

/** The words of the layout that merchants have who never turned the new one on. */
const old_words: Record<string, string> = {
  特约商户号: '子商户号',
  应结订单金额: '总金额',
  代金券金额: '企业红包金额',
  充值券退款金额: '企业红包退款金额',
  应结订单总金额: '总交易额',
  退款总金额: '总退款金额',
  充值券退款总金额: '总企业红包退款金额',
}

const refund_times: string[] = ['退款申请时间', '退款成功时间']
const refund_columns: string[] = [
  ...refund_times,
  ...['微信退款单号', '商户退款单号', '退款金额', '充值券退款金额', '退款类型', '退款状态', '申请退款金额'],
]
const newer_columns: string[] = ['订单金额', '申请退款金额', '费率备注', '订单总金额', '申请退款总金额']
const refund_sums: string[] = ['退款总金额', '充值券退款总金额', '申请退款总金额']

export type TradeLayoutName = 'ALL' | 'SUCCESS' | 'REFUND' | 'OLD'

function tradeLayout(name: TradeLayoutName, missing: readonly string[]): Layout<TradeDetail> {
  const titleOf = (title: string): string => (name === 'OLD' ? (old_words[title] ?? title) : title)
  const columns = (Object.keys(tradeColumns) as TradeTitle[])
    .filter((title) => !missing.includes(title))
    .map((title) => ({ title: titleOf(title), cell: tradeColumns[title] }))
  const [first, ...others] = columns
  const time = { title: '交易时间', cell: (row: TradeDetail) => billTime(row.payment_time) }
  const footer = Object.entries<Omit<FooterCell<TradeDetail>, 'title'>>(tradeFooter)
    .filter(([title]) => !missing.includes(title))
    .map(([title, cell]) => ({ title: titleOf(title), ...cell }))
  return { columns: name === 'REFUND' || first === undefined ? [time, ...others] : columns, footer }
}

export const tradeLayouts: Record<TradeLayoutName, Layout<TradeDetail>> = {
  ALL: tradeLayout('ALL', refund_times),
  SUCCESS: tradeLayout('SUCCESS', [...refund_columns, ...refund_sums]),
  REFUND: tradeLayout('REFUND', []),
  OLD: tradeLayout('OLD', [...refund_times, ...newer_columns]),
}

const income = (row: FlowDetail): boolean => row.direction === '收入'

export const flowLayout: Layout<FlowDetail> = {
  columns: [
    { title: '记账时间', cell: (row) => billTime(row.time) },
    { title: '微信支付业务单号', cell: (row) => row.business_no },
    { title: '资金流水单号', cell: (row) => row.flow_no },
    { title: '业务名称', cell: (row) => row.name },
    { title: '业务类型', cell: (row) => row.type },
    { title: '收支类型', cell: (row) => row.direction },
    { title: '收支金额(元)', cell: (row) => yuan(row.amount) },
    { title: '账户结余(元)', cell: (row) => yuan(row.balance) },
    { title: '资金变更提交申请人', cell: (row) => row.applicant },
    { title: '备注', cell: (row) => escapeRemark(row.remark) },
    { title: '业务凭证号', cell: (row) => row.voucher_no },
  ],
  footer: [
    { title: '资金流水总笔数', form: 'count', of: () => 1 },
    { title: '收入笔数', form: 'count', of: (row) => Number(income(row)) },
    { title: '收入金额', form: 'sum', of: (row) => (income(row) ? row.amount * 1000 : 0) },
    { title: '支出笔数', form: 'count', of: (row) => Number(!income(row)) },
    { title: '支出金额', form: 'sum', of: (row) => (income(row) ? 0 : row.amount * 1000) },
  ],
}

/** What can be wrong with a file as a whole, its lines being right. */
export const file_flaws = [
  /** a sum of the footer is a fen too much */
  'wrong_footer',
  /** the footer counts in halves: `45.5` */
  'fractional_count',
  /** all lines are gone, the footer is what it was */
  'details_removed',
  'no_footer',
  /** summary titles and values in one line, as some documents show fund flow */
  'flat_footer',
  /** one more column, of which nobody knows */
  'unknown_column',
  'no_byte_order_mark',
  'bare_line_feeds',
  /** the text as a JSON value, as an SDK wraps it */
  'json_wrapped',
] as const

export type FileFlaw = (typeof file_flaws)[number]

/** Footer collects the sums of a file line by line. */
export class Footer<Detail> {
  readonly #cells: FooterCell<Detail>[]
  readonly #sums: number[]

  constructor({ footer }: Layout<Detail>) {
    this.#cells = footer
    this.#sums = footer.map(() => 0)
  }

  add(detail: Detail): void {
    for (const [index, { of }] of this.#cells.entries()) this.#sums[index] = (this.#sums[index] ?? 0) + of(detail)
  }

  /** The line of titles and the line of values. */
  lines(flaws: ReadonlySet<FileFlaw>): string[] {
    const surplus = (form: 'count' | 'sum'): number => (form === 'sum' && flaws.has('wrong_footer') ? 1000 : 0)
    const texts = this.#cells.map(({ form }, index) => {
      const sum = (this.#sums[index] ?? 0) + surplus(form)
      return form === 'sum' ? sumText(sum) : flaws.has('fractional_count') ? `${sum}.5` : countText(sum)
    })
    const titles = this.#cells.map(({ title }) => title)
    if (flaws.has('no_footer')) return []
    if (flaws.has('flat_footer')) return [titles.map((title, index) => `${title},${texts[index]}`).join(',')]
    return [titles.join(','), lineOfCells(texts)]
  }
}

/** The first line of a file: the titles of its columns. */
export function headerOf<Detail>(layout: Layout<Detail>): string {
  return layout.columns.map(({ title }) => title).join(',')
}

export const byte_order_mark = '\uFEFF'

/** The bytes of a bill: header, lines, summary; UTF-8 with a byte order mark, CRLF. */
export function billBytes<Detail>(
  given: Layout<Detail>,
  lines: readonly BillLine<Detail>[],
  flaws: ReadonlySet<FileFlaw>,
): Buffer {
  const layout = flaws.has('unknown_column') ? { ...given, columns: withUnknown(given.columns) } : given
  const titles = layout.columns.map(({ title }) => title)
  const footer = new Footer(layout)
  const details = lines.map(({ detail, form }) => {
    footer.add(detail)
    const cells = layout.columns.map(({ cell }) => cell(detail))
    return form === null ? lineOfCells(cells) : oddLine(form, cells, titles)
  })
  const shown = flaws.has('details_removed') ? [] : details
  const eol = flaws.has('bare_line_feeds') ? '\n' : '\r\n'
  const text = [headerOf(layout), ...shown, ...footer.lines(flaws), ''].join(eol)
  if (flaws.has('json_wrapped')) return Buffer.from(JSON.stringify({ data: text, return_code: 'SUCCESS' }))
  return Buffer.from(flaws.has('no_byte_order_mark') ? text : byte_order_mark + text)
}

function withUnknown<Detail>(columns: Column<Detail>[]): Column<Detail>[] {
  return columns.flatMap((column, index) => (index === 1 ? [{ title: '未知列', cell: () => '' }, column] : [column]))
}
