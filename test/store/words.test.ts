import { describe, expect, it } from 'vitest'
import { SealBroken, SealingKeyMissing } from '../../store/sealer.ts'
import { openWords, sealWords } from '../../store/words.ts'
import { sealerOf } from './database.ts'

const sealer = sealerOf('one')
const payout = { operation_id: 'payout:1', reason: '退到张三的卡', proof: '回单 6222', code: null }

describe('what people wrote', () => {
  it('goes through Temporal sealed and comes out as it was; ids stay readable', () => {
    const sent = sealWords(sealer, payout)
    expect(sent).toMatchObject({ operation_id: 'payout:1', code: null })
    expect(JSON.stringify(sent)).not.toMatch(/张三|6222/)
    expect(openWords(sealer, sent)).toEqual(payout)
    expect(openWords(sealerOf('two', 'one'), sent)).toEqual(payout)
  })

  it('that earlier versions sent in the clear stays as it is, and so does what nobody wrote', () => {
    expect(openWords(sealer, payout)).toEqual(payout)
    const silent = { reason: null, proof: '' }
    expect(openWords(sealer, sealWords(sealer, silent))).toEqual(silent)
  })

  it('does not open in another field, nor without its key', () => {
    const { reason } = sealWords(sealer, payout)
    expect(() => openWords(sealer, { proof: reason })).toThrow(SealBroken)
    expect(() => openWords(sealerOf('two'), { reason })).toThrow(SealingKeyMissing)
  })
})
