import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import type { OrderKey } from '../domain/ids.ts'
import { orderStart, queueName, signals, updates } from '../domain/messages.ts'
import type { Answer, Command, Confirmation, PaymentFound } from '../domain/messages.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { boundedCall, startOptions, TemporalTimeout } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { unavailable } from './problem.ts'

/**
 * What a command is answered with. `timeout`: nobody answered in time, or the run ended first — the record tells what
 * holds. `unavailable`: Temporal took nothing.
 */
export type Outcome = Answer | 'timeout' | 'unavailable'

/** Every call of the API to Temporal, each with a limit. None of them decides anything. */
export interface Commands {
  /** Places a new order: sent by the request that inserted it, and by nobody else. At most 8 s. */
  prepay(key: OrderKey): Promise<Outcome>
  /** Answers when `closing` is recorded. At most 8 s. */
  close(key: OrderKey, command: Command): Promise<Outcome>
  /** Answers when the wish for a new code is in the inbox; the record tells when it is there. At most 8 s. */
  refresh(key: OrderKey, command: Command): Promise<Outcome>
  /** Answers when the merchant's word is recorded, or refused. At most 8 s. */
  confirm(key: OrderKey, confirmation: Confirmation): Promise<Outcome>
  /** Has WeChat asked once. Throws the problem `unavailable` when Temporal does not take it within 2 s. */
  check(key: OrderKey, operation_id: string): Promise<void>
  /** Starts the order's run unless it runs. Throws the problem `unavailable` when Temporal does not within 2 s. */
  startOrder(key: OrderKey): Promise<void>
  /** Hands a found payment over, on the intake's own connection, bounded to 1.5 s. False: Temporal did not take it. */
  paymentFound(key: OrderKey, found: PaymentFound): Promise<boolean>
  /** Seconds that the oldest order task waits for a worker; 0 when unknown. Asked at most once a second. */
  orderQueueBacklogAge(): Promise<number>
  /** Whether Temporal answers within 1 s. */
  isReachable(): Promise<boolean>
}

export interface CommandsOptions {
  client: TemporalClient
  /** a connection of its own (runtime/temporal `connectForIntake`) */
  intake: TemporalClient
  queue_prefix: string
  log: Logger
  metrics: Metrics
}

const update_limit_ms = 8_000
const signal_limit_ms = 2_000
const intake_limit_ms = 1_500
const probe_limit_ms = 1_000
const backlog_kept_ms = 1_000
/** TASK_QUEUE_TYPE_WORKFLOW of Temporal's API */
const WORKFLOW_QUEUE = 1

export function createCommands(options: CommandsOptions): Commands {
  const { client, intake, log } = options
  const give = (key: OrderKey, name: string, command: Command) =>
    update(options, key, name, command.operation_id, [command])
  return {
    prepay: (key) => update(options, key, updates.prepay, 'prepay', []),
    close: (key, command) => give(key, updates.close, command),
    refresh: (key, command) => give(key, updates.refresh, command),
    confirm: (key, confirmation) => give(key, updates.confirm_fulfilment, confirmation),
    check: (key, operation_id) =>
      taken(options, signals.check_requested, () =>
        signal(options, client, signal_limit_ms, key, signals.check_requested, [{ operation_id }]),
      ),
    startOrder: (key) => taken(options, 'start', () => start(options, key)),
    async paymentFound(key, found) {
      try {
        await measured(options, signals.payment_found, () =>
          signal(options, intake, intake_limit_ms, key, signals.payment_found, [found]),
        )
        return true
      } catch (error) {
        log.warn('a found payment was not handed over; the sweeper will', { ...keyOf(key), error })
        return false
      }
    },
    orderQueueBacklogAge: createBacklogProbe(options),
    async isReachable() {
      try {
        await boundedCall(client.connection, probe_limit_ms, () => client.connection.workflowService.getSystemInfo({}))
        return true
      } catch {
        return false
      }
    },
  }
}

