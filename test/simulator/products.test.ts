import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { until } from '../stage/until.ts'
import { Client, control, makeMerchant, numbering, startReceiver } from './client.ts'
import type { Answer, Envelope } from './client.ts'

const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant('1900000060'))
const { mchid, appid } = client.merchant
const freshNumber = numbering('WAY')
const account = 'wxaccount00000001'
const program = 'wxprogram00000001'
const mobile = 'wxmobile000000001'
const products = ['NATIVE', 'JSAPI', 'APP', 'MWEB']
const apps = [
  { appid: account, kind: 'official_account' },
  { appid: program, kind: 'mini_program' },
  { appid: mobile, kind: 'mobile_app' },
]

beforeAll(() => client.register({ products, apps }))
afterAll(() => simulator.close())

const openid = (at = account, payer = 'anna'): string => simulator.control.openid({ appid: at, payer }).openid
const payer = (at = account) => ({ appid: at, payer: { openid: openid(at) } })
const scene_info = { payer_client_ip: '14.23.150.211', h5_info: { type: 'iOS' } }
/** What each product needs beside what all need. */
const needs = {
  native: {},
  jsapi: payer(),
  app: { appid: mobile },
  h5: { scene_info },
} as const
type Path = keyof typeof needs

const signed = () => ({ timestamp: Math.floor(clock.ms / 1000) })
const place = (path: Path, no = freshNumber(), more: Record<string, unknown> = {}): Promise<Answer> =>
  client.placeBy(path, no, { ...needs[path], ...more }, signed())
const refusalOf = ({ status, json }: Answer) => ({ status, code: json['code'], message: json['message'] })

describe('an order of each product', () => {
  it('gives what its client needs, and nothing else', async () => {
    const answers = {
      jsapi: (await place('jsapi')).json,
      mini_program: (await place('jsapi', freshNumber(), payer(program))).json,
      app: (await place('app')).json,
      h5: (await place('h5')).json,
    }
    const prepay_id = expect.stringMatching(/^wx\d{14}\w{20}$/) as string
    expect(answers).toEqual({
      jsapi: { prepay_id },
      mini_program: { prepay_id },
      app: { prepay_id },
      h5: {
        h5_url: expect.stringMatching(
          /^http:\/\/127\.0\.0\.1:\d+\/cgi-bin\/mmpayweb-bin\/checkmweb\?prepay_id=wx\w+&package=\d+$/,
        ) as string,
      },
    })
  })

  it.each([
    ['jsapi', 'JSAPI'],
    ['app', 'APP'],
    ['h5', 'MWEB'],
    ['native', 'NATIVE'],
  ] as const)('placed by %s is %s in query, notification and bill', async (path, trade_type) => {
    const shop = await startReceiver()
    const own = new Client(simulator.url, makeMerchant(`19000000${70 + Object.keys(needs).indexOf(path)}`))
    await own.register({ products, apps })
    const no = freshNumber()
    await own.placeBy(path, no, { ...needs[path], notify_url: shop.url }, signed())
    const { transaction_id } = simulator.control.pay({ mchid: own.merchant.mchid, out_trade_no: no })
    const envelope = await until('the notification', () => shop.received[0])
    await shop.close()
    const { resource } = JSON.parse(envelope.text) as Envelope
    const told = JSON.parse(own.open(resource)) as Record<string, unknown>
    const asked = (await own.query(no, signed())).json
    expect(told).toMatchObject({ transaction_id, trade_type })
    expect(asked).toMatchObject({ transaction_id, trade_type })
    if (path === 'jsapi') expect(told['payer']).toEqual({ openid: openid() })
    const bill_date = new Date(clock.ms + 8 * 3_600_000).toISOString().slice(0, 10)
    simulator.control.issueBills({ mchid: own.merchant.mchid, bill_date })
    const bill = await own.call('GET', `/v3/bill/tradebill?bill_date=${bill_date}`, undefined, signed())
    const link = String(bill.json['download_url']).slice(simulator.url.length)
    const { text } = await own.call('GET', link, undefined, signed())
    const [titles = '', row = ''] = text.split('\r\n')
    const type = titles.split(',').indexOf('交易类型')
    expect(row.slice(1).split(',`')[type]).toBe(trade_type)
  })

  it('is closed and refunded like any other', async () => {
    const no = freshNumber()
    await place('app', no)
    expect((await client.close(no, signed())).status).toBe(204)
    expect(refusalOf(await place('app', no))).toMatchObject({ code: 'ORDER_CLOSED' })
    const paid = freshNumber()
    await place('h5', paid)
    const { transaction_id } = simulator.control.pay({ mchid, out_trade_no: paid })
    expect((await client.refund('R_WAY_1', { transaction_id }, signed())).status).toBe(200)
  })
})

