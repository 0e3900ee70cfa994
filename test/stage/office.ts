import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import mongoose from 'mongoose'
import { insertDay } from '../../bench/daystore.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import { dayRange } from '../../domain/bill/reconciliation.ts'
import { GeneratedDay } from '../../simulator/bills/generator.ts'
import type { GeneratedDayOptions, GeneratedKind } from '../../simulator/bills/generator.ts'
import type { Simulator } from '../../simulator/main.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'
import { Client, makeMerchant } from '../simulator/client.ts'
import { merchantSample, orderSample } from '../store/samples.ts'
import type { ClerkOrder } from './clerk.ts'
import { endWithThisProcess } from './guard.ts'
import { startSimulator } from './simulator.ts'
import { until } from './until.ts'

const mchid = '1900000001'
const bill_date = '2026-11-22'
const day = { mchid, bill_date }
const script = fileURLToPath(new URL('clerk.ts', import.meta.url))

/** What a process is to do, and what becomes of it. */
export interface Clerk {
  /** how often it said that it lives */
  beats(): number
  /** what its steps failed with, each of which it repeats */
  failures: string[]
  /** Waits until it has said so often that it lives, or has ended by itself. */
  reach(beats: number): Promise<void>
  /** SIGKILL at that moment; answers whether it came to its end. */
  killAt(beats: number): Promise<boolean>
  /** whether it came to the end of the day */
  ended: Promise<boolean>
}

/** A generated day at a simulator, its records in a database, and processes that compare the two. */
export class Office {
  readonly store: Store
  readonly simulator: Simulator
  readonly plants: Record<GeneratedKind, number>
  readonly #database: string
  readonly #uri: string
  readonly #clock: RunningClock
  readonly #master_key: string
  readonly #options: Partial<GeneratedDayOptions> & { appid: string; rows: number }
  readonly #connection: mongoose.Connection

  private constructor(
    given: {
      store: Store
      simulator: Simulator
      uri: string
      database: string
      master_key: string
      clock: RunningClock
    },
    options: Partial<GeneratedDayOptions> & { appid: string; rows: number },
    connection: mongoose.Connection,
  ) {
    this.store = given.store
    this.simulator = given.simulator
    this.#uri = given.uri
    this.#database = given.database
    this.#master_key = given.master_key
    this.#clock = given.clock
    this.#options = options
    this.#connection = connection
    this.plants = new GeneratedDay(options).plants
  }

