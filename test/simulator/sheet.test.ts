import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import type { SheetRequest } from '../../simulator/sheet.ts'
import { Client, control, makeMerchant, numbering } from './client.ts'

const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant('1900000063'))
const { mchid } = client.merchant
const freshNumber = numbering('SHEET')
const account = 'wxaccount00000004'
const program = 'wxprogram00000004'
const mobile = 'wxmobile000000004'
const apps = [
  { appid: account, kind: 'official_account' },
  { appid: program, kind: 'mini_program' },
  { appid: mobile, kind: 'mobile_app' },
]
const page_url = 'https://pay.shop.example/pay/abc?x=1#y'

beforeAll(() =>
  client.register({ products: ['JSAPI', 'APP', 'NATIVE'], apps, pay_directories: ['https://pay.shop.example/pay/'] }),
)
afterAll(() => simulator.close())

const signed = () => ({ timestamp: Math.floor(clock.ms / 1000) })
const openid = (appid: string, payer = 'anna') => simulator.control.openid({ appid, payer }).openid
const timeStamp = '1554208460'
const nonceStr = '593BEC0C930BF1AFEB40B4A08C8FB242'

async function prepaid(path: 'jsapi' | 'app', more: Record<string, unknown>, no = freshNumber()) {
  const { json } = await client.placeBy(path, no, more, signed())
  return { no, prepay_id: String(json['prepay_id']) }
}
const prepaidPage = () => prepaid('jsapi', { appid: account, payer: { openid: openid(account) } })

/** What each client is given for an order, signed rightly. */
const given = {
  jsapi: (prepay_id: string) => ({
    appId: account,
    timeStamp,
    nonceStr,
    package: `prepay_id=${prepay_id}`,
    signType: 'RSA',
    paySign: client.paySign(account, timeStamp, nonceStr, `prepay_id=${prepay_id}`),
  }),
  mini_program: (prepay_id: string) => ({
    timeStamp,
    nonceStr,
    package: `prepay_id=${prepay_id}`,
    signType: 'RSA',
    paySign: client.paySign(program, timeStamp, nonceStr, `prepay_id=${prepay_id}`),
  }),
  app: (prepay_id: string) => ({
    appId: mobile,
    partnerId: mchid,
    prepayId: prepay_id,
    packageValue: 'Sign=WXPay',
    nonceStr,
    timeStamp,
    sign: client.paySign(mobile, timeStamp, nonceStr, prepay_id),
  }),
}
const orders = {
  jsapi: prepaidPage,
  mini_program: () => prepaid('jsapi', { appid: program, payer: { openid: openid(program) } }),
  app: () => prepaid('app', { appid: mobile }),
}
type SheetClient = keyof typeof given

const answer = (request: Omit<SheetRequest, 'payer'>) => simulator.control.answerSheet({ payer: 'anna', ...request })
const stateOf = (no: string) => simulator.control.view(mchid, no).orders[0]?.trade_state

describe('a pay sheet', () => {
  it.each([
    ['jsapi', {}, { err_msg: 'get_brand_wcpay_request:ok' }, { err_msg: 'get_brand_wcpay_request:cancel' }],
    ['mini_program', { appid: program }, { errMsg: 'requestPayment:ok' }, { errMsg: 'requestPayment:fail cancel' }],
    ['app', {}, { errCode: 0, errStr: '' }, { errCode: -2, errStr: '' }],
  ] as const)('of %s is paid, or cancelled, and says so in the words of its client', async (kind, more, ok, cancel) => {
    const { no, prepay_id } = await orders[kind]()
    const request = { client: kind, parameters: given[kind](prepay_id), ...more }
    expect(answer({ ...request, story: 'cancel' })).toEqual(cancel)
    expect(stateOf(no)).toBe('NOTPAY')
    expect(answer(request)).toEqual(ok)
    expect(stateOf(no)).toBe('SUCCESS')
    const appid = { jsapi: account, mini_program: program, app: mobile }[kind]
    expect(simulator.control.view(mchid, no).payments[0]?.payer.openid).toBe(openid(appid))
  })

  it('is called up over HTTP too', async () => {
    const { prepay_id } = await prepaidPage()
    const request = { client: 'jsapi', parameters: given.jsapi(prepay_id), page_url, payer: 'anna' }
    expect(await control(simulator.url, '/sheets', request)).toEqual({ err_msg: 'get_brand_wcpay_request:ok' })
  })

  it('opens on pages below a registered directory only', async () => {
    const { prepay_id } = await prepaidPage()
    const request = { client: 'jsapi', parameters: given.jsapi(prepay_id) } as const
    for (const elsewhere of [
      'https://pay.shop.example/elsewhere?z',
      'https://pay.shop.example.evil/pay/',
      'http://pay.shop.example/pay/abc',
    ]) {
      const { err_desc } = answer({ ...request, page_url: elsewhere }) as { err_desc?: string }
      expect(err_desc).toBe(`当前页面的URL未注册：${elsewhere.replace('?z', '')}`)
    }
    expect(answer({ ...request, page_url })).toEqual({ err_msg: 'get_brand_wcpay_request:ok' })
  })
})

