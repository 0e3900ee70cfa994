import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, send } from './client.ts'

const native = '/v3/pay/transactions/native'
const certificates = '/v3/certificates'
const nowSeconds = (): number => Math.floor(Date.now() / 1000)

const simulator = await startSimulator({ port: 0, probe_rate: 0 })
const client = new Client(simulator.url, makeMerchant('1900000001'))

beforeAll(() => client.register())
afterAll(() => simulator.close())

describe('a call that nobody signed', () => {
  it('is told on order paths that the signature does not hold, without a Request-ID', async () => {
    for (const authorization of [null, 'Bearer abc', 'WECHATPAY2-SHA256-RSA2048 mchid="1"']) {
      const answer = await client.call('POST', native, {}, { authorization })
      expect(answer.status).toBe(401)
      expect(answer.json).toEqual({ code: 'SIGN_ERROR', message: '签名信息错误，验签失败' })
      expect(answer.headers['request-id']).toBeUndefined()
    }
  })

  it('is told elsewhere that its header is malformed, with a Request-ID', async () => {
    for (const authorization of [null, 'WECHATPAY2-SHA256-RSA2048 mchid=1']) {
      const answer = await client.call('GET', certificates, undefined, { authorization })
      expect(answer.status).toBe(401)
      expect(answer.json.message).toBe('Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》')
      expect(answer.headers['request-id']).toMatch(/^[0-9A-F]+-268443699$/)
    }
  })

  it('is told when its scheme is another', async () => {
    for (const path of [native, certificates]) {
      const authorization = client.authorization('GET', path, '').replace('RSA2048', 'RSA1024')
      const answer = await client.call('GET', path === native ? '/v3/pay/transactions/id/1' : path, undefined, {
        authorization,
      })
      expect([answer.status, answer.json.message]).toEqual([401, 'HTTP头Authorization认证类型不正确'])
    }
  })

  it('must carry User-Agent and Accept on the certificates and refund paths, before anything else is looked at', async () => {
    for (const path of [certificates, '/v3/refund/domestic/refunds']) {
      for (const headers of [{ 'user-agent': null }, { accept: null }]) {
        const answer = await client.call('GET', path, undefined, { authorization: null, headers })
        expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST'])
        expect(answer.json.message).toBe('Http头缺少Accept或User-Agent')
      }
    }
    const order = await client.place('NO_AGENT_1', {}, { headers: { 'user-agent': null, accept: null } })
    expect(order.status).toBe(200)
  })
})

