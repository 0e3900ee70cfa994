import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { Stage } from '../stage/stage.ts'
import { Wire } from '../stage/wire.ts'

describe('a worker', () => {
  let stage: Stage
  let wire: Wire
  beforeAll(async () => {
    stage = await Stage.open({ api: false, worker: false })
    wire = await Wire.to(stage.config.temporal.address)
    stage.endsWith(() => wire.close())
  })
  afterAll(async () => await stage.close())

  it('that loses Temporal between two steps of its start waits for it and begins anew', async () => {
    const waits: string[] = []
    // Every connection begins with this line of HTTP/2. The first is the workers' own, the second asks what is registered.
    let connections = 0
    wire.catchFirst((sent) => {
      if (sent.subarray(0, 3).toString('latin1') === 'PRI') connections += 1
      if (connections < 2) return false
      wire.cut()
      return true
    })
    const warn = (message: string) => {
      waits.push(message)
      wire.mend()
    }
    const config = { ...stage.config, temporal: { ...stage.config.temporal, address: wire.address } }
    await stage.startWorker({ config, log: { ...silentLogger, warn }, sweeps: false })
    expect(waits).toContain('Temporal is not there yet')
    expect(stage.worker).not.toBeNull()
  })
})
