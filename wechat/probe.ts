import type { OrderKey } from '../domain/ids.ts'
import { closeOrder, queryOrder } from './payments.ts'
import type { Transport } from './transport.ts'

/** What a probe order has become; `unknown`: WeChat Pay has none of this number, so far. */
export type ProbeEnd = 'closed' | 'unknown' | 'open' | 'paid'

/** Closes a probe order and looks whether it is closed, since only a query shows that. Repeatable. Throws WeChatPayError. */
export async function closeProbe(transport: Transport, probe: OrderKey, signal?: AbortSignal): Promise<ProbeEnd> {
  await closeOrder(transport, probe, signal)
  const seen = await queryOrder(transport, probe, signal)
  if (seen.kind === 'not_found') return 'unknown'
  const { trade_state } = seen.transaction
  if (trade_state === 'CLOSED') return 'closed'
  return trade_state === 'SUCCESS' || trade_state === 'REFUND' ? 'paid' : 'open'
}
