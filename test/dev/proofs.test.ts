import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { phoneNotes, proofFile, proofLine, proofs } from '../../dev/proofs.ts'
import type { Proof } from '../../dev/proofs.ts'
import { counterPage } from '../../dev/shop/pages.ts'
import { stories } from '../../simulator/payer.ts'

const named: [string, Proof][] = [...Object.entries(proofs.phone), ...Object.entries(proofs.shop)]
const sourceOf = (proof: Proof) =>
  readFileSync(fileURLToPath(new URL(`../../${proofFile(proof)}`, import.meta.url)), 'utf8')

/** The journey from its sentence to the next one; null where there is none of that name. */
function journeyOf(proof: Proof): string | null {
  const [, group] = sourceOf(proof).split(`describe('${proof.about}', `)
  const [before, told] = group?.split(/^describe\(/m)[0]?.split(`'${proof.sentence}', `) ?? []
  const is_there = told !== undefined && (proof.of === undefined || before?.includes(`'${proof.of}'`))
  return is_there ? (told.split(/^\s+it[.(]/m)[0] ?? '') : null
}

describe('the journey that is named as the proof of', () => {
  it.each(named)('%s exists', (_, proof) => {
    expect(journeyOf(proof)).not.toBeNull()
  })

  // These are told without their word: a payment is a payment without more, and the others have none.
  const wordless = ['pay', 'cancel', 'forge_notification']

  it.each(stories.filter((story) => !wordless.includes(story)))('%s tells that story', (story) => {
    expect(journeyOf(proofs.phone[story])).toContain(`'${story}'`)
  })
})

describe('a proof', () => {
  it('is behind a word of the reader’s language, since a test’s name is English everywhere', () => {
    expect(counterPage('zh-CN', [])).toMatch(/<details class="proofs">\s*<summary>测试证明<\/summary>/)
  })

  it('is named below each button of the phone and each choice of the shop, in both languages', () => {
    expect(Object.keys(phoneNotes()).toSorted()).toEqual([...stories].toSorted())
    for (const language of ['en', 'zh-CN'] as const) {
      const line = proofLine(proofs.shop.refuse, language)
      expect(line).toMatch(/test\/journeys\/refund\/request\.test\.ts: “money .* cannot ship”$/)
      expect(counterPage(language, [])).toContain(line)
      expect(phoneNotes().forge_notification?.[language]).toContain('when it is forged by a stranger’s key, and')
    }
  })
})
