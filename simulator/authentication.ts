import type { IncomingHttpHeaders } from 'node:http'
import { parseAuthorization, requestMessage, verify } from '../wechat/signature.ts'
import type { Authorization } from '../wechat/signature.ts'
import type { WeChatKeys } from './keys.ts'
import type { Merchant } from './records.ts'
import { CallRefusal } from './refusal.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'

const window_s = 300

const messages = {
  headers_missing: 'Http头缺少Accept或User-Agent',
  malformed: 'Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》',
  malformed_on_orders: '签名信息错误，验签失败',
  other_scheme: 'HTTP头Authorization认证类型不正确',
  clock: 'Http头Authorization中的timestamp与发起请求的时间不得超过5分钟',
  unknown_serial: '商户证书序列号有误。请使用签名私钥匹配的证书序列号',
  no_certificate: '商户未申请过证书。',
  expired: '商户证书已过期',
  revoked: '商户证书已作废',
  replaced: '已更换证书，请使用新证书',
  no_apiv3_key: '商户未设置APIv3密钥。',
  replay: 'Http头Authorization中的nonce_str重复',
} as const

/** A call as it came off the wire. */
export interface ReceivedCall {
  method: string
  /** path and query exactly as sent */
  url: string
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export const isOrderPath = (path: string): boolean => path.startsWith('/v3/pay/transactions/')
const isRefundPath = (path: string): boolean => path.startsWith('/v3/refund/')
const hasHeaderCheck = (path: string): boolean => path.startsWith('/v3/certificates') || isRefundPath(path)

/**
 * The status of MCH_NOT_EXISTS for a mchid that is not registered: another on orders than on refunds
 * (docs/wechat-pay.md §2.4). null on other paths, which answer SIGN_ERROR.
 */
function unknownMerchantStatus(path: string): number | null {
  if (isOrderPath(path)) return 400
  return isRefundPath(path) ? 404 : null
}

/**
 * Asserts Accept and User-Agent on the paths that require them, before the signature is looked at. Throws CallRefusal.
 */
export function assertHeaders(call: Pick<ReceivedCall, 'path' | 'headers'>): void {
  if (!hasHeaderCheck(call.path)) return
  if (call.headers['user-agent'] && call.headers.accept) return
  throw new CallRefusal('INVALID_REQUEST', { message: messages.headers_missing })
}

/** Authentication decides who calls, in the order of the real server's checks (docs/wechat-pay.md §1.3). */
export class Authentication {
  readonly #state: SimulatorState
  readonly #keys: WeChatKeys
  readonly #settings: SimulatorSettings
  readonly #now: () => number
  readonly #nonces = new Map<string, number>()

  constructor(state: SimulatorState, keys: WeChatKeys, settings: SimulatorSettings, now: () => number) {
    this.#state = state
    this.#keys = keys
    this.#settings = settings
    this.#now = now
  }

  /** Returns the merchant that signed the call. Throws the CallRefusal that WeChat Pay would answer. */
  authenticate(call: ReceivedCall): Merchant {
    const authorization = this.#readAuthorization(call)
    if (Math.abs(this.#now() / 1000 - Number(authorization.timestamp)) > window_s)
      throw unauthorizedRefusal(messages.clock)
    const merchant = this.#findMerchant(authorization, call)
    const message = requestMessage({
      method: call.method,
      url: call.url,
      timestamp: authorization.timestamp,
      nonce_str: authorization.nonce_str,
      body: call.body,
    })
    const publicKey = this.#keys.publicKey(merchant.public_key ?? '')
    if (!verify(message, authorization.signature, publicKey)) throw wrongSignatureRefusal(call, authorization, message)
    if (this.#settings.nonce_replay === 'refuse') this.#assertFresh(authorization)
    return merchant
  }

  #readAuthorization(call: ReceivedCall): Authorization {
    const header = call.headers.authorization ?? ''
    const outcome = parseAuthorization(header)
    if (outcome.kind === 'read') return outcome.authorization
    const bearer = /^bearer\b/i.test(header)
    if (isOrderPath(call.path) && (outcome.kind === 'malformed' || bearer)) {
      throw unauthorizedRefusal(messages.malformed_on_orders)
    }
    throw unauthorizedRefusal(outcome.kind === 'other_scheme' ? messages.other_scheme : messages.malformed)
  }

  #findMerchant(authorization: Authorization, call: ReceivedCall): Merchant {
    const merchant = this.#state.merchants.get(authorization.mchid)
    if (merchant === undefined) {
      const status = unknownMerchantStatus(call.path)
      if (status !== null && this.#settings.unknown_merchant === 'MCH_NOT_EXISTS') {
        throw new CallRefusal('MCH_NOT_EXISTS', { status })
      }
      throw unauthorizedRefusal(messages.unknown_serial)
    }
    if (merchant.serial_no === null || merchant.public_key === null) throw unauthorizedRefusal(messages.no_certificate)
    if (merchant.replaced_serials.includes(authorization.serial_no)) throw unauthorizedRefusal(messages.replaced)
    if (merchant.serial_no !== authorization.serial_no) throw unauthorizedRefusal(messages.unknown_serial)
    if (merchant.certificate_state !== 'valid') throw unauthorizedRefusal(messages[merchant.certificate_state])
    if (merchant.apiv3_key === null && !isOrderPath(call.path)) throw unauthorizedRefusal(messages.no_apiv3_key)
    return merchant
  }

  /** Refuses a nonce that was used before. Nonces are remembered for as long as their timestamp would pass. */
  #assertFresh(authorization: Authorization): void {
    const now = this.#now()
    for (const [nonce, time] of this.#nonces) {
      if (now - time <= 2 * window_s * 1000) break
      this.#nonces.delete(nonce)
    }
    const nonce = `${authorization.mchid}/${authorization.nonce_str}`
    if (this.#nonces.has(nonce)) throw unauthorizedRefusal(messages.replay)
    this.#nonces.set(nonce, now)
  }
}

function unauthorizedRefusal(message: string): CallRefusal {
  return new CallRefusal('SIGN_ERROR', { message })
}

/** Shows the text that the server verified against, the body cut: the one help a merchant gets with a signature. */
function wrongSignatureRefusal(call: ReceivedCall, authorization: Authorization, message: Buffer): CallRefusal {
  const shownBody = call.body.toString('utf8').slice(0, 32)
  const shown = [call.method, call.url, authorization.timestamp, authorization.nonce_str, shownBody, '']
  return new CallRefusal('SIGN_ERROR', {
    detail: {
      field: 'signature',
      location: 'authorization',
      issue: 'sign not match',
      sign_information: {
        method: call.method,
        url: call.url,
        truncated_sign_message: shown.join('\n'),
        sign_message_length: message.length,
      },
    },
  })
}
