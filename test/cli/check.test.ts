import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkMerchant, printLines, readCheckRequest } from '../../cli/check/check.ts'
import type { CheckParts } from '../../cli/check/check.ts'
import { checkCertificateFile } from '../../cli/check/identity.ts'
import type { CheckOutcome } from '../../cli/check/item.ts'
import { checkLine, lineText, lineView, outcomes, resultOf } from '../../cli/check/outcome.ts'
import type { CheckLine, OutcomeCode } from '../../cli/check/outcome.ts'
import { introduceMerchant, makeMerchant } from '../../dev/demo.ts'
import type { DemoMerchant } from '../../dev/demo.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { workflowId } from '../../domain/ids.ts'
import { trade_types } from '../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { shown_memo } from '../../domain/messages.ts'
import { plainTemporal } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import { newToken } from '../../runtime/secrets.ts'
import type { FaultRequest } from '../../simulator/control.ts'
import { createAccounts } from '../../wechat/accounts.ts'
import { createDispatcher } from '../../wechat/connection.ts'
import { closeLeftProbes } from '../../worker/probes.ts'
import { builtRoles } from '../stage/build.ts'
import { Stage, stageApps } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { TestAuthority } from '../wechat/authority.ts'
import { keyPair } from './sample.ts'

const minute_ms = 60_000
const day_ms = 24 * 60 * minute_ms
const folder = mkdtempSync(join(tmpdir(), 'weft-check-'))
const codesOf = (lines: readonly CheckLine[]) => lines.map(({ code }) => code)
const failedOf = (lines: readonly CheckLine[]) =>
  lines.filter((line) => resultOf(line) === 'failed').map(({ code }) => code)

const stage = await Stage.open({ settings: { fulfilment: { mode: 'event' } } })
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await stage.close() // the audit and the oracle know of no probe order
})

interface Looked {
  config?: Partial<CheckParts['config']>
  now?: () => number
  payer?: CheckParts['request']['payer']
}
async function check(mchid: string, { config = {}, now, payer = null }: Looked = {}) {
  const request = { mchid, certificate_path: null, payer }
  const parts = { store: stage.store, config: { ...stage.config, ...config }, request }
  return await checkMerchant({ ...parts, ...(now && { now }) })
}

const first = makeMerchant({ mchid: `18${String(Date.now()).slice(-8)}`, name: '一壶茶' })
const mchids = Array.from({ length: 20 }, (_, place) => String(Number(first.mchid) + place))

/** A merchant of its own with the keys of the first, set up well on both sides: paid by codes, and paid is shipped. */
async function another(): Promise<DemoMerchant> {
  const mchid = mchids.shift() ?? ''
  const serial_no = randomBytes(20).toString('hex').toUpperCase()
  const merchant = { ...first, mchid, serial_no, appid: `wx${mchid}`, key: newToken('test') }
  const { simulator, store, config, shop } = stage
  await introduceMerchant({ merchant, simulator, store, config, endpoint_url: shop.url })
  // The demo's merchant is paid in every way; what is wrong shows best where there is one.
  const [appids, products] = [[merchant.appid], ['NATIVE' as const]]
  await simulator.control.register({ mchid, appids, apps: [], products })
  await change(mchid, { appids, apps: [], settings: { ...(await record(mchid)).settings, products } })
  await change(mchid, {})
  return merchant
}

async function record(mchid: string): Promise<MerchantRecord> {
  const found = await stage.store.merchants.find(mchid)
  if (found === null) throw new Error(`no merchant ${mchid}`)
  return found
}

async function change(mchid: string, given: Partial<MerchantRecord>): Promise<void> {
  const before = await record(mchid)
  const quick = { ...before.settings, fulfilment: { ...before.settings.fulfilment, mode: 'none' as const } }
  await stage.store.merchants.save({ ...before, settings: quick, ...given })
}

const probesAt = (mchid: string) => stage.simulator.control.view(mchid, null).orders
const left = (mchid: string) =>
  stage.store.probes.findLeft({ before: beijingTime(Date.now() + day_ms), mchid, limit: 10 })

