import { beijingDay } from '../domain/calendar.ts'
import { reconcileStart } from '../domain/messages.ts'
import { startOptions } from '../runtime/temporal.ts'
import { withServers } from './bench.ts'
import type { OpenInstallation, PrintLine } from './bench.ts'
import { createOrders, measurePaidToPage } from './checkouts.ts'
import { percentile, spreadLine } from './figures.ts'
import type { Installation } from './installation.ts'
import { until } from './load.ts'
import { addSimulatedMerchant } from './merchants.ts'
import { openSimulated } from './simulated.ts'

/** `lines`: of the day that is compared meanwhile, so many that it takes longer than the orders. */
const sizes = {
  full: { warm: 20, count: 50, per_second: 5, lines: 400_000 },
  small: { warm: 2, count: 10, per_second: 5, lines: 60_000 },
}

const most_lines_of_plant = 100_000
const fulfilled = ['fulfilled'] as const

/**
 * How much later orders are fulfilled while the same worker compares a day: the p95 from paid to fulfilled, beside a look
 * at a day and without one. Throws when the look was over before the orders were.
 */
export async function measureNeighbours(size: 'full' | 'small', say: PrintLine): Promise<number> {
  let ratio = NaN
  await withServers(async (open) => {
    ratio = await measure(open, size, say)
  })
  return ratio
}

async function measure(open: OpenInstallation, size: 'full' | 'small', say: PrintLine): Promise<number> {
  const { warm, count, per_second, lines } = sizes[size]
  const { installation, simulator_url } = await openSimulated(open, 'neighbours')
  const merchant = await addSimulatedMerchant({ ...installation }, simulator_url)
  await installation.startWorker()
  await installation.startApi()
  const { orders } = await createOrders(installation, merchant, { count: warm + 2 * count, per_second: 20 })
  const pay = (from: number, to: number) =>
    measurePaidToPage(simulator_url, merchant, orders.slice(from, to), per_second, fulfilled)
  await pay(0, warm)
  const alone = await pay(warm, warm + count)
  say(`paid to fulfilled, alone: ${spreadLine(alone)}`)
  const { mchid } = merchant
  const day = { mchid, bill_date: beijingDay(Date.now() - 86_400_000) }
  await plantLines(simulator_url, day, lines)
  const look = await beginLook(installation, day)
  const beside = await pay(warm + count, orders.length)
  if (!(await look.isUnderWay()))
    throw new Error('the day was compared before the orders were paid: give it more lines')
  say(`paid to fulfilled, beside a day of ${lines} lines: ${spreadLine(beside)}`)
  await look.end()
  return percentile(beside, 0.95) / percentile(alone, 0.95)
}

/** Lines of another system: each is read, classified and looked up, and none needs an order of its own. */
async function plantLines(
  simulator_url: string,
  day: { mchid: string; bill_date: string },
  lines: number,
): Promise<void> {
  for (let left = lines; left > 0; left -= most_lines_of_plant) {
    const rows = Math.min(left, most_lines_of_plant)
    const body = JSON.stringify({ operation: 'trade_bill_content', fault: 'foreign_payment', ...day, rows })
    const answer = await fetch(`${simulator_url}/control/faults`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`nothing was planted: ${answer.status} ${await answer.text()}`)
  }
}

/** Begins a look at the day, and returns when its lines are being compared. */
async function beginLook(
  { temporal, config, store }: Installation,
  day: { mchid: string; bill_date: string },
): Promise<{ isUnderWay: () => Promise<boolean>; end: () => Promise<void> }> {
  const start = reconcileStart(day)
  const handle = await temporal.client.workflow.start(start.workflow_type, startOptions(start, config.queue_prefix))
  const comparing = async () => {
    const { raw } = await handle.describe()
    return raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'matchDay') ?? false
  }
  await until('the day is compared', 120_000, comparing)
  return {
    isUnderWay: async () => (await store.reconciliations.find(day))?.end_time === null,
    end: async () => {
      await handle.terminate('the bench has seen what it came for')
    },
  }
}
