import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../simulator/random.ts'
import { Office } from '../stage/office.ts'
import { startOwnServers } from '../stage/outage.ts'
import type { OwnServers } from '../stage/outage.ts'

/** `npm run chaos -- reconcile`; `WEFT_CHAOS_ROWS=20000` makes it short. */
const rows = Number(process.env.WEFT_CHAOS_ROWS ?? 200_000)
const away_ms = Number(process.env.WEFT_CHAOS_AWAY_SECONDS ?? 60) * 1_000
const seed = Number(process.env.WEFT_CHAOS_SEED ?? Date.now() % 1_000_000)
const deaths = 5

describe(`a day of ${rows} rows whose comparison is disturbed (seed ${seed})`, () => {
  const random = seededRandom(seed)
  let servers: OwnServers
  let office: Office
  let beats = 0
  /** what a process leaves that nobody disturbs, of the first bill and of the one that is issued anew */
  let undisturbed = { first: '', anew: '' }
  const other = { difference_share: 0.002 }

  beforeAll(async () => {
    servers = await startOwnServers()
    office = await Office.open(servers.database.uri, rows, 0.001)
    const clerk = office.clerk('first')
    expect(await clerk.ended).toBe(true)
    beats = clerk.beats()
    const first = await office.left()
    office.issue(other)
    expect(await office.clerk('anew').ended).toBe(true)
    undisturbed = { first, anew: await office.left() }
    expect(undisturbed.anew).not.toBe(first)
    await office.forget()
    office.issue()
  })
  afterAll(async () => {
    await office.close()
    await servers.clear()
  })

  const anywhere = () => 1 + Math.floor(random() * beats)

  it(`leaves the same, byte for byte, though its process was killed ${deaths} times`, async () => {
    for (let death = 0; death < deaths; death += 1) await office.clerk('first').killAt(anywhere())
    expect(await office.clerk('first').ended).toBe(true)
    expect(await office.left()).toBe(undisturbed.first)
  })

  it('and again after a bill that was issued anew, by two at once of which one is killed', async () => {
    office.issue(other)
    const [one, another] = [office.clerk('anew'), office.clerk('anew')]
    await one.killAt(anywhere())
    expect(await another.ended).toBe(true)
    expect(await office.left()).toBe(undisturbed.anew)
  })

  it(`and though the database was away for ${away_ms / 1_000} s in the middle`, async () => {
    await office.forget()
    office.issue()
    const clerk = office.clerk('first')
    await clerk.reach(Math.floor(beats / 2))
    servers.database.freeze(true)
    await sleep(away_ms) // what is away for a minute is away for a minute
    servers.database.freeze(false)
    expect(await clerk.ended).toBe(true)
    expect(await office.left()).toBe(undisturbed.first)
  })
})
