import { execFile } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { appliedText, applyMerchantFile, MerchantFileError } from '../../cli/merchant.ts'
import type { MerchantFile } from '../../cli/merchant.ts'
import { newToken, tokenHash } from '../../runtime/secrets.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import { builtRoles } from '../stage/build.ts'
import { keyPair, merchantFile } from './sample.ts'

const master_keys = [{ id: '1', key: randomBytes(32).toString('base64') }]
const sealer = createSealer({ keys: master_keys })
const database = `weft_${randomBytes(5).toString('hex')}`
const patient = { uri: inject('mongodb_uri'), database, answer_within_ms: 30_000 }
const store = await openStore({ ...patient, sealer })
const folder = mkdtempSync(join(tmpdir(), 'weft-merchant-'))
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const config = { public_url: 'https://pay.example.cn', time_scale: 1, allow_private_endpoints: false, master_keys }
const apply = (file: MerchantFile) => applyMerchantFile(store, config, file, { folder })

async function mistakesOf(file: unknown): Promise<string[]> {
  try {
    await apply(file as MerchantFile)
    return []
  } catch (error) {
    if (error instanceof MerchantFileError) return error.message.split('\n')
    throw error
  }
}

describe('a command', () => {
  it.concurrent.each([
    ['cli/merchant.js', 'help', 'npm run merchant -- file.json'],
    ['cli/audit.js', '-h', 'npm run audit'],
    ['cli/reconcile.js', '--help', 'npm run reconcile'],
    ['cli/correct.js', '-h', 'npm run correct'],
    ['dev/takeover.ts', '-h', 'npm run shop'],
    ['dev/start.ts', '--help', 'npm start -- --fresh'],
  ])('%s says how it is called without any setting', async (file, word, usage) => {
    // Compiled where it is built: tsx takes thrice the processor time to load the same.
    const program = file.endsWith('.js')
      ? [join(builtRoles(), file)]
      : ['--import', 'tsx', new URL(`../../${file}`, import.meta.url).pathname]
    const env = { PATH: process.env.PATH }
    const { stdout } = await promisify(execFile)(process.execPath, [...program, word], { env })
    expect(stdout).toContain(usage)
  })
})

