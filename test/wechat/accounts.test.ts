import { describe, expect, it } from 'vitest'
import type { KeyNews, OpenSetup } from '../../domain/merchant/record.ts'
import { createAccounts } from '../../wechat/accounts.ts'
import type { WeChatAccountsSettings } from '../../wechat/accounts.ts'
import { encryptText } from '../../wechat/cipher.ts'
import { createDispatcher } from '../../wechat/connection.ts'
import { certificateFingerprint } from '../../wechat/credentials.ts'
import { freshNonce, signatureHeaders } from '../../wechat/signature.ts'
import { createTrusts } from '../../wechat/trust.ts'
import { TestAuthority } from './authority.ts'
import { mchid, playHost, publicKeyId } from './server.ts'
import { certificatePem, privateKey, publicKey, received } from './vectors.ts'

const newest = 'testApiV3Key0123456789abcdefABCD'
const retired = 'testApiV3Key0123456789abcdefABCE'
const setup: OpenSetup = {
  mchid,
  mode: 'test',
  appids: ['wxd678efh567hg6787'],
  serial_no: '408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB',
  private_key: privateKey('doc-merchant').export({ type: 'pkcs8', format: 'pem' }).toString(),
  apiv3_keys: [newest, retired],
  public_key_id: publicKeyId,
  public_key: publicKey('go-sdk').export({ type: 'spki', format: 'pem' }).toString(),
  certificates: [],
  retired_public_keys: [],
  dropped_certificates: [],
  changeover_end_time: null,
  revision: 1,
}

