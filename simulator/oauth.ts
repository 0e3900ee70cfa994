import { randomBytes } from 'node:crypto'
import { errorBody } from './errcode.ts'
import type { IdentityOperation } from './errcode.ts'
import { openidOf } from './openid.ts'
import { randomLetters } from './random.ts'
import type { Merchant, SimulatedApp } from './records.ts'
import { ControlError } from './refusal.ts'
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

interface IdentityRule {
  kind: SimulatedApp['kind']
  /** the parameter that brings the code */
  code: string
  /** what stands in the answer beside the openid */
  extras: () => object
}

const identity_rules: Record<IdentityOperation, IdentityRule> = {
  access_token: {
    kind: 'official_account',
    code: 'code',
    extras: () => ({
      access_token: `${randomLetters(2)}_${randomLetters(86)}`,
      expires_in: 7200,
      refresh_token: `${randomLetters(2)}_${randomLetters(86)}`,
      scope: 'snsapi_base',
    }),
  },
  jscode2session: {
    kind: 'mini_program',
    code: 'js_code',
    extras: () => ({ session_key: randomBytes(16).toString('base64') }),
  },
}

/** A code that leads to the openid of one payer at one appid. */
interface AuthorizationCode {
  appid: string
  /** the call that takes it */
  operation: IdentityOperation
  payer: string
  expire_time: number
  is_used: boolean
}

/**
 * WebAuthorization (网页授权) tells an official account who is reading its page: the payer's WeChat is sent to
 * `open.weixin.qq.com`, comes back with a code, and the account exchanges that for the openid. Of scopes it knows
 * `snsapi_base`, which shows the payer nothing. A mini program has its code by `wx.login`. Codes are in memory only: a
 * restart ends them as time would.
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
    const code = this.#newCode('access_token', search.get('appid') ?? '', payer)
    const url = new URL(search.get('redirect_uri') ?? '')
    url.searchParams.set('code', code)
    url.searchParams.set('state', search.get('state') ?? '')
    return { kind: 'redirect', url: url.href }
  }

  /** What `wx.login` gives the mini program. Throws ControlError for an appid that is none. */
  login(appid: string, payer: string): string {
    if (this.#findApp(appid)?.kind !== 'mini_program')
      throw new ControlError(404, 'NOT_FOUND', `no mini program ${appid}`)
    return this.#newCode('jscode2session', appid, payer)
  }

  #newCode(operation: IdentityOperation, appid: string, payer: string): string {
    const code = randomLetters(32)
    this.#codes.set(code, { appid, operation, payer, expire_time: this.#now() + code_life_ms, is_used: false })
    if (this.#codes.size > codes_kept) this.#codes.delete(this.#codes.keys().next().value ?? '')
    return code
  }

  /** `GET /sns/oauth2/access_token` and `GET /sns/jscode2session`: the openid for a code, once. */
  exchange(operation: IdentityOperation, search: URLSearchParams): object {
    const { kind, code: name, extras } = identity_rules[operation]
    const appid = search.get('appid')
    const secret = search.get('secret')
    const code = search.get(name)
    if (!appid) return errorBody('41002')
    if (!secret) return errorBody('41004')
    if (!code) return errorBody('41008')
    if (search.get('grant_type') !== 'authorization_code') return errorBody('40002')
    const app = this.#findApp(appid)
    if (app?.kind !== kind) return errorBody('40013')
    if (app.secret !== secret) return errorBody('40125')
    const found = this.#codes.get(code)
    const is_alive = found !== undefined && found.expire_time > this.#now()
    if (!is_alive || found.appid !== appid || found.operation !== operation) return errorBody('40029')
    if (found.is_used) return errorBody('40163')
    this.#codes.set(code, { ...found, is_used: true })
    return { ...extras(), openid: openidOf(appid, found.payer) }
  }

  /** `GET /sns/userinfo`: what `snsapi_base` does not allow. */
  userinfo(): object {
    return errorBody('48001')
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
    return this.#merchantOf(appid)?.apps.find((one) => one.appid === appid) ?? null
  }

  /** The merchant whose app this is; null: nobody's. */
  mchidOf(appid: string): string | null {
    return this.#merchantOf(appid)?.mchid ?? null
  }

  #merchantOf(appid: string): Merchant | null {
    const merchants = [...this.#state.merchants.values()]
    return merchants.find(({ apps }) => apps.some((app) => app.appid === appid)) ?? null
  }
}

/** The domain of a web address, as consoles have it; null of anything else. */
export function domainOf(address: string): string | null {
  if (!URL.canParse(address)) return null
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || protocol === 'http:' ? hostname : null
}
