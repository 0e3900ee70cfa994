import mongoose from 'mongoose'
import type { DayKey } from '../domain/bill/reconciliation.ts'
import { beijingDay } from '../domain/calendar.ts'
import { reconcileStart } from '../domain/messages.ts'
import { startOptions } from '../runtime/temporal.ts'
import { GeneratedDay } from '../simulator/bills/generator.ts'
import { withServers } from './bench.ts'
import type { OpenInstallation, PrintLine } from './bench.ts'
import { createOrders, measurePaidToPage } from './checkouts.ts'
import { insertDay } from './daystore.ts'
import { percentile, spreadLine } from './figures.ts'
import type { Installation } from './installation.ts'
import { until } from './load.ts'
import { addSimulatedMerchant } from './merchants.ts'
import type { BenchMerchant } from './merchants.ts'
import { openSimulated } from './simulated.ts'

/** `rows`: of the first day that is compared meanwhile; of one that was over too soon the next has twice as many. */
const sizes = {
  full: { warm: 20, count: 50, per_second: 5, rows: 300_000 },
  small: { warm: 2, count: 10, per_second: 5, rows: 60_000 },
}

const most_days = 2
const day_ms = 86_400_000
const fulfilled = ['fulfilled'] as const

/**
 * How much later orders are fulfilled while the same worker compares a day: the p95 from paid to fulfilled, beside a
 * comparison and without one. Throws when comparing was over before the orders were, of the largest day too.
 */
export async function measureNeighbours(size: 'full' | 'small', say: PrintLine): Promise<number> {
  let ratio = NaN
  await withServers(async (open) => {
    ratio = await measure(open, size, say)
  })
  return ratio
}

async function measure(open: OpenInstallation, size: 'full' | 'small', say: PrintLine): Promise<number> {
  const { warm, count, per_second, rows } = sizes[size]
  const { installation, simulator_url } = await openSimulated(open, 'neighbours')
  const merchant = await addSimulatedMerchant({ ...installation }, simulator_url)
  await installation.startWorker()
  await installation.startApi()
  const wanted = most_days * (warm + 2 * count)
  const { orders } = await createOrders(installation, merchant, { count: wanted, per_second: 5 })
  const pay = (some: number) =>
    measurePaidToPage(simulator_url, merchant, orders.splice(0, some), per_second, fulfilled)
  for (let days = 1; days <= most_days; days += 1) {
    const day = { mchid: merchant.mchid, bill_date: beijingDay(Date.now() - days * day_ms), rows: days * rows }
    // Before what it is compared with: orders among many records are not as quick as among none.
    await prepareDay(installation, simulator_url, merchant, day)
    say(`a day of ${day.rows} rows is recorded`)
    await pay(warm)
    const alone = await pay(count)
    say(`paid to fulfilled, alone: ${spreadLine(alone)}`)
    const look = await beginLook(installation, day)
    const beside = await pay(count)
    const is_beside = await look.isComparing()
    await look.end()
    say(`paid to fulfilled, ${is_beside ? 'beside it' : 'and it was compared before they were'}: ${spreadLine(beside)}`)
    if (is_beside) return percentile(beside, 0.95) / percentile(alone, 0.95)
  }
  throw new Error('the days were compared before the orders were paid: give them more rows')
}

/** The same day at WeChat Pay and in our records, which are inserted many at once. */
async function prepareDay(
  { config }: Installation,
  simulator_url: string,
  { mchid, appid }: BenchMerchant,
  { bill_date, rows }: DayKey & { rows: number },
): Promise<void> {
  const generated = { rows, appid, refund_share: 0.05 }
  const connection = await mongoose.createConnection(config.mongodb_uri, { dbName: config.database }).asPromise()
  try {
    await insertDay(connection, mchid, new GeneratedDay({ ...generated, mchid, bill_date }).records())
  } finally {
    await connection.close()
  }
  const body = JSON.stringify({ mchid, bill_date, generated })
  const answer = await fetch(`${simulator_url}/control/bills`, { method: 'POST', body })
  if (!answer.ok) throw new Error(`no bill was issued: ${answer.status} ${await answer.text()}`)
}

/** Begins a look at the day, and returns when its rows are being compared. */
async function beginLook(
  { temporal, config }: Installation,
  day: DayKey,
): Promise<{ isComparing: () => Promise<boolean>; end: () => Promise<void> }> {
  const start = reconcileStart(day)
  const handle = await temporal.client.workflow.start(start.workflow_type, startOptions(start, config.queue_prefix))
  const isComparing = async () => {
    const { raw } = await handle.describe()
    return raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'matchDay') ?? false
  }
  await until('the day is compared', 120_000, isComparing)
  return {
    isComparing,
    end: async () => {
      await handle.terminate('the bench has seen what it came for')
    },
  }
}
