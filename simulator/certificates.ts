import { wechatTime } from '../domain/calendar.ts'
import { encryptText } from '../wechat/cipher.ts'
import type { WeChatKeys } from './keys.ts'
import type { CallOutcome } from './payments.ts'
import { randomLetters } from './random.ts'
import type { Merchant } from './records.ts'
import { CallRefusal } from './refusal.ts'
import { ruleRefusal } from './requests.ts'

/** `GET /v3/certificates` (docs/wechat-pay.md §1.7): the listed certificates, encrypted with the merchant's key. */
export async function listCertificates(
  merchant: Merchant,
  search: URLSearchParams,
  keys: WeChatKeys,
): Promise<CallOutcome> {
  const algorithm = search.get('algorithm_type') ?? 'RSA'
  if (!['RSA', 'SM2', 'ALL'].includes(algorithm)) {
    const place = { source: '/query', field: '/algorithm_type', value: algorithm, location: 'query' } as const
    throw ruleRefusal(place, '枚举规则校验失败，取值不正确')
  }
  const key = merchant.apiv3_key
  if (merchant.key_mode === 'public_key' || algorithm === 'SM2' || key === null) {
    throw new CallRefusal('RESOURCE_NOT_EXISTS', {
      message: '无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。',
    })
  }
  const listed = await keys.certificates()
  const data = listed.map((certificate) => {
    const encrypted = encryptText(certificate.certificate, randomLetters(12), 'certificate', key)
    return {
      serial_no: certificate.serial_no,
      effective_time: wechatTime(certificate.effective_time),
      expire_time: wechatTime(certificate.expire_time),
      encrypt_certificate: {
        algorithm: 'AEAD_AES_256_GCM',
        nonce: encrypted.nonce,
        associated_data: 'certificate',
        ciphertext: encrypted.ciphertext,
      },
    }
  })
  return { kind: 'answer', status: 200, body: { data } }
}
