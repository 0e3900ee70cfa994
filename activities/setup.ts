import { beijingTime } from '../domain/calendar.ts'
import type { TradeType } from '../domain/merchant/product.ts'
import type { WeChatPayError } from '../wechat/errors.ts'
import type { ActivityContext } from './context.ts'

/** Keeps the merchant's attention honest about its WeChat set-up: raised when refused, lifted when it works again. */
export interface SetupWatch {
  noteRefused(mchid: string, code?: SetupAttention): Promise<void>
  /** Costs a write at most once a minute and merchant: another process may have raised what is lifted here. */
  noteWorking(mchid: string): Promise<void>
  /** Raised when WeChat refuses one way to pay to the merchant, lifted when an order of it is placed; costs as above. */
  noteProductRefused(mchid: string, trade_type: TradeType): Promise<void>
  noteProductWorking(mchid: string, trade_type: TradeType): Promise<void>
}

const setup_attentions = ['wechat_setup', 'wechat_key_missing'] as const
export type SetupAttention = (typeof setup_attentions)[number]

/** What only a person can mend: WeChat refuses the merchant, or a key of WeChat's is missing here. */
export function setupAttention({ reason }: WeChatPayError): SetupAttention {
  return reason === 'no_key' ? 'wechat_key_missing' : 'wechat_setup'
}

const lift_every_ms = 60_000

export function watchSetups({ store, now }: Pick<ActivityContext, 'store' | 'now'>): SetupWatch {
  const lifted = new Map<string, number>()
  const isLiftedLately = (what: string) => now() - (lifted.get(what) ?? -Infinity) < lift_every_ms
  return {
    async noteRefused(mchid, code = 'wechat_setup') {
      lifted.delete(mchid)
      await store.merchants.noteAttention(mchid, code, beijingTime(now()))
    },
    async noteWorking(mchid) {
      if (isLiftedLately(mchid)) return
      lifted.set(mchid, now())
      for (const code of setup_attentions) await store.merchants.liftAttention(mchid, code)
    },
    async noteProductRefused(mchid, trade_type) {
      lifted.delete(`${mchid}/${trade_type}`)
      await store.merchants.noteProductRefused(mchid, trade_type, beijingTime(now()))
    },
    async noteProductWorking(mchid, trade_type) {
      if (isLiftedLately(`${mchid}/${trade_type}`)) return
      lifted.set(`${mchid}/${trade_type}`, now())
      await store.merchants.liftProductRefused(mchid, trade_type)
    },
  }
}
