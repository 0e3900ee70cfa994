import { randomBytes } from 'node:crypto'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { beforeEach, describe, expect, it } from 'vitest'
import { startDays } from '../../../activities/bill/start.ts'
import type { ActivityContext } from '../../../activities/context.ts'
import { newReconciliation } from '../../../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { createSealer } from '../../../store/sealer.ts'
import type { Store } from '../../../store/store.ts'
import type { RunStarter } from '../../../runtime/runs.ts'
import { memoryStore } from '../../stage/memory.ts'
import { mchid, merchantSample } from '../../store/samples.ts'

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const quiet = new DefaultLogger('ERROR')
/** half past ten, when yesterday is the 22nd */
const due_ms = Date.parse('2026-11-23T10:30:00+08:00')
const wechat = {} as never

describe('the days that are begun at half past ten', () => {
  let store: Store
  beforeEach(async () => {
    store = memoryStore(sealer)
    await store.merchants.save(merchantSample({ wechat }))
  })

  async function begun(): Promise<string[]> {
    const started: string[] = []
    const starter = {
      client: {
        workflow: {
          start: (_type: string, { workflowId }: { workflowId: string }) => Promise.resolve(started.push(workflowId)),
        },
      },
      toOptions: (start: { workflow_id: string }) => ({ workflowId: start.workflow_id }),
    } as unknown as RunStarter
    const act = () => startDays({ store, now: () => due_ms } as ActivityContext, starter, { due_ms })
    await new MockActivityEnvironment({}, { logger: quiet }).run(act)
    return started.map((id) => id.replace(/^reconcile\//, ''))
  }

  async function looked(bill_date: string, found: Partial<ReconciliationRecord>, of = mchid): Promise<void> {
    const fresh = newReconciliation({ mchid: of, bill_date }, '2026-11-20T10:30:00.000+08:00', 'look')
    await store.reconciliations.begin({ ...fresh, ...found })
  }

  const balanced = { state: 'balanced', is_proven: true } as const
  const different = { state: 'different', is_proven: false } as const

  it('are yesterday of each merchant that is set up, paused ones too', async () => {
    const [other, bare] = ['1900000002', '1900000003']
    await store.merchants.save(merchantSample({ _id: other, mchid: other, state: 'paused', wechat }))
    await store.merchants.save(merchantSample({ _id: bare, mchid: bare, wechat: null }))
    expect((await begun()).sort()).toEqual([`${mchid}/2026-11-22`, `${other}/2026-11-22`])
  })

  it('are those of the last four days that are not proven as well, the oldest first', async () => {
    await looked('2026-11-18', different)
    for (const date of ['2026-11-21', '2026-11-19']) await looked(date, different)
    await looked('2026-11-20', balanced)
    expect(await begun()).toEqual(['2026-11-19', '2026-11-21', '2026-11-22'].map((date) => `${mchid}/${date}`))
  })

  it.each([
    ['waits for its bill', { state: 'waiting_for_bill' }],
    ['was terminated while it was compared', { state: 'running' }],
    ['was proven, and terminated when it was looked at once more', { state: 'running', is_proven: true }],
  ] as const)('are any of three months that %s', async (_, found) => {
    await looked('2026-08-24', found)
    await looked('2026-08-25', found)
    await looked('2026-09-01', balanced)
    await looked('2026-10-02', different)
    expect(await begun()).toEqual([`${mchid}/2026-08-25`, `${mchid}/2026-11-22`])
  })
})
