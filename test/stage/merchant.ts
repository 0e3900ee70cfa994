import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'

export interface HeardEvent {
  id: string
  type: string
  sequence: number
  attempt: number
  data: { order?: { out_trade_no: string; state: string } & Record<string, unknown> }
  timestamp: string
}

export type MerchantAnswer =
  | {
      status: number
      body?: string
      headers?: Record<string, string>
      after_ms?: number
      /** what the merchant waits for before it answers */
      after?: Promise<void>
    }
  | 'hang'

/** A merchant's endpoint as a stranger would write it: it verifies with the Standard Webhooks library, not with ours. */
export class MerchantDouble {
  readonly heard: HeardEvent[] = []
  readonly refused: string[] = []
  secret = ''
  answer: (event: HeardEvent) => MerchantAnswer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
  readonly #server: Server
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
    this.#server = createServer((request, response) => void this.#receive(request, response))
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/weft`
  }

  /** The types heard of an order, in the order they were heard. */
  typesOf(out_trade_no: string): string[] {
    return this.of(out_trade_no).map(({ type }) => type)
  }

  of(out_trade_no: string): HeardEvent[] {
    return this.heard.filter(({ data }) => data.order?.out_trade_no === out_trade_no)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    try {
      this.#verify(body, request.headers as Record<string, string>)
    } catch (error) {
      this.refused.push(String(error))
      response.writeHead(400).end()
      return
    }
    const event = { ...(JSON.parse(body) as HeardEvent), attempt: Number(request.headers['weft-attempt']) }
    this.heard.push(event)
    const answer = this.answer(event)
    if (answer === 'hang') return
    await answer.after
    if (answer.after_ms) await new Promise((resolve) => setTimeout(resolve, answer.after_ms))
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }

  /** The library looks at the wall's clock: where time is skipped it signs anew, and the moment is looked at here. */
  #verify(body: string, headers: Record<string, string>): void {
    const webhook = new Webhook(this.secret)
    if (this.#now === Date.now) return void webhook.verify(body, headers)
    const { 'webhook-id': id = '', 'webhook-timestamp': seconds, 'webhook-signature': signature = '' } = headers
    const sent_ms = Number(seconds) * 1000
    if (Math.abs(sent_ms - this.#now()) > 300_000) throw new Error('the signature is not of this moment')
    if (!signature.split(' ').includes(webhook.sign(id, new Date(sent_ms), body))) throw new Error('no signature fits')
  }
}