describe('a merchant that is set up well', () => {
  it('has nothing that failed, and leaves neither order nor record of the probe', async () => {
    const { mchid } = stage
    const order = await stage.fulfilled()
    await until('WeChat Pay has told of it', async () =>
      (await stage.store.evidence.ofOrder(mchid, order.out_trade_no)).some(({ kind }) => kind === 'notification'),
    )
    const lines = await check(mchid)
    expect(failedOf(lines)).toEqual([])
    expect(codesOf(lines)).toEqual([
      'settings_fit',
      'host_reached',
      'clock_right',
      'certificate_accepted',
      'certificate_dates',
      'apiv3_key_opens_notification',
      'key_public',
      'authority_needless',
      'probe_closed',
      'notify_of_a_test',
      'notify_answered',
      'notification_genuine',
      'fulfilment_heard',
    ])
    const probes = probesAt(mchid).filter(({ out_trade_no }) => out_trade_no.startsWith('WEFTPROBE-NATIVE-'))
    expect(probes.map(({ trade_state }) => trade_state)).toEqual(['CLOSED'])
    expect(await left(mchid)).toEqual([])
    for (const { out_trade_no } of probes) expect(await stage.store.orders.find({ mchid, out_trade_no })).toBeNull()
    expect(stage.shop.heard.filter(({ type }) => type === 'test.ping')).toHaveLength(1)
  })

  it('has nothing to be told but what is wrong now, in the language of the environment', async () => {
    const program = join(builtRoles(), 'cli/merchant.js')
    const env = { PATH: process.env.PATH, ...stage.environment, LANG: 'zh_CN.UTF-8' }
    await stage.simulator.control.register({ mchid: stage.mchid, certificate_state: 'expired' })
    const refused = promisify(execFile)(process.execPath, [program, 'check', stage.mchid], { env })
    const { code, stdout } = (await refused.catch((error: unknown) => error)) as { code: number; stdout: string }
    await stage.simulator.control.register({ mchid: stage.mchid, certificate_state: 'valid' })
    expect(code).toBe(1)
    expect(stdout).toContain('失败　  商户 API 证书: 微信支付拒绝以序列号')
    expect(stdout).toMatch(/商户证书已过期.*\n {10}→ serial_no 与 private_key/)
    expect(stdout).toMatch(/\n通过 \d+ 项，失败 1 项，待确认 \d+ 项\n$/)
  })
})

