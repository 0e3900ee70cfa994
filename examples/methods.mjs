// The backend of a shop with pages and apps of its own. It knows who pays, and gives each client its finished `client`:
// WEFT_URL=… WEFT_KEY=… MINI_APPID=… MINI_SECRET=… MP_APPID=… MP_SECRET=… APP_APPID=… SHOP_URL=… node examples/methods.mjs
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'

const {
  WEFT_URL,
  WEFT_KEY,
  MINI_APPID,
  MINI_SECRET,
  MP_APPID,
  MP_SECRET,
  APP_APPID,
  SHOP_URL,
  PORT = 3000,
} = process.env
const { WECHAT_URL = 'https://api.weixin.qq.com', WECHAT_OPEN_URL = 'https://open.weixin.qq.com' } = process.env
const page = readFileSync(new URL('page.html', import.meta.url))

/** What an order needs beside number and price, by the client that is going to pay it. */
const methods = {
  mini_program: async ({ code }) => {
    const asked = { appid: MINI_APPID, secret: MINI_SECRET, js_code: code, grant_type: 'authorization_code' }
    return { trade_type: 'JSAPI', appid: MINI_APPID, payer: { openid: await openidOf('/sns/jscode2session', asked) } }
  },
  jsapi: async ({ code }) => {
    const asked = { appid: MP_APPID, secret: MP_SECRET, code, grant_type: 'authorization_code' }
    return {
      trade_type: 'JSAPI',
      appid: MP_APPID,
      payer: { openid: await openidOf('/sns/oauth2/access_token', asked) },
    }
  },
  app: async () => ({ trade_type: 'APP', appid: APP_APPID }),
  h5: async (_, request) => {
    const type = /iPhone|iPad/.test(request.headers['user-agent']) ? 'iOS' : 'Android'
    // The payer's own address: of the header only what your own proxy has written, else anybody chooses it.
    const payer_client_ip = (request.headers['x-forwarded-for'] ?? request.socket.remoteAddress)
      .split(',')
      .at(-1)
      .trim()
    return { trade_type: 'MWEB', scene_info: { payer_client_ip, h5_info: { type } } }
  },
}

/** A code is good for one question: keep the openid in your session, and do not ask for it at every order. */
async function openidOf(path, asked) {
  const answer = await (await fetch(`${WECHAT_URL}${path}?${new URLSearchParams(asked)}`)).json()
  if (!answer.openid) throw new Error(`WeChat says ${answer.errcode}: ${answer.errmsg}`)
  return answer.openid
}

async function weft(method, path, body) {
  const headers = { authorization: `Bearer ${WEFT_KEY}`, 'content-type': 'application/json' }
  const response = await fetch(`${WEFT_URL}${path}`, { method, headers, body: body && JSON.stringify(body) })
  const answer = await response.json()
  if (!response.ok) throw new Error(`Weft says ${answer.code}: ${answer.detail} ${answer.remedy}`)
  return answer
}

/** `sale` is the shop's own: of several numbers with one reference, older ones are closed, and only one is ever kept. */
async function order(request) {
  const given = await json(request)
  const out_trade_no = `T${randomBytes(12).toString('hex')}` // keep it in your database first
  const of_method = await methods[given.kind](given, request)
  const bought = { description: 'A cup of tea', amount: { total: 990 }, reference: given.sale }
  const back = given.kind === 'h5' ? { return_url: `${SHOP_URL}/?sale=${given.sale}` } : {}
  const { client } = await weft('POST', '/v1/orders', { out_trade_no, ...bought, ...of_method, ...back })
  return { out_trade_no, client }
}

/** Who pays within WeChat: it sends the page back with a code, and asks nobody anything (snsapi_base). */
function whoPays(sale) {
  const redirect_uri = `${SHOP_URL}/?sale=${sale}`
  const asked = new URLSearchParams({
    appid: MP_APPID,
    redirect_uri,
    response_type: 'code',
    scope: 'snsapi_base',
    state: sale,
  })
  return `${WECHAT_OPEN_URL}/connect/oauth2/authorize?${asked}#wechat_redirect`
}

createServer(async (request, response) => {
  const url = new URL(request.url, SHOP_URL)
  const [, first, number] = url.pathname.split('/')
  const send = (status, headers, body) => response.writeHead(status, headers).end(body)
  const sendJson = (body) => send(200, { 'content-type': 'application/json' }, JSON.stringify(body))
  try {
    if (request.method === 'POST' && first === 'orders') sendJson(await order(request))
    else if (first === 'orders') sendJson({ state: (await weft('GET', `/v1/orders/${number}`)).state })
    else if (first === 'wechat') send(302, { location: whoPays(url.searchParams.get('sale')) })
    else if (first === '') send(200, { 'content-type': 'text/html' }, page)
    else send(404)
  } catch (error) {
    console.error(error)
    send(500, {}, error.message)
  }
}).listen(PORT, '127.0.0.1')
