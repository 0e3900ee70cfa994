import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, send } from './client.ts'

const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0, hold_ms: 50 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant('1900000062'))
const account = {
  appid: 'wxaccount00000002',
  kind: 'official_account',
  secret: 'a-secret',
  oauth_domain: 'pay.shop.example',
}
const silent = { ...account, appid: 'wxaccount00000003', oauth_domain: null }
const mobile = { appid: 'wxmobile000000002', kind: 'mobile_app', secret: 'another' }
const mini = { appid: 'wxmini00000000002', kind: 'mini_program', secret: 'a-mini-secret' }

beforeAll(() => client.register({ apps: [account, silent, mobile, mini] }))
afterEach(() => void simulator.control.removeFaults(null))
afterAll(() => simulator.close())

const wechat = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.54'
const back = 'https://pay.shop.example:8443/pay/abc/wechat?from=1'
const usual = {
  appid: account.appid,
  redirect_uri: back,
  response_type: 'code',
  scope: 'snsapi_base',
  state: 'a nonce',
}

type Search = Record<string, string | undefined>
const searchText = (search: Search): string => {
  const given = Object.entries(search).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new URLSearchParams(given).toString()
}
const authorize = (change: Search = {}, more: Record<string, string> = {}) =>
  send(`${simulator.url}/connect/oauth2/authorize?${searchText({ ...usual, ...change })}`, {
    method: 'GET',
    headers: { 'user-agent': wechat, ...more },
  })
const codeFor = async (payer?: string, change: Search = {}): Promise<string> => {
  const { headers } = await authorize(change, payer === undefined ? {} : { cookie: `simulated_payer=${payer}` })
  return new URL(String(headers.location)).searchParams.get('code') ?? ''
}
const exchange = async (change: Search) => {
  const search = { appid: account.appid, secret: account.secret, grant_type: 'authorization_code', ...change }
  const answer = await send(`${simulator.url}/sns/oauth2/access_token?${searchText(search)}`, {
    method: 'GET',
    headers: {},
  })
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8'])
  return JSON.parse(answer.text) as Record<string, unknown>
}
const openidOf = (payer: string, appid = account.appid) => simulator.control.openid({ appid, payer }).openid

describe('the authorise page', () => {
  it('sends the payer back with a code and the state, and asks nothing', async () => {
    const { status, headers } = await authorize()
    expect(status).toBe(302)
    const to = new URL(String(headers.location))
    expect(to.href.startsWith('https://pay.shop.example:8443/pay/abc/wechat?from=1&code=')).toBe(true)
    expect(to.searchParams.get('code')).toMatch(/^\w{32}$/)
    expect(to.searchParams.get('state')).toBe('a nonce')
  })

  it.each([
    ['another domain', { redirect_uri: 'https://shop.example/pay' }, '10003'],
    ['a domain that ends alike', { redirect_uri: 'https://evil-pay.shop.example/' }, '10003'],
    ['an address that is none', { redirect_uri: 'pay.shop.example' }, '10003'],
    ['an account without a domain', { appid: silent.appid }, '10003'],
    ['another scope', { scope: 'snsapi_userinfo' }, '10005'],
    ['no scope', { scope: undefined }, '10010'],
    ['no address', { redirect_uri: undefined }, '10011'],
    ['no appid', { appid: undefined }, '10012'],
    ['a mobile app', { appid: mobile.appid }, '10016'],
    ['an unknown appid', { appid: 'wxnobody' }, '40013'],
    ['no response_type', { response_type: undefined }, ''],
  ])('shows the payer WeChat’s error for %s', async (_, change, errcode) => {
    const { status, text, headers } = await authorize(change)
    expect([status, headers.location]).toEqual([200, undefined])
    expect(/data-errcode="(\d*)"/.exec(text)?.[1]).toBe(errcode)
  })

  it('opens in WeChat only', async () => {
    const { status, text } = await authorize({}, { 'user-agent': 'Mozilla/5.0 Safari' })
    expect([status, text.includes('请在微信客户端打开链接')]).toEqual([200, true])
  })
})

