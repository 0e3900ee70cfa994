import type { OrderKey } from '../../domain/ids.ts'
import { refund_updates } from '../../domain/messages.ts'
import { until } from '../stage/until.ts'
import { close, currentRun, kept, keyOf, misbehave, ordered } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'
import { command, keptRefund, refunding, taken } from './refundpaths.ts'

const handling = { type: 'MERCHANT_BANK_CARD', bank_type: null, bank_account: null, real_name: null, serial_no: '-' }
const card = { type: 'USER_BANK_CARD', bank_type: 'ICBC_DEBIT', bank_account: '6222020000000000', real_name: '张三' }

const ended = ({ stage }: Teller, out_refund_no: string, status: 'SUCCESS' | 'CLOSED' | 'ABNORMAL') =>
  void stage.simulator.control.finishRefund({ mchid: stage.mchid, out_refund_no, status })

/** An order whose money comes after its close, and the number of the refund that Weft owes for it. */
async function owed(teller: Teller, name: string): Promise<OrderKey & { out_refund_no: string }> {
  const order = await ordered(teller, name)
  await close(teller, order)
  teller.stage.pay(order, 'pay_after_close')
  return { ...order, out_refund_no: (await teller.stage.owedRefund(order)).out_refund_no }
}

/** Refunds that end only when WeChat is told so. */
const held: Record<string, Path> = {
  refund_redirected: async (teller, name) => {
    const { out_refund_no } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    ended(teller, out_refund_no, 'ABNORMAL')
    await teller.stage.refundReaches(out_refund_no, 'abnormal')
    const redirect = () => teller.stage.call('POST', `/v1/refunds/${out_refund_no}/abnormal`, card)
    const refusal = { operation: 'abnormal_refund', fault: 'error', status: 400, code: 'PARAM_ERROR', times: 1 } as const
    misbehave(teller, keyOf(teller, name), refusal)
    await redirect()
    await redirect()
    await teller.stage.refundReaches(out_refund_no, 'processing')
    ended(teller, out_refund_no, 'SUCCESS')
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    await keptRefund(teller, name, out_refund_no)
  },
  refund_not_redirected: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    await taken(teller, refund.out_refund_no)
    await command(teller, refund, refund_updates.handle_abnormal, handling)
    ended(teller, refund.out_refund_no, 'SUCCESS')
    await teller.stage.refundReaches(refund.out_refund_no, 'succeeded')
    await keptRefund(teller, name, refund.out_refund_no)
  },
  refund_checked: async (teller, name) => {
    const { out_refund_no, mchid } = await refunding(teller, name, 500)
    await taken(teller, out_refund_no)
    const check = () => teller.stage.call('POST', `/v1/refunds/${out_refund_no}/check`)
    await check()
    teller.stage.simulator.control.finishRefund({ mchid, out_refund_no, status: 'SUCCESS', notification: 'lose' })
    await until('a check finds the end', async () => {
      await check()
      return (await teller.stage.refundRecord(out_refund_no)).state === 'succeeded'
    })
    await keptRefund(teller, name, out_refund_no)
  },
  refund_paid_out_after_close: async (teller, name) => {
    const refund = await refunding(teller, name, 500)
    const { out_refund_no } = refund
    await taken(teller, out_refund_no)
    ended(teller, out_refund_no, 'CLOSED')
    await teller.stage.refundReaches(out_refund_no, 'closed')
    await keptRefund(teller, `${name}_first_run`, out_refund_no)
    await command(teller, refund, refund_updates.pay_out, { proof: 'bank transfer 2' })
    await keptRefund(teller, name, out_refund_no)
  },
  owed_refund_closed: async (teller, name) => {
    const { out_refund_no, ...order } = await owed(teller, name)
    await taken(teller, out_refund_no)
    ended(teller, out_refund_no, 'CLOSED')
    await until('it is told', async () => (await teller.stage.record(order)).attention?.code === 'refund_closed')
    await kept(teller, name, order)
  },
  outside_refund_of_paid: async (teller, name) => {
    const { stage } = teller
    teller.answers(keyOf(teller, name), { status: 202 })
    const order = await ordered(teller, name)
    const first_run = await currentRun(teller, order)
    stage.pay(order)
    await until('pending', async () => (await stage.record(order)).fulfilment.result === 'pending')
    const { out_refund_no } = stage.simulator.control.createConsoleRefund({ ...order, status: 'SUCCESS' })
    await stage.reaches(order, 'refunded')
    await keptRefund(teller, name, out_refund_no)
    await kept(teller, `${name}_order`, order, first_run)
  },
  outside_refund_of_unknown: async (teller, name) => {
    const { stage } = teller
    const order = await ordered(teller, name)
    stage.pay(order, 'lose_notification')
    const { out_refund_no } = stage.simulator.control.createConsoleRefund({ ...order, refund: 400, status: 'SUCCESS' })
    await stage.reaches(order, 'review')
    await keptRefund(teller, name, out_refund_no)
    await kept(teller, `${name}_order`, order)
  },
}

/** Refunds that WeChat refuses, and one that only its order's run tells of. */
const told: Record<string, Path> = {
  refund_told: async (teller, name) => {
    const { out_refund_no, ...order } = await refunding(teller, name, 500)
    await teller.stage.refundReaches(out_refund_no, 'succeeded')
    const isTold = async () => (await teller.stage.record(order)).timeline.at(-1)?.event === 'refund_changed'
    await until('the order has heard', isTold)
    await kept(teller, name, order)
  },
  owed_refund_refused: async (teller, name) => {
    const refusal = { operation: 'refund', fault: 'error', status: 403, code: 'RULE_LIMIT', times: 9 } as const
    misbehave(teller, keyOf(teller, name), refusal)
    const { out_refund_no, ...order } = await owed(teller, name)
    await teller.stage.refundReaches(out_refund_no, 'refused', 60_000)
    await until('it is told', async () => (await teller.stage.record(order)).attention?.code === 'refund_refused')
    await kept(teller, name, order)
    await command(teller, { ...order, out_refund_no }, refund_updates.pay_out, { proof: 'bank transfer 3' })
    await teller.stage.reaches(order, 'refunded')
    await keptRefund(teller, `${name}_and_paid_out`, out_refund_no)
  },
}

const simulator = { time_scale: 60 }
const settings = { fulfilment: { mode: 'event' as const } }

/** What people do to refunds, here and in WeChat Pay's console, and what orders hear of it. */
export const handling_chapters: Chapter[] = [
  { options: { time_scale: 30, simulator, settings }, paths: told },
  {
    options: { time_scale: 30, simulator, settings },
    paths: held,
    before: async ({ stage }) => {
      const { mchid, config } = stage
      stage.simulator.control.holdRefunds({ mchid })
      await stage.simulator.control.register({ mchid, refund_notify_url: `${config.public_url}/wechat/notify/${mchid}` })
    },
  },
]
