import { createHash, randomUUID } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import { evidenceId, workflowId } from '../domain/ids.ts'
import { refundStart, signals } from '../domain/messages.ts'
import type { EvidenceRecord } from '../domain/payment/evidence.ts'
import { connectForIntake, startOptions } from '../runtime/temporal.ts'
import { publicId } from '../store/ids.ts'
import { barePrefix, createMeter } from './acknowledgements.ts'
import type { Installation } from './installation.ts'
import { runConcurrently, until } from './load.ts'
import type { SignedMerchant } from './merchants.ts'
import { startRefunds } from './refundruns.ts'
import type { WaitingRefund } from './refundruns.ts'
import type { RefundWeChat } from './refundwechat.ts'
import { compareSides } from './rounds.ts'
import type { Comparison, RateOptions } from './rounds.ts'

export interface RefundRateResult {
  comparison: Comparison
  refund_ms: [string, number][]
  bare_ms: [string, number][]
  /** events in the history of each of Weft's refunds */
  events: number[]
}

/**
 * Refunds a second from accepted to succeeded, against bare workflows that run the very same activities. On both sides
 * WeChat has taken every refund, its run asks by plan, and the evidence of its end is archived; then WeChat ends them,
 * a plain client sends the same signal to all, and the clock runs until the last record is `succeeded` and its order
 * was signalled. The orders' own runs and the merchant's event are Weft's on both sides.
 */
export async function measureRefunds(
  installation: Installation,
  merchant: SignedMerchant,
  wechat: RefundWeChat,
  { rounds, per_round, concurrency }: RateOptions,
): Promise<RefundRateResult> {
  const { config, temporal, store } = installation
  const bare_prefix = barePrefix(installation)
  await installation.start({
    name: 'bare-worker',
    script: 'bench/bareworker.js',
    environment: { WEFT_QUEUE_PREFIX: bare_prefix, BENCH_YARDSTICKS: 'barerefunds' },
  })
  await installation.untilPolled(bare_prefix)
  const plain = connectForIntake(config.temporal)
  const used = { refund: createMeter(installation), bare: createMeter(installation) }
  const done: WaitingRefund[] = []

  async function measureRate(
    given: WaitingRefund[],
    type: string,
    prefix: string,
    meter: typeof used.bare,
  ): Promise<number> {
    const evidence = given.map(refundEvidence)
    await runConcurrently(evidence, concurrency, (one) => store.evidence.archive(one))
    wechat.end(given.map(({ out_refund_no }) => out_refund_no))
    const send = (refund: WaitingRefund, evidence_id: string) =>
      plain.client.workflow.signalWithStart(type, {
        ...startOptions(refundStart(refund), prefix),
        signal: signals.refund_changed,
        signalArgs: [{ evidence_id }],
      })
    const begin = performance.now()
    await meter.during(async () => {
      await runConcurrently([...given.entries()], concurrency, ([index, refund]) =>
        send(refund, evidence[index]?._id ?? ''),
      )
      await untilSucceeded(installation, given)
    })
    return given.length / ((performance.now() - begin) / 1_000)
  }

  const comparison = await compareSides(
    {
      name: 'refunds',
      async run() {
        const prefix = config.queue_prefix
        const given = await startRefunds(installation, merchant, { count: per_round, type: null, prefix })
        done.push(...given)
        return await measureRate(given, 'refundPayment', prefix, used.refund)
      },
    },
    {
      name: 'bare workflows',
      async run() {
        const given = { count: per_round, type: 'refundBare', prefix: bare_prefix }
        return await measureRate(await startRefunds(installation, merchant, given), given.type, bare_prefix, used.bare)
      },
    },
    rounds,
  )
  const events = await Promise.all(done.map((refund) => historyLength(temporal, refund)))
  await plain.close()
  const count = (rounds + 1) * per_round
  return { comparison, refund_ms: used.refund.per(count), bare_ms: used.bare.per(count), events }
}

/** What the intake archives of a notification. Nobody reads it again: a query says how the refund stands. */
function refundEvidence({ mchid, out_refund_no, out_trade_no, transaction_id }: WaitingRefund): EvidenceRecord {
  const _id = evidenceId.notification(mchid, randomUUID())
  const body = JSON.stringify({ event_type: 'REFUND.SUCCESS', out_refund_no })
  return {
    _id,
    id: publicId('evd', _id),
    mchid,
    kind: 'notification',
    subject: 'refund',
    out_trade_no,
    transaction_id,
    out_refund_no,
    verdict: 'verified',
    serial_no: null,
    body_sha256: createHash('sha256').update(body).digest('hex'),
    raw: { headers: {}, body },
    receive_time: beijingTime(Date.now()),
    unapplied: true,
    outcome: null,
    applied_time: null,
    applied_to: null,
  }
}

/** Looks only at the last that is not there yet, so that looking costs both sides the same little. */
async function untilSucceeded({ store }: Installation, given: WaitingRefund[]): Promise<void> {
  const open = [...given]
  await until(`${given.length} refunds succeeded`, 60_000, async () => {
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const refund = await store.refunds.find(last)
      if (refund?.state !== 'succeeded' || refund.next_action !== undefined) return false
      open.pop()
    }
    return true
  })
}

/** Of a run that has ended. */
async function historyLength({ client }: Installation['temporal'], refund: WaitingRefund): Promise<number> {
  const handle = client.workflow.getHandle(workflowId.refund(refund))
  if ((await handle.result()) !== 'succeeded') throw new Error(`${refund.out_refund_no} took another way`)
  return (await handle.describe()).historyLength
}