/** Callers hand over whole records, whose amounts, metadata and codes are nothing for a log. */
function keyOf({ mchid, out_trade_no }: OrderKey): OrderKey {
  return { mchid, out_trade_no }
}

/** One update-with-start: the run that is there, or a new one that goes on from the record. */
async function update(
  options: CommandsOptions,
  key: OrderKey,
  name: string,
  update_id: string,
  args: [] | [Command],
): Promise<Outcome> {
  const { client, queue_prefix, log } = options
  const order = orderStart(key)
  const startWorkflowOperation = new WithStartWorkflowOperation(order.workflow_type, startOptions(order, queue_prefix))
  const send = () =>
    client.client.workflow.executeUpdateWithStart<(order: OrderKey) => Promise<unknown>, Answer, [] | [Command]>(name, {
      args,
      updateId: update_id,
      startWorkflowOperation,
    })
  return measured(options, name, async () => {
    try {
      return await boundedCall(client.connection, update_limit_ms, send)
    } catch (error) {
      return outcomeOf(error, log.child({ ...keyOf(key), command: name }))
    }
  })
}

async function signal(
  { queue_prefix }: CommandsOptions,
  on: TemporalClient,
  limit_ms: number,
  key: OrderKey,
  name: string,
  args: [unknown],
): Promise<void> {
  const order = orderStart(key)
  const signalled = { ...startOptions(order, queue_prefix), signal: name, signalArgs: args }
  await boundedCall(on.connection, limit_ms, () => on.client.workflow.signalWithStart(order.workflow_type, signalled))
}

async function start({ client, queue_prefix }: CommandsOptions, key: OrderKey): Promise<void> {
  const order = orderStart(key)
  const begin = () => client.client.workflow.start(order.workflow_type, startOptions(order, queue_prefix))
  await boundedCall(client.connection, signal_limit_ms, begin)
}

/** gRPC's own numbers: the client package does not export the enumeration. */
const grpc = { deadline_exceeded: 4, resource_exhausted: 8, cancelled: 1 } as const
const unanswered: readonly number[] = Object.values(grpc)

/** Silence and a full run are answered from the record; so is a run that ended before it answered. */
function outcomeOf(error: unknown, log: Logger): 'timeout' | 'unavailable' {
  const is_silence =
    error instanceof TemporalTimeout ||
    error instanceof WorkflowUpdateRPCTimeoutOrCancelledError ||
    (isGrpcServiceError(error) && unanswered.includes(error.code))
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

async function taken(options: CommandsOptions, name: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await measured(options, name, call)
  } catch (error) {
    options.log.warn('Temporal did not take a command', { command: name, error })
    throw unavailable('temporal', error)
  }
}

async function measured<T>({ metrics }: CommandsOptions, command: string, call: () => Promise<T>): Promise<T> {
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

/**
 * The age of the order queue's backlog, kept for a second. A probe that fails says 0: it exists to refuse work that
 * would only wait, not to add a reason of its own for refusing it.
 */
function createBacklogProbe({ client, queue_prefix, log, metrics }: CommandsOptions): () => Promise<number> {
  let asked_ms = -Infinity
  let latest = Promise.resolve(0)

  async function ask(): Promise<number> {
    const { connection, namespace } = client
    const taskQueue = { name: queueName('orders', queue_prefix) }
    const request = { namespace, taskQueue, taskQueueType: WORKFLOW_QUEUE, reportStats: true }
    try {
      const { stats } = await boundedCall(connection, probe_limit_ms, () =>
        connection.workflowService.describeTaskQueue(request),
      )
      const age_s = Number(stats?.approximateBacklogAge?.seconds ?? 0)
      metrics.backlog_age.set(age_s)
      return age_s
    } catch (error) {
      log.debug('the age of the order queue is unknown', { error })
      return 0
    }
  }

  return () => {
    if (Date.now() - asked_ms < backlog_kept_ms) return latest
    asked_ms = Date.now()
    latest = ask()
    return latest
  }
}