describe('placing is refused', () => {
  it('NO_AUTH of a product that the merchant does not have; without a choice it has Native alone', async () => {
    const plain = new Client(simulator.url, makeMerchant('1900000061'))
    await plain.register({ apps })
    const answers = await Promise.all(
      (['native', 'jsapi', 'app', 'h5'] as const).map((path) =>
        plain.placeBy(path, freshNumber(), needs[path], signed()),
      ),
    )
    const refused = {
      status: 403,
      code: 'NO_AUTH',
      message: '商户号该产品权限未开通，请前往商户平台>产品中心检查后重试',
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 403, 403])
    for (const answer of answers.slice(1)) expect(refusalOf(answer)).toEqual(refused)
    await plain.register({ products: ['MWEB'] })
    expect((await plain.placeBy('h5', freshNumber(), needs.h5, signed())).status).toBe(200)
    expect((await plain.placeBy('native', freshNumber(), {}, signed())).status).toBe(403)
  })

  it.each([
    ['JSAPI without a payer', 'jsapi', { payer: undefined }, '/payer'],
    ['JSAPI without an openid', 'jsapi', { payer: {} }, '/payer/openid'],
    ['H5 without a scene', 'h5', { scene_info: undefined }, '/scene_info'],
    ['H5 without h5_info', 'h5', { scene_info: { payer_client_ip: '14.23.150.211' } }, '/scene_info/h5_info'],
    [
      'H5 without the payer’s address',
      'h5',
      { scene_info: { h5_info: { type: 'Wap' } } },
      '/scene_info/payer_client_ip',
    ],
    [
      'H5 of an unknown kind',
      'h5',
      { scene_info: { ...scene_info, h5_info: { type: 'ios' } } },
      '/scene_info/h5_info/type',
    ],
    ['a payer of Native', 'native', payer(), '/payer'],
    ['a payer of an app', 'app', { payer: { openid: openid(mobile) } }, '/payer'],
    ['h5_info of JSAPI', 'jsapi', { scene_info }, '/scene_info/h5_info'],
  ] as const)('as PARAM_ERROR that names the field: %s', async (_, path, more, field) => {
    const answer = await place(path, freshNumber(), more)
    expect([answer.status, answer.json['code']]).toEqual([400, 'PARAM_ERROR'])
    expect(answer.json['detail']).toMatchObject({ field, location: 'body' })
  })

  it('of an openid that is another appid’s, and of one that is none', async () => {
    const another = await place('jsapi', freshNumber(), { payer: { openid: openid(program) } })
    expect(refusalOf(another)).toEqual({ status: 400, code: 'PARAM_ERROR', message: 'appid和openid不匹配' })
    for (const none of ['oNobody', openid().slice(0, 27), `x${openid().slice(1)}`]) {
      const answer = await place('jsapi', freshNumber(), { payer: { openid: none } })
      expect(refusalOf(answer)).toEqual({ status: 400, code: 'PARAM_ERROR', message: '无效的openid' })
    }
  })

  it.each([
    ['JSAPI by a mobile app', 'jsapi', payer(mobile)],
    ['JSAPI by an appid of no kind', 'jsapi', payer(appid)],
    ['APP by an official account', 'app', { appid: account }],
    ['APP by an appid that is not bound', 'app', { appid: 'wx0000000000000000' }],
  ] as const)('as APPID_MCHID_NOT_MATCH: %s', async (_, path, more) => {
    expect(refusalOf(await place(path, freshNumber(), more))).toMatchObject({ code: 'APPID_MCHID_NOT_MATCH' })
  })

  it('as other parameters: the same number with another product, payer or address', async () => {
    const mismatch = { status: 400, code: 'INVALID_REQUEST', message: '请求重入时，参数与首次请求时不一致' }
    const native = freshNumber()
    await place('native', native, { appid: mobile })
    expect(refusalOf(await place('app', native))).toEqual(mismatch)
    const jsapi = freshNumber()
    await place('jsapi', jsapi)
    expect(refusalOf(await place('jsapi', jsapi, { payer: { openid: openid(account, 'bob') } }))).toEqual(mismatch)
    const h5 = freshNumber()
    await place('h5', h5)
    const moved = { scene_info: { ...scene_info, payer_client_ip: '14.23.150.212' } }
    expect(refusalOf(await place('h5', h5, moved))).toEqual(mismatch)
    expect((await place('h5', h5)).status).toBe(200)
  })
})

