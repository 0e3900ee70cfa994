import { isOfBills } from '../domain/bill/sheet.ts'
import { beijingTime, milliseconds } from '../domain/calendar.ts'
import { orderId, sheetDay } from '../domain/ids.ts'
import type { JournalEntry, Posting } from '../domain/journal.ts'
import { refundedAmounts } from '../domain/payment/record.ts'
import { readDossiers } from './dossier.ts'
import type { ProofStore } from './dossier.ts'
import { newFinding } from './finding.ts'
import type { Dossier, Finding, ProofMoment, ProofPatience } from './finding.ts'
import { proveDays } from './bill.ts'
import { proveCheckouts } from './checkout.ts'
import { checkJournal, entryFindings } from './journal.ts'
import { dossierFindings } from './records.ts'
import type { WeChatRecords } from './wechat.ts'

/** WeChat's own records of a merchant. Only a simulator shows them. */
export interface WeChatRecordsSource {
  /** by out_trade_no */
  ofMerchant(mchid: string): Promise<Map<string, WeChatRecords>>
  ofNumber(mchid: string, out_trade_no: string): Promise<WeChatRecords>
}

export interface PassageOptions {
  /** Unix ms */
  now: () => number
  /** what counts as under way; null: nothing does */
  patience: ProofPatience | null
  truth?: WeChatRecordsSource | undefined
  /** orders read at once; 200 unless told, at most 500 */
  page_size?: number
}

/** The totals of a merchant's records. Amounts in fen. */
export interface Tally {
  mchid: string
  orders: number
  payments: number
  refunds: number
  /** Σ of all payments */
  paid_in: number
  /** Σ of the refunds that have reached the payers */
  given_back: number
  adrift: number
  under_way: number
}

/** A step of a proof: how many records it looked at, and what it found. */
export interface PassagePart {
  looked_at: number
  findings: Finding[]
}

const no_wechat_records: WeChatRecords = { order: null, payments: [], refunds: [] }

/**
 * Proves all records of a merchant, a bounded page at a time: its orders in turn, then money, refunds and entries whose
 * number no order has, then the sums of the journal. Yields after each page and answers the tally at the end; whoever
 * drives it may stop between two pages and go on later. A finding is read once more before it is reported, since
 * records are written one after the other while they are read.
 */
export async function* proveMerchant(
  store: ProofStore,
  mchid: string,
  options: PassageOptions,
): AsyncGenerator<PassagePart, Tally> {
  const run = new Passage(store, mchid, options)
  await run.readWeChatRecords()
  yield* run.proveAll()
  yield* run.proveCheckouts()
  yield* run.proveBills()
  yield await run.proveRest()
  yield* confirmSums(run, new Passage(store, mchid, options))
  return run.tally
}

/**
 * Adds up sums that differ once more: an order that came for money already here, behind the place where the pages
 * were, was counted in neither of them. What is adrift is adrift by the same fen both times.
 */
async function* confirmSums(run: Passage, second_run: Passage): AsyncGenerator<PassagePart> {
  if (run.sums.size === 0) return
  for await (const { looked_at } of second_run.proveAll()) yield { looked_at, findings: [] }
  const confirmed = [...run.sums].filter(([account, amount]) => second_run.sums.get(account) === amount)
  const findings = confirmed.map(([account, amount]) => run.sumFinding(account, amount))
  run.tally.adrift += findings.length
  yield { looked_at: 0, findings }
}

/** Proves what is recorded under these numbers, at most 500; reads what is found a second time. */
export async function proveNumbers(
  store: ProofStore,
  mchid: string,
  numbers: readonly string[],
  options: PassageOptions,
): Promise<Finding[]> {
  const run = new Passage(store, mchid, options)
  await run.readWeChatRecords()
  return await run.prove(await readDossiers(store, mchid, numbers))
}

class Passage {
  readonly #store: ProofStore
  readonly #mchid: string
  readonly #options: PassageOptions
  readonly #page_size: number
  /** what WeChat knows and no dossier has been compared with yet; null: there is nothing to compare with */
  #truths: Map<string, WeChatRecords> | null = null
  /** The journal is summed up to this moment: none of the entries before it is being written any more. */
  readonly #booked_before: number
  /** by account: what the records call for, less what is posted */
  readonly #open = new Map<string, number>()
  /** the days of the bills of which sheets were seen */
  readonly #sheet_days = new Set<string>()
  readonly tally: Tally

  constructor(store: ProofStore, mchid: string, options: PassageOptions) {
    this.#store = store
    this.#mchid = mchid
    this.#options = options
    this.#page_size = Math.max(1, Math.min(options.page_size ?? 200, 500))
    this.#booked_before = options.now() - (options.patience?.writing_ms ?? -1)
    const none = { orders: 0, payments: 0, refunds: 0, paid_in: 0, given_back: 0, adrift: 0, under_way: 0 }
    this.tally = { mchid, ...none }
  }

