import { describe, expect, it } from 'vitest'
import { TemporalUnavailable } from '../../../api/temporal/calls.ts'
import { checkOrderNow, refreshCode } from '../../../api/temporal/check.ts'
import type { CheckContext } from '../../../api/temporal/check.ts'
import { createQuestions } from '../../../api/temporal/question.ts'
import type { Actor } from '../../../domain/actor.ts'
import type { Command } from '../../../domain/messages.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { default_policy, scaledPolicy } from '../../../domain/policy.ts'
import { at, noon, orderSample } from '../../store/samples.ts'

const payer: Actor = { kind: 'payer', id: null }
const merchant: Actor = { kind: 'merchant', id: 'key_1' }
const code = { url: 'weixin://first', placed_time: at(0) }

/** An order, the time, and what a question or a fresh code changes in the record. */
function stage(given: Partial<OrderRecord>, { seconds = 60, time_scale = 1 } = {}) {
  const order = orderSample('T-100001', { state: 'awaiting_payment', code, time_expire: at(86_400), ...given })
  const stage = {
    order,
    record: order,
    checks: 0,
    refreshes: [] as Command[],
    change: {} as Partial<OrderRecord>,
    outcome: '',
    is_away: false,
    now_ms: noon + seconds * 1_000,
  }
  const effect = () => (stage.record = { ...stage.record, ...stage.change })
  const context: CheckContext = {
    policy: scaledPolicy(default_policy, time_scale),
    now: () => stage.now_ms,
    questions: createQuestions(() => stage.now_ms),
    store: { orders: { find: async () => stage.record } },
    commands: {
      check: async () => {
        if (stage.is_away) throw new TemporalUnavailable()
        stage.checks++
        effect()
      },
      refresh: async (_key, command) => {
        stage.refreshes.push(command)
        effect()
        return stage.outcome
      },
    },
  }
  return {
    stage,
    ask: (actor: Actor) => checkOrderNow(context, order, actor),
    renew: () => refreshCode(context, order, payer),
  }
}

describe('asking WeChat on request', () => {
  it('answers the record as it is once WeChat has been heard', async () => {
    const { stage: seen, ask } = stage({})
    seen.change = { asked: { last_time: at(60), on_request: 1 } }
    expect((await ask(payer)).asked.last_time).toBe(at(60))
    expect(seen.checks).toBe(1)
  })

  it('answers a payment that came in between', async () => {
    const { stage: seen, ask } = stage({})
    seen.change = { state: 'paid', revision: 1 }
    expect((await ask(merchant)).state).toBe('paid')
  })

  it('is not done again within 5 s of the last answer', async () => {
    const recent = stage({ asked: { last_time: at(55.001), on_request: 1 } })
    await recent.ask(merchant)
    expect(recent.stage.checks).toBe(0)
    const older = stage({ asked: { last_time: at(55), on_request: 1 } })
    older.stage.change = { asked: { last_time: at(60), on_request: 2 } }
    await older.ask(merchant)
    expect(older.stage.checks).toBe(1)
  })

  it('is granted to payers 20 times per order, to merchants always', async () => {
    const given = { asked: { last_time: at(0), on_request: 20 } }
    const { stage: seen, ask } = stage(given)
    seen.change = { asked: { last_time: at(60), on_request: 21 } }
    await ask(payer)
    expect(seen.checks).toBe(0)
    await ask(merchant)
    expect(seen.checks).toBe(1)
  })

  it('is of no use once the payment is known', async () => {
    const payment = { role: 'order' } as OrderRecord['payment']
    const { stage: seen, ask } = stage({ state: 'paid', payment })
    await ask(merchant)
    expect(seen.checks).toBe(0)
  })

  it.each([
    ['closed', null],
    ['failed', null],
    ['fulfilled', { role: 'order' } as OrderRecord['payment']],
    ['refunded', { role: 'order' } as OrderRecord['payment']],
  ] as const)('lets a merchant ask about an order that is %s, but no payer', async (state, payment) => {
    const { stage: seen, ask } = stage({ state, payment })
    seen.change = { asked: { last_time: at(60), on_request: 1 } }
    await ask(payer)
    expect(seen.checks).toBe(0)
    await ask(merchant)
    expect(seen.checks).toBe(1)
  })

  it('sends one signal for 450 who ask at once, and they share its outcome', async () => {
    const { stage: seen, ask } = stage({})
    seen.change = { asked: { last_time: at(60), on_request: 1 } }
    const answers = await Promise.all(Array.from({ length: 450 }, () => ask(payer)))
    expect(seen.checks).toBe(1)
    expect(new Set(answers.map(({ asked }) => asked.last_time))).toEqual(new Set([at(60)]))
  })

  it('sends no second signal within 5 s, though the record does not say yet that it was asked', async () => {
    const { stage: seen, ask } = stage({})
    seen.change = { revision: 1 }
    for (const _again of [1, 2, 3]) await ask(merchant)
    expect(seen.checks).toBe(1)
    seen.now_ms += 5_000
    await ask(merchant)
    expect(seen.checks).toBe(2)
  })

  it('can be sent again at once when Temporal did not take it', async () => {
    const { stage: seen, ask } = stage({})
    seen.is_away = true
    await expect(ask(merchant)).rejects.toBeInstanceOf(TemporalUnavailable)
    seen.is_away = false
    seen.change = { revision: 1 }
    await ask(merchant)
    expect(seen.checks).toBe(1)
  })

  it('answers the last record when WeChat stays silent for 5 s', async () => {
    const { ask } = stage({})
    const started = performance.now()
    expect((await ask(payer)).asked.last_time).toBeNull()
    expect(performance.now() - started).toBeGreaterThanOrEqual(4_900)
  })
})

