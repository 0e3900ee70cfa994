import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { refund_shape, refund_with_timeline } from '../../../api/v1/refunds/shape.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import type { RefundView } from '../../../domain/event/view.ts'
import type { RefundKey } from '../../../domain/ids.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { at, mchid } from '../../store/samples.ts'
import { facts, newNumber, openApiStage, orderBecomes, paidOrder, refundBecomes, reserve } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())
afterEach(() => {
  stage.on = {}
  stage.given.length = 0
})

type Body = RefundView & { timeline: { event: string }[] }
const post = (body: unknown, options = {}) => stage.call<Body>('POST', '/v1/refunds', body, options)
const recordOf = (out_refund_no: string) => stage.store.refunds.find({ mchid, out_refund_no })
const commands = () => stage.given.map(({ command }) => command)
/** A run that reserves at once. */
const reserving = { reserve: async (refund: RefundKey) => state(await reserve(stage, refund)) }
const state = ({ state, revision }: RefundRecord) => ({ kind: 'state', state, revision }) as const

async function wish(more: { refund?: number; order?: object; payment?: object } = {}) {
  const { order, payment } = await paidOrder(stage, more)
  const { out_trade_no } = order
  const request = { out_refund_no: newNumber('R'), out_trade_no, amount: { refund: more.refund ?? 90 } }
  return { request, order, payment }
}

describe('a new refund', () => {
  it('is recorded whole, reserved by its run, and answered as it then is', async () => {
    stage.on = reserving
    const { request, payment } = await wish()
    const { status, body } = await post({ ...request, reason: '少发一盒', metadata: { ticket: '7' } })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      object: 'refund',
      mchid,
      out_trade_no: request.out_trade_no,
      transaction_id: payment.transaction_id,
      state: 'processing',
      reason: '少发一盒',
      metadata: { ticket: '7' },
      origin: 'api',
      requested_by: { kind: 'merchant', id: stage.key.id },
      amount: { refund: 90, total: 990, currency: 'CNY', payer_refund: null },
      timeline: [{ event: 'reserved' }],
    })
    expect(() => refund_with_timeline.strict().parse(body)).not.toThrow()
    const record = await recordOf(request.out_refund_no)
    expect(record).toMatchObject({
      notify_url: 'http://localhost/wechat/notify/1900000001',
      submission: { attempts: 0, unanswered: false },
      order_id: `${mchid}/${request.out_trade_no}`,
    })
    expect(JSON.parse(record?.sent?.body ?? '')).toMatchObject({ amount: { refund: 90 }, reason: '少发一盒' })
  })

  it('is in the record before its run is asked, so that a crash between them loses nothing', async () => {
    const { request } = await wish()
    const seen: unknown[] = []
    stage.on = {
      reserve: async (refund) => {
        const record = await recordOf(refund.out_refund_no)
        seen.push(record?.state, record?.next_action?.what, record?.wechat_request)
        return 'timeout'
      },
    }
    await post(request)
    expect(seen).toEqual(['created', 'reserve', null])
  })

  it('is accepted and said to be open when its run is silent', async () => {
    const { request } = await wish()
    const { status, headers, body } = await post(request)
    expect([status, headers.get('retry-after'), body.state]).toEqual([202, '2', 'created'])
  })

  it('says: the same request again, while Temporal is away, and is not forgotten', async () => {
    const { request } = await wish()
    stage.on = { reserve: () => Promise.resolve('unavailable') }
    const { status, body } = await post(request)
    expect([status, body.code, body.retryable]).toEqual([503, 'unavailable', true])
    expect((await recordOf(request.out_refund_no))?.next_action?.what).toBe('reserve')
  })

  it('that waits for an approval is answered 201 too', async () => {
    const { request } = await wish()
    stage.on = { reserve: async (refund) => state(await reserve(stage, refund, beijingTime(Date.now() + 60_000))) }
    const { status, body } = await post(request)
    expect([status, body.state, body.approval?.decision, body.attention?.code]).toEqual([
      201,
      'awaiting_approval',
      null,
      'approval_waiting',
    ])
  })

  it('may name its payment: a second one of the same order', async () => {
    stage.on = reserving
    const { order } = await paidOrder(stage)
    const second = await paidOrder(stage, {
      payment: { out_trade_no: order.out_trade_no, order_id: order._id, role: 'second' },
    })
    const { transaction_id } = second.payment
    const { status, body } = await post({ out_refund_no: newNumber('R'), transaction_id, amount: { refund: 990 } })
    expect([status, body.out_trade_no, body.transaction_id]).toEqual([201, order.out_trade_no, transaction_id])
  })

  it('stands beside others of its payment, up to what was paid', async () => {
    stage.on = reserving
    const { request } = await wish({ refund: 400 })
    const numbers = [newNumber('R'), newNumber('R'), newNumber('R')]
    const answers = []
    for (const out_refund_no of numbers) answers.push(await post({ ...request, out_refund_no }))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 409])
    expect(answers[2]?.body).toMatchObject({ code: 'refund_exceeds_payment', refundable: 190, refund: 400 })
    expect(answers[2]?.body.detail).toContain('190')
  })
})

