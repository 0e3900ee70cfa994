import { describe, expect, it } from 'vitest'
import { distinctFlaws, flaw_codes, flaw_texts, flawOf, flawText, flawView } from '../../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../../domain/bill/flaw.ts'
import { resultText } from '../../../domain/bill/reconciliation.ts'
import { damage_samples, daySample } from '../../api/v1/billsample.ts'

/** The values that a text speaks of. */
const namesIn = (text: string) => [...text.matchAll(/\{(\w+)(?::\w+)?\}/g)].map(([, name]) => name).sort()

describe('a flaw', () => {
  it.each(flaw_codes)('says the same in both languages, and in none English in Chinese: %s', (code) => {
    const { en, 'zh-CN': chinese } = flaw_texts[code]
    expect(namesIn(chinese)).toEqual(namesIn(en))
    expect(chinese).toMatch(/[\u4e00-\u9fff]/)
    expect(chinese).not.toMatch(/\b(the|and|of|is|are|with)\b/)
    const values: Record<string, number> = Object.fromEntries(namesIn(en).map((name) => [name ?? '', 7]))
    for (const language of ['en', 'zh-CN'] as const)
      expect(flawText(flawOf(code, values, 'fundflow'), language)).not.toMatch(/[{}–]|undefined/)
  })

  it.each(Object.values(damage_samples))('says in Chinese why an original is lost: %s', (why) => {
    const lost = flawOf('original_lost', { type: 'trade', why })
    expect(flawText(lost)).toContain(why)
    expect(flawText(lost, 'zh-CN')).not.toMatch(/\b(its|it|is|was|of|since|when)\b/)
  })

  it('has its amounts in yuan, its words in the reader’s language, and the bill that it is of', () => {
    const values = { name: '手续费总金额', said: '0.00', sum: 12_000, unit: 'milli_fen' }
    expect(flawText(flawOf('footer_differs', values))).toBe(
      'the footer says 手续费总金额 0.00, and the rows come to 0.12000',
    )
    expect(flawText(flawOf('footer_differs', values, 'fundflow'), 'zh-CN')).toBe(
      '资金账单：汇总行的“手续费总金额”为 0.00，而各行合计为 0.12000',
    )
    const moved = flawOf('account_differs', { account: 'wechat.basic', moved: -5, shown: 100 })
    expect(flawText(moved)).toBe('the book moves wechat.basic by ¥-0.05 on this day, and 账户结余 goes by ¥1.00')
  })

  it('of an earlier version is its sentence, and of a newer one its code', () => {
    expect(flawText('a break', 'zh-CN')).toBe('a break')
    expect(flawView('a break')).toEqual({ code: null, text: 'a break', values: {} })
    const newer = { code: 'struck_by_lightning', values: { at: 3 } } as unknown as DayFlaw
    expect(flawText(newer)).toBe('struck_by_lightning {"at":3}')
  })

  it('is told once, and is the same result as the sentence that an earlier version kept', () => {
    const flaw = flawOf('no_footer')
    const sentence = flawText(flaw)
    expect(distinctFlaws([flaw, sentence, flawOf('no_footer'), flawOf('empty_file')])).toEqual([
      flaw,
      flawOf('empty_file'),
    ])
    expect(resultText(daySample({ flaws: [flaw] }))).toBe(resultText(daySample({ flaws: [sentence] })))
  })
})
