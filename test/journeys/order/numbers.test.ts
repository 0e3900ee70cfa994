import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Stage } from '../../stage/stage.ts'

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

  it('sent twice with the same body is one order, answered as it is now', async () => {
    const out_trade_no = stage.number()
    const first = await send(request(out_trade_no))
    const again = await send(request(out_trade_no))
    expect([first.status, again.status]).toEqual([201, 200])
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
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19)
    expect(new Set(answers.map(({ body }) => body.code_url)).size).toBe(1)
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
    const newer = await stage.create({ reference })
    expect([newer.status, newer.body.failure?.code ?? (newer.body as unknown as { code: string }).code]).toEqual([
      409,
      'reference_paid',
    ])
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
