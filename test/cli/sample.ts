import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import type { MerchantFile } from '../../cli/merchant.ts'

/** A key pair as PEM. */
export function keyPair(bits = 2_048) {
  return generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
}

const own = keyPair()
const wechat = keyPair()

/** A merchant's file that can be used, of a number nobody else has. */
export function merchantFile(given: Partial<MerchantFile> = {}): MerchantFile {
  return {
    mchid: `19${String(randomInt(1e8)).padStart(8, '0')}`,
    name: '一壶茶',
    mode: 'test',
    appids: ['wx0123456789abcdef'],
    wechat: {
      serial_no: randomBytes(20).toString('hex'),
      private_key: own.privateKey,
      apiv3_key: randomBytes(16).toString('hex'),
      public_key_id: 'PUB_KEY_ID_0112345678',
      public_key: wechat.publicKey,
    },
    ...given,
  }
}
