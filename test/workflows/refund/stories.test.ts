import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Actor } from '../../../domain/actor.ts'
import { milliseconds } from '../../../domain/calendar.ts'
import { workflowId } from '../../../domain/ids.ts'
import type { RefundKey } from '../../../domain/ids.ts'
import { order_updates, refund_updates, signals } from '../../../domain/messages.ts'
import { isOrderResting } from '../../../domain/order/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { default_policy } from '../../../domain/policy.ts'
import { isRefundResting } from '../../../domain/refund/record.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { proveNumbers } from '../../../proof/passage.ts'
import { workflowCode } from '../../stage/bundle.ts'
import { expectSound } from '../../stage/audit.ts'
import { Driver } from '../../stage/driver.ts'
import type { Run } from '../../stage/driver.ts'
import type { WeChatRefundRecord } from '../../../proof/wechat.ts'
import type { Fate } from '../../stage/playedwechat.ts'
import { Runs } from '../../stage/runs.ts'
import { World } from '../../stage/world.ts'
import type { ShopAnswer } from '../../stage/world.ts'

// Pauses within an activity are no part of a story.
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }))

/** How the order stands when the story begins: what was paid for it, and whether somebody said that it came late. */
const openings = ['paid', 'paid', 'paid', 'paid_wrong_amount', 'paid_late', 'paid_twice', 'paid_untold'] as const
type Opening = (typeof openings)[number]

/** What can come from outside at any moment, in any order, as often as the story says. */
const happenings = [
  'refund_all',
  'refund_all',
  'refund_part',
  'refund_part',
  'refund_rest',
  'refund_rest',
  'refund_second',
  'refund_second_part',
  'refund_unpaid',
  'repeat_request',
  'progress',
  'progress',
  'notify_refund',
  'notify_refund_unreadable',
  'refund_outside',
  'refund_outside_ours',
  'check_refund',
  'approve',
  'approve',
  'approve_own_request',
  'disapprove',
  'disapprove',
  'redirect_abnormal',
  'pay_out',
  'pay_out',
  'notify_second_payment',
  'accept',
  'reject',
  'accept_second',
  'reject_second',
  'confirm',
  'refuse',
  'starve',
  'fund',
  'cancel_in_ui',
  'terminate_order',
  'terminate_refund',
] as const
type Happening = (typeof happenings)[number]

interface Story {
  opening: Opening
  mode: 'event' | 'confirm' | 'none'
  shop: ShopAnswer[]
  /** fen from which a second person must approve; null: never */
  approval_above: number | null
  refusals: string[]
  fates: Fate[]
  happenings: Happening[]
  /** at each step, which of the things that can be next is */
  choices: number[]
  /** what becomes of the attempts that follow: dies after so many writes, or not */
  perils: (number | null)[]
}

const fates = fc.constantFrom<Fate>(
  ['SUCCESS'],
  ['CLOSED'],
  ['RETURNED'],
  ['ABNORMAL', 'SUCCESS'],
  ['ABNORMAL', 'PROCESSING', 'SUCCESS'],
  ['ABNORMAL', 'CLOSED'],
  ['ABNORMAL', 'RETURNED'],
  // The payer's bank sends it back.
  ['SUCCESS', 'CLOSED'],
  ['SUCCESS', 'ABNORMAL', 'SUCCESS'],
)

const stories: fc.Arbitrary<Story> = fc.record({
  opening: fc.constantFrom(...openings),
  mode: fc.constantFrom('event', 'confirm', 'none'),
  shop: fc.array(fc.constantFrom<ShopAnswer>('fulfilled', 'refused', 'pending', 'away'), { maxLength: 2 }),
  approval_above: fc.constantFrom(null, 0, 500),
  refusals: fc.array(
    fc.constantFrom('PARAM_ERROR', 'USER_ACCOUNT_ABNORMAL', 'FREQUENCY_LIMITED', 'SYSTEM_ERROR', 'NO_AUTH'),
    { maxLength: 2, size: 'xsmall' },
  ),
  fates: fc.array(fates, { maxLength: 3 }),
  happenings: fc.array(fc.constantFrom(...happenings), { maxLength: 9, size: 'max' }),
  choices: fc.array(fc.nat({ max: 9_999 }), { maxLength: 120, size: 'max' }),
  perils: fc.array(fc.option(fc.nat({ max: 8 }), { freq: 4 }), { maxLength: 60, size: 'max' }),
})

