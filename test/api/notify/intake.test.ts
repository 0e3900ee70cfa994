import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { attention_codes } from '../../../domain/attention.ts'
import type { OrderKey, RefundKey } from '../../../domain/ids.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import type { PaymentFact, RefundFact } from '../../../domain/payment/fact.ts'
import type { Store } from '../../../store/store.ts'
import type { WeChatAccount } from '../../../wechat/accounts.ts'
import type { NotificationVerdict } from '../../../wechat/notification.ts'
import type { Transaction } from '../../../wechat/payments.ts'
import { until } from '../../stage/until.ts'
import { at, mchid, orderSample, paymentFound, paymentSample } from '../../store/samples.ts'
import { newNumber, now, openApiStage } from '../apistage.ts'

/** While set, no notification can be archived. */
const database = { is_away: false }
const stage = await openApiStage({ store: withDatabaseAway })
afterAll(() => stage.close())
afterEach(() => {
  stage.on = {}
  stage.given.length = 0
  stage.ahead_ms = 0
  database.is_away = false
})

function withDatabaseAway(store: Store): Store {
  const archive: Store['evidence']['archive'] = (record) =>
    database.is_away ? Promise.reject(new Error('the database is away')) : store.evidence.archive(record)
  const evidence = Object.assign(Object.create(store.evidence) as Store['evidence'], { archive })
  const recordOutcome: Store['evidence']['recordOutcome'] = (...given) => store.evidence.recordOutcome(...given)
  const find: Store['evidence']['find'] = (_id) => store.evidence.find(_id)
  const ofOrder: Store['evidence']['ofOrder'] = (...given) => store.evidence.ofOrder(...given)
  const noteRepeat: Store['evidence']['noteRepeat'] = (_id) => store.evidence.noteRepeat(_id)
  return { ...store, evidence: Object.assign(evidence, { recordOutcome, find, ofOrder, noteRepeat }) }
}

/** A merchant's account that reads every body as this. */
function reading(read: NotificationVerdict): void {
  const account = { mchid, read: () => read } as unknown as WeChatAccount
  stage.accounts = { find: () => Promise.resolve(account), forget: () => undefined }
}

function ofRefund(fact: RefundFact): NotificationVerdict {
  return {
    verdict: 'verified',
    subject: 'refund',
    notification_id: `n-${fact.out_refund_no}`,
    event_type: 'REFUND.SUCCESS',
    create_time: at(0),
    serial_no: 'PUB_KEY_ID_1',
    mchid,
    plaintext: '{}',
    fact,
    refund: { mchid, out_refund_no: fact.out_refund_no, success_time: at(0), amount: { total: 990, refund: 90 } },
  }
}

function told(): RefundFact {
  const fact = {
    mchid,
    out_trade_no: newNumber(),
    transaction_id: newNumber('4200'),
    out_refund_no: newNumber('R'),
    refund_id: newNumber('5030'),
    refund_status: 'SUCCESS' as const,
    success_time: at(0),
    user_received_account: null,
    amount: { total: 990, refund: 90, payer_total: null, payer_refund: null },
  }
  reading(ofRefund(fact))
  return fact
}

const headers = { 'wechatpay-serial': 'PUB_KEY_ID_1', 'x-other': 'not kept' }
const evidenceOf = async ({ out_trade_no }: RefundFact) => await stage.store.evidence.ofOrder(mchid, out_trade_no ?? '')

