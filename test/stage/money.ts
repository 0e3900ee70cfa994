import { expect } from 'vitest'
import { simulatorTruth } from '../../cli/truth.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { proveNumbers } from '../../proof/passage.ts'
import type { Stage } from './stage.ts'
import { until } from './until.ts'

/** Waits until the book says exactly this of an order: fen by account, debit positive, those at zero left out. */
export async function expectBook(stage: Stage, order: OrderKey, balances: Record<string, number>): Promise<void> {
  const wanted = JSON.stringify(Object.entries(balances).sort())
  const isBooked = async () => {
    const booked = JSON.stringify(Object.entries(await bookOf(stage, order)).sort())
    if (booked === wanted) return true
    throw new Error(booked)
  }
  await until(`booked ${wanted}`, isBooked)
}

async function bookOf(stage: Stage, order: OrderKey): Promise<Record<string, number>> {
  const balances = new Map<string, number>()
  for (const { postings } of await entriesOf(stage, order))
    for (const { account, amount } of postings) balances.set(account, (balances.get(account) ?? 0) + amount)
  return Object.fromEntries([...balances].filter(([, amount]) => amount !== 0).sort())
}

/** The kinds of an order's entries, in the order of their booking. */
export async function bookedOf(stage: Stage, order: OrderKey): Promise<string[]> {
  const entries = await entriesOf(stage, order)
  return entries.toSorted((a, b) => (a.booked_time < b.booked_time ? -1 : 1)).map(({ kind }) => kind)
}

async function entriesOf(stage: Stage, { mchid, out_trade_no }: OrderKey): Promise<JournalEntry[]> {
  return await stage.store.journal.ofOrder(mchid, out_trade_no)
}

/** Waits until the merchant has heard exactly these events of an order, in this order, each under its next number. */
export async function expectHeard(stage: Stage, { out_trade_no }: OrderKey, ...types: string[]): Promise<void> {
  const isHeard = () => {
    const heard = firstsOf(stage, out_trade_no).map(({ type }) => type)
    if (heard.length >= types.length) return true
    throw new Error(`heard ${heard.join(', ')}`)
  }
  await until(`the merchant heard ${types.join(', ')}`, isHeard)
  const heard = firstsOf(stage, out_trade_no)
  expect(heard.map(({ type }) => type)).toEqual(types)
  const sequences = heard.map(({ sequence }) => sequence)
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
}

/** Each event where it was heard first: repeats of one id are one event. */
function firstsOf(stage: Stage, out_trade_no: string) {
  const heard = stage.shop.of(out_trade_no)
  return heard.filter(({ id }, index) => heard.findIndex((one) => one.id === id) === index)
}

/** Records, book and WeChat's own truth agree about an order to the fen, and nothing is under way any more. */
export async function expectProven(stage: Stage, ...orders: OrderKey[]): Promise<void> {
  const truth = simulatorTruth(stage.simulator.url)
  const numbers = orders.map(({ out_trade_no }) => out_trade_no)
  const told = (kinds: Awaited<ReturnType<typeof proveNumbers>>) =>
    kinds.map(({ kind, detail }) => `${kind}: ${detail}`)
  await until(`${numbers.join(', ')} proven`, async () => {
    const findings = await proveNumbers(stage.store, stage.mchid, numbers, { now: stage.now, patience: null, truth })
    if (findings.length === 0) return true
    throw new Error(told(findings).join('; '))
  })
}

/** The calls about one refund that WeChat heard. */
export function refundCallsOf(stage: Stage, out_refund_no: string, operation: string) {
  return stage.wechat.calls.filter((call) => call.operation === operation && call.out_refund_no === out_refund_no)
}

/** However often a refund was asked for, WeChat has it once, by the same bytes. A call counts once WeChat is done with it. */
export async function expectAskedAlike(stage: Stage, out_refund_no: string, times: number): Promise<void> {
  const calls = () => refundCallsOf(stage, out_refund_no, 'refund')
  const sent = await until(`${times} calls for ${out_refund_no}`, () => calls().length >= times && calls())
  expect(sent).toHaveLength(times)
  expect(new Set(sent.map(({ body_sha256 }) => body_sha256)).size).toBe(1)
  expect(stage.wechat.refunds.filter((refund) => refund.out_refund_no === out_refund_no)).toHaveLength(1)
}
