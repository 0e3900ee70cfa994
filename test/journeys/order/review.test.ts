import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderView, RefundView } from '../../../domain/event/view.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { breakerOf } from '../../stage/book.ts'
import { expectBook, expectHeard, expectProven } from '../../stage/money.ts'
import { Stage } from '../../stage/stage.ts'
import type { StageOptions } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const times = { time_scale: 60, simulator: { time_scale: 60 } }
/** Days pass in seconds: what nobody answers runs out while the test looks on. */
const hasty = { time_scale: 50_000, simulator: { time_scale: 60 } }

const sold = { sales: -990, 'wechat.pending': 990 }
const undecided = { suspense: -990, 'wechat.pending': 990 }
const given_back = { 'wechat.pending': 990, 'wechat.refund_transit': -990 }

describe('what a person decides, or nobody:', () => {
  let stage: Stage
  const open = (options: StageOptions) => async () => {
    stage = await Stage.open(options)
  }
  const close = async () => await stage.close()

  const decide = (order: OrderKey, decision: string, more: object = {}) =>
    stage.insist<OrderView>('POST', `/v1/orders/${order.out_trade_no}/review`, {
      decision,
      reason: 'looked at',
      ...more,
    })

  const attentionOf = async (order: OrderKey) => (await stage.record(order)).attention?.code

  const refundsOf = ({ mchid, out_trade_no }: OrderKey) => stage.store.refunds.ofOrder(mchid, out_trade_no)

  describe('money', () => {
    beforeAll(open({ ...times, settings: { late_payment: 'hold' } }))
    afterAll(close)

    describe.concurrent('of another amount than was asked for', () => {
      async function contradicted(): Promise<OrderKey> {
        const order = await stage.ordered()
        stage.pay(order, 'wrong_amount')
        await stage.reaches(order, 'review')
        expect(await attentionOf(order)).toBe('payment_contradicted')
        await expectHeard(stage, order, 'order.review')
        await expectBook(stage, order, { suspense: -991, 'wechat.pending': 991 })
        return order
      }

      it('is a sale once it was accepted, and stays accepted', async () => {
        const order = await contradicted()
        expect((await decide(order, 'accept')).status).toBe(200)
        const fulfilled = await stage.reaches(order, 'fulfilled')
        expect(fulfilled.attention).toBeUndefined()
        await expectHeard(stage, order, 'order.review', 'order.paid', 'order.fulfilled')
        await expectBook(stage, order, { sales: -991, 'wechat.pending': 991 })
        expect((await decide(order, 'accept')).status).toBe(200)
        const other = await decide(order, 'reject')
        expect([other.status, other.body]).toMatchObject([409, { code: 'already_decided' }])
        await expectProven(stage, order)
      })

      it('goes back out of suspense when it was rejected', async () => {
        const order = await contradicted()
        expect((await decide(order, 'reject')).status).toBe(200)
        await stage.reaches(order, 'refunded')
        const { origin, transaction_id } = await stage.owedRefund(order)
        const payment = await stage.store.payments.find(order.mchid, transaction_id)
        expect([origin, payment?.refunds.map(({ incomes }) => incomes?.accepted)]).toEqual([
          'review_rejected',
          ['suspense'],
        ])
        await expectHeard(stage, order, 'order.review', 'order.refunding', 'refund.succeeded', 'order.refunded')
        await expectBook(stage, order, { 'wechat.pending': 991, 'wechat.refund_transit': -991 })
        await expectProven(stage, order)
      })
    })

    describe.concurrent('that came after the order was closed, of a merchant who holds it,', () => {
      async function late(): Promise<OrderKey> {
        const order = await stage.ordered()
        await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
        await stage.reaches(order, 'closed')
        stage.pay(order, 'pay_after_close')
        await stage.reaches(order, 'review')
        expect(await attentionOf(order)).toBe('late_payment_held')
        await expectHeard(stage, order, 'order.closed', 'order.late_payment')
        await expectBook(stage, order, undecided)
        expect(await refundsOf(order)).toEqual([])
        return order
      }

      it('is a sale once it was accepted', async () => {
        const order = await late()
        await decide(order, 'accept')
        await stage.reaches(order, 'fulfilled')
        await expectHeard(stage, order, 'order.closed', 'order.late_payment', 'order.paid', 'order.fulfilled')
        await expectBook(stage, order, sold)
        await expectProven(stage, order)
      })

      it('goes back once it was rejected', async () => {
        const order = await late()
        await decide(order, 'reject')
        await stage.reaches(order, 'refunded')
        const heard = ['order.closed', 'order.late_payment', 'order.refunding', 'refund.succeeded', 'order.refunded']
        await expectHeard(stage, order, ...heard)
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })
    })

    it.concurrent(
      'for an order that WeChat had refused waits for a person, and goes back once it was rejected',
      async () => {
        const out_trade_no = stage.number()
        const order = { mchid: stage.mchid, out_trade_no }
        const refusal = { fault: 'PARAM_ERROR', acted: true, times: 1 }
        stage.simulator.control.addFault({ operation: 'place', out_trade_no, ...refusal })
        await stage.create({ out_trade_no })
        await stage.reaches(order, 'failed')
        stage.pay(order)
        await stage.reaches(order, 'review')
        await expectHeard(stage, order, 'order.failed', 'order.review')
        await expectBook(stage, order, undecided)
        await decide(order, 'reject')
        await stage.reaches(order, 'refunded')
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      },
    )

    describe.concurrent('for an order that is paid already', () => {
      async function paidTwice(): Promise<{ order: OrderKey; transaction_id: string }> {
        const { mchid, out_trade_no } = await stage.fulfilled()
        const order = { mchid, out_trade_no }
        const { transaction_id } = stage.pay(order, 'second_payment')
        await until('a person is told', async () => (await attentionOf(order)) === 'second_payment')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'order.second_payment')
        await expectBook(stage, order, { sales: -990, suspense: -990, 'wechat.pending': 1980 })
        expect((await stage.record(order)).state).toBe('fulfilled')
        return { order, transaction_id: transaction_id ?? '' }
      }

      it('is another sale once it was accepted by its number', async () => {
        const { order, transaction_id } = await paidTwice()
        const { status, body } = await decide(order, 'accept', { transaction_id })
        expect([status, body.state, body.attention]).toEqual([200, 'fulfilled', null])
        await expectBook(stage, order, { sales: -1980, 'wechat.pending': 1980 })
        await expectProven(stage, order)
      })

      it('goes back once it was rejected, and the order is what it was', async () => {
        const { order, transaction_id } = await paidTwice()
        expect((await decide(order, 'reject', { transaction_id })).status).toBe(200)
        const { out_refund_no } = await stage.owedRefund(order)
        const refund = await stage.refundReaches(out_refund_no, 'succeeded')
        expect([refund.transaction_id, refund.origin]).toEqual([transaction_id, 'second_payment'])
        const heard = ['order.paid', 'order.fulfilled', 'order.second_payment', 'refund.succeeded']
        await expectHeard(stage, order, ...heard)
        const { state, attention } = await stage.record(order)
        expect([state, attention]).toEqual(['fulfilled', undefined])
        const books = { sales: -990, 'wechat.pending': 1980, 'wechat.refund_transit': -990 }
        await expectBook(stage, order, books)
        await expectProven(stage, order)
      })
    })
  })

  describe('a refund above the limit', () => {
    beforeAll(open({ ...times, settings: { refund_approval: { above: 500 } } }))
    afterAll(close)

    const approve = (number: string, decision: string, key?: string) =>
      stage.insist('POST', `/v1/refunds/${number}/approval`, { decision, reason: 'looked at' }, key)

    async function waiting(order: OrderKey): Promise<string> {
      const number = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
      const { state, attention } = await stage.refundRecord(number)
      expect([state, attention?.code]).toEqual(['awaiting_approval', 'approval_waiting'])
      return number
    }

    it.concurrent('waits for another person: whoever asked for it is refused', async () => {
      const order = await stage.fulfilled()
      const number = await waiting(order)
      const own = await approve(number, 'approve')
      expect([own.status, own.body]).toMatchObject([403, { code: 'approver_is_requester' }])
      expect(stage.wechat.refunds.filter(({ out_refund_no }) => out_refund_no === number)).toEqual([])
      expect((await approve(number, 'approve', await stage.anotherKey())).status).toBe(200)
      await stage.refundReaches(number, 'succeeded')
      await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.succeeded')
      await expectBook(stage, order, given_back)
      await expectProven(stage, order)
    })

    it.concurrent('is never sent when it was rejected, and its money is free again', async () => {
      const order = await stage.fulfilled()
      const number = await waiting(order)
      const second = await stage.anotherKey()
      expect((await approve(number, 'reject', second)).status).toBe(200)
      await stage.refundReaches(number, 'rejected')
      const other = await approve(number, 'approve', second)
      expect([other.status, other.body]).toMatchObject([409, { code: 'already_decided' }])
      const small = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 500 } })
      await stage.refundReaches(small, 'succeeded')
      expect(stage.wechat.calls.filter(({ out_refund_no }) => out_refund_no === number)).toEqual([])
      const books = { sales: -490, 'wechat.pending': 990, 'wechat.refund_transit': -500 }
      await expectBook(stage, order, books)
      await expectProven(stage, order)
    })
  })

  describe('a refund made in WeChat’s console', () => {
    beforeAll(async () => {
      await open({ ...times, settings: { fulfilment: { mode: 'confirm' } } })()
      const refund_notify_url = `${stage.config.public_url}/wechat/notify/${stage.mchid}`
      await stage.simulator.control.register({ mchid: stage.mchid, refund_notify_url })
    })
    afterAll(close)

    const outside = ({ mchid, out_trade_no }: OrderKey, given: object = {}) =>
      stage.simulator.control.createConsoleRefund({ mchid, out_trade_no, status: 'SUCCESS', ...given })

    async function paid(): Promise<OrderKey> {
      const order = await stage.ordered()
      stage.pay(order)
      await stage.reaches(order, 'paid')
      return order
    }

    it.concurrent('is taken in when WeChat tells of it', async () => {
      const order = await paid()
      const { out_refund_no } = outside(order, { refund: 300 })
      await until('it is known', async () => (await refundsOf(order)).length > 0)
      const refund = await stage.refundReaches(out_refund_no, 'succeeded')
      expect([refund.origin, refund.amount.refund]).toEqual(['outside', 300])
      await expectHeard(stage, order, 'order.paid', 'refund.succeeded')
      expect((await stage.record(order)).state).toBe('paid')
      const books = { sales: -690, 'wechat.pending': 990, 'wechat.refund_transit': -300 }
      await expectBook(stage, order, books)
      const beyond = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 691 } })
      expect(beyond.status).toBe(409)
      await expectProven(stage, order)
    })

    it.concurrent('and told to nobody is taken in when somebody asks about its number', async () => {
      const order = await paid()
      const { out_refund_no } = outside(order, { refund: 300, notification: 'lose' })
      // A number that is not taken in within 5 s is answered as unknown: on a busy machine somebody asks once more.
      const { status, body } = await until('it is taken in', async () => {
        const answer = await stage.insist<RefundView>('POST', `/v1/refunds/${out_refund_no}/check`)
        return answer.status !== 404 && answer
      })
      expect([status, body.origin]).toEqual([200, 'outside'])
      await stage.refundReaches(out_refund_no, 'succeeded')
      await expectHeard(stage, order, 'order.paid', 'refund.succeeded')
      await expectProven(stage, order)
    })

    it.concurrent('of everything stops an order that is only paid', async () => {
      const order = await paid()
      outside(order)
      await stage.reaches(order, 'refunded')
      await expectHeard(stage, order, 'order.paid', 'order.refunding', 'refund.succeeded', 'order.refunded')
      await expectBook(stage, order, given_back)
      const late = await stage.call('POST', `/v1/orders/${order.out_trade_no}/fulfilment`, { result: 'fulfilled' })
      expect(late.status).toBe(409)
      await expectProven(stage, order)
    })

    it.concurrent('before Weft knew of the payment wants a person, and nothing is shipped', async () => {
      const order = await stage.ordered()
      stage.pay(order, 'lose_notification')
      outside(order, { notification: 'lose' })
      await stage.reaches(order, 'review')
      expect(await attentionOf(order)).toBe('refunded_outside')
      await expectHeard(stage, order, 'order.review')
      await expectBook(stage, order, undecided)
      const [refund] = stage.wechat.refunds.filter(({ out_trade_no }) => out_trade_no === order.out_trade_no)
      await stage.call('POST', `/v1/refunds/${refund?.out_refund_no ?? ''}/check`)
      await stage.refundReaches(refund?.out_refund_no ?? '', 'succeeded')
      expect((await decide(order, 'reject')).status).toBe(200)
      await stage.reaches(order, 'refunded')
      await expectBook(stage, order, given_back)
      expect((await refundsOf(order)).map(({ origin }) => origin)).toEqual(['outside'])
      await expectProven(stage, order)
    })
  })

  describe('two numbers of one sale', () => {
    beforeAll(open(times))
    afterAll(close)

    it('that are both paid leave one sale: the other’s money goes back', async () => {
      const reference = `sale-${stage.number()}`
      const older = await stage.ordered({ reference })
      const newer = await stage.ordered({ reference })
      stage.pay(newer)
      await stage.reaches(newer, 'fulfilled')
      stage.pay(older, 'pay_after_close')
      await stage.reaches(older, 'refunded')
      expect((await stage.record(newer)).state).toBe('fulfilled')
      const heard = ['order.closed', 'order.late_payment', 'refund.succeeded', 'order.refunded']
      await expectHeard(stage, older, ...heard)
      await expectBook(stage, older, given_back)
      await expectBook(stage, newer, sold)
      expect(await stage.store.references.findHolder(stage.mchid, reference)).toBe(newer.out_trade_no)
      await expectProven(stage, older, newer)
    })
  })

  describe('a question to the merchant', () => {
    const event = { mode: 'event', on_overdue: 'refund' } as const
    /** What the shop answers, by order. */
    const answers = new Map<string, Stage['shop']['answer']>()
    const openShop = (fulfilment: StageOptions['settings'] & object) => async () => {
      await open({ ...times, settings: fulfilment })()
      stage.shop.answer = (told) => answers.get(told.data.order?.out_trade_no ?? '')?.(told) ?? { status: 204 }
    }

    const paidAnd = async (answer: Stage['shop']['answer']) => {
      const order = await stage.ordered()
      answers.set(order.out_trade_no, answer)
      stage.pay(order)
      return order
    }

    describe('that has its time', () => {
      beforeAll(openShop({ fulfilment: event }))
      afterAll(close)

      /** Where a busy machine was too slow for the question to be heard in its time, the next one has more of it. */
      async function askedInTime(answer: Stage['shop']['answer']): Promise<OrderKey> {
        const merchant = await stage.store.merchants.find(stage.mchid)
        if (merchant === null) throw new Error('no merchant')
        const { settings } = merchant
        for (let deadline_in = 2; deadline_in <= 512; deadline_in *= 4) {
          const fulfilment = { ...settings.fulfilment, deadline_in }
          await stage.store.merchants.updateSettings(stage.mchid, { ...settings, fulfilment })
          const order = await paidAnd(answer)
          const heard = await until('the shop heard', () => stage.shop.typesOf(order.out_trade_no)[0])
          if (heard === 'order.paid') return order
        }
        throw new Error('no question was heard in its time')
      }

      it('that nobody answers in time is taken back, and only when that is heard the money goes back', async () => {
        let is_heard = false
        const order = await askedInTime(({ type }) => ({
          status: type === 'order.paid' || (type === 'order.fulfilment_cancelled' && !is_heard) ? 500 : 204,
        }))
        await until('it is being taken back', () =>
          stage.shop.typesOf(order.out_trade_no).includes('order.fulfilment_cancelled'),
        )
        expect([(await stage.record(order)).state, await refundsOf(order)]).toEqual(['paid', []])
        is_heard = true
        await stage.reaches(order, 'refunded')
        expect((await stage.owedRefund(order)).origin).toBe('fulfilment_overdue')
        const heard = ['order.fulfilment_cancelled', 'order.refunding', 'refund.succeeded', 'order.refunded']
        await expectHeard(stage, order, 'order.paid', ...heard)
        await expectBook(stage, order, given_back)
        await expectProven(stage, order)
      })

      it('that is answered “shipped” while it is taken back is a sale', async () => {
        const order = await askedInTime(({ type }) =>
          type === 'order.paid' ? { status: 500 } : { status: 200, body: '{"fulfilment":"fulfilled"}' },
        )
        await stage.reaches(order, 'fulfilled')
        await expectHeard(stage, order, 'order.paid', 'order.fulfilment_cancelled')
        expect(await refundsOf(order)).toEqual([])
        await expectBook(stage, order, sold)
        await expectProven(stage, order)
      })
    })

    describe('that can wait', () => {
      beforeAll(openShop({ fulfilment: event }))
      afterAll(close)

      it.concurrent(
        'whose answer is on its way when all is given back counts, and the money goes back all the same',
        async () => {
          let decides = () => {}
          const decided = new Promise<void>((resolve) => (decides = resolve))
          const order = await paidAnd(() => ({ status: 200, body: '{"fulfilment":"fulfilled"}', after: decided }))
          await until('it is asked', () => stage.shop.of(order.out_trade_no).length > 0)
          const asking = stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
          const [{ out_refund_no } = { out_refund_no: '' }] = await until('all is to be given back', async () => {
            const refunds = await refundsOf(order)
            return refunds.length > 0 && refunds
          })
          decides()
          await asking
          await stage.refundReaches(out_refund_no, 'succeeded')
          await expectHeard(stage, order, 'order.paid', 'refund.succeeded')
          const { state, timeline } = await stage.record(order)
          expect(state).toBe('fulfilled')
          expect(timeline.map((entry) => entry.event)).not.toContain('fulfilment_stopped')
          await expectBook(stage, order, given_back)
          await expectProven(stage, order)
        },
      )

      it.concurrent('that all is given back before is taken back, and “shipped” comes too late', async () => {
        const order = await paidAnd(({ type }) => ({ status: type === 'order.paid' ? 500 : 204 }))
        await stage.reaches(order, 'paid')
        const number = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
        await stage.refundReaches(number, 'succeeded')
        await stage.reaches(order, 'refunded')
        const late = await stage.call('POST', `/v1/orders/${order.out_trade_no}/fulfilment`, { result: 'fulfilled' })
        expect(late.status).toBe(409)
        const heard = ['order.fulfilment_cancelled', 'order.refunding', 'refund.succeeded', 'order.refunded']
        await expectHeard(stage, order, 'order.paid', ...heard)
        await expectProven(stage, order)
      })
    })
  })

  describe('when days pass for a question', () => {
    const event = { mode: 'event', on_overdue: 'refund', deadline_in: 1 } as const
    beforeAll(open({ ...hasty, settings: { fulfilment: event } }))
    afterAll(close)

    it('a merchant who never takes in that the question is over leaves the money to a person', async () => {
      stage.shop.answer = ({ type }) => ({ status: type === 'order.review' ? 204 : 500 })
      const order = await stage.ordered()
      stage.pay(order)
      await stage.reaches(order, 'review')
      expect(await attentionOf(order)).toBe('fulfilment_overdue')
      expect(await refundsOf(order)).toEqual([])
      await expectBook(stage, order, sold)
    })
  })

  describe('when days pass for a refund', () => {
    beforeAll(open({ ...hasty, settings: { refund_approval: { above: 500 } } }))
    afterAll(close)

    it.concurrent('a refund that nobody approves is given up, and its money is free again', async () => {
      const order = await stage.fulfilled()
      const number = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
      const refund = await stage.refundReaches(number, 'rejected')
      expect([refund.close_reason, refund.approval?.decision]).toEqual(['approval_expired', null])
      // Given back on the payment right after the refund says so.
      await until('its money is free again', async () => {
        const payment = await stage.store.payments.find(order.mchid, order.transaction_id)
        return payment?.refunds.map(({ state }) => state).join() === 'released'
      })
      expect(stage.wechat.refunds.filter(({ out_refund_no }) => out_refund_no === number)).toEqual([])
      await expectProven(stage, order)
    })

    it.concurrent(
      'money for a number that Weft does not know goes back by its transaction, told without an order',
      async () => {
        const order = await stage.ordered()
        await stage.run(order).terminate('the order is to be forgotten')
        await breakerOf(stage.config.database)('orders', { _id: `${order.mchid}/${order.out_trade_no}` }, null)
        const transaction_id = stage.pay(order).transaction_id ?? ''
        const orphan = await until('it is booked', () => stage.store.payments.find(order.mchid, transaction_id))
        expect([orphan.role, orphan.order_id]).toEqual(['orphan', null])
        await expectBook(stage, order, undecided)
        const out_refund_no = await stage.refunding({ transaction_id, amount: { refund: 400 } })
        await stage.refundReaches(out_refund_no, 'succeeded')
        const told = await until('the merchant is told', () =>
          stage.shop.heard.find(({ type, data }) => type === 'refund.succeeded' && !data.order),
        )
        expect(told).toMatchObject({ sequence: null, data: { refund: { out_refund_no } } })
        const books = { suspense: -590, 'wechat.pending': 990, 'wechat.refund_transit': -400 }
        await expectBook(stage, order, books)
      },
    )
  })
})
