import { createHash, generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import { DefaultLogger, Runtime } from '@temporalio/worker'
import { inject } from 'vitest'
import { startApi } from '../../api/main.ts'
import type { RunningApi } from '../../api/main.ts'
import { freePort } from '../../dev/servers/servers.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { OrderView, RefundView } from '../../domain/event/view.ts'
import { endpointId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { trade_types } from '../../domain/merchant/product.ts'
import { default_settings } from '../../domain/merchant/record.ts'
import type { MerchantSettings } from '../../domain/merchant/record.ts'
import { scopes } from '../../domain/merchant/scope.ts'
import type { OrderRecord, OrderState } from '../../domain/order/record.ts'
import type { RefundRecord, RefundState } from '../../domain/refund/record.ts'
import { readConfig } from '../../runtime/config.ts'
import type { Config } from '../../runtime/config.ts'
import { createLogger, silentLogger } from '../../runtime/logger.ts'
import { connectTemporal } from '../../runtime/temporal.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'
import type { PayRequest, StateView } from '../../simulator/control.ts'
import type { Simulator } from '../../simulator/main.ts'
import { publicId } from '../../store/ids.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'
import { startWorker } from '../../worker/main.ts'
import type { RunningWorker, WorkerParts } from '../../worker/main.ts'
import { MerchantDouble } from './merchant.ts'
import type { OracleDecision } from './oracle.ts'
import { expectAuditClean, expectOracleAgrees } from './proof.ts'
import { startSimulator } from './simulator.ts'
import { shareWorkflowThread } from './thread.ts'
import { until } from './until.ts'

// Once per process: the SDK tells of every worker's every state otherwise.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'ERROR' } },
  shutdownSignals: [],
})
shareWorkflowThread()

/** Made once per process: which key a merchant has is nothing to any story. */
const pair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})

export interface StageOptions {
  settings?: Partial<Omit<MerchantSettings, 'fulfilment'>> & { fulfilment?: Partial<MerchantSettings['fulfilment']> }
  /** divides all of Weft's waits */
  time_scale?: number
  simulator?: Parameters<typeof startSimulator>[0]
  key_mode?: 'public_key' | 'certificate' | 'both'
  /** false: the test starts the worker itself, perhaps as a process to be killed */
  worker?: boolean
  api?: boolean
  /** true: the merchant may be paid in every way, and has an app of each kind (`stageApps`) */
  ways_to_pay?: boolean
  temporal_address?: string
  mongodb_uri?: string
  public_url?: string
  /** true unless the test is about addresses: the merchant double listens on loopback */
  allow_private_endpoints?: boolean
  /** Unix ms; the clock of all that is on the stage, where time is skipped */
  now?: () => number
}

export interface Answered<T = Record<string, unknown>> {
  status: number
  headers: Headers
  body: T
}

/** A whole Weft on real servers, with one merchant: what every journey starts from. */
export class Stage {
  private constructor(
    readonly config: Config,
    /** the settings as the environment of a process of its own */
    readonly environment: Record<string, string>,
    readonly store: Store,
    readonly temporal: TemporalClient,
    readonly simulator: Simulator,
    readonly shop: MerchantDouble,
    readonly now: () => number,
    readonly mchid: string,
    readonly appid: string,
    readonly key: string,
  ) {}

  api: RunningApi | null = null
  worker: RunningWorker | null = null
  /** what the merchant has asked for through `call`, and the API has answered with success: what the oracle goes by */
  readonly decisions: OracleDecision[] = []
  /** transaction_id → fen of the merchant's own coupon, of payments that `pay` made with one */
  readonly coupons = new Map<string, number>()
  readonly #ends: (() => Promise<unknown>)[] = []

