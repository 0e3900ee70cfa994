import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { beforeEach, describe, expect, it } from 'vitest'
import { readFlow } from '../../../activities/bill/flow.ts'
import type { FlowOfDay } from '../../../activities/bill/flow.ts'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { dayRange, newReconciliation } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { beijingDay } from '../../../domain/calendar.ts'
import { billId } from '../../../domain/ids.ts'
import { Bills } from '../../../store/bills.ts'
import { Reconciliations } from '../../../store/reconciliations.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryConnections } from '../../stage/memory.ts'
import { mchid } from '../../store/samples.ts'
import { layouts, line, written } from '../../wechat/statement/file.ts'

const quiet = new DefaultLogger('ERROR')
const bill_date = '2026-11-22'
const day = { mchid, bill_date }
const dateAt = (days: number) => beijingDay(dayRange(bill_date).from_ms + days * 86_400_000)

/** A movement: what it changed, and the balance that the bill has after it. */
type Movement = readonly [change: number, balance: number]

const yuan = (fen: number) => (Math.abs(fen) / 100).toFixed(2)

/** The fund flow of these movements, in bytes. */
function flowFile(movements: readonly Movement[]): Buffer {
  const { columns, summary_columns } = layouts.fundflow
  const rows = movements.map(([change, balance], index) =>
    line(columns, {
      资金流水单号: `F${index}`,
      收支类型: change < 0 ? '支出' : '收入',
      '收支金额(元)': yuan(change),
      '账户结余(元)': yuan(balance),
    }),
  )
  const of = (isWanted: (change: number) => boolean) => movements.map(([change]) => change).filter(isWanted)
  const [took, gave] = [of((change) => change >= 0), of((change) => change < 0)]
  const sum = (changes: number[]) => yuan(changes.reduce((total, change) => total + change, 0))
  const summary = [movements.length, took.length, sum(took), gave.length, sum(gave)].map(String)
  return written({ columns, rows, summary_columns, summary })
}

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })

