import { createContext, runInContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { bridgeScript } from '../../simulator/bridge.ts'

/** What a page of this WeChat is told when it calls up the pay sheet, and how many windows that opened. */
async function toldIn(userAgent: string): Promise<{ result: unknown; windows: number; environment: unknown }> {
  const opened: string[] = []
  const window: Record<string, unknown> = {
    navigator: { userAgent },
    location: { href: 'https://pay.shop.example/pay/abc' },
    document: { readyState: 'complete', dispatchEvent: () => true },
    Event: class {},
    URLSearchParams,
    setTimeout,
    setInterval,
    clearInterval,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    open: (address: string) => {
      opened.push(address)
      return { closed: true }
    },
  }
  window['window'] = window['top'] = window
  runInContext(bridgeScript('http://127.0.0.1:7701'), createContext(window))
  expect(window['WeixinJSBridge']).toBeUndefined()
  const bridge = await new Promise<{ invoke(name: string, given: object, tell: (result: unknown) => void): void }>(
    (resolve) => {
      const document = window['document'] as { dispatchEvent: () => boolean }
      document.dispatchEvent = () => {
        resolve(window['WeixinJSBridge'] as never)
        return true
      }
    },
  )
  const result = await new Promise((resolve) => bridge.invoke('getBrandWCPayRequest', {}, resolve))
  return { result, windows: opened.length, environment: window['__wxjs_environment'] }
}

const refused = { result: { err_msg: '调用支付JSAPI缺少参数：total_fee' }, windows: 0 }

describe('the bridge of WeChat', () => {
  it('opens the sheet on a phone, and takes a closed window for a payer who left', async () => {
    const told = await toldIn('iPhone MicroMessenger/8.0.54')
    expect(told).toEqual({ result: { err_msg: 'get_brand_wcpay_request:cancel' }, windows: 1, environment: undefined })
  })

  it.each(['Windows NT 10.0 MicroMessenger/7.0 WindowsWechat', 'Macintosh MicroMessenger/6.8 MacWechat'])(
    'pays nothing on a desktop: %s',
    async (agent) => {
      expect(await toldIn(agent)).toEqual({ ...refused, environment: undefined })
    },
  )

  it('pays nothing in the web-view of a mini program, and says that it is one', async () => {
    const told = await toldIn('iPhone MicroMessenger/8.0.54 miniProgram/wx0000')
    expect(told).toEqual({ ...refused, environment: 'miniprogram' })
  })
})
