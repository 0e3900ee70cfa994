import { z } from 'zod'
import { fee_rate_pattern } from './bills/form.ts'

const rate = z.number().positive().nullable()

/**
 * Everything about the simulator that can be chosen. A choice that begins with "where the sources …" is one of
 * docs/wechat-pay.md §8: not a fact about WeChat Pay, hence a setting.
 */
export const settingsSchema = z.strictObject({
  /** where to listen; loopback, because the control side has no key */
  host: z.string().default('127.0.0.1'),
  /** 0 takes any free port */
  port: z.number().int().min(0).max(65_535).default(7701),
  /** where keys and state are kept over a restart; null keeps them in memory only */
  data_dir: z.string().min(1).nullable().default(null),
  /** divides the delays between the deliveries of a notification, and those of refunds */
  time_scale: z.number().positive().default(1),
  /** seeds everything that is left to chance: probes, fault rates, which key signs */
  seed: z.number().int().default(1),
  /** share of answers and notifications that carry a deliberately wrong signature */
  probe_rate: z.number().min(0).max(1).default(0.001),
  /** how long a receiver of a notification may take to answer */
  notify_answer_limit_ms: z.number().int().positive().default(5_000),
  /** deliveries of one notification; where the sources leave open whether the first one counts */
  notify_deliveries: z.enum(['first_and_15', '15_in_all']).default('first_and_15'),
  /** whether a plain-http notify_url is delivered to; WeChat Pay sends nothing there, a developer's machine needs it */
  notify_http: z.enum(['never', 'loopback', 'always']).default('loopback'),
  /** notifications under way at once; more wait for their turn */
  notify_concurrency: z.number().int().positive().default(128),
  /** how long a refund to the payer's balance takes, and one to a bank card (real ones: 1 to 3 working days) */
  refund_balance_delay_ms: z.number().int().nonnegative().default(5_000),
  refund_card_delay_ms: z
    .number()
    .int()
    .nonnegative()
    .default(2 * 24 * 3_600_000),
  /** least time between two refunds of one payment; 0: none. Not divided by time_scale */
  refund_spacing_ms: z.number().int().nonnegative().default(60_000),
  /** the answer to a refund that comes sooner */
  refund_too_soon: z.enum(['FREQUENCY_LIMITED', 'INVALID_REQUEST']).default('FREQUENCY_LIMITED'),
  /** the answer to a refund of a payment older than a year */
  refund_overdue: z.enum(['TRADE_OVERDUE', 'INVALID_REQUEST']).default('TRADE_OVERDUE'),
  /** what of a known refund number must be as it was: order and amounts, or every parameter */
  refund_reentry: z.enum(['amounts', 'parameters']).default('amounts'),
  /** when a refunded order's trade_state turns to REFUND; where the sources disagree */
  refund_shown: z.enum(['at_acceptance', 'at_success']).default('at_acceptance'),
  /**
   * a refund without notify_url, while the console has an address for refunds: WeChat Pay then sends APIv2's XML, which
   * this simulator does not speak, hence nothing; `v3` sends the ordinary notification
   */
  refund_without_url: z.enum(['nothing', 'v3']).default('nothing'),
  /** how long an h5_url can be opened */
  h5_life_ms: z.number().int().positive().default(300_000),
  /** an h5_url whose order says that the payer is on loopback, or in a private network: WeChat Pay refuses it */
  loopback_payer: z.enum(['refuse', 'allow']).default('refuse'),
  /** how long a code_url or prepay_id can be paid, and how long an unpaid order lives before WeChat Pay closes it */
  code_life_ms: z
    .number()
    .int()
    .positive()
    .default(2 * 3_600_000),
  order_life_ms: z
    .number()
    .int()
    .positive()
    .default(7 * 24 * 3_600_000),
  /** longest time_expire, in days; where the sources disagree */
  time_expire_days: z.union([z.literal(7), z.literal(15)]).default(7),
  /** the same number with other parameters */
  place_mismatch: z.enum(['INVALID_REQUEST', 'OUT_TRADE_NO_USED']).default('INVALID_REQUEST'),
  /** placing a paid number */
  place_paid: z.enum(['ORDERPAID', 'ORDER_PAID', 'INVALID_REQUEST']).default('ORDERPAID'),
  /** closing a paid order: the code's spelling, or 403 */
  close_paid: z.enum(['ORDER_PAID', 'ORDERPAID', 'ORDER_PAID_403']).default('ORDER_PAID'),
  /** closing a number never placed */
  close_unknown: z.enum(['no_content', 'ORDER_NOT_EXIST']).default('no_content'),
  /** closing within five minutes of placing */
  close_early: z.enum(['allow', 'refuse']).default('allow'),
  /** the mchid of a merchant that is not registered, in the Authorization of an order call */
  unknown_merchant: z.enum(['MCH_NOT_EXISTS', 'SIGN_ERROR']).default('MCH_NOT_EXISTS'),
  /** a JSON null in a request */
  null_fields: z.enum(['refuse', 'absent']).default('refuse'),
  /** `attach` of an order placed without one, in queries and notifications of the paid order */
  attach_when_none: z.enum(['absent', 'empty']).default('absent'),
  /** whether a query of an unpaid order shows its amount */
  amount_when_unpaid: z.enum(['absent', 'present']).default('absent'),
  /** the code of a 429 */
  too_many_code: z.enum(['FREQUENCY_LIMITED', 'RATELIMIT_EXCEEDED']).default('FREQUENCY_LIMITED'),
  /** whether a 401 of an order call carries a Request-ID */
  unauthorized_request_id: z.enum(['absent', 'present']).default('absent'),
  /** a nonce used twice within the window */
  nonce_replay: z.enum(['accept', 'refuse']).default('accept'),
  /** calls per second and merchant; null has no limit. Those with a number are published */
  place_rate: rate.default(null),
  query_rate: rate.default(null),
  close_rate: rate.default(null),
  certificates_rate: rate.default(1_000),
  refund_rate: rate.default(150),
  query_refund_rate: rate.default(300),
  abnormal_refund_rate: rate.default(150),
  /** refused refunds per second and merchant; once there were so many, all of that second are answered 429 */
  refund_failing_rate: rate.default(6),
  /** applications for bills; that for fund flow is published */
  trade_bill_rate: rate.default(null),
  fund_flow_bill_rate: rate.default(3),
  bill_download_rate: rate.default(null),
  /** of what payments settle, WeChat Pay's fee: of merchants that are registered with none of their own */
  fee_rate: z.string().regex(fee_rate_pattern).default('0.60%'),
  /** 账户结余 of every merchant before its first movement, fen */
  account_opening: z.number().int().nonnegative().default(100_000_000),
  /** the answer for a bill before 09:00 of the next day, when nothing has been made yet */
  bill_unmade: z.enum(['STATEMENT_CREATING', 'NO_STATEMENT_EXIST']).default('STATEMENT_CREATING'),
  /** the answer for the bill of today or of a later day */
  bill_too_early: z.enum(['INVALID_REQUEST', 'PARAM_ERROR']).default('INVALID_REQUEST'),
  /** whether the fee that a refund gave back is charged again when the refund is closed; no source says */
  closed_refund_fee: z.enum(['kept_back', 'charged_again']).default('kept_back'),
  /** how long a link to a bill's file lives */
  bill_link_ms: z.number().int().positive().default(300_000),
  /** how long an unanswered call is held open by a time-out fault before its connection is cut */
  hold_ms: z.number().int().positive().default(60_000),
  /** orders kept; the oldest is forgotten beyond it */
  max_orders: z.number().int().positive().default(200_000),
})

export type SimulatorSettings = z.infer<typeof settingsSchema>

/** A setting from the environment that cannot be used. `message` has one line per mistake. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** Fills in what is not given. Throws SettingsError with one line per mistake. */
export function completeSettings(given: z.input<typeof settingsSchema>): SimulatorSettings {
  const outcome = settingsSchema.safeParse(given)
  if (outcome.success) return outcome.data
  throw new SettingsError(outcome.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'))
}

/**
 * Reads `SIMULATOR_<NAME>` for every setting, e.g. `SIMULATOR_TIME_SCALE=60`. An empty value counts as not given;
 * `null`, numbers and booleans are written as in JSON. Throws SettingsError.
 */
export function settingsFromEnvironment(environment: Record<string, string | undefined>): SimulatorSettings {
  const given: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(settingsSchema.shape)) {
    const text = environment[`SIMULATOR_${name.toUpperCase()}`]
    if (text === undefined || text === '') continue
    given[name] = schema.safeParse(text).success && text !== 'null' ? text : valueFromText(text)
  }
  return completeSettings(given)
}

function valueFromText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // the schema says what is wrong with it
  }
}