  static async open(options: StageOptions = {}): Promise<Stage> {
    const suite = randomBytes(5).toString('hex')
    const now = options.now ?? Date.now
    // WeChat's minute between two refunds is as long for the simulator as Weft takes it to be.
    const refund_spacing_ms = Math.floor(60_000 / (options.time_scale ?? 1))
    const simulator = await startSimulator(
      { port: 0, probe_rate: 0, time_scale: 20, refund_spacing_ms, ...options.simulator },
      { now },
    )
    const shop = await new MerchantDouble(now).open()
    const port = await freePort()
    const environment = {
      TEMPORAL_ADDRESS: options.temporal_address ?? inject('temporal_address'),
      MONGODB_URI: options.mongodb_uri ?? inject('mongodb_uri'),
      WEFT_DATABASE: `weft_${suite}`,
      WEFT_QUEUE_PREFIX: `${suite}-`,
      WEFT_PORT: String(port),
      WEFT_PUBLIC_URL: options.public_url ?? `http://127.0.0.1:${port}`,
      WEFT_MASTER_KEY: randomBytes(32).toString('base64'),
      WEFT_TEST_WECHAT_URL: simulator.url,
      WEFT_ALLOW_PRIVATE_ENDPOINTS: String(options.allow_private_endpoints ?? true),
      WEFT_TIME_SCALE: String(options.time_scale ?? 1),
      WEFT_DRAIN_MS: '0',
      WEFT_LOG_LEVEL: process.env.WEFT_TEST_LOG ?? 'error',
    }
    const config = readConfig(environment)
    const sealer = createSealer({ keys: config.master_keys })
    // Its own reads are no subject of any story: a busy database may take its time for them.
    const store = await openStore({
      ...{ uri: config.mongodb_uri, database: config.database, sealer },
      answer_within_ms: 30_000,
    })
    const temporal = connectTemporal(config.temporal)
    const merchant = await addMerchant({ store, simulator, shop, config, options })
    const stage = new Stage(config, environment, store, temporal, simulator, shop, now, ...merchant)
    if (options.worker !== false) await stage.startWorker()
    if (options.api !== false) await stage.startApi()
    return stage
  }

  /** `parts`: what is other than usual about this worker. */
  async startWorker(parts: Partial<WorkerParts> = {}): Promise<void> {
    const bundle = parts.bundle ?? { codePath: inject('workflow_bundle') }
    const usual = { config: this.config, log: stageLog('worker'), now: this.now, schedules: false }
    this.worker = await startWorker({ ...usual, ...parts, bundle })
  }

  async startApi(log = stageLog('api')): Promise<void> {
    this.api = await startApi({ config: this.config, log, now: this.now })
  }

  /** A second API beside the first, over the same records; answers its port. */
  async anotherApi(): Promise<number> {
    const port = await freePort()
    const api = await startApi({ config: { ...this.config, port }, log: stageLog('api'), now: this.now })
    this.endsWith(() => api.close())
    return port
  }

  /** What a test has started beside the stage: ended with it, after the proof, the last first. */
  endsWith(end: () => Promise<unknown>): void {
    this.#ends.push(end)
  }

  /**
   * How every journey ends: all that is recorded, booked and known to WeChat agrees, the oracle finds the same balances
   * without Weft's own rules, and then all is shut down.
   */
  async close(): Promise<void> {
    try {
      await expectAuditClean(this, 'meanwhile')
      await expectOracleAgrees(this)
    } finally {
      await this.#shutDown()
    }
  }

  /** Shuts down unproven: `because` says what in this story no book can agree with. */
  async abandon(because: string): Promise<void> {
    if (because === '') throw new Error('a stage is closed, or abandoned for a reason')
    await this.#shutDown()
  }

  async #shutDown(): Promise<void> {
    await this.api?.close()
    await this.worker?.close()
    for (const end of this.#ends.reverse()) await end()
    await Promise.all([this.shop.close(), this.simulator.close(), this.temporal.close(), this.store.close()])
  }

