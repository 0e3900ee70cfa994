import { durationAt } from '../../../domain/bill/duration.ts'
import type { ReportFigures } from '../../../domain/bill/report.ts'
import { unheardShare } from '../../../domain/bill/report.ts'
import { feeText, yuanText } from '../../../domain/money.ts'
import type { CsvCell } from '../../http/csv.ts'
import type { Bilingual, Language } from '../../http/language.ts'

/** What a number of a report is, and so how JSON and CSV write it. */
export type FigureUnit = 'count' | 'fen' | 'fee' | 'ms' | 'share'

/** ReportColumn is one number of a report, of one day or of all days together; null: there is nothing to say. */
export interface ReportColumn {
  name: string
  unit: FigureUnit
  words: Bilingual
  of: (figures: ReportFigures) => number | null
}

function column(name: string, unit: FigureUnit, [en, zh]: [string, string], of: ReportColumn['of']): ReportColumn {
  return { name, unit, words: { en, 'zh-CN': zh }, of }
}

const counted = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

const finders: [name: string, words: [string, string]][] = [
  ['notification', ['found by a notification', '由通知得知']],
  ['query', ['found by a query', '由查单得知']],
  ['bill', ['found by the bill', '由账单得知']],
  ['operator', ['found by a person', '由人工得知']],
]

/** The reports whose lines are days. Each number is said once, here: for JSON, CSV and the contract. */
export const day_reports = {
  daily: [
    column('created_count', 'count', ['orders created', '创建订单数'], (day) => day.created_count),
    column('created_amount', 'fen', ['amount of orders created', '创建订单金额'], (day) => day.created_amount),
    column('paid_count', 'count', ['payments recorded here', '收款笔数（本系统记录）'], (day) => day.paid_count),
    column(
      'paid_amount',
      'fen',
      ['amount of payments recorded here', '收款金额（本系统记录）'],
      (day) => day.paid_amount,
    ),
    column('expired_count', 'count', ['orders expired', '过期订单数'], (day) => day.closed['expired'] ?? 0),
    column('closed_count', 'count', ['orders closed otherwise', '其他关闭订单数'], (day) => {
      return counted(day.closed) - (day.closed['expired'] ?? 0)
    }),
    column('refunded_count', 'count', ['refunds recorded here', '退款笔数（本系统记录）'], (day) => day.refunded_count),
    column(
      'refunded_amount',
      'fen',
      ['amount of refunds recorded here', '退款金额（本系统记录）'],
      (day) => day.refunded_amount,
    ),
    column(
      'fee_net',
      'fee',
      ['fees of the bill, net', '手续费净额（账单）'],
      (day) => day.fee_charged + day.fee_returned,
    ),
  ],
  notifications: [
    column('paid_count', 'count', ['payments', '收款笔数'], (day) => day.paid_count),
    column('heard_count', 'count', ['with a notification', '收到通知的笔数'], (day) => day.heard_count),
    column('repeat_count', 'count', ['told more than once', '重复通知的笔数'], (day) => day.repeat_count),
    column('lag_p50_ms', 'ms', ['lag, median', '通知延迟中位数'], (day) => durationAt(day.lag, 0.5)),
    column('lag_p99_ms', 'ms', ['lag, p99', '通知延迟 p99'], (day) => durationAt(day.lag, 0.99)),
    column('rejected_count', 'count', ['not believed', '未通过校验的通知'], (day) => counted(day.rejected)),
    ...finders.map(([name, words]) => column(`by_${name}`, 'count', words, (day) => day.found_by[name] ?? 0)),
    column('unheard_share', 'share', ['share not found by a notification', '非通知得知的比例'], unheardShare),
  ],
  funnel: [
    column('created_count', 'count', ['orders created', '创建订单数'], (day) => day.created_count),
    column('paid_count', 'count', ['of those paid', '其中已付款'], (day) => day.paid_orders),
    column('fulfilled_count', 'count', ['of those fulfilled', '其中已履约'], (day) => day.fulfilled_orders),
    column('to_paid_p50_ms', 'ms', ['created to paid, median', '创建到付款中位数'], (day) => {
      return durationAt(day.to_paid, 0.5)
    }),
    column('to_fulfilled_p50_ms', 'ms', ['paid to fulfilled, median', '付款到履约中位数'], (day) => {
      return durationAt(day.to_fulfilled, 0.5)
    }),
  ],
  fees: [
    column('charged', 'fee', ['fees charged', '收取的手续费'], (day) => day.fee_charged),
    column('returned', 'fee', ['fees returned', '退还的手续费'], (day) => 0 - day.fee_returned),
    column('expected', 'fee', ['fees by contract', '按约定应收'], (day) => whereKnown(day, day.fee_expected)),
    column('under', 'fee', ['charged too little', '少收'], (day) => whereKnown(day, day.fee_under)),
    column('over', 'fee', ['charged too much', '多收'], (day) => whereKnown(day, day.fee_over)),
  ],
} as const satisfies Record<string, ReportColumn[]>

function whereKnown({ fee_days }: ReportFigures, value: number): number | null {
  return fee_days === 0 ? null : value
}

/** Where a failure was, with its codes. */
export const error_sources = {
  order: { words: { en: 'order not placed', 'zh-CN': '下单失败' }, of: (day) => day.order_errors },
  refund: { words: { en: 'refund not made', 'zh-CN': '退款失败' }, of: (day) => day.refund_errors },
  delivery: { words: { en: 'event not taken', 'zh-CN': '事件投递失败' }, of: (day) => day.delivery_errors },
  notification: { words: { en: 'notification not believed', 'zh-CN': '通知未通过校验' }, of: (day) => day.rejected },
} as const satisfies Record<string, { words: Bilingual; of: (day: ReportFigures) => Record<string, number> }>

export type ErrorSource = keyof typeof error_sources

/** A failure as a line: how often a code came, and where. */
export interface ErrorLine {
  source: ErrorSource
  code: string
  count: number
}

/** The failures of some figures, the most frequent first. */
export function errorLines(figures: ReportFigures): ErrorLine[] {
  const sources = Object.keys(error_sources) as ErrorSource[]
  const lines = sources.flatMap((source) =>
    Object.entries(error_sources[source].of(figures)).map(([code, count]) => ({ source, code, count })),
  )
  return lines.sort((left, right) => right.count - left.count || (left.code < right.code ? -1 : 1))
}

/** What stands behind the name of a column in CSV. */
const csv_units: Partial<Record<FigureUnit, Bilingual>> = { ms: { en: ' (s)', 'zh-CN': '（秒）' } }

/** How CSV names a column: what people read there has no milliseconds. */
export function figureTitle({ words, unit }: ReportColumn, language: Language): string {
  return `${words[language]}${csv_units[unit]?.[language] ?? ''}`
}

/** A number as CSV has it: money in yuan, durations in seconds, shares with four decimals. */
export function figureCell(unit: FigureUnit, value: number | null): CsvCell {
  if (value === null) return null
  if (unit === 'ms') return { yuan: (value / 1_000).toFixed(2) }
  if (unit === 'fen') return { yuan: yuanText(value) }
  if (unit === 'fee') return { yuan: feeText(value) }
  return unit === 'share' ? { yuan: value.toFixed(4) } : value
}
