import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { orderDestination } from '../../domain/order/change.ts'
import { open_order_states } from '../../domain/order/record.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { RecordMissing, WriteContended } from '../../store/connection.ts'
import type { AppliedToOrder, OrderCause } from '../../store/orders.ts'
import { freshStore } from './database.ts'
import {
  at,
  closeAsked,
  closedAtWeChat,
  mchid,
  orderSample,
  paymentFound,
  paymentSample,
  placed,
  secondPayment,
} from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

const counter = { count: 0 }
async function inserted(given: Partial<OrderRecord> = {}): Promise<OrderRecord> {
  const order = orderSample(`TEA-${String(++counter.count).padStart(6, '0')}`, given)
  expect(await store.orders.insert(order)).toEqual({ inserted: true })
  return order
}

/** As activities do: a contended write is the same call again. */
async function applyPatiently(order: OrderRecord, cause: OrderCause): Promise<AppliedToOrder> {
  for (;;) {
    try {
      return await store.orders.apply(order, cause)
    } catch (error) {
      if (!(error instanceof WriteContended)) throw error
    }
  }
}

async function read(order: OrderRecord): Promise<OrderRecord> {
  const found = await store.orders.find(order)
  if (found === null) throw new Error(`${order._id} is gone`)
  return found
}

describe('an order that was inserted', () => {
  it('is read as it was written, nulls, empty objects and odd names of metadata included', async () => {
    const bare = await inserted()
    expect(await store.orders.find(bare)).toStrictEqual(bare)
    const full = await inserted({
      reference: 'sale-1',
      attach: '',
      metadata: { 'a.b': '1', $gt: '2', '': '3', create_time: at(5), __proto__x: '4' },
      return_url: 'https://shop.example/back',
      state: 'paid',
      revision: 3,
      sequence: 1,
      timeline: [
        {
          revision: 3,
          operation_id: 'payment:t',
          event: 'payment_found',
          from: 'awaiting_payment',
          to: 'paid',
          time: at(10),
          actor: { kind: 'wechat', id: null },
          evidence_id: null,
          reason: null,
          sequence: 1,
          event_type: 'order.paid',
        },
      ],
      amount: { total: Number.MAX_SAFE_INTEGER, currency: 'CNY' },
      code: { url: 'weixin://x', placed_time: at(1.412) },
      payment: {
        transaction_id: 't',
        role: 'order',
        success_time: at(9),
        found_by: 'query',
        found_time: at(10),
        bank_type: null,
      },
      fulfilment: { mode: 'event', result: 'pending', reason: '慢', deadline_time: at(500) },
      close_reason: 'expired',
      failure: { code: 'PARAM_ERROR', message: 'no', number_taken: false },
      placement: { attempts: 2, unanswered: true, last_attempt_time: at(1) },
      close_sent_time: at(11),
      asked: { last_time: at(12), on_request: 4 },
      next_action: { what: 'deliver', time: at(13) },
      attention: { code: 'not_placed', since_time: at(14) },
    })
    expect(await store.orders.find(full)).toStrictEqual(full)
    expect(await store.orders.findByToken(full.checkout_token)).toStrictEqual(full)
  })

  it('without a planned step has no such field, rather than a null', async () => {
    const { next_action: _, ...order } = orderSample('TEA-NO-NEXT')
    await store.orders.insert(order)
    expect(await store.orders.find(order)).toStrictEqual(order)
  })

  it('gives its number to the first of twenty requests, and to all others what the first wrote', async () => {
    const order = orderSample('TEA-RACE')
    const requests = Array.from({ length: 20 }, (_, n) => ({ ...order, checkout_token: `token-race-${n}` }))
    const answers = await Promise.all(requests.map((request) => store.orders.insert(request)))
    expect(answers.filter((answer) => answer.inserted)).toHaveLength(1)
    const kept = await read(order)
    for (const answer of answers) if (!answer.inserted) expect(answer.existing).toStrictEqual(kept)
  })

  it('is not found by its number under another merchant', async () => {
    const order = await inserted()
    expect(await store.orders.find({ mchid: '1900000002', out_trade_no: order.out_trade_no })).toBeNull()
  })
})

