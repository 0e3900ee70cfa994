import { feeText, yuanText } from '../money.ts'
import { chineseDamage } from './damage.ts'
import type { BillType } from './row.ts'

/** FlawText is what a flaw says, in both languages. `{name}` is one of its values, see `valueTexts` for `{name:form}`. */
type FlawText = Readonly<Record<FlawLanguage, string>>
type FlawLanguage = 'en' | 'zh-CN'

/**
 * Why a day is not proven: every reason there is, in the words of both languages. Codes are for programs and are never
 * used for another meaning; what a day of an earlier version kept is a sentence without one.
 */
export const flaw_texts = {
  // The file itself (wechat/statement).
  not_a_bill: {
    en: 'the file is JSON or XML, an error or what some SDK wrapped, and no bill of WeChat Pay’s',
    'zh-CN': '文件是 JSON 或 XML（报错内容，或被某些 SDK 包装），不是微信支付账单',
  },
  empty_file: { en: 'the file is empty', 'zh-CN': '文件为空' },
  no_header: { en: 'no line names the columns', 'zh-CN': '找不到表头（没有列名行）' },
  unknown_column: {
    en: 'the header has names that are not known: {names}',
    'zh-CN': '表头有未知的列名：{names}',
  },
  unknown_footer: {
    en: 'the footer has names that are not known: {names}',
    'zh-CN': '汇总行有未知的名称：{names}',
  },
  doubled_column: { en: 'the {place:word} has a name twice: {names}', 'zh-CN': '{place:word}有重复的名称：{names}' },
  missing_column: { en: 'the header has no {column}', 'zh-CN': '表头缺少“{column}”' },
  malformed_lines: { en: '{count} lines cannot be read', 'zh-CN': '有 {count} 行无法读取' },
  no_footer: {
    en: 'the file has no footer, so it is not whole',
    'zh-CN': '文件没有汇总行，因此不完整',
  },
  missing_footer: { en: 'the footer does not say {name}', 'zh-CN': '汇总行缺少“{name}”' },
  unreadable_footer: { en: '{name} is no number: {found}', 'zh-CN': '汇总行的“{name}”不是数字：{found}' },
  footer_differs: {
    en: 'the footer says {name} {said}, and the rows come to {sum:counted}',
    'zh-CN': '汇总行的“{name}”为 {said}，而各行合计为 {sum:counted}',
  },
  too_large: { en: '{name} of the rows is no exact number', 'zh-CN': '各行的“{name}”合计过大，不再精确' },

  // The comparison.
  strange_rows: {
    en: '{count} rows are not of merchant {mchid}',
    'zh-CN': '有 {count} 行不属于商户号 {mchid}',
  },
  too_many_differences: {
    en: 'too many differences of kind {kind}: {listed} of {count} are listed',
    'zh-CN': '{kind} 类差异过多：共 {count} 笔，只列出 {listed} 笔',
  },
  too_many_questions: {
    en: 'more than {most} lines or records have no other side; is this the right merchant number?',
    'zh-CN': '超过 {most} 行账单或记录只有一边；商户号是否正确？',
  },
  bills_gone: {
    en: 'WeChat Pay keeps bills for {days} days: those of {bill_date} are gone, and were never fetched',
    'zh-CN': '微信支付只保留 {days} 天的账单：{bill_date} 的账单已不可下载，且从未下载过',
  },
  original_lost: {
    en: 'the {type} bill that is kept here is damaged, and WeChat does not have it any more: {why:damage}',
    'zh-CN': '本系统保存的{type:word}已损坏，微信支付也不再提供：{why:damage}',
  },
  original_damaged: {
    en: 'the {type} bill (version {version}) that is kept here was found damaged at {time}; looking at the day again fetches it anew',
    'zh-CN': '本系统保存的{type:word}（版本 {version}）于 {time} 发现损坏；重新对账会再次下载',
  },

  // The chain of balances.
  balance_breaks: {
    en: 'the balance of line {line} of the {bill} goes on from {before:yuan}, and the line before it ends with {ended:yuan}',
    'zh-CN': '{bill}第 {line} 行的账户结余应承接 {before:yuan}，而上一行的结余为 {ended:yuan}',
  },
  more_breaks: {
    en: 'the balance of the {bill} breaks at {count} lines',
    'zh-CN': '{bill}的账户结余共有 {count} 行不连续',
  },
  opening_differs: {
    en: 'the {bill} begins with {opening:yuan}, and that of {bill_date} ended with {ended:yuan}',
    'zh-CN': '{bill}的期初余额为 {opening:yuan}，而 {bill_date} 的期末余额为 {ended:yuan}',
  },
  closing_differs: {
    en: 'the {bill} ends with {closing:yuan}, and that of {bill_date} begins with {begins:yuan}',
    'zh-CN': '{bill}的期末余额为 {closing:yuan}，而 {bill_date} 的期初余额为 {begins:yuan}',
  },
  still_differs: {
    en: 'nothing moved, and of the {bill}s around, that of {before_date} ended with {ended:yuan}, and that of {after_date} begins with {begins:yuan}',
    'zh-CN':
      '当日没有变动，而前后的{bill}不相承接：{before_date} 的期末余额为 {ended:yuan}，{after_date} 的期初余额为 {begins:yuan}',
  },

  // The book.
  account_differs: {
    en: 'the book moves {account} by {moved:yuan} on this day, and 账户结余 goes by {shown:yuan}',
    'zh-CN': '当日账本的 {account} 变动为 {moved:yuan}，而账户结余变动为 {shown:yuan}',
  },
  clearing_open: {
    en: 'of {bill_date} {amount:yuan} still stands on {account} after {age_days} days, under {numbers} numbers: {named}',
    'zh-CN': '{bill_date} 的 {amount:yuan} 过了 {age_days} 天仍挂在 {account}，涉及 {numbers} 个单号：{named}',
  },

  // What the fund flow lacks of its own day (domain/bill/settlement.ts).
  passed_over: {
    en: 'the fund flow lacks {count} {what:word} of this day, {amount:yuan} ({named}), and has later ones: {advice:word}',
    'zh-CN': '资金账单缺少当日 {count} 笔{what:word}，共 {amount:yuan}（{named}），而已有更晚的：{advice:word}',
  },
  none_came: {
    en: 'the fund flow lacks {count} {what:word} of this day, {amount:yuan} ({named}), and those of the days around have theirs on their day: {advice:word}',
    'zh-CN': '资金账单缺少当日 {count} 笔{what:word}，共 {amount:yuan}（{named}），而前后各日的都在当日：{advice:word}',
  },
  other_word: {
    en: 'the fund flow has {count} {what:word} of this day, {amount:yuan} ({named}) under the unknown 业务类型 {found}: {advice:word}',
    'zh-CN':
      '资金账单中当日 {count} 笔{what:word}，共 {amount:yuan}（{named}），其业务类型不认识：{found}；{advice:word}',
  },
  other_number: {
    en: 'the fund flow has {count} {what:word} of this day, {amount:yuan} ({named}) under another number, {found}: {advice:word}',
    'zh-CN': '资金账单中当日 {count} 笔{what:word}，共 {amount:yuan}（{named}），其单号不同：{found}；{advice:word}',
  },
  other_amount: {
    en: 'the fund flow has {count} {what:word} of this day, {amount:yuan} ({named}) with another amount, {found}: {advice:word}',
    'zh-CN': '资金账单中当日 {count} 笔{what:word}，共 {amount:yuan}（{named}），其金额不同：{found}；{advice:word}',
  },
} as const satisfies Readonly<Record<string, FlawText>>

