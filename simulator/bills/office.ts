import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import { flow_accounts } from '../../domain/merchant/bill.ts'
import type { FlowAccount } from '../../domain/merchant/bill.ts'
import type { CallEffect, Faults } from '../faults.ts'
import type { CallOutcome } from '../payments.ts'
import { randomLetters } from '../random.ts'
import type { GeneratedBefore, IssuedBill, Merchant } from '../records.ts'
import { CallRefusal, ControlError } from '../refusal.ts'
import type { SimulatorSettings } from '../settings.ts'
import type { SimulatorState } from '../state.ts'
import { balanceBefore, flowDetails } from './flow.ts'
import type { FlowTerms } from './flow.ts'
import { GeneratedDay } from './generator.ts'
import type { GeneratedDayOptions } from './generator.ts'
import { billBytes, flowLayout, tradeLayouts } from './layout.ts'
import type { TradeLayoutName } from './layout.ts'
import { flawsOf, hasPlant, isPlantOf, movedRows, plantFlows, plantTrades } from './plants.ts'
import type { BillPlant } from './plants.ts'
import type { BillKind, TradeDetail } from './row.ts'
import { tradeDetails } from './trade.ts'
import type { BillScope } from './trade.ts'

const hour_ms = 3_600_000
const day_ms = 24 * hour_ms
/** After the end of the day: when its bills are made, and when they can be had. */
const made_after_ms = 9 * hour_ms
const ready_after_ms = 10 * hour_ms
const months_served = 3
const links_kept = 1_000
/** A generated day takes seconds to write and to pack, while nobody else is answered: the files of two days. */
const files_kept = 4

/** BillLink is what a download_url leads to: the file is made anew for each download, so that links stay small. */
interface BillLink {
  issued: IssuedBill
  choice: BillChoice
  expire_time: number
  is_compressed: boolean
}

/** BillView is an issue of a day's bills, as the control side shows it. */
export interface BillView {
  mchid: string
  bill_date: string
  version: number
  /** what follows that nobody might expect */
  warning?: string
}

/** What was issued keeps its bytes, whatever is issued behind its back. */
const laterWarning = (bill_date: string) =>
  `${bill_date} was issued before it and does not know its movements: the chain of balances is broken there, until that ` +
  'day and those behind it are issued anew'

/** A bill as it is given out. */
interface BillFile {
  /** of the plain bytes, in hex */
  sha1: string
  packed: Buffer
}

interface BillOfficeTools {
  state: SimulatorState
  faults: Faults
  settings: SimulatorSettings
  now: () => number
}

/** What is applied for: which bill, of which layout. */
type BillChoice = { bill: 'trade'; layout: 'ALL' | 'SUCCESS' | 'REFUND' } | { bill: 'fundflow'; account: FlowAccount }

/**
 * BillOffice issues the bills of each day and gives them out (docs/wechat-pay.md §2.5, §5). A bill is the picture of
 * one moment, so each copy of it has the same bytes until the day is issued again. Every call throws CallRefusal.
 */
export class BillOffice {
  readonly #tools: BillOfficeTools
  /** by token; in memory only, so that a restart ends them as time would */
  readonly #links = new Map<string, BillLink>()
  /** of generated days, by issue and choice, the oldest first */
  readonly #files = new Map<string, BillFile>()

  constructor(tools: BillOfficeTools) {
    this.#tools = tools
  }

  applyForTrades(merchant: Merchant, search: URLSearchParams, host: string, effect: CallEffect | null): CallOutcome {
    const layout = search.get('bill_type') ?? 'ALL'
    if (layout !== 'ALL' && layout !== 'SUCCESS' && layout !== 'REFUND') throw parameterRefusal('bill_type')
    return this.#apply(merchant, search, host, { bill: 'trade', layout }, effect)
  }

  applyForFlows(merchant: Merchant, search: URLSearchParams, host: string, effect: CallEffect | null): CallOutcome {
    const wanted = search.get('account_type') ?? 'BASIC'
    const account = flow_accounts.find((one) => one === wanted)
    if (account === undefined) throw parameterRefusal('account_type')
    return this.#apply(merchant, search, host, { bill: 'fundflow', account }, effect)
  }

