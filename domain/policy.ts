const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** All durations that decide what happens when, in milliseconds, and how. A run is told them by its `load` step. */
export interface Policy {
  /** how long after placing the first question is asked, and the jitter that spreads questions after an outage */
  first_query_ms: number
  first_query_jitter_ms: number
  /** when WeChat is asked, counted from placing; after the last entry every `query_every_ms` */
  query_plan_ms: readonly number[]
  query_every_ms: number
  /** at most one question on request per order in this time */
  query_on_request_ms: number
  /** waits between placements of unknown outcome; the last one repeats */
  place_retry_ms: readonly number[]
  /** with less than this left before `time_expire` an order is not placed any more */
  place_margin_ms: number
  /** a code older than this is renewed when it is asked for (WeChat's codes live 2 h) */
  code_renewal_ms: number
  code_life_ms: number
  /** the same of H5's address, which lives 5 min: whoever is handed one needs a moment to open it */
  h5_renewal_ms: number
  h5_life_ms: number
  /** waits between a close and the query that proves it; the last one repeats */
  close_retry_ms: readonly number[]
  /** "no such order" proves that nothing can be paid only this long after the last placement */
  unknown_number_ms: number
  /** waits between attempts of a delivery (api.md §7), counted from the attempt before */
  delivery_retry_ms: readonly number[]
  /** a gateway call that fails for the merchant's set-up is tried again this often */
  setup_retry_ms: number
  attention_ms: { not_placed: number; wechat_unreachable: number; close_uncertain: number; refund_slow: number }
  refund: RefundPolicy
  /**
   * first attempts of placing and of `order.paid` are made in line (activities/slots). Absent in what runs of before were
   * told: they go on as they began
   */
  calls_in_line?: boolean
}

/** What decides when something happens to a refund, in milliseconds (architecture §8). */
export interface RefundPolicy {
  /** waits between sends of unknown outcome; the last one repeats */
  submit_retry_ms: readonly number[]
  /** between two refunds of one payment, with a second to spare over WeChat's minute */
  spacing_ms: number
  /** a refusal is believed when a query this long after it does not know the refund */
  proof_ms: number
  /** how often a refund for which the balance is too low is sent again */
  not_enough_ms: number
  /** when WeChat is asked, counted from its acceptance; after the last entry every `query_every_ms` */
  query_plan_ms: readonly number[]
  query_every_ms: number
  /** the same while the payer's account refuses the money */
  abnormal_query_every_ms: number
  /** how long an approval may be waited for */
  approval_ms: number
  /** how long a refund that somebody asked for waits until the shop has heard that it must not ship */
  stop_hearing_ms: number
}

/** The plan for real money (docs/wechat-pay.md §4.8 and architecture §5, §13). */
export const default_policy: Policy = {
  first_query_ms: 30 * second,
  first_query_jitter_ms: 5 * second,
  query_plan_ms: [30 * second, minute, 3 * minute, 5 * minute, 10 * minute, 30 * minute],
  query_every_ms: 30 * minute,
  query_on_request_ms: 5 * second,
  place_retry_ms: [second, 2 * second, 5 * second, 10 * second, 30 * second, minute],
  place_margin_ms: 90 * second,
  code_renewal_ms: 110 * minute,
  code_life_ms: 120 * minute,
  h5_renewal_ms: 4 * minute,
  h5_life_ms: 5 * minute,
  close_retry_ms: [2 * second, 5 * second, 15 * second, 30 * second, minute, 5 * minute, 10 * minute, 30 * minute],
  unknown_number_ms: minute,
  delivery_retry_ms: [
    5 * second,
    30 * second,
    2 * minute,
    10 * minute,
    30 * minute,
    hour,
    2 * hour,
    4 * hour,
    8 * hour,
    12 * hour,
  ],
  setup_retry_ms: minute,
  attention_ms: {
    not_placed: 2 * minute,
    wechat_unreachable: 5 * minute,
    close_uncertain: 30 * minute,
    refund_slow: 3 * day,
  },
  refund: {
    submit_retry_ms: [2 * second, 5 * second, 15 * second, 30 * second, minute, 5 * minute, 10 * minute],
    spacing_ms: 61 * second,
    proof_ms: minute,
    not_enough_ms: 10 * minute,
    // Every minute for five, then after 5, 10, 20 and 30 minutes more.
    query_plan_ms: [1, 2, 3, 4, 5, 10, 20, 40, 70].map((minutes) => minutes * minute),
    query_every_ms: 30 * minute,
    abnormal_query_every_ms: 6 * hour,
    approval_ms: 3 * day,
    stop_hearing_ms: 10 * minute,
  },
  calls_in_line: true,
}

