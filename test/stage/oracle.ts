/**
 * What the journal must say, worked out anew from what others know: WeChat's truth (the simulator's), the events that
 * were published to the merchant, and the merchant's own decisions with the API's answers to them. It shares no code
 * with domain/journal or proof/, which re-uses the booking functions: a wrong posting would be wrong on both sides there.
 * Every line is worded from docs/money.md §1; amounts are integer fen, debit positive.
 */

/** As much of the simulator's truth as the balances follow from. */
export interface OracleWeChat {
  payments: readonly { transaction_id: string; out_trade_no: string; amount: { total: number } }[]
  refunds: readonly OracleRefund[]
}

export interface OracleRefund {
  refund_id: string
  out_refund_no: string
  transaction_id: string
  status: 'PROCESSING' | 'SUCCESS' | 'CLOSED' | 'ABNORMAL'
  user_received_account: string
  amount: { refund: number; settlement_refund: number }
}

/** A decision of the merchant that the API answered with success. */
export interface OracleDecision {
  path: string
  request: unknown
  answer: unknown
}

/** The text of a bill that was given out for a day that was looked at. */
export interface OracleBill {
  bill_date: string
  type: 'trade' | keyof typeof accounts_of_flows
  text: string
}

/** Which account of the book the fund flow of each account at WeChat Pay moves. */
const accounts_of_flows = {
  fundflow: 'wechat.basic',
  fundflow_operation: 'wechat.operation',
  fundflow_fees: 'wechat.fees',
} as const

export interface OracleSources {
  wechat: OracleWeChat
  /** transaction_id → fen that a coupon of the merchant's own paid: those payments only */
  coupons: ReadonlyMap<string, number>
  /** what was published to the merchant, in any order; repeats do no harm */
  events: readonly { type: string; transaction_id: string | null }[]
  decisions: readonly OracleDecision[]
  /** of the days that were looked at */
  bills?: readonly OracleBill[]
}

/** A journal entry as it is stored: plain postings. */
export interface StoredEntry {
  out_trade_no: string | null
  postings: readonly { account: string; key: string; amount: number }[]
}

export interface OracleDifference {
  out_trade_no: string | null
  /** account and sub-key, as `sales T123` */
  line: string
  expected: number
  stored: number
}

/** Fen by out_trade_no and by account with sub-key. */
type Lines = Map<string | null, Map<string, number>>

/** Where WeChat says a refund went when the merchant has it, and not the payer (docs/wechat-pay.md §2.4). */
const accounts_of_the_merchant = ['商户基本账户', '商户结算银行账户']

/** Compares the stored postings with what they must sum to. Answers nothing where all agree. */
export function oracleDifferences(sources: OracleSources, entries: readonly StoredEntry[]): OracleDifference[] {
  const expected = expectedLines(sources)
  const stored: Lines = new Map()
  for (const { out_trade_no, postings } of entries)
    for (const { account, key, amount } of postings) add(stored, out_trade_no, `${account} ${key}`, amount)
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((out_trade_no) => {
    const wanted = expected.get(out_trade_no) ?? new Map<string, number>()
    const found = stored.get(out_trade_no) ?? new Map<string, number>()
    return [...new Set([...wanted.keys(), ...found.keys()])]
      .map((line) => ({ out_trade_no, line, expected: wanted.get(line) ?? 0, stored: found.get(line) ?? 0 }))
      .filter((difference) => difference.expected !== difference.stored)
  })
}

export function differenceLine({ out_trade_no, line, expected, stored }: OracleDifference): string {
  return `${out_trade_no}: ${line} is ${stored}, the oracle says ${expected}`
}