  /** Gives out the file of a link: not signed, and without any header that says how it is compressed. */
  download(merchant: Merchant, search: URLSearchParams, effect: CallEffect | null): CallOutcome {
    const link = this.#links.get(search.get('token') ?? '')
    const isOver = link === undefined || this.#tools.now() >= link.expire_time || effect?.kind === 'expired'
    if (isOver) throw new CallRefusal('INVALID_REQUEST', { message: '下载链接无效或已过期，请重新申请账单' })
    if (link.issued.mchid !== merchant.mchid) throw new CallRefusal('NO_AUTH')
    const is_compressed = link.is_compressed !== (effect?.kind === 'other_form')
    const file = this.#fileOf(link.issued, link.choice)
    if (file === null) throw new CallRefusal('NO_STATEMENT_EXIST')
    const whole = is_compressed ? file.packed : gunzipSync(file.packed)
    const half = whole.subarray(0, Math.floor(whole.length / 2))
    return {
      kind: 'file',
      content_type: is_compressed ? 'application/x-gzip' : 'text/plain',
      bytes: effect?.kind === 'truncated' || effect?.kind === 'cut_off' ? half : whole,
      cut_off: effect?.kind === 'cut_off',
    }
  }

  /** The day of the bill that a link leads to, for faults; null of an unknown one. */
  dateOfLink(token: string | null): string | null {
    return this.#links.get(token ?? '')?.issued.bill_date ?? null
  }

  /**
   * Issues the bills of a day at once, whatever the time; again, it issues them anew, with what has changed since and
   * the plants that stand now. With `generated` its trades and movements are those of a GeneratedDay. Throws
   * ControlError.
   */
  issue(mchid: string, bill_date: string, generated?: Partial<GeneratedDayOptions>): BillView {
    const now = this.#tools.now()
    const start = startOfDay(bill_date)
    if (start === null) throw new ControlError(400, 'PARAM_ERROR', 'bill_date: a day like 2026-11-28')
    if (start > now) throw new ControlError(409, 'DAY_TO_COME', 'that day has not begun')
    const is_moving = generated !== undefined || this.#tools.state.findBill(mchid, bill_date)?.generated !== undefined
    const { version } = this.#issueAsOf(mchid, bill_date, now, generated)
    const [later] = this.#billsOf(mchid).filter((bill) => bill.bill_date > bill_date)
    return { mchid, bill_date, version, ...(is_moving && later && { warning: laterWarning(later.bill_date) }) }
  }

