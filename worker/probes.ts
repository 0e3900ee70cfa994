import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ProbeRecord } from '../store/probes.ts'
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

/** Of one merchant in a round, so that one whose orders cannot be closed holds up nobody else's. */
const most_of_merchant = 5

export interface ProbeRound {
  store: Pick<Store, 'probes'>
  accounts: Pick<WeChatAccounts, 'find'>
  now: () => number
  log: Logger
}

export function createProbeRounds(round: ProbeRound): Rounds {
  return createRounds({
    name: 'the probe orders',
    every_ms,
    round: (ending) => closeLeftProbes(round, ending),
    log: round.log,
  })
}

/** Closes the probe orders that `npm run merchant -- check` left behind because it was killed, or WeChat Pay was away. */
export async function closeLeftProbes(round: ProbeRound, ending?: AbortSignal): Promise<void> {
  const { probes } = round.store
  const before = beijingTime(round.now() - left_after_ms)
  for (const mchid of await probes.merchants()) {
    for (const probe of await probes.findLeft({ before, mchid, limit: most_of_merchant })) {
      if (ending?.aborted === true) return
      await closeLeftProbe(round, probe)
    }
  }
}

async function closeLeftProbe({ store, accounts, now, log }: ProbeRound, probe: ProbeRecord): Promise<void> {
  const { mchid, out_trade_no, create_time } = probe
  if (now() - milliseconds(create_time) > over_after_ms) {
    await store.probes.remove(probe)
    return
  }
  try {
    const account = await accounts.find(mchid)
    const end = account === null ? 'open' : await closeProbe(account.client.transport, probe)
    if (end === 'open') return
    await store.probes.remove(probe)
    log.info('a probe order that was left behind was closed', { mchid, out_trade_no, end })
  } catch (error) {
    log.warn('a probe order that was left behind was not closed; the next round tries again', {
      ...{ mchid, out_trade_no, error },
    })
  }
}