describe('what happens to an order', () => {
  it('changes state, timeline, revision and event number in one step, and is answered as written', async () => {
    const order = await inserted()
    const first = await store.orders.apply(order, placed())
    expect(first.outcome).toBe('done')
    const { order: paid, entry, outcome } = await store.orders.apply(order, paymentFound('t1'))
    expect(outcome).toBe('done')
    expect(paid).toStrictEqual(await read(order))
    expect(paid).toMatchObject({ state: 'paid', revision: 2, sequence: 1, payment: { transaction_id: 't1' } })
    expect(paid.timeline).toHaveLength(2)
    expect(paid.timeline.at(-1)).toStrictEqual(entry)
    expect(paid.next_action).toEqual({ what: 'await_fulfilment', time: at(20) })
    expect(paid.fulfilment.deadline_time).toBe(at(172_820))
  })

  it('is done before when its operation is in the timeline, however far the order has gone since', async () => {
    const order = await inserted()
    await store.orders.apply(order, placed())
    await store.orders.apply(order, paymentFound('t1'))
    const done = await store.orders.apply(order, { ...placed(), time: at(99) })
    expect(done.outcome).toBe('done_before')
    expect(done.entry).toMatchObject({ operation_id: 'placed', time: at(1), revision: 1 })
    expect(done.order).toStrictEqual(await read(order))
    expect(done.order.revision).toBe(2)
  })

  it('is illegal when the table says so, and leaves the order as it was', async () => {
    const order = await inserted()
    const { outcome, entry, order: standing } = await store.orders.apply(order, closedAtWeChat())
    expect({ outcome, entry }).toEqual({ outcome: 'illegal', entry: null })
    expect(standing).toStrictEqual(order)
    expect(await read(order)).toStrictEqual(order)
  })

  it('may be made of the order that holds, and refused by it', async () => {
    const order = await inserted()
    const refused = await store.orders.apply(order, () => null)
    expect(refused).toStrictEqual({ outcome: 'illegal', entry: null, order })
    const seen: string[] = []
    const cause = (standing: OrderRecord) => (seen.push(standing.state), placed())
    expect((await store.orders.apply(order, cause)).outcome).toBe('done')
    expect(seen).toEqual(['created'])
  })

  it('cannot happen to an order that is not there', async () => {
    await expect(store.orders.apply({ mchid, out_trade_no: 'NOWHERE' }, placed())).rejects.toThrow(RecordMissing)
  })

  it('is decided by the order that holds, not by the one the caller remembers', async () => {
    const order = await inserted()
    await store.orders.apply(order, placed())
    // Remembered as `created`, where this is illegal; it holds as `awaiting_payment`, where it is not.
    expect((await store.orders.apply(order, closedAtWeChat(), order)).outcome).toBe('done')
    const late = await store.orders.apply(order, closeAsked(), order)
    expect(late).toMatchObject({ outcome: 'illegal', order: { state: 'closed', revision: 2 } })
    const before = await store.orders.apply(order, placed(), order)
    expect(before).toMatchObject({ outcome: 'done_before', order: { state: 'closed', revision: 2 } })
  })

  it('needs no read when the caller knows the order', async () => {
    const order = await inserted()
    const known = (await store.orders.apply(order, placed(), order)).order
    expect(known).toMatchObject({ state: 'awaiting_payment', revision: 1 })
    expect((await store.orders.apply(order, paymentFound('t1'), known)).order).toMatchObject({ revision: 2 })
  })
})