describe('a set-up that WeChat Pay does not take', () => {
  let merchant: DemoMerchant
  beforeAll(async () => {
    merchant = await another()
  })
  type Registered = Omit<Parameters<Stage['simulator']['control']['register']>[0], 'mchid'>
  const registrations: [string, Registered, OutcomeCode[]][] = [
    ['a private key of another certificate', { public_key: keyPair().publicKey }, ['certificate_refused']],
    ['a serial that is not this merchant’s', { serial_no: 'A'.repeat(40) }, ['certificate_refused']],
    ['a certificate that was revoked', { certificate_state: 'revoked' }, ['certificate_refused']],
    ['a certificate that has ended', { certificate_state: 'expired' }, ['certificate_refused']],
    ['an appid that is not bound', { appids: ['wxsomebodyelses'] }, ['probe_appid_unbound']],
  ]
  it.each(registrations)('for %s is found out', async (_, registered, failed) => {
    const { mchid, public_key, serial_no, appid } = merchant
    await stage.simulator.control.register({ mchid, ...registered })
    const lines = await check(mchid)
    const well = { public_key, serial_no, appids: [appid], certificate_state: 'valid' as const }
    await stage.simulator.control.register({ mchid, ...well })
    expect(failedOf(lines)).toEqual(failed)
    expect(await left(mchid)).toEqual([])
  })

  const faults: [string, Omit<FaultRequest, 'mchid'>, OutcomeCode[]][] = [
    ['a product that is not enabled', { operation: 'place', fault: 'NO_AUTH' }, ['probe_not_permitted']],
    ['a merchant number that is none', { operation: 'certificates', fault: 'MCH_NOT_EXISTS' }, ['merchant_unknown']],
    ['a rule of WeChat’s own', { operation: 'place', fault: 'RULE_LIMIT' }, ['probe_refused']],
    [
      'an answer signed by a stranger',
      { operation: 'place', fault: 'wrong_signature' },
      ['key_wrong', 'probe_unanswered'],
    ],
    ['an answer that gets lost', { operation: 'place', fault: 'disconnect_after' }, ['probe_unanswered']],
  ]
  it.each(faults)('for %s is found out, and no order stays open', async (_, fault, failed) => {
    const { mchid } = merchant
    const { fault_id } = stage.simulator.control.addFault({ ...fault, mchid })
    const lines = await check(mchid)
    stage.simulator.control.removeFaults(fault_id)
    expect(failedOf(lines)).toEqual(failed)
    expect(probesAt(mchid).filter(({ trade_state }) => trade_state !== 'CLOSED')).toEqual([])
    expect(await left(mchid)).toEqual([])
  })

  it('for a public key that WeChat Pay does not sign with any more is found out', async () => {
    const { mchid } = await another()
    await stage.simulator.control.rotate({ kind: 'public_key', mchid, retire_others: true })
    expect(failedOf(await check(mchid))).toEqual(['key_wrong', 'probe_unanswered'])
  })

  it('for an APIv3 key that is another is found out by the list of certificates', async () => {
    const { mchid, apiv3_key } = await another()
    await stage.simulator.control.register({ mchid, key_mode: 'certificate', apiv3_key: 'x'.repeat(32) })
    const { wechat } = await record(mchid)
    await change(mchid, { wechat: wechat && { ...wechat, public_key: null, public_key_id: null } })
    expect(failedOf(await check(mchid))).toContain('apiv3_key_wrong')
    await stage.simulator.control.register({ mchid, apiv3_key })
    const lines = await check(mchid)
    expect(failedOf(lines)).toEqual([])
    expect(codesOf(lines)).toEqual(
      expect.arrayContaining(['apiv3_key_opens_list', 'key_certificate', 'authority_unnamed']),
    )
  })

  it('for certificates that nobody named has issued is found out', async () => {
    const { mchid } = await another()
    await stage.simulator.control.register({ mchid, key_mode: 'certificate' })
    const { wechat } = await record(mchid)
    await change(mchid, { wechat: wechat && { ...wechat, public_key: null, public_key_id: null } })
    const path = join(folder, 'ca.pem')
    writeFileSync(path, new TestAuthority(Date.now()).pem)
    expect(failedOf(await check(mchid, { config: { test_wechat_ca_path: path } }))).toContain('authority_refuses')
    writeFileSync(path, (await stage.simulator.control.authority()).certificate)
    const lines = await check(mchid, { config: { test_wechat_ca_path: path } })
    expect(failedOf(lines)).toEqual([])
    expect(codesOf(lines)).toContain('authority_named')
  })

  it('for a clock that is wrong, and for a host that is away, is found out', async () => {
    const { mchid } = await another()
    await change(mchid, { notify_url: 'http://127.0.0.1:1/wechat/notify/1' })
    const lines = await check(mchid, { now: () => Date.now() + 10 * minute_ms })
    expect(failedOf(lines)).toEqual(['clock_off', 'certificate_refused', 'notify_away'])
    const away = await check(mchid, { config: { test_wechat_url: 'http://127.0.0.1:1' } })
    expect(failedOf(away)).toEqual(['host_away', 'notify_away'])
  })

  it('that is not there, or cannot be used, is said so', async () => {
    const { mchid } = await another()
    expect(failedOf(await check(mchid, { config: { test_wechat_url: null } }))).toEqual(['setup_unusable'])
    await change(mchid, { wechat: null, state: 'paused' })
    const lines = await check(mchid)
    expect(failedOf(lines)).toEqual(['setup_missing'])
    expect(codesOf(lines)).toContain('settings_paused')
    await expect(check('1900000000')).rejects.toThrow('there is no merchant 1900000000')
  })
})

