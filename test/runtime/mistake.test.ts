import { expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createSetupLog } from '../../runtime/mistake.ts'
import { StoreUnavailable } from '../../store/connection.ts'

it('a database that is away is no mistake in a set-up: it is said once a minute, and not as an error', () => {
  const said: string[] = []
  const keep = (level: string) => (message: string) => void said.push(`${level}: ${message}`)
  const log = { ...silentLogger, error: keep('error'), warn: keep('warn') } as unknown as Logger
  const clock = { now: 0 }
  const note = createSetupLog(log, () => clock.now)
  for (; clock.now < 90_000; clock.now += 333) note('1900000001', new StoreUnavailable(new Error('away')))
  expect(said).toEqual(Array(2).fill(expect.stringMatching(/^warn: the database does not answer/)))
  note('1900000001', ['the private key is not readable'])
  expect(said.at(-1)).toBe('error: a WeChat set-up cannot be used')
})
