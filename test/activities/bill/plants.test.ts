import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import type { ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import type { PlantName, plant_names } from '../../../simulator/bills/plants.ts'
import { paymentSample } from '../../store/samples.ts'
import { bill_date, day, Market, mchid } from './market.ts'
import type { Look } from './market.ts'

type TradePlant = (typeof plant_names.trade)[number]
type FlowPlant = (typeof plant_names.fundflow)[number]

/** What a look finds of a row that is planted so: of a payment, and of a refund. A new plant has to be entered here. */
const unread = ['malformed', 'missing_there'] as const
const of_rows = {
  omitted: ['missing_there'],
  moved: ['missing_there'],
  duplicated: ['duplicate'],
  amount: ['amount'],
  settled: ['amount'],
  state: ['state'],
  number: ['number'],
  // Of a merchant whose rate nobody has told, fees are only summed.
  fee: [],
  comma: [],
  back_tick: [],
  few_decimals: [],
  double_blank: [],
  line_break: [],
  false_cell: unread,
  decimals: unread,
  full_width_colons: unread,
  missing_blank: unread,
  short_line: unread,
  cut_line: unread,
} as const satisfies Partial<Record<TradePlant, readonly string[]>>

/** How many rows of another system, or of nobody, the day has of each; they are of no merchant's number. */
const of_strangers = { foreign_payment: 2, foreign_appid: 1, foreign_refund: 1 } as const

/** What is said of a whole trade bill that is planted so; null: nothing, and the day is proven. */
const of_files = {
  wrong_footer: 'the footer says 应结订单总金额 28.71, and the rows come to 28.70',
  fractional_count: '总交易单数 is no number: "4.5"',
  details_removed: 'the footer says 总交易单数 4.0, and the rows come to 0 rows',
  no_footer: 'the file has no footer, so it is not whole',
  flat_footer: 'the file has no footer, so it is not whole',
  unknown_column: 'the header has names that are not known: "未知列"',
  json_wrapped: 'the file is JSON or XML, an error or what some SDK wrapped, and no bill of WeChat Pay’s',
  no_byte_order_mark: null,
  bare_line_feeds: null,
  old_layout: null,
  // The footer agrees; all that is recorded here is missing there.
  empty: 'missing_there',
} as const satisfies Partial<Record<TradePlant, string | null>>

/** The same of fund flow, of its second payment; `unseen`: nothing in that bill by itself contradicts it. */
const of_flows = {
  omitted:
    'the balance of line 4 of the fund flow goes on from ¥1000018.69, and the line before it ends with ¥1000009.84',
  moved: 'the balance of line 4',
  duplicated: 'the balance of line 5',
  amount: 'the balance of line 4',
  broken_chain: 'the balance of line 4',
  state: 'the fund flow has 1 payments of this day, ¥8.90',
  subject: 'the fund flow has 1 payments of this day, ¥8.90',
  number: 'unseen',
  comma: null,
  back_tick: null,
  few_decimals: null,
  double_blank: null,
  line_break: null,
  false_cell: 'fund flow: 2 lines cannot be read',
  decimals: 'fund flow: 2 lines cannot be read',
  full_width_colons: 'fund flow: 2 lines cannot be read',
  missing_blank: 'fund flow: 2 lines cannot be read',
  short_line: 'fund flow: 2 lines cannot be read',
  cut_line: 'fund flow: 2 lines cannot be read',
  wrong_footer: 'fund flow: the footer says 收入金额 28.73, and the rows come to 28.72',
  fractional_count: 'fund flow: 资金流水总笔数 is no number: "8.5"',
  details_removed: 'fund flow: the footer says 资金流水总笔数 8.0, and the rows come to 0 rows',
  no_footer: 'fund flow: the file has no footer, so it is not whole',
  flat_footer: 'fund flow: the file has no footer, so it is not whole',
  unknown_column: 'fund flow: the header has names that are not known: "未知列"',
  json_wrapped: 'fund flow: no line names the columns',
  no_byte_order_mark: null,
  bare_line_feeds: null,
  empty: 'unseen',
  net_income: null,
} as const satisfies Record<FlowPlant, string | null>

type Covered = keyof typeof of_rows | keyof typeof of_strangers | keyof typeof of_files
/** Does not compile while a plant of the trade bill is in no table. */
const uncovered: Exclude<TradePlant, Covered>[] = []

const seen = (differences: readonly DifferenceRecord[]) =>
  differences.map(({ kind, state }) => `${kind} ${state}`).sort()

/** As a look finds it: what waits may still come from the other side. */
const stateOf = (kind: string) => (/missing_/.test(kind) ? 'waiting' : 'open')

describe('a day with every plant', () => {
  let market: Market
  let look: Look
  /** what was planted, by the number that it is of */
  const planted = new Map<string, string[]>()
  const strangers = Object.values(of_strangers).reduce((sum, rows) => sum + rows, 0)
  const healable: Record<string, OrderKey & { transaction_id: string }> = {}
  let console_refund: string

  beforeAll(async () => {
    market = await Market.open('database')
    await market.sold({ nocash: 100 })
    const plantBoth = async ([fault, kinds]: [string, readonly string[]]) => {
      const [{ out_trade_no }, { out_refund_no }] = await Promise.all([market.sold(), market.givenBack()])
      market.plant('trade', fault, { out_trade_no })
      planted.set(out_trade_no, [...kinds])
      market.plant('trade', fault, { out_refund_no })
      const of_refund = kinds.map((kind) => (['malformed', 'duplicate'].includes(kind) ? kind : `refund_${kind}`))
      planted.set(out_refund_no, of_refund)
    }
    await Promise.all(Object.entries(of_rows).map(plantBoth))
    for (const [fault, rows] of Object.entries(of_strangers)) market.plant('trade', fault, { rows })
    // A row that nobody at WeChat Pay knows, under a number of ours.
    const { out_trade_no } = await market.sold()
    market.plant('trade', 'foreign_payment', { value: out_trade_no })
    planted.set(out_trade_no, ['missing_here'])
    await unheard()
    console_refund = market.refundInConsole(await market.sold())
    // A payment that is recorded here and that WeChat Pay never took.
    const success_time = '2026-11-22T11:00:00.000+08:00'
    const phantom = { _id: `${mchid}/4200PHANTOM`, out_trade_no: 'TEA_PHANTOM', appid: `wx${mchid}`, success_time }
    await market.store.payments.insert(paymentSample('4200PHANTOM', { ...phantom, order_id: null }))
    planted.set('TEA_PHANTOM', ['phantom_payment'])
    look = await market.look()
  })
  afterAll(async () => await market.close())

  /** Money that WeChat took, and of which nothing was ever heard. */
  async function unheard(): Promise<void> {
    const lost = await market.ordered()
    healable['order'] = { ...lost, transaction_id: market.pay(lost) }
    const late = await market.closed()
    healable['late'] = { ...late, transaction_id: market.pay(late, { story: 'pay_after_close' }) }
    const twice = await market.sold()
    healable['second'] = { ...twice, transaction_id: market.pay(twice, { story: 'second_payment' }) }
  }

  it('has each plant of the simulator', () => {
    expect(uncovered).toEqual([])
  })

  it('names each rightly, and nothing else', () => {
    const found = new Map<string, string[]>()
    for (const { kind, state, out_trade_no, out_refund_no } of look.differences) {
      if (kind === 'malformed' || state === 'healed') continue
      const number = out_refund_no ?? out_trade_no ?? ''
      // A refund's number that was changed is the old one and a letter.
      const of = planted.has(number) ? number : number.replace(/X$/, '')
      found.set(of, [...(found.get(of) ?? []), `${kind} ${state}`])
    }
    for (const [number, kinds] of planted) {
      const wanted = kinds.filter((kind) => kind !== 'malformed').map((kind) => `${kind} ${stateOf(kind)}`)
      expect(found.get(number) ?? [], number).toEqual(wanted)
      found.delete(number)
    }
    expect([...found]).toEqual([])
    const malformed = look.differences.filter(({ kind }) => kind === 'malformed')
    expect(malformed).toHaveLength([...planted.values()].flat().filter((kind) => kind === 'malformed').length)
  })

  it('hands each healable one to its order or refund, where it becomes what it is', async () => {
    expect(look).toMatchObject({ handed_over: 4, missing: 0, record: { healed_count: 4 } })
    for (const [role, { transaction_id }] of Object.entries(healable))
      expect(await market.store.payments.find(mchid, transaction_id), role).toMatchObject({ role })
    const order = await market.store.orders.find(healable['order'] ?? (day as never))
    expect(order?.payment).toMatchObject({ found_by: 'bill', transaction_id: healable['order']?.transaction_id })
    const refund = await market.store.refunds.find({ mchid, out_refund_no: console_refund })
    expect(refund).toMatchObject({ origin: 'outside', state: 'succeeded', amount: { refund: 300 } })
  })

  it('asks WeChat Pay about the others and keeps what it says', () => {
    const says = (kind: string) =>
      [...new Set(look.differences.filter((one) => one.kind === kind).map(({ answer }) => answer?.says))].sort()
    expect(says('amount')).toEqual(['SUCCESS'])
    expect(says('missing_there')).toEqual(['SUCCESS', 'unknown'])
    expect(says('refund_missing_there')).toEqual(['SUCCESS'])
    expect(says('missing_here')).toEqual(['SUCCESS', 'unknown'])
    expect(says('duplicate')).toEqual([undefined])
  })

  it('has every row and every record in one class', () => {
    const kinds = [...planted.values()].flat()
    const count = (...wanted: string[]) => kinds.filter((kind) => wanted.includes(kind)).length
    const { rows, records, is_proven, state } = look.record
    const malformed = count('malformed')
    const differ = count('amount', 'state', 'number', 'refund_amount', 'refund_state', 'refund_number')
    const missing_there = count('missing_there', 'refund_missing_there', 'phantom_payment')
    expect(rows).toMatchObject({ foreign: strangers, malformed, waiting: 1, different: differ + count('duplicate') })
    expect(records).toMatchObject({ waiting: missing_there, different: differ, foreign: 0, malformed: 0 })
    expect(rows?.matched).toBe(records?.matched)
    expect({ is_proven, state }).toEqual({ is_proven: false, state: 'different' })
  })

  it('is seen the same by DuckDB, from the same file and the same records', async () => {
    const ours = look.differences
      .filter(({ state }) => state !== 'healed')
      // What WeChat Pay says of a record that the bill lacks, no file says.
      .map((one) => (one.kind === 'phantom_payment' ? { ...one, kind: 'missing_there' as const } : one))
    expect((await secondOpinion(market)).sort()).toEqual(ours.map(told).sort())
  })

  it('is the same after a second look', async () => {
    const again = await market.look()
    expect(again.handed_over).toBe(0)
    const unasked = (differences: readonly DifferenceRecord[]) =>
      differences.map(({ answer, ...one }) => ({ ...one, says: answer?.says, evidence_id: answer?.evidence_id }))
    expect(unasked(again.differences)).toEqual(unasked(look.differences))
    const untimed = ({
      run: _run,
      look: _look,
      start_time: _start,
      end_time: _end,
      book,
      ...rest
    }: ReconciliationRecord) => ({
      ...rest,
      book: book && { ...book, post_time: null },
    })
    expect(untimed(again.record)).toEqual(untimed(look.record))
    expect(await market.store.bills.versions(day, 'trade')).toHaveLength(1)
  })

  it('is healed by the next day’s bill, and by one that is issued anew, but for what is not there', async () => {
    const next = await market.look('2026-11-23')
    expect(next.record).toMatchObject({ is_proven: true, rows: { all: 2, matched: 2 } })
    const moved = (await market.differences()).filter(({ timeline }) => timeline.at(-1)?.reason?.includes('2026-11-23'))
    expect(seen(moved)).toEqual(['missing_there healed', 'refund_missing_there healed'])
    market.simulator.control.removeFaults(null)
    market.simulator.control.issueBills({ mchid, bill_date })
    const right = await market.look()
    const left = right.differences.filter(({ state }) => state !== 'healed')
    expect(left.map(({ kind, out_trade_no }) => `${kind} ${out_trade_no}`).sort()).toEqual([
      'phantom_payment TEA_PHANTOM',
    ])
    expect(right.record).toMatchObject({ versions: { trade: 2 }, rows: { malformed: 0, foreign: 0, different: 0 } })
  })
})

describe('a bill that is planted', () => {
  let market: Market
  let second: OrderKey
  beforeAll(async () => {
    market = await Market.open('memory')
    await market.sold()
    second = await market.sold({ nocash: 100 })
    await market.givenBack()
  })
  afterAll(async () => await market.close())

  /** The day as it is with this plant, issued anew. */
  async function lookAt(bill: 'trade' | 'fundflow', fault: PlantName, given: object): Promise<Look> {
    market.plant(bill, fault, { ...given })
    market.simulator.control.issueBills({ mchid, bill_date })
    const look = await market.look()
    market.simulator.control.removeFaults(null)
    return look
  }

  it.each(Object.entries(of_files))('as a whole with %s says so, or is proven', async (fault, said) => {
    const { record, differences } = await lookAt('trade', fault as TradePlant, {})
    const left = differences.filter(({ state }) => state !== 'healed').map(({ kind }) => kind)
    expect([...flawTexts(record.flaws), ...left].includes(said ?? '')).toBe(said !== null)
    expect(record.is_proven).toBe(said === null)
  })

  it.each(Object.entries(of_flows))('of fund flow with %s says so, or is proven', async (fault, said) => {
    const { out_trade_no } = second
    const { record, differences } = await lookAt('fundflow', fault as FlowPlant, { out_trade_no })
    expect(differences.filter(({ state }) => state !== 'healed')).toEqual([])
    // That movements are missing shows in the book: its accounts of what is under way are not empty by their time.
    if (said === 'unseen') return
    expect(flawTexts(record.flaws).some((flaw) => flaw.startsWith(said ?? '-'))).toBe(said !== null)
    expect(record.is_proven).toBe(said === null)
  })
})

/** What DuckDB finds in the very file and our records: it shares nothing with Weft but the names of the kinds. */
async function secondOpinion(market: Market): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-opinion-'))
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const [bill, records] = [join(folder, 'bill.csv'), join(folder, 'records.json')]
    writeFileSync(bill, await market.tradeBill())
    const ours = await market.records()
    writeFileSync(records, ours.map((record) => JSON.stringify(record)).join('\n'))
    const { data: orders } = await market.store.orders.list(mchid, {}, { limit: 500 })
    const numbers = orders.map(({ out_trade_no }) => `'${out_trade_no}'`).join(',')
    await connection.run(`SET VARIABLE bill = '${bill}'; SET VARIABLE records = '${records}'`)
    await connection.run(`SET VARIABLE orders = [${numbers}]`)
    const found = await connection.runAndReadAll(readFileSync(new URL('opinion.sql', import.meta.url), 'utf8'))
    const told_there = found.getRowObjects() as { kind: string; bill_id: string; our_id: string }[]
    return told_there.map(({ kind, bill_id, our_id }) => `${kind} ${bill_id} ${our_id}`)
  } finally {
    connection.closeSync()
    rmSync(folder, { recursive: true })
  }
}

/** A difference by what each side calls it. */
function told({ kind, bill, weft }: DifferenceRecord): string {
  if (kind === 'malformed') {
    const line = Buffer.from(String(bill?.['bytes']), 'base64').toString()
    return `malformed ${/4200\d{24}/.exec(line)?.[0]} `
  }
  const id = (side: Record<string, unknown> | null) =>
    (side?.['kind'] === 'refund' ? side['refund_id'] : side?.['transaction_id']) as string | undefined
  return `${kind} ${id(bill) ?? ''} ${id(weft) ?? ''}`
}
