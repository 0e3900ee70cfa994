import { beijingTime } from '../../domain/calendar.ts'
import { limits } from '../../domain/policy.ts'
import type { ApiContext } from '../http/context.ts'

/** Watches what is refused at the door, so that a wrong key here is told from noise out there. */
export interface RejectionWatch {
  /** Keeps what was refused, in a small collection, and raises attention when nothing else comes. Never throws. */
  keepRejection(
    mchid: string,
    reason: string,
    headers: Record<string, string | string[] | undefined>,
    body: Buffer,
  ): Promise<void>
  /** Attention was raised by what came in: the next that is good may take it away at once. */
  noteRaised(mchid: string): void
  /** Verified and read. Costs a write at most once a minute and merchant: another process may have raised what is over. */
  noteVerified(mchid: string): void
}

/** What a notification that can be read proves to be over. */
const lifted_codes = ['signatures_failing', 'decryption_failing'] as const
const lift_interval_ms = 60_000

/** So many refusals in a row, with nothing verified between them, and a person should look at the key. */
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
