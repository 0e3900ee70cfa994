/** Plants: what a bill can be made to say other than the truth (docs/simulator.md). */
import { createHash } from 'node:crypto'
import type { FlowAccount } from '../../domain/merchant/bill.ts'
import { file_flaws } from './layout.ts'
import type { FileFlaw } from './layout.ts'
import { no_refund, odd_forms, reversalOf } from './row.ts'
import type { BillKind, BillLine, FlowDetail, OddForm, TradeDetail } from './row.ts'

/** What can happen to one row, its form apart. */
const row_plants = [
  'omitted',
  'duplicated',
  /** in the bill of the next day in place of this one */
  'moved',
  /** `value` fen more than it is, or one */
  'amount',
  /** the state that `value` names: a payment is REVOKED, a refund FAIL, a movement of an unknown 业务类型 */
  'state',
  /** the merchant's number is `value`, or the old one with `X` */
  'number',
] as const

const trade_row_plants = [
  ...row_plants,
  /** 应结订单金额 (退款金额) alone is `value` fen more than it is, or one: what the merchant gets (gives back) */
  'settled',
  /** `value` fen more than it is, or one */
  'fee',
] as const

const flow_row_plants = [
  ...row_plants,
  /** 账户结余 of this line is `value` fen more, or one: the chain breaks before and after it */
  'broken_chain',
  /** 微信支付业务单号 is `value`, or the old one with `X` */
  'subject',
] as const

/**
 * Rows of what WeChat Pay itself does not know: no query finds them. They carry the merchant's appid, but for
 * `foreign_appid`.
 */
const foreign_rows = ['foreign_payment', 'foreign_appid', 'foreign_refund'] as const

/** What can happen to a whole bill. */
const trade_file_plants = [...file_flaws, 'empty', 'old_layout'] as const
const flow_file_plants = [
  ...file_flaws,
  'empty',
  /** payments come in less their fee, of which only the remark speaks */
  'net_income',
] as const

export const plant_names = {
  trade: [...trade_row_plants, ...foreign_rows, ...odd_forms, ...trade_file_plants],
  fundflow: [...flow_row_plants, ...odd_forms, ...flow_file_plants],
} as const satisfies Record<BillKind, readonly string[]>

type TradePlant = (typeof plant_names.trade)[number]
type FlowPlant = (typeof plant_names.fundflow)[number]
export type PlantName = TradePlant | FlowPlant

/** BillPlant is a plant as it was asked for. */
export interface BillPlant {
  bill: BillKind
  fault: PlantName
  bill_date: string | null
  /** of fund flow, which account's; absent in what was planted before others had bills: the basic one's */
  account?: FlowAccount
  out_trade_no: string | null
  out_refund_no: string | null
  original_type: 'transaction' | 'refund' | null
  value: string | null
  /** how many rows, where no number names one */
  rows: number
}

/** Whether a plant is about this bill. */
export function isPlantOf(plant: BillPlant, bill: BillKind, bill_date: string, account: FlowAccount): boolean {
  if (bill === 'fundflow' && (plant.account ?? 'BASIC') !== account) return false
  return plant.bill === bill && (plant.bill_date === null || plant.bill_date === bill_date)
}

/** The flaws of the file among the plants. */
export function flawsOf(plants: readonly BillPlant[]): Set<FileFlaw> {
  return new Set(file_flaws.filter((flaw) => hasPlant(plants, flaw)))
}

export function hasPlant(plants: readonly BillPlant[], fault: PlantName): boolean {
  return plants.some((plant) => plant.fault === fault)
}

type RowPlant = (typeof trade_row_plants)[number] | (typeof flow_row_plants)[number]
type Change<Detail> = (detail: Detail, plant: BillPlant) => Detail

/** The number that a plant gives, or one. */
const numberIn = ({ value }: BillPlant): number => Number(value ?? 1)

const changedNumber = (number: string, { value }: BillPlant): string => value ?? `${number.slice(0, 31)}X`