describe('a merchant that is paid wherever its payers are', () => {
  const everything = [...trade_types]
  let merchant: DemoMerchant
  beforeAll(async () => {
    merchant = await another()
    const { mchid, appid } = merchant
    const apps = [...stageApps(appid)]
    await stage.simulator.control.register({ mchid, apps, products: everything })
    const { settings } = await record(mchid)
    await change(mchid, {
      appids: apps.map((app) => app.appid),
      apps: stage.store.merchants.sealApps(mchid, apps),
      settings: { ...settings, products: everything },
    })
  })
  const openidAt = (appid: string) => stage.simulator.control.openid({ appid }).openid
  const allClosed = () => probesAt(merchant.mchid).every(({ trade_state }) => trade_state === 'CLOSED')
  const about = (lines: CheckLine[], item: string) =>
    lines
      .filter((line) => lineView(line, 'en').item === item)
      .map(({ code, values }) => [
        code,
        ...[values.method, values.appid, values.directory, values.host].filter(Boolean),
      ])

  it('has an order placed and closed for each method and app, and is asked what only consoles show', async () => {
    const [account, mini, phone] = stageApps(merchant.appid).map(({ appid }) => appid)
    const lines = await check(merchant.mchid)
    expect(failedOf(lines)).toEqual([])
    expect(about(lines, 'probe')).toEqual([
      ...[account, mini, phone].map((appid) => ['probe_closed', 'NATIVE', appid]),
      ['probe_needs_openid', 'JSAPI', account],
      ['probe_needs_openid', 'JSAPI', mini],
      ['probe_closed', 'MWEB', account],
      ['probe_closed', 'APP', phone],
    ])
    const { public_url } = stage.config
    const { host } = new URL(public_url)
    expect(about(lines, 'console')).toEqual([
      ['console_payment_directory', `${public_url}/pay/`],
      ['console_oauth_domain', account, host],
      ['console_mini_program', mini],
      ['console_h5_domain', host],
      ['console_mobile_app', phone],
    ])
    expect(allClosed()).toBe(true)
  })

  it('has JSAPI tried with an openid, which has to be one of that very appid', async () => {
    const { mchid, appid } = merchant
    const mini = `${appid}_mini`
    const tried = async (payer: NonNullable<Looked['payer']>) =>
      about(await check(mchid, { payer }), 'probe').filter(([, method]) => method === 'JSAPI')
    expect(await tried({ openid: openidAt(appid), appid: null })).toEqual([
      ['probe_closed', 'JSAPI', appid],
      ['probe_needs_openid', 'JSAPI', mini],
    ])
    expect(await tried({ openid: openidAt(mini), appid: mini })).toContainEqual(['probe_closed', 'JSAPI', mini])
    expect(await tried({ openid: openidAt(mini), appid })).toContainEqual(['probe_payer_unknown', 'JSAPI', appid])
    expect(allClosed()).toBe(true)
    expect(await left(mchid)).toEqual([])
  })

  it('is told whether WeChat takes the AppSecret, which nothing is made with', async () => {
    const { mchid, appid } = merchant
    const apps = [...stageApps(appid)]
    const codes = async (config: Looked['config'] = {}) => about(await check(mchid, { config }), 'app_secret')
    expect(await codes()).toEqual([['app_secret_accepted', appid]])
    await stage.simulator.control.register({ mchid, apps: apps.map((app) => ({ ...app, secret: 'reset' })) })
    expect(await codes()).toEqual([['app_secret_wrong', appid]])
    await stage.simulator.control.register({ mchid, apps })
    expect(await codes({ test_wechat_url: 'http://127.0.0.1:1' })).toEqual([
      ['app_secret_untold', appid, 'https://api.weixin.qq.com'],
    ])
    const { settings } = await record(mchid)
    const without = apps.map(({ appid: one, kind }) => ({ appid: one, kind, secret: null }))
    await change(mchid, { settings, apps: stage.store.merchants.sealApps(mchid, without) })
    expect(await codes()).toEqual([['app_secret_missing', appid]])
  })

  it('is told which product WeChat Pay has not enabled, and which has no app here', async () => {
    const { mchid } = merchant
    await stage.simulator.control.register({ mchid, products: ['NATIVE', 'JSAPI'] })
    await change(mchid, { apps: [], settings: { ...(await record(mchid)).settings, products: everything } })
    const lines = await check(mchid)
    expect(
      lines.filter((line) => resultOf(line) === 'failed').map(({ code, values }) => [code, values.method]),
    ).toEqual([
      ['probe_has_no_app', 'JSAPI'],
      ['probe_not_permitted', 'MWEB'],
      ['probe_has_no_app', 'APP'],
    ])
  })
})

