import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../cli/command.ts'
import { appliedText, applyMerchantFile } from '../../cli/merchant.ts'
import { resealAll } from '../../cli/reseal.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { isUsableKey } from '../../domain/merchant/record.ts'
import { tokenHash } from '../../runtime/secrets.ts'
import { rawPlace } from '../../store/evidence.ts'
import { openOpenid, sealOpenid } from '../../store/openid.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import { evidenceSample, orderSample } from '../store/samples.ts'
import { keyPair, merchantFile } from './sample.ts'

const old_key = { id: 'old', key: randomBytes(32).toString('base64') }
const new_key = { id: 'new', key: randomBytes(32).toString('base64') }
const database = `weft_${randomBytes(5).toString('hex')}`
const openIn = (name: string, ...keys: (typeof old_key)[]) =>
  openStore({ uri: inject('mongodb_uri'), database: name, sealer: createSealer({ keys }), answer_within_ms: 30_000 })
const openWith = (...keys: (typeof old_key)[]) => openIn(database, ...keys)
const store = await openWith(old_key)
afterAll(() => store.close())

const config = { public_url: 'https://pay.example.cn', time_scale: 1, allow_private_endpoints: false, master_keys: [] }
const day_ms = 86_400_000
const now = Date.now()
const run = (...words: string[]) => runCommand(store, words, now)
const shownAt = (text: string, pattern: RegExp) => pattern.exec(text)?.[1] ?? ''

async function merchantWith(given: Parameters<typeof merchantFile>[0] = {}, into = store) {
  const file = merchantFile({
    keys: [{ name: 'shop', scopes: ['orders:read', 'orders:write'] }],
    endpoints: [{ url: 'https://shop.example.cn/weft', role: 'fulfilment' }],
    settings: { fulfilment: { mode: 'event' } },
    ...given,
  })
  const applied = await applyMerchantFile(into, config, file)
  return { file, applied, mchid: file.mchid }
}

