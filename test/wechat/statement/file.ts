import { readFileSync } from 'node:fs'
import type { BillRow, BillType, MalformedLine } from '../../../domain/bill/row.ts'
import { createStatementReader } from '../../../wechat/statement/reader.ts'
import type { StatementEnd } from '../../../wechat/statement/reader.ts'

interface Layout {
  columns: string[]
  summary_columns: string[]
}
const vectors = JSON.parse(readFileSync(new URL('../../vectors/bills.json', import.meta.url), 'utf8')) as {
  trade: Record<'ALL' | 'SUCCESS' | 'REFUND', Layout>
  fundflow: Layout
  sample_all: { lines: string[] }
}

/** Headers and sums' headers as WeChat Pay's own pages and files have them. */
export const layouts = {
  ...vectors.trade,
  fundflow: vectors.fundflow,
  old: {
    columns: vectors.trade.ALL.columns
      .filter((name) => !['订单金额', '申请退款金额', '费率备注'].includes(name))
      .map(
        (name) =>
          ({
            特约商户号: '子商户号',
            应结订单金额: '总金额',
            代金券金额: '企业红包金额',
            充值券退款金额: '企业红包退款金额',
          })[name] ?? name,
      ),
    summary_columns: ['总交易单数', '总交易额', '总退款金额', '总企业红包退款金额', '手续费总金额'],
  },
}

/** The three rows of a real file that its publisher's documents show. */
export const official_rows = vectors.sample_all.lines.slice(1)

const bases: Record<string, string> = {
  交易时间: '2026-11-22 10:00:00',
  公众账号ID: 'wx8888888888888888',
  商户号: '1900000001',
  特约商户号: '0',
  子商户号: '0',
  微信订单号: '4200000001202611220000000001',
  商户订单号: 'T20261122-1',
  用户标识: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o',
  交易类型: 'NATIVE',
  交易状态: 'SUCCESS',
  付款银行: 'OTHERS',
  货币种类: 'CNY',
  应结订单金额: '9.90',
  总金额: '9.90',
  微信退款单号: '0',
  商户退款单号: '0',
  商品名称: 'Tea',
  手续费: '0.06000',
  费率: '0.60%',
  订单金额: '9.90',
  记账时间: '2026-11-22 10:00:00',
  微信支付业务单号: '4200000001202611220000000001',
  资金流水单号: '4200000001202611220000000001',
  业务名称: '交易',
  业务类型: '交易',
  收支类型: '收入',
  '收支金额(元)': '9.90',
  '账户结余(元)': '109.90',
  资金变更提交申请人: 'system',
  业务凭证号: 'T20261122-1',
}
const amounts = ['代金券金额', '企业红包金额', '退款金额', '充值券退款金额', '企业红包退款金额', '申请退款金额']

/** The values of one row under these columns: a payment of 9.90 where `change` says nothing else. */
export function line(columns: readonly string[], change: Record<string, string> = {}): string {
  const value = (name: string) => change[name] ?? bases[name] ?? (amounts.includes(name) ? '0.00' : '')
  return columns.map((name) => `\`${value(name)}`).join(',')
}

/** What a row of ALL becomes when it is a refund of all of it. */
export const as_refund = {
  交易状态: 'REFUND',
  应结订单金额: '0.00',
  总金额: '0.00',
  订单金额: '0.00',
  微信退款单号: '50300000012026112200000000001',
  商户退款单号: 'R20261122-1',
  退款金额: '9.90',
  申请退款金额: '9.90',
  退款类型: 'ORIGINAL',
  退款状态: 'SUCCESS',
  手续费: '-0.06000',
}

export interface WrittenFile {
  columns: readonly string[]
  rows: readonly string[]
  summary_columns: readonly string[]
  /** null: the file ends before its sums */
  summary: readonly string[] | null
}

/** The bytes of a file as WeChat Pay writes them: with BOM, CRLF, and a last CRLF. */
export function written(
  { columns, rows, summary_columns, summary }: WrittenFile,
  eol = '\r\n',
  mark = '\ufeff',
): Buffer {
  const sums = summary === null ? [] : [summary_columns.join(','), summary.map((sum) => `\`${sum}`).join(',')]
  return Buffer.from(mark + [columns.join(','), ...rows, ...sums, ''].join(eol))
}

export interface ReadFile<T extends BillType> {
  rows: BillRow<T>[]
  malformed: MalformedLine[]
  end: StatementEnd<T>
  flaws: string[]
}

/** Reads a file in pieces of `piece` bytes; whole, unless told. */
export function readFile<T extends BillType>(type: T, bytes: Buffer, piece = bytes.length): ReadFile<T> {
  const rows: BillRow<T>[] = []
  const malformed: MalformedLine[] = []
  const reader = createStatementReader(type)
  const take = (entry: { row: BillRow<T> } | { malformed: MalformedLine }) => {
    if ('row' in entry) rows.push(entry.row)
    else malformed.push(entry.malformed)
  }
  for (let at = 0; at < bytes.length; at += piece) {
    // The buffer is overwritten once it was pushed, as a reader of files may do.
    const pushed = Buffer.from(bytes.subarray(at, at + piece))
    reader.push(pushed, take)
    pushed.fill(0)
  }
  const end = reader.end(take)
  return { rows, malformed, end, flaws: end.flaws.map(({ code }) => code) }
}
