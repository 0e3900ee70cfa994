import { describe, expect, it } from 'vitest'
import { proof_patience } from '../../proof/finding.ts'
import type { Dossier, ProofMoment } from '../../proof/finding.ts'
import { obstacleFindings } from '../../proof/obstacle.ts'
import { closedStory, fulfilledStory, Story } from '../stage/dossiers.ts'
import { at, deliverySample, noon, paymentSample, placed } from '../store/samples.ts'

const day_ms = 24 * 60 * 60 * 1000
const later: ProofMoment = { now_ms: noon + day_ms, patience: proof_patience }
const settled: ProofMoment = { now_ms: noon + day_ms, patience: null }

const found = (dossier: Dossier, moment = later) =>
  obstacleFindings(dossier, moment).map(({ kind, under_way }) => (under_way ? `${kind}, under way` : kind))

function withDelivery(given: Parameters<typeof deliverySample>[2]): Dossier {
  const { dossier } = fulfilledStory()
  dossier.open_deliveries.push(deliverySample('TEA-1', 1, given))
  return dossier
}

describe('what events wait behind', () => {
  it('is a delivery whose question is over', () => {
    const asked = { purpose: 'fulfilment', next_attempt_time: at(2 * 86_400) } as const
    expect(found(withDelivery(asked))).toEqual(['question_over'])
    expect(found(withDelivery(asked), { ...later, now_ms: noon + 30_000 })).toEqual(['question_over, under way'])
  })

  it('is a delivery that was due long ago, or has no plan at all', () => {
    expect(found(withDelivery({ next_attempt_time: at(86_400 - 299) }))).toEqual([])
    expect(found(withDelivery({ next_attempt_time: at(86_400 - 301) }))).toEqual(['delivery_idle'])
    const { next_attempt_time: _, ...unplanned } = deliverySample('TEA-1', 1)
    const dossier = withDelivery({})
    dossier.open_deliveries = [unplanned]
    expect(found(dossier)).toEqual(['delivery_idle'])
  })

  it('is any that is due, once all should be settled', () => {
    expect(found(withDelivery({ next_attempt_time: at(86_400 + 60) }), settled)).toEqual([])
    expect(found(withDelivery({ next_attempt_time: at(86_400 - 1) }), settled)).toEqual(['delivery_idle'])
  })
})

describe('what nobody would start again', () => {
  it('is an open order without a plan', () => {
    const { dossier } = new Story().tell(placed())
    expect(found(dossier)).toEqual([])
    delete dossier.order?.next_action
    expect(found(dossier)).toEqual(['plan_missing'])
    expect(found(dossier, settled)).toEqual(['plan_missing'])
    expect(found(dossier, { ...later, now_ms: noon + 30_000 })).toEqual(['plan_missing, under way'])
  })

  it.each([['reserved'], ['reserved', 'accepted'], ['reserved', 'accepted', 'abnormal']] as const)(
    'is an open refund without a plan: %s, %s, %s',
    (...tale) => {
      const { dossier } = fulfilledStory().refund({ amount: 300, tale })
      expect(found(dossier)).toEqual([])
      delete dossier.refunds[0]?.next_action
      expect(obstacleFindings(dossier, later)).toMatchObject([{ kind: 'plan_missing', out_refund_no: 'R1' }])
    },
  )

  it('is nothing that has ended', () => {
    const ended = fulfilledStory().refund({ amount: 300, tale: ['reserved', 'accepted', 'succeeded'] })
    expect(found(ended.dossier)).toEqual([])
    expect(found(closedStory().dossier)).toEqual([])
  })
})

describe('what the numbers of a sale wait behind', () => {
  it('is a claim of a number that has ended without money', () => {
    const { dossier } = closedStory()
    expect(found({ ...dossier, holds_sale: true })).toEqual(['claim_idle'])
    expect(found({ ...fulfilledStory().dossier, holds_sale: true })).toEqual([])
  })
})

describe('what the refunds of a payment wait behind', () => {
  it('is a minute that was claimed by a clock that runs ahead', () => {
    const { dossier } = fulfilledStory()
    const claimed = (seconds: number) => ({
      ...dossier,
      payments: [paymentSample('t1', { last_refund_time: at(seconds) })],
    })
    expect(found(claimed(86_400))).toEqual([])
    expect(found(claimed(86_400 + 120))).toEqual(['claim_idle'])
  })
})