describe('a signed call', () => {
  it('is refused when its clock is more than five minutes away, either way', async () => {
    for (const offset of [-303, 303]) {
      const answer = await client.place('CLOCK_0001', {}, { timestamp: nowSeconds() + offset })
      expect([answer.status, answer.json.message]).toEqual([
        401,
        'Http头Authorization中的timestamp与发起请求的时间不得超过5分钟',
      ])
    }
    for (const offset of [-297, 297]) {
      expect((await client.place('CLOCK_0001', {}, { timestamp: nowSeconds() + offset })).status).toBe(200)
    }
  })

  it('that counts its time in milliseconds is told of the five minutes, for its header is well-formed', async () => {
    for (const timestamp of [Date.now(), Number.MAX_SAFE_INTEGER]) {
      const answer = await client.place('CLOCK_0002', {}, { timestamp })
      expect([answer.status, answer.json.message]).toEqual([
        401,
        'Http头Authorization中的timestamp与发起请求的时间不得超过5分钟',
      ])
    }
  })

  it('has its clock looked at before its certificate, and its certificate before its signature', async () => {
    const stale = await client.place('ORDER_0001', {}, { timestamp: 1, serial_no: 'FF', signed_body: 'x' })
    expect(stale.json.message).toContain('timestamp')
    const unknown = await client.place('ORDER_0001', {}, { serial_no: 'FF', signed_body: 'x' })
    expect([unknown.status, unknown.json.code]).toEqual([401, 'SIGN_ERROR'])
    expect(unknown.json.message).toMatch(/^商户证书序列号有误/)
  })

  it('whose signature is wrong is shown what was to be signed', async () => {
    const nonce = 'abcdefghijklmnopqrstuvwxyz012345'
    const timestamp = nowSeconds()
    const body = JSON.stringify(client.orderBody('WRONG_0001'))
    const answer = await client.call('POST', native, body, { signed_body: `${body} `, nonce, timestamp })
    expect(answer.status).toBe(401)
    const length = Buffer.byteLength(`POST\n${native}\n${timestamp}\n${nonce}\n${body}\n`)
    expect(answer.json).toMatchObject({
      code: 'SIGN_ERROR',
      message: '签名错误',
      detail: {
        field: 'signature',
        location: 'authorization',
        issue: 'sign not match',
        sign_information: { method: 'POST', url: native, sign_message_length: length },
      },
    })
    const { truncated_sign_message } = (answer.json.detail as { sign_information: { truncated_sign_message: string } })
      .sign_information
    expect(truncated_sign_message).toContain(`POST\n${native}\n${timestamp}\n${nonce}\n{"appid"`)
    expect(truncated_sign_message.length).toBeLessThan(length)
  })

  it('covers the query of the address, as it was sent', async () => {
    await client.place('A|B*C-D_1')
    expect((await client.query('A|B*C-D_1')).json.out_trade_no).toBe('A|B*C-D_1')
    const path = `/v3/pay/transactions/out-trade-no/A%7CB*C-D_1?mchid=${client.merchant.mchid}`
    const authorization = client.authorization('GET', path.split('?')[0] ?? '', '')
    expect((await client.call('GET', path, undefined, { authorization })).json.message).toBe('签名错误')
  })

  it('carries no signature of WeChat Pay when it fails, and all five headers when it does not', async () => {
    const refused = await client.query('NEVER_PLACED')
    expect(Object.keys(refused.headers).filter((name) => name.startsWith('wechatpay-'))).toEqual([])
    expect(refused.headers['request-id']).toMatch(/-268512771$/)
    const placed = await client.place('SIGNED_001')
    expect(client.verifies(placed)).toBe(true)
    expect(placed.headers['wechatpay-signature-type']).toBe('WECHATPAY2-SHA256-RSA2048')
    expect(placed.headers['wechatpay-serial']).toMatch(/^PUB_KEY_ID_\d{28}$/)
    expect(placed.headers['request-id']).toMatch(/^[0-9A-F]+-0$/)
    expect(placed.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-cache, must-revalidate',
      'x-content-type-options': 'nosniff',
      'content-language': 'zh-CN',
      server: 'nginx',
    })
  })

  it('of a merchant nobody registered is refused as such', async () => {
    const stranger = new Client(simulator.url, makeMerchant('1900009999'))
    const order = await stranger.place('STRANGER_1')
    expect([order.status, order.json.code]).toEqual([400, 'MCH_NOT_EXISTS'])
    const list = await stranger.call('GET', certificates)
    expect([list.status, list.json.code]).toEqual([401, 'SIGN_ERROR'])
  })

  it('may name the same nonce twice, unless that is set', async () => {
    const nonce = 'n'.repeat(32)
    const twice = async (on: Client): Promise<number[]> => [
      (await on.place('NONCE_0001', {}, { nonce })).status,
      (await on.place('NONCE_0001', {}, { nonce })).status,
    ]
    expect(await twice(client)).toEqual([200, 200])
    const strict = await startSimulator({ port: 0, probe_rate: 0, nonce_replay: 'refuse' })
    try {
      const other = new Client(strict.url, client.merchant)
      await other.register()
      expect(await twice(other)).toEqual([200, 401])
    } finally {
      await strict.close()
    }
  })
})

describe('a merchant’s certificate', () => {
  it('is refused when it has expired, was revoked or was replaced', async () => {
    const merchant = makeMerchant('1900000002')
    const other = new Client(simulator.url, merchant)
    await other.register({ certificate_state: 'expired' })
    expect((await other.place('CERT_00001')).json.message).toBe('商户证书已过期')
    await other.register({ certificate_state: 'revoked' })
    expect((await other.place('CERT_00001')).json.message).toBe('商户证书已作废')
    await other.register({ certificate_state: 'valid', serial_no: 'NEWSERIAL' })
    expect((await other.place('CERT_00001')).json.message).toBe('已更换证书，请使用新证书')
    expect((await other.place('CERT_00001', {}, { serial_no: 'NEWSERIAL' })).status).toBe(200)
  })

  it('and APIv3 key may never have been set', async () => {
    const other = new Client(simulator.url, makeMerchant('1900000003'))
    await other.register({ apiv3_key: null })
    expect((await other.call('GET', certificates)).json.message).toBe('商户未设置APIv3密钥。')
    await other.register({ serial_no: null, public_key: null })
    expect((await other.call('GET', certificates)).json.message).toBe('商户未申请过证书。')
  })
})

