/**
 * A rule of this domain made a change that must never be written: a mistake in this program, which no repeat mends.
 * Nothing is written, so what was true stays true; the step is tried again and goes on once the program is corrected.
 */
export class PostconditionBroken extends Error {
  override readonly name = 'PostconditionBroken'

  constructor(_id: string, event: string, broken: readonly string[]) {
    super(`${event} would leave ${_id} unsound: ${broken.join('; ')}`)
  }
}

/** What a change of a record must fulfil: the sentence that says so, and whether it does. */
export type Postcondition = readonly [says: string, holds: boolean]

/** Throws `PostconditionBroken`, naming every condition that does not hold. */
export function assertPostconditions(_id: string, event: string, conditions: readonly Postcondition[]): void {
  const broken = conditions.flatMap(([says, holds]) => (holds ? [] : [says]))
  if (broken.length > 0) throw new PostconditionBroken(_id, event, broken)
}

interface TimelineChange {
  entry: { revision: number; from: string; to: string }
  set: { state?: string; next_action?: unknown; attention?: unknown }
  unset: readonly string[]
}

/** What every change of a record with a timeline fulfils, of an order as of a refund. */
export function timelinePostconditions(
  record: { state: string; revision: number },
  { entry, set, unset }: TimelineChange,
): Postcondition[] {
  return [
    ['the revision grows by one', entry.revision === record.revision + 1],
    ['the entry leaves the state that holds', entry.from === record.state],
    ['the state is the one that the entry leads to', entry.to === set.state],
    ['next_action is either set or taken away', (set.next_action !== undefined) !== unset.includes('next_action')],
    ['attention is either set or taken away', (set.attention !== undefined) !== unset.includes('attention')],
  ]
}
