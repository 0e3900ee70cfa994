import { createHash } from 'node:crypto'
import { BalanceChain } from '../domain/bill/balance.ts'
import { flawOf } from '../domain/bill/flaw.ts'
import type { DayFlaw } from '../domain/bill/flaw.ts'
import { rowTotal } from '../domain/bill/row.ts'
import type { BillType, FlowRow, TradeRow } from '../domain/bill/row.ts'
import { createStatementReader } from '../wechat/statement/reader.ts'

/** What the lines of a trade bill come to. Amounts in fen, fees in 1/1000 fen. */
export interface TradeSums {
  payment_count: number
  payment_total: number
  payment_settled: number
  refund_count: number
  /** of those, REVOKED lines, which have no refund number */
  reversal_count: number
  refund_total: number
  refund_settled: number
  fee_charged: number
  fee_returned: number
}

/** ScannedBill is what one file says, read anew to its end. */
export interface ScannedBill {
  type: BillType
  sha1: string
  /** rows that could be read, and lines that could not */
  rows: number
  malformed: number
  trade: TradeSums
  /** the merchant numbers of its trades, the first few */
  mchids: string[]
  chain: BalanceChain
  /** what is wrong with the file itself */
  flaws: DayFlaw[]
}

/** A bill has lines of one merchant number. */
const most_mchids = 10

export interface BillScan {
  push(bytes: Buffer): void
  end(): ScannedBill
}

/** Reads a bill of this type piece by piece, and holds no more of it than a line. */
export function createBillScan(type: BillType): BillScan {
  const hash = createHash('sha1')
  const reader = createStatementReader<BillType>(type)
  const trade = noTrades()
  const mchids = new Set<string>()
  const chain = new BalanceChain(type)
  let malformed = 0
  const take = (entry: Parameters<Parameters<typeof reader.push>[1]>[0]) => {
    if (!('row' in entry)) malformed += 1
    else if (type === 'trade') {
      const row = entry.row as TradeRow
      addTrade(trade, row)
      if (mchids.size < most_mchids) mchids.add(row.mchid)
    } else chain.add(entry.row as FlowRow)
  }
  return {
    push(bytes) {
      hash.update(bytes)
      reader.push(bytes, take)
    },
    end() {
      const { rows, flaws } = reader.end(take)
      const others = flaws.filter(({ code }) => code !== 'malformed_lines')
      return {
        type,
        sha1: hash.digest('hex'),
        rows,
        malformed,
        trade,
        mchids: [...mchids],
        chain,
        flaws: others.map((flaw) => flawOf(flaw.code, flaw.values, type)),
      }
    },
  }
}

function noTrades(): TradeSums {
  return {
    ...{ payment_count: 0, payment_total: 0, payment_settled: 0, fee_charged: 0 },
    ...{ refund_count: 0, reversal_count: 0, refund_total: 0, refund_settled: 0, fee_returned: 0 },
  }
}

function addTrade(sums: TradeSums, row: TradeRow): void {
  if (row.kind === 'payment') {
    sums.payment_count += 1
    sums.payment_total += rowTotal(row)
    sums.payment_settled += row.settled_total
    sums.fee_charged += row.fee
    return
  }
  sums.refund_count += 1
  if (row.kind === 'reversal') sums.reversal_count += 1
  sums.refund_total += rowTotal(row)
  sums.refund_settled += row.settlement_refund
  sums.fee_returned += row.fee
}
