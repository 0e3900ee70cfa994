import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Actor } from '../../../domain/actor.ts'
import { workflowId } from '../../../domain/ids.ts'
import { order_updates, signals } from '../../../domain/messages.ts'
import { isOrderResting } from '../../../domain/order/record.ts'
import { workflowCode } from '../../stage/bundle.ts'
import { expectSound } from '../../stage/audit.ts'
import { Driver } from '../../stage/driver.ts'
import type { Run } from '../../stage/driver.ts'
import { Runs } from '../../stage/runs.ts'
import { idOf, World } from '../../stage/world.ts'
import type { ShopAnswer } from '../../stage/world.ts'

// Pauses within an activity are no part of a story.
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }))

/** What can come from outside at any moment, in any order, as often as the story says. */
const happenings = [
  'pay',
  'pay_after_close',
  'pay_wrong_amount',
  'notify',
  'notify_second_payment',
  'notify_unknown',
  'check',
  'refresh',
  'close',
  'confirm',
  'refuse',
  'cancel_in_ui',
  'terminate',
] as const
type Happening = (typeof happenings)[number]

/** Without them most stories would be of orders that nobody pays. */
const often: Happening[] = ['pay', 'pay', 'pay', 'notify', 'notify', 'notify', 'check', 'check', 'close']

interface Story {
  mode: 'event' | 'confirm' | 'none'
  shop: ShopAnswer[]
  /** first attempts are made in line */
  is_warm: boolean
  refusals: readonly string[]
  happenings: Happening[]
  /** at each step, which of the things that can be next is */
  choices: number[]
}

const stories: fc.Arbitrary<Story> = fc.record({
  mode: fc.constantFrom('event', 'event', 'confirm', 'none'),
  shop: fc.array(fc.constantFrom<ShopAnswer>('fulfilled', 'refused', 'pending', 'away'), { maxLength: 3 }),
  is_warm: fc.boolean(),
  refusals: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(['RULE_LIMIT'], ['OUT_TRADE_NO_USED'], ['NO_AUTH'], ['FREQUENCY_LIMITED']),
    },
  ),
  happenings: fc.array(fc.constantFrom(...happenings, ...often), { maxLength: 10, size: 'max' }),
  choices: fc.array(fc.nat({ max: 9_999 }), { maxLength: 120, size: 'max' }),
})

const merchant: Actor = { kind: 'merchant', id: null }
const most_steps = 4_000

/** Tells one story: nothing happens but what is chosen, one thing at a time. */
class Teller {
  readonly world: World
  is_terminated = false
  readonly #runs: Runs
  readonly #story: Story
  #coming: Happening[]
  #handed: string[] = []
  #notified = new Set<string>()
  #commands = 0

  private constructor(driver: Driver, story: Story, world: World) {
    this.#story = story
    this.#coming = [...story.happenings]
    this.world = world
    this.#runs = new Runs(driver, world, (workflow_id, run) => this.#ended(workflow_id, run))
    world.wechat.refusals.push(...story.refusals)
  }

  static async begin(driver: Driver, story: Story): Promise<Teller> {
    const world = await World.open(story.mode, [...story.shop])
    if (story.is_warm) await world.warm()
    const teller = new Teller(driver, story, world)
    ;(await teller.#running()).update(order_updates.prepay, 'prepay')
    return teller
  }

  async tell(): Promise<void> {
    for (const choice of this.#story.choices) {
      const next = this.#possible()
      const chosen = next[choice % next.length]
      if (chosen === undefined) break
      await chosen()
    }
    await this.#comeToRest()
  }

  /** The run that is there, or a new one: how signals and updates with a start reach an order. */
  async #running(): Promise<Run> {
    return await this.#runs.running('payOrder', workflowId.order(this.world.key), this.world.key)
  }

  get run(): Run | undefined {
    return this.#runs.find(workflowId.order(this.world.key))
  }

  /** Everything that could be next. */
  #possible(): (() => Promise<void>)[] {
    const next = this.#runs.possible()
    this.#coming = this.#coming.filter((happening) => this.#mayBecomePossible(happening))
    const happening = this.#nextHappening()
    if (happening !== undefined) next.push(() => this.#happen(happening))
    if (this.world.wechat.refunds.length > 0) next.push(async () => void this.world.wechat.progress())
    return next
  }

