import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { dayRange, newReconciliation } from '../../../domain/bill/reconciliation.ts'
import { billPartId } from '../../../domain/ids.ts'
import { until } from '../../stage/until.ts'
import { mchid, paymentSample } from '../../store/samples.ts'
import { answer, bill_date, day, Desk, due_ms, none, not_ready, tradeFile } from './desk.ts'

const wanted = { day, run: 1, type: 'trade' } as const
const late_ms = dayRange(bill_date).to_ms + 15 * 3_600_000

const day_ms = 86_400_000
const tx = '4200000001202611220000000001'
const own = { transaction_id: tx, out_trade_no: 'T20261122-1', order_id: `${mchid}/T20261122-1` }
const moment = { appid: 'wx8888888888888888', success_time: '2026-11-22T10:00:00.000+08:00' }
/** what the one line of `tradeFile([{}])` is of */
const payment = paymentSample(tx, { ...own, ...moment })

const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')

describe('a bill that is fetched', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
  })
  afterEach(async () => await desk.drop())

  const versions = async () => await desk.store.bills.versions(day, 'trade')
  const attentions = async () => ((await desk.store.merchants.find(mchid))?.attentions ?? []).map(({ code }) => code)

  it('again with the same hash is the same version, with another hash the next one', async () => {
    const [first, second] = [tradeFile([{}]), tradeFile([{}, { 微信订单号: '4200000001202611220000000002' }])]
    desk.issue(first)
    const bill = await desk.perform('fetchBill', wanted)
    expect(await desk.perform('fetchBill', wanted)).toEqual(bill)
    desk.issue(second)
    expect(await desk.perform('fetchBill', wanted)).toMatchObject({ version: 2, byte_count: second.length })
    const kept = await versions()
    expect(kept.map(({ version }) => version)).toEqual([1, 2])
    expect((await Promise.all(kept.map((one) => desk.plain(one)))).map(String)).toEqual([String(first), String(second)])
  })

  it('with a wrong hash is kept nowhere, and a person looks', async () => {
    desk.issue(tradeFile([{}]), '0'.repeat(40))
    const failure = await desk.failureOf('fetchBill', wanted)
    expect(failure.message).toContain('is not what WeChat signed')
    expect(failure.nonRetryable).not.toBe(true)
    expect(await versions()).toEqual([])
    expect(await attentions()).toEqual(['day_unproven'])
  })

  it('before WeChat has made it is waited for, and is late from 15:00 on', async () => {
    desk.answers['trade_bill'] = () => not_ready
    desk.now_ms = late_ms - 1
    expect(await desk.failureOf('fetchBill', wanted)).toMatchObject({ category: 'BENIGN', nextRetryDelay: 600_000 })
    expect(await attentions()).toEqual([])
    desk.now_ms = late_ms
    expect(await desk.failureOf('fetchBill', wanted)).toMatchObject({ category: 'BENIGN' })
    expect(await attentions()).toEqual(['bill_late'])
    desk.issue(tradeFile([{}]))
    await desk.perform('fetchBill', wanted)
    expect(await attentions()).toEqual([])
  })

  it('of a day that is not over is not asked for, up to its last moment', async () => {
    desk.issue(tradeFile([{}]))
    desk.now_ms = dayRange(bill_date).to_ms - 1
    expect(await desk.failureOf('fetchBill', wanted)).toMatchObject({ category: 'BENIGN', nextRetryDelay: 1 })
    expect(desk.asked).toEqual([])
    desk.now_ms += 1
    expect(await desk.perform('fetchBill', wanted)).toMatchObject({ state: 'ready' })
  })

  it('twice at once is one version, of one file', async () => {
    const files = [randomBytes(1_500_000), randomBytes(1_500_000)]
    const [first, second] = files
    if (first === undefined || second === undefined) throw new Error('no files')
    desk.issue(first)
    const one = desk.perform('fetchBill', wanted)
    const other = desk.perform('fetchBill', wanted)
    expect(await one).toEqual(await other)
    const [kept, ...more] = await versions()
    expect(more).toEqual([])
    expect(kept && (await desk.plain(kept)).equals(first)).toBe(true)
  })

  it('twice at once, of two files, is a version of each, and neither has a piece of the other', async () => {
    const files = [randomBytes(2_500_000), randomBytes(2_500_000)] as const
    const begun: Promise<unknown>[] = []
    let under_way = 0
    // Each goes on only when both have kept a piece: so their pieces are written in turns.
    desk.pause = async () => {
      under_way += 1
      const both = under_way <= 2 ? 2 : 4
      await until('both are as far', () => under_way >= both)
    }
    for (const file of files) {
      desk.issue(file)
      desk.file = [file.subarray(0, 2_000_000), file.subarray(2_000_000)]
      begun.push(desk.perform('fetchBill', wanted))
      await until('it is under way', () => under_way >= begun.length)
    }
    const ends = await Promise.allSettled(begun)
    desk.pause = () => Promise.resolve()
    // The later one has lost the first version, and comes again.
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const file of files) {
      desk.issue(file)
      await desk.perform('fetchBill', wanted)
    }
    const kept = await versions()
    const plain = await Promise.all(kept.map((one) => desk.plain(one)))
    expect(new Set(plain.map(sha1))).toEqual(new Set(files.map(sha1)))
    const named = kept.flatMap(({ parts_key, part_count }) =>
      Array.from({ length: part_count }, (_, number) => billPartId(parts_key, number)),
    )
    expect(await desk.parts()).toEqual(named.sort())
  })

  it('by a worker that was killed leaves pieces for a day, and then none', async () => {
    let kept = 0
    desk.issue(randomBytes(3_000_000))
    desk.file = [desk.file[0]?.subarray(0, 2_500_000) ?? Buffer.alloc(0), Buffer.alloc(10)]
    desk.pause = async () => {
      // Killed: what it has begun it never ends.
      if ((kept += 1) > 1) await new Promise(() => undefined)
    }
    void desk.perform('fetchBill', wanted)
    const left = await until('it has kept pieces', async () => {
      const parts = await desk.parts()
      return parts.length >= 2 && parts
    })
    desk.pause = () => Promise.resolve()
    desk.issue(tradeFile([{}]))
    const bill = await desk.perform('fetchBill', wanted)
    const own = billPartId(bill.parts_key, 0)
    desk.now_ms += day_ms
    await desk.perform('fetchBill', wanted)
    expect(await desk.parts(), 'it could be under way').toEqual([...left, own].sort())
    desk.now_ms += 1
    await desk.perform('fetchBill', wanted)
    expect(await desk.parts()).toEqual([own])
    expect(await desk.perform('fetchBill', wanted)).toEqual(bill)
  })

  it('that takes longer than any fetch makes no version: its pieces may be gone', async () => {
    desk.issue(tradeFile([{}]))
    desk.pause = () => Promise.resolve(void (desk.now_ms += 6 * 3_600_000 + 1))
    const failure = await desk.failureOf('fetchBill', wanted)
    expect(failure.message).toContain('took too long')
    expect(await versions()).toEqual([])
    expect(await desk.parts()).toEqual([])
  })

  it.each(['gone', 'changed'] as const)('and of which a piece is %s is fetched anew, and compared', async (how) => {
    const bytes = tradeFile([{}])
    desk.issue(bytes)
    await desk.store.payments.insert(payment)
    await desk.looked()
    const [part = ''] = await desk.parts()
    await desk.parts({ [how]: part })
    const run = await desk.looked()
    const [kept, ...more] = await versions()
    expect(more, 'the same file is the same version').toEqual([])
    expect(kept).toMatchObject({ version: 1 })
    expect(kept?.damaged_time).toBeUndefined()
    expect(kept && (await desk.plain(kept)).equals(bytes)).toBe(true)
    expect(await desk.perform('closeDay', { day, run })).toMatchObject({ is_proven: true, rows: { matched: 1 } })
    desk.now_ms += day_ms + 1
    await desk.perform('fetchBill', wanted)
    expect(await desk.parts()).toEqual([billPartId(kept?.parts_key ?? '', 0)])
  })

  it('and is damaged after it was compared is fetched anew to be posted, or is a flaw', async () => {
    desk.issue(tradeFile([{}]))
    await desk.store.payments.insert(payment)
    const posted = async () => {
      const run = await desk.looked()
      const [part = ''] = await desk.parts()
      await desk.parts({ gone: part })
      if (desk.now_ms > due_ms) desk.answers['trade_bill'] = () => none
      await desk.perform('postBills', { day, run })
      return await desk.perform('closeDay', { day, run })
    }
    expect(await posted()).toMatchObject({ flaws: [], is_proven: true })
    desk.now_ms += 1
    expect(flawTexts((await posted()).flaws)).toEqual([
      expect.stringContaining('the trade bill that is kept here is damaged'),
    ])
  })

  it('and is damaged, and gone at WeChat, is a flaw of its day, which keeps what it was', async () => {
    desk.issue(tradeFile([{}]))
    await desk.store.payments.insert(payment)
    const before = await desk.perform('closeDay', { day, run: await desk.looked() })
    const [part = ''] = await desk.parts()
    await desk.parts({ gone: part })
    desk.now_ms += 91 * day_ms
    const closed = await desk.perform('closeDay', { day, run: await desk.looked() })
    expect(closed).toMatchObject({ is_proven: false, state: 'different', rows: before.rows, differences: {} })
    expect(flawTexts(closed.flaws)).toEqual([expect.stringContaining('the trade bill that is kept here is damaged')])
    expect(await attentions()).toEqual(['day_unproven', 'bill_expiring'])
  })

  it('of which WeChat says later that there is none stays what WeChat signed', async () => {
    const bytes = tradeFile([{}])
    desk.issue(bytes)
    const bill = await desk.perform('fetchBill', wanted)
    desk.answers['trade_bill'] = () => none
    expect(await desk.perform('fetchBill', wanted)).toEqual(bill)
    expect(await versions()).toEqual([bill])
  })

  it('of which WeChat says before ten that there is none is waited for, whatever else of the day is here', async () => {
    const made_ms = dayRange(bill_date).to_ms + 10 * 3_600_000
    const flow = { ...wanted, type: 'fundflow' } as const
    desk.now_ms = made_ms - 1
    desk.answers['trade_bill'] = desk.answers['fund_flow_bill'] = () => none
    for (const one of [wanted, flow])
      expect(await desk.failureOf('fetchBill', one)).toMatchObject({ category: 'BENIGN', nextRetryDelay: 600_000 })
    expect(await versions()).toEqual([])
    desk.issue(tradeFile([{}]))
    await desk.perform('fetchBill', wanted)
    expect(await desk.failureOf('fetchBill', flow), 'each is made by itself').toMatchObject({ category: 'BENIGN' })
    desk.now_ms = made_ms
    expect(await desk.perform('fetchBill', flow)).toMatchObject({ state: 'none', version: 1 })
  })

  it('and there was none is kept as that, until there is one', async () => {
    desk.answers['trade_bill'] = () => none
    expect(await desk.perform('fetchBill', wanted)).toMatchObject({ state: 'none', version: 1, byte_count: 0 })
    await desk.perform('fetchBill', wanted)
    expect(await versions()).toHaveLength(1)
    desk.issue(tradeFile([{}]))
    expect(await desk.perform('fetchBill', wanted)).toMatchObject({ state: 'ready', version: 2 })
  })

  it('and is gone at WeChat is taken as it is kept here', async () => {
    desk.issue(tradeFile([{}]))
    const bill = await desk.perform('fetchBill', wanted)
    desk.now_ms += 91 * 86_400_000
    desk.answers['trade_bill'] = () => answer(400, {}, 'PARAM_ERROR')
    expect(await desk.perform('fetchBill', wanted)).toEqual(bill)
  })

  it('and is gone at WeChat before it was ever here ends its day with that flaw', async () => {
    desk.answers['trade_bill'] = () => not_ready
    desk.now_ms = dayRange(bill_date).from_ms + 91 * 86_400_000 - 1
    expect(await desk.failureOf('fetchBill', wanted)).toMatchObject({ category: 'BENIGN' })
    expect(await attentions()).toEqual(['bill_late'])
    desk.now_ms += 1
    const run = await desk.looked()
    expect(await desk.perform('postBills', { day, run }), 'nothing to post').toMatchObject({ versions: {} })
    expect(await desk.perform('closeDay', { day, run })).toMatchObject({
      state: 'different',
      flaws: [{ code: 'bills_gone', values: { days: 90, bill_date: '2026-11-22' } }],
    })
    // Nobody can mend it any more; what is told is of the days after it.
    expect([await versions(), await attentions()]).toEqual([[], ['bill_expiring']])
  })
})

