import {
  constants,
  createDecipheriv,
  createSign,
  createVerify,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MerchantResponse } from '../../simulator/control.ts'

/**
 * A WeChat Pay client and a receiver of notifications written against the public documentation with node:crypto alone,
 * so that the simulator and Weft's own signing code cannot be wrong in the same way.
 */
export interface TestMerchant {
  mchid: string
  appid: string
  serial_no: string
  apiv3_key: string
  private_key: string
  public_key: string
}

/** One key pair for all merchants of a test file: making 2048-bit keys is most of what a test would wait for. */
const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})

export function makeMerchant(mchid: string): TestMerchant {
  return {
    mchid,
    appid: `wx${mchid}`,
    serial_no: randomBytes(20).toString('hex').toUpperCase(),
    apiv3_key: randomBytes(16).toString('hex'),
    private_key: keys.privateKey,
    public_key: keys.publicKey,
  }
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  json: Record<string, unknown>
}

/** Plain HTTP, headers exactly as given (Node adds Host and Connection only). */
export function send(
  url: string,
  message: { method: string; headers: Record<string, string>; body?: string | Buffer; give_up?: Promise<unknown> },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      { method: message.method, headers: message.headers, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          const isJson = (response.headers['content-type'] ?? '').includes('json')
          const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {}
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
        })
        response.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    void message.give_up?.then(() => outgoing.destroy(new Error('the test gave up waiting')))
    outgoing.end(message.body)
  })
}

/** Posts to, reads from or deletes on the control side. */
export async function control<T>(base: string, path: string, body?: object, method?: string): Promise<T> {
  const answer = await fetch(`${base}/control${path}`, {
    method: method ?? (body ? 'POST' : 'GET'),
    ...(body && { body: JSON.stringify(body) }),
  })
  const value = (await answer.json()) as T
  if (!answer.ok) throw new Error(`${answer.status} ${JSON.stringify(value)}`)
  return value
}

export interface CallChoices {
  timestamp?: number
  nonce?: string
  authorization?: string | null
  /** signs another text than is sent */
  signed_body?: string
  serial_no?: string
  mchid?: string
  headers?: Record<string, string | null>
  /** waits for the answer until this is so, and no longer */
  give_up?: Promise<unknown>
}

export class Client {
  readonly base: string
  readonly merchant: TestMerchant
  /** WeChat Pay's keys by serial, PEM of a public key or a certificate */
  readonly keys = new Map<string, string>()

  constructor(base: string, merchant: TestMerchant) {
    this.base = base
    this.merchant = merchant
  }

  /** Registers with the simulator and takes its keys, as a person would from the console. */
  async register(more: Record<string, unknown> = {}): Promise<MerchantResponse> {
    const { mchid, appid, serial_no, apiv3_key, public_key } = this.merchant
    const request = { mchid, appids: [appid], serial_no, public_key, apiv3_key, ...more }
    const answer = await control<MerchantResponse>(this.base, '/merchants', request)
    this.keys.set(answer.wechatpay_public_key_id, answer.wechatpay_public_key)
    for (const { serial_no: serial, certificate } of answer.certificates) this.keys.set(serial, certificate)
    return answer
  }

  authorization(method: string, path: string, body: string, choices: CallChoices = {}): string {
    const timestamp = choices.timestamp ?? Math.floor(Date.now() / 1000)
    const nonce = choices.nonce ?? randomBytes(16).toString('hex')
    const text = `${method}\n${path}\n${timestamp}\n${nonce}\n${choices.signed_body ?? body}\n`
    const signature = createSign('RSA-SHA256').update(text).sign(this.merchant.private_key, 'base64')
    const mchid = choices.mchid ?? this.merchant.mchid
    const serial = choices.serial_no ?? this.merchant.serial_no
    // another order of fields than Weft's, as other SDKs send
    return `WECHATPAY2-SHA256-RSA2048 mchid="${mchid}",serial_no="${serial}",timestamp="${timestamp}",nonce_str="${nonce}",signature="${signature}"`
  }

  async call(method: string, path: string, body?: string | object, choices: CallChoices = {}): Promise<Answer> {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    const headers: Record<string, string | null> = {
      accept: 'application/json',
      'user-agent': 'a test',
      ...(text !== '' && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      authorization:
        choices.authorization === undefined ? this.authorization(method, path, text, choices) : choices.authorization,
      ...choices.headers,
    }
    const sent = Object.fromEntries(
      Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== null),
    )
    const message = { method, headers: sent, ...(text !== '' && { body: text }) }
    return send(this.base + path, { ...message, ...(choices.give_up && { give_up: choices.give_up }) })
  }

