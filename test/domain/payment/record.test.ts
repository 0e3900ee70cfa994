import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acceptableAmount,
  hasElementEdge,
  hasRoomFor,
  incomeOfMove,
  isWhollyRefunded,
  limitRefusal,
  movedElement,
  needsSecondPerson,
  payment_roles,
  refundableAmount,
  refundedAmounts,
  reservationOf,
  withElement,
} from '../../../domain/payment/record.ts'
import type { Income, PaymentRecord, RefundElement } from '../../../domain/payment/record.ts'
import { at, noon, paymentSample } from '../../store/samples.ts'

type ElementState = RefundElement['state']

const element_states: ElementState[] = ['reserved', 'accepted', 'succeeded', 'settled', 'closed', 'released']
const day_ms = 24 * 60 * 60 * 1000
const denial = { time: at(1), by: 'ann', reason: 'no such payment', evidence_id: 'e' }

/** Refunds R1, R2, … of so many fen each, in these states. */
function refunds(...given: [state: ElementState, amount: number, approval?: RefundElement['approval']][]) {
  return given.map(([state, amount, approval], place) => ({
    out_refund_no: `R${place + 1}`,
    amount,
    state,
    ...(approval && { approval }),
  }))
}
const paid = (...given: Parameters<typeof refunds>) => paymentSample('t1', { refunds: refunds(...given) })
/** Each state, of a refund of 300 fen of 990. */
const byState = <T>(value: (payment: PaymentRecord) => T) =>
  Object.fromEntries(element_states.map((state) => [state, value(paid([state, 300]))]))

describe('what can go back of a payment', () => {
  it('is what no refund holds, which closed and released ones do not', () => {
    const held = { reserved: 690, accepted: 690, succeeded: 690, settled: 690 }
    expect(byState(refundableAmount)).toEqual({ ...held, closed: 990, released: 990 })
    expect(refundableAmount(paid(['succeeded', 990], ['accepted', 10]))).toBe(0)
    expect(refundableAmount({ ...paid(), denial })).toBe(0)
  })

  it('and could be accepted by a person is what no refund has taken from suspense: a reserved one has not yet', () => {
    const taken = { accepted: 690, succeeded: 690, settled: 690 }
    expect(byState(acceptableAmount)).toEqual({ ...taken, reserved: 990, closed: 990, released: 990 })
    expect(acceptableAmount(paid(['succeeded', 990], ['settled', 10]))).toBe(0)
  })

  it('has gone, or is on its way', () => {
    const [gone, pending, neither] = [
      { refunded: 300, refund_pending: 0 },
      { refunded: 0, refund_pending: 300 },
      { refunded: 0, refund_pending: 0 },
    ]
    const [reserved, accepted, succeeded, settled, closed, released] = [pending, pending, gone, gone, neither, neither]
    expect(byState(refundedAmounts)).toEqual({ reserved, accepted, succeeded, settled, closed, released })
    expect(refundedAmounts(null)).toEqual(neither)
  })

  it('is all, once the payer has every fen back, or never gave one', () => {
    expect(isWhollyRefunded(paid(['succeeded', 500], ['settled', 490]))).toBe(true)
    expect(isWhollyRefunded(paid(['succeeded', 500], ['settled', 489]))).toBe(false)
    expect(isWhollyRefunded(paid(['succeeded', 500], ['accepted', 490]))).toBe(false)
    expect(isWhollyRefunded({ ...paid(), denial })).toBe(true)
  })

  it('by hand has room where the refund holds it already, or nobody does', () => {
    expect(byState((payment) => hasRoomFor(payment, 'R1', 991))).toEqual({
      ...{ reserved: true, accepted: true, succeeded: true, settled: true },
      ...{ closed: false, released: false },
    })
    expect([690, 691].map((fen) => hasRoomFor(paid(['accepted', 300]), 'R2', fen))).toEqual([true, false])
  })
})

