/**
 * A day of any size, for benches and long runs: the trade bill as WeChat Pay would write it, and the records that a
 * merchant's system would hold of the same day. Each is a stream of its own; row n is a function of the seed and n
 * alone, so the two agree and nothing is kept.
 */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { beijingTime } from '../../domain/calendar.ts'
import { feeOf, lineOfCells, oddLine, yuan } from './form.ts'
import { byte_order_mark, flowLayout, Footer, headerOf, tradeLayouts } from './layout.ts'
import { reversalOf, signedAmount } from './row.ts'
import type { BillLine, FlowDetail, OddForm, TradeDetail } from './row.ts'

/** What can be planted in a generated row; those of refunds begin with `refund_`. */
export const generated_kinds = [
  /** the record is missing, or the row is */
  'missing_here',
  'missing_there',
  'amount',
  'state',
  'number',
  'fee',
  'duplicate',
  'foreign',
  'malformed',
] as const

export type GeneratedKind = (typeof generated_kinds)[number]

export interface GeneratedDayOptions {
  /** payments and refunds together, plants not counted */
  rows: number
  seed: number
  mchid: string
  appid: string
  /** `2026-11-28` */
  bill_date: string
  /** `T` is the merchant's; numbers that do not begin so are foreign */
  number_prefix: string
  /** of all rows, those that are refunds */
  refund_share: number
  /** of all rows, those with a plant */
  difference_share: number
  /** what is planted, in turns */
  kinds: readonly GeneratedKind[]
}

export const generated_day: GeneratedDayOptions = {
  rows: 1_000,
  seed: 1,
  mchid: '1900000109',
  appid: 'wx1900000109generated',
  bill_date: '2026-11-28',
  number_prefix: 'T',
  refund_share: 0.1,
  difference_share: 0,
  kinds: generated_kinds,
}

/** GeneratedPayment has the fields in which a record of a payment is compared with its row. */
export interface GeneratedPayment {
  kind: 'payment'
  transaction_id: string
  out_trade_no: string
  appid: string
  total: number
  settled_total: number
  currency: string
  success_time: string
  role: 'order'
}

/** GeneratedRefund is the same of a refund. */
export interface GeneratedRefund {
  kind: 'refund'
  refund_id: string
  out_refund_no: string
  transaction_id: string
  out_trade_no: string
  refund: number
  settlement_refund: number
  state: 'succeeded' | 'processing'
  accepted_time: string
  success_time: string | null
}

/** What becomes of row n: its detail before any plant, and the plant. */
interface GeneratedRow {
  detail: TradeDetail
  plant: GeneratedKind | null
}

/** mulberry32 of the seed and n: the chances of a row, one after the other. */
function mixed(seed: number, n: number): number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca6b)) >>> 0
  state = (state + 0x6d2b79f5) >>> 0
  let value = Math.imul(state ^ (state >>> 15), state | 1)
  value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
  return (value ^ (value >>> 14)) >>> 0
}

/** GeneratedDay makes both sides of one day. */
export class GeneratedDay {
  readonly #options: GeneratedDayOptions
  readonly #start: number
  readonly #digits: string
  readonly #every: number
  readonly #refund_limit: number

  constructor(options: Partial<GeneratedDayOptions> = {}) {
    this.#options = { ...generated_day, ...options }
    const { bill_date, difference_share, refund_share } = this.#options
    this.#start = Date.parse(`${bill_date}T00:00:00+08:00`)
    this.#digits = bill_date.replaceAll('-', '')
    this.#every = difference_share === 0 ? Infinity : Math.max(1, Math.round(1 / difference_share))
    this.#refund_limit = refund_share * 0x1_0000_0000
  }

