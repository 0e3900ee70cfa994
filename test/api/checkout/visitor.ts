import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { Counter } from '../counter.ts'

export const payer_address = '203.0.114.7'

export const locationOf = (answer: Response) => answer.headers.get('location') ?? ''

/** Browsers that come to the counter’s pages, each with its own cookies, behind our proxy. */
export function browsersAt(counter: Pick<Counter, 'url'>) {
  return (agent: string, { address = payer_address, accept = 'application/json' } = {}) =>
    visitorOf(counter, agent, { address, accept })
}

function visitorOf(
  counter: Pick<Counter, 'url'>,
  agent: string,
  { address, accept }: { address: string; accept: string },
) {
  const jar = new Map<string, string>()
  const request = async (path: string, method = 'GET', headers: Record<string, string> = {}) => {
    const cookie = [...jar].map(([name, text]) => `${name}=${text}`).join('; ')
    const answer = await fetch(new URL(path, counter.url), {
      method,
      redirect: 'manual',
      headers: { 'user-agent': agent, 'x-forwarded-for': address, accept, cookie, ...headers },
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', text = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (text === '') jar.delete(name)
      else jar.set(name, text)
    }
    return answer
  }
  const json = async (path: string, method = 'GET') =>
    (await (await request(path, method)).json()) as Record<string, unknown>
  const pathOf = ({ token }: CheckoutRecord) => `/pay/${token}`
  return {
    jar,
    request,
    view: (checkout: CheckoutRecord) => json(`${pathOf(checkout)}/order`),
    pay: (checkout: CheckoutRecord) => json(`${pathOf(checkout)}/pay`, 'POST'),
    page: async (checkout: CheckoutRecord, query = '') => (await request(`${pathOf(checkout)}${query}`)).text(),
    /** To WeChat and back with this code: where the page is left in the end. */
    async errand(checkout: CheckoutRecord, errand_url: unknown, code = '071code') {
      const url = new URL(String(errand_url))
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      back.searchParams.set('code', code)
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      return { back, answer: await request(`${back.pathname}${back.search}`) }
    },
  }
}
