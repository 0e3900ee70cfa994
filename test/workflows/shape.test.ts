import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { order_updates, refund_updates, signals } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import { workflowCode } from '../stage/bundle.ts'
import { Driver, RawPayload } from '../stage/driver.ts'
import type { Run } from '../stage/driver.ts'

const order = { mchid: '1900000001', out_trade_no: 'T-1' }
const refund = { mchid: '1900000001', out_refund_no: 'R-1' }
const day = { mchid: '1900000001', bill_date: '2026-11-23' }
const first_steps = ['deliver', 'openDay', 'acceptDifferences', 'startDays']

/** What a message can be that says nothing: each is handed to every handler. */
const unreadable: Record<string, unknown[]> = {
  nothing: [],
  null: [null],
  'a number': [7],
  'a text': ['check'],
  'an array': [[{ operation_id: 'x' }]],
  'an empty object': [{}],
  'fields of other kinds': [
    { operation_id: 5, actor: 'me', reason: {}, evidence_id: 8, out_refund_no: null, envelope: 'x', result: 1 },
  ],
  'a command with nobody behind it': [{ operation_id: 'x', reason: null }],
  'an actor that nobody knows': [{ operation_id: 'x', actor: { kind: 'stranger', id: null }, reason: null }],
  'an envelope without headers': [{ envelope: { body: '{}' } }],
  'an endless text': [{ operation_id: 'x'.repeat(1_001), evidence_id: 'x'.repeat(30_000), out_refund_no: '' }],
  'bytes that are no JSON': [new RawPayload('{"operation_id":')],
  'a payload of unknown encoding': [new RawPayload('…', 'binary/encrypted')],
  'more than one argument': [null, 7, {}],
  'a nest without an end': [new RawPayload('['.repeat(50_000) + ']'.repeat(50_000))],
  'a payload that is too large to be one': [{ operation_id: 'x'.repeat(1_900_000) }],
}

/** What takes no argument reads none, and what needs none is done without. */
const needs_nothing: readonly string[] = [order_updates.prepay, refund_updates.reserve, signals.check_requested]

const begun = {
  payOrder: { argument: order, load: 'load', loaded: { order: waitingOrder(), deliveries: [], refunds: [] } },
  refundPayment: { argument: refund, load: 'loadRefund', loaded: { refund: waitingRefund(), deliveries: [] } },
} as const

describe('a message that cannot be read', () => {
  let driver: Driver
  beforeAll(async () => {
    driver = await Driver.open((await workflowCode()).code, [
      'load',
      'loadRefund',
      'askOnRequest',
      'askRefund',
      ...first_steps,
    ])
  })
  afterAll(async () => await driver.close())

  /** A run that has loaded its record and waits. */
  async function waitingRun(type: keyof typeof begun): Promise<Run> {
    const { argument, load, loaded } = begun[type]
    const run = await driver.start(type, `${type}/x`, argument, 1_000)
    await run.activate(1_000)
    const loading = pending(run, load)
    run.complete(loading, { ...loaded, policy: default_policy })
    await run.activate(1_001)
    expect(run.ending).toBeNull()
    return run
  }

  function pending(run: Run, name: string) {
    const found = [...run.activities.values()].find((activity) => activity.name === name)
    if (found === undefined) throw new Error(`${name} is not under way`)
    return found
  }

  const kinds = Object.keys(begun) as (keyof typeof begun)[]

  it.each(kinds)('stops no handler of %s, and the run goes on', async (type) => {
    const run = await waitingRun(type)
    const { signals: heard, updates } = await run.hears()
    expect(heard).toContain('checkRequested')
    let count = 0
    for (const given of Object.values(unreadable)) {
      for (const name of [...heard, 'nobodyKnowsThis']) {
        run.signal(name, ...given)
        await run.activate(2_000 + count++)
      }
      for (const name of [...updates, 'nobodyKnowsThis']) {
        const id = `${name}-${count}`
        run.update(name, id, ...given)
        await run.activate(2_000 + count++)
        const is_refused = run.refusals.has(id)
        expect(is_refused, `${name} of ${JSON.stringify(given)}`).toBe(!needs_nothing.includes(name))
      }
      await run.query('nobodyKnowsThis', ...given)
    }
    expect(run.refusals.get([...run.refusals.keys()][0] ?? '')).toMatch(/cannot be read: an object is wanted/)
    expect(run.ending).toBeNull()
    // It asks WeChat for those who asked without input, and for nobody else.
    const asking = pending(run, type === 'payOrder' ? 'askOnRequest' : 'askRefund')
    expect([...run.activities.values()].filter(({ is_cancelled }) => !is_cancelled)).toEqual([asking])
  })

  it.each<[string, unknown, string]>([
    ['deliverEvent', { delivery_id: 'x' }, 'deliver'],
    ['reconcileDay', day, 'openDay'],
    ['concludeDay', day, 'acceptDifferences'],
    ['reconcileDays', null, 'startDays'],
  ])('stops no run of %s, which reads none', async (type, argument, first_step) => {
    const run = await driver.start(type, `${type}/x`, argument, 1_000)
    await run.activate(1_000)
    const { signals: heard } = await run.hears()
    let count = 0
    for (const given of Object.values(unreadable)) {
      for (const name of [...heard, signals.payment_found, 'nobodyKnowsThis']) run.signal(name, ...given)
      run.update('nobodyKnowsThis', `u-${count}`, ...given)
      await run.activate(2_000 + count++)
      await run.query('nobodyKnowsThis', ...given)
    }
    expect(run.ending).toBeNull()
    expect(pending(run, first_step).is_cancelled).toBe(false)
  })

  it.each([...kinds, 'deliverEvent', 'reconcileDay', 'concludeDay'])(
    'ends a run of %s that was started with it, in so many words',
    async (type) => {
      for (const [what, given] of Object.entries(unreadable)) {
        const run = await driver.start(type, `${type}/y`, given[0] ?? null, 1_000)
        await run.activate(1_000)
        expect(run.ending, what).toMatchObject({ kind: 'failed' })
        expect(JSON.stringify(run.ending), what).toContain('cannot be read')
      }
    },
  )
})

function waitingOrder() {
  return {
    ...order,
    state: 'awaiting_payment',
    revision: 1,
    sequence: 0,
    amount: { total: 100, currency: 'CNY' },
    create_time: '2026-01-01T00:00:00+08:00',
    time_expire: '2027-01-01T00:00:00+08:00',
    placed_time: '2026-01-01T00:00:00+08:00',
    payment: null,
    fulfilment: { mode: 'event', result: null, deadline_time: null },
    attention: null,
    next_action: null,
  }
}

function waitingRefund() {
  return {
    ...refund,
    out_trade_no: order.out_trade_no,
    transaction_id: '42',
    order_id: null,
    state: 'processing',
    revision: 1,
    amount: { refund: 1, total: 100, currency: 'CNY' },
    origin: 'api',
    is_accepted: true,
    attention: null,
    next_action: null,
  }
}
