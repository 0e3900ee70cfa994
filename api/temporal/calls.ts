import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import type { WorkflowStart } from '../../domain/messages.ts'
import type { LogFields, Logger } from '../../runtime/logger.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { boundedCall, startOptions, TemporalTimeout } from '../../runtime/temporal.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'
import { unavailableProblem } from '../http/problem.ts'

/** What every call to Temporal is made with. */
export interface TemporalCallOptions {
  client: TemporalClient
  queue_prefix: string
  log: Logger
  metrics: Metrics
}

/**
 * Why a command got no answer of its run. `timeout`: no worker answered in time, or the run ended first, and only the
 * record shows what holds. `unavailable`: Temporal did not take the command.
 */
export type NoReply = 'timeout' | 'unavailable'

/** A run, and the numbers by which a log line about it is found: all that is ever logged of its record. */
export interface RunTarget {
  start: WorkflowStart<unknown[]>
  log_fields: LogFields
}

const update_limit_ms = 8_000
export const signal_limit_ms = 2_000

/** Sends one update-with-start, to the open run or to a new one that goes on from the record. At most 8 s. */
export async function sendUpdate<Answer>(
  { client, queue_prefix, log, metrics }: TemporalCallOptions,
  { start, log_fields: named }: RunTarget,
  name: string,
  update_id: string,
  args: [] | [unknown],
): Promise<Answer | NoReply> {
  const startWorkflowOperation = new WithStartWorkflowOperation(start.workflow_type, startOptions(start, queue_prefix))
  const send = () =>
    client.client.workflow.executeUpdateWithStart<(...given: unknown[]) => Promise<unknown>, Answer, unknown[]>(name, {
      args,
      updateId: update_id,
      startWorkflowOperation,
    })
  return measureCall(metrics, name, async () => {
    try {
      return await boundedCall(client.connection, update_limit_ms, send)
    } catch (error) {
      return noReplyFor(error, log.child({ ...named, command: name }))
    }
  })
}

/** Sends one signal-with-start. Rejects when Temporal did not take it within `limit_ms`. */
export async function sendSignal(
  { client, queue_prefix, metrics }: TemporalCallOptions,
  { start }: RunTarget,
  name: string,
  argument: unknown,
  limit_ms: number,
): Promise<void> {
  const signalled = { ...startOptions(start, queue_prefix), signal: name, signalArgs: [argument] }
  await measureCall(metrics, name, () =>
    boundedCall(client.connection, limit_ms, () =>
      client.client.workflow.signalWithStart(start.workflow_type, signalled),
    ),
  )
}

/** Starts the run unless it runs. Rejects when Temporal did not within 2 s. */
export async function startRun(
  { client, queue_prefix, metrics }: TemporalCallOptions,
  { start }: RunTarget,
): Promise<void> {
  await measureCall(metrics, 'start', () =>
    boundedCall(client.connection, signal_limit_ms, () =>
      client.client.workflow.start(start.workflow_type, startOptions(start, queue_prefix)),
    ),
  )
}

/** Runs `call`; what fails is logged and thrown as the problem `unavailable`. */
export async function callOrUnavailable(
  { log }: TemporalCallOptions,
  command: string,
  call: () => Promise<void>,
): Promise<void> {
  try {
    await call()
  } catch (error) {
    log.warn('Temporal did not take a command', { command, error })
    throw unavailableProblem('temporal', error)
  }
}

/** gRPC's own numbers: the client package does not export the enumeration. */
const grpc = { deadline_exceeded: 4, resource_exhausted: 8, cancelled: 1 } as const
const silent_codes: readonly number[] = Object.values(grpc)

/** `timeout` for silence, a full run and a run that ended before it answered: the record shows what holds. */
function noReplyFor(error: unknown, log: Logger): NoReply {
  const is_silence =
    error instanceof TemporalTimeout ||
    error instanceof WorkflowUpdateRPCTimeoutOrCancelledError ||
    (isGrpcServiceError(error) && silent_codes.includes(error.code))
  if (is_silence) {
    log.info('a command was not answered in time; the record tells what holds')
    return 'timeout'
  }
  if (error instanceof WorkflowUpdateFailedError) {
    log.warn('a command failed in its run; the record tells what holds', { error })
    return 'timeout'
  }
  log.warn('Temporal did not take a command', { error })
  return 'unavailable'
}

async function measureCall<T>(metrics: Metrics, command: string, call: () => Promise<T>): Promise<T> {
  const end = metrics.commands.startTimer({ command })
  try {
    const answer = await call()
    end({ outcome: typeof answer === 'string' ? answer : 'answered' })
    return answer
  } catch (error) {
    end({ outcome: 'failed' })
    throw error
  }
}
