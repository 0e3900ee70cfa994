import { randomBytes } from 'node:crypto'
import { defaultFailureConverter, defaultPayloadConverter, TypedSearchAttributes } from '@temporalio/common'
import { msNumberToTs, tsToMs } from '@temporalio/common/lib/time.js'
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js'
import type { Workflow } from '@temporalio/worker/lib/workflow/interface.js'
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js'
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js'

/*
 * Runs workflow code without a server, one activation at a time, so that a test decides in which order everything comes.
 * Reaches into the SDK, as test/stage/thread.ts does: it is pinned to 1.24.0 exactly, and what is found here holds there.
 */

type Job = NonNullable<Parameters<Workflow['activate']>[0]['jobs']>[number]
type Completion = Awaited<ReturnType<Workflow['activate']>>
type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number]
type Scheduled = NonNullable<Command['scheduleActivity']> & NonNullable<Command['scheduleLocalActivity']>
type Resolution = NonNullable<NonNullable<Job['resolveActivity']>['result']>
type Payload = NonNullable<NonNullable<Job['signalWorkflow']>['input']>[number]

interface Metadata {
  definition: Record<'signalDefinitions' | 'updateDefinitions', { name: string | null; description?: string | null }[]>
  currentDetails?: string | null
}

/** An activity that the workflow has asked for and that has not been answered. */
export interface Pending {
  seq: number
  name: string
  argument: unknown
  is_local: boolean
  /** 0: without end */
  maximum_attempts: number
  /** how the workflow wants a cancellation answered: at once, or when the activity itself has ended */
  waits_for_cancellation: boolean
  is_cancelled: boolean
  /** what Temporal UI calls it */
  summary: string
}

/** Handed over as an argument, the payload itself: bytes that no converter would make. */
export class RawPayload {
  readonly payload: Payload

  constructor(text: string, encoding = 'json/plain') {
    this.payload = { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(text) }
  }
}

export interface Timer {
  seq: number
  due_ms: number
  summary: string
}

/** How a run ended. */
export type Ending =
  { kind: 'completed'; result: unknown } | { kind: 'continued_as_new' } | { kind: 'failed'; message: string }

export class Driver {
  readonly #creator: ReusableVMWorkflowCreator

  private constructor(creator: ReusableVMWorkflowCreator) {
    this.#creator = creator
  }

  static async open(code: string, activities: readonly string[]): Promise<Driver> {
    const creator = await ReusableVMWorkflowCreator.create(parseWorkflowCode(code), 5_000, new Set(activities))
    // Every promise would keep its stack, mapped to its source, for Temporal UI: most of the time, and nobody looks.
    globalHandlers.uninstall()
    return new Driver(creator)
  }

  /** A run that begins with its first activation; `memo` is what its start says beside the argument. */
  async start(
    type: string,
    workflow_id: string,
    argument: unknown,
    now_ms: number,
    memo: Record<string, unknown> = {},
  ): Promise<Run> {
    const fields = Object.fromEntries(Object.entries(memo).map(([name, value]) => [name, payload(value)]))
    const run_id = randomBytes(8).toString('hex')
    const workflow = await this.#creator.createWorkflow({
      info: infoOf(type, workflow_id, run_id, now_ms),
      randomnessSeed: [...randomBytes(8)],
      now: now_ms,
      showStackTraceSources: false,
      failureExceptionTypeNames: { kind: 'names', names: [] },
    } as unknown as Parameters<ReusableVMWorkflowCreator['createWorkflow']>[0])
    return new Run(workflow, run_id, {
      initializeWorkflow: {
        workflowType: type,
        workflowId: workflow_id,
        arguments: [payload(argument)],
        memo: { fields },
        firstExecutionRunId: run_id,
        attempt: 1,
        startTime: msNumberToTs(now_ms),
        workflowTaskTimeout: msNumberToTs(10_000),
      },
    })
  }

  async close(): Promise<void> {
    await this.#creator.destroy()
  }
}

/** One run: jobs are collected and handed over together, as a workflow task hands over what came since the last one. */
export class Run {
  readonly activities = new Map<number, Pending>()
  readonly timers = new Map<number, Timer>()
  /** answers by update id; null: accepted and not answered */
  readonly updates = new Map<string, unknown>()
  /** why updates were refused, by their id */
  readonly refusals = new Map<string, string>()
  ending: Ending | null = null
  readonly #workflow: Workflow
  readonly #run_id: string
  #jobs: Job[]
  #now_ms = 0

