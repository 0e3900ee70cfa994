import type { ShopOrder, ShopRefund } from './orders.ts'

/** Ended without the payer having the money: the next try needs another number. */
const failed_states: readonly string[] = ['closed', 'refused', 'rejected']

/** Weft goes on with it, or a person is asked there: the shop only waits. */
export function isUnderWay({ state }: ShopRefund): boolean {
  return state !== 'succeeded' && state !== 'returned_to_merchant' && !failed_states.includes(state)
}

/** Refunds of the sale itself. */
function saleRefunds({ refunds }: ShopOrder): ShopRefund[] {
  return refunds.filter(({ is_second }) => !is_second)
}

/** How far the sale's money has gone back; null: all or a part of it is the shop's. */
export function refundProgress(order: ShopOrder): 'giving_back' | 'given_back' | null {
  const own = saleRefunds(order)
  if (own.some(isUnderWay)) return 'giving_back'
  const back = own.filter(({ state }) => state === 'succeeded').reduce((sum, { amount }) => sum + amount, 0)
  return back >= order.total ? 'given_back' : null
}

/** Whether the shop may give the money back by itself: it has it, and none of it is on its way. */
export function isRefundable(order: ShopOrder): boolean {
  const has_money = order.state === 'paid' || order.state === 'fulfilled'
  const may_stop = order.decision === 'fulfilled' || order.decision === 'pending'
  return (
    has_money && may_stop && saleRefunds(order).every(({ state }) => state === 'new' || failed_states.includes(state))
  )
}

/**
 * The refund that the shop asks for now: the one whose answer never came, else one under the next number. Derived from
 * the order, so that two presses are one refund.
 */
export function nextRefund(order: ShopOrder): ShopRefund {
  const unanswered = order.refunds.find(({ state }) => state === 'new')
  const out_refund_no = `${order.out_trade_no}-R${order.refunds.length + 1}`
  return unanswered ?? { out_refund_no, amount: order.total, is_second: false, state: 'new' }
}

/** The order with this refund as it now is; one that is not known yet is added. */
export function orderWithRefund(order: ShopOrder, refund: ShopRefund): ShopOrder {
  const is_known = order.refunds.some(({ out_refund_no }) => out_refund_no === refund.out_refund_no)
  const replaced = order.refunds.map((one) => (one.out_refund_no === refund.out_refund_no ? refund : one))
  return { ...order, refunds: is_known ? replaced : [...order.refunds, refund] }
}

/** The order without a refund that Weft never took: its number was not used. */
export function orderWithoutRefund(order: ShopOrder, { out_refund_no }: ShopRefund): ShopOrder {
  return { ...order, refunds: order.refunds.filter((one) => one.out_refund_no !== out_refund_no) }
}
