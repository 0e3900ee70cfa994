import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSealer, parseSealingKeys, SealBroken, SealingKeyMissing } from '../../store/sealer.ts'
import { sealerOf } from './database.ts'

describe('a sealed text', () => {
  it('opens again, whatever it was', () => {
    const sealer = sealerOf('one')
    const text = fc.string({ unit: 'grapheme', maxLength: 3_000 })
    fc.assert(fc.property(text, (plain) => void expect(sealer.open(sealer.seal(plain))).toBe(plain)))
  })

  it('shows nothing of itself and is never the same twice', () => {
    const sealer = sealerOf('one')
    const [first, second] = [sealer.seal('a secret of a merchant'), sealer.seal('a secret of a merchant')]
    expect(first.sealed).not.toBe(second.sealed)
    expect(Buffer.from(first.sealed, 'base64').toString('latin1')).not.toContain('secret')
  })

  it('does not open when any single bit of it was changed', () => {
    const sealer = sealerOf('one')
    const sealed = sealer.seal('990')
    const bytes = Buffer.from(sealed.sealed, 'base64')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes)
      altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => sealer.open({ ...sealed, sealed: altered.toString('base64') })).toThrow(SealBroken)
    }
  })

  it('does not open when it was cut', () => {
    const sealer = sealerOf('one')
    const { sealed, key_id } = sealer.seal('')
    const cut = Buffer.from(sealed, 'base64').subarray(0, 27).toString('base64')
    expect(() => sealer.open({ sealed: cut, key_id })).toThrow(SealBroken)
  })

  it('does not open under the name of another key, even if the key is the same', () => {
    const key = Buffer.alloc(32, 7).toString('base64')
    const sealer = createSealer({
      keys: [
        { id: 'b', key },
        { id: 'a', key },
      ],
    })
    expect(() => sealer.open({ ...sealer.seal('x'), key_id: 'a' })).toThrow(SealBroken)
  })

  it('opens after a new key was put in front, which seals from then on', () => {
    const old = sealerOf('old').seal('kept')
    const rotated = sealerOf('new', 'old')
    expect(rotated.open(old)).toBe('kept')
    expect(rotated.seal('kept').key_id).toBe('new')
  })

  it('names the key it needs when that is gone', () => {
    const old = sealerOf('of-2025').seal('kept')
    expect(() => sealerOf('new').open(old)).toThrow(SealingKeyMissing)
    expect(() => sealerOf('new').open(old)).toThrow('of-2025')
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