/** The same plan, `scale` times faster: for demonstrations and tests, never where live money is (runtime/config). */
export function scaledPolicy(plan: Policy, scale: number): Policy {
  if (!(scale >= 1)) throw new RangeError(`a time scale is 1 or more: ${scale}`)
  const shrink = (ms: number) => Math.max(1, Math.round(ms / scale))
  return {
    first_query_ms: shrink(plan.first_query_ms),
    first_query_jitter_ms: shrink(plan.first_query_jitter_ms),
    query_plan_ms: plan.query_plan_ms.map(shrink),
    query_every_ms: shrink(plan.query_every_ms),
    query_on_request_ms: shrink(plan.query_on_request_ms),
    place_retry_ms: plan.place_retry_ms.map(shrink),
    place_margin_ms: shrink(plan.place_margin_ms),
    code_renewal_ms: shrink(plan.code_renewal_ms),
    code_life_ms: shrink(plan.code_life_ms),
    h5_renewal_ms: shrink(plan.h5_renewal_ms),
    h5_life_ms: shrink(plan.h5_life_ms),
    close_retry_ms: plan.close_retry_ms.map(shrink),
    unknown_number_ms: shrink(plan.unknown_number_ms),
    delivery_retry_ms: plan.delivery_retry_ms.map(shrink),
    setup_retry_ms: shrink(plan.setup_retry_ms),
    attention_ms: {
      not_placed: shrink(plan.attention_ms.not_placed),
      wechat_unreachable: shrink(plan.attention_ms.wechat_unreachable),
      close_uncertain: shrink(plan.attention_ms.close_uncertain),
      refund_slow: shrink(plan.attention_ms.refund_slow),
    },
    refund: {
      submit_retry_ms: plan.refund.submit_retry_ms.map(shrink),
      // WeChat's own clock is not scaled by ours, but for the simulator, whose spacing is a setting.
      spacing_ms: shrink(plan.refund.spacing_ms),
      proof_ms: shrink(plan.refund.proof_ms),
      not_enough_ms: shrink(plan.refund.not_enough_ms),
      query_plan_ms: plan.refund.query_plan_ms.map(shrink),
      query_every_ms: shrink(plan.refund.query_every_ms),
      abnormal_query_every_ms: shrink(plan.refund.abnormal_query_every_ms),
      approval_ms: shrink(plan.refund.approval_ms),
      stop_hearing_ms: shrink(plan.refund.stop_hearing_ms),
    },
    ...(plan.calls_in_line !== undefined && { calls_in_line: plan.calls_in_line }),
  }
}

/** Milliseconds until the next question, `elapsed_ms` after placing: the plan, then every `query_every_ms`. */
export function nextQueryDelay(plan: Policy, elapsed_ms: number): number {
  const planned = plan.query_plan_ms.find((offset) => offset > elapsed_ms)
  if (planned !== undefined) return planned - elapsed_ms
  const beyond = elapsed_ms - (plan.query_plan_ms.at(-1) ?? 0)
  return plan.query_every_ms - (beyond % plan.query_every_ms)
}

/** Milliseconds until a refund is asked about next, `elapsed_ms` after WeChat took it. */
export function nextRefundQueryDelay({ refund }: Policy, elapsed_ms: number, is_abnormal: boolean): number {
  if (is_abnormal) return refund.abnormal_query_every_ms
  const planned = refund.query_plan_ms.find((offset) => offset > elapsed_ms)
  return planned === undefined ? refund.query_every_ms : planned - elapsed_ms
}

/** The wait after attempt number `attempt` (1, 2, …); the last of the plan repeats for ever. */
export function retryDelay(delays: readonly number[], attempt: number): number {
  const delay = delays[Math.min(Math.max(attempt, 1), delays.length) - 1]
  if (delay === undefined) throw new RangeError('a retry plan needs at least one delay')
  return delay
}

/** Limits that are not durations (architecture §4.9); each is enforced where it is named. */
export const limits = {
  request_body_bytes: 64 * 1024,
  request_header_bytes: 8 * 1024,
  connections: 5_000,
  query_bytes: 4 * 1024,
  query_parameters: 64,
  json_depth: 16,
  json_names: 256,
  /** of one problem, and the characters that each part of them is cut to */
  problem_errors: 20,
  problem_characters: 300,
  notification_body_bytes: 64 * 1024,
  /** above this a signal may not carry the envelope itself */
  envelope_bytes: 16 * 1024,
  /** a notification waits so long for the first key of its merchant: WeChat wants its answer within 5 s */
  first_key_wait_ms: 2_500,
  /** of one payment, ¥100,000,000: 900,000 such sums are still exact */
  total_fen: 10_000_000_000,
  /** the longest that WeChat Pay takes of a text, which it counts in bytes (docs/wechat-pay.md §1.2) */
  wechat_bytes: { description: 127, attach: 128, refund_reason: 80 },
  /** an event of a refund holds the metadata of two, and is at most 20 kB */
  metadata_bytes: 6 * 1024,
  return_url_bytes: 512,
  /** notifications that an api keeps in mind while Temporal is away; it hands over some 200 a second */
  handovers_kept: 5_000,
  answer_kept_bytes: 1024,
  checks_by_payer: 20,
  write_contentions: 5,
  sweep_batch: 200,
  deliveries_at_once_per_merchant: 8,
  /** of one worker process: each keeps one of its slots for workflow tasks */
  calls_in_line: 20,
  calls_in_line_per_merchant: 8,
  delivery_failing_attempts: 5,
  endpoints_per_merchant: 16,
  /** each is another way to pay or another payer; their numbers end in -2 to -20 */
  orders_per_checkout: 20,
  order_expire_in_s: { min: 120, max: 604_800, default: 1_800 },
} as const

/** Money for an unknown number: its order may only be late. After this WeChat is asked, and then again at this pace. */
export const orphan_pace = { first_ms: 10 * minute, every_ms: 60 * minute } as const

/** How long before a key to the API runs out a person is told. */
export const key_notice_ms = 14 * day

/** An event whose place in the feed is taken is waited for so long, before readers go past it. */
export const feed_patience_ms = 30 * second

/** An observer that failed for this long is disabled (api.md §7); the fulfilment endpoint never is. */
export const observer_patience_ms = 5 * day