/** Accounts over a database that the test plays; `state.setup` is what it holds. */
function accountsOver(initial: OpenSetup | null, change: Partial<WeChatAccountsSettings> = {}) {
  const state = { setup: initial, is_away: false, loads: 0, now: 1_767_240_000_000, mistakes: [] as unknown[] }
  const accounts = createAccounts({
    load: async () => {
      state.loads += 1
      if (state.is_away) throw new Error('away')
      return state.setup
    },
    test_wechat_url: 'http://127.0.0.1:9',
    dispatcher: createDispatcher(),
    now: () => state.now,
    user_agent: 'weft-test',
    on_mistake: (_mchid, mistake) => state.mistakes.push(mistake),
    ...change,
  })
  return { accounts, state }
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

function notification(apiv3Key: string, now: number) {
  const plaintext = { mchid, appid: 'wx1', out_trade_no: 'T20260101', trade_state: 'SUCCESS' }
  const resource = {
    algorithm: 'AEAD_AES_256_GCM',
    ...encryptText(JSON.stringify(plaintext), 'abcdefghijkl', 'transaction', apiv3Key),
  }
  const outside = { id: 'n-1', create_time: '2026-01-01T12:00:05+08:00', event_type: 'TRANSACTION.SUCCESS', resource }
  const body = Buffer.from(JSON.stringify(outside))
  const signer = { serial_no: publicKeyId, private_key: privateKey('go-sdk') }
  return { headers: received(signatureHeaders({ timestamp: now / 1000, nonce: freshNonce(), body }, signer)), body }
}

describe('the accounts of a process', () => {
  it('are loaded once, and looked at again beside the request that finds them old', async () => {
    const { accounts, state } = accountsOver(setup)
    const [first, second] = await Promise.all([accounts.find(mchid), accounts.find(mchid)])
    expect(first).toBe(second)
    expect(state.loads).toBe(1)
    state.now += 3_000
    state.setup = { ...setup, apiv3_keys: [newest], revision: 2 }
    expect(await accounts.find(mchid)).toBe(first)
    await settled()
    expect(await accounts.find(mchid)).not.toBe(first)
    expect(state.loads).toBe(2)
  })

  it('keep their way to WeChat Pay when only its keys, or nothing of theirs, changed', async () => {
    const { accounts, state } = accountsOver(setup)
    const first = await accounts.find(mchid)
    const other_id = `${publicKeyId.slice(0, -1)}9`
    state.now += 3_000
    state.setup = { ...setup, public_key_id: other_id, revision: 2 }
    await accounts.find(mchid)
    await settled()
    expect(await accounts.find(mchid)).toBe(first)
    expect(first?.client.keyring.keys().map(({ serial }) => serial)).toEqual([other_id])
  })

  it('hand over certificates that were downloaded, once, and take them from the set-up afterwards', async () => {
    const serial = 'D7CE59D1F522D701'
    const sealed = encryptText(certificatePem('go-sdk', serial), 'abcdefghijkl', 'certificate', newest)
    const body = JSON.stringify({ data: [{ serial_no: serial, encrypt_certificate: sealed }] })
    const main = await playHost(() => ({ status: 200, body, serial }))
    const certificate_mode = { ...setup, public_key_id: null, public_key: null }
    const clock = { ahead_ms: 0 }
    const told: KeyNews[] = []
    const { accounts, state } = accountsOver(certificate_mode, {
      test_wechat_url: main.origin,
      now: () => Date.now() + clock.ahead_ms,
      note_key: async (_mchid, news) => void told.push(news),
    })
    const account = await accounts.find(mchid)
    expect(await account?.client.keyring.refresh()).toBe(true)
    const fingerprint = certificateFingerprint(certificatePem('go-sdk', serial))
    expect(told).toMatchObject([{ kind: 'taken', detail: `certificate ${serial}, SHA-256 ${fingerprint}` }])
    const certificates = told.flatMap((news) => (news.kind === 'taken' ? [news.certificate] : []))
    state.setup = { ...certificate_mode, certificates, revision: 2 }
    clock.ahead_ms = 11_000
    await accounts.find(mchid)
    await settled()
    expect(await accounts.find(mchid)).toBe(account)
    expect(await account?.client.keyring.refresh()).toBe(true)
    expect(main.seen).toHaveLength(2)
    expect(told).toHaveLength(1)
    await main.close()
    accounts.forget(mchid)
    const restarted = await accounts.find(mchid)
    expect(restarted?.client.keyring.keys().map((key) => key.serial)).toEqual([serial])
    state.setup = { ...state.setup, dropped_certificates: [serial], revision: 3 }
    clock.ahead_ms = 22_000
    await accounts.find(mchid)
    await settled()
    expect(restarted?.client.keyring.isEmpty()).toBe(true)
  })

  it('tell a person of a certificate that WeChat Pay’s CA did not issue, and use none of it', async () => {
    const serial = 'D7CE59D1F522D701'
    const sealed = encryptText(certificatePem('go-sdk', serial), 'abcdefghijkl', 'certificate', newest)
    const body = JSON.stringify({ data: [{ serial_no: serial, encrypt_certificate: sealed }] })
    const main = await playHost(() => ({ status: 200, body, serial }))
    const told: KeyNews[] = []
    const { accounts } = accountsOver(
      { ...setup, public_key_id: null, public_key: null },
      {
        test_wechat_url: main.origin,
        now: Date.now,
        trusts: createTrusts({ live: null, test: [new TestAuthority(Date.now()).pem] }),
        note_key: async (_mchid, news) => void told.push(news),
      },
    )
    const account = await accounts.find(mchid)
    expect(await account?.client.keyring.refresh()).toBe(false)
    expect(told.map(({ kind }) => kind)).toEqual(['refused'])
    expect(told[0]?.detail).toContain(`(unknown_issuer): certificate ${serial}`)
    expect(account?.client.keyring.isEmpty()).toBe(true)
    await main.close()
  })

  it('stay usable while the database is away', async () => {
    const { accounts, state } = accountsOver(setup)
    const account = await accounts.find(mchid)
    state.is_away = true
    state.now += 3_600_000
    expect(await accounts.find(mchid)).toBe(account)
    await settled()
    expect(state.mistakes).toHaveLength(1)
    accounts.forget(mchid)
    await expect(accounts.find(mchid)).rejects.toThrow('away')
  })

  it('have none for a merchant that does not exist, and take one in as soon as it does', async () => {
    const { accounts, state } = accountsOver(null)
    await expect(accounts.find(mchid)).resolves.toBeNull()
    state.setup = setup
    await expect(accounts.find(mchid)).resolves.toMatchObject({ mchid })
  })

  it('have none for a set-up that cannot be used, and say why without a secret', async () => {
    const { accounts, state } = accountsOver({ ...setup, private_key: 'SECRET' })
    await expect(accounts.find(mchid)).resolves.toBeNull()
    expect(state.mistakes).toMatchObject([[{ field: '/private_key' }]])
    expect(JSON.stringify(state.mistakes)).not.toContain('SECRET')
  })

  it('leave out a certificate of WeChat Pay’s that cannot be read, name it, and use all other keys', async () => {
    const time = '2026-01-01T00:00:00+08:00'
    const unreadable = { serial_no: 'ABCD', certificate: 'no PEM', effective_time: time, expire_time: time }
    const { accounts, state } = accountsOver({ ...setup, certificates: [unreadable] })
    expect((await accounts.find(mchid))?.client.keyring.keys()).toHaveLength(1)
    expect(state.mistakes).toEqual(['certificate ABCD of WeChat Pay cannot be read; it is left out'])
  })

  it('send test merchants to the test WeChat, and have none for them without one', async () => {
    const main = await playHost(() => ({ status: 404, body: '{"code":"ORDER_NOT_EXIST"}' }))
    const { accounts } = accountsOver(setup, { test_wechat_url: main.origin, now: Date.now })
    const account = await accounts.find(mchid)
    const request = { operation: 'query', method: 'GET', path: '/v3/x' } as const
    expect((await account?.client.transport.send(request))?.code).toBe('ORDER_NOT_EXIST')
    await main.close()
    await expect(accountsOver(setup, { test_wechat_url: null }).accounts.find(mchid)).resolves.toBeNull()
  })

  it('have none for a live merchant where the process is set up for development, and say why', async () => {
    const live_mistakes = ['WEFT_TIME_SCALE is set']
    const { accounts, state } = accountsOver({ ...setup, mode: 'live' }, { live_mistakes })
    await expect(accounts.find(mchid)).resolves.toBeNull()
    expect(state.mistakes).toEqual([live_mistakes])
    await expect(accountsOver(setup, { live_mistakes }).accounts.find(mchid)).resolves.toMatchObject({ mchid })
  })

  it('send live merchants to WeChat Pay alone, whatever the environment says', async () => {
    const main = await playHost(() => ({ status: 404 }))
    const asked: string[] = []
    const dispatcher = createDispatcher({
      lookup: (host, _options, done) =>
        done(Object.assign(new Error(asked.push(host).toString()), { syscall: 'getaddrinfo' }), '', 4),
    })
    const { accounts } = accountsOver({ ...setup, mode: 'live' }, { test_wechat_url: main.origin, dispatcher })
    const account = await accounts.find(mchid)
    const request = { operation: 'query', method: 'GET', path: '/v3/x' } as const
    await expect(account?.client.transport.send(request)).rejects.toMatchObject({ reason: 'network' })
    expect(asked).toEqual(['api.mch.weixin.qq.com', 'api2.mch.weixin.qq.com'])
    expect(main.seen).toHaveLength(0)
    await main.close()
  })
})

describe('a notification closed with a retired APIv3 key', () => {
  it('is opened all the same; with a key nobody here ever had it is not', async () => {
    const { accounts, state } = accountsOver(setup)
    const account = await accounts.find(mchid)
    const read = (key: string) => account?.read(notification(key, state.now), state.now)
    expect(read(newest)?.verdict).toBe('verified')
    expect(read(retired)?.verdict).toBe('verified')
    expect(read('testApiV3Key0123456789abcdefABCF')).toMatchObject({ verdict: 'undecipherable', reason: 'key' })
  })
})
