import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openOrder } from '../../../api/v1/checkouts/order.ts'
import type { PayerWish } from '../../../api/v1/checkouts/order.ts'
import type { CheckoutView } from '../../../domain/checkout/view.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import { openingContext } from '../../stage/checkout.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('a number', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60 })
  })
  afterAll(async () => await stage.close())

  const request = (out_trade_no: string, given: object = {}) => ({
    out_trade_no,
    description: '龙井茶',
    amount: { total: 990 },
    ...given,
  })
  const send = (body: unknown) => stage.call('POST', '/v1/orders', body)
  /** On a busy machine the code comes only after the first answer, which a repeat of it tells. */
  const decided = (body: unknown) => stage.insist('POST', '/v1/orders', body)

  it('sent twice with the same body is one order, answered as it is now', async () => {
    const out_trade_no = stage.number()
    const first = await decided(request(out_trade_no))
    const again = await send(request(out_trade_no))
    expect([first.status, again.status]).toEqual([first.headers.get('weft-replay') ? 200 : 201, 200])
    expect(again.headers.get('weft-replay')).toBe('true')
    expect(again.body.code_url).toBe(first.body.code_url)
    stage.pay({ mchid: stage.mchid, out_trade_no })
    await stage.reaches({ mchid: stage.mchid, out_trade_no }, 'fulfilled')
    expect((await send(request(out_trade_no))).body.state).toBe('fulfilled')
  })

  it('sent with another body is refused, and the fields that differ are named', async () => {
    const out_trade_no = stage.number()
    await send(request(out_trade_no))
    const other = await send(request(out_trade_no, { amount: { total: 991 }, attach: 'x' }))
    expect([other.status, other.body.code]).toEqual([409, 'order_number_reused'])
    const { errors } = other.body as unknown as { errors: { field: string }[] }
    expect(errors.map(({ field }) => field).sort()).toEqual(['/amount/total', '/attach'])
  })

  it('sent by twenty callers at once is placed once and answered to all', async () => {
    const out_trade_no = stage.number()
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(request(out_trade_no))))
    const made = answers.filter(({ headers }) => headers.get('weft-replay') === null)
    // 202: its code came only after the answer.
    expect(made.map(({ status }) => (status === 202 ? 201 : status))).toEqual([201])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19)
    await stage.reaches({ mchid: stage.mchid, out_trade_no }, 'awaiting_payment')
    const { code_url } = (await decided(request(out_trade_no))).body
    expect(new Set(answers.map(({ body }) => body.code_url ?? code_url))).toEqual(new Set([code_url]))
    expect(
      stage.wechat.calls.filter((call) => call.out_trade_no === out_trade_no && call.operation === 'place'),
    ).toHaveLength(1)
  })
})

describe('two numbers of one sale', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60 })
  })
  afterAll(async () => await stage.close())

  it('are never both open: the older is closed at WeChat before the newer is placed', async () => {
    const reference = `sale-${stage.number()}`
    const older = await stage.ordered({ reference })
    const newer = await stage.ordered({ reference })
    expect((await stage.record(older)).state).toBe('closed')
    expect((await stage.record(newer)).state).toBe('awaiting_payment')
    const closed_at = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === older.out_trade_no)?.close_time
    const placed_at = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === newer.out_trade_no)?.create_time
    expect(Date.parse(closed_at ?? '')).toBeLessThanOrEqual(Date.parse(placed_at ?? ''))
  })

  it('of which the older turns out paid keep the sale: the newer fails and says by which', async () => {
    const reference = `sale-${stage.number()}`
    const older = await stage.ordered({ reference })
    stage.pay(older, 'lose_notification')
    const request = { out_trade_no: stage.number(), description: '龙井茶', amount: { total: 990 }, reference }
    const newer = await stage.create(request)
    const { failure } = await stage.reaches({ mchid: stage.mchid, ...request }, 'failed')
    expect(failure?.code).toBe('reference_paid')
    // 202: on a busy machine it fails only after the answer.
    if (newer.status !== 202) {
      const { code } = newer.body as unknown as { code: string }
      expect([newer.status, code]).toEqual([409, 'reference_paid'])
    }
    expect((await stage.reaches(older, 'fulfilled')).payment?.role).toBe('order')
  })

  it('both paid leave one sale: the other’s money is late and does not ship', async () => {
    const reference = `sale-${stage.number()}`
    const older = await stage.ordered({ reference })
    // The payer holds the older code in hand while it is closed; WeChat takes the money all the same.
    const newer = await stage.ordered({ reference })
    stage.pay(newer)
    await stage.reaches(newer, 'fulfilled')
    stage.pay(older, 'pay_after_close')
    const late = await stage.reaches(older, 'refunded')
    expect(late.payment?.role).toBe('late')
    expect(stage.shop.typesOf(older.out_trade_no)).not.toContain('order.paid')
    expect(await stage.store.references.findHolder(stage.mchid, reference)).toBe(newer.out_trade_no)
  })

  it('cannot be begun anew once the sale is paid', async () => {
    const reference = `sale-${stage.number()}`
    const order = await stage.ordered({ reference })
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    const { status, body } = await stage.create({ reference })
    expect([status, (body as unknown as { code: string }).code]).toEqual([409, 'reference_paid'])
  })
})

