import { newDifference } from '../../activities/bill/differences.ts'
import { beijingDay, beijingTime } from '../../domain/calendar.ts'
import { most_questions, newReconciliation } from '../../domain/bill/reconciliation.ts'
import { default_bill_settings } from '../../domain/merchant/bill.ts'
import type { BillSettings } from '../../domain/merchant/bill.ts'
import { paymentId, workflowId } from '../../domain/ids.ts'
import { reconcileStart } from '../../domain/messages.ts'
import { ensureSchedule, schedule_id } from '../../runtime/schedule.ts'
import { startOptions } from '../../runtime/temporal.ts'
import { until } from '../stage/until.ts'
import { ordered } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'

/*
 * Days that are looked at. A day must be over, and histories are made in seconds: so each has a stage whose clock stands
 * at yesterday's noon while things happen, and at today's when they are compared.
 */

const day_ms = 24 * 60 * 60_000
const yesterday_noon = Math.floor(Date.now() / day_ms) * day_ms - day_ms + 4 * 60 * 60_000

/** The look at a day on which `happening` happened. */
function chapterOf(
  name: string,
  happening: (teller: Teller, name: string) => Promise<void>,
  bills: BillSettings = default_bill_settings,
): Chapter {
  let ahead_ms = 0
  const begun = Date.now()
  const path: Path = async (teller) => {
    const { stage } = teller
    const day = { mchid: stage.mchid, bill_date: beijingDay(stage.now()) }
    await happening(teller, name)
    ahead_ms = day_ms
    const start = reconcileStart(day)
    await stage.temporal.client.workflow.start(start.workflow_type, startOptions(start, stage.config.queue_prefix))
    await teller.keep(name, workflowId.day(day))
  }
  return {
    options: {
      time_scale: 30,
      settings: { fulfilment: { mode: 'event' }, bills },
      now: () => yesterday_noon + (Date.now() - begun) + ahead_ms,
    },
    paths: { [name]: path },
  }
}

async function sold(teller: Teller, name: string) {
  const order = await ordered(teller, name)
  const { transaction_id } = teller.stage.pay(order)
  await teller.stage.reaches(order, 'fulfilled')
  return { ...order, transaction_id: transaction_id ?? '' }
}

async function paidTwiceUnheard(teller: Teller, name: string): Promise<void> {
  const { mchid, out_trade_no } = await sold(teller, name)
  teller.stage.simulator.control.addFault({ operation: 'notify', fault: 'lose', times: 1, mchid, out_trade_no })
  teller.stage.pay({ mchid, out_trade_no }, 'second_payment')
}

/** A merchant that has its other accounts followed moves money between two of them. */
async function moneyMoved(teller: Teller, name: string): Promise<void> {
  const { mchid } = await sold(teller, name)
  teller.stage.simulator.control.transfer({ mchid, from: 'BASIC', to: 'OPERATION', amount: 300 })
}

/** So many payments that no bill has that another fault is likelier. */
async function tooManyMissing(teller: Teller, name: string): Promise<void> {
  const { store } = teller.stage
  const { mchid, transaction_id } = await sold(teller, name)
  const payment = await store.payments.find(mchid, transaction_id)
  if (payment === null) throw new Error('its payment is not recorded')
  const copies = Array.from({ length: most_questions + 1 }, (_, number) => {
    const copied = `${transaction_id.slice(0, -4)}${String(number).padStart(4, '0')}X`
    const own = { transaction_id: copied, out_trade_no: `${name.toUpperCase()}_${number}` }
    return { ...payment, ...own, _id: paymentId(mchid, copied), order_id: `${mchid}/${own.out_trade_no}` }
  })
  await Promise.all(copies.map((copy) => store.payments.insert(copy)))
}

/** What the schedule starts: the run that begins the days. */
const days_begun: Path = async ({ stage, keep }, name) => {
  const { queue_prefix } = stage.config
  await ensureSchedule(stage.temporal, queue_prefix)
  const schedule = stage.temporal.client.schedule.getHandle(`${queue_prefix}${schedule_id}`)
  stage.endsWith(() => schedule.delete())
  await schedule.trigger()
  const begun = await until('the schedule started it', async () => {
    const { recentActions } = (await schedule.describe()).info
    return recentActions[0]
  })
  await keep(name, begun.action.workflow.workflowId)
}

/** A person has WeChat asked about a difference of a day, and the day is counted anew. */
const day_concluded: Path = async (teller, name) => {
  const { stage } = teller
  const { mchid, out_trade_no, transaction_id } = await sold(teller, name)
  const day = { mchid, bill_date: beijingDay(stage.now()) }
  const times = { found_time: beijingTime(stage.now()), patience_time: beijingTime(stage.now() + day_ms) }
  const difference = newDifference(day, 'missing_there', transaction_id, { ...times, transaction_id, out_trade_no })
  await stage.store.reconciliations.begin(newReconciliation(day, times.found_time, name))
  await stage.store.reconciliations.write(day, 1, { state: 'different', end_time: times.found_time })
  await stage.store.differences.note([difference])
  await stage.insist('POST', `/v1/differences/${difference.id}/resolution`, { action: 'check', reason: 'asked' })
  await teller.keep(name, workflowId.conclusion(day))
}

export const bill_chapters: Chapter[] = [
  chapterOf('day_balanced', async (teller, name) => void (await sold(teller, name))),
  chapterOf('day_handed_over', paidTwiceUnheard),
  chapterOf('day_given_up', tooManyMissing),
  chapterOf('day_posted', async (teller, name) => void (await sold(teller, name))),
  chapterOf('day_reported', async (teller, name) => void (await sold(teller, name))),
  chapterOf('day_accounts', moneyMoved, { ...default_bill_settings, accounts: ['BASIC', 'OPERATION', 'FEES'] }),
  { options: { time_scale: 30 }, paths: { days_begun } },
  { options: { time_scale: 30, settings: { fulfilment: { mode: 'event' } } }, paths: { day_concluded } },
]
