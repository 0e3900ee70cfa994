import { lookup, promises } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { bulkhead } from 'cockatiel'
import { isPublicAddress } from '../../runtime/address.ts'

/** An address that a merchant's URL may not lead to: this machine, this network, the cloud's metadata. */
export class ForbiddenAddress extends Error {}

/** The two ways to learn a name's addresses; each rejects, or answers none, for a name that has none. */
export interface NameResolvers {
  /** asks name servers itself */
  ask: (hostname: string) => Promise<LookupAddress[]>
  /** asks as every program of this machine does, `/etc/hosts` first; Node does so for two names at a time */
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
export function createPublicLookup({ ask, askSystem }: NameResolvers = resolvers): LookupFunction {
  const system = bulkhead(most_at_once, most_waiting)

  async function addressesOf(hostname: string): Promise<LookupAddress[]> {
    const found = await ask(hostname).catch(() => [])
    return found.length > 0 ? found : await system.execute(() => askSystem(hostname)).catch(() => [])
  }

  return (hostname, { all, family }, callback) => {
    const wanted = family === 4 || family === 'IPv4' ? [4] : family === 6 || family === 'IPv6' ? [6] : [4, 6]
    void addressesOf(hostname).then((addresses) => {
      const usable = addresses.filter((one) => wanted.includes(one.family))
      const [first] = usable
      if (first === undefined || addresses.some(({ address }) => !isPublicAddress(address)))
        return callback(new ForbiddenAddress('the name has no public address'), '', 0)
      if (all) return callback(null, usable)
      return callback(null, first.address, first.family)
    })
  }
}

/** A silent name server is given up within three seconds, and the connection has five in all. */
const resolver = new promises.Resolver({ timeout: 1_000, tries: 2 })

const resolvers: NameResolvers = {
  async ask(hostname) {
    const of = (family: 4 | 6, asked: Promise<string[]>) =>
      asked.then((found) => found.map((address) => ({ address, family }))).catch(() => [])
    return (await Promise.all([of(4, resolver.resolve4(hostname)), of(6, resolver.resolve6(hostname))])).flat()
  },
  askSystem: (hostname) =>
    new Promise((resolve, reject) =>
      lookup(hostname, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error))),
    ),
}
