import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { flawTexts } from '../domain/bill/flaw.ts'
import type { ClassCounts, DaySums, ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import { orderKey, workflowId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import type { Bilingual } from '../domain/language.ts'
import { search_attributes } from '../domain/messages.ts'
import type { OrderProgress, RefundProgress } from '../domain/messages.ts'
import { readableAmount } from '../domain/money.ts'
import type { OrderState } from '../domain/order/record.ts'
import type { Policy } from '../domain/policy.ts'
import { attention_reasons } from '../domain/reason.ts'
import { remedyCall } from '../domain/remedy.ts'
import type { RemedySubject } from '../domain/remedy.ts'
import { orderPlan, refundPlan } from './plan.ts'
import { clockText, viewer } from './shown.ts'
import type { Viewer } from './shown.ts'
import { day_sentences, order_sentences, refund_sentences } from './words.ts'

/** A link within Temporal UI to the latest run of this id. */
function runLink(name: string, id: string, { namespace }: Viewer): string {
  return `[${plainName(name)}](/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(id)})`
}

const { merchant: of_merchant, out_trade_no: of_number } = search_attributes

/** A link to the list of all runs that are about an order: its own, those of its refunds, those of its events. */
function runsLink({ mchid, out_trade_no }: OrderKey, shown: Viewer): string {
  const query = `${of_merchant.name}="${mchid}" AND ${of_number.name}="${out_trade_no}"`
  return listLink({ en: 'all runs of the order', 'zh-CN': '该订单的全部工作流' }, query, shown)
}

/** A link to the list of all runs that are about the orders of a checkout, which have its number, or it and their place. */
function checkoutRunsLink(mchid: string, checkout_no: string, shown: Viewer): string {
  const [first, later] = [`${of_number.name}="${checkout_no}"`, `${of_number.name} STARTS_WITH "${checkout_no}-"`]
  const query = `${of_merchant.name}="${mchid}" AND (${first} OR ${later})`
  return listLink({ en: 'all runs of its orders', 'zh-CN': '其各订单的全部工作流' }, query, shown)
}

function listLink(name: Bilingual, query: string, { namespace, language }: Viewer): string {
  // What ends a link's address in Markdown must not stand in it.
  const words = encodeURIComponent(query).replaceAll('(', '%28').replaceAll(')', '%29')
  return `[${name[language]}](/namespaces/${encodeURIComponent(namespace)}/workflows?query=${words})`
}

/**
 * The lines of a panel, and a last one with nothing to read: Temporal UI (2.42) gives the panel less height than its text
 * takes, and cuts off what stands last.
 */
function panelText(lines: readonly string[], between: string): string {
  return [...lines, '\u00a0'].join(between)
}

function plainName(name: string): string {
  return name.replace(/[|*_]/g, (sign) => `\\${sign}`)
}

const payable_states: readonly OrderState[] = ['created', 'awaiting_payment']

/** Tells Temporal UI what to show of an order now. It costs no event, since a query reads it. */
export function showOrder(order: OrderProgress, policy: Policy): void {
  setCurrentDetails(orderDetails(order, policy, viewer()))
}

/** What a hurried reader looks for comes first, since the UI shows some eight lines without scrolling. */
export function orderDetails(order: OrderProgress, policy: Policy, shown: Viewer): string {
  const { mchid, out_trade_no, state, amount, payment, fulfilment } = order
  const say = (text: Bilingual) => text[shown.language]
  const [runs, created] = [runsLink(order, shown), clockText(order.create_time)]
  // Once it cannot be paid any more, until when it could be is nothing to act on.
  const until = payable_states.includes(state) ? clockText(order.time_expire) : null
  const lines = [
    ...orderCalls(order, shown),
    say({
      en: `**${state}** · ${readableAmount(amount)} · order \`${out_trade_no}\` of merchant \`${mchid}\``,
      'zh-CN': `**${state}** · ${readableAmount(amount)} · 商户 \`${mchid}\` 的订单 \`${out_trade_no}\``,
    }),
    say({
      en: `${runs} · created ${created}${until === null ? '' : `, can be paid until ${until}`} (Beijing time)`,
      'zh-CN': `${runs} · 创建于 ${created}${until === null ? '' : `，可付款至 ${until}`}（北京时间）`,
    }),
    say(order_sentences[state]),
  ]
  const refunds = order.refund_nos?.map((no) => runLink(no, workflowId.refund({ mchid, out_refund_no: no }), shown))
  if (refunds) lines.push(say({ en: `Refunds: ${refunds.join(', ')}.`, 'zh-CN': `退款：${refunds.join('、')}。` }))
  if (order.checkout_no !== undefined) lines.push(checkoutLine(order.mchid, order.checkout_no, shown))
  const plan = orderPlan(order, policy, shown.language)
  if (plan !== null) lines.push(say({ en: `Next: ${plan}.`, 'zh-CN': `下一步：${plan}。` }))
  if (payment)
    lines.push(
      say({
        en: `Payment \`${payment.transaction_id}\`, role ${payment.role}, found by ${payment.found_by}.`,
        'zh-CN': `付款 \`${payment.transaction_id}\`，类别 ${payment.role}，发现方式 ${payment.found_by}。`,
      }),
    )
  if (state === 'paid')
    lines.push(
      say({
        en: `Fulfilment: mode ${fulfilment.mode}, answer ${fulfilment.result ?? 'none yet'}.`,
        'zh-CN': `履约：模式 ${fulfilment.mode}，应答 ${fulfilment.result ?? '尚无'}。`,
      }),
    )
  if (order.close_reason)
    lines.push(say({ en: `Close reason: ${order.close_reason}.`, 'zh-CN': `关单原因：${order.close_reason}。` }))
  return panelText(lines, '  \n')
}

/** Its page's address is a secret, which no run is told: the call names it. */
function checkoutLine(mchid: string, checkout_no: string, shown: Viewer): string {
  const runs = checkoutRunsLink(mchid, checkout_no, shown)
  const call = `GET /v1/checkouts/${encodeURIComponent(checkout_no)}`
  return {
    en: `Of checkout \`${checkout_no}\` (${runs}); its page, and which order keeps the sale: \`${call}\`.`,
    'zh-CN': `属于收银单 \`${checkout_no}\`（${runs}）；页面地址与成交订单见 \`${call}\`。`,
  }[shown.language]
}

/** What a person must do about an order, a sentence for each: about what, why, and the call that settles it. */
export function orderCalls(order: OrderProgress, shown: Viewer): string[] {
  const { out_trade_no, amount, attention, payment, reviews } = order
  const own = payment?.transaction_id ?? null
  const open = reviews ?? (attention === null ? [] : [{ code: attention, transaction_id: own }])
  return open.map(({ code, transaction_id }) => {
    const is_other = transaction_id !== null && transaction_id !== own
    // What the order is worth is not what another payment brought.
    const money = is_other ? null : readableAmount(amount)
    const about = { en: `order \`${out_trade_no}\``, 'zh-CN': `订单 \`${out_trade_no}\`` }[shown.language]
    const of_payment = { en: `payment \`${transaction_id}\``, 'zh-CN': `付款 \`${transaction_id}\`` }[shown.language]
    const named = [about, money, transaction_id === null ? null : of_payment]
    return callText(code, named, { out_trade_no, transaction_id }, shown)
  })
}

function callText(code: string, named: (string | null)[], subject: RemedySubject, shown: Viewer): string {
  const { language, guide_url } = shown
  const call = remedyCall(code, subject, language)
  const text = (attention_reasons[language] as Record<string, string | undefined>)[code] ?? ''
  const guide = guide_url === null ? code : `[${plainName(code)}](${guide_url}#${code})`
  const about = named.filter((part) => part !== null).join(language === 'en' ? ', ' : '，')
  const said = { en: `**Look at ${about}: ${text}** (${guide})`, 'zh-CN': `**请处理${about}：${text}**（${guide}）` }
  return `${said[language]}${call === null ? '' : ` \`${call}\``}`
}

/** How a run ends: its record's state, and behind it what a person must do, so that "Completed" does not say it is well. */
export function orderEnd(order: OrderProgress, shown: Viewer): string {
  return [order.state, ...orderCalls(order, { ...shown, guide_url: null })].join(' · ')
}

/** Tells Temporal UI what to show of a refund now. */
export function showRefund(refund: RefundProgress, policy: Policy): void {
  setCurrentDetails(refundDetails(refund, policy, viewer()))
}

export function refundDetails(refund: RefundProgress, policy: Policy, shown: Viewer): string {
  const { out_refund_no, mchid, transaction_id, state, origin } = refund
  const { total, currency } = refund.amount
  const back = readableAmount({ total: refund.amount.refund, currency })
  const whole = readableAmount({ total, currency })
  const say = (text: Bilingual) => text[shown.language]
  const lines = [
    ...refundCalls(refund, shown),
    say({
      en: `**${state}** · ${back} of ${whole} · refund \`${out_refund_no}\``,
      'zh-CN': `**${state}** · 退 ${back}（付款 ${whole}）· 退款 \`${out_refund_no}\``,
    }),
    say(refund_sentences[state]),
  ]
  const plan = refundPlan(refund, policy, shown.language)
  if (plan !== null) lines.push(say({ en: `Next: ${plan}.`, 'zh-CN': `下一步：${plan}。` }))
  const order = linkOfOrder(refund, shown)
  lines.push(
    say({
      en: `Of order ${order}, payment \`${transaction_id}\`, merchant \`${mchid}\`, origin ${origin}.`,
      'zh-CN': `所属订单 ${order}，付款 \`${transaction_id}\`，商户 \`${mchid}\`，来源 ${origin}。`,
    }),
  )
  return panelText(lines, '  \n')
}

