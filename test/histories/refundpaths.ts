import { randomUUID } from 'node:crypto'
import { WithStartWorkflowOperation } from '@temporalio/client'
import { workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { order_updates, orderStart, refund_updates, refundStart } from '../../domain/messages.ts'
import { startOptions } from '../../runtime/temporal.ts'
import type { MerchantAnswer } from '../stage/merchant.ts'
import { until } from '../stage/until.ts'
import { currentRun, kept } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'

const actor = { kind: 'operator' as const, id: 'opr_second' }

/** A paid and shipped order, and a refund of it whose number is its path's name. */
export async function refunding({ stage }: Teller, name: string, refund: number): Promise<OrderKey & { out_refund_no: string }> {
  const order = await stage.ordered({ out_trade_no: name.toUpperCase().slice(0, 32) })
  stage.pay(order)
  await stage.reaches(order, 'fulfilled')
  const out_refund_no = `R_${name}`
  prepared.get(name)?.(stage, order)
  await stage.refund({ out_refund_no, out_trade_no: order.out_trade_no, amount: { refund } })
  return { ...order, out_refund_no }
}

/** What WeChat is told to do before a path's refund reaches it. */
const prepared = new Map<string, (stage: Teller['stage'], order: OrderKey) => void>([
  [
    'refund_unanswered',
    ({ simulator }, order) => simulator.control.addFault({ operation: 'refund', fault: 'timeout_after', times: 1, ...order }),
  ],
  [
    'refund_refused',
    ({ simulator }, order) =>
      simulator.control.addFault({ operation: 'refund', fault: 'error', status: 403, code: 'RULE_LIMIT', times: 9, ...order }),
  ],
  [
    'refund_not_enough',
    ({ simulator }, order) =>
      simulator.control.addFault({ operation: 'refund', fault: 'error', status: 403, code: 'NOT_ENOUGH', times: 1, ...order }),
  ],
])

export const keptRefund = (teller: Teller, name: string, out_refund_no: string) =>
  teller.keep(name, workflowId.refund({ mchid: teller.stage.mchid, out_refund_no }))

/** An update with start to the refund's run, as the API sends it. */
export async function command({ stage }: Teller, refund: OrderKey & { out_refund_no: string }, name: string, given: object) {
  const start = refundStart(refund)
  const operation_id = randomUUID()
  await stage.temporal.client.workflow.executeUpdateWithStart(name, {
    args: [{ operation_id, actor, reason: 'told by a path', ...given }],
    updateId: operation_id,
    startWorkflowOperation: new WithStartWorkflowOperation(
      start.workflow_type,
      startOptions(start, stage.config.queue_prefix),
    ),
  })
}

/** A person's decision on the order; answers the id of the run that took it. */
export async function decide(
  { stage }: Teller,
  order: OrderKey,
  decision: 'accept' | 'reject',
  transaction_id: string | null,
): Promise<string | undefined> {
  const start = orderStart(order)
  const operation_id = randomUUID()
  const startWorkflowOperation = new WithStartWorkflowOperation(
    start.workflow_type,
    startOptions(start, stage.config.queue_prefix),
  )
  const update = await stage.temporal.client.workflow.startUpdateWithStart(order_updates.resolve_review, {
    args: [{ operation_id, actor, reason: 'told by a path', decision, transaction_id }],
    updateId: operation_id,
    waitForStage: 'ACCEPTED',
    startWorkflowOperation,
  })
  await update.result()
  return update.workflowRunId
}

const asked: Record<string, Path> = {
  refund_notified: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 990)
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_unanswered: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 500)
    await teller.stage.refundReaches(out_refund_no, 'succeeded', 60_000)
    await keptRefund(teller, name, out_refund_no)
  },
  refund_refused: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 500)
    await teller.stage.refundReaches(out_refund_no, 'refused')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_not_enough: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 500)
    await teller.stage.refundReaches(out_refund_no, 'succeeded', 60_000)
    await keptRefund(teller, name, out_refund_no)
  },
  refund_exceeds: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 990_000)
    await teller.stage.refundReaches(out_refund_no, 'refused')
    await keptRefund(teller, name, out_refund_no)
  },
  late_payment_refunded: async (teller, name) => {
    const order = await teller.stage.ordered({ out_trade_no: name.toUpperCase() })
    await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
    teller.stage.pay(order, 'pay_after_close')
    await teller.stage.reaches(order, 'refunded')
    await kept(teller, `${name}_order`, order)
    await keptRefund(teller, name, (await teller.stage.owedRefund(order)).out_refund_no)
  },
  refund_reversed: async (teller, name) => {
    const { stage } = teller
    const order = await stage.ordered({ out_trade_no: name.toUpperCase() })
    await stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
    stage.pay(order, 'pay_after_close')
    await stage.reaches(order, 'refunded')
    const { mchid, out_refund_no } = await stage.owedRefund(order)
    stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'ABNORMAL' })
    await stage.reaches(order, 'refunding')
    await kept(teller, `${name}_order`, order)
    stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS' })
    await stage.reaches(order, 'refunded')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_while_delivering: async (teller, name) => {
    const { stage } = teller
    const order: OrderKey = { mchid: stage.mchid, out_trade_no: name.toUpperCase() }
    teller.answers(order, ...Array.from({ length: 50 }, (): MerchantAnswer => ({ status: 503 })))
    await stage.ordered({ out_trade_no: order.out_trade_no })
    stage.pay(order)
    await until('an attempt', () => stage.shop.of(order.out_trade_no).length > 0)
    const first_run = await currentRun(teller, order)
    const { body } = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    teller.answers(order)
    await stage.refundReaches(body.out_refund_no, 'succeeded')
    await stage.reaches(order, 'refunded')
    await kept(teller, name, order)
    await kept(teller, `${name}_first_run`, order, first_run)
  },
  contradicted_accepted: async (teller, name) => {
    const order = await teller.stage.ordered({ out_trade_no: name.toUpperCase() })
    teller.stage.pay(order, 'wrong_amount')
    await teller.stage.reaches(order, 'review')
    await decide(teller, order, 'accept', null)
    await teller.stage.reaches(order, 'fulfilled')
    await kept(teller, name, order)
  },
  contradicted_rejected: async (teller, name) => {
    const order = await teller.stage.ordered({ out_trade_no: name.toUpperCase() })
    teller.stage.pay(order, 'wrong_amount')
    await teller.stage.reaches(order, 'review')
    const deciding_run = await decide(teller, order, 'reject', null)
    await teller.stage.reaches(order, 'refunded')
    await kept(teller, name, order)
    await kept(teller, `${name}_decision`, order, deciding_run)
  },
  second_accepted: async (teller, name) => {
    const order = await teller.stage.ordered({ out_trade_no: name.toUpperCase() })
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'fulfilled')
    const { transaction_id } = teller.stage.pay(order, 'second_payment')
    await until('the second payment', async () => (await teller.stage.record(order)).attention)
    await decide(teller, order, 'accept', transaction_id)
    await kept(teller, name, order)
  },
  second_rejected: async (teller, name) => {
    const order = await teller.stage.ordered({ out_trade_no: name.toUpperCase() })
    teller.stage.pay(order)
    await teller.stage.reaches(order, 'fulfilled')
    const { transaction_id } = teller.stage.pay(order, 'second_payment')
    await until('the second payment', async () => (await teller.stage.record(order)).attention)
    await decide(teller, order, 'reject', transaction_id)
    const { out_refund_no } = await teller.stage.owedRefund(order)
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    await kept(teller, name, order)
  },
}

