import { randomBytes } from 'node:crypto'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { readOriginal } from '../../../store/original.ts'
import { createBills } from '../../../activities/bill/steps.ts'
import { recordsOf } from '../../../store/side.ts'
import type { ActivityContext } from '../../../activities/context.ts'
import { archiveQueryAnswer } from '../../../activities/evidence.ts'
import { createRecords } from '../../../activities/order/steps.ts'
import { createRefundGateway } from '../../../activities/refund/gateway.ts'
import { createRefunds } from '../../../activities/refund/steps.ts'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { billsOfDay, default_bill_policy, dayRange } from '../../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import type { DayRecord } from '../../../domain/bill/record.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { billSettings } from '../../../domain/merchant/bill.ts'
import type { FlowAccount } from '../../../domain/merchant/bill.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { default_policy } from '../../../domain/policy.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import type { RunStarter } from '../../../runtime/runs.ts'
import { startSimulator } from '../../stage/simulator.ts'
import type { Simulator } from '../../../simulator/main.ts'
import type { Store } from '../../../store/store.ts'
import { createAccounts } from '../../../wechat/accounts.ts'
import { createDispatcher } from '../../../wechat/connection.ts'
import { queryOrder } from '../../../wechat/payments.ts'
import { Client, makeMerchant, numbering } from '../../simulator/client.ts'
import { memoryStore } from '../../stage/memory.ts'
import { freshStore, sealerOf } from '../../store/database.ts'
import { closeAsked, closedAtWeChat, merchantSample, orderSample } from '../../store/samples.ts'

export const mchid = '1900000001'
export const bill_date = '2026-11-22'
export const day: DayKey = { mchid, bill_date }

const quiet = new DefaultLogger('ERROR')
const hour = 3_600_000
const nothing = () => Promise.resolve()

interface Signal {
  workflow_id: string
  evidence_id: string | null
}

/** What one look at a day came to. */
export interface Look {
  record: ReconciliationRecord
  handed_over: number
  missing: number
  differences: DifferenceRecord[]
}

type Step = (given: never) => Promise<unknown>

/**
 * A merchant's sales on one day: a WeChat Pay that took the money, a store that recorded it by the real steps of orders and
 * refunds, and the steps that compare the two. There are no runs: what a look hands over waits in `signals`.
 */
export class Market {
  readonly store: Store
  readonly simulator: Simulator
  readonly signals: Signal[] = []
  readonly #client: Client
  readonly #bills: ReturnType<typeof createBills>
  readonly #steps: Record<string, Step>
  readonly #context: ActivityContext
  readonly #close: () => Promise<void>
  readonly #clock: { now_ms: number }
  readonly #number = numbering('TEA')

  private constructor(given: {
    store: Store
    simulator: Simulator
    client: Client
    context: ActivityContext
    clock: { now_ms: number }
    close: () => Promise<void>
  }) {
    const { store, simulator, client, context, clock, close } = given
    this.store = store
    this.simulator = simulator
    this.#client = client
    this.#context = context
    this.#clock = clock
    this.#close = close
    const signalWithStart = (_: string, sent: { workflowId: string; signalArgs: [{ evidence_id: string | null }] }) => {
      this.signals.push({ workflow_id: sent.workflowId, evidence_id: sent.signalArgs[0].evidence_id })
      return Promise.resolve()
    }
    const starter = {
      client: { workflow: { signalWithStart } },
      toOptions: (start: { workflow_id: string }) => ({ workflowId: start.workflow_id }),
    } as unknown as RunStarter
    this.#bills = createBills(context, starter, default_bill_policy)
    this.#steps = { ...createRecords(context), ...createRefunds(context), ...createRefundGateway(context) }
  }

