import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the shop reads of Weft's answers; there is more in them. */
interface ShopEndpoint {
  id: string
  url: string
  role: string
  secret?: string
}

/** Weft said no, and saying the same again would not help. */
export class WeftRefused extends Error {
  override readonly name = 'WeftRefused'
  readonly status: number

  constructor(status: number, problem: { code?: string; detail?: string; remedy?: string }) {
    super(`${problem.code ?? status}: ${problem.detail ?? ''} ${problem.remedy ?? ''}`.trim())
    this.status = status
  }
}

const tries = 4
const between_tries_ms = 500
const patience_ms = 12_000

/** Weft over HTTP, as any merchant's backend would speak to it. */
export class Weft {
  readonly #url: string
  readonly #key: string

  constructor({ url, key }: { url: string; key: string }) {
    this.#url = url.replace(/\/+$/, '')
    this.#key = key
  }

  /** Starts a sale, or finds it: the same number and body may be sent as often as need be. */
  async createSale(kind: 'order' | 'checkout', sale: object): Promise<{ checkout_url: string; state: string }> {
    return this.#send('POST', `/v1/${kind}s`, sale)
  }

  /** The late answer to an `order.paid` that was answered with `pending`. */
  async confirmFulfilment(out_trade_no: string, answer: { result: string; reason?: string }): Promise<unknown> {
    return this.#send('POST', `/v1/orders/${encodeURIComponent(out_trade_no)}/fulfilment`, answer)
  }

  /** Gives money back, or finds that it is on its way: the same number and body may be sent as often as need be. */
  async createRefund(refund: object): Promise<{ state: string }> {
    return this.#send('POST', '/v1/refunds', refund)
  }

  /**
   * Makes `url` the fulfilment endpoint of this merchant and answers its secret. Weft shows a secret once, so it is
   * kept in `data_dir`; an endpoint whose secret is lost, or that an earlier run had elsewhere, is replaced.
   */
  async registerEndpoint(url: string, data_dir: string | null): Promise<string> {
    const path = data_dir && join(data_dir, 'endpoint.json')
    const kept = path && existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ShopEndpoint) : null
    const { data } = await this.#send<{ data: ShopEndpoint[] }>('GET', '/v1/endpoints')
    const known = data.find(({ id, url: known_url }) => id === kept?.id && known_url === url)
    if (known && kept?.secret) return kept.secret
    for (const { id } of data.filter(({ role }) => role === 'fulfilment')) {
      await this.#send('DELETE', `/v1/endpoints/${id}`)
    }
    const made = await this.#send<ShopEndpoint>('POST', '/v1/endpoints', {
      url,
      role: 'fulfilment',
      description: 'demo tea shop',
    })
    if (!made.secret) throw new Error(`the endpoint ${url} exists already and its secret is not known here`)
    if (path && data_dir) {
      mkdirSync(data_dir, { recursive: true })
      writeFileSync(path, JSON.stringify({ id: made.id, url, role: made.role, secret: made.secret }), { mode: 0o600 })
    }
    return made.secret
  }

  /** Silence and 5xx say nothing of what happened: the identical request goes out again. */
  async #send<T>(method: string, path: string, body?: object): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#sendOnce<T>(method, path, body)
      } catch (error) {
        if (error instanceof WeftRefused || attempt === tries) throw error
        await new Promise((resolve) => setTimeout(resolve, between_tries_ms * attempt))
      }
    }
  }

  async #sendOnce<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      signal: AbortSignal.timeout(patience_ms),
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    if (response.ok) return (text === '' ? {} : JSON.parse(text)) as T
    if (response.status >= 500 || response.status === 429) throw new Error(`Weft answered ${response.status}`)
    throw new WeftRefused(response.status, JSON.parse(text) as object)
  }
}
