import { describe, expect, it } from 'vitest'
import {
  classifyAnswer,
  failureOf,
  isProductRefusal,
  knownCodes,
  unreadableAnswer,
  WeChatPayError,
} from '../../wechat/errors.ts'
import type { WeChatFailureKind, WeChatOperation } from '../../wechat/errors.ts'

const operations: WeChatOperation[] = [
  'place',
  'query',
  'close',
  'certificates',
  'refund',
  'query_refund',
  'abnormal_refund',
  'trade_bill',
  'fund_flow_bill',
  'bill_download',
]
const kindOf = (operation: WeChatOperation, status: number, code: string | null) =>
  classifyAnswer(operation, status, code).kind

describe('an answer that is no success', () => {
  it.each<[string, number, string | null, WeChatFailureKind]>([
    ['a wrong signature', 401, 'SIGN_ERROR', 'setup'],
    ['an appid of another merchant', 400, 'APPID_MCHID_NOT_MATCH', 'setup'],
    ['an unknown merchant on orders', 400, 'MCH_NOT_EXISTS', 'setup'],
    ['an unknown merchant on refunds', 404, 'MCH_NOT_EXISTS', 'setup'],
    ['any 401', 401, null, 'setup'],
    ['a limit', 429, 'FREQUENCY_LIMITED', 'slower'],
    ['a limit by its other name', 429, 'RATELIMIT_EXCEEDED', 'slower'],
    ['a 429 of any code', 429, 'PARAM_ERROR', 'slower'],
    ['a system error', 500, 'SYSTEM_ERROR', 'again'],
    ['an old system error with another status', 400, 'SYSTEMERROR', 'again'],
    ['a 5xx of any code', 500, 'PARAM_ERROR', 'again'],
    ['a gateway without a body', 502, null, 'again'],
    ['an unknown path', 404, null, 'again'],
    ['a wrong method', 405, null, 'again'],
    ['a redirect', 302, null, 'again'],
    ['accepted, not finished', 202, 'USERPAYING', 'not_yet'],
  ])('%s means the same on every call', (_what, status, code, kind) => {
    expect(operations.map((operation) => kindOf(operation, status, code))).toEqual(operations.map(() => kind))
  })

  it.each<[WeChatFailureKind, string[]]>([
    ['setup', ['SIGN_ERROR', 'SIGNERROR', 'APPID_MCHID_NOT_MATCH', 'MCH_NOT_EXISTS']],
    ['setup', ['MCHID_NOT_EXIST', 'APPID_NOT_EXIST']],
    ['slower', ['FREQUENCY_LIMITED', 'FREQUENCY_LIMIT', 'RATELIMIT_EXCEEDED', 'RATE_LIMIT']],
    ['again', ['SYSTEM_ERROR', 'SYSTEMERROR', 'SERVICE_UNAVAILABLE', 'BANK_ERROR', 'BANKERROR']],
    ['not_yet', ['USERPAYING', 'USER_PAYING']],
  ])('is %s by its code on every call, whatever its status: %j', (kind, codes) => {
    for (const operation of operations)
      for (const code of codes) expect([operation, code, kindOf(operation, 400, code)]).toEqual([operation, code, kind])
  })

  it('by a code of a product is no matter of the one order', () => {
    expect(['NO_AUTH', 'NOAUTH', 'PARAM_ERROR', ''].map(isProductRefusal)).toEqual([true, true, false, false])
  })

  it('is known by all codes that any table lists', () => {
    for (const operation of operations) {
      const known = knownCodes(operation)
      expect(known).toEqual(expect.arrayContaining(['SIGN_ERROR', 'USER_PAYING']))
      expect(known).not.toContain('A_CODE_OF_TOMORROW')
    }
    expect(knownCodes('place')).toContain('ORDERPAID')
    expect(knownCodes('refund')).toContain('TRADE_OVERDUE')
    expect(knownCodes('query')).not.toContain('TRADE_OVERDUE')
  })

  it('is an error that says which call failed, why, and by which request', () => {
    const answer = { status: 403, code: 'ORDERPAID', message: '已支付', request_id: 'r-1', unanswered_before: false }
    const failure = failureOf('place', answer)
    expect(failure).toMatchObject({
      ...{ name: 'WeChatPayError', kind: 'refused', reason: 'answer', operation: 'place', about_number: true },
      ...{ status: 403, code: 'ORDERPAID', wechat_message: '已支付', delay_ms: null, request_id: 'r-1' },
    })
    expect(failure.message).toBe('WeChat Pay place: refused (ORDERPAID), Request-ID r-1')
    const cause = new Error('no JSON')
    const unreadable = unreadableAnswer('query', { status: 200, request_id: null }, cause)
    expect(unreadable).toMatchObject({
      ...{ kind: 'again', reason: 'unreadable', operation: 'query', status: 200, outcome_unknown: true, cause },
      ...{ about_number: false, code: null, request_id: null, message: 'WeChat Pay query: again (200)' },
    })
  })

  it.each(['NO_AUTH', 'NOAUTH'])('%s is a set-up fault of every call that no person waits for', (code) => {
    for (const operation of operations.filter((one) => one !== 'place' && one !== 'abnormal_refund'))
      expect(kindOf(operation, 403, code)).toBe('setup')
  })

  it.each([
    ['ORDERPAID', 400, true],
    ['ORDER_PAID', 403, true],
    ['ORDER_CLOSED', 400, true],
    ['ORDERCLOSED', 400, true],
    ['OUT_TRADE_NO_USED', 403, true],
    ['INVALID_REQUEST', 400, true],
    ['TRADE_ERROR', 403, true],
    ['TRADE_STATE_ERROR', 403, true],
    ['A_CODE_OF_TOMORROW', 400, true],
    ['PARAM_ERROR', 400, false],
    ['RULE_LIMIT', 403, false],
    ['RULELIMIT', 403, false],
    ['ACCOUNT_ERROR', 403, false],
    ['ACCOUNTERROR', 403, false],
    ['NOT_ENOUGH', 403, false],
    ['NOTENOUGH', 403, false],
    ['OPENID_MISMATCH', 400, false],
    ['OPENID_MISMATCH', 500, false],
    ['NO_AUTH', 403, false],
    ['NOAUTH', 403, false],
  ])('%s refuses a placement (status %i), and is about the number: %s', (code, status, about_number) => {
    expect(classifyAnswer('place', status, code)).toEqual({ kind: 'refused', about_number, outcome_unknown: false })
  })

  it.each(['PARAM_ERROR', 'INVALID_REQUEST', 'RULE_LIMIT', 'TRADE_ERROR', 'ORDER_CLOSED', 'A_CODE_OF_TOMORROW'])(
    '%s refuses no query and no close for good',
    (code) => {
      for (const operation of ['query', 'close', 'certificates', 'query_refund'] as const) {
        expect(kindOf(operation, 400, code)).toBe('again')
      }
    },
  )

  it.each([
    ['USER_ACCOUNT_ABNORMAL', 403],
    ['TRADE_OVERDUE', 403],
    ['RULE_LIMIT', 403],
    ['RULELIMIT', 403],
    ['REFUND_FEE_MISMATCH', 403],
    ['PARAM_ERROR', 400],
    ['INVALID_REQUEST', 400],
  ])('%s refuses a refund (status %i)', (code, status) => {
    expect(classifyAnswer('refund', status, code)).toEqual({
      kind: 'refused',
      about_number: false,
      outcome_unknown: false,
    })
  })

  it.each(['NOT_ENOUGH', 'NOTENOUGH'])('%s leaves a refund for when there is money again: nothing was done', (code) => {
    const notEnough = { kind: 'not_enough', about_number: false, outcome_unknown: false }
    expect(classifyAnswer('refund', 403, code)).toEqual(notEnough)
  })

  it.each([
    'RESOURCE_NOT_EXISTS',
    'ORDERNOTEXIST',
    'TRADE_ERROR',
    'ORDER_CLOSED',
    'ACCOUNT_ERROR',
    'OUT_TRADE_NO_USED',
    'A_CODE_OF_TOMORROW',
  ])('%s keeps a refund’s number and is asked again', (code) => {
    expect(classifyAnswer('refund', 404, code)).toEqual({ kind: 'again', about_number: false, outcome_unknown: true })
  })

  it('slows down what has to do with refunds when requests are blocked', () => {
    for (const operation of ['refund', 'query_refund', 'abnormal_refund'] as const) {
      expect(classifyAnswer(operation, 403, 'REQUEST_BLOCKED')).toMatchObject({ kind: 'slower', outcome_unknown: true })
    }
  })

  it.each([
    'PARAM_ERROR',
    'INVALID_REQUEST',
    'RULE_LIMIT',
    'USER_ACCOUNT_ABNORMAL',
    'RESOURCE_NOT_EXISTS',
    'NO_AUTH',
    'X',
  ])('%s refuses the card that an abnormal refund should go to', (code) =>
    expect(kindOf('abnormal_refund', 400, code)).toBe('refused'),
  )

  it.each([
    ['STATEMENT_CREATING', 'not_yet'],
    ['PARAM_ERROR', 'refused'],
    ['INVALID_REQUEST', 'refused'],
    ['NO_AUTH', 'setup'],
    ['A_CODE_OF_TOMORROW', 'again'],
  ] as const)('%s of a bill is %s', (code, kind) => {
    for (const operation of ['trade_bill', 'fund_flow_bill'] as const) expect(kindOf(operation, 400, code)).toBe(kind)
  })

  it.each(['PARAM_ERROR', 'INVALID_REQUEST', 'RESOURCE_NOT_EXISTS', 'A_CODE_OF_TOMORROW'])(
    '%s of a link has the bill applied for again',
    (code) => expect(kindOf('bill_download', 400, code)).toBe('again'),
  )

  it('leaves the outcome open unless it is a refusal or a set-up fault', () => {
    expect(classifyAnswer('place', 500, 'SYSTEM_ERROR').outcome_unknown).toBe(true)
    expect(classifyAnswer('place', 429, 'FREQUENCY_LIMITED').outcome_unknown).toBe(true)
    expect(classifyAnswer('place', 202, null).outcome_unknown).toBe(true)
    expect(classifyAnswer('place', 404, null).outcome_unknown).toBe(true)
    expect(classifyAnswer('place', 401, 'SIGN_ERROR').outcome_unknown).toBe(false)
    expect(classifyAnswer('place', 400, 'PARAM_ERROR').outcome_unknown).toBe(false)
  })
})