describe('the reservation of a refund', () => {
  const wanted = (amount: number | 'rest') => ({ out_refund_no: 'NEW', amount })
  const reserve = (payment: PaymentRecord, amount: number | 'rest' = 1, now_ms = noon) =>
    reservationOf(payment, wanted(amount), now_ms)

  it.each([
    [1, 1],
    [690, 690],
    ['rest', 690],
  ] as const)('of %s of 690 that are left holds %i', (amount, held) => {
    expect(reserve(paid(['accepted', 300]), amount)).toEqual({
      element: { out_refund_no: 'NEW', amount: held, state: 'reserved' },
    })
  })

  it.each([691, 0, -1])('of %i of 690 that are left is refused', (amount) => {
    expect(reserve(paid(['accepted', 300]), amount)).toEqual({ refusal: 'refund_exceeds_payment' })
  })

  it('of the rest is refused where there is none', () => {
    expect(reserve(paid(['accepted', 990]), 'rest')).toEqual({ refusal: 'refund_exceeds_payment' })
    expect(reserve({ ...paid(), denial }, 'rest')).toEqual({ refusal: 'refund_exceeds_payment' })
  })

  it('never lets more go back than came in, whatever was reserved before', () => {
    const element = fc.tuple(fc.constantFrom(...element_states), fc.integer({ min: 1, max: 990 }))
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 4 }),
        fc.oneof(fc.constant('rest' as const), fc.integer({ min: -1, max: 1_000 })),
        (before, amount) => {
          const payment = paid(...before)
          const answer = reserve(payment, amount)
          if ('refusal' in answer) return
          expect(answer.element.amount).toBeGreaterThan(0)
          expect(answer.element.amount).toBeLessThanOrEqual(refundableAmount(payment))
        },
      ),
    )
  })

  it('is refused behind WeChat’s fifty, of which closed ones are and released ones are not', () => {
    const of = (count: number, state: ElementState) => paid(...Array<[ElementState, number]>(count).fill([state, 1]))
    expect(reserve(of(49, 'succeeded'))).toHaveProperty('element')
    for (const state of ['reserved', 'accepted', 'succeeded', 'settled', 'closed'] as const) {
      expect(reserve(of(50, state))).toEqual({ refusal: 'refund_limit_reached' })
      expect(limitRefusal(of(50, state), noon)).toBe('refund_limit_reached')
    }
    expect(reserve(of(60, 'released'))).toHaveProperty('element')
  })

  it('is refused behind WeChat’s year, which ends 365 days after the payment', () => {
    const year_end = noon + 365 * day_ms
    const payment = paymentSample('t1', { success_time: at(0) })
    expect(reserve(payment, 1, year_end)).toHaveProperty('element')
    expect(limitRefusal(payment, year_end)).toBeNull()
    expect(reserve(payment, 1, year_end + 1)).toEqual({ refusal: 'refund_window_closed' })
    expect(limitRefusal(payment, year_end + 1)).toBe('refund_window_closed')
  })

  it('needs a second person where all that one person’s word let go comes to more than the limit', () => {
    const approvalOf = (payment: PaymentRecord, amount: number, approval: 'exempt' | { above: number } | null) => {
      const answer = reservationOf(payment, { ...wanted(amount), approval }, noon)
      return 'element' in answer ? answer.element.approval : answer.refusal
    }
    const above = { above: 400 }
    expect([400, 401].map((amount) => approvalOf(paid(), amount, above))).toEqual([undefined, 'needed'])
    for (const state of ['reserved', 'accepted', 'succeeded', 'settled'] as const)
      expect([100, 101].map((fen) => approvalOf(paid([state, 300]), fen, above))).toEqual([undefined, 'needed'])
    for (const state of ['closed', 'released'] as const)
      expect(approvalOf(paid([state, 300]), 400, above)).toBeUndefined()
    for (const approval of ['needed', 'exempt'] as const)
      expect(approvalOf(paid(['succeeded', 300, approval]), 400, above)).toBeUndefined()
    expect(approvalOf(paid(), 990, 'exempt')).toBe('exempt')
    expect(approvalOf(paid(), 990, null)).toBeUndefined()
  })

  it('to another account needs a second person by all that went back, whoever had asked for it', () => {
    const isAsked = (payment: PaymentRecord, above: number) => needsSecondPerson(payment, 'another', { above })
    expect(byState((payment) => isAsked(payment, 299))).toEqual({
      ...{ reserved: true, accepted: true, succeeded: true, settled: true },
      ...{ closed: false, released: false },
    })
    expect(isAsked(paid(['accepted', 300, 'exempt']), 299)).toBe(true)
    expect(isAsked(paid(['accepted', 300]), 300)).toBe(false)
    expect(needsSecondPerson(paid(['accepted', 300]), 'another', null)).toBe(false)
  })
})

