import { beijingTime } from '../../domain/calendar.ts'
import { limits } from '../../domain/policy.ts'
import type { ApiContext } from '../http/context.ts'

/**
 * RejectionWatch keeps rejected notifications and raises `signatures_failing` after five in a row that speak of a key,
 * with nothing verified between them: a wrong key here is so told from forged requests.
 */
export interface RejectionWatch {
  /** Keeps a rejected notification, in a small collection, and raises attention when nothing verifies. Never throws. */
  keepRejection(
    mchid: string,
    reason: string,
    headers: Record<string, string | string[] | undefined>,
    body: Buffer,
  ): Promise<void>
  /** Notes that a notification raised attention, so that the next good one lifts it at once. */
  noteRaised(mchid: string): void
  /**
   * Lifts attention after a good notification. At most one write per minute and merchant: another process may have
   * raised it.
   */
  noteVerified(mchid: string): void
}

/** What a notification that can be read proves to be over. */
const lifted_codes = ['signatures_failing', 'decryption_failing'] as const
const lift_interval_ms = 60_000

/** Rejections in a row, with nothing verified between them, after which a person should look at the key. */
const rejections_until_attention = 5

/** Reasons that speak of a key; a probe is WeChat testing us, and a stale or malformed message is somebody else's. */
const key_reasons: readonly string[] = ['bad_signature', 'unknown_serial']

export function createRejectionWatch({ store, now, log }: ApiContext): RejectionWatch {
  const in_row = new Map<string, number>()
  const lifted = new Map<string, number>()
  return {
    async keepRejection(mchid, reason, headers, body) {
      const time = beijingTime(now())
      const refused = Object.fromEntries(
        Object.entries(headers).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value.slice(0, 1024)]] : [],
        ),
      )
      log.info('a notification was refused', { mchid, reason })
      try {
        const text = body.toString('utf8').slice(0, limits.envelope_bytes)
        await store.rejections.keep({ mchid, receive_time: time, reason, headers: refused, body: text })
        if (!key_reasons.includes(reason)) return
        const count = (in_row.get(mchid) ?? 0) + 1
        in_row.set(mchid, count)
        if (count !== rejections_until_attention) return
        await store.merchants.noteAttention(mchid, 'signatures_failing', time)
        lifted.delete(mchid)
      } catch (error) {
        log.warn('a refused notification was not kept', { mchid, reason, error })
      }
    },
    noteRaised(mchid) {
      lifted.delete(mchid)
    },
    noteVerified(mchid) {
      in_row.delete(mchid)
      if (now() - (lifted.get(mchid) ?? -Infinity) < lift_interval_ms) return
      lifted.set(mchid, now())
      store.merchants
        .liftAttention(mchid, ...lifted_codes)
        .catch((error: unknown) => log.warn('attention was not lifted', { mchid, error }))
    },
  }
}
