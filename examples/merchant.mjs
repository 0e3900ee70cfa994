// A whole merchant: WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… node examples/merchant.mjs
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'

const { WEFT_URL, WEFT_KEY, WEFT_SECRET, PORT = 3000 } = process.env
const shipped = new Set() // keep it in your database
const isSame = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))

async function answer(request, response) {
  if (request.url === '/buy') {
    const order = { out_trade_no: `T${Date.now()}`, description: 'A cup of tea', amount: { total: 990 } }
    const headers = { authorization: `Bearer ${WEFT_KEY}`, 'content-type': 'application/json' }
    const placed = await fetch(`${WEFT_URL}/v1/orders`, { method: 'POST', headers, body: JSON.stringify(order) })
    const { checkout_url } = await placed.json() // keep the number first, and a retry is the same order
    return response.writeHead(303, { location: checkout_url }).end()
  }
  if (request.url !== '/weft') return response.writeHead(404).end()
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures = '' } = request.headers
  const body = await buffer(request)
  const hmac = createHmac('sha256', Buffer.from(WEFT_SECRET.slice('whsec_'.length), 'base64'))
  const expected = `v1,${hmac.update(`${id}.${time}.`).update(body).digest('base64')}`
  const is_genuine = signatures.split(' ').some((signature) => isSame(signature, expected))
  if (!is_genuine || Math.abs(Date.now() / 1000 - time) > 300) return response.writeHead(401).end()
  const { type, data } = JSON.parse(body)
  const number = data.order?.out_trade_no
  if (type === 'order.paid' && !shipped.has(number)) console.log('ship', number) // once per out_trade_no
  if (type === 'order.paid') shipped.add(number)
  if (type.startsWith('refund.')) console.log(type, data.refund.out_refund_no, data.refund.amount.refund)
  // To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
  const decided = shipped.has(number) ? { fulfilment: 'fulfilled' } : {}
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(decided))
}

const server = createServer((request, response) => answer(request, response).catch(() => response.destroy()))
server.listen(PORT, '127.0.0.1')