describe('a refund is refused', () => {
  it.each([
    ['of an order that does not exist', { out_trade_no: 'NO-SUCH-ORDER' }, 404, 'not_found'],
    ['of a payment that does not exist', { out_trade_no: undefined, transaction_id: '4200x' }, 404, 'not_found'],
    ['with a number of Weft’s own', { out_refund_no: 'R@1' }, 409, 'number_prefix_reserved'],
    ['that names its payment twice', { transaction_id: '4200x' }, 400, 'invalid_request'],
    ['that names no payment', { out_trade_no: null }, 400, 'invalid_request'],
    ['of nothing', { amount: { refund: 0 } }, 400, 'invalid_request'],
    ['of another total', { amount: { refund: 90, total: 991 } }, 400, 'invalid_request'],
    ['for a reason too long', { reason: '长'.repeat(27) }, 400, 'invalid_request'],
    ['with a character that WeChat refuses', { reason: '🍵' }, 400, 'invalid_request'],
    ['with a field that nobody knows', { refund_fee: 1 }, 400, 'invalid_request'],
    ['with a number that WeChat does not take', { out_refund_no: 'R 1' }, 400, 'invalid_request'],
  ])('%s', async (_, wrong, status, code) => {
    const { request } = await wish()
    const answer = await post({ ...request, ...wrong })
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(await recordOf(request.out_refund_no)).toBeNull()
    expect(commands()).toEqual([])
  })

  it('while nobody has paid', async () => {
    const { request } = await wish({ order: { state: 'awaiting_payment', payment: null } })
    const { status, body } = await post(request)
    expect([status, body.code, body['state']]).toEqual([409, 'order_not_paid', 'awaiting_payment'])
    expect(body.remedy).toContain(`/v1/orders/${request.out_trade_no}/check`)
  })

  it('while a person must decide on the payment, and says how', async () => {
    const { request } = await wish({ order: { state: 'review' } })
    const { status, body } = await post(request)
    expect([status, body.code, body['state']]).toEqual([409, 'order_state', 'review'])
    expect(body.remedy).toContain(`/v1/orders/${request.out_trade_no}/review`)
  })

  it('while the merchant is paused or not set up', async () => {
    const { request } = await wish()
    const merchant = await stage.store.merchants.find(mchid)
    if (merchant === null) throw new Error('no merchant')
    const change = async (given: object) => {
      const { revision } = (await stage.store.merchants.find(mchid)) ?? merchant
      await stage.store.merchants.save({ ...merchant, revision, ...given })
    }
    await change({ state: 'paused' })
    const paused = await post(request)
    const decided = await stage.call('POST', '/v1/refunds/R1/check', {})
    const read = await stage.call('GET', '/v1/refunds')
    await change({ wechat: null })
    const bare = await post(request)
    await change({})
    expect([paused.status, paused.body.code, paused.body.retryable]).toEqual([409, 'merchant_paused', true])
    expect([decided.status, (decided.body as { code: string }).code, read.status]).toEqual([
      409,
      'merchant_paused',
      200,
    ])
    expect([bare.status, bare.body.code]).toEqual([409, 'merchant_not_ready'])
  })

  it('when the payment has had fifty, or is older than a year', async () => {
    stage.on = reserving
    const refunds = Array.from({ length: 50 }, (_, n) => ({ out_refund_no: `C${n}`, amount: 1, state: 'closed' }))
    const many = await post((await wish({ payment: { refunds } })).request)
    const old = await post((await wish({ payment: { success_time: at(-366 * 86_400) } })).request)
    expect([many.status, many.body.code]).toEqual([409, 'refund_limit_reached'])
    expect([old.status, old.body.code]).toEqual([409, 'refund_window_closed'])
  })

  it('to a key without the scope, and to a stranger', async () => {
    const { request } = await wish()
    const key = await stage.newKey({ scopes: ['orders:write', 'refunds:read'] })
    const { status, body } = await post(request, { key })
    expect([status, body['required_scope']]).toEqual([403, 'refunds:write'])
    expect((await stage.call('GET', '/v1/refunds', undefined, { key })).status).toBe(200)
  })
})

