import type { Time } from './calendar.ts'

/** A run that cannot go on: the same step of it fails again and again, for another reason than that it waits. */
export interface StuckRunRecord {
  /** the workflow id */
  _id: string
  /** empty: no merchant's alone, so that only the log and the metric tell of it */
  mchid: string
  run_id: string
  out_trade_no: string | null
  out_refund_no: string | null
  /** `workflow_task`, or the name of the activity */
  step: string
  error: string
  attempts: number
  since_time: Time
  /** when it was last looked at, and failed still */
  seen_time: Time
}

/** How the ids of workflows about one merchant's things begin (`workflowId` in domain/ids.ts). */
const kinds: readonly unknown[] = ['order', 'refund', 'delivery', 'reconcile', 'conclude']

/** Whose a run is, by its workflow id. What is about no merchant, as the run that starts all days, has none. */
export function runSubject(workflow_id: string): { mchid: string; out_refund_no: string | null } {
  const [kind, mchid = '', number = ''] = workflow_id.split('/')
  if (!kinds.includes(kind) || number === '') return { mchid: '', out_refund_no: null }
  return { mchid, out_refund_no: kind === 'refund' ? number : null }
}
