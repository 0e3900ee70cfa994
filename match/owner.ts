import type { TradeRow } from '../domain/bill/row.ts'
import type { FeeTerms } from './fee.ts'

export interface MatchSettings {
  mchid: string
  /** what our numbers begin with; none: they may begin with anything */
  number_prefixes: readonly string[]
  /** the appids that orders of ours are placed under; none: any */
  appids: readonly string[]
  /** null: no rate is known, and fees are summed only */
  fee: FeeTerms | null
}

/** Whether a row that has no record here is another system's. */
export type ForeignTest = (row: TradeRow) => boolean

/** Of a row that has a record. */
export function isNeverForeign(): boolean {
  return false
}

function hasOurPrefix({ out_trade_no }: TradeRow, { number_prefixes }: MatchSettings): boolean {
  return number_prefixes.length === 0 || number_prefixes.some((prefix) => out_trade_no.startsWith(prefix))
}

function hasOurAppid({ appid }: TradeRow, { appids }: MatchSettings): boolean {
  return appids.length === 0 || appids.includes(appid)
}

/**
 * Whether our orders have to say whose a row is: a prefix that fits together with an appid of ours is enough. Without
 * them an order that was made before the prefix was agreed on would pass for another system's.
 */
export function isPlacementAsked(row: TradeRow, settings: MatchSettings): boolean {
  if (row.mchid !== settings.mchid) return false
  const is_told = settings.number_prefixes.length > 0 && hasOurPrefix(row, settings) && hasOurAppid(row, settings)
  return !is_told
}

/**
 * A row without a record is foreign when its number or its appid is not ours, or when numbers have no prefix and no order
 * of ours was ever made under this one. One that an order was made under is never foreign.
 */
export function foreignTest(settings: MatchSettings, placed: ReadonlySet<string>, is_asked: boolean): ForeignTest {
  return (row) => {
    if (placed.has(row.out_trade_no)) return false
    if (row.mchid !== settings.mchid || !hasOurPrefix(row, settings) || !hasOurAppid(row, settings)) return true
    return is_asked && settings.number_prefixes.length === 0
  }
}