const quiet: Story = {
  opening: 'paid',
  mode: 'none',
  shop: [],
  approval_above: null,
  refusals: [],
  fates: [],
  happenings: [],
  choices: [],
  perils: [],
}

/** Stories that once came out wrong: told first, every time. */
const remembered: Story[] = [
  // An event is published in the last step before everything rests: only the sweeper sends what its run had to.
  {
    opening: 'paid_wrong_amount',
    mode: 'none',
    shop: ['fulfilled', 'pending'],
    approval_above: null,
    refusals: [],
    fates: [['ABNORMAL', 'SUCCESS']],
    happenings: ['starve', 'disapprove', 'reject', 'redirect_abnormal', 'terminate_order', 'progress', 'refund_unpaid'],
    choices: [9902, 10, 0, 3, 7404, 9993, 13, 6627, 6698, 430, 0, 5, 4, 1, 0, 5213, 3108, 9995, 9999, 2425],
    perils: [null, 7, null, 1, 3, 4, 2, null, 6, 1, 4, 4, 7, 6, null],
  },
  // Accepted, then refused by the shop and by WeChat: what is paid by hand comes out of sales.
  {
    ...quiet,
    opening: 'paid_wrong_amount',
    mode: 'event',
    refusals: ['PARAM_ERROR'],
    happenings: ['pay_out', 'accept', 'refuse'],
  },
  // Closed by WeChat after a person has accepted the payment: the money comes back to sales, not to suspense.
  { ...quiet, opening: 'paid_twice', fates: [['CLOSED']], happenings: ['refund_second', 'accept_second', 'progress'] },
  // One half is not approved, so that the other is not all of the money any more and stops nothing.
  {
    ...quiet,
    mode: 'confirm',
    approval_above: 0,
    happenings: ['refund_part', 'refund_rest', 'repeat_request', 'disapprove', 'approve'],
  },
  // Part of a rejected second payment is closed by WeChat: somebody has to see to it.
  {
    ...quiet,
    opening: 'paid_twice',
    fates: [['CLOSED']],
    happenings: ['refund_second_part', 'reject_second', 'progress', 'progress'],
  },
]

const requester: Actor = { kind: 'merchant', id: 'key-1' }
const approver: Actor = { kind: 'operator', id: 'li' }
const most_steps = 4_000
/** fen that somebody gives back past Weft */
const outside = 300

/** Tells one story of an order that is paid, and of the refunds of it. */
class Teller {
  readonly world: World
  readonly #runs: Runs
  readonly #story: Story
  readonly #coming: Happening[]
  /** evidence by the workflow that was told of it last */
  readonly #handed = new Map<string, string[]>()
  #commands = 0
  #requests = 0
  #notices = 0
  /** Nobody pays by hand what somebody gives back past Weft as well: neither could know, and the audit would say so. */
  #is_paid_out = false
  #is_outside = false
  #passes = 0

  private constructor(driver: Driver, story: Story, world: World) {
    this.#story = story
    this.#coming = [...story.happenings]
    this.world = world
    this.#runs = new Runs(driver, world, (workflow_id, run) => this.#ended(workflow_id, run))
    world.wechat.refund_refusals.push(...story.refusals)
    world.wechat.fates.push(...story.fates.map((fate) => [...fate]))
  }

  static async begin(driver: Driver, story: Story): Promise<Teller> {
    const world = await World.open(
      story.mode,
      [...story.shop],
      story.approval_above === null ? null : { above: story.approval_above },
    )
    const teller = new Teller(driver, story, world)
    await teller.#open()
    return teller
  }