describe('a probe order', () => {
  const closeLeft = async (now: () => number) => {
    const { store, config } = stage
    const dispatcher = createDispatcher()
    const load = (mchid: string) => store.merchants.openSetup(mchid)
    const { test_wechat_url } = config
    const accounts = createAccounts({ load, test_wechat_url, dispatcher, now: Date.now, user_agent: 'weft-test' })
    await closeLeftProbes({ store, accounts, now, log: silentLogger })
    await dispatcher.close()
  }

  it('whose close did not come through is said to be open, and closed by the next check', async () => {
    const { mchid } = await another()
    stage.simulator.control.addFault({ operation: 'close', fault: 'SYSTEM_ERROR', mchid, times: 1 })
    expect(failedOf(await check(mchid))).toEqual(['probe_open'])
    const later = await check(mchid, { now: () => Date.now() + 2 * minute_ms })
    expect(codesOf(later)).toEqual(expect.arrayContaining(['probe_left', 'probe_closed']))
    expect(probesAt(mchid).map(({ trade_state }) => trade_state)).toEqual(['CLOSED', 'CLOSED'])
  })

  it('whose check was killed behind its placement is closed by a worker, not before it is certain', async () => {
    const { mchid } = await another()
    stage.simulator.control.addFault({ operation: 'close', fault: 'SYSTEM_ERROR', mchid, times: 1 })
    await check(mchid)
    await closeLeft(() => Date.now() + 4 * minute_ms)
    expect(probesAt(mchid).map(({ trade_state }) => trade_state)).toEqual(['NOTPAY'])
    await closeLeft(() => Date.now() + 6 * minute_ms)
    expect(probesAt(mchid).map(({ trade_state }) => trade_state)).toEqual(['CLOSED'])
    expect(await left(mchid)).toEqual([])
  })

  it('that was never placed is forgotten, and so is one that WeChat Pay has closed by itself', async () => {
    const { mchid } = await another()
    await stage.store.probes.note({
      mchid,
      out_trade_no: 'WEFTPROBE-NATIVE-NEVER',
      create_time: beijingTime(Date.now()),
    })
    await closeLeft(() => Date.now() + 6 * minute_ms)
    expect(await left(mchid)).toEqual([])
    const gone = { mchid: '1700000001', out_trade_no: 'WEFTPROBE-NATIVE-GONE', create_time: beijingTime(Date.now()) }
    await stage.store.probes.note(gone)
    await closeLeft(() => Date.now() + 6 * minute_ms)
    expect(await left(gone.mchid)).toHaveLength(1) // its merchant has no set-up now, and may have one again
    await closeLeft(() => Date.now() + 9 * day_ms)
    expect(await left(gone.mchid)).toEqual([])
  })
})

describe('who says that the goods went out', () => {
  const event = async (mchid: string) => {
    const { settings } = await record(mchid)
    return { settings: { ...settings, fulfilment: { ...settings.fulfilment, mode: 'event' as const } } }
  }

  it('is asked for, and has to take a test.ping', async () => {
    const { mchid } = await another()
    await change(mchid, await event(mchid))
    // It verifies with the secret of the stage's own merchant.
    expect(failedOf(await check(mchid, { config: { language: 'zh-CN' } }))).toEqual(['fulfilment_unheard'])
    const [ping] = (await stage.store.deliveries.list(mchid, { event_type: ['test.ping'] }, { limit: 1 })).data
    const run = stage.temporal.client.workflow.getHandle(workflowId.delivery(ping?._id ?? ''))
    expect((await run.describe()).memo).toMatchObject({ [shown_memo]: { language: 'zh-CN' } })
    const { fulfilment_endpoint_id } = await record(mchid)
    const endpoint = await stage.store.endpoints.findPublic(mchid, fulfilment_endpoint_id ?? '')
    await stage.store.endpoints.disable(endpoint?._id ?? '', 'gone', beijingTime(Date.now()))
    expect(failedOf(await check(mchid))).toEqual(['fulfilment_disabled'])
    await change(mchid, { ...(await event(mchid)), fulfilment_endpoint_id: null })
    expect(failedOf(await check(mchid))).toEqual(['fulfilment_missing'])
  })

  it('is not told anything while Temporal is away', async () => {
    const config = { temporal: plainTemporal('127.0.0.1:1') }
    expect(failedOf(await check(stage.mchid, { config }))).toEqual(['fulfilment_untold'])
  })

  it('may be nobody, or the merchant by a call of its own', async () => {
    const { mchid } = await another()
    // It has an endpoint that is to decide, and no mode in which it would.
    expect(codesOf(await check(mchid))).toContain('fulfilment_unasked')
    const { settings } = await record(mchid)
    await change(mchid, { fulfilment_endpoint_id: null })
    expect(codesOf(await check(mchid))).toContain('fulfilment_none')
    await change(mchid, { settings: { ...settings, fulfilment: { ...settings.fulfilment, mode: 'confirm' } } })
    expect(codesOf(await check(mchid))).toContain('fulfilment_confirm')
  })
})

