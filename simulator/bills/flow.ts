import { beijingDay } from '../../domain/calendar.ts'
import { settlementTotal } from '../coupons.ts'
import type { FlowAccount } from '../../domain/merchant/bill.ts'
import type { GeneratedBefore, Payment } from '../records.ts'
import { closedTimes, returnTimes } from '../refund.ts'
import type { Refund } from '../refund.ts'
import type { SimulatorState } from '../state.ts'
import type { Transfer } from '../transfer.ts'
import { yuan } from './form.ts'
import { paymentFee, returnedFee } from './fee.ts'
import { signedAmount } from './row.ts'
import type { FlowDetail } from './row.ts'
import { closedRefunds } from './trade.ts'
import type { BillScope } from './trade.ts'

type Movement = Omit<FlowDetail, 'balance'> & { account: FlowAccount }

/** What the movements of an account follow from. */
export interface FlowTerms {
  account: FlowAccount
  /** fen that it has before the merchant's first movement */
  opening: number
  /** on lines of their own, or taken from each payment, whose remark alone names it */
  fees: 'own_lines' | 'in_remark'
  /** of the basic account */
  after?: GeneratedBefore | undefined
}

/**
 * The movements of one of a merchant's accounts on a day, in the order in which they happened. 账户结余 goes on from day to
 * day, generated ones with them.
 */
export function flowDetails(state: SimulatorState, scope: BillScope, terms: FlowTerms): FlowDetail[] {
  let balance = terms.opening + (terms.after?.moved ?? 0)
  return movementsUntil(state, scope, terms)
    .map(({ account: _account, ...movement }) => {
      balance += signedAmount(movement)
      return { ...movement, balance }
    })
    .filter(({ time }) => beijingDay(time) === scope.bill_date)
}

/** 账户结余 with which a day begins. */
export function balanceBefore(state: SimulatorState, scope: BillScope, terms: FlowTerms): number {
  return movementsUntil(state, scope, terms)
    .filter(({ time }) => beijingDay(time) < scope.bill_date)
    .reduce((sum, movement) => sum + signedAmount(movement), terms.opening + (terms.after?.moved ?? 0))
}

/** What has moved an account by the moment of the picture, but for what generated days stand in the place of. */
function movementsUntil(state: SimulatorState, scope: BillScope, { account, fees, after }: FlowTerms): Movement[] {
  const payments = [...state.payments.values()].filter(({ mchid }) => mchid === scope.mchid)
  const transfers = [...state.transfers.values()].filter(({ mchid }) => mchid === scope.mchid)
  const isReplaced = ({ time }: Movement): boolean => after?.days.includes(beijingDay(time)) ?? false
  return [
    ...payments.flatMap((payment) => movementsOf(payment, state.refundsOfPayment(payment), scope)),
    ...transfers.flatMap(legsOf),
  ]
    .filter((movement) => movement.account === account)
    .flatMap((movement) => (fees === 'in_remark' ? netMovement(movement, scope.bill_date) : [movement]))
    .filter((movement) => movement.time <= scope.as_of && movement.amount > 0 && !isReplaced(movement))
    .sort((one, other) => one.time - other.time || compare(one.business_no, other.business_no))
}

/** A payment comes in and its fee goes out; a refund goes out and its part of the fee comes in, until it is closed. */
function movementsOf(payment: Payment, refunds: readonly Refund[], scope: BillScope): Movement[] {
  const { transaction_id, out_trade_no, mchid, success_time, fee_account } = payment
  const fee = paymentFee(payment)
  const settled = settlementTotal(payment)
  const paid = {
    account: 'BASIC' as const,
    time: success_time,
    business_no: transaction_id,
    flow_no: transaction_id,
    name: '交易',
    applicant: 'system',
    voucher_no: out_trade_no,
    out_trade_no,
  }
  const remark = `结算总金额 ${yuan(settled)} 元;含手续费 ${yuan(fee)} 元`
  return [
    { ...paid, type: '交易', direction: '收入', amount: settled, remark },
    { ...paid, account: fee_account, type: '扣除交易手续费', direction: '支出', amount: fee, remark: '' },
    ...refunds.flatMap((refund): Movement[] => {
      const amount = refund.amount.settlement_refund
      const returned = returnedFee(payment, refunds, refund, closedRefunds(scope.closed_fee))
      const back = {
        account: 'BASIC' as const,
        time: refund.create_time,
        business_no: refund.refund_id,
        flow_no: transaction_id,
        name: '退款',
        applicant: refund.source === 'console' ? 'system' : `${mchid}API`,
        voucher_no: refund.out_refund_no,
        out_trade_no,
      }
      const text = `退款总金额${yuan(amount)}元;含手续费${yuan(returned)}元`
      const again = scope.closed_fee === 'charged_again' ? returned : 0
      return [
        { ...back, type: '退款', direction: '支出', amount, remark: text },
        { ...back, account: fee_account, type: '退还交易手续费', direction: '收入', amount: returned, remark: '' },
        ...closedTimes(refund).flatMap((time): Movement[] => [
          { ...back, time, type: '退款关闭', direction: '收入', amount, remark: text },
          { ...back, account: fee_account, time, type: '扣除交易手续费', direction: '支出', amount: again, remark: '' },
        ]),
        ...returnTimes(refund).map((time): Movement => ({
          ...back,
          time,
          type: '退款退回',
          direction: '收入',
          amount,
          remark: text,
        })),
      ]
    }),
  ]
}

/** What leaves one account and what arrives in another, under one number; a bank has no line. */
function legsOf({ transfer_id, from, to, amount, out_word, in_word, time }: Transfer): Movement[] {
  const leg = {
    ...{ time, business_no: transfer_id, flow_no: transfer_id, name: '充值/提现', amount },
    ...{ applicant: 'finance', remark: '', voucher_no: '', out_trade_no: '' },
  }
  return [
    ...(from === 'BANK' ? [] : [{ ...leg, account: from, type: out_word, direction: '支出' as const }]),
    ...(to === 'BANK' ? [] : [{ ...leg, account: to, type: in_word, direction: '收入' as const }]),
  ]
}

/** A payment of this day less the fee that its remark names; its fee has no line. */
function netMovement(movement: Movement, bill_date: string): Movement[] {
  if (movement.name !== '交易' || beijingDay(movement.time) !== bill_date) return [movement]
  if (movement.type === '扣除交易手续费') return []
  const fee = /手续费 (\d+)\.(\d{2}) 元$/.exec(movement.remark)
  return [{ ...movement, amount: movement.amount - Number(`${fee?.[1] ?? ''}${fee?.[2] ?? ''}`) }]
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
