import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from '../../runtime/config.ts'

const key = randomBytes(32).toString('base64')
const enough = { MONGODB_URI: 'mongodb://127.0.0.1:27017', WEFT_MASTER_KEY: key }

function mistakesOf(environment: Record<string, string | undefined>): string[] {
  try {
    readConfig(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
}

describe('the settings of a process', () => {
  it('are few that must be given; the others have defaults', () => {
    expect(readConfig(enough)).toMatchObject({
      temporal: { address: '127.0.0.1:7233', namespace: 'default', api_key: null, tls: null },
      database: 'weft',
      port: 7700,
      public_url: 'http://localhost:7700',
      master_keys: [{ id: '1', key }],
      test_wechat_url: null,
      wechat_ca_path: null,
      test_wechat_ca_path: null,
      allow_private_endpoints: false,
      trusted_proxies: [],
      time_scale: 1,
      queue_prefix: '',
      deployment: null,
      language: 'en',
      log_level: 'info',
      metrics_port: null,
      drain_ms: 5_000,
    })
  })

  it('are complained about all at once, one line each, without repeating a value', () => {
    const mistakes = mistakesOf({
      MONGODB_URI: 'postgres://secret-password@host',
      WEFT_MASTER_KEY: `a:${key},b:c2hvcnQ=`,
      WEFT_PORT: '99999',
      WEFT_PUBLIC_URL: 'pay.example.cn',
      WEFT_TIME_SCALE: '0.5',
      WEFT_LANGUAGE: 'fr',
      WEFT_LOG_LEVEL: 'loud',
      WEFT_ALLOW_PRIVATE_ENDPOINTS: 'maybe',
    })
    expect(mistakes).toHaveLength(8)
    const names = mistakes.map((line) => line.split(' ')[0])
    expect(new Set(names).size).toBe(8)
    for (const value of ['secret-password', key, 'c2hvcnQ=']) expect(mistakes.join()).not.toContain(value)
    for (const line of mistakes) expect(line).toMatch(/; (write|make|it|use) /)
  })

  it('that are missing are named with their remedy', () => {
    expect(mistakesOf({ MONGODB_URI: '', WEFT_MASTER_KEY: undefined })).toEqual([
      expect.stringMatching(/^MONGODB_URI is missing.*mongodb:\/\//),
      expect.stringMatching(/^WEFT_MASTER_KEY is missing.*openssl rand/),
    ])
  })

  it('take several master keys, the newest first, and none twice', () => {
    const other = randomBytes(32).toString('base64')
    const { master_keys } = readConfig({ ...enough, WEFT_MASTER_KEY: `2026b:${other}, 2026a:${key}` })
    expect(master_keys.map(({ id }) => id)).toEqual(['2026b', '2026a'])
    expect(mistakesOf({ ...enough, WEFT_MASTER_KEY: `a:${other},a:${key}` })).toHaveLength(1)
  })

  it('trust the proxies that are named, and never everybody', () => {
    const given = (text: string) => ({ ...enough, WEFT_TRUSTED_PROXIES: text })
    expect(readConfig(given('10.0.0.0/8, 192.0.2.7,fd00::/8')).trusted_proxies).toEqual([
      '10.0.0.0/8',
      '192.0.2.7',
      'fd00::/8',
    ])
    for (const text of ['0.0.0.0/0', '::/0', '10.0.0.0/8,0.0.0.0/00', '0.0.0.0/1,128.0.0.0/1', '2000::/3', '::ffff:0:0/96'])
      expect(mistakesOf(given(text))).toEqual([expect.stringMatching(/^WEFT_TRUSTED_PROXIES names everybody; write /)])
    for (const text of ['proxy', '10.0.0.0/8,,', '10.0.0.0/40'])
      expect(mistakesOf(given(text))).toEqual([expect.stringMatching(/^WEFT_TRUSTED_PROXIES .*; write /)])
  })

  it('bring TLS along with an API key, and take a certificate only with its key', () => {
    expect(readConfig({ ...enough, TEMPORAL_API_KEY: 'k' }).temporal.tls).not.toBeNull()
    expect(readConfig({ ...enough, TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' }).temporal.tls).toBeNull()
    const half = { ...enough, TEMPORAL_TLS_CLIENT_CERT_PATH: '/cert.pem' }
    expect(mistakesOf(half)).toEqual([expect.stringMatching(/^TEMPORAL_TLS_CLIENT_KEY_PATH is missing/)])
  })

  it('name a deployment only with its build', () => {
    const named = { ...enough, TEMPORAL_DEPLOYMENT_NAME: 'weft', TEMPORAL_WORKER_BUILD_ID: '2026-11-29' }
    expect(readConfig(named).deployment).toEqual({ name: 'weft', build_id: '2026-11-29' })
    for (const name of ['weft.prod', 'weft:prod', '__weft', 'weft prod'])
      expect(mistakesOf({ ...named, TEMPORAL_DEPLOYMENT_NAME: name })).toEqual([
        expect.stringMatching(/^TEMPORAL_DEPLOYMENT_NAME is no deployment name/),
      ])
    for (const build_id of ['__unversioned__', 'a b', 'b'.repeat(256)])
      expect(mistakesOf({ ...named, TEMPORAL_WORKER_BUILD_ID: build_id })).toEqual([
        expect.stringMatching(/^TEMPORAL_WORKER_BUILD_ID is no build id/),
      ])
    const half = { ...enough, TEMPORAL_DEPLOYMENT_NAME: 'weft' }
    expect(mistakesOf(half)).toEqual([expect.stringMatching(/^TEMPORAL_WORKER_BUILD_ID is missing/)])
  })

  it.each(['https://me:secret@pay.example.cn', `https://${'pay.'.repeat(60)}cn`, 'https://pay_1.example.cn'])(
    'take no public address at which WeChat Pay would not notify: %s',
    (WEFT_PUBLIC_URL) => {
      expect(mistakesOf({ ...enough, WEFT_PUBLIC_URL })).toEqual([expect.stringMatching(/^WEFT_PUBLIC_URL is not/)])
    },
  )

  it('drop the slash at the end of addresses', () => {
    expect(readConfig({ ...enough, WEFT_PUBLIC_URL: 'https://pay.example.cn/' }).public_url).toBe(
      'https://pay.example.cn',
    )
  })
})
