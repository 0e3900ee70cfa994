import { createHash } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { endpointId } from '../../domain/ids.ts'
import { trade_types } from '../../domain/merchant/product.ts'
import type { KeyRecord, MerchantRecord } from '../../domain/merchant/record.ts'
import { SealBroken, SealingKeyMissing } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import { database_uri, freshStore, sealerOf } from './database.ts'
import { at, endpointSample, mchid, merchantSample, noon } from './samples.ts'

const { store, database, drop } = await freshStore()
afterAll(drop)

const counter = { count: 0 }
const nextMchid = () => String(1_900_100_001 + counter.count)
async function saved(given: Partial<MerchantRecord> = {}): Promise<MerchantRecord> {
  const answer = await store.merchants.save(
    merchantSample({ mchid: String(1_900_100_000 + ++counter.count), ...given }),
  )
  if (!answer.saved) throw new Error('taken')
  return answer.merchant
}

const certificate = { serial_no: '77', certificate: 'PEM', effective_time: at(0), expire_time: at(9_000) }
const plain = {
  serial_no: '5157',
  private_key: '-----BEGIN PRIVATE KEY-----',
  apiv3_key: 'k'.repeat(32),
  public_key_id: 'PUB_KEY_ID_1',
  public_key: '-----BEGIN PUBLIC KEY-----',
}

const at_once = [1, 2, 3, 4, 5, 6]

