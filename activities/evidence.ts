import { beijingTime } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import { evidenceId } from '../domain/ids.ts'
import type { OrderKey, RefundKey } from '../domain/ids.ts'
import type { Envelope, EvidenceRecord } from '../domain/payment/evidence.ts'
import type { PaymentFact, RefundFact } from '../domain/payment/fact.ts'
import { newEvidence, rawPlace } from '../store/evidence.ts'
import { openedUnlessBroken } from '../store/sealer.ts'
import { paymentFact, readTransaction } from '../wechat/payments.ts'
import type { OrderQueryResult } from '../wechat/payments.ts'
import { readRefund, refundStanding } from '../wechat/refunds.ts'
import type { WeChatRefund, WeChatRefundAnswer } from '../wechat/refunds.ts'
import type { ActivityContext } from './context.ts'

/**
 * Keeps WeChat's answer to a query of an order, sealed, since it names the payer. `refused_no`: the refund whose refusal
 * led to the question, so that the same word, heard before for another reason, is looked at anew.
 */
export async function archiveQueryAnswer(
  context: ActivityContext,
  order: OrderKey,
  answer: OrderQueryResult & { kind: 'found' },
  refused_no: string | null = null,
): Promise<EvidenceRecord> {
  const fact = paymentFact(answer.transaction)
  const { transaction_id } = fact
  const first_id = evidenceId.query(order.mchid, order.out_trade_no, fact.trade_state, transaction_id)
  const _id = refused_no === null ? first_id : evidenceId.afterRefusal(first_id, refused_no)
  return await archiveAnswer(context, envelopeText(answer.raw), {
    _id,
    mchid: order.mchid,
    subject: 'payment',
    out_trade_no: order.out_trade_no,
    transaction_id,
    out_refund_no: refused_no,
    verdict: fact.mchid === order.mchid ? 'verified' : 'foreign_mchid',
    serial_no: answer.raw.headers['wechatpay-serial'] ?? null,
    body: answer.raw.body,
  })
}

/**
 * Keeps WeChat's answer about a payment that a line of a bill led to. What finds the payment is the line; what proves it
 * is the answer, which is signed and names all that a booking needs.
 */
export async function archiveBillAnswer(
  context: ActivityContext,
  mchid: string,
  answer: OrderQueryResult & { kind: 'found' },
): Promise<EvidenceRecord> {
  const fact = paymentFact(answer.transaction)
  const { transaction_id, out_trade_no } = fact
  const _id = evidenceId.billLine(mchid, transaction_id ?? '-', fact.trade_state)
  const kept = {
    _id,
    mchid,
    subject: 'payment',
    out_trade_no,
    transaction_id,
    verdict: fact.mchid === mchid ? 'verified' : 'foreign_mchid',
    serial_no: answer.raw.headers['wechatpay-serial'] ?? null,
    body: answer.raw.body,
  } as const
  return await archiveAnswer(context, envelopeText(answer.raw), kept, 'bill_line')
}

/** Keeps that neither host of WeChat's knows a payment that is booked here: unsigned, and the verdict says so. */
export async function archiveUnknownTransaction(
  context: ActivityContext,
  payment: { mchid: string; out_trade_no: string | null; transaction_id: string },
  { raw }: OrderQueryResult & { kind: 'not_found' },
): Promise<EvidenceRecord> {
  const { mchid, out_trade_no, transaction_id } = payment
  const said = JSON.stringify([raw])
  const _id = evidenceId.billLine(mchid, transaction_id, 'ORDER_NOT_EXIST')
  const about = { _id, mchid, subject: 'payment', out_trade_no, transaction_id } as const
  return await archiveAnswer(context, said, { ...about, verdict: 'unsigned', body: said }, 'bill_line')
}

type ArchivedAnswer = Omit<Parameters<typeof newEvidence>[0], 'kind' | 'raw' | 'receive_time' | 'unapplied'>

/**
 * Keeps what WeChat answered to a query, `said`, under seal. The same answer again is the same evidence; one that decides
 * otherwise is evidence of its own, or what was said wrongly once would be read for ever; and so is any where the seal of
 * the first is broken.
 */
