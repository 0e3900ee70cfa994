import { Worker } from '@temporalio/worker'
import type { NativeConnection } from '@temporalio/worker'
import type { WorkerOptions } from '@temporalio/worker'
import { returnWithDatabase } from '../activities/failure.ts'
import { queueName } from '../domain/messages.ts'
import type { Queue } from '../domain/messages.ts'

export interface WorkerSettings {
  connection: NativeConnection
  namespace: string
  queue_prefix: string
  bundle: NonNullable<WorkerOptions['workflowBundle']>
  /** the version these workers are of; absent or null: without versions */
  deployment?: { name: string; build_id: string } | null
  /** activities by queue; `orders` also runs the workflows */
  activities: Record<Queue, object>
}

/** Grace < force < the 60 s after which an orchestrator kills (architecture §15). */
const shutdown_times = { shutdownGraceTime: '25s', shutdownForceTime: '40s' } as const

/**
 * Limits of one worker process by queue. Polls wait apart from placing: behind 200 of them a new order would wait 14 s.
 */
const concurrency_limits: Record<Queue, Partial<WorkerOptions>> = {
  orders: {
    // A call in line keeps one for as long as it takes, and at most 20 are (domain/policy, limits).
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentLocalActivityExecutions: 100,
    maxConcurrentActivityTaskExecutions: 50,
    maxCachedWorkflows: 2_000,
  },
  gateway: { maxConcurrentActivityTaskExecutions: 100 },
  gateway_poll: { maxConcurrentActivityTaskExecutions: 50 },
  merchant: { maxConcurrentActivityTaskExecutions: 100 },
  notice: { maxConcurrentActivityTaskExecutions: 50 },
  // Few, since each reads a whole day: a bill never stands before an order.
  bills: { maxConcurrentActivityTaskExecutions: 4 },
}

/** One worker per queue, in this process. */
export async function createWorkers(settings: WorkerSettings): Promise<Worker[]> {
  const { connection, namespace, queue_prefix, bundle, activities, deployment } = settings
  const queues = Object.keys(concurrency_limits) as Queue[]
  return await Promise.all(
    queues.map((queue) =>
      Worker.create({
        connection,
        namespace,
        taskQueue: queueName(queue, queue_prefix),
        activities: activities[queue],
        ...(queue === 'orders' && { workflowBundle: bundle }),
        ...concurrency_limits[queue],
        ...shutdown_times,
        interceptors: { activity: [returnWithDatabase] },
        ...(deployment && { workerDeploymentOptions: deploymentOptions(deployment) }),
      }),
    ),
  )
}

/** Orders live longer than a version: each goes on with the newest one, and replay keeps that safe (architecture §15). */
export function deploymentOptions({ name, build_id }: NonNullable<WorkerSettings['deployment']>) {
  return {
    version: { deploymentName: name, buildId: build_id },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  } as const
}
