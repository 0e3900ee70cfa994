import type { DayPayment, DayRecord, DayRefund } from '../../domain/bill/record.ts'
import type { TradeRow } from '../../domain/bill/row.ts'
import type { MatchedDifference } from '../../match/difference.ts'
import { recordNames, rowNames } from '../../match/key.ts'
import type { MatchKind } from '../../match/verdict.ts'

export const our_mchid = '1900000001'
export const our_appid = 'wx0000000000000001'

export function payment(more: Partial<DayPayment> = {}): DayPayment {
  return {
    kind: 'payment',
    transaction_id: '4200000000202611220000000001',
    out_trade_no: 'TEA-0001',
    appid: our_appid,
    total: 1_000,
    settled_total: 990,
    currency: 'CNY',
    success_time: '2026-11-22T12:00:00.000+08:00',
    role: 'order',
    ...more,
  }
}

export function refund(more: Partial<DayRefund> = {}): DayRefund {
  return {
    kind: 'refund',
    refund_id: '50300000002026112200000000001',
    out_refund_no: 'BACK-0001',
    transaction_id: '4200000000202611220000000001',
    out_trade_no: 'TEA-0001',
    refund: 500,
    settlement_refund: 495,
    state: 'succeeded',
    accepted_time: '2026-11-22T13:00:00.000+08:00',
    success_time: '2026-11-22T13:00:09.000+08:00',
    ...more,
  }
}

/** The row that agrees with a payment; fee of 0.6 %. */
export function paymentRow(of: DayPayment = payment(), more: Partial<TradeRow> = {}): TradeRow {
  return {
    line: 2,
    kind: 'payment',
    time: of.success_time,
    appid: of.appid,
    mchid: our_mchid,
    transaction_id: of.transaction_id,
    out_trade_no: of.out_trade_no,
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    currency: of.currency,
    settled_total: of.settled_total,
    total: of.total,
    refund_id: null,
    out_refund_no: null,
    settlement_refund: 0,
    refund: 0,
    refund_status: null,
    fee: Math.round((of.settled_total * 6) / 1_000) * 1_000,
    rate: '0.60%',
    ...more,
  }
}

/** The row that agrees with a refund that has succeeded. */
export function refundRow(of: DayRefund = refund(), more: Partial<TradeRow> = {}): TradeRow {
  return {
    ...paymentRow(payment({ transaction_id: of.transaction_id, out_trade_no: of.out_trade_no })),
    kind: 'refund',
    time: of.accepted_time,
    trade_state: 'REFUND',
    settled_total: 0,
    total: 0,
    refund_id: of.refund_id,
    out_refund_no: of.out_refund_no,
    settlement_refund: of.settlement_refund ?? of.refund,
    refund: of.refund,
    refund_status: 'SUCCESS',
    fee: 0,
    ...more,
  }
}

