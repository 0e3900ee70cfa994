import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../../domain/policy.ts'
import type { ApiContext } from '../http/context.ts'

/** Hands one piece of evidence to its run. False: Temporal did not take it. */
type SendEvidence = () => Promise<boolean>

/** Handovers are what this process acknowledged, archived, and could not hand over yet. */
export interface Handovers {
  /** Hands over as soon as Temporal answers. Nothing waits for that, and no promise rests on it: the sweeper comes too. */
  keep(evidence_id: string, send: SendEvidence): void
}

/** Often enough that a payer who waits sees the order go on, and one small call where nobody answers. */
const look_every_ms = 500
/** What Temporal, though it answers, does not take so often is left to the sweeper: it must not keep others from their turn. */
const most_tries = 5

/**
 * Keeps in memory what Temporal did not take, for the sweeper waits for minutes before it calls something lost. Beyond
 * the limit, and when the process ends, it is the sweeper that hands over.
 */
export function createHandovers({
  commands,
  draining,
}: {
  commands: Pick<ApiContext['commands'], 'isReachable'>
  draining: AbortSignal
}): Handovers {
  const kept = new Map<string, { send: SendEvidence; tries: number }>()
  let is_looking = false

  async function look(): Promise<void> {
    while (kept.size > 0 && !draining.aborted) {
      await sleep(look_every_ms, undefined, { ref: false })
      if (draining.aborted || !(await commands.isReachable())) continue
      await sendAll()
    }
  }

  /** One after the other, the oldest first; whatever is not taken waits behind all others. */
  async function sendAll(): Promise<void> {
    for (const [evidence_id, { send, tries }] of [...kept]) {
      if (draining.aborted) return
      kept.delete(evidence_id)
      if (await send()) continue
      if (tries + 1 < most_tries) kept.set(evidence_id, { send, tries: tries + 1 })
      return
    }
  }

  return {
    keep(evidence_id, send) {
      if (!kept.has(evidence_id) && kept.size >= limits.handovers_kept) return
      kept.set(evidence_id, { send, tries: 0 })
      if (is_looking) return
      is_looking = true
      void look().finally(() => (is_looking = false))
    },
  }
}