describe('many writers at one order', () => {
  it('write one operation once, and all of them are told its entry', async () => {
    const order = await inserted()
    const answers = await Promise.all(Array.from({ length: 20 }, () => applyPatiently(order, placed())))
    expect(answers.filter(({ outcome }) => outcome === 'done')).toHaveLength(1)
    expect(answers.filter(({ outcome }) => outcome === 'done_before')).toHaveLength(19)
    const standing = await read(order)
    expect(standing).toMatchObject({ revision: 1, state: 'awaiting_payment' })
    expect(standing.timeline).toHaveLength(1)
    for (const { entry } of answers) expect(entry).toStrictEqual(standing.timeline[0])
  })

  it('do all that is legal and nothing else: fifty events, each recorded as it was answered', async () => {
    const order = await inserted()
    await store.orders.apply(order, placed())
    const seconds = Array.from({ length: 20 }, (_, n) => secondPayment(`second-${n}`))
    const payments = Array.from({ length: 10 }, (_, n) => paymentFound(`rival-${n}`))
    const closes = Array.from({ length: 10 }, (_, n) => closeAsked(`close-${n}`))
    const closed = Array.from({ length: 10 }, (_, n) => ({ ...closedAtWeChat(), operation_id: `closed-${n}` }))
    const occurrences: OrderOccurrence[] = [...seconds, ...payments, ...closes, ...closed]
    const answers = await Promise.all(occurrences.map((one) => applyPatiently(order, one)))

    const standing = await read(order)
    const done = answers.filter(({ outcome }) => outcome === 'done')
    expect(done).toHaveLength(standing.timeline.length - 1)
    expect(standing.revision).toBe(standing.timeline.length)
    const operations = standing.timeline.map(({ operation_id }) => operation_id)
    expect(new Set(operations).size).toBe(operations.length)
    // Second payments are legal in every state; of payment and close, one ends what the other could have begun.
    for (const { operation_id } of seconds) expect(operations).toContain(operation_id)
    expect(['paid', 'closed']).toContain(standing.state)
    // The timeline is one unbroken walk over the table.
    standing.timeline.forEach((entry, index) => {
      expect(entry.revision).toBe(index + 1)
      expect(entry.from).toBe(standing.timeline[index - 1]?.to ?? 'created')
      expect(orderDestination(entry.from, entry.event, 'refund')).toBe(entry.to)
    })
    const sequences = standing.timeline.flatMap(({ sequence }) => sequence ?? [])
    expect(sequences).toEqual(sequences.map((_, index) => index + 1))
    expect(standing.sequence).toBe(sequences.length)
  })

  it('lose nothing when they give up: a contended write has no effect and can be repeated', async () => {
    const order = await inserted()
    const causes = Array.from({ length: 40 }, (_, n) => secondPayment(`t-${n}`))
    const answers = await Promise.allSettled(causes.map((cause) => store.orders.apply(order, cause)))
    const failed = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
    for (const error of failed) expect(error).toBeInstanceOf(WriteContended)
    expect((await read(order)).timeline).toHaveLength(40 - failed.length)
  })
})

