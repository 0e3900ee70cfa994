import { describe, expect, it } from 'vitest'
import { authorityWarning } from '../../runtime/authorities.ts'

const now = Date.parse('2026-05-01T00:00:00+08:00')
const nobody = { wechat_ca_path: null }
const merchant = (mchid: string, wechat: object | null = {}, mode: 'live' | 'test' = 'live') => ({
  mchid,
  mode,
  wechat: wechat && { public_key_id: null, ...wechat },
})
const public_key = { public_key_id: 'PUB_KEY_ID_1' }

describe('a live merchant that takes platform certificates in', () => {
  it.each([
    ['in certificate mode', merchant('1900000001')],
    [
      'during a change-over',
      merchant('1900000001', { ...public_key, changeover_end_time: '2026-05-02T00:00:00+08:00' }),
    ],
  ])('is named where nobody has named WeChat Pay’s CA: %s', (_when, taking) => {
    const warning = authorityWarning(nobody, [merchant('1900000002', public_key), taking], now)
    expect(warning).toMatch(/^WEFT_WECHAT_CA_PATH is not set: platform certificates of 1900000001 are held/)
    expect(authorityWarning({ wechat_ca_path: '/etc/weft/ca.pem' }, [taking], now)).toBeNull()
  })

  it('is one of few that are named', () => {
    const many = Array.from({ length: 12 }, (_, index) => merchant(`19000000${10 + index}`))
    expect(authorityWarning(nobody, many, now)).toMatch(/1900000019 and 2 more are held/)
  })
})

it.each([
  ['with a public key', merchant('1900000001', public_key)],
  [
    'whose change-over has ended',
    merchant('1900000001', { ...public_key, changeover_end_time: '2026-04-30T00:00:00+08:00' }),
  ],
  ['of mode test', merchant('1900000001', {}, 'test')],
  ['without a set-up', merchant('1900000001', null)],
])('no CA is asked for because of a merchant %s', (_what, other) => {
  expect(authorityWarning(nobody, [other], now)).toBeNull()
})
