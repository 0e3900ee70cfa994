/** The accounts of a merchant at WeChat Pay, as it calls them: 基本账户, 运营账户, 手续费账户. */
export const flow_accounts = ['BASIC', 'OPERATION', 'FEES'] as const
export type FlowAccount = (typeof flow_accounts)[number]

/** FeeRate is what was agreed on from a Beijing day on, until a later one of the same `trade_type`. */
export interface FeeRate {
  /** 2026-01-01 */
  from_date: string
  /** millionths of the amount that settles: 0.6 % is 6000 */
  rate_ppm: number
  /** NATIVE, JSAPI and so on; absent or null: all that have no rate of their own */
  trade_type?: string | null
}

/** FeeContract is what WeChat Pay may charge, and how far off it may be before anybody is told. */
export interface FeeContract {
  rates: FeeRate[]
  /** fen of one payment */
  line_tolerance: number
  /** fen of a day's payments that are off by more than that, all together */
  day_tolerance: number
}

/** A file is never dropped while WeChat still has it, which is for three months. */
export const least_keep_days = 100

/** BillSettings is what a merchant has said about its bills. */
export interface BillSettings {
  /** what the numbers of its orders here begin with; none: they may begin with anything */
  number_prefixes: string[]
  /** null: fees are summed only */
  fee_contract: FeeContract | null
  /** whose fund flows are fetched and posted; the basic one is always among them */
  accounts: FlowAccount[]
  /** days for which the files themselves are kept; null: for good */
  keep_days: number | null
}

export const default_bill_settings: BillSettings = {
  number_prefixes: [],
  fee_contract: null,
  accounts: ['BASIC'],
  keep_days: null,
}

/** A merchant's own, with what it never said; one of an earlier version said nothing. */
export function billSettings({ bills }: { bills?: Partial<BillSettings> | null }): BillSettings {
  return { ...default_bill_settings, ...bills }
}

/** The rates that hold on a day, in millionths: `base` of all that have none of their own. Null: none is agreed. */
export function ratesOn(
  { rates }: FeeContract,
  bill_date: string,
): { base: number; by_trade_type: Record<string, number> } | null {
  const holding = rates
    .filter(({ from_date }) => from_date <= bill_date)
    .sort((left, right) => (left.from_date < right.from_date ? -1 : 1))
  const base = holding.findLast(({ trade_type = null }) => trade_type === null)
  if (base === undefined) return null
  const own = holding.flatMap(({ trade_type, rate_ppm }) => (trade_type ? [[trade_type, rate_ppm] as const] : []))
  return { base: base.rate_ppm, by_trade_type: Object.fromEntries(own) }
}
