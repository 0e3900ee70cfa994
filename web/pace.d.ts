import type { PayerView } from '../api/checkout/view.ts'

/** A stream as the page sees it; `heard_ms`: when something last came by it. */
export interface HeardStream {
  opened_ms: number
  heard_ms: number | null
}

/** What decides when the page asks next. */
export interface PacedPage {
  view: Pick<PayerView, 'state' | 'scene'>
  is_hidden: boolean
  stream: HeardStream | null
  now_ms: number
}

/** What tells which of two views is the newer. */
type SeenView = Pick<PayerView, 'turn' | 'out_trade_no' | 'revision' | 'money'>

export const stream_again_ms: number
export const ask_limit_ms: number
export function isResting(view: Pick<PayerView, 'state'>): boolean
export function askingInterval(page: PacedPage): number | null
export function isOvertaken(view: SeenView, seen: SeenView): boolean
export function isMute(stream: HeardStream, now_ms: number): boolean
