import { expect, it } from 'vitest'
import { createOutageLog } from '../../runtime/outage.ts'

it('an outage is said once a minute in each of its words, with how often it kept something from being done', () => {
  const clock = { now: 0 }
  const said: unknown[] = []
  const log = { warn: (message: string, fields?: object) => void said.push([message, fields]), debug: () => undefined }
  const say = createOutageLog(() => clock.now)
  for (; clock.now < 120_000; clock.now += 1_000) {
    say(log, 'the database is away', { at: clock.now })
    if (clock.now % 2_000 === 0) say(log, 'Temporal is away')
  }
  expect(said).toEqual([
    ['the database is away', { at: 0 }],
    ['Temporal is away', {}],
    ['the database is away', { at: 60_000, unsaid_times: 59 }],
    ['Temporal is away', { unsaid_times: 29 }],
  ])
})
