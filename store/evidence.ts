import { createHash } from 'node:crypto'
import { Schema } from 'mongoose'
import type { Time } from '../domain/calendar.ts'
import type { EvidenceKind, EvidenceOutcome, EvidenceRecord } from '../domain/payment/evidence.ts'
import { createBatcher } from './batcher.ts'
import { Collection } from './collection.ts'
import type { Filter, Insertion, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { publicId } from './ids.ts'
import { recordSchema } from './record.ts'
import { openedUnlessBroken, sealPlace } from './sealer.ts'
import type { ResealedPage, Sealer } from './sealer.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  kind: String,
  subject: String,
  out_trade_no: String,
  transaction_id: String,
  out_refund_no: String,
  verdict: String,
  serial_no: String,
  body_sha256: String,
  raw: Schema.Types.Mixed,
  receive_time: Date,
  unapplied: Boolean,
  outcome: String,
  applied_time: Date,
  applied_to: String,
  repeats: Number,
})
schema.index({ id: 1 })
schema.index({ mchid: 1, out_trade_no: 1 })
schema.index({ receive_time: 1 }, { partialFilterExpression: { unapplied: true } })

/** What the sweeper looks for. Money nobody ordered and refunds are looked at on their own, at their own pace. */
export interface UnappliedFilter {
  received_before: Time
  received_after?: Time | undefined
  /** `null`: not set yet; `orphan`: found to belong to no order so far; absent: both */
  outcome?: 'orphan' | null | undefined
  subject?: 'payment' | 'refund' | undefined
  kind?: EvidenceKind | readonly EvidenceKind[] | undefined
  limit: number
}

export interface ArchiveResult {
  inserted: boolean
  evidence: EvidenceRecord
  /** what had this id before, and speaks of something else */
  other_than?: EvidenceRecord
}

/** As much of a notification as a report counts. */
export type HeardNotification = Pick<EvidenceRecord, 'transaction_id' | 'receive_time' | 'repeats'>

const most_of_order = 1_000

/** What a piece of evidence must say for itself; the numbers that it names, and how it stands, where they are not blank. */
export type GivenEvidence = Pick<EvidenceRecord, '_id' | 'mchid' | 'kind' | 'subject' | 'raw' | 'receive_time'> &
  Partial<Pick<EvidenceRecord, 'out_trade_no' | 'transaction_id' | 'out_refund_no' | 'verdict' | 'serial_no'>> &
  Partial<Pick<EvidenceRecord, 'unapplied' | 'outcome' | 'applied_time'>> & { body: string | Buffer }

/** Makes an EvidenceRecord of what was heard; `body` is what its SHA-256 is taken of. Without `unapplied` no run gets it. */
export function newEvidence({ body, ...given }: GivenEvidence): EvidenceRecord {
  return {
    id: publicId('evd', given._id),
    out_trade_no: null,
    transaction_id: null,
    out_refund_no: null,
    verdict: 'verified',
    serial_no: null,
    body_sha256: createHash('sha256').update(body).digest('hex'),
    outcome: null,
    applied_time: null,
    applied_to: null,
    ...given,
  }
}

/**
 * By the numbers alone: WeChat may encrypt a message anew when it repeats it, and then its bytes are others too. Only a
 * notification has an id that somebody else gave it; all others are named by their numbers.
 */
function isSameMessage(one: EvidenceRecord, other: EvidenceRecord): boolean {
  const numbers = ['out_trade_no', 'transaction_id', 'out_refund_no'] as const
  return one.kind !== 'notification' || numbers.every((number) => one[number] === other[number])
}

const resealed_at_once = 500

/**
 * Names the place that the raw bytes of evidence are sealed for. Evidence that is kept beside another under one id has
 * its bytes' digest behind that id; it was sealed before anybody knew that, so the digest is left out here.
 */
export function rawPlace({ _id, body_sha256 = '' }: { _id: string; body_sha256?: string }): string {
  const beside = `/${body_sha256}`
  const first_id = body_sha256 !== '' && _id.endsWith(beside) ? _id.slice(0, -beside.length) : _id
  return sealPlace('evidence', first_id, 'raw')
}

/** The evidence, as it came and from whom: written before anything is done about it, and never changed. */
export class Evidence {
  readonly #evidence: Collection<EvidenceRecord>
  /** What comes together is archived together; each arrival is answered only when it is durable itself. */
  readonly #insertOrFind: (record: EvidenceRecord) => Promise<Insertion<EvidenceRecord>>