describe('a notification of a refund', () => {
  it('is archived, handed to the refund’s run, known here or not, and raises no attention', async () => {
    const fact = told()
    expect(await stage.notify('{}', headers)).toBe(204)
    const [evidence] = await evidenceOf(fact)
    expect(evidence).toMatchObject({ subject: 'refund', out_refund_no: fact.out_refund_no, unapplied: true })
    const { out_refund_no, out_trade_no } = fact
    expect(stage.given).toEqual([
      {
        command: 'signalRefundChanged',
        arguments: [{ mchid, out_refund_no, out_trade_no }, { evidence_id: evidence?._id }],
      },
    ])
    expect((await stage.store.merchants.find(mchid))?.attentions).toBeUndefined()
  })

  it('is taken also behind a slash at the end of the address, and at no other', async () => {
    const fact = told()
    expect(await stage.notify('{}', headers, '/')).toBe(204)
    expect(await evidenceOf(fact)).toHaveLength(1)
    expect(stage.given).toHaveLength(1)
    for (const address of ['//', '/more']) expect(await stage.notify('{}', headers, address)).toBe(404)
    expect(stage.given).toHaveLength(1)
  })

  it('that had its effect is a duplicate, and wakes nobody', async () => {
    const fact = told()
    await stage.notify('{}', headers)
    const [evidence] = await evidenceOf(fact)
    const applied = { outcome: 'applied', applied_to: `${mchid}/${fact.out_refund_no}`, time: at(1) } as const
    await stage.store.evidence.recordOutcome(evidence?._id ?? '', applied)
    expect(await stage.notify('{}', headers)).toBe(204)
    expect(stage.given).toHaveLength(1)
    // The repeat is counted behind its answer, for the report of the day.
    const counted = await until('the repeat is counted', async () => {
      const [again, ...others] = await evidenceOf(fact)
      return again?.repeats === 1 ? [again, ...others] : null
    })
    expect(counted).toHaveLength(1)
  })

  it('that comes again before it had its effect is handed over again', async () => {
    told()
    await stage.notify('{}', headers)
    expect(await stage.notify('{}', headers)).toBe(204)
    expect(stage.given).toHaveLength(2)
  })

  it('is acknowledged while Temporal is away, since it lies in the archive, and handed over when it answers again', async () => {
    const [first, second] = [told(), told()]
    let is_away = true
    stage.on = {
      signalRefundChanged: () => Promise.resolve(!is_away),
      isReachable: () => Promise.resolve(!is_away),
    }
    for (const fact of [first, second]) {
      reading(ofRefund(fact))
      for (const _again of [1, 2]) expect(await stage.notify('{}', headers)).toBe(204)
    }
    const asked = () => stage.given.filter(({ command }) => command === 'isReachable').length
    const signalled = () => stage.given.filter(({ command }) => command === 'signalRefundChanged')
    await until('the API has asked twice whether Temporal is there', () => asked() >= 2)
    expect(signalled()).toHaveLength(4) // nothing is sent to a server that is known to be away
    is_away = false
    const handedOver = await until('both are handed over', () => {
      const sent = signalled().slice(4)
      return sent.length >= 2 && sent
    })
    const before = asked()
    told()
    stage.on = {}
    expect(await stage.notify('{}', headers)).toBe(204)
    const evidence_ids = await Promise.all([first, second].map(async (fact) => (await evidenceOf(fact))[0]?._id))
    expect(handedOver.map(({ arguments: [, found] }) => found)).toEqual(
      evidence_ids.map((evidence_id) => ({ evidence_id })),
    )
    expect([signalled().length, asked()]).toEqual([7, before]) // and nobody is asked any more
  })

  it('travels in the signal while the database is away', async () => {
    told()
    database.is_away = true
    expect(await stage.notify('{"as":"it came"}', headers)).toBe(204)
    const envelope = { headers: { 'wechatpay-serial': 'PUB_KEY_ID_1' }, body: '{"as":"it came"}' }
    expect(stage.given[0]?.arguments[1]).toEqual({ envelope })
  })

  it('is not acknowledged when it can be kept nowhere', async () => {
    told()
    database.is_away = true
    expect(await stage.notify('x'.repeat(17_000), headers)).toBe(500)
    expect(stage.given).toEqual([])
    stage.on = { signalRefundChanged: () => Promise.resolve(false) }
    expect(await stage.notify('{}', headers)).toBe(500)
  })
})

/** Ordered here and not paid yet, and a notification that says it is. */
async function orderedAndPaid(notification_id = newNumber('n')) {
  const order = orderSample(newNumber(), { state: 'awaiting_payment' })
  await stage.store.orders.insert(order)
  return { order, read: ofPayment(notification_id, paidFact(order)) }
}

function paidFact({ appid, out_trade_no, amount }: OrderRecord): PaymentFact {
  const transaction_id = newNumber('4200')
  const paid = { trade_state: 'SUCCESS', trade_type: 'NATIVE', bank_type: null, success_time: at(0) } as const
  return {
    mchid,
    appid,
    out_trade_no,
    transaction_id,
    ...paid,
    amount: { ...amount, payer_total: null },
    nocash_amount: 0,
  }
}

function ofPayment(notification_id: string, fact: PaymentFact): NotificationVerdict {
  const event_type = 'TRANSACTION.SUCCESS'
  const outside = { notification_id, event_type, serial_no: 'PUB_KEY_ID_1', mchid, plaintext: '{}' }
  return { verdict: 'verified', subject: 'payment', ...outside, fact, transaction: {} as Transaction }
}

const attentions = async () => ((await stage.store.merchants.find(mchid))?.attentions ?? []).map(({ code }) => code)
const noAttention = () => stage.store.merchants.liftAttention(mchid, ...attention_codes)