describe('the same refund sent again', () => {
  it('is answered with the refund as it is, however its JSON is written', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post({ ...request, reason: null })
    const { status, headers, body } = await post(Object.fromEntries(Object.entries(request).reverse()))
    expect([status, headers.get('weft-replay'), body.state]).toEqual([200, 'true', 'processing'])
    expect(commands()).toEqual(['reserve'])
  })

  it('is a conflict that names the fields when its body differs', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const { status, body } = await post({ ...request, amount: { refund: 91 }, reason: 'x' })
    expect([status, body.code, body['fields']]).toEqual([409, 'refund_number_reused', ['/amount/refund', '/reason']])
    expect(body.errors.map(({ field }) => field)).toEqual(['/amount/refund', '/reason'])
  })

  it('brings back the run of a request that died, and reserves nothing itself', async () => {
    const { request } = await wish()
    stage.on = { reserve: () => Promise.resolve('unavailable') }
    await post(request)
    stage.on = { startRefund: async (refund) => void (await reserve(stage, refund)) }
    const { status, body } = await post(request)
    expect([status, body.state]).toEqual([200, 'processing'])
    expect(commands()).toEqual(['reserve', 'startRefund'])
  })

  it('at the same moment, many times, makes one', async () => {
    stage.on = reserving
    const { request, payment } = await wish()
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(request)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(11)
    expect((await stage.store.payments.find(mchid, payment.transaction_id))?.refunds).toHaveLength(1)
  })

  it('that was refused here may be sent with any body, and is reserved anew', async () => {
    stage.on = reserving
    const { request } = await wish({ refund: 991 })
    const first = await post(request)
    const again = await post(request)
    expect([first, again].map(({ body }) => body.code)).toEqual(['refund_exceeds_payment', 'refund_exceeds_payment'])
    const { status, headers, body } = await post({ ...request, amount: { refund: 990 } })
    expect([status, headers.get('weft-replay'), body.state, body.failure]).toEqual([201, null, 'processing', null])
    const [one, two, three] = stage.given.map(({ arguments: [refund] }) => (refund as RefundRecord).revision)
    expect(new Set([one, two, three]).size).toBe(3)
  })

  it('that WeChat refused keeps its number', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const key = { mchid, out_refund_no: request.out_refund_no }
    const submission = { attempts: 1, unanswered: true, last_attempt_time: at(0) }
    await stage.store.refunds.noteSubmission(key, 'processing', submission)
    await refundBecomes(stage, key, { event: 'refused', failure: { code: 'USER_ACCOUNT_ABNORMAL', message: '…' } })
    const again = await post(request)
    expect([again.status, again.body.state, again.body.failure?.code]).toEqual([
      200,
      'refused',
      'USER_ACCOUNT_ABNORMAL',
    ])
    expect((await post({ ...request, amount: { refund: 1 } })).body.code).toBe('refund_number_reused')
  })

  it('that was reserved and given up keeps its number, sent or not', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const key = { mchid, out_refund_no: request.out_refund_no }
    await refundBecomes(stage, key, { event: 'refused', failure: { code: 'refund_limit_reached', message: '…' } })
    expect((await post(request)).status).toBe(200)
    expect((await post({ ...request, amount: { refund: 1 } })).body.code).toBe('refund_number_reused')
  })

  it('as one made outside Weft is a conflict', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const record = await recordOf(request.out_refund_no)
    const out_refund_no = newNumber('R')
    const outside = { _id: `${mchid}/${out_refund_no}`, out_refund_no, sent: null, origin: 'outside' as const }
    await stage.store.refunds.insert({ ...(record as RefundRecord), ...outside })
    const { body } = await post({ ...request, out_refund_no })
    expect([body.code, body['fields']]).toEqual(['refund_number_reused', ['/out_refund_no']])
  })
})

