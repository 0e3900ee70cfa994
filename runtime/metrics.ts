import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds; fine where the promises are: acknowledgements within 300 ms, WeChat's limit at 5 s. */
const fast_buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2.5, 5, 10]
const slow_buckets = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 20]

export type Metrics = ReturnType<typeof createMetrics>

/**
 * All that one process counts, in a registry of its own, so that two roles in one process (and two tests) do not share
 * numbers. `process_metrics` adds Node's own: only once per process.
 */
export function createMetrics({ process_metrics = false }: { process_metrics?: boolean } = {}) {
  const registry = new Registry()
  const registers = [registry]
  if (process_metrics) collectDefaultMetrics({ register: registry })
  return {
    registry,
    requests: new Histogram({
      name: 'weft_http_request_seconds',
      help: 'Answers of the API by method, route and status',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: fast_buckets,
      registers,
    }),
    notifications: new Counter({
      name: 'weft_notifications_total',
      help: 'Notifications received, by what became of them',
      labelNames: ['result'] as const,
      registers,
    }),
    acknowledgements: new Histogram({
      name: 'weft_notification_acknowledgement_seconds',
      help: 'From a notification’s headers to its answer, by status',
      labelNames: ['status'] as const,
      buckets: fast_buckets,
      registers,
    }),
    commands: new Histogram({
      name: 'weft_temporal_command_seconds',
      help: 'Calls of the API to Temporal, by command and outcome',
      labelNames: ['command', 'outcome'] as const,
      buckets: slow_buckets,
      registers,
    }),
    gateway_calls: new Histogram({
      name: 'weft_gateway_call_seconds',
      help: 'Calls to WeChat Pay, by operation and outcome',
      labelNames: ['operation', 'outcome'] as const,
      buckets: slow_buckets,
      registers,
    }),
    swept: new Counter({
      name: 'weft_swept_total',
      help: 'What the sweeper found waiting and handed over, by kind',
      labelNames: ['kind'] as const,
      registers,
    }),
    stuck_runs: new Gauge({
      name: 'weft_stuck_runs',
      help: 'Runs that cannot go on, as the worker counted them that looks after them',
      registers,
    }),
    wechat_members: new Gauge({
      name: 'weft_wechat_members',
      help: 'Processes among which this one divides the limits of WeChat Pay; 0 while it is not counted by all',
      registers,
    }),
    found_by_query_share: new Gauge({
      name: 'weft_found_by_query_share',
      help: 'Of the payments of the newest day that was reported, the share that no notification told first, by merchant',
      labelNames: ['mchid'] as const,
      registers,
    }),
    backlog_age: new Gauge({
      name: 'weft_order_queue_backlog_seconds',
      help: 'Age of the oldest order task that no worker has taken',
      registers,
    }),
  }
}
