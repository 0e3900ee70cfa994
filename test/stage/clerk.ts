/**
 * A process that makes one look at a day, step by step as its workflow does, and repeats a step that failed. Killed and
 * started again it begins at the first step, which is what the retries of a worker that died come to.
 */
import { asyncLocalStorage } from '@temporalio/activity'
import type { Context } from '@temporalio/activity'
import { createBills } from '../../activities/bill/steps.ts'
import { billsOfDay, default_bill_policy } from '../../domain/bill/reconciliation.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import { default_policy } from '../../domain/policy.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import { createAccounts } from '../../wechat/accounts.ts'
import { createDispatcher } from '../../wechat/connection.ts'

/** What a clerk is told, as JSON, by its first argument. */
export interface ClerkOrder {
  uri: string
  database: string
  master_key: string
  wechat_url: string
  /** its clock stands still, but for what it says to WeChat Pay and may call there */
  now_ms: number
  day: DayKey
  look: string
}

const pause_ms = 250

async function main(order: ClerkOrder): Promise<void> {
  const { day, look } = order
  const begun = performance.now()
  const now = () => order.now_ms
  const sealer = createSealer({ keys: [{ id: 'test', key: order.master_key }] })
  const store = await openStore({ uri: order.uri, database: order.database, sealer, answer_within_ms: 15_000 })
  const dispatcher = createDispatcher()
  const accounts = createAccounts({
    load: (mchid) => store.merchants.openSetup(mchid),
    test_wechat_url: order.wechat_url,
    dispatcher,
    now: () => Math.floor(order.now_ms + performance.now() - begun),
    user_agent: 'a test',
  })
  const context = { store, sealer, accounts, policy: { ...default_policy }, now, log: silentLogger }
  const steps = createBills(context, none_woken, default_bill_policy)
  let beats = 0
  const beat = () => say({ beats: (beats += 1) })
  const activity = { info: {}, heartbeat: beat, cancellationSignal: new AbortController().signal } as unknown as Context
  const perform = async <T>(step: () => Promise<T>): Promise<T> => {
    for (;;) {
      beat()
      try {
        return await asyncLocalStorage.run(activity, step)
      } catch (error) {
        say({ failure: String(error) })
        await new Promise((resolve) => setTimeout(resolve, pause_ms))
      }
    }
  }
  const opened = await perform(() => steps.openDay({ day, look }))
  const { run } = opened
  const at = { day, run }
  await Promise.all(billsOfDay(opened).map((type) => perform(() => steps.fetchBill({ ...at, type }))))
  await perform(() => steps.matchDay(at))
  const { given_up } = await perform(() => steps.askDifferences(at))
  await perform(() => steps.postBills(at))
  await perform(() => steps.closeDay({ ...at, given_up }))
  await dispatcher.close()
  await store.close()
  say({ done: beats })
}

/** The runs of orders and refunds are no part of this. */
const none_woken = {
  client: { workflow: { signalWithStart: () => Promise.resolve() } },
  toOptions: () => ({ workflowId: '' }),
} as unknown as RunStarter

/** A pipe is written at once: what was said is heard, however the process ends after it. */
function say(word: object): void {
  process.stdout.write(`${JSON.stringify(word)}\n`)
}

await main(JSON.parse(process.argv[2] ?? '{}') as ClerkOrder)
