import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { ApplicationFailure } from '@temporalio/common'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import mongoose from 'mongoose'
import { createBills } from '../../../activities/bill/steps.ts'
import type { BillActivities } from '../../../activities/bill/steps.ts'
import type { ActivityContext } from '../../../activities/context.ts'
import { readOriginal } from '../../../store/original.ts'
import { billsOfDay, default_bill_policy } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { default_policy } from '../../../domain/policy.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import type { RunStarter } from '../../../runtime/runs.ts'
import type { Store } from '../../../store/store.ts'
import { createSealer } from '../../../store/sealer.ts'
import type { WeChatAccount } from '../../../wechat/accounts.ts'
import type { Transport, WeChatAnswer } from '../../../wechat/transport.ts'
import { memoryStore } from '../../stage/memory.ts'
import { database_uri, freshStore } from '../../store/database.ts'
import { mchid, merchantSample } from '../../store/samples.ts'
import { layouts, line, written } from '../../wechat/statement/file.ts'

export const bill_date = '2026-11-22'
export const day = { mchid, bill_date }
/** noon of the day after */
export const due_ms = Date.parse('2026-11-23T12:00:00.000+08:00')

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const quiet = new DefaultLogger('ERROR')

export function answer(status: number, body: object | string, code: string | null = null): WeChatAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status, headers: {}, body: text, code, message: null, request_id: null, unanswered_before: false }
}

export const none = answer(400, { code: 'NO_STATEMENT_EXIST' }, 'NO_STATEMENT_EXIST')
export const not_ready = answer(400, { code: 'STATEMENT_CREATING' }, 'STATEMENT_CREATING')

/** The trade bill of some payments of 9.90, in bytes; `change` per row. */
export function tradeFile(changes: readonly Record<string, string>[]): Buffer {
  const { columns, summary_columns } = layouts.ALL
  const yuan = ((9.9 * 100 * changes.length) / 100).toFixed(2)
  const fee = (0.06 * changes.length).toFixed(5)
  const sums: Record<string, string> = {
    总交易单数: String(changes.length),
    应结订单总金额: yuan,
    订单总金额: yuan,
    手续费总金额: fee,
  }
  const summary = summary_columns.map((name) => sums[name] ?? '0.00')
  return written({ columns, rows: changes.map((change) => line(columns, change)), summary_columns, summary })
}

/** Steps of a day over a real database and a WeChat Pay that says what a test has it say. */
export class Desk {
  readonly store: Store
  readonly drop: () => Promise<void>
  now_ms = due_ms
  /** what is answered to each operation */
  answers: Record<string, (path: string) => WeChatAnswer | Promise<WeChatAnswer>> = {}
  file: readonly Buffer[] = []
  /** what is done before each piece of the file */
  pause = (): Promise<void> => Promise.resolve()
  readonly asked: string[] = []
  readonly signals: { id: string; signal: string; evidence_id: unknown }[] = []
  /** the runs that were started */
  readonly started: string[] = []
  heartbeats = 0
  readonly #steps: BillActivities

  readonly database: string

  private constructor({ store, drop, database }: Awaited<ReturnType<typeof freshStore>>) {
    this.store = store
    this.drop = drop
    this.database = database
    const transport: Transport = {
      send: async ({ operation, path }) => {
        this.asked.push(`${operation} ${path.replace(/\?.*/, '')}`)
        return await (this.answers[operation] ?? (() => answer(404, '', 'ORDER_NOT_EXIST')))(path)
      },
      download: async () => {
        const { file, pause } = this
        async function* pieces() {
          for (const piece of file) {
            await pause()
            yield piece
          }
        }
        return await Promise.resolve(pieces())
      },
    }
    const account = { mchid, client: { transport } } as unknown as WeChatAccount
    const context = {
      store,
      sealer,
      accounts: { find: () => Promise.resolve(account) } as unknown as ActivityContext['accounts'],
      policy: { ...default_policy },
      now: () => this.now_ms,
      log: silentLogger,
    }
    const signalWithStart = (
      _type: string,
      sent: { workflowId: string; signal: string; signalArgs: [{ evidence_id: unknown }] },
    ) => {
      this.signals.push({ id: sent.workflowId, signal: sent.signal, evidence_id: sent.signalArgs[0].evidence_id })
      return Promise.resolve()
    }
    const start = (_type: string, sent: { workflowId: string }) => {
      this.started.push(sent.workflowId)
      return Promise.resolve()
    }
    const starter = {
      client: { workflow: { signalWithStart, start } },
      toOptions: (start: { workflow_id: string }) => ({ workflowId: start.workflow_id }),
    } as unknown as RunStarter
    this.#steps = createBills(context, starter, default_bill_policy)
  }

  static async open(where: 'database' | 'memory' = 'database'): Promise<Desk> {
    const nothing = () => Promise.resolve()
    const fresh =
      where === 'database'
        ? await freshStore({ is_indexed: false })
        : { store: memoryStore(sealer), drop: nothing, database: '' }
    await fresh.store.merchants.save(merchantSample())
    return new Desk(fresh)
  }