const tradeChanges: Partial<Record<RowPlant, Change<TradeDetail>>> = {
  amount: (row, plant) =>
    row.kind === 'payment'
      ? { ...row, total: row.total + numberIn(plant), settled_total: row.settled_total + numberIn(plant) }
      : { ...row, refund: row.refund + numberIn(plant), settlement_refund: row.settlement_refund + numberIn(plant) },
  state: (row, { value }) =>
    row.kind === 'payment' ? reversalOf(row, value ?? 'REVOKED') : { ...row, refund_status: value ?? 'FAIL' },
  number: (row, plant) =>
    row.kind === 'payment'
      ? { ...row, out_trade_no: changedNumber(row.out_trade_no, plant) }
      : { ...row, out_refund_no: changedNumber(row.out_refund_no, plant) },
  settled: (row, plant) =>
    row.kind === 'payment'
      ? { ...row, settled_total: row.settled_total + numberIn(plant) }
      : { ...row, settlement_refund: row.settlement_refund + numberIn(plant) },
  fee: (row, plant) => ({ ...row, fee: row.fee + numberIn(plant) * 1000 }),
}

const flowChanges: Partial<Record<RowPlant, Change<FlowDetail>>> = {
  amount: (row, plant) => ({ ...row, amount: row.amount + numberIn(plant) }),
  state: (row, { value }) => ({ ...row, type: value ?? '未知业务' }),
  number: (row, plant) => ({ ...row, voucher_no: changedNumber(row.voucher_no, plant) }),
  subject: (row, plant) => ({ ...row, business_no: changedNumber(row.business_no, plant) }),
  broken_chain: (row, plant) => ({ ...row, balance: row.balance + numberIn(plant) }),
}

/** Applies the plants to the rows of a trade bill. */
export function plantTrades(
  details: readonly TradeDetail[],
  plants: readonly BillPlant[],
  bill: { mchid: string; bill_date: string; start: number; appid: string },
): BillLine<TradeDetail>[] {
  const lines = plantRows(details, plants, tradeChanges, isTradeOf)
  const foreign = plants.filter(({ fault }) => foreign_rows.some((name) => name === fault))
  return [...lines, ...foreign.flatMap((plant, index) => foreignTrades(plant, index, bill))]
}

/** Applies the plants to the rows of a fund-flow bill. */
export function plantFlows(details: readonly FlowDetail[], plants: readonly BillPlant[]): BillLine<FlowDetail>[] {
  return plantRows(details, plants, flowChanges, isFlowOf)
}

/** The rows that `moved` takes from this day to the next. */
export function movedRows<Detail extends TradeDetail | FlowDetail>(
  details: readonly Detail[],
  plants: readonly BillPlant[],
): Detail[] {
  const isOf = (detail: Detail, plant: BillPlant): boolean =>
    'kind' in detail ? isTradeOf(detail, plant) : isFlowOf(detail, plant)
  const taken = takenRows<Detail>(details, plants, isOf)
  return details.filter((detail) => taken.get(detail)?.some(({ fault }) => fault === 'moved'))
}

function isTradeOf(detail: TradeDetail, plant: BillPlant): boolean {
  const type = detail.kind === 'payment' ? 'transaction' : 'refund'
  if (plant.original_type !== null && plant.original_type !== type) return false
  if (plant.out_refund_no !== null) return detail.out_refund_no === plant.out_refund_no
  // a plant that names an order means its payments, unless it says that it means refunds
  if (plant.out_trade_no === null) return true
  return detail.out_trade_no === plant.out_trade_no && (plant.original_type ?? 'transaction') === type
}

function isFlowOf(detail: FlowDetail, plant: BillPlant): boolean {
  const type = detail.name === '退款' ? 'refund' : 'transaction'
  if (plant.original_type !== null && plant.original_type !== type) return false
  if (plant.out_refund_no !== null) return detail.voucher_no === plant.out_refund_no
  if (plant.out_trade_no === null) return true
  return detail.out_trade_no === plant.out_trade_no && (plant.original_type ?? 'transaction') === type
}