describe('the fund flow of a day', () => {
  let store: { bills: Bills; reconciliations: Reconciliations }
  beforeEach(() => {
    const connections = memoryConnections({ left: Infinity })
    store = { bills: new Bills(connections, sealer), reconciliations: new Reconciliations(connections) }
  })

  /** Keeps the bill of a day; null: WeChat says that nothing moved. */
  async function kept(date: string, movements: readonly Movement[] | null): Promise<BillRecord> {
    const plain = movements === null ? null : flowFile(movements)
    const parts_key = `${mchid}/${date}/fundflow/${randomBytes(4).toString('hex')}`
    if (plain !== null) await store.bills.putPart(parts_key, 0, gzipSync(plain))
    const bill: BillRecord = {
      _id: billId({ mchid, bill_date: date }, 'fundflow', 1),
      ...{ mchid, bill_date: date, type: 'fundflow', version: 1 },
      state: plain === null ? 'none' : 'ready',
      hash_value: null,
      plain_sha1: plain && createHash('sha1').update(plain).digest('hex'),
      byte_count: plain?.length ?? 0,
      part_count: plain === null ? 0 : 1,
      parts_key,
      fetch_time: '2026-11-23T10:30:00.000+08:00',
    }
    await store.bills.add(bill)
    return bill
  }

  /** A day that was looked at, so many days from this one. */
  async function looked(days: number, found: Partial<ReconciliationRecord>): Promise<void> {
    const date = dateAt(days)
    const fresh = newReconciliation({ mchid, bill_date: date }, '2026-11-23T10:30:00.000+08:00', 'look')
    await store.reconciliations.begin({ ...fresh, versions: { fundflow: 1 }, ...found })
  }

  async function read(movements: readonly Movement[] | null): Promise<FlowOfDay> {
    return await readBill(await kept(bill_date, movements))
  }

  async function readBill(bill: BillRecord): Promise<FlowOfDay> {
    const outcome: unknown = await new MockActivityEnvironment({}, { logger: quiet }).run(() =>
      readFlow(store, day, { ...bill, type: 'fundflow' }),
    )
    return outcome as FlowOfDay
  }

  it('goes from its first balance to its last', async () => {
    const flow = await read([
      [990, 10_990],
      [-300, 10_690],
    ])
    expect(flow).toEqual({ balance: { opening: 10_000, closing: 10_690 }, flaws: [] })
  })

  it('has no balance where nothing moved', async () => {
    expect(await read(null)).toEqual({ balance: null, flaws: [] })
  })

  it.each([
    ['a line is missing', [-300, 10_190]],
    ['a line is doubled', [990, 10_990]],
    ['a line went the other way', [300, 10_690]],
  ] as const)('is broken where %s', async (_, movement) => {
    const flaws = flawTexts((await read([[990, 10_990], movement])).flaws)
    expect(flaws).toEqual([expect.stringMatching(/^the balance of line 3 of the fund flow goes on from/)])
  })

  it('names the first five breaks, and counts them all', async () => {
    const flaws = flawTexts((await read(Array.from({ length: 8 }, () => [100, 500] as const))).flaws)
    expect(flaws).toHaveLength(6)
    expect(flaws.at(-1)).toBe('the balance of the fund flow breaks at 7 lines')
  })

  it('says what is wrong with its sums', async () => {
    const { columns, summary_columns } = layouts.fundflow
    const plain = written({ columns, rows: [line(columns)], summary_columns, summary: ['2', '1', '9.90', '0', '0.00'] })
    const bill = await kept(bill_date, [])
    await store.bills.putPart('false', 0, gzipSync(plain))
    const spoilt = { ...bill, parts_key: 'false', plain_sha1: createHash('sha1').update(plain).digest('hex') }
    const flaws = flawTexts((await readBill(spoilt)).flaws)
    expect(flaws.length).toBeGreaterThan(0)
    expect(flaws.every((flaw) => flaw.startsWith('fund flow: '))).toBe(true)
  })

  const moves = [[990, 10_990]] as const
  const moved = (opening: number, closing: number) => ({ balance: { opening, closing } })
  const still = { balance: null }
  const broken_before = ['the fund flow begins with ¥100.00, and that of 2026-11-21 ended with ¥99.00']

  it('goes on from the day before', async () => {
    await looked(-1, moved(0, 10_000))
    expect((await read(moves)).flaws).toEqual([])
  })

  it('does not go on from the day before, and says so', async () => {
    await looked(-1, moved(0, 9_900))
    expect(flawTexts((await read(moves)).flaws)).toEqual(broken_before)
  })

  it('goes on from the last day on which something moved', async () => {
    await looked(-4, moved(0, 9_900))
    for (const days of [-3, -2, -1]) await looked(days, still)
    const flaws = ['the fund flow begins with ¥100.00, and that of 2026-11-18 ended with ¥99.00']
    expect(flawTexts((await read(moves)).flaws)).toEqual(flaws)
  })

  it.each([
    ['was not looked at', null],
    ['was begun, and its bill is not there yet', { ...still, versions: {} }],
    ['had lines of which none could be read', { ...still, flaws: ['fund flow: 3 lines cannot be read'] }],
  ] as const)('is held against nothing beyond a day that %s', async (_, between) => {
    await looked(-2, moved(0, 9_900))
    if (between !== null) await looked(-1, { ...between, flaws: [...('flaws' in between ? between.flaws : [])] })
    expect((await read(moves)).flaws).toEqual([])
  })

  it('is carried over a day that had nothing to move and another flaw', async () => {
    await looked(-2, moved(0, 9_900))
    await kept(dateAt(-1), null)
    await looked(-1, { ...still, flaws: ['the trade bill lacks a line'] })
    expect((await read(moves)).flaws).toHaveLength(1)
  })

  it.each([
    [31, 1],
    [32, 0],
  ])('is held against one of %i days ago with %i flaws: it is carried over a month', async (days_ago, count) => {
    await looked(-days_ago, moved(0, 9_900))
    for (let days = 1 - days_ago; days < 0; days += 1) await looked(days, still)
    expect((await read(moves)).flaws).toHaveLength(count)
  })

  it('is held against the day after too, where that was looked at first', async () => {
    await looked(1, still)
    await looked(2, moved(10_991, 10_991))
    expect(flawTexts((await read(moves)).flaws)).toEqual([
      'the fund flow ends with ¥109.90, and that of 2026-11-24 begins with ¥109.91',
    ])
  })

  it('joins the days around it where nothing moved', async () => {
    await looked(-1, moved(0, 9_900))
    await looked(1, moved(10_000, 10_000))
    expect(flawTexts((await read(null)).flaws)).toEqual([
      'nothing moved, and of the fund flows around, that of 2026-11-21 ended with ¥99.00, and that of 2026-11-23 begins with ¥100.00',
    ])
  })
})