  constructor(workflow: Workflow, run_id: string, first: Job) {
    this.#workflow = workflow
    this.#run_id = run_id
    this.#jobs = [first]
  }

  get hasNews(): boolean {
    return this.#jobs.length > 0
  }

  signal(name: string, ...given: unknown[]): void {
    this.#jobs.push({ signalWorkflow: { signalName: name, input: given.map(payload), identity: 'test' } })
  }

  update(name: string, id: string, ...given: unknown[]): void {
    if (this.updates.has(id)) return // the server answers a repeated updateId itself
    this.updates.set(id, null)
    const input = given.map(payload)
    this.#jobs.push({
      doUpdate: { id, protocolInstanceId: id, name, input, runValidator: true, meta: { updateId: id } },
    })
  }

  cancel(): void {
    if (!this.#jobs.some(({ cancelWorkflow }) => cancelWorkflow))
      this.#jobs.push({ cancelWorkflow: { reason: 'test' } })
  }

  fire({ seq }: Timer): void {
    if (this.timers.delete(seq)) this.#jobs.push({ fireTimer: { seq } })
  }

  complete(activity: Pending, result: unknown): void {
    this.#resolve(activity, { completed: { result: payload(result) } })
  }

  /** The last attempt has failed: the workflow hears an ActivityFailure, and of a local activity its own failure. */
  fail(activity: Pending, error: Error): void {
    const cause = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter)
    this.#resolve(activity, { failed: { failure: activity.is_local ? cause : activityFailure(activity, cause) } })
  }

  endCancelled(activity: Pending): void {
    const cause = { message: 'cancelled', canceledFailureInfo: {} }
    this.#resolve(activity, { cancelled: { failure: activityFailure(activity, cause) } })
  }

  /** Asks one query of it; what fails the task throws. */
  async query(name: string, ...given: unknown[]): Promise<void> {
    const question = { queryId: name, queryType: name, arguments: given.map(payload) }
    await this.#commandsAfter([{ variant: 'queryWorkflow', queryWorkflow: question }])
  }

  /** Hands over what has come, and takes what the workflow commands. Throws what would fail its workflow task. */
  async activate(now_ms: number): Promise<void> {
    this.#now_ms = now_ms
    const jobs = inOrder(this.#jobs)
    this.#jobs = []
    for (const command of await this.#commandsAfter(jobs)) this.#take(command)
    if (this.ending !== null) await this.end()
  }

  /** The signals and updates that it has handlers for, by name: what Temporal UI shows of it. */
  async hears(): Promise<{ signals: string[]; updates: string[] }> {
    const { definition } = await this.#metadata()
    const named = (definitions: { name: string | null }[]) => definitions.flatMap(({ name }) => name ?? [])
    return { signals: named(definition.signalDefinitions), updates: named(definition.updateDefinitions) }
  }

  /** The texts that Temporal UI shows of it now. */
  async shows(): Promise<{ details: string; handlers: string[] }> {
    const { definition, currentDetails } = await this.#metadata()
    const all = [...definition.signalDefinitions, ...definition.updateDefinitions]
    return { details: currentDetails ?? '', handlers: all.flatMap(({ description }) => description ?? []) }
  }

  async #metadata(): Promise<Metadata> {
    const question = { queryId: 'metadata', queryType: '__temporal_workflow_metadata', arguments: [] }
    // Queries alone reach the workflow as they are, and there the SDK looks for the name of what a job is.
    const [answer] = await this.#commandsAfter([{ variant: 'queryWorkflow', queryWorkflow: question }])
    return opened(answer?.respondToQuery?.succeeded?.response) as Metadata
  }

  async #commandsAfter(jobs: Job[]): Promise<Command[]> {
    const { successful, failed } = await this.#workflow.activate({
      runId: this.#run_id,
      timestamp: msNumberToTs(this.#now_ms),
      isReplaying: false,
      historyLength: 10,
      jobs,
    })
    await this.#workflow.getAndResetSinkCalls()
    if (failed) throw new Error(`a workflow task failed: ${failed.failure?.message} ${failed.failure?.stackTrace}`)
    return successful?.commands ?? []
  }

  /** Forgets the run, as a terminate does. */
  async end(): Promise<void> {
    await this.#workflow.dispose()
  }

  #resolve(activity: Pending, result: Resolution): void {
    if (!this.activities.delete(activity.seq)) return
    this.#jobs.push({ resolveActivity: { seq: activity.seq, result, isLocal: activity.is_local } })
  }

  #take(command: Command): void {
    const { scheduleActivity, scheduleLocalActivity, startTimer, cancelTimer, updateResponse } = command
    const summary = (opened(command.userMetadata?.summary) ?? '') as string
    if (scheduleActivity) this.#schedule(scheduleActivity, { is_local: false, summary })
    if (scheduleLocalActivity) this.#schedule(scheduleLocalActivity, { is_local: true, summary })
    const cancelled = command.requestCancelActivity ?? command.requestCancelLocalActivity
    if (cancelled) this.#cancelActivity(cancelled.seq ?? 0)
    if (startTimer) {
      const seq = startTimer.seq ?? 0
      this.timers.set(seq, { seq, due_ms: this.#now_ms + tsToMs(startTimer.startToFireTimeout), summary })
    }
    if (cancelTimer) this.timers.delete(cancelTimer.seq ?? 0)
    if (updateResponse?.rejected)
      this.refusals.set(updateResponse.protocolInstanceId ?? '', updateResponse.rejected.message ?? '')
    if (updateResponse?.completed)
      this.updates.set(updateResponse.protocolInstanceId ?? '', opened(updateResponse.completed))
    if (command.completeWorkflowExecution) {
      this.ending = { kind: 'completed', result: opened(command.completeWorkflowExecution.result) }
    }
    if (command.continueAsNewWorkflowExecution) this.ending = { kind: 'continued_as_new' }
    const failure = command.failWorkflowExecution?.failure
    if (failure) this.ending = { kind: 'failed', message: `${failure.message} ${failure.stackTrace}` }
    if (command.cancelWorkflowExecution) this.ending = { kind: 'failed', message: 'ended as cancelled' }
  }

  #schedule(given: Scheduled, shown: Pick<Pending, 'is_local' | 'summary'>): void {
    const seq = given.seq ?? 0
    this.activities.set(seq, {
      seq,
      name: given.activityType ?? '',
      argument: opened(given.arguments?.[0]),
      ...shown,
      maximum_attempts: given.retryPolicy?.maximumAttempts ?? 0,
      waits_for_cancellation: Number(given.cancellationType) === wait_cancellation_completed,
      is_cancelled: false,
    })
  }

  #cancelActivity(seq: number): void {
    const activity = this.activities.get(seq)
    if (activity === undefined) return
    activity.is_cancelled = true
    if (!activity.waits_for_cancellation) this.endCancelled(activity)
  }
}

