import { beijingTime } from '../domain/calendar.ts'
import type { ActivityContext } from './context.ts'

/** Keeps the merchant's attention honest about its WeChat set-up: raised when refused, lifted when it works again. */
export interface SetupWatch {
  noteRefused(mchid: string): Promise<void>
  /** Costs a write at most once a minute and merchant: another process may have raised what is lifted here. */
  noteWorking(mchid: string): Promise<void>
}

const lift_every_ms = 60_000

export function watchSetups({ store, now }: Pick<ActivityContext, 'store' | 'now'>): SetupWatch {
  const lifted = new Map<string, number>()
  return {
    async noteRefused(mchid) {
      lifted.delete(mchid)
      await store.merchants.noteAttention(mchid, 'wechat_setup', beijingTime(now()))
    },
    async noteWorking(mchid) {
      if (now() - (lifted.get(mchid) ?? -Infinity) < lift_every_ms) return
      lifted.set(mchid, now())
      await store.merchants.liftAttention(mchid, 'wechat_setup')
    },
  }
}
