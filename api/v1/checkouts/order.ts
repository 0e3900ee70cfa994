import { createHash } from 'node:crypto'
import type { Actor } from '../../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { planOpening } from '../../../domain/checkout/change.ts'
import type { WishKey } from '../../../domain/checkout/change.ts'
import { currentNumber } from '../../../domain/checkout/record.ts'
import type { CheckoutOrder, CheckoutRecord } from '../../../domain/checkout/record.ts'
import { operationId } from '../../../domain/ids.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import type { TradeType } from '../../../domain/merchant/product.ts'
import { payment_methods } from '../../../domain/order/method.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { WriteContended } from '../../../store/connection.ts'
import type { H5Info, SceneInfo } from '../../../wechat/payments.ts'
import type { ApiContext } from '../../http/context.ts'
import { Problem } from '../../http/problem.ts'
import { sentRequest } from '../idempotency.ts'
import { comparableAddress } from '../../../runtime/address.ts'
import { chosenApp, draftedOrder } from '../orders/draft.ts'
import { awaitPlacement } from '../orders/endpoints.ts'
import { assertQueueMoving, assertTakingOrders } from '../orders/new.ts'

/** How a payer wants to pay at a checkout, and what WeChat Pay has to know of that payer. */
export interface PayerWish {
  trade_type: TradeType
  /** one of the merchant's; absent: the first that fits */
  appid?: string
  /** the payer's, of that appid: JSAPI needs it */
  openid?: string
  /** the payer's own address: MWEB needs it */
  payer_client_ip?: string
  /** the name of this payer's browser, where it has one: his address may change while he pays, and be shared by others */
  known_by?: string
  h5_type?: 'iOS' | 'Android' | 'Wap'
  /** which app he is in, where the merchant has said */
  h5_app?: Omit<H5Info, 'type'>
}

/** Who has an order made, and of which ways to pay. */
export interface OrderOpener {
  actor: Actor
  methods: readonly TradeType[]
}

/** What of the API's context making an order of a checkout takes. */
export type OpeningContext = Pick<ApiContext, 'config' | 'policy' | 'store' | 'commands' | 'questions' | 'log' | 'now'>

const payer = { kind: 'payer', id: null } as const

/**
 * The order by which this payer can pay the checkout, as it was just read, in this way, placed at WeChat Pay if that
 * answers within 8 s: else it is `created`, and will be. The same wish again, or twice at once, is given the same order.
 * Another one makes the order of the next number, and those before are closed first. Where money is here already, the
 * order that has it is given. `opener`: absent, the payer by the checkout's page.
 * Throws `checkout_over`, `checkout_exhausted`, `method_not_offered`, `reference_paid`, `rate_limited`, and of the merchant
 * `merchant_not_ready`, `merchant_paused`, `fulfilment_endpoint_missing`, `product_not_enabled`, `app_missing`; and
 * `unavailable` where workers are behind.
 */
export async function openOrder(
  context: OpeningContext,
  checkout: CheckoutRecord,
  wish: PayerWish,
  opener: OrderOpener = { actor: payer, methods: checkout.methods },
): Promise<OrderRecord> {
  const key = wishKey(checkout, wish)
  const first = await planned(context, checkout, key)
  if (first.plan.kind === 'give' && first.order !== null) return await placed(context, first.order)
  const question = {
    subject: `open:${checkout._id}:${key.payer}`,
    mchid: checkout.mchid,
    every_ms: 0,
    asked_by: 'opening',
    group: checkout._id,
  } as const
  const opened = await context.questions.put(question, () => openNext(context, checkout, { ...wish, opener, key }))
  if (opened === null) throw new Problem('rate_limited', { headers: { 'Retry-After': '20' } })
  return opened
}

/** The order that shows how the checkout stands: the paid one, else the newest that was made; null: there is none. */
export async function currentOrder(
  { store }: Pick<ApiContext, 'store'>,
  checkout: CheckoutRecord,
): Promise<OrderRecord | null> {
  const out_trade_no = currentNumber(checkout)
  if (out_trade_no === null) return null
  const order = await store.orders.find({ mchid: checkout.mchid, out_trade_no })
  return order?.checkout_id === checkout._id ? order : null
}

/**
 * Digest of a wish, by which the payer who comes back is known. Keyed by the token, which is a secret of the same record:
 * so it tells nobody whose openid or address it was.
 */
