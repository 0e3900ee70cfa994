import { z } from 'zod'
import { bill_types } from '../../../domain/bill/row.ts'
import type { BillRecord } from '../../../domain/bill/reconciliation.ts'
import { readCompressed, readOriginal } from '../../../store/original.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { listOf, nullable_text, nullable_time, pageView, paging_params, time } from '../shapes.ts'
import { assertFile, assertKept, assertWhole, watchedRead } from './original.ts'
import { bill_date, bill_days } from './reconciliations.ts'

const bill_type = z.enum(bill_types).meta({
  description:
    'trade: 交易账单; fundflow: 资金账单 of the basic account; fundflow_operation, fundflow_fees: of the others that are fetched',
})
const version = z.int().meta({ description: 'from 1; a bill that WeChat Pay issued anew is the next one' })

const change_sum = z.object({ count: z.int(), amount: z.int() })

const version_shape = z.object({
  version,
  state: z
    .enum(['ready', 'none'])
    .meta({ description: 'none: WeChat Pay said that there was no trade, so this version has no file' }),
  signed_sha1: nullable_text.meta({ description: 'what WeChat Pay signed, hex; null: there is no file' }),
  sha1: nullable_text.meta({ description: 'of the bytes that are kept, hex; always what WeChat Pay signed' }),
  byte_count: z.int().meta({ description: 'of the file as WeChat Pay made it' }),
  fetch_time: time,
  changes: z
    .object({
      before: change_sum,
      after: change_sum,
      added: change_sum,
      removed: change_sum,
      changed: change_sum,
      listed_count: z.int(),
    })
    .nullable()
    .meta({
      description:
        'lines and fen (what came in less what went out) of the version before and of this one, and what leads from one to the other; null: the first, or not compared',
    }),
  damaged_time: nullable_time.meta({
    description: 'since then what is kept is known not to be the file; it is fetched anew while WeChat Pay has it',
  }),
})

const bill_shape = z
  .object({
    object: z.literal('bill'),
    bill_date: z.string(),
    type: bill_type,
    version: version.meta({ description: 'the newest' }),
    versions: z.array(version_shape).meta({ description: 'all that WeChat Pay ever issued of it, oldest first' }),
  })
  .meta({ id: 'Bill' })

function billView(versions: readonly BillRecord[]): z.output<typeof bill_shape> | null {
  const newest = versions.at(-1)
  if (newest === undefined) return null
  const { bill_date: date, type } = newest
  return {
    object: 'bill',
    bill_date: date,
    type,
    version: newest.version,
    versions: versions.map(({ version: number, state, hash_value, plain_sha1, byte_count, fetch_time, ...bill }) => ({
      version: number,
      state,
      signed_sha1: hash_value,
      sha1: plain_sha1,
      byte_count,
      fetch_time,
      changes: bill.changes ?? null,
      damaged_time: bill.damaged_time ?? null,
    })),
  }
}

/** What a bill is saved as: whose, which day, which of the two, which version. */
export function billFileName({ mchid, bill_date: date, type, version: number }: BillRecord): string {
  return `${mchid}-${date}-${type}-v${number}.csv`
}

const listBills = declareEndpoint({
  name: 'listBills',
  method: 'GET',
  path: '/v1/bills',
  scope: 'money:read',
  summary: 'The bills that are kept, by day, newest day first',
  query: z.strictObject({
    ...paging_params,
    ...bill_days,
  }),
  responses: {
    200: {
      description: 'a page of days',
      schema: listOf('BillDay', z.object({ bill_date: z.string(), bills: z.array(bill_shape) })),
    },
  },
  problems: [],
  async handle({ context, caller, query }) {
    const { mchid } = caller
    const { limit, cursor, ...filter } = query
    const page = await context.store.reconciliations.list(mchid, filter, { limit, cursor })
    const [last, first] = [page.data.at(0)?.bill_date ?? '', page.data.at(-1)?.bill_date ?? '']
    const kept = await context.store.bills.ofDays(mchid, [first, last])
    const bills = (date: string) =>
      bill_types.flatMap((type) => {
        const view = billView(kept.filter((bill) => bill.bill_date === date && bill.type === type))
        return view === null ? [] : [view]
      })
    return {
      status: 200,
      body: pageView(page, ({ bill_date: date }) => ({ bill_date: date, bills: bills(date) })),
    }
  },
})

const getBill = declareEndpoint({
  name: 'getBill',
  method: 'GET',
  path: '/v1/bills/{bill_date}/{type}',
  scope: 'money:read',
  summary: 'One bill of a day: its versions and their hashes',
  params: z.object({ bill_date, type: bill_type }),
  responses: { 200: { description: 'the bill', schema: bill_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const { bill_date: date, type } = params
    const view = billView(await context.store.bills.versions({ mchid: caller.mchid, bill_date: date }, type))
    if (view === null) throw new Problem('not_found')
    return { status: 200, body: view }
  },
})

const getBillContent = declareEndpoint({
  name: 'getBillContent',
  method: 'GET',
  path: '/v1/bills/{bill_date}/{type}/content',
  scope: 'money:read',
  summary: 'The file, byte by byte as WeChat Pay made it',
  description:
    'Weft-Bill-Sha1 is the SHA-1 that WeChat Pay signed, of the file without any content coding. An answer that ends ' +
    'early, or has fewer bytes than its Content-Length, is not whole. A bill without trade has no file: 404 ' +
    '`original_absent`. One that is damaged here is fetched anew: 503 `original_damaged`, ask again.',
  params: z.object({ bill_date, type: bill_type }),
  query: z.strictObject({
    version: z.coerce.number().int().min(1).optional().meta({ description: 'the newest without it' }),
  }),
  responses: { 200: { description: 'the file', file_types: ['text/csv'] } },
  problems: ['not_found', 'original_absent', 'original_dropped', 'original_damaged', 'original_lost'],
  async handle({ context, caller, params, query, accepts, log }) {
    const { store } = context
    const { bill_date: date, type } = params
    const versions = await store.bills.versions({ mchid: caller.mchid, bill_date: date }, type)
    const bill = versions.findLast((one) => query.version === undefined || one.version === query.version)
    if (bill === undefined) throw new Problem('not_found')
    assertFile(bill)
    assertKept(bill)
    await assertWhole({ context, log }, bill)
    const headers = {
      'Weft-Bill-Sha1': bill.hash_value ?? '',
      'Weft-Bill-Version': String(bill.version),
      Vary: 'Accept-Encoding',
    }
    const file = { type: 'text/csv; charset=utf-8', name: billFileName(bill) }
    // It is kept as gzip, so who takes that is given it as it lies.
    if (accepts('accept-encoding', ['gzip', 'identity']) === 'gzip')
      return {
        status: 200,
        headers: { ...headers, 'Content-Encoding': 'gzip' },
        file: { ...file, content: watchedRead({ context, log }, bill, readCompressed(store, bill)) },
      }
    const content = watchedRead({ context, log }, bill, readOriginal(store, bill))
    return { status: 200, headers, file: { ...file, content, size: bill.byte_count } }
  },
})

export const bill_endpoints: readonly Endpoint[] = [listBills, getBill, getBillContent]
