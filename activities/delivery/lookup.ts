import { lookup, promises } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { bulkhead } from 'cockatiel'
import { isPublicAddress } from '../../runtime/address.ts'

/** An address that a merchant's URL may not lead to: this machine, this network, the cloud's metadata. */
export class ForbiddenAddress extends Error {}

/** Nobody has said whether there is such a name: the name servers are away, or too many other names wait for them. */
export class NameUnresolved extends Error {}

/** The two ways to learn a name's addresses; each rejects, or answers none, for a name that has none. */
export interface NameResolvers {
  /** asks name servers itself */
  ask: (hostname: string) => Promise<LookupAddress[]>
  /** asks as every program of this machine does, `/etc/hosts` first; Node does so for two names at a time. The last word */
  askSystem: (hostname: string) => Promise<LookupAddress[]>
}

/**
 * Node asks the system for two names at a time, and waits ten seconds and more where a name server is silent: eight such
 * names kept all others, WeChat Pay's too, waiting for 40 s. So merchants' names, of which anybody may own the name server,
 * are asked for by Node itself, and by the system's way one at a time.
 */
const most_at_once = 1
const most_waiting = 64

/**
 * Makes a look-up that resolves a name to public addresses only. One answer for a name that does not exist and for one
 * that leads inside, since the merchant reads it: it must not tell which names there are in this network.
 */
export function createPublicLookup({ ask, askSystem }: NameResolvers = createNameResolvers()): LookupFunction {
  const system = bulkhead(most_at_once, most_waiting)

  /** Null: nobody has said whether there is such a name. */
  async function addressesOf(hostname: string): Promise<LookupAddress[] | null> {
    const found = await ask(hostname).catch(() => [])
    if (found.length > 0) return found
    return await system.execute(() => askSystem(hostname)).catch((error: unknown) => (isNoName(error) ? [] : null))
  }

  return (hostname, { all, family }, callback) => {
    const wanted = family === 4 || family === 'IPv4' ? [4] : family === 6 || family === 'IPv6' ? [6] : [4, 6]
    void addressesOf(hostname).then((addresses) => {
      if (addresses === null) return callback(new NameUnresolved('names are not resolved just now'), '', 0)
      const usable = addresses.filter((one) => wanted.includes(one.family))
      const [first] = usable
      if (first === undefined || addresses.some(({ address }) => !isPublicAddress(address)))
        return callback(new ForbiddenAddress('the name has no public address'), '', 0)
      if (all) return callback(null, usable)
      return callback(null, first.address, first.family)
    })
  }
}

/** What the system says of a name that does not exist. */
function isNoName(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND'
}

interface AddressResolver {
  resolve4: (hostname: string) => Promise<string[]>
  resolve6: (hostname: string) => Promise<string[]>
}

/** A connection has five seconds in all, and the system is asked after this. */
const longest_ask_ms = 3_000

/**
 * Makes the two ways of this machine. `resolver` gives a silent name server up within three seconds; where there are
 * several it asks them one after the other, and is waited for no longer for that.
 */
export function createNameResolvers(
  resolver: AddressResolver = new promises.Resolver({ timeout: 1_000, tries: 2 }),
  longest_ms = longest_ask_ms,
): NameResolvers {
  async function foundInTime(family: 4 | 6, asked: Promise<string[]>): Promise<LookupAddress[]> {
    const answered = new AbortController()
    try {
      const found = await Promise.race([asked, wait(longest_ms, [], { signal: answered.signal })])
      return found.map((address) => ({ address, family }))
    } catch {
      return []
    } finally {
      answered.abort()
    }
  }

  return {
    async ask(hostname) {
      const asked = [foundInTime(4, resolver.resolve4(hostname)), foundInTime(6, resolver.resolve6(hostname))]
      return (await Promise.all(asked)).flat()
    },
    askSystem: (hostname) =>
      new Promise((resolve, reject) =>
        lookup(hostname, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error))),
      ),
  }
}
