import { createPublicKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { clientCall, h5Address } from '../../wechat/clientcall.ts'
import type { CallableOrder, ClientCall } from '../../wechat/clientcall.ts'
import { verify } from '../../wechat/signature.ts'
import { at, noon } from '../store/samples.ts'
import { privateKey } from './vectors.ts'

const key = privateKey('doc-merchant')
const prepay_id = 'wx201410272009395522657a690389285100'
const order: CallableOrder = {
  mchid: '1900000001',
  appid: 'wx2421b1c4370ec43b',
  app_kind: 'official_account',
  trade_type: 'JSAPI',
  code: { prepay_id, placed_time: at(0) },
  return_url: 'https://shop.example.cn/back?cart=1',
}
const callOf = (given: Partial<CallableOrder>) => clientCall({ ...order, ...given }, key, noon + 412)

/** The call of the kind that is expected. */
function callAs<K extends ClientCall['kind']>(kind: K, given: Partial<CallableOrder>): ClientCall & { kind: K } {
  const call = callOf(given)
  if (call?.kind !== kind) throw new Error(`no ${kind}: ${call?.kind ?? 'nothing'}`)
  return call as ClientCall & { kind: K }
}
const isSigned = (lines: string[], signature: string) =>
  verify(`${lines.join('\n')}\n`, signature, createPublicKey(key))

describe('what opens the pay sheet', () => {
  it('in WeChat is signed over the order’s own appid, the time, the nonce and prepay_id=…', () => {
    const { kind: _, ...call } = callAs('jsapi', {})
    expect(Object.keys(call).sort()).toEqual(['appId', 'nonceStr', 'package', 'paySign', 'signType', 'timeStamp'])
    expect(call).toMatchObject({ appId: order.appid, signType: 'RSA', package: `prepay_id=${prepay_id}` })
    const { timeStamp, nonceStr, paySign } = call
    expect(isSigned([order.appid, timeStamp, nonceStr, `prepay_id=${prepay_id}`], paySign)).toBe(true)
  })

  it('has its time as text, in whole seconds: iOS says of a number that it is missing', () => {
    expect(callAs('jsapi', {}).timeStamp).toBe(String(noon / 1_000))
    expect(callAs('mini_program', { app_kind: 'mini_program' }).timeStamp).toBe(String(noon / 1_000))
    expect(callAs('app', { trade_type: 'APP', app_kind: 'mobile_app' }).timeStamp).toBe(String(noon / 1_000))
  })

  it('names what is paid as prepay_id=…: the bare id makes WeChat miss total_fee', () => {
    expect(callAs('jsapi', {}).package).toBe(`prepay_id=${prepay_id}`)
    expect(callAs('mini_program', { app_kind: 'mini_program' }).package).toBe(`prepay_id=${prepay_id}`)
  })

  it('in a mini program is the same without the appid, which is signed all the same', () => {
    const { kind: _, ...call } = callAs('mini_program', { app_kind: 'mini_program' })
    expect(Object.keys(call).sort()).toEqual(['nonceStr', 'package', 'paySign', 'signType', 'timeStamp'])
    expect(isSigned([order.appid, call.timeStamp, call.nonceStr, call.package], call.paySign)).toBe(true)
  })

  it('in an app has the names of its SDK, and is signed over the bare id', () => {
    const { kind: _, ...call } = callAs('app', { trade_type: 'APP', app_kind: 'mobile_app' })
    const { appId, partnerId, prepayId, packageValue, timeStamp, nonceStr, sign, ...more } = call
    expect([appId, partnerId, prepayId, packageValue, more]).toEqual([
      order.appid,
      order.mchid,
      prepay_id,
      'Sign=WXPay',
      {},
    ])
    expect(isSigned([order.appid, timeStamp, nonceStr, prepay_id], sign)).toBe(true)
  })

  it('has a nonce of its own each time', () => {
    expect(callAs('jsapi', {}).nonceStr).not.toBe(callAs('jsapi', {}).nonceStr)
  })

  it('in a phone’s browser is the address, to which only the way back is added', () => {
    const code = { h5_url: 'https://wx.tenpay.com/checkmweb?prepay_id=wx1&package=2', placed_time: at(0) }
    const back = 'https%3A%2F%2Fshop.example.cn%2Fback%3Fcart%3D1'
    expect(callOf({ trade_type: 'MWEB', app_kind: null, code })).toEqual({
      kind: 'h5',
      h5_url: `${code.h5_url}&redirect_url=${back}`,
    })
    expect(h5Address(code.h5_url, null)).toBe(code.h5_url)
  })

  it('is nothing for a code to scan, and before there is any', () => {
    expect(callOf({ trade_type: 'NATIVE', code: { url: 'weixin://wxpay/1', placed_time: at(0) } })).toBeNull()
    expect(callOf({ code: null })).toBeNull()
  })
})
