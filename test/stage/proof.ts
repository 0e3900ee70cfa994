import { gunzipSync } from 'node:zlib'
import { findingLine } from '../../cli/audit.ts'
import { simulatorTruth } from '../../cli/truth.ts'
import { proof_patience, scaledPatience } from '../../proof/finding.ts'
import type { Finding } from '../../proof/finding.ts'
import { proveMerchant } from '../../proof/passage.ts'
import type { Tally } from '../../proof/passage.ts'
import type { Config } from '../../runtime/config.ts'
import type { StateView } from '../../simulator/control.ts'
import type { Simulator } from '../../simulator/main.ts'
import { bill_types } from '../../domain/bill/row.ts'
import type { Store } from '../../store/store.ts'
import type { HeardEvent, MerchantDouble } from './merchant.ts'
import { differenceLine, oracleDifferences } from './oracle.ts'
import type { OracleBill, OracleDecision, OracleSources, StoredEntry } from './oracle.ts'
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
  return await until('the audit is clean', async () => {
    const { adrift, tally } = await auditOf(stage, when)
    if (adrift.length > 0) throw new Error(adrift.map(findingLine).join('\n'))
    return tally
  })
}

async function auditOf(stage: ProvenStage, when: 'settled' | 'meanwhile') {
  const options = {
    now: stage.now,
    patience: when === 'settled' ? null : { ...scaledPatience(proof_patience, stage.config.time_scale), writing_ms: 0 },
    truth: simulatorTruth(stage.simulator.url),
  }
  const proof = proveMerchant(stage.store, stage.mchid, options)
  const adrift: Finding[] = []
  const under_way: Finding[] = []
  for (;;) {
    const step = await proof.next()
    if (step.done === true) return { adrift, under_way, tally: step.value }
    for (const finding of step.value.findings) (finding.under_way ? under_way : adrift).push(finding)
  }
}

/** What the oracle reads of a stage. */
interface WitnessedStage extends ProvenStage {
  wechat: StateView
  shop: Pick<MerchantDouble, 'heard'>
  decisions: readonly OracleDecision[]
  coupons: ReadonlyMap<string, number>
}

/**
 * Waits until the stored postings sum to what the oracle works out for every account and sub-key. An order may differ
 * only while the audit lists it as under way: then Weft is yet to learn what WeChat knows.
 */
export async function expectOracleAgrees(stage: WitnessedStage): Promise<void> {
  await until('the oracle agrees with the journal', async () => {
    const differences = oracleDifferences(await oracleSources(stage), await storedEntries(stage))
    if (differences.length === 0) return true
    const { under_way } = await auditOf(stage, 'meanwhile')
    const excused = under_way.map(({ out_trade_no }) => out_trade_no)
    const adrift = differences.filter(({ out_trade_no }) => !excused.includes(out_trade_no ?? undefined))
    if (adrift.length > 0) throw new Error(adrift.map(differenceLine).join('\n'))
    return true
  })
}

/** Events count as published also where the merchant has not received them: its endpoint may be away. */
async function oracleSources({
  wechat,
  shop,
  store,
  mchid,
  coupons,
  decisions,
}: WitnessedStage): Promise<OracleSources> {
  const numbers = new Set(wechat.payments.map(({ out_trade_no }) => out_trade_no))
  const published = await Promise.all([...numbers].map((number) => store.events.ofOrder(mchid, number)))
  const bodies = published.flat().map(({ body }) => JSON.parse(body) as Pick<HeardEvent, 'type' | 'data'>)
  const events = [...bodies, ...shop.heard].map(({ type, data }) => ({
    type,
    transaction_id: (data.order?.transaction_id as string | null | undefined) ?? null,
  }))
  return { wechat, coupons, decisions, events, bills: await postedBills(store, mchid) }
}

/** The bills of the days that were looked at, as WeChat gave them. */
async function postedBills(store: Store, mchid: string): Promise<OracleBill[]> {
  const days = (await store.reconciliations.list(mchid, {}, { limit: 500 })).data.filter(({ book }) => book?.post_time)
  const bills: OracleBill[] = []
  for (const { bill_date, versions } of days) {
    for (const type of bill_types) {
      const bill = await store.bills.find({ mchid, bill_date }, type, versions[type] ?? 0)
      if (bill?.state !== 'ready') continue
      const parts: Buffer[] = []
      for (let number = 0; number < bill.part_count; number += 1)
        parts.push((await store.bills.part(bill, number)) ?? Buffer.alloc(0))
      bills.push({ bill_date, type, text: gunzipSync(Buffer.concat(parts)).toString() })
    }
  }
  return bills
}

async function storedEntries({ store, mchid }: WitnessedStage): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = []
  let cursor: string | undefined
  do {
    const page = await store.journal.list(mchid, {}, { limit: 500, cursor })
    entries.push(...page.data)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return entries
}
