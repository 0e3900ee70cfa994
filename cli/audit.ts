import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { groupedYuan } from '../domain/money.ts'
import { finding_kinds, proof_patience } from '../proof/finding.ts'
import type { Finding } from '../proof/finding.ts'
import { proveMerchant } from '../proof/passage.ts'
import type { Tally, WeChatRecordsSource } from '../proof/passage.ts'
import { ConfigError, readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { asksForHelp } from '../runtime/help.ts'
import { StoreUnavailable } from '../store/connection.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { simulatorTruth, TruthUnavailable } from './truth.ts'

/** How the process ends: for scripts and schedulers. */
export const exit_codes = { clean: 0, adrift: 1, misuse: 2, unreachable: 3 } as const

const usage = `npm run audit -- [mchid…] [--json] [--simulator url] [--settled]

Compares orders, payments and refunds with each other and with the journal, and prints every fen that is adrift.
  mchid…           these merchants only; all without
  --json           one JSON object per line
  --simulator url  compare test merchants with this simulator's book, too (or WEFT_SIMULATOR_URL)
  --settled        what is merely under way counts as adrift
Ends with 0 clean, 1 adrift, 2 misuse, 3 not completed: database or simulator unreachable.`

/** A call that cannot be understood; `message` says what is wrong. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}

export interface AuditRequest {
  mchids: string[]
  is_json: boolean
  is_settled: boolean
  simulator_url: string | null
}

/** Reads the command line; throws Misuse. */
export function readRequest(args: readonly string[], environment: AuditEnvironment): AuditRequest {
  const options = { json: { type: 'boolean' }, settled: { type: 'boolean' }, simulator: { type: 'string' } } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const simulator_url = values.simulator ?? environment.WEFT_SIMULATOR_URL ?? null
    if (simulator_url !== null && simulator_url !== '' && !URL.canParse(simulator_url)) {
      throw new Misuse(`${simulator_url} is not an address; write one like http://127.0.0.1:7701`)
    }
    return {
      mchids: positionals,
      is_json: values.json ?? false,
      is_settled: values.settled ?? false,
      simulator_url: simulator_url === '' ? null : simulator_url,
    }
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse((error as Error).message)
  }
}

export type AuditEnvironment = Record<string, string | undefined>

export interface AuditParts {
  store: Store
  request: Pick<AuditRequest, 'mchids' | 'is_json' | 'is_settled'>
  truth: WeChatRecordsSource | null
  /** Unix ms */
  now?: () => number
  print: (line: string) => void
}

/** Audits the merchants asked for, prints as it goes and answers whether nothing is adrift. Throws Misuse. */
export async function auditMerchants({ store, request, truth, now = Date.now, print }: AuditParts): Promise<boolean> {
  const merchants = await store.merchants.list()
  const unknown = request.mchids.filter((mchid) => !merchants.some((merchant) => merchant.mchid === mchid))
  if (unknown.length > 0) throw new Misuse(`no such merchant: ${unknown.join(', ')}`)
  const wanted = merchants.filter(({ mchid }) => request.mchids.length === 0 || request.mchids.includes(mchid))
  let is_clean = true
  for (const { mchid, mode } of wanted) {
    const proof = proveMerchant(store, mchid, {
      now,
      patience: request.is_settled ? null : proof_patience,
      // Real money is at the real WeChat, of which no simulator knows anything.
      ...(mode === 'test' && truth !== null && { truth }),
    })
    for (;;) {
      const step = await proof.next()
      if (step.done === true) {
        print(request.is_json ? JSON.stringify({ type: 'merchant', ...step.value }) : tallyLine(step.value))
        is_clean &&= step.value.adrift === 0
        break
      }
      for (const finding of step.value.findings) {
        print(request.is_json ? JSON.stringify({ type: 'finding', ...finding }) : findingLine(finding))
      }
    }
  }
  return is_clean
}

/** `adrift  1900000001  entry_missing  TEA-1  4200…  ¥9.90  pay:… is not booked` */
export function findingLine(finding: Finding): string {
  const { kind, mchid, out_trade_no, transaction_id, out_refund_no, amount, detail, under_way } = finding
  const numbers = [out_trade_no, transaction_id, out_refund_no].filter((number) => number !== undefined)
  const money = amount === undefined ? [] : [readableFen(amount)]
  return [under_way ? 'under way' : 'adrift   ', mchid, kind, ...numbers, ...money, detail].join('  ')
}

