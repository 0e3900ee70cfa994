import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { RouterContext } from '@koa/router'
import { trade_types } from '../../domain/merchant/product.ts'
import type { TradeType } from '../../domain/merchant/product.ts'
import type { Sealed } from '../../domain/merchant/record.ts'
import type { Language } from '../http/language.ts'
import { sealPlace } from '../../store/sealer.ts'
import type { Sealer } from '../../store/sealer.ts'

/** What the cookies of a page need. */
export interface CookieContext {
  config: { public_url: string }
  store: { sealer: Pick<Sealer, 'seal' | 'open'> }
  /** Unix ms */
  now(): number
}

/** Errand is one way of a payer to WeChat and back, to say who he is. */
interface Errand {
  appid: string
  /** comes back with him as `state` */
  nonce: string
  /** the code of the errand before was spent: there is no third one */
  is_again: boolean
  language: Language
}

/** A code of WeChat's lives 5 min. */
export const errand_life_ms = 5 * 60_000
/** Long enough to look at the page and pay, twice; asking anew costs the payer nothing. */
const openid_life_ms = 10 * 60_000
/** As long as a payer may take to come back and pay in his phone's browser. */
const browser_life_ms = 24 * 60 * 60_000
/** As long as a payer is spared a way that WeChat has just refused. */
const refusal_life_ms = 10 * 60_000

/**
 * The cookies of a checkout page, sealed for its token: the errand that a payer is on, his openid of an appid, the name of
 * his browser, and the methods that were refused to him. None leaves this page's address, and no
 * script reads it. What does not open counts as not there.
 */
export function pageCookies(context: CookieContext, ctx: RouterContext, token: string) {
  const base = new URL(context.config.public_url)
  const path = `${base.pathname.replace(/\/$/, '')}/pay/${token}`
  const placeOf = (name: string) => sealPlace('cookies', token, name)

  function put(name: string, value: unknown, life_ms: number): void {
    const text = JSON.stringify({ value, end_ms: context.now() + life_ms })
    const sealed = Buffer.from(JSON.stringify(context.store.sealer.seal(text, placeOf(name)))).toString('base64url')
    setCookie(name, sealed, life_ms)
  }

  function setCookie(name: string, text: string, life_ms: number): void {
    const is_https = base.protocol === 'https:'
    ctx.cookies.secure = is_https // by how payers come, whatever a proxy speaks to us
    // Lax, not Strict: the payer comes back from WeChat's page, which is another site.
    const how = { path, maxAge: life_ms, httpOnly: true, sameSite: 'lax', secure: is_https } as const
    ctx.cookies.set(`weft_${name}`, text, { ...how, overwrite: true })
  }

  function read(name: string): unknown {
    const given = ctx.cookies.get(`weft_${name}`)
    if (given === undefined) return null
    try {
      const sealed = JSON.parse(Buffer.from(given, 'base64url').toString('utf8')) as Sealed
      const { value, end_ms } = JSON.parse(context.store.sealer.open(sealed, placeOf(name))) as {
        value: unknown
        end_ms: number
      }
      return context.now() < end_ms ? value : null
    } catch {
      return null // altered, of another page or key, or nothing of ours
    }
  }

  return {
    /** The openid that this payer has under `appid`; null: not known, or no longer. */
    openid(appid: string): string | null {
      const kept = read('payer') as { appid: string; openid: string } | null
      return kept?.appid === appid ? kept.openid : null
    },
    keepOpenid: (appid: string, openid: string) => put('payer', { appid, openid }, openid_life_ms),
    /** Begins an errand; answers its nonce. */
    beginErrand(errand: Omit<Errand, 'nonce'>): string {
      const nonce = randomBytes(16).toString('hex')
      put('errand', { ...errand, nonce } satisfies Errand, errand_life_ms)
      return nonce
    },
    /** The errand that `state` ends, which then is over; null: none of this browser's, or it was ended before. */
    endErrand(state: string): Errand | null {
      const errand = read('errand') as Errand | null
      if (errand === null || !isSame(errand.nonce, state)) return null
      setCookie('errand', '', 0)
      return errand
    },
    /** The name that was given to this browser; null: none, or no longer. */
    browser(): string | null {
      const kept = read('browser')
      return typeof kept === 'string' ? kept : null
    },
    keepBrowser: (name: string) => put('browser', name, browser_life_ms),
    refused(): TradeType[] {
      const kept = read('refused')
      return trade_types.filter((method) => Array.isArray(kept) && kept.includes(method))
    },
    keepRefused: (methods: readonly TradeType[]) => put('refused', methods, refusal_life_ms),
  }
}

export type PageCookies = ReturnType<typeof pageCookies>

function isSame(kept: string, given: string): boolean {
  const [a, b] = [Buffer.from(kept), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}
