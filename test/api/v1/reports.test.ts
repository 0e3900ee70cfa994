import Papa from 'papaparse'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addDuration } from '../../../domain/bill/duration.ts'
import { newReport, noFigures } from '../../../domain/bill/report.ts'
import type { ReportFigures } from '../../../domain/bill/report.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { mchid } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'one', key: Buffer.alloc(32, 1).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
afterAll(() => stage.close())

const lag = {}
addDuration(lag, 1_000)

beforeAll(async () => {
  const keep = (bill_date: string, given: Partial<ReportFigures>) =>
    stage.store.reports.write(
      newReport({ mchid, bill_date }, 1, '2026-11-24T10:30:00.000+08:00', { ...noFigures(), ...given }),
    )
  await keep('2026-11-21', { paid_count: 1, paid_amount: 990, found_by: { notification: 1 }, fee_charged: 6_000 })
  await keep('2026-11-22', {
    ...{ created_count: 5, closed: { expired: 2, cancelled: 1 }, paid_count: 3, paid_amount: 2_970, lag },
    ...{ found_by: { notification: 2, query: 1 }, fee_charged: 18_000, fee_returned: -6_000 },
    ...{ order_errors: { '=NO_AUTH': 2 }, delivery_errors: { http_503: 7 }, rejected: { stale: 1 } },
  })
  await keep('2026-11-25', { paid_count: 100 })
})

interface Report {
  days: Record<string, unknown>[]
  total: Record<string, unknown>
}
const range = 'from=2026-11-21&to=2026-11-24'
const read = async (name: string) => (await stage.call<Report>('GET', `/v1/reports/${name}?${range}`)).body

describe('a report', () => {
  it('tells each day that was looked at, and all of them together', async () => {
    const { days, total } = await read('daily')
    expect(days).toMatchObject([
      { bill_date: '2026-11-21', paid_count: 1, paid_amount: 990, fee_net: 6_000 },
      { bill_date: '2026-11-22', created_count: 5, expired_count: 2, closed_count: 1, fee_net: 12_000 },
    ])
    expect(total).toMatchObject({ paid_count: 4, paid_amount: 3_960, fee_net: 18_000 })
  })

  it('tells how notifications came, and of what days nothing is known', async () => {
    const { days, total } = await read('notifications')
    expect(days[0]).toMatchObject({ lag_p50_ms: null, unheard_share: 0 })
    expect(days[1]).toMatchObject({ by_query: 1, rejected_count: 1 })
    expect(Math.abs(Number(total['lag_p99_ms']) - 1_000)).toBeLessThan(26)
    expect(total['unheard_share']).toBe(0.25)
  })

  it('tells fees by contract only where there is one', async () => {
    expect((await read('fees')).total).toEqual({
      ...{ charged: 24_000, returned: 6_000, expected: null, under: null, over: null },
    })
  })

  it('tells failures by code, the most frequent first', async () => {
    const { total } = await read('errors')
    expect(total).toEqual([
      { source: 'delivery', code: 'http_503', count: 7 },
      { source: 'order', code: '=NO_AUTH', count: 2 },
      { source: 'notification', code: 'stale', count: 1 },
    ])
  })

  it.each([
    ['daily', '"日期","创建订单数"', ['2026-11-22', '5', '0.00', '3', '29.70', '2', '1', '0', '0.00', '0.12000']],
    ['notifications', '"日期","收款笔数"', null],
    ['funnel', '"日期","创建订单数"', ['2026-11-22', '5', '0', '0', '', '']],
    ['fees', '"日期","收取的手续费"', ['2026-11-22', '0.18000', '0.06000', '', '', '']],
    ['errors', '"日期","事项"', ['2026-11-22', '事件投递失败', 'http_503', '7']],
  ])('is CSV for a spreadsheet: %s', async (name, heading, line) => {
    const answer = await fetch(`${stage.url}/v1/reports/${name}?${range}&format=csv`, {
      headers: { authorization: `Bearer ${stage.key.token}`, 'accept-language': 'zh-CN' },
    })
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await answer.arrayBuffer())
    expect(answer.headers.get('content-disposition')).toContain(`${mchid}-${name}-2026-11-21-2026-11-24.csv`)
    expect(text.startsWith(`\uFEFF${heading}`)).toBe(true)
    expect(text).not.toContain('"=NO_AUTH')
    const rows = Papa.parse<string[]>(text.slice(1), { skipEmptyLines: true }).data
    if (line !== null) expect(rows.find(([day]) => day === '2026-11-22')).toEqual(line)
  })

  it('is refused without days, for no range, for more than 92 days, and to a key that may not', async () => {
    const answer = async (query: string, key = stage.key) => {
      const { status, body } = await stage.call('GET', `/v1/reports/daily?${query}`, undefined, { key })
      return [status, (body.errors ?? [])[0]?.code]
    }
    expect(await answer('')).toEqual([400, 'missing'])
    expect(await answer('from=2026-11-22&to=2026-11-21')).toEqual([400, 'day_range'])
    expect(await answer('from=2026-09-01&to=2026-12-01')).toEqual([200, undefined])
    expect(await answer('from=2026-08-31&to=2026-12-01')).toEqual([400, 'day_range'])
    expect(await answer('from=2026-11-31&to=2026-12-01')).toEqual([400, 'day'])
    expect(await answer(`${range}&format=pdf`)).toEqual([400, 'invalid_value'])
    const key = await stage.newKey({ scopes: ['orders:read', 'events:read'] })
    expect((await answer(range, key))[0]).toBe(403)
  })
})