describe('bookkeeping', () => {
  it('plans only for the state it was meant for: a closed order gets no next step again', async () => {
    const order = await inserted()
    await store.orders.apply(order, placed())
    const plan = { what: 'ask_wechat', time: at(60) } as const
    expect(await store.orders.noteNextAction(order, 'awaiting_payment', plan)).toBe(true)
    expect((await read(order)).next_action).toEqual(plan)
    await store.orders.apply(order, closedAtWeChat())
    expect(await store.orders.noteNextAction(order, 'awaiting_payment', plan)).toBe(false)
    expect(await store.orders.noteAttention(order, 'awaiting_payment', { code: 'wechat_unreachable', since_time: at(61) })).toBe(false)
    expect(
      await store.orders.notePlacement(order, 'created', { attempts: 9, unanswered: true, last_attempt_time: at(61) }),
    ).toBe(false)
    expect(await store.orders.noteCloseSent(order, at(61))).toBe(false)
    const closed = await read(order)
    expect(closed).not.toHaveProperty('next_action')
    expect(closed).not.toHaveProperty('attention')
    expect(closed).toMatchObject({ close_sent_time: null, placement: { attempts: 0 } })
  })

  it('races with the write that closes, and the closed order never keeps a plan', async () => {
    for (let round = 0; round < 15; round++) {
      const order = await inserted()
      await store.orders.apply(order, placed())
      const plan = { what: 'ask_wechat', time: at(60) } as const
      const noted = Array.from({ length: 5 }, () => store.orders.noteNextAction(order, 'awaiting_payment', plan))
      await Promise.all([...noted, store.orders.apply(order, closedAtWeChat())])
      expect(await read(order)).toMatchObject({ state: 'closed' })
      expect(await read(order)).not.toHaveProperty('next_action')
    }
  })

  it('leaves the revision alone, so that it never forestalls a write that matters', async () => {
    const order = await inserted()
    await store.orders.notePlacement(order, 'created', { attempts: 1, unanswered: true, last_attempt_time: at(1) })
    await store.orders.countPayersCheck(order)
    await store.orders.noteAsked(order, at(2))
    await store.orders.noteAttention(order, 'created', { code: 'not_placed', since_time: at(3) })
    await store.orders.noteNextAction(order, 'created', null)
    expect((await read(order)).revision).toBe(0)
    const applied = await store.orders.apply(order, secondPayment('t'), order)
    expect(applied).toMatchObject({ outcome: 'done', order: { revision: 1, asked: { on_request: 1 } } })
  })

  it('keeps a later placement when an earlier attempt reports late', async () => {
    const order = await inserted()
    const second = { attempts: 2, unanswered: true, last_attempt_time: at(5) }
    await store.orders.notePlacement(order, 'created', second)
    const first = { attempts: 1, unanswered: false, last_attempt_time: at(1) }
    expect(await store.orders.notePlacement(order, 'created', first)).toBe(false)
    expect((await read(order)).placement).toEqual(second)
    expect(await store.orders.notePlacement(order, 'created', { ...second, unanswered: false })).toBe(true)
  })

  it('keeps the moment since when a person should look, as long as the reason is the same', async () => {
    const order = await inserted()
    await store.orders.noteAttention(order, 'created', { code: 'not_placed', since_time: at(10) })
    await store.orders.noteAttention(order, 'created', { code: 'not_placed', since_time: at(20) })
    expect((await read(order)).attention).toEqual({ code: 'not_placed', since_time: at(10) })
    await store.orders.noteAttention(order, 'created', { code: 'wechat_setup', since_time: at(30) })
    expect((await read(order)).attention).toEqual({ code: 'wechat_setup', since_time: at(30) })
    await store.orders.noteAttention(order, 'created', null)
    expect(await read(order)).not.toHaveProperty('attention')
  })

  it('keeps that moment and takes the latest detail; where none is given the old one stays', async () => {
    const order = await inserted()
    const code = 'not_placed'
    const note = (since_time: string, detail?: string) =>
      store.orders.noteAttention(order, 'created', { code, since_time, ...(detail !== undefined && { detail }) })
    expect(await note(at(10), 'timeout')).toBe(true)
    expect(await note(at(20), '400 ODD_CODE')).toBe(false)
    expect(await note(at(30))).toBe(false)
    expect((await read(order)).attention).toEqual({ code, since_time: at(10), detail: '400 ODD_CODE' })
  })

  it('remembers the latest answer, and counts questions that somebody asked for, answered or not', async () => {
    const order = await inserted()
    await store.orders.countPayersCheck(order)
    await store.orders.noteAsked(order, at(10))
    await store.orders.noteAsked(order, at(5))
    expect((await read(order)).asked).toEqual({ last_time: at(10), on_request: 1 })
    await store.orders.countPayersCheck(order)
    expect((await read(order)).asked).toEqual({ last_time: at(10), on_request: 2 })
  })

  it('never hides what money waits behind, and never takes it away', async () => {
    const order = await inserted()
    await store.orders.noteAttention(order, 'created', { code: 'second_payment', since_time: at(10) })
    expect(await store.orders.noteAttention(order, 'created', { code: 'undelivered', since_time: at(20) })).toBe(false)
    expect(await store.orders.noteAttention(order, 'created', null)).toBe(false)
    expect((await read(order)).attention).toEqual({ code: 'second_payment', since_time: at(10) })
  })

  it('remembers the last close that was sent', async () => {
    const order = await inserted()
    await store.orders.apply(order, closeAsked())
    await store.orders.noteCloseSent(order, at(100))
    await store.orders.noteCloseSent(order, at(90))
    expect((await read(order)).close_sent_time).toBe(at(100))
  })
})

