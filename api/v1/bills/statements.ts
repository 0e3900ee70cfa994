import { z } from 'zod'
import { difference_kinds, difference_states } from '../../../domain/bill/difference.ts'
import type { DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { flowsOfDay } from '../../../domain/bill/reconciliation.ts'
import type { DayKey } from '../../../domain/bill/reconciliation.ts'
import { bill_types } from '../../../domain/bill/row.ts'
import type { FlowBill } from '../../../domain/bill/row.ts'
import { edgesAround } from '../../../store/edges.ts'
import { readOriginal } from '../../../store/original.ts'
import type { DifferenceFilter } from '../../../store/differences.ts'
import type { Store } from '../../../store/store.ts'
import { csv_type } from '../../http/csv.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall } from '../../http/endpoint.ts'
import type { Language } from '../../http/language.ts'
import { Problem } from '../../http/problem.ts'
import { filterOf } from '../shapes.ts'
import { dayArchive } from './archive.ts'
import type { ArchiveParts } from './archive.ts'
import { assertKept, assertWhole, watchedRead } from './original.ts'
import { page_policy, statementPage } from './page.ts'
import { bill_date, bill_days } from './reconciliations.ts'
import { differencesCsv, differenceTable, statementCsv, statementTables } from './statement.ts'

const read_at_once = 500
/** differences that a page shows; the CSV has them all */
const most_on_page = 1_000
const kinds = difference_kinds as [DifferenceKind, ...DifferenceKind[]]

/** The language of what finance takes away, where it is not that of the request's header. */
export const report_language = z
  .enum(['zh', 'en'])
  .optional()
  .meta({ description: 'the language; without it that of Accept-Language, and Chinese where there is none' })

/** Chinese unless English is asked for: these papers are read by the merchant's finance. */
export function reportLanguage({ accepts }: Pick<EndpointCall, 'accepts'>, lang: 'zh' | 'en' | undefined): Language {
  const wanted = lang ?? accepts('accept-language', ['zh-CN', 'zh', 'en'])
  return wanted === 'en' ? 'en' : 'zh-CN'
}

/** Of a language, in names of files. */
function shortName(language: Language): string {
  return language === 'en' ? 'en' : 'zh'
}

const getStatement = declareEndpoint({
  name: 'getStatement',
  method: 'GET',
  path: '/v1/reconciliations/{bill_date}/statement',
  scope: 'money:read',
  summary: 'A day for finance: totals, fees, balance, classes, differences, proven or why not',
  description:
    'CSV for spreadsheets (UTF-8 with a byte-order mark, CRLF), or a page to print. Amounts are numbers in yuan. Order ' +
    'numbers begin with a tab, so that a spreadsheet keeps them as text.',
  params: z.object({ bill_date }),
  query: z.strictObject({
    lang: report_language,
    format: z.enum(['csv', 'html']).optional().meta({ description: 'without it by Accept, csv where that has no say' }),
  }),
  responses: { 200: { description: 'the statement', file_types: ['text/csv', 'text/html'] } },
  problems: ['not_found'],
  async handle({ context: { store }, caller, params, query, accepts }) {
    const key = { mchid: caller.mchid, bill_date: params.bill_date }
    const day = await store.reconciliations.find(key)
    if (day === null) throw new Problem('not_found')
    const bills = await store.bills.ofDays(key.mchid, [key.bill_date, key.bill_date])
    const merchant = await store.merchants.find(key.mchid)
    const about = { bills, ...(merchant !== null && { merchant_name: merchant.name }) }
    const language = reportLanguage({ accepts }, query.lang)
    const name = `${key.mchid}-${key.bill_date}-statement-${shortName(language)}-run${day.run}`
    const headers = { 'Content-Language': language, Vary: 'Accept, Accept-Language' }
    const is_page = (query.format ?? accepts('accept', ['text/csv', 'text/html']) ?? 'csv').endsWith('html')
    if (!is_page) {
      const content = statementCsv(day, differencesOfDay(store, key), language, about)
      return { status: 200, headers, file: { type: csv_type, content, name: `${name}.csv` } }
    }
    const { shown, has_more } = await firstDifferences(store, key)
    const tables = [...statementTables(day, language, about), differenceTable(shown, language)]
    const content = statementPage({ tables, language, has_more })
    return {
      status: 200,
      headers: { ...headers, 'Content-Security-Policy': page_policy },
      file: { type: 'text/html; charset=utf-8', content, name: `${name}.html`, is_shown: true },
    }
  },
})

const exportDifferences = declareEndpoint({
  name: 'exportDifferences',
  method: 'GET',
  path: '/v1/differences.csv',
  scope: 'money:read',
  summary: 'All differences that a filter takes, as CSV, by day',
  description: 'With bill_date and no state, all that a day found, over or not. Form: see the statement of a day.',
  query: z.strictObject({
    lang: report_language,
    kind: filterOf(kinds).optional(),
    state: filterOf(difference_states).optional(),
    bill_date: bill_date.optional(),
    ...bill_days,
  }),
  responses: { 200: { description: 'the list', file_types: ['text/csv'] } },
  problems: [],
  handle({ context: { store }, caller, query: { lang, ...filter }, accepts }) {
    const language = reportLanguage({ accepts }, lang)
    const content = differencesCsv(differencesBy(store, caller.mchid, filter), language)
    const headers = { 'Content-Language': language, Vary: 'Accept-Language' }
    return Promise.resolve({
      status: 200,
      headers,
      file: { type: csv_type, content, name: `${caller.mchid}-differences-${shortName(language)}.csv` },
    })
  },
})

const getDayArchive = declareEndpoint({
  name: 'getDayArchive',
  method: 'GET',
  path: '/v1/reconciliations/{bill_date}/day.zip',
  scope: 'money:read',
  summary: 'A day to be kept: its original bills, their hashes, result and differences',
  description:
    'To be checked without database or network by `npm run reconcile -- --verify day.zip`. The same records make the ' +
    'same bytes. An answer that ends early is no archive.',
  params: z.object({ bill_date }),
  responses: { 200: { description: 'the archive', file_types: ['application/zip'] } },
  problems: ['not_found', 'original_dropped', 'original_damaged', 'original_lost'],
  async handle({ context, caller, params, log }) {
    const { store } = context
    const key = { mchid: caller.mchid, bill_date: params.bill_date }
    const day = await store.reconciliations.find(key)
    if (day === null) throw new Problem('not_found')
    const kept = await store.bills.ofDays(key.mchid, [key.bill_date, key.bill_date])
    kept.forEach(assertKept)
    for (const bill of kept) await assertWhole({ context, log }, bill)
    const content = dayArchive({
      day,
      edges: await edgesOf(store, key, flowsOfDay(day)),
      bills: bill_types.flatMap((type) => kept.filter((bill) => bill.type === type)),
      original: (bill) => watchedRead({ context, log }, bill, readOriginal(store, bill)),
      differences: () => differencesOfDay(store, key),
    })
    const name = `${key.mchid}-${key.bill_date}-day.zip`
    return { status: 200, file: { type: 'application/zip', content, name } }
  },
})

/** What each of these fund flows goes on from and leads to. */
async function edgesOf(store: Store, day: DayKey, flows: readonly FlowBill[]): Promise<ArchiveParts['edges']> {
  const edges: ArchiveParts['edges'] = {}
  for (const type of flows) edges[type] = await edgesAround(store, day, type)
  return edges
}

/** All differences of a day, some at a time, in the order of their ids. */
export async function* differencesOfDay(
  { differences }: Pick<Store, 'differences'>,
  day: DayKey,
): AsyncGenerator<DifferenceRecord[]> {
  let after: string | null = null
  for (;;) {
    const found: DifferenceRecord[] = await differences.ofDay(day, after, read_at_once)
    yield found
    if (found.length < read_at_once) return
    after = found.at(-1)?._id ?? null
  }
}

async function firstDifferences(
  store: Pick<Store, 'differences'>,
  day: DayKey,
): Promise<{ shown: DifferenceRecord[]; has_more: boolean }> {
  const found = await store.differences.ofDay(day, null, most_on_page + 1)
  return { shown: found.slice(0, most_on_page), has_more: found.length > most_on_page }
}

/**
 * All that a filter takes, some at a time, in the order of their ids, which are by day and kind: one that opens meanwhile is
 * due anew, and in an order of due times would go past the reader.
 */
export async function* differencesBy(
  { differences }: Pick<Store, 'differences'>,
  mchid: string,
  filter: DifferenceFilter,
): AsyncGenerator<DifferenceRecord[]> {
  let after: string | null = null
  for (;;) {
    const found: DifferenceRecord[] = await differences.some(mchid, filter, read_at_once, after)
    yield found
    if (found.length < read_at_once) return
    after = found.at(-1)?._id ?? null
  }
}

export const statement_endpoints: readonly Endpoint[] = [getStatement, exportDifferences, getDayArchive]
