import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import mongoose from 'mongoose'
import { logTail } from '../dev/servers/child.ts'
import type { Child } from '../dev/servers/child.ts'
import { freePort } from '../dev/servers/servers.ts'
import { queueName, queues } from '../domain/messages.ts'
import type { Queue } from '../domain/messages.ts'
import { readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { connectTemporal } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { until } from './load.ts'
import { startProcess } from './processes.ts'
import type { Servers } from './servers.ts'

/** The environment of Weft's processes, and the same world as seen from here: a database and queues of its own. */
export interface Installation {
  name: string
  /** as its processes are given it */
  environment: Record<string, string>
  config: Config
  store: Store
  temporal: TemporalClient
  /** a merchant's endpoint in this process: answers `fulfilled` at once */
  endpoint_url: string
  /** Starts one of its processes; it ends with the installation. */
  start(options: {
    name: string
    script: string
    environment?: Record<string, string>
    node_options?: string[]
  }): Promise<Child>
  startApi(): Promise<void>
  /** what the API says of itself on its metrics port */
  isApiReady(): Promise<boolean>
  startWorker(): Promise<void>
  /** Waits until workers poll the queues of this prefix. */
  untilPolled(prefix: string, polled?: readonly Queue[]): Promise<void>
  /** Ends its processes, the youngest first. */
  stopProcesses(): Promise<void>
  /** Processes, runs that are still open, database. */
  close(): Promise<void>
  /** process ids by name */
  pids: ReadonlyMap<number, string>
}

export async function openInstallation(
  name: string,
  servers: Servers,
  settings: Record<string, string> = {},
): Promise<Installation> {
  const suite = randomBytes(4).toString('hex')
  const port = await freePort()
  const environment = {
    TEMPORAL_ADDRESS: servers.temporal_address,
    MONGODB_URI: servers.mongodb_uri,
    WEFT_DATABASE: `weft_bench_${suite}`,
    WEFT_QUEUE_PREFIX: `bench-${suite}-`,
    WEFT_PORT: String(port),
    WEFT_PUBLIC_URL: `http://127.0.0.1:${port}`,
    WEFT_MASTER_KEY: randomBytes(32).toString('base64'),
    WEFT_ALLOW_PRIVATE_ENDPOINTS: 'true',
    WEFT_DRAIN_MS: '0',
    // Nothing listens there unless `settings` name a simulator: orders that only wait never query.
    WEFT_TEST_WECHAT_URL: 'http://127.0.0.1:9',
    ...settings,
  }
  const config = readConfig(environment)
  const sealer = createSealer({ keys: config.master_keys })
  const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
  await store.ensureIndexes()
  const temporal = connectTemporal(config.temporal)
  const endpoint = await openEndpoint()
  const children: Child[] = []
  const pids = new Map<number, string>()
  let ready_url = ''

  /**
   * Waits until `look` is true. Throws the log's end as soon as a process has ended, so that none is waited for in
   * vain.
   */
  async function untilStarted(what: string, look: () => Promise<boolean>): Promise<void> {
    await until(what, 30_000, async () => {
      for (const child of children) if (!child.isRunning()) throw new Error(logTail(child.log))
      return await look()
    })
  }

  const installation: Installation = {
    name,
    environment,
    config,
    store,
    temporal,
    endpoint_url: endpoint.url,
    pids,
    async start(options) {
      const given = { ...environment, ...options.environment }
      const child = await startProcess({
        name: `${name}-${options.name}`,
        script: options.script,
        environment: given,
        directory: servers.directory,
        node_options: options.node_options ?? [],
      })
      children.push(child)
      pids.set(child.pid, options.name)
      return child
    },
    async startApi() {
      const metrics_port = await freePort()
      const own = { WEFT_METRICS_PORT: String(metrics_port) }
      await installation.start({ name: 'api', script: 'api/main.js', environment: own })
      ready_url = `http://127.0.0.1:${metrics_port}/readyz`
      await untilStarted('the API', installation.isApiReady)
    },
    isApiReady: () => isReady(ready_url),
    async startWorker() {
      await installation.start({ name: 'worker', script: 'worker/main.js' })
      await installation.untilPolled(config.queue_prefix)
    },
    async untilPolled(prefix, polled = Object.keys(queues) as Queue[]) {
      for (const queue of polled)
        await untilStarted(`a worker on ${queue}`, () => isPolled(temporal, queueName(queue, prefix), queue))
    },
    async stopProcesses() {
      for (const child of children.splice(0).reverse()) await child.stop()
      pids.clear()
    },
    async close() {
      await installation.stopProcesses()
      endpoint.close()
      await terminateRuns(temporal, config.queue_prefix)
      await dropDatabase(config)
      await Promise.all([temporal.close(), store.close()])
    },
  }
  return installation
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** TASK_QUEUE_TYPE of Temporal's API */
const workflow_queue = 1
const activity_queue = 2

async function isPolled({ connection, namespace }: TemporalClient, name: string, queue: Queue): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name },
    taskQueueType: queue === 'orders' ? workflow_queue : activity_queue,
  })
  return (pollers ?? []).length > 0
}

async function openEndpoint(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(200).end('{"fulfilment":"fulfilled"}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/weft`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** On a server that stays, runs without a worker would wait for ever. */
async function terminateRuns({ client }: TemporalClient, queue_prefix: string): Promise<void> {
  if (!process.env.WEFT_TEST_TEMPORAL) return
  const query = `ExecutionStatus = "Running" AND TaskQueue STARTS_WITH "${queue_prefix}"`
  for await (const { workflowId } of client.workflow.list({ query })) {
    await client.workflow.getHandle(workflowId).terminate('the bench is over')
  }
}

async function dropDatabase({ mongodb_uri, database }: Config): Promise<void> {
  const connection = await mongoose.createConnection(mongodb_uri, { dbName: database }).asPromise()
  await connection.dropDatabase()
  await connection.close()
}