/** WAIT_CANCELLATION_COMPLETED of the SDK's own protocol. */
const wait_cancellation_completed = 1

/** The order in which the SDK hands over what came together: the beginning, signals and updates, all else, local steps. */
function inOrder(jobs: readonly Job[]): Job[] {
  const rank = (job: Job) =>
    job.initializeWorkflow ? 0 : job.signalWorkflow || job.doUpdate ? 1 : job.resolveActivity?.isLocal ? 3 : 2
  return [...jobs].sort((one, other) => rank(one) - rank(other))
}

function activityFailure(
  { name, seq }: Pending,
  cause: ReturnType<typeof defaultFailureConverter.errorToFailure>,
): ReturnType<typeof defaultFailureConverter.errorToFailure> {
  const activityFailureInfo = { activityType: { name }, activityId: String(seq) }
  return { message: 'activity failed', source: 'test', cause, activityFailureInfo }
}

function payload(value: unknown): Payload {
  if (value instanceof RawPayload) return value.payload
  return defaultPayloadConverter.toPayload(value)
}

function opened(value: Payload | null | undefined): unknown {
  return value ? defaultPayloadConverter.fromPayload(value) : undefined
}

function infoOf(workflowType: string, workflowId: string, runId: string, now_ms: number) {
  return {
    workflowType,
    workflowId,
    runId,
    firstExecutionRunId: runId,
    originalExecutionRunId: runId,
    namespace: 'default',
    taskQueue: 'weft-orders',
    searchAttributes: {},
    typedSearchAttributes: new TypedSearchAttributes(),
    attempt: 1,
    startTime: new Date(now_ms),
    runStartTime: new Date(now_ms),
    taskTimeoutMs: 10_000,
    historyLength: 1,
    historySize: 1,
    continueAsNewSuggested: false,
    targetWorkerDeploymentVersionChanged: false,
    suggestedContinueAsNewReasons: [],
    currentBuildId: '',
    unsafe: { now: Date.now, isReplaying: false, isReplayingHistoryEvents: false },
    priority: {},
  }
}
