import { expect, it } from 'vitest'
import { orderSample, paymentSample } from '../../store/samples.ts'
import { layouts, line, written } from '../../wechat/statement/file.ts'
import { day, Desk } from './desk.ts'

const numbers = Array.from({ length: 10 }, (_, at) => ({
  transaction_id: `42000000012026112200000000${at + 10}`,
  out_trade_no: `T20261122-${at + 10}`,
}))

/** A bill of ten payments as large as a line can have, which no sum holds exactly. */
function hugeFile(): Buffer {
  const { columns, summary_columns } = layouts.ALL
  const amount = '9999999999999.99'
  const rows = numbers.map(({ transaction_id, out_trade_no }) =>
    line(columns, { 微信订单号: transaction_id, 商户订单号: out_trade_no, 应结订单金额: amount, 订单金额: amount }),
  )
  return written({ columns, rows, summary_columns, summary: summary_columns.map(() => '10') })
}

async function insertOrders(desk: Desk, found: readonly { out_trade_no: string }[]): Promise<void> {
  for (const { out_trade_no } of found) await desk.store.orders.insert(orderSample(out_trade_no))
}

it.each<[string, string, (desk: Desk) => Promise<void>]>([
  ['of another system', '应结订单总金额', () => Promise.resolve()],
  ['of one kind', '订单总金额', (desk) => insertOrders(desk, numbers)],
  [
    'of two kinds, each of which is exact',
    '订单总金额',
    async (desk) => {
      await insertOrders(desk, numbers.slice(5))
      for (const { transaction_id, out_trade_no } of numbers.slice(0, 5)) {
        const of_order = { out_trade_no, order_id: `${day.mchid}/${out_trade_no}`, appid: 'wx8888888888888888' }
        const success_time = '2026-11-22T10:00:00.000+08:00'
        await desk.store.payments.insert(paymentSample(transaction_id, { ...of_order, success_time }))
      }
    },
  ],
])('a day whose rows come to no exact number ends unproven and says so: rows %s', async (_what, name, prepare) => {
  const desk = await Desk.open('memory')
  await prepare(desk)
  desk.issue(hugeFile())
  const flaws = [{ code: 'too_large', values: { name } }]
  expect(await desk.closed()).toMatchObject({ state: 'different', is_proven: false, flaws })
  expect(await desk.store.differences.ofDay(day, null, 10), 'nothing is noted of it').toEqual([])
})