/** A payment that belongs to no order has no run to lead to. */
function linkOfOrder({ out_trade_no, order_id }: RefundProgress, shown: Viewer): string {
  if (order_id === null) return `\`${out_trade_no}\``
  const key = orderKey(order_id)
  const [order, runs] = [runLink(out_trade_no, workflowId.order(key), shown), runsLink(key, shown)]
  return shown.language === 'en' ? `${order} (${runs})` : `${order}（${runs}）`
}

function refundCalls(refund: RefundProgress, shown: Viewer): string[] {
  const { out_refund_no, transaction_id, amount, attention } = refund
  if (attention === null) return []
  const money = readableAmount({ total: amount.refund, currency: amount.currency })
  const about = { en: `refund \`${out_refund_no}\``, 'zh-CN': `退款 \`${out_refund_no}\`` }[shown.language]
  return [callText(attention, [about, money], { out_refund_no, transaction_id }, shown)]
}

/** As `orderEnd`. */
export function refundEnd(refund: RefundProgress, shown: Viewer): string {
  return [refund.state, ...refundCalls(refund, { ...shown, guide_url: null })].join(' · ')
}

/** Tells Temporal UI which event of which order a run sends, and leads to its order. */
export function showDelivery(delivery_id: string): void {
  setCurrentDetails(deliveryDetails(delivery_id, viewer()))
}