describe('a merchant', () => {
  it('is read as it was saved', async () => {
    const wechat = store.merchants.sealSetup(nextMchid(), { ...plain, certificates: [certificate] })
    const merchant = await saved({ wechat, fulfilment_endpoint_id: 'ep_1' })
    expect(merchant.revision).toBe(1)
    expect(await store.merchants.find(merchant.mchid)).toStrictEqual(merchant)
    expect(await store.merchants.list()).toContainEqual(merchant)
  })

  it('is saved by one of two who changed the same revision; the other is shown what holds', async () => {
    const merchant = await saved()
    const answers = await Promise.all(['甲', '乙'].map((name) => store.merchants.save({ ...merchant, name })))
    expect(answers.filter((answer) => answer.saved)).toHaveLength(1)
    const holds = await store.merchants.find(merchant.mchid)
    expect(holds?.revision).toBe(2)
    for (const answer of answers) if (!answer.saved) expect(answer.existing).toStrictEqual(holds)
  })

  it('is added once', async () => {
    const merchant = await saved()
    const again = await store.merchants.save({ ...merchant, revision: 0, name: 'other' })
    expect(again).toStrictEqual({ saved: false, existing: merchant })
    expect(await store.merchants.save(merchantSample({ mchid: '1900999999', revision: 3 }))).toStrictEqual({
      saved: false,
      existing: null,
    })
  })

  it('keeps the attention that was set while it was edited', async () => {
    const merchant = await saved()
    await store.merchants.noteAttention(merchant.mchid, 'wechat_setup', at(1))
    await store.merchants.noteAttention(merchant.mchid, 'wechat_setup', at(2))
    const answer = await store.merchants.save({ ...merchant, name: 'edited' })
    const attentions = [{ code: 'wechat_setup', since_time: at(1) }]
    expect(answer).toMatchObject({ saved: true, merchant: { name: 'edited', attentions } })
    const seen = await store.merchants.find(merchant.mchid)
    if (seen === null) throw new Error('the merchant is gone')
    await store.merchants.liftAttention(merchant.mchid, 'wechat_setup')
    expect(await store.merchants.save(seen)).toMatchObject({ saved: true })
    expect((await store.merchants.find(merchant.mchid))?.attentions).toEqual([])
  })

  it('keeps every reason for attention: none takes the place of another, and each is lifted for itself', async () => {
    const { mchid } = await saved()
    const codes = async () => (await store.merchants.find(mchid))?.attentions?.map(({ code }) => code)
    expect(await store.merchants.noteAttention(mchid, 'orphan_payment', at(1))).toBe(true)
    expect(await store.merchants.noteAttention(mchid, 'signatures_failing', at(2))).toBe(true)
    expect(await store.merchants.noteAttention(mchid, 'orphan_payment', at(3))).toBe(false)
    expect(await codes()).toEqual(['orphan_payment', 'signatures_failing'])
    expect(await store.merchants.liftAttention(mchid, 'wechat_setup')).toBe(false)
    expect(await store.merchants.liftAttention(mchid, 'signatures_failing')).toBe(true)
    expect(await codes()).toEqual(['orphan_payment'])
  })

  it('gives what is raised another detail, of this code alone and since when it was; what is not raised stays so', async () => {
    const { mchid } = await saved()
    expect(await store.merchants.restateAttention(mchid, 'payer_unknown', 'nobody')).toBe(false)
    await store.merchants.noteAttention(mchid, 'orphan_payment', at(1))
    await store.merchants.noteAttention(mchid, 'payer_unknown', at(2), 'an outage')
    expect(await store.merchants.restateAttention(mchid, 'payer_unknown', 'the set-up')).toBe(true)
    expect((await store.merchants.find(mchid))?.attentions).toEqual([
      { code: 'orphan_payment', since_time: at(1) },
      { code: 'payer_unknown', since_time: at(2), detail: 'the set-up' },
    ])
  })

  it('has one attention of a code, however many raise it at once', async () => {
    const { mchid } = await saved()
    await Promise.all(at_once.map(() => store.merchants.noteAttention(mchid, 'orphan_payment', at(1))))
    expect((await store.merchants.find(mchid))?.attentions).toEqual([{ code: 'orphan_payment', since_time: at(1) }])
  })

  it('names each way to pay that WeChat Pay refuses, also of two that are refused and lifted at once', async () => {
    const { mchid } = await saved()
    const told = async () =>
      (await store.merchants.find(mchid))?.attentions?.map(({ code, detail }) => `${code} ${detail}`).sort()
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        trade_types.flatMap((one) => [1, 2].map(() => store.merchants.noteProductRefused(mchid, one, at(1)))),
      )
      expect(await told()).toEqual(trade_types.map((one) => `product_not_enabled ${one}`).sort())
      const [kept, ...mended] = trade_types
      await Promise.all(mended.map((one) => store.merchants.liftProductRefused(mchid, one)))
      expect(await told()).toEqual([`product_not_enabled ${kept}`])
    }
  })

  it('names each new certificate, also of several that come at once, and of refused ones no more than can be read', async () => {
    const { mchid } = await saved({ wechat: store.merchants.sealSetup(nextMchid(), plain) })
    const details = Array.from({ length: 5 }, (_, place) => `certificate ${place}`)
    const taken = details.map((detail, place) => ({
      kind: 'taken' as const,
      certificate: { ...certificate, serial_no: `S${place}` },
      detail,
    }))
    await Promise.all(taken.map((news) => store.merchants.noteKey(mchid, news, at(1))))
    const told = async () => (await store.merchants.find(mchid))?.attentions?.map(({ detail }) => detail) ?? []
    expect((await told()).sort()).toEqual(details)
    for (let place = 0; place < 30; place++)
      await store.merchants.noteKey(mchid, { kind: 'refused', detail: `refused: ${place}` }, at(2))
    expect(await told()).toHaveLength(20)
  })

  it('gives its place for the fulfilment endpoint to one of two', async () => {
    const merchant = await saved()
    const places = ['ep_a', 'ep_b'].map((id) => store.merchants.setFulfilmentEndpoint(merchant.mchid, id))
    expect((await Promise.all(places)).sort()).toEqual([false, true])
    const holder = (await store.merchants.find(merchant.mchid))?.fulfilment_endpoint_id ?? ''
    const other = holder === 'ep_a' ? 'ep_b' : 'ep_a'
    expect(await store.merchants.setFulfilmentEndpoint(merchant.mchid, holder)).toBe(true)
    expect(await store.merchants.setFulfilmentEndpoint(merchant.mchid, null, other)).toBe(false)
    expect((await store.merchants.find(merchant.mchid))?.fulfilment_endpoint_id).toBe(holder)
    expect(await store.merchants.setFulfilmentEndpoint(merchant.mchid, null, holder)).toBe(true)
    expect(await store.merchants.setFulfilmentEndpoint(merchant.mchid, other)).toBe(true)
    expect(await store.merchants.setFulfilmentEndpoint(merchant.mchid, null)).toBe(true)
    expect((await store.merchants.find(merchant.mchid))?.fulfilment_endpoint_id).toBeNull()
  })

  it('changes its settings as a whole', async () => {
    const merchant = await saved()
    const settings = { ...merchant.settings, order_expire_in: 600, late_payment: 'hold' } as const
    expect(await store.merchants.updateSettings(merchant.mchid, settings)).toStrictEqual({
      ...merchant,
      settings,
      revision: 2,
    })
    expect(await store.merchants.updateSettings('1900999998', settings)).toBeNull()
  })
})