  orderBody(out_trade_no: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      appid: this.merchant.appid,
      mchid: this.merchant.mchid,
      description: '一杯茶',
      out_trade_no,
      notify_url: 'http://127.0.0.1:9/notify',
      amount: { total: 100, currency: 'CNY' },
      ...more,
    }
  }

  place(out_trade_no: string, more: Record<string, unknown> = {}, choices: CallChoices = {}): Promise<Answer> {
    return this.call('POST', '/v3/pay/transactions/native', this.orderBody(out_trade_no, more), choices)
  }

  /** Places an order of a product: `path` is the last word of its call. */
  placeBy(
    path: 'native' | 'jsapi' | 'app' | 'h5',
    out_trade_no: string,
    more: Record<string, unknown> = {},
    choices: CallChoices = {},
  ): Promise<Answer> {
    return this.call('POST', `/v3/pay/transactions/${path}`, this.orderBody(out_trade_no, more), choices)
  }

  /** Signs the lines of a pay sheet, each with its LF: base64. */
  paySign(...lines: string[]): string {
    const text = lines.map((line) => `${line}\n`).join('')
    return createSign('RSA-SHA256').update(text).sign(this.merchant.private_key, 'base64')
  }

  query(out_trade_no: string, choices: CallChoices = {}): Promise<Answer> {
    const number = encodeURIComponent(out_trade_no)
    const path = `/v3/pay/transactions/out-trade-no/${number}?mchid=${this.merchant.mchid}`
    return this.call('GET', path, undefined, choices)
  }

  close(out_trade_no: string, choices: CallChoices = {}): Promise<Answer> {
    const path = `/v3/pay/transactions/out-trade-no/${encodeURIComponent(out_trade_no)}/close`
    return this.call('POST', path, { mchid: this.merchant.mchid }, choices)
  }

  /** Refunds `refund` of the 100 fen that orders cost here, unless `more` says otherwise. */
  refund(out_refund_no: string, more: Record<string, unknown>, choices: CallChoices = {}): Promise<Answer> {
    const body = { out_refund_no, amount: { refund: 100, total: 100, currency: 'CNY' }, ...more }
    return this.call('POST', '/v3/refund/domestic/refunds', body, choices)
  }

  queryRefund(out_refund_no: string, choices: CallChoices = {}): Promise<Answer> {
    const path = `/v3/refund/domestic/refunds/${encodeURIComponent(out_refund_no)}`
    return this.call('GET', path, undefined, choices)
  }

  applyAbnormalRefund(refund_id: string, body: Record<string, unknown>, choices: CallChoices = {}): Promise<Answer> {
    return this.call('POST', `/v3/refund/domestic/refunds/${refund_id}/apply-abnormal-refund`, body, choices)
  }

  /** Encrypts a field for the key of this serial: RSAES-OAEP, SHA-1 both times. */
  encrypt(plaintext: string, serial: string, oaepHash = 'sha1'): string {
    const key = { key: this.keys.get(serial) ?? '', padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }
    return publicEncrypt(key, Buffer.from(plaintext)).toString('base64')
  }

  /** Whether WeChat Pay's signature over these bytes holds, by the key its serial names. */
  verifies(message: { headers: IncomingHttpHeaders; text: string }): boolean {
    const header = (name: string): string => String(message.headers[name] ?? '')
    const key = this.keys.get(header('wechatpay-serial'))
    if (key === undefined) return false
    const text = `${header('wechatpay-timestamp')}\n${header('wechatpay-nonce')}\n${message.text}\n`
    return createVerify('RSA-SHA256').update(text).verify(key, header('wechatpay-signature'), 'base64')
  }

  /** Opens a resource: AES-256-GCM with the APIv3 key. Throws when it does not open. */
  open(resource: { ciphertext: string; nonce: string; associated_data: string }): string {
    const bytes = Buffer.from(resource.ciphertext, 'base64')
    const opener = createDecipheriv('aes-256-gcm', this.merchant.apiv3_key, resource.nonce)
    opener.setAAD(Buffer.from(resource.associated_data))
    opener.setAuthTag(bytes.subarray(-16))
    return opener.update(bytes.subarray(0, -16), undefined, 'utf8') + opener.final('utf8')
  }
}

export interface Received {
  headers: IncomingHttpHeaders
  path: string
  text: string
  time: number
}

/** What a test expects of the envelope; the rest is compared as JSON. */
export interface Envelope {
  id: string
  create_time: string
  event_type: string
  resource_type: string
  summary: string
  resource: { original_type: string; algorithm: string; ciphertext: string; nonce: string; associated_data: string }
}

/** A merchant's callback address; `answer` says how the nth delivery (from 1) is answered, null leaves it open. */
export async function startReceiver(
  answer: (n: number, received: Received) => number | null | Promise<number> = () => 204,
): Promise<{ url: string; received: Received[]; close(): Promise<void> }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const delivery = { headers: request.headers, path: request.url ?? '', text, time: Date.now() }
      received.push(delivery)
      void Promise.resolve(answer(received.length, delivery)).then((status) => {
        if (status !== null) response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${port}/wechat/notify`, received, close }
}

/** Fresh order numbers: `PREFIX_000001` and on. */
export function numbering(prefix: string): () => string {
  let last = 0
  return () => `${prefix}_${String(++last).padStart(6, '0')}`
}
