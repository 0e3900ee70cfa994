import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  auditEnvironment,
  auditMerchants,
  exit_codes,
  findingLine,
  Misuse,
  readRequest,
  tallyLine,
} from '../../cli/audit.ts'
import { merchantEnvironment } from '../../cli/merchant.ts'
import type { Finding } from '../../proof/finding.ts'
import type { WeChatRecordsSource } from '../../proof/passage.ts'
import type { WeChatRecords } from '../../proof/wechat.ts'
import { startSimulator } from '../stage/simulator.ts'
import { breakerOf, writerInto } from '../stage/book.ts'
import { builtRoles } from '../stage/build.ts'
import { acceptedStory, closedStory, fulfilledStory, refundedStory, Story } from '../stage/dossiers.ts'
import { database_uri, freshStore } from '../store/database.ts'
import { mchid, merchantSample, noon } from '../store/samples.ts'

const later = noon + 24 * 60 * 60 * 1000

/** A merchant's whole book, and WeChat's that agrees with it. */
async function keptBook() {
  const { store, database, drop } = await freshStore({ is_indexed: false })
  await store.merchants.save(merchantSample())
  const stories = [
    fulfilledStory('A-1', 'ta'),
    closedStory('C-1'),
    renumbered(refundedStory('R-1', 90), 'tr', 'RR'),
    renumbered(acceptedStory('X-1'), 'tx'),
    renumbered(fulfilledStory('P-1').refund({ amount: 300, tale: ['reserved', 'accepted', 'succeeded'] }), 'tp', 'RP'),
  ]
  const orphan = renumbered(new Story('GHOST-1'), 'to')
  orphan.money('to', 'orphan').order_id = null
  for (const story of stories) await story.keep(store, writerInto(database))
  orphan.dossier.order = null
  await orphan.keep(store, writerInto(database))
  const truths = new Map<string, WeChatRecords>(
    [...stories, orphan].map((story) => {
      const trade_state = story.dossier.order?.state === 'closed' ? 'CLOSED' : 'SUCCESS'
      return [story.dossier.out_trade_no ?? '', story.truth(trade_state)]
    }),
  )
  return { store, database, drop, truths, harm: breakerOf(database), write: writerInto(database) }
}

