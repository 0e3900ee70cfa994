import { afterAll, describe, expect, it } from 'vitest'
import { paymentEntry, reversalEntry } from '../../domain/journal.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { JournalConflict } from '../../store/journal.ts'
import { refundSample } from '../stage/dossiers.ts'
import { freshStore } from './database.ts'
import { at, mchid, paymentSample } from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

describe('a payment', () => {
  it('is read as it was written', async () => {
    const payment = paymentSample('full', {
      order_id: null,
      trade_type: null,
      amount: { total: 1, currency: 'CNY', payer_total: null },
      refunds: [{ out_refund_no: 'R1', amount: 1, state: 'reserved' }],
      last_refund_time: at(50),
    })
    await store.payments.insert(payment)
    expect(await store.payments.find(mchid, 'full')).toStrictEqual(payment)
    expect(await store.payments.find('1900000002', 'full')).toBeNull()
  })

  it('has one role: of twenty that book it at once one decides, and the others are told', async () => {
    const roles = ['order', 'late', 'second', 'contradicted', 'orphan'] as const
    const attempts = Array.from({ length: 20 }, (_, n) => paymentSample('race', { role: roles[n % 5] ?? 'order' }))
    const answers = await Promise.all(attempts.map((attempt) => store.payments.insert(attempt)))
    expect(answers.filter(({ inserted }) => inserted)).toHaveLength(1)
    const kept = await store.payments.find(mchid, 'race')
    for (const answer of answers) if (!answer.inserted) expect(answer.existing).toStrictEqual(kept)
  })

  it('is listed with the other money of its order', async () => {
    const order_id = `${mchid}/TWICE`
    const second = paymentSample('second', { order_id, role: 'second', success_time: at(30) })
    const first = paymentSample('first', { order_id, success_time: at(10) })
    await store.payments.insert(second)
    await store.payments.insert(first)
    expect(await store.payments.ofOrder(mchid, order_id)).toStrictEqual([first, second])
    expect(await store.payments.ofOrder('1900000002', order_id)).toEqual([])
  })
})

describe('the claim of a sale', () => {
  it('has one holder, whoever asks and however often', async () => {
    const numbers = Array.from({ length: 20 }, (_, n) => `NUMBER-${n}`)
    const answers = await Promise.all(numbers.map((number) => store.references.claim(mchid, 'race', number)))
    const holders = new Set(answers.map(({ paid_by }) => paid_by))
    expect(holders.size).toBe(1)
    const [holder] = holders
    expect(await store.references.findHolder(mchid, 'race')).toBe(holder)
    expect(await store.references.claim(mchid, 'race', holder ?? '')).toEqual({ paid_by: holder })
    expect(await store.references.findHolder('1900000002', 'race')).toBeNull()
  })

  it('is given free by its holder only', async () => {
    await store.references.claim(mchid, 'free', 'A-NUMBER')
    await store.references.release(mchid, 'free', 'B-NUMBER')
    expect(await store.references.findHolder(mchid, 'free')).toBe('A-NUMBER')
    await store.references.release(mchid, 'free', 'A-NUMBER')
    expect(await store.references.findHolder(mchid, 'free')).toBeNull()
    expect(await store.references.claim(mchid, 'free', 'B-NUMBER')).toEqual({ paid_by: 'B-NUMBER' })
  })

  it('never has two holders at once while claims and releases cross', async () => {
    let holding: string | null = null
    const contender = async (number: string) => {
      for (let round = 0; round < 10; round++) {
        const { paid_by } = await store.references.claim(mchid, 'crossing', number)
        if (paid_by !== number) continue
        expect(holding).toBeNull()
        holding = number
        await store.references.findHolder(mchid, 'crossing')
        holding = null
        await store.references.release(mchid, 'crossing', number)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, n) => contender(`CROSS-${n}`)))
  })
})