describe('a merchant’s file', () => {
  it('adds a merchant that can speak with WeChat Pay, its keys sealed', async () => {
    const file = merchantFile()
    const report = await apply(file)
    expect(report).toMatchObject({ is_new: true, notify_url: `https://pay.example.cn/wechat/notify/${file.mchid}` })
    const setup = await store.merchants.openSetup(file.mchid)
    expect(setup).toMatchObject({ apiv3_keys: [file.wechat?.apiv3_key], private_key: file.wechat?.private_key })
    const record = JSON.stringify(await store.merchants.find(file.mchid))
    expect(record).not.toContain(file.wechat?.apiv3_key)
    expect(record).not.toContain('PRIVATE KEY')
  })

  it('shows new keys and secrets once, and applied again changes nothing', async () => {
    const file = merchantFile({
      keys: [{ name: 'shop', scopes: ['orders:write'] }],
      endpoints: [{ url: 'https://shop.example.cn/weft', role: 'fulfilment' }],
      settings: { fulfilment: { mode: 'event' } },
    })
    const first = await apply(file)
    const token = first.keys[0]?.token ?? ''
    expect(token).toMatch(/^weft_test_[A-Za-z0-9_-]{43}$/)
    expect(await store.keys.findByHash(tokenHash(token))).toMatchObject({ mchid: file.mchid, scopes: ['orders:write'] })
    expect(appliedText(first)).toContain(token)
    const merchant = await store.merchants.find(file.mchid)
    expect(merchant?.fulfilment_endpoint_id).toBe(first.endpoints[0]?.id)
    const again = await apply(file)
    expect(again).toMatchObject({ is_new: false, keys: [{ token: null }], endpoints: [{ secret: null }] })
    expect(await store.keys.list(file.mchid)).toHaveLength(1)
    expect(await store.endpoints.list(file.mchid)).toHaveLength(1)
  })

  it('leaves alone what it does not name, and keeps an APIv3 key that was changed', async () => {
    const refund_approval = { above_per_day: 500_000 }
    const settings = { late_payment: 'hold', fulfilment: { deadline_in: 60 }, refund_approval } as const
    const file = merchantFile({ settings })
    await apply(file)
    const { wechat, settings: _settings, ...rest } = file
    await apply({ ...rest, name: '两壶茶' })
    const merchant = await store.merchants.find(file.mchid)
    expect(merchant).toMatchObject({
      name: '两壶茶',
      settings: { ...settings, refund_approval: { above: null, above_per_day: 500_000 } },
    })
    expect(merchant?.wechat?.serial_no).toBe(wechat?.serial_no.toUpperCase())
    const apiv3_key = randomBytes(16).toString('hex')
    if (wechat) await apply({ ...rest, wechat: { ...wechat, apiv3_key } })
    expect((await store.merchants.openSetup(file.mchid))?.apiv3_keys).toEqual([apiv3_key, wechat?.apiv3_key])
  })

  it('names nothing but the number and what changes, of a merchant that is here; a new one is told what lacks', async () => {
    const file = merchantFile()
    await apply(file)
    const before = await store.merchants.find(file.mchid)
    await apply({ mchid: file.mchid, settings: { bills: { number_prefixes: ['TEA-'] } } })
    const { name, mode, appids, settings } = (await store.merchants.find(file.mchid)) ?? {}
    expect({ name, mode, appids }).toEqual({ name: file.name, mode: file.mode, appids: file.appids })
    expect(settings?.bills?.number_prefixes).toEqual(['TEA-'])
    expect((await store.merchants.find(file.mchid))?.wechat).toEqual(before?.wechat)
    expect(await mistakesOf({ mchid: merchantFile().mchid })).toEqual([
      'name: is missing; only a merchant that is here already keeps it when it is left out',
      'mode: is missing; only a merchant that is here already keeps it when it is left out',
      'appids: is missing; only a merchant that is here already keeps it when it is left out',
    ])
    expect(await mistakesOf(null)).toHaveLength(1)
  })

  it('says so where it has an endpoint that is to decide, and no mode in which it would', async () => {
    const endpoints = [{ url: 'https://shop.example.cn/weft', role: 'fulfilment' }] as const
    const file = { ...merchantFile(), endpoints: [...endpoints] }
    expect(appliedText(await apply(file))).toMatch(/fulfilment mode none: .* decides nothing/)
    const decided = await apply({ ...file, settings: { fulfilment: { mode: 'event' } } })
    expect(appliedText(decided)).not.toContain('mode none')
  })

  it('lets an observer that is here decide when it says so, and none that is disabled', async () => {
    const url = 'https://shop.example.cn/weft'
    const file = merchantFile({ endpoints: [{ url, role: 'observer', event_types: ['order.closed'] }] })
    const id = (await apply(file)).endpoints[0]?.id ?? ''
    const deciding = { ...file, endpoints: [{ url, role: 'fulfilment' as const }] }
    await store.endpoints.disable(
      (await store.endpoints.findPublic(file.mchid, id))?._id ?? '',
      'gone',
      new Date().toISOString(),
    )
    expect(await mistakesOf(deciding)).toEqual([expect.stringContaining(`${id} is disabled (gone)`)])
    await store.endpoints.enable(file.mchid, id)
    expect((await apply(deciding)).endpoints).toMatchObject([{ id, role: 'fulfilment', secret: null }])
    expect(await store.endpoints.findPublic(file.mchid, id)).toMatchObject({ role: 'fulfilment', event_types: ['*'] })
    expect((await store.merchants.find(file.mchid))?.fulfilment_endpoint_id).toBe(id)
  })

  it('is told what it does not change: the scopes of a key, and what an endpoint hears', async () => {
    const url = 'https://shop.example.cn/weft'
    const endpoint = { url, event_types: ['order.closed' as const] }
    const key = { name: 'shop', scopes: ['orders:read' as const, 'orders:write' as const] }
    const file = merchantFile({ endpoints: [endpoint], keys: [key] })
    const { keys, endpoints } = await apply(file)
    expect((await apply({ ...file, endpoints: [{ url }] })).remarks).toEqual([])
    const less = {
      keys: [{ ...key, scopes: ['orders:read' as const] }],
      endpoints: [{ ...endpoint, event_types: ['*' as const] }],
    }
    expect((await apply({ ...file, ...less })).remarks).toEqual([
      expect.stringContaining(`${endpoints[0]?.id} at ${url} still hears order.closed`),
      expect.stringContaining(`key shop (${keys[0]?.id}) still has the scopes orders:read,orders:write`),
    ])
  })

  it('names its apps, whose secrets are sealed, shown as hints and kept when they are left out', async () => {
    const secret = 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6'
    const file = merchantFile()
    const [account = ''] = file.appids ?? []
    const [appids, products] = [[account, 'wx_mini'], ['NATIVE', 'JSAPI', 'MWEB'] as const]
    const apps = [
      { appid: account, kind: 'official_account', secret },
      { appid: 'wx_mini', kind: 'mini_program' },
    ] as const
    const report = await apply({ ...file, appids, apps: [...apps], settings: { products: [...products] } })
    const text = appliedText(report)
    expect(text).toContain(`app ${account} (official_account), secret …c5d6`)
    expect(text).toContain('app wx_mini (mini_program), no secret')
    expect(text).toMatch(/MWEB: .*个体工商户/)
    expect(text).not.toContain(secret)
    await apply({ mchid: file.mchid, apps: [{ appid: account, kind: 'official_account' }] })
    const merchant = await store.merchants.find(file.mchid)
    if (merchant === null) throw new Error('no merchant')
    expect(JSON.stringify(merchant)).not.toContain(secret)
    expect([merchant.appids, merchant.settings.products]).toEqual([appids, products])
    expect(store.merchants.openAppSecret(merchant, account)).toBe(secret)
    expect(store.merchants.openAppSecret(merchant, 'wx_mini')).toBeNull()
    const again = await apply({ mchid: file.mchid, name: '茶' })
    expect(appliedText(again)).not.toContain('MWEB:')
  })

  it('that no longer names a way to pay ends what was said of WeChat Pay refusing it', async () => {
    const file = merchantFile({ settings: { products: ['NATIVE', 'MWEB'] } })
    await apply(file)
    for (const one of ['NATIVE', 'MWEB'] as const)
      await store.merchants.noteProductRefused(file.mchid, one, '2026-11-23T12:00:00.000+08:00')
    const told = async () => (await store.merchants.find(file.mchid))?.attentions?.map(({ detail }) => detail)
    await apply({ mchid: file.mchid, name: '茶' })
    expect(await told()).toEqual(['NATIVE', 'MWEB'])
    await apply({ mchid: file.mchid, settings: { products: ['NATIVE'] } })
    expect(await told()).toEqual(['NATIVE'])
  })

  it.each([
    ['an app that is not among the appids', { apps: [{ appid: 'wx_other', kind: 'mini_program' }] }, 'add it there'],
    ['an app of no kind', { apps: [{ appid: 'wx_other', kind: 'web' }] }, 'is no kind of app'],
    ['a secret that is none', { apps: [{ appid: 'wx_other', kind: 'mini_program', secret: 'x' }] }, 'exactly 32'],
    [
      'a way to pay without its app',
      { settings: { products: ['APP'] } },
      'APP needs one of apps to be of kind mobile_app',
    ],
    ['a way to pay that is none', { settings: { products: ['CASH'] } }, 'is no way to pay'],
    ['a way to pay twice', { settings: { products: ['NATIVE', 'NATIVE'] } }, 'twice'],
    ['no way to pay', { settings: { products: [] } }, 'at least one'],
  ])('is refused with %s', async (_what, wrong, why) => {
    const mistakes = await mistakesOf({ ...merchantFile(), ...wrong })
    expect(mistakes.join()).toContain(why)
  })

  it('says what is agreed on about bills, each part by itself', async () => {
    const file = merchantFile({ settings: { bills: { number_prefixes: ['TEA-'], keep_days: 400 } } })
    await apply(file)
    const rates = [{ from_date: '2026-01-01', rate_ppm: 6_000 }]
    await apply({ ...file, settings: { bills: { fee_contract: { rates } } } })
    const contract = { rates: [{ ...rates[0], trade_type: null }], line_tolerance: 1, day_tolerance: 0 }
    expect((await store.merchants.find(file.mchid))?.settings.bills).toEqual({
      ...{ number_prefixes: ['TEA-'], keep_days: 400, fee_contract: contract, accounts: ['BASIC'] },
    })
    await apply({ ...file, settings: { bills: { accounts: ['BASIC', 'FEES'] } } })
    expect((await store.merchants.find(file.mchid))?.settings.bills).toMatchObject({
      ...{ keep_days: 400, accounts: ['BASIC', 'FEES'] },
    })
  })

  it.each([
    ['without BASIC', ['FEES'], 'needs BASIC'],
    ['with one twice', ['BASIC', 'FEES', 'FEES'], 'names an account twice'],
    ['with one that is none', ['BASIC', 'BANK'], 'is no account'],
  ])('names no accounts %s', async (_, accounts, why) => {
    const mistakes = await mistakesOf({ ...merchantFile(), settings: { bills: { accounts } } })
    expect(mistakes.join()).toContain(why)
  })

  it('says how payers reach the merchant, until it says otherwise', async () => {
    const file = merchantFile({ settings: { support: { phone: '+86 571 8888 6666' } } })
    await apply(file)
    const kept = async () => (await store.merchants.find(file.mchid))?.settings.support
    expect(await kept()).toEqual({ phone: '+86 571 8888 6666', link: null })
    const { settings: _, ...rest } = file
    await apply(rest)
    expect(await kept()).toEqual({ phone: '+86 571 8888 6666', link: null })
    await apply({ ...rest, settings: { support: null } })
    expect(await kept()).toBeNull()
  })

  it('can name its key files instead of holding them', async () => {
    const { wechat, ...rest } = merchantFile()
    if (!wechat) throw new Error('no set-up')
    writeFileSync(join(folder, 'apiclient_key.pem'), wechat.private_key)
    await apply({ ...rest, wechat: { ...wechat, private_key: 'apiclient_key.pem' } })
    expect((await store.merchants.openSetup(rest.mchid))?.private_key).toBe(wechat.private_key)
  })

  it('takes a token that development chose', async () => {
    const token = newToken('test')
    const file = merchantFile({ keys: [{ name: 'demo', scopes: ['orders:read'], token }] })
    expect((await apply(file)).keys[0]?.token).toBe(token)
    expect((await apply(file)).keys[0]?.token).toBeNull()
  })
})

