import type { OrderRecord } from '../domain/order/record.ts'
import type { Sealed } from '../domain/merchant/record.ts'
import { sealPlace } from './sealer.ts'
import type { Sealer } from './sealer.ts'

/** Where the openid of an order's payer lies: it stands nowhere else, in clear or sealed. */
export function openidPlace({ _id }: Pick<OrderRecord, '_id'>): string {
  return sealPlace('orders', _id, 'payer.openid')
}

/** An openid as the order of this `_id` keeps it. */
export function sealOpenid(sealer: Sealer, order: Pick<OrderRecord, '_id'>, openid: string): Sealed {
  return sealer.seal(openid, openidPlace(order))
}

/** Who alone may pay the order, in clear; null: anybody. Throws `SealingKeyMissing`, `SealBroken`. */
export function openOpenid(sealer: Sealer, order: Pick<OrderRecord, '_id' | 'payer'>): string | null {
  return order.payer ? sealer.open(order.payer.openid, openidPlace(order)) : null
}
