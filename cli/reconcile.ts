import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { flawTexts } from '../domain/bill/flaw.ts'
import { bill_date_pattern, bill_days_kept, dayRange, isBillGone } from '../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import { beijingDay, dayBefore } from '../domain/calendar.ts'
import { reconcileStart } from '../domain/messages.ts'
import { groupedYuan } from '../domain/money.ts'
import { ArchiveRefused, verifyArchive } from '../proof/archive.ts'
import { no_connection, shownTo } from '../runtime/config.ts'
import { asksForHelp } from '../runtime/help.ts'
import { createRunStarter, startRun } from '../runtime/runs.ts'
import type { RunStarter } from '../runtime/runs.ts'
import { connectTemporal } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { auditConfig, auditEnvironment, exit_codes, Misuse, runProcess } from './audit.ts'

const usage = `npm run reconcile -- [day] [--to day] [--merchant mchid]
npm run reconcile -- --verify day.zip

Has the bills of a day, or of all days to another, fetched and compared with what is recorded, and prints each day.
  day              2026-11-22, Beijing; yesterday without one
  --to day         up to this day
  --merchant mchid this merchant only; all without
  --verify file    checks the archive of a day with nothing but itself: no database, no network
The work is done by a running worker, which goes on when this ends.
Ends with 0 all proven, 1 one is not, 2 misuse, 3 not completed: database or Temporal unreachable.`

const day_ms = 86_400_000
const look_every_ms = 500
const told_every_ms = 10_000

export interface ReconcileRequest {
  days: string[]
  mchid: string | null
}

/** The archive that is to be checked; null: days are to be compared. Throws Misuse. */
export function readVerifyRequest(args: readonly string[]): string | null {
  if (!args.some((arg) => arg.startsWith('--verify'))) return null
  try {
    const { values, tokens } = parseArgs({ args: [...args], options: { verify: { type: 'string' } }, tokens: true })
    assertOnce(tokens)
    return values.verify ?? null
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse((error as Error).message)
  }
}

/** Of an option that stands there twice only the last would count, and the other would pass for looked at. */
function assertOnce(tokens: readonly { kind: string; name?: string }[]): void {
  const names = tokens.flatMap(({ kind, name }) => (kind === 'option' && name !== undefined ? [name] : []))
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Misuse(`--${twice} is there twice`)
}

/** Checks the archive of a day, prints what it found and answers the exit code. */
export async function verifyDay(path: string, print: (line: string) => void): Promise<number> {
  try {
    const { mchid, bill_date, result, flaws } = await verifyArchive(path)
    const is_proven = flaws.length === 0
    print(dayLine({ ...result, mchid, bill_date, is_proven }))
    for (const flaw of flaws) print(`            ${flaw}`)
    return is_proven ? exit_codes.clean : exit_codes.adrift
  } catch (error) {
    if (!(error instanceof ArchiveRefused)) throw error
    print(`${path} is not opened: ${error.message}`)
    return exit_codes.misuse
  }
}

/** Reads the command line; throws Misuse. */
export function readReconcileRequest(args: readonly string[], now_ms: number): ReconcileRequest {
  const options = { to: { type: 'string' }, merchant: { type: 'string' } } as const
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      tokens: true,
    })
    assertOnce(tokens)
    const [from = dayBefore(now_ms), ...rest] = positionals
    if (rest.length > 0) throw new Misuse(`one day, or one with --to: ${rest.join(' ')} is too much`)
    return { days: daysBetween(from, values.to ?? from, now_ms), mchid: values.merchant ?? null }
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse((error as Error).message)
  }
}

function daysBetween(from: string, to: string, now_ms: number): string[] {
  const [first, last] = [firstMoment(from), firstMoment(to)]
  if (last < first) throw new Misuse(`${to} is before ${from}`)
  if (last >= firstMoment(beijingDay(now_ms))) throw new Misuse(`${to} is not over yet; WeChat makes its bill after it`)
  if (isBillGone(from, now_ms)) throw new Misuse(`${from} is older than WeChat Pay keeps bills: ${bill_days_kept} days`)
  const days: string[] = []
  for (let ms = first; ms <= last; ms += day_ms) days.push(beijingDay(ms))
  return days
}

function firstMoment(day: string): number {
  if (!bill_date_pattern.test(day)) throw new Misuse(`${day} is no day; write one like 2026-11-22`)
  try {
    return dayRange(day).from_ms
  } catch {
    throw new Misuse(`${day} is no day of the calendar`)
  }
}

export interface ReconcileParts {
  store: Store
  starter: RunStarter
  request: ReconcileRequest
  print: (line: string) => void
  /** what is said while a day is waited for */
  tell: (line: string) => void
}

