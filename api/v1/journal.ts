import { z } from 'zod'
import { isOfBills } from '../../domain/bill/sheet.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { entry_kinds, journal_accounts } from '../../domain/journal.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { publicId } from '../../store/ids.ts'
import { declareEndpoint } from '../http/endpoint.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { filterOf, listOf, nullable_text, pageView, paging_params, query_time, text_filter, time } from './shapes.ts'

/** WeChat's words for its movements are an open list: one that Weft does not know has an account of its own. */
const account = z.union([z.enum(journal_accounts), z.string().regex(/^other\..+$/)])

export const posting = z.object({
  account,
  key: z.string().meta({ description: 'the account’s sub-key: a number, or “-” where it has none' }),
  amount: z.int().meta({ description: 'fen, debit positive, credit negative' }),
})

const entry_shape = z
  .object({
    object: z.literal('journal_entry'),
    id: z.string(),
    kind: z.enum(entry_kinds),
    occurred_time: time.meta({ description: 'WeChat Pay’s moment' }),
    booked_time: time.meta({ description: 'ours' }),
    out_trade_no: nullable_text,
    out_refund_no: nullable_text,
    postings: z.array(posting).meta({ description: 'their amounts sum to 0' }),
    evidence_id: z.string().meta({
      description: 'of what a bill says the bill: <mchid>/<day>/<type>/<version>',
    }),
    reverses: nullable_text.meta({ description: 'the entry that this one takes back' }),
    correction: z
      .object({ by: z.string(), reason: z.string() })
      .nullable()
      .meta({ description: 'who corrected the book, and why; null of all other entries' }),
  })
  .meta({ id: 'JournalEntry' })

function entryView(entry: JournalEntry): z.output<typeof entry_shape> {
  return {
    object: 'journal_entry',
    id: entry._id,
    kind: entry.kind,
    occurred_time: entry.occurred_time,
    booked_time: entry.booked_time,
    out_trade_no: entry.out_trade_no,
    out_refund_no: entry.out_refund_no,
    postings: entry.postings,
    evidence_id: isOfBills(entry) ? entry.evidence_id : publicId('evd', entry.evidence_id),
    reverses: entry.reverses,
    correction: entry.correction ?? null,
  }
}

const listJournal = declareEndpoint({
  name: 'listJournal',
  method: 'GET',
  path: '/v1/journal',
  scope: 'money:read',
  summary: 'The book’s entries, newest first',
  description: 'What each account means, and what each event books: docs/money.md.',
  query: z.strictObject({
    ...paging_params,
    out_trade_no: text_filter.optional(),
    out_refund_no: text_filter.optional(),
    kind: filterOf(entry_kinds).optional(),
    booked_time_from: query_time.optional(),
    booked_time_to: query_time.optional(),
    occurred_time_from: query_time.optional().meta({ description: 'by WeChat Pay’s moment' }),
    occurred_time_to: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of entries', schema: listOf('JournalEntry', entry_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.journal.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, entryView) }
  },
})

const balances_shape = z
  .object({
    object: z.literal('balances'),
    time: time.meta({ description: 'all that was booked up to this moment' }),
    currency: z.string(),
    accounts: z.array(z.object({ account, amount: z.int() })).meta({
      description:
        'every account of the book, behind them those of movements that Weft does not know; fen, debit positive',
    }),
    sum: z.int().meta({ description: 'always 0: anything else is a fault' }),
  })
  .meta({ id: 'Balances' })

const getBalances = declareEndpoint({
  name: 'getBalances',
  method: 'GET',
  path: '/v1/balances',
  scope: 'money:read',
  summary: 'What stands on every account',
  query: z.strictObject({
    time: query_time.optional().meta({ description: 'as the book stood then; now when absent' }),
  }),
  responses: { 200: { description: 'the balances', schema: balances_shape } },
  problems: [],
  async handle({ context, caller, query }) {
    const booked = await context.store.journal.balances(caller.mchid, query.time)
    const amounts = new Map(booked.map((one) => [one.account, one.amount]))
    const body: z.output<typeof balances_shape> = {
      object: 'balances',
      time: beijingTime(query.time ? milliseconds(query.time) : context.now()),
      currency: 'CNY',
      accounts: [
        ...journal_accounts.map((name) => ({ account: name, amount: amounts.get(name) ?? 0 })),
        ...booked.filter(({ account: name }) => !(journal_accounts as readonly string[]).includes(name)),
      ],
      sum: booked.reduce((sum, { amount }) => sum + amount, 0),
    }
    return { status: 200, body }
  },
})

export const journal_endpoints: readonly Endpoint[] = [listJournal, getBalances]
