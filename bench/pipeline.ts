import { measureAcknowledgements } from './acknowledgements.ts'
import { withServers } from './bench.ts'
import type { OpenInstallation, PrintLine } from './bench.ts'
import type { PipelineResult } from './budgets.ts'
import { createOrders, historyLengths, measurePaidToPage } from './checkouts.ts'
import { measureFulfilments } from './fulfilments.ts'
import type { Installation } from './installation.ts'
import { runAtPace } from './load.ts'
import { measureMemory } from './memory.ts'
import { addSignedMerchant, addSimulatedMerchant } from './merchants.ts'
import type { SignedMerchant } from './merchants.ts'
import { openNotificationSender, signedNotification } from './notifications.ts'
import { startWaitingOrders } from './orderruns.ts'
import { printReport } from './report.ts'
import { openSimulated } from './simulated.ts'

/** How much of everything. `small` proves that the bench works; its figures mean little. */
const sizes = {
  full: {
    memory: { warm: 200, count: 1_000 },
    acks: { rounds: 7, per_round: 150, concurrency: 16, warm_ups: 6 },
    fulfilments: { rounds: 5, per_round: 50, concurrency: 16 },
    creates: { warm: 10, count: 100, per_second: 10 },
    pages: { count: 60, per_second: 5 },
    offered: { warm: 20, count: 400, per_second: 20 },
  },
  small: {
    memory: { warm: 20, count: 60 },
    acks: { rounds: 1, per_round: 30, concurrency: 8, warm_ups: 1 },
    fulfilments: { rounds: 1, per_round: 10, concurrency: 4 },
    creates: { warm: 2, count: 10, per_second: 5 },
    pages: { count: 8, per_second: 4 },
    offered: { warm: 5, count: 20, per_second: 10 },
  },
}
type Size = keyof typeof sizes

/**
 * Measures the pipeline and prints a table and, as the last line, one line of JSON. Two installations on the same
 * servers: in the first runs only wait, in the second they live.
 */
export async function measurePipeline(size: Size): Promise<void> {
  await withServers(async (open, say) => {
    const idle = await measureIdle(open, size, say)
    const live = await measureLive(open, size, say)
    printReport({ ...idle, ...live })
  })
}

async function measureIdle(
  open: OpenInstallation,
  size: Size,
  say: PrintLine,
): Promise<Pick<PipelineResult, 'memory' | 'acks'>> {
  const installation = await open('waiting')
  const merchant = await addSignedMerchant({ ...installation })
  say('memory of waiting orders')
  const wait = (count: number) => startWaitingOrders(installation, merchant, count)
  const memory = await measureMemory(installation, sizes[size].memory, wait)
  say('acknowledgements against bare signals')
  const acks = await measureAcknowledgements(installation, merchant, memory.waiting, sizes[size].acks)
  return { memory, acks }
}

async function measureLive(
  open: OpenInstallation,
  size: Size,
  say: PrintLine,
): Promise<Pick<PipelineResult, 'fulfilled' | 'latencies'>> {
  const { installation, simulator_url } = await openSimulated(open, 'living')
  const signed = await addSignedMerchant({ ...installation })
  const simulated = await addSimulatedMerchant({ ...installation }, simulator_url)
  await installation.startWorker()
  await installation.startApi()

  say('orders from paid to fulfilled against bare workflows')
  const fulfilled = await measureFulfilments(installation, signed, sizes[size].fulfilments)

  const { creates, pages } = sizes[size]
  say(`creating ${creates.per_second} orders a second`)
  await createOrders(installation, simulated, { count: creates.warm, per_second: creates.per_second })
  const created = await createOrders(installation, simulated, creates)
  say(`paying ${pages.per_second} orders a second with their pages open`)
  const seen = created.orders.slice(0, pages.count)
  const page_ms = await measurePaidToPage(simulator_url, simulated, seen, pages.per_second)
  const events = await historyLengths(installation, simulated, seen)
  say(`${sizes[size].offered.per_second} notifications a second`)
  const ack_ms = await measureOfferedLoad(installation, signed, sizes[size].offered)
  return { fulfilled, latencies: { create_ms: created.times_ms, page_ms, ack_ms, events } }
}

/** Acknowledgements while the orders behind them are booked and delivered: the whole of Weft on these cores. */
async function measureOfferedLoad(
  installation: Installation,
  merchant: SignedMerchant,
  { warm, count, per_second }: { warm: number; count: number; per_second: number },
): Promise<number[]> {
  const orders = await startWaitingOrders(installation, merchant, warm + count)
  const notifications = await Promise.all(orders.map((key) => signedNotification(merchant, key)))
  const sender = openNotificationSender(installation.config.public_url, 32)
  const times_ms = await runAtPace(notifications, per_second, (one) => sender.post(one))
  await sender.close()
  return times_ms.slice(warm)
}
