import { newDifference } from '../../activities/bill/differences.ts'
import type { DifferenceEvent } from '../../domain/bill/difference.ts'
import { beijingDay, beijingTime, milliseconds } from '../../domain/calendar.ts'
import { differenceId, evidenceId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { orderStart, signals } from '../../domain/messages.ts'
import { startOptions } from '../../runtime/temporal.ts'
import { newEvidence, rawPlace } from '../../store/evidence.ts'
import { until } from '../stage/until.ts'
import { kept, keyOf, ordered } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'

/** What the proof of the payment's day makes of its phantom, and what it then signals. */
async function told(
  { stage }: Teller,
  order: OrderKey,
  trade_state: 'CLOSED' | 'SUCCESS',
  event: DifferenceEvent | null,
): Promise<void> {
  const { store, mchid, appid } = stage
  const { payment } = await stage.record(order)
  const { transaction_id = '', success_time = '' } = payment ?? {}
  const day = { mchid, bill_date: beijingDay(milliseconds(success_time)) }
  const time = beijingTime(stage.now())
  if (event === null) {
    const sides = { transaction_id, out_trade_no: order.out_trade_no, found_time: time, patience_time: time }
    await store.differences.note([newDifference(day, 'phantom_payment', transaction_id, sides)])
  } else {
    const actor = { kind: 'weft', id: null } as const
    const _id = differenceId(day, 'phantom_payment', transaction_id)
    await store.differences.apply(_id, ({ revision }) => ({ event, operation_id: `${event}:${revision}`, time, actor }))
  }
  const amount = { total: 990, payer_total: 990, currency: 'CNY', payer_currency: 'CNY' }
  const body = JSON.stringify({ ...order, appid, transaction_id, trade_state, success_time, amount })
  const about = { mchid, subject: 'payment', out_trade_no: order.out_trade_no, transaction_id } as const
  const _id = evidenceId.billLine(mchid, transaction_id, trade_state)
  const raw = store.sealer.seal(JSON.stringify({ headers: {}, body }), rawPlace({ _id }))
  const said = { kind: 'bill_line', verdict: 'verified', receive_time: time, serial_no: null, unapplied: true } as const
  await store.evidence.archive(newEvidence({ _id, ...about, ...said, raw, body }))
  const start = orderStart(order)
  await stage.temporal.client.workflow.signalWithStart(start.workflow_type, {
    ...startOptions(start, stage.config.queue_prefix),
    signal: signals.payment_found,
    signalArgs: [{ evidence_id: _id }],
  })
}

const denying: Record<string, Path> = {
  denied: async (teller, name) => {
    const { stage } = teller
    const order = keyOf(teller, name)
    teller.answers(order, ...Array.from({ length: 6 }, () => ({ status: 503 })))
    await ordered(teller, name)
    stage.pay(order)
    await until('the shop was asked', () => stage.shop.of(order.out_trade_no).length > 0)
    await told(teller, order, 'CLOSED', null)
    await stage.reaches(order, 'review')
    await kept(teller, name, order)
    await told(teller, order, 'SUCCESS', 'vanished')
    await stage.reaches(order, 'fulfilled')
    await kept(teller, `${name}_and_restored`, order)
    await told(teller, order, 'CLOSED', 'returned')
    await until('the denial', async () => (await stage.record(order)).attention)
    await kept(teller, `${name}_when_fulfilled`, order)
    await told(teller, order, 'CLOSED', 'ignored')
    await until('its end', async () => !(await stage.record(order)).attention)
    await kept(teller, `${name}_and_settled`, order)
  },
}

/** Payments that are booked, and that WeChat says were never made. */
export const denial_chapters: Chapter[] = [
  { options: { time_scale: 30, settings: { fulfilment: { mode: 'event' } } }, paths: denying },
]