/** Refunds that end only when WeChat is told so. */
const held: Record<string, Path> = {
  refund_polled: async (teller, name) => {
    const { out_refund_no, mchid } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS', notification: 'lose' })
    await teller.stage.refundReaches(out_refund_no, 'succeeded', 60_000)
    await keptRefund(teller, name, out_refund_no)
  },
  refund_abnormal: async (teller, name) => {
    const { out_refund_no, mchid } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'ABNORMAL' })
    await teller.stage.refundReaches(out_refund_no, 'abnormal')
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS' })
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_closed: async (teller, name) => {
    const { out_refund_no, mchid } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'CLOSED' })
    await teller.stage.refundReaches(out_refund_no, 'closed')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_returned: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    const { out_refund_no, mchid } = refund
    await taken(teller, out_refund_no)
    const received_by = 'merchant_basic_account'
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS', received_by })
    await teller.stage.refundReaches(out_refund_no, 'returned_to_merchant')
    await keptRefund(teller, name, out_refund_no)
    await command(teller, refund, refund_updates.pay_out, { proof: 'bank transfer 1' })
    await until('it is told', async () => (await teller.stage.refundRecord(out_refund_no)).next_action === undefined)
    await keptRefund(teller, `${name}_and_paid_out`, out_refund_no)
  },
  refund_outside: async (teller, name) => {
    const { stage } = teller
    const order = await stage.ordered({ out_trade_no: name.toUpperCase() })
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    const { out_refund_no } = stage.simulator.control.createConsoleRefund({ ...order, refund: 400, status: 'SUCCESS' })
    await until('it was adopted', async () => await stage.store.refunds.find({ ...order, out_refund_no }))
    await stage.refundReaches(out_refund_no, 'succeeded')
    await keptRefund(teller, name, out_refund_no)
  },
}

