import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import type { EndpointAnswer } from '../../domain/event/answer.ts'
import { limits } from '../../domain/policy.ts'

/** A refusal may explain itself at length; read by half it would be taken for something else. */
const longest_body_bytes = 64 * 1024
const bounded = { maxOutputLength: longest_body_bytes }
/** more layers than any server puts around one answer */
const most_encodings = 3

type Opener = (bytes: Buffer) => Promise<Buffer>

/** Some servers send “deflate” without the frame that it should have. */
const openDeflate: Opener = (bytes) => promisify(inflate)(bytes, bounded).catch(() => openBareDeflate(bytes))
const openGzip: Opener = (bytes) => promisify(gunzip)(bytes, bounded)
const openBrotli: Opener = (bytes) => promisify(brotliDecompress)(bytes, bounded)
const openBareDeflate: Opener = (bytes) => promisify(inflateRaw)(bytes, bounded)

/** How each content-encoding is opened; none gives more than 64 KiB, however little came. */
const openers: Partial<Record<string, Opener>> = {
  identity: (bytes) => Promise.resolve(bytes),
  gzip: openGzip,
  'x-gzip': openGzip,
  deflate: openDeflate,
  br: openBrotli,
}

/** What an endpoint is told that it may answer in. */
export const accepted_encodings = 'gzip, deflate, br'

/** What was read of a body: `answer` is its beginning, at most 1 KiB, for the record. */
type ReadBody = Pick<EndpointAnswer, 'body' | 'content_type' | 'unreadable'> & { answer: string | null }

type Headers = Record<string, string | string[] | undefined>

/** Reads a body to its end, or says why it cannot be read. Rejects where the connection breaks before the end. */
export async function readBody(stream: AsyncIterable<Buffer>, headers: Headers): Promise<ReadBody> {
  const content_type = firstOf(headers['content-type'])
  const unread = (unreadable: string, answer: string | null = null) => ({
    body: null,
    content_type,
    unreadable,
    answer,
  })
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length > longest_body_bytes) break
  }
  const came = Buffer.concat(chunks)
  const encodings = encodingsOf(headers['content-encoding'])
  const is_plain = encodings.every((encoding) => encoding === 'identity')
  if (length > longest_body_bytes) return unread('the body is over 64 KiB', is_plain ? beginning(came) : null)
  const opened = came.length === 0 ? came : await openBody(came, encodings)
  if (opened === null) return unread(`the body cannot be opened as ${encodings.join(', ')}, or is over 64 KiB`)
  const answer = beginning(opened)
  const text = decodedText(opened, content_type)
  if (text === null) return unread('the body is JSON and not in the charset that it claims', answer)
  if (await isPacked(opened, text)) return unread('the body is compressed and does not say so', answer)
  return { body: text, content_type, unreadable: null, answer }
}

/** The names of the encodings, in the order in which they were put around the body. */
function encodingsOf(header: string | string[] | undefined): string[] {
  const names = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',')
  return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')
}

/** Null: an encoding that is not known, bytes that are not in it, or more than 64 KiB of them. */
async function openBody(bytes: Buffer, encodings: string[]): Promise<Buffer | null> {
  if (encodings.length > most_encodings) return null
  try {
    let opened = bytes
    for (const encoding of encodings.toReversed()) {
      const open = openers[encoding]
      if (open === undefined) return null
      opened = await open(opened)
    }
    return opened
  } catch {
    return null
  }
}

/**
 * The text of a body. JSON has to be in the charset that is named, else in UTF-8; null: it is not. Any other text may be in
 * UTF-8 or GB18030 whatever is named, as on many a shop's pages, or cut in the middle of a character: only the status and
 * some English words in it count, so what cannot be read does no harm.
 */
function decodedText(bytes: Buffer, content_type: string | null): string | null {
  const named = /charset\s*=\s*"?([^\s;"]+)/i.exec(content_type ?? '')?.[1]
  const begins_as_json = json_beginning.test(bytes.subarray(0, 64).toString('latin1'))
  if (!begins_as_json && !/json/i.test(content_type ?? ''))
    return textIn(named, bytes) ?? textIn('utf-8', bytes) ?? unnamedText(bytes)
  const text = textIn(named ?? 'utf-8', bytes)
  // Bytes of JSON that give other letters are in another charset than is named.
  return text !== null && begins_as_json && !json_beginning.test(text) ? null : text
}

const json_beginning = /^(?:\u00ef\u00bb\u00bf)?\s*[{[]/

/** GB18030 takes half a character and the letter behind it for one: it is not believed where that costs a letter. */
function unnamedText(bytes: Buffer): string {
  const readable = new TextDecoder().decode(bytes)
  const text = textIn('gb18030', bytes)
  return text !== null && latinLetters(text) === latinLetters(readable) ? text : readable
}

function latinLetters(text: string): string {
  return text.replaceAll(/[^a-z]/gi, '')
}

/** How gzip, zlib and zstd begin. */
const packed_beginning = /^(?:\u001f\u008b|x[\u0001\u009c\u00da]|\u0028\u00b5\u002f\u00fd)/

/** Brotli and bare deflate have no mark of their own. Opened as one of them, some bytes of text give a few bytes of noise. */
const unmarked = [openBrotli, openBareDeflate]
const shortest_answer_bytes = 'refused'.length

/** Whether bytes that are no plain text are compressed, though no header says so: they may hold a refusal. */
async function isPacked(bytes: Buffer, text: string): Promise<boolean> {
  if (isPlain(text)) return false
  if (packed_beginning.test(bytes.subarray(0, 4).toString('latin1'))) return true
  const opened = await Promise.all(unmarked.map((open) => open(bytes).catch(() => Buffer.alloc(0))))
  return opened.some((content) => content.length >= shortest_answer_bytes && isPlain(textIn('utf-8', content)))
}

function isPlain(text: string | null): boolean {
  return text !== null && !/(?![\t\n\f\r])[\p{Cc}\uFFFD]/u.test(text)
}

/** Null: no charset is named, nobody knows it, or the bytes are not in it. */
function textIn(charset: string | undefined, bytes: Buffer): string | null {
  if (charset === undefined) return null
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/** As a stream, a character that is cut in half is waited for and not made up. */
function beginning(bytes: Buffer): string {
  return new TextDecoder().decode(bytes.subarray(0, limits.answer_kept_bytes), { stream: true })
}

function firstOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null
}