  async tell(): Promise<void> {
    for (const choice of this.#story.choices) {
      const next = this.#runs.possible()
      if (this.#coming.length > 0) next.push(async () => void (await this.#happenNext()))
      const chosen = next[choice % next.length]
      if (chosen === undefined) break
      await chosen()
    }
    this.#runs.perils.push(...this.#story.perils)
    await this.#comeToRest()
  }

  /** Until the order is placed, nothing goes wrong: that is told in interleavings.test.ts. */
  async #open(): Promise<void> {
    const { wechat } = this.world
    const order = await this.#order()
    order.update(order_updates.prepay, 'prepay')
    while (!wechat.is_placed || order.updates.get('prepay') === null) await this.#runs.proceed()
    const { opening } = this.#story
    if (opening === 'paid_late') {
      ;(await this.#order()).update(order_updates.close, ...this.#command({ actor: requester }))
      for (let step = 0; !this.#runs.isEmpty && step < most_steps; step += 1) {
        if (!(await this.#runs.proceed())) this.#runs.pass()
      }
    }
    wechat.transactions.push({ id: 'T1', total: opening === 'paid_wrong_amount' ? 991 : 990 })
    if (opening !== 'paid_untold') await this.#notifyPayment('T1')
    if (opening === 'paid_twice') await this.#happen('notify_second_payment')
  }

  async #order(): Promise<Run> {
    return await this.#runs.running('payOrder', workflowId.order(this.world.key), this.world.key)
  }

  async #refund({ mchid, out_refund_no }: RefundKey): Promise<Run> {
    const key = { mchid, out_refund_no }
    return await this.#runs.running('refundPayment', workflowId.refund(key), key)
  }

  /** The first that can come now. False: none can. */
  async #happenNext(): Promise<boolean> {
    const order = await this.world.record()
    const refunds = await this.world.refunds()
    const place = this.#coming.findIndex((happening) => this.#isPossible(happening, order, refunds))
    const [happening] = place < 0 ? [] : this.#coming.splice(place, 1)
    if (happening !== undefined) await this.#happen(happening)
    return happening !== undefined
  }

