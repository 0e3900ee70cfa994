import { describe, expect, it } from 'vitest'
import { createCertificateTrust } from '../../wechat/trust.ts'
import { TestAuthority } from './authority.ts'

const now = Date.parse('2026-06-01T00:00:00Z')
const day_ms = 24 * 60 * 60 * 1000
const wechat = new TestAuthority(now)
const trust = createCertificateTrust([wechat.pem])

describe('a platform certificate', () => {
  it('that WeChat Pay’s CA issued is trusted while it lasts', () => {
    const certificate = wechat.issue({ to_day: 2 })
    expect(trust.refusalOf(certificate, now)).toBeNull()
    expect(trust.refusalOf(certificate, now + 2.5 * day_ms)).toBeNull()
    expect(trust.refusalOf(certificate, now + 3 * day_ms)).toBe('expired')
    expect(trust.refusalOf(wechat.issue({ from_day: 3 }), now)).toBe('not_yet_valid')
  })

  it('that somebody else issued under the same names is not', () => {
    expect(trust.refusalOf(new TestAuthority(now).issue(), now)).toBe('unknown_issuer')
  })

  it('is none when the same CA issued it to a merchant', () => {
    const subject = { common_name: '1900000001', organization: '微信商户系统' }
    expect(trust.refusalOf(wechat.issue({ subject }), now)).toBe('merchant_certificate')
  })

  it('is worth nothing once the CA itself has ended', () => {
    const short = new TestAuthority(now, day_ms)
    const certificate = short.issue()
    const own = createCertificateTrust([short.pem])
    expect(own.refusalOf(certificate, now)).toBeNull()
    expect(own.refusalOf(certificate, now + 2 * day_ms)).toBe('unknown_issuer')
  })

  it('is looked at for its dates alone where nobody has named the CA', () => {
    const stranger = new TestAuthority(now).issue({ to_day: 1 })
    expect(createCertificateTrust(null).refusalOf(stranger, now)).toBeNull()
    expect(createCertificateTrust(null).refusalOf(stranger, now + 3 * day_ms)).toBe('expired')
  })
})
