import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../simulator/random.ts'
import { startOwnServers } from '../stage/outage.ts'
import type { OwnServers } from '../stage/outage.ts'
import { expectAuditClean } from '../stage/proof.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { Balancer } from './balancer.ts'
import { Market, rest_ms } from './market.ts'
import { apiPorts, Troupe } from './troupe.ts'
import { openThings } from './witness.ts'

/** How long things are broken; `WEFT_CHAOS_SECONDS=1800` for a night. */
const seconds = Number(process.env.WEFT_CHAOS_SECONDS ?? 150)
const seed = Number(process.env.WEFT_CHAOS_SEED ?? Date.now() % 1_000_000)
const shoppers = 6

describe(`an installation in which everything is killed, frozen and lost (seed ${seed}, ${seconds} s)`, () => {
  const random = seededRandom(seed)
  let servers: OwnServers
  let stage: Stage
  let troupe: Troupe
  let market: Market
  let endpoints: string[]

  beforeAll(async () => {
    servers = await startOwnServers()
    stage = await Stage.open({
      time_scale: 30,
      simulator: { time_scale: 60 },
      settings: { fulfilment: { mode: 'event' }, refund_approval: { above: 500 } },
      ways_to_pay: true,
      temporal_address: servers.temporal.address,
      mongodb_uri: servers.database.uri,
      api: false,
      worker: false,
    })
    await stage.store.ensureIndexes()
    const ports = await apiPorts()
    const balancer = await Balancer.open(stage.config.port, ports)
    stage.endsWith(() => balancer.close())
    troupe = await Troupe.start(stage, servers, ports, seed)
    market = await Market.open(stage, random)
    endpoints = await market.addObserver()
    misbehave()
  })
  afterAll(async () => {
    try {
      await stage.close()
    } finally {
      await servers.clear()
    }
  })

  /** Of what the network does between two companies, a little of everything. */
  function misbehave(): void {
    const { control } = stage.simulator
    for (const operation of ['place', 'query', 'close', 'refund', 'query_refund'] as const) {
      for (const fault of ['timeout_after', 'timeout_before'] as const)
        control.addFault({ operation, fault, rate: 0.02, mchid: stage.mchid })
      control.addFault({ operation, fault: 'SYSTEM_ERROR', rate: 0.03, mchid: stage.mchid })
    }
    for (const fault of ['drop', 'duplicate'] as const)
      control.addFault({ operation: 'notify', fault, rate: 0.05, mchid: stage.mchid })
  }

  /** The servers, one after the other: less often than the processes, since each time everything waits. */
  async function breakServers(end: number): Promise<void> {
    const acts = [
      () => troupe.killTemporal(),
      () => troupe.restoreTemporal(10_000),
      () => troupe.killDatabase(),
      () => troupe.freezeDatabase(),
      () => troupe.loseTemporal(),
    ]
    for (let count = 0; Date.now() < end; count += 1) {
      await sleep(10_000 + random() * 10_000)
      await acts[count % acts.length]?.()
    }
  }

  /** What people do to an installation while it works: each in turn. */
  async function administer(end: number): Promise<void> {
    const acts = [
      () => market.reconcile(),
      () => market.moveFulfilment(market.pick(endpoints)),
      () => market.decideSeconds(),
      () => market.rotateKeys(),
    ]
    for (let count = 0; Date.now() < end; count += 1) {
      await sleep(random() * 8_000)
      await acts[count % acts.length]?.()
    }
  }

  async function untilNothingIsOpen(): Promise<void> {
    let looks = 0
    await until(
      'nothing is open',
      async () => {
        const scene = await market.scene()
        const open = openThings(scene)
        if (open.length === 0) return true
        // What is at rest now may not have been when its day was compared.
        if (looks++ % 10 === 0 && scene.day?.state !== 'running') await market.reconcile()
        throw new Error(`${open.length} things:\n${open.slice(0, 40).join('\n')}`)
      },
      { within_ms: rest_ms, every_ms: 3_000 },
    )
  }

  it('has nothing open when it is at rest, and every fen where it belongs', async () => {
    const end = Date.now() + seconds * 1000
    const reader = market.follow()
    const shopping = Array.from({ length: shoppers }, async () => {
      while (Date.now() < end) {
        await market.sell()
        await sleep(random() * 1_000)
      }
    })
    const breaking = Array.from({ length: 3 }, async () => {
      while (Date.now() < end) {
        await troupe.act()
        await sleep(random() * 2_000)
      }
    })
    await Promise.all([breakServers(end), administer(end), ...breaking, ...shopping])
    stage.simulator.control.removeFaults(null)
    try {
      await market.reconcile()
      await untilNothingIsOpen()
    } catch (error) {
      throw new Error(`after:\n${troupe.acts.join('\n')}\n${String(error)}`, { cause: error })
    } finally {
      market.end()
      await reader
    }
    expect(market.notes.size).toBeGreaterThan(shoppers)
    const { orders, payments, refunds } = await expectAuditClean(stage, 'settled')
    process.stdout.write(
      `${orders} orders, ${payments} payments, ${refunds} refunds; ${troupe.acts.length} acts (seed ${seed})\n`,
    )
  })
})
