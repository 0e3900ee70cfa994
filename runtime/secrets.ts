import { createHash, randomBytes } from 'node:crypto'

/** Random ids, API tokens and endpoint secrets, in one file so that all of them are long enough. */

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** `<prefix>_` and 26 random characters: 130 bits, unlike the derived ids of store/ids. */
export function randomId(prefix: 'req' | 'key'): string {
  const text = [...randomBytes(26)].map((byte) => alphabet.charAt(byte % 32)).join('')
  return `${prefix}_${text}`
}

/** A token to call the API with. Only its hash is stored, so it can be shown this once. */
export function newToken(mode: 'live' | 'test'): string {
  return `weft_${mode}_${randomBytes(32).toString('base64url')}`
}

/** The name under which a token is stored, hex: it cannot be worked back to the token. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('hex')
}

/** A secret of Standard Webhooks: `whsec_` and base64 of 32 random bytes. */
export function newEndpointSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}
