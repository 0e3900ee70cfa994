import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { encryptText } from '../../wechat/cipher.ts'
import { createClient } from '../../wechat/client.ts'
import type { WeChatClientSettings } from '../../wechat/client.ts'
import { createDispatcher } from '../../wechat/connection.ts'
import { readCertificate } from '../../wechat/credentials.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import { createKeyring } from '../../wechat/keyring.ts'
import type { DownloadOutcome } from '../../wechat/keyring.ts'
import { createLimits } from '../../wechat/limits.ts'
import { logAttempt } from '../../wechat/transport.ts'
import type { Transport, WeChatRequest } from '../../wechat/transport.ts'
import { within } from '../stage/until.ts'
import { mchid, platformPublicKey, playHost, publicKeyId, transportTo } from './server.ts'
import type { Play, PlayedHost } from './server.ts'
import { certificatePem, privateKey } from './vectors.ts'

const open: PlayedHost[] = []
const host = async (play: Play) => {
  const played = await playHost(play)
  open.push(played)
  return played
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((played) => played.close()))
})

/** Origins on which nobody listens, nor will: the system gives such ports to nobody who asks for any. */
const dead_origin = 'http://127.0.0.1:1'
const other_dead_origin = 'http://127.0.0.1:2'

const ok = () => ({ status: 200, body: '{"code_url":"weixin://wxpay/bizpayurl?pr=1"}' })
const request: WeChatRequest = {
  operation: 'place',
  method: 'POST',
  path: '/v3/pay/transactions/native',
  body: '{"description":"测试 商品","amount":{"total":1}}',
}
const failureOf = async (transport: Transport, signal?: AbortSignal): Promise<WeChatPayError> => {
  const failure: unknown = await transport.send(request, signal).catch((error: unknown) => error)
  if (!(failure instanceof WeChatPayError)) throw new Error('no failure', { cause: failure })
  return failure
}

