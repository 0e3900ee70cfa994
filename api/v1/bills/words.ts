import type { DifferenceKind, DifferenceState } from '../../../domain/bill/difference.ts'
import { difference_texts } from '../../../domain/bill/difference.ts'
import type { ReconciliationState } from '../../../domain/bill/reconciliation.ts'
import type { FlowAccount } from '../../../domain/merchant/bill.ts'
import type { Bilingual, Language } from '../../http/language.ts'
import { directionOf } from './direction.ts'
import type { Direction } from './direction.ts'

const chinese_kinds: Record<DifferenceKind, string> = {
  missing_here: '微信支付有一笔收款，本系统没有记录',
  missing_there: '本系统有一笔当日收款，账单中没有',
  phantom_payment: '本系统记有一笔收款，微信支付称从未支付',
  amount: '账单与本系统所记的收款金额不一致',
  state: '账单与本系统所记的收款结果不一致',
  number: '同一笔收款在两边的单号不一致',
  refund_missing_here: '微信支付有一笔退款，本系统没有记录',
  refund_missing_there: '本系统有一笔当日退款，账单中没有',
  refund_amount: '账单与本系统所记的退款金额不一致',
  refund_state: '账单与本系统所记的退款结果不一致',
  refund_number: '同一笔退款在两边的单号不一致',
  duplicate: '一份账单中，或两天的账单中，同一笔收款或退款出现两次',
  fee: '微信支付收取的手续费与约定不一致',
  malformed: '账单中有一行无法读取',
}

/** What a kind of difference means, in the reader's language. */
export function differenceText(kind: DifferenceKind, language: Language): string {
  return language === 'en' ? difference_texts[kind] : chinese_kinds[kind]
}

const direction_texts: Record<Direction, Bilingual> = {
  more: { en: '长款 (more at WeChat Pay)', 'zh-CN': '长款' },
  less: { en: '短款 (less at WeChat Pay)', 'zh-CN': '短款' },
}

/** 长款 or 短款, as the merchant sees it; empty where a difference says nothing of that. */
export function directionText(difference: Parameters<typeof directionOf>[0], language: Language): string {
  const direction = directionOf(difference)
  return direction === null ? '' : direction_texts[direction][language]
}

export const day_state_texts: Record<ReconciliationState, Bilingual> = {
  waiting_for_bill: { en: 'waiting for the bill', 'zh-CN': '等待账单' },
  running: { en: 'being compared', 'zh-CN': '对账中' },
  balanced: { en: 'balanced', 'zh-CN': '已平' },
  different: { en: 'different', 'zh-CN': '未平' },
}

export const difference_state_texts: Record<DifferenceState, Bilingual> = {
  waiting: { en: 'waiting', 'zh-CN': '等待中' },
  open: { en: 'open', 'zh-CN': '待处理' },
  settling: { en: 'being booked', 'zh-CN': '入账中' },
  healed: { en: 'healed', 'zh-CN': '已自动解决' },
  ignored: { en: 'ignored', 'zh-CN': '已忽略' },
  settled: { en: 'settled', 'zh-CN': '已了结' },
}

/** WeChat Pay's names of a merchant's accounts. */
export const account_words: Record<FlowAccount, Bilingual> = {
  BASIC: { en: 'basic account', 'zh-CN': '基本账户' },
  OPERATION: { en: 'operation account', 'zh-CN': '运营账户' },
  FEES: { en: 'fees account', 'zh-CN': '手续费账户' },
}