function plantRows<Detail>(
  details: readonly Detail[],
  plants: readonly BillPlant[],
  changes: Partial<Record<RowPlant, Change<Detail>>>,
  isOf: (detail: Detail, plant: BillPlant) => boolean,
): BillLine<Detail>[] {
  const taken = takenRows(details, plants, isOf)
  return details.flatMap((detail) => {
    const own = taken.get(detail) ?? []
    if (hasPlant(own, 'omitted') || hasPlant(own, 'moved')) return []
    const changed = own.reduce((row, plant) => changes[plant.fault as RowPlant]?.(row, plant) ?? row, detail)
    const form = own.map(({ fault }) => fault).find(isOddForm) ?? null
    const line = { detail: changed, form }
    return hasPlant(own, 'duplicated') ? [line, line] : [line]
  })
}

/**
 * Which plants each row has. A plant that names a number has all rows of it; one that names none takes the next rows
 * that no other has taken.
 */
function takenRows<Detail>(
  details: readonly Detail[],
  plants: readonly BillPlant[],
  isOf: (detail: Detail, plant: BillPlant) => boolean,
): Map<Detail, BillPlant[]> {
  const taken = new Map<Detail, BillPlant[]>()
  const ofRows = plants.filter(({ fault }) => isRowPlant(fault))
  const named = (plant: BillPlant): boolean => plant.out_trade_no !== null || plant.out_refund_no !== null
  for (const plant of ofRows.filter(named))
    for (const detail of details) if (isOf(detail, plant)) taken.set(detail, [...(taken.get(detail) ?? []), plant])
  for (const plant of ofRows.filter((one) => !named(one))) {
    let left = plant.rows
    for (const detail of details) {
      if (left === 0) break
      if (taken.has(detail) || !isOf(detail, plant)) continue
      taken.set(detail, [plant])
      left -= 1
    }
  }
  return taken
}

function isOddForm(name: string): name is OddForm {
  return odd_forms.some((form) => form === name)
}

function isRowPlant(name: string): boolean {
  return isOddForm(name) || [...trade_row_plants, ...flow_row_plants].some((plant) => plant === name)
}

/** The rows that a plant invents. The same plant invents the same in every copy of a bill. */
function foreignTrades(
  plant: BillPlant,
  index: number,
  { mchid, bill_date, start, appid }: { mchid: string; bill_date: string; start: number; appid: string },
): BillLine<TradeDetail>[] {
  return Array.from({ length: plant.rows }, (_, row) => {
    const digits = digitsOf(`${mchid}/${bill_date}/${plant.fault}/${index}/${row}`)
    const day = bill_date.replaceAll('-', '')
    const total = 100 + (Number(digits.slice(0, 4)) % 9_900)
    const payment: TradeDetail = {
      kind: 'payment',
      time: start + 12 * 3_600_000 + row * 1000,
      payment_time: start + 12 * 3_600_000 + row * 1000,
      appid: plant.fault === 'foreign_appid' ? 'wxforeign00000001' : appid,
      mchid,
      device_id: '',
      transaction_id: `4200${digits.slice(0, 6)}${day}${digits.slice(6, 16)}`,
      out_trade_no: plant.value ?? `POS${digits.slice(0, 20)}`,
      openid: 'oUnknown0000000000000000000',
      trade_type: 'NATIVE',
      trade_state: 'SUCCESS',
      bank_type: 'OTHERS',
      currency: 'CNY',
      settled_total: total,
      total,
      coupon: 0,
      ...no_refund,
      description: '收银台',
      attach: '',
      fee: 0,
      rate: '0.00%',
    }
    if (plant.fault !== 'foreign_refund') return { detail: payment, form: null }
    const refund: TradeDetail = {
      ...payment,
      kind: 'refund',
      trade_state: 'REFUND',
      settled_total: 0,
      total: 0,
      out_trade_no: `POS${digits.slice(0, 20)}`,
      refund_id: `5030${digits.slice(0, 6)}${day}${digits.slice(6, 17)}`,
      out_refund_no: plant.value ?? `POSR${digits.slice(0, 20)}`,
      settlement_refund: total,
      refund: total,
      refund_type: 'ORIGINAL',
      refund_status: 'SUCCESS',
      refund_success_time: payment.time,
    }
    return { detail: refund, form: null }
  })
}

function digitsOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return BigInt(`0x${hex}`).toString().padStart(20, '0')
}