describe('the credentials of a merchant', () => {
  it('are opened for use, and lie sealed in the record', async () => {
    const merchant = await saved({ wechat: store.merchants.sealSetup(nextMchid(), plain) })
    expect(await store.merchants.openSetup(merchant.mchid)).toStrictEqual({
      mchid: merchant.mchid,
      mode: 'test',
      appids: merchant.appids,
      serial_no: plain.serial_no,
      private_key: plain.private_key,
      apiv3_keys: [plain.apiv3_key],
      public_key_id: plain.public_key_id,
      public_key: plain.public_key,
      certificates: [],
      retired_public_keys: [],
      dropped_certificates: [],
      changeover_end_time: null,
      revision: 1,
    })
    const kept = JSON.stringify(await store.merchants.find(merchant.mchid))
    expect(kept).not.toContain(plain.apiv3_key)
    expect(kept).not.toContain('PRIVATE KEY')
  })

  it('are absent for a merchant that has none', async () => {
    expect(await store.merchants.openSetup((await saved()).mchid)).toBeNull()
    expect(await store.merchants.openSetup('1900999997')).toBeNull()
  })

  it('keep every APIv3 key that was in use, newest first', async () => {
    const first = store.merchants.sealSetup(nextMchid(), { ...plain, certificates: [certificate] })
    const second = store.merchants.sealSetup(nextMchid(), { ...plain, apiv3_key: 'l'.repeat(32) }, first)
    const third = store.merchants.sealSetup(nextMchid(), { ...plain, apiv3_key: 'm'.repeat(32) }, second)
    const unchanged = store.merchants.sealSetup(nextMchid(), { ...plain, apiv3_key: 'm'.repeat(32) }, third)
    const merchant = await saved({ wechat: unchanged })
    const open = await store.merchants.openSetup(merchant.mchid)
    expect(open?.apiv3_keys.map((key) => key.charAt(0))).toEqual(['m', 'l', 'k'])
    expect(open?.certificates).toEqual([certificate])
  })

  it('change their revision with new certificates, of which a person is told once, so that whoever keeps them open notices', async () => {
    const merchant = await saved({ wechat: store.merchants.sealSetup(nextMchid(), plain) })
    const news = { kind: 'taken', certificate, detail: 'certificate A' } as const
    expect(await store.merchants.noteKey(merchant.mchid, news, at(1))).toBe(true)
    expect(await store.merchants.noteKey(merchant.mchid, news, at(2))).toBe(false)
    const open = await store.merchants.openSetup(merchant.mchid)
    expect(open).toMatchObject({ revision: 2, certificates: [certificate] })
    const refused = { kind: 'refused', detail: 'refused: certificate B' } as const
    await store.merchants.noteKey(merchant.mchid, refused, at(3))
    await store.merchants.noteKey(merchant.mchid, refused, at(4))
    expect((await store.merchants.find(merchant.mchid))?.attentions).toEqual([
      { code: 'wechat_key_new', since_time: at(1), detail: 'certificate A' },
      { code: 'wechat_key_new', since_time: at(3), detail: 'refused: certificate B' },
    ])
    expect(await store.merchants.noteKey((await saved()).mchid, news, at(1))).toBe(false)
  })

  it('forget a certificate that a person drops, and never take it in again', async () => {
    const merchant = await saved({
      wechat: store.merchants.sealSetup(nextMchid(), { ...plain, certificates: [certificate] }),
    })
    expect(await store.merchants.dropCertificate(merchant.mchid, certificate.serial_no)).toBe(true)
    expect(await store.merchants.dropCertificate(merchant.mchid, certificate.serial_no)).toBe(false)
    const news = { kind: 'taken', certificate, detail: 'certificate A' } as const
    expect(await store.merchants.noteKey(merchant.mchid, news, at(1))).toBe(false)
    const open = await store.merchants.openSetup(merchant.mchid)
    expect(open).toMatchObject({ certificates: [], dropped_certificates: [certificate.serial_no] })
    const again = store.merchants.sealSetup(merchant.mchid, plain, (await store.merchants.find(merchant.mchid))?.wechat)
    expect(again.dropped_certificates).toEqual([certificate.serial_no])
  })

  it('do not open in the record of another merchant, nor in another field', async () => {
    const wechat = store.merchants.sealSetup(nextMchid(), plain)
    const owner = await saved({ wechat })
    const thief = await saved({ wechat })
    await expect(store.merchants.openSetup(thief.mchid)).rejects.toThrow(SealBroken)
    expect((await store.merchants.openSetup(owner.mchid))?.apiv3_keys).toEqual([plain.apiv3_key])
    const moved = await saved({
      wechat: { ...store.merchants.sealSetup(nextMchid(), plain), private_key: wechat.apiv3_key },
    })
    await expect(store.merchants.openSetup(moved.mchid)).rejects.toThrow(SealBroken)
  })

  it('name the master key they need when it is missing', async () => {
    const merchant = await saved({ wechat: store.merchants.sealSetup(nextMchid(), plain) })
    const other = await openStore({ uri: database_uri, database, sealer: sealerOf('other'), answer_within_ms: 30_000 })
    await expect(other.merchants.openSetup(merchant.mchid)).rejects.toThrow(SealingKeyMissing)
    await other.close()
  })
})

