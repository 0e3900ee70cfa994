import { z } from 'zod'
import type { WeChatRecordsSource } from '../proof/passage.ts'
import { refund_statuses, trade_states } from '../proof/wechat.ts'
import type { WeChatRecords } from '../proof/wechat.ts'

const number_fields = { out_trade_no: z.string() }

/** The part of the simulator's state that an audit compares with (docs/simulator.md). */
const simulator_state = z.object({
  orders: z.array(
    z.object({ ...number_fields, trade_state: z.enum(trade_states), amount: z.object({ total: z.number() }) }),
  ),
  payments: z.array(
    z.object({
      ...number_fields,
      transaction_id: z.string(),
      amount: z.object({ total: z.number() }),
      success_time: z.string(),
    }),
  ),
  refunds: z.array(
    z.object({
      ...number_fields,
      out_refund_no: z.string(),
      refund_id: z.string(),
      transaction_id: z.string(),
      status: z.enum(refund_statuses),
      user_received_account: z.string(),
      amount: z.object({ refund: z.number(), settlement_refund: z.number() }),
      create_time: z.string(),
      success_time: z.string().nullable(),
    }),
  ),
})
type SimulatorRecords = z.output<typeof simulator_state>

/** TruthUnavailable: the simulator's state could not be read; `message` says from where and why. */
export class TruthUnavailable extends Error {
  override readonly name = 'TruthUnavailable'
}

const fetch_limit_ms = 30_000

/** Reads what the simulator at `url` knows, which stands for WeChat Pay's side. Throws TruthUnavailable. */
export function simulatorTruth(url: string): WeChatRecordsSource {
  const base = url.replace(/\/+$/, '')
  const read = async (query: Record<string, string>): Promise<SimulatorRecords> => {
    const address = `${base}/control/book?${new URLSearchParams(query).toString()}`
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(fetch_limit_ms) })
      if (!answer.ok) throw new Error(`answered ${answer.status}`)
      return simulator_state.parse(await answer.json())
    } catch (error) {
      const { message, cause } = error as Error
      const reason = cause instanceof Error ? cause.message : message
      throw new TruthUnavailable(`the simulator’s book cannot be read at ${address}: ${reason}`, { cause: error })
    }
  }
  return {
    ofMerchant: async (mchid) => truthsByNumber(await read({ mchid })),
    ofNumber: async (mchid, out_trade_no) => {
      const truths = truthsByNumber(await read({ mchid, out_trade_no }))
      return truths.get(out_trade_no) ?? { order: null, payments: [], refunds: [] }
    },
  }
}

function truthsByNumber({ orders, payments, refunds }: SimulatorRecords): Map<string, WeChatRecords> {
  const truths = new Map<string, WeChatRecords>()
  const of = (out_trade_no: string): WeChatRecords => {
    const known = truths.get(out_trade_no) ?? { order: null, payments: [], refunds: [] }
    truths.set(out_trade_no, known)
    return known
  }
  for (const order of orders) of(order.out_trade_no).order = order
  for (const payment of payments) of(payment.out_trade_no).payments.push(payment)
  for (const refund of refunds) of(refund.out_trade_no).refunds.push(refund)
  return truths
}
