import { milliseconds } from '../domain/calendar.ts'
import { isSaleComing, keepsSale } from '../domain/order/judgement.ts'
import { isOrderResting } from '../domain/order/record.ts'
import { askedSequence } from '../domain/order/timeline.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import { default_policy } from '../domain/policy.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import { isRefundResting } from '../domain/refund/record.ts'
import { isAwaitingEffect, isFresh, isUncarried, latestTime, newFinding } from './finding.ts'
import type { Dossier, Finding, ProofMoment } from './finding.ts'

/**
 * What something waits behind and nobody ends: orders and refunds without a plan, open deliveries, claims of a sale or of
 * a payment's refund minute. Each ends by its own rule, or by the run that sweeper or auditor start. Reservations are
 * compared in proof/records.
 */
export function obstacleFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  return [
    ...planFindings(dossier, moment),
    ...deliveryFindings(dossier, moment),
    ...saleFindings(dossier, moment),
    ...minuteFindings(dossier, moment),
  ]
}

/** The sweeper takes up what is late by its plan: an open record without one is seen only here. */
function planFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  const { order, refunds } = dossier
  const unplanned = (
    record: Pick<OrderRecord | RefundRecord, 'state' | 'timeline' | 'create_time'>,
    out_refund_no?: string,
  ) =>
    newFinding(dossier, 'plan_missing', {
      ...(out_refund_no !== undefined && { out_refund_no }),
      detail: `is ${record.state}, and nothing is planned`,
      under_way: isFresh(latestTime(record), moment),
    })
  const open = refunds.filter(({ state, next_action }) => !isRefundResting(state) && next_action === undefined)
  return [
    ...(order !== null && !isOrderResting(order.state) && order.next_action === undefined ? [unplanned(order)] : []),
    ...open.map((refund) => unplanned(refund, refund.out_refund_no)),
  ]
}

function deliveryFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  const { order, open_deliveries } = dossier
  const under_way = order !== null && isFresh(latestTime(order), moment)
  const asked = order === null ? 0 : askedSequence(order)
  return open_deliveries.flatMap(({ sequence, event_type, purpose, next_attempt_time }) => {
    const event = `event ${sequence}, ${event_type},`
    if (purpose !== 'notice' && sequence !== asked) {
      const detail = `${event} is open, and the order is ${order?.state ?? 'not there'}`
      return [newFinding(dossier, 'question_over', { detail, under_way })]
    }
    if (!isUncarried(next_attempt_time === undefined ? undefined : { time: next_attempt_time }, moment)) return []
    const detail = `${event} is open, and its next attempt ${next_attempt_time ? `was due ${next_attempt_time}` : 'is not planned'}`
    return [newFinding(dossier, 'delivery_idle', { detail, under_way })]
  })
}

function saleFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  const { order, payments, evidence, holds_sale } = dossier
  if (order === null || !holds_sale || isSaleComing(order.state, payments)) return []
  // A claim comes before its payment, and both from the same evidence.
  const is_unpaid = keepsSale(order.state) && order.payment === null && payments.length === 0
  if (keepsSale(order.state) && !is_unpaid) return []
  const is_coming = evidence.some((one) => isAwaitingEffect(one, moment))
  const under_way = is_coming || isFresh(latestTime(order), moment)
  return [newFinding(dossier, 'claim_idle', { detail: `holds ${order.reference} and is ${order.state}`, under_way })]
}

/** The minute that WeChat wants between two refunds frees itself, unless it was claimed by a clock that runs ahead. */
function minuteFindings(dossier: Dossier, { now_ms }: ProofMoment): Finding[] {
  return dossier.payments
    .filter(
      ({ last_refund_time: claimed }) =>
        claimed !== null && milliseconds(claimed) > now_ms + default_policy.refund.spacing_ms,
    )
    .map(({ transaction_id, last_refund_time }) =>
      newFinding(dossier, 'claim_idle', {
        transaction_id,
        detail: `its refund minute was claimed at ${last_refund_time}`,
      }),
    )
}
