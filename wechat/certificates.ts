import { z } from 'zod'
import { CipherError, decryptText } from './cipher.ts'
import { readCertificate } from './credentials.ts'
import type { PlatformKey } from './credentials.ts'
import { failureOf, WeChatPayError } from './errors.ts'
import type { Transport } from './transport.ts'
import { parsedJson } from './wire.ts'

const certificate_list = z.object({
  data: z.array(
    z.object({
      serial_no: z.string(),
      encrypt_certificate: z.object({
        ciphertext: z.string(),
        nonce: z.string(),
        associated_data: z.string().optional(),
      }),
    }),
  ),
})

/**
 * Opens the body of GET /v3/certificates (docs/wechat-pay.md §1.7). Serial and dates are read from each certificate,
 * not from the list around it. Throws CipherError when the APIv3 key does not open it.
 */
export function readCertificates(body: string, apiv3Key: string): PlatformKey[] {
  const parsed = certificate_list.safeParse(parsedJson(body))
  if (!parsed.success) throw new CipherError('not a list of certificates', { cause: parsed.error })
  return parsed.data.data.map((entry) => {
    const key = readCertificate(decryptText(entry.encrypt_certificate, apiv3Key))
    if (key.serial !== entry.serial_no.toUpperCase()) {
      throw new CipherError(`certificate ${key.serial} is listed as ${entry.serial_no}`)
    }
    return key
  })
}

/**
 * Downloads the platform certificates in force. The list opens only with the APIv3 key, and must be signed with a key in
 * force that is known here already. Only where there is none may it be signed with a certificate out of itself: there
 * has to be a first one. Empty when this merchant has none, because it lives in public-key mode. Throws WeChatPayError.
 */
export async function downloadCertificates(
  transport: Transport,
  apiv3Key: string,
  knows_key_in_force: boolean,
): Promise<PlatformKey[]> {
  const answer = await transport.send({
    operation: 'certificates',
    method: 'GET',
    path: '/v3/certificates',
    own_keys: (body) => {
      const keys = knows_key_in_force ? [] : certificatesOrNone(body.toString('utf8'), apiv3Key)
      return (serial) => keys.find((key) => key.serial === serial.toUpperCase())?.key ?? null
    },
  })
  if (answer.status === 404 && answer.code === 'RESOURCE_NOT_EXISTS') return []
  if (answer.status !== 200) throw failureOf('certificates', answer)
  try {
    return readCertificates(answer.body, apiv3Key)
  } catch (cause) {
    const failure = { operation: 'certificates', reason: 'unreadable', outcome_unknown: false } as const
    throw new WeChatPayError({ kind: 'setup', ...failure, cause })
  }
}

/** The keys of a list whose signature is not checked yet. One that does not open brings no keys. */
function certificatesOrNone(body: string, apiv3Key: string): PlatformKey[] {
  try {
    return readCertificates(body, apiv3Key)
  } catch {
    return []
  }
}
