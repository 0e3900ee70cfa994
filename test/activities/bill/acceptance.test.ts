import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DifferenceEvent } from '../../../domain/bill/difference.ts'
import { differenceId } from '../../../domain/ids.ts'
import { paymentEntry, refundAcceptedEntry, refundSucceededEntry } from '../../../domain/journal.ts'
import { readDossiers } from '../../../proof/dossier.ts'
import { proof_patience } from '../../../proof/finding.ts'
import { journalFindings } from '../../../proof/journal.ts'
import { orderSample, mchid, paymentSample } from '../../store/samples.ts'
import { newDifference } from '../../../activities/bill/differences.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { as_refund } from '../../wechat/statement/file.ts'
import { answer, day, Desk, none, tradeFile } from './desk.ts'

const tx = '4200000001202611220000000001'
const out_trade_no = 'T20261122-1'

describe('what people want done about a difference', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
    desk.issue(tradeFile([{}]))
    desk.know({ transaction_id: tx })
  })
  afterEach(async () => await desk.drop())

  const recorded = async (given: object = {}) => {
    const payment = paymentSample(tx, {
      ...{ out_trade_no, order_id: `${mchid}/${out_trade_no}`, appid: 'wx8888888888888888' },
      ...{ success_time: '2026-11-22T10:00:00.000+08:00', ...given },
    })
    await desk.store.payments.insert(payment)
    await desk.store.journal.post(paymentEntry(payment, payment.success_time))
    return payment
  }
  const _id = (kind: string) => differenceId(day, kind, tx)
  const record = async (kind = 'amount') => await desk.store.differences.find(_id(kind))
  const say = async (event: DifferenceEvent, person: string, kind = 'amount', agreed?: string) => {
    const said = { time: desk.time(), actor: { kind: 'merchant', id: person }, reason: 'a coupon of ours' } as const
    await desk.store.reconciliations.noteMoved(day)
    const proposal = event === 'proposed' ? { proposal: said } : {}
    await desk.store.differences.apply(_id(kind), {
      ...{ event, operation_id: `${event}:${person}`, ...said, ...proposal },
      ...(agreed !== undefined && { agreed }),
    })
  }
  const proven = async () => {
    const [dossier] = await readDossiers(desk.store, mchid, [out_trade_no])
    if (dossier === undefined) throw new Error('nothing is recorded')
    const far = { now_ms: desk.now_ms + 86_400_000, patience: proof_patience }
    return journalFindings(dossier, far).map(({ kind, detail }) => `${kind}: ${detail}`)
  }
  const closed = async () => await desk.perform('closeDay', { day, run: await desk.looked() })

  it('is WeChat’s word in record and book, by whom and why; and the next look finds both sides agree', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    expect(await record()).toMatchObject({ state: 'open', amount: 10 })
    await say('proposed', 'key_a')
    await say('accept_asked', 'key_b')
    await desk.perform('acceptDifferences', { day })
    expect(await desk.store.payments.find(mchid, tx)).toMatchObject({ settled_total: 990 })
    const pay = `pay:${mchid}:${tx}`
    const entry_ids = expect.arrayContaining([`rev:${pay}`, `${pay}#2`]) as string[]
    expect(await record()).toMatchObject({ state: 'settled', deed: { action: 'accept_wechat', entry_ids } })
    const entries = await desk.store.journal.ofOrder(mchid, out_trade_no)
    expect(entries.map(({ correction }) => correction?.by ?? null)).toEqual([null, 'key_a, key_b', 'key_a, key_b'])
    expect(await proven()).toEqual([])
    expect(await desk.perform('followDay', { day, batch: 'b' })).toMatchObject({ state: 'balanced' })
    expect(await closed()).toMatchObject({ state: 'balanced', rows: { matched: 1 } })
    expect((await record())?.state).toBe('settled')
  })

  it('is the same where the step dies behind any of its writes', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a')
    const { journal, payments, differences } = desk.store
    for (const write of [
      [payments, 'correctSettledTotal'],
      [journal, 'post'],
      [journal, 'post'],
      [differences, 'apply'],
    ] as const)
      await desk.dying(write, 'acceptDifferences', { day })
    await desk.perform('acceptDifferences', { day })
    expect(await record()).toMatchObject({ state: 'settled', deed: { entry_ids: { length: 2 } } })
    expect(await desk.store.journal.ofOrder(mchid, out_trade_no)).toHaveLength(3)
    expect(await proven()).toEqual([])
  })

  it('of many goes on behind the one at which the worker died', async () => {
    const numbers = [1, 2, 3].map((n) => `420000000120261122000000000${n}`)
    desk.issue(tradeFile(numbers.map((id, n) => ({ 微信订单号: id, 商户订单号: `T-${n}` }))))
    for (const [n, id] of numbers.entries()) {
      const named = { out_trade_no: `T-${n}`, order_id: `${mchid}/T-${n}` }
      await recorded({ _id: `${mchid}/${id}`, transaction_id: id, settled_total: 980, ...named })
    }
    await closed()
    for (const id of numbers)
      await desk.store.differences.apply(differenceId(day, 'amount', id), {
        ...{ event: 'accept_asked', operation_id: id, time: desk.time(), actor: { kind: 'merchant', id: 'key_a' } },
      })
    await desk.dying([desk.store.differences, 'apply'], 'acceptDifferences', { day })
    const states = async () => (await desk.store.differences.ofDay(day, null, 9)).map(({ state }) => state)
    expect(await states()).toEqual(['settled', 'settling', 'settling'])
    await desk.perform('acceptDifferences', { day })
    expect(await states()).toEqual(['settled', 'settled', 'settled'])
    for (const n of numbers.keys()) expect(await desk.store.journal.ofOrder(mchid, `T-${n}`)).toHaveLength(3)
  })

  it('is done by the next look where nobody was told of it', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a')
    expect(await closed()).toMatchObject({ state: 'balanced' })
    // Before the look ends it is booked, or both sides agree: either way it is over.
    expect(['settled', 'healed']).toContain((await record())?.state)
    expect(await proven()).toEqual([])
  })

  it('is booked to its end where the worker died in the middle and a look finds both sides agree', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a')
    await desk.dying([desk.store.payments, 'correctSettledTotal'], 'acceptDifferences', { day })
    expect(await closed()).toMatchObject({ state: 'balanced', rows: { matched: 1 } })
    expect((await record())?.state).toBe('healed')
    const entries = await desk.store.journal.ofOrder(mchid, out_trade_no)
    expect(entries.map(({ correction }) => correction?.by ?? null)).toEqual([null, 'key_a', 'key_a'])
    expect(await proven()).toEqual([])
  })

  it('is not booked where the bill says something else than what a person agreed to', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a', 'amount', 'settled_total 990')
    desk.issue(tradeFile([{ 应结订单金额: '5.00' }]))
    expect(await closed()).toMatchObject({ state: 'different', differences: { amount: 1 } })
    expect(await record()).toMatchObject({ state: 'open', amount: 480 })
    expect((await record())?.timeline.at(-1)).toMatchObject({ event: 'not_acceptable' })
    expect(await desk.store.payments.find(mchid, tx)).toMatchObject({ settled_total: 980 })
    expect(await proven()).toEqual([])
  })

  it('is in the book as in the record where the worker died in the middle and the bill says something else by then', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a', 'amount', 'settled_total 990')
    await desk.dying([desk.store.payments, 'correctSettledTotal'], 'acceptDifferences', { day })
    desk.issue(tradeFile([{ 应结订单金额: '5.00' }]))
    await closed()
    expect(await record()).toMatchObject({ state: 'open', amount: 490 })
    expect(await desk.store.payments.find(mchid, tx)).toMatchObject({ settled_total: 990 })
    expect(await proven()).toEqual([])
  })

  it('is refused where it cannot be booked any more, and is a person’s again', async () => {
    await recorded({ settled_total: 980 })
    await closed()
    await say('accept_asked', 'key_a')
    await desk.store.payments.moveRefund(
      { mchid, transaction_id: tx, out_refund_no: 'R-1', amount: { refund: 90 }, timeline: [] },
      'settled',
    )
    await desk.perform('acceptDifferences', { day })
    expect(await record()).toMatchObject({ state: 'open' })
    expect((await record())?.timeline.at(-1)).toMatchObject({ event: 'not_acceptable' })
    expect(await desk.store.payments.find(mchid, tx)).toMatchObject({ settled_total: 980 })
  })

  it('is WeChat’s answer, and the difference is over where both sides agree by now', async () => {
    await desk.store.orders.insert(orderSample(out_trade_no, { create_time: '2026-11-22T09:00:00.000+08:00' }))
    await closed()
    expect(await record('missing_here')).toMatchObject({ state: 'waiting' })
    await desk.store.differences.noteCheck(_id('missing_here'), desk.time())
    desk.answers['query'] = () => answer(404, '', 'ORDER_NOT_EXIST')
    expect(await desk.perform('checkDifferences', { day })).toEqual({ checked: 1 })
    expect(await record('missing_here')).toMatchObject({ state: 'waiting', answer: { says: 'unknown' } })
    expect((await record('missing_here'))?.check_time).toBeUndefined()
    expect(await desk.perform('checkDifferences', { day }), 'nobody asks').toEqual({ checked: 0 })
    await recorded()
    desk.know({ transaction_id: tx })
    await desk.store.differences.noteCheck(_id('missing_here'), desk.time())
    await desk.perform('checkDifferences', { day })
    expect(await record('missing_here')).toMatchObject({ state: 'healed', answer: { says: 'SUCCESS' } })
    expect(await desk.perform('followDay', { day, batch: 'c' })).toMatchObject({ state: 'balanced', healed_count: 1 })
  })

  describe('that a payment was never made', () => {
    const phantom = async () => await record('phantom_payment')
    const sums = async (): Promise<number[]> => {
      const postings = (await desk.store.journal.ofOrder(mchid, out_trade_no)).flatMap((entry) => entry.postings)
      const of = (account: string) => postings.filter((one) => one.account === account)
      return ['wechat.pending', 'sales'].map((account) => of(account).reduce((sum, { amount }) => sum + amount, 0))
    }
    /** A look that finds what WeChat says to be so. */
    const look = async () => {
      desk.now_ms += 60_000
      const run = await desk.looked()
      await desk.perform('askDifferences', { day, run })
      await desk.perform('matchDay', { day, run })
      return await desk.perform('closeDay', { day, run })
    }
    beforeEach(async () => {
      desk.issue(tradeFile([]))
      desk.answers['trade_bill'] = () => none
      desk.answers['query'] = () => answer(404, '', 'ORDER_NOT_EXIST')
      await recorded()
      await look()
    })

    it('takes it out of the book by WeChat’s word and a person’s, and a further look changes nothing', async () => {
      expect(await sums(), 'nobody has decided').toEqual([990, -990])
      await say('proposed', 'key_a', 'phantom_payment')
      await say('accept_asked', 'key_b', 'phantom_payment')
      await desk.perform('acceptDifferences', { day })
      const evidence_id = `${mchid}/bill_line/${tx}/ORDER_NOT_EXIST`
      expect(await phantom()).toMatchObject({ state: 'settled', deed: { entry_ids: [`rev:pay:${mchid}:${tx}`] } })
      expect(await sums()).toEqual([0, 0])
      const [, reversal] = await desk.store.journal.ofOrder(mchid, out_trade_no)
      expect(reversal).toMatchObject({ evidence_id, correction: { by: 'key_a, key_b' } })
      const denial = { evidence_id, by: 'key_a, key_b' }
      expect(await desk.store.payments.find(mchid, tx)).toMatchObject({ denial })
      expect(await proven()).toEqual([])
      expect(await look()).toMatchObject({ state: 'balanced', is_proven: true })
      expect((await phantom())?.state).toBe('settled')
      expect(await desk.store.journal.ofOrder(mchid, out_trade_no)).toHaveLength(2)
      const wanted = { out_refund_no: 'R-1', amount: 'rest' } as const
      expect(await desk.store.payments.reserveRefund({ mchid, transaction_id: tx }, wanted, desk.now_ms)).toMatchObject(
        {
          refusal: 'refund_exceeds_payment',
        },
      )
    })

    it('is the same where the step dies behind any of its writes', async () => {
      await say('accept_asked', 'key_a', 'phantom_payment')
      const { journal, payments, differences } = desk.store
      for (const write of [
        [payments, 'deny'],
        [journal, 'post'],
        [differences, 'apply'],
      ] as const)
        await desk.dying(write, 'acceptDifferences', { day })
      await desk.perform('acceptDifferences', { day })
      expect([(await phantom())?.state, await sums(), await proven()]).toEqual(['settled', [0, 0], []])
    })

    it.each<[string, () => void, () => Promise<unknown>]>([
      ['WeChat says that it was paid', () => desk.know({ transaction_id: tx }), look],
      ['the bill of its day is issued anew with it', () => desk.issue(tradeFile([{}])), look],
      [
        'a person opens it anew',
        () => undefined,
        async () => {
          await say('reopened', 'key_c', 'phantom_payment')
          await desk.perform('acceptDifferences', { day })
        },
      ],
    ])('is over, and the payment in the book, once %s; wherever the step dies', async (_, change, act) => {
      await say('accept_asked', 'key_a', 'phantom_payment')
      await desk.perform('acceptDifferences', { day })
      change()
      await act()
      expect((await phantom())?.state).not.toBe('settled')
      expect([await sums(), await proven()]).toEqual([[990, -990], []])
      expect((await desk.store.payments.find(mchid, tx))?.denial).toBeUndefined()
      // The same step once more, from the middle: the payment says so, and the book not yet.
      await desk.store.payments.deny(
        { mchid, transaction_id: tx },
        { time: desk.time(), by: 'x', reason: 'y', evidence_id: 'z' },
      )
      await desk.dying([desk.store.payments, 'restore'], 'acceptDifferences', { day })
      await desk.perform('acceptDifferences', { day })
      expect([await sums(), await proven()]).toEqual([[990, -990], []])
    })

    it('is not booked of what has gone back, and a person’s again', async () => {
      await desk.store.payments.adoptRefund({ mchid, transaction_id: tx }, { out_refund_no: 'R-1', amount: 90 })
      await say('accept_asked', 'key_a', 'phantom_payment')
      await desk.perform('acceptDifferences', { day })
      expect([(await phantom())?.state, await sums()]).toEqual(['open', [990, -990]])
    })

    it('asks a person for the money of an order that was refunded with nothing to give back', async () => {
      const named = { transaction_id: tx, role: 'order', found_by: 'query', bank_type: null } as const
      const times = { success_time: '2026-11-22T10:00:00.000+08:00', found_time: desk.time() }
      await desk.store.orders.insert(orderSample(out_trade_no, { state: 'refunded', payment: { ...named, ...times } }))
      const attention = async () => (await desk.store.orders.find({ mchid, out_trade_no }))?.attention?.code ?? null
      await say('accept_asked', 'key_a', 'phantom_payment')
      await desk.perform('acceptDifferences', { day })
      expect(await attention(), 'nothing is owed').toBeNull()
      desk.know({ transaction_id: tx })
      desk.now_ms += 60_000
      const run = await desk.looked()
      for (const step of ['askDifferences', 'matchDay'] as const) await desk.perform(step, { day, run })
      // The worker dies before it has asked anybody; the next one does.
      await desk.dying([desk.store.payments, 'restore'], 'closeDay', { day, run })
      expect(await attention()).toBeNull()
      await desk.perform('closeDay', { day, run })
      expect([await attention(), await sums()]).toEqual(['refund_owed', [990, -990]])
      const news = {
        time: desk.time(),
        actor: { kind: 'wechat', id: null },
        out_refund_no: 'R-1',
        event_type: null,
      } as const
      const told = async (operation_id: string, is_whole: boolean) =>
        await desk.store.orders.apply(
          { mchid, out_trade_no },
          { event: 'refund_changed', operation_id, is_whole, ...news },
        )
      await told('part', false)
      expect(await attention(), 'of a part').toBe('refund_owed')
      await told('whole', true)
      expect(await attention()).toBeNull()
    })

    it('is told to an order that waits for nothing else, once', async () => {
      const named = { transaction_id: tx, role: 'order', found_by: 'query', bank_type: null } as const
      const times = { success_time: '2026-11-22T10:00:00.000+08:00', found_time: desk.time() }
      const known = { state: 'refunding', payment: { ...named, ...times } } as const
      await desk.store.orders.insert(orderSample(out_trade_no, known))
      await say('accept_asked', 'key_a', 'phantom_payment')
      const before = desk.signals.length
      await desk.perform('acceptDifferences', { day })
      const evidence_id = `${mchid}/bill_line/${tx}/ORDER_NOT_EXIST`
      expect(desk.signals.slice(before)).toMatchObject([{ id: `order/${mchid}/${out_trade_no}`, evidence_id }])
    })
  })

  it.each([0, 1, 2, 3, 4, 5])(
    'is what left the account with a refund, in its record and book, wherever the step dies (%s)',
    async (writes) => {
      const { 微信退款单号: refund_id, 商户退款单号: out_refund_no } = as_refund
      const element = { out_refund_no, amount: 990, state: 'succeeded', incomes: { accepted: 'sales' } } as const
      const success_time = '2026-11-20T10:00:00.000+08:00'
      const payment = await recorded({ success_time, refunds: [element] })
      const time = '2026-11-22T10:00:00.000+08:00'
      const facts = { refund_id, channel: null, user_received_account: null, payer_refund: 990, settlement_refund: 980 }
      const made = refundSample(out_refund_no, { ...payment, amount: { refund: 990, total: 990, currency: 'CNY' } })
      const times = { accepted_time: time, success_time: time }
      const refund = { ...made, state: 'succeeded', facts: { ...facts, ...times } } as const
      await desk.store.refunds.insert(refund)
      const step = { occurred_time: time, booked_time: time, evidence_id: 'e', income: 'sales', refund_id } as const
      for (const entryOf of [refundAcceptedEntry, refundSucceededEntry]) {
        const entry = entryOf(refund, { ...step, settlement_refund: 980 })
        if (entry !== null) await desk.store.journal.post(entry)
      }
      desk.issue(tradeFile([as_refund]))
      await closed()
      const _id = differenceId(day, 'refund_amount', refund_id)
      expect(await desk.store.differences.find(_id)).toMatchObject({ state: 'open', amount: 10 })
      await desk.store.differences.apply(_id, {
        ...{ event: 'accept_asked', operation_id: 'x', time, actor: { kind: 'merchant', id: 'key_a' } },
      })
      const { refunds, journal, differences } = desk.store
      const deaths = [
        [refunds, 'correctSettlement'],
        ...Array<unknown>(4).fill([journal, 'post']),
        [differences, 'apply'],
      ]
      for (const write of deaths.slice(0, writes))
        await desk.dying(write as [object, string], 'acceptDifferences', { day })
      await desk.perform('acceptDifferences', { day })
      expect((await desk.store.differences.find(_id))?.state).toBe('settled')
      expect(await refunds.find({ mchid, out_refund_no })).toMatchObject({ facts: { settlement_refund: 990 } })
      const ids = (await journal.ofOrder(mchid, out_trade_no)).map((entry) => entry._id)
      expect(ids.filter((id) => id.startsWith('rev:'))).toHaveLength(2)
      expect(ids.filter((id) => id.endsWith('#2'))).toHaveLength(2)
      expect(await proven()).toEqual([])
    },
  )

  it('of a refund is not lost where the refund moves on in that very moment', async () => {
    const made = refundSample('R-1', { ...(await recorded()), amount: { refund: 990, total: 990, currency: 'CNY' } })
    const time = '2026-11-22T10:00:00.000+08:00'
    const facts = {
      ...{ refund_id: '5030-1', channel: null, user_received_account: null, payer_refund: 990, settlement_refund: 980 },
      ...{ accepted_time: time, success_time: time },
    }
    const memory = await Desk.open('memory')
    const { refunds } = memory.store
    const refund = { ...made, state: 'succeeded', facts } as const
    await refunds.insert(refund)
    const corrections: Promise<unknown>[] = []
    const actor = { kind: 'wechat', id: null } as const
    await refunds.apply(refund, (seen) => {
      // In memory it is written before the event that was made of what was read.
      if (corrections.length === 0) corrections.push(refunds.correctSettlement(seen, 990))
      return { event: 'abnormal', operation_id: 'abnormal', time, actor, facts: { ...facts, success_time: null } }
    })
    expect(await Promise.all(corrections)).toMatchObject([{ facts: { settlement_refund: 990 } }])
    expect(await refunds.find(refund)).toMatchObject({ state: 'abnormal', facts: { settlement_refund: 990 } })
  })

  it('of a fee ends the question, and nothing is posted; it stays so until it is another fee', async () => {
    await recorded()
    await closed()
    const fee = newDifference(day, 'fee', 'day', { found_time: desk.time(), patience_time: desk.time(), amount: 7 })
    await desk.store.differences.note([fee])
    await desk.store.differences.apply(fee._id, {
      ...{ event: 'accept_asked', operation_id: 'x', time: desk.time(), actor: { kind: 'merchant', id: 'key_a' } },
    })
    await desk.perform('acceptDifferences', { day })
    expect(await desk.store.differences.find(fee._id)).toMatchObject({ state: 'settled', deed: { entry_ids: [] } })
    expect(await desk.store.journal.ofOrder(mchid, out_trade_no)).toHaveLength(1)
  })
})