  /** The ids of all pieces of originals; those that `spoil` names are gone, or are other bytes, before that. */
  async parts(spoil: { gone?: string; changed?: string } = {}): Promise<string[]> {
    const connection = await mongoose.createConnection(database_uri, { dbName: this.database }).asPromise()
    const parts = connection.collection<{ _id: string; bytes: Buffer }>('bill_parts')
    if (spoil.gone !== undefined) await parts.deleteOne({ _id: spoil.gone })
    const wrong = { $set: { bytes: gzipSync('another file') } }
    if (spoil.changed !== undefined) await parts.updateOne({ _id: spoil.changed }, wrong)
    const found = await parts.find({}, { projection: { _id: 1 } }).toArray()
    await connection.close()
    return found.map(({ _id }) => _id).sort()
  }

  /** Performs a step as a worker would. */
  async perform<N extends keyof BillActivities>(
    name: N,
    given: Parameters<BillActivities[N]>[0],
  ): Promise<Awaited<ReturnType<BillActivities[N]>>> {
    const environment = new MockActivityEnvironment({}, { logger: quiet })
    environment.on('heartbeat', () => (this.heartbeats += 1))
    const step = this.#steps[name] as unknown as (one: typeof given) => ReturnType<BillActivities[N]>
    const outcome: unknown = await environment.run(async (one: typeof given) => await step(one), given)
    return outcome as Awaited<ReturnType<BillActivities[N]>>
  }

  /** Performs a step whose worker dies behind the next call of `name`: that has had its effect, and nobody heard of it. */
  async dying<N extends keyof BillActivities>(
    [what, name]: readonly [object, string],
    step: N,
    given: Parameters<BillActivities[N]>[0],
  ): Promise<void> {
    const original = (what as Record<string, (...given: unknown[]) => Promise<unknown>>)[name]
    Object.assign(what, {
      [name]: async (...some: unknown[]) => {
        Reflect.deleteProperty(what, name)
        await original?.apply(what, some)
        throw new Error('the worker died')
      },
    })
    const outcome = await this.perform(step, given).then(
      () => 'it went on',
      (error: unknown) => String(error),
    )
    if (!outcome.includes('died')) throw new Error(`${step} did not die behind ${name}: ${outcome}`)
  }

  /** The failure of a step that must not succeed. */
  async failureOf<N extends keyof BillActivities>(
    name: N,
    given: Parameters<BillActivities[N]>[0],
  ): Promise<ApplicationFailure> {
    const failure: unknown = await this.perform(name, given).then(
      () => null,
      (error: unknown) => error,
    )
    if (failure instanceof ApplicationFailure) return failure
    throw new Error(`${name} did not fail as Temporal takes it`, { cause: failure })
  }

  /** WeChat Pay has this trade bill, and nothing else. */
  issue(bytes: Buffer, signed_sha1 = createHash('sha1').update(bytes).digest('hex')): void {
    this.file = [bytes]
    const link = { hash_type: 'SHA1', hash_value: signed_sha1, download_url: 'https://api.mch.weixin.qq.com/v3/file' }
    this.answers['trade_bill'] = () => answer(200, link)
    this.answers['fund_flow_bill'] = () => none
  }

  /** WeChat Pay knows this payment. */
  know(given: { transaction_id: string; out_trade_no?: string; trade_state?: string }): void {
    this.answers['query'] = () =>
      answer(200, {
        mchid,
        appid: 'wx8888888888888888',
        out_trade_no: 'T20261122-1',
        trade_state: 'SUCCESS',
        success_time: '2026-11-22T10:00:00+08:00',
        amount: { total: 990, payer_total: 990, currency: 'CNY', payer_currency: 'CNY' },
        ...given,
      })
  }

  async plain(bill: BillRecord): Promise<Buffer> {
    return await inActivity(async () => {
      const pieces: Buffer[] = []
      for await (const bytes of readOriginal(this.store, bill)) pieces.push(bytes)
      return Buffer.concat(pieces)
    })
  }

  /** Fetches and compares as one look does, without questions. */
  async looked(of = day): Promise<number> {
    const opened = await this.perform('openDay', { day: of, look: randomUUID() })
    const { run } = opened
    for (const type of billsOfDay(opened)) await this.perform('fetchBill', { day: of, run, type })
    await this.perform('matchDay', { day: of, run })
    return run
  }

  /** The same, and what the day comes to. */
  async closed(of = day): Promise<ReconciliationRecord> {
    return await this.perform('closeDay', { day: of, run: await this.looked(of) })
  }

  time(ms = this.now_ms): string {
    return beijingTime(ms)
  }
}

export async function inActivity<T>(act: () => Promise<T>): Promise<T> {
  const outcome: unknown = await new MockActivityEnvironment({}, { logger: quiet }).run(act)
  return outcome as T
}