describe('a key to the API', () => {
  it('is made, rotated with overlap and revoked, and the old token ends with the overlap', async () => {
    const { mchid, applied } = await merchantWith()
    const first = await store.keys.findByHash(tokenHash(applied.keys[0]?.token ?? ''))
    if (first === null) throw new Error('no key')
    const token = shownAt(await run('rotate-key', mchid, first.id, '7'), /: (weft_test_\S+) /)
    const next = await store.keys.findByHash(tokenHash(token))
    expect(next).toMatchObject({ name: 'shop', scopes: first.scopes, expire_time: null })
    const ending = await store.keys.findByHash(first._id)
    if (ending === null || next === null) throw new Error('no key')
    expect(isUsableKey(ending, now + 7 * day_ms - 1)).toBe(true)
    expect(isUsableKey(ending, now + 7 * day_ms)).toBe(false)
    await run('revoke-key', mchid, next.id)
    const revoked = await store.keys.findByHash(next._id)
    expect(revoked && isUsableKey(revoked, now)).toBe(false)
    await expect(run('rotate-key', mchid, next.id, '7')).rejects.toThrow(/no key .* works/)
  })

  it('is made with scopes that there are, and an end', async () => {
    const { mchid } = await merchantWith()
    const token = shownAt(await run('new-key', mchid, 'audit', 'orders:read,money:read', '30'), /: (weft_test_\S+) /)
    const expire_time = beijingTime(now + 30 * day_ms)
    expect(await store.keys.findByHash(tokenHash(token))).toMatchObject({ name: 'audit', expire_time })
    await expect(run('new-key', mchid, 'audit', 'orders:everything')).rejects.toThrow(/no scope orders:everything/)
    await expect(run('revoke-key', '1900000000', 'key_x')).rejects.toThrow(/no merchant/)
  })

  it('is ended by digits alone, and never by a word that a script left empty', async () => {
    const { mchid, applied } = await merchantWith()
    const id = applied.keys[0]?.id ?? ''
    for (const days of ['', ' ', '0x1', '1e1', '-0', '+1'])
      await expect(run('rotate-key', mchid, id, days)).rejects.toThrow(/a number of days/)
    expect(await store.keys.list(mchid)).toMatchObject([{ id, expire_time: null }])
  })

  it('is revoked alone: what is too much is refused, so that nobody believes that two were', async () => {
    const { mchid, applied } = await merchantWith()
    const id = applied.keys[0]?.id ?? ''
    await expect(run('revoke-key', mchid, id, 'key_other')).rejects.toThrow(/^key_other is too much/)
    expect(await store.keys.list(mchid)).toMatchObject([{ id, revoke_time: null }])
    expect(await run('revoke-key', mchid, id)).toContain('is revoked')
  })

  it('that was revoked is not made again by a file that still names its token, nor taken from another merchant', async () => {
    const token = `weft_test_${'t'.repeat(43)}`
    const keys = [{ name: 'shop', scopes: ['orders:read' as const], token }]
    const { file, applied, mchid } = await merchantWith({ keys })
    await expect(applyMerchantFile(store, config, { ...file, mchid: '1900000099' })).rejects.toThrow(
      'keys: the token of shop is another merchant’s',
    )
    expect(await store.merchants.find('1900000099')).toBeNull()
    await run('revoke-key', mchid, applied.keys[0]?.id ?? '')
    await expect(applyMerchantFile(store, config, file)).rejects.toThrow('keys: the token of shop has been revoked')
  })

  it('that the file no longer names is reported with what ends it', async () => {
    const { file, applied } = await merchantWith()
    const again = await applyMerchantFile(store, config, { ...file, keys: [] })
    expect(again.unnamed_keys.map(({ id }) => id)).toEqual(applied.keys.map(({ id }) => id))
    expect(appliedText(again)).toContain(`npm run merchant -- revoke-key ${file.mchid} ${applied.keys[0]?.id}`)
    await run('revoke-key', file.mchid, applied.keys[0]?.id ?? '')
    expect((await applyMerchantFile(store, config, { ...file, keys: [] })).unnamed_keys).toEqual([])
  })
})

