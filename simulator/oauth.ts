import { openidOf } from './openid.ts'
import { randomLetters } from './random.ts'
import type { SimulatedApp } from './records.ts'
import type { SimulatorState } from './state.ts'

const code_life_ms = 300_000
const codes_kept = 10_000

/** The mistakes that WeChat shows the payer in place of going back to the merchant, by its numbers. */
const page_errors = {
  outside: { errcode: null, text: '请在微信客户端打开链接' },
  no_appid: { errcode: 10012, text: 'appid不能为空' },
  wrong_appid: { errcode: 40013, text: 'AppID 参数错误' },
  other_kind: { errcode: 10016, text: '不支持微信开放平台的Appid，请使用公众号Appid' },
  no_address: { errcode: 10011, text: 'redirect_uri不能为空' },
  other_domain: { errcode: 10003, text: 'redirect_uri域名与后台配置不一致' },
  no_scope: { errcode: 10010, text: 'scope不能为空' },
  other_scope: { errcode: 10005, text: '此公众号并没有这些scope的权限' },
  response_type: { errcode: null, text: 'response_type 参数错误' },
} as const satisfies Record<string, { errcode: number | null; text: string }>

export type AuthorizeError = (typeof page_errors)[keyof typeof page_errors]

/** What the payer's WeChat does when it is sent to the authorise page. */
export type AuthorizeOutcome = { kind: 'redirect'; url: string } | { kind: 'error'; error: AuthorizeError }

/** The errors of `api.weixin.qq.com`, all answered with status 200. */
const call_errors = {
  grant_type: { errcode: 40002, errmsg: 'invalid grant_type' },
  appid: { errcode: 40013, errmsg: 'invalid appid' },
  code: { errcode: 40029, errmsg: 'invalid code' },
  secret: { errcode: 40125, errmsg: 'invalid appsecret' },
  used: { errcode: 40163, errmsg: 'code been used' },
  no_appid: { errcode: 41002, errmsg: 'appid missing' },
  no_secret: { errcode: 41004, errmsg: 'appsecret missing' },
  no_code: { errcode: 41008, errmsg: 'missing code' },
  unauthorized: { errcode: 48001, errmsg: 'api unauthorized' },
} as const satisfies Record<string, { errcode: number; errmsg: string }>

/** A code that leads to the openid of one payer at one appid. */
interface AuthorizationCode {
  appid: string
  payer: string
  expire_time: number
  is_used: boolean
}

/**
 * WebAuthorization (网页授权) tells an official account who is reading its page: the payer's WeChat is sent to
 * `open.weixin.qq.com`, comes back with a code, and the account exchanges that for the openid. Of scopes it knows
 * `snsapi_base`, which shows the payer nothing. Codes are in memory only: a restart ends them as time would.
 */
export class WebAuthorization {
  readonly #state: SimulatorState
  readonly #now: () => number
  readonly #codes = new Map<string, AuthorizationCode>()

  constructor(state: SimulatorState, now: () => number) {
    this.#state = state
    this.#now = now
  }

  /** `GET /connect/oauth2/authorize`: where this payer's WeChat goes next, or what it shows instead. */
  authorize(search: URLSearchParams, payer: string, isInWeChat: boolean): AuthorizeOutcome {
    const mistake = this.#mistakeOf(search, isInWeChat)
    if (mistake !== null) return { kind: 'error', error: page_errors[mistake] }
    const code = randomLetters(32)
    const appid = search.get('appid') ?? ''
    this.#codes.set(code, { appid, payer, expire_time: this.#now() + code_life_ms, is_used: false })
    if (this.#codes.size > codes_kept) this.#codes.delete(this.#codes.keys().next().value ?? '')
    const url = new URL(search.get('redirect_uri') ?? '')
    url.searchParams.set('code', code)
    url.searchParams.set('state', search.get('state') ?? '')
    return { kind: 'redirect', url: url.href }
  }

  /** `GET /sns/oauth2/access_token`: the openid for a code, once. */
  exchange(search: URLSearchParams): object {
    const appid = search.get('appid')
    const secret = search.get('secret')
    const code = search.get('code')
    if (!appid) return errorBody('no_appid')
    if (!secret) return errorBody('no_secret')
    if (!code) return errorBody('no_code')
    if (search.get('grant_type') !== 'authorization_code') return errorBody('grant_type')
    const app = this.#findApp(appid)
    if (app === null) return errorBody('appid')
    if (app.secret !== secret) return errorBody('secret')
    const found = this.#codes.get(code)
    if (found?.appid !== appid || found.expire_time <= this.#now()) return errorBody('code')
    if (found.is_used) return errorBody('used')
    this.#codes.set(code, { ...found, is_used: true })
    return {
      access_token: `${randomLetters(2)}_${randomLetters(86)}`,
      expires_in: 7200,
      refresh_token: `${randomLetters(2)}_${randomLetters(86)}`,
      openid: openidOf(appid, found.payer),
      scope: 'snsapi_base',
    }
  }

  /** `GET /sns/userinfo`: what `snsapi_base` does not allow. */
  userinfo(): object {
    return errorBody('unauthorized')
  }

  #mistakeOf(search: URLSearchParams, isInWeChat: boolean): keyof typeof page_errors | null {
    const appid = search.get('appid')
    const address = search.get('redirect_uri')
    const scope = search.get('scope')
    if (!isInWeChat) return 'outside'
    if (!appid) return 'no_appid'
    if (!address) return 'no_address'
    if (!scope) return 'no_scope'
    if (search.get('response_type') !== 'code') return 'response_type'
    const app = this.#findApp(appid)
    if (app === null) return 'wrong_appid'
    if (app.kind !== 'official_account') return 'other_kind'
    if (app.oauth_domain === null || domainOf(address) !== app.oauth_domain) return 'other_domain'
    return scope === 'snsapi_base' ? null : 'other_scope'
  }

  #findApp(appid: string): SimulatedApp | null {
    for (const { apps } of this.#state.merchants.values()) {
      const app = apps.find((one) => one.appid === appid)
      if (app !== undefined) return app
    }
    return null
  }
}

/** The domain of a web address, as consoles have it; null of anything else. */
export function domainOf(address: string): string | null {
  if (!URL.canParse(address)) return null
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || protocol === 'http:' ? hostname : null
}

/** As real ones do, each error ends with an id of the request. */
function errorBody(name: keyof typeof call_errors): object {
  const { errcode, errmsg } = call_errors[name]
  const [first, second, third] = [randomHex(), randomHex(), randomHex()]
  return { errcode, errmsg: `${errmsg}, rid: ${first}-${second}-${third}` }
}

function randomHex(): string {
  return Math.floor(Math.random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}
