import { damage_texts } from '../../../domain/bill/damage.ts'
import { isBillGone } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord } from '../../../domain/bill/reconciliation.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { BillDamaged, readOriginal } from '../../../store/original.ts'
import type { EndpointCall } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'

type OriginalCall = Pick<EndpointCall, 'context' | 'log'>

/** A file up to here is read once before the first byte of it is answered: half a second of work. */
const most_checked_bytes = 64 * 1024 ** 2
/** one day is looked at anew for requests so often at most */
const renewed_every_ms = 60_000
const retry_after_s = '30'

/** Throws where WeChat Pay had nothing to list, and so made no file. */
export function assertFile({ state, bill_date, type, version, fetch_time }: BillRecord): void {
  if (state === 'none') throw new Problem('original_absent', { values: { bill_date, type, version, fetch_time } })
}

/** Throws where the file was dropped, as the merchant wants it. */
export function assertKept({ dropped_time }: BillRecord): void {
  if (dropped_time !== undefined) throw new Problem('original_dropped', { values: { time: dropped_time } })
}

/**
 * Throws unless what is kept is the file, as far as its size allows to know that before anything is answered. The problem
 * says what is done about it; a larger file is checked while it is sent, by `watchedRead`.
 */
export async function assertWhole(call: OriginalCall, bill: BillRecord): Promise<void> {
  if (bill.state === 'none') return
  if (bill.damaged_time !== undefined)
    throw await damageProblem(call, bill, damage_texts.known_since(bill.damaged_time))
  if (bill.byte_count > most_checked_bytes) return
  for await (const _ of watchedRead(call, bill, readOriginal(call.context.store, bill)));
}

/**
 * Passes `content` on, which reads this bill. Damage ends it by the problem that says what is done about it: the answer
 * if nothing was sent yet, and else the end of the connection, which no reader takes for the end of the file.
 */
export async function* watchedRead(
  call: OriginalCall,
  bill: BillRecord,
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* content
  } catch (error) {
    throw error instanceof BillDamaged ? await damageProblem(call, error.bill, error.message) : error
  }
}

/** Notes and logs the damage, and has the day looked at where that fetches the file again. */
async function damageProblem({ context, log }: OriginalCall, bill: BillRecord, flaw: string): Promise<Problem> {
  const { store, now } = context
  const { mchid, bill_date, type, version } = bill
  log.error('the original of a bill is damaged', { bill: bill._id, why: flaw })
  await store.bills.noteDamaged(bill, bill.damaged_time ?? beijingTime(now()))
  const newest = await store.bills.newest(bill, type)
  const values = { bill_date, type, version, flaw }
  // WeChat Pay gives the version that it issued last, and of that only for three months.
  if (newest?.version !== version || isBillGone(bill_date, now())) return new Problem('original_lost', { values })
  if (newest.dropped_time !== undefined)
    return new Problem('original_dropped', { values: { time: newest.dropped_time } })
  const question = {
    subject: `day:${mchid}/${bill_date}`,
    mchid,
    every_ms: renewed_every_ms,
    asked_by: 'merchant',
  } as const
  await context.questions
    .put(question, () => context.commands.startDay({ mchid, bill_date }))
    .catch((error: unknown) => log.warn('a day was not looked at for its damaged bill', { bill_date, error }))
  return new Problem('original_damaged', { values, headers: { 'Retry-After': retry_after_s } })
}
