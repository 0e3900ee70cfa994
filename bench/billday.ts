import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import { yuanText } from '../domain/money.ts'

export const day_mchid = '1900000001'
export const day_appid = 'wx0000000000000001'
export const day_prefix = 'TEA-'
export const day_from = '2026-11-22T00:00:00+08:00'

const day_ms = 24 * 60 * 60 * 1_000
const from_ms = milliseconds(day_from)

/** What a place of the day is: nine of ten agree, some are of another system, few differ. */
type PlaceKind = 'agreeing' | 'foreign' | 'missing_here' | 'missing_there' | 'amount'

function kindOf(place: number): PlaceKind {
  if (place % 50 === 1) return 'foreign'
  if (place % 5_000 === 7) return 'missing_here'
  if (place % 5_000 === 17) return 'missing_there'
  return place % 5_000 === 27 ? 'amount' : 'agreeing'
}

const isRefund = (place: number) => place % 20 === 3
const digits = (place: number, length: number) => String(place).padStart(length, '0')
/** Neighbours in the file are no neighbours in time, as in real bills. */
const timeOf = (place: number) => beijingTime(from_ms + ((place * 7_919) % (day_ms / 1_000)) * 1_000)

/** What we have at this place; null: nothing. */
export function recordAt(place: number): DayRecord | null {
  const kind = kindOf(place)
  if (kind === 'foreign' || kind === 'missing_here') return null
  return isRefund(place) ? refundAt(place) : paymentAt(place)
}

function paymentAt(place: number): DayPayment {
  const total = 100 + ((place * 37) % 90_000)
  return {
    kind: 'payment',
    transaction_id: `4200000000${digits(place, 18)}`,
    out_trade_no: `${day_prefix}20261122-${digits(place, 10)}`,
    appid: day_appid,
    total,
    settled_total: total - (place % 3),
    currency: 'CNY',
    success_time: timeOf(place),
    role: 'order',
  }
}

function refundAt(place: number): DayRefund {
  const refund = 100 + ((place * 13) % 5_000)
  return {
    kind: 'refund',
    refund_id: `50300000000${digits(place, 18)}`,
    out_refund_no: `BACK-20261122-${digits(place, 10)}`,
    transaction_id: `4200000000${digits(place, 18)}`,
    out_trade_no: `${day_prefix}20261122-${digits(place, 10)}`,
    refund,
    settlement_refund: refund,
    state: 'succeeded',
    accepted_time: timeOf(place),
    success_time: timeOf(place),
  }
}

/** All that we have of a day of `places`. */
export function* dayRecords(places: number): Generator<DayRecord> {
  for (let place = 0; place < places; place += 1) {
    const record = recordAt(place)
    if (record !== null) yield record
  }
}

const header =
  '交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注'
const footer_header = '总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额'

/** What the rows of a bill come to. */
interface BillSums {
  rows: number
  settled_total: number
  settlement_refund: number
  /** 1/1000 fen */
  fee: number
  total: number
}

const lineOf = (cells: readonly (string | number)[]) => `${cells.map((cell) => `\`${cell}`).join(',')}\r\n`

/** The line of the bill at this place, and its part of the sums; null: the bill has nothing there. */
function rowAt(place: number, sums: BillSums): string | null {
  const kind = kindOf(place)
  if (kind === 'missing_there') return null
  const our = isRefund(place) ? refundAt(place) : paymentAt(place)
  const is_foreign = kind === 'foreign'
  const appid = is_foreign ? 'wx0000000000000009' : day_appid
  const out_trade_no = is_foreign ? `POS${digits(place, 12)}` : our.out_trade_no
  const time = timeOf(place).slice(0, 19).replace('T', ' ')
  const start = [
    time,
    appid,
    day_mchid,
    '0',
    '',
    our.transaction_id,
    out_trade_no,
    'oTESTopenid0000000000000001',
    'NATIVE',
  ]
  sums.rows += 1
  if (our.kind === 'refund') {
    const refund = our.refund + (kind === 'amount' ? 1 : 0)
    sums.settlement_refund += refund
    const back = [
      our.refund_id,
      our.out_refund_no,
      yuanText(refund),
      '0.00',
      'ORIGINAL',
      'SUCCESS',
      '红茶',
      '',
      '0.00000',
    ]
    return lineOf([...start, 'REFUND', 'OTHERS', 'CNY', '0.00', '0.00', ...back, '0.60%', '0.00', yuanText(refund), ''])
  }
  const total = our.total + (kind === 'amount' ? 1 : 0)
  const fee = Math.floor((our.settled_total * 6 + 500) / 1_000)
  sums.settled_total += our.settled_total
  sums.total += total
  sums.fee += fee * 1_000
  const none = ['0', '0', '0.00', '0.00', '', '']
  const amounts = [yuanText(our.settled_total), '0.00', ...none]
  const end = ['红茶', '', `${yuanText(fee)}000`, '0.60%', yuanText(total), '0.00', '']
  return lineOf([...start, 'SUCCESS', 'OTHERS', 'CNY', ...amounts, ...end])
}

function* billText(places: number, sums: BillSums): Generator<string> {
  let text = `\uFEFF${header}\r\n`
  for (let place = 0; place < places; place += 1) {
    text += rowAt(place, sums) ?? ''
    if (text.length < 100_000) continue
    yield text
    text = ''
  }
  const { rows, settled_total, settlement_refund, fee, total } = sums
  const amounts = [settled_total, settlement_refund, 0, fee / 1_000, total, settlement_refund].map(yuanText)
  yield `${text}${footer_header}\r\n${lineOf([rows, ...amounts])}`
}

/** Writes the trade bill of a day, compressed as WeChat Pay sends it. Answers how many rows it has. */
export async function writeBill(path: string, places: number): Promise<number> {
  const sums: BillSums = { rows: 0, settled_total: 0, settlement_refund: 0, fee: 0, total: 0 }
  await writeCompressed(path, billText(places, sums))
  return sums.rows
}

function* recordText(places: number): Generator<string> {
  let text = ''
  for (const record of dayRecords(places)) {
    text += `${JSON.stringify(record)}\n`
    if (text.length < 100_000) continue
    yield text
    text = ''
  }
  yield text
}

/** Writes our records of the day, a line of JSON for each. */
export async function writeRecords(path: string, places: number): Promise<void> {
  await writeCompressed(path, recordText(places))
}

async function writeCompressed(path: string, text: Iterable<string>): Promise<void> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  await pipeline(Readable.from(text), gzip, createWriteStream(path))
}

/** How many of a day of `places` end in each class: what a measured match has to find. */
export function expectedClasses(places: number): Record<PlaceKind, number> {
  const counts: Record<PlaceKind, number> = { agreeing: 0, foreign: 0, missing_here: 0, missing_there: 0, amount: 0 }
  for (let place = 0; place < places; place += 1) counts[kindOf(place)] += 1
  return counts
}
