import type { Time } from './calendar.ts'

/** A run that cannot go on: the same step of it fails again and again, for another reason than that it waits. */
export interface StuckRunRecord {
  /** the workflow id */
  _id: string
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

/** What a workflow id is about: null for the runs of others. */
export function runSubject(workflow_id: string): { mchid: string; out_refund_no: string | null } | null {
  const [kind, mchid, number] = workflow_id.split('/')
  if (!mchid || !number || (kind !== 'order' && kind !== 'refund' && kind !== 'delivery')) return null
  return { mchid, out_refund_no: kind === 'refund' ? number : null }
}