describe('the journal', () => {
  it('books a payment once, however often it is posted', async () => {
    const entry = paymentEntry(paymentSample('once', { settled_total: 900 }), at(21))
    const answers = await Promise.all(Array.from({ length: 10 }, () => store.journal.post(entry)))
    expect(answers.filter((answer) => answer === 'posted')).toHaveLength(1)
    expect(answers.filter((answer) => answer === 'posted_before')).toHaveLength(9)
    expect(await store.journal.ofOrder(mchid, 'TEA-1')).toStrictEqual([entry])
  })

  it('says it was posted before when only our own clock differs', async () => {
    const payment = paymentSample('clock', { out_trade_no: 'CLOCK' })
    await store.journal.post(paymentEntry(payment, at(21)))
    expect(await store.journal.post(paymentEntry(payment, at(99)))).toBe('posted_before')
  })

  it('raises the alarm when the same cause is booked with other postings, and keeps the first', async () => {
    const entry = paymentEntry(paymentSample('conflict', { out_trade_no: 'CONFLICT' }), at(21))
    await store.journal.post(entry)
    const other = paymentEntry(paymentSample('conflict', { out_trade_no: 'CONFLICT', role: 'second' }), at(22))
    await expect(store.journal.post(other)).rejects.toThrow(JournalConflict)
    await expect(store.journal.post({ ...entry, mchid: '1900000002' })).rejects.toThrow(JournalConflict)
    expect(await store.journal.ofOrder(mchid, 'CONFLICT')).toStrictEqual([entry])
  })

  it('takes nothing that does not balance', async () => {
    const entry = paymentEntry(paymentSample('askew'), at(21))
    const askew = entry.postings.map((posting, index) => (index === 0 ? { ...posting, amount: 1 } : posting))
    await expect(store.journal.post({ ...entry, postings: askew })).rejects.toThrow(RangeError)
    expect(await store.journal.ofOrder(mchid, 'askew')).toEqual([])
  })

  it('has balances that sum to zero, exact beyond what 32 bits hold', async () => {
    const shop = { mchid: '1900000088', out_trade_no: 'SUM' }
    const huge = 4_000_000_000_001
    for (const [transaction_id, role] of [
      ['a', 'order'],
      ['b', 'late'],
    ] as const) {
      const amount = { total: huge, currency: 'CNY', payer_total: null }
      const payment = paymentSample(transaction_id, { ...shop, role, amount, settled_total: huge - 5 })
      await store.journal.post(paymentEntry(payment, at(21)))
    }
    expect(await store.journal.balances(shop.mchid)).toEqual([
      { account: 'discount.nocash', amount: 10 },
      { account: 'sales', amount: -huge },
      { account: 'suspense', amount: -huge },
      { account: 'wechat.pending', amount: 2 * huge - 10 },
    ])
  })

  it('refuses a balance that is no longer exact to the fen, whichever moment is asked for', async () => {
    const shop = { mchid: '1900000089', out_trade_no: 'TOO-MUCH' }
    const most = Number.MAX_SAFE_INTEGER
    const post = async (transaction_id: string, total: number, seconds: number) => {
      const amount = { total, currency: 'CNY', payer_total: null }
      const payment = paymentSample(transaction_id, { ...shop, amount, settled_total: total })
      await store.journal.post(paymentEntry(payment, at(seconds)))
    }
    await post('a', most, 21)
    expect(await store.journal.balances(shop.mchid)).toEqual([
      { account: 'sales', amount: -most },
      { account: 'wechat.pending', amount: most },
    ])
    await post('b', 1, 31)
    await expect(store.journal.balances(shop.mchid)).rejects.toThrow(RangeError)
    await expect(store.journal.balances(shop.mchid, at(31))).rejects.toThrow(RangeError)
    expect(await store.journal.balances(shop.mchid, at(30))).toHaveLength(2)
    await post('c', most, 41)
    await expect(store.journal.balances(shop.mchid)).rejects.toThrow(RangeError)
  })
})

