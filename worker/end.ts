import type { Logger } from '../runtime/logger.ts'
import { closeInOrder } from '../runtime/shutdown.ts'
import type { Rounds } from './rounds.ts'
import type { Tasks } from './tasks.ts'

/** What a worker process consists of, as far as it has to be ended. */
export interface WorkerProcess {
  tasks: Pick<Tasks, 'end'>
  rounds: readonly Pick<Rounds, 'close'>[]
  /** those by which WeChat Pay's limits are shared: as long as tasks call it, the share has to stand */
  leave: () => Promise<unknown>
  /** what tasks and rounds work with; the database */
  closeConnections: () => Promise<unknown>
  closeHealth: () => Promise<unknown> | undefined
  closeStore: () => Promise<unknown>
}

/** The force time of tasks (worker/queues), and a moment; all together less than the 50 s that the process gives itself. */
const tasks_limit_ms = 41_000

/**
 * Ends a worker: from the first moment it takes no task and begins no round, so that none of them is kept from its time by
 * the others; then what they worked with is closed, the database last.
 */
export async function endWorker(parts: WorkerProcess, log: Logger): Promise<void> {
  const rounds_ended = Promise.all(parts.rounds.map((each) => each.close()))
  const steps = [
    { name: 'tasks', limit_ms: tasks_limit_ms, close: () => parts.tasks.end() },
    { name: 'rounds', limit_ms: 2_000, close: () => rounds_ended },
    { name: 'the membership', limit_ms: 1_000, close: parts.leave },
    { name: 'connections', limit_ms: 2_000, close: parts.closeConnections },
    { name: 'metrics', limit_ms: 1_000, close: parts.closeHealth },
    { name: 'database', limit_ms: 1_000, close: parts.closeStore },
  ]
  await closeInOrder(steps, log)
}
