import { describe, expect, it } from 'vitest'
import { flawOf } from '../../domain/bill/flaw.ts'
import { newReconciliation } from '../../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { orderProgress, refundProgress } from '../../activities/progress.ts'
import { attention_codes, attention_texts } from '../../domain/attention.ts'
import type { Language } from '../../domain/language.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { default_policy } from '../../domain/policy.ts'
import { newRefund } from '../../domain/refund/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { callable_codes, remedyCall } from '../../domain/remedy.ts'
import { endpoints } from '../../api/app.ts'
import {
  dayDetails,
  deliveryDetails,
  orderDetails,
  orderEnd,
  refundDetails,
  refundEnd,
} from '../../workflows/details.ts'
import type { Viewer } from '../../workflows/shown.ts'
import { at, mchid, orderSample, paymentSample } from '../store/samples.ts'

const begun = newReconciliation({ mchid, bill_date: '2026-11-22' }, '2026-11-23T10:30:00.000+08:00', 'look')
const counts = { all: 9, matched: 5, waiting: 1, different: 0, foreign: 2, malformed: 1 }
const sums = { payment_count: 6, payment_amount: 123_450, refund_count: 1, refund_amount: 990 }

const shop: Viewer = { namespace: 'shop', language: 'en', guide_url: null }
/** Without the two that keep the last one from being cut off. */
const linesOf = (given: Partial<ReconciliationRecord>, language: Language = 'en') =>
  dayDetails({ ...begun, ...given }, { language })
    .split('\n')
    .slice(0, -2)

describe('what Temporal UI shows of a day', () => {
  it('is that it waits, before there is a bill', () => {
    const lines = linesOf({})
    expect(lines[0]).toBe(`**waiting_for_bill** · 2026-11-22 · merchant \`${mchid}\``)
    expect(lines[2]).toBe('Waiting for WeChat’s bills, which it makes after 9:00 of the next day.')
    expect(lines.slice(4)).toEqual([])
  })

  it('is a report once it was compared: both sides by class and in yuan, what differs, and why it is not proven', () => {
    const end_time = '2026-11-23T10:31:00.000+08:00'
    const lines = linesOf({
      ...{
        state: 'different',
        end_time,
        rows: counts,
        records: { ...counts, all: 0, matched: 0, waiting: 0, foreign: 0, malformed: 0 },
      },
      ...{ wechat: sums, weft: { ...sums, payment_count: 5 }, healed_count: 2 },
      ...{ differences: { missing_there: 1, malformed: 1 }, flaws: ['the fund flow breaks', flawOf('no_footer')] },
      changes: [{ type: 'trade', version: 2, added: 1, removed: 0, changed: 3 }],
    })
    expect(lines[0]).toBe(`**different** · not proven · 2026-11-22 · merchant \`${mchid}\``)
    expect(lines.slice(4)).toEqual([
      '- **differences: 1 missing_there, 1 malformed**',
      '- not proven: the fund flow breaks',
      '- not proven: the file has no footer, so it is not whole',
      '- version 2 of the trade bill: 1 lines added, 0 removed, 3 changed',
      '- healed: 2',
      '- WeChat: 6 payments ¥1234.50, 1 refunds ¥9.90; 9 lines: 5 matched, 1 waiting, 2 foreign, 1 malformed',
      '- here: 5 payments ¥1234.50, 1 refunds ¥9.90; 0 records',
    ])
  })

  it('says proven only of a look that has ended', () => {
    const end_time = '2026-11-23T10:31:00.000+08:00'
    expect(linesOf({ state: 'balanced', is_proven: true, end_time })[0]).toContain('**balanced** · proven · 2026-11-22')
    // The record of a look that has begun anew still holds what the one before came to.
    expect(linesOf({ state: 'running', is_proven: true })[0]).toContain('**running** · 2026-11-22')
  })
})

const orderOf = (given: Partial<OrderRecord>) => orderProgress(orderSample('TEA-0001', given))
const shown = (given: Partial<OrderRecord>) => orderDetails(orderOf(given), default_policy, shop)
const own = { transaction_id: 'tx1', role: 'order', success_time: at(9), found_by: 'query', found_time: at(9) } as const
const payment = { ...own, bank_type: null }

const clock = (seconds: number) => at(seconds).slice(0, 19).replace('T', ' ')

