/**
 * What makes a record that was read back unusable: a word that no rule knows, a timeline that does not lead to the
 * state, an amount that is no number of fen. Cheap, since every read asks: a timeline is looked at by its ends only.
 */
export type Flaw = string | null

interface FlawlessTimeline {
  state: string
  revision: number
  timeline: readonly { revision: number; event: string; to: string }[]
}

/** The first flaw of a record with a timeline; null: none. `states`, `events`: the words that the rules know. */
export function timelineFlaw(
  { state, revision, timeline }: FlawlessTimeline,
  states: ReadonlySet<string>,
  events: ReadonlySet<string>,
): Flaw {
  if (!states.has(state)) return `its state is ${state}, which is none`
  if (!Number.isSafeInteger(revision)) return `its revision is ${revision}`
  const [first, last] = [timeline[0], timeline.at(-1)]
  if (first === undefined || last === undefined) return null
  if (!events.has(last.event)) return `its last event is ${last.event}, which is none`
  if (last.to !== state) return `its state is ${state}, and its timeline ends in ${last.to}`
  if (last.revision !== revision) return `its revision is ${revision}, and its timeline ends at ${last.revision}`
  const length = last.revision - first.revision + 1
  if (length !== timeline.length) return `its timeline has ${timeline.length} entries for ${length} revisions`
  return null
}

/** The first of these amounts that is no whole number of fen, by its name. */
export function amountFlaw(amounts: Readonly<Record<string, number>>): Flaw {
  for (const [name, fen] of Object.entries(amounts)) {
    if (!Number.isSafeInteger(fen)) return `its ${name} is ${fen}, which is no amount of fen`
  }
  return null
}
