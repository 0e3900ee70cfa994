/**
 * The process that runs the yardsticks: Weft's queues, limits and activities with the bare workflows in place of its
 * own. The environment names the prefix of its queues and the file of its yardsticks.
 */
import { fileURLToPath } from 'node:url'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import type { ActivityContext } from '../activities/context.ts'
import { createMerchant } from '../activities/delivery/attempt.ts'
import { createCourier } from '../activities/delivery/courier.ts'
import { createGateway } from '../activities/order/gateway.ts'
import { createRecords } from '../activities/order/steps.ts'
import { createRefundGateway } from '../activities/refund/gateway.ts'
import { createRefunds } from '../activities/refund/steps.ts'
import { createRuns } from '../activities/runs.ts'
import { createCallSlots } from '../activities/slots.ts'
import { default_policy } from '../domain/policy.ts'
import { readConfig, shownTo } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import { closeOnSignal } from '../runtime/shutdown.ts'
import { createRunStarter } from '../runtime/runs.ts'
import { connectionOptions, connectTemporal } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import { createAccounts } from '../wechat/accounts.ts'
import { createDispatcher } from '../wechat/connection.ts'
import { buildBundle } from '../worker/bundle.ts'
import { createWorkers } from '../worker/queues.ts'

const config = readConfig(process.env)
const log = createLogger({ level: config.log_level, service: 'bare-worker' })
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] })

const sealer = createSealer({ keys: config.master_keys })
const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
const dispatcher = createDispatcher()
const accounts = createAccounts({
  load: (mchid) => store.merchants.openSetup(mchid),
  test_wechat_url: config.test_wechat_url,
  dispatcher,
  now: Date.now,
  user_agent: 'Weft',
})
const context: ActivityContext = { store, sealer, accounts, policy: default_policy, now: Date.now, log }
const courier = createCourier({ allow_private: true })
const temporal = connectTemporal(config.temporal)
const slots = createCallSlots()
const gateway = { ...createGateway(context, slots), ...createRefundGateway(context) }
const connection = await NativeConnection.connect(connectionOptions(config.temporal))
const merchant = createMerchant(context, courier, slots)
const workers = await createWorkers({
  connection,
  namespace: config.temporal.namespace,
  queue_prefix: config.queue_prefix,
  bundle: await buildBundle(fileURLToPath(new URL(`./${process.env.BENCH_YARDSTICKS ?? 'bare'}.js`, import.meta.url))),
  activities: {
    orders: {
      ...createRecords(context),
      ...createRefunds(context),
      ...createRuns(context, createRunStarter(temporal.client, config.queue_prefix, shownTo(config))),
    },
    gateway,
    gateway_poll: gateway,
    merchant,
    notice: merchant,
    // Nobody asks for them here, and the SDK makes no worker that can do nothing.
    bills: merchant,
  },
})
const running = Promise.all(workers.map((worker) => worker.run()))

async function close(): Promise<void> {
  for (const worker of workers) worker.shutdown()
  await running
  await Promise.all([connection.close(), temporal.close(), courier.close(), dispatcher.close()])
  await store.close()
}

closeOnSignal([{ name: 'worker', limit_ms: 40_000, close }], log)