export type FlawCode = keyof typeof flaw_texts
export const flaw_codes = Object.keys(flaw_texts) as FlawCode[]

/** What a flaw speaks of. Amounts in fen. */
export type FlawValues = Readonly<Record<string, string | number>>

/** DayFlaw is one reason why a day is not proven. */
export interface DayFlaw {
  code: FlawCode
  /** of which bill, where it is not the trade bill or the comparison */
  bill?: BillType
  values: FlawValues
}

/** KeptFlaw is a flaw as days have it: those of earlier versions kept an English sentence. */
export type KeptFlaw = DayFlaw | string

/** Makes a flaw, of this bill where one is named. */
export function flawOf(code: FlawCode, values: FlawValues = {}, bill?: BillType): DayFlaw {
  return { code, ...(bill !== undefined && bill !== 'trade' && { bill }), values }
}

/** What a flaw says, in the reader's language. */
export function flawText(flaw: KeptFlaw, language: FlawLanguage = 'en'): string {
  if (typeof flaw === 'string') return flaw
  const { code, bill, values } = flaw
  // A code of a newer version than this one, which a rollback may meet.
  if (!Object.hasOwn(flaw_texts, code)) return `${code} ${JSON.stringify(values)}`
  const text = flaw_texts[code][language]
  const said = text.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name: string, form: string | undefined) =>
    name === 'bill'
      ? billName(bill, language)
      : form === 'counted'
        ? countedText(values, language)
        : shownValue(values[name], form, language),
  )
  const is_named = text.includes('{bill}')
  if (bill === undefined || is_named) return said
  return language === 'en' ? `${billName(bill, language)}: ${said}` : `${billName(bill, language)}：${said}`
}

