import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { checkoutRouter } from '../../api/checkout/router.ts'
import type { PageContext } from '../../api/checkout/router.ts'
import { createQuestions } from '../../api/temporal/question.ts'
import { answerProblem, Problem } from '../../api/http/problem.ts'
import { beginRequest } from '../../api/http/request.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { Command } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderPayment, OrderRecord } from '../../domain/order/record.ts'
import { default_policy } from '../../domain/policy.ts'
import { readNetworks } from '../../runtime/address.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createOutageLog } from '../../runtime/outage.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import type { Store } from '../../store/store.ts'
import { authoriseUrl, wechat_oauth } from '../../wechat/openid.ts'
import type { CodeExchange, OpenidAnswer } from '../../wechat/openid.ts'
import { wishKey } from '../../api/v1/checkouts/order.ts'
import type { PayerWish } from '../../api/v1/checkouts/order.ts'
import { checkoutSample } from './checkout/gallery.ts'
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
  /** how often refunds of several orders were read */
  refund_reads: number
  is_database_away: boolean
  /** in place of api/v1/checkouts/order: what payers wished, and what it brings about */
  wishes: PayerWish[]
  onOpen: (checkout: CheckoutRecord, wish: PayerWish) => Promise<OrderRecord>
  /** in place of WeChat: the codes that were exchanged, and what is answered */
  exchanges: CodeExchange[]
  onExchange: (exchange: CodeExchange) => OpenidAnswer | Promise<OpenidAnswer>
  /** codes in the warnings that were logged of requests */
  warnings: unknown[]
  /** what was logged as warnings and errors of requests */
  logged: string[]
  /** Unix ms, as the pages' server tells it */
  now: () => number
  /** An order of its own number and token, placed one second ago and payable for 15 min unless `given` says otherwise. */
  insert(given?: Partial<OrderRecord>): Promise<OrderRecord>
  /** A checkout of its own number and token that can be paid by every method of a page, for 15 min. */
  insertCheckout(given?: Partial<CheckoutRecord>): Promise<CheckoutRecord>
  apply(order: OrderRecord, occurrence: Partial<OrderOccurrence> & Pick<OrderOccurrence, 'event'>): Promise<OrderRecord>
  drain(): void
  close(): Promise<void>
}

export async function openCounter(given: Partial<PageContext['config']> = {}): Promise<Counter> {
  const { store, drop } = await freshStore()
  await store.merchants.save(tradingMerchant(store))
  const draining = new AbortController()
  const counter: Counter = {
    url: '',
    store,
    checks: [],
    refreshes: [],
    onCheck: async () => undefined,
    onRefresh: async () => undefined,
    wishes: [],
    onOpen: (checkout, wish) => openNext(store, checkout, wish),
    exchanges: [],
    warnings: [],
    logged: [],
    onExchange: () => ({ kind: 'openid', openid: payer_openid }),
    rounds: [],
    refund_reads: 0,
    is_database_away: false,
    now: Date.now,
    insert: (order) => insertOrder(store, order),
    insertCheckout: (checkout) => insertCheckout(store, checkout),
    apply: async (order, occurrence) => (await store.orders.apply(order, complete(occurrence))).order,
    drain: () => draining.abort(),
    close: async () => {
      draining.abort()
      await new Promise((resolve) => server.close(resolve).closeAllConnections())
      await drop()
    },
  }
  const app = new Koa()
  const log: Logger = {
    ...silentLogger,
    warn: (message, fields) => {
      counter.warnings.push(fields?.['code'])
      counter.logged.push(message)
    },
    error: (message) => void counter.logged.push(message),
    child: () => log,
  }
  app.use((ctx, next) => answerProblems(ctx, next, log))
  app.use(checkoutRouter(contextOf(counter, given, draining.signal)).routes())
  const server: Server = await new Promise((resolve) => {
    const opened = app.listen(0, '127.0.0.1', () => resolve(opened))
  })
  counter.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return counter
}