async function archiveAnswer(
  context: ActivityContext,
  said: string,
  answer: ArchivedAnswer,
  kind: 'query' | 'bill_line' = 'query',
): Promise<EvidenceRecord> {
  const raw = context.sealer.seal(said, rawPlace(answer))
  const kept = { kind, raw, receive_time: beijingTime(context.now()), unapplied: true } as const
  const record = newEvidence({ ...answer, ...kept })
  const words = decisiveWords(context, record)
  const isRepeat = (first: EvidenceRecord) => openedUnlessBroken(() => decisiveWords(context, first)) === words
  return (await context.store.evidence.archive(record, isRepeat)).evidence
}

/** What of an answer decides, as one text, beside what its id names; of one that is unsigned nothing. */
function decisiveWords({ sealer }: ActivityContext, evidence: EvidenceRecord): string | null {
  if (evidence.verdict === 'unsigned' || !('sealed' in evidence.raw)) return null
  const { body } = JSON.parse(sealer.open(evidence.raw, rawPlace(evidence))) as Envelope
  if (evidence.subject === 'refund') {
    const refund = readRefund(body)
    return refund && JSON.stringify([refund.transaction_id, refund.amount.refund, refund.amount.currency])
  }
  const transaction = readTransaction(body)
  const fact = transaction && paymentFact(transaction)
  return fact && JSON.stringify([fact.mchid, fact.appid, fact.success_time, fact.amount?.total, fact.amount?.currency])
}

function envelopeText({ headers, body }: Envelope): string {
  return JSON.stringify({ headers, body } satisfies Envelope)
}

/** Keeps that WeChat does not know a number, with what each host said: none of it is signed, and the verdict says so. */
export async function archiveUnknownNumber(
  context: ActivityContext,
  order: OrderKey,
  answers: (OrderQueryResult & { kind: 'not_found' })[],
): Promise<EvidenceRecord> {
  const said = JSON.stringify(answers.map(({ raw }) => raw))
  const _id = evidenceId.query(order.mchid, order.out_trade_no, 'ORDER_NOT_EXIST', null)
  return await archiveAnswer(context, said, {
    _id,
    mchid: order.mchid,
    subject: 'payment',
    out_trade_no: order.out_trade_no,
    verdict: 'unsigned',
    body: said,
  })
}

/**
 * Keeps a notification that came while the database was away and travelled in a signal. Verified anew, at the moment
 * its own signature names: that it was fresh then was proven at the door. Null: it proves nothing about `subject`.
 */
export async function archiveEnvelope(
  context: ActivityContext,
  mchid: string,
  envelope: Envelope,
  subject: EvidenceRecord['subject'],
): Promise<EvidenceRecord | null> {
  const account = await context.accounts.find(mchid)
  if (account === null) throw new Error(`merchant ${mchid} has no usable WeChat set-up; a notification waits for it`)
  const signed_time = Number(envelope.headers['wechatpay-timestamp']) * 1000
  const read = account.read({ headers: envelope.headers, body: Buffer.from(envelope.body) }, signed_time)
  if (read.verdict !== 'verified' || read.subject !== subject) return null
  const _id = evidenceId.notification(mchid, read.notification_id)
  const { evidence, other_than } = await context.store.evidence.archive(
    newEvidence({
      _id,
      mchid,
      kind: 'notification',
      subject,
      out_trade_no: read.fact.out_trade_no,
      transaction_id: read.fact.transaction_id,
      out_refund_no: read.subject === 'refund' ? read.fact.out_refund_no : null,
      serial_no: read.serial_no,
      body: envelope.body,
      raw: envelope,
      receive_time: beijingTime(signed_time),
      unapplied: true,
    }),
  )
  if (other_than !== undefined) {
    const ids = { evidence_id: evidence.id, other_evidence_id: other_than.id }
    context.log.error('one notification id came with two contents', { mchid, ...ids })
    await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', beijingTime(context.now()))
  }
  return evidence
}

/**
 * What a piece of evidence says of a payment, read anew from its bytes (architecture §4.5): a notification's signature
 * is verified once more, a query's answer was when it came and has been sealed since. Null: it says nothing we may book.
 */