describe('what placing gives', () => {
  it('lives two hours, of H5 five minutes, and another placing gives a new one', async () => {
    for (const [path, life_ms] of [
      ['jsapi', 7_200_000],
      ['app', 7_200_000],
      ['h5', 300_000],
    ] as const) {
      const no = freshNumber()
      const first = Object.values((await place(path, no)).json)[0]
      clock.ms += life_ms - 1
      const second = Object.values((await place(path, no)).json)[0]
      expect(second).not.toBe(first)
      clock.ms += 1
      expect(() => simulator.control.pay({ code_url: String(first) })).toThrow(/older than/)
      expect(simulator.control.pay({ code_url: String(second) }).outcome).toBe('paid')
    }
  })

  it('stays good when a newer one is there, other than a Native code', async () => {
    const no = freshNumber()
    const { prepay_id } = (await place('jsapi', no)).json
    await place('jsapi', no)
    expect(simulator.control.pay({ code_url: String(prepay_id) }).outcome).toBe('paid')
  })

  it('is paid by the payer of a JSAPI order, and by no other', async () => {
    const no = freshNumber()
    await place('jsapi', no)
    const other = { mchid, out_trade_no: no, payer_openid: openid(account, 'bob') }
    expect(() => simulator.control.pay(other)).toThrow(/another openid/)
    simulator.control.pay({ mchid, out_trade_no: no })
    expect(simulator.control.view(mchid, no).payments[0]?.payer).toEqual({ openid: openid() })
  })

  it('stands in the book beside the product', async () => {
    const no = freshNumber()
    const { prepay_id } = (await place('app', no)).json
    const [order] = simulator.control.view(mchid, no).orders
    expect(order).toMatchObject({ trade_type: 'APP', prepay_id, code_url: null, h5_url: null })
  })
})

describe('an openid', () => {
  it('is the same for a payer at an appid, also over HTTP, and different for all else', async () => {
    const made = await control<{ openid: string }>(simulator.url, '/openids', { appid: account, payer: 'anna' })
    expect(made.openid).toBe(openid())
    expect(new Set([openid(), openid(account, 'bob'), openid(program), openid(mobile)]).size).toBe(4)
    expect(openid()).toMatch(/^o\w{27}$/)
  })
})

describe('a state of a version that knew Native alone', () => {
  it('is read: its merchant, an order with its code, and codes that died', async () => {
    const data_dir = mkdtempSync(join(tmpdir(), 'simulator-products-'))
    const order = {
      mchid,
      out_trade_no: 'OLD_000001',
      appid,
      description: '一杯茶',
      attach: null,
      notify_url: 'http://127.0.0.1:9/notify',
      total: 100,
      currency: 'CNY',
      device_id: null,
      parameters: '{}',
      create_time: Date.now(),
      time_expire: Date.now() + 3_600_000,
      code_url: 'weixin://new',
      code_time: Date.now(),
      dead_codes: ['weixin://old'],
      trade_state: 'NOTPAY',
      transaction_id: null,
      close_time: null,
      armed: null,
    }
    const entries = [
      { kind: 'merchant', key: mchid, record: oldMerchant() },
      { kind: 'order', key: `${mchid}/OLD_000001`, record: order },
    ]
    writeFileSync(join(data_dir, 'book.jsonl'), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    const again = await startSimulator({ port: 0, data_dir })
    try {
      expect(again.control.view(mchid, 'OLD_000001').orders).toMatchObject([
        { trade_type: 'NATIVE', code_url: 'weixin://new', prepay_id: null, h5_url: null },
      ])
      expect(() => again.control.pay({ code_url: 'weixin://old' })).toThrow(/newer code/)
      expect(again.control.pay({ code_url: 'weixin://new' }).outcome).toBe('paid')
      const own = new Client(again.url, client.merchant)
      expect((await own.placeBy('native', 'NEW_000001')).status).toBe(200)
      expect((await own.placeBy('h5', 'NEW_000002', { scene_info })).json['code']).toBe('NO_AUTH')
    } finally {
      await again.close()
      rmSync(data_dir, { recursive: true })
    }
  })
})

/** A merchant as the version before wrote it. */
function oldMerchant(): object {
  const { serial_no, public_key, apiv3_key } = client.merchant
  return {
    mchid,
    name: '山月茶铺',
    appids: [appid],
    ...{ serial_no, public_key, apiv3_key },
    certificate_state: 'valid',
    replaced_serials: [],
    key_mode: 'public_key',
    public_key_share: 0.5,
    wechat_keys: [
      { id: 'PUB_KEY_ID_0', public_key: client.merchant.public_key, private_key: client.merchant.private_key },
    ],
    newest_share: 1,
    balance: null,
    refund_completion: 'automatic',
    refund_notify_url: null,
    fee_rate: '0.60%',
    fee_account: 'BASIC',
  }
}
