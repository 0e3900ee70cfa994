import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newDifference } from '../../../activities/bill/differences.ts'
import type { DifferenceKind } from '../../../domain/bill/difference.ts'
import { differenceId } from '../../../domain/ids.ts'
import { mchid } from '../../store/samples.ts'
import { answer, day, Desk, none } from './desk.ts'

const refund_id = '50300000012026112200000000001'
const out_refund_no = 'R20261122-1'
const out_trade_no = 'T20261122-1'
const time = '2026-11-22T11:00:00.000+08:00'

describe('a difference about a refund', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
    for (const bill of ['trade_bill', 'fund_flow_bill']) desk.answers[bill] = () => none
  })
  afterEach(async () => await desk.drop())

  /** A look at a day that has one such difference; what was asked is the answer. */
  async function asked(kind: DifferenceKind, given: object = {}) {
    const { run } = await desk.perform('openDay', { day, look: kind })
    const numbers = { refund_id, out_refund_no, out_trade_no, found_time: desk.time(), patience_time: desk.time() }
    await desk.store.differences.note([newDifference(day, kind, refund_id, { ...numbers, ...given })])
    const result = await desk.perform('askDifferences', { day, run })
    expect(await desk.perform('askDifferences', { day, run }), 'the same step once more').toEqual(result)
    return { result, difference: await desk.store.differences.find(differenceId(day, kind, refund_id)) }
  }

  const knows = (status: string) => {
    desk.answers['query_refund'] = () =>
      answer(200, {
        ...{ refund_id, out_refund_no, out_trade_no, transaction_id: '4200000001202611220000000001', status },
        ...{ channel: 'ORIGINAL', user_received_account: '-', create_time: time, success_time: time },
        amount: { total: 990, refund: 990, currency: 'CNY', payer_total: 990, payer_refund: 990 },
      })
  }
  const queries = () => desk.asked.filter((one) => one.startsWith('query_refund '))

  it('that is not recorded here wakes the run that takes it in, once in a look', async () => {
    const { result, difference } = await asked('refund_missing_here')
    expect(result).toMatchObject({ asked: 1, handed_over: 1 })
    const woken = { id: `refund/${mchid}/${out_refund_no}`, signal: 'refundChanged', evidence_id: null }
    expect(desk.signals).toEqual([woken])
    expect(difference?.answer).toMatchObject({ says: 'handed_over', evidence_id: null })
    expect(queries()).toEqual([])
  })

  it.each(['refund_missing_there', 'refund_amount', 'refund_state'] as const)(
    'of kind %s is asked about, and its run is told what WeChat said',
    async (kind) => {
      knows('SUCCESS')
      const { result, difference } = await asked(kind)
      expect(result).toMatchObject({ asked: 1, handed_over: 0 })
      expect(queries()).toHaveLength(1)
      expect(difference?.answer?.says).toBe('SUCCESS')
      const evidence_id = difference?.answer?.evidence_id ?? ''
      expect(await desk.store.evidence.find(evidence_id)).not.toBeNull()
      expect(desk.signals).toEqual([{ id: `refund/${mchid}/${out_refund_no}`, signal: 'refundChanged', evidence_id }])
    },
  )

  it('that WeChat does not know wakes nobody', async () => {
    desk.answers['query_refund'] = () => answer(404, {}, 'RESOURCE_NOT_EXISTS')
    const { difference } = await asked('refund_missing_there')
    expect(difference?.answer).toMatchObject({ says: 'unknown', evidence_id: null })
    expect(desk.signals).toEqual([])
  })

  it('is for a person alone where its numbers disagree', async () => {
    const { result } = await asked('refund_number')
    expect(result).toMatchObject({ asked: 0, handed_over: 0 })
    expect(desk.signals).toEqual([])
    expect(queries()).toEqual([])
  })
})
