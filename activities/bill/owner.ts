import { flowSubject } from '../../domain/bill/sheet.ts'
import type { RowOwner } from '../../domain/bill/sheet.ts'
import type { FlowRow, TradeRow } from '../../domain/bill/row.ts'
import { orderId, orderKey, paymentId } from '../../domain/ids.ts'
import type { Store } from '../../store/store.ts'
import { transferName } from './transfer.ts'

/** so many numbers are asked for in one query */
const batch = 500

type OwnerStore = Pick<Store, 'orders' | 'payments' | 'refunds'>

/** Whose money each row of a trade bill is about: ours where its payment is recorded, or an order was made under its number. */
export async function tradeOwners(
  store: OwnerStore,
  mchid: string,
  rows: readonly Pick<TradeRow, 'transaction_id' | 'out_trade_no'>[],
): Promise<RowOwner[]> {
  const paid = await paymentsAmong(
    store,
    mchid,
    rows.map(({ transaction_id }) => transaction_id),
  )
  const unknown = rows.filter(({ transaction_id }) => !paid.has(transaction_id))
  const placed = await ordersAmong(
    store,
    mchid,
    unknown.map(({ out_trade_no }) => out_trade_no),
  )
  return rows.map(({ transaction_id, out_trade_no }) => ownerIf(paid.has(transaction_id) || placed.has(out_trade_no)))
}

/**
 * The same of a fund flow, whose rows name a payment or a refund, or neither. `transfers`: those of the day between
 * accounts, by their names (activities/bill/transfer.ts).
 */
export async function flowOwners(
  store: OwnerStore,
  mchid: string,
  rows: readonly FlowRow[],
  transfers: ReadonlySet<string>,
): Promise<RowOwner[]> {
  const about = rows.map((row) => ({ subject: flowSubject(row), id: row.business_no ?? '', number: row.voucher_no }))
  const ofPayments = about.filter(({ subject }) => subject === 'payment' || subject === 'either')
  const paid = await paymentsAmong(
    store,
    mchid,
    ofPayments.map(({ id }) => id),
  )
  const unknown = about.filter(({ id }) => !paid.has(id))
  const [refunded, placed] = await Promise.all([
    refundsAmong(
      store,
      mchid,
      unknown.flatMap(({ subject, id }) => (subject === 'refund' || subject === 'either' ? [id] : [])),
    ),
    ordersAmong(
      store,
      mchid,
      unknown.flatMap(({ subject, number }) => (subject === 'payment' || subject === 'either' ? [number] : [])),
    ),
  ])
  return about.map(({ subject, id, number }, place) => {
    const row = rows[place]
    if (row !== undefined && transfers.has(transferName(row) ?? '')) return 'transfer'
    if (subject === 'none') return 'ours'
    if (subject === 'refund') return ownerIf(refunded.has(id))
    return ownerIf(paid.has(id) || placed.has(number) || (subject === 'either' && refunded.has(id)))
  })
}

function ownerIf(is_ours: boolean): RowOwner {
  return is_ours ? 'ours' : 'foreign'
}

async function paymentsAmong({ payments }: OwnerStore, mchid: string, ids: readonly string[]): Promise<Set<string>> {
  const prefix = paymentId(mchid, '')
  const found = await inBatches(ids, (some) => payments.existingIds(some.map((id) => paymentId(mchid, id))))
  return new Set(found.map((id) => id.slice(prefix.length)))
}

async function ordersAmong({ orders }: OwnerStore, mchid: string, numbers: readonly string[]): Promise<Set<string>> {
  const found = await inBatches(numbers, (some) =>
    orders.existingIds(some.map((out_trade_no) => orderId({ mchid, out_trade_no }))),
  )
  return new Set(found.map((id) => orderKey(id).out_trade_no))
}

async function refundsAmong({ refunds }: OwnerStore, mchid: string, ids: readonly string[]): Promise<Set<string>> {
  const found = await inBatches(ids, (some) => refunds.ofRefundIds(mchid, some))
  return new Set(found.flatMap(({ facts }) => facts?.refund_id ?? []))
}

/** Each number once, a batch at a time, batches side by side. */
async function inBatches<Found>(
  numbers: readonly string[],
  read: (some: string[]) => Promise<Found[]>,
): Promise<Found[]> {
  const wanted = [...new Set(numbers)].filter((number) => number !== '')
  const batches = Array.from({ length: Math.ceil(wanted.length / batch) }, (_, n) =>
    wanted.slice(n * batch, (n + 1) * batch),
  )
  return (await Promise.all(batches.map(read))).flat()
}