describe('a list of orders', () => {
  const listed = '1900000077'
  const numbers = (orders: OrderRecord[]) => orders.map(({ out_trade_no }) => out_trade_no)

  beforeAll(async () => {
    const payment = (transaction_id: string, success: number): OrderRecord['payment'] => ({
      transaction_id,
      role: 'order',
      success_time: at(success),
      found_by: 'query',
      found_time: at(success),
      bank_type: null,
    })
    const attention = { code: 'second_payment', since_time: at(0) } as const
    const given_back = {
      ...{ revision: 1, operation_id: 'refund:R-1:3', event: 'refund_changed', from: 'fulfilled', to: 'fulfilled' },
      ...{ time: at(4), actor: { kind: 'weft', id: null }, evidence_id: null, reason: null, sequence: 3 },
      ...{ event_type: 'refund.succeeded', out_refund_no: 'R-1' },
    } as OrderRecord['timeline'][number]
    const orders = [
      orderSample('LIST-1', { mchid: listed, create_time: at(1), reference: 'r1' }),
      orderSample('LIST-2', { mchid: listed, create_time: at(2), state: 'paid', payment: payment('tx2', 50) }),
      orderSample('LIST-3', { mchid: listed, create_time: at(2), state: 'review', attention }),
      orderSample('LIST-4', { mchid: listed, create_time: at(2), state: 'paid', payment: payment('tx4', 60) }),
      orderSample('LIST-5', { mchid: listed, create_time: at(3), reference: 'r1', timeline: [given_back] }),
    ]
    for (const order of orders) await store.orders.insert(order)
    for (const transaction_id of ['tx2', 'tx4', 'second-of-tx4']) {
      const order_id = `${listed}/LIST-${transaction_id.slice(-1)}`
      const _id = `${listed}/${transaction_id}`
      await store.payments.insert(paymentSample(transaction_id, { _id, mchid: listed, order_id }))
    }
  })

  it('is newest first and comes in pages that neither repeat nor miss an order of the same moment', async () => {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.orders.list(listed, {}, { limit: 2, cursor })
      seen.push(...numbers(page.data))
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(seen).toEqual(['LIST-5', 'LIST-4', 'LIST-3', 'LIST-2', 'LIST-1'])
  })

  it('can be read oldest first', async () => {
    const first = await store.orders.list(listed, {}, { limit: 3, order: 'asc' })
    expect(numbers(first.data)).toEqual(['LIST-1', 'LIST-2', 'LIST-3'])
    const cursor = first.next_cursor ?? undefined
    const rest = await store.orders.list(listed, {}, { limit: 3, order: 'asc', cursor })
    expect(numbers(rest.data)).toEqual(['LIST-4', 'LIST-5'])
    expect(rest.next_cursor).toBeNull()
  })

  it.each([
    [{ state: ['paid', 'review'] }, ['LIST-4', 'LIST-3', 'LIST-2']],
    [{ state: ['closed'] }, []],
    [{ attention: 'any' as const }, ['LIST-3']],
    [{ attention: ['second_payment', 'not_placed'] }, ['LIST-3']],
    [{ attention: ['not_placed'] }, []],
    [{ out_trade_no: ['LIST-1', 'LIST-9'] }, ['LIST-1']],
    [{ reference: 'r1' }, ['LIST-5', 'LIST-1']],
    [{ transaction_id: 'tx4' }, ['LIST-4']],
    [{ transaction_id: 'second-of-tx4' }, ['LIST-4']],
    [{ refunds: 'any' as const }, ['LIST-5']],
    [{ refunds: 'succeeded' as const }, ['LIST-5']],
    [{ refunds: 'none' as const, state: ['paid', 'review'] }, ['LIST-4', 'LIST-3', 'LIST-2']],
    [{ transaction_id: ['tx2', 'tx4', 'tx9'] }, ['LIST-4', 'LIST-2']],
    [{ create_time_from: at(2), create_time_to: at(3) }, ['LIST-4', 'LIST-3', 'LIST-2']],
    [{ success_time_from: at(50), success_time_to: at(60) }, ['LIST-2']],
    [{ state: ['paid'], success_time_from: at(51) }, ['LIST-4']],
  ])('of %j has exactly those', async (filter, expected) => {
    const { data } = await store.orders.list(listed, filter, { limit: 50 })
    expect(numbers(data)).toEqual(expected)
  })

  it('shows nothing of another merchant', async () => {
    const { data } = await store.orders.list('1900000078', {}, { limit: 50 })
    expect(data).toEqual([])
    expect((await store.orders.list('1900000078', { transaction_id: 'tx2' }, { limit: 5 })).data).toEqual([])
  })
})

