import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { checkoutRouter } from '../../api/checkout/router.ts'
import type { CheckoutContext } from '../../api/checkout/router.ts'
import { createQuestions } from '../../api/temporal/question.ts'
import { answerProblem, Problem } from '../../api/http/problem.ts'
import { beginRequest } from '../../api/http/request.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { Command } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderPayment, OrderRecord } from '../../domain/order/record.ts'
import { default_policy } from '../../domain/policy.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { Store } from '../../store/store.ts'
import { freshStore } from '../store/database.ts'
import { merchantSample, orderSample } from '../store/samples.ts'

export const minute_ms = 60_000

/** The checkout routes over a real store; what Temporal and the workers would do is played by `onCheck`, `onRefresh`. */
export interface Counter {
  url: string
  store: Store
  /** in place of Temporal: what was asked for, and what it brings about */
  checks: OrderKey[]
  refreshes: Command[]
  onCheck: (order: OrderKey) => Promise<unknown>
  onRefresh: (order: OrderKey, command: Command) => Promise<unknown>
  /** how often the poller read */
  rounds: { ids: string[] }[]
  is_database_away: boolean
  /** Unix ms, as the pages' server tells it */
  now: () => number
  /** An order of its own number and token, placed one second ago and payable for 15 min unless `given` says otherwise. */
  insert(given?: Partial<OrderRecord>): Promise<OrderRecord>
  apply(order: OrderRecord, occurrence: Partial<OrderOccurrence> & Pick<OrderOccurrence, 'event'>): Promise<OrderRecord>
  drain(): void
  close(): Promise<void>
}

export async function openCounter(given: Partial<CheckoutContext['config']> = {}): Promise<Counter> {
  const { store, drop } = await freshStore()
  await store.merchants.save(merchantSample({ name: '山月茶铺' }))
  const draining = new AbortController()
  const counter: Counter = {
    url: '',
    store,
    checks: [],
    refreshes: [],
    onCheck: async () => undefined,
    onRefresh: async () => undefined,
    rounds: [],
    is_database_away: false,
    now: Date.now,
    insert: (order) => insertOrder(store, order),
    apply: async (order, occurrence) => (await store.orders.apply(order, complete(occurrence))).order,
    drain: () => draining.abort(),
    close: async () => {
      draining.abort()
      await new Promise((resolve) => server.close(resolve).closeAllConnections())
      await drop()
    },
  }
  const app = new Koa()
  app.use(answerProblems)
  app.use(checkoutRouter(contextOf(counter, given, draining.signal)).routes())
  const server: Server = await new Promise((resolve) => {
    const opened = app.listen(0, '127.0.0.1', () => resolve(opened))
  })
  counter.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return counter
}

function contextOf(
  counter: Counter,
  given: Partial<CheckoutContext['config']>,
  draining: AbortSignal,
): CheckoutContext {
  const { orders, merchants, payments, refunds } = counter.store
  const present = <T>(read: () => Promise<T>) =>
    counter.is_database_away ? Promise.reject(new Error('the database is away')) : read()
  return {
    config: { test_wechat_url: 'http://127.0.0.1:7701', ...given },
    policy: default_policy,
    questions: createQuestions(() => counter.now()),
    log: silentLogger,
    now: () => counter.now(),
    draining,
    store: {
      merchants: { find: (mchid) => present(() => merchants.find(mchid)) },
      payments: { find: (mchid, transaction_id) => present(() => payments.find(mchid, transaction_id)) },
      refunds: { ofOrder: (mchid, number) => present(() => refunds.ofOrder(mchid, number)) },
      orders: {
        find: (key) => present(() => orders.find(key)),
        findByToken: (token) => present(() => orders.findByToken(token)),
        findGlimpses: (ids) => {
          counter.rounds.push({ ids })
          return present(() => orders.findGlimpses(ids))
        },
      },
    },
    commands: {
      check: (key) => {
        counter.checks.push(key)
        return counter.onCheck(key)
      },
      refresh: (key, command) => {
        counter.refreshes.push(command)
        return counter.onRefresh(key, command)
      },
    },
  }
}

async function answerProblems(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  beginRequest(ctx, silentLogger)
  try {
    await next()
  } catch (error) {
    answerProblem(ctx, error instanceof Problem ? error : new Problem('internal'), {
      base_url: '',
      request_id: 'req_test',
    })
  }
}

async function insertOrder(store: Store, given: Partial<OrderRecord> = {}): Promise<OrderRecord> {
  const number = `T${randomBytes(8).toString('hex')}`
  const order = orderSample(number, {
    state: 'awaiting_payment',
    revision: 1,
    checkout_token: randomBytes(32).toString('base64url'),
    create_time: fromNow(-2_000),
    time_expire: fromNow(15 * minute_ms),
    code: { url: `weixin://wxpay/bizpayurl?pr=${number.slice(0, 9)}`, placed_time: fromNow(-1_000) },
    metadata: { secret_note: 'for-the-merchant-only' },
    ...given,
  })
  await store.orders.insert(order)
  return order
}

function complete(occurrence: Partial<OrderOccurrence> & Pick<OrderOccurrence, 'event'>): OrderOccurrence {
  const base = { operation_id: randomBytes(8).toString('hex'), time: fromNow(0), actor: { kind: 'weft', id: null } }
  return { ...base, ...occurrence } as OrderOccurrence
}

/** The moment so many milliseconds from now. */
export function fromNow(ms: number): string {
  return beijingTime(Date.now() + ms)
}

export function payment(role: OrderPayment['role'] = 'order'): OrderPayment {
  return {
    transaction_id: `4200${randomBytes(6).toString('hex')}`,
    role,
    success_time: fromNow(-1_000),
    found_by: 'notification',
    found_time: fromNow(0),
    bank_type: 'OTHERS',
  }
}

export function paid() {
  return { event: 'payment_found', payment: payment(), policy: 'refund', deadline_time: fromNow(86_400_000) } as const
}
