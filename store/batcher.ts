/** What came of one item of a batch. */
export type BatchOutcome<Answer> = { answer: Answer } | { error: unknown }

export interface BatcherSettings<Item, Answer> {
  /** Does one batch and tells, in the order of its items, what came of each. What it throws is of the batch as a whole. */
  run: (items: readonly Item[]) => Promise<BatchOutcome<Answer>[]>
  /** whose item it is: those who wait are served in turn, so that nobody's many items keep another's few waiting */
  laneOf: (item: Item) => string
}

interface WaitingItem<Item, Answer> {
  item: Item
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}

const most_at_once = 64
/** A batch that takes longer than any does on a database that is well holds nobody back. */
const patience_ms = 250

/**
 * Makes one call of many that come together: a lone item goes at once, those that come while it is under way are the next
 * batch. Each is answered by itself and only when its own batch has answered, and fails alone where it fails by itself.
 * For calls that may be made twice: a batch that failed at once is done again item by item.
 */
export function createBatcher<Item, Answer>({
  run,
  laneOf,
}: BatcherSettings<Item, Answer>): (item: Item) => Promise<Answer> {
  type Waiting = WaitingItem<Item, Answer>
  const lanes = new Map<string, Waiting[]>()
  /** the batch that the next one waits for */
  let latest: readonly Waiting[] | null = null

  function begin(): void {
    const batch = takeInTurn(lanes)
    const state = { is_slow: false }
    latest = batch
    const timer = setTimeout(() => {
      state.is_slow = true
      if (latest === batch) beginAll()
    }, patience_ms)
    void settle(run, batch, state).finally(() => {
      clearTimeout(timer)
      if (latest !== batch) return
      latest = null
      if (lanes.size > 0) begin()
    })
  }

  /** From here on the connections' own limits decide how long anybody waits, as they do for single calls. */
  function beginAll(): void {
    latest = null
    while (lanes.size > 0) begin()
  }

  return (item) =>
    new Promise((resolve, reject) => {
      const lane = laneOf(item)
      const waiting = lanes.get(lane) ?? []
      waiting.push({ item, resolve, reject })
      lanes.set(lane, waiting)
      if (latest === null) begin()
    })
}

/** Takes one of each lane in turn, whoever was served goes behind the others. */
function takeInTurn<Waiting>(lanes: Map<string, Waiting[]>): Waiting[] {
  const batch: Waiting[] = []
  for (const [lane, waiting] of lanes) {
    batch.push(...waiting.splice(0, 1))
    lanes.delete(lane)
    if (waiting.length > 0) lanes.set(lane, waiting) // the iteration comes to it again, behind the others
    if (batch.length === most_at_once) break
  }
  return batch
}

/** Never rejects. What failed slowly is not done again: its callers have waited long enough, and so has the database. */
async function settle<Item, Answer>(
  run: BatcherSettings<Item, Answer>['run'],
  batch: readonly WaitingItem<Item, Answer>[],
  state: { is_slow: boolean },
): Promise<void> {
  try {
    const outcomes = await run(batch.map(({ item }) => item))
    for (const [place, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[place] ?? { error: new Error('a batch did not answer one of its items') }
      if ('answer' in outcome) resolve(outcome.answer)
      else reject(outcome.error)
    }
  } catch (error) {
    if (batch.length > 1 && !state.is_slow) await Promise.all(batch.map((one) => settle(run, [one], state)))
    else for (const { reject } of batch) reject(error)
  }
}