/** Has the days looked at, prints each when it is done and answers whether all are proven. Throws Misuse. */
export async function reconcileAll({ store, starter, request, print, tell }: ReconcileParts): Promise<boolean> {
  const merchants = (await store.merchants.list()).filter(
    ({ mchid }) => request.mchid === null || mchid === request.mchid,
  )
  if (request.mchid !== null && merchants.length === 0) throw new Misuse(`no such merchant: ${request.mchid}`)
  const set_up = merchants.filter(({ wechat }) => wechat)
  if (request.mchid !== null && set_up.length === 0)
    throw new Misuse(`merchant ${request.mchid} has no WeChat Pay set-up`)
  let is_proven = true
  for (const bill_date of request.days) {
    for (const { mchid } of set_up) {
      const before = await store.reconciliations.find({ mchid, bill_date })
      await startRun(starter, reconcileStart({ mchid, bill_date }))
      const day = await awaitDay(store, { mchid, bill_date }, before, tell)
      print(dayLine(day))
      for (const line of dayRest(day)) print(`            ${line}`)
      is_proven &&= day.is_proven
    }
  }
  return is_proven
}

async function awaitDay(
  store: Store,
  day: { mchid: string; bill_date: string },
  before: ReconciliationRecord | null,
  tell: (line: string) => void,
): Promise<ReconciliationRecord> {
  const began_ms = Date.now()
  let told_ms = began_ms
  for (;;) {
    const seen = await store.reconciliations.find(day)
    // One that was under way before is the one: it is joined, and keeps its number.
    const is_new = before === null || before.end_time === null || seen?.run !== before.run
    if (seen !== null && seen.end_time !== null && is_new) return seen
    if (Date.now() - told_ms >= told_every_ms) {
      told_ms = Date.now()
      const state = seen?.end_time === null ? seen.state : 'not begun yet'
      tell(`${day.bill_date}  ${day.mchid}  ${state}, for ${Math.round((told_ms - began_ms) / 1000)} s`)
    }
    await pause(look_every_ms)
  }
}

/** `2026-11-22  1900000001  balanced  1,204 rows  ¥88,412.30  2 healed  proven`; `12 foreign` where there are such lines */
export function dayLine({
  bill_date,
  mchid,
  state,
  rows,
  wechat,
  healed_count,
  is_proven,
}: Omit<ReconciliationRecord, '_id' | 'look'>): string {
  return [
    bill_date,
    mchid,
    state,
    `${(rows?.all ?? 0).toLocaleString('en')} rows`,
    `¥${groupedYuan(wechat?.payment_amount ?? 0)}`,
    ...(rows !== null && rows.foreign > 0 ? [`${rows.foreign.toLocaleString('en')} foreign`] : []),
    `${healed_count} healed`,
    is_proven ? 'proven' : 'not proven',
  ].join('  ')
}

/** What is printed below a day: how many differences of each kind are left, where they are, and why it is not proven. */
export function dayRest({
  bill_date,
  differences,
  flaws,
}: Pick<ReconciliationRecord, 'bill_date' | 'differences' | 'flaws'>): string[] {
  const left = Object.entries(differences).filter(([, count]) => count > 0)
  const counts = left.map(([kind, count]) => `${kind} ${count}`).join(', ')
  return [
    ...(left.length > 0 ? [`differences left: ${counts}; GET /v1/differences?bill_date=${bill_date}`] : []),
    ...flawTexts(flaws),
  ]
}

async function main(): Promise<number> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const tell = (line: string) => process.stderr.write(`${line}\n`)
  const archive = readVerifyRequest(process.argv.slice(2))
  if (archive !== null) return await verifyDay(archive, print)
  const environment = auditEnvironment(process.env, process.cwd())
  const { WEFT_TEMPORAL_ADDRESS: demo_address } = environment
  const is_demo = demo_address !== undefined && !environment.TEMPORAL_ADDRESS
  const config = auditConfig({ ...environment, ...(is_demo && { ...no_connection, TEMPORAL_ADDRESS: demo_address }) })
  const request = readReconcileRequest(process.argv.slice(2), Date.now())
  const store = await openStore({
    uri: config.mongodb_uri,
    database: config.database,
    sealer: createSealer({ keys: config.master_keys }),
  })
  const temporal = connectTemporal(config.temporal)
  try {
    const starter = createRunStarter(temporal.client, config.queue_prefix, shownTo(config))
    return (await reconcileAll({ store, starter, request, print, tell })) ? exit_codes.clean : exit_codes.adrift
  } finally {
    await store.close()
    await temporal.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (asksForHelp(process.argv.slice(2))) process.stdout.write(`${usage}\n`)
  else runProcess(main, usage)
}
