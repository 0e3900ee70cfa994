import type { Actor } from '../../../domain/actor.ts'
import type { DifferenceEvent } from '../../../domain/bill/difference.ts'
import { yuanText } from '../../../domain/money.ts'
import type { Bilingual, Language } from '../../http/language.ts'

/** What differences name of a line and of a record, in the words of the bill. */
const field_texts: Readonly<Record<string, string>> = {
  transaction_id: '微信订单号',
  out_trade_no: '商户订单号',
  refund_id: '微信退款单号',
  out_refund_no: '商户退款单号',
  appid: '公众账号ID',
  total: '订单金额',
  settled_total: '应结订单金额',
  refund: '申请退款金额',
  settlement_refund: '退款金额',
  currency: '货币种类',
  trade_state: '交易状态',
  refund_status: '退款状态',
}

const fen_fields: readonly string[] = ['total', 'settled_total', 'refund', 'settlement_refund']

const payments = (count: string) => (count === '1' ? '1 payment' : `${count} payments`)
const sides = (field: string, there: Bilingual, theirs: string, ours: string): Bilingual => ({
  en: `${field}: ${shown(field, theirs, 'en')} ${there.en}, ${shown(field, ours, 'en')} here`,
  'zh-CN': `${field_texts[field] ?? field}：${there['zh-CN']} ${shown(field, theirs, 'zh-CN')}，本系统 ${shown(field, ours, 'zh-CN')}`,
})

/** Each form in which `fields` of a difference keeps what disagrees, and what it says to people. */
const field_sentences: readonly [form: RegExp, say: (...found: string[]) => Bilingual][] = [
  [
    /^(\w+): (.*) in the bill, (.*) here$/s,
    (field = '', bill = '', ours = '') => sides(field, { en: 'in the bill', 'zh-CN': '账单' }, bill, ours),
  ],
  [
    /^(\w+): (.*) at WeChat, (.*) here$/s,
    (field = '', said = '', ours = '') => sides(field, { en: 'at WeChat Pay', 'zh-CN': '微信支付' }, said, ours),
  ],
  [
    /^the bill of (\S+) has it too$/,
    (date) => ({ en: `the bill of ${date} has it too`, 'zh-CN': `${date} 的账单中也有` }),
  ],
  [
    /^over: (\d+) payments, (\S+) above the rate$/,
    (count = '', sum) => ({
      en: `charged too much: ${payments(count)}, ${sum} above the rate`,
      'zh-CN': `多收：${count} 笔，超出约定 ${sum}`,
    }),
  ],
  [
    /^under: (\d+) payments, (\S+) below the rate$/,
    (count = '', sum) => ({
      en: `charged too little: ${payments(count)}, ${sum} below the rate`,
      'zh-CN': `少收：${count} 笔，低于约定 ${sum}`,
    }),
  ],
  [
    /^fractional: (\d+) fees are not whole fen$/,
    (count) => ({ en: `fees that are not whole fen: ${count}`, 'zh-CN': `不是整分的手续费：${count} 笔` }),
  ],
  [
    /^the order was (\w+) already, and has attention phantom_payment$/,
    (state) => ({
      en: `the order was ${state} already, and a person is asked`,
      'zh-CN': `订单已是 ${state}，已提请人工处理`,
    }),
  ],
  [
    /^the order is in review(, and its fulfilment was taken back)?$/,
    (taken) => ({
      en: `the order is in review${taken ?? ''}`,
      'zh-CN': `订单待人工处理${taken ? '，并已撤回履约请求' : ''}`,
    }),
  ],
  [
    /^(.+) is no (.+): (".*")$/s,
    (column, what, text) => ({ en: `${column} is no ${what}: ${text}`, 'zh-CN': `“${column}”的内容无法读取：${text}` }),
  ],
]

/** Why a line of a bill cannot be read, as it was kept; the words of `wechat/statement/`. */
const malformed_sentences: readonly [form: RegExp, say: (...found: string[]) => string][] = [
  [/^the line has (\d+) bytes, more than (\d+)$/, (bytes, most) => `该行有 ${bytes} 字节，超过 ${most}`],
  [/^the record has more than (\d+) bytes$/, (most) => `该记录超过 ${most} 字节`],
  [/^no header stands before it$/, () => '其前没有表头'],
  [/^it is no header, and none stands before it$/, () => '不是表头，其前也没有表头'],
  [/^it begins with no back-tick, and is no header$/, () => '不以反引号开头，也不是表头'],
  [/^it stands after the footer$/, () => '位于汇总行之后'],
  [/^the header lacks columns that it needs$/, () => '表头缺少必需的列'],
  [/^it has (\d+) cells, and the header (\d+)$/, (cells, width) => `有 ${cells} 格，而表头有 ${width} 格`],
  [/^(\d+) cells stand under the names of the footer$/, (cells) => `汇总表头之下有 ${cells} 格，数目不符`],
  [/^it goes on from line (\d+), which cannot be read$/, (line) => `接续第 ${line} 行，而该行无法读取`],
  [/^a payment has a refund number$/, () => '支付行带有退款单号'],
  [/^a payment has an amount that was refunded$/, () => '支付行带有退款金额'],
  [/^a refund has no number$/, () => '退款行没有退款单号'],
  [
    /^a row in state (\w+), and the file has no columns for refunds$/,
    (state) => `交易状态为 ${state}，而文件没有退款各列`,
  ],
]

