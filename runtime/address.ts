import ipaddr from 'ipaddr.js'

/** All of IPv6 that may be given to anybody. What lies outside can still lead inside, as IPv4-compatible `::7f00:1` does. */
const given_out = ipaddr.IPv6.parseCIDR('2000::/3')

/** An address out of a given range that leads inside all the same: Azure gives each machine its host's services there. */
const azure_host = '168.63.129.16'

/** Names that mean this machine or this network, whatever a resolver says. */
const private_names = /(^|\.)(localhost|local|internal|lan|home\.arpa|localdomain)\.?$/i

/** Why events may not be sent to an address. */
export type UrlObjection =
  | 'it is not a URL'
  | 'it holds a user name or password'
  | 'it holds a fragment'
  | 'it is not https'
  | 'its address is private'

/**
 * Why events may not be sent to `text`, or null: they may. Looks at the address as written, when an endpoint is made and
 * again at every delivery; the courier then checks what a name resolves to. `allow_private` is for development: http and
 * every private address pass.
 */
export function urlObjection(text: string, allow_private: boolean): UrlObjection | null {
  if (!URL.canParse(text)) return 'it is not a URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'it holds a user name or password'
  if (url.hash !== '') return 'it holds a fragment'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'it is not https'
  if (allow_private) return null
  if (url.protocol !== 'https:') return 'it is not https'
  return isPublicHost(url.hostname) ? null : 'its address is private'
}

/**
 * An endpoint's URL in the one form that it is known by: a fragment, an empty one too, never goes over the wire, an empty
 * query asks for the same page, and a host's name is the same with the dot of the root behind it. So what differs in them
 * alone is no second endpoint.
 */
export function endpointUrl(text: string): string {
  const url = new URL(text)
  url.hash = ''
  if (url.search === '') url.search = '' // what is left of an empty one is a bare “?”
  url.hostname = url.hostname.replace(/\.$/, '')
  return url.href
}

/**
 * Why WeChat Pay would not notify `text`, or null (docs/wechat-pay.md §4.1). A host of letters, digits, `.` and `-`, with
 * or without a port; no user name, query or fragment; at most 255 characters.
 */
export function notifyUrlObjection(text: string): string | null {
  if (text.length > 255) return 'is longer than 255 characters'
  if (!/^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?(\/[^\s?#]*)?$/.test(text))
    return 'is not an address that WeChat Pay notifies; write one like https://pay.example.cn, without user name, query or fragment'
  return null
}

function isPublicHost(hostname: string): boolean {
  const literal = literalAddress(hostname)
  if (literal !== null) return isPublicAddress(literal)
  return hostname.includes('.') && !private_names.test(hostname)
}

/** The IP address that a URL's host is, without brackets; null for a name. */
function literalAddress(hostname: string): string | null {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.isValid(bare) ? bare : null
}

/**
 * Whether an IP address is a public one: not this machine, this network or the cloud's metadata. An IPv4 address that is
 * mapped into IPv6 is judged as IPv4; of IPv6 only what is given out at all (2000::/3), without its special ranges.
 */
export function isPublicAddress(address: string): boolean {
  const parsed = ipaddr.process(address)
  if (parsed.range() !== 'unicast' || parsed.toString() === azure_host) return false
  return parsed instanceof ipaddr.IPv4 || parsed.match(given_out)
}

/**
 * Who counts as one by the address that they come from: an IPv4 address, or the first half of an IPv6 one, in which a single
 * house has more addresses than could ever be counted one by one. Throws for what is no address.
 */
export function addressGroup(address: string): string {
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString()}/64`
}

/** Networks are ranges of addresses, as an operator names them. */
export interface Networks {
  /** Whether `address` lies in one of them. */
  includes(address: string): boolean
}

/** Reads `10.0.0.0/8,2001:db8::/32`; an address alone is a network of one. Throws a RangeError that names what is none. */
export function readNetworks(names: readonly string[]): Networks {
  const ranges = names.map((name) => {
    const range = networkRange(name)
    if (range === null) throw new RangeError(`"${name}" is neither an address nor a network like 10.0.0.0/8`)
    return range
  })
  return {
    includes: (address) => ipaddr.subnetMatch(ipaddr.process(address), { named: ranges }, 'other') === 'named',
  }
}

/** Whether a network is larger than any of one's own can be: the largest private ones are 10.0.0.0/8 and fc00::/7. */
export function isForStrangers(name: string): boolean {
  const [network, bits] = networkRange(name) ?? []
  return network !== undefined && bits !== undefined && bits < (network.kind() === 'ipv4' ? 8 : 7)
}

type Range = [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

/** How much of an IPv6 address says that an IPv4 one is mapped into it. */
const mapped_bits = 96

/** Null: it is none. Of an IPv4 address only the form with four numbers counts: `10/8` could be meant otherwise. */
function networkRange(name: string): Range | null {
  if (ipaddr.IPv4.isValidCIDRFourPartDecimal(name) || ipaddr.IPv6.isValidCIDR(name)) {
    const [network, bits] = ipaddr.parseCIDR(name)
    const is_mapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= mapped_bits
    return is_mapped ? [network.toIPv4Address(), bits - mapped_bits] : [network, bits]
  }
  if (ipaddr.IPv4.isValidFourPartDecimal(name) || ipaddr.IPv6.isValid(name)) {
    const address = ipaddr.process(name)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  }
  return null
}

/**
 * The address in its one form, an IPv4 address that is mapped into IPv6 as IPv4; null: it is none. A zone (`%eth0`) is left
 * out: it means something to the machine alone that wrote it, and WeChat Pay takes none.
 */
export function plainAddress(text: string): string | null {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return null
  return ipaddr.process(text.replace(/%.*$/s, '')).toString()
}

/** The address in the form that it is compared and sent in: its one form, where it is an address. */
export function comparableAddress(text: string): string {
  return plainAddress(text) ?? text
}
