import { randomBytes } from 'node:crypto'
import Koa from 'koa'
import type { Context } from 'koa'
import type { RouterContext } from '@koa/router'
import { describe, expect, it } from 'vitest'
import { pageCookies } from '../../../api/checkout/cookie.ts'
import type { PageCookies } from '../../../api/checkout/cookie.ts'
import { createSealer } from '../../../store/sealer.ts'

const appid = 'wx0000000000000001'
const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const sealer = createSealer({ keys: [{ id: 'a', key: randomBytes(32).toString('base64') }] })
const clock = { now_ms: Date.parse('2026-11-29T12:00:00+08:00') }

/** One request of a browser that has `jar`: what `use` does with the page's cookies, and what the browser keeps of it. */
function visit<T>(
  use: (cookies: PageCookies) => T,
  given: { jar?: Record<string, string>; token?: string; public_url?: string } = {},
) {
  const { jar = {}, token = 'token-of-this-page', public_url = 'https://pay.example.cn/weft' } = given
  const app = new Koa()
  const headers: Record<string, string | string[]> = {}
  const cookie = Object.entries(jar).map(([name, text]) => `${name}=${text}`)
  const req = { headers: { cookie: cookie.join('; ') }, socket: {} }
  const res = {
    getHeader: (name: string) => headers[name.toLowerCase()],
    setHeader: (name: string, value: string | string[]) => void (headers[name.toLowerCase()] = value),
  }
  const ctx = app.createContext(req as unknown as Context['req'], res as unknown as Context['res'])
  const context = { config: { public_url }, store: { sealer }, now: () => clock.now_ms }
  const answer = use(pageCookies(context, ctx as unknown as RouterContext, token))
  const set = [headers['set-cookie'] ?? []].flat()
  const kept = { ...jar }
  for (const line of set) {
    const [, name = '', text = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (text === '') delete kept[name]
    else kept[name] = text
  }
  return { answer, set, jar: kept }
}

describe('the openid that a page keeps', () => {
  const kept = visit((cookies) => cookies.keepOpenid(appid, openid))

  it('is there for this page and this appid', () => {
    expect(visit((cookies) => cookies.openid(appid), { jar: kept.jar }).answer).toBe(openid)
    expect(visit((cookies) => cookies.openid('wx0000000000000002'), { jar: kept.jar }).answer).toBeNull()
    expect(visit((cookies) => cookies.openid(appid), { jar: kept.jar, token: 'another-page' }).answer).toBeNull()
  })

  it('cannot be read, is seen by no script, and goes nowhere but to its page', () => {
    expect(kept.set).toHaveLength(1)
    expect(kept.set[0]).toMatch(/; path=\/weft\/pay\/token-of-this-page; .*secure; httponly/i)
    expect(kept.set[0]).toMatch(/samesite=lax/i)
    const text = kept.jar['weft_payer'] ?? ''
    expect(Buffer.from(text, 'base64url').toString()).not.toContain(openid)
  })

  it('is kept without https too, where an installation has none', () => {
    const { set } = visit((cookies) => cookies.keepOpenid(appid, openid), { public_url: 'http://localhost:7700' })
    expect(set[0]).not.toMatch(/secure/i)
    expect(set[0]).toMatch(/path=\/pay\/token-of-this-page;/)
  })

  it('is gone after ten minutes', () => {
    clock.now_ms += 10 * 60_000
    expect(visit((cookies) => cookies.openid(appid), { jar: kept.jar }).answer).toBeNull()
    clock.now_ms -= 10 * 60_000
  })

  it.each(['', 'e30', 'bm9uc2Vuc2U', 'eyJzZWFsZWQiOiJBQUFBIiwia2V5X2lkIjoiYSJ9'])('is not "%s"', (text) => {
    expect(visit((cookies) => cookies.openid(appid), { jar: { weft_payer: text } }).answer).toBeNull()
  })

  it('is not the other cookie under its name', () => {
    const errand = visit((cookies) => cookies.beginErrand({ appid, is_again: false, language: 'en' }))
    const jar = { weft_payer: errand.jar['weft_errand'] ?? '' }
    expect(visit((cookies) => cookies.openid(appid), { jar }).answer).toBeNull()
  })
})

describe('a payer’s errand to WeChat', () => {
  it('is ended by its own state, once, and knows whether it was the second', () => {
    const begun = visit((cookies) => cookies.beginErrand({ appid, is_again: true, language: 'en' }))
    expect(begun.answer).toMatch(/^[A-Za-z0-9]{32}$/)
    const other = visit((cookies) => cookies.endErrand('0'.repeat(32)), begun)
    expect(other.answer).toBeNull()
    const ended = visit((cookies) => cookies.endErrand(begun.answer), other)
    expect(ended.answer).toEqual({ appid, nonce: begun.answer, is_again: true, language: 'en' })
    expect(visit((cookies) => cookies.endErrand(begun.answer), ended).answer).toBeNull()
  })

  it('is nobody else’s: a link with a state leads a browser without the cookie nowhere', () => {
    const begun = visit((cookies) => cookies.beginErrand({ appid, is_again: false, language: 'en' }))
    expect(visit((cookies) => cookies.endErrand(begun.answer)).answer).toBeNull()
  })

  it('is over after five minutes', () => {
    const begun = visit((cookies) => cookies.beginErrand({ appid, is_again: false, language: 'en' }))
    clock.now_ms += 5 * 60_000
    expect(visit((cookies) => cookies.endErrand(begun.answer), begun).answer).toBeNull()
    clock.now_ms -= 5 * 60_000
  })
})

describe('the methods that were refused to a payer', () => {
  it('are kept for ten minutes, and none that there is not', () => {
    const kept = visit((cookies) => cookies.keepRefused(['JSAPI', 'PAYPAL' as 'MWEB']))
    expect(visit((cookies) => cookies.refused(), kept).answer).toEqual(['JSAPI'])
    expect(visit((cookies) => cookies.refused()).answer).toEqual([])
    clock.now_ms += 10 * 60_000
    expect(visit((cookies) => cookies.refused(), kept).answer).toEqual([])
    clock.now_ms -= 10 * 60_000
  })
})
