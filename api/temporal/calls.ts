import {
  isGrpcServiceError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import type { ShownTo, WorkflowStart } from '../../domain/messages.ts'
import type { LogFields, Logger } from '../../runtime/logger.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { OutageLog } from '../../runtime/outage.ts'
import { createRunStarter, signalRun, startRun, updateRun } from '../../runtime/runs.ts'
import { boundedCall, TemporalTimeout } from '../../runtime/temporal.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'

/** TemporalUnavailable: Temporal did not take a command. app.ts answers it with the problem `unavailable`. */
export class TemporalUnavailable extends Error {
  override readonly name = 'TemporalUnavailable'

  constructor(cause?: unknown) {
    super('Temporal did not take a command', { cause })
  }
}

/** What every call to Temporal is made with. */
export interface TemporalCallOptions {
  client: TemporalClient
  queue_prefix: string
  /** for whom Temporal UI shows the runs that are started */
  shown: ShownTo
  log: Logger
  metrics: Metrics
  /** says that Temporal does not answer: every request meets it */
  sayOutage: OutageLog
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
  { client, queue_prefix, shown, log, metrics, sayOutage }: TemporalCallOptions,
  { start, log_fields: named }: RunTarget,
  name: string,
  update_id: string,
  args: [] | [unknown],
): Promise<Answer | NoReply> {
  const starter = createRunStarter(client.client, queue_prefix, shown)
  const send = () => updateRun<Answer, unknown[]>(starter, start, { name, update_id, args })
  return measureCall(metrics, name, async () => {
    try {
      return await boundedCall(client.connection, update_limit_ms, send)
    } catch (error) {
      const own = log.child({ ...named, command: name })
      return noReplyFor(error, own, () => sayOutage(own, `Temporal did not take ${name}`, { error }))
    }
  })
}

/** Sends one signal-with-start. Rejects when Temporal did not take it within `limit_ms`. */
export async function sendSignal(
  { client, queue_prefix, shown, metrics }: TemporalCallOptions,
  { start }: RunTarget,
  name: string,
  argument: unknown,
  limit_ms: number,
): Promise<void> {
  const starter = createRunStarter(client.client, queue_prefix, shown)
  const send = () => signalRun(starter, start, name, argument)
  await measureCall(metrics, name, () => boundedCall(client.connection, limit_ms, send))
}

/** Starts the run unless it runs. Rejects when Temporal did not within 2 s. */
export async function sendStart(
  { client, queue_prefix, shown, metrics }: TemporalCallOptions,
  { start }: RunTarget,
): Promise<void> {
  const starter = createRunStarter(client.client, queue_prefix, shown)
  const send = () => startRun(starter, start)
  await measureCall(metrics, 'start', () => boundedCall(client.connection, signal_limit_ms, send))
}

/** Runs `call`; a failure is logged and thrown as TemporalUnavailable. */
export async function callOrUnavailable(
  { log, sayOutage }: TemporalCallOptions,
  command: string,
  call: () => Promise<void>,
): Promise<void> {
  try {
    await call()
  } catch (error) {
    sayOutage(log, `Temporal did not take ${command}`, { command, error })
    throw new TemporalUnavailable(error)
  }
}

/** gRPC's own numbers: the client package does not export the enumeration. */
const grpc = { deadline_exceeded: 4, resource_exhausted: 8, cancelled: 1 } as const
const silent_codes: readonly number[] = Object.values(grpc)

/** `timeout` for silence, a full run and a run that ended before it answered: the record shows what holds. */
function noReplyFor(error: unknown, log: Logger, sayUnavailable: () => void): NoReply {
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
  sayUnavailable()
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
