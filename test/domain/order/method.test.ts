import { describe, expect, it } from 'vitest'
import { default_settings } from '../../../domain/merchant/record.ts'
import {
  codeTerms,
  enabledProducts,
  fittingApp,
  payment_methods,
  placedCode,
  trade_types,
} from '../../../domain/order/method.ts'
import { default_policy } from '../../../domain/policy.ts'
import { at } from '../../store/samples.ts'

const shop = {
  appids: ['wx_unnamed', 'wx_mini', 'wx_account', 'wx_phone'],
  apps: [
    { appid: 'wx_account', kind: 'official_account' },
    { appid: 'wx_mini', kind: 'mini_program' },
    { appid: 'wx_phone', kind: 'mobile_app' },
  ],
} as const

describe('the appid of an order', () => {
  it.each([
    ['NATIVE', null, 'wx_unnamed'],
    ['MWEB', null, 'wx_unnamed'],
    ['JSAPI', null, 'wx_mini'],
    ['APP', null, 'wx_phone'],
    ['JSAPI', 'wx_account', 'wx_account'],
    ['NATIVE', 'wx_phone', 'wx_phone'],
    ['JSAPI', 'wx_phone', undefined],
    ['JSAPI', 'wx_unnamed', undefined],
    ['APP', 'wx_mini', undefined],
    ['NATIVE', 'wx_of_another', undefined],
  ] as const)('of %s, asked for as %s, is %s', (trade_type, wanted, appid) => {
    expect(fittingApp(shop, trade_type, wanted)?.appid).toBe(appid)
  })

  it('of a merchant that has said nothing of its apps serves what anybody’s does', () => {
    const silent = { appids: ['wx_1'] }
    expect(trade_types.filter((trade_type) => fittingApp(silent, trade_type) !== null)).toEqual(['NATIVE', 'MWEB'])
    expect(fittingApp({ appids: [] }, 'NATIVE')).toBeNull()
  })
})

describe('the ways to pay of a merchant', () => {
  it('are a code to scan until it says more, so that H5 is on for nobody who did not ask for it', () => {
    expect(enabledProducts({ settings: default_settings })).toEqual(['NATIVE'])
    expect(enabledProducts({ settings: { ...default_settings, products: ['JSAPI'] } })).toEqual(['JSAPI'])
  })
})

describe('what each way to pay needs', () => {
  it('is what docs/wechat-pay.md §2.1 says of it', () => {
    const told = trade_types.map((trade_type) => {
      const { path_word, hands_out, life, app_kinds, needs_openid, needs_scene_info } = payment_methods[trade_type]
      const needs = [needs_openid ? 'openid' : '', needs_scene_info ? 'scene_info' : ''].join('')
      return [trade_type, path_word, hands_out, life, needs, app_kinds?.join(' or ') ?? 'any app']
    })
    expect(told).toEqual([
      ['NATIVE', 'native', 'code_url', 'code', '', 'any app'],
      ['JSAPI', 'jsapi', 'prepay_id', 'code', 'openid', 'official_account or mini_program'],
      ['MWEB', 'h5', 'h5_url', 'h5', 'scene_info', 'any app'],
      ['APP', 'app', 'prepay_id', 'code', '', 'mobile_app'],
    ])
  })
})

describe('what a placement hands out', () => {
  it('lives two hours, and H5’s address five minutes; it is replaced before it dies', () => {
    const lives = trade_types.map((trade_type) => codeTerms(default_policy, trade_type).life_ms / 60_000)
    expect(lives).toEqual([120, 120, 5, 120])
    for (const trade_type of trade_types) {
      const { life_ms, renewal_ms } = codeTerms(default_policy, trade_type)
      expect(renewal_ms).toBeLessThan(life_ms)
    }
  })

  it('is kept by the name that tells what it is', () => {
    const placed_time = at(0)
    expect(placedCode({ code_url: 'weixin://1' }, placed_time)).toEqual({ url: 'weixin://1', placed_time })
    expect(placedCode({ prepay_id: 'wx1' }, placed_time)).toEqual({ prepay_id: 'wx1', placed_time })
    expect(placedCode({ h5_url: 'https://1' }, placed_time)).toEqual({ h5_url: 'https://1', placed_time })
  })
})
