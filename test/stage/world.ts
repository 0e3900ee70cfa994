import { randomBytes } from 'node:crypto'
import type { Client } from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import type { ActivityContext } from '../../activities/context.ts'
import { createMerchant } from '../../activities/delivery/attempt.ts'
import type { Courier, EndpointReply } from '../../activities/delivery/courier.ts'
import { archiveRefundAnswer } from '../../activities/evidence.ts'
import { createGateway } from '../../activities/order/gateway.ts'
import { createRecords } from '../../activities/order/steps.ts'
import { createRefundGateway } from '../../activities/refund/gateway.ts'
import { createRefunds } from '../../activities/refund/steps.ts'
import { createRuns } from '../../activities/runs.ts'
import { createCallSlots } from '../../activities/slots.ts'
import type { CallSlots } from '../../activities/slots.ts'
import type { Actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { endpointId, orderId } from '../../domain/ids.ts'
import type { OrderKey, RefundKey } from '../../domain/ids.ts'
import { default_settings } from '../../domain/merchant/record.ts'
import type { FulfilmentMode, MerchantSettings } from '../../domain/merchant/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import type { RefundFact } from '../../domain/payment/fact.ts'
import { default_policy } from '../../domain/policy.ts'
import type { Policy } from '../../domain/policy.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import type { WeChatRefundRecord } from '../../proof/wechat.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import { publicId } from '../../store/ids.ts'
import { createSealer } from '../../store/sealer.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatAccount } from '../../wechat/accounts.ts'
import { paymentFact, readTransaction } from '../../wechat/payments.ts'
import { queryRefund } from '../../wechat/refunds.ts'
import type { Transport } from '../../wechat/transport.ts'
import { evidenceSample, mchid, noon, orderSample } from '../store/samples.ts'
import { refundSample } from './dossiers.ts'
import { memoryStore } from './memory.ts'
import type { Writes } from './memory.ts'
import { PlayedWeChat } from './playedwechat.ts'

/** What the shop answers to one delivery of `order.paid`. */
export type ShopAnswer = 'fulfilled' | 'refused' | 'pending' | 'away' | 'unreachable'

const replies: Record<ShopAnswer, EndpointReply> = {
  fulfilled: replyOf(200, '{"fulfilment":"fulfilled"}'),
  refused: replyOf(200, '{"fulfilment":"refused","reason":"sold out"}'),
  pending: replyOf(202, ''),
  away: replyOf(503, ''),
  unreachable: { ...replyOf(0, ''), status: null, body: null, answer: null, error: 'connect ECONNREFUSED' },
}

function replyOf(status: number, answer: string): EndpointReply {
  const read = { body: answer, content_type: null, unreadable: null, answer }
  return { status, error: null, ...read, retry_after_ms: null, duration_ms: 1 }
}

/** Its parts are slow to make and hold nothing of a story. */
export const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const quiet = new DefaultLogger('ERROR')
const endpoint_key = endpointId(mchid, 'https://shop.example.cn/weft')

/**
 * All that one order's run works with, without a server: the real activities over the real store, in memory, a WeChat
 * Pay and a shop that do what the story says, and a clock that goes when it is told to.
 */
export class World {
  readonly key: OrderKey
  readonly wechat: PlayedWeChat
  readonly store: Store
  /** what the shop answers next; then `fulfilled` */
  readonly shop: ShopAnswer[]
  now_ms = noon
  /** the server that activities start and wake other runs at (stage/runs) */
  client: Client | null = null
  /** the names of all activities that were performed, and how often one said that it is alive */
  readonly performed: string[] = []
  heartbeats = 0
  /** the headers of every call to the shop */
  readonly calls: Record<string, string>[] = []
  /** what happens while the shop thinks, and while WeChat does */
  readonly pauses = { shop: () => Promise.resolve(), wechat: () => Promise.resolve() }
  /** as those of one worker process */
  readonly slots: CallSlots = createCallSlots()
  /** what it calls */
  readonly targets = {
    shop: { kind: 'endpoint', id: publicId('ep', endpoint_key) },
    wechat: { kind: 'placement', id: mchid },
  } as const
  breaker: 'closed' | 'open' | 'half_open' = 'closed'
  /** what runs are told when they begin */
  readonly policy: Policy = { ...default_policy }
  /** how many writes the activity that runs now may make before its worker dies */
  readonly writes: Writes = { left: Infinity }
  #notifications = 0
  readonly #transport: Transport
  readonly #context: ActivityContext
  readonly #order: OrderRecord
  readonly #steps: Record<string, (given: never) => Promise<unknown>>

  private constructor(mode: FulfilmentMode, shop: ShopAnswer[], given: Partial<OrderRecord> = {}) {
    const fulfilment = { mode, result: null, reason: null, deadline_time: null }
    this.#order = orderSample('TEA-1', { fulfilment, ...given })
    this.key = { mchid, out_trade_no: this.#order.out_trade_no }
    this.shop = shop
    const now = () => this.now_ms
    this.store = memoryStore(sealer, this.writes)
    this.wechat = new PlayedWeChat(this.#order, now)
    const transport: Transport = {
      send: async (request) => {
        await this.pauses.wechat()
        return await this.wechat.send(request)
      },
      download: () => this.wechat.download(),
    }
    this.#transport = transport
    const limits = { state: () => ({ breaker: this.breaker }) }
    const account = { mchid, client: { transport, limits }, read: readNotified } as unknown as WeChatAccount
    const accounts = { find: () => Promise.resolve(account) } as unknown as ActivityContext['accounts']
    const context: ActivityContext = {
      store: this.store,
      sealer,
      accounts,
      policy: this.policy,
      now,
      log: silentLogger,
    }
    this.#context = context
    const courier: Courier = {
      send: async (_url, headers) => {
        this.calls.push(headers)
        await this.pauses.shop()
        return replies[this.shop.shift() ?? 'fulfilled']
      },
      close: () => Promise.resolve(),
    }
    this.#steps = {
      ...createRecords(context),
      ...createGateway(context, this.slots),
      ...createMerchant(context, courier, this.slots),
      ...createRefunds(context),
      ...createRefundGateway(context),
      ...this.#runs(context),
    }
  }

  /** What starts and wakes other runs; a notice is told by being started. */
  #runs(context: ActivityContext): Record<string, (given: never) => Promise<unknown>> {
    // The server is there only after the world.
    const client = new Proxy({}, { get: (_, name) => this.client?.[name as keyof Client] }) as Client
    return {
      ...createRuns(context, { client, toOptions }),
      startDeliveries: async ({ deliveries }: { deliveries: string[] }) => {
        for (const _id of deliveries) await this.store.deliveries.end(_id, 'delivered')
      },
      closeOlder: () => Promise.resolve({ kind: 'clear' }),
      closeSiblings: () => Promise.resolve(),
    }
  }

  /** What the process has called before, quickly: from then on first attempts are made in line. */
  async warm(): Promise<void> {
    for (const target of Object.values(this.targets)) await this.slots.watch(target, () => Promise.resolve())
  }

  /** The sweeper takes up notices that nobody carries. */
  async sweepNotices(): Promise<void> {
    const late = await this.store.deliveries.findDue(beijingTime(this.now_ms + 1), 100)
    for (const { _id, purpose } of late) if (purpose === 'notice') await this.store.deliveries.end(_id, 'delivered')
  }

  /** The names of all activities, which a worker would register. */
  static get activities(): string[] {
    return Object.keys(new World('none', []).#steps)
  }

  static async open(
    mode: FulfilmentMode,
    shop: ShopAnswer[],
    refund_approval: MerchantSettings['refund_approval'] = null,
    order: Partial<OrderRecord> = {},
  ): Promise<World> {
    const world = new World(mode, shop, order)
    await world.#furnish(mode, refund_approval)
    return world
  }

  async record(): Promise<OrderRecord> {
    const order = await this.store.orders.find(this.key)
    if (order === null) throw new Error('the order is gone')
    return order
  }

  async refunds(): Promise<RefundRecord[]> {
    return await this.store.refunds.ofOrder(this.key.mchid, this.key.out_trade_no)
  }

  /** Runs an activity as a worker would. A failure that says when to come again is one; any other is a mistake. */
  async perform(name: string, argument: unknown): Promise<{ value: unknown } | { failure: Error }> {
    const step = this.#steps[name]
    if (step === undefined) throw new Error(`no such activity: ${name}`)
    try {
      this.performed.push(name)
      const environment = new MockActivityEnvironment({}, { logger: quiet })
      environment.on('heartbeat', () => (this.heartbeats += 1))
      const value = await environment.run(step as (given: unknown) => Promise<unknown>, argument)
      return this.writes.left < 0 ? { failure: new Error('the worker died') } : { value }
    } catch (error) {
      if (this.writes.left < 0) return { failure: new Error('the worker died') }
      if (error instanceof ApplicationFailure) return { failure: error }
      throw error
    }
  }

  /** What the intake does with a notification of a transaction: archives it, and answers the id that it signals. */
  async notified(transaction: Parameters<PlayedWeChat['transaction']>[0]): Promise<string> {
    const body = this.wechat.transaction(transaction)
    return await this.#archive({ subject: 'payment', transaction_id: transaction.id, out_refund_no: null }, body)
  }

  /** The same with one of a refund, which proves nothing by itself: it only wakes. */
  async refundNotified(refund: WeChatRefundRecord): Promise<string> {
    const { transaction_id, out_refund_no, refund_id, status, user_received_account } = refund
    const body = JSON.stringify({ refund_status: status, refund_id, user_received_account })
    return await this.#archive({ subject: 'refund', transaction_id, out_refund_no }, body)
  }

  /** What a look at a bill does: asks about a refund by itself, archives the answer, and hands over its id. */
  async refundAnswered(refund: RefundKey): Promise<string> {
    const answer = await queryRefund(this.#transport, refund, new AbortController().signal)
    if (answer.kind === 'not_found') throw new Error('WeChat has no such refund')
    return (await archiveRefundAnswer(this.#context, refund, answer))._id
  }

  async #archive(
    about: Pick<EvidenceRecord, 'subject' | 'transaction_id' | 'out_refund_no'>,
    body: string,
  ): Promise<string> {
    this.#notifications += 1
    const timestamp = String(Math.floor(this.now_ms / 1000))
    const { evidence } = await this.store.evidence.archive({
      ...evidenceSample(`n${this.#notifications}`),
      ...about,
      out_trade_no: this.key.out_trade_no,
      raw: { headers: { 'wechatpay-timestamp': timestamp }, body },
      receive_time: beijingTime(this.now_ms),
    })
    return evidence._id
  }

  /** What the API does with a request for a refund; null: it refuses it. */
  async askRefund(
    out_refund_no: string,
    transaction_id: string,
    refund: number,
    requested_by: Actor,
  ): Promise<RefundKey | null> {
    const payment = await this.store.payments.find(mchid, transaction_id)
    if (payment === null) return null
    const order = await this.record()
    if (order.state === 'review' && order.payment?.transaction_id === transaction_id) return null
    const key = { mchid, out_refund_no }
    const create_time = beijingTime(this.now_ms)
    const asked = refundSample(out_refund_no, { ...payment, amount: { ...payment.amount, refund } })
    await this.store.refunds.insert({
      ...asked,
      requested_by,
      create_time,
      is_full: false,
      submission: { attempts: 0, unanswered: false, last_attempt_time: null },
      next_action: { what: 'reserve', time: create_time },
    })
    return key
  }

  async #furnish(mode: FulfilmentMode, refund_approval: MerchantSettings['refund_approval']): Promise<void> {
    const create_time = beijingTime(noon - 60_000)
    const endpoint_id = publicId('ep', endpoint_key)
    await this.store.merchants.save({
      _id: mchid,
      mchid,
      name: '一壶茶',
      mode: 'test',
      state: 'enabled',
      revision: 0,
      appids: [this.#order.appid],
      notify_url: 'https://weft.example.cn/wechat/notify/1',
      wechat: null,
      settings: {
        ...default_settings,
        fulfilment: { ...default_settings.fulfilment, mode },
        refund_approval,
      },
      fulfilment_endpoint_id: mode === 'event' ? endpoint_id : null,
      create_time,
    } as unknown as Parameters<Store['merchants']['save']>[0])
    await this.store.endpoints.add({
      _id: endpoint_key,
      id: endpoint_id,
      mchid,
      url: 'https://shop.example.cn/weft',
      role: mode === 'event' ? 'fulfilment' : 'observer',
      event_types: ['*'],
      description: null,
      state: 'enabled',
      disable_reason: null,
      secrets: [this.store.endpoints.sealSecret(endpoint_key, 'whsec_dGVzdA==')],
      create_time,
      last_success_time: null,
      failing_since_time: null,
    })
    await this.store.orders.insert(this.#order)
  }
}

/** A notification whose signature and encryption hold: what of them does not is proven elsewhere. */
function readNotified({ body }: { body: Buffer }): ReturnType<WeChatAccount['read']> {
  const text = body.toString('utf8')
  if (text.includes('refund_status')) {
    return { verdict: 'verified', subject: 'refund', fact: JSON.parse(text) as RefundFact } as never
  }
  const transaction = readTransaction(text)
  if (transaction === null) throw new Error('not a transaction')
  const fact = paymentFact(transaction)
  return { verdict: 'verified', subject: 'payment', fact, notification_id: '', serial_no: '' } as unknown as ReturnType<
    WeChatAccount['read']
  >
}

/** The id that records of this order name it by. */
export function idOf(world: World): string {
  return orderId(world.key)
}

/** Starts carry no more than these runs need. */
export const toOptions = ((start) => ({
  workflowId: start.workflow_id,
  args: start.arguments,
  taskQueue: '',
  workflowIdConflictPolicy: 'USE_EXISTING',
})) as RunStarter['toOptions']
