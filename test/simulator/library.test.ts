import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Formatter, Rsa, Wechatpay } from 'wechatpay-axios-plugin'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, numbering } from './client.ts'

const simulator = await startSimulator({ port: 0, probe_rate: 0 })
const client = new Client(simulator.url, makeMerchant('1900000066'))
const { mchid, serial_no: serial, private_key: privateKey } = client.merchant
const account = 'wxaccount00000006'
const mobile = 'wxmobile000000006'
const openid = simulator.control.openid({ appid: account }).openid
const freshNumber = numbering('LIBRARY')
const stage = { wxpay: null as Wechatpay | null }

beforeAll(async () => {
  const made = await client.register({
    products: ['NATIVE', 'JSAPI', 'APP', 'MWEB'],
    apps: [
      { appid: account, kind: 'official_account' },
      { appid: mobile, kind: 'mobile_app' },
    ],
  })
  const certs = { [made.wechatpay_public_key_id]: made.wechatpay_public_key }
  stage.wxpay = new Wechatpay({ mchid, serial, privateKey, certs, baseURL: simulator.url })
})
afterAll(() => simulator.close())

/** Places an order as a merchant does who uses wechatpay-axios-plugin; it throws unless WeChat's signature holds. */
async function place(path: 'native' | 'jsapi' | 'app' | 'h5', appid: string, more: object = {}) {
  const body = {
    ...{ mchid, appid, ...more },
    out_trade_no: freshNumber(),
    description: '一杯茶',
    notify_url: 'https://shop.example/notify',
    amount: { total: 100 },
  }
  const answer = await stage.wxpay?.client.v3.post(`v3/pay/transactions/${path}`, body)
  return (answer as { data: Record<string, string> }).data
}

const timeStamp = '1554208460'
const nonceStr = '593BEC0C930BF1AFEB40B4A08C8FB242'
const signature = (...lines: string[]) => Rsa.sign(Formatter.joinedByLineFeed(...lines), privateKey)

describe('a client library that knows nothing of the simulator', () => {
  it('places a JSAPI order, and what it signs opens the sheet', async () => {
    const { prepay_id } = await place('jsapi', account, { payer: { openid } })
    const name = `prepay_id=${prepay_id}`
    const paySign = signature(account, timeStamp, nonceStr, name)
    const parameters = { appId: account, timeStamp, nonceStr, package: name, signType: 'RSA', paySign }
    expect(simulator.control.answerSheet({ client: 'jsapi', parameters })).toEqual({
      err_msg: 'get_brand_wcpay_request:ok',
    })
  })

  it('places an order of an app, and what it signs opens the sheet', async () => {
    const { prepay_id = '' } = await place('app', mobile)
    const sign = signature(mobile, timeStamp, nonceStr, prepay_id)
    const named = { appId: mobile, partnerId: mchid, prepayId: prepay_id, packageValue: 'Sign=WXPay' }
    const parameters = { ...named, nonceStr, timeStamp, sign }
    expect(simulator.control.answerSheet({ client: 'app', parameters })).toEqual({ errCode: 0, errStr: '' })
  })

  it('places H5 and Native orders', async () => {
    const scene_info = { payer_client_ip: '14.23.150.211', h5_info: { type: 'Android' } }
    expect((await place('h5', account, { scene_info }))['h5_url']).toContain(simulator.url)
    expect((await place('native', account))['code_url']).toContain('weixin://')
  })

  it('is refused as WeChat refuses', async () => {
    const refused = place('jsapi', account, { payer: { openid: 'oNobody' } }).catch((error: unknown) => error)
    expect(await refused).toMatchObject({ response: { status: 400, data: { message: '无效的openid' } } })
  })
})
