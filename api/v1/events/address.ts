import ipaddr from 'ipaddr.js'

/** Names that mean this machine or this network, whatever a resolver says. */
const private_names = /(^|\.)(localhost|local|internal|lan|home\.arpa|localdomain)\.?$/i

/**
 * Why events may not be sent to `text`, or null: they may. Looks at the address as written; what a name resolves to is
 * looked at again at every delivery, when it counts. `allow_private` is for development: it lets http and loopback
 * pass.
 */
export function urlObjection(text: string, allow_private: boolean): string | null {
  if (!URL.canParse(text)) return 'it is not a URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'it holds a user name or password'
  if (url.hash !== '') return 'it holds a fragment'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'it is not https'
  if (allow_private) return null
  if (url.protocol !== 'https:') return 'it is not https'
  return isPublicHost(url.hostname) ? null : 'its address is private'
}

function isPublicHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (!ipaddr.isValid(bare)) return bare.includes('.') && !private_names.test(bare)
  // An IPv4 address inside an IPv6 one is judged as what it is.
  return ipaddr.process(bare).range() === 'unicast'
}