describe('an endpoint', () => {
  const signing = async (mchid: string, id: string, at_ms: number) => {
    const endpoint = await store.endpoints.findPublic(mchid, id)
    return endpoint === null ? [] : store.endpoints.openSecrets(endpoint, at_ms)
  }

  it('signs with both secrets while they overlap, and a leaked one is taken back at once', async () => {
    const { mchid, applied } = await merchantWith()
    const { id = '', secret: first = '' } = applied.endpoints[0] ?? {}
    const second = shownAt(await run('rotate-secret', mchid, id, '2'), /: (whsec_\S+) /)
    expect(await signing(mchid, id, now)).toEqual([first, second])
    expect(await signing(mchid, id, now + 2 * day_ms)).toEqual([second])
    await run('revoke-secret', mchid, id, first?.slice(-4) ?? '')
    expect(await signing(mchid, id, now)).toEqual([second])
    await expect(run('revoke-secret', mchid, id, second.slice(-4))).rejects.toThrow(/only secret/)
  })

  it('is never left without a secret that goes on signing, and no secret ends before it was said', async () => {
    const { mchid, applied } = await merchantWith()
    const { id = '', secret: first = '' } = applied.endpoints[0] ?? {}
    const rotated = async (days: string) => shownAt(await run('rotate-secret', mchid, id, days), /: (whsec_\S+) /)
    const second = await rotated('7')
    // The new one is the leaked one: what is left signs for a week, and then nothing would.
    await expect(run('revoke-secret', mchid, id, second.slice(-4))).rejects.toThrow(/without an end/)
    const third = await rotated('7')
    await expect(run('rotate-secret', mchid, id, '7')).rejects.toThrow(/3 secrets of ep_\S+ sign already/)
    await run('revoke-secret', mchid, id, second.slice(-4))
    expect(await signing(mchid, id, now)).toEqual([first, third])
    expect(await signing(mchid, id, now + 7 * day_ms)).toEqual([third])
  })

  it('of mode event moves to another URL without a moment in which there is none', async () => {
    const { mchid, applied, file } = await merchantWith()
    const { id = '', secret } = applied.endpoints[0] ?? {}
    const url = 'https://new.example.cn/weft'
    const moved = { ...file, endpoints: [{ url, role: 'fulfilment' as const }] }
    await expect(applyMerchantFile(store, config, moved)).rejects.toThrow(`move-endpoint ${mchid} ${id} ${url}`)
    await run('move-endpoint', mchid, id, url)
    expect(await store.endpoints.findPublic(mchid, id)).toMatchObject({ url, role: 'fulfilment', state: 'enabled' })
    expect(await signing(mchid, id, now)).toEqual([secret])
    expect((await store.merchants.find(mchid))?.fulfilment_endpoint_id).toBe(id)
    expect((await applyMerchantFile(store, config, moved)).endpoints).toEqual([
      { url, id, role: 'fulfilment', secret: null },
    ])
    expect(await store.endpoints.list(mchid)).toHaveLength(1)
    // The file of before would say that events go to where nothing is sent any more.
    const [{ url: left }] = file.endpoints as [{ url: string }]
    for (const role of ['fulfilment', 'observer'] as const) {
      const stale = { ...file, endpoints: [{ url: left, role }, ...(role === 'observer' ? moved.endpoints : [])] }
      await expect(applyMerchantFile(store, config, stale)).rejects.toThrow(`${id} has moved from ${left} to ${url}`)
    }
    expect((await store.merchants.find(mchid))?.fulfilment_endpoint_id).toBe(id)
    await run('move-endpoint', mchid, id, left)
    expect((await applyMerchantFile(store, config, file)).endpoints).toMatchObject([{ url: left, id, secret: null }])
  })
})

describe('WeChat Pay’s keys', () => {
  it('overlap when the file names another public key, and the old one can be dropped', async () => {
    const { mchid, file } = await merchantWith()
    const wechat = { ...file.wechat, public_key_id: 'PUB_KEY_ID_02', public_key: keyPair().publicKey }
    await applyMerchantFile(store, config, { ...file, wechat } as typeof file, { now: () => now })
    const setup = await store.merchants.openSetup(mchid)
    expect(setup).toMatchObject({
      public_key_id: 'PUB_KEY_ID_02',
      retired_public_keys: [{ public_key_id: 'PUB_KEY_ID_0112345678', end_time: beijingTime(now + 14 * day_ms) }],
    })
    await run('drop-public-key', mchid, 'PUB_KEY_ID_0112345678')
    expect((await store.merchants.openSetup(mchid))?.retired_public_keys).toEqual([])
  })

  it('are taken in beside a public key only while a change-over is declared', async () => {
    const { mchid } = await merchantWith()
    expect(await run('changeover', mchid, '14')).toContain(beijingTime(now + 14 * day_ms))
    const end_time = async () => (await store.merchants.openSetup(mchid))?.changeover_end_time
    expect(await end_time()).toBe(beijingTime(now + 14 * day_ms))
    await run('changeover', mchid, '0')
    expect(await end_time()).toBeNull()
    await run('drop-certificate', mchid, 'ab12')
    expect((await store.merchants.openSetup(mchid))?.dropped_certificates).toEqual(['AB12'])
  })
})

describe('an APIv3 key', () => {
  it('that is changed in the file stays readable until it is forgotten', async () => {
    const { mchid, file } = await merchantWith()
    const wechat = { ...file.wechat, apiv3_key: 'n'.repeat(32) }
    await applyMerchantFile(store, config, { ...file, wechat } as typeof file)
    expect((await store.merchants.openSetup(mchid))?.apiv3_keys).toHaveLength(2)
    await run('forget-apiv3-keys', mchid)
    expect((await store.merchants.openSetup(mchid))?.apiv3_keys).toEqual(['n'.repeat(32)])
  })
})

