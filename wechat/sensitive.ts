import { encryptField } from './cipher.ts'
import { WeChatPayError } from './errors.ts'
import type { WeChatOperation } from './errors.ts'
import type { Keyring } from './keyring.ts'

/** Fields that only WeChat Pay can read, and the key that it needs for it. */
export interface SensitiveFields<Name extends string> {
  /** serial or id of the key; goes out beside the fields as `Wechatpay-Serial` */
  serial: string
  /** base64 */
  fields: Record<Name, string>
}

/**
 * Encrypts the sensitive fields of one request with the newest key of WeChat Pay's, all with the same one
 * (docs/wechat-pay.md §1.9). In certificate mode it may have to be downloaded first. Throws CipherError when a text is
 * too long (214 bytes with a key of 2048 bits) and WeChatPayError `setup` when there is no key.
 */
export async function encryptFields<Name extends string>(
  keyring: Pick<Keyring, 'newest' | 'refresh'>,
  operation: WeChatOperation,
  fields: Readonly<Record<Name, string>>,
  signal?: AbortSignal,
): Promise<SensitiveFields<Name>> {
  if (keyring.newest() === null) await keyring.refresh(signal)
  signal?.throwIfAborted()
  const newest = keyring.newest()
  if (newest === null) throw new WeChatPayError({ kind: 'setup', reason: 'no_key', operation, outcome_unknown: false })
  const encrypted = Object.entries<string>(fields).map(([name, text]) => [name, encryptField(text, newest.key)])
  return { serial: newest.serial, fields: Object.fromEntries(encrypted) as Record<Name, string> }
}
