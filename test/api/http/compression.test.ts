import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { orderSample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
const checkout_token = 'token-of-a-page-0123456789'
await stage.store.orders.insert(
  orderSample('TEA-1', {
    state: 'awaiting_payment',
    checkout_token,
    code: { url: 'weixin://wxpay/bizpayurl?pr=one', placed_time: new Date().toISOString() },
    time_expire: new Date(Date.now() + 900_000).toISOString(),
  }),
)
afterAll(() => stage.close())

/** The answer as it comes, not decompressed; of a stream its headers and first bytes. */
function raw(
  path: string,
  accept: string,
): Promise<{ encoding: string | undefined; vary: string | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { 'accept-encoding': accept, authorization: `Bearer ${stage.key.token}` }
    const asked = get(`${stage.url}${path}`, { headers }, (answer) => {
      const parts: Buffer[] = []
      const done = () => {
        const { 'content-encoding': encoding, vary } = answer.headers
        resolve({ encoding, vary, body: Buffer.concat(parts) })
        asked.destroy()
      }
      answer.on('data', (part: Buffer) => {
        parts.push(part)
        if (Buffer.concat(parts).includes('event: order')) done()
      })
      answer.on('end', done)
    })
    asked.on('error', reject)
  })
}

describe('an answer', () => {
  it.each(['/openapi.json', '/docs', `/pay/${checkout_token}`])('%s is compressed for who accepts it', async (path) => {
    const plain = await raw(path, 'identity')
    const [brotli, gzip] = await Promise.all([raw(path, 'gzip, deflate, br'), raw(path, 'gzip')])
    expect([plain.encoding, brotli.encoding, gzip.encoding]).toEqual([undefined, 'br', 'gzip'])
    expect(brotli.vary).toContain('Accept-Encoding')
    expect(brotli.body.length).toBeLessThan(plain.body.length / 2)
    // A page says what time it is: only its length is the same each time.
    expect(brotliDecompressSync(brotli.body)).toHaveLength(plain.body.length)
    expect(gunzipSync(gzip.body)).toHaveLength(plain.body.length)
  })

  it('that is small goes as it is', async () => {
    expect((await raw('/v1/orders', 'br')).encoding).toBeUndefined()
  })

  it('that is a stream of events is never held back to be compressed', async () => {
    const stream = await raw(`/pay/${checkout_token}/events`, 'gzip, deflate, br')
    expect(stream.encoding).toBeUndefined()
    expect(stream.body.toString()).toContain('event: order\ndata: {')
  })
})
