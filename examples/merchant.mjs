// A whole merchant: npm install standardwebhooks; WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… node examples/merchant.mjs
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

const { WEFT_URL, WEFT_KEY, WEFT_SECRET, PORT = 3000 } = process.env
const shipped = new Set() // keep it in your database
const send = (response, status, headers, body) => response.writeHead(status, headers).end(body)
const newNumber = () => `T${randomUUID().replaceAll('-', '').slice(1)}` // keep it in your database first

async function buy(response) {
  const order = { out_trade_no: newNumber(), description: 'A cup of tea', amount: { total: 990 } }
  const headers = { authorization: `Bearer ${WEFT_KEY}`, 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body: JSON.stringify(order) }
  const placed = await fetch(`${WEFT_URL}/v1/orders`, request).catch((cause) => {
    throw new Error('Weft does not answer. Try again.', { cause })
  })
  const answer = await placed.json() // the same number again is the same order
  if (!placed.ok) throw new Error(`Weft says ${answer.code}: ${answer.detail} ${answer.remedy}`)
  send(response, 303, { location: answer.checkout_url })
}

async function hear(request, response) {
  const { type, data } = new Webhook(WEFT_SECRET).verify(await text(request), request.headers) // throws if forged or old
  const number = data.order?.out_trade_no
  if (type === 'order.paid' && !shipped.has(number)) console.log('ship', number) // once per out_trade_no
  if (type === 'order.paid') shipped.add(number)
  if (type.startsWith('refund.')) console.log(type, data.refund.out_refund_no, data.refund.amount.refund)
  // To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
  const answer = shipped.has(number) ? { fulfilment: 'fulfilled' } : {}
  send(response, 200, { 'content-type': 'application/json' }, JSON.stringify(answer))
}

const pages = { '/buy': (_request, response) => buy(response), '/weft': hear }
createServer((request, response) => {
  const page = pages[request.url] ?? (async () => send(response, 404))
  page(request, response).catch((error) => {
    console.error(error)
    send(response, error.name === 'WebhookVerificationError' ? 401 : 500, {}, error.message)
  })
}).listen(PORT, '127.0.0.1')
