import { generateKeyPairSync } from 'node:crypto'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLogger, temporalLogger } from '../../runtime/logger.ts'
import type { Logger } from '../../runtime/logger.ts'
import { newEndpointSecret, newToken } from '../../runtime/secrets.ts'

/** What a logger writes, line by line as parsed JSON. */
function written(use: (log: Logger) => void, level: 'info' | 'silly' = 'silly'): Record<string, unknown>[] {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(...chunk.toString('utf8').split('\n'))
      done()
    },
  })
  use(createLogger({ level, service: 'test', stream }))
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
}

const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const pem = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey

describe('a log line', () => {
  it('is JSON with time, level, message and the fields of its children', () => {
    const [line] = written((log) =>
      log.child({ mchid: '1900000001' }).child({ out_trade_no: 'T1' }).info('paid', { n: 1 }),
    )
    expect(line).toMatchObject({
      level: 'info',
      service: 'test',
      message: 'paid',
      mchid: '1900000001',
      out_trade_no: 'T1',
      n: 1,
    })
    expect(line?.['time']).toMatch(/^\d{4}-.*\+08:00$/)
  })

  it('tells an error with message, stack, code and cause', () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    const [line] = written((log) => log.error('failed', { error: new TypeError('outer', { cause }) }))
    expect(line?.['error']).toMatchObject({
      name: 'TypeError',
      message: 'outer',
      stack: expect.stringContaining('logger.test') as string,
      cause: { message: 'refused', code: 'ECONNREFUSED' },
    })
  })

  it('keeps its own message when a field has that name', () => {
    const [line] = written((log) => log.info('ours', { message: 'theirs', level: 'x' }))
    expect(line).toMatchObject({ message: 'ours', level: 'info', _message: 'theirs' })
  })

  it('is not written below the level', () => {
    expect(written((log) => log.debug('quiet'), 'info')).toEqual([])
  })

  it('survives what cannot be serialised', () => {
    const circle: Record<string, unknown> = { big: 10n, call: () => 1 }
    circle['self'] = circle
    expect(written((log) => log.info('odd', { circle }))).toHaveLength(1)
  })
})

describe('what must not be in a log', () => {
  const token = newToken('live')
  const secret = newEndpointSecret()
  const secrets: [string, Record<string, unknown>, string][] = [
    ['a key in a text', { note: `called with ${token} twice` }, token],
    ['a webhook secret in a text', { note: `secret=${secret};` }, secret],
    ['a private key, by its look', { note: `read ${pem}` }, pem.split('\n')[2] ?? ''],
    ['a private key cut short', { note: pem.slice(0, 300) }, pem.split('\n')[2] ?? ''],
    ['an Authorization header', { headers: { Authorization: 'Basic dXNlcjpwYXNz' } }, 'dXNlcjpwYXNz'],
    ['a signature header', { headers: { 'Wechatpay-Signature': 'c2lnbmF0dXJl' } }, 'c2lnbmF0dXJl'],
    ['a signature header in a text', { dump: 'Wechatpay-Signature: c2lnbmF0dXJl\nX: y' }, 'c2lnbmF0dXJl'],
    ['a bearer in a text', { dump: 'Authorization: Bearer abc.def' }, 'abc.def'],
    ['a signed request', { dump: 'WECHATPAY2-SHA256-RSA2048 mchid="1",signature="c2ln"' }, 'c2ln'],
    ['an openid by its field', { payer: { openid: 'short' } }, 'short'],
    ['an openid in JSON inside a text', { body: JSON.stringify({ payer: { openid } }) }, openid],
    ['an openid in escaped JSON', { body: JSON.stringify(JSON.stringify({ openid })) }, openid],
    ['an openid on its own', { note: `user ${openid} paid` }, openid],
    ['an APIv3 key', { apiv3_key: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345' }, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'],
    ['the password of a URI', { uri: 'mongodb://weft:pa55@db/weft' }, 'pa55'],
    ['a checkout token in a path', { path: '/pay/Zm9vYmFyYmF6cXV4Zm9vYmFy' }, 'Zm9vYmFyYmF6cXV4Zm9vYmFy'],
    [
      'a checkout token in the address that a payer comes back to',
      { location: 'https://a.cn/authorize?redirect_uri=https%3A%2F%2Fb.cn%2Fpay%2FZm9vYmFyYmF6cXV4Zm9vYmFy%2Fwechat' },
      'Zm9vYmFyYmF6cXV4Zm9vYmFy',
    ],
    ['a code to be scanned', { code: { url: 'weixin://wxpay/bizpayurl?pr=NwY5Mz9' } }, 'NwY5Mz9'],
    ['H5’s address', { url: 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx16&package=37' }, 'wx16'],
    ['the secret of an app in a query', { error: new Error('GET /sns?appid=wx1&secret=a1b2c3d4 failed') }, 'a1b2c3d4'],
    ['a secret deep inside', { a: { b: [{ private_key: 'deep' }] } }, 'deep'],
    ['a secret in an error', { error: new Error(`bad token ${token}`) }, token],
    ['bytes', { body: Buffer.from('plain secret') }, 'plain secret'],
  ]
  it.each(secrets)('is %s', (_, fields, secret_text) => {
    const text = JSON.stringify(written((log) => log.error('it failed', fields)))
    expect(secret_text.length).toBeGreaterThan(3)
    expect(text).not.toContain(secret_text)
  })

  it('is in a message no more than in a field', () => {
    const message = `${token} ${secret} ${pem} {"openid":"${openid}"}`
    const text = JSON.stringify(written((log) => log.warn(message)))
    for (const hidden of [token, secret, pem.split('\n')[2] ?? '-', openid]) expect(text).not.toContain(hidden)
  })

  it('does not take a merchant’s own numbers with it', () => {
    const fields = {
      out_trade_no: 'order-20261123-0000000000001',
      transaction_id: '4200009999202601010000000001',
      key_id: 'key_1',
    }
    expect(written((log) => log.info('kept', fields))[0]).toMatchObject(fields)
  })
})

describe('Temporal’s logger', () => {
  it('loses no line: TRACE becomes silly', () => {
    const lines = written((log) => {
      const adapter = temporalLogger(log)
      adapter.log('TRACE', 'one')
      adapter.trace('two')
      adapter.warn('three', { workflowId: 'order/1/2' })
    })
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['silly', 'one'],
      ['silly', 'two'],
      ['warn', 'three'],
    ])
    expect(lines[2]).toMatchObject({ component: 'temporal', workflowId: 'order/1/2' })
  })
})
