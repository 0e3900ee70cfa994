import { beforeEach, describe, expect, it } from 'vitest'
import { auditMerchants, Misuse } from '../../cli/audit.ts'
import { correctBook, readCorrection } from '../../cli/correct.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { paymentEntry } from '../../domain/journal.ts'
import { breakerOf, writerInto } from '../stage/book.ts'
import { fulfilledStory } from '../stage/dossiers.ts'
import { freshStore } from '../store/database.ts'
import { mchid, merchantSample, noon } from '../store/samples.ts'

const later = noon + 24 * 60 * 60 * 1000
const said = { by: '李会计', reason: 'a backup was restored by halves' }

/** One sale of ¥9.90, ¥3.00 of which went back, and the book that agrees with it. */
async function keptBook() {
  const { store, database, drop } = await freshStore({ is_indexed: false })
  await store.merchants.save(merchantSample())
  const story = fulfilledStory().refund({ amount: 300, tale: ['reserved', 'accepted', 'succeeded'] })
  const out_trade_no = story.dossier.out_trade_no ?? ''
  await story.keep(store, writerInto(database))
  return { store, drop, story, out_trade_no, harm: breakerOf(database), write: writerInto(database) }
}
type Book = Awaited<ReturnType<typeof keptBook>>

async function correct({ store, out_trade_no }: Book, is_posting: boolean) {
  const lines: string[] = []
  const is_clean = await correctBook({
    store,
    request: { mchid, out_trade_no, ...said, is_posting },
    now: () => later,
    print: (line) => void lines.push(line),
  })
  return { is_clean, lines, posted: lines.filter((line) => line.startsWith('posts')).length }
}

async function isAuditClean({ store }: Book): Promise<boolean> {
  const request = { mchids: [mchid], is_json: false, is_settled: false }
  return await auditMerchants({ store, request, truth: null, now: () => later, print: () => undefined })
}

const entriesOf = ({ store, out_trade_no }: Book) => store.journal.ofOrder(mchid, out_trade_no)

