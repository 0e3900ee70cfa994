import type { CatalogueEntry } from './catalogueentry.ts'

/** Why a checkout, or a payer at one, is refused. */
export const checkout_problems = {
  checkout_paid: {
    status: 409,
    retryable: false,
    title: { en: 'The checkout is already paid', 'zh-CN': '收银单已支付' },
    detail: { en: 'Order {paid_by} of this checkout is paid.', 'zh-CN': '该收银单的订单 {paid_by} 已支付。' },
    remedy: {
      en: 'Fulfil that order, or give its money back with a refund.',
      'zh-CN': '请履约该订单，或通过退款退回款项。',
    },
  },
  checkout_over: {
    status: 409,
    retryable: false,
    title: { en: 'The checkout can no longer be paid', 'zh-CN': '收银单已不能支付' },
    detail: {
      en: 'The checkout is {state}, or too little of its time is left for an order.',
      'zh-CN': '收银单状态为 {state}，或剩余时间不足以下单。',
    },
    remedy: { en: 'Make a new checkout.', 'zh-CN': '请创建新的收银单。' },
  },
  checkout_exhausted: {
    status: 409,
    retryable: false,
    title: { en: 'The checkout has too many orders', 'zh-CN': '收银单的订单过多' },
    detail: {
      en: 'A checkout has at most {limit} orders: one for each way to pay and each payer that opened it.',
      'zh-CN': '每个收银单最多有 {limit} 个订单：每种支付方式、每位打开者各一个。',
    },
    remedy: { en: 'Cancel it and make a new checkout.', 'zh-CN': '请取消该收银单并创建新的收银单。' },
  },
  method_not_offered: {
    status: 409,
    retryable: false,
    title: { en: 'The checkout does not offer this way to pay', 'zh-CN': '收银单不提供该支付方式' },
    detail: {
      en: '{trade_type} is none of the checkout’s methods: {methods}.',
      'zh-CN': '{trade_type} 不在该收银单的支付方式中：{methods}。',
    },
    remedy: { en: 'Pay in one of its ways.', 'zh-CN': '请使用该收银单提供的支付方式。' },
  },
} as const satisfies Record<string, CatalogueEntry>
