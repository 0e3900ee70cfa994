import { z } from 'zod'
import { dayRange } from '../../../domain/bill/reconciliation.ts'
import { sumOfFigures } from '../../../domain/bill/report.ts'
import type { ReportFigures, ReportRecord } from '../../../domain/bill/report.ts'
import { byte_order_mark, csv_type, csvLines } from '../../http/csv.ts'
import type { CsvCell } from '../../http/csv.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import type { Bilingual, Language } from '../../http/language.ts'
import { Problem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { time } from '../shapes.ts'
import { day_reports, error_sources, errorLines, figureCell, figureTitle } from './figures.ts'
import type { ErrorSource, FigureUnit, ReportColumn } from './figures.ts'
import { bill_date } from './reconciliations.ts'
import { report_language, reportLanguage } from './statements.ts'

const most_days = 92
const day_ms = 86_400_000

const report_query = z.strictObject({
  from: bill_date.meta({ description: 'the first day, Beijing' }),
  to: bill_date.meta({ description: `the last day, with it at most ${most_days} days` }),
  format: z.enum(['json', 'csv']).optional().meta({ description: 'json without it' }),
  lang: report_language,
})
type ReportQuery = z.output<typeof report_query>

const unit_notes: Record<FigureUnit, string> = {
  count: 'how many',
  fen: 'fen',
  fee: '1/1000 fen',
  ms: 'ms, to within 2.5 %; null: none was measured',
  share: '0 to 1; null: of nothing',
}

function figureShape({ unit, words }: ReportColumn) {
  const number = unit === 'share' ? z.number() : z.int()
  return number.nullable().meta({ description: `${words.en}; ${unit_notes[unit]}` })
}

const day_words: Bilingual = { en: 'day', 'zh-CN': '日期' }
const total_words: Bilingual = { en: 'all days', 'zh-CN': '合计' }

/** The days of the merchant that the query names. Throws for a range that is none, or too long. */
async function daysOf({
  context,
  caller,
  query,
  language,
}: EndpointCall<unknown, ReportQuery>): Promise<ReportRecord[]> {
  const { from, to } = query
  const days = (dayRange(to).from_ms - dayRange(from).from_ms) / day_ms + 1
  if (days < 1 || days > most_days)
    throw new Problem('invalid_request', { errors: [ruleError('/query/to', 'day_range', language)] })
  return await context.store.reports.between(caller.mchid, [from, to])
}

function csvReply(
  call: EndpointCall<unknown, ReportQuery>,
  name: string,
  linesOf: (language: Language) => CsvCell[][],
): HttpReply {
  const { caller, query, accepts } = call
  const language = reportLanguage({ accepts }, query.lang)
  return {
    status: 200,
    headers: { 'Content-Language': language, Vary: 'Accept-Language' },
    file: {
      type: csv_type,
      content: byte_order_mark + csvLines(linesOf(language)),
      name: `${caller.mchid}-${name}-${query.from}-${query.to}.csv`,
    },
  }
}

/** A report whose lines are days, from its columns. */
function declareDayReport(name: keyof typeof day_reports, summary: string, description: string): Endpoint {
  const columns: readonly ReportColumn[] = day_reports[name]
  const figures = z.object(Object.fromEntries(columns.map((one) => [one.name, figureShape(one)])))
  const figuresOf = (of: ReportFigures) => Object.fromEntries(columns.map((one) => [one.name, one.of(of)]))
  const cellsOf = (of: ReportFigures) => columns.map((one) => figureCell(one.unit, one.of(of)))
  const id = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}Report`
  return declareEndpoint({
    name: `get${id}`,
    method: 'GET',
    path: `/v1/reports/${name}`,
    scope: 'money:read',
    summary,
    description: `${description} Days that were not looked at yet are left out.`,
    query: report_query,
    responses: {
      200: {
        description: 'the report',
        file_types: ['text/csv'],
        schema: z
          .object({
            object: z.literal('report'),
            report: z.literal(name),
            from: z.string(),
            to: z.string(),
            days: z.array(z.object({ bill_date: z.string(), write_time: time }).extend(figures.shape)),
            total: figures,
          })
          .meta({ id }),
      },
    },
    problems: ['invalid_request'],
    async handle(call) {
      const { from, to, format } = call.query
      const found = (await daysOf(call)).map((report) => ({ ...report, figures: sumOfFigures([report.figures]) }))
      const total = sumOfFigures(found.map((report) => report.figures))
      if (format === 'csv')
        return csvReply(call, name, (language) => [
          [day_words[language], ...columns.map((one) => figureTitle(one, language))],
          ...found.map((report) => [report.bill_date, ...cellsOf(report.figures)]),
          [total_words[language], ...cellsOf(total)],
        ])
      const days = found.map((report) => ({
        bill_date: report.bill_date,
        write_time: report.write_time,
        ...figuresOf(report.figures),
      }))
      return { status: 200, body: { object: 'report', report: name, from, to, days, total: figuresOf(total) } }
    },
  })
}

const error_line = z.object({
  source: z.enum(Object.keys(error_sources) as [ErrorSource, ...ErrorSource[]]),
  code: z.string(),
  count: z.int(),
})

const getErrorsReport = declareEndpoint({
  name: 'getErrorsReport',
  method: 'GET',
  path: '/v1/reports/errors',
  scope: 'money:read',
  summary: 'What failed, by code: orders, refunds, deliveries, notifications that were not believed',
  description:
    'As far as it is recorded: of rejected notifications only the newest thousand are kept. Days that were not looked ' +
    'at yet are left out.',
  query: report_query,
  responses: {
    200: {
      description: 'the report',
      file_types: ['text/csv'],
      schema: z
        .object({
          object: z.literal('report'),
          report: z.literal('errors'),
          from: z.string(),
          to: z.string(),
          days: z.array(z.object({ bill_date: z.string(), write_time: time, errors: z.array(error_line) })),
          total: z.array(error_line),
        })
        .meta({ id: 'ErrorsReport' }),
    },
  },
  problems: ['invalid_request'],
  async handle(call) {
    const { from, to, format } = call.query
    const found = await daysOf(call)
    const days = found.map(({ bill_date: date, write_time, figures }) => {
      return { bill_date: date, write_time, errors: errorLines(sumOfFigures([figures])) }
    })
    if (format === 'csv')
      return csvReply(call, 'errors', (language) => [
        error_columns.map((words) => words[language]),
        ...days.flatMap((day) =>
          day.errors.map(({ source, code, count }) => [
            day.bill_date,
            error_sources[source].words[language],
            code,
            count,
          ]),
        ),
      ])
    const total = errorLines(sumOfFigures(found.map(({ figures }) => figures)))
    return { status: 200, body: { object: 'report', report: 'errors', from, to, days, total } }
  },
})

const error_columns: Bilingual[] = [
  day_words,
  { en: 'what', 'zh-CN': '事项' },
  { en: 'code', 'zh-CN': '代码' },
  { en: 'how often', 'zh-CN': '次数' },
]

export const report_endpoints: readonly Endpoint[] = [
  declareDayReport(
    'daily',
    'Day by day: created, paid, expired, refunded, fees',
    'Payments and refunds of the day as they are recorded here, fees as its bill has them; orders by the day on which they were created, as they were at the day’s last look.',
  ),
  declareDayReport(
    'notifications',
    'How WeChat Pay’s notifications came: lag, repeats, rejections, and what payments were found by',
    'The lag is from success_time to the first arrival. Of rejected ones only the newest thousand are kept.',
  ),
  declareDayReport(
    'funnel',
    'Orders of a day: created, paid, fulfilled, with median times',
    'By the day on which an order was created, as it was at the day’s last look.',
  ),
  getErrorsReport,
  declareDayReport('fees', 'Fees charged and returned by the bills, and what the contract says', 'In 1/1000 fen.'),
]