  /** Nobody decides on what is not there yet; what was decided already may be decided again. */
  #isPossible(happening: Happening, order: OrderRecord, refunds: RefundRecord[]): boolean {
    const { wechat } = this.world
    switch (happening) {
      case 'approve':
      case 'approve_own_request':
      case 'disapprove':
        return refunds.some(({ approval }) => approval !== null)
      case 'redirect_abnormal':
        return refunds.some(({ state }) => state === 'abnormal')
      case 'pay_out':
        return !this.#is_outside && refunds.some(({ state }) => isRefundResting(state))
      case 'accept':
      case 'reject':
        return order.timeline.some(({ to }) => to === 'review')
      case 'accept_second':
      case 'reject_second':
      case 'refund_second':
      case 'refund_second_part':
        return order.timeline.some(({ event }) => event === 'second_payment_found')
      case 'notify_refund':
        return wechat.refunds.length > 0
      case 'refund_outside':
        return !this.#is_paid_out && wechat.refunded('T1') + outside <= (wechat.transactions[0]?.total ?? 0)
      case 'refund_outside_ours':
        return this.#isPossible('refund_outside', order, refunds) && refunds.some((refund) => this.#isUnknown(refund))
      case 'repeat_request':
      case 'notify_refund_unreadable':
      case 'check_refund':
        return refunds.length > 0
      case 'refund_all':
      case 'refund_part':
      case 'refund_rest':
      case 'refund_unpaid':
      case 'confirm':
      case 'refuse':
        return order.payment !== null
      default:
        return true
    }
  }

  async #happen(happening: Happening): Promise<void> {
    const { wechat } = this.world
    switch (happening) {
      case 'refund_all':
        return await this.#ask('T1', wechat.transactions[0]?.total ?? 990)
      case 'refund_part':
        return await this.#ask('T1', 400)
      case 'refund_rest':
        return await this.#ask('T1', 590)
      case 'refund_second':
        return await this.#ask('T2', 990)
      case 'refund_second_part':
        return await this.#ask('T2', 400)
      case 'refund_unpaid':
        return await this.#ask('T1', 992)
      case 'repeat_request':
        return await this.#withRefund(
          () => true,
          async (refund) => (await this.#refund(refund)).update(refund_updates.reserve, this.#operation()),
        )
      case 'progress':
        return void wechat.progress()
      case 'notify_refund':
        return await this.#notifyRefund()
      case 'notify_refund_unreadable':
        return await this.#withRefund(
          () => true,
          async (refund) => (await this.#refund(refund)).signal(signals.refund_changed, { evidence_id: null }),
        )
      case 'refund_outside':
        this.#is_outside = true
        wechat.refundOutside(`CONSOLE-${wechat.refunds.length + 1}`, 'T1', outside)
        return await this.#notifyOf(wechat.refunds.at(-1))
      case 'refund_outside_ours':
        this.#is_outside = true
        return await this.#withRefund(
          (refund) => this.#isUnknown(refund),
          async ({ out_refund_no }) => {
            const [first, ...later] = wechat.fates[0] ?? []
            wechat.refundOutside(out_refund_no, 'T1', outside, first === 'SUCCESS' ? later : [])
            await this.#notifyOf(wechat.refunds.at(-1))
          },
        )
      case 'check_refund':
        return await this.#withRefund(
          () => true,
          async (refund) =>
            (await this.#refund(refund)).signal(signals.check_requested, { operation_id: this.#operation() }),
        )
      case 'approve':
        return await this.#decideApproval('approve', approver)
      case 'approve_own_request':
        return await this.#decideApproval('approve', requester)
      case 'disapprove':
        return await this.#decideApproval('reject', approver)
      case 'redirect_abnormal':
        return await this.#redirect()
      case 'pay_out':
        this.#is_paid_out = true
        return await this.#payOut()
      case 'notify_second_payment':
        if (wechat.seconds.length === 0) wechat.seconds.push({ id: 'T2', total: 990 })
        return await this.#notifyPayment('T2')
      case 'accept':
      case 'reject':
        return await this.#decide(happening, null)
      case 'accept_second':
        return await this.#decide('accept', 'T2')
      case 'reject_second':
        return await this.#decide('reject', 'T2')
      case 'confirm':
        return (await this.#order()).update(order_updates.confirm_fulfilment, ...this.#command({ result: 'fulfilled' }))
      case 'refuse':
        return (await this.#order()).update(order_updates.confirm_fulfilment, ...this.#command({ result: 'refused' }))
      case 'starve':
      case 'fund':
        wechat.is_poor = happening === 'starve'
        return
      case 'cancel_in_ui':
        for (const id of this.#runs.ids) this.#runs.find(id)?.cancel()
        return
      case 'terminate_order':
        return await this.#terminate(workflowId.order(this.world.key))
      case 'terminate_refund':
        return await this.#withRefund(
          () => true,
          (refund) => this.#terminate(workflowId.refund(refund)),
        )
    }
  }

  /** What the API does with a request: it records it, and has it reserved. */
  async #ask(transaction_id: string, refund: number): Promise<void> {
    this.#requests += 1
    const asked = await this.world.askRefund(`RE-${this.#requests}`, transaction_id, refund, requester)
    if (asked !== null) (await this.#refund(asked)).update(refund_updates.reserve, this.#operation())
  }

  /** A number of ours that WeChat does not have: whoever has the merchant's own key may take it. */
  #isUnknown({ out_refund_no, order_id, transaction_id }: RefundRecord): boolean {
    const is_taken = this.world.wechat.refunds.some((one) => one.out_refund_no === out_refund_no)
    return !is_taken && !out_refund_no.includes('@') && order_id !== null && transaction_id === 'T1'
  }

  /** `then` with one of the refunds that `is`, in turn; nothing where there is none. */
  async #withRefund(is: (refund: RefundRecord) => boolean, then: (refund: RefundRecord) => unknown): Promise<void> {
    const refunds = (await this.world.refunds()).filter(is)
    const refund = refunds[this.#commands % Math.max(1, refunds.length)]
    if (refund !== undefined) await then(refund)
  }

  async #decideApproval(decision: 'approve' | 'reject', actor: Actor): Promise<void> {
    const command = this.#command({ actor, decision })
    await this.#withRefund(
      ({ approval }) => approval !== null,
      async (refund) => (await this.#refund(refund)).update(refund_updates.approve, ...command),
    )
  }

  async #redirect(): Promise<void> {
    const bank = { type: 'MERCHANT_BANK_CARD', bank_type: null, bank_account: null, real_name: null, serial_no: 'K' }
    const command = this.#command(bank)
    await this.#withRefund(
      ({ state }) => state === 'abnormal',
      async (refund) => (await this.#refund(refund)).update(refund_updates.handle_abnormal, ...command),
    )
  }

  async #payOut(): Promise<void> {
    const command = this.#command({ proof: 'transfer 1' })
    await this.#withRefund(
      ({ state }) => isRefundResting(state),
      async (refund) => (await this.#refund(refund)).update(refund_updates.pay_out, ...command),
    )
  }

  async #decide(decision: 'accept' | 'reject', transaction_id: string | null): Promise<void> {
    const command = this.#command({ actor: approver, decision, transaction_id })
    ;(await this.#order()).update(order_updates.resolve_review, ...command)
  }

  async #notifyPayment(id: string): Promise<void> {
    const { transactions, seconds } = this.world.wechat
    const transaction = [...transactions, ...seconds].find((one) => one.id === id)
    if (transaction === undefined) return
    const evidence_id = await this.world.notified(transaction)
    this.#hand(workflowId.order(this.world.key), evidence_id)
    ;(await this.#order()).signal(signals.payment_found, { evidence_id })
  }

  async #notifyRefund(): Promise<void> {
    const { refunds } = this.world.wechat
    await this.#notifyOf(refunds[this.#notices++ % Math.max(1, refunds.length)])
  }

  async #notifyOf(told: WeChatRefundRecord | undefined): Promise<void> {
    if (told === undefined) return
    const key = { mchid: this.world.key.mchid, out_refund_no: told.out_refund_no }
    const evidence_id = await this.world.refundNotified(told)
    this.#hand(workflowId.refund(key), evidence_id)
    ;(await this.#refund(key)).signal(signals.refund_changed, { evidence_id })
  }

  #hand(workflow_id: string, evidence_id: string): void {
    this.#handed.set(workflow_id, [...(this.#handed.get(workflow_id) ?? []), evidence_id])
  }

  async #terminate(workflow_id: string): Promise<void> {
    await this.#runs.terminate(workflow_id)
    this.#handed.delete(workflow_id)
  }

  #operation(): string {
    this.#commands += 1
    return `operation-${this.#commands}`
  }

  #command(more: object): [string, object] {
    const operation_id = this.#operation()
    return [operation_id, { operation_id, actor: requester, reason: 'for the story', ...more }]
  }

  /** What must hold whenever a run ends, wherever it was interrupted before. */
  async #ended(workflow_id: string, run: Run): Promise<void> {
    expect(run.ending).toMatchObject({ kind: 'completed' })
    expect([...run.updates].filter(([, answer]) => answer === null)).toEqual([])
    const { state } = await this.world.record()
    const refund = (await this.world.refunds()).find((one) => workflowId.refund(one) === workflow_id)
    const is_at_rest = refund === undefined ? isOrderResting(state) : isRefundResting(refund.state)
    expect(is_at_rest, `${workflow_id} ended in ${refund?.state ?? state}`).toBe(true)
    // What came before it was decided whether ours is sent, the sweeper hands over anew.
    const is_taken = this.world.wechat.refunds.some(
      ({ out_refund_no, body }) => out_refund_no === refund?.out_refund_no && body === '',
    )
    const handed = is_taken && refund?.origin !== 'outside' ? [] : this.#handed.get(workflow_id)
    for (const id of handed ?? []) {
      const evidence = await this.world.store.evidence.find(id)
      expect(evidence?.outcome, `${id} was handed to a run that ended`).not.toBeNull()
    }
    this.#handed.delete(workflow_id)
  }

  /** Workers still die, as told; what is still to come comes by and by, and then all must come to rest. */
  async #comeToRest(): Promise<void> {
    for (let step = 1; step <= most_steps; step += 1) {
      if (this.#coming.length > 0 && step % 5 === 0) await this.#happenNext()
      else if (!this.#runs.isEmpty) await this.#proceed()
      else if (await this.#isSwept()) {
        if (!(await this.#happenNext()) && !(await this.#goesOnAtWeChat())) return
      }
    }
    throw new Error(`all did not come to rest, at ${this.#runs.waits}`)
  }

  /**
   * WeChat goes on when all is at rest here, and tells until Weft has it what was paid and what became of a refund that
   * had succeeded.
   */
  async #goesOnAtWeChat(): Promise<boolean> {
    const { wechat } = this.world
    const has_moved = wechat.progress()
    const refunds = await this.world.refunds()
    const unheard = wechat.refunds.filter(({ refund_id, status }) =>
      refunds.some((here) => here.facts?.refund_id === refund_id && here.state === 'succeeded' && status !== 'SUCCESS'),
    )
    for (const refund of unheard) await this.#notifyOf(refund)
    const [transaction] = wechat.transactions
    const is_told = transaction && (await this.world.store.payments.find(this.world.key.mchid, transaction.id)) !== null
    if (!is_told) await this.#notifyPayment('T1')
    return has_moved || unheard.length > 0 || !is_told
  }

  async #proceed(): Promise<void> {
    if (await this.#runs.proceed()) return
    if (this.#runs.nextDue() === null) throw new Error(`the runs wait for nothing: ${this.#runs.ids.join(', ')}`)
    if (this.#passes % 2 === 0 && (await this.#happenNext())) return
    // Somebody tops the balance up, a while later.
    if (this.#passes++ % 4 === 3) this.world.wechat.is_poor = false
    this.world.wechat.progress()
    await this.world.sweepNotices()
    this.#runs.pass()
  }

  /** What the sweeper does for what has no run: starts it where something is planned, and hands evidence over. */
  async #isSwept(): Promise<boolean> {
    const { store, key } = this.world
    await this.world.sweepNotices()
    const order = await this.world.record()
    if (order.next_action !== undefined) await this.#order()
    for (const refund of await this.world.refunds()) {
      if (refund.next_action !== undefined) await this.#refund(refund)
    }
    const all = await store.evidence.ofOrder(key.mchid, key.out_trade_no)
    for (const { _id, subject, out_refund_no } of all.filter(({ outcome }) => outcome === null)) {
      const found = { evidence_id: _id }
      if (subject === 'payment') (await this.#order()).signal(signals.payment_found, found)
      else if (out_refund_no !== null)
        (await this.#refund({ mchid: key.mchid, out_refund_no })).signal(signals.refund_changed, found)
    }
    return this.#runs.isEmpty
  }

  /** What must hold once everything is at rest. */
  async audit(): Promise<void> {
    const { store, wechat, key } = this.world
    const order = await this.world.record()
    const refunds = await this.world.refunds()
    expect(wechat.violations).toEqual([])
    expectSound(order)
    expect(isOrderResting(order.state), order.state).toBe(true)
    expect(refunds.filter(({ state }) => !isRefundResting(state)).map(({ state }) => state)).toEqual([])
    for (const { id, total } of [...wechat.transactions, ...wechat.seconds])
      expect(wechat.refunded(id), `refunded of ${id}`).toBeLessThanOrEqual(total)
    const numbers = wechat.refunds.map(({ out_refund_no }) => out_refund_no)
    expect(numbers).toEqual([...new Set(numbers)])
    const truth = {
      ofMerchant: () => Promise.resolve(new Map([[key.out_trade_no, wechat.truth]])),
      ofNumber: () => Promise.resolve(wechat.truth),
    }
    const options = { now: () => this.world.now_ms, patience: null, truth }
    const findings = await proveNumbers(store, key.mchid, [key.out_trade_no], options)
    expect(findings.map(({ kind, detail }) => `${kind}: ${detail}`)).toEqual([])
    const balances = await store.journal.balances(key.mchid)
    expect(balances.reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
    this.#auditTelling(order.timeline, refunds)
    if (order.state === 'refunding' || order.state === 'review') this.#expectAttention(order.attention?.code, refunds)
  }

  /** The order has heard, once and under a number of its own, whatever ended a refund. */
  #auditTelling(timeline: { out_refund_no?: string; event_type: string | null }[], refunds: RefundRecord[]): void {
    const told = timeline.flatMap(({ out_refund_no, event_type }) =>
      out_refund_no !== undefined && event_type?.startsWith('refund.') ? [`${out_refund_no} ${event_type}`] : [],
    )
    const owed = refunds.flatMap((refund) =>
      refund.timeline.flatMap(({ event }) => (tells[event] ? [`${refund.out_refund_no} ${tells[event]}`] : [])),
    )
    expect(told.sort()).toEqual(owed.sort())
  }

  #expectAttention(code: string | undefined, refunds: RefundRecord[]): void {
    const codes = [code, ...refunds.map(({ attention }) => attention?.code)].filter((one) => one !== undefined)
    expect(codes, 'a person is waited for, and nobody says so').not.toEqual([])
  }
}

/** What the merchant hears of each event of a refund; `unheard` ones are left out. */
const tells: Record<string, string> = {
  succeeded: 'refund.succeeded',
  abnormal: 'refund.abnormal',
  closed: 'refund.closed',
  refused: 'refund.refused',
  returned_to_merchant: 'refund.returned_to_merchant',
}

describe('refunds of an order whose requests, outcomes, failures and timers come in any order', () => {
  let driver: Driver
  beforeAll(async () => {
    const { code } = await workflowCode()
    driver = await Driver.open(code, World.activities)
  })
  afterAll(async () => await driver.close())

  it('made outside, of a payment that nobody told of, are adopted once the order’s run has booked it', async () => {
    const teller = await Teller.begin(driver, { ...quiet, opening: 'paid_untold', happenings: ['refund_outside'] })
    await teller.tell()
    const { timeline } = await teller.world.record()
    const [placed, paid] = timeline.map(({ time }) => milliseconds(time))
    // Sooner than Weft asks by its own plan.
    expect((paid ?? Infinity) - (placed ?? 0)).toBeLessThan(default_policy.first_query_ms)
    expect(await teller.world.refunds()).toMatchObject([{ origin: 'outside', state: 'succeeded' }])
    await teller.audit()
  })

  it('made outside under a number of ours are followed until the payer’s bank has sent them back', async () => {
    const happenings: Happening[] = ['refund_unpaid', 'refund_outside_ours']
    const teller = await Teller.begin(driver, { ...quiet, fates: [['SUCCESS', 'CLOSED']], happenings })
    await teller.tell()
    const states = (await teller.world.refunds()).map(({ out_refund_no, state }) => `${out_refund_no} ${state}`)
    expect(states.toSorted()).toEqual(['R1@wechat closed', 'RE-1 refused'])
    await teller.audit()
  })

  it('never give back more than was paid, agree with WeChat and the book, and rest only when nothing is left', async () => {
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        const teller = await Teller.begin(driver, story)
        await teller.tell()
        await teller.audit()
      }),
      {
        numRuns: Number(process.env.WEFT_TEST_STORIES ?? 180),
        examples: remembered.map((story) => [story]),
        endOnFailure: true,
      },
    )
  })
})
