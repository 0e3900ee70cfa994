export const languages = ['zh-CN', 'en'] as const
export type Language = (typeof languages)[number]

/** What the shop will do once an order is paid; chosen on the form, to see what Weft does then. */
export const wishes = ['ship', 'refuse', 'later'] as const
export type Wish = (typeof wishes)[number]

interface Words {
  language_name: string
  shop: string
  motto: string
  buy: string
  orders: string
  no_orders: string
  to_shop: string
  wish: string
  wishes: Record<Wish, string>
  number: string
  tea: string
  amount: string
  state: string
  /** how often the parcel went out: 0 or 1, whatever Weft sends */
  shipped: string
  times: (count: number) => string
  events: string
  nothing_heard: string
  pay: string
  ship_now: string
  failed: string
  try_again: string
  refusal: string
  states: Record<string, string>
}

const chinese: Words = {
  language_name: '中文',
  shop: '山月茶铺',
  motto: '一家小茶铺，收款交给 Weft',
  buy: '购买',
  orders: '订单',
  no_orders: '还没有订单。',
  to_shop: '回到茶铺',
  wish: '付款后茶铺会…',
  wishes: { ship: '立即发货', refuse: '无法发货', later: '稍后再答复' },
  number: '订单号',
  tea: '茶',
  amount: '金额',
  state: '状态',
  shipped: '已发货',
  times: (count) => `${count} 次`,
  events: '收到的事件',
  nothing_heard: '还没有收到事件。',
  pay: '去付款',
  ship_now: '现在发货',
  failed: '下单没有成功',
  try_again: '用同一订单号再试一次',
  refusal: '缺货，无法发出',
  states: {
    new: '等待付款',
    paid: '已付款',
    shipped: '已发货',
    refused: '无法发货',
    later: '已付款，待发货',
    closed: '已关闭',
    failed: '下单失败',
    review: '人工核对',
    refunding: '退款中',
    refunded: '已退款',
  },
}

const english: Words = {
  language_name: 'English',
  shop: 'Mountain Moon Tea',
  motto: 'A small tea shop that lets Weft take the money',
  buy: 'Buy',
  orders: 'Orders',
  no_orders: 'No orders yet.',
  to_shop: 'Back to the shop',
  wish: 'Once paid, the shop…',
  wishes: { ship: 'ships at once', refuse: 'cannot ship', later: 'answers later' },
  number: 'Order',
  tea: 'Tea',
  amount: 'Amount',
  state: 'State',
  shipped: 'Shipped',
  times: (count) => (count === 1 ? 'once' : `${count} times`),
  events: 'Events heard',
  nothing_heard: 'None yet.',
  pay: 'Pay',
  ship_now: 'Ship now',
  failed: 'The order could not be placed',
  try_again: 'Try again with the same number',
  refusal: 'Out of stock, cannot ship',
  states: {
    new: 'waiting for payment',
    paid: 'paid',
    shipped: 'shipped',
    refused: 'cannot ship',
    later: 'paid, to be shipped',
    closed: 'closed',
    failed: 'failed',
    review: 'under review',
    refunding: 'money on its way back',
    refunded: 'refunded',
  },
}

export const words: Record<Language, Words> = { 'zh-CN': chinese, en: english }
