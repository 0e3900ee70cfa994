import { limits } from '../../domain/policy.ts'

/** A slot that was taken and is given back with its end, or when to come again for one. */
export type DeliveryTurn = { end: (was_heard: boolean) => void } | { wait_ms: number }

/**
 * Keeps one merchant's slow endpoint from holding up the others, whether by its calls or by all that wait to make one:
 * who is refused gets a moment of its own, as many per second as the endpoint has lately taken. One per worker process,
 * in memory: protection, no promise.
 */
export interface DeliveryPace {
  /** Whether nobody gets a slot now; asking gives no moment away. */
  isBusy(mchid: string, endpoint_id: string): boolean
  takeSlot(mchid: string, endpoint_id: string): DeliveryTurn
}

/** No one waits less, and the jitter that keeps those who wait apart. */
export const shortest_wait_ms = 500

/** After this many failures in a row an endpoint is left alone for a moment, however many events wait for it. */
const failures_in_row = 10
const left_alone_ms = 5_000
/** how long a call takes at an endpoint of which nothing is known yet */
const usual_call_ms = 100

interface EndpointPace {
  failures: number
  /** Unix ms until which it is left alone */
  until: number
  /** how long its calls have lately taken */
  call_ms: number
  /** Unix ms of the next moment that nobody was given yet */
  next_turn: number
}

/** `longest_ms`: nobody is sent away for longer. */
export function createPace(now: () => number, longest_ms: number): DeliveryPace {
  const under_way = new Map<string, number>()
  const endpoints = new Map<string, EndpointPace>()

  function endpointOf(id: string): EndpointPace {
    const known = endpoints.get(id)
    if (known) return known
    const fresh = { failures: 0, until: 0, call_ms: usual_call_ms, next_turn: 0 }
    endpoints.set(id, fresh)
    return fresh
  }

  function releaseSlot(mchid: string, endpoint: EndpointPace, began: number, was_heard: boolean): void {
    const slots = (under_way.get(mchid) ?? 1) - 1
    if (slots > 0) under_way.set(mchid, slots)
    else under_way.delete(mchid)
    endpoint.call_ms = (endpoint.call_ms + (now() - began)) / 2
    // It answers again: whoever comes now need not line up behind those who were sent away while it did not.
    if (was_heard && endpoint.failures >= failures_in_row) endpoint.next_turn = 0
    endpoint.failures = was_heard ? 0 : endpoint.failures + 1
    const is_left_alone = endpoint.failures > 0 && endpoint.failures % failures_in_row === 0
    endpoint.until = is_left_alone ? now() + left_alone_ms : 0
  }

  function isBusy(mchid: string, endpoint_id: string): boolean {
    const slots = under_way.get(mchid) ?? 0
    return slots >= limits.deliveries_at_once_per_merchant || endpointOf(endpoint_id).until > now()
  }

  return {
    isBusy,
    takeSlot(mchid, endpoint_id) {
      const endpoint = endpointOf(endpoint_id)
      if (isBusy(mchid, endpoint_id)) return { wait_ms: nextTurn(endpoint, now(), longest_ms) }
      under_way.set(mchid, (under_way.get(mchid) ?? 0) + 1)
      const began = now()
      return { end: (was_heard) => releaseSlot(mchid, endpoint, began, was_heard) }
    },
  }
}

function nextTurn(endpoint: EndpointPace, now: number, longest_ms: number): number {
  const turn = Math.max(endpoint.next_turn, endpoint.until, now)
  const gap_ms = endpoint.call_ms / limits.deliveries_at_once_per_merchant
  const is_failing = endpoint.failures >= failures_in_row
  endpoint.next_turn = Math.min(
    turn + (is_failing ? Math.max(gap_ms, left_alone_ms / failures_in_row) : gap_ms),
    now + longest_ms,
  )
  return boundedWait(turn - now, longest_ms)
}

/** `wait_ms` within half a second and `longest_ms`, and not the same for all who are told it. */
export function boundedWait(wait_ms: number, longest_ms: number): number {
  const jitter = Math.random()
  return Math.max(shortest_wait_ms * (1 + jitter / 2), Math.min(wait_ms, longest_ms * (0.75 + jitter / 4)))
}
