import { z } from 'zod'
import { attention_codes } from '../../../domain/attention.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { order_states } from '../../../domain/order/record.ts'
import type { OrderFilter } from '../../../store/orders.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { sendCheck } from '../../temporal/check.ts'
import { putBatch } from '../../temporal/question.ts'
import { out_trade_no, request_time, time } from '../shapes.ts'

/** How many are looked at in one call, and counted at most by a preview. */
const most_at_once = 100
const most_counted = 5_000

/** What WeChat Pay may know more about than is recorded here: what else is to be asked about has to be named. */
const undecided_states = ['created', 'awaiting_payment', 'closing'] as const

const several = <T extends z.ZodType>(one: T) => z.array(one).min(1).max(50).nullish()

const checks_request = z
  .strictObject({
    state: several(z.enum(order_states)).meta({
      description: `orders in one of these states; ${undecided_states.join(', ')} when absent and no out_trade_no is given`,
    }),
    attention: several(z.enum(['any', ...attention_codes])).meta({
      description: 'with one of these codes; any: with some',
    }),
    out_trade_no: several(out_trade_no).meta({ description: 'these orders, at most 50' }),
    reference: several(z.string().min(1).max(64)).meta({ description: 'of these sales, at most 50' }),
    create_time_from: request_time.nullish(),
    create_time_to: request_time.nullish().meta({ description: 'exclusive' }),
    cursor: z.string().min(1).max(2_048).nullish().meta({ description: 'next_cursor of the call before' }),
    preview: z.boolean().default(false).meta({ description: 'true: count them, and ask nothing' }),
  })
  .meta({ id: 'ChecksRequest' })
type ChecksCall = EndpointCall<unknown, unknown, z.output<typeof checks_request>>

const checks_answer = z
  .object({
    count: z
      .int()
      .meta({ description: 'how many WeChat Pay is asked about now; of a preview how many orders there are' }),
    out_trade_nos: z.array(z.string()).meta({ description: 'those it is asked about; of a preview none' }),
    left_out: z.array(z.string()).meta({
      description:
        'not asked about: they were asked about less than 5 s ago, or are paid and on their way to being fulfilled',
    }),
    time: time.meta({ description: 'an order whose last_check_time is not before this has its answer' }),
    is_complete: z.boolean().meta({ description: 'of a preview: whether all were counted; else whether none is left' }),
    next_cursor: z.string().nullable().meta({ description: 'to go on with; null: these were the last' }),
  })
  .meta({ id: 'Checks' })

const checkMany = declareEndpoint({
  name: 'checkMany',
  method: 'POST',
  path: '/v1/checks',
  scope: 'orders:write',
  summary: 'Ask WeChat Pay about all orders of a choice, 100 in one call',
  description:
    'Each as POST /v1/orders/{out_trade_no}/check asks, without waiting for the answer: that is in the order, as soon as ' +
    'its last_check_time is not before the time told here. Count them first, with preview; then repeat the call with its ' +
    'next_cursor until that is null. Of one merchant five calls go at once, and then one in ten seconds.',
  body: checks_request,
  responses: {
    200: { description: 'a preview: how many there are', schema: checks_answer },
    202: { description: 'WeChat Pay is asked about these', schema: checks_answer },
  },
  problems: [],
  handle: (call) => (call.body.preview ? countChosen(call) : askAboutChosen(call)),
})

function filterOfChoice({ body }: ChecksCall): OrderFilter {
  const { state, attention, out_trade_no: numbers, reference, create_time_from, create_time_to } = body
  return {
    state: state ?? (numbers ? undefined : [...undecided_states]),
    attention: attention ?? undefined,
    out_trade_no: numbers ?? undefined,
    reference: reference ?? undefined,
    create_time_from: create_time_from ?? undefined,
    create_time_to: create_time_to ?? undefined,
  }
}

/** By the database alone: what is only counted is not read. */
async function countChosen(call: ChecksCall): Promise<HttpReply> {
  const { context, caller } = call
  const counted = { out_trade_nos: [], left_out: [], time: beijingTime(context.now()), next_cursor: null }
  const found = await context.store.orders.count(caller.mchid, filterOfChoice(call), most_counted + 1)
  const count = Math.min(found, most_counted)
  return { status: 200, body: { count, ...counted, is_complete: count === found } }
}

/** One call is one question, so that a merchant who asks about everything leaves room for the others. */
async function askAboutChosen(call: ChecksCall): Promise<HttpReply> {
  const { context, caller } = call
  return { status: 202, body: await putBatch(context.questions, caller.mchid, () => askInTurn(call)) }
}

/** One after the other: each signal is a moment, and a call that breaks off in the middle may be repeated as it is. */
async function askInTurn(call: ChecksCall): Promise<z.output<typeof checks_answer>> {
  const { context, caller, body, log } = call
  const begun = beijingTime(context.now())
  const request = { limit: most_at_once, cursor: body.cursor ?? undefined }
  const { data, next_cursor } = await context.store.orders.list(caller.mchid, filterOfChoice(call), request)
  const out_trade_nos: string[] = []
  const left_out: string[] = []
  for (const order of data) {
    const is_asked = await sendCheck(context, order, callerActor(caller))
    ;(is_asked ? out_trade_nos : left_out).push(order.out_trade_no)
  }
  const count = out_trade_nos.length
  log.info('WeChat Pay is asked about orders of a choice', { count, left_out: left_out.length })
  return { count, out_trade_nos, left_out, time: begun, is_complete: next_cursor === null, next_cursor }
}

export const check_endpoints: readonly Endpoint[] = [checkMany]
