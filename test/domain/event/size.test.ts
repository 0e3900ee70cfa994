import { expect, it } from 'vitest'
import { orderEventBody } from '../../../domain/event/event.ts'
import type { TimelineEntry } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { orderSample, paymentSample } from '../../store/samples.ts'

/** docs/api.md §7 */
const promised_bytes = 20_000

/** As many bytes of JSON as `metadata` may have, in Han characters. */
function longestMetadata(): Record<string, string> {
  const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${String(n).padStart(2, '0')}`, '']))
  for (const key of Object.keys(metadata)) {
    const left = limits.metadata_bytes - Buffer.byteLength(JSON.stringify(metadata))
    metadata[key] = '茶'.repeat(Math.min(500, Math.floor(left / 3)))
  }
  return metadata
}

it('an event is at most 20 kB, with the longest text in each field that a merchant or WeChat fills', () => {
  const han = (count: number) => '茶'.repeat(count)
  const time = '2026-11-23T12:00:00.000+08:00'
  const long_id = '9'.repeat(32)
  const actor = { kind: 'merchant', id: `key_${'a'.repeat(26)}` } as const
  const order = orderSample('T'.repeat(32), {
    appid: 'w'.repeat(32),
    reference: han(64),
    checkout_id: `1900000001/${'T'.repeat(28)}`,
    state: 'refunding',
    attention: { code: 'returned_to_merchant', since_time: time },
    next_action: { what: 'await_fulfilment', time },
    description: han(42),
    attach: han(42),
    metadata: longestMetadata(),
    return_url: `https://shop.example/${han(163)}`,
    checkout_url: `https://${'w'.repeat(200)}.example/pay/${'t'.repeat(43)}`,
    close_reason: 'placement_refused',
    failure: { code: 'C'.repeat(64), message: han(256), number_taken: true, status: 400 },
    fulfilment: { mode: 'event', result: 'refused', reason: han(200), deadline_time: time },
    payment: {
      transaction_id: long_id,
      role: 'late',
      success_time: time,
      found_by: 'notification',
      found_time: time,
      bank_type: 'b'.repeat(64),
    },
  })
  const payment = paymentSample(long_id, { order_id: order._id, out_trade_no: order.out_trade_no })
  const refund = {
    ...refundSample('R'.repeat(64), { ...payment, amount: { refund: 990, total: 990, currency: 'CNY' } }),
    reason: han(26),
    metadata: longestMetadata(),
    requested_by: actor,
    failure: { code: 'C'.repeat(64), message: han(256) },
    attention: { code: 'returned_to_merchant', since_time: time } as const,
    next_action: { what: 'tell_order', time } as const,
    approval: { decision: 'approve', by: actor, reason: han(200), expire_time: time } as const,
    facts: {
      refund_id: long_id,
      channel: 'c'.repeat(64),
      user_received_account: han(256),
      accepted_time: time,
      success_time: time,
      payer_refund: 990,
      settlement_refund: 990,
      asked_time: time,
    },
  }
  const entry = { event_type: 'refund.returned_to_merchant', sequence: 999, time } as TimelineEntry
  const body = orderEventBody(`evt_${'a'.repeat(26)}`, order, entry, payment, refund)
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(promised_bytes)
})