describe('a call', () => {
  it('is told in the log with WeChat Pay’s Request-ID, as information when it failed', async () => {
    const [well, refused] = [await host(ok), await host(() => ({ status: 400, body: '{"code":"PARAM_ERROR"}' }))]
    const lines: [string, Record<string, unknown>][] = []
    const line = (level: string) => (_: string, fields: Record<string, unknown>) => void lines.push([level, fields])
    for (const { origin } of [well, refused]) {
      const { transport, attempts } = transportTo(origin, null)
      await transport.send(request).catch(() => undefined)
      for (const attempt of attempts) logAttempt({ info: line('info'), debug: line('debug') }, attempt)
    }
    expect(lines).toMatchObject([
      ['debug', { mchid, operation: 'place', status: 200, request_id: 'R-1' }],
      ['info', { mchid, operation: 'place', status: 400, code: 'PARAM_ERROR', request_id: 'R-1' }],
    ])
  })

  it('is signed, sent byte for byte with the headers WeChat Pay asks for, and its answer verified', async () => {
    const main = await host(ok)
    const { transport, attempts } = transportTo(main.origin, null)
    const answer = await transport.send(request)
    expect(answer).toMatchObject({
      status: 200,
      body: ok().body,
      code: null,
      request_id: 'R-1',
      unanswered_before: false,
    })
    expect(Object.keys(answer.headers).sort()).toEqual([
      'request-id',
      'wechatpay-nonce',
      'wechatpay-serial',
      'wechatpay-signature',
      'wechatpay-signature-type',
      'wechatpay-timestamp',
    ])
    const [seen] = main.seen
    expect(seen?.body).toBe(request.body)
    expect(seen?.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'weft-test',
      'wechatpay-serial': publicKeyId,
    })
    expect(attempts).toMatchObject([{ operation: 'place', host: main.origin, status: 200, reason: null, mchid }])
  })

  it('signs the path and query that go on the wire', async () => {
    const main = await host(ok)
    const path = '/v3/pay/transactions/out-trade-no/T2026%7C0101?mchid=1900007291'
    const { transport } = transportTo(main.origin, null)
    await transport.send({ operation: 'query', method: 'GET', path })
    expect(main.seen[0]).toMatchObject({ method: 'GET', url: path, body: '' })
    expect(main.seen[0]?.headers['content-type']).toBeUndefined()
  })

  it('names no key of WeChat Pay in certificate mode', async () => {
    const certificate = readCertificate(certificatePem('go-sdk', 'D7CE59D1F522D701'))
    const main = await host(() => ({ ...ok(), serial: certificate.serial }))
    const keyring = createKeyring({ keys: [certificate], download: () => Promise.resolve([]), now: Date.now })
    await transportTo(main.origin, null, { keyring }).transport.send(request)
    expect(main.seen[0]?.headers['wechatpay-serial']).toBeUndefined()
  })

  it('brings back what WeChat Pay says for people without the payer that it names', async () => {
    const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
    // Where the text is cut off, half of an openid would look like none.
    for (const before of ['openid ', 'openid='.padStart(240, '无')]) {
      const message = `${before}${openid} 与 appid 不匹配 weixin://wxpay/bizpayurl?pr=abc`
      const main = await host(() => ({ status: 400, body: JSON.stringify({ code: 'PARAM_ERROR', message }) }))
      const { code, message: told } = await transportTo(main.origin, null).transport.send(request)
      expect(code).toBe('PARAM_ERROR')
      expect(told).toContain('openid')
      expect(told).not.toMatch(/oUpF8uMu|pr=abc/)
    }
  })

  it('brings back refusals as they are: nobody signs those', async () => {
    const main = await host(() => ({ status: 400, body: '{"code":"PARAM_ERROR","message":"参数错误"}' }))
    const answer = await transportTo(main.origin, null).transport.send(request)
    expect(answer).toMatchObject({ status: 400, code: 'PARAM_ERROR', message: '参数错误' })
  })

  it.each([
    ['an empty 404', { status: 404 }],
    ['an empty 405', { status: 405 }],
    ['a page of a proxy', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['a body of another shape', { status: 400, body: '[1]' }],
    ['a code that is none', { status: 400, body: '{"code":"constructor","message":7}' }],
  ])('takes %s for what it is', async (_what, played) => {
    const main = await host(() => played)
    const answer = await transportTo(main.origin, null).transport.send(request)
    expect(answer).toMatchObject({ status: played.status, code: null, message: null })
  })

  it('is not told to go elsewhere', async () => {
    const other = await host(ok)
    const main = await host(() => ({ status: 302, headers: { location: `${other.origin}/v3` } }))
    expect((await transportTo(main.origin, null).transport.send(request)).status).toBe(302)
    expect(other.seen).toHaveLength(0)
  })

  it('verifies an answer without a body', async () => {
    const main = await host((_seen, count) => ({ status: 204, ...(count === 1 ? {} : { signature: 'none' as const }) }))
    const { transport } = transportTo(main.origin, null)
    expect((await transport.send(request)).status).toBe(204)
    expect(await failureOf(transport)).toMatchObject({ kind: 'again', reason: 'unverified' })
  })
})