  #apply(
    merchant: Merchant,
    search: URLSearchParams,
    host: string,
    choice: BillChoice,
    effect: CallEffect | null,
  ): CallOutcome {
    const tar_type = search.get('tar_type')
    if (tar_type !== null && tar_type !== 'GZIP') throw parameterRefusal('tar_type')
    const issued = this.#issuedBill(merchant.mchid, search.get('bill_date') ?? '')
    const file = this.#fileOf(issued, choice)
    if (file === null) throw new CallRefusal('NO_STATEMENT_EXIST')
    const is_compressed = tar_type === 'GZIP'
    const token = this.#keepLink({ issued, choice, is_compressed })
    const hash_value = effect?.kind === 'wrong_hash' ? sha1Of('another file') : file.sha1
    const download_url = `http://${host}/v3/billdownload/file?token=${token}${is_compressed ? '&tartype=gzip' : ''}`
    return { kind: 'answer', status: 200, body: { hash_type: 'SHA1', hash_value, download_url } }
  }

  /** The day's bill, issued by now. Throws the refusal of a day that has none, not yet or no more. */
  #issuedBill(mchid: string, bill_date: string): IssuedBill {
    const { state, settings, now } = this.#tools
    const start = startOfDay(bill_date)
    if (start === null) throw parameterRefusal('bill_date')
    const known = state.findBill(mchid, bill_date)
    const time = now()
    if (isTooOld(bill_date, time))
      throw new CallRefusal('INVALID_REQUEST', { message: '账单日期超出可查询范围，仅支持三个月内的账单' })
    if (known !== null) return known
    if (bill_date >= beijingDay(time))
      throw new CallRefusal(settings.bill_too_early, { message: '账单日期错误，须早于今日' })
    const end = start + day_ms
    if (time < end + made_after_ms) throw new CallRefusal(settings.bill_unmade)
    if (time < end + ready_after_ms) throw new CallRefusal('STATEMENT_CREATING')
    return this.#issueAsOf(mchid, bill_date, end + made_after_ms)
  }

  #issueAsOf(mchid: string, bill_date: string, as_of: number, generated?: Partial<GeneratedDayOptions>): IssuedBill {
    const { state, faults } = this.#tools
    const version = (state.findBill(mchid, bill_date)?.version ?? 0) + 1
    const days = [bill_date, dayBefore(bill_date)]
    const plants = faults.plantsOf(mchid).filter((plant) => plant.bill_date === null || days.includes(plant.bill_date))
    const moved = generated && new GeneratedDay({ ...generated, mchid, bill_date }).moved()
    const before = this.#billsOf(mchid).filter((bill) => bill.generated !== undefined && bill.bill_date < bill_date)
    const after: GeneratedBefore = {
      days: before.map((bill) => bill.bill_date),
      moved: before.reduce((sum, bill) => sum + (bill.moved ?? 0), 0),
    }
    const issued: IssuedBill = { mchid, bill_date, version, as_of, plants, generated, after }
    const kept = moved === undefined ? issued : { ...issued, moved }
    state.keepBill(kept)
    return kept
  }

  /** The newest issues of a merchant's days, the earliest day first. */
  #billsOf(mchid: string): IssuedBill[] {
    const found = [...this.#tools.state.bills.values()].filter((bill) => bill.mchid === mchid)
    return found.sort((one, other) => (one.bill_date < other.bill_date ? -1 : 1))
  }

  /** The file of a bill; null when there is nothing to list. */
  #fileOf(issued: IssuedBill, choice: BillChoice): BillFile | null {
    const { mchid, bill_date, version, generated } = issued
    const name = JSON.stringify([mchid, bill_date, version, choice])
    const known = this.#files.get(name)
    if (known !== undefined) return known
    const bytes = this.#bytesOf(issued, choice)
    if (bytes === null) return null
    const file = { sha1: sha1Of(bytes), packed: gzipSync(bytes) }
    if (generated === undefined) return file
    this.#files.set(name, file)
    for (const [oldest] of this.#files) if (this.#files.size > files_kept) this.#files.delete(oldest)
    return file
  }

  /** The bytes of a bill; null when there is nothing to list. */
  #bytesOf(issued: IssuedBill, choice: BillChoice): Buffer | null {
    if (issued.generated !== undefined) {
      if (choice.bill === 'fundflow' && choice.account !== 'BASIC') return null
      const { mchid, bill_date, generated } = issued
      const day = new GeneratedDay({ ...generated, mchid, bill_date })
      if (choice.bill === 'trade') return Buffer.concat([...day.bill()])
      const opening = balanceBefore(
        this.#tools.state,
        this.#scope(issued),
        this.#flowTerms(issued, 'BASIC', 'own_lines'),
      )
      return Buffer.concat([...day.flows(opening)])
    }
    return choice.bill === 'trade' ? this.#tradeBytes(issued, choice.layout) : this.#flowBytes(issued, choice.account)
  }

  #tradeBytes(issued: IssuedBill, type: 'ALL' | 'SUCCESS' | 'REFUND'): Buffer | null {
    const { plants, yesterday, moved } = plantsFor(issued, 'trade')
    const { state } = this.#tools
    const isOfType = ({ kind }: TradeDetail): boolean => type === 'ALL' || (type === 'REFUND') === (kind === 'refund')
    const details = hasPlant(plants, 'empty') ? [] : tradeDetails(state, this.#scope(issued))
    const earlier = moved.length === 0 ? [] : tradeDetails(state, this.#scope({ ...issued, bill_date: yesterday }))
    const appid = state.merchants.get(issued.mchid)?.appids[0] ?? ''
    const bill = { ...issued, start: startOfDay(issued.bill_date) ?? 0, appid }
    const late = movedRows(earlier, moved).map((detail) => ({ detail, form: null }))
    const lines = [...plantTrades(details, plants, bill), ...late].filter(({ detail }) => isOfType(detail))
    if (lines.length === 0 && !hasPlant(plants, 'empty')) return null
    const layout: TradeLayoutName = type === 'ALL' && hasPlant(plants, 'old_layout') ? 'OLD' : type
    return billBytes(tradeLayouts[layout], lines, flawsOf(plants))
  }

  #flowBytes(issued: IssuedBill, account: FlowAccount): Buffer | null {
    const { plants, yesterday, moved } = plantsFor(issued, 'fundflow', account)
    const { state } = this.#tools
    const terms = this.#flowTerms(issued, account, feeLines(plants))
    const details = hasPlant(plants, 'empty') ? [] : flowDetails(state, this.#scope(issued), terms)
    const earlier =
      moved.length === 0 ? [] : flowDetails(state, this.#scope({ ...issued, bill_date: yesterday }), terms)
    const late = movedRows(earlier, moved).map((detail) => ({ detail, form: null }))
    const lines = [...late, ...plantFlows(details, plants)]
    if (lines.length === 0 && !hasPlant(plants, 'empty')) return null
    return billBytes(flowLayout, lines, flawsOf(plants))
  }

  #flowTerms({ after }: IssuedBill, account: FlowAccount, fees: FlowTerms['fees']): FlowTerms {
    if (account !== 'BASIC') return { account, opening: 0, fees }
    return { account, opening: this.#tools.settings.account_opening, fees, after }
  }

  #scope({ mchid, bill_date, as_of }: IssuedBill): BillScope {
    return { mchid, bill_date, as_of, closed_fee: this.#tools.settings.closed_refund_fee }
  }

  #keepLink(link: Omit<BillLink, 'expire_time'>): string {
    const { settings, now } = this.#tools
    const time = now()
    for (const [old, { expire_time }] of this.#links) {
      if (expire_time > time && this.#links.size < links_kept) break
      this.#links.delete(old)
    }
    const token = `${randomLetters(24)}-${randomLetters(12)}_${randomLetters(6)}`
    this.#links.set(token, { ...link, expire_time: time + settings.bill_link_ms })
    return token
  }
}

function sha1Of(bytes: Buffer | string): string {
  return createHash('sha1').update(bytes).digest('hex')
}

/** The plants of this very bill, and those that moved rows of the day before into it. */
function plantsFor(
  { plants, bill_date }: IssuedBill,
  bill: BillKind,
  account: FlowAccount = 'BASIC',
): { plants: BillPlant[]; yesterday: string; moved: BillPlant[] } {
  const yesterday = dayBefore(bill_date)
  return {
    plants: plants.filter((plant) => isPlantOf(plant, bill, bill_date, account)),
    yesterday,
    moved: plants.filter((plant) => isPlantOf(plant, bill, yesterday, account) && plant.fault === 'moved'),
  }
}

function feeLines(plants: readonly BillPlant[]): 'own_lines' | 'in_remark' {
  return hasPlant(plants, 'net_income') ? 'in_remark' : 'own_lines'
}

/** The first moment of a Beijing day; null of a text that is none. */
function startOfDay(bill_date: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(bill_date)) return null
  try {
    return milliseconds(`${bill_date}T00:00:00+08:00`)
  } catch {
    return null
  }
}

function dayBefore(bill_date: string): string {
  return beijingDay((startOfDay(bill_date) ?? 0) - day_ms)
}

/** Bills are served for three months: of 30 November, those from 30 August on. */
function isTooOld(bill_date: string, now: number): boolean {
  const [year = 0, month = 0, day = 0] = beijingDay(now).split('-').map(Number)
  return bill_date < new Date(Date.UTC(year, month - 1 - months_served, day)).toISOString().slice(0, 10)
}

function parameterRefusal(field: string): CallRefusal {
  return new CallRefusal('PARAM_ERROR', { detail: { field: `/${field}`, location: 'query' } })
}
