import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker'
import { DeterminismViolationError } from '@temporalio/workflow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBills } from '../../activities/bill/steps.ts'
import type { ActivityContext } from '../../activities/context.ts'
import { default_bill_policy } from '../../domain/bill/reconciliation.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import { workflowCode } from '../stage/bundle.ts'
import { all_chapters } from '../histories/chapters.ts'
import { activity, handler, happenings, seenIn } from '../histories/coverage.ts'
import { readable } from '../histories/payloads.ts'
import { Driver } from '../stage/driver.ts'
import { World } from '../stage/world.ts'

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'OFF' } }, // what is found is thrown, and looked at below
  shutdownSignals: [],
})

const repository = fileURLToPath(new URL('../..', import.meta.url))
const directory = join(repository, 'test/histories')
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace(/\.json$/, ''))

function historyOf(name: string): { events: Record<string, unknown>[] } {
  return JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8')) as { events: Record<string, unknown>[] }
}

type Bundle = { code: string }

/** What parts the workflow code of `bundle` from what runs of before did, by the name of the history. */
async function differences(workflowBundle: Bundle, replayed = names): Promise<Map<string, Error>> {
  const histories = replayed.map((name) => ({ workflowId: name, history: historyOf(name) }))
  const found = new Map<string, Error>()
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories))
    if (error) found.set(workflowId, error)
  return found
}

const bundle: Bundle = await workflowCode()

describe('a history of before', () => {
  let found: Map<string, Error>
  beforeAll(async () => {
    found = await differences(bundle)
  })

  it('is stored of every path that is told', () => {
    const paths = all_chapters.flatMap((chapter) => Object.keys(chapter.paths))
    expect(paths.filter((path) => !names.some((name) => name.startsWith(path)))).toEqual([])
  })

  it.each(names)('%s is gone through again by the code of today', (name) => {
    expect(found.get(name)).toBeUndefined()
  })

  it.each(names)('%s holds nothing personal, no secret, and no trace of the machine it was made on', (name) => {
    const text = readable(historyOf(name))
    expect(text).toMatch(/\\"(out_trade_no|out_refund_no|delivery_id|bill_date|due_ms)\\":/) // the payloads are open
    const forbidden = [
      /openid|\\?"payer\\?"/i,
      /PRIVATE KEY|CERTIFICATE/,
      /weft_(test|live)_|whsec_/,
      /checkout|\/pay\//,
      /ciphertext|apiv3/i,
      /stackTrace|\/(home|root|tmp|work|Users)\//,
    ]
    expect(forbidden.filter((trace) => trace.test(text))).toEqual([])
    const identities = [...text.matchAll(/"identity":"([^"]*)"/g)].map(([, identity]) => identity)
    expect(new Set(identities)).toEqual(new Set(['recorder']))
  })
})

/** The steps of days, whose collaborators are asked for nothing before one is taken. */
const bill_steps = Object.keys(createBills({} as ActivityContext, {} as RunStarter, default_bill_policy))

describe('all histories of before together', () => {
  const seen = new Set(names.flatMap((name) => [...seenIn(historyOf(name))]))
  const unseen = (wanted: string[]) => wanted.filter((one) => !seen.has(one))
  let driver: Driver
  beforeAll(async () => {
    driver = await Driver.open(bundle.code, World.activities)
  })
  afterAll(async () => await driver.close())

  it('have taken every step that there is', () => {
    expect(World.activities.length).toBeGreaterThan(40)
    expect(unseen([...World.activities, ...bill_steps].map(activity))).toEqual([])
  })

  it.each(['payOrder', 'refundPayment'])('have heard everything that %s hears', async (workflow) => {
    const run = await driver.start(workflow, 'any', { mchid: '1', out_trade_no: 'A', out_refund_no: 'R' }, 0)
    await run.activate(0)
    const { signals, updates } = await run.hears()
    const heard = [...signals, ...updates]
    await run.end() // the driver closes only over ended runs
    expect(heard.length).toBeGreaterThan(5)
    expect(unseen(heard.map((name) => handler(workflow, name)))).toEqual([])
  })

  it('have written down every event, met every answer, and ended in every way', () => {
    expect(unseen(happenings)).toEqual([])
  })
})

describe('a changed workflow', () => {
  /**
   * The workflow code with one place of one file written otherwise. In the bundle a file's text stands behind its path, up
   * to the next one's: it is as it was written, but for types and for the names of what it imports.
   */
  function altered(file: string, before: string, after: string): Bundle {
    const begin = bundle.code.indexOf(`\n/***/ "./${file}"`)
    const end = bundle.code.indexOf('\n/***/ "', begin + 1)
    const places = bundle.code.slice(begin, end).split(before)
    expect([begin > 0, end > begin, places.length], `${file} has the place once`).toEqual([true, true, 2])
    return { code: bundle.code.slice(0, begin) + places.join(after) + bundle.code.slice(end) }
  }

  it('that says the same in other words goes through all histories', async () => {
    const reworded = altered('workflows/words.ts', 'Waiting for the payer.', 'The payer has the code.')
    expect(await differences(reworded)).toEqual(new Map())
  })

  it('that says everything in another language goes through all histories', async () => {
    const chinese = altered('workflows/shown.ts', 'one === language', "one === 'zh-CN'")
    expect(await differences(chinese)).toEqual(new Map())
  })

  const changes = [
    [
      'asks where it recorded',
      'notification',
      'workflows/order/placement.ts',
      'records.recordPlaced({',
      'records.recordRenewed({',
    ],
    [
      'polls by another activity',
      'found_by_first_question',
      'workflows/order/placement.ts',
      'run.activities.poll(',
      'run.activities.prove(',
    ],
    [
      'waits no more before it asks',
      'found_by_first_question',
      'workflows/order/placement.ts',
      'if (delay_ms <= 0)',
      'if (delay_ms <= 60_000)',
    ],
    [
      'closes without a record',
      'closed_by_merchant',
      'workflows/order/placement.ts',
      'await run.activities.contested.recordClosed(',
      'await run.activities.records.recordClosed(',
    ],
    [
      'tells nobody',
      'notification',
      'workflows/order/fulfilment.ts',
      'return await deliverPaid(run, order)',
      'return await awaitConfirmation(run, order)',
    ],
    [
      'closes the other numbers of a sale where an older worker went on without',
      'late_payment_accepted_before',
      'workflows/order/run.ts',
      'siblings.length > 0 && ',
      'siblings.length > 0 || ',
    ],
    [
      'sends an event twice',
      'closed_by_merchant_notice',
      'workflows/delivery/workflow.ts',
      'return delivered.kind',
      'return delivered.kind + (await deliverEvent({ ...given, is_repeat: true }))',
    ],
    [
      'does not compare again what was handed over',
      'day_handed_over',
      'workflows/bill/workflow.ts',
      'if (handed_over > 0)',
      'if (handed_over > 99)',
    ],
    [
      'does not fetch the bills of other accounts',
      'day_accounts',
      'workflows/bill/workflow.ts',
      '(opened).map(',
      '(opened).slice(0, 2).map(',
    ],
  ] as const

  it.each(changes)('that %s is detected by the history %s', async (_, name, file, before, after) => {
    const changed = altered(file, before, after)
    expect((await differences(changed, [name])).get(name)).toBeInstanceOf(DeterminismViolationError)
  })
})