/** A row by which money of this payment went back without a refund. */
export function reversalRow(of: DayPayment = payment(), more: Partial<TradeRow> = {}): TradeRow {
  return {
    ...paymentRow(of, { kind: 'reversal', trade_state: 'REVOKED', settled_total: 0, total: 0, fee: 0 }),
    settlement_refund: of.settled_total,
    refund: of.total,
    ...more,
  }
}

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
export function chances(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function shuffled<T>(values: readonly T[], chance: () => number): T[] {
  const list = [...values]
  for (let index = list.length - 1; index > 0; index -= 1) {
    const other = Math.floor(chance() * (index + 1))
    const [left, right] = [list[index] as T, list[other] as T]
    list[index] = right
    list[other] = left
  }
  return list
}

/** What a disagreement is told by: its kind, and what WeChat and we call it; empty: that side has nothing. */
export interface PlantedDifference {
  kind: MatchKind
  bill_id: string
  our_id: string
}

export interface PlantedDay {
  rows: TradeRow[]
  records: DayRecord[]
  differences: PlantedDifference[]
  foreign_count: number
}

/** One payment or refund of a day, by its place: its rows, its records, and what they disagree on. */
type Plant = (place: number) => Partial<PlantedDay>

const digits = (place: number, length: number) => String(place).padStart(length, '0')
const dayPayment = (place: number) =>
  payment({
    transaction_id: `4200000000${digits(place, 18)}`,
    out_trade_no: `TEA-${digits(place, 8)}`,
    total: 100 + ((place * 37) % 90_000),
    settled_total: 100 + ((place * 37) % 90_000) - (place % 3),
  })
const dayRefund = (place: number) =>
  refund({
    refund_id: `50300000000${digits(place, 18)}`,
    out_refund_no: `BACK-${digits(place, 8)}`,
    transaction_id: `4200000000${digits(place, 18)}`,
    out_trade_no: `TEA-${digits(place, 8)}`,
    refund: 100 + ((place * 13) % 5_000),
    settlement_refund: 100 + ((place * 13) % 5_000),
  })
const differs = (kind: MatchKind, bill: string | null, ours: string | null): PlantedDifference[] => [
  { kind, bill_id: bill ?? '', our_id: ours ?? '' },
]
const ofPayment = (plant: (our: DayPayment) => Partial<PlantedDay>) => (place: number) => plant(dayPayment(place))
const ofRefund = (plant: (our: DayRefund) => Partial<PlantedDay>) => (place: number) => plant(dayRefund(place))
const agreeing = ofPayment((our) => ({ rows: [paymentRow(our)], records: [our] }))

/** Everything that a payment or refund of a day can be, by name. */
export const plants: Record<string, Plant> = {
  payment: agreeing,
  refund: ofRefund((our) => ({ rows: [refundRow(our)], records: [our] })),
  'payment and its refund': (place) => {
    const [our, back] = [dayPayment(place), dayRefund(place)]
    return { rows: [refundRow(back), paymentRow(our)], records: [back, our] }
  },
  'refund under way': ofRefund((our) => ({
    rows: [refundRow(our, { refund_status: 'PROCESSING' })],
    records: [{ ...our, settlement_refund: null, state: 'processing', success_time: null }],
  })),
  'old layout': ofPayment((our) => ({ rows: [paymentRow(our, { total: null, refund: null })], records: [our] })),
  'missing here': ofPayment((our) => ({
    rows: [paymentRow(our)],
    differences: differs('missing_here', our.transaction_id, null),
  })),
  'missing there': ofPayment((our) => ({
    records: [our],
    differences: differs('missing_there', null, our.transaction_id),
  })),
  'refund missing here': ofRefund((our) => ({
    rows: [refundRow(our)],
    differences: differs('refund_missing_here', our.refund_id, null),
  })),
  'refund missing there': ofRefund((our) => ({
    records: [our],
    differences: differs('refund_missing_there', null, our.refund_id),
  })),
  amount: ofPayment((our) => ({
    rows: [paymentRow(our, { total: our.total + 1 })],
    records: [our],
    differences: differs('amount', our.transaction_id, our.transaction_id),
  })),
  'refund amount': ofRefund((our) => ({
    rows: [refundRow(our, { settlement_refund: our.refund - 1 })],
    records: [our],
    differences: differs('refund_amount', our.refund_id, our.refund_id),
  })),
  'refund state': ofRefund((our) => ({
    rows: [refundRow(our, { refund_status: 'CHANGE' })],
    records: [our],
    differences: differs('refund_state', our.refund_id, our.refund_id),
  })),
  'another number': ofPayment((our) => ({
    rows: [paymentRow(our, { out_trade_no: `${our.out_trade_no}X` })],
    records: [our],
    differences: differs('number', our.transaction_id, our.transaction_id),
  })),
  'another id': ofPayment((our) => ({
    rows: [paymentRow(our, { transaction_id: `9${our.transaction_id}` })],
    records: [our],
    differences: differs('number', `9${our.transaction_id}`, our.transaction_id),
  })),
  'another refund id': ofRefund((our) => ({
    rows: [refundRow(our, { refund_id: `9${our.refund_id}` })],
    records: [our],
    differences: differs('refund_number', `9${our.refund_id}`, our.refund_id),
  })),
  'the same row twice': ofPayment((our) => ({
    rows: [paymentRow(our), paymentRow(our)],
    records: [our],
    differences: differs('duplicate', our.transaction_id, our.transaction_id),
  })),
  'the same refund twice': ofRefund((our) => ({
    rows: [refundRow(our), refundRow(our)],
    records: [our],
    differences: differs('duplicate', our.refund_id, our.refund_id),
  })),
  reversal: ofPayment((our) => ({
    rows: [paymentRow(our), reversalRow(our)],
    records: [our],
    differences: differs('state', our.transaction_id, our.transaction_id),
  })),
  foreign: ofPayment((our) => ({ rows: [paymentRow(our, { out_trade_no: `SHOP${our.total}` })], foreign_count: 1 })),
  'foreign refund': ofRefund((our) => ({ rows: [refundRow(our, { out_trade_no: 'pos-7' })], foreign_count: 1 })),
}

/** A day of `size` payments and refunds: a twentieth of it planted by chance, and each plant at least once. */
export function plantedDay(size: number, chance: () => number): PlantedDay {
  const names = Object.keys(plants)
  const day: PlantedDay = { rows: [], records: [], differences: [], foreign_count: 0 }
  for (let place = 1; place <= size; place += 1) {
    const drawn = chance() < 0.05 ? names[Math.floor(chance() * names.length)] : undefined
    const {
      rows = [],
      records = [],
      differences = [],
      foreign_count = 0,
    } = (plants[names[place - 1] ?? drawn ?? 'payment'] ?? agreeing)(place)
    for (const row of rows) day.rows.push({ ...row, line: day.rows.length + 2 })
    day.records.push(...records)
    day.differences.push(...differences)
    day.foreign_count += foreign_count
  }
  return day
}

/** What a difference is told by, as plants are. */
export function told({ kind, row, record }: MatchedDifference): PlantedDifference {
  return { kind, bill_id: row === null ? '' : rowNames(row).id, our_id: recordNames(record).id }
}

export function inOrder(differences: readonly PlantedDifference[]): string[] {
  return differences.map(({ kind, bill_id, our_id }) => `${kind} ${bill_id} ${our_id}`).sort()
}
