import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { flawTexts } from '../../domain/bill/flaw.ts'
import type { DayRecord } from '../../domain/bill/record.ts'
import type { TradeRow } from '../../domain/bill/row.ts'
import { recordNames } from '../../match/key.ts'
import { openMatch } from '../../match/match.ts'
import type { MatchOptions, MatchResult } from '../../match/match.ts'
import { keyHash } from '../../match/partition.ts'
import { TallySheet } from '../../match/tally.ts'
import { chances, our_appid, our_mchid, payment, paymentRow, plantedDay, plants, refund, refundRow } from './sample.ts'
import { inOrder, reversalRow, shuffled, told } from './sample.ts'

const settings = {
  mchid: our_mchid,
  number_prefixes: ['TEA-'],
  appids: [our_appid],
  fee: { rate_ppm: 6_000, tolerance: 1 },
}

const folder = mkdtempSync(join(tmpdir(), 'weft-match-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function matched(
  rows: readonly TradeRow[],
  records: readonly DayRecord[],
  options: Partial<MatchOptions> = {},
): Promise<MatchResult> {
  const match = await openMatch({ folder, expected: rows.length + records.length, settings, ...options })
  for (const row of rows) match.addRow(row)
  for (const record of records) match.addRecord(record)
  await match.drained()
  return await match.finish()
}

describe('the rows of a bill and the records of its day', () => {
  it.each(Object.entries(plants))('are matched when the day holds: %s', async (_name, plant) => {
    const { rows = [], records = [], differences = [], foreign_count = 0 } = plant(7)
    const result = await matched(
      rows.map((row, index) => ({ ...row, line: index + 2 })),
      records,
    )
    expect(inOrder(result.differences.map(told))).toEqual(inOrder(differences))
    expect(result.rows).toMatchObject({ all: rows.length, foreign: foreign_count, malformed: 0 })
    expect(result.records.all).toBe(records.length)
    expect(readdirSync(folder)).toEqual([])
  })

  describe('of a day with plants', () => {
    const day = plantedDay(6_000, chances(20_261_122))
    it.each([1, 7, 64])('give exactly what was planted, in %i partitions and any order', async (partition_count) => {
      const chance = chances(partition_count)
      const result = await matched(shuffled(day.rows, chance), shuffled(day.records, chance), { partition_count })
      expect(inOrder(result.differences.map(told))).toEqual(inOrder(day.differences))
      expect(result.rows.foreign).toBe(day.foreign_count)
      expect(result.flaws).toEqual([])
      expect(result).toEqual(await matched(day.rows, day.records))
    })
  })

  it('are settled some hundred at a time, so that orders have their turn between', async () => {
    const records = Array.from({ length: 3_000 }, (_, n) =>
      payment({ transaction_id: `42${n}`, out_trade_no: `TEA-${n}` }),
    )
    const addRow = vi.spyOn(TallySheet.prototype, 'addRow')
    const settled: number[] = []
    let other: NodeJS.Immediate
    const takeTurn = () => {
      settled.push(addRow.mock.calls.length)
      other = setImmediate(takeTurn)
    }
    takeTurn()
    await matched(
      records.map((record) => paymentRow(record)),
      records,
      { partition_count: 1 },
    )
    clearImmediate(other!)
    addRow.mockRestore()
    const at_once = settled.map((count, place) => count - (settled[place - 1] ?? 0))
    expect(Math.max(...at_once)).toBeLessThanOrEqual(250)
    expect(at_once.reduce((sum, count) => sum + count)).toBeGreaterThan(2_700)
  })

  it('count lines that nobody can read as a class of their own', async () => {
    const match = await openMatch({ folder, expected: 1, settings })
    match.addMalformed()
    match.addRow(paymentRow())
    expect((await match.finish()).rows).toEqual({
      ...{ all: 2, matched: 0, waiting: 1, different: 0, foreign: 0, malformed: 1 },
    })
  })

  it('add up to the sums of both sides', async () => {
    const [taken, back] = [payment(), refund()]
    const { tallies } = await matched([paymentRow(taken), refundRow(back)], [taken, back])
    expect(tallies.map(({ side, subject, count, total, settled, fee }) => [side, subject, count, total, settled, fee])) //
      .toEqual([
        ['bill', 'payment', 1, 1_000, 990, 6_000],
        ['bill', 'refund', 1, 500, 495, 0],
        ['ours', 'payment', 1, 1_000, 990, 0],
        ['ours', 'refund', 1, 500, 495, 0],
      ])
  })

  it('keep text whole that would break a line', async () => {
    const odd = paymentRow(payment(), { rate: '0.60%\n"`\u2028费率', trade_type: '\\,`\0' })
    const { differences } = await matched([odd], [])
    expect(differences[0]?.row).toEqual(odd)
  })

  it('list no more of a kind than asked for, the same ones in any order, and count all', async () => {
    const rows = Array.from({ length: 50 }, (_, index) =>
      paymentRow(payment({ transaction_id: `42${index}`, out_trade_no: `TEA-${index + 100}` }), { line: index + 2 }),
    )
    for (const seed of [1, 2]) {
      const result = await matched(shuffled(rows, chances(seed)), [], { most_of_a_kind: 3, partition_count: 5 })
      expect(result.differences.map(({ row }) => row?.out_trade_no)).toEqual(['TEA-100', 'TEA-101', 'TEA-102'])
      expect(result.counts).toEqual({ missing_here: 50 })
      expect(flawTexts(result.flaws)).toEqual(['too many differences of kind missing_here: 3 of 50 are listed'])
    }
  })

  it('come to the same when far more lie in a partition than may be in memory', async () => {
    const day = plantedDay(3_000, chances(3))
    const options = { partition_count: 2, most_lines: 100 }
    expect(await matched(day.rows, day.records, options)).toEqual(await matched(day.rows, day.records))
  })

  it('say when more share one number than may be in memory', async () => {
    const rows = Array.from({ length: 101 }, (_, index) => paymentRow(payment(), { line: index + 2 }))
    await expect(matched(rows, [], { most_lines: 100 })).rejects.toThrow('101 rows and records share one number')
    expect(readdirSync(folder)).toEqual([])
  })

  it('are charged for once, however often the bill names them', async () => {
    const { fees, rows } = await matched([paymentRow(), paymentRow(payment(), { line: 3 })], [payment()])
    expect(rows).toMatchObject({ matched: 1, different: 1 })
    expect(fees).toMatchObject({ payment_count: 1, charged: 6_000 })
  })

  it('say when rows are of another merchant', async () => {
    const result = await matched([paymentRow(payment(), { mchid: '1900000009' })], [])
    expect(flawTexts(result.flaws)).toEqual(['1 rows are not of merchant 1900000001'])
    expect(result.rows.foreign).toBe(1)
  })
})

describe('a row without a record', () => {
  const stranger = paymentRow(payment({ transaction_id: '42', out_trade_no: 'SHOP20261122-17', appid: 'wx9' }))
  const anybody = { ...settings, number_prefixes: [], appids: [] }

  it('is foreign by its number, and told by appid and shape only', async () => {
    const { differences, foreign } = await matched([stranger, { ...stranger, transaction_id: '43', line: 3 }], [])
    expect(differences).toEqual([])
    expect(foreign).toEqual([
      {
        ...{ appid: 'wx9', pattern: 'A9-9', payment_count: 2, refund_count: 0, reversal_count: 0 },
        ...{ payment_sum: 1_980, refund_sum: 0, example: 'SHOP20261122-17' },
      },
    ])
  })

  it('is ours where numbers may begin with anything', async () => {
    const { rows } = await matched([stranger], [], { settings: anybody })
    expect(rows).toMatchObject({ waiting: 1, foreign: 0 })
  })

  it('is foreign where numbers may begin with anything and no order was ever made under its own', async () => {
    const rows = [stranger, paymentRow(payment(), { line: 3 })]
    const asked: string[] = []
    const findPlaced = async (numbers: readonly string[]) => {
      asked.push(...numbers)
      return ['TEA-0001']
    }
    const { rows: counts } = await matched(rows, [], { settings: anybody, findPlaced })
    expect(asked.sort()).toEqual(['SHOP20261122-17', 'TEA-0001'])
    expect(counts).toMatchObject({ waiting: 1, foreign: 1 })
  })

  it('is ours under an appid of ours no more, where an order was made under its number', async () => {
    const row = paymentRow(payment({ appid: 'wx_before' }))
    expect((await matched([row], [])).rows.foreign).toBe(1)
    expect((await matched([row], [], { findPlaced: async (numbers) => numbers })).rows.waiting).toBe(1)
  })

  it('is nobody’s question where prefix and appid say that it is ours', async () => {
    const findPlaced = () => Promise.reject(new Error('asked'))
    const { rows } = await matched([paymentRow(payment(), { line: 3 })], [], { findPlaced })
    expect(rows).toMatchObject({ waiting: 1, foreign: 0 })
  })

  it('is ours without the prefix, where an order was made under its number before there was one', async () => {
    const rows = [stranger, { ...stranger, out_trade_no: 'SHOP-2', transaction_id: '43', line: 3 }]
    const { rows: counts } = await matched(rows, [], { findPlaced: async () => ['SHOP-2'] })
    expect(counts).toMatchObject({ waiting: 1, foreign: 1 })
  })

  it('is counted in groups that cannot become too many, whatever order they come in', async () => {
    const rows = Array.from({ length: 2_000 }, (_, index) =>
      paymentRow(payment({ out_trade_no: 'x-1', transaction_id: `42${index}`, appid: `wx${index % 600}` }), {
        line: index + 2,
      }),
    )
    const foreign = (await matched(rows, [])).foreign
    expect(foreign).toMatchObject([{ appid: '*', pattern: '*', payment_count: 2_000 }])
    expect((await matched(shuffled(rows, chances(5)), [], { partition_count: 9 })).foreign).toEqual(foreign)
  })
})

describe('a reversal', () => {
  it('is a disagreement of its own where the payment is of another day', async () => {
    const { differences, rows } = await matched([reversalRow()], [])
    expect(differences).toMatchObject([{ kind: 'state', subject: 'reversal', record: null }])
    expect(rows.different).toBe(1)
  })

  it('takes the record where it is the only row of its payment', async () => {
    const { records } = await matched([reversalRow()], [payment()])
    expect(records).toMatchObject({ all: 1, different: 1, waiting: 0 })
  })

  it('is not joined by number with a payment under another id', async () => {
    const { differences } = await matched([reversalRow()], [payment({ transaction_id: '43' })])
    expect(differences.map(({ kind, record }) => [kind, recordNames(record).id])).toEqual([
      ['state', ''],
      ['missing_there', '43'],
    ])
  })

  it('is never taken for a refund', async () => {
    const row = reversalRow(payment(), { refund_id: null, out_refund_no: 'BACK-0001' })
    const { differences } = await matched([row], [refund({ transaction_id: '42', out_trade_no: 'TEA-0002' })])
    expect(differences.map(({ kind }) => kind)).toEqual(['state', 'refund_missing_there'])
  })
})

describe('the hash of a key', () => {
  const keys = Array.from({ length: 64_000 }, (_, index) => `p4200000000${index}`)
  const spread = (of: readonly string[], seed: number) => {
    const counts = new Array<number>(64).fill(0)
    for (const key of of) {
      const index = keyHash(key, seed) % 64
      counts[index] = (counts[index] ?? 0) + 1
    }
    return counts
  }

  it('spreads numbers that follow each other', () => {
    const counts = spread(keys, 0)
    expect([Math.min(...counts) > 800, Math.max(...counts) < 1_200]).toEqual([true, true])
  })

  it('spreads by another seed what lay together', () => {
    const together = keys.filter((key) => keyHash(key, 0) % 64 === 0)
    expect(Math.max(...spread(together, 1))).toBeLessThan(together.length / 16)
  })
})

describe('a match', () => {
  it('leaves nothing behind when it is given up', async () => {
    const match = await openMatch({ folder, expected: 1, settings })
    match.addRow(paymentRow())
    await match.dispose()
    await match.dispose()
    expect(readdirSync(folder)).toEqual([])
    await expect(match.finish()).rejects.toThrow('over')
    expect(() => match.addRow(paymentRow())).toThrow('over')
    expect(() => match.addRecord(payment())).toThrow('over')
  })

  it('ends when it is aborted, and leaves nothing behind', async () => {
    const abort = new AbortController()
    const match = await openMatch({ folder, expected: 1, settings, signal: abort.signal })
    match.addRow(paymentRow())
    abort.abort(new Error('enough'))
    await expect(match.drained()).rejects.toThrow('enough')
    await expect(match.finish()).rejects.toThrow('enough')
    expect(readdirSync(folder)).toEqual([])
  })

  it('says what the disk said', async () => {
    const match = await openMatch({ folder, expected: 1, settings })
    const [made = ''] = readdirSync(folder)
    rmSync(join(folder, made), { recursive: true })
    match.addRow(paymentRow())
    await expect(match.finish()).rejects.toThrow('ENOENT')
    expect(existsSync(join(folder, made))).toBe(false)
  })

  it('refuses more than memory should hold from a caller who never waits', async () => {
    const match = await openMatch({ folder, expected: 1, settings })
    const row = paymentRow(payment(), { rate: 'x'.repeat(1_000_000) })
    const addAll = () => {
      for (let index = 0; index < 100; index += 1) match.addRow(row)
    }
    expect(addAll).toThrow('drained')
    await match.dispose()
  })
})
