import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { damage_texts } from '../../../domain/bill/damage.ts'
import { newReconciliation } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import type { BillType } from '../../../domain/bill/row.ts'
import { billId, differenceId } from '../../../domain/ids.ts'
import { publicId } from '../../../store/ids.ts'
import type { Store } from '../../../store/store.ts'
import { mchid } from '../../store/samples.ts'

/** An original's damage of every form. */
export const damage_samples = {
  piece_gone: damage_texts.piece_gone(3, 21),
  other_hash: damage_texts.other_hash('a'.repeat(40), null),
  not_compressed: damage_texts.not_compressed('incorrect header check'),
  known_since: damage_texts.known_since('2026-11-23T12:00:00.000+08:00'),
} satisfies Record<keyof typeof damage_texts, string>

export const bill_date = '2026-11-22'
export const day = { mchid, bill_date }
const fetch_time = '2026-11-23T10:30:00.000+08:00'

/** Keeps a file as a fetch would: compressed, in pieces of `piece` bytes. */
export async function keepBill(
  store: Store,
  { type, version = 1, bytes, piece = 1_000, date = bill_date, byte_count = bytes?.length ?? 0 }: KeptFile,
): Promise<BillRecord> {
  const of_day = { mchid, bill_date: date }
  const parts_key = `${mchid}/${date}/${type}/${randomBytes(4).toString('hex')}`
  const packed = bytes === null ? Buffer.alloc(0) : gzipSync(bytes)
  let part_count = 0
  for (let at = 0; at < packed.length; at += piece, part_count += 1)
    await store.bills.putPart(parts_key, part_count, packed.subarray(at, at + piece))
  const sha1 = bytes === null ? null : createHash('sha1').update(bytes).digest('hex')
  const bill: BillRecord = {
    _id: billId(of_day, type, version),
    ...of_day,
    type,
    version,
    state: bytes === null ? 'none' : 'ready',
    hash_value: sha1,
    plain_sha1: sha1,
    byte_count,
    part_count,
    parts_key,
    fetch_time,
  }
  await store.bills.add(bill)
  return bill
}

interface KeptFile {
  type: BillType
  version?: number
  /** null: WeChat said that there was no trade */
  bytes: Buffer | null
  piece?: number
  date?: string
  /** another than it has */
  byte_count?: number
}

/** A day of two payments and a refund on each side, all of them agreed, unless `given` says otherwise. */
export function daySample(given: Partial<ReconciliationRecord> = {}): ReconciliationRecord {
  const date = given.bill_date ?? bill_date
  const sums = { payment_count: 2, payment_amount: 1_980, refund_count: 1, refund_amount: 990 }
  const counts = { all: 3, matched: 3, waiting: 0, different: 0, foreign: 0, malformed: 0 }
  return {
    ...newReconciliation({ mchid, bill_date: date }, '2026-11-23T10:30:00.000+08:00', 'look'),
    state: 'balanced',
    end_time: '2026-11-23T10:30:05.000+08:00',
    versions: { trade: 1, fundflow: 1 },
    rows: counts,
    records: counts,
    wechat: sums,
    weft: sums,
    balance: { opening: 100_000, closing: 100_984 },
    fees: { charged: 11_880, returned: -5_940, expected: null, under: 0, over: 0 },
    foreign: { payment_count: 0, payment_amount: 0, refund_count: 0, refund_amount: 0 },
    is_proven: true,
    ...given,
  }
}

export function differenceSample(given: Partial<DifferenceRecord> = {}): DifferenceRecord {
  const kind = given.kind ?? 'missing_here'
  const transaction_id = given.transaction_id ?? '4200000000000000000000000001'
  const _id = differenceId({ mchid, bill_date: given.bill_date ?? bill_date }, kind, transaction_id)
  return {
    _id,
    id: publicId('dif', _id),
    ...day,
    kind,
    state: 'open',
    revision: 1,
    timeline: [
      {
        revision: 1,
        operation_id: 'found:0',
        event: 'found',
        from: 'waiting',
        to: 'waiting',
        time: fetch_time,
        actor: { kind: 'weft', id: null },
        reason: null,
      },
    ],
    transaction_id,
    out_trade_no: 'T20261122000001',
    refund_id: null,
    out_refund_no: null,
    amount: 990,
    fields: [],
    bill: { line: 2, total: 990, settled_total: 990 },
    weft: null,
    due_time: '2026-11-26T10:30:00.000+08:00',
    ...given,
  }
}
