import { randomBytes } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { flawOf } from '../../../domain/bill/flaw.ts'
import { bill_days_kept, dayRange, newReconciliation } from '../../../domain/bill/reconciliation.ts'
import { beijingDay, beijingTime, dayBefore } from '../../../domain/calendar.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { mchid } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
afterAll(() => stage.close())

const day_ms = 86_400_000
const begun_ms = Date.now() // over midnight the same day is asked for
const daysAgo = (days: number) => beijingDay(begun_ms - days * day_ms)
const begin = (day: string, key = stage.key) => stage.call('POST', `/v1/reconciliations/${day}`, undefined, { key })
const begun = () => stage.given.filter(({ command }) => command === 'startDay').map(({ arguments: [day] }) => day)

describe('a day that is to be looked at over HTTP', () => {
  beforeEach(() => {
    stage.given.length = 0
    stage.ahead_ms = 0
  })

  it('is begun, and answered before anything is known of it', async () => {
    const { status, body } = await begin(daysAgo(1))
    expect([status, body]).toEqual([202, { bill_date: daysAgo(1) }])
    expect(begun()).toEqual([{ mchid, bill_date: daysAgo(1) }])
  })

  it('must be over: to the last moment of it nothing is begun', async () => {
    const today = beijingDay(Date.now())
    const to_midnight = () => dayRange(today).to_ms - Date.now()
    stage.ahead_ms = to_midnight() - 5_000
    const refused = await begin(today)
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(refused.body.errors).toMatchObject([{ field: '/path/bill_date', code: 'day_over' }])
    expect(begun()).toEqual([])
    stage.ahead_ms = to_midnight()
    expect((await begin(today)).status).toBe(202)
  })

  it('must be one that WeChat still has', async () => {
    const day = '2026-11-22'
    const gone_ms = dayRange(day).from_ms + (bill_days_kept + 1) * day_ms
    stage.ahead_ms = gone_ms - Date.now() - 5_000
    expect((await begin(day)).status).toBe(202)
    stage.ahead_ms = gone_ms - Date.now()
    const refused = await begin(day)
    expect(refused.body.errors).toMatchObject([{ field: '/path/bill_date', code: 'day_gone' }])
    expect(begun()).toHaveLength(1)
  })

  it.each(['2026-11-31', '2026-1-2', '20261122', 'yesterday', '2026-11-22T00:00:00'])(
    'must be a day: %s is none',
    async (day) => {
      const refused = await begin(day)
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
      expect(begun()).toEqual([])
    },
  )

  it('is not begun for a merchant that is paused, whose days can be read', async () => {
    const turn = async (state: 'paused' | 'enabled') => {
      const merchant = await stage.store.merchants.find(mchid)
      if (merchant !== null) await stage.store.merchants.save({ ...merchant, state })
    }
    await turn('paused')
    try {
      expect(await begin(daysAgo(1))).toMatchObject({ status: 409, body: { code: 'merchant_paused' } })
      expect(begun()).toEqual([])
      expect((await stage.call('GET', '/v1/reconciliations')).status).toBe(200)
    } finally {
      await turn('enabled')
    }
  })

  it('is not begun by a key that only reads', async () => {
    const key = await stage.newKey({ scopes: ['money:read'] })
    expect(await begin(daysAgo(1), key)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
    expect(begun()).toEqual([])
  })

  it('is unavailable while Temporal does not answer', async () => {
    stage.on.startDay = () => Promise.reject(new Error('no Temporal'))
    expect((await begin(daysAgo(1))).status).toBeGreaterThanOrEqual(500)
    delete stage.on.startDay
  })

  it('is not found before its first look', async () => {
    const unknown = await stage.call('GET', `/v1/reconciliations/${daysAgo(50)}`)
    expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it('is listed with the others page by page, newest first, each once', async () => {
    const start_time = beijingTime(Date.now())
    const days = Array.from({ length: 7 }, (_, number) => daysAgo(number + 1))
    for (const bill_date of days)
      await stage.store.reconciliations.begin(newReconciliation({ mchid, bill_date }, start_time, 'l'))
    const other = { mchid: '1900000099', bill_date: dayBefore(Date.now()) }
    await stage.store.reconciliations.begin(newReconciliation(other, start_time, 'l'))
    const listed: string[] = []
    let cursor: string | undefined
    do {
      const query: string = cursor === undefined ? '' : `&cursor=${cursor}`
      const { status, body } = await stage.call<{ data: { bill_date: string }[]; next_cursor: string | null }>(
        'GET',
        `/v1/reconciliations?limit=3${query}`,
      )
      expect(status).toBe(200)
      listed.push(...body.data.map(({ bill_date }) => bill_date))
      cursor = body.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(listed).toEqual(days)
  })
})

describe('a day over HTTP', () => {
  it('says why it is not proven by code and in the reader’s language, what it moves in the book, and what was issued anew', async () => {
    const accounts = [{ account: 'wechat.basic', amount: 990 }]
    const flaws = [flawOf('opening_differs', { opening: 100, bill_date: '2026-10-30', ended: 200 }, 'fundflow')]
    const kept = {
      ...newReconciliation({ mchid, bill_date: '2026-10-31' }, beijingTime(Date.now()), 'look'),
      ...{ flaws: ['a break that an earlier version kept', ...flaws] },
      changes: [{ type: 'trade' as const, version: 2, added: 1, removed: 0, changed: 3 }],
      book: { post_time: null, sheet_count: 2, accounts, flaws: [] },
    }
    await stage.store.reconciliations.begin(kept)
    await stage.store.reconciliations.begin({
      ...newReconciliation({ mchid, bill_date: '2026-10-30' }, kept.start_time, ''),
    })
    const of = async (language?: string) => {
      const headers = language === undefined ? {} : { 'accept-language': language }
      const { body } = await stage.call<{ data: unknown[] }>(
        'GET',
        '/v1/reconciliations?bill_date_from=2026-10-31',
        undefined,
        {
          headers,
        },
      )
      const one = await stage.call('GET', '/v1/reconciliations/2026-10-31', undefined, { headers })
      expect(body.data).toContainEqual(one.body)
      return one.body as Record<string, unknown>
    }
    const values = { opening: 100, bill_date: '2026-10-30', ended: 200, bill: 'fundflow' }
    const old = { code: null, text: 'a break that an earlier version kept', values: {} }
    expect(await of()).toMatchObject({
      flaws: [
        old,
        {
          code: 'opening_differs',
          text: 'the fund flow begins with ¥1.00, and that of 2026-10-30 ended with ¥2.00',
          values,
        },
      ],
      changes: kept.changes,
      book: { post_time: null, sheet_count: 2, accounts },
    })
    expect(await of('zh-CN')).toMatchObject({
      flaws: [old, { text: '资金账单的期初余额为 ¥1.00，而 2026-10-30 的期末余额为 ¥2.00', values }],
    })
    const bare = await stage.call('GET', '/v1/reconciliations/2026-10-30')
    expect(bare.body).toMatchObject({ flaws: [], changes: [], book: null })
  })
})
