import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { payInWeChat } from '../../web/bridge.js'

const call = {
  kind: 'jsapi',
  appId: 'wx1',
  timeStamp: '1700000000',
  nonceStr: 'n',
  package: 'prepay_id=wx29',
  signType: 'RSA',
  paySign: 's',
}

type Invoke = (name: string, parameters: Record<string, string>, done: (answer: unknown) => void) => void
/** The page's `window`. */
const page: { WeixinJSBridge?: { invoke: Invoke } } = {}
const shown = new EventTarget()
const answering = (answer: unknown): { invoke: Invoke } => ({ invoke: (_name, _parameters, done) => done(answer) })

beforeEach(() => {
  delete page.WeixinJSBridge
  vi.stubGlobal('window', page)
  vi.stubGlobal('document', shown)
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('WeChat’s pay sheet', () => {
  it('is opened with what the server has signed, to the letter, and nothing else', async () => {
    let opened: unknown
    page.WeixinJSBridge = {
      invoke: (name, parameters, done) => {
        opened = { name, parameters }
        done({ err_msg: 'get_brand_wcpay_request:ok' })
      },
    }
    expect(await payInWeChat(call)).toEqual({ outcome: 'ok', said: null })
    const { kind: _, ...parameters } = call
    expect(opened).toEqual({ name: 'getBrandWCPayRequest', parameters })
    expect(typeof parameters.timeStamp).toBe('string')
  })

  it('that cannot be called up at all has failed, in the bridge’s own words', async () => {
    page.WeixinJSBridge = {
      invoke: () => {
        throw new Error('invoke is not allowed here')
      },
    }
    expect(await payInWeChat(call)).toEqual({ outcome: 'fail', said: 'invoke is not allowed here' })
    page.WeixinJSBridge = {} as never
    expect((await payInWeChat(call)).outcome).toBe('fail')
  })

  it('waits for WeChat’s bridge, which comes after the page', async () => {
    const paying = payInWeChat(call)
    page.WeixinJSBridge = answering({ err_msg: 'get_brand_wcpay_request:ok' })
    shown.dispatchEvent(new Event('WeixinJSBridgeReady'))
    expect((await paying).outcome).toBe('ok')
  })

  it('is not waited for without end where there is no bridge', async () => {
    expect(await payInWeChat(call, { limit_ms: 5 })).toEqual({ outcome: 'no_bridge', said: null })
  })

  it('is not waited for without end where WeChat says nothing', async () => {
    vi.useFakeTimers()
    page.WeixinJSBridge = { invoke: () => undefined }
    const paying = payInWeChat(call)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(await paying).toEqual({ outcome: 'silent', said: null })
  })

  it('leaves no timer behind once WeChat has answered, or could not be called up', async () => {
    vi.useFakeTimers()
    page.WeixinJSBridge = answering({ err_msg: 'get_brand_wcpay_request:cancel' })
    await payInWeChat(call)
    page.WeixinJSBridge = {} as never
    await payInWeChat(call)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    [{ err_msg: 'get_brand_wcpay_request:cancel' }, { outcome: 'cancel', said: null }],
    [
      { err_msg: 'get_brand_wcpay_request:fail', err_desc: '当前页面的URL未注册' },
      { outcome: 'fail', said: '当前页面的URL未注册' },
    ],
    [{ err_msg: 'getBrandWCPayRequest:ok' }, { outcome: 'ok', said: null }],
    [
      { err_msg: 'get_brand_wcpay_request:Cancel', err_desc: '' },
      { outcome: 'cancel', said: null },
    ],
    [
      { err_msg: '调用支付JSAPI缺少参数：total_fee', err_desc: '' },
      { outcome: 'fail', said: '调用支付JSAPI缺少参数：total_fee' },
    ],
    [{}, { outcome: 'fail', said: null }],
    [{ err_msg: 'system:access_denied' }, { outcome: 'fail', said: 'system:access_denied' }],
    [undefined, { outcome: 'fail', said: null }],
  ])('that answers %j', async (answer, outcome) => {
    page.WeixinJSBridge = answering(answer)
    expect(await payInWeChat(call)).toEqual(outcome)
  })
})