describe('a page’s pay sheet does not open', () => {
  const refused = (change: Record<string, unknown>, payer = 'anna') =>
    prepaidPage().then(({ prepay_id }) =>
      answer({ client: 'jsapi', parameters: { ...given.jsapi(prepay_id), ...change }, page_url, ...{ payer } }),
    )

  it('with a timeStamp that is a number', async () => {
    expect(await refused({ timeStamp: Number(timeStamp) })).toEqual({ err_msg: '调用支付JSAPI缺少参数：timeStamp' })
  })

  it('with a package that is the bare prepay_id', async () => {
    const { prepay_id } = await prepaidPage()
    const parameters = {
      ...given.jsapi(prepay_id),
      package: prepay_id,
      paySign: client.paySign(account, timeStamp, nonceStr, prepay_id),
    }
    expect(answer({ client: 'jsapi', parameters })).toEqual({ err_msg: '调用支付JSAPI缺少参数：total_fee' })
  })

  it.each(['appId', 'nonceStr', 'package', 'signType', 'paySign'])('without %s', async (name) => {
    expect(await refused({ [name]: undefined })).toEqual({ err_msg: `调用支付JSAPI缺少参数：${name}` })
  })

  it('with the appid of another app than the order’s, though rightly signed', async () => {
    const { prepay_id } = await orders.mini_program()
    const parameters = given.jsapi(prepay_id)
    expect(answer({ client: 'jsapi', parameters })).toEqual({ err_msg: '调用支付JSAPI缺少参数：total_fee' })
  })

  it('as a page with the order of a mini program', async () => {
    const { prepay_id } = await orders.mini_program()
    const parameters = { ...given.mini_program(prepay_id), appId: program }
    expect(answer({ client: 'jsapi', parameters })).toEqual({ err_msg: '调用支付JSAPI缺少参数：total_fee' })
    expect(answer({ client: 'mini_program', parameters, appid: program })).toEqual({ errMsg: 'requestPayment:ok' })
  })

  it.each([
    ['another nonce', { nonceStr: 'x' }],
    ['another time', { timeStamp: '1554208461' }],
    ['APIv2’s signType', { signType: 'MD5' }],
    ['a stranger’s signature', { paySign: 'AAAA' }],
  ])('with %s: the signature does not hold', async (_, change) => {
    expect(await refused(change)).toEqual({ err_msg: 'get_brand_wcpay_request:fail', err_desc: '支付验证签名失败' })
  })

  it('with the signature of an app, whose fourth line is the bare prepay_id', async () => {
    const { prepay_id } = await prepaidPage()
    const paySign = client.paySign(account, timeStamp, nonceStr, prepay_id)
    const result = answer({ client: 'jsapi', parameters: { ...given.jsapi(prepay_id), paySign } })
    expect(result).toMatchObject({ err_desc: '支付验证签名失败' })
  })

  it('for a prepay_id that is two hours old, or nobody’s', async () => {
    const { prepay_id } = await prepaidPage()
    clock.ms += 7_200_000
    for (const dead of [prepay_id, 'wx00000000000000'])
      expect(answer({ client: 'jsapi', parameters: given.jsapi(dead) })).toEqual({
        err_msg: '调用支付JSAPI缺少参数：total_fee',
      })
  })

  it('for another payer than it was placed for', async () => {
    const result = await refused({}, 'bob')
    expect(result).toMatchObject({ err_desc: '下单账号与支付账号不一致，请核实后再支付' })
  })

  it('for an order that is paid or closed', async () => {
    const { no, prepay_id } = await prepaidPage()
    const request = { client: 'jsapi', parameters: given.jsapi(prepay_id) } as const
    answer(request)
    expect(answer(request)).toMatchObject({ err_desc: '该订单已支付' })
    expect(stateOf(no)).toBe('SUCCESS')
    const other = await prepaidPage()
    await client.close(other.no, signed())
    const result = answer({ ...request, parameters: given.jsapi(other.prepay_id) })
    expect(result).toMatchObject({ err_desc: '该订单已关闭' })
  })
})

describe('the sheet of a mini program or an app', () => {
  const resultOf = async (kind: Exclude<SheetClient, 'jsapi'>, change: Record<string, unknown>, appid?: string) => {
    const { prepay_id } = await orders[kind]()
    const parameters = { ...given[kind](prepay_id), ...change }
    return answer({ client: kind, parameters, ...(appid !== undefined && { appid }) })
  }

  it('of a mini program wants text, and its own appid in the order', async () => {
    const number = await resultOf('mini_program', { timeStamp: 1554208460 }, program)
    expect(number).toEqual({ errMsg: 'requestPayment:fail parameter error: parameter.timeStamp should be String' })
    const other = await resultOf('mini_program', {}, account)
    expect(other).toEqual({ errMsg: 'requestPayment:fail 调用支付JSAPI缺少参数：total_fee' })
  })

  it.each([
    ['another merchant', { partnerId: '1900000099' }],
    ['another packageValue', { packageValue: 'prepay_id=wx' }],
    ['the signature of a page', { sign: 'AAAA' }],
    ['no nonce', { nonceStr: undefined }],
  ])('of an app fails with -1 for %s', async (_, change) => {
    expect(await resultOf('app', change)).toMatchObject({ errCode: -1 })
  })

  it('of an app takes the number that iOS has for a time', async () => {
    expect(await resultOf('app', { timeStamp: Number(timeStamp) })).toEqual({ errCode: 0, errStr: '' })
  })
})