describe('a day that WeChat will soon have no bill of', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
  })
  afterEach(async () => await desk.drop())

  const told = async () => {
    await desk.perform('startDays', { due_ms: desk.now_ms })
    const { attentions = [] } = (await desk.store.merchants.find(mchid)) ?? {}
    return attentions.map(({ code, detail }) => `${code} ${detail ?? ''}`)
  }
  const dated = async (more: object) => {
    const kept = await desk.store.merchants.find(mchid)
    if (kept !== null) await desk.store.merchants.save({ ...kept, ...more })
  }
  const day_ms = 86_400_000
  const proven = async (date: string) =>
    await desk.store.reconciliations.begin({
      ...newReconciliation({ mchid, bill_date: date }, desk.time(), ''),
      is_proven: true,
    })

  it('is named from two weeks before, though nobody ever looked at it, until it is proven or gone', async () => {
    await dated({ create_time: desk.time(dayRange(bill_date).from_ms), wechat: await setUp(desk) })
    desk.now_ms = dayRange(bill_date).from_ms + 77 * day_ms - 1
    expect(await told()).toEqual([])
    desk.now_ms += 1
    expect(await told()).toEqual([`bill_expiring 2026-11-22: npm run reconcile -- 2026-11-22 --merchant ${mchid}`])
    desk.now_ms += 2 * day_ms
    const first = `bill_expiring 2026-11-22: npm run reconcile -- 2026-11-22 --to 2026-11-24 --merchant ${mchid}`
    expect(await told()).toEqual([first])
    await proven('2026-11-22')
    await proven('2026-11-24')
    expect(await told()).toEqual([`bill_expiring 2026-11-23: npm run reconcile -- 2026-11-23 --merchant ${mchid}`])
    const since = (await desk.store.merchants.find(mchid))?.attentions?.[0]?.since_time
    expect(since, 'since it was first told').toBe(desk.time(dayRange(bill_date).from_ms + 77 * day_ms))
    await proven('2026-11-23')
    expect(await told()).toEqual([])
  })
})

/** A merchant with keys, by which the schedule takes it. */
async function setUp({ store }: Desk) {
  const plain = { serial_no: '1'.repeat(40), private_key: 'p', apiv3_key: 'a', public_key_id: null, public_key: null }
  return await Promise.resolve(store.merchants.sealSetup(mchid, plain, null))
}