  async readWeChatRecords(): Promise<void> {
    this.#truths = (await this.#options.truth?.ofMerchant(this.#mchid)) ?? null
  }

  async *proveAll(): AsyncGenerator<PassagePart> {
    yield* this.proveOrders()
    yield* this.proveOwnerless('payments')
    yield* this.proveOwnerless('refunds')
    yield* this.proveBook()
  }

  /** Checkouts with their orders: of several numbers, so each is proven as a whole. */
  async *proveCheckouts(): AsyncGenerator<PassagePart> {
    for await (const part of proveCheckouts(this.#store, this.#mchid, () => this.#moment)) {
      this.tally.adrift += part.findings.filter(({ under_way }) => !under_way).length
      this.tally.under_way += part.findings.filter(({ under_way }) => under_way).length
      yield part
    }
  }

  /** What bills say in the book: of no number, so it is proven day by day. */
  async *proveBills(): AsyncGenerator<PassagePart> {
    for await (const part of proveDays(this.#store, this.#mchid, this.#moment, this.#sheet_days)) {
      this.tally.adrift += part.findings.filter(({ under_way }) => !under_way).length
      yield part
    }
  }

  /** What the records call for, less what is posted, where that is not zero: fen by account. */
  get sums(): Map<string, number> {
    return new Map([...this.#open].filter(([, amount]) => amount !== 0))
  }

  async *proveOrders(): AsyncGenerator<PassagePart> {
    for (let after: string | null = null; ;) {
      const orders = await this.#store.orders.inTurn(this.#mchid, after, this.#page_size)
      const numbers = orders.map(({ out_trade_no }) => out_trade_no)
      const dossiers = await readDossiers(this.#store, this.#mchid, numbers, orders)
      yield { looked_at: orders.length, findings: await this.prove(dossiers) }
      after = orders.at(-1)?._id ?? null
      if (after === null || orders.length < this.#page_size) return
    }
  }

  /** Payments and refunds whose number no order has, each number once: with the first that it has of the first kind. */
  async *proveOwnerless(kind: 'payments' | 'refunds'): AsyncGenerator<PassagePart> {
    for (let after: string | null = null; ;) {
      const records: { _id: string; out_trade_no: string }[] = await this.#store[kind].inTurn(
        this.#mchid,
        after,
        this.#page_size,
      )
      const dossiers = await this.#withoutOrder(records)
      const first = dossiers.filter((dossier) => isFirstShown(dossier, kind, records))
      yield { looked_at: records.length, findings: await this.prove(first) }
      after = records.at(-1)?._id ?? null
      if (after === null || records.length < this.#page_size) return
    }
  }

  /** Walks the journal in the order of posting: finds entries that no dossier has shown so far, and sums all. */
  async *proveBook(): AsyncGenerator<PassagePart> {
    const until = beijingTime(this.#booked_before)
    for (let cursor: string | undefined; ;) {
      const page = await this.#store.journal.bookedBefore(this.#mchid, until, { limit: 500, cursor })
      const of_orders = page.data.filter((entry) => !isOfBills(entry))
      for (const { postings } of of_orders) this.#count(postings, -1)
      const loose = of_orders.filter(({ out_trade_no }) => out_trade_no === null)
      const named = of_orders.flatMap(({ _id, out_trade_no }) => (out_trade_no === null ? [] : [{ _id, out_trade_no }]))
      const dossiers = await this.#withoutOrder(named)
      const unknown = dossiers.filter((dossier) => isFirstShown(dossier, 'entries', named))
      const nameless = loose.map((entry) => this.#nameless(entry))
      const of_bills = this.#sheetFindings(page.data)
      yield { looked_at: page.data.length, findings: [...of_bills, ...(await this.prove([...unknown, ...nameless]))] }
      if (page.next_cursor === null) return
      cursor = page.next_cursor
    }
  }

  /** Sheets and openings by themselves; whether they say what the bills say is proven day by day. */
  #sheetFindings(entries: readonly JournalEntry[]): Finding[] {
    const about = { mchid: this.#mchid, out_trade_no: null }
    const of_bills = entries.filter(isOfBills)
    for (const { _id, kind } of of_bills) if (kind !== 'opening') this.#sheet_days.add(sheetDay(_id))
    const findings = of_bills.flatMap((entry) => entryFindings(about, entry))
    this.tally.adrift += findings.length
    return findings
  }

  /** What WeChat knows under numbers that are not recorded at all. */
  async proveRest(): Promise<PassagePart> {
    const numbers = [...(this.#truths?.keys() ?? [])]
    const findings: Finding[] = []
    for (let place = 0; place < numbers.length; place += this.#page_size) {
      const part = numbers.slice(place, place + this.#page_size)
      findings.push(...(await this.prove(await readDossiers(this.#store, this.#mchid, part))))
    }
    return { looked_at: numbers.length, findings }
  }

  async prove(dossiers: readonly Dossier[]): Promise<Finding[]> {
    const findings: Finding[] = []
    for (const dossier of dossiers) findings.push(...(await this.#proveOne(dossier)))
    this.tally.adrift += findings.filter(({ under_way }) => !under_way).length
    this.tally.under_way += findings.filter(({ under_way }) => under_way).length
    return findings
  }

  async #proveOne(seen: Dossier): Promise<Finding[]> {
    const { mchid, out_trade_no } = seen
    const truth = this.#truthOf(out_trade_no)
    if (dossierFindings(seen, this.#moment, truth).length === 0) {
      this.#reckon(seen)
      return []
    }
    const [fresh = seen] = out_trade_no === null ? [seen] : await readDossiers(this.#store, mchid, [out_trade_no])
    const { truth: source } = this.#options
    const now_there =
      source === undefined || truth === null || out_trade_no === null
        ? truth
        : await source.ofNumber(mchid, out_trade_no)
    this.#reckon(fresh)
    return dossierFindings(fresh, this.#moment, now_there)
  }

  get #moment(): ProofMoment {
    return { now_ms: this.#options.now(), patience: this.#options.patience }
  }

  #truthOf(out_trade_no: string | null): WeChatRecords | null {
    if (this.#truths === null || out_trade_no === null) return null
    const truth = this.#truths.get(out_trade_no) ?? no_wechat_records
    this.#truths.delete(out_trade_no)
    return truth
  }

  /** Adds a dossier to the tally and to what the journal must sum to. */
  #reckon(dossier: Dossier): void {
    const { tally } = this
    tally.orders += dossier.order === null ? 0 : 1
    tally.payments += dossier.payments.length
    tally.refunds += dossier.refunds.length
    for (const payment of dossier.payments) {
      tally.paid_in += payment.amount.total
      tally.given_back += refundedAmounts(payment).refunded
    }
    for (const { booked_time, postings } of checkJournal(dossier, this.#moment).expected) {
      if (booked_time === null || milliseconds(booked_time) < this.#booked_before) this.#count(postings, 1)
    }
  }

  #count(postings: readonly Posting[], sign: 1 | -1): void {
    for (const { account, amount } of postings) {
      this.#open.set(account, (this.#open.get(account) ?? 0) + sign * amount)
    }
  }

  sumFinding(account: string, by: number): Finding {
    const more = by > 0 ? 'less' : 'more'
    const detail = `${account} holds ${Math.abs(by)} fen ${more} than all records of the merchant call for`
    return newFinding({ mchid: this.#mchid, out_trade_no: null }, 'totals_differ', { amount: Math.abs(by), detail })
  }

  #nameless(entry: JournalEntry): Dossier {
    const nothing = { order: null, checkout: null, payments: [], refunds: [], events: [], evidence: [] }
    const unheld = { open_deliveries: [], holds_sale: false }
    return { mchid: this.#mchid, out_trade_no: null, ...nothing, ...unheld, entries: [entry] }
  }

  /** The dossiers of those numbers that no order has. */
  async #withoutOrder(records: readonly { out_trade_no: string }[]): Promise<Dossier[]> {
    const numbers = [...new Set(records.map(({ out_trade_no }) => out_trade_no))]
    const ids = numbers.map((out_trade_no) => orderId({ mchid: this.#mchid, out_trade_no }))
    const known = new Set(await this.#store.orders.existingIds(ids))
    const unknown = numbers.filter((out_trade_no) => !known.has(orderId({ mchid: this.#mchid, out_trade_no })))
    return await readDossiers(this.#store, this.#mchid, unknown)
  }
}

/** Whether a number without an order comes up here for the first time: nothing of an earlier kind, none before these. */
function isFirstShown(
  dossier: Dossier,
  kind: 'payments' | 'refunds' | 'entries',
  records: readonly { _id: string }[],
): boolean {
  const { payments, refunds, entries } = dossier
  if (kind !== 'payments' && payments.length > 0) return false
  if (kind === 'entries' && refunds.length > 0) return false
  const here = new Set(records.map(({ _id }) => _id))
  const all = kind === 'payments' ? payments : kind === 'refunds' ? refunds : entries.toSorted(byBooking)
  const first = kind === 'entries' ? all[0] : all.toSorted((a, b) => (a._id < b._id ? -1 : 1))[0]
  return first !== undefined && here.has(first._id)
}

function byBooking(a: JournalEntry, b: JournalEntry): number {
  return a.booked_time < b.booked_time || (a.booked_time === b.booked_time && a._id < b._id) ? -1 : 1
}