describe('the sheets of a day', () => {
  const day = { mchid, bill_date: '2026-11-22' }
  const sheet = (number: number, given: Partial<JournalEntry> = {}): JournalEntry => ({
    ...{ _id: `bill:${mchid}:2026-11-22:fundflow:1:${number}`, mchid, kind: 'bill_flow', occurred_time: at(1) },
    ...{ booked_time: at(2), out_trade_no: null, out_refund_no: null, evidence_id: 'bill', reverses: null },
    postings: [
      { account: 'wechat.basic', key: '-', amount: 990 },
      { account: 'wechat.pending', key: `tx-${number}`, amount: -990 },
    ],
    ...given,
  })
  const back = (entry: JournalEntry) =>
    reversalEntry(entry, { occurred_time: at(1), booked_time: at(3), evidence_id: 'bill' })

  it('are posted together, once, and are an alarm where others stand', async () => {
    const { journal } = store
    const sheets = [2, 1, 11].map((number) => sheet(number))
    expect((await journal.postAll(sheets)).sort()).toEqual(sheets.map(({ _id }) => _id).sort())
    expect(await journal.postAll([...sheets, sheet(3)])).toEqual([sheet(3)._id])
    const other = sheet(4, { _id: sheet(1)._id })
    await expect(journal.postAll([sheet(5), other])).rejects.toThrow(JournalConflict)
    await expect(journal.postAll([sheet(6, { postings: [] })])).rejects.toThrow(RangeError)
    await journal.postAll([back(sheet(2))])
    const found = await journal.sheets(day, 'fundflow')
    expect(found.map(({ _id }) => _id.replace(`${mchid}:2026-11-22:fundflow:`, ''))).toEqual([
      ...['bill:1:1', 'bill:1:11', 'bill:1:2', 'bill:1:3', 'bill:1:5'],
      'rev:bill:1:2',
    ])
    expect([...(await journal.sumsOfSheets(day, 'fundflow'))].sort()).toEqual([
      ['wechat.basic', 3_960],
      ['wechat.pending', -3_960],
    ])
    expect(await journal.sheets(day, 'trade')).toEqual([])
    expect(await journal.sheets({ ...day, bill_date: '2026-11-2' }, 'fundflow')).toEqual([])
  })

  it('are found by their sub-keys, and stand under the next id once taken back', async () => {
    const { journal } = store
    expect((await journal.ofKeys(mchid, ['tx-2', 'tx-3'], 10)).map(({ _id }) => _id).sort()).toEqual([
      sheet(2)._id,
      sheet(3)._id,
      `rev:${sheet(2)._id}`,
    ])
    expect(await journal.ofCause(sheet(2)._id)).toEqual({ standing: [], next_id: `${sheet(2)._id}#2` })
    expect(await journal.ofCause(sheet(3)._id)).toEqual({ standing: [sheet(3)], next_id: `${sheet(3)._id}#2` })
    const entries: string[] = []
    for await (const some of journal.sheetEntries(day, 'fundflow')) entries.push(...some.map(({ _id }) => _id))
    expect(entries).toHaveLength(6)
  })
})

describe('a refund', () => {
  it('is found by WeChat’s id of it', async () => {
    const payment = { out_trade_no: 'TEA-9', transaction_id: 'tx', order_id: null }
    const refund = refundSample('R-9', { ...payment, amount: { refund: 1, total: 1, currency: 'CNY' } })
    const known = { channel: 'ORIGINAL', user_received_account: '', accepted_time: at(1), success_time: null }
    const facts = { ...known, refund_id: 'w-9', payer_refund: 1, settlement_refund: 1 }
    await store.refunds.insert({ ...refund, facts })
    await store.refunds.insert(refundSample('R-10', { ...payment, amount: refund.amount }))
    expect(await store.refunds.ofRefundIds(mchid, ['w-9', 'w-10'])).toMatchObject([{ out_refund_no: 'R-9' }])
  })
})
