import { afterAll, describe, expect, it } from 'vitest'
import { orderProgress, refundProgress } from '../../activities/progress.ts'
import { newReconciliation } from '../../domain/bill/reconciliation.ts'
import { shown_memo } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import { newRefund } from '../../domain/refund/record.ts'
import { workflowCode } from '../stage/bundle.ts'
import { Driver } from '../stage/driver.ts'
import type { Pending, Run } from '../stage/driver.ts'
import { World } from '../stage/world.ts'
import { at, mchid, orderSample, paymentSample } from '../store/samples.ts'

const driver = await Driver.open((await workflowCode()).code, [...World.activities, 'openDay', 'fetchBill'])
afterAll(async () => await driver.close())

const chinese = { [shown_memo]: { language: 'zh-CN', guide_url: 'https://pay.example.cn/docs/attention' } }
const key = { mchid, out_trade_no: 'TEA-0001' }
const order = orderProgress(orderSample('TEA-0001', { state: 'awaiting_payment' }))
const requested_by = { kind: 'merchant', id: 'key_1' } as const
const draft = { out_refund_no: 'R-1', origin: 'api', requested_by, notify_url: '', is_full: false } as const
const refund = refundProgress(newRefund(paymentSample('tx1'), { ...draft, create_time: at(1), amount: 100 }))
const told = { policy: default_policy, deliveries: [], refunds: [] }
const bill_date = '2026-11-22'
const day = newReconciliation({ mchid, bill_date }, '2026-11-23T10:30:00.000+08:00', 'look')

/** What the first step of each kind of run is answered. */
const runs = [
  ['payOrder', key, { order, ...told }],
  ['refundPayment', { mchid, out_refund_no: 'R-1' }, { refund, ...told }],
  ['reconcileDay', { mchid, bill_date }, day],
  ['deliverEvent', { delivery_id: `${mchid}/TEA-0001/2/ep_one` }, null],
] as const

/** All texts that Temporal UI has of a run that has taken its first step. */
async function textsOf(run: Run, answer: unknown): Promise<string[]> {
  await run.activate(0)
  const [first] = run.activities.values()
  const begun = summariesOf(run.activities)
  if (answer !== null) run.complete(first as Pending, answer)
  await run.activate(1)
  const { details, handlers } = await run.shows()
  const texts = [details, ...handlers, ...begun, ...summariesOf(run.activities), ...summariesOf(run.timers)]
  await run.end()
  return texts.filter((text) => text !== '')
}

function summariesOf(these: ReadonlyMap<number, { summary: string }>): string[] {
  return [...these.values()].map(({ summary }) => summary)
}

describe('what Temporal UI shows of a run', () => {
  it.each(runs)('of %s is in the language that its start names', async (type, argument, answer) => {
    const texts = await textsOf(await driver.start(type, 'a', argument, 0, chinese), answer)
    expect(texts.length).toBeGreaterThan(1)
    expect(texts.filter((text) => !/[\u4e00-\u9fff]/.test(text))).toEqual([])
  })

  it.each(runs)(
    'of %s is English where its start names none, as those of earlier versions',
    async (type, argument, answer) => {
      for (const memo of [{}, { [shown_memo]: null }, { [shown_memo]: { language: 'xx' } }]) {
        const texts = await textsOf(await driver.start(type, 'a', argument, 0, memo), answer)
        expect(texts.length).toBeGreaterThan(1)
        expect(texts.filter((text) => /[\u4e00-\u9fff]/.test(text))).toEqual([])
      }
    },
  )
})
