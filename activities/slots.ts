import { limits } from '../domain/policy.ts'

/** What is called: a merchant's endpoint by its id, or WeChat Pay for a merchant's placements by its mchid. */
export interface CallTarget {
  kind: 'endpoint' | 'placement'
  id: string
}

/** What a call in line answers where nothing was sent, because the regular activity is to make it. */
export interface NotTried {
  kind: 'not_tried'
}

/**
 * CallSlots decides which calls are made in line: within the workflow task, which keeps one of its worker's few slots
 * until the answer is there. Only where the last call was quick, and few at once, so that nobody's slow endpoint holds
 * up the orders of others. One per worker process, in memory: protection, no promise.
 */
export interface CallSlots {
  /** Makes a call, in line or not, and remembers how quick it was. One that throws did not go well. */
  watch<T>(target: CallTarget, call: () => Promise<T>, wentWell?: (answer: T) => boolean): Promise<T>
  /** Takes a slot for a call in line, which is given back by what is returned; null: the call goes the regular way. */
  take(mchid: string, target: CallTarget): (() => void) | null
}

/** A call that took longer was not quick. It counts as slow from that moment, while it is still under way. */
const quick_ms = { endpoint: 500, placement: 700 } as const

/**
 * After a call in line that took so long, its target goes the regular way for a time, however quick that is: an endpoint
 * that asks Weft for something about the same order before it answers waits for itself, and only in line.
 */
const held_long_ms = 3_000
const pause_ms = 10 * 60_000

export function createCallSlots(): CallSlots {
  /** targets whose last call went well and was quick */
  const quick = new Set<string>()
  /** calls under way that are slow already, by target */
  const slow = new Map<string, number>()
  /** the moment until which a target goes the regular way */
  const paused_until = new Map<string, number>()
  /** slots taken, by merchant */
  const taken = new Map<string, number>()
  const total = { taken: 0 }

  function isQuick(name: string): boolean {
    return quick.has(name) && !slow.has(name) && performance.now() >= (paused_until.get(name) ?? 0)
  }

  function releaseSlot(mchid: string, name: string, began: number): void {
    count(taken, mchid, -1)
    total.taken -= 1
    const ended = performance.now()
    if (ended - began > held_long_ms) paused_until.set(name, ended + pause_ms)
  }

  return {
    async watch(target, call, wentWell = () => true) {
      const name = nameOf(target)
      const clock = { is_late: false }
      const timer = setTimeout(() => {
        clock.is_late = true
        count(slow, name, 1)
      }, quick_ms[target.kind])
      timer.unref()
      let went_well = false
      try {
        const answer = await call()
        went_well = wentWell(answer)
        return answer
      } finally {
        clearTimeout(timer)
        if (clock.is_late) count(slow, name, -1)
        if (went_well && !clock.is_late) quick.add(name)
        else quick.delete(name)
      }
    },
    take(mchid, target) {
      const name = nameOf(target)
      const is_full =
        total.taken >= limits.calls_in_line || (taken.get(mchid) ?? 0) >= limits.calls_in_line_per_merchant
      if (is_full || !isQuick(name)) return null
      count(taken, mchid, 1)
      total.taken += 1
      const began = performance.now()
      return () => releaseSlot(mchid, name, began)
    },
  }
}

function nameOf({ kind, id }: CallTarget): string {
  return `${kind}/${id}`
}

/** Counts up or down; what is at zero is forgotten. */
function count(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const sum = (counts.get(name) ?? 0) + by
  if (sum > 0) counts.set(name, sum)
  else counts.delete(name)
}