describe('an endpoint', () => {
  it('is added once per URL; a second one is shown the first', async () => {
    const secrets = [store.endpoints.sealSecret(endpointId(mchid, 'https://shop.example/a'), 'whsec_first')]
    const endpoint = endpointSample('https://shop.example/a', { secrets })
    expect(await store.endpoints.add(endpoint)).toEqual({ inserted: true })
    const again = await store.endpoints.add({ ...endpoint, secrets: [] })
    expect(again).toStrictEqual({ inserted: false, existing: endpoint })
    expect(await store.endpoints.find(endpoint._id)).toStrictEqual(endpoint)
    expect(await store.endpoints.findPublic(mchid, endpoint.id)).toStrictEqual(endpoint)
    expect(await store.endpoints.findPublic('1900000002', endpoint.id)).toBeNull()
    expect(await store.endpoints.remove('1900000002', endpoint.id)).toBe(false)
    expect(await store.endpoints.remove(mchid, endpoint.id)).toBe(true)
    expect(await store.endpoints.find(endpoint._id)).toBeNull()
  })

  it('signs with the secrets that live, and keeps them sealed', () => {
    const { _id } = endpointSample('https://shop.example/a')
    const secrets = [
      store.endpoints.sealSecret(_id, 'whsec_over', at(-1)),
      store.endpoints.sealSecret(_id, 'whsec_leaving', at(60)),
      store.endpoints.sealSecret(_id, 'whsec_newest'),
    ]
    expect(store.endpoints.openSecrets({ _id, secrets }, noon)).toEqual(['whsec_leaving', 'whsec_newest'])
    expect(store.endpoints.openSecrets({ _id, secrets }, noon + 60_000)).toEqual(['whsec_newest'])
    const other = endpointSample('https://shop.example/b', { secrets })
    expect(() => store.endpoints.openSecrets(other, noon)).toThrow(SealBroken)
    expect(secrets.map(({ hint }) => hint)).toEqual(['over', 'ving', 'west'])
    expect(JSON.stringify(secrets)).not.toContain('whsec')
  })

  it('has been failing since the first failure after a success', async () => {
    const { _id } = endpointSample('https://shop.example/failing')
    await store.endpoints.add(endpointSample('https://shop.example/failing'))
    await store.endpoints.noteFailure(_id, at(1))
    await store.endpoints.noteFailure(_id, at(2))
    expect(await store.endpoints.find(_id)).toMatchObject({ failing_since_time: at(1), last_success_time: null })
    await store.endpoints.noteSuccess(_id, at(3))
    expect(await store.endpoints.find(_id)).toMatchObject({ failing_since_time: null, last_success_time: at(3) })
    await store.endpoints.noteSuccess(_id, at(4))
    expect(await store.endpoints.find(_id)).toMatchObject({ last_success_time: at(3) })
    await store.endpoints.noteFailure(_id, at(5))
    await store.endpoints.noteSuccess(_id, at(6))
    expect(await store.endpoints.find(_id)).toMatchObject({ failing_since_time: null, last_success_time: at(6) })
    await store.endpoints.noteSuccess(_id, at(16))
    expect(await store.endpoints.find(_id)).toMatchObject({ last_success_time: at(16) })
  })

  it('is disabled once, and then no longer among those that hear', async () => {
    const shop = '1900000044'
    const [heard, gone] = ['https://a.example/', 'https://b.example/'].map((url) =>
      endpointSample(url, { mchid: shop, _id: `${shop}/${url}`, create_time: at(url.length) }),
    )
    if (!heard || !gone) throw new Error('two endpoints were made')
    await store.endpoints.add(heard)
    await store.endpoints.add(gone)
    const told = await Promise.all([1, 2, 3].map(() => store.endpoints.disable(gone._id, '410', at(1))))
    expect(told.filter((one) => one)).toHaveLength(1)
    expect(await store.endpoints.listEnabled(shop)).toStrictEqual([heard])
    const [, disabled] = await store.endpoints.list(shop)
    expect(disabled).toMatchObject({ state: 'disabled', disable_reason: '410' })
  })
})

