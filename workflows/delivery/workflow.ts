import { CancellationScope } from '@temporalio/workflow'
import type { DeliveryArgument } from '../../domain/messages.ts'
import { showDelivery } from '../details.ts'
import { orderProxies } from '../proxies.ts'
import { assertReadable } from '../shape.ts'

/**
 * `deliverEvent`: one event to one endpoint, until it is heard or given up. The schedule, the order of events and every
 * attempt live in the delivery's record; the activity's retries are the waits between attempts.
 */
export async function deliverEvent(given: DeliveryArgument): Promise<string> {
  assertReadable('deliverEvent', given)
  const { delivery_id, is_repeat } = given
  showDelivery(delivery_id)
  if (is_repeat) return (await CancellationScope.nonCancellable(() => orderProxies().redeliver({ delivery_id }))).kind
  // A cancel in the UI must not drop an event; a delivery is cancelled by its record.
  const delivered = await CancellationScope.nonCancellable(() =>
    orderProxies().deliver({ delivery_id, deadline_time: null }),
  )
  return delivered.kind
}
