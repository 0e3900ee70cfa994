import type { CheckoutRecord } from '../domain/checkout/record.ts'
import { orderId } from '../domain/ids.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import type { Store } from '../store/store.ts'
import type { Dossier } from './finding.ts'

/** The collections that proofs read. */
export type ProofStore = Pick<
  Store,
  | 'orders'
  | 'checkouts'
  | 'payments'
  | 'refunds'
  | 'journal'
  | 'events'
  | 'evidence'
  | 'deliveries'
  | 'references'
  | 'reconciliations'
>

/** the most records that one read returns; a batch that may have more is read in halves */
const most_at_once = 10_000

/**
 * Reads all that is recorded under each of these numbers and returns the dossiers in the order of the numbers.
 * `orders`: those of them that are read already.
 */
export async function readDossiers(
  store: ProofStore,
  mchid: string,
  numbers: readonly string[],
  orders?: readonly OrderRecord[],
): Promise<Dossier[]> {
  if (numbers.length === 0) return []
  const known = orders ?? (await store.orders.findAll(numbers.map((out_trade_no) => orderId({ mchid, out_trade_no }))))
  const [payments, refunds, entries, events, evidence, open_deliveries, claims, checkouts] = await Promise.all([
    store.payments.ofNumbers(mchid, numbers, most_at_once),
    store.refunds.ofNumbers(mchid, numbers, most_at_once),
    store.journal.ofNumbers(mchid, numbers, most_at_once),
    store.events.ofNumbers(mchid, numbers, most_at_once),
    store.evidence.ofNumbers(mchid, numbers, most_at_once),
    store.deliveries.openOfNumbers(mchid, numbers, most_at_once),
    readClaims(store, mchid, known),
    readCheckouts(store, known),
  ])
  const is_cut = [payments, refunds, entries, events, evidence, open_deliveries].some(
    ({ length }) => length >= most_at_once,
  )
  if (is_cut && numbers.length > 1) {
    const half = Math.ceil(numbers.length / 2)
    const parts = [numbers.slice(0, half), numbers.slice(half)]
    const read = parts.map((part) => () => readDossiers(store, mchid, part, known))
    return [...((await read[0]?.()) ?? []), ...((await read[1]?.()) ?? [])]
  }
  const order_of = new Map(known.map((order) => [order.out_trade_no, order]))
  const [payments_of, refunds_of] = [groupByNumber(payments), groupByNumber(refunds)]
  const [entries_of, events_of, evidence_of] = [groupByNumber(entries), groupByNumber(events), groupByNumber(evidence)]
  const open_of = groupByNumber(open_deliveries)
  return numbers.map((out_trade_no) => ({
    mchid,
    out_trade_no,
    order: order_of.get(out_trade_no) ?? null,
    checkout: checkouts.get(order_of.get(out_trade_no)?.checkout_id ?? '') ?? null,
    payments: (payments_of.get(out_trade_no) ?? []).toSorted((a, b) => (a._id < b._id ? -1 : 1)),
    refunds: refunds_of.get(out_trade_no) ?? [],
    entries: entries_of.get(out_trade_no) ?? [],
    events: events_of.get(out_trade_no) ?? [],
    evidence: evidence_of.get(out_trade_no) ?? [],
    open_deliveries: open_of.get(out_trade_no) ?? [],
    holds_sale: claims.get(order_of.get(out_trade_no)?.reference ?? '') === out_trade_no,
  }))
}

/** Which number holds the sale of each reference that these orders name. */
async function readClaims(
  { references }: ProofStore,
  mchid: string,
  orders: readonly OrderRecord[],
): Promise<Map<string, string>> {
  const named = new Set(orders.flatMap(({ reference }) => reference ?? []))
  return named.size === 0 ? new Map() : new Map(await references.ofReferences(mchid, [...named]))
}

/** The checkouts that made these orders, by their `_id`. */
async function readCheckouts(
  { checkouts }: ProofStore,
  orders: readonly OrderRecord[],
): Promise<Map<string, CheckoutRecord>> {
  const named = new Set(orders.flatMap(({ checkout_id }) => checkout_id ?? []))
  const found = named.size === 0 ? [] : await checkouts.findAll([...named])
  return new Map(found.map((checkout) => [checkout._id, checkout]))
}

function groupByNumber<T extends { out_trade_no: string | null }>(records: readonly T[]): Map<string | null, T[]> {
  const groups = new Map<string | null, T[]>()
  for (const record of records) {
    const group = groups.get(record.out_trade_no)
    if (group === undefined) groups.set(record.out_trade_no, [record])
    else group.push(record)
  }
  return groups
}
