import { describe, expect, it } from 'vitest'
import { Leases } from '../../store/leases.ts'
import { memoryConnections } from '../stage/memory.ts'
import { noon } from './samples.ts'

const minute = 60_000
const day = 24 * 60 * minute

describe('a lease', () => {
  /** Whether `holder` gets it for a minute, `after_ms` after noon by its own clock. */
  function lease() {
    const leases = new Leases(memoryConnections({ left: Infinity }))
    return (holder: string, after_ms: number) => leases.acquire('sweeper', holder, minute, noon + after_ms)
  }

  it('is one worker’s until it has run out', async () => {
    const take = lease()
    expect([await take('a', 0), await take('b', minute - 1), await take('a', minute - 1)]).toEqual([true, false, true])
    expect([await take('b', 2 * minute - 2), await take('b', 2 * minute - 1)]).toEqual([false, true])
  })

  it('is left to a clock that is a little ahead', async () => {
    const take = lease()
    expect([await take('ahead', 2 * minute), await take('b', 0)]).toEqual([true, false])
  })

  it('is taken from a worker that died with its clock a day ahead: the work would lie until then', async () => {
    const take = lease()
    expect([await take('ahead', day), await take('b', 0), await take('c', 1)]).toEqual([true, true, false])
  })
})
