import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WeChatPayError } from '../../wechat/errors.ts'
import { createLimits } from '../../wechat/limits.ts'
import type { WeChatLimits, WeChatLimitSettings } from '../../wechat/limits.ts'

const answer = (status: number) => () => Promise.resolve({ status })
const silence = () =>
  Promise.reject(new WeChatPayError({ kind: 'again', reason: 'timeout', operation: 'query', outcome_unknown: true }))
const unverified = () =>
  Promise.reject(new WeChatPayError({ kind: 'again', reason: 'unverified', operation: 'query', outcome_unknown: true }))

/** What became of a call: the status it got, or kind and reason of its failure. */
async function outcome(limits: WeChatLimits, call: () => Promise<{ status: number }>) {
  try {
    return (await limits.run('query', call)).status
  } catch (error) {
    return error instanceof WeChatPayError ? `${error.kind}:${error.reason}` : String(error)
  }
}
const limitsWith = (settings: Partial<WeChatLimitSettings> = {}) => createLimits({ now: () => Date.now(), ...settings })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the tokens of a merchant', () => {
  it('run out at the burst and come back with time; nothing is sent without one', async () => {
    const limits = limitsWith({ rates: { query: { per_second: 2, burst: 3 } } })
    const call = vi.fn(answer(200))
    for (let sent = 0; sent < 3; sent += 1) expect(await outcome(limits, call)).toBe(200)
    expect(await outcome(limits, call)).toBe('slower:limit')
    expect(call).toHaveBeenCalledTimes(3)
    vi.setSystemTime(Date.now() + 500)
    expect(await outcome(limits, call)).toBe(200)
    expect(await outcome(limits, call)).toBe('slower:limit')
    vi.setSystemTime(Date.now() + 3_600_000)
    for (let sent = 0; sent < 3; sent += 1) expect(await outcome(limits, call)).toBe(200)
    expect(await outcome(limits, call)).toBe('slower:limit')
  })

  it('are counted for each operation apart', async () => {
    const limits = limitsWith({ rates: { query: { per_second: 1, burst: 1 } } })
    expect(await outcome(limits, answer(200))).toBe(200)
    expect(await outcome(limits, answer(200))).toBe('slower:limit')
    await expect(limits.run('place', answer(200))).resolves.toEqual({ status: 200 })
  })

  it('say when to come back, and that nothing was sent', async () => {
    const limits = limitsWith({ rates: { query: { per_second: 1, burst: 0 } } })
    await expect(limits.run('query', answer(200))).rejects.toMatchObject({ outcome_unknown: false, kind: 'slower' })
    const failure: unknown = await limits.run('query', answer(200)).catch((error: unknown) => error)
    expect((failure as WeChatPayError).delay_ms).toBeGreaterThanOrEqual(1_000)
  })
})

describe('the refunds of a merchant', () => {
  const settings = { failing: { refund: { per_second: 2, burst: 3 } } }
  const refund = async (limits: WeChatLimits, call: () => Promise<{ status: number }>) =>
    (await limits.run('refund', call).catch((error: WeChatPayError) => ({ status: `${error.kind}:${error.reason}` })))
      .status
  const refunds = async (limits: WeChatLimits, count: number, call: () => Promise<{ status: number }>) => {
    const outcomes = []
    for (let sent = 0; sent < count; sent += 1) outcomes.push(await refund(limits, call))
    return outcomes
  }

  it('may be refused at a rate of their own; above it nothing is sent', async () => {
    const limits = limitsWith(settings)
    expect(await refunds(limits, 3, answer(403))).toEqual([403, 403, 403])
    const call = vi.fn(answer(200))
    expect(await refund(limits, call)).toBe('slower:limit')
    expect(call).not.toHaveBeenCalled()
    vi.setSystemTime(Date.now() + 500)
    expect(await refund(limits, answer(404))).toBe(404)
    expect(await refund(limits, call)).toBe('slower:limit')
  })

  it.each([
    ['accepted', answer(200)],
    ['limited', answer(429)],
    ['met by a system error', answer(500)],
    ['left without an answer', silence],
  ])('are not refused when they are %s', async (_what, call) => {
    const limits = limitsWith({ ...settings, breaker: { failures: 100, open_ms: 5_000 } })
    await refunds(limits, 10, call)
    expect(await refund(limits, answer(200))).toBe(200)
  })

  it('go side by side while none is refused, and pay for it when all are', async () => {
    const limits = limitsWith(settings)
    expect(await Promise.all(Array.from({ length: 9 }, () => refund(limits, answer(403))))).toEqual(Array(9).fill(403))
    vi.setSystemTime(Date.now() + 3_499)
    expect(await refund(limits, answer(200))).toBe('slower:limit')
    vi.setSystemTime(Date.now() + 1)
    expect(await refund(limits, answer(200))).toBe(200)
  })

  it('go no more at once than may still fail, once one was refused', async () => {
    const limits = limitsWith(settings)
    await refund(limits, answer(403))
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => refund(limits, answer(403))))
    expect(outcomes).toEqual([403, 403, 'slower:limit', 'slower:limit', 'slower:limit'])
  })

  it('that are refused hold up no other call, and questions about refunds that fail no refund', async () => {
    const limits = limitsWith(settings)
    for (let sent = 0; sent < 10; sent += 1) await limits.run('query_refund', answer(404))
    expect(await refunds(limits, 4, answer(403))).toEqual([403, 403, 403, 'slower:limit'])
    for (const operation of ['query_refund', 'abnormal_refund', 'place', 'query'] as const) {
      await expect(limits.run(operation, answer(200))).resolves.toEqual({ status: 200 })
    }
  })

  it.each([
    ['refund', answer(200), 150],
    ['refund', answer(403), 6],
    ['query_refund', answer(200), 300],
    ['abnormal_refund', answer(200), 150],
  ] as const)('stay, as %s, under what WeChat Pay takes in any second', async (operation, call, published) => {
    const limits = limitsWith()
    let sent = 0
    for (let ms = 0; ms < 1_000; ms += 1) {
      for (let tries = 0; tries < 2; tries += 1) {
        await limits.run(operation, call).then(
          () => (sent += 1),
          () => undefined,
        )
      }
      vi.setSystemTime(Date.now() + 1)
    }
    expect(sent).toBeLessThanOrEqual(published)
    expect(sent).toBeGreaterThan(published / 10)
  })
})