describe('a checkout', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60 })
  })
  afterAll(async () => await stage.close())

  const key = (out_trade_no: string) => ({ mchid: stage.mchid, out_trade_no })
  const make = async (given: object = {}) => {
    const request = { out_trade_no: stage.number(), description: '龙井茶', amount: { total: 990 }, ...given }
    const { body } = await stage.insist<CheckoutView>('POST', '/v1/checkouts', request)
    return body.out_trade_no
  }
  const record = async (number: string) => {
    const checkout = await stage.store.checkouts.find(key(number))
    if (checkout === null) throw new Error(`no checkout ${number}`)
    return checkout
  }
  /** What the page does for a payer. */
  const open = async (number: string, wish: PayerWish = { trade_type: 'NATIVE' }) =>
    await openOrder(openingContext(stage), await record(number), wish)
  /** Another wish to the checkout, and the same to WeChat Pay. */
  const elsewhere = (): PayerWish => ({ trade_type: 'NATIVE', appid: stage.appid })
  const opened = async (number: string, wish?: PayerWish) => {
    const { out_trade_no } = await open(number, wish)
    await stage.reaches(key(out_trade_no), 'awaiting_payment')
    return key(out_trade_no)
  }
  const heard = (type: string, number: string) =>
    until(`${type} of ${number} is heard`, () =>
      Promise.resolve(stage.shop.heard.find((event) => event.type === type && isAbout(event.data, number))),
    )
  const isAbout = (data: object, number: string) =>
    (data as { checkout?: CheckoutView }).checkout?.out_trade_no === number

  it('opened at a desk and then on a phone is paid once: the first order is closed, and late money goes back', async () => {
    const number = await make({ reference: `sale-${stage.number()}` })
    const desk = await opened(number)
    const phone = await opened(number, elsewhere())
    expect([desk.out_trade_no, phone.out_trade_no]).toEqual([number, `${number}-2`])
    expect((await stage.record(desk)).state).toBe('closed')
    const closed_at = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === desk.out_trade_no)?.close_time
    const placed_at = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === phone.out_trade_no)?.create_time
    expect(Date.parse(closed_at ?? '')).toBeLessThanOrEqual(Date.parse(placed_at ?? ''))
    stage.pay(phone)
    stage.pay(desk, 'pay_after_close')
    await stage.reaches(phone, 'fulfilled')
    expect((await stage.reaches(desk, 'refunded')).payment?.role).toBe('late')
    const checkout = await record(number)
    expect(checkout).toMatchObject({ state: 'paid', paid_by: phone.out_trade_no })
    const paid = stage.shop.heard.find(({ type, data }) => type === 'order.paid' && data.order?.checkout === number)
    expect(paid?.data.order).toMatchObject({ out_trade_no: phone.out_trade_no, reference: checkout.reference })
    expect(await open(number)).toMatchObject({ out_trade_no: phone.out_trade_no })
  })

  it('whose first order expired is paid by another, while its own time lasts', async () => {
    const { settings } = (await stage.store.merchants.find(stage.mchid)) ?? { settings: default_settings }
    /** Its order lives for seconds: where a busy machine was too slow to place it, another checkout's lives longer. */
    const expired = async (): Promise<string> => {
      for (let order_expire_in = 3; order_expire_in <= 192; order_expire_in *= 4) {
        const number = await make({ expire_in: 3_600 })
        await stage.store.merchants.updateSettings(stage.mchid, { ...settings, order_expire_in })
        await open(number)
        const is_over = async () => {
          const { state, timeline } = await stage.record(key(number))
          return (state === 'closed' || state === 'failed') && timeline
        }
        const timeline = await until('its order is over', is_over)
        if (timeline.some(({ event }) => event === 'placed')) return number
      }
      throw new Error('no order was placed before it expired')
    }
    const number = await expired()
    await stage.store.merchants.updateSettings(stage.mchid, settings)
    expect((await stage.record(key(number))).close_reason).toBe('expired')
    expect((await record(number)).state).toBe('open')
    const again = await opened(number)
    expect(again.out_trade_no).toBe(`${number}-2`)
    stage.pay(again)
    await stage.reaches(again, 'fulfilled')
    expect((await record(number)).state).toBe('paid')
  })

  it('of which a person takes an older order’s late money has the newer one closed', async () => {
    const { settings } = (await stage.store.merchants.find(stage.mchid)) ?? { settings: default_settings }
    const number = await make()
    const desk = await opened(number)
    const phone = await opened(number, elsewhere())
    await stage.store.merchants.updateSettings(stage.mchid, { ...settings, late_payment: 'hold' })
    stage.pay(desk, 'pay_after_close')
    await stage.reaches(desk, 'review')
    await stage.store.merchants.updateSettings(stage.mchid, settings)
    const decision = { decision: 'accept', reason: 'the goods are there' }
    expect((await stage.insist('POST', `/v1/orders/${number}/review`, decision)).status).toBe(200)
    const closed = await stage.reaches(phone, 'closed')
    expect(closed.timeline.map(({ operation_id }) => operation_id)).toContain(`sale_kept:${number}`)
    expect(await record(number)).toMatchObject({ state: 'paid', paid_by: number })
  })

  it('that nobody opened expires, and one that is cancelled has its order closed: the shop hears of both', async () => {
    const expiring = await make({ expire_in: 3 })
    const cancelled = await make()
    const order = await opened(cancelled)
    const { status, body } = await stage.insist<CheckoutView>('POST', `/v1/checkouts/${cancelled}/cancel`)
    expect([status, body.state]).toEqual([200, 'cancelled'])
    expect((await stage.record(order)).state).toBe('closed')
    await heard('checkout.cancelled', cancelled)
    await heard('checkout.expired', expiring)
    expect((await record(expiring)).state).toBe('expired')
    stage.pay(order, 'pay_after_close')
    expect((await stage.reaches(order, 'refunded')).payment?.role).toBe('late')
    expect((await record(cancelled)).state).toBe('cancelled')
  })
})
