import { createHash } from 'node:crypto'
import type { Router } from '@koa/router'
import getRawBody from 'raw-body'
import type { AttentionCode } from '../../domain/attention.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { evidenceId, mchid_pattern, operationId, orderId, unknown_order } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { PaymentFound } from '../../domain/messages.ts'
import type { Envelope, EvidenceRecord } from '../../domain/payment/evidence.ts'
import type { PaymentFact } from '../../domain/payment/fact.ts'
import { limits } from '../../domain/policy.ts'
import { newEvidence } from '../../store/evidence.ts'
import type { WeChatAccount } from '../../wechat/accounts.ts'
import type { NotificationVerdict, ReceivedNotification } from '../../wechat/notification.ts'
import type { ApiContext } from '../http/context.ts'
import { exactRouter } from '../http/router.ts'
import { createOutageLog } from '../../runtime/outage.ts'
import type { OutageLog } from '../../runtime/outage.ts'
import { createHandovers } from './handover.ts'
import type { Handovers } from './handover.ts'
import { RejectionWatch } from './rejections.ts'

/** The answer to a notification. 204: it is durable in at least one place. Anything else: WeChat Pay sends it again. */
type Acknowledgement = { status: 204 | 401 | 404 | 413 | 500; result: string }

/** What one intake works with, and what it keeps in mind between notifications. */
interface IntakeContext extends ApiContext {
  rejections: RejectionWatch
  sayOutage: OutageLog
  handovers: Handovers
}

type NodeHeaders = Record<string, string | string[] | undefined>
type UsableNotification = Extract<NotificationVerdict, { verdict: 'verified' }>
type UnusableNotification = Extract<NotificationVerdict, { verdict: 'undecipherable' | 'foreign_mchid' }>

/**
 * The attention for each reason why a verified notification cannot be used. Only a wrong APIv3 key lasts until a person
 * acts.
 */
const unusable_attention = {
  key: 'decryption_failing',
  envelope: 'notification_unreadable',
  plaintext: 'notification_unreadable',
  unknown_subject: 'notification_unreadable',
  foreign: 'foreign_notification',
} as const satisfies Record<string, AttentionCode>

/**
 * `POST /wechat/notify/:mchid` receives WeChat Pay's notifications (architecture §7): it verifies, archives and hands
 * them over. It decides nothing, and acknowledges nothing before it is durable somewhere.
 */
export function intakeRouter(api_context: ApiContext): Router {
  const router = exactRouter()
  const handovers = createHandovers(api_context)
  const rejections = new RejectionWatch(api_context)
  const context: IntakeContext = { ...api_context, rejections, handovers, sayOutage: createOutageLog(api_context.now) }
  // Orders that were placed with a slash at the end of their notify address are told of there.
  router.post(['/wechat/notify/:mchid', '/wechat/notify/:mchid/'], async (request) => {
    const end = context.metrics.acknowledgements.startTimer()
    const acknowledgement = await receiveNotification(context, request.params.mchid ?? '', request.req.headers, () =>
      getRawBody(request.req, {
        limit: limits.notification_body_bytes,
        length: request.req.headers['content-length'] ?? null,
      }),
    )
    request.status = acknowledgement.status
    if (acknowledgement.status !== 204) request.body = { code: 'FAIL', message: '失败' }
    context.metrics.notifications.inc({ result: acknowledgement.result })
    end({ status: String(acknowledgement.status) })
  })
  return router
}

async function receiveNotification(
  context: IntakeContext,
  mchid: string,
  headers: NodeHeaders,
  readBody: () => Promise<Buffer>,
): Promise<Acknowledgement> {
  const { rejections } = context
  if (!mchid_pattern.test(mchid)) return { status: 404, result: 'unknown_merchant' }
  let body: Buffer
  try {
    body = await readBody()
  } catch (error) {
    const is_too_large = error instanceof Error && 'type' in error && error.type === 'entity.too.large'
    // Cut short, or of another length than it said: anyone can send that, and a 500 is what operators are alarmed by.
    return is_too_large ? { status: 413, result: 'too_large' } : { status: 400, result: 'unread' }
  }
  let account: WeChatAccount | null
  try {
    account = await context.accounts.find(mchid)
  } catch (error) {
    if (rejections.mayLog(mchid, 'not_loaded'))
      context.log.error('a notification came while no key of its merchant was loaded', { mchid, error })
    return { status: 500, result: 'no_key' }
  }
  if (account === null) return { status: 404, result: 'unknown_merchant' }
  const read = await readWithFirstKey(context, account, { headers, body })
  switch (read.verdict) {
    case 'rejected':
      rejections.noteRejected(mchid, read, headers, body)
      return { status: 401, result: read.reason }
    case 'no_key':
      if (rejections.mayLog(mchid, 'no_key'))
        context.log.error('a notification came while no key of WeChat Pay was loaded', { mchid })
      return { status: 500, result: 'no_key' }
    case 'undecipherable':
    case 'foreign_mchid':
      rejections.noteRaised(mchid)
      return await keepUnusable(context, mchid, headers, body, read)
    case 'verified':
      rejections.noteVerified(mchid)
      return await handOverNotification(context, mchid, headers, body, read)
  }
}

