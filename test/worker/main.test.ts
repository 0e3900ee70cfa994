import { expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { endOnFailure } from '../../runtime/shutdown.ts'

it.each(['before', 'after'])(
  'a worker that fails %s it is watched ends its process with 1, closed first',
  async (when) => {
    const failed = new AbortController()
    const told: unknown[] = []
    const close = () => told.push('closed')
    if (when === 'before') failed.abort()
    const ended = new Promise<void>((resolve) => {
      const exit = (code: number) => resolve(void told.push(code))
      endOnFailure(failed.signal, [{ name: 'worker', limit_ms: 1_000, close }], silentLogger, { exit })
    })
    if (when === 'after') {
      expect(told).toEqual([])
      failed.abort()
    }
    await ended
    expect(told).toEqual(['closed', 1])
  },
)