/** What a statement says, each in both languages: the headings of its tables, and of their columns and lines. */
export const statement_words = {
  title: { en: 'Reconciliation statement', 'zh-CN': '对账单' },
  item: { en: 'item', 'zh-CN': '项目' },
  content: { en: 'content', 'zh-CN': '内容' },
  merchant: { en: 'merchant number', 'zh-CN': '商户号' },
  merchant_name: { en: 'merchant', 'zh-CN': '商户' },
  bill_date: { en: 'bill date (Beijing)', 'zh-CN': '账单日期（北京时间）' },
  state: { en: 'state', 'zh-CN': '状态' },
  conclusion: { en: 'conclusion', 'zh-CN': '结论' },
  proven: { en: 'proven to the fen', 'zh-CN': '已核实，分文不差' },
  unproven: { en: 'not proven', 'zh-CN': '未核实' },
  why_not: { en: 'why not', 'zh-CN': '未核实的原因' },
  not_over: { en: 'differences that are not over', 'zh-CN': '未了结的差异笔数' },
  not_ended: { en: 'the look at this day has not ended', 'zh-CN': '当日对账尚未完成' },
  compared_at: { en: 'compared at (Beijing)', 'zh-CN': '对账时间（北京时间）' },
  trade_version: { en: 'version of the trade bill (交易账单)', 'zh-CN': '交易账单版本' },
  flow_version: { en: 'version of the fund-flow bill (资金账单)', 'zh-CN': '资金账单版本' },
  no_file: {
    en: 'version {version} has no file: WeChat Pay said that there was nothing to list',
    'zh-CN': '版本 {version} 没有文件：微信支付称无内容可列',
  },
  trade_changes: { en: 'the trade bill was issued anew', 'zh-CN': '交易账单重新出具后的变化' },
  flow_changes: { en: 'the fund-flow bill was issued anew', 'zh-CN': '资金账单重新出具后的变化' },
  changed_lines: {
    en: 'version {version}: {added} lines added, {removed} removed, {changed} changed',
    'zh-CN': '版本 {version}：新增 {added} 行，删除 {removed} 行，变更 {changed} 行',
  },
  original: { en: 'original kept here', 'zh-CN': '本系统保存的原始账单' },
  point_of_view: { en: 'point of view', 'zh-CN': '立场' },
  point_of_view_text: {
    en: 'the merchant’s: 长款 is more money at WeChat Pay than is recorded here, 短款 is less; of payments the bill less the records, of refunds the records less the bill',
    'zh-CN': '商户：长款＝微信支付的钱多于本系统所记，短款＝少于本系统所记；收款为账单减记录，退款为记录减账单',
  },
  unit: { en: 'unit', 'zh-CN': '单位' },
  unit_text: {
    en: 'yuan; counts in lines or records; fees with five decimals, as in the bill',
    'zh-CN': '金额为元，笔数为笔；手续费保留五位小数，与账单一致',
  },
  totals: { en: 'Totals, without other systems', 'zh-CN': '汇总（不含其他系统）' },
  at_wechat: { en: 'WeChat Pay’s bill', 'zh-CN': '微信支付账单' },
  here: { en: 'recorded here', 'zh-CN': '本系统记录' },
  gap: { en: 'difference (above 0: 长款, below: 短款)', 'zh-CN': '差额（正为长款，负为短款）' },
  payment_count: { en: 'payments', 'zh-CN': '收款笔数' },
  payment_amount: { en: 'amount of payments', 'zh-CN': '收款金额' },
  refund_count: { en: 'refunds', 'zh-CN': '退款笔数' },
  refund_amount: { en: 'amount of refunds', 'zh-CN': '退款金额' },
  net: { en: 'payments less refunds', 'zh-CN': '净额（收款减退款）' },
  money: { en: 'Fees and account', 'zh-CN': '手续费与账户' },
  amount_yuan: { en: 'yuan', 'zh-CN': '金额（元）' },
  fee_charged: {
    en: 'fees charged (a line that is there twice counts once)',
    'zh-CN': '收取的手续费（重复的行只计一次）',
  },
  fee_returned: { en: 'fees returned with refunds', 'zh-CN': '退还的手续费' },
  fee_net: { en: 'fees, net', 'zh-CN': '手续费净额' },
  fee_expected: { en: 'fees by contract', 'zh-CN': '按约定应收的手续费' },
  fee_under: { en: 'charged too little', 'zh-CN': '少收的手续费' },
  fee_over: { en: 'charged too much', 'zh-CN': '多收的手续费' },
  opening: { en: 'balance of the basic account before the day', 'zh-CN': '基本账户期初余额' },
  closing: { en: 'balance of the basic account after the day', 'zh-CN': '基本账户期末余额' },
  other_opening: { en: 'balance before the day', 'zh-CN': '期初余额' },
  other_closing: { en: 'balance after the day', 'zh-CN': '期末余额' },
  change: { en: 'change of the balance', 'zh-CN': '余额变动' },
  tie: { en: 'From the trade bill to the account', 'zh-CN': '从交易账单到账户余额' },
  tie_payments: { en: 'payments (订单金额)', 'zh-CN': '收款（订单金额）' },
  tie_coupons: {
    en: 'less the merchant’s own coupons (订单金额 less 应结订单金额)',
    'zh-CN': '减：商户自有优惠（订单金额减应结订单金额）',
  },
  tie_refunds: { en: 'less refunds (退款金额)', 'zh-CN': '减：退款（退款金额）' },
  tie_fees: { en: 'less fees, net', 'zh-CN': '减：手续费净额' },
  tie_foreign: { en: 'other systems: payments less refunds', 'zh-CN': '其他系统：收款减退款' },
  tie_rest: {
    en: 'all else: withdrawals, day cuts, fees of other systems, lines that are there twice',
    'zh-CN': '其余：提现、跨日、其他系统的手续费、重复的行等',
  },
  foreign_payments: { en: 'other systems: payments', 'zh-CN': '其他系统：收款金额' },
  foreign_refunds: { en: 'other systems: refunds', 'zh-CN': '其他系统：退款金额' },
  classes: { en: 'Every line and every record by class', 'zh-CN': '分类（每行账单、每条记录恰在一类）' },
  class: { en: 'class', 'zh-CN': '分类' },
  lines: { en: 'lines of the bill', 'zh-CN': '账单行数' },
  records: { en: 'records here', 'zh-CN': '本系统记录数' },
  matched: { en: 'both sides agree', 'zh-CN': '两边一致' },
  waiting: { en: 'one side only, may still come', 'zh-CN': '单边，等待另一边' },
  different: { en: 'different', 'zh-CN': '有差异' },
  foreign: { en: 'of other systems', 'zh-CN': '其他系统' },
  malformed: { en: 'cannot be read', 'zh-CN': '无法读取' },
  all: { en: 'all', 'zh-CN': '合计' },
  book: { en: 'What the bills move in the book (above 0: debit)', 'zh-CN': '账单记入账本的金额（正为借方，负为贷方）' },
  account: { en: 'account', 'zh-CN': '科目代码' },
  account_name: { en: 'what it is', 'zh-CN': '科目' },
  differences: { en: 'Differences', 'zh-CN': '差异明细' },
  none: { en: 'none', 'zh-CN': '无' },
  more_differences: {
    en: 'There are more; the CSV has all of them.',
    'zh-CN': '还有更多差异，完整清单见 CSV。',
  },
} as const satisfies Record<string, Bilingual>