/**
 * Reads a notification. When the merchant's key ring is still empty, waits for the download that the first reading
 * began and reads again: the only wait for WeChat Pay on this path, short enough to answer in time (docs/wechat-pay.md
 * §4.5).
 */
async function readWithFirstKey(
  { now }: ApiContext,
  account: WeChatAccount,
  received: ReceivedNotification,
): Promise<NotificationVerdict> {
  const read = account.read(received, now())
  if (read.verdict !== 'no_key') return read
  const has_come = await account.client.keyring.refresh(AbortSignal.timeout(limits.first_key_wait_ms))
  return has_come ? account.read(received, now()) : read
}

/**
 * Keeps a verified notification that cannot be used, raw, for a person. 500, so that it comes again once the key is
 * right.
 */
async function keepUnusable(
  context: IntakeContext,
  mchid: string,
  headers: NodeHeaders,
  body: Buffer,
  read: UnusableNotification,
): Promise<Acknowledgement> {
  // An id of its own: the same notification must be archived as verified once it can be read.
  const _id = evidenceId.notification(mchid, `${read.verdict}:${read.notification_id ?? sha256(body)}`)
  const time = beijingTime(context.now())
  const reason = read.verdict === 'undecipherable' ? read.reason : 'foreign'
  const { notification_id, event_type } = read
  const named = read.verdict === 'foreign_mchid' ? { named_mchid: read.mchid } : {}
  // Whoever has one such message may repeat it for as long as its signature lives.
  const may_log = context.rejections.mayLog(mchid, `unusable ${reason}`)
  if (may_log)
    context.log.error('a verified notification cannot be used', {
      mchid,
      reason,
      notification_id,
      event_type,
      ...named,
    })
  try {
    // What verifies and does not decrypt may be another merchant's: the key is wrong only if ours are missing.
    if (reason !== 'key' || (await context.rejections.areGenuineMissing(mchid)))
      await raiseAttention(context, mchid, unusable_attention[reason], _id)
    await context.store.evidence.archive(
      newEvidence({
        _id,
        mchid,
        kind: 'notification',
        subject: read.verdict === 'foreign_mchid' ? read.subject : 'payment',
        verdict: read.verdict,
        serial_no: read.serial_no ?? null,
        body,
        raw: envelopeOf(headers, body),
        receive_time: time,
        ...(read.verdict === 'foreign_mchid' && { outcome: 'foreign' as const, applied_time: time }),
      }),
    )
  } catch (error) {
    if (may_log) context.log.error('an unusable notification was not kept', { mchid, error })
  }
  return { status: 500, result: read.verdict }
}

/**
 * Raises attention before the notification is kept, so that whatever is kept has raised it: its repeats, which come for
 * a day, then do not raise again what a person has resolved. Only a wrong key is raised by each repeat.
 */
async function raiseAttention(
  { store, now }: ApiContext,
  mchid: string,
  code: AttentionCode,
  evidence_id: string,
): Promise<void> {
  if (code !== 'decryption_failing' && (await store.evidence.find(evidence_id)) !== null) return
  await store.merchants.noteAttention(mchid, code, beijingTime(now()))
}

/**
 * Archives the notification, links it when the record shows its payment already, else signals the run (architecture §7,
 * steps 3 to 6). Either the database or Temporal may be away: the other one makes it durable, and so the 204 true.
 */
async function handOverNotification(
  context: IntakeContext,
  mchid: string,
  headers: NodeHeaders,
  body: Buffer,
  read: UsableNotification,
): Promise<Acknowledgement> {
  const key = keyOf(mchid, read)
  const envelope = envelopeOf(headers, body)
  let evidence: EvidenceRecord
  try {
    evidence = await archiveEvidence(context, envelope, body, read)
  } catch (error) {
    context.sayOutage(context.log, 'the database is away; the notification travels in a signal', { ...key, error })
    return await handOverEnvelope(context, read, envelope)
  }
  try {
    if (hadEffect(evidence)) return { status: 204, result: 'duplicate' }
    const known = read.subject === 'payment' ? await applyFromRecord(context, key, read, evidence) : null
    if (known !== null) return known
  } catch (error) {
    context.sayOutage(context.log, 'the record could not be read; the run will', { ...key, error })
  }
  // 204 even if the signal failed: the evidence is durable, and the sweeper hands over what had no effect.
  const is_taken = await signalRun(context, read, { evidence_id: evidence._id })
  if (!is_taken) context.handovers.keep(evidence._id, () => handOverLater(context, read, evidence._id))
  return { status: 204, result: is_taken ? 'handed_over' : 'archived' }
}

/** Signals the run, unless a query or the sweeper has come first meanwhile. False: Temporal did not take it again. */
async function handOverLater(context: ApiContext, read: UsableNotification, evidence_id: string): Promise<boolean> {
  const evidence = await context.store.evidence.find(evidence_id).catch(() => null)
  if (evidence !== null && hadEffect(evidence)) return true
  return await signalRun(context, read, { evidence_id })
}

