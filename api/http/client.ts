import type { IncomingMessage } from 'node:http'
import { plainAddress } from '../../runtime/address.ts'
import type { Networks } from '../../runtime/address.ts'

/** Who brought a request here, and for whom he says that he did. */
export interface RequestOrigin {
  /** the other end of the connection */
  peer: string | undefined
  x_forwarded_for: string | undefined
  forwarded: string | undefined
}

/** Proxies in a row that a request may have come through; nobody has as many. */
const most_hops = 16

/**
 * The address that a request comes from: the nearest one that is no proxy of ours. Every proxy adds whom it was asked by
 * at the end, and whatever stands before that was written by somebody else, so the lists are walked from the end and
 * never past an address that nobody has named as a trusted proxy. Null: not known. A proxy may pass on what it does not
 * write itself, so that two lists which lead to two addresses are believed neither.
 */
export function clientAddress({ peer, x_forwarded_for, forwarded }: RequestOrigin, trusted: Networks): string | null {
  const nearest = peer === undefined ? null : plainAddress(peer)
  if (nearest === null || !trusted.includes(nearest)) return nearest
  const lists = [x_forwarded_for && x_forwarded_for.split(','), forwarded && forwardedFor(forwarded)]
  const found = lists.flatMap((list) => (list ? [lastUntrusted(list, nearest, trusted)] : []))
  const [first = nearest, second = first] = found
  return first === second ? first : null
}

/** As `clientAddress`, of a request as Node has it. Headers of one name that came twice are one list, in their order. */
export function requestClient({ socket, headers }: IncomingMessage, trusted: Networks): string | null {
  const text = (given: string | string[] | undefined) => (Array.isArray(given) ? given.join(',') : given)
  return clientAddress(
    {
      peer: socket.remoteAddress,
      x_forwarded_for: text(headers['x-forwarded-for']),
      forwarded: text(headers['forwarded']),
    },
    trusted,
  )
}

/** Null: the walk leads to something that is no address, or is longer than any way here. */
function lastUntrusted(list: readonly string[], nearest: string, trusted: Networks): string | null {
  let address = nearest
  for (const [hop, text] of list.toReversed().entries()) {
    if (!trusted.includes(address)) break
    const next = hop < most_hops ? plainAddress(withoutPort(text.trim())) : null
    if (next === null) return null
    address = next
  }
  return address
}

/** `192.0.2.7:4711` and `[2001:db8::7]:4711` as some proxies write them; IPv6 without brackets has no port. */
function withoutPort(text: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? []
  return bracketed ?? text.replace(/^([\d.]+):\d+$/, '$1')
}

/** The `for=` of each part of RFC 7239's header; a part without one is no address. */
function forwardedFor(header: string): string[] {
  return header.split(',').map((part) => /(?:^|;)\s*for=(?:"([^"]*)"|([^;"\s]*))/i.exec(part)?.slice(1).join('') ?? '')
}
