import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDispatcher } from '../../wechat/connection.ts'
import { authoriseUrl, createOpenids, fetchOpenid, setup_remedies, wechat_oauth } from '../../wechat/openid.ts'

const dispatcher = createDispatcher()
/** WeChat, as it answers now. */
const played: { answer: (request: IncomingMessage, response: ServerResponse) => void } = { answer: () => undefined }
const server = createServer((request, response) => played.answer(request, response))
const originOfServer = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  await dispatcher.close()
  server.close()
})

const asking = { appid: 'wx0000000000000001', secret: 'appsecret+of/it=', code: '071abcDEF' }
const ask = (given: Partial<typeof asking> = {}) =>
  fetchOpenid({ dispatcher, origins: { ...wechat_oauth, exchange: originOfServer() } }, { ...asking, ...given })
const says = (text: string, status = 200) => {
  played.answer = (_request, response) => response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
}

describe('where a payer is sent to say who he is', () => {
  it('is WeChat’s page, with its parameters in its order', () => {
    const redirect_uri = 'https://pay.example.cn/weft/pay/token/wechat'
    expect(authoriseUrl(wechat_oauth, { appid: 'wx1', redirect_uri, state: 'n0nce' })).toBe(
      'https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx1' +
        '&redirect_uri=https%3A%2F%2Fpay.example.cn%2Fweft%2Fpay%2Ftoken%2Fwechat' +
        '&response_type=code&scope=snsapi_base&state=n0nce#wechat_redirect',
    )
  })
})

describe('merchants of mode `test`', () => {
  const errand = { appid: 'wx1', redirect_uri: 'https://pay.example.cn/', state: 'n0nce' }
  const originOf = (mode: 'live' | 'test', test_wechat_url: string | null) =>
    new URL(createOpenids({ dispatcher, test_wechat_url }).authoriseUrl(mode, errand)).origin

  it('have a simulator for both hosts where there is one; live ones never do', () => {
    expect(originOf('test', 'http://127.0.0.1:7701')).toBe('http://127.0.0.1:7701')
    expect(originOf('live', 'http://127.0.0.1:7701')).toBe('https://open.weixin.qq.com')
    expect(originOf('test', null)).toBe('https://open.weixin.qq.com')
  })
})

describe('the code that he brings back', () => {
  it('is exchanged for his openid, with the secret of the appid', async () => {
    let asked = ''
    played.answer = (request, response) => {
      asked = request.url ?? ''
      response.end(JSON.stringify({ access_token: 'a', expires_in: 7200, openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' }))
    }
    expect(await ask()).toEqual({ kind: 'openid', openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' })
    const url = new URL(asked, originOfServer())
    expect(url.pathname).toBe('/sns/oauth2/access_token')
    expect(Object.fromEntries(url.searchParams)).toEqual({ ...asking, grant_type: 'authorization_code' })
  })

  it.each([
    [40029, 'spent'],
    [40163, 'spent'],
    [42003, 'spent'],
    [10003, 'setup'],
    [10005, 'setup'],
    [40125, 'setup'],
    [40013, 'setup'],
    [40164, 'setup'],
    [48001, 'setup'],
    [-1, 'unavailable'],
    [45011, 'unavailable'],
    [99999, 'unavailable'],
  ])('that WeChat answers with %i is %s', async (errcode, kind) => {
    says(JSON.stringify({ errcode, errmsg: 'some words, rid: 1-2-3' }))
    expect(await ask()).toEqual({ kind, errcode })
    expect(errcode in setup_remedies).toBe(kind === 'setup')
  })

  it('of somebody whom WeChat does not name gives no openid that could pay', async () => {
    says(JSON.stringify({ openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o', is_snapshotuser: 1 }))
    expect(await ask()).toEqual({ kind: 'visitor' })
  })

  it.each([
    ['no JSON', '<html>502</html>', 200],
    ['JSON that is no object', '"oUpF8uMuAJO"', 200],
    ['an answer without openid', '{}', 200],
    ['an openid that is none', '{"openid":"<script>"}', 200],
    ['an answer with another status', '{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}', 502],
    ['more than any answer has', `{"openid":"o","more":"${'x'.repeat(1_100_000)}"}`, 200],
  ])('for which %s comes says nothing of him', async (_what, text, status) => {
    says(text, status)
    expect(await ask()).toEqual({ kind: 'unavailable', errcode: null })
  })

  it('for which nothing comes at all says nothing of him', async () => {
    played.answer = (request) => request.socket.destroy()
    expect(await ask()).toEqual({ kind: 'unavailable', errcode: null })
  })

  it.each(['', 'with space', '\u0000', '码', 'x'.repeat(513)])('that is none, as "%s", is never sent', async (code) => {
    played.answer = () => expect.unreachable('it was sent')
    expect(await ask({ code })).toEqual({ kind: 'spent', errcode: 40029 })
  })

  it('for which an answer does not come in time says nothing of him', async () => {
    played.answer = () => undefined
    const origins = { ...wechat_oauth, exchange: originOfServer() }
    expect(await fetchOpenid({ dispatcher, origins, limit_ms: 20 }, asking)).toEqual({
      kind: 'unavailable',
      errcode: null,
    })
  })
})