/** An orphan had none: its order may only be late. */
function hadEffect({ outcome }: EvidenceRecord): boolean {
  return outcome !== null && outcome !== 'orphan'
}

/** Links evidence of money that the record knows already, which needs no run. Null: it must be handed over. */
async function applyFromRecord(
  context: ApiContext,
  key: OrderKey,
  read: UsableNotification & { subject: 'payment' },
  evidence: EvidenceRecord,
): Promise<Acknowledgement | null> {
  const { store, now, log } = context
  const order = await store.orders.findTogether(key)
  const time = beijingTime(now())
  if (order === null) {
    log.error('money was reported for a number that Weft does not know', { ...key, evidence_id: evidence.id })
    await store.evidence.recordOutcome(evidence._id, { outcome: 'orphan', applied_to: null, time })
    await store.merchants.noteAttention(key.mchid, 'orphan_payment', time)
    return { status: 204, result: 'orphan' }
  }
  const operation_id = operationId.payment(read.fact.transaction_id ?? '')
  if (!order.timeline.some((entry) => entry.operation_id === operation_id)) return null
  await compareWithBooked(context, key, read.fact, evidence)
  await store.evidence.recordOutcome(evidence._id, { outcome: 'linked', applied_to: orderId(key), time })
  return { status: 204, result: 'linked' }
}

/** Raises attention when a statement contradicts what was booked of the same money. What was booked stays. */
async function compareWithBooked(
  { store, now, log }: ApiContext,
  { mchid, out_trade_no }: OrderKey,
  { transaction_id, amount }: PaymentFact,
  evidence: EvidenceRecord,
): Promise<void> {
  const payment = await store.payments.find(mchid, transaction_id ?? '')
  if (payment === null || amount === null) return
  if (amount.total === payment.amount.total && amount.currency === payment.amount.currency) return
  const ids = { mchid, out_trade_no, transaction_id, evidence_id: evidence.id }
  log.error('a payment that is booked was reported with another amount', ids)
  await store.merchants.noteAttention(mchid, 'evidence_unapplied', beijingTime(now()))
}

/**
 * Sends the envelope in the signal when the database is away: the workflow archives it first. Too large: 500, it comes
 * again.
 */
async function handOverEnvelope(
  context: ApiContext,
  read: UsableNotification,
  envelope: Envelope,
): Promise<Acknowledgement> {
  const is_small = Buffer.byteLength(JSON.stringify(envelope)) <= limits.envelope_bytes
  if (!is_small) return { status: 500, result: 'database_away' }
  const is_taken = await signalRun(context, read, { envelope })
  return is_taken ? { status: 204, result: 'travelling' } : { status: 500, result: 'both_away' }
}

/**
 * Signals the run that the evidence concerns: the order's, or the refund's, also of a refund that Weft did not make.
 */
async function signalRun({ commands }: ApiContext, read: UsableNotification, found: PaymentFound): Promise<boolean> {
  const { mchid, fact, subject } = read
  const key = keyOf(mchid, read)
  if (subject === 'payment') return await commands.signalPaymentFound(key, found)
  return await commands.signalRefundChanged({ ...key, out_refund_no: fact.out_refund_no }, found)
}

function keyOf(mchid: string, { fact }: UsableNotification): OrderKey {
  return { mchid, out_trade_no: fact.out_trade_no ?? unknown_order }
}

/** Raises attention when one notification id came with two contents. Both are handed over as any other evidence. */
async function archiveEvidence(
  { store, log, now }: ApiContext,
  envelope: Envelope,
  body: Buffer,
  read: UsableNotification,
): Promise<EvidenceRecord> {
  const _id = evidenceId.notification(read.mchid, read.notification_id)
  const time = beijingTime(now())
  const { inserted, evidence, other_than } = await store.evidence.archive(
    newEvidence({
      _id,
      mchid: read.mchid,
      kind: 'notification',
      subject: read.subject,
      out_trade_no: read.fact.out_trade_no,
      transaction_id: read.fact.transaction_id,
      out_refund_no: read.subject === 'refund' ? read.fact.out_refund_no : null,
      serial_no: read.serial_no,
      body,
      raw: envelope,
      receive_time: time,
      unapplied: true,
    }),
  )
  if (!inserted)
    store.evidence.noteRepeat(evidence._id).catch((error: unknown) => log.debug('a repeat was not counted', { error }))
  if (other_than !== undefined) {
    const ids = { evidence_id: evidence.id, other_evidence_id: other_than.id }
    log.error('one notification id came with two contents', { ...keyOf(read.mchid, read), ...ids })
    await store.merchants.noteAttention(read.mchid, 'evidence_unapplied', time)
  }
  return evidence
}

function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex')
}

/** The headers that prove, and the body as it came, still encrypted. */
function envelopeOf(headers: NodeHeaders, body: Buffer): Envelope {
  const kept = Object.entries(headers).filter(
    (header): header is [string, string] => header[0].startsWith('wechatpay-') && typeof header[1] === 'string',
  )
  return { headers: Object.fromEntries(kept), body: body.toString('utf8') }
}
