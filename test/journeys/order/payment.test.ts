import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

/** Waits are 30 times shorter: the first question is asked after a second. */
const scale = 30

describe('an order that is paid', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: scale, settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  it('is told by a notification, booked once, and fulfilled by the merchant’s answer', async () => {
    const order = await stage.ordered()
    // No question finds it before the notification is taken in.
    stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', ...order })
    const { transaction_id } = stage.pay(order)
    const record = await stage.reaches(order, 'fulfilled')
    expect(record.payment).toMatchObject({ transaction_id, role: 'order', found_by: 'notification' })
    expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'payment_found', 'fulfilled'])
    expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
    const [paid] = stage.shop.of(order.out_trade_no)
    expect(paid?.data.order).toMatchObject({ state: 'paid', transaction_id, amount: { total: 990, payer_total: 990 } })
    const entries = await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)
    expect(entries.map(({ postings }) => postings)).toEqual([
      [
        { account: 'wechat.pending', key: transaction_id, amount: 990 },
        { account: 'sales', key: order.out_trade_no, amount: -990 },
      ],
    ])
  })

  it('is found by Weft’s own question when the notification is lost', async () => {
    const order = await stage.ordered()
    stage.pay(order, 'lose_notification')
    const record = await stage.reaches(order, 'fulfilled')
    expect(record.payment?.found_by).toBe('query')
    expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
  })

  it('is paid once when the notification comes three times and out of order', async () => {
    const order = await stage.ordered()
    stage.pay(order, 'notify_three_times')
    await stage.reaches(order, 'fulfilled')
    await until('all three were answered', () => {
      const sent = stage.wechat.notifications.filter(({ out_trade_no }) => out_trade_no === order.out_trade_no)
      return sent.flatMap(({ attempts }) => attempts).filter(({ status }) => status === 204).length >= 3
    })
    await stage.rests(order)
    const record = await stage.record(order)
    expect(record.timeline.filter(({ event }) => event === 'payment_found')).toHaveLength(1)
    expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
    expect(await stage.store.payments.ofOrder(order.mchid, record._id)).toHaveLength(1)
  })

  it('stays as it is when the notification comes after a question had found the payment and the run had ended', async () => {
    const order = await stage.ordered()
    const { notification_id } = stage.pay(order, 'notify_late', { delay_ms: 3_600_000 })
    const found = await stage.reaches(order, 'fulfilled')
    expect(found.payment?.found_by).toBe('query')
    await stage.rests(order)
    await stage.simulator.control.resend(notification_id ?? '') // so late, however long all that took
    await until('the late notification was answered', () =>
      stage.wechat.notifications.some(
        (sent) => sent.out_trade_no === order.out_trade_no && sent.attempts.some(({ status }) => status === 204),
      ),
    )
    const evidence = await until('its evidence is linked', async () => {
      const all = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
      return all.find(({ kind, outcome }) => kind === 'notification' && outcome === 'linked')
    })
    expect(evidence.applied_to).toBe(found._id)
    expect((await stage.record(order)).revision).toBe(found.revision)
    expect(await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)).toHaveLength(1)
    expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
  })

  it('is paid although the notification came before the record said placed', async () => {
    // WeChat takes the order and answers slowly; the payer has scanned another terminal's copy of the code meanwhile.
    const order = { mchid: stage.mchid, out_trade_no: stage.number() }
    const { out_trade_no } = order
    stage.simulator.control.addFault({ operation: 'place', fault: 'timeout_after', ...order })
    const creating = stage.create({ out_trade_no })
    await until('WeChat has the order', () =>
      stage.wechat.orders.some((placed) => placed.out_trade_no === out_trade_no),
    )
    expect((await stage.record(order)).state).toBe('created')
    stage.pay(order)
    const record = await stage.reaches(order, 'fulfilled')
    expect(record.timeline.map(({ event }) => event)).toEqual(['payment_found', 'fulfilled'])
    expect(record.payment?.role).toBe('order')
    expect([200, 201, 202]).toContain((await creating).status)
  })

  it('is booked with the merchant’s coupon as what it gave away', async () => {
    const order = await stage.ordered({ amount: { total: 1000 } })
    const { transaction_id } = stage.pay(order, 'pay', { coupon: { nocash_amount: 300 } })
    await stage.reaches(order, 'fulfilled')
    const [entry] = await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)
    expect(entry?.postings).toEqual([
      { account: 'wechat.pending', key: transaction_id, amount: 700 },
      { account: 'discount.nocash', key: order.out_trade_no, amount: 300 },
      { account: 'sales', key: order.out_trade_no, amount: -1000 },
    ])
  })
})

describe('an order of a merchant in certificate mode', () => {
  it('is placed, paid and notified with platform certificates that Weft fetched by itself', async () => {
    const stage = await Stage.open({ time_scale: scale, key_mode: 'certificate' })
    try {
      const order = await stage.ordered()
      await until('what the worker fetched is there for all', async () => {
        const setup = await stage.store.merchants.openSetup(stage.mchid)
        return (setup?.certificates.length ?? 0) > 0
      })
      stage.pay(order)
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.fulfilment.mode).toBe('none')
      const [notification] = await until('it was notified', () => {
        const { notifications } = stage.wechat
        return notifications.every(({ attempts }) => attempts.length > 0) && notifications
      })
      expect(notification?.attempts.map(({ status }) => status)).toEqual([204])
    } finally {
      await stage.close()
    }
  })
})
