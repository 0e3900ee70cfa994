import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dayBefore } from '../../../domain/calendar.ts'
import { ensureSchedule, schedule_id } from '../../../runtime/schedule.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('the schedule of bills', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ worker: false, api: false })
    await stage.startWorker({ schedules: true })
    stage.endsWith(async () => await schedule().delete())
  })
  afterAll(async () => await stage.close())

  const schedule = () => stage.temporal.client.schedule.getHandle(`${stage.config.queue_prefix}${schedule_id}`)

  it('is made by a worker, at 10:30 in Beijing', async () => {
    const { spec, policies } = await schedule().describe()
    expect(spec.timezone).toBe('Asia/Shanghai')
    expect(spec.calendars).toMatchObject([{ hour: [{ start: 10 }], minute: [{ start: 30 }] }])
    expect(policies).toMatchObject({ overlap: 'BUFFER_ALL', catchupWindow: 7 * 24 * 60 * 60 * 1000 })
  })

  it('belongs to the operator once it is there: a pause stays', async () => {
    await schedule().pause('month end')
    await ensureSchedule(stage.temporal, stage.config.queue_prefix)
    expect((await schedule().describe()).state).toMatchObject({ paused: true, note: 'month end' })
    await schedule().unpause()
  })

  it('has yesterday looked at, and the days before that are not proven', async () => {
    const { mchid } = stage
    const [yesterday, before] = [dayBefore(Date.now()), dayBefore(Date.now() - 24 * 60 * 60 * 1000)]
    await schedule().trigger()
    const begun = async () => {
      // Over midnight yesterday is another day.
      const days = await Promise.all(
        [yesterday, dayBefore(Date.now())].map((bill_date) => stage.store.reconciliations.find({ mchid, bill_date })),
      )
      return days.find((day) => day !== null)
    }
    expect((await until('yesterday is begun', begun)).run).toBe(1)
    expect(await stage.store.reconciliations.find({ mchid, bill_date: before })).toBeNull()
  })
})