describe('a correction of the book', () => {
  let book: Book
  beforeEach(async () => {
    book = await keptBook()
    return () => book.drop()
  })

  const pay = `pay:${mchid}:t1`
  const stray = (given: object) => ({
    _id: `payout:${mchid}:R1`,
    mchid,
    kind: 'payout',
    out_trade_no: fulfilledStory().dossier.out_trade_no,
    out_refund_no: 'R1',
    occurred_time: new Date(noon),
    booked_time: new Date(noon),
    postings: [
      { account: 'refund.payable', key: 'R1', amount: 300 },
      { account: 'merchant.bank', key: '-', amount: -300 },
    ],
    evidence_id: '',
    reverses: null,
    ...given,
  })
  const amounts = { $set: { 'postings.0.amount': 1090, 'postings.1.amount': -1090 } }

  it.each<[string, (book: Book) => Promise<void>, number]>([
    ['an entry of another amount', ({ harm }) => harm('journal', { _id: pay }, amounts), 2],
    [
      'an entry that does not balance',
      ({ harm }) => harm('journal', { _id: pay }, { $set: { 'postings.0.amount': 7 } }),
      2,
    ],
    ['an entry that is missing', ({ harm }) => harm('journal', { _id: pay }, null), 1],
    ['an entry that no record explains', ({ write }) => write('journal', [stray({})]), 1],
    [
      'an entry that stands twice',
      ({ write, story }) => write('journal', [{ ...datedEntry(story), _id: `${pay}#2` }]),
      1,
    ],
  ])('takes back %s, books what the records call for, and says who and why', async (_, plant, count) => {
    await plant(book)
    const kept = await entriesOf(book)
    expect(await isAuditClean(book)).toBe(false)

    const preview = await correct(book, false)
    expect([preview.is_clean, preview.posted]).toEqual([false, 0])
    expect(preview.lines.filter((line) => line.startsWith('would post'))).toHaveLength(count)
    expect(await entriesOf(book)).toEqual(kept)

    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: count })
    expect(await isAuditClean(book)).toBe(true)
    const entries = await entriesOf(book)
    expect(entries.filter(({ _id }) => kept.some((one) => one._id === _id))).toEqual(kept) // it only grows
    const added = entries.filter(({ _id }) => !kept.some((one) => one._id === _id))
    expect(added.map(({ correction }) => correction)).toEqual(added.map(() => said))

    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: 0 })
  })

  it('is done once: the run that books the same cause again finds it booked', async () => {
    await book.harm('journal', { _id: pay }, amounts)
    const [payment] = book.story.dossier.payments
    if (payment === undefined) throw new Error('no payment')
    const again = () => book.store.journal.post(paymentEntry(payment, beijingTime(later)))
    await expect(again()).rejects.toThrow('with other postings')
    await correct(book, true)
    expect(await again()).toBe('posted_before')
  })

  it('goes on where it was interrupted, and again where the entry anew was harmed too', async () => {
    await book.harm('journal', { _id: pay }, amounts)
    await correct(book, true)
    await book.harm('journal', { _id: `${pay}#2` }, null)
    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: 1 })
    await book.harm('journal', { _id: `${pay}#2` }, amounts)
    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: 2 })
    expect((await entriesOf(book)).map(({ _id }) => _id)).toContain(`${pay}#3`)
    expect(await isAuditClean(book)).toBe(true)
  })

  const reversal = (given: object) =>
    stray({
      _id: `rev:${pay}`,
      kind: 'payment',
      out_refund_no: null,
      postings: [
        { account: 'wechat.pending', key: 't1', amount: -990 },
        { account: 'sales', key: fulfilledStory().dossier.out_trade_no, amount: 990 },
      ],
      reverses: pay,
      ...given,
    })

  it.each<[string, (book: Book) => Promise<void>]>([
    ['a reversal of what was right', ({ write }) => write('journal', [reversal({})])],
    [
      'a reversal of other amounts than it takes back',
      async (given) => {
        await given.harm('journal', { _id: pay }, amounts)
        await correct(given, true)
        await given.harm(
          'journal',
          { _id: `rev:${pay}` },
          { $set: { 'postings.0.amount': -90, 'postings.1.amount': 90 } },
        )
      },
    ],
    [
      'a reversal that does not balance',
      async (given) => {
        await given.harm('journal', { _id: pay }, amounts)
        await correct(given, true)
        await given.harm('journal', { _id: `rev:${pay}` }, { $set: { 'postings.0.amount': -90 } })
      },
    ],
    [
      'a reversal of nothing',
      ({ write }) => write('journal', [reversal({ _id: `rev:${pay}#7`, reverses: `${pay}#7` })]),
    ],
    [
      'an entry anew with a number too many',
      ({ write, story }) => write('journal', [{ ...datedEntry(story), _id: `${pay}#5` }]),
    ],
    [
      'the success of a refund',
      ({ harm }) =>
        harm(
          'journal',
          { _id: `refund:${mchid}:R1:success` },
          { $set: { 'postings.0.amount': 30, 'postings.1.amount': -30 } },
        ),
    ],
    [
      'an entry in the account of another',
      ({ harm }) => harm('journal', { _id: pay }, { $set: { 'postings.1.account': 'suspense' } }),
    ],
    [
      'an entry under another key',
      ({ harm }) => harm('journal', { _id: pay }, { $set: { 'postings.1.key': 'T-OTHER' } }),
    ],
  ])('mends %s as well', async (_, plant) => {
    await plant(book)
    expect(await isAuditClean(book)).toBe(false)
    const preview = await correct(book, false)
    const done = await correct(book, true)
    expect([done.is_clean, done.posted]).toEqual([
      true,
      preview.lines.filter((line) => line.startsWith('would')).length,
    ])
    expect(await isAuditClean(book)).toBe(true)
    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: 0 })
  })

  it.each([
    ['the book of another merchant', { mchid: '1900000099' }, 'is there with other postings or in another book'],
    ['another order', { out_trade_no: 'T-OTHER' }, 'is there under another order'],
  ])('says of an entry that was moved to %s that only a backup has it', async (_, $set, said_so) => {
    await book.harm('journal', { _id: pay }, { $set })
    const { is_clean, posted, lines } = await correct(book, true)
    expect([is_clean, posted]).toEqual([false, 0])
    expect(lines.join('\n')).toContain(said_so)
  })

  it('is posted once by two persons who do it at once', async () => {
    await book.harm('journal', { _id: pay }, amounts)
    const both = await Promise.all([correct(book, true), correct(book, true)])
    expect(both.map(({ is_clean }) => is_clean)).toEqual([true, true])
    expect(await isAuditClean(book)).toBe(true)
    expect((await entriesOf(book)).filter(({ _id }) => _id.includes(pay))).toHaveLength(3)
  })

  it('corrects nothing where nothing is adrift, and knows no number that nobody used', async () => {
    expect(await correct(book, true)).toMatchObject({ is_clean: true, posted: 0 })
    await expect(correct({ ...book, out_trade_no: 'NOBODY-1' }, true)).rejects.toThrow(Misuse)
  })
})

describe('what it is asked', () => {
  it('names a number, a person and a reason', () => {
    const args = [mchid, 'TEA-1', '--by', 'li', '--reason', 'why']
    expect(readCorrection(args)).toEqual({ mchid, out_trade_no: 'TEA-1', by: 'li', reason: 'why', is_posting: false })
    expect(readCorrection([...args, '--post']).is_posting).toBe(true)
    for (const wrong of [
      args.slice(1),
      args.slice(0, 4),
      [...args, 'more'],
      [...args, '--all'],
      [mchid, 'T', '--by', ' '],
    ])
      expect(() => readCorrection(wrong)).toThrow(Misuse)
  })
})

/** The payment's own entry, as the database keeps it. */
function datedEntry({ dossier }: Book['story']) {
  const entry = dossier.entries.find(({ kind }) => kind === 'payment')
  return { ...entry, occurred_time: new Date(noon), booked_time: new Date(noon) }
}
