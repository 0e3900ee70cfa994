import { createPrivateKey, generateKeyPairSync, randomBytes, randomInt } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { applyMerchantFile } from '../cli/merchant.ts'
import { endpointId } from '../domain/ids.ts'
import { scopes } from '../domain/merchant/scope.ts'
import type { Config } from '../runtime/config.ts'
import { publicId } from '../store/ids.ts'
import type { Store } from '../store/store.ts'

/** A merchant of mode `event` without observers, as it is known here. */
export interface BenchMerchant {
  mchid: string
  appid: string
  /** bearer of the API */
  token: string
  apiv3_key: string
  endpoint_id: string
}

/** A merchant whose WeChat Pay is this process: its notifications can be signed before a clock starts. */
export interface SignedMerchant extends BenchMerchant {
  wechat_key_id: string
  wechat_key: KeyObject
}

interface MerchantTarget {
  store: Store
  config: Config
  /** where its events go */
  endpoint_url: string
}

function keyPair() {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
}

export async function addSignedMerchant(place: MerchantTarget): Promise<SignedMerchant> {
  const wechat = keyPair()
  const wechat_key_id = `PUB_KEY_ID_01${randomBytes(12).toString('hex')}`
  const registerKey = async () => ({ public_key_id: wechat_key_id, public_key: wechat.publicKey })
  const merchant = await addMerchant(place, registerKey)
  return { ...merchant, wechat_key_id, wechat_key: createPrivateKey(wechat.privateKey) }
}

/** A merchant of the simulator's. */
export async function addSimulatedMerchant(place: MerchantTarget, simulator_url: string): Promise<BenchMerchant> {
  return await addMerchant(place, async (own) => {
    const answer = await fetch(`${simulator_url}/control/merchants`, {
      method: 'POST',
      body: JSON.stringify({ ...own, name: '一壶茶', key_mode: 'public_key' }),
    })
    if (!answer.ok) throw new Error(`the simulator took no merchant: ${answer.status} ${await answer.text()}`)
    const known = (await answer.json()) as { wechatpay_public_key_id: string; wechatpay_public_key: string }
    return { public_key_id: known.wechatpay_public_key_id, public_key: known.wechatpay_public_key }
  })
}

interface OwnKeys {
  mchid: string
  appids: string[]
  serial_no: string
  public_key: string
  apiv3_key: string
}

type WeChatPublicKey = { public_key_id: string; public_key: string }

async function addMerchant(
  { store, config, endpoint_url }: MerchantTarget,
  register: (own: OwnKeys) => Promise<WeChatPublicKey>,
): Promise<BenchMerchant> {
  const mchid = `19${String(randomInt(1e8)).padStart(8, '0')}`
  const appid = `wx${randomBytes(8).toString('hex')}`
  const apiv3_key = randomBytes(16).toString('hex')
  const serial_no = randomBytes(20).toString('hex').toUpperCase()
  const own = keyPair()
  const wechat = await register({ mchid, appids: [appid], serial_no, public_key: own.publicKey, apiv3_key })
  const added = await applyMerchantFile(store, config, {
    mchid,
    name: '一壶茶',
    mode: 'test',
    appids: [appid],
    wechat: { serial_no, private_key: own.privateKey, apiv3_key, ...wechat },
    settings: { fulfilment: { mode: 'event' } },
    endpoints: [{ url: endpoint_url, role: 'fulfilment' }],
    keys: [{ name: 'bench', scopes: [...scopes] }],
  })
  const token = added.keys[0]?.token ?? ''
  return { mchid, appid, token, apiv3_key, endpoint_id: publicId('ep', endpointId(mchid, endpoint_url)) }
}