/** The id is `<mchid>/<out_trade_no>/<sequence>/<endpoint>`; what belongs to no order has one part more or less. */
export function deliveryDetails(delivery_id: string, shown: Viewer): string {
  const [, mchid = '', out_trade_no = '', sequence = '', endpoint = ''] =
    /^(\d+)\/([^/]+)\/(\d+)\/([^/]+)$/.exec(delivery_id) ?? []
  if (mchid === '') return { en: `Event \`${delivery_id}\`.`, 'zh-CN': `事件 \`${delivery_id}\`。` }[shown.language]
  const key = { mchid, out_trade_no }
  const order = runLink(out_trade_no, workflowId.order(key), shown)
  const call = `GET /v1/deliveries?out_trade_no=${encodeURIComponent(out_trade_no)}`
  const said = {
    en: [
      `Event ${sequence} of order ${order}, to endpoint \`${endpoint}\` (${runsLink(key, shown)}).`,
      `What each attempt was answered: \`${call}\`.`,
    ],
    'zh-CN': [
      `订单 ${order} 的第 ${sequence} 个事件，投递至 \`${endpoint}\`（${runsLink(key, shown)}）。`,
      `各次尝试的答复：\`${call}\`。`,
    ],
  }
  return panelText(said[shown.language], '  \n')
}

/** What Temporal UI shows of a day at this moment: a report. */
export function showDay(day: ReconciliationRecord): void {
  setCurrentDetails(dayDetails(day, viewer()))
}

