import { errcode_texts, errorBody } from './errcode.ts'
import type { Errcode, IdentityOperation } from './errcode.ts'
import { slow_ms } from './faults.ts'
import type { Faults, IdentityEffect } from './faults.ts'
import type { WebAuthorization } from './oauth.ts'
import type { CallResponse } from './response.ts'

const no_subject = { out_trade_no: null, out_refund_no: null }

/** What a gateway says in place of WeChat. */
const gateway_page = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>'

/**
 * IdentityApi is api.weixin.qq.com as far as it says who payers are, with all that may go wrong on the way. Its answers
 * are JSON and say `text/plain`.
 */
export class IdentityApi {
  readonly #oauth: WebAuthorization
  readonly #faults: Faults

  constructor(oauth: WebAuthorization, faults: Faults) {
    this.#oauth = oauth
    this.#faults = faults
  }

  /** Answers one call, of an app whose merchant decides which fault hits it. */
  async answer(operation: IdentityOperation, search: URLSearchParams): Promise<CallResponse> {
    const mchid = this.#oauth.mchidOf(search.get('appid') ?? '') ?? ''
    const effect = this.#faults.takeForIdentity(operation, mchid, no_subject)
    const broken = effect && brokenAnswer(effect)
    if (broken && !effect.acted) return broken
    const body = this.#oauth.exchange(operation, search)
    if (broken) return broken
    switch (effect?.kind) {
      case 'timeout_after':
        return { kind: 'hold' }
      case 'disconnect_after':
        return { kind: 'cut' }
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, effect.delay_ms ?? slow_ms))
        return textAnswer(body)
      case 'visitor':
        return textAnswer({ ...body, is_snapshotuser: 1 })
      default:
        return textAnswer(body)
    }
  }
}

/** What comes in place of an answer; null: the call is answered. */
function brokenAnswer({ kind, error }: IdentityEffect): CallResponse | null {
  if (kind === 'timeout_before') return { kind: 'hold' }
  if (kind === 'disconnect') return { kind: 'cut' }
  if (kind === 'html')
    return { kind: 'answer', status: 200, headers: { 'Content-Type': 'text/html' }, body: gateway_page }
  if (error === null) return null
  if (isErrcode(error.code)) return textAnswer(errorBody(error.code))
  return { kind: 'answer', status: error.status, headers: { 'Content-Type': 'text/html' }, body: gateway_page }
}

function isErrcode(code: string): code is Errcode {
  return Object.hasOwn(errcode_texts, code)
}

function textAnswer(body: object): CallResponse {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
  return { kind: 'answer', status: 200, headers, body: JSON.stringify(body) }
}