describe('an answer that does not verify', () => {
  it.each(['probe', 'wrong'] as const)(
    'with a %s signature is thrown away and the call repeated at once',
    async (signature) => {
      const main = await host((_seen, count) => ({ ...ok(), signature: count === 1 ? signature : 'good' }))
      const { transport, attempts } = transportTo(main.origin, null)
      const answer = await transport.send(request)
      expect(answer).toMatchObject({ status: 200, unanswered_before: true })
      expect(main.seen.map((seen) => seen.body)).toEqual([request.body, request.body])
      expect(new Set(main.seen.map((seen) => seen.nonce_str)).size).toBe(2)
      expect(attempts.map((attempt) => attempt.reason)).toEqual([
        signature === 'wrong' ? 'bad_signature' : 'probe',
        null,
      ])
    },
  )

  it('twice is no answer: the same again, outcome unknown', async () => {
    const main = await host(() => ({ ...ok(), signature: 'wrong' }))
    const backup = await host(ok)
    const { transport } = transportTo(main.origin, backup.origin)
    expect(await failureOf(transport)).toMatchObject({ kind: 'again', reason: 'unverified', outcome_unknown: true })
    expect(main.seen).toHaveLength(2)
    expect(backup.seen).toHaveLength(0)
  })

  it.each(['none', 'stale'] as const)(
    'with a signature that is %s is no answer, and no repeat would mend it',
    async (signature) => {
      const main = await host(() => ({ ...ok(), signature }))
      const failure = await failureOf(transportTo(main.origin, null).transport)
      expect(failure).toMatchObject({ kind: 'again', reason: 'unverified', outcome_unknown: true })
      expect(main.seen).toHaveLength(1)
    },
  )

  it('is a set-up fault when WeChat Pay signs with a public key that is not loaded', async () => {
    const main = await host(() => ({ ...ok(), serial: 'PUB_KEY_ID_9' }))
    const failure = await failureOf(transportTo(main.origin, null).transport)
    expect(failure).toMatchObject({ kind: 'setup', reason: 'no_key', outcome_unknown: true })
  })

  it('is verified after all when its certificate can be fetched', async () => {
    const certificate = readCertificate(certificatePem('go-sdk', 'D7CE59D1F522D701'))
    const main = await host(() => ({ ...ok(), serial: certificate.serial }))
    const changeover_end = Date.now() + 60_000
    const download = async () => [certificate]
    const keyring = createKeyring({ keys: [platformPublicKey], changeover_end, download, now: Date.now })
    const { transport } = transportTo(main.origin, null, { keyring })
    expect((await transport.send(request)).status).toBe(200)
    expect(main.seen).toHaveLength(1)
  })

  it('of over a megabyte is not read to its end', async () => {
    const main = await host(() => ({ status: 400, body: 'x'.repeat(1024 * 1024 + 1) }))
    const failure = await failureOf(transportTo(main.origin, null).transport)
    expect(failure).toMatchObject({ kind: 'again', reason: 'too_large', outcome_unknown: true })
  })
})

describe('a host that cannot be reached', () => {
  it('is left for the backup with the same bytes and a signature of its own', async () => {
    const backup = await host(ok)
    const { transport, attempts } = transportTo(dead_origin, backup.origin)
    const answer = await transport.send(request)
    expect(answer).toMatchObject({ status: 200, unanswered_before: false })
    expect(backup.seen[0]?.body).toBe(request.body)
    expect(attempts.map((attempt) => attempt.reason)).toEqual(['network', null])
  })

  it('is left when it breaks the connection, but then the call may have had its effect', async () => {
    const main = await host(() => 'hang_up')
    const backup = await host(() => ({ status: 400, body: '{"code":"ORDERPAID","message":""}' }))
    const answer = await transportTo(main.origin, backup.origin).transport.send(request)
    expect(answer).toMatchObject({ status: 400, unanswered_before: true })
    expect([main.seen.length, backup.seen.length]).toEqual([1, 1])
  })

  it('is left when it is silent, in time for the backup to answer', async () => {
    const main = await host(() => 'silence')
    const backup = await host(ok)
    // A call that takes longer than its time fails: half of it is left when the first host is given up.
    const { transport } = transportTo(main.origin, backup.origin, { timeout_ms: 3_000 })
    expect((await transport.send(request)).status).toBe(200)
    expect(main.seen).toHaveLength(1)
  })

  it('is asked first again as soon as it answers, and not asked first while it fails', async () => {
    let isDown = true
    const main = await host(() => (isDown ? 'hang_up' : ok()))
    const backup = await host(ok)
    const { transport, attempts } = transportTo(main.origin, backup.origin)
    await transport.send(request)
    await transport.send(request)
    expect([main.seen.length, backup.seen.length]).toEqual([2, 2])
    await transport.send(request)
    expect([main.seen.length, backup.seen.length]).toEqual([2, 3])
    isDown = false
    await backup.close()
    await transport.send(request)
    expect(main.seen).toHaveLength(3)
    attempts.length = 0
    await transport.send(request)
    expect(attempts).toMatchObject([{ host: main.origin, status: 200 }])
  })

  it('is no answer when the backup is away too; nothing was sent, so nothing can have happened', async () => {
    const { transport } = transportTo(dead_origin, other_dead_origin)
    expect(await failureOf(transport)).toMatchObject({ kind: 'again', reason: 'network', outcome_unknown: false })
  })

  it('leaves the outcome open when the first may have had it and the second cannot be reached', async () => {
    const main = await host(() => 'hang_up')
    const failure = await failureOf(transportTo(main.origin, dead_origin).transport)
    expect(failure).toMatchObject({ kind: 'again', reason: 'network', outcome_unknown: true })
  })

  it('is not left for a refusal or a 500: there it would be answered the same', async () => {
    const backup = await host(ok)
    for (const status of [400, 429, 500]) {
      const main = await host(() => ({ status, body: '{"code":"SYSTEM_ERROR"}' }))
      expect((await transportTo(main.origin, backup.origin).transport.send(request)).status).toBe(status)
    }
    expect(backup.seen).toHaveLength(0)
  })
})