  /** What must hold whenever a run ends, wherever it was interrupted before. */
  async #ended(workflow_id: string, run: Run): Promise<void> {
    expect(run.ending).toMatchObject({ kind: 'completed' })
    expect([...run.updates].filter(([, answer]) => answer === null)).toEqual([])
    if (workflow_id !== workflowId.order(this.world.key)) return
    const { state } = await this.world.record()
    expect(isOrderResting(state), `the run ended in ${state}`).toBe(true)
    for (const id of this.#handed) {
      const evidence = await this.world.store.evidence.find(id)
      expect(evidence?.outcome, `${id} was handed to a run that ended`).not.toBeNull()
    }
    this.#handed = []
  }

  /** What comes next, if it can come now: nobody pays an order that WeChat does not have. */
  #nextHappening(): Happening | undefined {
    const [next] = this.#coming
    return next !== undefined && this.#isPossible(next) ? next : undefined
  }

  #isPossible(happening: Happening): boolean {
    const { is_placed, is_closed, transactions } = this.world.wechat
    const is_paid = transactions.length > 0
    switch (happening) {
      case 'pay':
      case 'pay_wrong_amount':
        return is_placed && !is_closed && !is_paid
      case 'pay_after_close':
        return is_closed && !is_paid
      case 'notify':
      case 'notify_second_payment':
        return is_paid
      case 'close':
        return is_placed
      case 'cancel_in_ui':
      case 'terminate':
        return this.run !== undefined
      default:
        return true
    }
  }

  /** Whether `happening` can still become possible while the order is under way. */
  #mayBecomePossible(happening: Happening): boolean {
    const { is_closed, transactions } = this.world.wechat
    if (happening === 'pay' || happening === 'pay_wrong_amount') return !is_closed && transactions.length === 0
    return happening !== 'pay_after_close' || transactions.length === 0
  }

  async #happen(happening: Happening): Promise<void> {
    this.#coming.shift()
    const { wechat } = this.world
    const [taken] = wechat.transactions
    switch (happening) {
      case 'pay':
      case 'pay_after_close':
      case 'pay_wrong_amount':
        wechat.transactions.push({ id: 'T1', total: happening === 'pay_wrong_amount' ? 991 : 990 })
        return
      case 'notify':
        if (taken) await this.#notify(taken)
        return
      case 'notify_second_payment':
        if (wechat.seconds.length === 0) wechat.seconds.push({ id: 'T2', total: 990 })
        await this.#notify({ id: 'T2', total: 990 })
        return
      case 'notify_unknown':
        return (await this.#running()).signal(signals.payment_found, { evidence_id: 'unknown' })
      case 'check':
        return (await this.#running()).signal(signals.check_requested, { operation_id: this.#operation() })
      case 'refresh':
        return (await this.#running()).update(order_updates.refresh, ...this.#command())
      case 'close':
        return (await this.#running()).update(order_updates.close, ...this.#command())
      case 'confirm':
        return (await this.#running()).update(
          order_updates.confirm_fulfilment,
          ...this.#command({ result: 'fulfilled' }),
        )
      case 'refuse':
        return (await this.#running()).update(order_updates.confirm_fulfilment, ...this.#command({ result: 'refused' }))
      case 'cancel_in_ui':
        return this.run?.cancel()
      case 'terminate':
        return await this.#terminate()
    }
  }

  async #notify(transaction: { id: string; total: number }): Promise<void> {
    const evidence_id = await this.world.notified(transaction)
    this.#notified.add(transaction.id)
    this.#handed.push(evidence_id)
    ;(await this.#running()).signal(signals.payment_found, { evidence_id })
  }

  async #terminate(): Promise<void> {
    await this.#runs.terminate(workflowId.order(this.world.key))
    this.is_terminated = true
    this.#handed = []
  }

  #operation(): string {
    this.#commands += 1
    return `operation-${this.#commands}`
  }

  #command(more: object = {}): [string, object] {
    const operation_id = this.#operation()
    return [operation_id, { operation_id, actor: merchant, reason: 'for the story', ...more }]
  }

  /** From here on nothing goes wrong; what is still to come comes by and by, and then the order must come to rest. */
  async #comeToRest(): Promise<void> {
    for (let step = 1; step <= most_steps; step += 1) {
      const happening = this.#runs.isEmpty || step % 5 === 0 ? this.#nextHappening() : undefined
      if (happening !== undefined) await this.#happen(happening)
      else if (!this.#runs.isEmpty) await this.#proceed()
      else if (this.#coming.length > 0) this.#coming.shift()
      else if (await this.#isSwept()) return
    }
    const { state } = await this.world.record()
    throw new Error(`the order did not come to rest: ${state}, at ${this.#runs.waits}`)
  }

  async #proceed(): Promise<void> {
    if (await this.#runs.proceed()) return
    if (this.#runs.nextDue() === null) throw new Error('the runs wait for nothing')
    this.world.wechat.progress()
    await this.world.sweepNotices()
    this.#runs.pass()
  }

  /** What the sweeper does for an order without a run: starts it while it is open; after a terminate also evidence. */
  async #isSwept(): Promise<boolean> {
    await this.world.sweepNotices()
    const { state } = await this.world.record()
    if (!isOrderResting(state)) {
      await this.#running()
      return false
    }
    if (await this.#hasRefundsUnderWay()) return false
    if (!this.is_terminated) return true
    const all = await this.world.store.evidence.ofOrder(this.world.key.mchid, this.world.key.out_trade_no)
    const unapplied = all.filter(({ outcome }) => outcome === null)
    for (const { _id } of unapplied) (await this.#running()).signal(signals.payment_found, { evidence_id: _id })
    return unapplied.length === 0
  }

  async #hasRefundsUnderWay(): Promise<boolean> {
    const refunds = await this.world.refunds()
    for (const { mchid, out_refund_no, next_action } of refunds) {
      const key = { mchid, out_refund_no }
      if (next_action !== undefined) await this.#runs.running('refundPayment', workflowId.refund(key), key)
    }
    return !this.#runs.isEmpty
  }

  /** What must hold once everything is at rest. */
  async audit(): Promise<void> {
    const { store, wechat, key } = this.world
    const order = await this.world.record()
    expectSound(order)
    const count = (event: string) => order.timeline.filter((entry) => entry.event === event).length
    expect(count('payment_found')).toBeLessThanOrEqual(1)
    expect(count('placed')).toBeLessThanOrEqual(1)
    const payments = await store.payments.ofOrder(key.mchid, idOf(this.world))
    const entries = await store.journal.ofOrder(key.mchid, key.out_trade_no)
    const booked = payments.map(({ transaction_id }) => transaction_id).sort()
    // What nobody told is found by asking, while the order is open; money that comes after that waits for the bill.
    const found = this.#notified.size === 0 && count('closed_at_wechat') === 0 ? wechat.transactions : []
    const owed = [...this.#notified, ...found.map(({ id }) => id)]
    expect(owed.filter((id) => !booked.includes(id))).toEqual([])
    expect(booked).toEqual([...new Set(booked)])
    expect(entries.filter(({ kind }) => kind === 'payment')).toHaveLength(payments.length)
    expect(wechat.violations).toEqual([])
    expect(order.state).not.toBe('refunding')
    expect(payments.filter(({ role }) => role === 'order').length).toBeLessThanOrEqual(1)
    const contradicted = payments.filter(({ role }) => role === 'contradicted')
    expect(contradicted.filter(({ amount }) => amount.total === order.amount.total)).toEqual([])
    if (order.payment !== null) expect(booked).toContain(order.payment.transaction_id)
    if (order.state === 'closed') expect(wechat.is_placed && !wechat.is_closed).toBe(false)
    if (order.state === 'fulfilled') expect(payments.some(({ role }) => role === 'order')).toBe(true)
  }
}

describe('an order whose facts, commands, failures and timers come in any order', () => {
  let driver: Driver
  beforeAll(async () => {
    const { code } = await workflowCode()
    driver = await Driver.open(code, World.activities)
  })
  afterAll(async () => await driver.close())

  it('loses no payment, is paid once, answers every update, and rests only when nothing is left to do', async () => {
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        const teller = await Teller.begin(driver, story)
        await teller.tell()
        await teller.audit()
      }),
      { numRuns: Number(process.env.WEFT_TEST_STORIES ?? 180) },
    )
  })
})