  static async open(uri: string, rows: number, difference_share: number): Promise<Office> {
    const database = `office_${randomBytes(5).toString('hex')}`
    const master_key = randomBytes(32).toString('base64')
    const sealer = createSealer({ keys: [{ id: 'test', key: master_key }] })
    const store = await openStore({ uri, database, sealer, answer_within_ms: 30_000 })
    for (const some of [store.payments, store.refunds]) await some.ensureIndexes()
    const clock = new RunningClock(noon_after)
    const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: clock.now })
    const merchant = makeMerchant(mchid)
    const { wechatpay_public_key_id: public_key_id, wechatpay_public_key: public_key } = await new Client(
      simulator.url,
      merchant,
    ).register()
    const { serial_no, private_key, apiv3_key, appid } = merchant
    const wechat = store.merchants.sealSetup(mchid, { serial_no, private_key, apiv3_key, public_key_id, public_key })
    await store.merchants.save(merchantSample({ mchid, appids: [appid], wechat }))
    const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise()
    const options = { rows, difference_share, mchid, appid, bill_date, kinds, refund_share: 0.1 }
    const office = new Office({ store, simulator, uri, database, master_key, clock }, options, connection)
    await office.#fill()
    office.issue()
    return office
  }

  /** The records of the day; and orders for the rows that have none, without which they would be another system's. */
  async #fill(): Promise<void> {
    const of_day = new GeneratedDay(this.#options)
    await insertDay(this.#connection, mchid, of_day.records())
    for (const out_trade_no of of_day.numbersOf('missing_here'))
      await this.store.orders.insert(orderSample(out_trade_no, { mchid }))
  }

  /** The bills of the day, or other ones of it: the same rows with other plants. */
  issue(given: Partial<GeneratedDayOptions> = {}): void {
    const { rows, appid, difference_share, refund_share } = this.#options
    const generated = { rows, appid, difference_share, refund_share, ...given }
    this.simulator.control.issueBills({
      mchid,
      bill_date,
      generated: { ...generated, kinds: [...(given.kinds ?? kinds)] },
    })
  }

  /** Has a process make a look; the same `look` goes on with it. */
  clerk(look: string): Clerk {
    // WeChat Pay lets a bill be applied for so often a minute.
    const now_ms = this.#clock.set(61_000)
    const order: ClerkOrder = {
      ...{ uri: this.#uri, database: this.#database, master_key: this.#master_key },
      ...{ wechat_url: this.simulator.url, now_ms, day, look },
    }
    const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    endWithThisProcess(child)
    const failures: string[] = []
    let [beats, is_done] = [0, false]
    createInterface({ input: child.stdout }).on('line', (line) => {
      const word = JSON.parse(line) as { beats?: number; failure?: string; done?: number }
      beats = word.beats ?? beats
      if (word.failure !== undefined) failures.push(word.failure)
      if (word.done !== undefined) is_done = true
    })
    const ended = new Promise<boolean>((resolve) => child.once('close', () => resolve(is_done)))
    const reach = async (last: number) => {
      const is_there = () => beats >= last || child.exitCode !== null || child.signalCode !== null
      await until(`beat ${last}`, is_there, { within_ms: longest_look_ms })
    }
    const killAt = async (last: number) => {
      await reach(last)
      child.kill('SIGKILL')
      return await ended
    }
    return { beats: () => beats, failures, reach, killAt, ended }
  }

  /**
   * All that looks left of the day, as text, but for when: and a look has a name and a number of its own. Of each entry
   * of the book there is its id and a hash, since those of a large day are longer than a text can be.
   */
  async left(): Promise<string> {
    const day_left = await this.store.reconciliations.find(day)
    const found: DifferenceRecord[] = []
    for (let after: string | null = null; ;) {
      const some: DifferenceRecord[] = await this.store.differences.ofDay(day, after, 500)
      found.push(...some)
      after = some.at(-1)?._id ?? null
      if (some.length < 500) break
    }
    const events = found.map(({ timeline, ...one }) => ({ ...one, timeline: timeline.map(({ event }) => event) }))
    const posted: string[] = []
    for await (const { booked_time: _time, ...entry } of this.#connection.collection('journal').find().sort({ _id: 1 }))
      posted.push(`${String(entry._id)} ${createHash('sha256').update(plainText(entry)).digest('hex')}`)
    const told = day_left?.told && { ...day_left.told, time: null }
    return plainText([{ ...day_left, told }, ...events, ...posted])
  }

  /** Everything that looks leave is gone: bills, differences, the day, evidence, what was posted. */
  async forget(): Promise<void> {
    const names = ['bills', 'bill_parts', 'differences', 'reconciliations', 'evidence', 'journal']
    for (const name of names) await this.#connection.collection(name).deleteMany({})
  }

  async close(): Promise<void> {
    await this.#connection.dropDatabase()
    await this.#connection.close()
    await this.store.close()
    await this.simulator.close()
  }
}

/** A clock that goes on by itself: the limits of WeChat Pay and of a merchant give calls back as time passes. */
class RunningClock {
  #ms: number
  #since = performance.now()

  constructor(ms: number) {
    this.#ms = ms
  }

  readonly now = () => Math.floor(this.#ms + performance.now() - this.#since)

  /** It is so much later at once. */
  set(more_ms: number): number {
    this.#ms = this.now() + more_ms
    this.#since = performance.now()
    return this.#ms
  }
}

function plainText(value: unknown): string {
  return JSON.stringify(value, (name, one: unknown) => (own_words.has(name) ? undefined : one), 1)
}

/** One look at a day of 200,000 rows takes a minute on two quiet cores. */
const longest_look_ms = 1_800_000
/** What is another's each time: moments, and names of looks. */
const own_words = new Set([
  'run',
  'look',
  'post_time',
  'start_time',
  'end_time',
  'found_time',
  'due_time',
  'asked_time',
  'handed_over_time',
])
const noon_after = dayRange(bill_date).to_ms + 12 * 3_600_000
/** Of fees nothing is found without a rate. */
const kinds: GeneratedKind[] = [
  ...(['missing_here', 'missing_there', 'amount', 'state', 'number', 'duplicate', 'foreign', 'malformed'] as const),
]
