import { expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'

import { createRounds } from '../../worker/rounds.ts'
import { until } from '../stage/until.ts'

it('a round that fails leads to the next, and the end waits for the one under way and gives back once', async () => {
  const told: string[] = []
  let end = () => {}
  const round = async (ending: AbortSignal) => {
    told.push('round')
    if (told.length === 1) throw new Error('the database is away')
    await new Promise<void>((resolve) => (end = resolve))
    told.push(ending.aborted ? 'ended early' : 'ended')
  }
  const release = () => Promise.resolve(void told.push('released'))
  const rounds = createRounds({ name: 'the sweeper', every_ms: 1, round, release, log: silentLogger })
  rounds.start()
  await until('a second round is under way', () => told.length === 2)
  const closed = rounds.close()
  end()
  await closed
  expect(told).toEqual(['round', 'round', 'ended early', 'released'])
})