export async function readPaymentFact(context: ActivityContext, evidence: EvidenceRecord): Promise<PaymentFact | null> {
  if (evidence.verdict !== 'verified' || evidence.subject !== 'payment') return null
  const fact = await readFact(context, evidence)
  if (fact?.has_unread_promotions) await flagUnreadPromotion(context, evidence)
  return fact
}

/** The amount that settles is booked without what nobody understood: said before it is, and only until it is. */
async function flagUnreadPromotion({ store, now, log }: ActivityContext, evidence: EvidenceRecord): Promise<void> {
  const { mchid, out_trade_no, transaction_id, unapplied } = evidence
  if (!unapplied) return
  log.error('a promotion of a payment cannot be read', {
    mchid,
    out_trade_no,
    transaction_id,
    evidence_id: evidence.id,
  })
  await store.merchants.noteAttention(mchid, 'promotion_unreadable', beijingTime(now()))
}

async function readFact(context: ActivityContext, evidence: EvidenceRecord): Promise<PaymentFact | null> {
  if (evidence.kind === 'notification') return await readNotifiedPayment(context, evidence)
  const is_answer = evidence.kind === 'query' || evidence.kind === 'bill_line'
  if (!is_answer || !('sealed' in evidence.raw)) return null
  const { body } = JSON.parse(context.sealer.open(evidence.raw, rawPlace(evidence))) as Envelope
  const transaction = readTransaction(body)
  return transaction && paymentFact(transaction)
}

async function readNotifiedPayment(context: ActivityContext, evidence: EvidenceRecord): Promise<PaymentFact | null> {
  const read = await readNotified(context, evidence)
  return read?.subject === 'payment' ? read.fact : null
}

/** What a notification says of a refund, verified once more. Null: it says nothing. It decides nothing: WeChat is asked. */
export async function readNotifiedRefund(
  context: ActivityContext,
  evidence: EvidenceRecord,
): Promise<RefundFact | null> {
  const read = await readNotified(context, evidence)
  return read?.subject === 'refund' ? read.fact : null
}

async function readNotified(context: ActivityContext, evidence: EvidenceRecord) {
  if (!('body' in evidence.raw)) return null
  const account = await context.accounts.find(evidence.mchid)
  if (account === null) return null
  const { headers, body } = evidence.raw
  const signed_time = Number(headers['wechatpay-timestamp']) * 1000
  const read = account.read({ headers, body: Buffer.from(body) }, signed_time)
  return read.verdict === 'verified' ? read : null
}

/** Keeps WeChat's answer about a refund. */
export async function archiveRefundAnswer(
  context: ActivityContext,
  { mchid, out_refund_no }: RefundKey,
  { refund, raw }: WeChatRefundAnswer,
): Promise<EvidenceRecord> {
  const _id = evidenceId.refundQuery(mchid, out_refund_no, refundStanding(refund), refund.refund_id)
  return await archiveAnswer(context, envelopeText(raw), {
    _id,
    mchid,
    subject: 'refund',
    out_trade_no: refund.out_trade_no,
    transaction_id: refund.transaction_id,
    out_refund_no,
    serial_no: raw.headers['wechatpay-serial'] ?? null,
    body: raw.body,
  })
}

/**
 * What an answer about a refund says, read anew from its bytes, and when it was first heard. Throws when there is no such
 * evidence.
 */
export async function readRefundAnswer(
  context: ActivityContext,
  evidence_id: string,
): Promise<{ refund: WeChatRefund; receive_time: Time }> {
  const evidence = await context.store.evidence.find(evidence_id)
  if (evidence === null || !('sealed' in evidence.raw)) throw new Error(`evidence ${evidence_id} is no refund’s answer`)
  const { body } = JSON.parse(context.sealer.open(evidence.raw, rawPlace(evidence))) as Envelope
  const refund = readRefund(body)
  if (refund === null) throw new Error(`evidence ${evidence_id} cannot be read as a refund`)
  return { refund, receive_time: evidence.receive_time }
}