describe('the list of secrets', () => {
  it('names each and shows none', async () => {
    const { mchid, applied, file } = await merchantWith()
    const text = await run('list', mchid)
    for (const named of [applied.keys[0]?.id, applied.endpoints[0]?.id, file.wechat?.public_key_id, 'master key old'])
      expect(text).toContain(named)
    for (const secret of [applied.keys[0]?.token, applied.endpoints[0]?.secret, file.wechat?.apiv3_key, 'PRIVATE KEY'])
      expect(text).not.toContain(secret)
  })
})

describe('a certificate of WeChat Pay’s', () => {
  const time = beijingTime(now)
  const certificate = { serial_no: '0ABC', certificate: 'PEM', effective_time: time, expire_time: time }

  it('is dropped however its serial is written, and one that is not here is said to be none', async () => {
    const { mchid } = await merchantWith()
    await store.merchants.noteKey(mchid, { kind: 'taken', certificate, detail: 'one' }, beijingTime(now))
    expect(await run('list', mchid)).toContain('certificate 0ABC  cannot be read')
    expect(await run('drop-certificate', mchid, 'ABD')).toMatch(/^no certificate ABD was here/)
    expect(await run('drop-certificate', mchid, '0a:bc')).toMatch(/^certificate 0ABC is dropped/)
    const { wechat } = (await store.merchants.find(mchid)) ?? {}
    expect([wechat?.certificates, wechat?.dropped_certificates]).toEqual([[], ['ABD', '0ABC']])
  })

  it('is dropped without the zero that its serial begins with', async () => {
    const { mchid } = await merchantWith()
    await store.merchants.noteKey(mchid, { kind: 'taken', certificate, detail: 'one' }, beijingTime(now))
    await run('drop-certificate', mchid, 'ABC')
    expect((await store.merchants.find(mchid))?.wechat?.certificates).toEqual([])
  })
})

it('an endpoint moves to no address that nothing is sent to', async () => {
  const { mchid, applied } = await merchantWith()
  const id = applied.endpoints[0]?.id ?? ''
  for (const url of ['http://shop.example.cn/', 'https://10.0.0.1/', 'https://me:pw@shop.example.cn/', 'https://[::1'])
    await expect(run('move-endpoint', mchid, id, url)).rejects.toThrow(/nothing is sent to that address/)
  expect(await store.endpoints.findPublic(mchid, id)).toMatchObject({ url: 'https://shop.example.cn/weft' })
})

