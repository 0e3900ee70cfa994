import { z } from 'zod'
import { CipherError, decryptText } from './cipher.ts'
import { isSameSerial, readCertificate } from './credentials.ts'
import type { PlatformKey } from './credentials.ts'
import { failureOf, WeChatPayError } from './errors.ts'
import type { Transport } from './transport.ts'
import { parsedJson } from './wire.ts'

const certificate_list = z.object({ data: z.array(z.unknown()) })

const listed_certificate = z.object({
  serial_no: z.string(),
  encrypt_certificate: z.object({
    ciphertext: z.string(),
    nonce: z.string(),
    associated_data: z.string().optional(),
  }),
})

/** CertificateList is what a download holds: the keys that can be used, and what is wrong with each other entry. */
export interface CertificateList {
  keys: PlatformKey[]
  /** one line for each entry that was skipped, by its serial */
  mistakes: string[]
}

/**
 * Opens the body of GET /v3/certificates (docs/wechat-pay.md §1.7). Serial and dates are read from each certificate,
 * not from the list around it. An entry that cannot be used costs none of the others. Throws CipherError when it is no
 * list, or when no entry can be used, as with another APIv3 key.
 */
export function readCertificates(body: string, apiv3Key: string): CertificateList {
  const parsed = certificate_list.safeParse(parsedJson(body))
  if (!parsed.success) throw new CipherError('not a list of certificates', { cause: parsed.error })
  const list: CertificateList = { keys: [], mistakes: [] }
  for (const [place, listed] of parsed.data.data.entries()) {
    const entry = listed_certificate.safeParse(listed)
    if (!entry.success) {
      list.mistakes.push(`entry ${place + 1} of the list is no certificate`)
      continue
    }
    const { serial_no, encrypt_certificate } = entry.data
    try {
      const key = readCertificate(decryptText(encrypt_certificate, apiv3Key))
      if (isSameSerial(key.serial, serial_no)) list.keys.push(key)
      else list.mistakes.push(`certificate ${key.serial} is listed as ${serial_no}`)
    } catch (error) {
      list.mistakes.push(`certificate ${serial_no} cannot be read: ${(error as Error).message}`)
    }
  }
  if (list.keys.length === 0 && list.mistakes.length > 0) throw new CipherError(list.mistakes.join('; '))
  return list
}

/**
 * Downloads the platform certificates in force. The list opens only with the APIv3 key, and must be signed with a key in
 * force that is known here already. Only where there is none may it be signed with a certificate out of itself: there
 * has to be a first one. `on_mistake` hears of entries that were skipped. Empty when this merchant has none, because it lives in public-key mode. Throws WeChatPayError.
 */
export async function downloadCertificates(
  transport: Transport,
  apiv3Key: string,
  knows_key_in_force: boolean,
  on_mistake?: (mistake: string) => void,
): Promise<PlatformKey[]> {
  const answer = await transport.send({
    operation: 'certificates',
    method: 'GET',
    path: '/v3/certificates',
    own_keys: (body) => {
      const keys = knows_key_in_force ? [] : certificatesOrNone(body.toString('utf8'), apiv3Key)
      return (serial) => keys.find((key) => isSameSerial(key.serial, serial))?.key ?? null
    },
  })
  if (answer.status === 404 && answer.code === 'RESOURCE_NOT_EXISTS') return []
  if (answer.status !== 200) throw failureOf('certificates', answer)
  try {
    const { keys, mistakes } = readCertificates(answer.body, apiv3Key)
    for (const mistake of mistakes) on_mistake?.(mistake)
    return keys
  } catch (cause) {
    const failure = { operation: 'certificates', reason: 'unreadable', outcome_unknown: false } as const
    throw new WeChatPayError({ kind: 'setup', ...failure, cause })
  }
}

/** The keys of a list whose signature is not checked yet. One that does not open brings no keys. */
function certificatesOrNone(body: string, apiv3Key: string): PlatformKey[] {
  try {
    return readCertificates(body, apiv3Key).keys
  } catch {
    return []
  }
}
