import type { Dispatcher } from 'undici'
import { ConnectionError, exchange } from './connection.ts'

/** OAuthOrigins are the two hosts by which a page in WeChat learns who its payer is. */
export interface OAuthOrigins {
  /** where the payer's WeChat is sent to */
  authorise: string
  /** where the code that it brings back is exchanged */
  exchange: string
}

/** WeChat's own; merchants of mode `test` have a simulator for both. */
export const wechat_oauth: OAuthOrigins = {
  authorise: 'https://open.weixin.qq.com',
  exchange: 'https://api.weixin.qq.com',
}

/** Openids asks WeChat who payers are, merchants of mode `test` asking a simulator. */
export interface Openids {
  authoriseUrl(mode: 'live' | 'test', errand: AuthoriseErrand): string
  fetch(mode: 'live' | 'test', exchanged: CodeExchange): Promise<OpenidAnswer>
}

/** `state` comes back unchanged: letters and digits, at most 128. */
export interface AuthoriseErrand {
  appid: string
  redirect_uri: string
  state: string
}

export interface CodeExchange {
  appid: string
  secret: string
  code: string
}

/** What WeChat is asked by; `limit_ms`: how long it may take to answer. */
interface OpenidAsker {
  dispatcher: Dispatcher
  origins: OAuthOrigins
  limit_ms?: number
}

/** `test_wechat_url`: as `createAccounts` takes it. Live merchants ask WeChat and nobody else. */
export function createOpenids(settings: { dispatcher: Dispatcher; test_wechat_url: string | null }): Openids {
  const { dispatcher, test_wechat_url: test } = settings
  const originsOf = (mode: 'live' | 'test') =>
    mode === 'test' && test !== null ? { authorise: test, exchange: test } : wechat_oauth
  return {
    authoriseUrl: (mode, errand) => authoriseUrl(originsOf(mode), errand),
    fetch: (mode, exchanged) => fetchOpenid({ dispatcher, origins: originsOf(mode) }, exchanged),
  }
}

/** OpenidAnswer is what became of one code. Nothing in it may be logged but `errcode`. */
export type OpenidAnswer =
  | { kind: 'openid'; openid: string }
  /** the code was used or is too old: the payer's WeChat gives another one without a word */
  | { kind: 'spent'; errcode: number }
  /** WeChat shows the page to somebody it does not name, whose openid cannot pay */
  | { kind: 'visitor' }
  /** only the merchant can mend it */
  | { kind: 'setup'; errcode: number }
  /** no answer, or none that says anything */
  | { kind: 'unavailable'; errcode: number | null }

/**
 * Answers of WeChat that the merchant's set-up is the cause of, each with what mends it. The first three the payer is
 * shown by WeChat itself, on the way out, and no program is told.
 */
export const setup_remedies: Readonly<Record<number, string>> = {
  10003: 'the domain of WEFT_PUBLIC_URL is not the official account’s domain for web authorisation (网页授权域名)',
  10004: 'the official account is blocked',
  10005: 'the official account has no web authorisation: only a verified service account (服务号) has snsapi_base',
  10015: 'the official account has not authorised this platform',
  10016: 'the appid is not an official account’s: give the app its kind',
  40001: 'the secret here is not the appid’s (AppSecret)',
  40013: 'WeChat does not know the appid',
  40125: 'the secret here is not the appid’s (AppSecret); it may have been reset in WeChat’s console',
  40164: 'the address of this server is not in the official account’s list of addresses (IP白名单)',
  41002: 'the appid is missing',
  41004: 'the secret is missing',
  48001: 'the official account has not been granted web authorisation',
  50001: 'the official account has not been granted web authorisation',
  50002: 'the official account is restricted',
}

/** Used (40163), unknown or of another appid (40029), too old (42003): WeChat tells these apart, and all end the same. */
const spent_codes: readonly number[] = [40029, 40163, 42003]

const answer_limit_ms = 5_000
const code_pattern = /^[\x21-\x7e]{1,512}$/
const openid_pattern = /^[\w-]{1,128}$/

/** Where a payer's WeChat is sent to say who he is, silently (`snsapi_base`). The order of the parameters is WeChat's. */
export function authoriseUrl(origins: OAuthOrigins, { appid, redirect_uri, state }: AuthoriseErrand): string {
  const query = new URLSearchParams({ appid, redirect_uri, response_type: 'code', scope: 'snsapi_base', state })
  return `${origins.authorise}/connect/oauth2/authorize?${query.toString()}#wechat_redirect`
}

/**
 * Whether `text` may be a code of WeChat's, which promises no more than that codes are text: what they look like is
 * theirs to change.
 */
export function isCode(text: string): boolean {
  return code_pattern.test(text)
}

/**
 * Exchanges the code that a payer's WeChat brought for his openid, once, within 5 s. Never throws: whatever goes wrong is
 * an answer, and neither secret nor code stands in it.
 */
export async function fetchOpenid(
  { dispatcher, origins, limit_ms = answer_limit_ms }: OpenidAsker,
  { appid, secret, code }: CodeExchange,
): Promise<OpenidAnswer> {
  if (!isCode(code)) return { kind: 'spent', errcode: 40029 }
  const query = new URLSearchParams({ appid, secret, code, grant_type: 'authorization_code' })
  const request = {
    origin: origins.exchange,
    method: 'GET',
    path: `/sns/oauth2/access_token?${query.toString()}`,
    headers: { accept: 'application/json' },
    body: null,
  } as const
  try {
    const { status, body } = await exchange(dispatcher, request, limit_ms)
    return status === 200 ? readAnswer(body.toString('utf8')) : { kind: 'unavailable', errcode: null }
  } catch (error) {
    if (error instanceof ConnectionError) return { kind: 'unavailable', errcode: null }
    throw error
  }
}

/** Reads the answer, which WeChat calls text: JSON with an openid, or with `errcode`. */
function readAnswer(text: string): OpenidAnswer {
  const answer = parsed(text)
  const { openid, errcode, is_snapshotuser } = answer ?? {}
  if (typeof errcode === 'number' && errcode !== 0) return failedAnswer(errcode)
  if (typeof openid !== 'string' || !openid_pattern.test(openid)) return { kind: 'unavailable', errcode: null }
  return is_snapshotuser === 1 ? { kind: 'visitor' } : { kind: 'openid', openid }
}

function failedAnswer(errcode: number): OpenidAnswer {
  if (spent_codes.includes(errcode)) return { kind: 'spent', errcode }
  return errcode in setup_remedies ? { kind: 'setup', errcode } : { kind: 'unavailable', errcode }
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