  /** In memory a look takes a tenth of the time. */
  static async open(where: 'database' | 'memory'): Promise<Market> {
    const sealer = sealerOf('one')
    const { store, drop } = where === 'database' ? await freshStore() : { store: memoryStore(sealer), drop: nothing }
    const clock = { now_ms: dayRange(bill_date).from_ms + 10 * hour }
    const now = () => clock.now_ms
    const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now })
    const merchant = makeMerchant(mchid)
    const client = new Client(simulator.url, merchant)
    const { wechatpay_public_key_id: public_key_id, wechatpay_public_key: public_key } = await client.register()
    const { serial_no, private_key, apiv3_key, appid } = merchant
    const wechat = store.merchants.sealSetup(mchid, { serial_no, private_key, apiv3_key, public_key_id, public_key })
    await store.merchants.save(merchantSample({ mchid, appids: [appid], wechat }))
    const dispatcher = createDispatcher()
    const accounts = createAccounts({
      load: (of) => store.merchants.openSetup(of),
      test_wechat_url: simulator.url,
      dispatcher,
      now,
      user_agent: 'a test',
    })
    const policy = { ...default_policy }
    const context = { store, sealer, accounts, policy, now, log: silentLogger }
    const close = async () => {
      await simulator.close()
      await dispatcher.close()
      await drop()
    }
    return new Market({ store, simulator, client, context, clock, close })
  }

  async close(): Promise<void> {
    await this.#close()
  }

  /** The merchant says whose fund flows are fetched. */
  async follow(accounts: FlowAccount[]): Promise<void> {
    const merchant = await this.store.merchants.find(mchid)
    if (merchant === null) throw new Error('no merchant')
    const bills = { ...billSettings(merchant.settings), accounts }
    await this.store.merchants.save({ ...merchant, settings: { ...merchant.settings, bills } })
  }

  /** Time goes by on the day. */
  wait(minutes: number): void {
    this.#clock.now_ms += minutes * 60_000
  }

  /** An order that is placed here and at WeChat Pay. */
  async ordered(total = 990): Promise<OrderKey> {
    const out_trade_no = this.#number()
    const { appid } = this.#client.merchant
    const create_time = this.#time()
    const time_expire = beijingTime(this.#clock.now_ms + hour / 2)
    const amount = { total, currency: 'CNY' } as const
    await this.store.orders.insert(orderSample(out_trade_no, { mchid, appid, amount, create_time, time_expire }))
    const { status } = await this.#client.place(out_trade_no, { amount }, this.#signed())
    if (status !== 200) throw new Error(`not placed: ${status}`)
    const key = { mchid, out_trade_no }
    const code = { url: 'weixin://wxpay/bizpayurl?pr=1', placed_time: create_time }
    await this.#perform('recordPlaced', { order: key, code })
    return key
  }

  /** The payer pays, and no notification comes. Answers WeChat's id. */
  pay(order: OrderKey, given: { story?: 'second_payment' | 'pay_after_close'; nocash?: number } = {}): string {
    const { story = 'lose_notification', nocash = 0 } = given
    const { mchid: of, out_trade_no } = order
    if (story !== 'lose_notification')
      this.simulator.control.addFault({ operation: 'notify', fault: 'lose', times: 1, mchid: of, out_trade_no })
    const coupon = nocash === 0 ? {} : { coupon: { nocash_amount: nocash } }
    const { transaction_id } = this.simulator.control.pay({ mchid: of, out_trade_no, story, ...coupon })
    if (transaction_id === null) throw new Error('not paid')
    return transaction_id
  }

  /** WeChat is asked, as it would be without any bill, and what it says is recorded. */
  async hear(order: OrderKey): Promise<void> {
    const account = await this.#context.accounts.find(mchid)
    if (account === null) throw new Error('no account')
    const answer = await queryOrder(account.client.transport, order)
    if (answer.kind !== 'found') throw new Error('not known at WeChat')
    const { _id } = await archiveQueryAnswer(this.#context, order, answer)
    await this.#perform('recordPayment', { order, found: { evidence_id: _id } })
  }

  /** A sale as most are: paid, and known here. */
  async sold(given: { total?: number; nocash?: number } = {}): Promise<OrderKey & { transaction_id: string }> {
    this.#clock.now_ms += 1_000
    const order = await this.ordered(given.total)
    const transaction_id = this.pay(order, given)
    await this.hear(order)
    return { ...order, transaction_id }
  }

  async closed(): Promise<OrderKey> {
    const order = await this.ordered()
    await this.#client.close(order.out_trade_no, this.#signed())
    await this.store.orders.apply(order, closeAsked())
    await this.store.orders.apply(order, closedAtWeChat())
    return order
  }

  /** Money goes back in WeChat's console. Answers the number that it gives. */
  refundInConsole({ out_trade_no }: OrderKey, refund = 300): string {
    const asked = { mchid, out_trade_no, refund, status: 'SUCCESS', notification: 'lose' } as const
    return this.simulator.control.createConsoleRefund(asked).out_refund_no
  }

  /** A refund that is known here. */
  async givenBack(): Promise<OrderKey & { out_refund_no: string }> {
    const order = await this.sold()
    const out_refund_no = this.refundInConsole(order)
    await this.#adopt(out_refund_no)
    return { mchid, out_trade_no: order.out_trade_no, out_refund_no }
  }

  /** What the runs that were woken do. */
  async heal(): Promise<void> {
    for (const { workflow_id, evidence_id } of this.signals.splice(0)) {
      const [subject = '', , number = ''] = workflow_id.split('/')
      if (subject === 'order')
        await this.#perform('recordPayment', { order: { mchid, out_trade_no: number }, found: { evidence_id } })
      else if ((await this.store.refunds.find({ mchid, out_refund_no: number })) === null) await this.#adopt(number)
    }
  }

  plant(bill: 'trade' | 'fundflow', fault: string, given: Record<string, unknown> = {}): void {
    const operation = bill === 'trade' ? 'trade_bill_content' : 'fund_flow_bill_content'
    this.simulator.control.addFault({ operation, fault, mchid, bill_date, ...given })
  }

  /** It is noon of the day after, and later at each call. */
  morningAfter(of = bill_date): void {
    this.#clock.now_ms = Math.max(dayRange(of).to_ms + 12 * hour, this.#clock.now_ms + 1_000)
  }

  /** A look at a day, from its first step to its last; what it hands over is done meanwhile. */
  async look(of = bill_date): Promise<Look> {
    this.morningAfter(of)
    const at = { mchid, bill_date: of }
    const opened = await this.#perform<ReconciliationRecord>('openDay', {
      day: at,
      look: randomBytes(8).toString('hex'),
    })
    const { run } = opened
    for (const type of billsOfDay(opened)) {
      // The merchant's limit lets one application for a fund flow through each second.
      if (opened.bills?.length !== 2) this.#clock.now_ms += 1_000
      await this.#perform('fetchBill', { day: at, run, type })
    }
    await this.#perform('matchDay', { day: at, run })
    const asked = await this.#perform<{ handed_over: number; given_up: boolean }>('askDifferences', { day: at, run })
    let missing = 0
    if (asked.handed_over > 0) {
      await this.heal()
      missing = (await this.#perform<{ missing: number }>('awaitHealing', { day: at, run })).missing
      await this.#perform('matchDay', { day: at, run })
    }
    await this.#perform('postBills', { day: at, run })
    const { given_up, handed_over } = asked
    const record = await this.#perform<ReconciliationRecord>('closeDay', { day: at, run, given_up })
    return { record, handed_over, missing, differences: await this.differences(of) }
  }

  async differences(of = bill_date): Promise<DifferenceRecord[]> {
    return await this.store.differences.ofDay({ mchid, bill_date: of }, null, 500)
  }

  /** The plain bytes of the trade bill that was fetched last. */
  async tradeBill(): Promise<Buffer> {
    const bill = await this.store.bills.newest(day, 'trade')
    if (bill === null) throw new Error('no bill was fetched')
    return await this.inActivity(async () => {
      const pieces: Buffer[] = []
      for await (const bytes of readOriginal(this.store, bill)) pieces.push(bytes)
      return Buffer.concat(pieces)
    })
  }

  async records(): Promise<DayRecord[]> {
    const found: DayRecord[] = []
    for await (const some of recordsOf(this.store, day)) found.push(...some)
    return found
  }

  async inActivity<T>(act: () => Promise<T>): Promise<T> {
    const outcome: unknown = await new MockActivityEnvironment({}, { logger: quiet }).run(act)
    return outcome as T
  }

  async #adopt(out_refund_no: string): Promise<void> {
    const refund = { mchid, out_refund_no }
    const { kind, ...found } = await this.#perform<{ kind: string }>('askRefundUntilAnswered', { refund })
    if (kind !== 'found') throw new Error(`the refund is ${kind} at WeChat`)
    await this.#perform('adoptRefund', { refund, ...found })
    await this.#perform('recordRefundAnswer', { refund, ...found })
  }

  async #perform<T = unknown>(name: string, given: unknown): Promise<T> {
    const step = ({ ...this.#steps, ...this.#bills } as unknown as Record<string, (one: unknown) => Promise<T>>)[name]
    if (step === undefined) throw new Error(`no such step: ${name}`)
    return await this.inActivity(() => step(given))
  }

  #time(): string {
    return beijingTime(this.#clock.now_ms)
  }

  #signed(): { timestamp: number } {
    return { timestamp: Math.floor(this.#clock.now_ms / 1_000) }
  }
}
