import { createHash } from 'node:crypto'

export type PublicIdPrefix = 'evt' | 'dlv' | 'evd' | 'ep' | 'dif'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const characters = 26

/**
 * The id by which others name a record: `<prefix>_` and the first 26 characters of the lower-case base32 of SHA-256 of
 * its `_id`. The same `_id` has the same public id for ever, so it can be told before the record is written.
 */
export function publicId(prefix: PublicIdPrefix, _id: string): string {
  const digest = createHash('sha256').update(_id, 'utf8').digest()
  let bits = ''
  for (const byte of digest.subarray(0, Math.ceil((characters * 5) / 8))) bits += byte.toString(2).padStart(8, '0')
  let text = ''
  for (let at = 0; text.length < characters; at += 5) text += alphabet.charAt(parseInt(bits.slice(at, at + 5), 2))
  return `${prefix}_${text}`
}