function expectedLines({ wechat, coupons, events, decisions, bills = [] }: OracleSources): Lines {
  const lines: Lines = new Map()
  const ours = new Set([
    ...wechat.payments.map(({ transaction_id }) => transaction_id),
    ...wechat.refunds.map(({ refund_id }) => refund_id),
  ])
  // What bills say is of no one order.
  putBills(
    bills,
    (number) => ours.has(number),
    (line, fen) => add(lines, null, line, fen),
  )
  const sold = soldTransactions(events, decisions)
  const payouts = payoutsIn(decisions)
  for (const { transaction_id, out_trade_no, amount } of wechat.payments) {
    const put = (line: string, fen: number) => add(lines, out_trade_no, line, fen)
    const { total } = amount
    const coupon = coupons.get(transaction_id) ?? 0
    /** The merchant's claim to the payer's money shrinks with all that goes back. */
    const income = sold.has(transaction_id) ? `sales ${out_trade_no}` : `suspense ${transaction_id}`
    put(`wechat.pending ${transaction_id}`, total - coupon)
    put(`discount.nocash ${out_trade_no}`, coupon)
    put(income, -total)
    const refunds = wechat.refunds.filter((refund) => refund.transaction_id === transaction_id)
    for (const refund of refunds.filter(({ status }) => status !== 'CLOSED')) {
      const { refund: whole, settlement_refund: cash } = refund.amount
      const is_paid_out = payouts.some(({ out_refund_no }) => out_refund_no === refund.out_refund_no)
      const is_merchants = accounts_of_the_merchant.includes(refund.user_received_account)
      put(income, whole)
      put(`discount.nocash ${out_trade_no}`, cash - whole)
      if (refund.status === 'SUCCESS') put(`wechat.refund_transit ${refund.refund_id}`, -cash)
      const is_owed = refund.status !== 'SUCCESS' || (is_merchants && !is_paid_out)
      if (is_owed) put(`refund.payable ${refund.out_refund_no}`, -cash)
      if (refund.status === 'SUCCESS' && is_merchants && !is_paid_out) put('merchant.bank -', cash)
    }
    // WeChat did not move this money, the merchant did: from its own bank account.
    for (const payout of payouts.filter((one) => one.transaction_id === transaction_id)) {
      const at_wechat = refunds.find(({ out_refund_no }) => out_refund_no === payout.out_refund_no)
      if (at_wechat !== undefined && at_wechat.status !== 'CLOSED') continue
      const share = Math.ceil((payout.amount * (total - coupon)) / total)
      const cash = at_wechat?.amount.settlement_refund ?? share
      put(income, payout.amount)
      put('merchant.bank -', -cash)
      put(`discount.nocash ${out_trade_no}`, cash - payout.amount)
    }
  }
  return lines
}

/** Payments that are sales: the merchant was told that its order is paid by it, or has accepted it itself. */
function soldTransactions(events: OracleSources['events'], decisions: readonly OracleDecision[]): Set<string> {
  const told = events.filter(({ type }) => type === 'order.paid').map(({ transaction_id }) => transaction_id)
  const accepted = decisions
    .filter(({ path }) => /^\/v1\/orders\/[^/]+\/review$/.test(path))
    .map(({ request }) => request as { decision?: string; transaction_id?: string })
    .filter(({ decision }) => decision === 'accept')
    .map(({ transaction_id }) => transaction_id)
  return new Set([...told, ...accepted].filter((transaction_id) => typeof transaction_id === 'string'))
}

/** What the merchant paid out by hand, once per refund however often it said so. */
function payoutsIn(decisions: readonly OracleDecision[]) {
  const answers = decisions
    .filter(({ path }) => /^\/v1\/refunds\/[^/]+\/payout$/.test(path))
    .map(({ answer }) => answer as { out_refund_no: string; transaction_id: string; amount: { refund: number } })
    .map(({ out_refund_no, transaction_id, amount }) => ({ out_refund_no, transaction_id, amount: amount.refund }))
  return [...new Map(answers.map((payout) => [payout.out_refund_no, payout])).values()]
}

function add(lines: Lines, out_trade_no: string | null, line: string, fen: number): void {
  const of_number = lines.get(out_trade_no) ?? new Map<string, number>()
  of_number.set(line, (of_number.get(line) ?? 0) + fen)
  lines.set(out_trade_no, of_number)
}

type Put = (line: string, fen: number) => void

/** The other side of a movement by its 业务类型, when it names a payment or refund of ours; `-` is no sub-key. */
const other_sides: Record<string, { account: string; has_key: boolean }> = {
  交易: { account: 'wechat.pending', has_key: true },
  扣除交易手续费: { account: 'fee.clearing', has_key: true },
  退还交易手续费: { account: 'fee.clearing', has_key: true },
  退款: { account: 'wechat.refund_transit', has_key: true },
  退款关闭: { account: 'wechat.refund_transit', has_key: true },
  退款退回: { account: 'merchant.bank', has_key: false },
}

/** Movements of no order: what is no transfer comes from the merchant's bank, or goes there. */
const bank_words = ['提现', '充值']

