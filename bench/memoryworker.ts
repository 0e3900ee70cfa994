/** A worker as in production that answers over HTTP what memory its threads hold (collector.js). */
import { createServer } from 'node:http'
import { BroadcastChannel } from 'node:worker_threads'
import { Runtime } from '@temporalio/worker'
import { readConfig } from '../runtime/config.ts'
import { createLogger, temporalLogger } from '../runtime/logger.ts'
import { closeOnSignal } from '../runtime/shutdown.ts'
import { startWorker } from '../worker/main.ts'

/** What a worker holds after everything that can be collected was, in bytes. */
export interface MemoryInUse {
  /** V8's heap in the threads where workflow code lives */
  workflows: number
  /** V8's heap of the SDK's own side */
  main: number
  /** the whole process, the SDK's native core included */
  rss: number
}

const config = readConfig(process.env)
const log = createLogger({ level: config.log_level, service: 'memory-worker' })
Runtime.install({ logger: temporalLogger(log), shutdownSignals: [] })
const worker = await startWorker({ config, log, sweeps: false })

/** Asks the main thread and the thread of workflows what they hold. The SDK has one thread of workflows by default. */
async function inUse(): Promise<MemoryInUse> {
  const channel = new BroadcastChannel('bench-memory')
  const memory: MemoryInUse = { workflows: 0, main: 0, rss: 0 }
  await new Promise<void>((resolve) => {
    channel.onmessage = (event) => {
      const { data } = event as { data: 'collect' | { side: 'main' | 'workflows'; heap: number; rss: number } }
      if (data === 'collect') return
      memory[data.side] = data.heap
      memory.rss = data.rss
      if (memory.main > 0 && memory.workflows > 0) resolve()
    }
    channel.postMessage('collect')
  })
  channel.close()
  return memory
}

const server = createServer((_request, response) => {
  void inUse().then((memory) => response.end(JSON.stringify(memory)))
})
server.listen(Number(process.env.BENCH_MEMORY_PORT), '127.0.0.1')
closeOnSignal([{ name: 'worker', limit_ms: 45_000, close: () => worker.close() }], log)
