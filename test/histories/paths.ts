import { openOrder } from '../../api/v1/checkouts/order.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { deliveryId, eventId, operationId, workflowId } from '../../domain/ids.ts'
import { orderStart, signals } from '../../domain/messages.ts'
import { startOptions } from '../../runtime/temporal.ts'
import type { FaultRequest } from '../../simulator/control.ts'
import { openingContext } from '../stage/checkout.ts'
import type { MerchantAnswer } from '../stage/merchant.ts'
import type { Stage, StageOptions } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import type { Wire } from '../stage/wire.ts'

/** What a path is told with: a stage whose shop answers per order, and the place where ended runs are kept. */
export interface Teller {
  stage: Stage
  /** between Weft and its database, on the stage where that is cut */
  wire: Wire | null
  /** answers of the shop to an order's events, in this order; then `fulfilled` */
  answers(order: OrderKey, ...answers: MerchantAnswer[]): void
  /** Waits until a run of `id` has ended, the latest unless `run_id` names one, and keeps its history under `name`. */
  keep(name: string, id: string, run_id?: string): Promise<void>
}

/** The ways an order or a delivery can go, told on one stage side by side; each keeps the runs that its names say. */
export interface Chapter {
  options: StageOptions
  cuts_database?: boolean
  /** on a Temporal of its own that soon wants a new run, as it does of a history of thousands of events elsewhere */
  renews_early?: boolean
  /** what the simulator is told before the first path */
  before?: (teller: Teller) => Promise<void>
  paths: Record<string, Path>
}

/** `name` is the path's own; a path of several runs adds to it. */
export type Path = (teller: Teller, name: string) => Promise<void>

/** An order whose number is its path's name, so that a history says what it is. */
export async function ordered({ stage }: Teller, name: string, given: object = {}): Promise<OrderKey> {
  return await stage.ordered({ out_trade_no: numberOf(name), ...given })
}

export function numberOf(name: string): string {
  return name.toUpperCase().slice(0, 32)
}

export function keyOf({ stage }: Teller, name: string): OrderKey {
  return { mchid: stage.mchid, out_trade_no: numberOf(name) }
}

/** The order's latest run, or the one that `run_id` names. */
export async function kept(teller: Teller, name: string, order: OrderKey, run_id?: string): Promise<void> {
  await teller.keep(name, workflowId.order(order), run_id)
}

/** The run that carries the order now: what happens later may start another one. */
export async function currentRun({ stage }: Teller, order: OrderKey): Promise<string> {
  return (await stage.run(order).describe()).runId
}

/** What the sweeper does with evidence of an unknown number, some minutes later. */
export async function swept({ stage }: Teller, order: OrderKey): Promise<void> {
  const evidence = await until('its evidence', async () => {
    const [first] = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
    return first
  })
  const start = orderStart(order)
  await stage.temporal.client.workflow.signalWithStart(start.workflow_type, {
    ...startOptions(start, stage.config.queue_prefix),
    signal: signals.payment_found,
    signalArgs: [{ evidence_id: evidence._id }],
  })
}

/** The run that tells the merchant event number `sequence`. */
export async function keptNotice({ stage, keep }: Teller, name: string, order: OrderKey, sequence: number): Promise<void> {
  const event_id = eventId(order, sequence)
  const [delivery] = await until('the notice', async () => {
    const found = await stage.store.deliveries.ofEvent(order.mchid, event_id)
    return found.length > 0 && found
  })
  await keep(name, workflowId.delivery(deliveryId(event_id, delivery?.endpoint_id ?? '')))
}

export function misbehave({ stage }: Teller, order: OrderKey, fault: Omit<FaultRequest, 'mchid' | 'out_trade_no'>): void {
  stage.simulator.control.addFault({ ...fault, ...order })
}

