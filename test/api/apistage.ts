import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../api/app.ts'
import type { ApiContext } from '../../api/http/context.ts'
import type { ProblemBody } from '../../api/http/problem.ts'
import { createRateLimiter } from '../../api/http/ratelimit.ts'
import { intakeRouter } from '../../api/notify/intake.ts'
import type { Commands } from '../../api/temporal/commands.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { scopes } from '../../domain/merchant/scope.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { default_policy } from '../../domain/policy.ts'
import type { RefundOccurrence, RefundRecord } from '../../domain/refund/record.ts'
import { readConfig } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { newToken, randomId, tokenHash } from '../../runtime/secrets.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatAccounts } from '../../wechat/accounts.ts'
import { freshStore } from '../store/database.ts'
import { mchid, merchantSample, orderSample, paymentSample } from '../store/samples.ts'

export type Answer<T = Record<string, unknown>> = { status: number; headers: Headers; body: T & ProblemBody }

export interface Key {
  id: string
  token: string
}

/** The whole API over a real store. The runs are played by the test: what a command brings about is its to say. */
export interface ApiStage {
  store: Store
  /** in place of Temporal: every command is kept, and answered by `on` where the test says how */
  given: { command: keyof Commands; arguments: unknown[] }[]
  on: Partial<Commands>
  accounts: WeChatAccounts
  /** with all scopes */
  key: Key
  newKey(given?: { scopes?: readonly string[]; expire_time?: string | null }): Promise<Key>
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    options?: { key?: Key; headers?: Record<string, string> },
  ): Promise<Answer<T>>
  notify(body: string, headers?: Record<string, string>): Promise<number>
  close(): Promise<void>
}

/** Credentials that nobody ever uses: that they are there is what counts. */
const sealed = { sealed: 'c2VhbGVk', key_id: 'one' }
const wechat: NonNullable<MerchantRecord['wechat']> = {
  serial_no: 'A'.repeat(40),
  private_key: sealed,
  apiv3_key: sealed,
  public_key_id: 'PUB_KEY_ID_1',
  public_key: null,
  certificates: [],
  retired_apiv3_keys: [],
}