describe('a file with mistakes', () => {
  it('is told all of them, one line each, and never a value', async () => {
    const mistakes = await mistakesOf({
      mchid: '12',
      name: '',
      mode: 'demo',
      appids: [],
      colour: 1,
      wechat: { apiv3_key: 'short-secret' },
    })
    expect(mistakes.length).toBeGreaterThanOrEqual(7)
    expect(mistakes.join()).not.toContain('short-secret')
    expect(mistakes).toContainEqual(expect.stringMatching(/^mchid: .*digits/))
    expect(mistakes).toContainEqual(expect.stringMatching(/^wechat.apiv3_key: .*32 characters/))
  })

  const { wechat } = merchantFile()
  const encrypted = createPrivateKey(keyPair().privateKey).export({
    ...({ type: 'pkcs8', format: 'pem' } as const),
    ...{ cipher: 'aes-256-cbc', passphrase: 'x' },
  })
  const own = keyPair()
  it.each([
    ['an encrypted key', { wechat: { ...wechat, private_key: encrypted } }, 'wechat.private_key: is encrypted'],
    [
      'what is no key of any kind',
      { wechat: { ...wechat, private_key: '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n' } },
      'wechat.private_key: is not a private key in PEM',
    ],
    [
      'two keys, of which one is meant',
      { wechat: { ...wechat, private_key: keyPair().privateKey + keyPair().privateKey } },
      'wechat.private_key: holds several keys',
    ],
    [
      'the merchant’s own public key in the place of WeChat Pay’s',
      { wechat: { ...wechat, private_key: own.privateKey, public_key: own.publicKey } },
      'wechat.public_key: is the merchant’s own',
    ],
    ['an endpoint in the clear', { endpoints: [{ url: 'http://shop.example.cn/weft' }] }, 'endpoints.0.url: nothing'],
    ['an endpoint inside', { endpoints: [{ url: 'https://[::7f00:1]/weft' }] }, 'endpoints.0.url: nothing is sent'],
    [
      'an endpoint with a password',
      { endpoints: [{ url: 'https://me:pw@a.cn/' }] },
      'endpoints.0.url: nothing is sent',
    ],
    [
      'more endpoints than a merchant may have',
      { endpoints: Array.from({ length: 17 }, (_, index) => ({ url: `https://o${index}.example.cn/` })) },
      'endpoints: a merchant has 16 at most',
    ],
    ['a key file that is not there', { wechat: { ...wechat, private_key: 'no.pem' } }, 'wechat.private_key'],
    ['a weak key', { wechat: { ...wechat, private_key: keyPair(1_024).privateKey } }, 'wechat.private_key'],
    [
      'a certificate where the public key belongs',
      { wechat: { ...wechat, public_key: '-----BEGIN CERTIFICATE-----' } },
      'wechat.public_key',
    ],
    ['a public key without its id', { wechat: { ...wechat, public_key_id: null } }, 'wechat.public_key'],
    [
      'mode event without an endpoint that answers',
      { settings: { fulfilment: { mode: 'event' } } },
      'settings.fulfilment.mode',
    ],
    [
      'a live merchant that would be notified in the clear',
      { mode: 'live', notify_url: 'http://pay.example.cn/n' },
      'notify_url',
    ],
    [
      'rates that leave trade types without one',
      {
        settings: {
          bills: { fee_contract: { rates: [{ from_date: '2026-01-01', rate_ppm: 1, trade_type: 'MWEB' }] } },
        },
      },
      'settings.bills.fee_contract.rates',
    ],
    [
      'originals that go before WeChat’s own do',
      { settings: { bills: { keep_days: 30 } } },
      'settings.bills.keep_days',
    ],
    ['help that leads nowhere', { settings: { support: {} } }, 'settings.support'],
    [
      'help behind another protocol',
      { settings: { support: { link: 'javascript:alert(1)' } } },
      'settings.support.link',
    ],
    ['help by markup', { settings: { support: { phone: '1<b>' } } }, 'settings.support.phone'],
    ['a notify_url with a query', { notify_url: 'https://pay.example.cn/n?a=b' }, 'notify_url'],
    ['a notify_url with a fragment', { notify_url: 'https://pay.example.cn/n#' }, 'notify_url'],
    ['a notify_url with a password', { notify_url: 'https://me:secret@pay.example.cn/n' }, 'notify_url'],
    ['a notify_url that is too long', { notify_url: `https://pay.example.cn/${'n'.repeat(240)}` }, 'notify_url'],
    [
      'a key with “\\n” in place of line breaks',
      { wechat: { ...wechat, private_key: keyPair().privateKey.replaceAll('\n', '\\n') } },
      'wechat.private_key: has “\\n” as two characters',
    ],
    [
      'a key with “\\r\\n” in place of line breaks',
      { wechat: { ...wechat, private_key: keyPair().privateKey.replaceAll('\n', '\\r\\n') } },
      'wechat.private_key: has “\\n” as two characters',
    ],
    [
      'a key in one line',
      { wechat: { ...wechat, private_key: keyPair().privateKey.trim().replaceAll('\n', ' ') } },
      'wechat.private_key: is one line',
    ],
    [
      'a public key in place of the private one',
      { wechat: { ...wechat, private_key: keyPair().publicKey } },
      'wechat.private_key',
    ],
    ['a token of the other mode', { keys: [{ name: 'x', scopes: ['orders:read'], token: newToken('live') }] }, 'keys'],
  ])('is refused for %s', async (_, wrong, field) => {
    const mistakes = await mistakesOf({ ...merchantFile(), ...wrong })
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]?.startsWith(field.includes(':') ? field : `${field}:`)).toBe(true)
  })

  it('cannot turn a test merchant live, nor add a live one where time is scaled', async () => {
    const file = merchantFile({ notify_url: 'https://pay.example.cn/n' })
    await apply(file)
    expect(await mistakesOf({ ...file, mode: 'live' })).toEqual([expect.stringMatching(/^mode: /)])
    const live = merchantFile({ mode: 'live' })
    await expect(applyMerchantFile(store, { ...config, time_scale: 60 }, live)).rejects.toThrow(/WEFT_TIME_SCALE/)
  })

  it('is not applied with another master key than the one that sealed the others', async () => {
    await apply(merchantFile())
    const keys = [{ id: '1', key: randomBytes(32).toString('base64') }]
    const stranger = await openStore({ ...patient, sealer: createSealer({ keys }) })
    const file = merchantFile()
    await expect(applyMerchantFile(stranger, config, file)).rejects.toThrow(/WEFT_MASTER_KEY does not open/)
    expect(await store.merchants.find(file.mchid)).toBeNull()
    await stranger.close()
  })
})
