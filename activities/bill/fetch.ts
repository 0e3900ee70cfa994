import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { cancellationSignal, heartbeat } from '@temporalio/activity'
import { flawOf } from '../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import { dayRange, isBillGone } from '../../domain/bill/reconciliation.ts'
import type { BillPolicy, BillRecord, DayKey } from '../../domain/bill/reconciliation.ts'
import { accountOfBill, bill_types, isFlowBill } from '../../domain/bill/row.ts'
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
import { dropPieces } from './drop.ts'
import { BillDamaged } from '../../store/original.ts'

/** A bill is kept in pieces of this size, compressed: far below what a document holds, far above what a write costs. */
const part_bytes = 1024 * 1024

const hour_ms = 3_600_000
/** No fetch lasts so long: Temporal gives its attempt up after four hours. */
const longest_fetch_ms = 6 * hour_ms
/** What a fetch has kept that was begun so long ago, and that no version has, is a killed worker's. */
const abandoned_ms = 24 * hour_ms
/** fetches whose pieces are dropped at one look */
const most_abandoned = 20

/**
 * Fetches a bill and keeps its original. A file with another hash than the newest here is the next version; the same hash
 * is the same file, and is fetched again only where what is kept of it is damaged. Waits, by its retries, until WeChat
 * has made it; what WeChat has thrown away and is not here has version 0.
 */
export async function fetchBill(
  context: GatewayContext,
  policy: BillPolicy,
  { day, type }: Pick<DayLook, 'day'> & { type: BillType },
): Promise<BillRecord> {
  const { store } = context
  assertOver(context, day)
  await dropAbandoned(context)
  const newest = await store.bills.newest(day, type)
  if (isBillGone(day.bill_date, context.now())) {
    await store.merchants.liftAttention(day.mchid, 'bill_late')
    return newest ?? noBill(day, type, currentTime(context))
  }
  const keeper = keepParts(context, billPartsKey(day, type, randomUUID()))
  const known_sha1 = isWhole(newest) ? newest.hash_value : null
  const result = await download(context, policy, { day, type, known_sha1 }, keeper).catch(async (error: unknown) => {
    await keeper.drop()
    throw error
  })
  await store.merchants.liftAttention(day.mchid, 'bill_late')
  // That there is none is not signed: it does not take back a file that WeChat signed.
  if (newest !== null && result.kind !== 'downloaded') return newest
  if (result.kind === 'none' && !isMade(context, policy, day)) throw await notReady(context, policy, day)
  const bill = await keepVersion(store, newest, fetchedBill(context, { day, type }, result, keeper))
  if (bill !== null) {
    await keeper.end()
    return bill
  }
  await keeper.drop()
  const first = await store.bills.newest(day, type)
  if (first !== null && (result.kind !== 'downloaded' || first.hash_value === result.signed_sha1)) return first
  // Another worker was first, with another file: what WeChat's word is now, the next attempt asks.
  throw againFailure(`two files were fetched at once as the ${type} bill of ${day.bill_date}`, policy.look_ms)
}

/**
 * What `read` makes of a day's originals. One that is damaged is fetched anew, and read again; `unusable` where WeChat has
 * the file no longer. Whatever `read` writes, it must write after it has read all.
 */
export async function readWhole<R extends object>(
  context: GatewayContext,
  policy: BillPolicy,
  day: DayKey,
  read: () => Promise<R>,
): Promise<R | { unusable: DayFlaw }> {
  const { store, log } = context
  const spoilt: BillDamaged[] = []
  for (;;) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof BillDamaged) || spoilt.length === bill_types.length) throw error
      const { bill, message } = error
      spoilt.push(error)
      log.error('the original of a bill is damaged and is fetched anew', { bill: bill._id, why: message })
      await store.bills.noteDamaged(bill, currentTime(context))
      const renewed = await fetchBill(context, policy, { day, type: bill.type })
      if (isWhole(renewed)) continue
      return { unusable: flawOf('original_lost', { type: bill.type, why: message }) }
    }
  }
}

function isWhole(bill: BillRecord | null): bill is BillRecord {
  return bill !== null && bill.damaged_time === undefined
}

type FetchedBill = Omit<BillRecord, '_id' | 'version' | 'damaged_time'>

