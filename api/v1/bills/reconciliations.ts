import { z } from 'zod'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { DifferenceKind } from '../../../domain/bill/difference.ts'
import { flaw_codes } from '../../../domain/bill/flaw.ts'
import type { FlawCode, FlawView } from '../../../domain/bill/flaw.ts'
import { bill_date_pattern, dayRange, isBillGone, reconciliation_states } from '../../../domain/bill/reconciliation.ts'
import { bill_types } from '../../../domain/bill/row.ts'
import { reconciliationView } from '../../../domain/bill/view.ts'
import type { ReconciliationView } from '../../../domain/bill/view.ts'
import { dayId } from '../../../domain/ids.ts'
import { flow_accounts } from '../../../domain/merchant/bill.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { filterOf, listOf, nullable_time, pageView, paging_params, time } from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'

/** A Beijing day, in requests. */
export const bill_date = z
  .string()
  .regex(bill_date_pattern, 'day')
  .refine(isOnCalendar, 'day')
  .meta({ description: 'a Beijing day, 2026-11-22', format: 'date' })

/** Days of a list, both bounds with them. */
export const bill_days = {
  bill_date_from: bill_date.optional().meta({ description: 'the first day, Beijing' }),
  bill_date_to: bill_date.optional().meta({ description: 'the last day, with it' }),
}

function isOnCalendar(day: string): boolean {
  try {
    return dayRange(day).to_ms > 0
  } catch {
    return false
  }
}

const class_counts = z
  .object({
    all: z.int(),
    matched: z.int(),
    waiting: z.int().meta({ description: 'on one side only so far; the other may still come' }),
    different: z.int(),
    foreign: z.int().meta({ description: 'of other systems on this merchant number' }),
    malformed: z.int().meta({ description: 'lines that cannot be read' }),
  })
  .nullable()
const sum_fields = { payment_count: z.int(), payment_amount: z.int(), refund_count: z.int(), refund_amount: z.int() }
const day_sums = z.object(sum_fields).nullable()
const foreign_sums = z
  .object({
    ...sum_fields,
    groups: z
      .array(z.object({ appid: z.string(), pattern: z.string(), example: z.string(), ...sum_fields }))
      .meta({ description: 'by appid and shape of number (`*`: any), those of most money first; at most 20' }),
  })
  .nullable()

const fee_group = z.object({
  count: z.int().nullable().meta({ description: 'null: this look did not count them' }),
  sum: z.int().meta({ description: 'what they are off by' }),
})

export const flaw_shape = z
  .object({
    code: z
      .enum(flaw_codes as [FlawCode, ...FlawCode[]])
      .nullable()
      .meta({
        description: 'null: this day was last looked at by a version that kept only the text',
      }),
    text: z.string().meta({ description: 'in the language of Accept-Language; in events English' }),
    values: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .meta({ description: 'what the text speaks of; amounts in fen' }),
  } satisfies FieldsOf<FlawView>)
  .meta({ id: 'DayFlaw' })

