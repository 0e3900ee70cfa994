import { describe, expect, it } from 'vitest'
import type { BillType } from '../../../domain/bill/row.ts'
import { as_refund, layouts, line, readFile, written } from './file.ts'
import type { ReadFile } from './file.ts'

/** `WEFT_TEST_MUTATIONS=100000` makes it long. */
const mutations = Number(process.env.WEFT_TEST_MUTATIONS ?? 20_000)

/** A repeatable chance: whole numbers below `end`, from a seed. */
function chances(seed: number): (end: number) => number {
  let state = seed
  return (end) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }
}
type Chance = ReturnType<typeof chances>

interface Sample {
  type: BillType
  bytes: Buffer
  /** as its maker knows them, by no code of ours */
  sums: Record<string, number>
}

const yuan = (fen: number) => `${fen < 0 ? '-' : ''}${(Math.abs(fen) / 100).toFixed(2)}`
const words = ['Tea', '乌龙茶, 2 杯', 'a`b', '两行\n的名字', '{"a":1}', '']

function tradeSample(chance: Chance): Sample {
  const name = (['ALL', 'REFUND', 'SUCCESS', 'old'] as const)[chance(4)] ?? 'ALL'
  const { columns, summary_columns } = layouts[name]
  const sums = { rows: 0, settled_total: 0, settlement_refund: 0, coupon_refund: 0, fee: 0, total: 0, refund: 0 }
  const rows = Array.from({ length: 1 + chance(7) }, (_, at) => {
    const isRefund = name !== 'SUCCESS' && chance(3) === 0
    const [amount, gift, fee] = [100 + chance(100_000), chance(3), 1 + chance(500)]
    sums.rows += 1
    sums.fee += isRefund ? -fee * 1_000 : fee * 1_000
    sums[isRefund ? 'settlement_refund' : 'settled_total'] += amount
    if (isRefund) sums.coupon_refund += gift
    if (name !== 'old') sums[isRefund ? 'refund' : 'total'] += amount + gift
    const change = {
      微信订单号: `42000000012026112200000000${10 + at}`,
      商品名称: words[chance(words.length)] ?? '',
      商户数据包: words[chance(words.length)] ?? '',
      手续费: `${yuan(isRefund ? -fee : fee)}000`,
    }
    if (isRefund)
      return line(columns, {
        ...as_refund,
        ...change,
        退款金额: yuan(amount),
        充值券退款金额: yuan(gift),
        企业红包退款金额: yuan(gift),
        申请退款金额: yuan(amount + gift),
      })
    const [settled, total] = [yuan(amount), yuan(amount + gift)]
    return line(columns, { ...change, 应结订单金额: settled, 总金额: settled, 订单金额: total })
  })
  const { rows: count, settled_total, settlement_refund, coupon_refund, fee, total, refund } = sums
  const fees = yuan(fee / 1_000)
  const summary = {
    ALL: [
      `${count}.0`,
      yuan(settled_total),
      yuan(settlement_refund),
      yuan(coupon_refund),
      fees,
      yuan(total),
      yuan(refund),
    ],
    REFUND: [
      `${count}`,
      yuan(settled_total),
      yuan(settlement_refund),
      yuan(coupon_refund),
      fees,
      yuan(total),
      yuan(refund),
    ],
    SUCCESS: [`${count}`, yuan(settled_total), fees, yuan(total)],
    old: [`${count}`, yuan(settled_total), yuan(settlement_refund), yuan(coupon_refund), fees],
  }[name]
  return { type: 'trade', bytes: written({ columns, rows, summary_columns, summary }), sums }
}