describe('what Temporal UI shows of an order', () => {
  it.each([
    ['created', true],
    ['awaiting_payment', true],
    ['closing', false],
    ['closed', false],
    ['paid', false],
    ['review', false],
  ] as const)('of %s says until when it can be paid only where it can: %s', (state, is_payable) => {
    const text = shown({ state, time_expire: at(99) })
    expect(text).toContain('created 2026-11-23 12:00:00')
    expect(text.includes(`can be paid until ${clock(99)}`)).toBe(is_payable)
  })

  it.each([
    ['created', 'place', 'the same request is sent to WeChat until it answers, at most 1 min apart'],
    [
      'awaiting_payment',
      'ask_wechat',
      'WeChat is asked 30 s, 1 min, 3 min, 5 min, 10 min, 30 min after placing, then every 30 min',
    ],
    ['closing', 'close', 'WeChat is asked until it says closed or paid, at most 30 min apart'],
    ['paid', 'deliver', 'the merchant is told until it answers: at once, then after 5 s, 30 s, 2 min, 10 min'],
    ['paid', 'await_fulfilment', `the merchant’s answer is waited for until ${clock(99)} Beijing time`],
  ] as const)('of %s and %s is the plan, and no moment that nobody keeps up', (state, what, plan) => {
    const fulfilment = { mode: 'confirm', result: null, reason: null, deadline_time: at(99) } as const
    const text = shown({ state, next_action: { what, time: at(77) }, fulfilment })
    expect(text).toContain(`Next: ${plan}`)
    expect(text).not.toContain(clock(77))
  })

  it('begins with what a person must do: about which payment, how much, and by which call', () => {
    const attention = { code: 'payment_contradicted', since_time: at(9) } as const
    const given = { state: 'review', payment, attention } as const
    const [first = ''] = shown(given).split('\n')
    expect(first).toContain('Look at order `TEA-0001`, ¥9.90, payment `tx1`: Money arrived that does not match')
    expect(first).toContain('`POST /v1/orders/TEA-0001/review {"decision":"accept" or "reject","reason":"…"}`')
    expect(orderEnd(orderOf(given), shop)).toBe(`review · ${first.trimEnd()}`)
  })

  it('names the payment of a second one, and says nothing of an answer that is not due any more', () => {
    const found = orderSample('x').timeline[0]
    const timeline = [{ ...found, event: 'second_payment_found', transaction_id: 'tx2', time: at(20) }]
    const fulfilment = { mode: 'event', result: 'fulfilled', reason: null, deadline_time: at(99) } as const
    const attention = { code: 'second_payment', since_time: at(20) } as const
    const text = shown({ state: 'fulfilled', payment, attention, fulfilment, timeline: timeline as never })
    expect(text).toContain('payment `tx2`')
    expect(text).toContain('"transaction_id":"tx2"')
    expect(text).not.toContain('¥9.90, payment `tx2`')
    expect(text).not.toContain(clock(99))
  })

  it('fits into the panel, which shows some eight lines', () => {
    const attention = { code: 'delivery_failing', since_time: at(9) } as const
    const fulfilment = { mode: 'event', result: null, reason: null, deadline_time: at(99) } as const
    const text = shown({ state: 'paid', payment, attention, fulfilment, next_action: { what: 'deliver', time: at(1) } })
    expect(text.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(7)
  })

  it('leads to the runs of its refunds, and theirs to it', () => {
    const entry = { ...orderSample('x').timeline[0], event: 'refund_changed', out_refund_no: 'R_1' }
    const text = shown({ state: 'fulfilled', payment, timeline: [entry] as never })
    expect(text).toContain(`[R\\_1](/namespaces/shop/workflows/refund%2F${mchid}%2FR_1)`)
  })

  it('leads from an order to the checkout that made it, by a call: its page opens to whoever knows the address', () => {
    const text = shown({ state: 'awaiting_payment', checkout_id: `${mchid}/TEA-00` })
    expect(text).toContain('Of checkout `TEA-00`')
    expect(text).toContain('`GET /v1/checkouts/TEA-00`')
    const query = `WeftMerchant="${mchid}" AND (WeftOutTradeNo="TEA-00" OR WeftOutTradeNo STARTS_WITH "TEA-00-")`
    const words = encodeURIComponent(query).replaceAll('(', '%28').replaceAll(')', '%29')
    expect(text).toContain(`](/namespaces/shop/workflows?query=${words})`)
    expect(text).not.toContain('token-')
    expect(shown({ state: 'awaiting_payment' })).not.toContain('checkout')
  })

  it('of one that needs nobody is its state alone when it ends', () => {
    expect(orderEnd(orderOf({ state: 'fulfilled', payment }), shop)).toBe('fulfilled')
  })
})

describe('what Temporal UI shows of a refund', () => {
  const requested_by = { kind: 'merchant', id: 'key_1' } as const
  const draft = { out_refund_no: 'R-1', origin: 'api', requested_by, notify_url: '', is_full: false } as const
  const refundOf = (given: Partial<RefundRecord>) =>
    refundProgress({ ...newRefund(paymentSample('tx1'), { ...draft, create_time: at(1), amount: 100 }), ...given })

  it('is the plan, and for the payer’s account that takes nothing the call that names another', () => {
    const attention = { code: 'refund_abnormal', since_time: at(9) } as const
    const refund = refundOf({ state: 'abnormal', attention, next_action: { what: 'ask_wechat', time: at(77) } })
    const text = refundDetails(refund, default_policy, shop)
    expect(text.split('\n')[0]).toContain('`POST /v1/refunds/R-1/abnormal')
    expect(text).toContain('Next: WeChat is asked every 6 h.')
    expect(text).not.toContain(at(77))
    expect(text).toContain(`/namespaces/shop/workflows/order%2F${mchid}%2F`)
    expect(refundEnd(refundOf({ state: 'succeeded' }), shop)).toBe('succeeded')
    expect(refundEnd(refund, shop)).toMatch(/^abnormal · \*\*Look at refund `R-1`/)
  })
})

const guide_url = 'https://pay.example.cn/docs/attention'
const chinese: Viewer = { namespace: 'shop', language: 'zh-CN', guide_url }

describe('what Temporal UI shows', () => {
  const attention = { code: 'second_payment', since_time: at(20) } as const
  const order = orderOf({ state: 'fulfilled', payment, attention })
  const requested_by = { kind: 'merchant', id: 'key_1' } as const
  const draft = { out_refund_no: 'R-1', origin: 'api', requested_by, notify_url: '', is_full: false } as const
  const refund = refundProgress(newRefund(paymentSample('tx1'), { ...draft, create_time: at(1), amount: 100 }))
  const runs = encodeURIComponent(`WeftMerchant="${mchid}" AND WeftOutTradeNo="TEA-0001"`)

  it('leads from order, refund and event to the guide and to all runs of the order', () => {
    const text = orderDetails(order, default_policy, { ...shop, guide_url })
    expect(text).toContain(`([second\\_payment](${guide_url}#second_payment))`)
    expect(text).toContain(`](/namespaces/shop/workflows?query=${runs})`)
    expect(refundDetails({ ...refund, order_id: `${mchid}/TEA-0001` }, default_policy, shop)).toContain(runs)
    const event = deliveryDetails(`${mchid}/TEA-0001/2/ep_one`, shop)
    expect(event).toContain(`[TEA-0001](/namespaces/shop/workflows/order%2F${mchid}%2FTEA-0001)`)
    expect(event).toContain(runs)
    expect(deliveryDetails(`${mchid}/test.ping/x/ep_one`, shop)).toBe(`Event \`${mchid}/test.ping/x/ep_one\`.`)
  })

  it('ends in a line with nothing to read, since the UI cuts off what stands last', () => {
    const event = deliveryDetails(`${mchid}/TEA-0001/2/ep_one`, shop)
    const texts = [orderDetails(order, default_policy, shop), refundDetails(refund, default_policy, shop), event]
    for (const text of texts) expect(text.endsWith('.  \n\u00a0')).toBe(true)
    expect(dayDetails(begun, shop).endsWith('\n\n\u00a0')).toBe(true)
  })

  it('is in the language of its readers, with the names of the API as they are', () => {
    const texts = [
      orderDetails(order, default_policy, chinese),
      orderDetails(orderOf({ next_action: { what: 'ask_wechat', time: at(1) } }), default_policy, chinese),
      refundDetails(refund, default_policy, chinese),
      deliveryDetails(`${mchid}/TEA-0001/2/ep_one`, chinese),
      linesOf({ differences: { fee: 2 }, rows: counts, wechat: sums, healed_count: 2 }, 'zh-CN').join('\n'),
      orderEnd(order, chinese),
    ]
    // What is left in Latin letters are codes, numbers, paths and fields.
    const english = /\b(the|is|of|a|until|then|every|asked|paid for|merchant `)\b/i
    for (const text of texts) expect(text).toMatch(/[\u4e00-\u9fff]/)
    expect(texts.filter((text) => english.test(text.replaceAll(/`[^`]*`|\]\([^)]*\)/g, '')))).toEqual([])
    expect(texts[0]).toContain(
      '**请处理订单 `TEA-0001`，¥9.90，付款 `tx1`：已付款的订单又收到一笔付款。请拒绝（款项退回）或接受。**',
    )
    expect(texts[0]).toContain('{"decision":"accept" 或 "reject"')
    expect(texts[1]).toContain(
      '下一步：下单后 30 秒、1 分钟、3 分钟、5 分钟、10 分钟、30 分钟向微信支付查询，之后每 30 分钟一次。',
    )
  })
})

describe('the call that an attention names', () => {
  it.each(callable_codes)('%s is one that the API has', (code) => {
    expect(attention_codes).toContain(code)
    expect(attention_texts[code]).not.toBe('')
    const call = remedyCall(code, { out_trade_no: 'TEA-0001', out_refund_no: 'R-1', transaction_id: 'tx1' }, 'en')
    const [, method, path = '', , body] = /^(\w+) ([^? ]+)(\?\S+)?(?: (\{.*\}))?$/.exec(call ?? '') ?? []
    const declared = endpoints.find(
      (endpoint) =>
        endpoint.method === method && new RegExp(`^${endpoint.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
    )
    expect(declared?.body === null).toBe(body === undefined)
    const example = body?.replaceAll(/"(\w+)" or "\w+"/g, '"$1"').replace('"refund":…', '"refund":990')
    const parsed = declared?.body?.safeParse(example === undefined ? undefined : JSON.parse(example))
    expect(
      parsed === undefined ||
        parsed.success ||
        parsed.error.issues.every(({ path: at_field }) => at_field.join() === 'out_refund_no'),
    ).toBe(true)
  })
})
