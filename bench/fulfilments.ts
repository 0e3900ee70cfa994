import { workflowId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { orderStart, signals } from '../domain/messages.ts'
import { connectForIntake, startOptions } from '../runtime/temporal.ts'
import { barePrefix, createMeter } from './acknowledgements.ts'
import type { Installation } from './installation.ts'
import { runConcurrently, until } from './load.ts'
import type { SignedMerchant } from './merchants.ts'
import { paymentEvidence, signedNotification } from './notifications.ts'
import { insertOrders, startWaitingOrders, untilWaiting } from './orderruns.ts'
import { compareSides } from './rounds.ts'
import type { Comparison, RateOptions } from './rounds.ts'

/** A bare run that waits: start, one workflow task, the marker of `load`, a timer. */
const bare_history_length = 6

export interface FulfilmentResult {
  comparison: Comparison
  order_ms: [string, number][]
  bare_ms: [string, number][]
}

/**
 * Orders a second from paid to fulfilled, against bare workflows that run the very same activities. A real worker and
 * the bare one run as processes of their own. On both sides the record of every order exists, its run waits, and the
 * evidence of its payment is archived; then a plain client sends the same signal to all of them, and the clock runs
 * until the last record says `fulfilled`. So the difference is Weft's workflow code alone: what the intake costs is
 * said by the acknowledgements.
 */
export async function measureFulfilments(
  installation: Installation,
  merchant: SignedMerchant,
  options: RateOptions,
): Promise<FulfilmentResult> {
  const { rounds, per_round, concurrency } = options
  const { config, temporal } = installation
  const bare_prefix = barePrefix(installation)
  await installation.start({
    name: 'bare-worker',
    script: 'bench/bareworker.js',
    environment: { WEFT_QUEUE_PREFIX: bare_prefix },
  })
  await installation.untilPolled(bare_prefix, ['orders', 'merchant'])
  const plain = connectForIntake(config.temporal)
  const used = { order: createMeter(installation), bare: createMeter(installation) }

  async function measureRate(
    keys: OrderKey[],
    type: string,
    prefix: string,
    meter: typeof used.order,
  ): Promise<number> {
    const evidence = await archiveEvidence(installation, merchant, keys, concurrency)
    const send = ({ key, evidence_id }: OrderEvidence) =>
      plain.client.workflow.signalWithStart(type, {
        ...startOptions(orderStart(key), prefix),
        signal: signals.payment_found,
        signalArgs: [{ evidence_id }],
      })
    const begin = performance.now()
    await meter.during(async () => {
      await runConcurrently(evidence, concurrency, send)
      await untilFulfilled(installation, keys)
    })
    return keys.length / ((performance.now() - begin) / 1_000)
  }

  const comparison = await compareSides(
    {
      name: 'orders',
      async run() {
        const keys = await startWaitingOrders(installation, merchant, per_round)
        return await measureRate(keys, 'payOrder', config.queue_prefix, used.order)
      },
    },
    {
      name: 'bare workflows',
      async run() {
        const keys = await insertOrders(installation, merchant, per_round)
        const begin = (key: OrderKey) =>
          temporal.client.workflow.start('fulfilBare', startOptions(orderStart(key), bare_prefix))
        await runConcurrently(keys, concurrency, begin)
        const ids = keys.map((key) => workflowId.order(key))
        await untilWaiting(temporal, ids, bare_history_length)
        return await measureRate(keys, 'fulfilBare', bare_prefix, used.bare)
      },
    },
    rounds,
  )
  await plain.close()
  const count = (rounds + 1) * per_round
  return { comparison, order_ms: used.order.per(count), bare_ms: used.bare.per(count) }
}

interface OrderEvidence {
  key: OrderKey
  evidence_id: string
}

/** What the intake archives of a notification, for each order. */
async function archiveEvidence(
  { store }: Installation,
  merchant: SignedMerchant,
  keys: OrderKey[],
  concurrency: number,
): Promise<OrderEvidence[]> {
  const notifications = await Promise.all(keys.map((key) => signedNotification(merchant, key)))
  const evidence = notifications.map(paymentEvidence)
  await runConcurrently(evidence, concurrency, (one) => store.evidence.archive(one))
  return notifications.map(({ order }, index) => ({ key: order, evidence_id: evidence[index]?._id ?? '' }))
}

/** Looks only at those still open, so that looking costs both sides the same little. */
async function untilFulfilled({ store }: Installation, keys: OrderKey[]): Promise<void> {
  const open = new Set(keys.map(({ mchid, out_trade_no }) => `${mchid}/${out_trade_no}`))
  await until(`${keys.length} orders are fulfilled`, 60_000, async () => {
    for (const { _id, state } of await store.orders.findGlimpses([...open])) if (state === 'fulfilled') open.delete(_id)
    return open.size === 0
  })
}
