import type { EndpointRecord } from '../merchant/record.ts'
import type { OrderEvent } from '../order/record.ts'
import type { DeliveryAttempt, DeliveryRecord } from './delivery.ts'

/** How a fulfilment endpoint's answer was read. `null`: not an answer, so the event is sent again. */
export type FulfilmentAnswer = { result: 'fulfilled' | 'pending' | 'refused'; reason: string | null } | null

/** What each answer is to its order. A new word does not compile until it has its event. */
export const answer_events = {
  fulfilled: 'fulfilled',
  pending: 'fulfilment_pending',
  refused: 'fulfilment_refused',
} as const satisfies Record<NonNullable<FulfilmentAnswer>['result'], OrderEvent>

/** What an endpoint answered, as it was carried back. */
export interface EndpointAnswer {
  /** HTTP status; null: no answer came */
  status: number | null
  /** all that came, as text; null: nothing, or it cannot be read */
  body: string | null
  content_type: string | null
  /** why the body cannot be read: too long, in an encoding that cannot be opened, or JSON in another charset than it names */
  unreadable: string | null
}

/** What an attempt keeps of the meaning of its answer. */
export type AnswerReading = Pick<DeliveryAttempt, 'read_as' | 'reason'> & { remark: string | null }

/** As what an answer is read. */
export type ReadPurpose = Exclude<DeliveryRecord['purpose'], 'ping'>

/**
 * As what the answer to a delivery is read: that of the fulfilment endpoint to a `ping` as if it decided, so that a
 * merchant sees how its answers are understood.
 */
export function readPurpose(
  { purpose }: Pick<DeliveryRecord, 'purpose'>,
  { role }: Pick<EndpointRecord, 'role'>,
): ReadPurpose {
  if (purpose !== 'ping') return purpose
  return role === 'fulfilment' ? 'fulfilment' : 'notice'
}

/**
 * Status says heard, body says decided (api.md §7). What could be a decision and cannot be read is no answer, since it
 * might refuse: the event is sent again, and `remark` says why.
 */
export function readAnswer(purpose: ReadPurpose, answer: EndpointAnswer): AnswerReading {
  const { status } = answer
  if (status === null || !isHeard(status)) return notHeard(null)
  if (purpose === 'notice') return { read_as: 'heard', reason: null, remark: null }
  const stated = statedAnswer(answer)
  if ('flaw' in stated) return notHeard(stated.flaw)
  const { result, reason, remark } = stated
  // Taken back: whoever says all the same that it has shipped is believed, and everything else only heard it.
  if (purpose === 'cancellation' && result !== 'fulfilled') return { read_as: 'heard', reason: null, remark }
  return { read_as: result ?? (status === 202 ? 'pending' : 'fulfilled'), reason, remark }
}

/** What the attempts of a delivery decided; null: nothing. What was sent once more after that decided nothing. */
export function readAnswerOf({ attempts }: Pick<DeliveryRecord, 'attempts'>): FulfilmentAnswer {
  for (const { read_as, reason } of attempts.toReversed())
    if (read_as !== 'heard' && read_as !== 'not heard') return { result: read_as, reason }
  return null
}

function notHeard(remark: string | null): AnswerReading {
  return { read_as: 'not heard', reason: null, remark }
}

/** Whether an endpoint has taken an event: of a notice nothing more is asked. */
function isHeard(status: number): boolean {
  return status >= 200 && status <= 299
}

/** What a body says of the fulfilment; `result` null: nothing, so the status decides. `flaw`: why it cannot be read. */
type Statement =
  | { result: NonNullable<FulfilmentAnswer>['result'] | null; reason: string | null; remark: string | null }
  | { flaw: string }

const results: readonly unknown[] = ['fulfilled', 'pending', 'refused']
const nothing_stated = { result: null, reason: null, remark: null }

function statedAnswer({ body, content_type, unreadable }: EndpointAnswer): Statement {
  if (unreadable !== null) return { flaw: unreadable }
  if (body === null) return { flaw: 'the body could not be read' }
  if (body.trim() === '') return nothing_stated
  if (hasBinaryData(body)) return { flaw: 'the body is no text: its encoding or charset is not named' }
  const parsed = parsedJson(body)
  if (parsed === undefined)
    return isMeantAsJson(body, content_type) ? { flaw: 'the body is no whole JSON' } : spoken(body)
  if (!isObject(parsed) || !('fulfilment' in parsed)) return spoken(body, parsed)
  if (timesNamed(body) > 1) return { flaw: 'the body names “fulfilment” more than once' }
  const { fulfilment } = parsed
  if (!results.includes(fulfilment)) return { flaw: `“fulfilment” is ${JSON.stringify(fulfilment).slice(0, 60)}` }
  const reason = typeof parsed.reason === 'string' ? parsed.reason.slice(0, 200) : null
  return { result: fulfilment as NonNullable<FulfilmentAnswer>['result'], reason, remark: null }
}

