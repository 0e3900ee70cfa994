import type { IncomingMessage } from 'node:http'
import rawBody from 'raw-body'
import { limits } from '../../domain/policy.ts'
import { Problem } from './problem.ts'

/**
 * The JSON of a request's body; undefined when it has none. Throws the problems `body_too_large`,
 * `unsupported_media_type` and `malformed_json`. A body whose Content-Length is too large is not read at all.
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const has_body =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  if (!has_body) return undefined
  const media_type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (media_type !== 'application/json' || encoding !== 'identity') throw new Problem('unsupported_media_type')
  const bytes = await bodyBytes(request)
  if (bytes.length === 0) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const value = JSON.parse(text) as unknown
    assertPlain(text)
    return value
  } catch (cause) {
    throw new Problem('malformed_json', { cause })
  }
}

/** A bracket, or a string, with the colon behind it where it is a name: enough to walk what JSON.parse has accepted. */
const tokens = /"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}[\]]/g

/**
 * Throws unless each name of an object comes once, none is `__proto__`, an object has at most 256 of them, and nothing lies
 * deeper than 16 levels: of two values one program reads the first and another the last, thousands of names are thousands
 * of errors to be told, and code that follows depth by recursion runs out of stack. JSON.parse takes all of it without a
 * word, and no library was found that refuses more than the second.
 */
function assertPlain(text: string): void {
  const open: Set<string>[] = []
  for (const [token, written = '', colon] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    if (open.length > limits.json_depth) throw new SyntaxError(`more than ${limits.json_depth} levels`)
    if (colon === undefined) continue
    const name = written.includes('\\') ? String(JSON.parse(`"${written}"`)) : written
    const names = open.at(-1)
    if (name === '__proto__' || names?.has(name)) throw new SyntaxError('a name that comes twice, or __proto__')
    names?.add(name)
    if (names !== undefined && names.size > limits.json_names) throw new SyntaxError(`over ${limits.json_names} names`)
  }
}

async function bodyBytes(request: IncomingMessage): Promise<Buffer> {
  try {
    return await rawBody(request, {
      limit: limits.request_body_bytes,
      length: request.headers['content-length'] ?? null,
    })
  } catch (cause) {
    const type = (cause as { type?: string }).type
    // The connection ends with the answer: otherwise the rest of the body would be read as the next request.
    if (type === 'entity.too.large') throw new Problem('body_too_large', { headers: { Connection: 'close' }, cause })
    throw new Problem('malformed_json', { cause }) // cut short, or of another length than it said
  }
}