  constructor(connections: Connections) {
    const evidence = new Collection<EvidenceRecord>(connections, 'evidence', schema)
    this.#evidence = evidence
    this.#insertOrFind = createBatcher({
      run: (records) => evidence.insertOrFindEach(records),
      laneOf: ({ mchid }) => mchid,
    })
  }

  /**
   * Decides which of several arrivals of one message counts: the first; all are answered with what it left. A notification
   * that comes under a known id and names other numbers is another message, whatever an id promises, and so is what
   * `isRepeat` denies, be it the same bytes: it is kept beside the first, by its bytes, and answered with `other_than`.
   */
  async archive(
    record: EvidenceRecord,
    isRepeat = (first: EvidenceRecord) => record.body_sha256 === first.body_sha256 || isSameMessage(record, first),
  ): Promise<ArchiveResult> {
    const first = await this.#keep(record)
    if (first.inserted || isRepeat(first.evidence)) return first
    const _id = `${record._id}/${record.body_sha256}`
    const beside = await this.#keep({ ...record, _id, id: publicId('evd', _id) })
    return { ...beside, other_than: first.evidence }
  }

  async #keep(record: EvidenceRecord): Promise<ArchiveResult> {
    const answer = await this.#insertOrFind(record)
    return answer.inserted ? { inserted: true, evidence: record } : { inserted: false, evidence: answer.existing }
  }

  /**
   * Seals raw bytes anew where the newest master key did not seal them: a few hundred records from behind `after`, in the
   * order of `_id`.
   */
  async resealSome(sealer: Sealer, after: string): Promise<ResealedPage> {
    const page = { limit: resealed_at_once, sort: { _id: 1 } as const }
    const found = await this.#evidence.scan({ _id: { $gt: after }, 'raw.sealed': { $exists: true } }, page)
    let changed = 0
    const broken: string[] = []
    for (const evidence of found) {
      const { _id, raw } = evidence
      const place = rawPlace(evidence)
      if (!('sealed' in raw) || sealer.isFresh(raw, place)) continue
      const opened = openedUnlessBroken(() => sealer.open(raw, place))
      if (opened === null) {
        broken.push(place)
        continue
      }
      const is_as_read = { _id, 'raw.sealed': raw.sealed }
      await this.#evidence.update(is_as_read, { $set: { raw: sealer.seal(opened, place) } })
      changed += 1
    }
    return { changed, broken, last: found.length < resealed_at_once ? null : (found.at(-1)?._id ?? null) }
  }

  /** By the full `_id`, which begins with the mchid. */
  async find(_id: string): Promise<EvidenceRecord | null> {
    return this.#evidence.findOne({ _id })
  }

  async findPublic(mchid: string, id: string): Promise<EvidenceRecord | null> {
    return this.#evidence.findOne({ mchid, id })
  }

  /** What was said about an order number, newest first by receive_time. */
  async list(mchid: string, out_trade_no: string, page: PageRequest): Promise<Page<EvidenceRecord>> {
    return this.#evidence.page({ mchid, out_trade_no }, 'receive_time', page)
  }

  /** All evidence about an order, oldest first. */
  async ofOrder(mchid: string, out_trade_no: string): Promise<EvidenceRecord[]> {
    return this.#evidence.find({ mchid, out_trade_no }, { limit: most_of_order, sort: { receive_time: 1, _id: 1 } })
  }

  /**
   * Says what the evidence had as its effect, once: the first outcome stands, and a repeat changes nothing. An orphan
   * stays unapplied, for its order may still come; so `orphan` alone gives way to a later outcome. Answers the evidence
   * as it now stands, or null when there is none.
   */
  async recordOutcome(
    _id: string,
    { outcome, applied_to, time }: { outcome: EvidenceOutcome; applied_to: string | null; time: Time },
  ): Promise<EvidenceRecord | null> {
    const written =
      outcome === 'orphan'
        ? await this.#evidence.updateAndReturn({ _id, outcome: null }, { $set: { outcome } })
        : await this.#evidence.updateAndReturn(
            { _id, outcome: { $in: [null, 'orphan'] } },
            { $set: { outcome, applied_to, applied_time: time }, $unset: { unapplied: 1 } },
          )
    return written ?? (await this.find(_id))
  }

  /** Evidence without an effect so far, oldest first: for the sweeper, over all merchants. */
  async findUnapplied({
    received_before,
    received_after,
    outcome,
    subject,
    kind,
    limit,
  }: UnappliedFilter): Promise<EvidenceRecord[]> {
    const filter: Filter = {
      unapplied: true,
      receive_time: { $lt: received_before, ...(received_after !== undefined && { $gt: received_after }) },
      ...(outcome !== undefined && { outcome }),
      ...(subject !== undefined && { subject }),
      ...(kind !== undefined && { kind: { $in: [kind].flat() } }),
    }
    return this.#evidence.find(filter, { limit, sort: { receive_time: 1 } })
  }

  /** Money of a merchant that was reported for numbers Weft does not know and that is not booked yet, oldest first. */
  async findOrphans(mchid: string, limit: number): Promise<EvidenceRecord[]> {
    const filter = { mchid, unapplied: true, outcome: 'orphan' }
    return this.#evidence.scan(filter, { limit, sort: { receive_time: 1 } })
  }

  /** Notifications of payments under these numbers: whose they are and when they came. */
  async notificationsOf(mchid: string, numbers: readonly string[], limit: number): Promise<HeardNotification[]> {
    const wanted = { mchid, out_trade_no: { $in: [...numbers] }, kind: 'notification', subject: 'payment' }
    return this.#evidence.scan(wanted, { limit, fields: ['transaction_id', 'receive_time', 'repeats'] })
  }

  /** Counts an arrival of a message that is kept already. Bookkeeping: nothing depends on it. */
  async noteRepeat(_id: string): Promise<void> {
    await this.#evidence.update({ _id }, { $inc: { repeats: 1 } })
  }

  /** The evidence under these numbers, without its bodies. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<Omit<EvidenceRecord, 'raw'>[]> {
    const fields = Object.keys(schema.obj).filter((field) => field !== 'raw')
    return this.#evidence.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit, fields })
  }

  async ensureIndexes(): Promise<void> {
    await this.#evidence.ensureIndexes()
  }
}