  /** How many plants of each kind the day has. Those that need a payment are of payments only. */
  get plants(): Record<GeneratedKind, number> {
    const counts = Object.fromEntries(generated_kinds.map((kind) => [kind, 0])) as Record<GeneratedKind, number>
    for (let n = this.#every - 1; n < this.#options.rows; n += this.#every) counts[this.#plantOf(n)] += 1
    return counts
  }

  /** The merchant's order numbers of the rows with this plant. */
  *numbersOf(kind: GeneratedKind): Generator<string, void> {
    for (let n = this.#every - 1; n < this.#options.rows; n += this.#every)
      if (this.#plantOf(n) === kind) yield this.#rowOf(n).detail.out_trade_no
  }

  /** The bytes of the trade bill, in pieces of some 64 KiB. */
  *bill(): Generator<Buffer, void> {
    const layout = tradeLayouts.ALL
    const titles = layout.columns.map(({ title }) => title)
    const cellsOf = (detail: TradeDetail): string[] => layout.columns.map(({ cell }) => cell(detail))
    const footer = new Footer(layout)
    let text = `${byte_order_mark}${headerOf(layout)}\r\n`
    for (let n = 0; n < this.#options.rows; n += 1) {
      for (const { detail, form } of this.#linesOf(n)) {
        footer.add(detail)
        const cells = cellsOf(detail)
        text += form === null ? lineOfCells(cells) : oddLine(form, cells, titles)
        text += '\r\n'
      }
      if (text.length < 48_000) continue
      yield Buffer.from(text)
      text = ''
    }
    yield Buffer.from(`${text}${footer.lines(new Set()).join('\r\n')}\r\n`)
  }

  /** The bytes of the fund-flow bill of the same day, which has no plants. The account begins with `opening` fen. */
  *flows(opening: number): Generator<Buffer, void> {
    const footer = new Footer(flowLayout)
    let balance = opening
    let text = `${byte_order_mark}${headerOf(flowLayout)}\r\n`
    for (let n = 0; n < this.#options.rows; n += 1) {
      for (const movement of movementsOf(this.#rowOf(n).detail)) {
        balance += signedAmount(movement)
        const detail = { ...movement, balance }
        footer.add(detail)
        text += lineOfCells(flowLayout.columns.map(({ cell }) => cell(detail)))
        text += '\r\n'
      }
      if (text.length < 48_000) continue
      yield Buffer.from(text)
      text = ''
    }
    yield Buffer.from(`${text}${footer.lines(new Set()).join('\r\n')}\r\n`)
  }

  /** Fen by which the day moves the account. */
  moved(): number {
    let sum = 0
    for (let n = 0; n < this.#options.rows; n += 1)
      for (const movement of movementsOf(this.#rowOf(n).detail)) sum += signedAmount(movement)
    return sum
  }

  /** The records of the same day, in the same order, from row `begin` on. */
  *records(begin = 0): Generator<GeneratedPayment | GeneratedRefund, void> {
    for (let n = begin; n < this.#options.rows; n += 1) {
      const { detail, plant } = this.#rowOf(n)
      if (plant !== 'missing_here' && plant !== 'foreign') yield recordOf(detail)
    }
  }

  #linesOf(n: number): BillLine<TradeDetail>[] {
    const { detail, plant } = this.#rowOf(n)
    if (plant === null) return [{ detail, form: null }]
    if (plant === 'malformed') return [{ detail, form: this.#malformedForm(n) }]
    return rowsWith[plant](detail, n).map((row) => ({ detail: row, form: null }))
  }

  #malformedForm(n: number): OddForm {
    const turn = Math.floor(n / this.#every / this.#options.kinds.length)
    return malformed_forms[turn % malformed_forms.length] ?? 'cut_line'
  }

  #plantOf(n: number): GeneratedKind {
    const { kinds } = this.#options
    return kinds[Math.floor(n / this.#every) % kinds.length] ?? 'amount'
  }

  #rowOf(n: number): GeneratedRow {
    const { seed, appid, mchid, number_prefix } = this.#options
    const chance = mixed(seed, n)
    const plant = (n + 1) % this.#every === 0 ? this.#plantOf(n) : null
    const serial = String(n).padStart(10, '0')
    const part = String(chance % 1_000_000).padStart(6, '0')
    const transaction_id = `4200${part}${this.#digits}${serial}`
    const out_trade_no = `${number_prefix}${this.#digits}${serial}`
    const time = this.#start + (mixed(seed + 1, n) % 86_400) * 1000
    const total = 1 + (mixed(seed + 2, n) % 50_000)
    const nocash = chance % 20 === 0 ? total >> 3 : 0
    const settled = total - nocash
    const fee = feeOf(settled, '0.60%') * 1000
    const isRefund = mixed(seed + 3, n) < this.#refund_limit
    const isOver = chance % 4 !== 0
    // one literal, and no spread: the shape of a row decides how long three million take
    const detail: TradeDetail = {
      kind: isRefund ? 'refund' : 'payment',
      time,
      // the payment of a refund was taken the day before, and is in another bill
      payment_time: isRefund ? time - 86_400_000 : time,
      appid,
      mchid,
      device_id: '',
      transaction_id,
      out_trade_no,
      openid: `oGenerated${part}${serial}xx`,
      trade_type: 'NATIVE',
      trade_state: isRefund ? 'REFUND' : 'SUCCESS',
      bank_type: 'OTHERS',
      currency: 'CNY',
      settled_total: isRefund ? 0 : settled,
      total: isRefund ? 0 : total,
      coupon: isRefund ? 0 : nocash,
      refund_id: isRefund ? `5030${part}${this.#digits}${serial}0` : '0',
      out_refund_no: isRefund ? `${number_prefix}R${this.#digits}${serial}` : '0',
      settlement_refund: isRefund ? settled : 0,
      refund: isRefund ? total : 0,
      coupon_refund: 0,
      refund_type: isRefund ? 'ORIGINAL' : '',
      refund_status: isRefund ? (isOver ? 'SUCCESS' : 'PROCESSING') : '',
      refund_success_time: isRefund && isOver ? time + 5_000 : null,
      description: '一杯茶',
      attach: '',
      fee: isRefund ? 0 - fee : fee,
      rate: '0.60%',
    }
    return { detail, plant }
  }
}

/** The odd forms that cannot be read. */
const malformed_forms: OddForm[] = ['decimals', 'full_width_colons', 'missing_blank', 'short_line', 'cut_line']

/** What a plant makes of a row in the bill. */
const rowsWith: Record<Exclude<GeneratedKind, 'malformed'>, (row: TradeDetail, n: number) => TradeDetail[]> = {
  missing_here: (row) => [row],
  missing_there: () => [],
  duplicate: (row) => [row, row],
  amount: (row) => [row.kind === 'payment' ? { ...row, total: row.total + 1 } : { ...row, refund: row.refund + 1 }],
  state: (row) => [row.kind === 'payment' ? reversalOf(row) : { ...row, refund_status: 'CHANGE' }],
  number: (row) => [
    row.kind === 'payment'
      ? { ...row, out_trade_no: `${row.out_trade_no}X` }
      : { ...row, out_refund_no: `${row.out_refund_no}X` },
  ],
  fee: (row) => [{ ...row, fee: row.fee + 2_000 }],
  foreign: (row, n) => [
    { ...row, out_trade_no: `POS${n}`, out_refund_no: row.kind === 'payment' ? row.out_refund_no : `POSR${n}` },
  ],
}

/** The movements of a row: the money, and its fee unless that is nothing. */
function movementsOf(row: TradeDetail): FlowDetail[] {
  const isPayment = row.kind === 'payment'
  const fee = Math.abs(row.fee) / 1000
  const amount = isPayment ? row.settled_total : row.settlement_refund
  const money: FlowDetail = {
    time: row.time,
    business_no: isPayment ? row.transaction_id : row.refund_id,
    flow_no: row.transaction_id,
    name: isPayment ? '交易' : '退款',
    type: isPayment ? '交易' : '退款',
    direction: isPayment ? '收入' : '支出',
    amount,
    balance: 0,
    applicant: 'system',
    remark: isPayment
      ? `结算总金额 ${yuan(amount)} 元;含手续费 ${yuan(fee)} 元`
      : `退款总金额${yuan(amount)}元;含手续费${yuan(fee)}元`,
    voucher_no: isPayment ? row.out_trade_no : row.out_refund_no,
    out_trade_no: row.out_trade_no,
  }
  const type = isPayment ? '扣除交易手续费' : '退还交易手续费'
  const ofFee: FlowDetail = { ...money, type, direction: isPayment ? '支出' : '收入', amount: fee, remark: '' }
  return [money, ofFee].filter((movement) => movement.amount > 0)
}

function recordOf(row: TradeDetail): GeneratedPayment | GeneratedRefund {
  const { transaction_id, out_trade_no, appid, total, settled_total, currency } = row
  if (row.kind === 'payment')
    return {
      kind: 'payment',
      ...{ transaction_id, out_trade_no, appid, total, settled_total, currency },
      success_time: beijingTime(row.time),
      role: 'order',
    }
  const { refund_id, out_refund_no, refund, settlement_refund, refund_success_time } = row
  return {
    kind: 'refund',
    ...{ refund_id, out_refund_no, transaction_id, out_trade_no, refund, settlement_refund },
    state: refund_success_time === null ? 'processing' : 'succeeded',
    accepted_time: beijingTime(row.time),
    success_time: refund_success_time === null ? null : beijingTime(refund_success_time),
  }
}

/** `npx tsx simulator/bills/generator.ts --rows 3000000 --into <folder>`: writes `bill.csv` and `records.jsonl`. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      mchid: { type: 'string', default: generated_day.mchid },
      date: { type: 'string', default: generated_day.bill_date },
      refunds: { type: 'string', default: '0.1' },
      differences: { type: 'string', default: '0' },
      into: { type: 'string', default: '.' },
    },
  })
  const day = new GeneratedDay({
    rows: Number(values.rows),
    seed: Number(values.seed),
    mchid: values.mchid,
    bill_date: values.date,
    refund_share: Number(values.refunds),
    difference_share: Number(values.differences),
  })
  await pipeline(Readable.from(day.bill()), createWriteStream(join(values.into, 'bill.csv')))
  await pipeline(Readable.from(linesOf(day.records())), createWriteStream(join(values.into, 'records.jsonl')))
  process.stdout.write(`${JSON.stringify(day.plants)}\n`)
}

/** JSON lines in pieces of some 64 KiB. */
function* linesOf(records: Iterable<object>): Generator<string, void> {
  let text = ''
  for (const record of records) {
    text += `${JSON.stringify(record)}\n`
    if (text.length < 48_000) continue
    yield text
    text = ''
  }
  yield text
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