describe('a fresh code', () => {
  const minutes = (count: number) => ({ seconds: count * 60 })

  it('is not asked for while the old one is younger than 110 min', async () => {
    const young = stage({}, { seconds: 110 * 60 - 1 })
    expect((await young.renew()).code).toEqual(code)
    expect(young.stage.refreshes).toHaveLength(0)
  })

  it('comes at 110 min, by a command named after the code it replaces', async () => {
    const { stage: seen, renew } = stage({}, minutes(110))
    seen.change = { code: { url: 'weixin://second', placed_time: at(6_600) }, revision: 1 }
    expect((await renew()).code?.url).toBe('weixin://second')
    expect(seen.refreshes).toEqual([{ operation_id: `code:${at(0)}:11`, actor: payer, reason: null }])
  })

  it.each([
    ['NATIVE', [110, 119.9, 120]],
    ['JSAPI', [110, 119.9, 120]],
    ['APP', [110, 119.9, 120]],
    ['MWEB', [4, 4.9, 5]],
  ] as const)('of %s is asked for once per window, and anew when the old one dies', async (trade_type, ages) => {
    for (const time_scale of [1, 100]) {
      const wishes = await Promise.all(
        ages.map(async (age) => {
          const { stage: seen, renew } = stage({ trade_type }, { seconds: (age * 60) / time_scale, time_scale })
          seen.outcome = 'unavailable'
          await expect(renew()).rejects.toBeInstanceOf(TemporalUnavailable)
          return seen.refreshes[0]?.operation_id
        }),
      )
      expect(wishes[1]).toBe(wishes[0])
      expect(wishes[2]).not.toBe(wishes[1])
    }
  })

  it('is named by a number however fast time runs', async () => {
    const { stage: seen, renew } = stage({}, { time_scale: 1e9 })
    seen.change = { revision: 1, code: { url: 'weixin://second', placed_time: at(60) } }
    await renew()
    expect(seen.refreshes[0]?.operation_id).toMatch(/:\d+$/)
  })

  it('says so when nobody can take the wish', async () => {
    const { stage: seen, renew } = stage({}, minutes(110))
    seen.outcome = 'unavailable'
    await expect(renew()).rejects.toBeInstanceOf(TemporalUnavailable)
  })

  it('is not asked for when the order is about to end, or has ended', async () => {
    const ending = stage({ time_expire: at(7_000) }, { seconds: 6_911 })
    await ending.renew()
    expect(ending.stage.refreshes).toHaveLength(0)
    const ended = stage({ state: 'closing' }, minutes(120))
    await ended.renew()
    expect(ended.stage.refreshes).toHaveLength(0)
  })

  it('comes earlier where time runs faster', async () => {
    const { stage: seen, renew } = stage({}, { seconds: 70, time_scale: 100 })
    seen.change = { code: { url: 'weixin://second', placed_time: at(70) } }
    await renew()
    expect(seen.refreshes).toHaveLength(1)
  })
})