function contextOf(counter: Counter, given: Partial<PageContext['config']>, draining: AbortSignal): PageContext {
  const { orders, checkouts, merchants, payments, refunds, sealer } = counter.store
  const present = <T>(read: () => Promise<T>) =>
    counter.is_database_away ? Promise.reject(new StoreUnavailable(new Error('it is away'))) : read()
  return {
    config: {
      test_wechat_url: 'http://127.0.0.1:7701',
      get public_url() {
        return counter.url
      },
      ...given,
    },
    proxies: readNetworks(['127.0.0.1']),
    openids: {
      authoriseUrl: (_mode, errand) => authoriseUrl(wechat_oauth, errand),
      fetch: async (_mode, exchange) => {
        counter.exchanges.push(exchange)
        return await counter.onExchange(exchange)
      },
    },
    sayOutage: createOutageLog(() => counter.now()),
    openOrder: (checkout, wish) => {
      counter.wishes.push(wish)
      return counter.onOpen(checkout, wish)
    },
    currentCall: async ({ code, appid }) => {
      if (code?.h5_url !== undefined) return { kind: 'h5', h5_url: code.h5_url }
      if (code?.prepay_id === undefined) return null
      const sheet = { timeStamp: '1700000000', nonceStr: 'n', signType: 'RSA', paySign: 'signed' } as const
      return { kind: 'jsapi', appId: appid, package: `prepay_id=${code.prepay_id}`, ...sheet }
    },
    policy: default_policy,
    questions: createQuestions(() => counter.now()),
    log: silentLogger,
    now: () => counter.now(),
    draining,
    store: {
      sealer,
      checkouts: {
        findByToken: (token) => present(() => checkouts.findByToken(token)),
        findById: (_id) => present(() => checkouts.findById(_id)),
        ordersOf: (checkout) => present(() => checkouts.ordersOf(checkout)),
      },
      merchants: {
        find: (mchid) => present(() => merchants.find(mchid)),
        openAppSecret: (merchant, appid) => merchants.openAppSecret(merchant, appid),
        noteAttention: (...noted) => merchants.noteAttention(...noted),
        restateAttention: (...stated) => merchants.restateAttention(...stated),
        liftAttention: (...lifted) => merchants.liftAttention(...lifted),
      },
      payments: { find: (mchid, transaction_id) => present(() => payments.find(mchid, transaction_id)) },
      refunds: {
        ofOrder: (mchid, number) => present(() => refunds.ofOrder(mchid, number)),
        ofOrders: (mchid, numbers) => {
          counter.refund_reads += 1
          return present(() => refunds.ofOrders(mchid, numbers))
        },
      },
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

async function answerProblems(ctx: Koa.Context, next: Koa.Next, log: Logger): Promise<void> {
  beginRequest(ctx, log)
  try {
    await next()
  } catch (error) {
    answerProblem(ctx, error instanceof Problem ? error : new Problem('internal'), {
      base_url: '',
      request_id: 'req_test',
    })
  }
}

export const page_appid = 'wx0000000000000001'
export const payer_openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'

/** A merchant of mode `test` with an official account and all that a page can be paid by. */
export function tradingMerchant(store: Store): MerchantRecord {
  const sample = merchantSample({ name: '山月茶铺' })
  const app = { appid: page_appid, kind: 'official_account', secret: 'the-secret-of-the-app' } as const
  return {
    ...sample,
    appids: [page_appid],
    apps: store.merchants.sealApps(sample.mchid, [app]),
    settings: { ...sample.settings, products: ['NATIVE', 'JSAPI', 'MWEB'] },
  }
}

async function insertCheckout(store: Store, given: Partial<CheckoutRecord> = {}): Promise<CheckoutRecord> {
  const number = `C${randomBytes(8).toString('hex')}`
  const checkout = checkoutSample({
    _id: `1900000001/${number}`,
    out_trade_no: number,
    reference: number,
    token: randomBytes(32).toString('base64url'),
    create_time: fromNow(-2_000),
    expire_time: fromNow(15 * minute_ms),
    metadata: { secret_note: 'for-the-merchant-only' },
    ...given,
  })
  await store.checkouts.insert(checkout)
  return checkout
}

const codes = {
  NATIVE: (number: string) => ({ url: `weixin://wxpay/bizpayurl?pr=${number.slice(0, 9)}` }),
  JSAPI: (number: string) => ({ prepay_id: `wx29${number}` }),
  MWEB: (number: string) => ({
    h5_url: `https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx29${number}`,
  }),
} as const

/** The order of the next number, placed a moment ago, whoever wishes it. */
export async function openNext(
  store: Store,
  checkout: CheckoutRecord,
  wish: PayerWish,
  given: Partial<OrderRecord> = {},
): Promise<OrderRecord> {
  const { trade_type } = wish
  if (trade_type === 'APP') throw new Error('no page is paid by APP')
  const known = (await store.checkouts.findById(checkout._id)) ?? checkout
  const place = known.orders.length + 1
  const out_trade_no = place === 1 ? checkout.out_trade_no : `${checkout.out_trade_no}-${place}`
  const opened = { out_trade_no, trade_type, ...wishKey(checkout, wish) }
  const cause = { operation_id: `opened:${place}`, time: fromNow(0), actor: { kind: 'payer', id: null } } as const
  await store.checkouts.apply(checkout, { event: 'order_opened', order: opened, ...cause })
  return await insertOrder(store, {
    _id: `${checkout.mchid}/${out_trade_no}`,
    out_trade_no,
    trade_type,
    checkout_id: checkout._id,
    time_expire: checkout.expire_time,
    code: { ...codes[trade_type](out_trade_no), placed_time: fromNow(-1_000) },
    ...given,
  })
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
