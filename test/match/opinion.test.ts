import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, describe, expect, it } from 'vitest'
import type { DayRecord } from '../../domain/bill/record.ts'
import type { TradeRow } from '../../domain/bill/row.ts'
import { openMatch } from '../../match/match.ts'
import { chances, inOrder, our_appid, our_mchid, plantedDay, told } from './sample.ts'
import type { PlantedDifference } from './sample.ts'

const folder = mkdtempSync(join(tmpdir(), 'weft-opinion-'))
afterAll(() => rmSync(folder, { recursive: true }))

const settings = { mchid: our_mchid, number_prefixes: ['TEA-'], appids: [our_appid], fee: null }

/** What DuckDB finds: a join of its own, in SQL, that shares nothing with match/ but the names of the kinds. */
async function secondOpinion(rows: readonly TradeRow[], records: readonly DayRecord[]): Promise<PlantedDifference[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  for (const [name, lines] of Object.entries({ rows, records })) {
    const path = join(folder, `${name}.json`)
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'))
    await connection.run(`SET VARIABLE ${name} = '${path}'`)
  }
  const sql = readFileSync(new URL('opinion.sql', import.meta.url), 'utf8')
  const found = await connection.runAndReadAll(sql)
  connection.closeSync()
  return found.getRowObjects() as unknown as PlantedDifference[]
}

async function ourOpinion(rows: readonly TradeRow[], records: readonly DayRecord[]): Promise<PlantedDifference[]> {
  const match = await openMatch({ folder, expected: rows.length + records.length, settings, partition_count: 7 })
  for (const row of rows) match.addRow(row)
  for (const record of records) match.addRecord(record)
  return (await match.finish()).differences.map(told)
}

/** What may go wrong with one row, whatever it is of. */
const damages: ((row: TradeRow) => Partial<TradeRow>)[] = [
  (row) => ({ total: (row.total ?? 0) + 1, refund: (row.refund ?? 0) + 1 }),
  (row) => ({ settled_total: row.settled_total + 1, settlement_refund: row.settlement_refund + 1 }),
  (row) => ({ transaction_id: `8${row.transaction_id}` }),
  (row) => ({ out_trade_no: `${row.out_trade_no}Y` }),
  (row) => ({ appid: 'wx0000000000000002', out_trade_no: row.out_trade_no }),
  (row) => ({ trade_state: 'REVOKED', refund_status: row.kind === 'refund' ? 'FAIL' : null }),
  (row) => (row.kind === 'refund' ? { out_refund_no: `${row.out_refund_no}Z` } : { currency: 'HKD' }),
  (row) => (row.kind === 'refund' ? { refund_id: `8${row.refund_id}` } : { trade_state: 'REFUND' }),
]

describe('a second opinion', () => {
  it('finds the same differences of a day with every plant, and those that were planted', async () => {
    const { rows, records, differences } = plantedDay(4_000, chances(11))
    const second = inOrder(await secondOpinion(rows, records))
    expect(second).toEqual(inOrder(differences))
    expect(second).toEqual(inOrder(await ourOpinion(rows, records)))
  })

  it('finds the same differences of a day whose rows and records are damaged by chance', async () => {
    const chance = chances(12)
    const day = plantedDay(4_000, chance)
    const rows = day.rows.map((row) => {
      const damage = chance() < 0.1 ? damages[Math.floor(chance() * damages.length)] : undefined
      return damage === undefined ? row : { ...row, ...damage(row) }
    })
    const records = day.records.filter(() => chance() > 0.02)
    const second = inOrder(await secondOpinion(rows, records))
    expect(second.length).toBeGreaterThan(400)
    expect(second).toEqual(inOrder(await ourOpinion(rows, records)))
  })
})