describe('a key', () => {
  function keySample(token: string): KeyRecord {
    return {
      _id: createHash('sha256').update(token).digest('hex'),
      id: `key_${token}`,
      mchid,
      mode: 'test',
      name: 'shop',
      scopes: ['orders:read', 'orders:write'],
      hint: 'abcd',
      create_time: at(0),
      expire_time: null,
      revoke_time: null,
      last_use_time: null,
    }
  }

  it('is found by the hash of its token', async () => {
    const key = keySample('one')
    expect(await store.keys.add(key)).toBe(true)
    expect(await store.keys.add({ ...key, scopes: [] })).toBe(false)
    expect(await store.keys.findByHash(key._id)).toStrictEqual(key)
    expect(await store.keys.findByHash('0'.repeat(64))).toBeNull()
    expect(await store.keys.list(mchid)).toContainEqual(key)
    expect(await store.keys.list('1900000002')).toEqual([])
  })

  it('notes its use at most once a minute', async () => {
    const key = keySample('two')
    await store.keys.add(key)
    const used = async () => (await store.keys.findByHash(key._id))?.last_use_time
    await store.keys.noteUse(key._id, at(10))
    await store.keys.noteUse(key._id, at(69))
    expect(await used()).toBe(at(10))
    await store.keys.noteUse(key._id, at(70))
    expect(await used()).toBe(at(70))
  })

  it('is revoked by its merchant, once', async () => {
    const key = keySample('three')
    await store.keys.add(key)
    expect(await store.keys.revoke('1900000002', key.id, at(5))).toBeNull()
    expect(await store.keys.revoke(mchid, key.id, at(6))).toStrictEqual({ ...key, revoke_time: at(6) })
    expect(await store.keys.revoke(mchid, key.id, at(7))).toMatchObject({ revoke_time: at(6) })
  })
})

describe('a lease', () => {
  it('goes to one of twenty', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.leases.acquire('race', `holder-${n}`, 1_000, noon)),
    )
    expect(answers.filter((answer) => answer)).toHaveLength(1)
  })

  it('stays with its holder until it runs out or is given back', async () => {
    expect(await store.leases.acquire('sweep', 'a', 1_000, noon)).toBe(true)
    expect(await store.leases.acquire('sweep', 'b', 1_000, noon + 999)).toBe(false)
    expect(await store.leases.acquire('sweep', 'a', 1_000, noon + 999)).toBe(true)
    expect(await store.leases.acquire('sweep', 'b', 1_000, noon + 1_998)).toBe(false)
    expect(await store.leases.acquire('sweep', 'b', 1_000, noon + 1_999)).toBe(true)
    await store.leases.release('sweep', 'a')
    expect(await store.leases.acquire('sweep', 'a', 1_000, noon + 2_000)).toBe(false)
    await store.leases.release('sweep', 'b')
    expect(await store.leases.acquire('sweep', 'a', 1_000, noon + 2_000)).toBe(true)
  })
})
