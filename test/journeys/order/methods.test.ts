import { PassThrough } from 'node:stream'
import mongoose from 'mongoose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProblemBody } from '../../../api/http/problem.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { trade_types } from '../../../domain/order/method.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { createLogger } from '../../../runtime/logger.ts'
import type { ClientCall } from '../../../wechat/clientcall.ts'
import { expectBook, expectHeard, expectProven } from '../../stage/money.ts'
import { Stage, stageApps } from '../../stage/stage.ts'
import { textOfHistory } from '../../stage/payloads.ts'

type Shown = OrderView & ProblemBody & { client: ClientCall | null }

const given_back = { 'wechat.pending': 990, 'wechat.refund_transit': -990 }
const scene_info = { payer_client_ip: '203.0.113.7', h5_info: { type: 'iOS' } }

describe('an order that is paid where the payer is', () => {
  let stage: Stage
  const log = new PassThrough()
  const lines: string[] = []
  log.on('data', (chunk: Buffer) => lines.push(chunk.toString()))
  const openids: string[] = []
  const orders: OrderKey[] = []

  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, ways_to_pay: true, api: false, worker: false })
    await stage.startWorker({ log: createLogger({ level: 'silly', service: 'worker', stream: log }) })
    await stage.startApi(createLogger({ level: 'silly', service: 'api', stream: log }))
  })
  afterAll(async () => await stage.close())

  /** The payer's openid at the appid. */
  function openidAt(appid: string): string {
    const { openid } = stage.simulator.control.openid({ appid })
    openids.push(openid)
    return openid
  }

  async function ordered(given: Record<string, unknown>): Promise<OrderKey> {
    const order = await stage.ordered(given)
    orders.push(order)
    return order
  }
  const shown = async ({ out_trade_no }: OrderKey) =>
    (await stage.call<Shown>('GET', `/v1/orders/${out_trade_no}`)).body

  /** Opens the pay sheet with exactly what Weft handed over. */
  async function opened(order: OrderKey, client: 'jsapi' | 'mini_program' | 'app', appid: string) {
    const { client: call } = await shown(order)
    if (call?.kind !== client) throw new Error(`handed over: ${call?.kind ?? 'nothing'}`)
    const { kind: _, ...parameters } = call
    return stage.simulator.control.answerSheet({ client, parameters, appid })
  }

  async function expectShipped(order: OrderKey, trade_type: string): Promise<void> {
    const { payment } = await stage.reaches(order, 'fulfilled')
    const paid = await stage.store.payments.find(stage.mchid, payment?.transaction_id ?? '')
    expect(paid?.trade_type).toBe(trade_type)
  }

  it.concurrent('in WeChat: one tap, shipped, and given back like any other', async () => {
    const order = await ordered({ trade_type: 'JSAPI', payer: { openid: openidAt(stage.appid) } })
    expect(await opened(order, 'jsapi', stage.appid)).toMatchObject({ err_msg: 'get_brand_wcpay_request:ok' })
    await expectShipped(order, 'JSAPI')
    const refund = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    await stage.refundReaches(refund, 'succeeded')
    await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.succeeded')
    await expectBook(stage, order, given_back)
    await expectProven(stage, order)
  })

  it.concurrent('in a mini program', async () => {
    const appid = stageApps(stage.appid)[1].appid
    const order = await ordered({ trade_type: 'JSAPI', appid, payer: { openid: openidAt(appid) } })
    expect(await opened(order, 'mini_program', appid)).toEqual({ errMsg: 'requestPayment:ok' })
    await expectShipped(order, 'JSAPI')
  })

  it.concurrent('in an app', async () => {
    const order = await ordered({ trade_type: 'APP' })
    expect(await opened(order, 'app', '')).toMatchObject({ errCode: 0 })
    await expectShipped(order, 'APP')
  })

  it.concurrent('in a phone’s browser, where the notification is lost: by asking', async () => {
    const order = await ordered({ trade_type: 'MWEB', scene_info, return_url: 'https://shop.example.cn/back' })
    const { client } = await shown(order)
    if (client?.kind !== 'h5') throw new Error('no address')
    const handed = new URL(client.h5_url)
    expect(handed.searchParams.get('redirect_url')).toBe('https://shop.example.cn/back')
    expect((await stage.record(order)).code?.h5_url).toBe(client.h5_url.split('&redirect_url=')[0])
    stage.pay(order, 'lose_notification')
    await expectShipped(order, 'MWEB')
  })

  it.concurrent('too late, since it was closed meanwhile: given back by itself', async () => {
    const order = await ordered({ trade_type: 'JSAPI', payer: { openid: openidAt(stage.appid) } })
    await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    expect((await shown(order)).client).toBeNull()
    stage.pay(order, 'pay_after_close')
    await stage.reaches(order, 'refunded')
    await expectHeard(stage, order, 'order.closed', 'order.late_payment', 'refund.succeeded', 'order.refunded')
    await expectBook(stage, order, given_back)
  })

  it('not at all with an openid of another app, or a product that WeChat has not enabled', async () => {
    const appid = stageApps(stage.appid)[1].appid
    const wrong = { trade_type: 'JSAPI', payer: { openid: openidAt(appid) }, appid: stage.appid }
    const request = { out_trade_no: stage.number(), description: '茶', amount: { total: 990 }, ...wrong }
    const refused = await stage.call<Shown>('POST', '/v1/orders', request)
    orders.push({ mchid: stage.mchid, out_trade_no: request.out_trade_no })
    await stage.reaches({ mchid: stage.mchid, ...request }, 'failed')
    // 202: on a busy machine it is refused only after the answer.
    if (refused.status !== 202) expect([refused.status, refused.body.code]).toEqual([422, 'wechat_refused'])

    const products = trade_types.filter((one) => one !== 'APP')
    await stage.simulator.control.register({ mchid: stage.mchid, products })
    const app = { out_trade_no: stage.number(), description: '茶', amount: { total: 990 }, trade_type: 'APP' }
    const answer = await stage.call<Shown>('POST', '/v1/orders', app)
    expect((await stage.reaches({ mchid: stage.mchid, ...app }, 'failed')).failure?.code).toBe('NO_AUTH')
    if (answer.status !== 202) expect([answer.status, answer.body.code]).toEqual([422, 'product_refused'])
    const told = async () => (await stage.store.merchants.find(stage.mchid))?.attentions ?? []
    expect(await told()).toMatchObject([{ code: 'product_not_enabled', detail: 'APP' }])
    await stage.simulator.control.register({ mchid: stage.mchid, products: [...trade_types] })
  })

  it('leaves no openid in records, events, deliveries, histories, logs, or what the shop was told', async () => {
    const connection = await mongoose
      .createConnection(stage.config.mongodb_uri, { dbName: stage.config.database })
      .asPromise()
    const collections = await connection.listCollections()
    const records = await Promise.all(
      collections.map(async ({ name }) => await connection.collection(name).find().toArray()),
    )
    await connection.close()
    const histories = await Promise.all(
      orders.map(async (order) => textOfHistory(await stage.run(order).fetchHistory())),
    )
    const texts = {
      records: JSON.stringify(records),
      histories: histories.join('\n'),
      logs: lines.join(''),
      heard: JSON.stringify(stage.shop.heard),
    }
    expect([openids.length, orders.length]).toEqual([4, 6])
    for (const [where, text] of Object.entries(texts)) {
      expect(text, where).toContain(orders[0]?.out_trade_no) // it is looked at where orders are told of
      for (const openid of openids) expect(text.includes(openid), where).toBe(false)
    }
  })
})
