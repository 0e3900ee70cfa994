import { attentionView } from '../attention.ts'
import type { AttentionView } from '../attention.ts'
import type { Time } from '../calendar.ts'
import type { TradeType } from '../merchant/product.ts'
import type { PayerLocale } from '../order/record.ts'
import type { CheckoutRecord, CheckoutState } from './record.ts'

/** A checkout as merchants see it, in answers and in events (api.md §3). Known fields are always present. */
export interface CheckoutView {
  object: 'checkout'
  mchid: string
  out_trade_no: string
  reference: string
  state: CheckoutState
  attention: AttentionView | null
  description: string
  attach: string | null
  metadata: Record<string, string>
  methods: TradeType[]
  checkout_url: string
  return_url: string | null
  locale: PayerLocale | null
  create_time: Time
  expire_time: Time
  /** the numbers of its orders, the oldest first */
  orders_opened: string[]
  paid_by: string | null
  amount: { total: number; currency: string }
}

export function checkoutView(checkout: CheckoutRecord): CheckoutView {
  return {
    object: 'checkout',
    mchid: checkout.mchid,
    out_trade_no: checkout.out_trade_no,
    reference: checkout.reference,
    state: checkout.state,
    attention: checkout.attention ? attentionView(checkout.attention) : null,
    description: checkout.description,
    attach: checkout.attach,
    metadata: checkout.metadata,
    methods: checkout.methods,
    checkout_url: checkout.checkout_url,
    return_url: checkout.return_url,
    locale: checkout.locale,
    create_time: checkout.create_time,
    expire_time: checkout.expire_time,
    orders_opened: checkout.orders.map(({ out_trade_no }) => out_trade_no),
    paid_by: checkout.paid_by,
    amount: checkout.amount,
  }
}