describe('a code', () => {
  it('is exchanged for the openid of whoever has the phone', async () => {
    expect(await exchange({ code: await codeFor() })).toEqual({
      access_token: expect.any(String) as string,
      refresh_token: expect.any(String) as string,
      expires_in: 7200,
      openid: openidOf('phone'),
      scope: 'snsapi_base',
    })
    expect(await exchange({ code: await codeFor('anna') })).toMatchObject({ openid: openidOf('anna') })
    expect(await exchange({ code: await codeFor('anna') })).toMatchObject({ openid: openidOf('anna') })
    expect(await exchange({ code: await codeFor('%E8%8C%B6') })).toMatchObject({ openid: openidOf('茶') })
  })

  it('works once', async () => {
    const code = await codeFor()
    await exchange({ code })
    const rid = /^code been used, rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/
    expect(await exchange({ code })).toEqual({ errcode: 40163, errmsg: expect.stringMatching(rid) as string })
  })

  it('lives five minutes', async () => {
    const [first, second] = [await codeFor(), await codeFor()]
    clock.ms += 299_999
    expect(await exchange({ code: first })).toHaveProperty('openid')
    clock.ms += 1
    expect(await exchange({ code: second })).toMatchObject({ errcode: 40029 })
  })

  it.each([
    ['an unknown one', { code: 'x'.repeat(32) }, 40029],
    ['none', { code: undefined }, 41008],
    ['another secret', { secret: 'a-secre7' }, 40125],
    ['no secret', { secret: undefined }, 41004],
    ['an unknown appid', { appid: 'wxnobody' }, 40013],
    ['no appid', { appid: undefined }, 41002],
    ['another grant', { grant_type: 'password' }, 40002],
    ['another account’s', { appid: silent.appid, secret: silent.secret }, 40029],
  ])('is refused with WeChat’s number, and not used up: %s', async (_, change, errcode) => {
    const code = await codeFor()
    expect(await exchange({ code, ...change })).toMatchObject({ errcode })
    expect(await exchange({ code })).toHaveProperty('openid')
  })

  it('does not lead to more than the openid', async () => {
    const answer = await send(`${simulator.url}/sns/userinfo?access_token=x&openid=y`, { method: 'GET', headers: {} })
    expect(JSON.parse(answer.text)).toMatchObject({ errcode: 48001 })
  })
})

describe('a mini program', () => {
  const login = (payer?: string) => simulator.control.login({ appid: mini.appid, ...(payer && { payer }) }).code
  const session = async (change: Search) => {
    const search = { appid: mini.appid, secret: mini.secret, grant_type: 'authorization_code', ...change }
    const answer = await send(`${simulator.url}/sns/jscode2session?${searchText(search)}`, {
      method: 'GET',
      headers: {},
    })
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8'])
    return JSON.parse(answer.text) as Record<string, unknown>
  }

  it('learns the openid by the code of wx.login, once', async () => {
    const js_code = login('anna')
    expect(await session({ js_code })).toEqual({
      session_key: expect.stringMatching(/^[\w+/]{22}==$/) as string,
      openid: openidOf('anna', mini.appid),
    })
    expect(await session({ js_code })).toMatchObject({ errcode: 40163 })
  })

  it.each([
    ['an unknown code', { js_code: 'x'.repeat(32) }, 40029],
    ['no code', { js_code: undefined }, 41008],
    ['another secret', { secret: 'a-secre7' }, 40125],
    ['no secret', { secret: undefined }, 41004],
    ['an unknown appid', { appid: 'wxnobody' }, 40013],
    ['an official account’s appid', { appid: account.appid, secret: account.secret }, 40013],
    ['no appid', { appid: undefined }, 41002],
    ['another grant', { grant_type: 'password' }, 40002],
  ])('is refused with WeChat’s number, and its code not used up: %s', async (_, change, errcode) => {
    const js_code = login()
    expect(await session({ js_code, ...change })).toMatchObject({ errcode })
    expect(await session({ js_code })).toHaveProperty('openid')
  })

  it('has a code of five minutes, that no page can use, and pages none that it can', async () => {
    const [old, young] = [login(), login()]
    expect(await session({ js_code: await codeFor() })).toMatchObject({ errcode: 40029 })
    expect(await exchange({ code: young })).toMatchObject({ errcode: 40029 })
    expect(await session({ js_code: young })).toHaveProperty('openid')
    clock.ms += 300_000
    expect(await session({ js_code: old })).toMatchObject({ errcode: 40029 })
    expect(() => simulator.control.login({ appid: account.appid })).toThrow(/no mini program/)
  })
})

