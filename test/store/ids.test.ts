import { describe, expect, it } from 'vitest'
import { publicId } from '../../store/ids.ts'

describe('a public id', () => {
  it('is the prefix and the first 26 characters of the base32 of the SHA-256', () => {
    // SHA-256('') is e3b0c442 98fc1c14 9afbf4c8 996fb924 27…, whose RFC 4648 base32 begins so
    expect(publicId('evt', '')).toBe('evt_4oymiquy7qobjgx36tejs35zeq')
  })

  it('is the same for ever, and another for every record', () => {
    expect(publicId('dlv', '1900000001/T1/1/ep_a')).toBe(publicId('dlv', '1900000001/T1/1/ep_a'))
    const ids = new Set(Array.from({ length: 5_000 }, (_, n) => publicId('evd', `1900000001/notification/${n}`)))
    expect(ids.size).toBe(5_000)
  })
})