function wishDigest({ token }: CheckoutRecord, wish: PayerWish): string {
  const { trade_type, appid = null, openid = null, known_by, h5_type = null } = wish
  return digestOf([token, trade_type, appid, openid, known_by ?? comparedAddress(wish), h5_type])
}

/** The wish as a claim keeps it. */
export function wishKey(checkout: CheckoutRecord, wish: PayerWish): WishKey {
  const payer_key = wishDigest(checkout, wish)
  const address = comparedAddress(wish)
  return address === null ? { payer: payer_key } : { payer: payer_key, address: digestOf([checkout.token, address]) }
}

/** The address from which alone WeChat Pay lets the order be paid; null: who pays in this way may change his network. */
function comparedAddress({ trade_type, payer_client_ip }: PayerWish): string | null {
  if (payer_client_ip === undefined || !payment_methods[trade_type].needs_scene_info) return null
  return comparableAddress(payer_client_ip)
}

function digestOf(told: unknown): string {
  return createHash('sha256').update(JSON.stringify(told), 'utf8').digest('base64url')
}

/**
 * The least that an order may have left of its checkout's time: what a placement needs, and a tenth of it for the way there.
 * The shortest time of an order of the merchant's own would leave a checkout of that time nobody who could pay it.
 */
function leastTime({ policy }: OpeningContext): number {
  return policy.place_margin_ms * 1.1
}

/** Decides on the records as they are; `order`: that of the number to give, if it is there. */
async function planned(context: OpeningContext, checkout: CheckoutRecord, key: WishKey) {
  const { mchid, reference } = checkout
  const newest = checkout.orders.at(-1)
  const [holder, found] = await Promise.all([
    context.store.references.findHolder(mchid, reference),
    newest === undefined ? null : context.store.orders.find({ mchid, out_trade_no: newest.out_trade_no }),
  ])
  const is_foreign = found !== null && found.checkout_id !== checkout._id
  // The sale's own number is that order's: what this checkout would make beside it would be kept too.
  if (is_foreign && found.out_trade_no === checkout.out_trade_no)
    return { plan: { kind: 'over' } as const, order: null }
  // The merchant has given a later number to another order of its own: for this checkout it is as good as failed.
  const last = is_foreign ? { ...found, state: 'failed' as const } : found
  const plan = planOpening(checkout, key, { holder, last }, { now_ms: context.now(), least_ms: leastTime(context) })
  if (plan.kind !== 'give') return { plan, order: null }
  const { out_trade_no } = plan
  const order = out_trade_no === found?.out_trade_no ? found : await context.store.orders.find({ mchid, out_trade_no })
  // The merchant's own order under a later number is of the same sale, and has it.
  if (order !== null && order.checkout_id !== checkout._id)
    return { plan: { kind: 'paid_elsewhere', paid_by: out_trade_no } as const, order: null }
  return { plan, order }
}

/** Claims a number, makes its order and has it placed. Who is forestalled looks again. */
async function openNext(
  context: OpeningContext,
  known: CheckoutRecord,
  { opener, key, ...wish }: PayerWish & { opener: OrderOpener; key: WishKey },
): Promise<OrderRecord> {
  const merchant = await requireMerchant(context, known, wish, opener)
  await assertQueueMoving(context)
  // Each round that comes to nothing has met another claim, of which a checkout has a bounded number.
  for (let round = 0; round <= limits.orders_per_checkout; round++) {
    const checkout = (await context.store.checkouts.findById(known._id)) ?? known
    const { plan, order } = await planned(context, checkout, key)
    if (plan.kind === 'give' && order !== null) return await placed(context, order)
    const claim = await claimedNumber(context, checkout, plan, {
      actor: opener.actor,
      trade_type: wish.trade_type,
      ...key,
    })
    const made = claim && (await madeOrder(context, merchant, checkout, { ...wish, claim }))
    if (made) return made
  }
  throw new WriteContended(known._id)
}

type PlanMade = Awaited<ReturnType<typeof planned>>['plan']

