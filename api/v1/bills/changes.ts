import { z } from 'zod'
import { line_change_kinds } from '../../../domain/bill/change.ts'
import type { CellValue } from '../../../domain/bill/change.ts'
import { bill_types } from '../../../domain/bill/row.ts'
import type { BillType } from '../../../domain/bill/row.ts'
import type { KeptChange } from '../../../store/changes.ts'
import { columnTitle } from '../../../wechat/statement/reader.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { listOf, pageView, paging_params } from '../shapes.ts'
import { assertKept } from './original.ts'
import { bill_date } from './reconciliations.ts'

const cell = z.union([z.string(), z.number()]).nullable()
const nullable_line = z.int().nullable()

const change_shape = z
  .object({
    object: z.literal('bill_change'),
    kind: z.enum(line_change_kinds),
    line_before: nullable_line.meta({ description: 'its number in the file before, from 1; null: it is new' }),
    line_after: nullable_line.meta({ description: 'its number in this file; null: it is gone' }),
    numbers: z.record(z.string(), cell).meta({ description: 'transaction_id, out_trade_no and the like' }),
    amount: z.int().meta({ description: 'fen: what it does to the account now, less what it did before' }),
    fields: z
      .array(
        z.object({
          column: z.string(),
          title: z
            .string()
            .nullable()
            .meta({ description: 'what the bill calls it; null: it is no column of its own' }),
          before: cell,
          after: cell,
        }),
      )
      .meta({
        description: 'what differs; of a line that is new or gone all that it says. Amounts in fen, fees in 1/1000 fen',
      }),
  })
  .meta({ id: 'BillChange' })

/** A change as it is told: `null` stands for what the other file does not have. */
function changeView({ kind, line_before, line_after, numbers, amount, fields }: KeptChange, type: BillType) {
  const titled = fields.map(({ column, before, after }: { column: string; before: CellValue; after: CellValue }) => ({
    column,
    title: columnTitle(type, column),
    before,
    after,
  }))
  return { object: 'bill_change' as const, kind, line_before, line_after, numbers, amount, fields: titled }
}

const listBillChanges = declareEndpoint({
  name: 'listBillChanges',
  method: 'GET',
  path: '/v1/bills/{bill_date}/{type}/changes',
  scope: 'money:read',
  summary: 'What a version of a bill changed of the one before it, line by line',
  description:
    'In the order of the lines, the first 10,000; how many there are, and what they come to, is in `versions` of the bill. ' +
    'Compared is what Weft reads: not names of goods and other text, and not the balance, which follows from the lines ' +
    'before. 404: the first version, or one that was not compared, since its day was not looked at or one of the two ' +
    'files is not whole.',
  params: z.object({ bill_date, type: z.enum(bill_types) }),
  query: z.strictObject({
    ...paging_params,
    version: z.coerce.number().int().min(2).optional().meta({ description: 'the newest without it' }),
  }),
  responses: { 200: { description: 'a page of lines', schema: listOf('BillChange', change_shape) } },
  problems: ['not_found', 'original_dropped'],
  async handle({ context: { store }, caller, params, query }) {
    const { type, bill_date: date } = params
    const { limit, cursor, version } = query
    const versions = await store.bills.versions({ mchid: caller.mchid, bill_date: date }, type)
    const bill = versions.findLast((one) => version === undefined || one.version === version)
    if (bill?.changes === undefined) throw new Problem('not_found')
    assertKept(bill)
    const page = await store.bill_changes.list(bill, { limit, cursor })
    return { status: 200, body: pageView(page, (change) => changeView(change, type)) }
  },
})

export const bill_change_endpoints: readonly Endpoint[] = [listBillChanges]
