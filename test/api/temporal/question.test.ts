import { describe, expect, it } from 'vitest'
import { Problem } from '../../../api/http/problem.ts'
import { createQuestions, putBatch } from '../../../api/temporal/question.ts'
import type { Question } from '../../../api/temporal/question.ts'

function about(subject: string, given: Partial<Question> = {}): Question {
  return { subject, mchid: '1900000001', every_ms: 0, asked_by: 'merchant', ...given }
}

const outcomeOf = (put: Promise<unknown>) =>
  put.catch((error: unknown) => (error instanceof Problem ? error.code : error))

describe('questions that requests ask through runs', () => {
  it('of one merchant are 64 at once, and leave room for another', async () => {
    const questions = createQuestions(() => 0)
    let answer: (text: string) => void = () => undefined
    const silence = new Promise<string>((resolve) => (answer = resolve))
    const one = Array.from({ length: 200 }, (_, index) => questions.put(about(`a${index}`), () => silence))
    const settled = Promise.all(one.map(outcomeOf))
    expect(await questions.put(about('b', { mchid: '1900000002' }), async () => 'answered')).toBe('answered')
    answer('answered')
    const outcomes = await settled
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(64)
    expect(outcomes.filter((outcome) => outcome === 'rate_limited')).toHaveLength(136)
  })

  it('about numbers that Weft does not know are a few a second for each merchant', async () => {
    const clock = { ms: 0 }
    const questions = createQuestions(() => clock.ms)
    const strangers = async (name: string, mchid: string) => {
      const asked = Array.from({ length: 100 }, (_, index) =>
        outcomeOf(questions.put(about(`${name}${index}`, { mchid, asked_by: 'stranger' }), async () => 'asked')),
      )
      return (await Promise.all(asked)).filter((outcome) => outcome === 'asked').length
    }
    expect(await strangers('a', '1900000001')).toBe(5)
    expect(await strangers('a', '1900000002')).toBe(5)
    clock.ms += 1_000
    expect(await strangers('b', '1900000001')).toBe(3)
  })

  it.each([
    ['redelivery', 200, 10],
    ['reconciliation', 100, 0.2],
    ['batch', 5, 0.1],
  ] as const)(
    'for a %s are %i at once for each merchant, and then %f a second',
    async (asked_by, burst, per_second) => {
      const clock = { ms: 0 }
      const questions = createQuestions(() => clock.ms)
      const asked = async (mchid: string) => {
        let count = 0
        for (let index = 0; index < 300; index += 1) {
          const put = questions.put(
            about(`${mchid}/${clock.ms}/${index}`, { mchid, asked_by }),
            async () => (count += 1),
          )
          await outcomeOf(put)
        }
        return count
      }
      expect([await asked('1900000001'), await asked('1900000002')]).toEqual([burst, burst])
      clock.ms += 10_000
      expect(await asked('1900000001')).toBe(10 * per_second)
    },
  )

  it('say after how many seconds there is room for one more', async () => {
    const questions = createQuestions(() => 0)
    const waits: unknown[] = []
    for (let call = 0; call < 6; call += 1) {
      const put = putBatch(questions, '1900000001', async () => ({ call }))
      waits.push(await put.catch((error: unknown) => (error as Problem).parts.headers?.['Retry-After']))
    }
    expect(waits).toEqual([{ call: 0 }, { call: 1 }, { call: 2 }, { call: 3 }, { call: 4 }, '10'])
  })

  it('of payers who come back from WeChat are 20 at once from each place, and 200 for all places of a checkout', async () => {
    const questions = createQuestions(() => 0)
    const asked = async (whole: string, place: number) => {
      let count = 0
      for (let index = 0; index < 30; index += 1) {
        const errand = { asked_by: 'errand', group: `${whole} ${place}`, whole } as const
        await outcomeOf(questions.put(about(`${whole}/${place}/${index}`, errand), async () => (count += 1)))
      }
      return count
    }
    const places: number[] = []
    for (let place = 0; place < 12; place += 1) places.push(await asked('one', place))
    expect(places).toEqual([...Array<number>(10).fill(20), 0, 0])
    expect(await asked('another', 0)).toBe(20)
  })

  it('of payers are 20 for each order, and then one a minute, also while WeChat says nothing', async () => {
    const clock = { ms: 0 }
    const questions = createQuestions(() => clock.ms)
    let asked = 0
    for (let turn = 0; turn < 40; turn += 1) {
      clock.ms += 5_000
      await questions.put(about('a', { every_ms: 5_000, asked_by: 'payer' }), async () => (asked += 1))
    }
    expect(asked).toBe(23) // 200 s bring three more
  })

  it('that fail are failures for all who share them, and may be asked again', async () => {
    const questions = createQuestions(() => 0)
    const fail = () => Promise.reject(new Error('away'))
    const both = [1, 2].map(() => outcomeOf(questions.put(about('a', { every_ms: 5_000 }), fail)))
    expect(await Promise.all(both)).toEqual([new Error('away'), new Error('away')])
    expect(await questions.put(about('a', { every_ms: 5_000 }), async () => 'asked')).toBe('asked')
    expect(await questions.put(about('a', { every_ms: 5_000 }), async () => 'asked')).toBeNull()
  })
})
