/** How a fulfilment endpoint's answer was read. `null`: not an answer, so the event is sent again. */
export type FulfilmentAnswer = { result: 'fulfilled' | 'pending' | 'refused'; reason: string | null } | null

/**
 * Status says heard, body says decided (api.md §7). `body` is all that came; null is one too long to be read, which is
 * no answer, since it might refuse.
 */
export function readFulfilmentAnswer(status: number, body: string | null): FulfilmentAnswer {
  if (!isHeard(status) || body === null) return null
  const stated = statedAnswer(body)
  if (stated) return stated
  return { result: status === 202 ? 'pending' : 'fulfilled', reason: null }
}

/** Whether an endpoint has taken an event: of a notice nothing more is asked. */
export function isHeard(status: number): boolean {
  return status >= 200 && status <= 299
}

/** Whether an answer says in so many words that the merchant has fulfilled. */
export function isStatedFulfilled(body: string | null): boolean {
  return body !== null && statedAnswer(body)?.result === 'fulfilled'
}

function statedAnswer(body: string): FulfilmentAnswer {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return null // an "ok" or an HTML page decides nothing: the status does
  }
  if (typeof parsed !== 'object' || parsed === null || !('fulfilment' in parsed)) return null
  const { fulfilment } = parsed
  if (fulfilment !== 'fulfilled' && fulfilment !== 'pending' && fulfilment !== 'refused') return null
  const reason = 'reason' in parsed && typeof parsed.reason === 'string' ? parsed.reason.slice(0, 200) : null
  return { result: fulfilment, reason }
}