/** The panel shows some eight lines: what a person looks for stands first. */
export function dayDetails(day: ReconciliationRecord, shown: Pick<Viewer, 'language'>): string {
  const { state, bill_date, mchid, is_proven, rows, records, wechat, weft, healed_count, differences, flaws } = day
  const say = (text: Bilingual) => text[shown.language]
  const proven = is_proven ? { en: ' · proven', 'zh-CN': ' · 已核实' } : { en: ' · not proven', 'zh-CN': ' · 未核实' }
  const merchant = say({ en: 'merchant', 'zh-CN': '商户' })
  const proof = day.end_time === null ? '' : say(proven)
  const lines = [`**${state}**${proof} · ${bill_date} · ${merchant} \`${mchid}\``, '', say(day_sentences[state]), '']
  const kinds = Object.entries(differences).map(([kind, count]) => `${count} ${kind}`)
  if (kinds.length > 0)
    lines.push(say({ en: `- **differences: ${kinds.join(', ')}**`, 'zh-CN': `- **差异：${kinds.join('、')}**` }))
  for (const flaw of flawTexts(flaws, shown.language))
    lines.push(say({ en: `- not proven: ${flaw}`, 'zh-CN': `- 未核实：${flaw}` }))
  for (const { type, version, added, removed, changed } of day.changes ?? [])
    lines.push(
      say({
        en: `- version ${version} of the ${type} bill: ${added} lines added, ${removed} removed, ${changed} changed`,
        'zh-CN': `- ${type} 账单的第 ${version} 版：新增 ${added} 行，删除 ${removed} 行，变更 ${changed} 行`,
      }),
    )
  if (healed_count > 0) lines.push(say({ en: `- healed: ${healed_count}`, 'zh-CN': `- 自行恢复：${healed_count}` }))
  if (rows !== null && wechat !== null)
    lines.push(
      say({
        en: `- WeChat: ${sumsText(wechat).en}; ${classesText('lines', rows)}`,
        'zh-CN': `- 微信支付：${sumsText(wechat)['zh-CN']}；${classesText('行', rows, '：')}`,
      }),
    )
  if (records !== null && weft !== null)
    lines.push(
      say({
        en: `- here: ${sumsText(weft).en}; ${classesText('records', records)}`,
        'zh-CN': `- 本地：${sumsText(weft)['zh-CN']}；${classesText('条记录', records, '：')}`,
      }),
    )
  return panelText([...lines, ''], '\n')
}

function sumsText({ payment_count, payment_amount, refund_count, refund_amount }: DaySums): Bilingual {
  const paid = readableAmount({ total: payment_amount, currency: 'CNY' })
  const back = readableAmount({ total: refund_amount, currency: 'CNY' })
  return {
    en: `${payment_count} payments ${paid}, ${refund_count} refunds ${back}`,
    'zh-CN': `收款 ${payment_count} 笔 ${paid}，退款 ${refund_count} 笔 ${back}`,
  }
}

function classesText(what: string, { all, ...classes }: ClassCounts, colon = ': '): string {
  const named = Object.entries(classes).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]))
  return [`${all} ${what}`, named.join(', ')].filter((text) => text !== '').join(colon)
}

/** Sets a refund's search attributes on major changes only, as `OrderAttributes` does; its start says `processing`. */
export function upsertRefundAttributes(before: RefundProgress | null, refund: RefundProgress): void {
  const previous = before ?? { state: 'processing', attention: null }
  const is_usual = refund.state === 'created' || refund.state === 'succeeded'
  if (refund.attention === previous.attention && (refund.state === previous.state || is_usual)) return
  upsertSearchAttributes([
    { key: search_attributes.state, value: refund.state },
    { key: search_attributes.attention, value: refund.attention },
  ])
}

/**
 * OrderAttributes sets an order's search attributes on major changes only, since each upsert is an event in history: a
 * start says `awaiting_payment`, and that the run has completed tells `fulfilled` after `paid`.
 */
export class OrderAttributes {
  private state: OrderState = 'awaiting_payment'
  private attention: string | null = null

  /** Sets what has changed, before the run waits for something outside; nothing where it is not worth a search. */
  upsert(order: OrderProgress): void {
    const is_usual = usual_changes.some(([from, to]) => from === this.state && to === order.state)
    if (order.attention === this.attention && (order.state === this.state || is_usual)) return
    this.state = order.state
    this.attention = order.attention
    upsertSearchAttributes([
      { key: search_attributes.state, value: order.state },
      { key: search_attributes.attention, value: order.attention },
    ])
  }
}

/** A reader sees these changes anyway: that the run has just begun, and that it has ended. */
const usual_changes: readonly [OrderState, OrderState][] = [
  ['awaiting_payment', 'created'],
  ['paid', 'fulfilled'],
]