describe('a refund as its payment counts it', () => {
  it('goes these ways and no other', () => {
    const ways: Record<ElementState, ElementState[]> = {
      reserved: ['accepted', 'succeeded', 'closed', 'released'],
      accepted: ['succeeded', 'settled', 'closed'],
      succeeded: ['accepted', 'closed'],
      settled: [],
      closed: ['settled'],
      released: ['accepted', 'succeeded', 'settled'],
    }
    for (const from of element_states)
      expect([from, ...element_states.filter((to) => hasElementEdge(from, to))]).toEqual([from, ...ways[from]])
  })

  it('stands in its own place, and a new one behind the others', () => {
    const [one, two] = refunds(['reserved', 1], ['reserved', 2])
    if (!one || !two) throw new Error('two')
    const moved = { ...one, state: 'accepted' as const }
    expect(withElement([one, two], moved)).toEqual([moved, two])
    expect(withElement([one], two)).toEqual([one, two])
  })
})

/** Money stands in sales where we asked for it or a person took it, else in suspense. */
const standing = payment_roles.flatMap((role): [what: string, payment: PaymentRecord, income: Income][] => [
  [role, paymentSample('t1', { role }), role === 'order' ? 'sales' : 'suspense'],
  [`${role}, accepted`, paymentSample('t1', { role, acceptance: { time: at(2), amount: 990 } }), 'sales'],
])

describe('the account that a refund’s money leaves', () => {
  const element = { out_refund_no: 'R1', amount: 300 }

  it.each(standing)('is where it stands when that is decided: %s', (_what, payment, income) => {
    const moved = (from: ElementState, to: ElementState) => movedElement(payment, { ...element, state: from }, to)
    expect(moved('reserved', 'accepted').incomes).toEqual({ accepted: income })
    expect(moved('reserved', 'succeeded').incomes).toEqual({ accepted: income })
    expect(moved('reserved', 'closed').incomes).toEqual({ accepted: income, closed: income })
    expect(moved('closed', 'settled').incomes).toEqual({ settled: income })
    expect(moved('released', 'settled').incomes).toEqual({ settled: income })
    expect(moved('accepted', 'settled').incomes, 'it left with the acceptance').toBeUndefined()
    expect(moved('reserved', 'released')).toEqual({ ...element, state: 'released' })
  })

  it('stays what it was once decided, and comes back to where the payment’s money stands by then', () => {
    const accepted = paymentSample('t1', { role: 'late', acceptance: { time: at(2), amount: 990 } })
    const before = { ...element, state: 'accepted' as const, incomes: { accepted: 'suspense' as const } }
    expect(movedElement(accepted, before, 'succeeded').incomes).toEqual({ accepted: 'suspense' })
    const closed = movedElement(accepted, before, 'closed')
    expect(closed).toEqual({ ...before, state: 'closed', incomes: { accepted: 'suspense', closed: 'sales' } })
    const settled = movedElement(accepted, closed, 'settled')
    expect(settled.incomes).toEqual({ accepted: 'suspense', closed: 'sales', settled: 'sales' })
    const payment = { ...accepted, refunds: [settled] }
    const of = (move: Parameters<typeof incomeOfMove>[2], number = 'R1') => incomeOfMove(payment, number, move)
    expect([of('accepted'), of('closed'), of('settled')]).toEqual(['suspense', 'sales', 'sales'])
    expect([of(undefined), of('accepted', 'R2')], 'where nothing was decided').toEqual(['sales', 'sales'])
  })

  it('is where the money stands, of a refund from before this was written down', () => {
    const old = { ...element, state: 'succeeded' as const }
    expect(incomeOfMove(paymentSample('t1', { role: 'second', refunds: [old] }), 'R1', 'accepted')).toBe('suspense')
    expect(incomeOfMove(paymentSample('t1', { refunds: [old] }), 'R1', 'accepted')).toBe('sales')
  })
})