/** What disagrees, to people: amounts in yuan. A form that is not known is shown as it was kept. */
export function fieldText(kept: string, language: Language): string {
  for (const [form, say] of field_sentences) {
    const found = form.exec(kept)
    if (found !== null) return say(...found.slice(1))[language]
  }
  for (const [form, say] of language === 'en' ? [] : malformed_sentences) {
    const found = form.exec(kept)
    if (found !== null) return say(...found.slice(1))
  }
  return kept
}

/** Reasons that Weft gives itself: what a person wrote is shown as it stands. */
const own_reasons: readonly [form: RegExp, say: (found?: string) => string][] = [
  [/^it is in the bill of (\S+)$/, (date = '') => `在 ${date} 的账单中`],
  [/^what WeChat says cannot be booked any more$/, () => '微信支付的说法已无法入账'],
]

/** Why a difference was moved, to people. */
export function reasonText({ actor, reason }: { actor: Actor; reason: string | null }, language: Language) {
  if (reason === null || language === 'en' || !own_actors.includes(actor.kind)) return reason
  for (const [form, say] of own_reasons) {
    const found = form.exec(reason)
    if (found !== null) return say(found[1])
  }
  return reason
}

const own_actors: readonly Actor['kind'][] = ['weft', 'wechat']

function shown(field: string, value: string, language: Language): string {
  if (value === '') return language === 'en' ? 'nothing' : '无'
  return fen_fields.includes(field) && /^-?\d{1,15}$/.test(value) ? `¥${yuanText(Number(value))}` : value
}

/** WeChat Pay's own words stand in Chinese papers too, each with its meaning. */
const answer_texts: Readonly<Record<string, Bilingual>> = {
  unknown: { en: 'does not know the number', 'zh-CN': '查无此单号' },
  handed_over: { en: 'asked by the refund itself', 'zh-CN': '已由该退款自行查询' },
  SUCCESS: { en: 'SUCCESS', 'zh-CN': 'SUCCESS（成功）' },
  REFUND: { en: 'REFUND', 'zh-CN': 'REFUND（有退款）' },
  NOTPAY: { en: 'NOTPAY', 'zh-CN': 'NOTPAY（未支付）' },
  CLOSED: { en: 'CLOSED', 'zh-CN': 'CLOSED（已关闭）' },
  REVOKED: { en: 'REVOKED', 'zh-CN': 'REVOKED（已撤销）' },
  PAYERROR: { en: 'PAYERROR', 'zh-CN': 'PAYERROR（支付失败）' },
  PROCESSING: { en: 'PROCESSING', 'zh-CN': 'PROCESSING（处理中）' },
  ABNORMAL: { en: 'ABNORMAL', 'zh-CN': 'ABNORMAL（退款异常）' },
}

/** What WeChat Pay answered about a difference. */
export function answerText(says: string, language: Language): string {
  return Object.hasOwn(answer_texts, says) ? (answer_texts[says]?.[language] ?? says) : says
}

export const difference_event_texts: Record<DifferenceEvent, Bilingual> = {
  found: { en: 'found', 'zh-CN': '发现' },
  overdue: { en: 'waited too long', 'zh-CN': '等待已到期' },
  vanished: { en: 'both sides agree now', 'zh-CN': '双方已一致' },
  returned: { en: 'found again', 'zh-CN': '再次发现' },
  ignored: { en: 'ignored', 'zh-CN': '已忽略' },
  reopened: { en: 'reopened', 'zh-CN': '重新打开' },
  assigned: { en: 'given to a person', 'zh-CN': '指定负责人' },
  noted: { en: 'noted', 'zh-CN': '添加备注' },
  proposed: { en: 'proposed; a second person is wanted', 'zh-CN': '已提出，待另一人同意' },
  accept_asked: { en: 'WeChat Pay’s word accepted, to be booked', 'zh-CN': '已认可微信支付的说法，待入账' },
  accepted: { en: 'booked as WeChat Pay says', 'zh-CN': '已按微信支付的说法入账' },
  not_acceptable: { en: 'cannot be booked any more', 'zh-CN': '已无法入账' },
  check_asked: { en: 'WeChat Pay was asked', 'zh-CN': '已要求向微信支付查询' },
  refund_asked: { en: 'refund asked for', 'zh-CN': '已提交退款' },
}

const actor_texts: Record<Actor['kind'], Bilingual> = {
  weft: { en: 'Weft', 'zh-CN': '系统' },
  merchant: { en: 'merchant', 'zh-CN': '商户' },
  operator: { en: 'operator', 'zh-CN': '操作员' },
  payer: { en: 'payer', 'zh-CN': '付款人' },
  wechat: { en: 'WeChat Pay', 'zh-CN': '微信支付' },
  temporal_ui: { en: 'Temporal UI', 'zh-CN': 'Temporal UI' },
}

/** Who did something: what he is, and his name or key. */
export function actorText({ kind, id }: Actor, language: Language): string {
  const what = actor_texts[kind][language]
  return id === null ? what : `${what} ${id}`
}
