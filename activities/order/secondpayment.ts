import { cancellationSignal } from '@temporalio/activity'
import type { OrderRecord } from '../../domain/order/record.ts'
import { queryTransaction } from '../../wechat/payments.ts'
import { archiveQueryAnswer } from '../evidence.ts'
import { callWeChat } from '../failure.ts'
import { requireAccount } from '../gateway.ts'
import type { GatewayContext } from '../gateway.ts'

/** An order has one second payment as a rule; each costs a question, and more are a person's matter. */
const most_asked = 5

/**
 * Asks WeChat about each second payment of an order by the payment's own id, since the order's number tells the first
 * alone. That one went back outside Weft is kept as evidence, which the sweeper hands to the order's run: a person is told
 * (activities/order/payment). What refunds that are known here explain is not asked about.
 */
export async function askSecondPayments(context: GatewayContext, order: OrderRecord): Promise<void> {
  const { mchid, timeline } = order
  const found = timeline.flatMap(({ event, transaction_id }) =>
    event === 'second_payment_found' && transaction_id ? [transaction_id] : [],
  )
  for (const transaction_id of found.slice(-most_asked)) {
    const payment = await context.store.payments.find(mchid, transaction_id)
    if (payment === null || payment.refunds.some(({ state }) => state !== 'released')) continue
    const { transport } = (await requireAccount(context, order)).client
    const answer = await callWeChat(context, 'query', () =>
      queryTransaction(transport, { mchid, transaction_id }, cancellationSignal()),
    )
    if (answer.kind === 'found' && answer.transaction.trade_state === 'REFUND')
      await archiveQueryAnswer(context, order, answer)
  }
}