/** WeChat says that money came for the number, whether it ever knew it or not. */
export async function reported(stage: Stage, order: OrderKey, transaction_id: string, total: number): Promise<void> {
  const success_time = beijingTime(stage.now())
  const amount = { total, currency: 'CNY' }
  await stage.simulator.control.notify({
    mchid: order.mchid,
    url: `${stage.config.public_url}/wechat/notify/${order.mchid}`,
    plaintext: { ...order, appid: stage.appid, transaction_id, trade_state: 'SUCCESS', success_time, amount },
  })
}

export const close = ({ stage }: Teller, { out_trade_no }: OrderKey) => stage.call('POST', `/v1/orders/${out_trade_no}/close`)
export const confirm = ({ stage }: Teller, { out_trade_no }: OrderKey, body: object) =>
  stage.call('POST', `/v1/orders/${out_trade_no}/fulfilment`, body)

const asking: Record<string, Path> = {
  notification: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  found_by_first_question: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order, 'lose_notification')
    await kept(teller, name, order)
  },
  found_by_later_question: async (teller, name) => {
    const order = await ordered(teller, name)
    await until('a question', async () => (await teller.stage.record(order)).asked.last_time)
    teller.stage.pay(order, 'lose_notification')
    await kept(teller, name, order)
  },
  notification_between_questions: async (teller, name) => {
    const order = await ordered(teller, name)
    await until('a question', async () => (await teller.stage.record(order)).asked.last_time)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  found_on_request: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order, 'lose_notification')
    await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/check`)
    await kept(teller, name, order)
  },
  request_unanswered: async (teller, name) => {
    const order = await ordered(teller, name)
    misbehave(teller, order, { operation: 'query', fault: '500', times: 1 })
    await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/check`)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  contradicted: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order, 'wrong_amount')
    await kept(teller, name, order)
  },
  unproven_signal: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order, 'lose_notification')
    await teller.stage.run(order).signal(signals.payment_found, { evidence_id: `${order.mchid}/notification/unknown` })
    await kept(teller, name, order)
  },
  second_payment: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await kept(teller, `${name}_first_run`, order)
    teller.stage.pay(order, 'second_payment')
    await until('the second payment', async () => (await teller.stage.record(order)).attention)
    await kept(teller, name, order)
  },
  resumed_after_terminate: async (teller, name) => {
    const order = await ordered(teller, name)
    await teller.stage.run(order).terminate('for the story')
    const start = orderStart(order)
    const options = startOptions(start, teller.stage.config.queue_prefix)
    await teller.stage.temporal.client.workflow.start(start.workflow_type, options)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  orphan: async (teller, name) => {
    const { stage } = teller
    const order = keyOf(teller, name)
    await reported(stage, order, '4200000000202611230000000001', 5)
    await swept(teller, order)
    await kept(teller, name, order)
  },
}

