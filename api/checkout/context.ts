import { readNetworks } from '../../runtime/address.ts'
import { createOutageLog } from '../../runtime/outage.ts'
import type { Openids } from '../../wechat/openid.ts'
import type { ApiContext } from '../http/context.ts'
import { openOrder } from '../v1/checkouts/order.ts'
import { currentCall } from '../v1/orders/client.ts'
import type { PageContext } from './router.ts'

/** The API's context with what the checkout page needs beside it. */
export function pageContext(context: ApiContext, openids: Openids): PageContext {
  return {
    ...context,
    openids,
    sayOutage: createOutageLog(context.now),
    proxies: readNetworks(context.config.trusted_proxies),
    openOrder: (checkout, wish) => openOrder(context, checkout, wish),
    currentCall: (order) => currentCall(context, order),
  }
}
