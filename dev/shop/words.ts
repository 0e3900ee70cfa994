export const languages = ['zh-CN', 'en'] as const
export type ShopLanguage = (typeof languages)[number]

/** What the shop will do once an order is paid; chosen on the form, to see what Weft does then. */
export const wishes = ['ship', 'refuse', 'later'] as const
export type Wish = (typeof wishes)[number]

interface ShopWords {
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
  /** the money that went back, or is on its way */
  refund: string
  give_back: string
  proof: string
  /** to the payer, on the phone */
  refund_reason: string
  failed: string
  try_again: string
  refusal: string
  /** why nothing is shipped any more */
  stopped: string
  /** what each event means to the shop */
  story: Record<string, string>
  refund_states: Record<string, string>
  states: Record<string, string>
}

const chinese: ShopWords = {
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
  refund: '退款',
  give_back: '全额退款',
  proof: '测试证明',
  refund_reason: '茶铺退款',
  failed: '下单没有成功',
  try_again: '用同一订单号再试一次',
  refusal: '缺货，无法发出',
  stopped: '已停止发货',
  story: {
    'order.paid': '钱已到账，问茶铺能否发货',
    'order.fulfilment_cancelled': '停止发货，钱要退回',
    'order.closed': '订单已关闭',
    'order.failed': '微信支付没有接受订单',
    'order.review': '需要人工处理，先不发货',
    'order.late_payment': '订单结束后才到账',
    'order.second_payment': '同一订单又付了一次',
    'order.refunding': '不发货了，钱正在退回',
    'order.refunded': '全部退回，到此结束',
    'checkout.expired': '收银单到期，没有付款',
    'checkout.cancelled': '收银单已取消',
    'refund.succeeded': '付款人已收到退款',
    'refund.abnormal': '付款人的账户收不了这笔退款',
    'refund.closed': '微信支付关闭了退款，钱还在茶铺',
    'refund.refused': '微信支付拒绝了退款',
    'refund.returned_to_merchant': '退款进了茶铺账户，仍欠付款人',
  },
  refund_states: {
    new: '正在申请',
    created: '正在申请',
    awaiting_approval: '等待审批',
    processing: '退款中',
    abnormal: '退款异常',
    succeeded: '已到账',
    closed: '已关闭',
    refused: '被拒绝',
    rejected: '未获批准',
    returned_to_merchant: '退到了茶铺账户',
  },
  states: {
    new: '等待付款',
    paid: '已付款',
    shipped: '已发货',
    refused: '无法发货',
    later: '已付款，待发货',
    stopped: '已停止发货',
    giving_back: '退款中',
    given_back: '已退款',
    closed: '已关闭',
    failed: '下单失败',
    review: '待人工处理',
    refunding: '退款中',
    refunded: '已退款',
  },
}

const english: ShopWords = {
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
  refund: 'Refund',
  give_back: 'Give the money back',
  proof: 'Proof',
  refund_reason: 'Refund by the tea shop',
  failed: 'The order could not be placed',
  try_again: 'Try again with the same number',
  refusal: 'Out of stock, cannot ship',
  stopped: 'No longer shipped',
  story: {
    'order.paid': 'the money is in; can the shop ship?',
    'order.fulfilment_cancelled': 'do not ship: the money goes back',
    'order.closed': 'the order is closed',
    'order.failed': 'WeChat Pay did not take the order',
    'order.review': 'a person looks into it; ship nothing yet',
    'order.late_payment': 'paid after the order had ended',
    'order.second_payment': 'paid a second time',
    'order.refunding': 'nothing is shipped, the money goes back',
    'order.refunded': 'all of it is back: the end',
    'checkout.expired': 'the checkout is over, unpaid',
    'checkout.cancelled': 'the checkout is cancelled',
    'refund.succeeded': 'the payer has the money',
    'refund.abnormal': 'the payer’s account does not take the money',
    'refund.closed': 'WeChat Pay closed the refund; the shop has the money',
    'refund.refused': 'WeChat Pay refused the refund',
    'refund.returned_to_merchant': 'the money went to the shop; the payer is still owed',
  },
  refund_states: {
    new: 'being asked for',
    created: 'being asked for',
    awaiting_approval: 'waits for approval',
    processing: 'on its way back',
    abnormal: 'stuck at the payer’s account',
    succeeded: 'back with the payer',
    closed: 'closed',
    refused: 'refused',
    rejected: 'not approved',
    returned_to_merchant: 'returned to the shop',
  },
  states: {
    new: 'waiting for payment',
    paid: 'paid',
    shipped: 'shipped',
    refused: 'cannot ship',
    later: 'paid, to be shipped',
    stopped: 'no longer shipped',
    giving_back: 'money on its way back',
    given_back: 'refunded',
    closed: 'closed',
    failed: 'failed',
    review: 'under review',
    refunding: 'money on its way back',
    refunded: 'refunded',
  },
}

export const words: Record<ShopLanguage, ShopWords> = { 'zh-CN': chinese, en: english }
