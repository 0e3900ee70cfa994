import { setTimeout as pause } from 'node:timers/promises'
import { isOpenDelivery } from '../../domain/event/delivery.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import type { EndpointRecord, MerchantRecord } from '../../domain/merchant/record.ts'
import { deliveryStart } from '../../domain/messages.ts'
import type { ShownTo } from '../../domain/messages.ts'
import { createRunStarter, startRun } from '../../runtime/runs.ts'
import { randomId } from '../../runtime/secrets.ts'
import { boundedCall } from '../../runtime/temporal.ts'
import type { TemporalClient } from '../../runtime/temporal.ts'
import { recordPing } from '../../store/ping.ts'
import type { Store } from '../../store/store.ts'
import { causeText } from './identity.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'

/** Longer than the 15 s that an endpoint may take. */
const ping_limit_ms = 20_000
const start_limit_ms = 5_000
const look_every_ms = 200

export interface FulfilmentParts {
  store: Pick<Store, 'endpoints' | 'events' | 'deliveries'>
  merchant: MerchantRecord
  temporal: TemporalClient
  queue_prefix: string
  /** for whom Temporal UI shows the ping's run */
  shown: ShownTo
  now: () => number
  /** how long a ping may take from here to its end */
  limit_ms?: number
}

/** Whether somebody is there who says that the goods went out; an endpoint is sent a test.ping by a worker. */
export async function checkFulfilment(parts: FulfilmentParts): Promise<CheckLine> {
  const { store, merchant } = parts
  const { mode, deadline_in } = merchant.settings.fulfilment
  if (mode === 'none')
    return checkLine(merchant.fulfilment_endpoint_id === null ? 'fulfilment_none' : 'fulfilment_unasked')
  const hours = Math.round(deadline_in / 360) / 10
  if (mode === 'confirm') return checkLine('fulfilment_confirm', { number: '<out_trade_no>', hours })
  const id = merchant.fulfilment_endpoint_id
  const endpoint = id === null ? null : await store.endpoints.findPublic(merchant.mchid, id)
  if (endpoint === null) return checkLine('fulfilment_missing')
  const { url, state, disable_reason, id: endpoint_id } = endpoint
  if (state === 'disabled') return checkLine('fulfilment_disabled', { url, endpoint_id, reason: disable_reason ?? '–' })
  return await pingLine(parts, endpoint)
}

async function pingLine(parts: FulfilmentParts, endpoint: EndpointRecord): Promise<CheckLine> {
  const { store, temporal, queue_prefix, shown, now, limit_ms = ping_limit_ms } = parts
  const { url } = endpoint
  const untold = (error: string) => checkLine('fulfilment_untold', { url, seconds: limit_ms / 1_000, error })
  const pinged = await recordPing(store, endpoint, { request_id: randomId('req'), now: now() })
  try {
    const start = deliveryStart({ delivery_id: pinged._id, mchid: pinged.mchid, out_trade_no: '' })
    await boundedCall(temporal.connection, start_limit_ms, () =>
      startRun(createRunStarter(temporal.client, queue_prefix, shown), start),
    )
  } catch (error) {
    return untold(`Temporal: ${causeText(error)}`)
  }
  const ended = await endOf(store, pinged, limit_ms)
  if (ended === null) return untold('no worker has taken it')
  const attempt = ended.attempts.at(-1)
  const status = attempt?.status ?? '–'
  if (ended.state === 'delivered')
    return checkLine('fulfilment_heard', { url, status, read_as: attempt?.read_as ?? '–' })
  const answer = [attempt?.status, attempt?.error, attempt?.remark, attempt?.answer?.slice(0, 200)]
  return checkLine('fulfilment_unheard', { url, answer: answer.filter((part) => part).join(', ') || '–' })
}

/** The delivery once it has ended; null: not within the limit. */
async function endOf(
  store: FulfilmentParts['store'],
  { _id }: DeliveryRecord,
  limit_ms: number,
): Promise<DeliveryRecord | null> {
  const begun_ms = performance.now()
  for (;;) {
    const delivery = await store.deliveries.find(_id)
    if (delivery !== null && !isOpenDelivery(delivery.state)) return delivery
    if (performance.now() - begun_ms > limit_ms) return null
    await pause(look_every_ms)
  }
}