describe('a failure', () => {
  const answer = {
    status: 429,
    code: 'FREQUENCY_LIMITED',
    message: '频率限制',
    request_id: 'r-1',
    unanswered_before: false,
  }

  it('asks to come back in one to five seconds, each time another one', () => {
    const delays = Array.from({ length: 50 }, () => failureOf('place', answer).delay_ms ?? 0)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(1_000)
    expect(Math.max(...delays)).toBeLessThan(5_000)
    expect(new Set(delays).size).toBeGreaterThan(10)
  })

  it('keeps what WeChat Pay said, for people', () => {
    const failure = failureOf('place', answer)
    expect(failure).toBeInstanceOf(WeChatPayError)
    expect(failure).toMatchObject({
      code: 'FREQUENCY_LIMITED',
      wechat_message: '频率限制',
      request_id: 'r-1',
      status: 429,
    })
    expect(failure.message).toBe('WeChat Pay place: slower (FREQUENCY_LIMITED), Request-ID r-1')
  })

  it('stays of unknown outcome when an attempt before it went unanswered', () => {
    const refused = { ...answer, status: 400, code: 'PARAM_ERROR' }
    expect(failureOf('place', refused).outcome_unknown).toBe(false)
    expect(failureOf('place', { ...refused, unanswered_before: true }).outcome_unknown).toBe(true)
  })
})
