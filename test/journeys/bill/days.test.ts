import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { dayRange } from '../../../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { beijingDay } from '../../../domain/calendar.ts'
import { billSettings } from '../../../domain/merchant/bill.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { reconcileStart } from '../../../domain/messages.ts'
import { shownTo } from '../../../runtime/config.ts'
import { createRunStarter } from '../../../runtime/runs.ts'
import { ForwardClock } from '../../stage/clock.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const hour = 3_600_000

describe('a day of a merchant', () => {
  const clock = new ForwardClock()
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ now: clock.now, time_scale: 10 })
  })
  afterAll(async () => await stage.close())

  const today = () => beijingDay(clock.now())

  /**
   * The next day, once the one that ends is looked at as well: what a test does then is all of that day, and the book has
   * no gap.
   */
  async function freshDay(): Promise<string> {
    const ends = today()
    nextNoon(ends)
    await reconciled(ends)
    return today()
  }

  /** The day is over, and WeChat has made its bills. */
  function nextNoon(bill_date: string): void {
    clock.setTo(dayRange(bill_date).to_ms + 12 * hour)
  }

  /** Looks at the day, again if it was looked at before, and answers what is written down of it. */
  async function reconciled(bill_date: string): Promise<ReconciliationRecord> {
    const { config, temporal } = stage
    const { client, toOptions } = createRunStarter(temporal.client, config.queue_prefix, shownTo(config))
    const start = reconcileStart({ mchid: stage.mchid, bill_date })
    const handle = await client.workflow.start(start.workflow_type, toOptions(start))
    await handle.result()
    const day = await stage.store.reconciliations.find({ mchid: stage.mchid, bill_date })
    if (day === null) throw new Error('no such day')
    return day
  }

  async function differences(bill_date: string): Promise<DifferenceRecord[]> {
    return await stage.store.differences.ofDay({ mchid: stage.mchid, bill_date }, null, 500)
  }

  /** A tea that is paid and shipped; its notification came or was asked for. */
  async function sold(): Promise<OrderKey & { transaction_id: string }> {
    return await stage.fulfilled()
  }

  /** Paid a second time, and no notification of it ever arrives. */
  async function paidTwiceUnheard(): Promise<OrderKey & { transaction_id: string }> {
    const order = await sold()
    const { mchid, out_trade_no } = order
    stage.simulator.control.addFault({ operation: 'notify', fault: 'lose', times: 1, mchid, out_trade_no })
    const { transaction_id } = stage.pay({ mchid, out_trade_no }, 'second_payment')
    return { ...order, transaction_id: transaction_id ?? '' }
  }

  /** Money that WeChat took after the close, of which no notification ever arrives. */
  async function paidAfterCloseUnheard(): Promise<OrderKey & { transaction_id: string }> {
    const order = await stage.ordered()
    const { mchid, out_trade_no } = order
    await stage.insist('POST', `/v1/orders/${out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    stage.simulator.control.addFault({ operation: 'notify', fault: 'lose', times: 1, mchid, out_trade_no })
    const { transaction_id } = stage.pay({ mchid, out_trade_no }, 'pay_after_close')
    return { ...order, transaction_id: transaction_id ?? '' }
  }

  it('is proven to the fen, and a second look changes nothing', async () => {
    const bill_date = await freshDay()
    const order = await sold()
    await sold()
    const refund = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 300 } })
    await stage.refundReaches(refund, 'succeeded')
    nextNoon(bill_date)
    const day = await reconciled(bill_date)
    expect(day).toMatchObject({
      state: 'balanced',
      is_proven: true,
      flaws: [],
      rows: { all: 3, matched: 3, waiting: 0, different: 0, foreign: 0, malformed: 0 },
      records: { all: 3, matched: 3 },
      wechat: { payment_count: 2, payment_amount: 1_980, refund_count: 1, refund_amount: 300 },
      weft: { payment_count: 2, payment_amount: 1_980, refund_count: 1, refund_amount: 300 },
    })
    const again = await reconciled(bill_date)
    const { start_time, end_time, look } = again
    const book = { ...day.book, post_time: again.book?.post_time }
    expect(again).toEqual({ ...day, run: 2, start_time, end_time, look, book })
    expect(await stage.store.bills.versions({ mchid: stage.mchid, bill_date }, 'trade')).toHaveLength(1)
  })

  it('finds what no notification told: late money and second payments, each with its end', async () => {
    const bill_date = await freshDay()
    const second = await paidTwiceUnheard()
    const late = await paidAfterCloseUnheard()
    nextNoon(bill_date)
    const day = await reconciled(bill_date)
    expect(await stage.store.payments.find(stage.mchid, second.transaction_id)).toMatchObject({ role: 'second' })
    expect(await stage.store.payments.find(stage.mchid, late.transaction_id)).toMatchObject({ role: 'late' })
    const order = await stage.record(late)
    expect(order.payment?.found_by).toBe('bill')
    expect(day).toMatchObject({ is_proven: true, healed_count: 2, rows: { waiting: 0, different: 0 } })
    const found = await differences(bill_date)
    expect(found.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['missing_here healed', 'missing_here healed'])
    await stage.reaches(late, 'refunded')
  })

  it('takes in a refund that was made in WeChat’s console, and of which nobody was told', async () => {
    const bill_date = await freshDay()
    const order = await sold()
    const { mchid, out_trade_no } = order
    const outside = { mchid, out_trade_no, status: 'SUCCESS', refund: 300, notification: 'lose' } as const
    const { out_refund_no } = stage.simulator.control.createConsoleRefund(outside)
    nextNoon(bill_date)
    expect(await reconciled(bill_date)).toMatchObject({
      is_proven: true,
      healed_count: 1,
      rows: { all: 2, matched: 2 },
    })
    expect(await stage.refundRecord(out_refund_no)).toMatchObject({ origin: 'outside', amount: { refund: 300 } })
    const found = await differences(bill_date)
    expect(found.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['refund_missing_here healed'])
  })

  it('names each difference, waits for what may heal, and is proven once the bill is right', async () => {
    const bill_date = await freshDay()
    const { mchid } = stage
    const plant = (fault: string, order: OrderKey | null, more: Record<string, unknown> = {}) =>
      stage.simulator.control.addFault({
        operation: 'trade_bill_content',
        fault,
        mchid,
        bill_date,
        ...(order && { out_trade_no: order.out_trade_no }),
        ...more,
      })
    const [omitted, amount, state, number, doubled] = [
      await sold(),
      await sold(),
      await sold(),
      await sold(),
      await sold(),
    ]
    await sold()
    plant('omitted', omitted)
    plant('amount', amount, { value: '7' })
    plant('state', state)
    plant('number', number)
    plant('duplicated', doubled)
    plant('foreign_payment', null, { rows: 3 })
    plant('false_cell', null)
    nextNoon(bill_date)
    const day = await reconciled(bill_date)
    expect(day).toMatchObject({ state: 'different', is_proven: false })
    const seen = (await differences(bill_date)).map((one) => `${one.kind} ${one.state}`).sort()
    expect(seen).toEqual([
      'amount open',
      'duplicate open',
      'malformed open',
      'missing_there waiting',
      'missing_there waiting',
      'number open',
      'state open',
    ])
    const { rows, records } = day
    expect(rows).toEqual({ all: 9, matched: 1, waiting: 0, different: 4, foreign: 3, malformed: 1 })
    expect(records).toEqual({ all: 6, matched: 1, waiting: 2, different: 3, foreign: 0, malformed: 0 })
    const of_amount = (await differences(bill_date)).find(({ kind }) => kind === 'amount')
    expect(of_amount).toMatchObject({ amount: 7, out_trade_no: amount.out_trade_no, answer: { says: 'SUCCESS' } })
    const merchant = await stage.store.merchants.find(mchid)
    expect(merchant?.attentions?.map(({ code }) => code)).toEqual(['differences_open', 'day_unproven'])

    stage.simulator.control.removeFaults(null)
    stage.simulator.control.issueBills({ mchid, bill_date })
    const right = await reconciled(bill_date)
    expect(right).toMatchObject({ state: 'balanced', is_proven: true, versions: { trade: 2, fundflow: 1 } })
    expect((await differences(bill_date)).every((one) => one.state === 'healed')).toBe(true)
    expect((await stage.store.merchants.find(mchid))?.attentions ?? []).toEqual([])
  })

  it('is proven by the next day’s bill where WeChat counts a payment there', async () => {
    const bill_date = await freshDay()
    const { mchid } = stage
    const order = await sold()
    const { out_trade_no } = order
    const fault = { operation: 'trade_bill_content', fault: 'moved', mchid, bill_date, out_trade_no } as const
    stage.simulator.control.addFault(fault)
    nextNoon(bill_date)
    expect(await reconciled(bill_date)).toMatchObject({ state: 'different', differences: { missing_there: 1 } })
    const next = today()
    nextNoon(next)
    expect(await reconciled(next)).toMatchObject({ state: 'balanced', rows: { all: 1, matched: 1 } })
    const [difference] = await differences(bill_date)
    expect(difference).toMatchObject({ kind: 'missing_there', state: 'healed' })
    expect(difference?.timeline.at(-1)?.reason).toBe(`it is in the bill of ${next}`)
    expect(await reconciled(bill_date)).toMatchObject({ state: 'balanced', is_proven: true, records: { matched: 1 } })
  })

  it('takes what WeChat denies out of the book by a person’s word, and back when WeChat has it after all', async () => {
    const bill_date = await freshDay()
    const { mchid } = stage
    await sold()
    const { out_trade_no, transaction_id } = await sold()
    const fault = { mchid, out_trade_no } as const
    stage.simulator.control.addFault({ operation: 'trade_bill_content', fault: 'omitted', bill_date, ...fault })
    stage.simulator.control.addFault({
      ...{ operation: 'query', fault: 'error', status: 404, code: 'ORDER_NOT_EXIST', ...fault },
    })
    nextNoon(bill_date)
    expect(await reconciled(bill_date)).toMatchObject({ state: 'different', differences: { phantom_payment: 1 } })
    const asked = () => stage.call('GET', `/v1/orders/${out_trade_no}`)
    const attentionIs = async (code: string | null) =>
      await until(`the order's attention is ${code}`, async () => {
        const { attention } = (await asked()).body as { attention: { code: string } | null }
        return (attention?.code ?? null) === code
      })
    await attentionIs('phantom_payment')

    const listed = await stage.call<{ data: { id: string }[] }>(
      'GET',
      `/v1/differences?bill_date=${bill_date}&state=open`,
    )
    expect(listed.body.data).toMatchObject([{ kind: 'phantom_payment', transaction_id, amount: 990 }])
    const accept = async (preview: boolean) =>
      await stage.call('POST', `/v1/differences/${listed.body.data[0]?.id}/resolution`, {
        ...{ action: 'accept_wechat', reason: 'not in the console either', preview },
      })
    const pay = `pay:${mchid}:${transaction_id}`
    expect((await accept(true)).body).toMatchObject({ state: 'settled', posts: [{ id: `rev:${pay}`, reverses: pay }] })
    expect((await accept(false)).status).toBeLessThan(203)
    const posted = async () => (await stage.store.journal.ofOrder(mchid, out_trade_no)).map(({ _id }) => _id)
    await until('it is out of the book, and the day proven', async () => {
      const { body } = await stage.call('GET', `/v1/reconciliations/${bill_date}`)
      return body['is_proven'] === true && (await posted()).includes(`rev:${pay}`)
    })
    await attentionIs(null)
    const refund = { out_refund_no: stage.number(), out_trade_no, amount: { refund: 1 } }
    expect((await stage.call('POST', '/v1/refunds', refund)).body).toMatchObject({ code: 'refund_exceeds_payment' })

    stage.simulator.control.removeFaults(null)
    stage.simulator.control.issueBills({ mchid, bill_date })
    expect(await reconciled(bill_date)).toMatchObject({ state: 'balanced', is_proven: true, rows: { matched: 2 } })
    expect((await differences(bill_date)).every(({ state }) => state === 'healed')).toBe(true)
    expect((await posted()).sort()).toEqual([pay, `${pay}#2`, `rev:${pay}`].sort())
  })

  it('is told over HTTP, and a difference is settled with its reason', async () => {
    const bill_date = await freshDay()
    const { mchid } = stage
    const order = await sold()
    const { out_trade_no } = order
    stage.simulator.control.addFault({
      ...{ operation: 'trade_bill_content', fault: 'amount', mchid, bill_date, out_trade_no },
    })
    expect((await stage.call('POST', `/v1/reconciliations/${bill_date}`)).status).toBe(400)
    nextNoon(bill_date)
    expect((await stage.call('POST', `/v1/reconciliations/${bill_date}`)).status).toBe(202)
    const day = await until('the day is looked at', async () => {
      const { status, body } = await stage.call('GET', `/v1/reconciliations/${bill_date}`)
      return status === 200 && body['end_time'] !== null && body
    })
    expect(day).toMatchObject({ state: 'different', differences: { amount: 1 }, weft: { payment_amount: 990 } })
    const { body } = await stage.call<{ data: { id: string; state: string }[] }>(
      'GET',
      `/v1/differences?bill_date=${bill_date}`,
    )
    expect(body.data).toMatchObject([{ kind: 'amount', state: 'open', amount: 1 }])
    const settle = (action: string) =>
      stage.call('POST', `/v1/differences/${body.data[0]?.id}/resolution`, { action, reason: 'WeChat has been told' })
    expect((await settle('ignore')).body).toMatchObject({ state: 'ignored' })
    expect((await settle('ignore')).status).toBe(409)
    const follows = async (state: string) =>
      await until(`the day is ${state}`, async () => {
        const { body: followed } = await stage.call('GET', `/v1/reconciliations/${bill_date}`)
        return followed['state'] === state && followed['end_time'] === day['end_time']
      })
    await follows('balanced')
    expect((await settle('reopen')).body).toMatchObject({ state: 'open' })
    await follows('different')
    await until('the shop has heard each result and each opening once', () => {
      const heard = [...new Map(stage.shop.heard.map((event) => [event.id, event])).values()]
      const about = heard.filter(({ data }) => JSON.stringify(data).includes(`"bill_date":"${bill_date}"`))
      const [opened, completed] = ['difference.opened', 'reconciliation.completed']
      return (
        about
          .map(({ type }) => type)
          .sort()
          .join() === [opened, opened, completed, completed, completed].join()
      )
    })
  })

  // Last: a day keeps the accounts that it was looked at with, and each takes the looks behind it a second more.
  it('is proven on each account that the merchant follows, and what goes between them is nobody’s', async () => {
    const bill_date = await freshDay()
    const { mchid } = stage
    const merchant = await stage.store.merchants.find(mchid)
    if (merchant === null) throw new Error('no merchant')
    const bills = { ...billSettings(merchant.settings), accounts: ['BASIC', 'OPERATION', 'FEES'] as const }
    await stage.store.merchants.updateSettings(mchid, {
      ...merchant.settings,
      bills: { ...bills, accounts: [...bills.accounts] },
    })
    const order = await sold()
    const refund = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 300 } })
    await stage.refundReaches(refund, 'succeeded')
    const { control } = stage.simulator
    control.transfer({ mchid, from: 'BASIC', to: 'OPERATION', amount: 50_000, out_word: '转出', in_word: '转入' })
    control.transfer({ mchid, from: 'OPERATION', to: 'BANK', amount: 1_000 })
    nextNoon(bill_date)
    const day = await reconciled(bill_date)
    expect(day).toMatchObject({
      ...{ state: 'balanced', is_proven: true, flaws: [] },
      versions: { trade: 1, fundflow: 1, fundflow_operation: 1, fundflow_fees: 1 },
      balances: { fundflow_operation: { opening: 0, closing: 49_000 }, fundflow_fees: null },
    })
    const moved = new Map(day.book?.accounts.map(({ account, amount }) => [account, amount]))
    expect([moved.get('wechat.operation'), moved.get('merchant.bank')]).toEqual([49_000, 1_000])
    expect([moved.has('wechat.transfer'), moved.has('other.转出'), moved.has('other.转入')]).toEqual([
      false,
      false,
      false,
    ])
    const told = await stage.call<{ bills: { type: string; versions: { state: string }[] }[] }>(
      ...(['GET', `/v1/bills/${bill_date}/fundflow_fees`] as const),
    )
    expect(told.body).toMatchObject({ version: 1, versions: [{ state: 'none' }] })
  })
})
