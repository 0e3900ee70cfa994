import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RefundView } from '../../../domain/event/view.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { bookedOf, expectAskedAlike, expectBook, expectHeard, expectProven, refundCallsOf } from '../../stage/money.ts'
import { textOfHistory } from '../../stage/payloads.ts'
import { Stage } from '../../stage/stage.ts'
import type { Answered } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

/** Waits are 60 times shorter, and a call that WeChat leaves without an answer is cut after a while. */
const times = { time_scale: 60, simulator: { time_scale: 60, hold_ms: 400, refund_card_delay_ms: 5_000 } }
const untouched = { sales: -990, 'wechat.pending': 990 }
const given_back = { 'wechat.pending': 990, 'wechat.refund_transit': -990 }

describe('how a refund ends:', () => {
  /** The journeys of one stage run beside each other: what goes wrong is about one order, or one refund. */
  let stage: Stage

  type Paid = OrderKey & { transaction_id: string }

  /** A refund of all that was paid, as the merchant asks for it. */
  async function refundAll({ out_trade_no }: OrderKey, given: object = {}): Promise<string> {
    return await stage.refunding({ out_trade_no, amount: { refund: 990 }, ...given })
  }

  /** What goes wrong with the calls about one order's refunds. */
  function fault({ out_trade_no }: OrderKey, given: Omit<Parameters<typeof add>[0], 'out_trade_no'>): void {
    add({ out_trade_no, ...given })
  }
  const add = (given: Parameters<Stage['simulator']['control']['addFault']>[0]) =>
    stage.simulator.control.addFault(given)

  const amounts = async ({ out_trade_no }: OrderKey) => {
    const { body } = await stage.call<{ amount: object }>('GET', `/v1/orders/${out_trade_no}`)
    return body.amount
  }

  const post = <T = RefundView>(out_refund_no: string, what: string, body?: object): Promise<Answered<T>> =>
    stage.insist<T>('POST', `/v1/refunds/${out_refund_no}/${what}`, body)

  /** It ended well: once at WeChat, told once, booked, and the order is what it was. */
  async function expectGivenBack(order: Paid, out_refund_no: string, sent: number): Promise<void> {
    await stage.refundReaches(out_refund_no, 'succeeded')
    await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.succeeded')
    await expectAskedAlike(stage, out_refund_no, sent)
    expect((await stage.record(order)).state).toBe('fulfilled')
    expect(await amounts(order)).toMatchObject({ total: 990, refunded: 990, refund_pending: 0 })
    expect(await bookedOf(stage, order)).toEqual(['payment', 'refund_accepted', 'refund_succeeded'])
    await expectBook(stage, order, given_back)
    await expectProven(stage, order)
  }

  describe('a refund of a fulfilled order', () => {
    beforeAll(async () => {
      stage = await Stage.open(times)
    })
    afterAll(async () => await stage.close())

    describe.concurrent('whose request', () => {
      const callsAbout = (number: string) =>
        stage.wechat.calls.filter((call) => call.out_refund_no === number).map(({ operation }) => operation)

      it('was taken and never answered on either way is found by a query, and is one refund', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'timeout_after', times: 2 })
        const out_refund_no = stage.refundNumber()
        add({ operation: 'notify', fault: 'lose', times: 1, out_refund_no })
        const number = await refundAll(order, { out_refund_no })
        await expectGivenBack(order, number, 2)
        expect(callsAbout(number).slice(0, 3)).toEqual(['refund', 'refund', 'query_refund'])
      })

      it('was neither taken nor answered is sent again after a query, with the same bytes', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'timeout_before', times: 2 })
        const number = await refundAll(order)
        await expectGivenBack(order, number, 3)
        expect(callsAbout(number).slice(0, 4)).toEqual(['refund', 'refund', 'query_refund', 'refund'])
      })

      it('was taken while the query still says that there is none is sent again, and is one refund', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'timeout_after', times: 2 })
        const out_refund_no = stage.refundNumber()
        add({ operation: 'query_refund', fault: 'lagging', times: 1, out_refund_no })
        add({ operation: 'notify', fault: 'lose', times: 1, out_refund_no })
        const number = await refundAll(order, { out_refund_no })
        await expectGivenBack(order, number, 3)
        expect(refundCallsOf(stage, number, 'query_refund')[0]).toMatchObject({ code: 'RESOURCE_NOT_EXISTS' })
      })

      it('is answered only after the notification of its end ends all the same', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'slow', delay_ms: 2_000, times: 1 })
        const number = await refundAll(order)
        await expectGivenBack(order, number, 1)
      })

      it.each(['429', '500', 'SYSTEM_ERROR', 'FREQUENCY_LIMITED'])(
        'is answered %s goes on under its number until it is taken',
        async (answer) => {
          const order = await stage.fulfilled()
          fault(order, { operation: 'refund', fault: answer, times: 2 })
          const number = await refundAll(order)
          await expectGivenBack(order, number, 3)
        },
      )

      it('is refused although it was taken is believed by the query, and not by the refusal', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'USER_ACCOUNT_ABNORMAL', acted: true, times: 1 })
        const number = await refundAll(order)
        await expectGivenBack(order, number, 1)
      })
    })

    describe.concurrent('that WeChat refuses', () => {
      /** Refused by code, and by a query that does not know it. */
      async function refused(): Promise<{ order: Paid; number: string }> {
        const order = await stage.fulfilled()
        fault(order, { operation: 'refund', fault: 'TRADE_OVERDUE', times: 1 })
        const number = await refundAll(order)
        await stage.refundReaches(number, 'refused')
        return { order, number }
      }

      it('is told so once a query does not know it, and its money can be given back again', async () => {
        const { order, number } = await refused()
        const { failure, attention } = await stage.refundRecord(number)
        expect(failure?.code).toBe('TRADE_OVERDUE')
        expect(attention).toBeUndefined()
        expect(refundCallsOf(stage, number, 'query_refund').at(-1)).toMatchObject({ code: 'RESOURCE_NOT_EXISTS' })
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.refused')
        expect(await amounts(order)).toMatchObject({ refunded: 0, refund_pending: 0 })
        await expectBook(stage, order, untouched)
        const again = await refundAll(order)
        await stage.refundReaches(again, 'succeeded')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.refused', 'refund.succeeded')
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })

      it('is paid out by hand, once, and leaves nothing to refund', async () => {
        const { order, number } = await refused()
        const paid_out = await post(number, 'payout', { proof: 'transfer 8812', reason: 'card closed' })
        expect([paid_out.status, paid_out.body.state]).toEqual([200, 'refused'])
        expect(paid_out.body.payout).toMatchObject({ proof: 'transfer 8812', reason: 'card closed' })
        const repeated = await post(number, 'payout', { proof: 'transfer 8812', reason: 'card closed' })
        const other = await post(number, 'payout', { proof: 'transfer 8813', reason: 'again' })
        expect([repeated.status, other.status]).toEqual([200, 409])
        expect(await amounts(order)).toMatchObject({ refunded: 990, refund_pending: 0 })
        await expectBook(stage, order, { 'merchant.bank': -990, 'wechat.pending': 990 })
        const beyond = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 1 } })
        expect([beyond.status, beyond.body]).toMatchObject([409, { code: 'refund_exceeds_payment' }])
        await expectProven(stage, order)
      })

      it('cannot be paid out by hand when its money has gone back another way', async () => {
        const { order, number } = await refused()
        await stage.refundReaches(await refundAll(order), 'succeeded')
        const late = await post(number, 'payout', { proof: 'transfer 8814', reason: 'too late' })
        expect([late.status, late.body]).toMatchObject([409, { code: 'refund_exceeds_payment' }])
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })
    })

    describe.concurrent('that the payer’s account does not take', () => {
      /** WeChat has tried, and asks for another account. */
      async function abnormal(): Promise<{ order: Paid; number: string }> {
        const order = await stage.fulfilled()
        fault(order, { operation: 'end_refund', fault: 'ABNORMAL', times: 1 })
        const number = await refundAll(order)
        await stage.refundReaches(number, 'abnormal')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.abnormal')
        return { order, number }
      }

      it('wants a person, keeps the money owed, and succeeds when WeChat says so after all', async () => {
        const { order, number } = await abnormal()
        await until('WeChat is asked on', async () => {
          const { attention, next_action } = await stage.refundRecord(number)
          return attention?.code === 'refund_abnormal' && next_action?.what === 'ask_wechat'
        })
        await expectBook(stage, order, { 'refund.payable': -990, 'wechat.pending': 990 })
        stage.simulator.control.finishRefund({ mchid: stage.mchid, out_refund_no: number, status: 'SUCCESS' })
        await stage.refundReaches(number, 'succeeded')
        expect((await stage.refundRecord(number)).attention).toBeUndefined()
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.abnormal', 'refund.succeeded')
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })

      it('goes to another bank card that the merchant names, whose number is kept nowhere', async () => {
        const { order, number } = await abnormal()
        const card = { bank_type: 'ICBC_DEBIT', bank_account: '6222021234567890123', real_name: '张三' }
        const { status } = await post(number, 'abnormal', { type: 'USER_BANK_CARD', ...card })
        expect(status).toBe(200)
        const refund = await stage.refundReaches(number, 'succeeded')
        expect(refund.facts?.user_received_account).toBe('工商银行借记卡0123')
        expect(refund.timeline.map(({ event }) => event)).toEqual([
          'reserved',
          'accepted',
          'abnormal',
          'resumed',
          'succeeded',
        ])
        const history = textOfHistory(await stage.refundRun(number).fetchHistory())
        const signs = [card.bank_account, card.real_name]
        expect(signs.filter((sign) => JSON.stringify(refund).includes(sign) || history.includes(sign))).toEqual([])
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.abnormal', 'refund.succeeded')
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })

      it('can be sent to the merchant, who then pays the payer by hand', async () => {
        const { order, number } = await abnormal()
        expect((await post(number, 'abnormal', { type: 'MERCHANT_BANK_CARD' })).status).toBe(200)
        await stage.refundReaches(number, 'returned_to_merchant')
        expect((await post(number, 'payout', { proof: 'transfer 9', reason: 'card closed' })).status).toBe(200)
        const { payout } = await stage.refundReaches(number, 'returned_to_merchant')
        expect(payout).toMatchObject({ proof: 'transfer 9', reason: 'card closed' })
        const text = textOfHistory(await stage.refundRun(number).fetchHistory())
        expect(text).toContain('payout:')
        expect(text).not.toMatch(/transfer 9|card closed/)
        const heard = ['order.paid', 'order.fulfilled', 'refund.abnormal', 'refund.returned_to_merchant']
        await expectHeard(stage, order, ...heard)
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })
    })

    describe.concurrent('that ends with the merchant', () => {
      it('because WeChat closed it is not owed any more, and may be made again', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'end_refund', fault: 'CLOSED', times: 1 })
        const closed = await stage.refundReaches(await refundAll(order), 'closed')
        expect([closed.close_reason, closed.attention]).toEqual(['closed_by_wechat', undefined])
        // What the refund held is given back, and booked, right after the refund says that it is closed.
        await expectBook(stage, order, untouched)
        expect(await amounts(order)).toMatchObject({ refunded: 0, refund_pending: 0 })
        await stage.refundReaches(await refundAll(order), 'succeeded')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.closed', 'refund.succeeded')
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })

      it('because WeChat paid it to the merchant’s own account is owed until it is paid out', async () => {
        const order = await stage.fulfilled()
        fault(order, { operation: 'end_refund', fault: 'RETURNED', times: 1 })
        const number = await refundAll(order)
        const returned = await stage.refundReaches(number, 'returned_to_merchant')
        expect(returned.attention?.code).toBe('returned_to_merchant')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.returned_to_merchant')
        const owed = {
          'merchant.bank': 990,
          'refund.payable': -990,
          'wechat.pending': 990,
          'wechat.refund_transit': -990,
        }
        await expectBook(stage, order, owed)
        expect(await amounts(order)).toMatchObject({ refunded: 0, refund_pending: 990 })
        const { body } = await post(number, 'payout', { proof: 'transfer 7', reason: 'WeChat paid us' })
        expect([body.state, body.attention]).toEqual(['returned_to_merchant', null])
        await expectBook(stage, order, given_back)
        await until('the order says so', async () => {
          const { refunded } = (await amounts(order)) as { refunded: number }
          return refunded === 990
        })
        await expectProven(stage, order)
      })
    })

    it.concurrent(
      'of a payment with the merchant’s coupon books what leaves the account and what the coupon was',
      async () => {
        const order = await stage.ordered({ amount: { total: 1000 } })
        stage.pay(order, 'pay', { coupon: { nocash_amount: 300 } })
        await stage.reaches(order, 'fulfilled')
        const { out_trade_no } = order
        const first = await stage.refunding({ out_trade_no, amount: { refund: 400 } })
        const part = await stage.refundReaches(first, 'succeeded')
        expect(part.facts?.settlement_refund).toBe(280)
        await expectBook(stage, order, {
          'discount.nocash': 180,
          sales: -600,
          'wechat.pending': 700,
          'wechat.refund_transit': -280,
        })
        const rest = await stage.refunding({ out_trade_no, amount: { refund: 600 } })
        await stage.refundReaches(rest, 'succeeded')
        await expectBook(stage, order, { 'wechat.pending': 700, 'wechat.refund_transit': -700 })
        await expectProven(stage, order)
      },
    )
  })

  describe('a refund for which the merchant’s account', () => {
    beforeAll(async () => {
      stage = await Stage.open(times)
    })
    afterAll(async () => await stage.close())

    it('is too empty waits under its number, with attention, until there is money', async () => {
      const order = await stage.fulfilled()
      stage.simulator.control.setBalance({ mchid: stage.mchid, balance: 989 })
      const number = await refundAll(order)
      const short = await until('a person is told', async () => {
        const refund = await stage.refundRecord(number)
        return refund.attention?.code === 'not_enough' && refund
      })
      expect([short.state, short.next_action?.what, short.facts]).toEqual(['processing', 'submit', null])
      expect(await amounts(order)).toMatchObject({ refunded: 0, refund_pending: 990 })
      await expectBook(stage, order, untouched)
      stage.simulator.control.setBalance({ mchid: stage.mchid, balance: 990 })
      await stage.refundReaches(number, 'succeeded')
      // Asked again every ten seconds, here: on a busy machine more than once before there was money.
      const [taken, ...refused] = refundCallsOf(stage, number, 'refund').toReversed()
      expect(refused.length).toBeGreaterThan(0)
      expect([taken?.status, ...new Set(refused.map(({ code }) => code))]).toEqual([200, 'NOT_ENOUGH'])
      await expectGivenBack(order, number, refused.length + 1)
      expect((await stage.refundRecord(number)).attention).toBeUndefined()
      expect(stage.wechat.balance).toBe(0)
    })
  })

  describe('a refund whose notification', () => {
    beforeAll(async () => {
      stage = await Stage.open(times)
      stage.simulator.control.holdRefunds({ mchid: stage.mchid })
    })
    afterAll(async () => await stage.close())

    const notify = (out_refund_no: string, given: object = {}) =>
      stage.simulator.control.notifyRefund({ mchid: stage.mchid, out_refund_no, ...given })
    const statuses = ({ attempts }: { attempts: { status: number | null }[] }) => attempts.map(({ status }) => status)

    /** A refund that WeChat has taken and does not end by itself. */
    async function held(): Promise<{ order: Paid; number: string }> {
      const order = await stage.fulfilled()
      const number = await refundAll(order)
      await until('it is taken', async () => (await stage.refundRecord(number)).facts !== null)
      return { order, number }
    }

    /** The refund once nothing is left to do for it: its order is told, and that is noted last. */
    const atRest = (number: string) =>
      until('nothing is left to do', async () => {
        const refund = await stage.refundRecord(number)
        return refund.next_action === undefined && refund
      })

    it.concurrent('is lost is not missed: the question by plan finds the end', async () => {
      const { order, number } = await held()
      const lost = { mchid: stage.mchid, out_refund_no: number, notification: 'lose' as const }
      stage.simulator.control.finishRefund({ ...lost, status: 'SUCCESS' })
      await expectGivenBack(order, number, 1)
    })

    it.concurrent('comes three times, and again later, ends it once', async () => {
      const { order, number } = await held()
      const named = { mchid: stage.mchid, out_refund_no: number }
      stage.simulator.control.finishRefund({ ...named, status: 'SUCCESS', notification: 'lose' })
      expect(statuses(await notify(number, { copies: 3 }))).toEqual([204, 204, 204])
      await expectGivenBack(order, number, 1)
      const before = await atRest(number)
      expect(statuses(await notify(number))).toEqual([204])
      await expectProven(stage, order)
      expect(await stage.refundRecord(number)).toEqual(before)
    })

    it.concurrent('says something older after something newer changes nothing: SUCCESS stays', async () => {
      const { order, number } = await held()
      const named = { mchid: stage.mchid, out_refund_no: number }
      stage.simulator.control.finishRefund({ ...named, status: 'SUCCESS' })
      await expectGivenBack(order, number, 1)
      const before = await atRest(number)
      for (const refund_status of ['PROCESSING', 'ABNORMAL', 'CLOSED'] as const)
        expect(statuses(await notify(number, { refund_status }))).toEqual([204])
      await until('all of it has its outcome', async () => {
        const evidence = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
        const told = evidence.filter(({ kind, subject }) => kind === 'notification' && subject === 'refund')
        return told.length >= 4 && told.every(({ outcome }) => outcome !== null)
      })
      // WeChat is asked, since money may come back after SUCCESS; what it says leaves all else as it was.
      const { asked: _, ...after } = await stage.refundRecord(number)
      const { asked: __, ...known } = before
      expect(after).toEqual(known)
      await expectGivenBack(order, number, 1)
    })

    it.concurrent('says SUCCESS while WeChat, asked, says PROCESSING is not believed', async () => {
      const { order, number } = await held()
      expect(statuses(await notify(number, { refund_status: 'SUCCESS' }))).toEqual([204])
      await until('it had its outcome', async () => {
        const evidence = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
        return evidence.some((one) => one.kind === 'notification' && one.subject === 'refund' && one.outcome !== null)
      })
      expect((await stage.refundRecord(number)).state).toBe('processing')
      await expectBook(stage, order, { 'refund.payable': -990, 'wechat.pending': 990 })
    })

    it.concurrent('is forged is refused and asks nobody anything', async () => {
      const { order, number } = await held()
      const { revision } = await stage.refundRecord(number)
      expect(statuses(await notify(number, { refund_status: 'SUCCESS', sign_with: 'other' }))).toEqual([401])
      const evidence = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
      expect(evidence.filter(({ kind, subject }) => kind === 'notification' && subject === 'refund')).toEqual([])
      expect(await stage.refundRecord(number)).toMatchObject({ state: 'processing', revision })
    })
  })

  describe('a refund that an order waits for', () => {
    beforeAll(async () => {
      stage = await Stage.open({ ...times, settings: { fulfilment: { mode: 'event' } } })
      stage.shop.answer = ({ type }) =>
        type === 'order.paid' ? { status: 200, body: '{"fulfilment":"refused","reason":"sold out"}' } : { status: 204 }
    })
    afterAll(async () => await stage.close())

    /** An order that the merchant cannot ship, and whose own refund goes wrong. */
    async function unshippable(given: Omit<Parameters<typeof add>[0], 'out_trade_no'>): Promise<OrderKey> {
      const order = await stage.ordered()
      fault(order, given)
      stage.pay(order)
      await stage.reaches(order, 'refunding')
      return order
    }

    const attentionOf = async (order: OrderKey) => (await stage.record(order)).attention?.code

    it.concurrent(
      'and that WeChat closes leaves it refunding, until the merchant’s own refund completes it',
      async () => {
        const order = await unshippable({ operation: 'end_refund', fault: 'CLOSED', times: 1 })
        await until('a person is told', async () => (await attentionOf(order)) === 'refund_closed')
        expect(await stage.owedRefund(order)).toMatchObject({ state: 'closed', attention: { code: 'refund_closed' } })
        expect((await stage.record(order)).state).toBe('refunding')
        await expectBook(stage, order, untouched)
        const number = await refundAll(order)
        await stage.refundReaches(number, 'succeeded')
        const refunded = await stage.reaches(order, 'refunded')
        expect(refunded.attention).toBeUndefined()
        const heard = ['order.paid', 'order.refunding', 'refund.closed', 'refund.succeeded', 'order.refunded']
        await expectHeard(stage, order, ...heard)
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      },
    )

    it.concurrent('and that WeChat refuses leaves it refunding, until it is paid out by hand', async () => {
      const order = await unshippable({ operation: 'refund', fault: 'RULE_LIMIT', times: 1 })
      await until('a person is told', async () => (await attentionOf(order)) === 'refund_refused')
      const { out_refund_no } = await stage.owedRefund(order)
      const answer = await post(encodeURIComponent(out_refund_no), 'payout', {
        proof: 'cash',
        reason: 'at the counter',
      })
      expect(answer.status).toBe(200)
      const refunded = await stage.reaches(order, 'refunded')
      expect(refunded.attention).toBeUndefined()
      await expectHeard(stage, order, 'order.paid', 'order.refunding', 'refund.refused', 'order.refunded')
      await expectBook(stage, order, { 'merchant.bank': -990, 'wechat.pending': 990 })
      await expectProven(stage, order)
    })

    it.concurrent(
      'and that comes to the merchant’s own account is done only when the payer was paid by hand',
      async () => {
        const order = await unshippable({ operation: 'end_refund', fault: 'RETURNED', times: 1 })
        const { out_refund_no } = await stage.owedRefund(order)
        await stage.refundReaches(out_refund_no, 'returned_to_merchant')
        await expectHeard(stage, order, 'order.paid', 'order.refunding', 'refund.returned_to_merchant')
        expect((await stage.record(order)).state).toBe('refunding')
        const answer = await post(encodeURIComponent(out_refund_no), 'payout', {
          proof: 'cash',
          reason: 'at the counter',
        })
        expect(answer.status).toBe(200)
        await stage.reaches(order, 'refunded')
        const heard = ['order.paid', 'order.refunding', 'refund.returned_to_merchant', 'order.refunded']
        await expectHeard(stage, order, ...heard)
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      },
    )
  })
})
