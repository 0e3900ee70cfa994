import { milliseconds } from './calendar.ts'
import type { Time } from './calendar.ts'

/** Why a person should look. Each code has one cause, and the remedy that goes with it is what a console button does. */
export const attention_texts = {
  not_placed:
    'WeChat has not confirmed the order; Weft keeps placing the same request. The detail quotes the last error.',
  wechat_setup:
    'WeChat refuses the merchant itself (key, certificate, permission or appid). Correct the credentials; all waiting work then goes on.',
  product_not_enabled:
    'WeChat refuses a way to pay to this merchant; the detail names it. Have the product enabled in its console, or take it out of the merchant’s products.',
  wechat_key_missing:
    'No key of WeChat Pay is here, or not the one that it signs with, so no answer can be believed. Add its public key, or let its certificates be downloaded.',
  payer_unknown:
    'WeChat has not said who a payer inside WeChat is, so he could not pay there on the checkout page. The detail names what to set in its console, or that WeChat failed twice in a row, which the next payer may not meet.',
  checkout_exhausted:
    'A payer of a checkout was refused: it has had as many orders as one may have. Find out who opens it again and again, cancel it, and make a new one for the sale.',
  wechat_unreachable: 'WeChat has not answered for minutes. Check the network to both of its hosts.',
  wechat_answer_unclear:
    'WeChat answers for minutes with a code that takes this no further; the detail quotes it. Look it up in WeChat Pay’s documents or ask its support. Weft asks again, and goes on when the answer changes.',
  close_uncertain:
    'WeChat has not confirmed the close for 30 minutes. The order stays open until a query proves it closed. The detail quotes WeChat’s answer to the close where it failed.',
  payment_contradicted: 'Money arrived that does not match the order. Accept or reject it.',
  refunded_outside: 'The payment was first seen as already refunded. Find out who refunded it.',
  late_payment_held: 'Money arrived after the order had ended, and the policy is to hold it. Refund or accept it.',
  phantom_payment:
    'WeChat says that the payment of this order was never made. Do not ship; look in its console, then accept or reject.',
  second_payment:
    'A second payment arrived for an order that was already paid. Reject it, and it goes back; or accept it.',
  orphan_payment: 'Money arrived for a number that Weft does not know. Find the system that made the order.',
  fulfilment_pending: 'The merchant said it would answer later, and half of the time is gone. Ask the merchant.',
  fulfilment_overdue: 'The merchant has not said that it shipped, or has said that it cannot. Ask, then decide.',
  delivery_failing:
    'The merchant’s endpoint has not taken an event in five attempts. See what it answers, and have it mended.',
  undelivered: 'An event was given up after the whole schedule. Send it once more when the endpoint works.',
  not_enough:
    'The merchant’s balance at WeChat Pay is too low for the refund. Top it up; the same refund then goes on.',
  refund_slow: 'WeChat has had the refund for days and has not finished it. Ask WeChat Pay’s support with its number.',
  refund_abnormal:
    'The payer’s account does not take the refund. Name another bank card, or have it sent to the merchant and pay by hand.',
  refund_closed:
    'WeChat closed a refund that is owed to the payer: the money is back here. Refund again, or pay by hand.',
  refund_refused: 'WeChat refuses a refund that is owed to the payer. Mend the cause and refund again, or pay by hand.',
  refund_owed:
    'WeChat has the payment of a refunded order after all, which it had said was never made. The payer is owed the money: refund it by its transaction_id.',
  refund_number_taken:
    'WeChat has another refund under this number, made outside Weft; this one was not made. Refund under a new number, or settle this.',
  returned_to_merchant:
    'WeChat paid the refund to the merchant’s own account. Pay the payer by hand and record the proof.',
  approval_waiting:
    'A refund above the limit waits for a second person’s approval. Approve or reject it with another key.',
  run_stuck:
    'A step of this run fails again and again, for a reason that no waiting mends. Read its error, mend the cause, then terminate the run in Temporal: it begins anew from its record.',
  book_adrift: 'Records and book disagree. Run the audit: it names every number and every fen.',
  evidence_unapplied:
    'Something that WeChat said has had no effect, or speaks of something else. Look at the log, then settle this.',
  notification_unreadable:
    'A notification of WeChat’s verifies, but says nothing that Weft can read. Look at the log for what it is, then settle this.',
  foreign_notification:
    'A notification speaks of another merchant number. Correct the notify address of the system that uses that number.',
  promotion_unreadable:
    'A payment came with a promotion that Weft cannot read; it is booked as if the merchant had given nothing away. Compare what WeChat settles.',
  signatures_failing:
    'Notifications arrive whose signature does not verify, and payments are found by asking only. Check the WeChat Pay public key.',
  clock_wrong:
    'Notifications that WeChat signed are refused as too old or too new: this machine’s clock is wrong. Set it by a time server.',
  wechat_key_new:
    'WeChat Pay shows a certificate that is new here. Compare serial and fingerprint with WeChat Pay’s console; drop it if it is not there.',
  key_expiring: 'A key to the API runs out within two weeks. Make a new one, and let the shop use it before.',
  bill_late: 'WeChat has not made a bill by 15:00. Weft keeps asking; look at its console whether the bill is there.',
  differences_open:
    'A bill and what is recorded differ, and nothing mends that by itself. Look at each difference and settle it.',
  differences_overdue: 'A difference was not settled by its due time. List what is open and due, and settle it.',
  day_unproven:
    'A day could not be proven, since its bill is not whole or disagrees with itself. Its reconciliation says why.',
  bill_expiring:
    'WeChat will soon have no bill any more of a day that is not proven. Have it looked at now: the detail names it and the command.',
  decryption_failing:
    'Notifications verify but do not decrypt: the APIv3 key here is not the one in WeChat’s console. Put that one into the merchant’s file.',
} as const

export type AttentionCode = keyof typeof attention_texts
export const attention_codes = Object.keys(attention_texts) as AttentionCode[]

/** What money waits behind: such a reason is taken away by what settles it, and never hidden behind another one. */
const money_codes: ReadonlySet<AttentionCode> = new Set([
  'payment_contradicted',
  'refunded_outside',
  'late_payment_held',
  'phantom_payment',
  'second_payment',
  'orphan_payment',
  'not_enough',
  'refund_slow',
  'refund_abnormal',
  'refund_closed',
  'refund_refused',
  'refund_owed',
  'refund_number_taken',
  'returned_to_merchant',
  'book_adrift',
  'evidence_unapplied',
  'decryption_failing',
  'notification_unreadable',
  'foreign_notification',
  'promotion_unreadable',
])

export function isAboutMoney(code: AttentionCode): boolean {
  return money_codes.has(code)
}

/** Attention says why a person should look, and since when. */
export interface Attention {
  code: AttentionCode
  since_time: Time
  /** which of several things is meant, or what WeChat Pay itself said; absent where the code says all */
  detail?: string | null
}

/** Attention as merchants see it, and nothing else of what carries it. */
export type AttentionView = Required<Attention>

export function attentionView({ code, since_time, detail = null }: Attention): AttentionView {
  return { code, since_time, detail }
}

/** Those about money first, then as they came. */
export function sortedByUrgency<A extends Attention>(given: readonly A[]): A[] {
  return given.toSorted(
    (a, b) =>
      Number(isAboutMoney(b.code)) - Number(isAboutMoney(a.code)) ||
      milliseconds(a.since_time) - milliseconds(b.since_time),
  )
}