function shownValue(value: string | number | undefined, form: string | undefined, language: FlawLanguage): string {
  if (value === undefined) return '–'
  if (form === 'yuan' && typeof value === 'number') return `¥${yuanText(value)}`
  if (form === 'damage' && language !== 'en') return chineseDamage(String(value)) ?? String(value)
  if (form === 'word' && Object.hasOwn(words, value)) return words[value as keyof typeof words][language]
  return String(value)
}

/** What the lines of a bill come to, in the unit of its footer: rows, or yuan as the footer has them. */
function countedText({ sum, unit }: FlawValues, language: FlawLanguage): string {
  if (typeof sum === 'number' && unit === 'fen') return yuanText(sum)
  if (typeof sum === 'number' && unit === 'milli_fen') return feeText(sum)
  const count = shownValue(sum, undefined, language)
  return unit === undefined ? count : `${count} ${shownValue(unit, 'word', language)}`
}

const bill_names: Readonly<Record<BillType, FlawText>> = {
  trade: { en: 'trade bill', 'zh-CN': '交易账单' },
  fundflow: { en: 'fund flow', 'zh-CN': '资金账单' },
  fundflow_operation: { en: 'fund flow of OPERATION', 'zh-CN': '运营账户资金账单' },
  fundflow_fees: { en: 'fund flow of FEES', 'zh-CN': '手续费账户资金账单' },
}

/** A bill as sentences name it; the fund flow of the basic account, which every merchant has, without its account. */
export function billName(bill: BillType | undefined, language: FlawLanguage = 'en'): string {
  return bill_names[bill ?? 'fundflow'][language]
}

/** Values that are words themselves. */
const words = {
  header: { en: 'header', 'zh-CN': '表头' },
  footer: { en: 'footer', 'zh-CN': '汇总行' },
  rows: { en: 'rows', 'zh-CN': '行' },
  fen: { en: 'fen', 'zh-CN': '分' },
  milli_fen: { en: '1/1000 fen', 'zh-CN': '千分之一分' },
  payments: { en: 'payments', 'zh-CN': '收款' },
  refunds: { en: 'refunds', 'zh-CN': '退款' },
  look_again: {
    en: 'look at the day again tomorrow; if it stays, ask WeChat Pay’s support for these numbers',
    'zh-CN': '请在次日再核对一次；若仍在，请就这些单号联系微信支付客服',
  },
  ...bill_names,
} as const satisfies Readonly<Record<string, FlawText>>

export function flawTexts(flaws: readonly KeptFlaw[], language: FlawLanguage = 'en'): string[] {
  return flaws.map((flaw) => flawText(flaw, language))
}

/** Each once, in their order: what says the same is the same, of whatever version. */
export function distinctFlaws(flaws: readonly KeptFlaw[]): KeptFlaw[] {
  const told = new Map<string, KeptFlaw>()
  for (const flaw of flaws) if (!told.has(flawText(flaw))) told.set(flawText(flaw), flaw)
  return [...told.values()]
}

/** FlawView is a flaw as merchants see it. */
export interface FlawView {
  /** null: a day of an earlier version kept only the text */
  code: FlawCode | null
  text: string
  values: Record<string, string | number>
}

export function flawView(flaw: KeptFlaw, language: FlawLanguage = 'en'): FlawView {
  const text = flawText(flaw, language)
  if (typeof flaw === 'string') return { code: null, text, values: {} }
  const { code, bill, values } = flaw
  return { code, text, values: { ...values, ...(bill !== undefined && { bill }) } }
}
