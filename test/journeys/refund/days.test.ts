import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { milliseconds } from '../../../domain/calendar.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import type { FinishRefundRequest } from '../../../simulator/console.ts'
import { callsOf } from '../../stage/audit.ts'
import { Days, expectMoments, slack } from '../../stage/days.ts'
import type { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** Each minute for five, then after 5, 10, 20 and 30 minutes more; from there on every half hour. */
const first_questions = [1, 2, 3, 4, 5, 10, 20, 40, 70].map((minutes) => minutes * minute)

describe('over days, a refund', () => {
  let days: Days
  let stage: Stage
  beforeAll(async () => {
    days = await Days.open({ settings: { refund_approval: { above: 900 } } })
    stage = days.stage
    stage.simulator.control.holdRefunds({ mchid: stage.mchid })
  })
  afterAll(async () => await days.close())

  /** A tea of 990 fen, paid and shipped. */
  async function sold(): Promise<OrderKey> {
    const order = await stage.ordered()
    stage.pay(order, 'lose_notification')
    await days.pass(40 * second)
    await stage.reaches(order, 'fulfilled')
    return order
  }

  async function asked({ out_trade_no }: OrderKey, refund = 300): Promise<string> {
    const { status, body } = await stage.refund({ out_trade_no, amount: { refund } })
    expect([201, 202]).toContain(status)
    return body.out_refund_no
  }

  async function accepted(order: OrderKey): Promise<RefundRecord> {
    const out_refund_no = await asked(order)
    return await until('WeChat has taken it', async () => {
      const record = await stage.refundRecord(out_refund_no)
      return record.facts !== null && record
    })
  }

  function finish({ out_refund_no }: RefundRecord, status: FinishRefundRequest['status']): void {
    stage.simulator.control.finishRefund({ mchid: stage.mchid, out_refund_no, status, notification: 'lose' })
  }

  /** Unix ms of each call of `operation` that WeChat heard about refunds of this order. */
  function momentsOf(order: OrderKey, operation: string): number[] {
    return callsOf(stage, order, operation).map(({ time }) => milliseconds(time))
  }

  function gapsOf(moments: number[]): number[] {
    return moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0))
  }

  function expectEvery(wait_ms: number, gaps: number[]): void {
    expect(gaps.filter((gap) => gap < wait_ms - second || gap > wait_ms + slack)).toEqual([])
  }

  async function attentionOf({ out_refund_no }: Pick<RefundRecord, 'out_refund_no'>) {
    return (await stage.refundRecord(out_refund_no)).attention?.code
  }

  it('is asked about by plan for days, wants a person after three, and is found without any notification', async () => {
    const order = await sold()
    const refund = await accepted(order)
    const taken = milliseconds(refund.facts?.accepted_time ?? '')
    await days.pass(taken + 3 * day - hour - days.clock.now())
    const questions = momentsOf(order, 'query_refund').map((moment) => moment - taken)
    expectMoments(questions.slice(0, first_questions.length), first_questions)
    const later = gapsOf(questions).slice(first_questions.length - 1)
    expect(later).toHaveLength(139) // 70 min, and 139 half hours more, in 71 h
    expectEvery(30 * minute, later)
    const waiting = await stage.refundRecord(refund.out_refund_no)
    expect([waiting.state, waiting.attention, waiting.next_action?.what]).toEqual([
      'processing',
      undefined,
      'ask_wechat',
    ])
    const planned = milliseconds(waiting.next_action?.time ?? '') - days.clock.now()
    expect(planned).toBeGreaterThan(0)
    expect(planned).toBeLessThanOrEqual(30 * minute)

    await days.pass(hour + 31 * minute)
    expect(await attentionOf(refund)).toBe('refund_slow')
    finish(refund, 'SUCCESS')
    await days.pass(31 * minute)
    const done = await stage.refundReaches(refund.out_refund_no, 'succeeded')
    expect(done.attention).toBeUndefined()
    expect(done.timeline.map(({ event }) => event)).toEqual(['reserved', 'accepted', 'succeeded'])
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('refund.succeeded'))
    expect(callsOf(stage, order, 'refund')).toHaveLength(1)
    const { historyLength } = await stage.refundRun(refund.out_refund_no).describe()
    expect(historyLength).toBeLessThan(60) // one activity is the whole plan
  })

  it('that the payer’s account refuses is asked about every six hours for a week, until the money has arrived', async () => {
    const order = await sold()
    const refund = await accepted(order)
    await days.pass(30 * second)
    finish(refund, 'ABNORMAL')
    await days.pass(minute)
    const abnormal = await stage.refundReaches(refund.out_refund_no, 'abnormal')
    expect(abnormal.attention?.code).toBe('refund_abnormal')
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('refund.abnormal'))
    await days.pass(7 * day + 5 * minute) // a busy machine is a little late with each of them
    const questions = momentsOf(order, 'query_refund')
    expect(questions).toHaveLength(1 + 28)
    expectEvery(6 * hour, gapsOf(questions))
    expect((await stage.refundRecord(refund.out_refund_no)).state).toBe('abnormal')

    finish(refund, 'SUCCESS')
    await days.pass(6 * hour + minute)
    const done = await stage.refundReaches(refund.out_refund_no, 'succeeded')
    expect(done.attention).toBeUndefined()
    expect(done.timeline.map(({ event }) => event)).toEqual(['reserved', 'accepted', 'abnormal', 'succeeded'])
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('refund.succeeded'))
  })

  it('without enough balance goes again every ten minutes for a day, the same bytes, and succeeds once funded', async () => {
    const order = await sold()
    stage.simulator.control.setBalance({ mchid: stage.mchid, balance: 0 })
    const out_refund_no = await asked(order)
    await until('a person is wanted', async () => (await attentionOf({ out_refund_no })) === 'not_enough')
    await days.pass(day - 5 * minute)
    const sent = callsOf(stage, order, 'refund')
    expect(sent).toHaveLength(144)
    expect(new Set(sent.map(({ body_sha256 }) => body_sha256)).size).toBe(1)
    expect(new Set(sent.map(({ code }) => code))).toEqual(new Set(['NOT_ENOUGH']))
    expectEvery(10 * minute, gapsOf(momentsOf(order, 'refund')))
    const waiting = await stage.refundRecord(out_refund_no)
    expect([waiting.state, waiting.attention?.code, waiting.next_action?.what]).toEqual([
      'processing',
      'not_enough',
      'submit',
    ])

    stage.simulator.control.setBalance({ mchid: stage.mchid, balance: null })
    await days.pass(11 * minute)
    const taken = await until('WeChat has taken it', async () => {
      const record = await stage.refundRecord(out_refund_no)
      return record.facts !== null && record
    })
    expect(taken.attention).toBeUndefined()
    const last = callsOf(stage, order, 'refund').at(-1)
    expect([last?.status, last?.body_sha256]).toEqual([200, sent[0]?.body_sha256])
    finish(taken, 'SUCCESS')
    await days.pass(10 * minute)
    await stage.refundReaches(out_refund_no, 'succeeded')
  })

  it('that nobody approves in three days is never sent, and what it held can be refunded again', async () => {
    const order = await sold()
    const out_refund_no = await asked(order, 990)
    await stage.refundReaches(out_refund_no, 'awaiting_approval')
    expect(await attentionOf({ out_refund_no })).toBe('approval_waiting')
    const held = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 1 } })
    expect(held.status).toBe(409)
    await days.pass(3 * day - minute)
    const waiting = await stage.refundRecord(out_refund_no)
    expect([waiting.state, waiting.next_action?.what]).toEqual(['awaiting_approval', 'await_approval'])
    expect(waiting.next_action?.time).toBe(waiting.approval?.expire_time)
    await days.pass(2 * minute)
    const over = await stage.refundReaches(out_refund_no, 'rejected')
    expect([over.close_reason, over.attention]).toEqual(['approval_expired', undefined])
    expect(over.timeline.map(({ event }) => event)).toEqual(['reserved', 'approval_expired'])
    expect(callsOf(stage, order, 'refund')).toEqual([])
    await accepted(order)
  })

  it('waits for WeChat’s minute after another one of the same payment, and no longer', async () => {
    const order = await sold()
    const numbers = [await asked(order), await asked(order), await asked(order)]
    const [begun = 0] = await until('the first is with WeChat', () => {
      const moments = momentsOf(order, 'refund')
      return moments.length > 0 && moments
    })
    // On a busy machine some of it is over before the third was asked for.
    await days.clock.refresh()
    await days.pass(Math.max(0, begun + 59 * second - days.clock.now()))
    expect(momentsOf(order, 'refund').filter((moment) => moment < begun + minute)).toEqual([begun])
    await days.pass(4 * minute)
    const sent = callsOf(stage, order, 'refund')
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(sent.map(({ out_refund_no }) => out_refund_no))).toEqual(new Set(numbers))
    const [first = 0, then = 0] = gapsOf(momentsOf(order, 'refund'))
    expect(Math.min(first, then)).toBeGreaterThanOrEqual(minute)
    // Spread by up to a twentieth; who came too late for one minute waits for the next.
    expect(first).toBeLessThanOrEqual(61 * second * 1.05 + slack)
    expect(then).toBeLessThanOrEqual(2 * 61 * second * 1.05 + slack)
  })
})
