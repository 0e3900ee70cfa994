import { setTimeout as sleep } from 'node:timers/promises'
import { withServers } from './bench.ts'
import { createOrders, payOne } from './checkouts.ts'
import { roundTo } from './figures.ts'
import type { Installation } from './installation.ts'
import { until } from './load.ts'
import { addSimulatedMerchant } from './merchants.ts'
import type { BenchMerchant } from './merchants.ts'
import { openSimulated } from './simulated.ts'

/** How long a server is away. `small` proves that the drill works: gRPC's own pauses would not have grown yet. */
const outages_s = { full: 150, small: 5 }

/**
 * Ends each server for a time, and measures how long after its return the API is ready, and how long until an order is
 * placed again, for which the API, a run, its record and the worker all have to be back. Then has each stand still while
 * payers pay. Prints one line of JSON last.
 */
export async function measureRecovery(size: keyof typeof outages_s): Promise<void> {
  await withServers(async (open, say, servers) => {
    const { installation, simulator_url } = await openSimulated(open, 'living')
    const merchant = await addSimulatedMerchant({ ...installation }, simulator_url)
    await installation.startWorker()
    await installation.startApi()
    await isPlacing(installation, merchant)
    const figures: Record<string, Recovery> = {}
    for (const name of ['temporal', 'database'] as const) {
      say(`${name} is away for ${outages_s[size]} s`)
      servers[name].kill()
      await sleep(outages_s[size] * 1_000)
      await servers[name].restart()
      figures[name] = await measureReturn(installation, merchant)
      say(`${name}: ready after ${figures[name].ready_s} s, placing after ${figures[name].placing_s} s`)
    }
    const frozen: Record<string, number> = {}
    for (const name of ['temporal', 'database'] as const) {
      say(`${name} stands still for ${frozen_s} s, and a payer pays`)
      const place = { installation, simulator_url, merchant }
      frozen[name] = await measureThaw(place, (is_frozen) => servers[name].freeze(is_frozen))
      say(`${name}: paid and fulfilled ${frozen[name]} s after it went on`)
    }
    const waits = { outage_s: outages_s[size], frozen_s, budget_s: 5 }
    console.log(JSON.stringify({ recovery: figures, fulfilled_after_s: frozen, ...waits }))
  })
}

/** Where orders are made and paid. */
interface MarketPlace {
  installation: Installation
  simulator_url: string
  merchant: BenchMerchant
}

/** How long each server stands still: past every time-out of one attempt. */
const frozen_s = 15

/** From the moment a server goes on that has stood still, until the last of some orders paid meanwhile is fulfilled. */
async function measureThaw(
  { installation, simulator_url, merchant }: MarketPlace,
  freeze: (is_frozen: boolean) => void,
): Promise<number> {
  const { orders } = await createOrders(installation, merchant, { count: 5, per_second: 5 })
  freeze(true)
  // One each second: the payments are caught at different lines.
  const payments = orders.map(async (order, index) => {
    await sleep(index * 1_000)
    await payOne(simulator_url, merchant.mchid, order)
  })
  await Promise.all(payments)
  await sleep((frozen_s - orders.length) * 1_000)
  freeze(false)
  const begin = performance.now()
  const isFulfilled = async ({ out_trade_no }: { out_trade_no: string }) =>
    (await installation.store.orders.find({ mchid: merchant.mchid, out_trade_no }).catch(() => null))?.state ===
    'fulfilled'
  for (const order of orders) await until('the order is fulfilled', longest_ms, () => isFulfilled(order))
  return roundTo((performance.now() - begin) / 1_000, 1)
}

interface Recovery {
  ready_s: number
  placing_s: number
}

async function measureReturn(installation: Installation, merchant: BenchMerchant): Promise<Recovery> {
  const begin = performance.now()
  const since = () => roundTo((performance.now() - begin) / 1_000, 1)
  const ready = until('the API is ready', longest_ms, () => installation.isApiReady()).then(since)
  const placing = until('orders are placed', longest_ms, () => isPlacing(installation, merchant)).then(since)
  return { ready_s: await ready, placing_s: await placing }
}

const longest_ms = 180_000

/** A new number each time: what was begun in vain is not what is measured. */
async function isPlacing(installation: Installation, merchant: BenchMerchant): Promise<boolean> {
  return await createOrders(installation, merchant, { count: 1, per_second: 1 }).then(
    () => true,
    () => false,
  )
}
