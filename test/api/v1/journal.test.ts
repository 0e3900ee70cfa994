import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { journal_accounts, paymentEntry, refundAcceptedEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import { publicId } from '../../../store/ids.ts'
import { at, mchid, paymentSample } from '../../store/samples.ts'
import { openApiStage } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())

const payment = paymentSample('4200a', { out_trade_no: 'TEA-1', settled_total: 980 })
const orphan = paymentSample('4200b', { out_trade_no: 'TEA-2', role: 'orphan', order_id: null })
const refund = {
  mchid,
  out_refund_no: 'R-1',
  out_trade_no: 'TEA-1',
  transaction_id: '4200a',
  amount: { refund: 90, total: 990, currency: 'CNY' },
}
const taken = {
  occurred_time: at(60),
  booked_time: at(61),
  income: 'sales',
  settlement_refund: 90,
  refund_id: '5030',
  evidence_id: `${mchid}/query/R-1/PROCESSING/5030`,
} as const
const booked = [paymentEntry(payment, at(20)), paymentEntry(orphan, at(40)), refundAcceptedEntry(refund, taken)]

beforeAll(async () => {
  for (const entry of booked) await stage.store.journal.post(entry)
  const elsewhere = paymentEntry(paymentSample('4200c', { mchid: '1900000999' }), at(20))
  await stage.store.journal.post(elsewhere)
})

type Entries = { data: (JournalEntry & { id: string })[]; next_cursor: string | null }
const entries = (query = '') => stage.call<Entries>('GET', `/v1/journal${query}`)
const balances = (query = '') =>
  stage.call<{ accounts: { account: string; amount: number }[]; sum: number; time: string }>(
    'GET',
    `/v1/balances${query}`,
  )

describe('the journal', () => {
  it('shows what was booked, newest first, each entry whole and with its evidence', async () => {
    const { status, body } = await entries()
    expect([status, body.data.map(({ kind }) => kind)]).toEqual([200, ['refund_accepted', 'payment', 'payment']])
    expect(body.data[0]).toEqual({
      object: 'journal_entry',
      id: `refund:${mchid}:R-1:accepted`,
      kind: 'refund_accepted',
      occurred_time: at(60),
      booked_time: at(61),
      out_trade_no: 'TEA-1',
      out_refund_no: 'R-1',
      postings: [
        { account: 'sales', key: 'TEA-1', amount: 90 },
        { account: 'refund.payable', key: 'R-1', amount: -90 },
      ],
      evidence_id: publicId('evd', taken.evidence_id),
      reverses: null,
      correction: null,
    })
  })

  it.each([
    ['?out_trade_no=TEA-1', 2],
    ['?out_refund_no=R-1', 1],
    ['?kind=payment', 2],
    [`?booked_time_from=${encodeURIComponent(at(40))}`, 2],
    [`?booked_time_to=${encodeURIComponent(at(40))}`, 1],
    [`?occurred_time_from=${encodeURIComponent(at(60))}`, 1],
    [`?occurred_time_to=${encodeURIComponent(at(60))}`, 2],
  ])('is filtered by %s', async (query, count) => {
    expect((await entries(query)).body.data).toHaveLength(count)
  })

  it('goes from page to page', async () => {
    const first = await entries('?limit=2')
    const second = await entries(`?limit=2&cursor=${first.body.next_cursor}`)
    const ids = [...first.body.data, ...second.body.data].map(({ id }) => id)
    expect(ids).toEqual(booked.toReversed().map(({ _id }) => _id))
  })
})

describe('the balances', () => {
  it('name every account and sum to zero', async () => {
    const { body } = await balances()
    expect(body.accounts.map(({ account }) => account)).toEqual(journal_accounts)
    expect(body.accounts.filter(({ amount }) => amount !== 0)).toEqual([
      { account: 'wechat.pending', amount: 1_970 },
      { account: 'suspense', amount: -990 },
      { account: 'refund.payable', amount: -90 },
      { account: 'sales', amount: -900 },
      { account: 'discount.nocash', amount: 10 },
    ])
    expect(body.sum).toBe(0)
  })

  it('are those of an earlier moment when it is given', async () => {
    const { body } = await balances(`?time=${encodeURIComponent(at(20))}`)
    expect(body.accounts.filter(({ amount }) => amount !== 0)).toEqual([
      { account: 'wechat.pending', amount: 980 },
      { account: 'sales', amount: -990 },
      { account: 'discount.nocash', amount: 10 },
    ])
    expect([body.time, body.sum]).toEqual([at(20), 0])
    for (const odd of ['yesterday', '9999-12-31T23:59:59-12:00', '0000-01-01T00:00:00%2B14:00'])
      expect((await balances(`?time=${odd}`)).status, odd).toBe(400)
  })

  it('are shown only to keys that may see money', async () => {
    const key = await stage.newKey({ scopes: ['orders:read'] })
    for (const path of ['/v1/journal', '/v1/balances']) {
      const { status, body } = await stage.call('GET', path, undefined, { key })
      expect([status, body['required_scope']]).toEqual([403, 'money:read'])
    }
  })
})