  /** A number that no other test uses. */
  number(): string {
    return `T${Date.now().toString(36)}${randomBytes(6).toString('hex')}`.toUpperCase()
  }

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    key = this.key,
    port = this.config.port,
  ): Promise<Answered<T>> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const answered = { status: answer.status, headers: answer.headers, body: (text ? JSON.parse(text) : {}) as T }
    if (method === 'POST' && answer.ok) this.decisions.push({ path, request: body, answer: answered.body })
    return answered
  }

  /** Orders a tea; the answer is that of POST /v1/orders. */
  async create(given: Record<string, unknown> = {}): Promise<Answered<OrderView>> {
    const request = { out_trade_no: this.number(), description: '龙井茶', amount: { total: 990 }, ...given }
    return await this.call<OrderView>('POST', '/v1/orders', request)
  }

  /**
   * Sends the same request until Weft answers what became of it, as a merchant does: on a busy machine the answer may be
   * first that it is not known yet (202), or that nobody answered in time (503).
   */
  async insist<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    key = this.key,
  ): Promise<Answered<T>> {
    return await until(`${method} ${path} is decided`, async () => {
      const answer = await this.call<T>(method, path, body, key)
      if (answer.status !== 202 && answer.status !== 503) return answer
      throw new Error(`answered ${answer.status} ${JSON.stringify(answer.body)}`)
    })
  }

  /** An order whose code can be paid. On a busy machine it may be placed only after it was answered. */
  async ordered(given: Record<string, unknown> = {}): Promise<OrderKey> {
    const order = { mchid: this.mchid, out_trade_no: this.number() }
    const request = { out_trade_no: order.out_trade_no, description: '龙井茶', amount: { total: 990 }, ...given }
    const { status, body } = await this.insist<OrderView>('POST', '/v1/orders', request)
    if (status !== 201 && status !== 200) throw new Error(`not placed: ${status} ${JSON.stringify(body)}`)
    order.out_trade_no = body.out_trade_no
    if (body.state === 'created') await this.reaches(order, 'awaiting_payment')
    return order
  }

  /**
   * An order that nobody pays in time. It lives for seconds, and must have been placed before they are over: where a
   * busy machine was too slow for that, another one lives longer. `meanwhile` happens to it while it can be paid.
   */
  async expiring<T>(meanwhile: (order: OrderKey) => T): Promise<{ order: OrderKey; met: T }> {
    for (let expire_in = 4; expire_in <= 256; expire_in *= 2) {
      const order = { mchid: this.mchid, out_trade_no: this.number() }
      const request = { out_trade_no: order.out_trade_no, description: '龙井茶', amount: { total: 990 }, expire_in }
      await this.insist('POST', '/v1/orders', request)
      const { state, time_expire } = await until('it is placed, or too late', async () => {
        const record = await this.record(order)
        return record.state !== 'created' && record
      })
      const is_payable = state === 'awaiting_payment' && this.now() < milliseconds(time_expire)
      const met = is_payable ? meanwhile(order) : null
      if (met !== null) return { order, met }
    }
    throw new Error('no order was placed before it expired')
  }

  /** A tea that is paid and shipped. */
  async fulfilled(given: Record<string, unknown> = {}): Promise<OrderKey & { transaction_id: string }> {
    const order = await this.ordered(given)
    const transaction_id = this.pay(order).transaction_id ?? ''
    await this.reaches(order, 'fulfilled')
    return { ...order, transaction_id }
  }

  /** Asks for a refund as the merchant; the answer is that of POST /v1/refunds. */
  async refund(given: Record<string, unknown>): Promise<Answered<RefundView>> {
    return await this.call<RefundView>('POST', '/v1/refunds', { out_refund_no: this.refundNumber(), ...given })
  }

  /** Asks for a refund until it is reserved, or waits for a decision; answers its number. */
  async refunding(given: Record<string, unknown>): Promise<string> {
    const request = { out_refund_no: this.refundNumber(), ...given }
    const { status, body } = await this.insist<RefundView>('POST', '/v1/refunds', request)
    if (status !== 201 && status !== 200) throw new Error(`not reserved: ${status} ${JSON.stringify(body)}`)
    await until(`${request.out_refund_no} is reserved`, async () => {
      const { state, failure } = await this.refundRecord(request.out_refund_no)
      if (state === 'refused') throw new Error(`refused: ${failure?.code}`)
      return state !== 'created'
    })
    return request.out_refund_no
  }

  /** A second person's key, with all scopes. */
  async anotherKey(): Promise<string> {
    return await addKey(this.store, this.mchid, beijingTime(this.now() - 60_000))
  }

  refundNumber(): string {
    return `R${this.number().slice(1)}`
  }

  async refundRecord(out_refund_no: string): Promise<RefundRecord> {
    const record = await this.store.refunds.find({ mchid: this.mchid, out_refund_no })
    if (record === null) throw new Error(`no refund ${out_refund_no}`)
    return record
  }

  /** Waits until the refund is in `state`. */
  async refundReaches(out_refund_no: string, state: RefundState, within_ms?: number): Promise<RefundRecord> {
    return await until(
      `refund ${out_refund_no} ${state}`,
      async () => {
        const record = await this.refundRecord(out_refund_no)
        if (record.state === state) return record
        throw new Error(`is ${record.state}`)
      },
      within_ms === undefined ? {} : { within_ms },
    )
  }

  /** The one refund that Weft itself owes for an order. */
  async owedRefund({ mchid, out_trade_no }: OrderKey): Promise<RefundRecord> {
    return await until('a refund is owed', async () =>
      (await this.store.refunds.ofOrder(mchid, out_trade_no)).find(({ out_refund_no }) => out_refund_no.includes('@')),
    )
  }

  refundRun(out_refund_no: string) {
    return this.temporal.client.workflow.getHandle(`refund/${this.mchid}/${out_refund_no}`)
  }

  pay(order: OrderKey, story: PayRequest['story'] = 'pay', more: Partial<PayRequest> = {}) {
    const paid = this.simulator.control.pay({ ...order, story, ...more })
    const coupon = more.coupon?.nocash_amount ?? 0
    if (paid.transaction_id !== null && coupon > 0) this.coupons.set(paid.transaction_id, coupon)
    return paid
  }

  async record(order: OrderKey): Promise<OrderRecord> {
    const record = await this.store.orders.find(order)
    if (record === null) throw new Error(`no order ${order.out_trade_no}`)
    return record
  }

  /** Waits until the order is in `state`. */
  async reaches(order: OrderKey, state: OrderState, within_ms?: number): Promise<OrderRecord> {
    return await until(
      `order ${order.out_trade_no} ${state}`,
      async () => {
        const record = await this.record(order)
        if (record.state === state) return record
        throw new Error(`is ${record.state}`)
      },
      within_ms === undefined ? {} : { within_ms },
    )
  }

  /** Waits until the order's run has ended: nothing more happens by itself. */
  async rests(order: OrderKey): Promise<void> {
    const handle = this.temporal.client.workflow.getHandle(`order/${order.mchid}/${order.out_trade_no}`)
    await until('the run ended', async () => (await handle.describe()).status.name !== 'RUNNING')
  }

  /** What WeChat knows: the truth. */
  get wechat(): StateView {
    return this.simulator.control.view(this.mchid, null)
  }

  run(order: OrderKey) {
    return this.temporal.client.workflow.getHandle(`order/${order.mchid}/${order.out_trade_no}`)
  }
}