describe('a master key', () => {
  it('is taken out although a sealed value was moved from its place, which is named and holds up nothing', async () => {
    const name = `${database}_moved`
    const before = await openIn(name, old_key)
    const [one, other] = [await merchantWith({}, before), await merchantWith({}, before)]
    const [moved, kept] = await Promise.all(
      [one, other].map(({ mchid, applied }) => before.endpoints.findPublic(mchid, applied.endpoints[0]?.id ?? '')),
    )
    if (!moved || !kept) throw new Error('no endpoint')
    await before.endpoints.replaceSecrets(moved, kept.secrets)
    const both = await openIn(name, new_key, old_key)
    expect(await resealAll(both)).toMatch(/^sealed anew: 2 merchants, 1 endpoints/)
    const said = await resealAll(both)
    expect(said).toMatch(/^all is sealed .*\n1 sealed values open with no key here/)
    expect(said).toContain(moved._id)
    const alone = await openIn(name, new_key)
    expect((await alone.merchants.openSetup(other.mchid))?.apiv3_keys).toEqual([other.file.wechat?.apiv3_key])
    await Promise.all([before.close(), both.close(), alone.close()])
  })

  it('that cannot open what another of its name sealed changes nothing, and names itself', async () => {
    const { mchid } = await merchantWith()
    const before = await store.merchants.find(mchid)
    const wrong = await openWith(new_key, { id: 'old', key: randomBytes(32).toString('base64') })
    await expect(resealAll(wrong)).rejects.toThrow('does not open with the master key "old"')
    await wrong.close()
    const without = await openWith(new_key)
    await expect(resealAll(without)).rejects.toThrow('the master key "old" that sealed this is missing')
    await without.close()
    expect(await store.merchants.find(mchid)).toEqual(before)
  })

  it('can be taken out once everything is sealed anew with the one before it', async () => {
    const secret = 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6'
    const apps = [{ appid: 'wx_account', kind: 'official_account', secret } as const]
    const { mchid, applied, file } = await merchantWith({ appids: ['wx_account'], apps })
    const order = orderSample('T-SEALED', { mchid, trade_type: 'JSAPI' })
    await store.orders.insert({ ...order, payer: { openid: sealOpenid(store.sealer, order, 'oPayer') } })
    const evidence = evidenceSample('sealed', { mchid, kind: 'query' })
    await store.evidence.archive({ ...evidence, raw: store.sealer.seal('{"openid":"o"}', rawPlace(evidence)) })
    const both = await openWith(new_key, old_key)
    await store.bills.putPart('bill', 0, Buffer.from('openid'))
    expect(await resealAll(both)).toMatch(
      /sealed anew: \d+ merchants, \d+ endpoints, 1 answers, 1 payers, 1 pieces of bills/,
    )
    expect(await resealAll(both)).toMatch(/older ones can be taken out/)
    await both.close()
    const alone = await openWith(new_key)
    const kept_order = await alone.orders.find(order)
    expect([kept_order?.revision, kept_order && openOpenid(alone.sealer, kept_order)]).toEqual([0, 'oPayer'])
    const kept_merchant = await alone.merchants.find(mchid)
    expect(kept_merchant && alone.merchants.openAppSecret(kept_merchant, 'wx_account')).toBe(secret)
    expect((await alone.bills.part({ parts_key: 'bill' }, 0))?.toString()).toBe('openid')
    expect((await alone.merchants.openSetup(mchid))?.apiv3_keys).toEqual([file.wechat?.apiv3_key])
    const endpoint = await alone.endpoints.findPublic(mchid, applied.endpoints[0]?.id ?? '')
    expect(endpoint && alone.endpoints.openSecrets(endpoint, now)).toEqual([applied.endpoints[0]?.secret])
    const kept = await alone.evidence.find(evidence._id)
    if (kept === null || !('sealed' in kept.raw)) throw new Error('the evidence is not sealed')
    expect(alone.sealer.open(kept.raw, rawPlace(kept))).toBe('{"openid":"o"}')
    await alone.close()
  })

  it('seals nothing over what somebody writes at the same moment', async () => {
    const name = `${database}_race`
    const before = await openIn(name, old_key)
    const { mchid, file, applied } = await merchantWith({}, before)
    const both = await openIn(name, new_key, old_key)
    const merchant = await both.merchants.find(mchid)
    const endpoint = await both.endpoints.findPublic(mchid, applied.endpoints[0]?.id ?? '')
    if (merchant === null || endpoint === null) throw new Error('the merchant is gone')
    const wechat = { ...file.wechat, apiv3_key: 'w'.repeat(32) }
    await applyMerchantFile(both, config, { ...file, wechat } as typeof file)
    await both.endpoints.replaceSecrets(endpoint, [both.endpoints.sealSecret(endpoint._id, 'whsec_d3JpdHRlbg==')])
    // What was read before those writes.
    expect(await both.merchants.reseal(merchant)).toMatchObject({ broken: [] })
    expect(await both.endpoints.reseal(endpoint)).toEqual({ changed: 1, broken: [] })
    expect((await both.merchants.openSetup(mchid))?.apiv3_keys[0]).toBe('w'.repeat(32))
    const kept = await both.endpoints.findPublic(mchid, endpoint.id)
    expect(kept && both.endpoints.openSecrets(kept, now)).toEqual(['whsec_d3JpdHRlbg=='])
    await Promise.all([before.close(), both.close()])
  })
})