export async function taken({ stage }: Teller, out_refund_no: string): Promise<void> {
  await until('WeChat has taken it', async () => (await stage.refundRecord(out_refund_no)).facts)
}

const approved: Record<string, Path> = {
  refund_approved: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    await teller.stage.refundReaches(refund.out_refund_no, 'awaiting_approval')
    await command(teller, refund, refund_updates.approve, { decision: 'approve' })
    await teller.stage.refundReaches(refund.out_refund_no, 'succeeded')
    await keptRefund(teller, name, refund.out_refund_no)
  },
  refund_rejected: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    await teller.stage.refundReaches(refund.out_refund_no, 'awaiting_approval')
    await command(teller, refund, refund_updates.approve, { decision: 'reject' })
    await keptRefund(teller, name, refund.out_refund_no)
  },
}

const simulator = { time_scale: 60 }
const fulfilment = { mode: 'event' as const }

/** Every way that a refund can go, and orders with one; as `chapters` of paths.ts. */
export const refund_chapters: Chapter[] = [
  { options: { time_scale: 30, simulator, settings: { fulfilment } }, paths: asked },
  {
    options: { time_scale: 30, simulator, settings: { fulfilment } },
    paths: held,
    before: async ({ stage }) => {
      const { mchid, config } = stage
      stage.simulator.control.holdRefunds({ mchid })
      await stage.simulator.control.register({ mchid, refund_notify_url: `${config.public_url}/wechat/notify/${mchid}` })
    },
  },
  {
    options: { time_scale: 30, simulator, settings: { fulfilment, refund_approval: { above: 100 } } },
    paths: approved,
  },
  {
    // Three days of an approval pass in three seconds.
    options: { time_scale: 86_400, simulator, settings: { fulfilment, refund_approval: { above: 100 } } },
    paths: {
      refund_approval_expired: async (teller, name) => {
        const { out_refund_no } = await refunding(teller, name, 500)
        await teller.stage.refundReaches(out_refund_no, 'rejected')
        await keptRefund(teller, name, out_refund_no)
      },
    },
  },
  {
    options: { time_scale: 30, simulator, settings: { fulfilment: { ...fulfilment, deadline_in: 3, on_overdue: 'refund' } } },
    paths: {
      overdue_stopped: async (teller, name) => {
        const order: OrderKey = { mchid: teller.stage.mchid, out_trade_no: name.toUpperCase() }
        teller.answers(order, { status: 202 })
        await teller.stage.ordered({ out_trade_no: order.out_trade_no })
        const first_run = await currentRun(teller, order)
        teller.stage.pay(order)
        teller.answers(order, { status: 202 }, { status: 204 })
        await teller.stage.reaches(order, 'refunded', 60_000)
        await kept(teller, name, order)
        await kept(teller, `${name}_first_run`, order, first_run)
      },
    },
  },
]
