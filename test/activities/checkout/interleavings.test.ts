import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ActivityContext } from '../../../activities/context.ts'
import { seeCheckoutThrough } from '../../../activities/checkout/end.ts'
import { tellEnd } from '../../../activities/checkout/event.ts'
import { createRuns } from '../../../activities/runs.ts'
import { createQuestions } from '../../../api/temporal/question.ts'
import { openOrder } from '../../../api/v1/checkouts/order.ts'
import type { OpeningContext, PayerWish } from '../../../api/v1/checkouts/order.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { checkoutOrderNo, orderId, operationId } from '../../../domain/ids.ts'
import { nextLook } from '../../../domain/checkout/change.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import { keepsSale } from '../../../domain/order/judgement.ts'
import type { OrderOccurrence, OrderRecord } from '../../../domain/order/record.ts'
import { default_policy } from '../../../domain/policy.ts'
import { proveCheckouts } from '../../../proof/checkout.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import type { RunStarter } from '../../../runtime/runs.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import type { Writes } from '../../stage/memory.ts'
import { toOptions } from '../../stage/world.ts'
import {
  checkoutSample,
  closeAsked,
  closedAtWeChat,
  mchid,
  merchantSample,
  noon,
  orderSample,
  paymentFound,
  placed,
} from '../../store/samples.ts'

const sealer = createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })
const key = { mchid, out_trade_no: 'TEA-1' }
const checkout_id = orderId(key)
const h5 = { trade_type: 'MWEB', known_by: '203.0.113.7', h5_type: 'iOS' } as const
const wishes: readonly PayerWish[] = [
  { trade_type: 'NATIVE' },
  { trade_type: 'JSAPI', openid: 'oA' },
  { trade_type: 'JSAPI', openid: 'oB' },
  { ...h5, payer_client_ip: '203.0.113.7' },
  { ...h5, payer_client_ip: '2001:db8::7' },
]

/** What happens next; `dies`: behind so many writes of it. */
type Happening = { dies: number | null; after_s: number } & (
  | { what: 'wish'; wish: number }
  | { what: 'two wishes'; wish: number; other: number }
  | { what: 'step' | 'pay' | 'book' | 'accept'; order: number }
  | { what: 'cancel' | 'sweep' | 'own order' }
)

/** A checkout, its API processes, its orders' runs and WeChat Pay: the first is real, of the others what matters to it. */
class Shop {
  readonly writes: Writes = { left: Infinity }
  readonly store = memoryStore(sealer, this.writes)
  now_ms = noon
  /** each number as it stands at WeChat Pay */
  readonly wechat = new Map<string, 'open' | 'closed' | 'paid'>()
  /** numbers whose run was asked to close, by the operations that asked */
  readonly closes = new Map<string, string>()
  readonly now = () => this.now_ms
  readonly starter = {
    toOptions,
    client: {
      workflow: {
        start: () => Promise.resolve(),
        getHandle: (id: string) => ({
          startUpdate: (_: string, { updateId }: { updateId: string }) =>
            Promise.resolve(void this.closes.set(id.split('/').at(-1) ?? '', updateId)),
        }),
      },
    },
  } as unknown as RunStarter

  async open(): Promise<void> {
    const secret = { sealed: 'c2VhbGVk', key_id: 'one' }
    const apps = [{ appid: 'wx0000000000000001', kind: 'official_account', secret, hint: null } as const]
    const settings = { ...default_settings, products: [...trade_types] }
    const wechat = { serial_no: 'A' } as never
    await this.store.merchants.save(merchantSample({ apps: [...apps], settings, wechat }))
    await this.store.checkouts.insert(checkoutSample('TEA-1', { methods: ['NATIVE', 'JSAPI', 'MWEB'] }))
  }

