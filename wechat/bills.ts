import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import type { FlowAccount } from '../domain/merchant/bill.ts'
import { failureOf, unreadableAnswer, WeChatPayError } from './errors.ts'
import type { WeChatOperation } from './errors.ts'
import type { Transport, WeChatAnswer } from './transport.ts'
import { parsedJson } from './wire.ts'

/** Which bill: of a day in Beijing, `2026-11-22`; of the fund flow also of which account. */
export type BillRequest = (
  { type: 'trade'; date: string } | { type: 'fundflow'; date: string; account: FlowAccount }
) & {
  /** a file that has this SHA-1 by WeChat Pay's word is here already and is not downloaded again */
  known_sha1?: string | null
}

/**
 * What came of a bill. `none`: both hosts say that nothing happened that day, or the one that there is; `code` is
 * WeChat Pay's, in its one spelling. `downloaded`: it was read to its end, and whether its hash was held.
 */
export type BillResult = { kind: 'none'; code: string } | { kind: 'same' } | ({ kind: 'downloaded' } & BillDownload)

export interface BillDownload {
  /** whether the plain bytes have the hash that WeChat Pay signed; else nothing that was taken is its word */
  is_signed: boolean
  is_compressed: boolean
  plain_bytes: number
  /** of the plain bytes, 40 hex digits in lower case */
  sha1: string
  /** what was signed, in the same form */
  signed_sha1: string
  /** why it cannot be unpacked; null: it can */
  mistake: string | null
}

/** Takes the next plain bytes of a bill. The next ones are read when it is done. */
export type TakeBytes = (bytes: Buffer) => void | Promise<void>

/** Ten times the largest bill that the bench measures. */
const most_plain_bytes = 12 * 1024 ** 3

/**
 * Applies for a bill and downloads it, in one go because a link lives five minutes (docs/wechat-pay.md §2.5). `take` gets
 * the plain bytes as they come, before anything is known of their hash: only the result says what they are worth.
 * Throws WeChatPayError (`not_yet` while WeChat Pay is still making it), and what `take` throws. Repeated as a whole.
 */
export async function fetchBill(
  transport: Transport,
  request: BillRequest,
  take: TakeBytes,
  signal?: AbortSignal,
): Promise<BillResult> {
  const applied = await applyForBill(transport, request, signal)
  if (applied.kind === 'none') return applied
  if (applied.sha1 === request.known_sha1) return { kind: 'same' }
  return { kind: 'downloaded', ...(await downloadBill(transport, applied, take, signal)) }
}

type BillApplication = { kind: 'ready'; url: string; sha1: string } | { kind: 'none'; code: string }

const link = z.object({
  hash_type: z.string().regex(/^sha-?1$/i),
  hash_value: z.string().regex(/^[0-9a-f]{40}$/i),
  download_url: z.string().min(1).max(4096),
})

/** That there is none is said unsigned, and empties a day: so the other host, where there is one, must say it too. */
async function applyForBill(
  transport: Transport,
  request: BillRequest,
  signal: AbortSignal | undefined,
): Promise<BillApplication> {
  const operation = request.type === 'trade' ? 'trade_bill' : 'fund_flow_bill'
  const path = billPath(request)
  const ask = async (except_host?: string) =>
    withBillCode(await transport.send({ operation, method: 'GET', path, except_host }, signal))
  const first = await ask()
  const answer = isNone(first) && first.host !== undefined ? await ask(first.host) : first
  if (isNone(answer)) return { kind: 'none', code: answer.code }
  return readLink(operation, answer)
}

function billPath(request: BillRequest): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(request.date)) throw new RangeError(`not a day: ${request.date}`)
  if (request.type === 'trade') return `/v3/bill/tradebill?bill_date=${request.date}&bill_type=ALL&tar_type=GZIP`
  return `/v3/bill/fundflowbill?bill_date=${request.date}&account_type=${request.account}&tar_type=GZIP`
}

function readLink(operation: WeChatOperation, answer: WeChatAnswer): BillApplication {
  if (answer.status !== 200) throw failureOf(operation, answer)
  const read = link.safeParse(parsedJson(answer.body))
  if (!read.success) throw unreadableAnswer(operation, answer, read.error)
  return { kind: 'ready', url: read.data.download_url, sha1: read.data.hash_value.toLowerCase() }
}

const none_codes = ['NO_STATEMENT_EXIST', 'NO_BILL_EXIST']

function isNone(answer: WeChatAnswer): answer is WeChatAnswer & { code: string } {
  const { status, code } = answer
  return status >= 400 && status < 500 && status !== 429 && code !== null && none_codes.includes(code)
}

/** Codes of bills come in capitals with underscores, and as words: `No Bill Exist` is NO_BILL_EXIST. */
function withBillCode(answer: WeChatAnswer): WeChatAnswer {
  if (answer.status === 200) return answer
  const { code } = z.object({ code: z.string() }).safeParse(parsedJson(answer.body)).data ?? {}
  const spelled =
    code
      ?.trim()
      .toUpperCase()
      .replace(/[\s_]+/g, '_') ?? ''
  return { ...answer, code: /^[A-Z][A-Z0-9_]{0,63}$/.test(spelled) ? spelled : null }
}

async function downloadBill(
  transport: Transport,
  { url, sha1 }: { url: string; sha1: string },
  take: TakeBytes,
  signal: AbortSignal | undefined,
): Promise<BillDownload> {
  const hash = createHash('sha1')
  let plain_bytes = 0
  const body = await firstTwo(await transport.download(url, signal))
  let mistake: string | null = null
  try {
    for await (const bytes of body.is_gzip ? gunzipped(body.bytes) : body.bytes) {
      hash.update(bytes)
      plain_bytes += bytes.length
      if (plain_bytes > most_plain_bytes) throw tooLarge()
      await take(bytes)
    }
  } catch (error) {
    // What came is no gzip to its end, and the connection did not break: the file is wrong, and not the way.
    if (!(error instanceof GzipError)) throw error
    mistake = error.message
  }
  const found = hash.digest('hex')
  const is_signed = mistake === null && found === sha1
  return { is_signed, is_compressed: body.is_gzip, plain_bytes, sha1: found, signed_sha1: sha1, mistake }
}

function tooLarge(): WeChatPayError {
  const failure = { kind: 'setup', reason: 'too_large', outcome_unknown: false } as const
  return new WeChatPayError({ operation: 'bill_download', ...failure })
}

const gzip_mark = Buffer.from([0x1f, 0x8b])

/** Whether bytes are gzip, by their first two, since the headers of files say it or do not; and all of them. */
async function firstTwo(body: AsyncIterable<Buffer>): Promise<{ is_gzip: boolean; bytes: AsyncIterable<Buffer> }> {
  const source = piecesOf(body)
  let head = Buffer.alloc(0)
  while (head.length < gzip_mark.length) {
    const next = await source.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head
    yield* source
  }
  return { is_gzip: head.subarray(0, 2).equals(gzip_mark), bytes: all() }
}

async function* piecesOf(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* body
}

/** Bytes that begin as gzip and are none, or not to their end. */
class GzipError extends Error {
  override readonly name = 'GzipError'
}

async function* gunzipped(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 64 * 1024 })
  // What breaks the source ends the loop below by its own error; the promise says it a second time.
  pipeline(source, gunzip).catch(() => undefined)
  try {
    for await (const bytes of gunzip) yield bytes as Buffer
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    throw typeof code === 'string' && code.startsWith('Z_') ? new GzipError(message) : error
  }
}
