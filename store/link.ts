import type { DifferenceRecord } from '../domain/bill/difference.ts'
import { linkedNumbers } from '../domain/bill/view.ts'
import type { LinkedNumbers } from '../domain/bill/view.ts'
import { orderId, refundId } from '../domain/ids.ts'
import type { Store } from './store.ts'

/** What of these differences is recorded here, so that no link leads nowhere: two queries, however many there are. */
export async function linkDifferences(
  store: Pick<Store, 'orders' | 'refunds'>,
  differences: readonly DifferenceRecord[],
): Promise<(difference: DifferenceRecord) => LinkedNumbers> {
  const wanted = differences.map((difference) => ({ mchid: difference.mchid, ...linkedNumbers(difference) }))
  const [orders, refunds] = await Promise.all([
    store.orders.existingIds(
      wanted.flatMap(({ mchid, order }) => (order === null ? [] : [orderId({ mchid, out_trade_no: order })])),
    ),
    store.refunds.existingIds(
      wanted.flatMap(({ mchid, refunds: numbers }) =>
        numbers.map((out_refund_no) => refundId({ mchid, out_refund_no })),
      ),
    ),
  ])
  const known = new Set([...orders, ...refunds.map((id) => `refund ${id}`)])
  return (difference) => {
    const { mchid } = difference
    const { order, refunds: numbers } = linkedNumbers(difference)
    return {
      order: order !== null && known.has(orderId({ mchid, out_trade_no: order })) ? order : null,
      refund: numbers.find((out_refund_no) => known.has(`refund ${refundId({ mchid, out_refund_no })}`)) ?? null,
    }
  }
}
