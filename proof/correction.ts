import type { Time } from '../domain/calendar.ts'
import { causeId, journalId } from '../domain/ids.ts'
import { reversalEntry } from '../domain/journal.ts'
import type { Correction, JournalEntry } from '../domain/journal.ts'
import { isFresh } from './finding.ts'
import type { Dossier, ProofMoment } from './finding.ts'
import { expectedEntries, isSameBooking, standingEntries } from './journal.ts'

/**
 * The entries that bring the book under one number to what its records call for: each that stands and is wrong, doubled
 * or unexplained is taken back exactly, and what is then missing is posted anew. Empty where nothing is to be corrected.
 * What Weft may be about to write itself is left alone, and so is an entry whose amounts are no whole fen.
 */
export function planCorrection(
  dossier: Dossier,
  moment: ProofMoment,
  { booked_time, ...correction }: Correction & { booked_time: Time },
): JournalEntry[] {
  const { standing, astray } = standingEntries(dossier)
  const { expected } = expectedEntries(dossier, moment)
  const taken_ids = new Set(dossier.entries.map(({ _id }) => _id))
  // A reversal of other amounts, or of nothing, is taken back like any entry that is wrong, and what it was meant for too.
  const reversals = [...astray]
  const anew: JournalEntry[] = []
  for (const { entry, under_way } of expected) {
    const booked = standing.get(entry._id) ?? []
    standing.delete(entry._id)
    const right = booked.find((one) => isSameBooking(one, entry))
    reversals.push(...booked.filter((one) => one !== right))
    if (right !== undefined || (booked.length === 0 && under_way)) continue
    anew.push({ ...entry, _id: freeId(entry._id, taken_ids), booked_time, correction })
  }
  const unexplained = [...standing.values()].flat().filter((entry) => !isFresh(entry.booked_time, moment))
  return [
    ...[...reversals, ...unexplained].filter(isReversible).map((entry) => {
      const times = { occurred_time: entry.occurred_time, booked_time, evidence_id: entry.evidence_id }
      return { ...reversalEntry(entry, times), _id: freeReversalId(entry._id, taken_ids), correction }
    }),
    ...anew,
  ]
}

/** The id under which a cause is posted next: its own where it was never booked, else with the next number. */
function freeId(entry_id: string, taken: ReadonlySet<string>): string {
  const cause = causeId(entry_id)
  let time = 1
  while (taken.has(journalId.anew(cause, time))) time += 1
  return journalId.anew(cause, time)
}

function freeReversalId(entry_id: string, taken: ReadonlySet<string>): string {
  const first = journalId.reversal(entry_id)
  if (!taken.has(first)) return first
  let time = 2
  while (taken.has(journalId.furtherReversal(entry_id, time))) time += 1
  return journalId.furtherReversal(entry_id, time)
}

function isReversible({ postings }: JournalEntry): boolean {
  return postings.every(({ amount }) => Number.isSafeInteger(amount))
}
