import type { Worker } from '@temporalio/worker'
import type { HealthState } from '../runtime/health.ts'
import type { Logger } from '../runtime/logger.ts'

/** Tasks are what the workers of a process take from their queues, and have under way. */
export interface Tasks {
  /** Takes tasks from now on. */
  run(): void
  /** Takes none any more. Resolves when those under way have ended, or the force time is over; never throws. */
  end(): Promise<void>
  /** Well while it ends, too: whoever restarts what is not well must leave it the time for what is under way. */
  health: () => HealthState
}

export interface TasksSettings {
  log: Logger
  /** told when a worker stopped by itself: its queue is served no more */
  on_failure?: ((error: unknown) => void) | undefined
}

/** Runs one worker for each queue, as one. */
export function createTasks(
  workers: readonly Pick<Worker, 'run' | 'shutdown' | 'getState'>[],
  { log, on_failure }: TasksSettings,
): Tasks {
  const state = { is_ending: false, running: Promise.resolve() }
  const isRunning = () => workers.every((each) => each.getState() === 'RUNNING')

  async function runToEnd(worker: (typeof workers)[number]): Promise<void> {
    try {
      await worker.run()
    } catch (error) {
      // What is under way for too long goes on elsewhere, from the records.
      if (state.is_ending) return log.warn('a worker ended with tasks under way', { error })
      log.error('a worker stopped by itself', { error })
      on_failure?.(error)
    }
  }

  return {
    run() {
      state.running = Promise.all(workers.map(runToEnd)).then(() => undefined)
    },
    async end() {
      state.is_ending = true
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown()
      await state.running
    },
    health: () => ({ is_well: isRunning() || state.is_ending, says: { status: isRunning() ? 'ok' : 'ending' } }),
  }
}