describe('a host of HTTPS', () => {
  it('is believed by its certificate only, and nothing is sent to another', async () => {
    const cert = certificatePem('go-sdk', 'D7CE59D1F522D701')
    const key = privateKey('go-sdk').export({ type: 'pkcs8', format: 'pem' })
    let received = 0
    const server = createTlsServer({ key, cert }, (_request, response) => {
      received += 1
      response.writeHead(400).end('{"code":"PARAM_ERROR"}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push({ origin: '', seen: [], close: async () => void server.close() })
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`

    const failure = await failureOf(transportTo(origin, null).transport)
    expect(failure).toMatchObject({ kind: 'again', reason: 'network', outcome_unknown: false })
    expect(received).toBe(0)
    const dispatcher = createDispatcher({ ca: cert, checkServerIdentity: () => undefined })
    const answer = await transportTo(origin, null, { dispatcher }).transport.send(request)
    expect(answer).toMatchObject({ status: 400, code: 'PARAM_ERROR' })
    await dispatcher.destroy()
  })
})

describe('the time of a call', () => {
  it('is bounded with both hosts silent', async () => {
    const main = await host(() => 'silence')
    const backup = await host(() => 'silence')
    const { transport } = transportTo(main.origin, backup.origin, { timeout_ms: 2_000 })
    const failure = await within(4_000, () => failureOf(transport))
    expect(failure).toMatchObject({ kind: 'again', reason: 'timeout', outcome_unknown: true })
    expect([main.seen.length, backup.seen.length]).toEqual([1, 1])
  })

  it('belongs to the one host alone where there is no backup', async () => {
    const main = await host(() => ({ ...ok(), delay_ms: 2_100 })) // more than half of it
    expect((await transportTo(main.origin, null, { timeout_ms: 4_000 }).transport.send(request)).status).toBe(200)
  })

  it('ends when the caller gives up, with his reason', async () => {
    const main = await host(() => 'silence')
    const backup = await host(ok)
    const { transport, attempts } = transportTo(main.origin, backup.origin)
    const controller = new AbortController()
    const sent = transport.send(request, controller.signal)
    while (main.seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('enough'))
    await expect(sent).rejects.toThrow('enough')
    expect(backup.seen).toHaveLength(0)
    expect(attempts.map((attempt) => attempt.reason)).toEqual(['cancelled'])
    await expect(transport.send(request, controller.signal)).rejects.toThrow('enough')
    expect(main.seen).toHaveLength(1)
  })
})

describe('a limit', () => {
  it('lets nothing out', async () => {
    const main = await host(ok)
    const moment = Date.now()
    const limits = createLimits({ now: () => moment, rates: { place: { per_second: 1, burst: 1 } } })
    const { transport } = transportTo(main.origin, null, { limits })
    await transport.send(request)
    expect(await failureOf(transport)).toMatchObject({ kind: 'slower', reason: 'limit', outcome_unknown: false })
    expect(main.seen).toHaveLength(1)
  })

  it('closes the way after failures in a row', async () => {
    const main = await host(() => ({ status: 503 }))
    const limits = createLimits({ now: Date.now, breaker: { failures: 2, open_ms: 60_000 } })
    const { transport } = transportTo(main.origin, null, { limits })
    await transport.send(request)
    await transport.send(request)
    expect(await failureOf(transport)).toMatchObject({ kind: 'slower', reason: 'breaker' })
    expect(main.seen).toHaveLength(2)
  })
})

describe('a client in certificate mode', () => {
  const apiv3_key = 'testApiV3Key0123456789abcdefABCD'
  const pem = certificatePem('go-sdk', 'D7CE59D1F522D701')
  const list = (key = apiv3_key) => {
    const encrypt_certificate = encryptText(pem, 'abcdefghijkl', 'certificate', key)
    return JSON.stringify({ data: [{ serial_no: 'D7CE59D1F522D701', encrypt_certificate }] })
  }
  const clientOf = (main: PlayedHost, change: Partial<WeChatClientSettings> = {}) =>
    createClient({
      credentials: {
        mchid,
        appids: ['wx1'],
        serial_no: 'A'.repeat(40),
        private_key: privateKey('doc-merchant'),
        apiv3_key,
        keys: [],
      },
      hosts: { main: main.origin, backup: null },
      dispatcher: createDispatcher(),
      now: Date.now,
      user_agent: 'weft-test',
      ...change,
    })

  it('fetches the certificates before its first call, and verifies their list with one of them', async () => {
    const main = await host((seen) => ({
      ...(seen.url === '/v3/certificates' ? { status: 200, body: list() } : ok()),
      serial: 'D7CE59D1F522D701',
    }))
    const client = clientOf(main)
    expect((await client.transport.send(request)).status).toBe(200)
    await client.transport.send(request)
    expect(main.seen.map((seen) => seen.url)).toEqual(['/v3/certificates', request.path, request.path])
  })

  it.each([
    ['signed by another key', { body: list(), key: privateKey('java-sdk-wechatpay') }],
    ['not signed', { body: list(), signature: 'none' as const }],
    ['closed with another APIv3 key', { body: list('x'.repeat(32)) }],
    ['no list', { body: '{}' }],
  ])('believes no list that is %s, and sends nothing without a key', async (_what, played) => {
    const main = await host(() => ({ status: 200, serial: 'D7CE59D1F522D701', ...played }))
    const client = clientOf(main)
    expect(await failureOf(client.transport)).toMatchObject({ kind: 'setup', reason: 'no_key', outcome_unknown: false })
    expect(client.keyring.isEmpty()).toBe(true)
    expect(main.seen.every((seen) => seen.url === '/v3/certificates')).toBe(true)
  })

  const forger = 'F5765756002FDD77'
  const forged = () => {
    const forged_pem = certificatePem('go-sdk', forger)
    const encrypt_certificate = encryptText(forged_pem, 'abcdefghijkl', 'certificate', apiv3_key)
    return { status: 200, body: JSON.stringify({ data: [{ serial_no: forger, encrypt_certificate }] }), serial: forger }
  }

  it('takes no list that whoever knows the APIv3 key has signed with a key of its own, once a genuine key is here', async () => {
    let answer: ReturnType<typeof forged> = { status: 200, body: list(), serial: 'D7CE59D1F522D701' }
    const main = await host(() => answer)
    const clock = { ahead_ms: 0 }
    const outcomes: DownloadOutcome[] = []
    const client = clientOf(main, {
      now: () => Date.now() + clock.ahead_ms,
      on_certificates: (one) => outcomes.push(one),
    })
    await expect(client.keyring.refresh()).resolves.toBe(true)
    answer = forged()
    clock.ahead_ms = 11_000
    await expect(client.keyring.fetchMissing(forger)).resolves.toBe(false)
    expect(client.keyring.find(forger)).toBeNull()
    expect(outcomes.at(-1)).toMatchObject({ error: { kind: 'setup', reason: 'no_key' } })
    answer = { ...forged(), serial: 'D7CE59D1F522D701' }
    clock.ahead_ms = 22_000
    await expect(client.keyring.fetchMissing(forger)).resolves.toBe(true)
  })

  it('believes such a list in public-key mode neither, and asks for none', async () => {
    const main = await host(forged)
    const client = clientOf(main)
    client.keyring.replace({ keys: [platformPublicKey] })
    await expect(client.keyring.fetchMissing(forger)).resolves.toBe(false)
    expect(main.seen).toHaveLength(0)
    client.keyring.replace({ keys: [platformPublicKey], changeover_end: Date.now() + 60_000 })
    await expect(client.keyring.fetchMissing(forger)).resolves.toBe(false)
    expect(main.seen).toHaveLength(1)
    expect(client.keyring.find(forger)).toBeNull()
  })

  it('knows that a merchant of public-key mode has no certificates', async () => {
    const main = await host(() => ({
      status: 404,
      body: '{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书"}',
    }))
    const client = clientOf(main)
    await expect(client.keyring.refresh()).resolves.toBe(false)
    client.keyring.replace({ keys: [platformPublicKey] })
    expect(client.keyring.publicKeyId()).toBe(publicKeyId)
  })
})
