import { findingLine } from '../../cli/audit.ts'
import { simulatorTruth } from '../../cli/truth.ts'
import { proof_patience, scaledPatience } from '../../proof/finding.ts'
import { proveMerchant } from '../../proof/passage.ts'
import type { Tally } from '../../proof/passage.ts'
import type { Config } from '../../runtime/config.ts'
import type { Simulator } from '../../simulator/main.ts'
import type { Store } from '../../store/store.ts'
import { until } from './until.ts'

/** What a proof reads of a stage. */
interface ProvenStage {
  now: () => number
  mchid: string
  store: Store
  config: Pick<Config, 'time_scale'>
  simulator: Pick<Simulator, 'url'>
}

/**
 * What must hold after every journey (docs/money.md §3): orders, payments, refunds and book agree with each other and
 * with WeChat's own book. Waits for the last writes to be done; `meanwhile` excuses what Weft has planned and not yet
 * done, for a journey that ends in the middle of a story, and no write: all that is missing for being young would hide
 * what is missing for ever.
 */
export async function expectAuditClean(stage: ProvenStage, when: 'settled' | 'meanwhile' = 'settled'): Promise<Tally> {
  const options = {
    now: stage.now,
    patience: when === 'settled' ? null : { ...scaledPatience(proof_patience, stage.config.time_scale), writing_ms: 0 },
    truth: simulatorTruth(stage.simulator.url),
  }
  return await until('the audit is clean', async () => {
    const proof = proveMerchant(stage.store, stage.mchid, options)
    const adrift: string[] = []
    for (;;) {
      const step = await proof.next()
      if (step.done === true && adrift.length > 0) throw new Error(adrift.join('\n'))
      if (step.done === true) return step.value
      adrift.push(...step.value.findings.filter(({ under_way }) => !under_way).map(findingLine))
    }
  })
}