describe('the merchant’s own certificate', () => {
  const authority = new TestAuthority(Date.now())
  const subject = (common_name: string) => ({ common_name, organization: '微信商户系统' })
  const certificate = authority.issue({ subject: subject('1900000001'), to_day: 100 })
  const path = join(folder, 'apiclient_cert.pem')
  const { serial: serial_no, private_key } = certificate
  const merchant = { mchid: '1900000001', serial_no, private_key }
  const codeAt = (now: number, given = merchant) => {
    writeFileSync(path, certificate.certificate ?? '')
    return checkCertificateFile(path, given, now).code
  }

  it('is held against number, serial, key and clock', () => {
    const now = Date.now()
    expect(codeAt(now)).toBe('certificate_in_force')
    expect(codeAt(now + 80 * day_ms)).toBe('certificate_ending')
    expect(codeAt(now + 101 * day_ms)).toBe('certificate_over')
    expect(codeAt(now, { ...merchant, mchid: '1900000002' })).toBe('certificate_of_another')
    expect(codeAt(now, { ...merchant, serial_no: 'AB'.repeat(20) })).toBe('certificate_of_another')
    expect(codeAt(now, { ...merchant, private_key: authority.issue().private_key })).toBe('certificate_of_another')
    expect(checkCertificateFile(join(folder, 'none.pem'), merchant, now).code).toBe('certificate_unreadable')
    expect(checkCertificateFile(null, merchant, now).code).toBe('certificate_dates')
  })
})

describe('what a check says', () => {
  const all = Object.keys(outcomes) as OutcomeCode[]
  const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort()

  it.each(all)('of %s is the same in both languages, with a remedy where something is to be done', (code) => {
    const { says, remedy, result }: CheckOutcome = outcomes[code]
    expect(placeholders(says.zh)).toEqual(placeholders(says.en))
    expect(says.zh).toMatch(/[\u4e00-\u9fff]/)
    expect(remedy === null).toBe(result === 'ok')
    if (remedy !== null) expect(placeholders(remedy.zh)).toEqual(placeholders(remedy.en))
  })

  it('names what it is about, in words and for programs, and ends with the code of its worst line', () => {
    const line = checkLine('probe_not_permitted', { method: 'MWEB', appid: 'wx1', error: 'NO_AUTH' })
    expect(lineText(line, 'en')).toMatch(/^FAILED {4}probe order: MWEB with wx1: .*\n {10}→ apply for it/)
    expect(lineView(line, 'zh')).toMatchObject({ item: 'probe', result: 'failed', values: { method: 'MWEB' } })
    const said: string[] = []
    expect(printLines([line], { language: 'en', is_json: false }, (text) => said.push(text))).toBe(1)
    expect(
      printLines([checkLine('clock_unknown')], { language: 'zh', is_json: false }, (text) => said.push(text)),
    ).toBe(0)
    expect(said.at(-1)).toBe('\n通过 0 项，失败 0 项，待确认 1 项')
  })

  it('is in the language of --lang, else of the environment', () => {
    const languageOf = (words: string[], environment = {}) =>
      readCheckRequest(['1900000001', ...words], environment).language
    expect(languageOf([])).toBe('en')
    expect(languageOf([], { LANG: 'zh_CN.UTF-8' })).toBe('zh')
    expect(languageOf([], { LANG: 'zh_CN.UTF-8', LC_ALL: 'C' })).toBe('en')
    expect(languageOf(['--lang', 'en'], { LANG: 'zh_CN.UTF-8' })).toBe('en')
    expect(() => languageOf(['--lang', 'de'])).toThrow('there is no language de')
    expect(() => readCheckRequest([], {})).toThrow('npm run merchant -- check <mchid>')
    expect(() => languageOf(['--loud'])).toThrow('--loud')
  })
})
