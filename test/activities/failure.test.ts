import { ApplicationFailure } from '@temporalio/activity'
import { MockActivityEnvironment } from '@temporalio/testing'
import { describe, expect, it } from 'vitest'
import { againFailure, callFailure, notYetFailure, returnWithDatabase } from '../../activities/failure.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import { WeChatPayError } from '../../wechat/errors.ts'

/** What Temporal is told of an activity that fails so. */
async function toldOf(error: Error, info: { attempt: number; isLocal?: boolean }): Promise<unknown> {
  const environment = new MockActivityEnvironment(info, { interceptors: [returnWithDatabase] })
  return await environment.run(() => Promise.reject(error)).catch((told: unknown) => told)
}

describe('an activity that the database did not answer', () => {
  const away = new StoreUnavailable(new Error('connection timed out'))

  it('comes again in less than five seconds, however often it has failed', async () => {
    for (const attempt of [1, 2, 3, 8, 1_000]) {
      const told = await toldOf(away, { attempt })
      if (!(told instanceof ApplicationFailure)) throw new Error('by its own policy')
      expect(told).toMatchObject({ type: 'StoreUnavailable', nonRetryable: false, message: away.message })
      // In no log: all activities of all orders meet it at once.
      expect(told.category).toBe('BENIGN')
      expect(Number(told.nextRetryDelay)).toBeGreaterThanOrEqual(1_000)
      expect(Number(told.nextRetryDelay)).toBeLessThanOrEqual(4_000)
    }
  })

  it('is left to its regular one where it is local, as any other failure is left to its policy', async () => {
    expect(await toldOf(away, { attempt: 1, isLocal: true })).toBe(away)
    const other = new Error('something else')
    expect(await toldOf(other, { attempt: 1 })).toBe(other)
  })
})

describe('a call to WeChat Pay that gave no answer', () => {
  it.each([
    ['breaker', 'BENIGN'],
    ['limit', 'BENIGN'],
    ['timeout', undefined],
    ['answer', undefined],
  ] as const)('for %s is logged as %s', (reason, category) => {
    const error = new WeChatPayError({ kind: 'again', reason, operation: 'query', outcome_unknown: true })
    const failure = callFailure(error, 1_500.5, 'slower')
    expect(failure).toMatchObject({ type: 'slower', nextRetryDelay: 1_501, message: error.message })
    expect(failure.category ?? undefined).toBe(category)
  })
})

describe('what Temporal keeps of a failure', () => {
  const said = 'not heard: the body looks like an error: “error” is "no user oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"'
  const failure = { operation: 'place', kind: 'again', reason: 'answer', outcome_unknown: true } as const
  const named = new WeChatPayError({ ...failure, code: 'openid=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' })

  it.each([
    ['that waits', notYetFailure(said, 1_000)],
    ['that is repeated', againFailure(said)],
    ['of a call', callFailure(named, 1_000)],
  ])('names no payer, whatever an endpoint or WeChat Pay said: %s', (_name, { message }) => {
    expect(message).toMatch(/not heard|WeChat Pay place/)
    expect(message).not.toContain('oUpF8uMu')
  })
})