describe('refunds', () => {
  it('are shown one by one with their timeline, and in lists without', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const one = await stage.call<Body>('GET', `/v1/refunds/${request.out_refund_no}`)
    const list = await stage.call<{ data: Body[] }>('GET', `/v1/refunds?out_trade_no=${request.out_trade_no}`)
    expect(one.body.timeline).toMatchObject([{ event: 'reserved', from: 'created', to: 'processing' }])
    expect(list.body.data.map(({ out_refund_no }) => out_refund_no)).toEqual([request.out_refund_no])
    expect(() => refund_shape.strict().parse(list.body.data[0])).not.toThrow()
  })

  it('that Weft made by itself are found under their number, and told apart by origin', async () => {
    stage.on = reserving
    const { request, order } = await wish()
    await post(request)
    const record = await recordOf(request.out_refund_no)
    const out_refund_no = `${order.out_trade_no}@3`
    const late = { _id: `${mchid}/${out_refund_no}`, out_refund_no, sent: null, origin: 'late_payment' as const }
    await stage.store.refunds.insert({ ...(record as RefundRecord), ...late })
    const path = `/v1/refunds?out_trade_no=${order.out_trade_no}&origin=late_payment,outside`
    const list = await stage.call<{ data: Body[] }>('GET', path)
    expect(list.body.data.map((refund) => refund.out_refund_no)).toEqual([out_refund_no])
    expect((await stage.call('GET', `/v1/refunds/${encodeURIComponent(out_refund_no)}`)).status).toBe(200)
  })

  it('of nobody are not found, and unknown filters are refused', async () => {
    expect((await stage.call('GET', '/v1/refunds/R-NOBODY')).body.code).toBe('not_found')
    const { body } = await stage.call('GET', '/v1/refunds?state=lost&colour=red')
    expect(body.errors.map(({ field }) => field).sort()).toEqual(['/query/colour', '/query/state'])
  })

  it('and the payment they concern stand in the order’s timeline', async () => {
    const { order } = await paidOrder(stage)
    const about = { out_refund_no: 'R1', event_type: 'refund.succeeded' as const }
    await orderBecomes(stage, order, { event: 'refund_changed', ...about })
    await orderBecomes(stage, order, { event: 'second_payment_found', transaction_id: '4200second' })
    const { body } = await stage.call<{ timeline: unknown[] }>('GET', `/v1/orders/${order.out_trade_no}`)
    expect(body.timeline).toMatchObject([
      { event: 'refund_changed', ...about, transaction_id: null },
      { event: 'second_payment_found', out_refund_no: null, transaction_id: '4200second' },
    ])
  })

  it('tell what WeChat said of them', async () => {
    stage.on = reserving
    const { request } = await wish()
    await post(request)
    const key = { mchid, out_refund_no: request.out_refund_no }
    await refundBecomes(stage, key, { event: 'accepted', facts, next_query_time: at(0) })
    await refundBecomes(stage, key, { event: 'succeeded', facts: { ...facts, success_time: at(5), payer_refund: 90 } })
    const { body } = await stage.call<Body>('GET', `/v1/refunds/${request.out_refund_no}`)
    expect(body).toMatchObject({
      state: 'succeeded',
      refund_id: facts.refund_id,
      channel: 'ORIGINAL',
      success_time: at(5),
      amount: { refund: 90, payer_refund: 90, settlement_refund: 90 },
    })
  })
})