describe('an address', () => {
  it('that does not exist is 404 and one with another method 405, both without a body', async () => {
    const asked: [string, string, number][] = [
      ['GET', '/v3/nothing', 404],
      ['POST', '/v3/refund/domestic/nothing', 404],
      ['GET', '/v3/transfer/batches', 404],
      ['GET', '/v3/pay/transactions/native/', 404],
      ['GET', native, 405],
      ['POST', certificates, 405],
      ['GET', '/v3/refund/domestic/refunds', 405],
    ]
    for (const [method, path, status] of asked) {
      const headers = { 'user-agent': 'a test', accept: '*/*' }
      const answer = await send(simulator.url + path, { method, headers })
      expect([path, answer.status, answer.text]).toEqual([path, status, ''])
    }
  })
})

describe('the platform certificates', () => {
  it('open with the APIv3 key to X.509 of the serial they are listed under', async () => {
    const merchant = makeMerchant('1900000004')
    const own = new Client(simulator.url, merchant)
    await own.register({ key_mode: 'certificate' })
    const answer = await own.call('GET', certificates)
    expect(answer.status).toBe(200)
    expect(own.verifies(answer)).toBe(true)
    const [listed] = answer.json.data as {
      serial_no: string
      effective_time: string
      expire_time: string
      encrypt_certificate: { algorithm: string; ciphertext: string; nonce: string; associated_data: string }
    }[]
    if (listed === undefined) throw new Error('no certificate is listed')
    const { X509Certificate } = await import('node:crypto')
    const certificate = new X509Certificate(own.open(listed.encrypt_certificate))
    expect(listed.encrypt_certificate.algorithm).toBe('AEAD_AES_256_GCM')
    expect(certificate.serialNumber).toBe(listed.serial_no)
    expect(listed.serial_no).toMatch(/^[0-9A-F]{40}$/)
    expect(Date.parse(certificate.validFrom)).toBe(Date.parse(listed.effective_time))
    expect(Date.parse(certificate.validTo)).toBe(Date.parse(listed.expire_time))
    const authority = new X509Certificate((await simulator.control.authority()).certificate)
    expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true)
    expect(answer.headers['wechatpay-serial']).toBe(listed.serial_no)
  })

  it('are none for a merchant that uses the public key', async () => {
    const answer = await client.call('GET', certificates)
    expect(answer.status).toBe(404)
    expect(answer.json).toEqual({
      code: 'RESOURCE_NOT_EXISTS',
      message: '无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。',
    })
  })

  it('grow by rotation, and the new one signs the share it was given', async () => {
    const own = new Client(simulator.url, makeMerchant('1900000005'))
    await own.register({ key_mode: 'certificate' })
    const before = (await own.call('GET', certificates)).headers['wechatpay-serial']
    const { serial_no } = await simulator.control.rotate({ kind: 'certificate', share: 0 })
    const listed = (await own.call('GET', certificates)).json.data as { serial_no: string }[]
    expect(listed.map((one) => one.serial_no)).toEqual([before, serial_no])
    expect((await own.place('ROTATE_001')).headers['wechatpay-serial']).toBe(before)
    const last = await simulator.control.rotate({ kind: 'certificate', retire_others: true })
    await own.register()
    const answer = await own.place('ROTATE_001')
    expect(answer.headers['wechatpay-serial']).toBe(last.serial_no)
    expect(own.verifies(answer)).toBe(true)
  })
})

describe('a merchant that migrates', () => {
  it('gets answers signed by the public key when it asks for it by Wechatpay-Serial, else by certificate', async () => {
    const own = new Client(simulator.url, makeMerchant('1900000006'))
    const { wechatpay_public_key_id } = await own.register({ key_mode: 'both' })
    const asked = await own.place('MIGRATE_01', {}, { headers: { 'wechatpay-serial': wechatpay_public_key_id } })
    expect(asked.headers['wechatpay-serial']).toBe(wechatpay_public_key_id)
    expect(own.verifies(asked)).toBe(true)
    const plain = await own.place('MIGRATE_01')
    expect(plain.headers['wechatpay-serial']).toMatch(/^[0-9A-F]{40}$/)
    expect(own.verifies(plain)).toBe(true)
  })
})