/** The columns of the list of differences. */
export const difference_columns = {
  id: { en: 'id', 'zh-CN': '差异编号' },
  bill_date: { en: 'bill date', 'zh-CN': '账单日期' },
  kind: { en: 'kind', 'zh-CN': '类型代码' },
  what: { en: 'what it means', 'zh-CN': '类型' },
  direction: { en: '长款 or 短款', 'zh-CN': '长款/短款' },
  state: { en: 'state', 'zh-CN': '状态' },
  amount: { en: 'amount at stake', 'zh-CN': '涉及金额' },
  bill_amount: { en: 'amount in the bill', 'zh-CN': '账单金额' },
  weft_amount: { en: 'amount recorded here', 'zh-CN': '本系统金额' },
  out_trade_no: { en: 'out_trade_no', 'zh-CN': '商户订单号' },
  transaction_id: { en: 'transaction_id', 'zh-CN': '微信订单号' },
  out_refund_no: { en: 'out_refund_no', 'zh-CN': '商户退款单号' },
  refund_id: { en: 'refund_id', 'zh-CN': '微信退款单号' },
  line: { en: 'line of the bill', 'zh-CN': '账单行号' },
  fields: { en: 'what disagrees', 'zh-CN': '不一致的内容' },
  says: { en: 'WeChat Pay answered', 'zh-CN': '微信支付答复' },
  asked_time: { en: 'asked at', 'zh-CN': '查询时间' },
  due_time: { en: 'due', 'zh-CN': '到期时间' },
  last_event: { en: 'last event', 'zh-CN': '最近事件' },
  last_time: { en: 'time of it', 'zh-CN': '事件时间' },
  reason: { en: 'reason', 'zh-CN': '原因' },
  last_actor: { en: 'by whom', 'zh-CN': '操作者' },
  owner: { en: 'owner', 'zh-CN': '负责人' },
  note: { en: 'note', 'zh-CN': '备注' },
} as const satisfies Record<string, Bilingual>

const account_texts: Readonly<Record<string, Bilingual>> = {
  'wechat.pending': { en: 'paid, not in the fund flow yet', 'zh-CN': '已收款，待入资金账单' },
  'wechat.basic': { en: 'basic account at WeChat Pay', 'zh-CN': '微信支付基本账户' },
  'wechat.operation': { en: 'operation account at WeChat Pay', 'zh-CN': '微信支付运营账户' },
  'wechat.fees': { en: 'fees account at WeChat Pay', 'zh-CN': '微信支付手续费账户' },
  'wechat.transfer': { en: 'between the accounts at WeChat Pay', 'zh-CN': '微信支付账户间在途' },
  'wechat.refund_transit': { en: 'refunds under way', 'zh-CN': '在途退款' },
  'merchant.bank': { en: 'the merchant’s bank account', 'zh-CN': '商户银行账户' },
  suspense: { en: 'money without a sale', 'zh-CN': '待处理款项' },
  'refund.payable': { en: 'refunds to be paid by hand', 'zh-CN': '应付退款' },
  'fee.clearing': { en: 'fees named by the trade bill and not taken yet', 'zh-CN': '手续费清算' },
  sales: { en: 'sales', 'zh-CN': '销售收入' },
  'discount.nocash': { en: 'the merchant’s own coupons', 'zh-CN': '商户自有优惠' },
  'fee.expense': { en: 'fees', 'zh-CN': '手续费支出' },
  foreign: { en: 'other systems', 'zh-CN': '其他系统' },
  'other.opening': { en: 'opening balance', 'zh-CN': '期初余额' },
}

/** What an account of the book is; of `other.<业务类型>` WeChat Pay's own word says it. */
export function accountText(account: string, language: Language): string {
  if (Object.hasOwn(account_texts, account)) return account_texts[account]?.[language] ?? ''
  return account.startsWith('other.') ? account.slice('other.'.length) : ''
}