const placing: Record<string, Path> = {
  placement_refused: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'RULE_LIMIT', times: 1 })
    await teller.stage.create({ out_trade_no: order.out_trade_no })
    await kept(teller, name, order)
    await keptNotice(teller, `${name}_notice`, order, 1)
  },
  placed_at_second_attempt: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'disconnect_after', times: 2 })
    await teller.stage.create({ out_trade_no: order.out_trade_no })
    await teller.stage.reaches(order, 'awaiting_payment')
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  refused_after_silence: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'disconnect_after', times: 2 })
    misbehave(teller, order, { operation: 'place', fault: 'RULE_LIMIT', times: 1 })
    await teller.stage.create({ out_trade_no: order.out_trade_no })
    await kept(teller, name, order)
  },
  number_used: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'OUT_TRADE_NO_USED', times: 1 })
    await teller.stage.create({ out_trade_no: order.out_trade_no })
    await kept(teller, name, order)
  },
  paid_while_placing: async (teller, name) => {
    const order = keyOf(teller, name)
    misbehave(teller, order, { operation: 'place', fault: 'timeout_after', times: 1 })
    void teller.stage.create({ out_trade_no: order.out_trade_no }).catch(() => undefined)
    const isPlaced = () => teller.stage.wechat.orders.some(({ out_trade_no }) => out_trade_no === order.out_trade_no)
    await until('WeChat has the order', isPlaced)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  two_of_one_reference: async (teller, name) => {
    const older = await ordered(teller, `${name}_A`, { reference: name })
    const newer = await ordered(teller, `${name}_B`, { reference: name })
    await kept(teller, `${name}_older`, older)
    teller.stage.pay(newer)
    await kept(teller, `${name}_newer`, newer)
  },
  reference_paid: async (teller, name) => {
    const older = await ordered(teller, `${name}_A`, { reference: name })
    teller.stage.pay(older, 'lose_notification')
    const newer = keyOf(teller, `${name}_B`)
    await teller.stage.create({ out_trade_no: newer.out_trade_no, reference: name })
    await kept(teller, name, newer)
  },
  not_wanted: async (teller, name) => {
    const { stage } = teller
    const order = keyOf(teller, name)
    const request = { out_trade_no: order.out_trade_no, description: '龙井茶', amount: { total: 990 } }
    await stage.insist('POST', '/v1/checkouts', request)
    const checkout = await stage.store.checkouts.find(order)
    if (checkout === null) throw new Error('no checkout')
    // Its maker dies behind the order's record; the checkout is cancelled before a run takes the order up.
    const { commands, ...context } = openingContext(stage)
    const dying = { ...commands, prepay: () => Promise.reject(new Error('died')) }
    await openOrder({ ...context, commands: dying }, checkout, { trade_type: 'NATIVE' }).catch(() => undefined)
    const actor = { kind: 'merchant', id: null } as const
    const cancel = { event: 'cancel_asked', operation_id: operationId.checkoutCancelAsked(), actor } as const
    await stage.store.checkouts.apply(checkout, { ...cancel, time: beijingTime(stage.now()) })
    await commands.startOrder(order)
    await kept(teller, name, order)
  },
}

const closing: Record<string, Path> = {
  closed_by_merchant: async (teller, name) => {
    const order = await ordered(teller, name)
    await close(teller, order)
    await kept(teller, name, order)
    await keptNotice(teller, `${name}_notice`, order, 1)
  },
  expired: async (teller, name) => {
    const order = await ordered(teller, name, { expire_in: 8 })
    await kept(teller, name, order)
  },
  cancelled_in_ui: async (teller, name) => {
    const order = await ordered(teller, name)
    await teller.stage.run(order).cancel()
    await kept(teller, name, order)
  },
  paid_while_closing: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order, 'pay_while_closing')
    await close(teller, order)
    await kept(teller, name, order)
  },
  close_uncertain_at_first: async (teller, name) => {
    const order = await ordered(teller, name)
    misbehave(teller, order, { operation: 'close', fault: 'error', status: 202, code: 'USER_PAYING', times: 3 })
    await close(teller, order)
    await kept(teller, name, order)
  },
  late_payment: async (teller, name) => {
    const order = await ordered(teller, name)
    await close(teller, order)
    await kept(teller, `${name}_first_run`, order)
    teller.stage.pay(order, 'pay_after_close')
    await teller.stage.reaches(order, 'refunding')
    await kept(teller, name, order)
  },
}

const answering: Record<string, Path> = {
  refused: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 200, body: '{"fulfilment":"refused","reason":"sold out"}' })
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  pending_then_confirmed: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 202 })
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await until('pending', async () => (await teller.stage.record(order)).fulfilment.result === 'pending')
    await confirm(teller, order, { result: 'fulfilled' })
    await kept(teller, name, order)
  },
  delivery_retried: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 503 }, { status: 500 })
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
  confirmed_while_delivering: async (teller, name) => {
    teller.answers(keyOf(teller, name), ...Array.from({ length: 20 }, () => ({ status: 503 })))
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await until('an attempt', () => teller.stage.shop.of(order.out_trade_no).length > 0)
    await confirm(teller, order, { result: 'fulfilled' })
    await kept(teller, name, order)
  },
  second_payment_while_delivering: async (teller, name) => {
    teller.answers(keyOf(teller, name), ...Array.from({ length: 3 }, () => ({ status: 503 })))
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await until('an attempt', () => teller.stage.shop.of(order.out_trade_no).length > 0)
    teller.stage.pay(order, 'second_payment')
    await kept(teller, name, order)
  },
  notice_retried: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 503 }, { status: 503 })
    const order = await ordered(teller, name)
    await close(teller, order)
    await keptNotice(teller, name, order, 1)
  },
}

