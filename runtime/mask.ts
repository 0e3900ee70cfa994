/** What stands where a secret was. */
export const masked = '***'

/** Fields whose whole value is secret or personal, whatever it looks like; compared in lower case. */
const secret_fields: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'wechatpay-signature',
  'webhook-signature',
  'signature',
  'paysign',
  'openid',
  'sub_openid',
  'payer',
  'private_key',
  'privatekey',
  'apiv3_key',
  'apiv3_keys',
  'api_key',
  'apikey',
  'master_key',
  'master_keys',
  'secret',
  'secrets',
  'token',
  'checkout_token',
  'checkout_url',
  'password',
  'sealed',
  'ciphertext',
])

/** What gives a secret away inside a text: an error message, a URL, a quoted body. */
const secret_patterns: readonly [RegExp, string][] = [
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g, `-----BEGIN $1----- ${masked}`],
  [/\bweft_(live|test)_[A-Za-z0-9_-]+/g, `weft_$1_${masked}`],
  [/\bwhsec_[A-Za-z0-9+/=_-]+/g, `whsec_${masked}`],
  [/\b(Bearer|WECHATPAY2-SHA256-RSA2048)\s+[^\r\n]+/gi, `$1 ${masked}`],
  [/((?:wechatpay|webhook)-signature["']?\s*[:=]\s*["']?)[^\s"',;]+/gi, `$1${masked}`],
  [/(authorization["']?\s*[:=]\s*["']?)(?!Bearer |WECHATPAY2)[^\r\n"']+/gi, `$1${masked}`],
  [
    /(\\?["'](?:sub_)?(?:openid|private_key|apiv3_key|api_key|secret|password|token|checkout_token)\\?["']\s*:\s*\\?["'])[^"'\\]*/gi,
    `$1${masked}`,
  ],
  [/\b((?:(?:sub_)?openid|secret|access_token)=)[^\s&"']+/gi, `$1${masked}`],
  // An openid on its own: 28 characters that begin with o. The mixture of cases spares a merchant's order numbers.
  [/(?<![\w-])o(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{27}(?![\w-])/g, masked],
  // What a payer scans: whoever reads it can pay for, and see, somebody else's order.
  [/\b(weixin:\/\/[\w.-]+)[^\s"'\\<>]*/gi, `$1/${masked}`],
  // The same of H5's address, which one person may open.
  [/(\/checkmweb\?)[^\s"'\\<>]+/gi, `$1${masked}`],
  // In an address within an address too, as WeChat is told where to send a payer back to.
  [/((?:\/|%2F)pay(?:\/|%2F))[A-Za-z0-9_-]{16,}/gi, `$1${masked}`],
  [/(?<!\w)(\w+:\/\/[^\s:/@]*:)[^\s@/]+@/g, `$1${masked}@`],
]

const max_depth = 6
const max_text = 8_192
const max_items = 100

/** A text without the secrets and persons in it, and not longer than a log line should be. */
export function maskText(text: string): string {
  const kept = text.length > max_text ? `${text.slice(0, max_text)}… (${text.length} characters)` : text
  return secret_patterns.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), kept)
}

/**
 * A copy of `value` that may be logged: secret fields and patterns masked, errors as plain data, bytes as their length,
 * depth and length limited. Never throws, since logging must not break what is logged.
 */
export function maskValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskText(value)
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (depth >= max_depth) return '…'
  if (value instanceof Error) return maskedError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
  if (Array.isArray(value)) return value.slice(0, max_items).map((item) => maskValue(item, depth + 1))
  if (value instanceof Map || value instanceof Set) return maskValue([...value], depth + 1)
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, max_items)
      .map(([name, item]) => [name, isSecretField(name) && hasContent(item) ? masked : maskValue(item, depth + 1)]),
  )
}

function isSecretField(name: string): boolean {
  return secret_fields.has(name.toLowerCase())
}

function hasContent(value: unknown): boolean {
  return value !== null && value !== undefined && value !== ''
}

/** An Error's own fields are not enumerable, so that JSON would make `{}` of it. */
function maskedError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...others } = error as Error & Record<string, unknown>
  return {
    name: error.name || name,
    message: maskText(message),
    ...(maskValue(others, depth + 1) as Record<string, unknown>),
    ...(stack === undefined ? {} : { stack: maskText(stack) }),
    ...(cause === undefined ? {} : { cause: maskValue(cause, depth + 1) }),
  }
}