/** `isOurs`: whether WeChat has this payment or refund as one of this installation's. */
function putBills(bills: readonly OracleBill[], isOurs: (number: string) => boolean, put: Put): void {
  const in_order = bills.toSorted((one, other) => (one.bill_date < other.bill_date ? -1 : 1))
  for (const { type, text } of in_order)
    if (type === 'trade') for (const cells of rowsOf(text)) putFee(cells, isOurs, put)
  const transfers = transfersIn(bills)
  for (const [type, account] of Object.entries(accounts_of_flows)) {
    /** what the account came by before the first bill, and between bills that do not follow each other */
    let opening = 0
    let closing = 0
    for (const bill of in_order.filter((one) => one.type === type))
      for (const cells of rowsOf(bill.text)) {
        const is_transfer = transfers.has(`${bill.bill_date} ${legOf(cells)}`)
        const balance = putMovement(cells, { account, is_transfer, isOurs }, put)
        opening += balance.before - closing
        closing = balance.after
      }
    put(`${account} -`, opening)
    put('other.opening -', 0 - opening)
  }
}

/** By what the two lines of money that goes between a merchant's accounts are the same. */
const legOf = (cells: Map<string, string>) => `${cells.get('微信支付业务单号') ?? ''} ${cells.get('收支金额') ?? ''}`

/** What leaves one account on a day and arrives in another that day. */
function transfersIn(bills: readonly OracleBill[]): Set<string> {
  const legs = bills.flatMap(({ type, bill_date, text }) =>
    type === 'trade'
      ? []
      : rowsOf(text)
          .filter((cells) => !other_sides[cells.get('业务类型') ?? ''] && cells.get('微信支付业务单号'))
          .map((cells) => ({ type, name: `${bill_date} ${legOf(cells)}`, way: cells.get('收支类型') })),
  )
  const names = legs.map(({ name }) => name)
  return new Set(
    names.filter((name) => {
      const [one, other, ...more] = legs.filter((leg) => leg.name === name)
      return more.length === 0 && one?.type !== other?.type && one?.way !== other?.way && other !== undefined
    }),
  )
}

function putFee(cells: Map<string, string>, isOurs: (number: string) => boolean, put: Put): void {
  const transaction_id = cells.get('微信订单号') ?? ''
  if (!isOurs(transaction_id)) return
  const is_refund = cells.get('交易状态') === 'REFUND'
  const key = is_refund ? (cells.get('微信退款单号') ?? '') : transaction_id
  const fee = Math.round(Number(cells.get('手续费')) * 100)
  put(`fee.expense ${key}`, fee)
  put(`fee.clearing ${key}`, 0 - fee)
}

/** Answers what the account held before and after it. */
function putMovement(
  cells: Map<string, string>,
  { account, is_transfer, isOurs }: { account: string; is_transfer: boolean; isOurs: (number: string) => boolean },
  put: Put,
): { before: number; after: number } {
  const fen = (name: string) => Math.round(Number(cells.get(name)) * 100)
  const moved = cells.get('收支类型') === '收入' ? fen('收支金额') : 0 - fen('收支金额')
  const [type = '', number = ''] = [cells.get('业务类型'), cells.get('微信支付业务单号')]
  const side = other_sides[type]
  put(`${account} -`, moved)
  if (is_transfer) put(`wechat.transfer ${number}`, 0 - moved)
  else if (bank_words.includes(type)) put('merchant.bank -', 0 - moved)
  else if (side === undefined) put(`other.${type} ${cells.get('资金流水单号') ?? ''}`, 0 - moved)
  else if (!isOurs(number)) put(`foreign ${number}`, 0 - moved)
  else put(`${side.account} ${side.has_key ? number : '-'}`, 0 - moved)
  return { before: fen('账户结余') - moved, after: fen('账户结余') }
}

/** Each row by the names of its columns; the sums at the end are none. */
function rowsOf(text: string): Map<string, string>[] {
  const [header = '', ...lines] = text.replace(/^\ufeff/, '').split('\r\n')
  const names = header.split(',').map((name) => name.replace(/[(（]元[)）]$/, ''))
  const end = lines.findIndex((line) => !line.startsWith('`'))
  return lines.slice(0, end).map((line) => {
    const cells = line.slice(1).split(',`')
    return new Map(names.map((name, place) => [name, cells[place] ?? '']))
  })
}
