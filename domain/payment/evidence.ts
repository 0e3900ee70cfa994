import type { Time } from '../calendar.ts'
import type { Sealed } from '../merchant/record.ts'

/** A message as it came, still encrypted: headers in lower case and the exact body. */
export interface Envelope {
  headers: Record<string, string>
  body: string
}

export type EvidenceOutcome = 'applied' | 'linked' | 'orphan' | 'foreign' | 'no_effect'

/** `merchant`: a confirmation that no worker took. `operator`: the same, as earlier versions stored it. */
export type EvidenceKind = 'notification' | 'query' | 'bill_line' | 'merchant' | 'operator'

/** By what a payment counts as found, of whose money this evidence was the first word. */
export const evidence_finders = {
  notification: 'notification',
  query: 'query',
  bill_line: 'bill',
  merchant: 'operator',
  operator: 'operator',
} as const satisfies Record<EvidenceKind, string>

/** The kinds under which a merchant's confirmation is stored. */
export const confirmation_kinds = ['merchant', 'operator'] as const satisfies readonly EvidenceKind[]

/** Whether the evidence is a merchant's confirmation that was kept for later. */
export function isConfirmationEvidence({ kind }: { kind: EvidenceKind }): boolean {
  return confirmation_kinds.some((one) => one === kind)
}

export interface EvidenceRecord {
  /** <mchid>/<kind>/<natural id>; of a notification under the id of another one: /<body_sha256> behind it */
  _id: string
  /** evd_… */
  id: string
  mchid: string
  kind: EvidenceKind
  subject: 'payment' | 'refund'
  out_trade_no: string | null
  transaction_id: string | null
  out_refund_no: string | null
  /** `unsigned`: WeChat Pay does not sign what is no success; both of its hosts said so */
  verdict: 'verified' | 'undecipherable' | 'foreign_mchid' | 'unsigned'
  serial_no: string | null
  body_sha256: string
  /** a notification as it came; the other kinds sealed, since they are plaintext */
  raw: Envelope | Sealed
  receive_time: Time
  /** how often it came again; absent: never */
  repeats?: number
  /** absent once `outcome` is set: the sweeper's sparse index */
  unapplied?: true
  outcome: EvidenceOutcome | null
  applied_time: Time | null
  /** the order or refund it had its effect on */
  applied_to: string | null
}