/** The same story under numbers of its own: all of them lie in one book. */
function renumbered(story: Story, transaction_id: string, out_refund_no = 'R1'): Story {
  const text = JSON.stringify(story.dossier)
    .replaceAll(/(["/:])t1(?=[":/#])/g, `$1${transaction_id}`)
    .replaceAll(/(["/:-])R1(?=[":/#])/g, `$1${out_refund_no}`)
  Object.assign(story.dossier, JSON.parse(text))
  return story
}

function truthOf(truths: ReadonlyMap<string, WeChatRecords>): WeChatRecordsSource {
  return {
    ofMerchant: async () => new Map(truths),
    ofNumber: async (_, number) => truths.get(number) ?? { order: null, payments: [], refunds: [] },
  }
}

type Book = Awaited<ReturnType<typeof keptBook>>

async function audited(book: Book, { with_truth = true, is_settled = false } = {}) {
  const lines: string[] = []
  const is_clean = await auditMerchants({
    store: book.store,
    request: { mchids: [], is_json: true, is_settled },
    truth: with_truth ? truthOf(book.truths) : null,
    now: () => later,
    print: (line) => void lines.push(line),
  })
  const read = lines.map((line) => JSON.parse(line) as { type: string } & Finding)
  return { is_clean, findings: read.filter(({ type }) => type === 'finding'), tally: read.at(-1) }
}

describe('an audit of records and book', () => {
  let book: Book
  beforeEach(async () => {
    book = await keptBook()
    return () => book.drop()
  })

  it('is clean where all agree, and counts what it looked at', async () => {
    const { is_clean, findings, tally } = await audited(book)
    expect(findings).toEqual([])
    expect(is_clean).toBe(true)
    expect(tally).toMatchObject({
      mchid,
      orders: 5,
      payments: 5,
      refunds: 2,
      paid_in: 4960,
      given_back: 1290,
      adrift: 0,
    })
    expect(await audited(book, { is_settled: true })).toMatchObject({ is_clean: true, findings: [] })
  })

  const pay = (transaction_id: string) => ({ _id: `pay:${mchid}:${transaction_id}` })
  const unbalanced = {
    _id: `pay:${mchid}:tz`,
    mchid,
    kind: 'payment',
    out_trade_no: 'Z-1',
    out_refund_no: null,
    occurred_time: new Date(noon),
    booked_time: new Date(noon),
    postings: [
      { account: 'wechat.pending', key: 'tz', amount: 500 },
      { account: 'sales', key: 'Z-1', amount: -499 },
    ],
    evidence_id: '',
    reverses: null,
  }

  it.each<[string, (book: Book) => Promise<void> | void, Partial<Finding>[]]>([
    [
      'a missing journal entry',
      ({ harm }) => harm('journal', pay('ta'), null),
      [
        { kind: 'entry_missing', out_trade_no: 'A-1', transaction_id: 'ta', amount: 990 },
        { kind: 'totals_differ', amount: 990 },
      ],
    ],
    [
      'a wrong amount in the book',
      ({ harm }) => harm('journal', pay('ta'), { $set: { 'postings.0.amount': 1090, 'postings.1.amount': -1090 } }),
      [
        { kind: 'entry_differs', out_trade_no: 'A-1', transaction_id: 'ta', amount: 100 },
        { kind: 'totals_differ', amount: 100 },
      ],
    ],
    [
      'an unbalanced entry under a number that nothing has',
      ({ write }) => write('journal', [unbalanced]),
      [
        { kind: 'entry_unbalanced', out_trade_no: 'Z-1', transaction_id: 'tz', amount: 1 },
        { kind: 'entry_unexplained', out_trade_no: 'Z-1', amount: 500 },
      ],
    ],
    [
      'an unbalanced entry that names no order at all',
      ({ write }) => write('journal', [{ ...unbalanced, out_trade_no: null }]),
      [{ kind: 'entry_unbalanced', transaction_id: 'tz', amount: 1 }],
    ],
    [
      'a doubled payment',
      async ({ write, store }) => {
        const payment = await store.payments.find(mchid, 'ta')
        const { success_time, ...rest } = payment ?? { success_time: '' }
        await write('payments', [
          { ...rest, _id: `${mchid}/tb`, transaction_id: 'tb', success_time: new Date(success_time) },
        ])
      },
      [
        { kind: 'payment_doubled', out_trade_no: 'A-1', transaction_id: 'tb', amount: 990 },
        { kind: 'entry_missing', transaction_id: 'tb', amount: 990 },
        { kind: 'payment_unknown_there', transaction_id: 'tb', amount: 990 },
      ],
    ],
    [
      'an entry booked twice',
      async ({ write, store }) => {
        const [entry] = await store.journal.ofOrder(mchid, 'A-1')
        await write('journal', [
          { ...entry, _id: `${entry?._id}#2`, occurred_time: new Date(noon), booked_time: new Date(noon) },
        ])
      },
      [{ kind: 'entry_doubled', out_trade_no: 'A-1', transaction_id: 'ta', amount: 990 }],
    ],
    [
      'a refund that a payment counts and nobody recorded',
      ({ harm }) => harm('refunds', { _id: `${mchid}/RP` }, null),
      [
        { kind: 'refund_unrecorded', out_trade_no: 'P-1', transaction_id: 'tp', out_refund_no: 'RP', amount: 300 },
        { kind: 'refund_unknown_here', out_refund_no: 'RP', amount: 300 },
      ],
    ],
    [
      'a refund that succeeded here and not at WeChat',
      ({ truths }) => {
        for (const refund of truths.get('P-1')?.refunds ?? []) refund.status = 'PROCESSING'
      },
      [{ kind: 'refund_state_there', out_trade_no: 'P-1', out_refund_no: 'RP', amount: 300 }],
    ],
    [
      'a refund at WeChat that is unknown here',
      ({ truths }) => {
        const [refund] = truths.get('P-1')?.refunds ?? []
        if (refund) truths.get('A-1')?.refunds.push({ ...refund, out_refund_no: 'OUT-1', transaction_id: 'ta' })
      },
      [{ kind: 'refund_unknown_here', out_trade_no: 'A-1', out_refund_no: 'OUT-1', amount: 300 }],
    ],
    [
      'money that WeChat took for a number that is not recorded',
      ({ truths }) => {
        const paid = truths.get('A-1')
        if (paid) truths.set('LOST-1', paid)
      },
      [{ kind: 'paid_there_unknown_here', out_trade_no: 'LOST-1', transaction_id: 'ta', amount: 990 }],
    ],
    [
      'refunds of more than was paid',
      ({ harm }) => harm('payments', { _id: `${mchid}/tp` }, { $set: { 'refunds.0.amount': 1300 } }),
      [{ kind: 'refunds_exceed_payment', out_trade_no: 'P-1', transaction_id: 'tp', amount: 310 }],
    ],
    [
      'an order refunded while its refund was closed',
      ({ harm }) => harm('payments', { _id: `${mchid}/tr` }, { $set: { 'refunds.0.state': 'closed' } }),
      [
        { kind: 'order_not_refunded', out_trade_no: 'R-1', transaction_id: 'tr', amount: 990 },
        { kind: 'refund_differs', out_refund_no: 'RR', amount: 990 },
      ],
    ],
    [
      'suspense that is not empty after acceptance',
      ({ harm }) => harm('journal', { _id: `accept:${mchid}:tx` }, null),
      [{ kind: 'suspense_open', out_trade_no: 'X-1', transaction_id: 'tx', amount: 1000 }],
    ],
    [
      'a debt to the payer left after success',
      ({ harm }) => harm('journal', { _id: `refund:${mchid}:RR:success` }, null),
      [{ kind: 'payable_open', out_trade_no: 'R-1', out_refund_no: 'RR', amount: 900 }],
    ],
    [
      'a gap in the sequence of events',
      ({ harm }) => harm('events', { _id: `${mchid}/R-1/2` }, null),
      [{ kind: 'event_missing', out_trade_no: 'R-1' }],
    ],
    [
      'an order closed here and payable there',
      ({ truths }) => {
        const order = truths.get('C-1')?.order
        if (order) order.trade_state = 'NOTPAY'
      },
      [{ kind: 'payable_there', out_trade_no: 'C-1', amount: 990 }],
    ],
    [
      'money of nobody’s that is gone',
      ({ harm }) => harm('payments', { _id: `${mchid}/to` }, null),
      [
        { kind: 'entry_unexplained', out_trade_no: 'GHOST-1', transaction_id: 'to', amount: 990 },
        { kind: 'paid_there_unknown_here', transaction_id: 'to', amount: 990 },
      ],
    ],
    [
      'an order that is gone',
      ({ harm }) => harm('orders', { _id: `${mchid}/A-1` }, null),
      [{ kind: 'payment_differs', out_trade_no: 'A-1', transaction_id: 'ta', amount: 990 }],
    ],
  ])('is red on %s, and names it', async (_, plant, expected) => {
    await plant(book)
    const { is_clean, findings, tally } = await audited(book)
    expect(is_clean).toBe(false)
    for (const one of expected)
      expect(findings).toContainEqual(expect.objectContaining({ mchid, under_way: false, ...one }))
    expect(tally).toMatchObject({ adrift: findings.length })
    // Each of them once, and nothing of numbers that are sound.
    const texts = findings.map((finding) => JSON.stringify(finding))
    expect(texts).toEqual([...new Set(texts)])
    const numbers = new Set(expected.flatMap(({ out_trade_no }) => out_trade_no ?? []))
    for (const { out_trade_no } of findings) if (out_trade_no) expect(numbers).toContain(out_trade_no)
  })

  it('leaves WeChat’s book to live merchants’ WeChat', async () => {
    await book.harm('merchants', {}, { $set: { mode: 'live' } })
    book.truths.clear()
    expect(await audited(book)).toMatchObject({ is_clean: true, findings: [] })
  })

  it('reads page by page and finds the same', async () => {
    const { proveMerchant } = await import('../../proof/passage.ts')
    await book.harm('journal', pay('ta'), null)
    // A second orphan of the same number: each page shows one of them, and the number is told once.
    const orphan = await book.store.payments.find(mchid, 'to')
    await book.write('payments', [
      { ...orphan, _id: `${mchid}/tq`, transaction_id: 'tq', success_time: new Date(noon) },
    ])
    const findings: Finding[] = []
    const options = { now: () => later, patience: null, page_size: 1 }
    const parts = proveMerchant(book.store, mchid, options)
    let part = await parts.next()
    for (; part.done !== true; part = await parts.next()) findings.push(...part.value.findings)
    expect(part.value).toMatchObject({ orders: 5, payments: 6, refunds: 2 })
    const whole = await audited(book, { with_truth: false, is_settled: true })
    expect(findings.map(({ kind }) => kind)).toEqual(whole.findings.map(({ kind }) => kind))
  })
})

describe('the command', () => {
  let book: Book
  beforeAll(async () => {
    book = await keptBook()
  })
  afterAll(() => book.drop())

  async function run(args: string[], given: Record<string, string> = {}) {
    const environment = {
      PATH: process.env.PATH ?? '',
      MONGODB_URI: database_uri,
      WEFT_DATABASE: book.database,
      ...given,
    }
    const child = spawn(process.execPath, [join(builtRoles(), 'cli/audit.js'), ...args], { env: environment })
    const said = { out: '', err: '' }
    child.stdout.on('data', (text: Buffer) => (said.out += String(text)))
    child.stderr.on('data', (text: Buffer) => (said.err += String(text)))
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    return { code, ...said }
  }

  it('ends with 0 and a line per merchant where all is well', async () => {
    const { code, out } = await run([])
    expect(code).toBe(exit_codes.clean)
    expect(out).toBe(`${mchid}  5 orders  5 payments  2 refunds  ¥49.60 in  ¥12.90 back  0 adrift\n`)
  })

  it('ends with 1 and a line per finding where money is adrift, also against a simulator that knows none of it', async () => {
    const simulator = await startSimulator({ port: 0, probe_rate: 0 })
    try {
      const { code, out } = await run([mchid, '--simulator', simulator.url])
      expect(code).toBe(exit_codes.adrift)
      expect(out).toContain(`adrift     ${mchid}  payment_unknown_there  A-1  ta  ¥9.90  `)
      expect(out).toContain(`adrift     ${mchid}  refund_unknown_there  P-1  tp  RP  ¥3.00  `)
      expect(out.trimEnd().split('\n').at(-1)).toMatch(/ {2}7 adrift$/)
    } finally {
      await simulator.close()
    }
  })

  it('ends with 2 for what it cannot understand', async () => {
    expect(await run(['1999999999'])).toMatchObject({ code: exit_codes.misuse })
    expect(await run(['--wrong'])).toMatchObject({ code: exit_codes.misuse, out: '' })
    expect(await run([], { MONGODB_URI: 'http://x' })).toMatchObject({ code: exit_codes.misuse })
  })

  it('ends with 3 where the database or the simulator does not answer', async () => {
    const away = 'mongodb://127.0.0.1:1/'
    expect(await run([], { MONGODB_URI: away })).toMatchObject({ code: exit_codes.unreachable, out: '' })
    const { code, err } = await run(['--simulator', 'http://127.0.0.1:1'])
    expect(code).toBe(exit_codes.unreachable)
    expect(err).toContain('the simulator’s book cannot be read at http://127.0.0.1:1/')
  })
})

describe('what it is told', () => {
  it('comes from the command line first', () => {
    const environment = { WEFT_SIMULATOR_URL: 'http://127.0.0.1:7701' }
    expect(readRequest(['1900000001', '--json'], environment)).toEqual({
      mchids: ['1900000001'],
      is_json: true,
      is_settled: false,
      simulator_url: 'http://127.0.0.1:7701',
    })
    expect(readRequest(['--simulator', 'http://a:1', '--settled'], environment)).toMatchObject({
      is_settled: true,
      simulator_url: 'http://a:1',
    })
    expect(() => readRequest(['--simulator', 'nowhere'], {})).toThrow(Misuse)
  })

  it('comes from the demo that runs beside it, but never half of it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-audit-'))
    mkdirSync(join(folder, '.weft'))
    writeFileSync(
      join(folder, '.weft', 'demo.env'),
      'WEFT_SIMULATOR_URL=http://localhost:7701\nMONGODB_URI=mongodb://demo:1/?a=b\n',
    )
    expect(auditEnvironment({ WEFT_DATABASE: 'weft' }, folder)).toEqual({
      WEFT_DATABASE: 'weft',
      WEFT_SIMULATOR_URL: 'http://localhost:7701',
      MONGODB_URI: 'mongodb://demo:1/?a=b',
    })
    expect(auditEnvironment({ MONGODB_URI: 'mongodb://real' }, folder)).toEqual({ MONGODB_URI: 'mongodb://real' })
    // A shell that has read demo.env, as the README says, names the demo's database.
    expect(auditEnvironment({ MONGODB_URI: 'mongodb://demo:1/?a=b' }, folder)).toMatchObject({
      WEFT_SIMULATOR_URL: 'http://localhost:7701',
    })
    writeFileSync(join(folder, '.weft', 'master-key.json'), '"a2V5"')
    const named = [
      'MONGODB_URI=mongodb://demo',
      'WEFT_URL=http://localhost:7700',
      'WEFT_TEMPORAL_ADDRESS=127.0.0.1:7233',
    ]
    writeFileSync(
      join(folder, '.weft', 'demo.env'),
      [...named, 'WEFT_SIMULATOR_URL=http://localhost:7701', ''].join('\n'),
    )
    const of_demo = {
      ...{ WEFT_MASTER_KEY: 'a2V5', WEFT_PUBLIC_URL: 'http://localhost:7700' },
      // What the self-check speaks to.
      ...{ WEFT_TEST_WECHAT_URL: 'http://localhost:7701', TEMPORAL_ADDRESS: '127.0.0.1:7233', TEMPORAL_API_KEY: '' },
    }
    for (const MONGODB_URI of [undefined, '', 'mongodb://demo'])
      expect(merchantEnvironment({ MONGODB_URI }, folder)).toMatchObject(of_demo)
    expect(merchantEnvironment({ WEFT_MASTER_KEY: 'of npm start too' }, folder)).toMatchObject({
      WEFT_MASTER_KEY: 'of npm start too',
    })
    const real = { MONGODB_URI: 'mongodb://real', WEFT_MASTER_KEY: 'another' }
    expect(merchantEnvironment(real, folder)).toEqual(real)
    rmSync(folder, { recursive: true })
  })

  it('is answered in lines that people read', () => {
    const tally = { mchid, orders: 1204, payments: 1190, refunds: 37, adrift: 0, under_way: 0 }
    expect(tallyLine({ ...tally, paid_in: 8_841_230, given_back: 91_200 })).toBe(
      '1900000001  1,204 orders  1,190 payments  37 refunds  ¥88,412.30 in  ¥912.00 back  0 adrift',
    )
    const finding = { kind: 'entry_missing', mchid, out_trade_no: 'A-1', amount: 123_456_789, under_way: true } as const
    expect(findingLine({ ...finding, detail: 'x' })).toBe('under way  1900000001  entry_missing  A-1  ¥1,234,567.89  x')
  })
})
