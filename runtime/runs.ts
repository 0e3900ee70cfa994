import { WithStartWorkflowOperation } from '@temporalio/client'
import type { Client, WorkflowStartOptions } from '@temporalio/client'
import type { ShownTo, WorkflowStart } from '../domain/messages.ts'
import { startOptions } from './temporal.ts'

/**
 * What starting, signalling and updating runs takes. Each of these calls starts the run where there is none, so that it
 * reaches a run whatever became of the last one. None is bounded: see `boundedCall`.
 */
export interface RunStarter {
  client: Client
  toOptions: <Arguments extends unknown[]>(
    start: WorkflowStart<Arguments>,
  ) => WorkflowStartOptions & { args: Arguments; workflowIdConflictPolicy: 'USE_EXISTING' }
}

/** An update by the name that the run's handler has; `update_id` makes it happen once. */
export interface RunUpdate {
  name: string
  update_id: string
  args: [] | [unknown]
}

/** `shown`: for whom Temporal UI shows the runs; whoever starts one says it, since a run keeps what its start said. */
export function createRunStarter(client: Client, queue_prefix: string, shown: ShownTo): RunStarter {
  return { client, toOptions: (start) => startOptions(start, queue_prefix, shown) }
}

/** Starts a run; one that runs already counts as started. */
export async function startRun<A extends unknown[]>(
  { client, toOptions }: RunStarter,
  start: WorkflowStart<A>,
): Promise<void> {
  await client.workflow.start(start.workflow_type, toOptions(start))
}

/** Signals a run, in one call with its start. */
export async function signalRun<A extends unknown[]>(
  { client, toOptions }: RunStarter,
  start: WorkflowStart<A>,
  signal: string,
  argument: unknown,
): Promise<void> {
  await client.workflow.signalWithStart(start.workflow_type, { ...toOptions(start), signal, signalArgs: [argument] })
}

/**
 * Updates a run, in one call with its start, and returns the run's reply. In one call, since a run that is started for an
 * ended record ends again before an update of its own could arrive.
 */
export async function updateRun<Reply, A extends unknown[]>(
  { client, toOptions }: RunStarter,
  start: WorkflowStart<A>,
  { name, update_id, args }: RunUpdate,
): Promise<Reply> {
  const startWorkflowOperation = new WithStartWorkflowOperation(start.workflow_type, toOptions(start))
  return await client.workflow.executeUpdateWithStart<(...given: A) => Promise<unknown>, Reply, unknown[]>(name, {
    args,
    updateId: update_id,
    startWorkflowOperation,
  })
}

/** Starts a run and sends it an update; returns once the run has accepted that, which says nothing of its reply. */
export async function requestUpdate<A extends unknown[]>(
  starter: RunStarter,
  start: WorkflowStart<A>,
  { name, update_id, args }: RunUpdate & { args: [unknown] },
): Promise<void> {
  await startRun(starter, start)
  const handle = starter.client.workflow.getHandle(start.workflow_id)
  await handle.startUpdate<unknown, [unknown]>(name, { args, updateId: update_id, waitForStage: 'ACCEPTED' })
}
