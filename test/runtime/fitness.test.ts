import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../runtime/config.ts'
import { assertFitForLive, demo_key_prefix } from '../../runtime/fitness.ts'
import type { FitnessConfig, MoneyRole } from '../../runtime/fitness.ts'

const secret = randomBytes(32).toString('base64')
const fit: FitnessConfig = {
  public_url: 'https://pay.example.cn',
  time_scale: 1,
  allow_private_endpoints: false,
  master_keys: [{ id: '2026a', key: secret }],
}
const live = [{ mode: 'test' }, { mode: 'live' }]
const roles: readonly MoneyRole[] = ['api', 'worker', 'merchant']

function mistakeOf(change: Partial<FitnessConfig>, role: MoneyRole = 'api', merchants = live): string | null {
  try {
    assertFitForLive({ config: { ...fit, ...change }, role, merchants, openSealed: () => undefined })
    return null
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}
const keyOf = (bytes: Buffer) => [
  { id: 'newest', key: secret },
  { id: 'old', key: bytes.toString('base64') },
]
const demo_key = Buffer.concat([demo_key_prefix, randomBytes(32 - demo_key_prefix.length)])

describe('settings of development', () => {
  it.each<[string, Partial<FitnessConfig>, RegExp]>([
    ['scaled time', { time_scale: 60 }, /WEFT_TIME_SCALE.*leave it unset/],
    ['private endpoints', { allow_private_endpoints: true }, /WEFT_ALLOW_PRIVATE_ENDPOINTS.*leave it unset/],
    ['a master key of zeros', { master_keys: keyOf(Buffer.alloc(32)) }, /WEFT_MASTER_KEY.*openssl rand/],
    ['a master key of one byte', { master_keys: keyOf(Buffer.alloc(32, 'a')) }, /WEFT_MASTER_KEY/],
    ['the master key of a demo', { master_keys: keyOf(demo_key) }, /WEFT_MASTER_KEY/],
  ])('do not meet live money in any process: %s', (_what, change, mistake) => {
    for (const role of roles) {
      expect(mistakeOf(change, role)).toMatch(mistake)
      expect(mistakeOf(change, role, [{ mode: 'test' }])).toBeNull()
    }
  })

  it('do not meet it where addresses are given out: a public URL in the clear', () => {
    const change = { public_url: 'http://localhost:7700' }
    expect(mistakeOf(change, 'api')).toMatch(/WEFT_PUBLIC_URL/)
    expect(mistakeOf(change, 'merchant')).toMatch(/WEFT_PUBLIC_URL/)
    expect(mistakeOf(change, 'worker')).toBeNull()
  })

  it('are named all at once, and never a key with them', () => {
    const mistake = mistakeOf({ time_scale: 2, allow_private_endpoints: true, master_keys: keyOf(demo_key) }) ?? ''
    expect(mistake.split('\n')).toHaveLength(4)
    expect(mistake).not.toContain(demo_key.toString('base64'))
  })
})

describe('a master key that is not the one that sealed', () => {
  it('ends the start with what to do, test merchants alone or not', () => {
    const openSealed = () => {
      throw new Error('sealed text does not open with the master key "1"')
    }
    for (const merchants of [live, [{ mode: 'test' }]]) {
      const start = () => assertFitForLive({ config: fit, role: 'worker', merchants, openSealed })
      expect(start).toThrow(ConfigError)
      expect(start).toThrow(/WEFT_MASTER_KEY does not open.*set the key/)
    }
  })
})
