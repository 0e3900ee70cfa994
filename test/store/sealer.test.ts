import { createCipheriv } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSealer, parseSealingKeys, SealBroken, SealingKeyMissing, sealPlace } from '../../store/sealer.ts'
import { sealerOf } from './database.ts'

const place = sealPlace('merchants', '1900000001', 'wechat.private_key')

describe('a sealed text', () => {
  it('opens again, whatever it was', () => {
    const sealer = sealerOf('one')
    const text = fc.string({ unit: 'grapheme', maxLength: 3_000 })
    fc.assert(fc.property(text, (plain) => void expect(sealer.open(sealer.seal(plain, place), place)).toBe(plain)))
  })

  it('shows nothing of itself and is never the same twice', () => {
    const sealer = sealerOf('one')
    const [first, second] = [sealer.seal('a secret of a merchant', place), sealer.seal('a secret of a merchant', place)]
    expect(first.sealed).not.toBe(second.sealed)
    expect(Buffer.from(first.sealed, 'base64').toString('latin1')).not.toContain('secret')
  })

  it('does not open when any single bit of it was changed', () => {
    const sealer = sealerOf('one')
    const sealed = sealer.seal('990', place)
    const bytes = Buffer.from(sealed.sealed, 'base64')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes)
      altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => sealer.open({ ...sealed, sealed: altered.toString('base64') }, place)).toThrow(SealBroken)
    }
  })

  it('does not open when it was cut', () => {
    const sealer = sealerOf('one')
    const { sealed, key_id } = sealer.seal('', place)
    const cut = Buffer.from(sealed, 'base64').subarray(0, 27).toString('base64')
    expect(() => sealer.open({ sealed: cut, key_id }, place)).toThrow(SealBroken)
  })

  it('does not open under the name of another key, even if the key is the same', () => {
    const key = Buffer.alloc(32, 7).toString('base64')
    const sealer = createSealer({
      keys: [
        { id: 'b', key },
        { id: 'a', key },
      ],
    })
    expect(() => sealer.open({ ...sealer.seal('x', place), key_id: 'a' }, place)).toThrow(SealBroken)
  })

  it('keeps bytes as bytes, for their place and key alone', () => {
    const sealer = sealerOf('one')
    for (const bytes of [Buffer.alloc(0), Buffer.from([0, 255, 1]), Buffer.alloc(1_048_576, 7)]) {
      const sealed = sealer.sealBytes(bytes, place)
      expect(sealer.openBytes(sealed, place).equals(bytes)).toBe(true)
      expect(sealed.bytes.includes(bytes)).toBe(bytes.length === 0)
      expect(() => sealer.openBytes(sealed, `${place} `)).toThrow(SealBroken)
      expect(() => sealerOf('two').openBytes(sealed, place)).toThrow(SealingKeyMissing)
      expect(sealerOf('two', 'one').openBytes(sealed, place).equals(bytes)).toBe(true)
    }
    expect(sealerOf('two', 'one').newest_key_id).toBe('two')
  })

  it('does not open in another collection, record or field', () => {
    const sealer = sealerOf('one')
    const sealed = sealer.seal('990', place)
    for (const other of [
      sealPlace('endpoints', '1900000001', 'wechat.private_key'),
      sealPlace('merchants', '1900000002', 'wechat.private_key'),
      sealPlace('merchants', '1900000001', 'wechat.apiv3_key'),
    ]) {
      expect(() => sealer.open(sealed, other)).toThrow(SealBroken)
    }
  })

  it('that was sealed before places were part of it opens, until it is sealed anew', () => {
    const sealer = sealerOf('one')
    // made by the version before: AES-256-GCM with the key id alone as additional data
    const nonce = Buffer.alloc(12, 5)
    const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32, 'one'), nonce).setAAD(Buffer.from('one'))
    const bytes = Buffer.concat([nonce, cipher.update('kept', 'utf8'), cipher.final(), cipher.getAuthTag()])
    const old = { sealed: bytes.toString('base64'), key_id: 'one' }
    expect(sealer.open(old, place)).toBe('kept')
    expect(sealer.isFresh(old, place)).toBe(false)
    const anew = sealer.seal(sealer.open(old, place), place)
    expect(sealer.isFresh(anew, place)).toBe(true)
    expect(sealerOf('two', 'one').isFresh(anew, place)).toBe(false)
  })

  it.each([
    ['merchants', '1900000001', 'wechat.apiv3_key', true],
    ['endpoints', '1900000001/https://shop.example.cn/a"b', 'secrets', true],
    ['evidence', '1900000001/notification/one', 'raw', true],
    ['merchants', '1900000001', 'apps.wxd678efh567hg6787.secret', false],
    ['orders', '1900000001/TEA-1', 'payer.openid', false],
    ['cookies', 'token-of-a-page-0123456789', 'errand', false],
    ['temporal', 'words', 'reason', false],
    ['constructor', '1900000001', 'wechat.apiv3_key', false],
  ])('that has no place opens in %s %s %s only if such seals lay there', (collection, _id, field, opens) => {
    const nonce = Buffer.alloc(12, 5)
    const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32, 'one'), nonce).setAAD(Buffer.from('one'))
    const bytes = Buffer.concat([nonce, cipher.update('kept', 'utf8'), cipher.final(), cipher.getAuthTag()])
    const open = () =>
      sealerOf('one').open({ sealed: bytes.toString('base64'), key_id: 'one' }, sealPlace(collection, _id, field))
    if (opens) expect(open()).toBe('kept')
    else expect(open).toThrow(SealBroken)
  })

  it('opens after a new key was put in front, which seals from then on', () => {
    const old = sealerOf('old').seal('kept', place)
    const rotated = sealerOf('new', 'old')
    expect(rotated.open(old, place)).toBe('kept')
    expect(rotated.seal('kept', place).key_id).toBe('new')
  })

  it('names the key it needs when that is gone', () => {
    const old = sealerOf('of-2025').seal('kept', place)
    expect(() => sealerOf('new').open(old, place)).toThrow(SealingKeyMissing)
    expect(() => sealerOf('new').open(old, place)).toThrow('of-2025')
  })
})

describe('master keys', () => {
  const key = Buffer.alloc(32, 1).toString('base64')

  it('are read newest first', () => {
    expect(parseSealingKeys(`b:${key}, a:${key}`)).toEqual([
      { id: 'b', key },
      { id: 'a', key },
    ])
  })

  it.each(['', 'a', `a:${key},`, `:${key}`, 'a:short', `a b:${key}`, `a:${key.slice(4)}`])(
    'are refused as %j',
    (text) => {
      expect(() => parseSealingKeys(text)).toThrow(RangeError)
    },
  )

  it('are never shown by a refusal', () => {
    const long = Buffer.alloc(40, 1).toString('base64')
    expect(() => parseSealingKeys(`a:${long}`)).toThrow('the master key "a" has 40 bytes, not 32')
  })

  it('need one key, and different ids', () => {
    expect(() => createSealer({ keys: [] })).toThrow(RangeError)
    expect(() =>
      createSealer({
        keys: [
          { id: 'a', key },
          { id: 'a', key },
        ],
      }),
    ).toThrow(RangeError)
  })
})