/** The claim by which an order may be made; null: another one was first. Throws what keeps the payer from an order. */
async function claimedNumber(
  { store, now }: OpeningContext,
  checkout: CheckoutRecord,
  plan: PlanMade,
  { actor, ...wanted }: WishKey & Pick<CheckoutOrder, 'trade_type'> & Pick<OrderOpener, 'actor'>,
): Promise<CheckoutOrder | null> {
  switch (plan.kind) {
    case 'over':
      throw new Problem('checkout_over', { values: { state: checkout.state } })
    case 'exhausted':
      await store.checkouts.noteExhausted(checkout, beijingTime(now()))
      throw new Problem('checkout_exhausted', { values: { limit: limits.orders_per_checkout } })
    case 'paid_elsewhere':
      throw new Problem('reference_paid', { values: { paid_by: plan.paid_by } })
    case 'give':
      // Claimed before, by this very wish, and its maker died.
      return claimOf(checkout, plan.out_trade_no)
    case 'claim': {
      const { out_trade_no } = plan
      // Named by its number: who comes second with the same one is answered that it was done before.
      const opening = {
        event: 'order_opened',
        operation_id: operationId.checkoutOrder(out_trade_no),
        time: beijingTime(now()),
        actor,
        order: { out_trade_no, ...wanted },
      } as const
      const { outcome, checkout: claimed } = await store.checkouts.apply(checkout, opening, checkout)
      return outcome === 'done' ? claimOf(claimed, out_trade_no) : null
    }
  }
}

function claimOf({ orders }: CheckoutRecord, number: string): CheckoutOrder | null {
  return orders.find(({ out_trade_no }) => out_trade_no === number) ?? null
}

/** Inserts the order of a claim and has it placed. Null: the merchant gave its number to another order meanwhile. */
async function madeOrder(
  context: OpeningContext,
  merchant: MerchantRecord,
  checkout: CheckoutRecord,
  { claim, ...wish }: PayerWish & { claim: CheckoutOrder },
): Promise<OrderRecord | null> {
  const order = orderOfClaim(context, merchant, checkout, { claim, ...wish })
  const written = await context.store.orders.insert(order)
  if (!written.inserted) {
    return written.existing.checkout_id === checkout._id ? await placed(context, written.existing) : null
  }
  const { mchid, out_trade_no } = order
  context.log.info('an order of a checkout was accepted', { mchid, out_trade_no })
  await context.commands.prepay({ mchid, out_trade_no })
  return (await context.store.orders.find(order)) ?? order
}

function orderOfClaim(
  context: OpeningContext,
  merchant: MerchantRecord,
  checkout: CheckoutRecord,
  { claim, ...wish }: PayerWish & { claim: CheckoutOrder },
): OrderRecord {
  const { trade_type, appid, openid } = wish
  const { reference, description, amount, attach, metadata, return_url, locale } = checkout
  const until_ms = context.now() + merchant.settings.order_expire_in * 1_000
  const expire_ms = Math.min(until_ms, milliseconds(checkout.expire_time))
  const drafted = draftedOrder(context, merchant, {
    ...{ reference, description, amount, attach, metadata, return_url, locale, trade_type },
    out_trade_no: claim.out_trade_no,
    app: chosenApp(merchant, trade_type, appid),
    openid: openid ?? null,
    scene_info: sceneInfo(wish),
    time_expire: beijingTime(Math.floor(expire_ms / 1_000) * 1_000),
    sent: sentRequest({ checkout: checkout.out_trade_no, trade_type }),
    checkout_id: checkout._id,
  })
  // By the claims older orders are told, whichever process made them; and the payer's page is the checkout's.
  return { ...drafted, create_time: claim.time, checkout_url: checkout.checkout_url }
}

/** WeChat Pay wants to be told of H5 what opens it, and takes of any other way the address alone. */
function sceneInfo({ trade_type, payer_client_ip, h5_type = 'Wap', h5_app }: PayerWish): SceneInfo | null {
  if (payer_client_ip === undefined) return null
  const { needs_scene_info } = payment_methods[trade_type]
  return { payer_client_ip, ...(needs_scene_info && { h5_info: { type: h5_type, ...h5_app } }) }
}

async function placed(context: OpeningContext, order: OrderRecord): Promise<OrderRecord> {
  return order.state === 'created' ? await awaitPlacement(context, order) : order
}

/** The checkout's merchant, if it takes an order of this kind. Throws what `openOrder` says of the merchant. */
async function requireMerchant(
  { store }: OpeningContext,
  { mchid }: CheckoutRecord,
  { trade_type, appid }: PayerWish,
  { methods }: OrderOpener,
): Promise<MerchantRecord> {
  if (!methods.includes(trade_type)) {
    throw new Problem('method_not_offered', { values: { trade_type, methods: [...methods] } })
  }
  const merchant = assertTakingOrders(mchid, await store.merchants.find(mchid))
  chosenApp(merchant, trade_type, appid)
  return merchant
}