  get #context(): OpeningContext {
    const questions = createQuestions(this.now)
    const { put } = questions
    // Nobody waits for a placement: that is its run's own step.
    questions.put = (question, ask) =>
      question.subject.startsWith('place:') ? Promise.resolve(null) : put(question, ask)
    const commands = { prepay: () => Promise.resolve('timeout'), orderQueueBacklogAge: () => Promise.resolve(0) }
    const config = { public_url: 'http://localhost', time_scale: 1 }
    const given = {
      config,
      policy: default_policy,
      commands,
      questions,
      store: this.store,
      log: silentLogger,
      now: this.now,
    }
    return given as unknown as OpeningContext
  }

  async checkout() {
    const checkout = await this.store.checkouts.findById(checkout_id)
    if (checkout === null) throw new Error('no checkout')
    return checkout
  }

  orders(): Promise<OrderRecord[]> {
    return this.store.checkouts.ordersOf({
      ...{ _id: checkout_id, mchid },
      orders: Array.from({ length: 20 }, (_, place) => ({
        out_trade_no: checkoutOrderNo('TEA-1', place + 1),
      })) as never,
    })
  }

  async happens(given: Happening): Promise<void> {
    this.now_ms += given.after_s * 1_000
    this.writes.left = given.dies ?? Infinity
    // A payer who is refused, a process that dies and a run that waits all leave it to what comes next.
    await this.#do(given).catch(() => undefined)
    this.writes.left = Infinity
  }

  async #do(given: Happening): Promise<unknown> {
    switch (given.what) {
      case 'wish':
        return await openOrder(this.#context, await this.checkout(), wishes[given.wish] as PayerWish)
      case 'two wishes': {
        const checkout = await this.checkout()
        const both = [given.wish, given.other].map((one) =>
          openOrder(this.#context, checkout, wishes[one] as PayerWish),
        )
        return await Promise.allSettled(both)
      }
      case 'cancel':
        return await this.store.checkouts.apply(
          { _id: checkout_id },
          { event: 'cancel_asked', ...this.#cause(operationId.checkoutCancelAsked()) },
        )
      case 'sweep':
        return await this.sweep()
      case 'own order': {
        const number = checkoutOrderNo('TEA-1', (await this.checkout()).orders.length + 1)
        return number === 'TEA-1' ? null : await this.store.orders.insert(orderSample(number, { state: 'closed' }))
      }
      default: {
        const orders = await this.orders()
        const order = orders[given.order % Math.max(1, orders.length)]
        return order && (await this[given.what](order))
      }
    }
  }

  #cause(operation_id: string) {
    return { operation_id, time: beijingTime(this.now_ms), actor: { kind: 'weft', id: null } } as const
  }

  async #apply(order: OrderRecord, occurrence: OrderOccurrence): Promise<void> {
    const applied = await this.store.orders.apply(order, { ...occurrence, time: beijingTime(this.now_ms) })
    if (!['paid', 'closed', 'failed', 'review', 'refunding'].includes(applied.order.state)) return
    const checkout = await this.store.checkouts.settle(key, beijingTime(this.now_ms))
    if (checkout !== null) await tellEnd({ store: this.store, now: this.now }, checkout)
  }

  /** What the order's run does next. */
  async step(order: OrderRecord): Promise<void> {
    const { out_trade_no: number, state } = order
    const close = this.closes.get(number)
    const is_over = this.now_ms >= milliseconds(order.time_expire)
    if (state === 'closing') {
      if (this.wechat.get(number) === 'paid') return await this.book(order)
      this.wechat.set(number, 'closed')
      return await this.#apply(order, closedAtWeChat())
    }
    if (state !== 'created' && state !== 'awaiting_payment') return
    if (this.wechat.get(number) === 'paid') return await this.book(order)
    if (close !== undefined || is_over) return await this.#apply(order, closeAsked(close ?? 'expired'))
    if (state === 'awaiting_payment') return
    const runs = createRuns({ store: this.store } as unknown as ActivityContext, this.starter)
    const { kind: code } = await runs.closeOlder({ order })
    if (code !== 'clear') {
      const failure = { code, message: '', number_taken: false }
      return await this.#apply(order, { event: 'placement_refused', ...this.#cause('placement_refused'), failure })
    }
    this.wechat.set(number, 'open')
    await this.#apply(order, { ...placed(), next_query_time: beijingTime(this.now_ms + 30_000) } as OrderOccurrence)
  }

  /** The payer pays, also by a sheet that was open when its order was closed. */
  async pay({ out_trade_no }: OrderRecord): Promise<void> {
    await Promise.resolve(this.wechat.has(out_trade_no) && this.wechat.set(out_trade_no, 'paid'))
  }

  /** The run books what WeChat Pay says of the order. */
  async book(order: OrderRecord): Promise<void> {
    const { out_trade_no: number, state, payment } = order
    if (this.wechat.get(number) !== 'paid' || payment !== null) return
    const is_late = state === 'closed' || state === 'failed'
    const holder = is_late ? null : (await this.store.references.claim(mchid, 'TEA-1', number)).paid_by
    const found = {
      ...paymentFound(`4200${number}`),
      event: holder === number ? 'payment_found' : 'late_payment_found',
    }
    const role = holder === number ? 'order' : 'late'
    await this.#apply(order, {
      ...found,
      choice: 'hold',
      payment: { ...(found as unknown as { payment: object }).payment, role },
    } as OrderOccurrence)
  }

  /** A person takes money that came late. */
  async accept(order: OrderRecord): Promise<void> {
    if (order.state !== 'review') return
    const accepted = { event: 'accepted', ...this.#cause('accepted'), deadline_time: beijingTime(this.now_ms) } as const
    await this.store.references.claim(mchid, 'TEA-1', order.out_trade_no)
    await this.#apply(order, accepted)
  }

  async sweep(): Promise<void> {
    for (const due of await this.store.checkouts.findDue(beijingTime(this.now_ms), 10)) {
      if (!(await this.store.checkouts.putOff(due, nextLook(due, this.now_ms)))) continue
      await seeCheckoutThrough({ store: this.store, now: this.now }, this.starter, due)
    }
  }

  async rest(): Promise<void> {
    for (let round = 0; round < 60; round++) {
      for (const order of await this.orders()) await this.step(order).catch(() => undefined)
      await this.sweep()
      this.now_ms += 120_000
    }
  }
}