describe('one notification id with two contents', () => {
  afterEach(noAttention)

  it('is two messages: each is handed over for the numbers that it names itself, and a person hears of it', async () => {
    const [first, second] = [await orderedAndPaid('n-twice'), await orderedAndPaid('n-twice')]
    reading(first.read)
    expect(await stage.notify('{"of":"the first"}', headers)).toBe(204)
    expect(await attentions()).toEqual([])
    reading(second.read)
    for (const _again of [1, 2]) expect(await stage.notify('{"of":"the second"}', headers)).toBe(204)
    const numbers = stage.given.map(({ arguments: [key] }) => (key as OrderKey).out_trade_no)
    expect(numbers).toEqual([first, second, second].map(({ order }) => order.out_trade_no))
    for (const { order } of [first, second]) {
      const kept = await stage.store.evidence.ofOrder(mchid, order.out_trade_no)
      expect(kept).toEqual([expect.objectContaining({ verdict: 'verified', unapplied: true })])
      const given = stage.given.findLast(
        ({ arguments: [key] }) => (key as OrderKey).out_trade_no === order.out_trade_no,
      )
      expect(given?.arguments[1]).toEqual({ evidence_id: kept[0]?._id })
    }
    expect(await attentions()).toEqual(['evidence_unapplied'])
  })

  it('is two messages also when the first had its effect, and of two refunds of one order', async () => {
    const fact = told()
    await stage.notify('{"of":"the first"}', headers)
    const [evidence] = await evidenceOf(fact)
    await stage.store.evidence.recordOutcome(evidence?._id ?? '', { outcome: 'applied', applied_to: null, time: at(1) })
    const other = { ...fact, out_refund_no: newNumber('R'), refund_id: newNumber('5030') }
    reading({ ...ofRefund(other), notification_id: `n-${fact.out_refund_no}` } as NotificationVerdict)
    expect(await stage.notify('{"of":"the second"}', headers)).toBe(204)
    expect(stage.given.map(({ arguments: [key] }) => (key as RefundKey).out_refund_no)).toEqual([
      fact.out_refund_no,
      other.out_refund_no,
    ])
    expect(await attentions()).toEqual(['evidence_unapplied'])
  })
})

describe('a notification of a payment that its order already has', () => {
  afterEach(noAttention)

  async function known() {
    const order = orderSample(newNumber(), { state: 'awaiting_payment' })
    await stage.store.orders.insert(order)
    const fact = paidFact(order)
    const { out_trade_no, _id: order_id } = order
    await stage.store.payments.insert(paymentSample(fact.transaction_id ?? '', { out_trade_no, order_id }))
    await stage.store.orders.apply(order, paymentFound(fact.transaction_id ?? ''))
    return { out_trade_no, fact }
  }

  it('is linked and wakes nobody', async () => {
    const { out_trade_no, fact } = await known()
    reading(ofPayment(newNumber('n'), fact))
    expect(await stage.notify('{}', headers)).toBe(204)
    const [evidence] = await stage.store.evidence.ofOrder(mchid, out_trade_no ?? '')
    expect(evidence?.outcome).toBe('linked')
    expect([stage.given, await attentions()]).toEqual([[], []])
  })

  it.each([
    ['amount', { total: 5, currency: 'CNY', payer_total: null }],
    ['currency', { total: 990, currency: 'USD', payer_total: null }],
  ])('with another %s is linked and books nothing, and a person hears of it', async (_what, amount) => {
    const { out_trade_no, fact } = await known()
    reading(ofPayment(newNumber('n'), { ...fact, amount }))
    expect(await stage.notify('{}', headers)).toBe(204)
    const [evidence] = await stage.store.evidence.ofOrder(mchid, out_trade_no ?? '')
    expect(evidence?.outcome).toBe('linked')
    expect(stage.given).toEqual([])
    expect(await attentions()).toEqual(['evidence_unapplied'])
  })
})

describe('a notification that verifies and is of no use', () => {
  const undecipherable = (reason: string) =>
    ({
      verdict: 'undecipherable',
      notification_id: `n-${reason}`,
      serial_no: 'PUB_KEY_ID_1',
      reason,
    }) as NotificationVerdict
  const foreign: NotificationVerdict = {
    verdict: 'foreign_mchid',
    subject: 'payment',
    mchid: '1900999999',
    notification_id: 'n-foreign',
    event_type: 'TRANSACTION.SUCCESS',
    serial_no: 'PUB_KEY_ID_1',
  }

  it('since it does not decrypt, calls for a person while payments must be found by asking, until one can be read', async () => {
    const time = { success_time: now(), found_time: now() }
    const payment = { transaction_id: '4200', role: 'order', ...time, found_by: 'query', bank_type: null } as const
    await stage.store.orders.insert(orderSample(newNumber(), { state: 'paid', payment }))
    stage.ahead_ms = 600_000 // its notification is missing by then, and not merely on its way
    reading(undecipherable('key'))
    expect(await stage.notify('{}', headers)).toBe(500)
    expect(await attentions()).toEqual(['decryption_failing'])
    told()
    expect(await stage.notify('{}', headers)).toBe(204)
    await until('it is over', async () => (await attentions()).length === 0)
  })

  it.each([
    ['is no envelope', undecipherable('envelope'), 'notification_unreadable'],
    ['says what nobody can read', undecipherable('plaintext'), 'notification_unreadable'],
    ['is of a kind that Weft does not know', undecipherable('unknown_subject'), 'notification_unreadable'],
    ['is another merchant’s', foreign, 'foreign_notification'],
  ] as const)('since it %s, calls for a person once, and comes again', async (_what, read, code) => {
    reading(read)
    expect(await stage.notify('{}', headers)).toBe(500)
    expect(await attentions()).toEqual([code])
    await stage.call('POST', `/v1/attention/${code}/settlement`, { reason: 'explained' })
    expect(await stage.notify('{}', headers)).toBe(500)
    expect(await attentions()).toEqual([])
  })
})
