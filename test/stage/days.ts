import { TestWorkflowEnvironment } from '@temporalio/testing'
import { expect, inject } from 'vitest'
import { createBills } from '../../activities/bill/steps.ts'
import type { ActivityContext } from '../../activities/context.ts'
import { createMerchant } from '../../activities/delivery/attempt.ts'
import { createCourier } from '../../activities/delivery/courier.ts'
import { createGateway } from '../../activities/order/gateway.ts'
import { createRecords } from '../../activities/order/steps.ts'
import { createRefundGateway } from '../../activities/refund/gateway.ts'
import { createRefunds } from '../../activities/refund/steps.ts'
import { createRuns } from '../../activities/runs.ts'
import { createCallSlots } from '../../activities/slots.ts'
import { findTimeSkippingServer } from '../../dev/servers/servers.ts'
import { default_bill_policy } from '../../domain/bill/reconciliation.ts'
import { search_attributes } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import { shownTo } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import { createRunStarter } from '../../runtime/runs.ts'
import { createAccounts } from '../../wechat/accounts.ts'
import { createDispatcher } from '../../wechat/connection.ts'
import { createWorkers } from '../../worker/queues.ts'
import { Stage } from './stage.ts'
import type { StageOptions } from './stage.ts'
import { until } from './until.ts'

/** INDEXED_VALUE_TYPE_KEYWORD of Temporal's API. */
const keyword = 2

/**
 * Milliseconds to within which a plan is kept: the jitter of an order's first question is 5 s, WeChat tells whole seconds,
 * and a call costs something on a busy machine.
 */
export const slack = 7_000

/** Longer than `until` waits by itself: on a busy machine few starts in a row are over in their 5 s. */
const start_within_ms = 500_000

/** Expects something to have happened at each planned moment, and at no other; milliseconds from the same beginning. */
export function expectMoments(moments: number[], planned: number[]): void {
  expect(moments).toHaveLength(planned.length)
  const off = moments.map((moment, index) => moment - (planned[index] ?? 0))
  expect(off.filter((ms) => ms < -slack || ms > slack)).toEqual([])
}

/**
 * The same of a plan whose waits each count from the attempt before: what the attempts themselves cost a busy machine adds
 * up, and belongs to no wait.
 */
export function expectWaits(moments: number[], waits: number[]): void {
  expect(moments).toHaveLength(waits.length + 1)
  const off = waits.map((wait_ms, index) => (moments[index + 1] ?? 0) - (moments[index] ?? 0) - wait_ms)
  expect(off.filter((ms) => ms < -1_000 || ms > slack)).toEqual([])
}

/** The server's clock as activities need it: read anew before each, and the same to the end of it. */
export class SkippedClock {
  #ms = Date.now()
  readonly #env: TestWorkflowEnvironment

  constructor(env: TestWorkflowEnvironment) {
    this.#env = env
  }

  readonly now = () => this.#ms

  async refresh(): Promise<void> {
    this.#ms = Math.max(this.#ms, await this.#env.currentTimeMs())
  }

  /** The same activities, each begun at the moment the server tells: skipped time does not move the wall's clock. */
  watch<T extends object>(activities: T): T {
    const watched = Object.entries(activities).map(([name, run]: [string, (...given: unknown[]) => unknown]) => [
      name,
      async (...given: unknown[]) => {
        await this.refresh()
        return await run(...given)
      },
    ])
    return Object.fromEntries(watched) as T
  }
}

/**
 * A stage on the time-skipping server, with the real workflows, activities, queues, database and HTTP: days pass in
 * seconds, and only while `pass` lets them. One per file, and its tests one after the other: there is one clock.
 */
export class Days {
  readonly stage: Stage
  readonly clock: SkippedClock
  readonly #env: TestWorkflowEnvironment

  private constructor(stage: Stage, clock: SkippedClock, env: TestWorkflowEnvironment) {
    this.stage = stage
    this.clock = clock
    this.#env = env
  }

  static async open(options: Omit<StageOptions, 'worker' | 'now' | 'temporal_address'> = {}): Promise<Days> {
    const { path } = await findTimeSkippingServer()
    // The SDK gives it 5 s to start, which is too little for a machine that is busy with something else.
    const start = () =>
      TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })
    const env = await until('the time-skipping server', start, { within_ms: start_within_ms })
    // This server can add search attributes, though it cannot list them.
    const names = Object.values(search_attributes).map(({ name }) => [name, keyword] as const)
    await env.connection.operatorService.addSearchAttributes({ searchAttributes: Object.fromEntries(names) })
    const clock = new SkippedClock(env)
    await clock.refresh()
    const stage = await Stage.open({ ...options, worker: false, now: clock.now, temporal_address: env.address })
    const worker = await startWorkers(env, clock, stage)
    stage.endsWith(() => worker.close())
    return new Days(stage, clock, env)
  }

  /** Skips to `ms` from now; all that is due on the way happens at its moment. */
  async pass(ms: number): Promise<void> {
    await this.#env.sleep(ms)
    await this.clock.refresh()
  }

  async close(): Promise<void> {
    try {
      await this.clock.refresh()
      await this.stage.close()
    } finally {
      await this.#env.teardown()
    }
  }
}

/** What worker/main starts, with activities whose clock is the server's. */
async function startWorkers(env: TestWorkflowEnvironment, clock: SkippedClock, { config, store, temporal }: Stage) {
  const dispatcher = createDispatcher()
  const courier = createCourier({ allow_private: config.allow_private_endpoints })
  const accounts = createAccounts({
    load: (mchid) => store.merchants.openSetup(mchid),
    test_wechat_url: config.test_wechat_url,
    dispatcher,
    now: clock.now,
    user_agent: 'Weft',
    on_mistake: (mchid, mistake) => silentLogger.error('a WeChat set-up cannot be used', { mchid, mistake }),
  })
  const { sealer } = store
  const context: ActivityContext = {
    store,
    sealer,
    accounts,
    policy: default_policy,
    now: clock.now,
    log: silentLogger,
  }
  const slots = createCallSlots()
  const gateway = { ...clock.watch(createGateway(context, slots)), ...clock.watch(createRefundGateway(context)) }
  const records = { ...clock.watch(createRecords(context)), ...clock.watch(createRefunds(context)) }
  const merchant = clock.watch(createMerchant(context, courier, slots))
  const { placeInLine } = gateway
  const { deliverPaidInLine } = merchant
  const starter = createRunStarter(temporal.client, config.queue_prefix, shownTo(config))
  const runs = createRuns(context, starter)
  const workers = await createWorkers({
    connection: env.nativeConnection,
    namespace: config.temporal.namespace,
    queue_prefix: config.queue_prefix,
    bundle: { codePath: inject('workflow_bundle') },
    activities: {
      orders: { ...records, ...clock.watch(runs), placeInLine, deliverPaidInLine },
      gateway,
      gateway_poll: gateway,
      merchant,
      notice: merchant,
      bills: clock.watch(createBills(context, starter, default_bill_policy)),
    },
  })
  const running = Promise.all(workers.map((worker) => worker.run()))
  return {
    async close() {
      for (const worker of workers) worker.shutdown()
      await running
      await Promise.all([dispatcher.close(), courier.close()])
    },
  }
}
