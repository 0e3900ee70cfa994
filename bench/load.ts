import { setTimeout as sleep } from 'node:timers/promises'

/** Does `work` for every item, `concurrency` at once, each as soon as one is done. Answers the seconds it all took. */
export async function runConcurrently<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<unknown>,
): Promise<number> {
  const queue = items.values()
  const begin = performance.now()
  const turns = Array.from({ length: concurrency }, async () => {
    for (const item of queue) await work(item)
  })
  await Promise.all(turns)
  return (performance.now() - begin) / 1_000
}

/**
 * Does `work` for every item at `per_second`, whether or not those before are done, and answers how long each took, ms.
 * Counted from the moment it was due: a server that stalls is charged for those who had to wait, too.
 */
export async function runAtPace<T>(
  items: readonly T[],
  per_second: number,
  work: (item: T) => Promise<unknown>,
): Promise<number[]> {
  const begin = performance.now()
  const times = items.map(async (item, index) => {
    const due = begin + (index * 1_000) / per_second
    await sleep(Math.max(0, due - performance.now()))
    await work(item)
    return performance.now() - due
  })
  return await Promise.all(times)
}

/** Waits until `look` is true; throws what it waited for when that does not come. */
export async function until(what: string, within_ms: number, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + within_ms
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`never came within ${within_ms} ms: ${what}`)
    await sleep(25)
  }
}