function flowSample(chance: Chance): Sample {
  const { columns, summary_columns } = layouts.fundflow
  const sums = { rows: 0, rows_in: 0, amount_in: 0, rows_out: 0, amount_out: 0 }
  let balance = 1_000_000
  const rows = Array.from({ length: 1 + chance(7) }, () => {
    const [isIn, amount] = [chance(3) > 0, 1 + chance(9_999)]
    balance += isIn ? amount : -amount
    sums.rows += 1
    sums[isIn ? 'rows_in' : 'rows_out'] += 1
    sums[isIn ? 'amount_in' : 'amount_out'] += amount
    return line(columns, {
      收支类型: isIn ? '收入' : '支出',
      '收支金额(元)': yuan(amount),
      '账户结余(元)': yuan(balance),
      备注: words[chance(words.length)] ?? '',
    })
  })
  const { rows: count, rows_in, amount_in, rows_out, amount_out } = sums
  const summary = [`${count}.0`, `${rows_in}.0`, yuan(amount_in), `${rows_out}.0`, yuan(amount_out)]
  return { type: 'fundflow', bytes: written({ columns, rows, summary_columns, summary }), sums }
}

const [lf, cr] = [10, 13]
const bytes_of_bills = Buffer.from('0123456789.-,`\r\n金额\u0000%')

/** Where a line begins, by chance, and where the next one does. */
function someLine(bytes: Buffer, chance: Chance): [from: number, to: number] {
  const from = bytes.lastIndexOf(lf, chance(bytes.length)) + 1
  const end = bytes.indexOf(lf, from)
  return [from, end < 0 ? bytes.length : end + 1]
}

const spliced = (bytes: Buffer, from: number, to: number, ...put: Buffer[]) =>
  Buffer.concat([bytes.subarray(0, from), ...put, bytes.subarray(to)])

/** What may have happened to a file on its way. */
const mishaps: ((bytes: Buffer, chance: Chance) => Buffer)[] = [
  function otherByte(bytes, chance) {
    const at = chance(bytes.length)
    return spliced(bytes, at, at + 1, Buffer.from([chance(256)]))
  },
  function likelyByte(bytes, chance) {
    const [at, from] = [chance(bytes.length), chance(bytes_of_bills.length)]
    return spliced(bytes, at, at + chance(2), bytes_of_bills.subarray(from, from + 1))
  },
  function lostBytes(bytes, chance) {
    const at = chance(bytes.length)
    return spliced(bytes, at, at + 1 + chance(30))
  },
  function cut(bytes, chance) {
    return bytes.subarray(0, chance(bytes.length))
  },
  function lostLine(bytes, chance) {
    return spliced(bytes, ...someLine(bytes, chance))
  },
  function doubledLine(bytes, chance) {
    const [from, to] = someLine(bytes, chance)
    return spliced(bytes, from, from, bytes.subarray(from, to))
  },
  function movedLine(bytes, chance) {
    const [from, to] = someLine(bytes, chance)
    const left = spliced(bytes, from, to)
    const [place] = left.length > 0 ? someLine(left, chance) : [0]
    return spliced(left, place, place, bytes.subarray(from, to))
  },
  function otherDigit(bytes, chance) {
    const digits = [...bytes.keys()].filter((at) => (bytes[at] ?? 0) >= 48 && (bytes[at] ?? 0) <= 57)
    const at = digits[chance(digits.length)] ?? 0
    return spliced(bytes, at, at + 1, Buffer.from([48 + chance(10)]))
  },
  function joinedLines(bytes, chance) {
    const [, to] = someLine(bytes, chance)
    return spliced(bytes, to - (bytes[to - 2] === cr ? 2 : 1), to)
  },
  function swappedCells(bytes, chance) {
    const [from, to] = someLine(bytes, chance)
    const cells = bytes.subarray(from, to).toString('latin1').split(',')
    const [one, other] = [chance(cells.length), chance(cells.length)]
    const swapped = cells.with(one, cells[other] ?? '').with(other, cells[one] ?? '')
    return spliced(bytes, from, to, Buffer.from(swapped.join(','), 'latin1'))
  },
]