function fetchedBill(
  context: GatewayContext,
  { day, type }: { day: DayKey; type: BillType },
  result: BillResult,
  keeper: PartKeeper,
): FetchedBill {
  const file = result.kind === 'downloaded' ? result : null
  return {
    mchid: day.mchid,
    bill_date: day.bill_date,
    type,
    state: file === null ? 'none' : 'ready',
    hash_value: file?.signed_sha1 ?? null,
    plain_sha1: file?.sha1 ?? null,
    byte_count: file?.plain_bytes ?? 0,
    part_count: keeper.count(),
    parts_key: keeper.parts_key,
    fetch_time: currentTime(context),
  }
}

/** Keeps it as the version after `newest`, or in the place of its damaged pieces. Null: another fetch was first. */
async function keepVersion(
  { bills }: Pick<Store, 'bills'>,
  newest: BillRecord | null,
  fetched: FetchedBill,
): Promise<BillRecord | null> {
  if (newest !== null && newest.hash_value === fetched.hash_value) return await bills.replaceParts(newest, fetched)
  const version = (newest?.version ?? 0) + 1
  const bill = { _id: billId(fetched, fetched.type, version), version, ...fetched }
  return (await bills.add(bill)) ? bill : null
}

/** Drops what killed workers have kept, of whatever bill: their pieces are no version's, and nobody else would find them. */
async function dropAbandoned({ store, now }: GatewayContext): Promise<void> {
  const before = beijingTime(now() - abandoned_ms)
  for (const parts_key of await store.bills.fetchesBefore(before, most_abandoned)) {
    if (!(await store.bills.hasVersionOf(parts_key))) await dropPieces(store, parts_key)
    await store.bills.endFetch(parts_key)
  }
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
  const request: BillRequest = isFlowBill(type)
    ? { type: 'fundflow', date, account: accountOfBill(type) }
    : { type, date }
  const { transport } = account.client
  const fetched = async () => {
    try {
      return await fetchFromWeChat(transport, { ...request, known_sha1 }, keeper.take, cancellationSignal())
    } catch (error) {
      if (error instanceof WeChatPayError && error.kind === 'not_yet') throw await notReady(context, policy, day)
      throw error
    }
  }
  const result = await callWeChat(context, isFlowBill(type) ? 'fund_flow_bill' : 'trade_bill', fetched)
  if (result.kind !== 'downloaded') {
    await keeper.drop()
    return result
  }
  await keeper.finish()
  if (!result.is_signed) {
    const why = result.mistake ?? `its SHA-1 is ${result.sha1}, and WeChat signed ${result.signed_sha1}`
    await context.store.merchants.noteAttention(mchid, 'day_unproven', currentTime(context))
    throw againFailure(`the ${type} bill of ${date} is not what WeChat signed: ${why}`, policy.not_ready_ms)
  }
  return result
}

/**
 * Whether WeChat has made the bills of a day by now. Before ten it may say of one that is still to come that there is none,
 * and a day without money would pass for proven. Each is made by itself: another that is here says nothing of it.
 */
function isMade({ now }: Pick<GatewayContext, 'now'>, { made_ms }: BillPolicy, { bill_date }: DayKey): boolean {
  return now() >= dayRange(bill_date).to_ms + made_ms
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
  /** keeps the rest */
  finish: () => Promise<void>
  /** says that its pieces are a version's */
  end: () => Promise<void>
  /** gives up what was kept */
  drop: () => Promise<void>
  count: () => number
}

/** Compresses what it is given and keeps it, piece by piece. */
function keepParts(context: GatewayContext, parts_key: string): PartKeeper {
  const { bills } = context.store
  const begun_ms = context.now()
  const entrance = new PassThrough()
  let count = 0
  const keep = async (bytes: Buffer) => {
    if (count === 0) await bills.beginFetch(parts_key, beijingTime(begun_ms))
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
  done.catch(() => undefined) // `take` and `finish` say it
  return {
    parts_key,
    async take(bytes) {
      // A piece that is kept may have taken minutes to come.
      heartbeat({ part: count })
      if (!entrance.write(bytes)) await Promise.race([once(entrance, 'drain'), done])
    },
    async finish() {
      entrance.end()
      await done
      // From here on its pieces could be taken for a killed worker's, and be dropped.
      if (context.now() - begun_ms > longest_fetch_ms)
        throw againFailure(`the fetch took too long: more than ${longest_fetch_ms / hour_ms} hours`)
    },
    end: () => bills.endFetch(parts_key),
    async drop() {
      entrance.destroy()
      await done.catch(() => undefined)
      // The key is ended a day later: a piece that the database did not answer for may come until then.
      await dropPieces(context.store, parts_key)
    },
    count: () => count,
  }
}
