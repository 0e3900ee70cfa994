/**
 * Makes the stored histories anew, by telling every path of `chapters.ts` on a real Temporal and a real database:
 *
 *     node --import tsx test/histories/record.ts            all of them, some minutes
 *     node --import tsx test/histories/record.ts expired    only the paths named
 *
 * Do so when a path is added, or when a change of the workflows is meant for new orders only: histories that a release
 * has run stay, since they are what `npm test` replays to show that orders under way survive the next deploy. Servers
 * are started for the purpose, unless WEFT_TEST_TEMPORAL and WEFT_TEST_MONGODB name some.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { startDatabase, startTemporal } from '../../dev/servers/servers.ts'
import { search_attributes } from '../../domain/messages.ts'
import { plainTemporal } from '../../runtime/config.ts'
import { buildBundle } from '../../worker/bundle.ts'
import type { MerchantAnswer } from '../stage/merchant.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { Wire } from '../stage/wire.ts'
import { readable } from './payloads.ts'
import type { Chapter, Teller } from './paths.ts'
import { all_chapters } from './chapters.ts'

const directory = fileURLToPath(new URL('.', import.meta.url))

interface Servers {
  temporal_address: string
  mongodb_uri: string
}

async function main(wanted: string[]): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'weft-histories-'))
  const attributes = Object.fromEntries(Object.values(search_attributes).map(({ name }) => [name, 'Keyword' as const]))
  const { WEFT_TEST_TEMPORAL: address, WEFT_TEST_MONGODB: uri } = process.env
  const temporal = await startTemporal({ data_dir: null, search_attributes: attributes, ...(address && { configured: plainTemporal(address) }) })
  const impatient = await startTemporal({ data_dir: null, search_attributes: attributes, renewed_after: 40 })
  const database = await startDatabase({ data_dir: join(data, 'database'), ...(uri && { uri }) })
  try {
    for (const chapter of all_chapters) {
      const temporal_address = (chapter.renews_early ? impatient : temporal).address
      await tell(chapter, wanted, { temporal_address, mongodb_uri: database.uri })
    }
  } finally {
    await impatient.stop()
    if (!address) await temporal.stop()
    if (!uri) await database.stop()
    rmSync(data, { recursive: true, force: true })
  }
}

async function tell({ options, cuts_database, before, paths }: Chapter, wanted: string[], servers: Servers): Promise<void> {
  const names = Object.keys(paths).filter((name) => wanted.length === 0 || wanted.includes(name))
  if (names.length === 0) return
  const wire = cuts_database ? await Wire.to(new URL(servers.mongodb_uri).host) : null
  const mongodb_uri = wire === null ? servers.mongodb_uri : `mongodb://${wire.address}/?directConnection=true`
  // Vitest, which hands the bundle to the tests, does not run here.
  const stage = await Stage.open({ ...options, ...servers, mongodb_uri, worker: false })
  if (options.worker !== false) await stage.startWorker({ bundle: await buildBundle() })
  const planned = new Map<string, MerchantAnswer[]>()
  stage.shop.answer = ({ data }) =>
    planned.get(data.order?.out_trade_no ?? '')?.shift() ?? { status: 200, body: '{"fulfilment":"fulfilled"}' }
  const teller: Teller = {
    stage,
    wire,
    answers: (order, ...answers) => void planned.set(order.out_trade_no, answers),
    keep: (name, id, run_id) => keep(stage, name, id, run_id),
  }
  try {
    await before?.(teller)
    await Promise.all(names.map(async (name) => paths[name]?.(teller, name)))
  } finally {
    await stage.abandon('what is kept are histories, also of money that WeChat never took')
    await wire?.close()
  }
}

async function keep(stage: Stage, name: string, id: string, run_id?: string): Promise<void> {
  const handle = stage.temporal.client.workflow.getHandle(id, run_id)
  const ended = ['COMPLETED', 'CONTINUED_AS_NEW']
  await until(`${name}: the run ended`, async () => ended.includes((await handle.describe()).status.name), {
    within_ms: 60_000,
  })
  const history = JSON.parse(historyToJSON(await handle.fetchHistory())) as object
  const json = JSON.stringify(history, scrubbed)
  await assertNothingPersonal(stage, name, readable(JSON.parse(json)))
  writeFileSync(join(directory, `${name}.json`), `${json}\n`)
  process.stdout.write(`${name}\n`)
}

/** What names the machine that recorded: replay looks at none of it. */
function scrubbed(key: string, value: unknown): unknown {
  if (key === 'stackTrace') return undefined
  if (key === 'identity') return 'recorder'
  return typeof value === 'string' ? value.replaceAll(hostname(), 'recorder') : value
}

/** Looks for the very values that must not be there; `replay.test.ts` knows only what they look like. */
async function assertNothingPersonal(stage: Stage, name: string, text: string): Promise<void> {
  const { data } = await stage.store.orders.list(stage.mchid, {}, { limit: 100 })
  const secrets = [stage.key, stage.shop.secret, ...data.map(({ checkout_token }) => checkout_token)]
  for (const secret of secrets) if (text.includes(secret)) throw new Error(`${name} holds a secret; nothing was kept`)
}

await main(process.argv.slice(2))
process.exit(0)
