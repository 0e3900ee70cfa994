import { describe, expect, it } from 'vitest'
import { SealBroken, SealingKeyMissing, sealPlace } from '../../store/sealer.ts'
import { openWords, sealWords } from '../../store/words.ts'
import { sealerOf } from './database.ts'

const sealer = sealerOf('one')
const run = 'refund/1900000001/R-1'
const payout = { operation_id: 'payout:1', reason: '退到张三的卡', proof: '回单 6222', code: null }

describe('what people wrote', () => {
  it('goes through Temporal sealed and comes out as it was; ids stay readable', () => {
    const sent = sealWords(sealer, run, payout)
    expect(sent).toMatchObject({ operation_id: 'payout:1', code: null })
    expect(JSON.stringify(sent)).not.toMatch(/张三|6222/)
    expect(openWords(sealer, run, sent)).toEqual(payout)
    expect(openWords(sealerOf('two', 'one'), run, sent)).toEqual(payout)
  })

  it('that earlier versions sent in the clear stays as it is, and so does what nobody wrote', () => {
    expect(openWords(sealer, run, payout)).toEqual(payout)
    const silent = { reason: null, proof: '' }
    expect(openWords(sealer, run, sealWords(sealer, run, silent))).toEqual(silent)
  })

  it('does not open in another field, nor without its key', () => {
    const { reason } = sealWords(sealer, run, payout)
    expect(() => openWords(sealer, run, { proof: reason })).toThrow(SealBroken)
    expect(() => openWords(sealerOf('two'), run, { reason })).toThrow(SealingKeyMissing)
  })

  it('does not open in another run: a history is no place to copy words from', () => {
    const sent = sealWords(sealer, run, payout)
    expect(() => openWords(sealer, 'refund/1900000001/R-2', sent)).toThrow(SealBroken)
    expect(() => openWords(sealer, 'order/1900000001/R-1', sent)).toThrow(SealBroken)
  })

  it('that an earlier version sealed for any run still opens', () => {
    const { sealed, key_id } = sealer.seal('卖完了', sealPlace('temporal', 'words', 'reason'))
    expect(openWords(sealer, run, { reason: `sealed:${key_id}:${sealed}` })).toEqual({ reason: '卖完了' })
  })
})