export const reconciliation_shape = z
  .object({
    object: z.literal('reconciliation'),
    bill_date: z.string(),
    state: z.enum(reconciliation_states),
    is_proven: z.boolean().meta({ description: 'the bill is whole, and every line of it and every record agree' }),
    flaws: z.array(flaw_shape).meta({ description: 'why it is not proven, but for its differences' }),
    start_time: time,
    end_time: nullable_time,
    rows: class_counts.meta({ description: 'lines of WeChat Pay’s bill by class; they add up to `all`' }),
    records: class_counts.meta({ description: 'payments and refunds recorded here, by class' }),
    wechat: day_sums.meta({ description: 'what the bill says, in fen, without foreign lines' }),
    weft: day_sums.meta({ description: 'what is recorded here, in fen' }),
    foreign: foreign_sums.meta({ description: 'what other systems took and gave back, in fen' }),
    balance: z
      .object({ opening: z.int(), closing: z.int() })
      .nullable()
      .meta({ description: 'of the basic account at WeChat Pay, in fen; null: the day has no movement' }),
    accounts: z
      .array(
        z.object({
          account: z.enum(flow_accounts),
          balance: z.object({ opening: z.int(), closing: z.int() }).nullable(),
        }),
      )
      .meta({
        description:
          'the same of each account whose fund flow was compared: those that `settings.bills.accounts` names',
      }),
    unknown_movements: z
      .array(
        z.object({
          account: z.enum(flow_accounts),
          type: z.string().meta({ description: '业务类型' }),
          direction: z.enum(['in', 'out']),
          count: z.int(),
          amount: z.int(),
        }),
      )
      .meta({
        description:
          'movements under words that Weft does not know, booked on other.<业务类型>, or on wechat.transfer where another account has its other side; at most 20 words',
      }),
    fees: z
      .object({
        charged: z.int(),
        returned: z.int(),
        expected: z.int().nullable().meta({ description: 'by the merchant’s fee_contract; null: it has none' }),
        match_count: z.int().nullable().meta({ description: 'payments charged as agreed, within a line’s tolerance' }),
        under: fee_group.meta({ description: 'payments charged less' }),
        over: fee_group.meta({ description: 'payments charged more' }),
        fractional_count: z.int().nullable().meta({ description: 'fees that are not whole fen' }),
      })
      .nullable()
      .meta({ description: 'in 1/1000 fen, as the bill has them' }),
    differences: z.partialRecord(z.enum(difference_kinds as [DifferenceKind, ...DifferenceKind[]]), z.int()).meta({
      description: 'how many of each kind are not over',
    }),
    healed_count: z.int(),
    untold_count: z.int().meta({ description: 'open differences of which no difference.opened was sent' }),
    changes: z
      .array(
        z.object({
          type: z.enum(bill_types),
          version: z.int(),
          added: z.int(),
          removed: z.int(),
          changed: z.int(),
        }),
      )
      .meta({
        description:
          'lines that the bills which were read, issued anew, have otherwise than before; which: GET /v1/bills/{bill_date}/{type}/changes',
      }),
    book: z
      .object({
        post_time: nullable_time.meta({ description: 'null: they are being posted' }),
        sheet_count: z.int(),
        accounts: z.array(z.object({ account: z.string(), amount: z.int() })),
      })
      .nullable()
      .meta({
        description: 'what the bills of the day move in the book, by account, in fen, debit positive; null: not posted',
      }),
  } satisfies FieldsOf<ReconciliationView>)
  .meta({ id: 'Reconciliation' })

const startReconciliation = declareEndpoint({
  name: 'startReconciliation',
  method: 'POST',
  path: '/v1/reconciliations/{bill_date}',
  scope: 'money:write',
  summary: 'Has a day reconciled, again if it was before',
  description:
    'WeChat Pay’s bills of the day are fetched, and everything is compared anew. Every day is, by itself. 100 at once, and then one in 5 s.',
  params: z.object({ bill_date }),
  responses: { 202: { description: 'it has begun', schema: z.object({ bill_date: z.string() }) } },
  problems: ['invalid_request', 'unavailable'],
  async handle({ context, caller, params, language }) {
    if (dayRange(params.bill_date).to_ms > context.now())
      throw new Problem('invalid_request', { errors: [ruleError('/path/bill_date', 'day_over', language)] })
    if (isBillGone(params.bill_date, context.now()))
      throw new Problem('invalid_request', { errors: [ruleError('/path/bill_date', 'day_gone', language)] })
    const day = { mchid: caller.mchid, bill_date: params.bill_date }
    const question = {
      subject: `day:${dayId(day)}`,
      mchid: day.mchid,
      every_ms: 0,
      asked_by: 'reconciliation',
    } as const
    await context.questions.put(question, () => context.commands.startDay(day))
    return { status: 202, body: { bill_date: params.bill_date } }
  },
})

const listReconciliations = declareEndpoint({
  name: 'listReconciliations',
  method: 'GET',
  path: '/v1/reconciliations',
  scope: 'money:read',
  summary: 'Days and whether they are proven, newest first',
  query: z.strictObject({
    ...paging_params,
    state: filterOf(reconciliation_states).optional(),
    ...bill_days,
  }),
  responses: { 200: { description: 'a page of days', schema: listOf('Reconciliation', reconciliation_shape) } },
  problems: [],
  async handle({ context, caller, query, language }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.reconciliations.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, (day) => reconciliationView(day, language)) }
  },
})

const getReconciliation = declareEndpoint({
  name: 'getReconciliation',
  method: 'GET',
  path: '/v1/reconciliations/{bill_date}',
  scope: 'money:read',
  summary: 'One day: both sides to the fen, and why it is not proven',
  params: z.object({ bill_date }),
  responses: { 200: { description: 'the day', schema: reconciliation_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params, language }) {
    const day = await context.store.reconciliations.find({ mchid: caller.mchid, bill_date: params.bill_date })
    if (day === null) throw new Problem('not_found')
    return { status: 200, body: reconciliationView(day, language) }
  },
})

export const reconciliation_endpoints: readonly Endpoint[] = [
  startReconciliation,
  listReconciliations,
  getReconciliation,
]
