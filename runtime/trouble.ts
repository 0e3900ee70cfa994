import type { Client } from '@temporalio/client'
import { failures } from '../domain/failures.ts'

type WorkflowService = Client['workflowService']
type Description = Awaited<ReturnType<WorkflowService['describeWorkflowExecution']>>
type Failure = NonNullable<NonNullable<Description['pendingActivities']>[number]['lastFailure']>

/** A step of a run whose attempts fail, as Temporal tells of it. */
export interface RunTrouble {
  run_id: string
  out_trade_no: string | null
  /** `workflow_task`, or the name of the activity */
  step: string
  attempts: number
  error: string
}

/** The classes of failure that say that a run waits: what they wait for has a plan, and attentions of its own. */
const waits: ReadonlySet<string> = new Set(Object.values(failures))

/** The second attempt may be for a worker that has ended; the third fails of itself. */
const tried_often = 3

/**
 * What keeps an open run from going on; null: nothing, or no run is open. One call, and one more where a workflow task
 * fails: its description tells that, and only its history why.
 */
export async function findTrouble(service: WorkflowService, namespace: string, id: string): Promise<RunTrouble | null> {
  const description = await describeRun(service, namespace, id)
  if (description === null) return null
  const { workflowExecutionInfo: info, pendingWorkflowTask, pendingActivities } = description
  const run_id = info?.execution?.runId ?? ''
  const out_trade_no = keywordOf(info?.searchAttributes?.indexedFields?.WeftOutTradeNo?.data)
  const run = { run_id, out_trade_no }
  const task_attempts = Number(pendingWorkflowTask?.attempt ?? 0)
  if (task_attempts >= tried_often) {
    const error = await lastTaskFailure(service, namespace, id, run_id)
    return { ...run, step: 'workflow_task', attempts: task_attempts, error }
  }
  const failing = pendingActivities?.find(
    ({ attempt, lastFailure }) => Number(attempt) > 1 && lastFailure && !isWait(lastFailure),
  )
  if (!failing?.lastFailure) return null
  const { activityType, attempt, lastFailure } = failing
  return { ...run, step: activityType?.name ?? '', attempts: Number(attempt), error: failureText(lastFailure) }
}

async function describeRun(service: WorkflowService, namespace: string, id: string): Promise<Description | null> {
  try {
    return await service.describeWorkflowExecution({ namespace, execution: { workflowId: id } })
  } catch (error) {
    if (isNotFound(error)) return null
    throw error
  }
}

/** Of a task that fails again and again history holds the first failure; the later attempts leave no event. */
async function lastTaskFailure(
  service: WorkflowService,
  namespace: string,
  workflowId: string,
  runId: string,
): Promise<string> {
  const { history } = await service.getWorkflowExecutionHistoryReverse({
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: 20,
  })
  const event = history?.events?.find(
    (each) => each.workflowTaskFailedEventAttributes ?? each.workflowTaskTimedOutEventAttributes,
  )
  return failureText(event?.workflowTaskFailedEventAttributes?.failure ?? { message: 'the workflow task timed out' })
}

function isWait({ applicationFailureInfo }: Failure): boolean {
  return waits.has(applicationFailureInfo?.type ?? '')
}

/** The failure and what caused it, in one line. */
function failureText({ message, cause }: Failure): string {
  return [message, cause?.message].filter(Boolean).join(': ').slice(0, longest_error)
}

const longest_error = 500

function keywordOf(data: Uint8Array | null | undefined): string | null {
  const value: unknown = data ? JSON.parse(Buffer.from(data).toString()) : null
  return typeof value === 'string' ? value : null
}

/** NOT_FOUND of gRPC. */
const not_found = 5

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === not_found
}
