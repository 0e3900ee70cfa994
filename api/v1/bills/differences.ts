import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { difference_states, exposureByAge } from '../../../domain/bill/difference.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { readOriginal } from '../../../store/original.ts'
import { kept_bytes, LineCutter } from '../../../wechat/statement/line.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { filterOf, free_text_filter, isPlainText, isReadable, listOf, paging_params, query_time } from '../shapes.ts'
import { assertKept, watchedRead } from './original.ts'
import { bill_date, bill_days } from './reconciliations.ts'
import {
  difference_params,
  difference_shape,
  differenceStateProblem,
  replyWith,
  requireDifference,
  shown_kinds,
  shownDifferences,
} from './shape.ts'

const listDifferences = declareEndpoint({
  name: 'listDifferences',
  method: 'GET',
  path: '/v1/differences',
  scope: 'money:read',
  summary: 'What bills and records differ in, latest due first',
  query: z.strictObject({
    ...paging_params,
    kind: filterOf(shown_kinds).optional(),
    state: filterOf(difference_states).optional(),
    bill_date: bill_date.optional(),
    ...bill_days,
    owner: free_text_filter.optional(),
    due_before: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of differences', schema: listOf('Difference', difference_shape) } },
  problems: [],
  async handle({ context, caller, query, language }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.differences.list(caller.mchid, filter, { limit, cursor })
    const data = await shownDifferences({ context, language }, page.data)
    return { status: 200, body: { data, next_cursor: page.next_cursor } }
  },
})

const getDifference = declareEndpoint({
  name: 'getDifference',
  method: 'GET',
  path: '/v1/differences/{difference_id}',
  scope: 'money:read',
  summary: 'One difference with both sides and what WeChat Pay answered',
  params: difference_params,
  responses: { 200: { description: 'the difference', schema: difference_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params, language }) {
    return await replyWith({ context, language }, 200, await requireDifference(context, caller, params))
  },
})

/** What a person writes down: so many bytes, since timelines keep it for good. */
const isShort = (most: number) => (text: string) => Buffer.byteLength(text) <= most
const owner = z
  .string()
  .min(1)
  .max(100)
  .refine(isPlainText, 'text')
  .refine(isReadable, 'blank')
  .refine(isShort(200), 'bytes')
const note = z
  .string()
  .min(1)
  .max(500)
  .refine(isPlainText, 'text')
  .refine(isReadable, 'blank')
  .refine(isShort(1_000), 'bytes')
  .meta({ description: 'at most 1,000 bytes of UTF-8' })
const work_request = z
  .strictObject({
    owner: owner.nullish().meta({ description: 'who works on it, at most 200 bytes of UTF-8; null: nobody' }),
    note: note.nullish().meta({ description: 'at most 1,000 bytes of UTF-8; null: none' }),
  })
  .refine((given) => given.owner !== undefined || given.note !== undefined, {
    message: 'nothing_given',
    path: ['owner'],
  })
  .meta({ id: 'DifferenceWork' })

const workOnDifference = declareEndpoint({
  name: 'workOnDifference',
  method: 'PATCH',
  path: '/v1/differences/{difference_id}',
  scope: 'money:write',
  summary: 'Says who works on a difference, and what is known of it',
  description: 'Each change is an entry of its timeline, which takes 200 of them. What is not given stays as it is.',
  params: difference_params,
  body: work_request,
  responses: { 200: { description: 'the difference', schema: difference_shape } },
  problems: ['not_found', 'difference_state'],
  async handle({ context, caller, params, body, language }) {
    let difference = await requireDifference(context, caller, params)
    const about = { time: beijingTime(context.now()), actor: callerActor(caller) }
    const changes = [
      ...(body.owner === undefined ? [] : [{ event: 'assigned', owner: body.owner, reason: body.owner } as const]),
      ...(body.note === undefined ? [] : [{ event: 'noted', note: body.note, reason: body.note } as const]),
    ]
    for (const change of changes) {
      const operation_id = `${change.event}:${randomUUID()}`
      const applied = await context.store.differences.apply(difference._id, { ...about, ...change, operation_id })
      difference = applied.record
      if (applied.outcome === 'illegal') throw differenceStateProblem(difference)
    }
    return await replyWith({ context, language }, 200, difference)
  },
})

const line_shape = z
  .object({
    object: z.literal('bill_line'),
    bill_date: z.string(),
    version: z.int().meta({ description: 'of the trade bill that was read' }),
    line: z.int().meta({ description: 'its number in the file, from 1; of a record of several lines the first' }),
    bytes: z.string().meta({ description: 'base64, at most 4 KiB of it' }),
    text: z.string().meta({ description: 'the same as UTF-8, for people' }),
  })
  .meta({ id: 'BillLine' })

const getDifferenceLine = declareEndpoint({
  name: 'getDifferenceLine',
  method: 'GET',
  path: '/v1/differences/{difference_id}/line',
  scope: 'money:read',
  summary: 'The line of the bill as WeChat Pay wrote it',
  description: 'Read from the original each time, so that no copy of it outlives the bill. About three in a second.',
  params: difference_params,
  responses: { 200: { description: 'the line', schema: line_shape } },
  problems: ['not_found', 'original_dropped', 'original_damaged', 'original_lost'],
  async handle({ context, caller, params, log }) {
    const { id, mchid, bill_date: date, bill, bill_version } = await requireDifference(context, caller, params)
    const line = bill?.['line']
    const day = { mchid, bill_date: date }
    const version = bill_version ?? (await context.store.reconciliations.find(day))?.versions.trade
    const original = version === undefined ? null : await context.store.bills.find(day, 'trade', version)
    if (typeof line !== 'number' || original === null) throw new Problem('not_found')
    assertKept(original)
    const question = { subject: `line:${id}`, mchid, every_ms: 0, asked_by: 'stranger' } as const
    const bytes = await context.questions.put(question, () =>
      readLine(watchedRead({ context, log }, original, readOriginal(context.store, original)), line),
    )
    if (bytes === null) throw new Problem('not_found')
    const read = { object: 'bill_line', bill_date: date, version: original.version, line }
    return { status: 200, body: { ...read, bytes: bytes.toString('base64'), text: bytes.toString('utf8') } }
  },
})

/** The bytes of one line of an original, which is read no further than that; null: it has not so many. */
async function readLine(original: AsyncIterable<Buffer>, wanted: number): Promise<Buffer | null> {
  const cutter = new LineCutter()
  const found: Buffer[] = []
  let number = 0
  const take = (line: Buffer) => {
    number += 1
    if (number === wanted) found.push(Buffer.from(line.subarray(0, kept_bytes)))
  }
  for await (const bytes of original) {
    cutter.push(bytes, take)
    if (found[0] !== undefined) return found[0]
  }
  cutter.end(take)
  return found[0] ?? null
}

const exposure_shape = z
  .object({
    object: z.literal('exposure'),
    count: z.int(),
    amount: z.int().meta({ description: 'fen at stake' }),
    ages: z.array(
      z.object({
        days_from: z.int().meta({ description: 'full days since the end of the difference’s day' }),
        days_to: z.int().nullable().meta({ description: 'exclusive; null: without an end' }),
        count: z.int(),
        amount: z.int(),
      }),
    ),
  })
  .meta({ id: 'Exposure' })

const getExposure = declareEndpoint({
  name: 'getExposure',
  method: 'GET',
  path: '/v1/differences/exposure',
  scope: 'money:read',
  summary: 'What is at stake in differences that are not over, by age',
  responses: { 200: { description: 'fen and number, youngest first', schema: exposure_shape } },
  problems: [],
  async handle({ context, caller }) {
    const days = await context.store.differences.unsettledByDay(caller.mchid)
    const ages = exposureByAge(days, context.now())
    const sum = (field: 'count' | 'amount') => ages.reduce((total, age) => total + age[field], 0)
    return { status: 200, body: { object: 'exposure', count: sum('count'), amount: sum('amount'), ages } }
  },
})

/** `exposure` stands before the address of one difference, which it would be else. */
export const difference_endpoints: readonly Endpoint[] = [
  listDifferences,
  getExposure,
  getDifference,
  getDifferenceLine,
  workOnDifference,
]