const happening = (): fc.Arbitrary<Happening> => {
  const wish = fc.nat(wishes.length - 1)
  const order = fc.nat(4)
  const rest = { dies: fc.option(fc.nat(3), { freq: 3 }), after_s: fc.constantFrom(0, 0, 1, 5, 70, 600) }
  return fc.oneof(
    { weight: 5, arbitrary: fc.record({ what: fc.constant('wish' as const), wish, ...rest }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('two wishes' as const), wish, other: wish, ...rest }) },
    { weight: 8, arbitrary: fc.record({ what: fc.constant('step' as const), order, ...rest }) },
    { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('pay' as const, 'book' as const), order, ...rest }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('accept' as const), order, ...rest }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('sweep' as const), ...rest }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('cancel' as const, 'own order' as const), ...rest }) },
  )
}

describe('a checkout, whatever its payers, its merchant, WeChat Pay and crashes do', () => {
  it('has one number open at WeChat Pay at most, is kept once, and comes to an end that its orders agree with', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening(), { maxLength: 30 }), async (story) => {
        const shop = new Shop()
        await shop.open()
        for (const one of story) {
          await shop.happens(one)
          expect([...shop.wechat.values()].filter((state) => state === 'open').length).toBeLessThanOrEqual(1)
        }
        await shop.rest()
        const [checkout, orders] = [await shop.checkout(), await shop.orders()]
        const kept = orders.filter(({ state, payment }) => payment !== null && keepsSale(state) && state !== 'review')
        const is_undecided = orders.some(({ state }) => state === 'review')
        if (kept.length > 0) expect(checkout.state).toBe('paid')
        else if (!is_undecided) expect(['expired', 'cancelled']).toContain(checkout.state)
        if (!is_undecided) expect(checkout.next_action).toBeUndefined()
        expect(orders.filter(({ state }) => ['created', 'awaiting_payment', 'closing'].includes(state))).toEqual([])
        for await (const { findings } of proveCheckouts(shop.store, mchid, () => ({
          now_ms: shop.now_ms,
          patience: null,
        })))
          expect(findings).toEqual([])
      }),
      { numRuns: Number(process.env.WEFT_TEST_STORIES ?? 180) },
    )
  })
})
