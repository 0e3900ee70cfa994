// Loaded by `--import` into every thread of a process that was started with `--expose-gc`, since a thread's garbage can
// only be collected from within. JavaScript, because TypeScript is not loaded in the SDK's threads. Asked by `collect`,
// each thread answers with what it holds after everything that can be collected was, in bytes.
import { setTimeout as sleep } from 'node:timers/promises'
import { BroadcastChannel, isMainThread } from 'node:worker_threads'

const channel = new BroadcastChannel('bench-memory')
channel.unref()
channel.onmessage = ({ data }) => {
  if (data === 'collect') void answer()
}

async function answer() {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc()
    await sleep(100)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  channel.postMessage({ side: isMainThread ? 'main' : 'workflows', heap: heapUsed + external, rss })
}
