import type { KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDispatcher } from '../../wechat/connection.ts'
import type { PlatformKey } from '../../wechat/credentials.ts'
import { createKeyring } from '../../wechat/keyring.ts'
import { createLimits } from '../../wechat/limits.ts'
import {
  freshNonce,
  parseAuthorization,
  probePrefix,
  requestMessage,
  signatureHeaders,
  verify,
} from '../../wechat/signature.ts'
import { createTransport } from '../../wechat/transport.ts'
import type { TransportSettings, WeChatAttempt } from '../../wechat/transport.ts'
import { privateKey, publicKey } from './vectors.ts'

export const mchid = '1900007291'
export const publicKeyId = 'PUB_KEY_ID_0114232134912410000000000000'

/** WeChat Pay's side is played with the published `go-sdk` key, the merchant's with `doc-merchant`. */
const platform = privateKey('go-sdk')

export interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
  nonce_str: string
}

export interface Played {
  status: number
  /** a list: each piece is sent for itself */
  body?: string | Buffer | Buffer[]
  /** what happens when the body was sent and not ended; it is ended unless told */
  after_body?: 'hang_up' | 'silence'
  headers?: Record<string, string>
  /** how a 2xx is signed; default well */
  signature?: 'good' | 'wrong' | 'probe' | 'none' | 'stale'
  serial?: string
  key?: KeyObject
  delay_ms?: number
}

/** `silence` never answers, `hang_up` breaks the connection after the request was read. */
export type Play = (seen: Seen, count: number) => Played | 'silence' | 'hang_up'

export interface PlayedHost {
  origin: string
  seen: Seen[]
  close(): Promise<void>
}

/** A host of WeChat Pay on a free port of loopback: checks every request's signature and answers as the test says. */
export async function playHost(play: Play): Promise<PlayedHost> {
  const seen: Seen[] = []
  const server = createServer((request, response) => void answer(request, response, seen, play))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, seen, close: () => closed(server) }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

async function answer(request: IncomingMessage, response: ServerResponse, all: Seen[], play: Play): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { method = '', url = '', headers } = request
  const body = Buffer.concat(chunks).toString('utf8')
  const read = parseAuthorization(headers.authorization ?? '')
  const { timestamp = '', nonce_str = '', signature = '' } = read.kind === 'read' ? read.authorization : {}
  const message = requestMessage({ method, url, timestamp, nonce_str, body })
  if (!verify(message, signature, publicKey('doc-merchant'))) {
    response.writeHead(401).end('{"code":"SIGN_ERROR","message":"签名错误"}')
    return
  }
  const seen = { method, url, headers, body, nonce_str }
  all.push(seen)
  const played = play(seen, all.length)
  if (played === 'silence') return
  if (played === 'hang_up') {
    request.socket.destroy()
    return
  }
  if (played.delay_ms) await new Promise((resolve) => setTimeout(resolve, played.delay_ms))
  const pieces = Array.isArray(played.body) ? played.body : [Buffer.from(played.body ?? '')]
  const isSigned = played.status < 300 && played.signature !== 'none'
  const signed = isSigned ? signatureOf(played, Buffer.concat(pieces)) : {}
  response.writeHead(played.status, { ...signed, 'request-id': `R-${all.length}`, ...played.headers })
  for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve))
  if (played.after_body === undefined) response.end()
  if (played.after_body === 'hang_up') request.socket.destroy()
}

function signatureOf(played: Played, body: Buffer): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000) - (played.signature === 'stale' ? 300 : 0)
  const signer = { serial_no: played.serial ?? publicKeyId, private_key: played.key ?? platform }
  const headers = signatureHeaders({ timestamp, nonce: freshNonce(), body }, signer)
  const value = headers['Wechatpay-Signature'] ?? ''
  if (played.signature === 'wrong') return { ...headers, 'Wechatpay-Signature': `AAAA${value.slice(4)}` }
  if (played.signature === 'probe') return { ...headers, 'Wechatpay-Signature': probePrefix + value }
  return headers
}

export const platformPublicKey: PlatformKey = {
  kind: 'public_key',
  serial: publicKeyId,
  key: publicKey('go-sdk'),
  certificate: null,
  effective_time: null,
  expire_time: null,
}

/** A merchant's transport to hosts that a test plays, and the log of its attempts. */
export function transportTo(main: string, backup: string | null, change: Partial<TransportSettings> = {}) {
  const attempts: WeChatAttempt[] = []
  const now = () => Date.now()
  const transport = createTransport({
    credentials: {
      mchid,
      serial_no: '408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB',
      private_key: privateKey('doc-merchant'),
    },
    keyring: createKeyring({ keys: [platformPublicKey], download: () => Promise.resolve([]), now }),
    limits: createLimits({ now }),
    hosts: { main, backup },
    dispatcher: createDispatcher(),
    now,
    user_agent: 'weft-test',
    log: (attempt) => attempts.push(attempt),
    ...change,
  })
  return { transport, attempts }
}
