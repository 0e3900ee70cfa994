import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow'
import type { Bilingual } from '../domain/language.ts'
import type { Inbox } from './inbox.ts'
import { told } from './shown.ts'

/**
 * Whether `isDone` came true within `delay_ms`; else a timer of that length has fired. The SDK's own condition with a
 * time-out does the same with twice the promises, and each keeps its stack: 10 KB for every order that waits.
 */
export async function waitWithin(delay_ms: number, isDone: () => boolean, summary: Bilingual): Promise<boolean> {
  const timer = new CancellationScope()
  const clock = { has_fired: false }
  timer
    .run(() => sleep(delay_ms, { summary: told(summary) }))
    .then(
      () => (clock.has_fired = true),
      () => undefined, // cancelled below
    )
  await condition(() => clock.has_fired || isDone())
  timer.cancel()
  return isDone()
}

/** `work`, or null when one of `kinds` came first and `work` was called off. Without kinds any item does. */
export async function runUntilInterrupted<T, I extends { kind: string }>(
  run: { inbox: Inbox<I> },
  work: () => Promise<T>,
  ...kinds: I['kind'][]
): Promise<T | null> {
  const isInterrupted = () => (kinds.length === 0 ? !run.inbox.isEmpty : run.inbox.has(...kinds))
  if (isInterrupted()) return null
  const scope = new CancellationScope()
  const outcome = scope.run(work)
  const was_interrupted = await Promise.race([outcome.then(() => false), condition(isInterrupted).then(() => true)])
  if (!was_interrupted) return await outcome
  scope.cancel()
  try {
    return await outcome
  } catch (failure) {
    if (isCancellation(failure)) return null
    throw failure
  }
}
