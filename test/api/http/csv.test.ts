import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { csvLines } from '../../../api/http/csv.ts'

/** As another program reads it back; told what CSV is, since it guesses it from the first lines otherwise. */
const readBack = (text: string) =>
  Papa.parse<string[]>(text, { delimiter: ',', newline: '\r\n', skipEmptyLines: true }).data

describe('a line of CSV', () => {
  it('has amounts as plain numbers, texts in quotes, and ends with CRLF', () => {
    expect(csvLines([['收款金额', { yuan: '-9.90' }, 12, null, { yuan: '0.05940' }]])).toBe(
      '"收款金额",-9.90,12,,0.05940\r\n',
    )
  })

  it.each(['=1+1', '+1', '-1+1', '@SUM(A1)', '\t=1', '\r=1', '＝1', '＋1', '－1', '＠1', '\n=1', ' =1', '\u00a0 @A1'])(
    'makes no formula of %j',
    (text) => {
      expect(csvLines([[text]])).toBe(`"'${text}"\r\n`)
      expect(csvLines([[{ number: text }]])).toBe(`"\t'${text}"\r\n`)
    },
  )

  it.each(['4200001234567890123456789012', '000123', '12E45', '1-2', '-1', '*_|-'])(
    'keeps the number %s as text',
    (number) => {
      expect(csvLines([[{ number }]])).toBe(`"\t${number}"\r\n`)
    },
  )

  it('makes no formula of a text that could be a number', () => {
    expect(csvLines([['-1']])).toBe(`"'-1"\r\n`)
  })

  it('is read back by another program, whatever stands in it', () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', '"', ',', '\n', '\r', "'", '茶', ' ', '=', '\t'),
      minLength: 1,
    })
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }), (rows) => {
        const safe = rows.map((row) => row.map((text) => (/^\s*=|^[\t\r\n]/.test(text) ? `'${text}` : text)))
        expect(readBack(csvLines(rows))).toEqual(safe)
      }),
    )
  })
})