/** `1900000001  1,204 orders  1,190 payments  37 refunds  ¥88,412.30 in  ¥912.00 back  0 adrift` */
export function tallyLine(tally: Tally): string {
  const counts = [
    `${tally.orders.toLocaleString('en')} orders`,
    `${tally.payments.toLocaleString('en')} payments`,
    `${tally.refunds.toLocaleString('en')} refunds`,
    `${readableFen(tally.paid_in)} in`,
    `${readableFen(tally.given_back)} back`,
    `${tally.adrift.toLocaleString('en')} adrift`,
    ...(tally.under_way > 0 ? [`${tally.under_way.toLocaleString('en')} under way`] : []),
  ]
  return [tally.mchid, ...counts].join('  ')
}

/** Fen as people read them; an amount that is none is shown as it is, since that is what was found. */
function readableFen(fen: number): string {
  return Number.isSafeInteger(fen) ? `¥${groupedYuan(fen)}` : `${fen} fen`
}

/**
 * The settings of the audit: its own environment, or, where that names no database or the demo's, as in a shell that has
 * read `demo.env`, those of the demo that `npm start` runs here. Never half of each: a real journal is not compared with
 * a demo's simulator.
 */
export function auditEnvironment(environment: AuditEnvironment, folder: string): AuditEnvironment {
  const path = join(folder, '.weft', 'demo.env')
  if (!existsSync(path)) return environment
  const lines = readFileSync(path, 'utf8').split('\n')
  const named = lines.flatMap((line) => [/^(\w+)=(.*)$/.exec(line)]).filter((match) => match !== null)
  const demo: AuditEnvironment = Object.fromEntries(named.map(([, name = '', value]) => [name, value]))
  const is_of_demo = !environment.MONGODB_URI || environment.MONGODB_URI === demo.MONGODB_URI
  return is_of_demo ? { ...environment, ...demo } : environment
}

/** Nothing sealed is opened here, so the master key may stay where it is: an empty one stands for it. */
export function auditConfig(environment: AuditEnvironment): Config {
  const no_key = Buffer.alloc(32).toString('base64')
  return readConfig({ ...environment, WEFT_MASTER_KEY: environment.WEFT_MASTER_KEY || no_key })
}

async function main(): Promise<number> {
  const environment = auditEnvironment(process.env, process.cwd())
  const request = readRequest(process.argv.slice(2), environment)
  const config = auditConfig(environment)
  const sealer = createSealer({ keys: config.master_keys })
  const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
  const truth = request.simulator_url === null ? null : simulatorTruth(request.simulator_url)
  try {
    const is_clean = await auditMerchants({ store, request, truth, print: (line) => process.stdout.write(`${line}\n`) })
    return is_clean ? exit_codes.clean : exit_codes.adrift
  } finally {
    await store.close()
  }
}

/** The exit code of a failure: neither that of a clean audit nor that of money adrift. */
function exitCodeOf(error: unknown): number {
  return error instanceof Misuse || error instanceof ConfigError ? exit_codes.misuse : exit_codes.unreachable
}

/** The text of a known error, else all that is known of it. */
function errorText(error: unknown, help: string): string {
  if (error instanceof Misuse) return `${error.message}\n\n${help}`
  const is_known = [ConfigError, StoreUnavailable, TruthUnavailable].some((known) => error instanceof known)
  return error instanceof Error ? (is_known ? error.message : (error.stack ?? error.message)) : String(error)
}

/** Runs a command as this process: `act` answers its exit code, and `help` goes with a call that cannot be understood. */
export function runProcess(act: () => Promise<number>, help: string): void {
  act().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      process.stderr.write(`${errorText(error, help)}\n`)
      process.exitCode = exitCodeOf(error)
    },
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (asksForHelp(process.argv.slice(2))) {
    const kinds = Object.entries(finding_kinds).map(([kind, sentence]) => `  ${kind.padEnd(24)}${sentence}`)
    process.stdout.write(`${usage}\n\nWhat can be adrift:\n${kinds.join('\n')}\n`)
  } else runProcess(main, usage)
}
