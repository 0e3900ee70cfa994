import { describe, expect, it } from 'vitest'
import { browser_kinds } from '../../../api/checkout/agent.ts'
import { wayToPay } from '../../../api/checkout/way.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import type { TradeType } from '../../../domain/merchant/product.ts'

const all: TradeType[] = ['NATIVE', 'JSAPI', 'MWEB']
/** In one word: the method, or the advice. */
const way = (kind: (typeof browser_kinds)[number], methods: TradeType[], obstacles = {}) => {
  const { trade_type, advice } = wayToPay(kind, { methods, obstacles })
  return trade_type ?? advice
}

describe('how one pays where the page is opened', () => {
  it.each([
    ['desktop', all, 'NATIVE'],
    ['desktop', ['JSAPI'], 'scan_link'],
    ['desktop', ['MWEB'], 'scan_link'],
    ['wechat_desktop', all, 'NATIVE'],
    ['wechat', all, 'JSAPI'],
    ['wechat', ['NATIVE', 'MWEB'], 'open_in_browser'],
    ['wechat', ['NATIVE'], 'scan_elsewhere'],
    ['phone', all, 'MWEB'],
    ['phone', ['NATIVE', 'JSAPI'], 'open_in_wechat'],
    ['phone', ['NATIVE'], 'scan_elsewhere'],
    ['mini_program', all, 'open_in_wechat'],
    ['mini_program', ['NATIVE', 'MWEB'], 'open_in_browser'],
    ['mini_program', ['NATIVE'], 'scan_elsewhere'],
    ['app', all, 'open_in_wechat'],
    ['app', ['MWEB'], 'open_in_browser'],
  ] as const)('%s with %j: %s', (kind, methods, expected) => {
    expect(way(kind, [...methods])).toBe(expected)
  })

  it('is asked of the shop where nothing is left', () => {
    for (const kind of browser_kinds) expect(way(kind, [])).toBe('ask_shop')
  })

  it('never is APP, which no page can open', () => {
    for (const kind of browser_kinds) expect(way(kind, ['APP'])).toBe('ask_shop')
  })

  it('never is JSAPI outside WeChat on a phone, nor H5 outside a phone’s browser', () => {
    const kindsOf = (method: TradeType) => browser_kinds.filter((kind) => way(kind, [...trade_types]) === method)
    expect([kindsOf('JSAPI'), kindsOf('MWEB')]).toEqual([['wechat'], ['phone']])
  })

  it('falls back where something stands in the way, and says what', () => {
    expect(wayToPay('phone', { methods: all, obstacles: { MWEB: 'no_address' } })).toEqual({
      trade_type: null,
      advice: 'open_in_wechat',
      obstacle: 'no_address',
    })
    expect(wayToPay('wechat', { methods: all, obstacles: { JSAPI: 'refused', MWEB: 'refused' } })).toEqual({
      trade_type: null,
      advice: 'scan_elsewhere',
      obstacle: 'refused',
    })
    expect(wayToPay('phone', { methods: ['NATIVE'], obstacles: { MWEB: 'refused' } }).obstacle).toBeNull()
  })
})
