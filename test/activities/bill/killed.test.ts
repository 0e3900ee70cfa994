import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { seededRandom } from '../../../simulator/random.ts'
import { Office } from '../../stage/office.ts'

/** `npm run chaos -- reconcile` does the same with a day of 200,000 rows, five deaths and a database that is away. */
describe('the process that compares a day of 2,000 rows', () => {
  const random = seededRandom(20_261_122)
  let office: Office
  /** what one process leaves that nobody disturbs, and how often it says that it lives */
  let undisturbed: string
  let beats: number
  beforeAll(async () => {
    office = await Office.open(inject('mongodb_uri'), 2_000, 0.01)
    const clerk = office.clerk('one')
    expect(await clerk.ended).toBe(true)
    undisturbed = await office.left()
    beats = clerk.beats()
  })
  afterAll(async () => await office.close())

  it('finds what was planted', () => {
    const found = [...undisturbed.matchAll(/"kind": "(\w+)",\n +"state"/g)].map(([, kind = '']) =>
      kind.replace('refund_', ''),
    )
    const count = (kind: string) => found.filter((one) => one === kind).length
    const { missing_here, missing_there, amount, state, number, duplicate, malformed } = office.plants
    expect({ missing_here, amount, state, number, duplicate, malformed }).toEqual({
      ...{ missing_here: count('missing_here'), amount: count('amount'), state: count('state') },
      ...{ number: count('number'), duplicate: count('duplicate'), malformed: count('malformed') },
    })
    expect(count('missing_there')).toBe(missing_there + malformed)
  })

  it('leaves the same, byte for byte, though another did it too and both were killed', async () => {
    await office.forget()
    const both = [office.clerk('two'), office.clerk('two')]
    await Promise.all(both.map((clerk) => clerk.killAt(1 + Math.floor(random() * beats))))
    const last = office.clerk('two')
    expect(await last.ended).toBe(true)
    expect([...both, last].flatMap(({ failures }) => failures)).toEqual([])
    expect(await office.left()).toBe(undisturbed)
  })
})