const confirming: Record<string, Path> = {
  confirmed: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'paid')
    await confirm(teller, order, { result: 'fulfilled' })
    await kept(teller, name, order)
  },
  confirmed_refused: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'paid')
    await confirm(teller, order, { result: 'refused', reason: 'sold out' })
    await kept(teller, name, order)
  },
  second_payment_while_paid: async (teller, name) => {
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'paid')
    teller.stage.pay(order, 'second_payment')
    await until('the second payment', async () => (await teller.stage.record(order)).attention)
    await confirm(teller, order, { result: 'fulfilled' })
    await kept(teller, name, order)
  },
}

const late: Record<string, Path> = {
  overdue: async (teller, name) => {
    teller.answers(keyOf(teller, name), { status: 202 })
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'review')
    await kept(teller, name, order)
    await confirm(teller, order, { result: 'fulfilled' })
    await teller.stage.reaches(order, 'fulfilled')
    await kept(teller, `${name}_then_confirmed`, order)
  },
  overdue_undelivered: async (teller, name) => {
    teller.answers(keyOf(teller, name), ...Array.from({ length: 50 }, () => ({ status: 503 })))
    const order = await ordered(teller, name)
    teller.stage.pay(order)
    await kept(teller, name, order)
  },
}

/** Every way that the code can go, by the stage it needs. The names are those of the files. */
export const chapters: Chapter[] = [
  {
    options: { time_scale: 30, settings: { fulfilment: { mode: 'event' } } },
    paths: { ...asking, ...placing, ...closing, ...answering },
  },
  { options: { time_scale: 30, settings: { fulfilment: { mode: 'confirm' } } }, paths: confirming },
  {
    options: { time_scale: 30, settings: { fulfilment: { mode: 'none' } } },
    paths: {
      fulfilled_by_itself: async (teller, name) => {
        const order = await ordered(teller, name)
        teller.stage.pay(order)
        await kept(teller, name, order)
        await keptNotice(teller, `${name}_notice`, order, 1)
      },
    },
  },
  { options: { time_scale: 30, settings: { fulfilment: { mode: 'event', deadline_in: 3 } } }, paths: late },
  {
    // A code is old after two seconds here.
    options: { time_scale: 3_000, settings: { fulfilment: { mode: 'event' } } },
    paths: {
      code_renewed: async (teller, name) => {
        const order = await ordered(teller, name)
        const { code } = await teller.stage.record(order)
        const isNew = async () => (await teller.stage.record(order)).code?.url !== code?.url
        await until('a new code', async () => {
          await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/code`)
          return await isNew()
        })
        teller.stage.pay(order)
        await kept(teller, name, order)
      },
    },
  },
  {
    options: { time_scale: 30, settings: { fulfilment: { mode: 'event' } } },
    cuts_database: true,
    paths: {
      database_away: async (teller, name) => {
        const order = await ordered(teller, name)
        teller.wire?.cut()
        await teller.stage.run(order).cancel()
        await until('the record step left the worker', async () => {
          const { pendingActivities } = (await teller.stage.run(order).describe()).raw
          return pendingActivities?.some(({ activityType }) => activityType?.name === 'recordCloseAsked')
        })
        teller.wire?.mend()
        await kept(teller, name, order)
      },
    },
  },
]
