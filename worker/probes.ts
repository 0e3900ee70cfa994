import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { WeChatAccounts } from '../wechat/accounts.ts'
import { closeProbe } from '../wechat/probe.ts'
import { createRounds } from './rounds.ts'
import type { Rounds } from './rounds.ts'

const every_ms = 60_000

/**
 * From this age on whoever placed it has died: it would have closed it within a minute. And WeChat Pay takes no call any
 * more that was signed before it, so that nothing is placed behind the close.
 */
const left_after_ms = 5 * 60_000

/** WeChat Pay closes an unpaid order by itself after seven days. */
const over_after_ms = 8 * 24 * 60 * 60_000

const most_at_once = 50

export interface ProbeRound {
  store: Pick<Store, 'probes'>
  accounts: Pick<WeChatAccounts, 'find'>
  now: () => number
  log: Logger
}

export function createProbeRounds(round: ProbeRound): Rounds {
  return createRounds({ name: 'the probe orders', every_ms, round: () => closeLeftProbes(round), log: round.log })
}

/** Closes the probe orders that `npm run merchant -- check` left behind because it was killed, or WeChat Pay was away. */
export async function closeLeftProbes({ store, accounts, now, log }: ProbeRound): Promise<void> {
  const left = await store.probes.findLeft({ before: beijingTime(now() - left_after_ms), limit: most_at_once })
  for (const probe of left) {
    const { mchid, out_trade_no, create_time } = probe
    if (now() - milliseconds(create_time) > over_after_ms) {
      await store.probes.remove(probe)
      continue
    }
    try {
      const account = await accounts.find(mchid)
      const end = account === null ? 'open' : await closeProbe(account.client.transport, probe)
      if (end === 'open') continue
      await store.probes.remove(probe)
      log.info('a probe order that was left behind was closed', { mchid, out_trade_no, end })
    } catch (error) {
      log.warn('a probe order that was left behind was not closed; the next round tries again', {
        ...{ mchid, out_trade_no, error },
      })
    }
  }
}