/** Every line of a file is in one place, and what was passed on is what was counted. */
function expectNothingLost(bytes: Buffer, { rows, malformed, end }: ReadFile<BillType>): void {
  const lines = bytes.filter((byte) => byte === lf).length + (bytes.length > 0 && bytes.at(-1) !== lf ? 1 : 0)
  const told = end.lines
  const places = told.header + told.rows + told.malformed + told.footer + told.blank
  if (told.all !== lines || places !== lines || rows.length !== end.rows || malformed.length !== told.malformed)
    expect({ told, rows: rows.length, malformed: malformed.length }).toEqual({ all: lines })
}

/** A file that says of itself that it is whole comes to what its maker knows; of fees perhaps as whole fen only. */
function expectNoWrongTotal({ sums }: Sample, { end }: ReadFile<BillType>): void {
  if (end.flaws.length > 0) return
  const counted: Record<string, number> = { ...end.sums }
  const off = (counted.fee ?? 0) - (sums.fee ?? 0)
  if (end.fees === 'fen' && Math.abs(off) <= 500) counted.fee = sums.fee ?? 0
  expect(counted).toEqual(sums)
}

describe('a bill that was changed on its way', () => {
  const chance = chances(20_261_122)
  const samples = Array.from({ length: 60 }, (_, at) => (at % 3 === 0 ? flowSample(chance) : tradeSample(chance)))

  it('proves itself while it is as it was made', () => {
    for (const sample of samples) {
      const read = readFile(sample.type, sample.bytes)
      expect(read.end).toMatchObject({ flaws: [], sums: sample.sums, fees: sample.type === 'trade' ? 'exact' : null })
    }
  })

  it(`stops no reader, loses no line and proves no wrong total: ${mutations} times`, () => {
    let proven = 0
    for (let done = 0; done < mutations; done += 1) {
      const sample = samples[chance(samples.length)] as Sample
      let { bytes } = sample
      for (let times = chance(8) === 0 ? 3 : 1; times > 0 && bytes.length > 0; times -= 1)
        bytes = mishaps[chance(mishaps.length)]?.(bytes, chance) ?? bytes
      const read = readFile(sample.type, bytes, chance(4) === 0 ? 1 + chance(200) : undefined)
      expectNothingLost(bytes, read)
      expectNoWrongTotal(sample, read)
      if (read.end.flaws.length === 0) proven += 1
    }
    // Some changes are of text, and some are none; a reader that proves nothing would pass all of the above.
    expect(proven).toBeGreaterThan(mutations / 20)
    expect(proven).toBeLessThan(mutations / 2)
  })

  it('shows the change of any one number', () => {
    let changes = 0
    for (const { type, bytes } of samples) {
      const lines = bytes.toString().split('\r\n')
      const places = lines.flatMap((text, row) =>
        row === 0 || !text.startsWith('`') ? [] : text.split(',`').map((cell, at) => ({ row, at, cell })),
      )
      const numbers = places.filter(({ cell }) => /^`?-?\d+\.\d+$/.test(cell))
      for (const { row, at, cell } of numbers) {
        const name = lines[0]?.split(',')[at] ?? ''
        const isOfFooter = row > lines.length - 4
        // No sum covers these two: what a coupon gave is in the total, and balances are for the chain of the day.
        if (!isOfFooter && /代金券金额|企业红包金额|账户结余/.test(name)) continue
        const digit = cell.search(/\d/)
        const changed = `${cell.slice(0, digit)}${(Number(cell[digit]) + 1) % 10}${cell.slice(digit + 1)}`
        const cells = lines[row]?.split(',`').with(at, changed) ?? []
        changes += 1
        const { end } = readFile(type, Buffer.from(lines.with(row, cells.join(',`')).join('\r\n')))
        if (end.flaws.length === 0) expect(`${name}: ${cell} → ${changed}`).toBe('a flaw')
      }
    }
    expect(changes).toBeGreaterThan(1_000)
  })
})