function stageLog(service: string) {
  const level = process.env.WEFT_TEST_LOG
  return level ? createLogger({ level: level as 'info', service }) : silentLogger
}

/** What WeChat's consoles say of a merchant that is paid in every way, on the pages of this stage. */
function consoleOf({ public_url }: Config, apps: readonly StageApp[]) {
  const domain = new URL(public_url).hostname
  return {
    products: [...trade_types],
    apps: apps.map((app) => ({ ...app, oauth_domain: domain })),
    pay_directories: [`${public_url}/pay/`],
    h5_domains: [domain],
  }
}

type StageApp = ReturnType<typeof stageApps>[number]

interface MerchantParts {
  store: Store
  simulator: Simulator
  shop: MerchantDouble
  config: Config
  options: StageOptions
}

/** The apps of a merchant whose appid this is: that is its 公众号's, beside it a mini program and an app. */
export function stageApps(appid: string) {
  return [
    { appid, kind: 'official_account', secret: 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6' },
    { appid: `${appid}_mini`, kind: 'mini_program', secret: null },
    { appid: `${appid}_phone`, kind: 'mobile_app', secret: null },
  ] as const
}

/** A merchant with keys of its own, known to both sides; its endpoint is the double. */
async function addMerchant(parts: MerchantParts): Promise<[mchid: string, appid: string, key: string]> {
  const { store, simulator, shop, config, options } = parts
  const mchid = `19${String(randomInt(1e8)).padStart(8, '0')}`
  const appid = `wx${randomBytes(8).toString('hex')}`
  const apiv3_key = randomBytes(16).toString('hex')
  const serial_no = randomBytes(20).toString('hex').toUpperCase()
  const key_mode = options.key_mode ?? 'public_key'
  const apps = options.ways_to_pay ? [...stageApps(appid)] : []
  const appids = [...new Set([appid, ...apps.map((app) => app.appid)])]
  const wechat = await simulator.control.register({
    mchid,
    name: '一壶茶',
    appids,
    serial_no,
    public_key: pair.publicKey,
    apiv3_key,
    key_mode,
    ...(options.ways_to_pay && consoleOf(config, apps)),
  })
  const knows_public_key = key_mode !== 'certificate'
  const { fulfilment, ...settings } = options.settings ?? {}
  const create_time = beijingTime((options.now ?? Date.now)() - 60_000)
  const endpoint_key = endpointId(mchid, shop.url)
  const endpoint_id = publicId('ep', endpoint_key)
  const mode = fulfilment?.mode ?? default_settings.fulfilment.mode
  await store.merchants.save({
    _id: mchid,
    mchid,
    name: '一壶茶',
    mode: 'test',
    state: 'enabled',
    revision: 0,
    appids,
    ...(options.ways_to_pay && { apps: store.merchants.sealApps(mchid, apps) }),
    notify_url: `${config.public_url}/wechat/notify/${mchid}`,
    wechat: store.merchants.sealSetup(mchid, {
      serial_no,
      private_key: pair.privateKey,
      apiv3_key,
      public_key_id: knows_public_key ? wechat.wechatpay_public_key_id : null,
      public_key: knows_public_key ? wechat.wechatpay_public_key : null,
    }),
    settings: {
      ...default_settings,
      ...(options.ways_to_pay && { products: [...trade_types] }),
      ...settings,
      fulfilment: { ...default_settings.fulfilment, ...fulfilment },
    },
    fulfilment_endpoint_id: mode === 'event' ? endpoint_id : null,
    create_time,
  })
  shop.secret = `whsec_${randomBytes(32).toString('base64')}`
  await store.endpoints.add({
    _id: endpoint_key,
    id: endpoint_id,
    mchid,
    url: shop.url,
    role: mode === 'event' ? 'fulfilment' : 'observer',
    event_types: ['*'],
    description: null,
    state: 'enabled',
    disable_reason: null,
    secrets: [store.endpoints.sealSecret(endpoint_key, shop.secret)],
    create_time,
    last_success_time: null,
    failing_since_time: null,
  })
  return [mchid, appid, await addKey(store, mchid, create_time)]
}

/** A key of somebody who may do everything. */
async function addKey(store: Store, mchid: string, create_time: string): Promise<string> {
  const key = `weft_test_${randomBytes(32).toString('base64url')}`
  await store.keys.add({
    _id: createHash('sha256').update(key).digest('hex'),
    id: `key_${randomBytes(8).toString('hex')}`,
    mchid,
    mode: 'test',
    name: 'stage',
    scopes: [...scopes],
    hint: key.slice(-4),
    create_time,
    expire_time: null,
    revoke_time: null,
    last_use_time: null,
  })
  return key
}
