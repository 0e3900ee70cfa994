import type { OrderKey } from '../domain/ids.ts'
import type { Acknowledgements } from './acknowledgements.ts'
import { median, percentile, roundTo } from './figures.ts'
import type { FulfilmentResult } from './fulfilments.ts'
import type { MemoryResult } from './memory.ts'
import type { RefundRateResult } from './refunds.ts'

interface Latencies {
  create_ms: number[]
  page_ms: number[]
  ack_ms: number[]
  events: number[]
}

export interface PipelineResult {
  memory: MemoryResult<OrderKey>
  acks: Acknowledgements
  fulfilled: FulfilmentResult
  latencies: Latencies
}

/** The figures that the budgets name. */
export function pipelineFigures({ memory, acks, fulfilled, latencies }: PipelineResult): Record<string, number> {
  return {
    ack_ratio: roundTo(acks.comparison.ratio, 3),
    order_ratio: roundTo(fulfilled.comparison.ratio, 3),
    events_per_order: median(latencies.events),
    memory_per_waiting_order_kb: roundTo(memory.kb.workflows, 1),
    ack_p50_ms: roundTo(percentile(latencies.ack_ms, 0.5), 1),
    ack_p99_ms: roundTo(percentile(latencies.ack_ms, 0.99), 1),
    create_p95_ms: roundTo(percentile(latencies.create_ms, 0.95), 1),
    paid_to_page_p95_ms: roundTo(percentile(latencies.page_ms, 0.95), 1),
  }
}

export interface RefundPipelineResult {
  memory: MemoryResult<unknown>
  refunded: RefundRateResult
}

export function refundFigures({ memory, refunded }: RefundPipelineResult): Record<string, number> {
  return {
    refund_ratio: roundTo(refunded.comparison.ratio, 3),
    events_per_refund: median(refunded.events),
    memory_per_waiting_refund_kb: roundTo(memory.kb.workflows, 1),
  }
}

/** What each figure has to be: docs/performance.md. */
export const budgets: Record<string, { at: 'least' | 'most'; value: number; of: string }> = {
  ack_ratio: { at: 'least', value: 0.6, of: 'acknowledgements per bare signal-with-start' },
  order_ratio: { at: 'least', value: 0.7, of: 'orders paid to fulfilled per bare workflow with the same activities' },
  events_per_order: { at: 'most', value: 22, of: 'events in the history of a paid order' },
  memory_per_waiting_order_kb: {
    at: 'most',
    value: 75,
    of: 'KB of V8’s heap in the workflow thread per waiting order',
  },
  ack_p50_ms: { at: 'most', value: 300, of: 'ms to acknowledge, at 20 a second, half of them' },
  ack_p99_ms: { at: 'most', value: 300, of: 'ms to acknowledge, 99 of 100' },
  create_p95_ms: { at: 'most', value: 250, of: 'ms to create an order, at 10 a second, 95 of 100' },
  refund_ratio: {
    at: 'least',
    value: 0.7,
    of: 'refunds accepted to succeeded per bare workflow with the same activities',
  },
  events_per_refund: { at: 'most', value: 60, of: 'events in the history of a refund found by its notification' },
  memory_per_waiting_refund_kb: {
    at: 'most',
    value: 75,
    of: 'KB of V8’s heap in the workflow thread per waiting refund',
  },
  seconds: { at: 'most', value: 240, of: 's to read, match and classify the largest day, 3,000,000 rows' },
  postings_per_s: { at: 'least', value: 10_000, of: 'lines of bills posted in sheets, owners looked up' },
  orders_p95_ratio: { at: 'most', value: 2, of: 'p95 from paid to fulfilled, beside a day being compared over alone' },
  rss_max_mb: { at: 'most', value: 512, of: 'MB resident at the peak, in the process that does it' },
  pass_ratio: { at: 'least', value: 0.5, of: 'a bare pass that only reads both sides, in time' },
  seconds_per_million_spread: { at: 'most', value: 1.15, of: 'the slowest size per million rows over the fastest' },
  paid_to_page_p95_ms: { at: 'most', value: 500, of: 'ms from paid to the payer’s page, 95 of 100' },
}
