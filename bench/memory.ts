import { freePort } from '../dev/servers/servers.ts'
import type { Installation } from './installation.ts'
import type { MemoryInUse } from './memoryworker.ts'

export interface MemoryResult<T> {
  /** KB of each, by what holds it */
  kb: MemoryInUse
  /** those that now wait, without a worker */
  waiting: T[]
}

/**
 * What one that waits costs a worker: the memory of its process with `warm + count` runs cached, minus that with
 * `warm`, each after collection. The first ones are left out, for they pay for code and pools that all others share.
 */
export async function measureMemory<T>(
  installation: Installation,
  { warm, count }: { warm: number; count: number },
  startWaiting: (count: number) => Promise<T[]>,
): Promise<MemoryResult<T>> {
  const port = await freePort()
  await installation.start({
    name: 'memory-worker',
    script: 'bench/memoryworker.js',
    environment: { BENCH_MEMORY_PORT: String(port) },
    node_options: ['--expose-gc', '--import', './bench/collector.js'],
  })
  await installation.untilPolled(installation.config.queue_prefix)
  const inUse = async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as MemoryInUse
  const first = await startWaiting(warm)
  const before = await inUse()
  const more = await startWaiting(count)
  const after = await inUse()
  await installation.stopProcesses()
  const each = (side: keyof MemoryInUse) => (after[side] - before[side]) / count / 1024
  return {
    kb: { workflows: each('workflows'), main: each('main'), rss: each('rss') },
    waiting: [...first, ...more],
  }
}
