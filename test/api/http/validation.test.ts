import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Language } from '../../../api/http/language.ts'
import { Problem, problemBody } from '../../../api/http/problem.ts'
import { damage_samples } from '../v1/billsample.ts'
import { validate } from '../../../api/http/validation.ts'
import { checkout_request } from '../../../api/v1/checkouts/shape.ts'
import { order_request } from '../../../api/v1/orders/shape.ts'
import { refund_request } from '../../../api/v1/refunds/shape.ts'
import { order_state_filter } from '../../../api/v1/shapes.ts'
import { order_states } from '../../../domain/order/record.ts'

const order = { out_trade_no: 'T20261123-0001', description: '一杯茶', amount: { total: 990 } }
const refund = { out_refund_no: 'R20261123-0001', out_trade_no: order.out_trade_no, amount: { refund: 990 } }
const bodies = {
  order: (given: object) => [order_request, { ...order, ...given }] as const,
  checkout: (given: object) => [checkout_request, { ...order, ...given }] as const,
  refund: (given: object) => [refund_request, { ...refund, ...given }] as const,
}

/** `field: what is wrong with it`, of each. */
function faults([schema, body]: ReturnType<(typeof bodies)[keyof typeof bodies]>, language: Language): string[] {
  try {
    validate(schema as never, body, 'body', language)
    return []
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return (error.parts.errors ?? []).map(({ field, detail }) => `${field}: ${detail}`)
  }
}

const fen_text = '须为整数分，例如 990 表示 9.90 元'
const time_text = '须为带秒和时区的 RFC 3339 时间，例如 2026-11-23T12:00:00+08:00'

describe('what is wrong with a request', () => {
  it.each([
    ['an amount in yuan', bodies.order({ amount: { total: 9.9 } }), `/amount/total: ${fen_text}`],
    ['an amount as text', bodies.order({ amount: { total: '990' } }), `/amount/total: ${fen_text}`],
    ['a refund in yuan', bodies.refund({ amount: { refund: '9.90' } }), `/amount/refund: ${fen_text}`],
    ['an amount by itself', bodies.order({ amount: 990 }), '/amount: 须为对象，例如 {"total": 990} 表示 9.90 元'],
    ['a refund by itself', bodies.refund({ amount: 990 }), '/amount: 须为对象，例如 {"refund": 990} 表示 9.90 元'],
    ['nothing', bodies.order({ amount: { total: 0 } }), '/amount/total: 须为 1 至 10,000,000,000 分'],
    ['too much', bodies.order({ amount: { total: 10_000_000_001 } }), '/amount/total: 须为 1 至 10,000,000,000 分'],
    ['another currency', bodies.order({ amount: { total: 990, currency: 'RMB' } }), '/amount/currency: 须为 CNY'],
    ['a time as people write it', bodies.order({ time_expire: '2026-11-30 12:00:00' }), `/time_expire: ${time_text}`],
    ['a time as APIv2 has it', bodies.order({ time_expire: '20261130120000' }), `/time_expire: ${time_text}`],
    ['a time as a number', bodies.order({ time_expire: 1_796_011_200 }), `/time_expire: ${time_text}`],
    ['seconds as text', bodies.order({ expire_in: '900' }), '/expire_in: 须为数字，实际为字符串'],
    ['a number as a number', bodies.order({ out_trade_no: 20261123 }), '/out_trade_no: 须为字符串，实际为数字'],
    ['no text', bodies.order({ description: '' }), '/description: 不能为空'],
    ['a long text', bodies.order({ description: '茶'.repeat(128) }), '/description: 不能超过 127 个字符'],
    ['APIv2’s word', bodies.order({ trade_type: 'H5' }), '/trade_type: 须为以下之一：NATIVE、JSAPI、MWEB、APP'],
    ['no way to pay', bodies.checkout({ methods: [] }), '/methods: 至少 1 项'],
    ['a number in metadata', bodies.order({ metadata: { uid: 1 } }), '/metadata/uid: 须为字符串，实际为数字'],
  ])('is said in Chinese of %s', (_, request, fault) => {
    expect(faults(request, 'zh-CN')).toEqual([fault])
  })

  it('is said of an empty body, and of one that was made text twice', () => {
    expect(faults([order_request, undefined as never], 'zh-CN')).toEqual([': 请求体为空，须为 JSON 对象'])
    expect(faults([order_request, undefined as never], 'en')).toEqual([': the body is empty; it must be a JSON object'])
    expect(faults([order_request, JSON.stringify(order) as never], 'zh-CN')).toEqual([': 须为对象，实际为字符串'])
  })

  it('is said in English of the same', () => {
    expect(faults(bodies.order({ amount: 990 }), 'en')).toEqual(['/amount: must be an object: {"total": 990} is ¥9.90'])
    expect(faults(bodies.order({ time_expire: 1 }), 'en')[0]).toContain('2026-11-23T12:00:00+08:00')
  })

  it('names in both languages what a filter may be', () => {
    const filter = z.object({ state: order_state_filter })
    expect(faults([filter as never, { state: 'payed' } as never], 'en')).toEqual([
      `/state: must be one or several of these, with commas between them: ${order_states.join(', ')}`,
    ])
    expect(faults([filter as never, { state: 'paid,' } as never], 'zh-CN')[0]).toContain('awaiting_payment')
  })

  it('has no word of a type in English, nor any of the library’s', () => {
    const kinds: unknown[] = [1, '', 'a'.repeat(3_000), true, null, [], {}]
    const fields = Object.keys(order_request.shape)
    const said = fields.flatMap((field) => kinds.flatMap((value) => faults(bodies.order({ [field]: value }), 'en')))
    expect(said.length).toBeGreaterThan(40)
    expect(
      said.filter((text) => /Invalid|expected|received|Too (small|big)|>=|<=|string|undefined/.test(text)),
    ).toEqual([])
  })

  it('leaves no word of a type in English in Chinese', () => {
    const kinds: unknown[] = [1, 'a', true, null, [], {}]
    const fields = Object.keys(order_request.shape)
    const said = fields.flatMap((field) => kinds.flatMap((value) => faults(bodies.order({ [field]: value }), 'zh-CN')))
    expect(said.length).toBeGreaterThan(40)
    expect(said.filter((text) => /string|number|object|array|boolean|int\b|record|undefined/.test(text))).toEqual([])
  })
})

describe('what a problem says', () => {
  const reader = { base_url: 'https://pay.example.cn', request_id: 'req_1' }
  const said = (problem: Problem) => problemBody(problem, { ...reader, language: 'zh-CN' })

  it('is Chinese throughout, and its members stay what programs know', () => {
    const forbidden = said(new Problem('endpoint_url_forbidden', { values: { reason: 'it is not https' } }))
    expect(forbidden).toMatchObject({ detail: '该地址被拒绝：不是 https。', reason: 'it is not https' })
    expect(said(new Problem('unavailable', { values: { part: 'database' } })).detail).toContain('数据库')
    for (const flaw of Object.values(damage_samples)) {
      const values = { bill_date: '2026-11-22', type: 'trade', version: 1, flaw }
      const damaged = said(new Problem('original_damaged', { values }))
      expect(damaged['flaw']).toBe(flaw)
      expect(damaged.detail).not.toMatch(/\b(its|it|is|was|of|since|when)\b/)
    }
    const values = { allowed: ['GET', 'POST'] }
    expect(said(new Problem('method_not_allowed', { values })).detail).toBe('该地址仅支持 GET、POST。')
  })
})