describe('the slots of a merchant', () => {
  it('hold so many calls at once, and are free again when one ends, well or badly', async () => {
    const limits = limitsWith({ slots: 2 })
    let finish = () => undefined as void
    const slow = () => new Promise<{ status: number }>((resolve) => (finish = () => resolve({ status: 200 })))
    const first = limits.run('query', slow)
    const second = limits.run(
      'query',
      () => new Promise<never>((_resolve, reject) => setImmediate(() => reject(new Error('x')))),
    )
    expect(await outcome(limits, answer(200))).toBe('slower:limit')
    await expect(second).rejects.toThrow('x')
    expect(await outcome(limits, answer(200))).toBe(200)
    finish()
    await first
    expect(limits.state().in_flight).toBe(0)
  })
})

describe('the breaker of a merchant', () => {
  const settings = { breaker: { failures: 3, open_ms: 5_000 } }

  it.each([
    ['silence', silence],
    ['5xx', answer(503)],
  ])('opens on %s in a row, and then nothing is sent', async (_what, failing) => {
    const limits = limitsWith(settings)
    for (let sent = 0; sent < 3; sent += 1) await outcome(limits, failing)
    expect(limits.state().breaker).toBe('open')
    const call = vi.fn(answer(200))
    expect(await outcome(limits, call)).toBe('slower:breaker')
    expect(call).not.toHaveBeenCalled()
  })

  it.each([
    ['refusals', answer(400)],
    ['limits', answer(429)],
    ['answers that do not verify', unverified],
  ])('stays closed on %s, however many', async (_what, failing) => {
    const limits = limitsWith(settings)
    for (let sent = 0; sent < 10; sent += 1) await outcome(limits, failing)
    expect(limits.state().breaker).toBe('closed')
  })

  it('lets one call through after its time, and closes when that is answered', async () => {
    const limits = limitsWith(settings)
    for (let sent = 0; sent < 3; sent += 1) await outcome(limits, silence)
    vi.setSystemTime(Date.now() + 5_000)
    let finish = () => undefined as void
    const trial = limits.run(
      'query',
      () => new Promise<{ status: number }>((resolve) => (finish = () => resolve({ status: 404 }))),
    )
    expect(limits.state().breaker).toBe('half_open')
    expect(await outcome(limits, answer(200))).toBe('slower:breaker')
    finish()
    await trial
    expect(limits.state().breaker).toBe('closed')
    expect(await outcome(limits, answer(200))).toBe(200)
  })

  it('opens again when the trial fails', async () => {
    const limits = limitsWith(settings)
    for (let sent = 0; sent < 3; sent += 1) await outcome(limits, silence)
    vi.setSystemTime(Date.now() + 5_000)
    expect(await outcome(limits, silence)).toBe('again:timeout')
    expect(await outcome(limits, answer(200))).toBe('slower:breaker')
  })

  it('counts only failures in a row', async () => {
    const limits = limitsWith(settings)
    for (let round = 0; round < 5; round += 1) {
      await outcome(limits, silence)
      await outcome(limits, silence)
      await outcome(limits, answer(200))
    }
    expect(limits.state().breaker).toBe('closed')
  })
})

describe('a bill that does not exist', () => {
  it.each([1, 2, 3, 8])('is asked of both hosts at once by one of %i workers', async (of) => {
    for (const operation of ['trade_bill', 'fund_flow_bill'] as const) {
      const able = await Promise.all(
        Array.from({ length: of }, async (_, rank) => {
          const limits = limitsWith({ share: () => ({ of, rank }) })
          return limits
            .run(operation, answer(400))
            .then(() => limits.run(operation, answer(400)))
            .then(
              () => true,
              () => false,
            )
        }),
      )
      expect(able.filter(Boolean)).toHaveLength(1)
    }
  })
})