describe('what goes wrong where WeChat is asked who a payer is', () => {
  const operation = 'access_token'
  const fault = (name: string, more: object = {}) =>
    simulator.control.addFault({ operation, fault: name, times: 1, ...more })
  const asked = (code: string) => {
    const search = { appid: account.appid, secret: account.secret, grant_type: 'authorization_code', code }
    return send(`${simulator.url}/sns/oauth2/access_token?${searchText(search)}`, { method: 'GET', headers: {} })
  }

  it.each(['-1', '40029', '40163', '40125', '45011', '48001'])(
    'is said with its number, and uses no code up: %s',
    async (errcode) => {
      fault(errcode)
      const code = await codeFor()
      const { errcode: said, errmsg } = await exchange({ code })
      expect([said, typeof errmsg]).toEqual([Number(errcode), 'string'])
      expect(await exchange({ code })).toHaveProperty('openid')
    },
  )

  it('uses the code up where WeChat has acted and its answer is another, or gets lost', async () => {
    for (const [name, more] of [
      ['-1', { acted: true }],
      ['timeout_after', {}],
      ['disconnect_after', {}],
    ] as const) {
      fault(name, more)
      const code = await codeFor()
      await asked(code).catch(() => undefined)
      expect(await exchange({ code })).toMatchObject({ errcode: 40163 })
    }
  })

  it('leaves the code good where WeChat was not reached', async () => {
    for (const name of ['timeout_before', 'disconnect']) {
      fault(name)
      const code = await codeFor()
      await expect(asked(code)).rejects.toThrow(/hang up|ECONNRESET/)
      expect(await exchange({ code })).toHaveProperty('openid')
    }
  })

  it('may be a page of some gateway, with any status', async () => {
    fault('html')
    expect(await asked(await codeFor())).toMatchObject({
      status: 200,
      text: expect.stringContaining('<html>') as string,
    })
    fault('502')
    expect(await asked(await codeFor())).toMatchObject({
      status: 502,
      text: expect.stringContaining('<html>') as string,
    })
  })

  it('may be a visitor whom WeChat does not name', async () => {
    fault('visitor')
    expect(await exchange({ code: await codeFor() })).toMatchObject({ is_snapshotuser: 1 })
  })

  it('hits this merchant’s apps alone where it names one, and no other call', async () => {
    fault('48001', { mchid: '1900000099' })
    expect(await exchange({ code: await codeFor() })).toHaveProperty('openid')
    const js_code = simulator.control.login({ appid: mini.appid }).code
    simulator.control.addFault({ operation: 'jscode2session', fault: '-1', times: 1 })
    expect(await exchange({ code: await codeFor() })).toHaveProperty('openid')
    const search = { appid: mini.appid, secret: mini.secret, grant_type: 'authorization_code', js_code }
    const { text } = await send(`${simulator.url}/sns/jscode2session?${searchText(search)}`, {
      method: 'GET',
      headers: {},
    })
    expect(JSON.parse(text)).toMatchObject({ errcode: -1 })
  })

  it('has no name that WeChat does not know', () => {
    expect(() => fault('ORDER_NOT_EXIST')).toThrow()
    expect(() => fault('12')).toThrow()
  })
})
