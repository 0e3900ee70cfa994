import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { applyMerchantFile } from '../cli/merchant.ts'
import type { MerchantConfig, MerchantFile } from '../cli/merchant.ts'
import { endpointId } from '../domain/ids.ts'
import { trade_types } from '../domain/merchant/product.ts'
import { isUsableKey } from '../domain/merchant/record.ts'
import { scopes } from '../domain/merchant/scope.ts'
import { endpointUrl } from '../runtime/address.ts'
import { newToken, tokenHash } from '../runtime/secrets.ts'
import type { Simulator } from '../simulator/main.ts'
import { publicId } from '../store/ids.ts'
import type { Store } from '../store/store.ts'

/** What a merchant would have from WeChat's console, and its key for Weft. */
export interface DemoMerchant {
  mchid: string
  name: string
  appid: string
  serial_no: string
  private_key: string
  public_key: string
  apiv3_key: string
  /** `weft_test_…` */
  key: string
}

/** What the endpoints are known by that `npm start` made. */
const demo_description = 'demo'

interface MerchantIntroduction {
  merchant: DemoMerchant
  simulator: Pick<Simulator, 'control'>
  store: Store
  config: MerchantConfig
  /** where events are published to; its answer to `order.paid` is the fulfilment */
  endpoint_url: string
}

/** A merchant with fresh keys of its own. */
export function makeMerchant({ mchid, name }: { mchid: string; name: string }): DemoMerchant {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return {
    mchid,
    name,
    appid: `wx${randomBytes(8).toString('hex')}`,
    serial_no: randomBytes(20).toString('hex').toUpperCase(),
    private_key: privateKey,
    public_key: publicKey,
    apiv3_key: randomBytes(16).toString('hex'),
    key: newToken('test'),
  }
}

/**
 * The merchant's official account, mini program and mobile app. Derived from what it has, so that the merchant of a
 * folder that is older than the ways to pay has them too.
 */
function demoApps({ appid, apiv3_key }: DemoMerchant) {
  const secret = createHash('sha256').update(`${apiv3_key}/${appid}`).digest('hex').slice(0, 32)
  return [
    { appid, kind: 'official_account' as const, secret },
    { appid: `${appid}_mini`, kind: 'mini_program' as const, secret: null },
    { appid: `${appid}_phone`, kind: 'mobile_app' as const, secret: null },
  ]
}

/**
 * Makes the merchant known to both sides, the simulator and Weft, as `npm run merchant` does for a real one.
 * Repeatable; answers the secret its endpoint verifies events with.
 */
export async function introduceMerchant(introduction: MerchantIntroduction): Promise<{ webhook_secret: string }> {
  const { merchant, simulator, store, config, endpoint_url } = introduction
  const apps = demoApps(merchant)
  const { hostname } = new URL(config.public_url)
  const wechat = await simulator.control.register({
    mchid: merchant.mchid,
    name: merchant.name,
    appids: apps.map(({ appid }) => appid),
    serial_no: merchant.serial_no,
    public_key: merchant.public_key,
    apiv3_key: merchant.apiv3_key,
    key_mode: 'public_key',
    products: [...trade_types],
    apps: apps.map((app) => ({ ...app, oauth_domain: app.kind === 'official_account' ? hostname : null })),
    pay_directories: [`${config.public_url}/pay/`],
    h5_domains: [hostname],
  })
  const url = endpointUrl(endpoint_url)
  const endpoint_id = endpointId(merchant.mchid, url)
  await removeMovedEndpoint(store, merchant.mchid, publicId('ep', endpoint_id))
  await mendDemo(store, merchant, { endpoint_id, url })
  const file: MerchantFile = {
    mchid: merchant.mchid,
    name: merchant.name,
    mode: 'test',
    appids: apps.map(({ appid }) => appid),
    apps,
    // Named each time: Weft's own port may have moved since the last start.
    notify_url: `${config.public_url}/wechat/notify/${merchant.mchid}`,
    wechat: {
      serial_no: merchant.serial_no,
      private_key: merchant.private_key,
      apiv3_key: merchant.apiv3_key,
      public_key_id: wechat.wechatpay_public_key_id,
      public_key: wechat.wechatpay_public_key,
    },
    settings: { fulfilment: { mode: 'event' }, products: [...trade_types] },
    endpoints: [{ url, role: 'fulfilment', description: demo_description }],
    keys: [{ name: 'demo', scopes: [...scopes], token: merchant.key }],
  }
  await applyMerchantFile(store, config, file)
  await store.endpoints.promote(merchant.mchid, publicId('ep', endpoint_id))
  await store.endpoints.demoteOthers(merchant.mchid, publicId('ep', endpoint_id))
  const endpoint = await store.endpoints.find(endpoint_id)
  const secret = endpoint && store.endpoints.openSecrets(endpoint, Date.now()).at(-1)
  if (!secret) throw new Error(`the endpoint ${url} has no secret; npm start -- --fresh begins again`)
  return { webhook_secret: secret }
}

/** Undoes what may have been tried on the demo: its shop hears at its own address. A key that was revoked stays so. */
async function mendDemo(
  store: Store,
  { mchid, key }: DemoMerchant,
  { endpoint_id, url }: { endpoint_id: string; url: string },
): Promise<void> {
  const endpoint = await store.endpoints.find(endpoint_id)
  if (endpoint !== null && endpoint.url !== url) await store.endpoints.move(mchid, endpoint.id, url)
  const known = await store.keys.findByHash(tokenHash(key))
  if (known !== null && !isUsableKey(known, Date.now()))
    throw new Error('the key of this demo was revoked; npm start -- --fresh begins again')
}

/**
 * Removes the endpoints of earlier ports. An endpoint is its address, and nothing listens at the old ones any more. A
 * developer's own, which decided for a while (dev/takeover.ts), stays.
 */
async function removeMovedEndpoint(store: Store, mchid: string, wanted_id: string): Promise<void> {
  const current_id = (await store.merchants.find(mchid))?.fulfilment_endpoint_id ?? null
  if (current_id === null || current_id === wanted_id) return
  await store.merchants.setFulfilmentEndpoint(mchid, null, current_id)
  const current = await store.endpoints.findPublic(mchid, current_id)
  if (current?.description === demo_description) await store.endpoints.remove(mchid, current_id)
}
