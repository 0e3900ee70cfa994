import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { beijingTime } from '../domain/calendar.ts'
import type { JournalEntry } from '../domain/journal.ts'
import { planCorrection } from '../proof/correction.ts'
import { readDossiers } from '../proof/dossier.ts'
import { proof_patience } from '../proof/finding.ts'
import type { Finding } from '../proof/finding.ts'
import { postingsText } from '../proof/journal.ts'
import { proveNumbers } from '../proof/passage.ts'
import { asksForHelp } from '../runtime/help.ts'
import { createSealer } from '../store/sealer.ts'
import { JournalConflict } from '../store/journal.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { auditConfig, auditEnvironment, exit_codes, findingLine, Misuse, runProcess } from './audit.ts'

const usage = `npm run correct -- <mchid> <out_trade_no> --by name --reason text [--post]

Brings the book under one order number to what its records call for: entries that are wrong are taken back by an exact
reversal, and what is missing is posted anew. Nothing is changed or removed. Without --post it only shows what it would do.
  --by name      who corrects; stands in each entry
  --reason text  why; stands in each entry
  --post         do it
Ends with 0 nothing adrift under this number any more, 1 something is, 2 misuse, 3 not completed: database unreachable.`

export interface CorrectionRequest {
  mchid: string
  out_trade_no: string
  by: string
  reason: string
  is_posting: boolean
}

/** Reads the command line; throws Misuse. */
export function readCorrection(args: readonly string[]): CorrectionRequest {
  const options = { by: { type: 'string' }, reason: { type: 'string' }, post: { type: 'boolean' } } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [mchid, out_trade_no, ...rest] = positionals
    const [by, reason] = [values.by?.trim(), values.reason?.trim()]
    if (!mchid || !out_trade_no || rest.length > 0) throw new Misuse('name one merchant and one order number')
    if (!by || !reason) throw new Misuse('say who corrects the book (--by) and why (--reason)')
    if (by.length > 100 || reason.length > 500) throw new Misuse('--by has at most 100 characters, --reason 500')
    return { mchid, out_trade_no, by, reason, is_posting: values.post ?? false }
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse((error as Error).message)
  }
}

export interface CorrectionParts {
  store: Store
  request: CorrectionRequest
  /** Unix ms */
  now?: () => number
  print: (line: string) => void
}

/**
 * Shows what a correction would post, and posts it where that is asked for. Answers whether nothing is adrift under the
 * number then. Repeatable: what was posted before a crash is found as posted. Throws Misuse.
 */
export async function correctBook({ store, request, now = Date.now, print }: CorrectionParts): Promise<boolean> {
  const { mchid, out_trade_no, is_posting, by, reason } = request
  const dossier = (await readDossiers(store, mchid, [out_trade_no]))[0]
  if (dossier === undefined || (dossier.payments.length === 0 && dossier.entries.length === 0))
    throw new Misuse(`nothing is booked or paid under ${out_trade_no} of merchant ${mchid}`)
  const findAdrift = async (): Promise<Finding[]> => {
    const found = await proveNumbers(store, mchid, [out_trade_no], { now, patience: proof_patience })
    return found.filter(({ under_way }) => !under_way)
  }
  const before = await findAdrift()
  for (const finding of before) print(findingLine(finding))
  const moment = { now_ms: now(), patience: proof_patience }
  const plan = planCorrection(dossier, moment, { by, reason, booked_time: beijingTime(now()) })
  let posted = 0
  for (const entry of plan) {
    const outcome = is_posting ? await postEntry(store, entry) : 'would post'
    print(`${outcome}  ${entryLine(entry)}`)
    if (outcome === 'posts') posted += 1
  }
  if (plan.length === 0) print(before.length === 0 ? 'nothing to correct' : 'nothing that a correction can mend')
  else if (!is_posting) print('nothing was posted; say --post to do it')
  if (!is_posting) return before.length === 0
  const after = await findAdrift()
  for (const finding of after) print(findingLine(finding))
  print(`${posted} entries posted, ${after.length} adrift`)
  return after.length === 0
}

/** Posts one entry. One whose id lies elsewhere in the journal has been moved there by hand, and only a backup has its place. */
async function postEntry({ journal }: Pick<Store, 'journal'>, entry: JournalEntry): Promise<string> {
  try {
    if ((await journal.post(entry)) === 'posted') return 'posts'
    const [there] = await journal.findAll([entry._id])
    return there?.out_trade_no === entry.out_trade_no ? 'stands' : 'is there under another order: restore it'
  } catch (error) {
    if (!(error instanceof JournalConflict)) throw error
    return 'is there with other postings or in another book: restore it'
  }
}

function entryLine({ _id, kind, postings }: JournalEntry): string {
  return `${_id}  ${kind}  ${postingsText(postings)}`
}

async function main(): Promise<number> {
  const request = readCorrection(process.argv.slice(2))
  const config = auditConfig(auditEnvironment(process.env, process.cwd()))
  const sealer = createSealer({ keys: config.master_keys })
  const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
  try {
    const is_clean = await correctBook({ store, request, print: (line) => process.stdout.write(`${line}\n`) })
    return is_clean ? exit_codes.clean : exit_codes.adrift
  } finally {
    await store.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (asksForHelp(process.argv.slice(2))) process.stdout.write(`${usage}\n`)
  else runProcess(main, usage)
}
