import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { differenceId, operationId } from '../../../domain/ids.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { at, mchid, orderSample, paymentSample } from '../../store/samples.ts'
import { answer, day, Desk, due_ms, none, tradeFile } from './desk.ts'

const tx = '4200000001202611220000000001'
const paid = { transaction_id: tx, out_trade_no: 'T20261122-1', order_id: `${mchid}/T20261122-1` }
const recorded = (given: object = {}) =>
  paymentSample(tx, { ...paid, appid: 'wx8888888888888888', success_time: '2026-11-22T10:00:00.000+08:00', ...given })

describe('what a day differs in', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
  })
  afterEach(async () => await desk.drop())

  const seen = async () =>
    (await desk.store.differences.ofDay(day, null, 500)).map(({ kind, state }) => `${kind} ${state}`)
  const differing = async (kind: string, subject = tx) =>
    await desk.store.differences.find(differenceId(day, kind, subject))

  it('is asked about once in a look, and again in the next', async () => {
    await desk.store.payments.insert(recorded({ amount: { total: 991, currency: 'CNY', payer_total: 991 } }))
    desk.issue(tradeFile([{}]))
    desk.know({ transaction_id: tx })
    const run = await desk.looked()
    expect(await seen()).toEqual(['amount open'])
    const queries = () => desk.asked.filter((one) => one.startsWith('query '))
    await desk.perform('askDifferences', { day, run })
    expect(await desk.perform('askDifferences', { day, run })).toEqual({ asked: 1, handed_over: 0, given_up: false })
    expect(queries()).toHaveLength(1)
    desk.now_ms += 60_000
    await desk.perform('askDifferences', { day, run: await desk.looked() })
    expect(queries()).toHaveLength(2)
    expect(await differing('amount')).toMatchObject({ answer: { says: 'SUCCESS' }, amount: 1 })
  })

  it('is asked about newest first: of too many, what still heals soonest', async () => {
    const numbers = [1, 2, 3, 4]
    for (const n of numbers) await desk.store.orders.insert(orderSample(`T-${n}`, { create_time: at(-90_000) }))
    const there = { transaction_id: `${tx}4`, out_trade_no: 'T-4', order_id: `${mchid}/T-4` }
    await desk.store.payments.insert(
      recorded({ ...there, _id: `${mchid}/${tx}4`, success_time: '2026-11-22T10:02:30.000+08:00' }),
    )
    const lines = numbers.slice(0, 3).map((n) => ({
      微信订单号: `${tx}${n}`,
      商户订单号: `T-${n}`,
      交易时间: `2026-11-22 10:0${n}:00`,
    }))
    desk.issue(tradeFile(lines))
    await desk.perform('askDifferences', { day, run: await desk.looked() })
    const asked = desk.asked.filter((one) => one.startsWith('query ')).map((one) => one.at(-1))
    expect(asked).toEqual(['3', '4', '2', '1'])
  })

  it('is handed to its order where no record has it, though the line was held against another payment', async () => {
    await desk.store.payments.insert(recorded({ _id: `${mchid}/T0`, transaction_id: 'T0' }))
    desk.issue(tradeFile([{}]))
    desk.know({ transaction_id: tx })
    const run = await desk.looked()
    expect(await seen()).toEqual(['number open'])
    expect(await desk.perform('askDifferences', { day, run })).toMatchObject({ handed_over: 1 })
    const evidence_id = `${mchid}/bill_line/${tx}/SUCCESS`
    expect(desk.signals).toMatchObject([{ evidence_id }])
    expect(await desk.store.evidence.find(evidence_id)).toMatchObject({ outcome: null, kind: 'bill_line' })
  })

  it('is a phantom while WeChat says that it was never paid, and no longer', async () => {
    await desk.store.payments.insert(recorded())
    const payment = { transaction_id: tx, role: 'order', found_by: 'query', bank_type: null } as const
    const times = { success_time: at(0), found_time: at(0) }
    const known = { state: 'fulfilled', payment: { ...payment, ...times } } as const
    await desk.store.orders.insert(orderSample('T20261122-1', known))
    desk.issue(tradeFile([]))
    desk.answers['trade_bill'] = () => none
    const ask = async () => {
      desk.now_ms += 60_000
      const run = await desk.looked()
      await desk.perform('askDifferences', { day, run })
      await desk.perform('matchDay', { day, run })
      return await seen()
    }
    desk.answers['query'] = () => answer(404, '', 'ORDER_NOT_EXIST')
    expect(await ask(), 'one difference, not two').toEqual(['missing_there healed', 'phantom_payment open'])
    expect(await ask()).toEqual(['missing_there healed', 'phantom_payment open'])
    const evidence_id = `${mchid}/bill_line/${tx}/ORDER_NOT_EXIST`
    expect(desk.signals.map((signal) => signal.evidence_id)).toEqual([evidence_id, evidence_id])
    const heard = { operation_id: operationId.denied(tx, 0), time: at(0), actor: { kind: 'wechat', id: null } } as const
    await desk.store.orders.apply({ mchid, out_trade_no: 'T20261122-1' }, () => ({ event: 'payment_denied', ...heard }))
    expect(await ask()).toEqual(['missing_there healed', 'phantom_payment open'])
    expect(desk.signals, 'its order has heard').toHaveLength(2)
    expect((await differing('phantom_payment'))?.fields).toEqual([
      'trade_state: unknown at WeChat, SUCCESS here',
      'the order was fulfilled already, and has attention phantom_payment',
    ])
    expect(await desk.store.evidence.find(evidence_id)).toMatchObject({ verdict: 'unsigned', kind: 'bill_line' })
    desk.know({ transaction_id: tx })
    expect(await ask()).toEqual(['missing_there open', 'phantom_payment healed'])
    expect(desk.signals.at(-1)).toMatchObject({ evidence_id: `${mchid}/bill_line/${tx}/SUCCESS` })
    expect(await ask()).toEqual(['missing_there open', 'phantom_payment healed'])
    desk.know({ transaction_id: tx, trade_state: 'CLOSED' })
    expect(await ask()).toEqual(['missing_there healed', 'phantom_payment open'])
    const phantom = await differing('phantom_payment')
    expect(phantom?.timeline.map(({ event }) => event)).toEqual(['vanished', 'returned'])
  })

  it.each([
    ['its record', 'note'],
    ['its answer', 'noteAnswer'],
    ['the word to its order', 'noteHandedOver'],
    ['the end of what led to it', 'apply'],
  ] as const)('is the same phantom where a worker died behind %s', async (_, write) => {
    const phantomOf = async (one: Desk, is_disturbed: boolean) => {
      await one.store.payments.insert(recorded())
      const payment = { transaction_id: tx, role: 'order', found_by: 'query', bank_type: null } as const
      const times = { success_time: at(0), found_time: at(0) }
      const known = { state: 'fulfilled', payment: { ...payment, ...times } } as const
      await one.store.orders.insert(orderSample('T20261122-1', known))
      one.issue(tradeFile([]))
      one.answers['trade_bill'] = () => none
      one.answers['query'] = () => answer(404, '', 'ORDER_NOT_EXIST')
      const look = { day, run: await one.looked() }
      if (is_disturbed) await one.dying([one.store.differences, write], 'askDifferences', look)
      await one.perform('askDifferences', look)
      expect(one.signals.length, 'its order hears of it').toBeGreaterThan(0)
      return await one.store.differences.ofDay(day, null, 500)
    }
    const undisturbed = await Desk.open()
    const wanted = await phantomOf(undisturbed, false)
    await undisturbed.drop()
    expect(wanted.map(({ answer: said }) => said?.says)).toEqual(['unknown', 'unknown'])
    expect(await phantomOf(desk, true)).toEqual(wanted)
  })

  it('is no phantom by one host’s word: WeChat is asked twice', async () => {
    await desk.store.payments.insert(recorded())
    desk.issue(tradeFile([]))
    desk.answers['trade_bill'] = () => none
    const said = ['CLOSED', 'SUCCESS']
    const one = { ...paid, mchid, appid: 'wx8888888888888888', success_time: '2026-11-22T10:00:00+08:00' }
    const amount = { total: 990, payer_total: 990, currency: 'CNY', payer_currency: 'CNY' }
    desk.answers['query'] = () => answer(200, { ...one, amount, trade_state: said.shift() })
    await desk.perform('askDifferences', { day, run: await desk.looked() })
    expect([await seen(), said]).toEqual([['missing_there waiting'], []])
  })

  it('and was ignored stays so, until it is another matter', async () => {
    await desk.store.payments.insert(recorded({ amount: { total: 991, currency: 'CNY', payer_total: 991 } }))
    desk.issue(tradeFile([{}]))
    await desk.looked()
    const ignored = {
      event: 'ignored',
      operation_id: 'i',
      time: beijingTime(due_ms),
      actor: { kind: 'operator', id: 'li' },
    } as const
    await desk.store.differences.apply(differenceId(day, 'amount', tx), ignored)
    await desk.looked()
    expect(await seen()).toEqual(['amount ignored'])
    desk.issue(tradeFile([{ 订单金额: '5.00' }]))
    await desk.looked()
    expect(await seen()).toEqual(['amount open'])
    expect(await differing('amount')).toMatchObject({ amount: 491 })
  })

  it('ends with the record that came', async () => {
    desk.issue(tradeFile([{}]))
    await desk.store.orders.insert(orderSample('T20261122-1', { create_time: at(-90_000) }))
    await desk.looked()
    expect(await seen()).toEqual(['missing_here waiting'])
    await desk.store.payments.insert(recorded())
    await desk.looked()
    expect(await seen()).toEqual(['missing_here healed'])
  })

  it('is nobody’s word once a newer look has begun', async () => {
    desk.issue(tradeFile([{}]))
    const run = await desk.looked()
    const newer = await desk.perform('openDay', { day, look: 'newer' })
    expect(await desk.perform('openDay', { day, look: 'newer' }), 'the same step once more').toEqual(newer)
    expect(newer).toMatchObject({ run: run + 1, state: 'waiting_for_bill' })
    expect(await desk.perform('matchDay', { day, run })).toEqual(newer)
    expect(await desk.perform('askDifferences', { day, run })).toMatchObject({ asked: 0 })
    expect(await desk.perform('closeDay', { day, run })).toEqual(newer)
    expect(await desk.store.reconciliations.find(day)).toEqual(newer)
  })
})
