import { ScheduleAlreadyRunning } from '@temporalio/client'
import type { ScheduleOptions } from '@temporalio/client'
import { queueName, shown_memo } from '../domain/messages.ts'
import type { ShownTo } from '../domain/messages.ts'
import type { TemporalClient } from './temporal.ts'

/** WeChat makes bills from 9:00 on and asks for them to be fetched after 10:00, Beijing. */
const daily = { hour: 10, minute: 30 }

export const schedule_id = 'weft-reconcile'

/** One that was deleted comes back; who wants none pauses it. */
export const schedule_every_ms = 10 * 60_000

/**
 * Makes the schedule that has each merchant's yesterday reconciled. It belongs to the operator from then on: a pause or
 * another hour set in Temporal UI stays. What was missed while Temporal was away for up to a week is caught up on.
 */
export async function ensureSchedule({ client }: TemporalClient, queue_prefix: string, shown?: ShownTo): Promise<void> {
  const options: ScheduleOptions = {
    scheduleId: `${queue_prefix}${schedule_id}`,
    spec: { calendars: [daily], timezone: 'Asia/Shanghai' },
    policies: { overlap: 'BUFFER_ALL', catchupWindow: '7d' },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcileDays',
      workflowId: `${queue_prefix}reconcile`,
      args: [],
      taskQueue: queueName('orders', queue_prefix),
      ...(shown && { memo: { [shown_memo]: shown } }),
    },
    memo: { about: 'Fetches WeChat Pay’s bills of yesterday and compares them with what is recorded' },
  }
  try {
    await client.schedule.create(options)
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error
  }
}