describe('the questions of runs, pages and sweeper', () => {
  it('find the older unpaid orders of a sale, by time, then by number', async () => {
    const sale = { reference: 'sale-older' }
    const oldest = await inserted({ ...sale, create_time: at(1) })
    const first_twin = await inserted({ ...sale, create_time: at(2), state: 'closing' })
    const second_twin = await inserted({ ...sale, create_time: at(2) })
    await inserted({ ...sale, create_time: at(1), state: 'closed' })
    await inserted({ ...sale, create_time: at(3) })
    await inserted({ reference: 'another sale', create_time: at(1) })
    const older = await store.orders.findOlderUnpaid(second_twin)
    expect(older.map(({ _id }) => _id)).toEqual([oldest._id, first_twin._id])
    expect(await store.orders.findOlderUnpaid(oldest)).toEqual([])
    expect(await store.orders.findOlderUnpaid(await inserted())).toEqual([])
  })

  it('find what is overdue, the longest first, and nothing that has ended', async () => {
    const long_ago = (seconds: number) => ({ next_action: { what: 'close', time: at(-10_000 + seconds) } as const })
    const later = await inserted(long_ago(2))
    const sooner = await inserted(long_ago(1))
    await inserted({ ...long_ago(1), state: 'review' })
    await inserted(long_ago(10))
    const due = await store.orders.findDue(open_order_states, at(-10_000 + 10), 10)
    expect(due).toEqual(
      [sooner, later].map(({ out_trade_no, next_action }) => ({ mchid, out_trade_no, time: next_action?.time })),
    )
    expect(await store.orders.findDue(open_order_states, at(-10_000 + 10), 1)).toHaveLength(1)
  })

  it('glimpse at many orders at once, and at those only that are there', async () => {
    const order = await inserted()
    const [glimpse, ...others] = await store.orders.findGlimpses([order._id, `${mchid}/NOWHERE`])
    expect(others).toEqual([])
    expect(glimpse).toStrictEqual({
      _id: order._id,
      state: 'created',
      revision: 0,
      code: null,
      asked: { last_time: null, on_request: 0 },
    })
    expect(await store.orders.findGlimpses([])).toEqual([])
    const too_many = Array.from({ length: 1_001 }, (_, n) => `${mchid}/${n}`)
    await expect(store.orders.findGlimpses(too_many)).rejects.toThrow(RangeError)
  })
})

describe('metadata', () => {
  it('comes back as it was given, whatever it holds', async () => {
    const word = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      // A key cannot hold it in BSON; the API refuses it.
      .filter((text) => !text.includes('\0'))
    await fc.assert(
      fc.asyncProperty(fc.dictionary(word, word, { maxKeys: 20, noNullPrototype: true }), async (metadata) => {
        const order = await inserted({ metadata })
        expect((await read(order)).metadata).toStrictEqual(metadata)
      }),
      { numRuns: 60 },
    )
  })
})
