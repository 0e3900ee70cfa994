import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { cancellationSignal, heartbeat } from '@temporalio/activity'
import { dayRange, isBillGone } from '../../domain/bill/reconciliation.ts'
import type { BillPolicy, BillRecord, DayKey } from '../../domain/bill/reconciliation.ts'
import type { BillType } from '../../domain/bill/row.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { billId, billPartsKey } from '../../domain/ids.ts'
import type { Store } from '../../store/store.ts'
import { fetchBill as fetchFromWeChat } from '../../wechat/bills.ts'
import type { BillRequest, BillResult } from '../../wechat/bills.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import { currentTime } from '../context.ts'
import { againFailure, callWeChat, notYetFailure } from '../failure.ts'
import { requireAccount } from '../gateway.ts'
import type { GatewayContext } from '../gateway.ts'
import type { DayLook } from './day.ts'

/** A bill is kept in pieces of this size, compressed: far below what a document holds, far above what a write costs. */
const part_bytes = 1024 * 1024

/**
 * Fetches a bill and keeps its original. A file with another hash than the newest here is the next version; the same hash
 * is the same file, and is not fetched again. Waits, by its retries, until WeChat has made it; what WeChat has thrown
 * away and is not here has version 0.
 */
export async function fetchBill(
  context: GatewayContext,
  policy: BillPolicy,
  { day, type }: Pick<DayLook, 'day'> & { type: BillType },
): Promise<BillRecord> {
  const { store } = context
  assertOver(context, day)
  const newest = await store.bills.newest(day, type)
  if (isBillGone(day.bill_date, context.now())) {
    await store.merchants.liftAttention(day.mchid, 'bill_late')
    return newest ?? noBill(day, type, currentTime(context))
  }
  const keeper = keepParts(store, billPartsKey(day, type, randomUUID()))
  const wanted = { day, type, known_sha1: newest?.hash_value ?? null }
  const result = await download(context, policy, wanted, keeper).catch(async (error: unknown) => {
    await keeper.drop()
    throw error
  })
  await store.merchants.liftAttention(day.mchid, 'bill_late')
  // That there is none is not signed: it does not take back a file that WeChat signed.
  if (newest !== null && result.kind !== 'downloaded') return newest
  const version = (newest?.version ?? 0) + 1
  const file = result.kind === 'downloaded' ? result : null
  const bill: BillRecord = {
    ...noBill(day, type, currentTime(context)),
    _id: billId(day, type, version),
    version,
    state: file === null ? 'none' : 'ready',
    hash_value: file?.signed_sha1 ?? null,
    plain_sha1: file?.sha1 ?? null,
    byte_count: file?.plain_bytes ?? 0,
    part_count: keeper.count(),
    parts_key: keeper.parts_key,
  }
  if (await store.bills.add(bill)) return bill
  // Another worker was first with this version: its file counts, and another one is seen at the next look.
  await keeper.drop()
  return (await store.bills.newest(day, type)) ?? bill
}

/** A bill of which there is nothing. */
function noBill(day: DayKey, type: BillType, fetch_time: Time): BillRecord {
  return {
    ...{ _id: billId(day, type, 0), ...day, type, version: 0, state: 'none', hash_value: null, plain_sha1: null },
    ...{ byte_count: 0, part_count: 0, parts_key: '', fetch_time },
  }
}

/** A day that is not over has no bill, and WeChat keeps none for ever. */
function assertOver({ now }: GatewayContext, { bill_date }: DayKey): void {
  const left_ms = dayRange(bill_date).to_ms - now()
  if (left_ms > 0) throw notYetFailure(`the day ${bill_date} is not over`, left_ms)
}

/** Throws unless what was kept is what WeChat signed. */
async function download(
  context: GatewayContext,
  policy: BillPolicy,
  { day, type, known_sha1 }: { day: DayKey; type: BillType; known_sha1: string | null },
  keeper: PartKeeper,
): Promise<BillResult> {
  const { mchid, bill_date: date } = day
  const account = await requireAccount(context, { mchid })
  const request: BillRequest = type === 'trade' ? { type, date } : { type, date, account: 'BASIC' }
  const { transport } = account.client
  const fetched = async () => {
    try {
      return await fetchFromWeChat(transport, { ...request, known_sha1 }, keeper.take, cancellationSignal())
    } catch (error) {
      if (error instanceof WeChatPayError && error.kind === 'not_yet') throw await notReady(context, policy, day)
      throw error
    }
  }
  const result = await callWeChat(context, type === 'trade' ? 'trade_bill' : 'fund_flow_bill', fetched)
  if (result.kind !== 'downloaded') {
    await keeper.drop()
    return result
  }
  await keeper.end()
  if (result.hash === 'wrong') {
    const why = result.mistake ?? `its SHA-1 is ${result.sha1}, and WeChat signed ${result.signed_sha1}`
    await context.store.merchants.noteAttention(mchid, 'day_unproven', currentTime(context))
    throw againFailure(`the ${type} bill of ${date} is not what WeChat signed: ${why}`, policy.not_ready_ms)
  }
  return result
}

/** WeChat is still making it: no error, but from 15:00 on a person should look. */
async function notReady({ store, now }: GatewayContext, policy: BillPolicy, { mchid, bill_date }: DayKey) {
  if (now() >= dayRange(bill_date).to_ms + policy.late_ms) {
    await store.merchants.noteAttention(mchid, 'bill_late', beijingTime(now()))
  }
  return notYetFailure(`WeChat has not made the bill of ${bill_date} yet`, policy.not_ready_ms)
}

/** Keeps the pieces of one fetch. */
interface PartKeeper {
  parts_key: string
  take: (bytes: Buffer) => Promise<void>
  end: () => Promise<void>
  /** gives up what was kept */
  drop: () => Promise<void>
  count: () => number
}

/** Compresses what it is given and keeps it, piece by piece. */
function keepParts({ bills }: Pick<Store, 'bills'>, parts_key: string): PartKeeper {
  const entrance = new PassThrough()
  let count = 0
  const keep = async (bytes: Buffer) => {
    await bills.putPart(parts_key, count, bytes)
    count += 1
    heartbeat({ part: count })
  }
  const done = pipeline(entrance, createGzip(), async (source: AsyncIterable<Buffer>) => {
    let held: Buffer[] = []
    let size = 0
    for await (const bytes of source) {
      held.push(bytes)
      size += bytes.length
      if (size < part_bytes) continue
      await keep(Buffer.concat(held))
      held = []
      size = 0
    }
    if (size > 0) await keep(Buffer.concat(held))
  })
  done.catch(() => undefined) // `take` and `end` say it
  return {
    parts_key,
    async take(bytes) {
      // A piece that is kept may have taken minutes to come.
      heartbeat({ part: count })
      if (!entrance.write(bytes)) await Promise.race([once(entrance, 'drain'), done])
    },
    async end() {
      entrance.end()
      await done
    },
    async drop() {
      entrance.destroy()
      await done.catch(() => undefined)
      // One more than are counted: the database may have taken the one that it did not answer for.
      await bills.dropParts(parts_key, count + 1)
    },
    count: () => count,
  }
}