/** A body without a statement in its place: elsewhere in it, or in another form, one may be meant. */
function spoken(body: string, parsed: unknown = null): Statement {
  if (/fulfill?ment|\brefused\b/i.test(spelled(body)))
    return { flaw: 'the body speaks of a fulfilment, but not as {"fulfilment": …}' }
  return { ...nothing_stated, remark: isObject(parsed) ? spokenError(parsed) : writtenError(body) }
}

/**
 * Whether a body is no text: it has a zero, as packed bytes do and letters of two bytes each, or both control characters and
 * bytes of no character in plenty. A debugger's colours, or a text cut within a character, have one of the two.
 */
function hasBinaryData(body: string): boolean {
  if (body.includes('\0')) return true
  const controls = body.match(/(?![\t\n\f\r\u007f-\u009f])\p{Cc}/gu)?.length ?? 0
  const undecoded = body.match(/\uFFFD/g)?.length ?? 0
  const signs = controls + undecoded
  return controls > 0 && undecoded > 0 && signs >= fewest_binary_signs && signs >= body.length / 5
}

const fewest_binary_signs = 3

/** Undefined: it is no JSON. */
function parsedJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}

function isMeantAsJson(body: string, content_type: string | null): boolean {
  return /\bjson\b/i.test(content_type ?? '') || /^\s*[{[]/.test(body)
}

function timesNamed(body: string): number {
  return unescaped(body).match(/"fulfilment"\s*:/g)?.length ?? 0
}

/** JSON's other way to write a letter, undone: where words are looked for it makes no difference. */
function unescaped(body: string): string {
  return body.replaceAll(/\\u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

/** A text as it is read: its letters may be written as JSON, addresses and HTML write them, or in full width. */
function spelled(text: string): string {
  const plain = unescaped(text).replaceAll(escaped_letter, (_, percent?: string, hex?: string, decimal?: string) =>
    letterOf(decimal === undefined ? parseInt(percent ?? hex ?? '', 16) : Number(decimal)),
  )
  return plain.normalize('NFKC')
}

const escaped_letter = /%([0-9a-f]{2})|&#x0*([0-9a-f]{1,6});|&#0*(\d{1,7});/gi

/** Only plain letters spell a word that is looked for. */
function letterOf(code: number): string {
  return code < 128 ? String.fromCharCode(code) : ' '
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** How frameworks, WeChat's own among them, speak of an error under status 200: by which fields, however they are written. */
const error_signs: [fields: RegExp, isError: (value: unknown) => boolean][] = [
  [/^(err|error|ret|result|return|status)?code$|^err(or)?no$|^(ret|status|result)$/, isErrorCode],
  [/^(is)?success$|^ok$/, (value) => /^(false|0)$/.test(String(value))],
  [/^error$/, (value) => !['null', 'false', '', '0'].includes(String(value))],
]

/** Of numbers 0, 1 and what begins with 2 stand for success; of words those of failure do not. */
function isErrorCode(value: unknown): boolean {
  const said = String(value)
  return /^-?\d+$/.test(said) ? !/^(0+|1|2\d*)$/.test(said) : failing_word.test(said)
}

const failing_word = /^\W*(err(or)?|fail(ed|ure)?)\b/i

/** What a body says that looks like an error, for the people who read the attempt; it decides nothing. */
function spokenError(body: Record<string, unknown>): string | null {
  const sign = Object.keys(body).find((field) => {
    const plain = field.toLowerCase().replaceAll(/[^a-z]/g, '')
    return error_signs.some(([fields, isError]) => fields.test(plain) && isError(body[field]))
  })
  if (sign === undefined) return null
  return `the body looks like an error: “${sign.slice(0, 60)}” is ${JSON.stringify(body[sign]).slice(0, 60)}`
}

/** The same of a body in plain words, as Alipay wants it said that a message is to come again. */
function writtenError(body: string): string | null {
  return failing_word.test(body) ? `the body looks like an error: ${JSON.stringify(body.trim().slice(0, 60))}` : null
}
