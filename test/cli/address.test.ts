import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { checkNotifyAddress } from '../../cli/check/address.ts'
import type { AddressParts } from '../../cli/check/address.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { makeCertificate } from '../../simulator/x509.ts'
import type { Rejection } from '../../store/rejections.ts'
import type { Rejections } from '../../store/rejections.ts'
import { checkSignature } from '../../wechat/signature.ts'

const mchid = '1900000001'
const day_ms = 24 * 60 * 60 * 1000
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** What a Weft at the address has refused and kept. */
const kept: Rejection[] = []
const rejections: Pick<Rejections, 'recent'> = { recent: () => Promise.resolve([...kept]) }

/** The intake as far as a refused message goes: api/notify keeps a signature probe that came whole. */
async function keepProbe(request: IncomingMessage, body: string): Promise<void> {
  const read = checkSignature({ headers: request.headers, body }, () => null, Date.now())
  if (read.verdict !== 'rejected' || read.reason !== 'probe') return Promise.resolve()
  kept.push({ mchid, receive_time: beijingTime(Date.now()), reason: 'probe', headers: {}, body })
}

const weft: RequestListener = (request, response) => {
  void text(request).then(async (body) => {
    await keepProbe(request, body)
    response.writeHead(401, { 'weft-version': '0.1.0' }).end('{"code":"FAIL","message":"失败"}')
  })
}

async function serve(listener: RequestListener, tls?: { key: string; cert: string }): Promise<string> {
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}/wechat/notify/${mchid}`
}

async function look(url: string, given: Partial<AddressParts> = {}): Promise<string[]> {
  const parts = {
    store: { rejections: rejections as Rejections },
    mchid,
    url,
    mode: 'test',
    serial: 'PUB_KEY_ID_01',
  } as const
  const lines = await checkNotifyAddress({ ...parts, now: Date.now, recorded_within_ms: 300, ...given })
  return lines.map(({ code }) => code)
}

const answering = (status: number, headers: Record<string, string> = {}): RequestListener => {
  return (request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(status, headers).end())
  }
}

describe('the notify address', () => {
  it('is well where a message that looks like WeChat Pay’s comes through to this very installation', async () => {
    expect(await look(await serve(weft))).toEqual(['notify_of_a_test', 'notify_answered'])
  })

  it.each([
    ['that redirects', answering(301, { location: 'https://pay.example.cn/' }), 'notify_redirected'],
    ['where a firewall answers', answering(403), 'notify_stranger'],
    ['where another site says yes to everything', answering(200), 'notify_stranger'],
    ['of a Weft that does not know the merchant', answering(404, { 'weft-version': '1' }), 'notify_elsewhere'],
    ['of a Weft whose database is away', answering(500, { 'weft-version': '1' }), 'notify_failing'],
    ['of another installation', answering(401, { 'weft-version': '1' }), 'notify_unrecorded'],
  ])('%s is found out', async (_, listener, code) => {
    expect(await look(await serve(listener))).toEqual(['notify_of_a_test', code])
  })

  it('behind a proxy that drops the headers, or writes the body anew, is found out', async () => {
    const dropping: RequestListener = (request, response) => {
      for (const name of Object.keys(request.headers)) if (name.startsWith('wechatpay-')) delete request.headers[name]
      weft(request, response)
    }
    expect(await look(await serve(dropping))).toEqual(['notify_of_a_test', 'notify_unrecorded'])
    const rewriting: RequestListener = (request, response) => {
      void text(request).then(async (body) => {
        await keepProbe(request, JSON.stringify(JSON.parse(body), null, 1))
        response.writeHead(401, { 'weft-version': '1' }).end()
      })
    }
    expect(await look(await serve(rewriting))).toEqual(['notify_of_a_test', 'notify_unrecorded'])
  })

  it('is not called wrong only because it was looked at too often', async () => {
    const receive_time = beijingTime(Date.now())
    kept.push(...Array.from({ length: 5 }, () => ({ mchid, receive_time, reason: 'probe', headers: {}, body: '' })))
    expect(await look(await serve(answering(401, { 'weft-version': '1' })))).toEqual([
      'notify_of_a_test',
      'notify_untold',
    ])
    kept.length = 0
  })

  it('that nobody listens at is found out', async () => {
    expect(await look('http://127.0.0.1:1/wechat/notify/1')).toEqual(['notify_of_a_test', 'notify_away'])
  })
})

describe('the certificate of a notify address', () => {
  const now = Date.now()
  const { publicKey: public_key, privateKey: private_key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = String(private_key.export({ type: 'pkcs8', format: 'pem' }))
  const certified = (days: number, common_name = 'localhost') => {
    const subject = { common_name, organization: 'shop' }
    const validity = { effective_time: now - day_ms, expire_time: now + days * day_ms }
    return makeCertificate({ subject, issuer: subject, public_key, private_key, ...validity }).pem
  }
  const lookAt = async (cert: string, given: Partial<AddressParts> = {}) => {
    return (await look(await serve(weft, { key, cert }), given)).slice(1)
  }

  it('is held against the public CAs, the name and the clock', async () => {
    const [well, ending, other] = [certified(90), certified(10), certified(90, 'shop.example.cn')]
    expect(await lookAt(well)).toEqual(['notify_tls_bad'])
    expect(await lookAt(other, { ca: other })).toEqual(['notify_tls_bad'])
    expect(await lookAt(well, { ca: well })).toEqual(['notify_tls', 'notify_answered'])
    expect(await lookAt(ending, { ca: ending })).toEqual(['notify_tls_ending', 'notify_answered'])
  })
})

describe('the notify address of a live merchant', () => {
  const url = 'https://pay.example.cn/wechat/notify/1900000001'
  const leading = (...addresses: string[]) => look(url, { mode: 'live', resolve: () => Promise.resolve(addresses) })

  it('is https, and its name leads to public addresses only', async () => {
    expect(await look('http://pay.example.cn/n', { mode: 'live' })).toEqual(['notify_in_the_clear'])
    const nowhere = { mode: 'live', resolve: () => Promise.reject(new Error('ENOTFOUND')) } as const
    expect(await look(url, nowhere)).toEqual(['notify_unresolved'])
    for (const address of ['10.0.0.1', '127.0.0.1', '::1', '169.254.169.254', 'fd00::1'])
      expect((await leading('1.1.1.1', address))[0]).toBe('notify_private')
  })
})
