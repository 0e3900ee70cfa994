import { TemporalTimeout } from '../../runtime/temporal.ts'
import { StoreUnavailable, WriteContended } from '../../store/connection.ts'
import { TemporalUnavailable } from '../temporal/calls.ts'
import { Problem } from './problem.ts'
import type { AbsentPart } from './problem.ts'

/**
 * What cannot be reached, where that is all that an error says; null: it says something else. While a server is away every
 * request meets it, so it is logged apart (runtime/outage).
 */
export function absentPart(error: unknown): AbsentPart | null {
  if (error instanceof StoreUnavailable || error instanceof WriteContended) return 'database'
  if (error instanceof TemporalUnavailable || error instanceof TemporalTimeout) return 'temporal'
  return error instanceof Problem ? error.absent_part : null
}
