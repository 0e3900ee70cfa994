import { evidenceId, workflowId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { orderStart, signals } from '../domain/messages.ts'
import { connectForIntake, startOptions } from '../runtime/temporal.ts'
import type { Installation } from './installation.ts'
import { runConcurrently } from './load.ts'
import type { SignedMerchant } from './merchants.ts'
import { openNotificationSender, signedNotification } from './notifications.ts'
import { newNumber, untilWaiting } from './orderruns.ts'
import { perOperation, processorTime } from './processor.ts'
import type { ProcessorTime } from './processor.ts'
import { compareSides } from './rounds.ts'
import type { Comparison, RateOptions } from './rounds.ts'

/** A bare run that waits: start, one workflow task, a timer. */
const bare_history_length = 5

interface AcknowledgementOptions extends RateOptions {
  /** how often the first round's messages are sent before anything is measured */
  warm_ups: number
}

export interface Acknowledgements {
  comparison: Comparison
  /** processor ms by program for one acknowledgement, and for one bare signal-with-start */
  intake_ms: [string, number][]
  bare_ms: [string, number][]
}

/**
 * Acknowledgements a second of a real API, against signals-with-start a second that a plain client sends to bare
 * workflows. On both sides every run exists, has done its first task and waits, and no worker runs: so what is measured
 * is the way from the sender to Temporal's history, and nobody's workflow code.
 */
export async function measureAcknowledgements(
  installation: Installation,
  merchant: SignedMerchant,
  orders: OrderKey[],
  options: AcknowledgementOptions,
): Promise<Acknowledgements> {
  const { rounds, per_round, concurrency, warm_ups } = options
  const count = (rounds + 1) * per_round
  const bare_runs = await startBareRuns(installation, merchant, count)
  await installation.startApi()
  const sender = openNotificationSender(installation.config.public_url, concurrency)
  const plain = connectForIntake(installation.config.temporal)
  const waiting = [...orders]
  const signed = (keys: OrderKey[]) => Promise.all(keys.map((key) => signedNotification(merchant, key)))
  const used = { intake: createMeter(installation), bare: createMeter(installation) }

  const comparison = await compareSides(
    {
      name: 'acknowledgements',
      async warm() {
        // Sent again, a notification without effect so far goes the whole way again.
        const batch = await signed(waiting.slice(0, per_round))
        for (let pass = 0; pass < warm_ups; pass += 1)
          await runConcurrently(batch, concurrency, (one) => sender.post(one))
      },
      async run() {
        const batch = await signed(waiting.splice(0, per_round))
        const seconds = await used.intake.during(() => runConcurrently(batch, concurrency, (one) => sender.post(one)))
        return batch.length / seconds
      },
    },
    {
      name: 'bare signals with start',
      async run() {
        const batch = bare_runs.splice(0, per_round)
        const send = (key: OrderKey) =>
          plain.client.workflow.signalWithStart('waitForSignal', {
            ...bareStart(installation, key),
            signal: signals.payment_found,
            signalArgs: [{ evidence_id: evidenceId.notification(merchant.mchid, crypto.randomUUID()) }],
          })
        const seconds = await used.bare.during(() => runConcurrently(batch, concurrency, send))
        return batch.length / seconds
      },
    },
    rounds,
  )
  await Promise.all([sender.close(), plain.close()])
  await installation.stopProcesses()
  return { comparison, intake_ms: used.intake.per(count), bare_ms: used.bare.per(count) }
}

/** Beside the installation's own queues, and so found and ended with them. */
export function barePrefix({ config }: Installation): string {
  return `${config.queue_prefix}bare-`
}

/**
 * Of the same shape as an order's run: the same id, argument, search attributes and texts; only the type is another.
 */
function bareStart(installation: Installation, key: OrderKey) {
  return startOptions(orderStart(key), barePrefix(installation))
}

async function startBareRuns(installation: Installation, merchant: SignedMerchant, count: number): Promise<OrderKey[]> {
  const queue_prefix = barePrefix(installation)
  const { client } = installation.temporal
  await installation.start({
    name: 'bare-worker',
    script: 'bench/bareworker.js',
    environment: { WEFT_QUEUE_PREFIX: queue_prefix },
  })
  await installation.untilPolled(queue_prefix, ['orders'])
  const keys = Array.from({ length: count }, () => ({ mchid: merchant.mchid, out_trade_no: newNumber('S') }))
  await runConcurrently(keys, 32, (key) => client.workflow.start('waitForSignal', bareStart(installation, key)))
  const ids = keys.map((key) => workflowId.order(key))
  await untilWaiting(installation.temporal, ids, bare_history_length)
  await installation.stopProcesses()
  return keys
}

/** Adds up the processor time of what is run within it. */
export function createMeter({ pids }: Installation) {
  const total: ProcessorTime = new Map()
  return {
    async during<T>(work: () => Promise<T>): Promise<T> {
      const before = processorTime(pids)
      const answer = await work()
      for (const [name, ms] of processorTime(pids))
        total.set(name, (total.get(name) ?? 0) + ms - (before.get(name) ?? 0))
      return answer
    },
    per: (count: number) => perOperation(new Map(), total, count),
  }
}