export async function openApiStage({ store: given }: { store?: (store: Store) => Store } = {}): Promise<ApiStage> {
  const { store: whole, drop } = await freshStore()
  const store = given === undefined ? whole : given(whole)
  await whole.merchants.save(merchantSample({ wechat }))
  const stage: ApiStage = {
    store: whole,
    given: [],
    on: {},
    accounts: { find: () => Promise.resolve(null), forget: () => undefined },
    key: await addKey(whole, scopes, null),
    newKey: ({ scopes: some = scopes, expire_time = null } = {}) => addKey(whole, some, expire_time),
    call: async (method, path, body, { key = stage.key, headers = {} } = {}) => {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key.token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) as never }
    },
    notify: async (body, headers = {}) =>
      (await fetch(`${url}/wechat/notify/${mchid}`, { method: 'POST', headers, body })).status,
    close: async () => {
      await new Promise((resolve) => server.close(resolve).closeAllConnections())
      await drop()
    },
  }
  const context = contextOf(stage, store)
  const app = createApp(context, [intakeRouter(context)], '0.0.0')
  const server: Server = await new Promise((resolve) => {
    const opened = app.listen(0, '127.0.0.1', () => resolve(opened))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return stage
}

function contextOf(stage: ApiStage, store: Store): ApiContext {
  return {
    config: readConfig({
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      MONGODB_URI: 'mongodb://127.0.0.1:1',
      WEFT_MASTER_KEY: randomBytes(32).toString('base64'),
    }),
    store,
    commands: commandsOf(stage),
    accounts: { find: (one) => stage.accounts.find(one), forget: (one) => stage.accounts.forget(one) },
    limiter: createRateLimiter(Date.now),
    log: silentLogger,
    metrics: createMetrics(),
    draining: new AbortController().signal,
    policy: default_policy,
    now: Date.now,
  }
}

/** Updates nobody answers time out; signals and starts are taken. */
const unplayed: Commands = {
  prepay: () => Promise.resolve('timeout'),
  close: () => Promise.resolve('timeout'),
  refresh: () => Promise.resolve('timeout'),
  confirm: () => Promise.resolve('timeout'),
  resolveReview: () => Promise.resolve('timeout'),
  check: () => Promise.resolve(),
  startOrder: () => Promise.resolve(),
  signalPaymentFound: () => Promise.resolve(true),
  reserve: () => Promise.resolve('timeout'),
  approve: () => Promise.resolve('timeout'),
  payOut: () => Promise.resolve('timeout'),
  handleAbnormal: () => Promise.resolve('timeout'),
  checkRefund: () => Promise.resolve(),
  redeliver: () => Promise.resolve(),
  startRefund: () => Promise.resolve(),
  signalRefundChanged: () => Promise.resolve(true),
  orderQueueBacklogAge: () => Promise.resolve(0),
  isReachable: () => Promise.resolve(true),
}

function commandsOf(stage: ApiStage): Commands {
  const played = Object.keys(unplayed).map((name): [string, unknown] => {
    const command = name as keyof Commands
    const send = (...given: unknown[]) => {
      stage.given.push({ command, arguments: given })
      const answer = (stage.on[command] ?? unplayed[command]) as (...given: unknown[]) => Promise<unknown>
      return answer(...given)
    }
    return [command, send]
  })
  return Object.fromEntries(played) as unknown as Commands
}

async function addKey(store: Store, some: readonly string[], expire_time: string | null): Promise<Key> {
  const token = newToken('test')
  const id = randomId('key')
  await store.keys.add({
    _id: tokenHash(token),
    id,
    mchid,
    mode: 'test',
    name: 'test',
    scopes: [...some],
    hint: token.slice(-4),
    create_time: beijingTime(Date.now()),
    expire_time,
    revoke_time: null,
    last_use_time: null,
  })
  return { id, token }
}

/** A number that no other test uses. */
export function newNumber(prefix = 'T'): string {
  return `${prefix}${randomBytes(8).toString('hex')}`
}

export const now = () => beijingTime(Date.now())

/** An order and the payment of 990 fen that it holds, recorded a moment ago. */
export async function paidOrder(
  { store }: ApiStage,
  given: { order?: Partial<OrderRecord>; payment?: Partial<PaymentRecord> } = {},
): Promise<{ order: OrderRecord; payment: PaymentRecord }> {
  const out_trade_no = newNumber()
  const transaction_id = newNumber('4200')
  const payment = paymentSample(transaction_id, {
    out_trade_no,
    order_id: `${mchid}/${out_trade_no}`,
    success_time: now(),
    ...given.payment,
  })
  const order = orderSample(out_trade_no, {
    state: 'paid',
    revision: 2,
    payment: {
      transaction_id,
      role: 'order',
      success_time: payment.success_time,
      found_by: 'notification',
      found_time: now(),
      bank_type: null,
    },
    ...given.order,
  })
  await store.payments.insert(payment)
  await store.orders.insert(order)
  return { order, payment }
}

type Given<T, Known extends keyof T> = Partial<T> & Pick<T, Known>

function whole(occurrence: object) {
  return { operation_id: newNumber('op'), time: now(), actor: { kind: 'weft', id: null }, ...occurrence }
}

/** What a run would record. */
export async function refundBecomes(
  { store }: ApiStage,
  refund: Pick<RefundRecord, 'mchid' | 'out_refund_no'>,
  occurrence: Given<RefundOccurrence, 'event'>,
): Promise<RefundRecord> {
  const applied = await store.refunds.apply(refund, whole(occurrence) as RefundOccurrence)
  if (applied.outcome !== 'done') throw new Error(`${occurrence.event} is ${applied.outcome}`)
  return applied.refund
}

export async function orderBecomes(
  { store }: ApiStage,
  order: Pick<OrderRecord, 'mchid' | 'out_trade_no'>,
  occurrence: Given<OrderOccurrence, 'event'>,
): Promise<OrderRecord> {
  const applied = await store.orders.apply(order, whole(occurrence) as OrderOccurrence)
  if (applied.outcome !== 'done') throw new Error(`${occurrence.event} is ${applied.outcome}`)
  return applied.order
}

export const facts = {
  refund_id: '50300000000000000000000000001',
  channel: 'ORIGINAL',
  user_received_account: '支付用户零钱',
  accepted_time: now(),
  success_time: null,
  payer_refund: null,
  settlement_refund: null,
} as const satisfies RefundRecord['facts']

/** The reserve step, as the run does it: on the payment, then on the record. */
export async function reserve(
  stage: ApiStage,
  refund: Pick<RefundRecord, 'mchid' | 'out_refund_no'>,
  approval_expire_time: string | null = null,
): Promise<RefundRecord> {
  const record = await stage.store.refunds.find(refund)
  if (record === null) throw new Error('no such refund')
  const { out_refund_no, amount } = record
  const answer = await stage.store.payments.reserveRefund(record, { out_refund_no, amount: amount.refund }, Date.now())
  if ('refusal' in answer) {
    const failure = { code: answer.refusal, message: 'by the payment' }
    return await refundBecomes(stage, refund, { event: 'not_reserved', failure })
  }
  const frozen = { path: '/v3/refund/domestic/refunds', body: '{}' }
  const reserved = { amount, is_full: false, wechat_request: frozen, approval_expire_time }
  return await refundBecomes(stage, refund, { event: 'reserved', ...reserved })
}
