/** What the document says of checkouts, in Chinese. */
export const checkout_descriptions: Readonly<Record<string, string>> = {
  'Answers with a page that chooses the way to pay where it is opened. Nothing is placed at WeChat Pay before the payer is there. Safe to repeat: the same body is answered with the checkout as it is now.':
    '返回收银台页面，由页面根据打开的环境选择支付方式。付款人打开之前不会在微信支付下单。可以安全地重发：同一请求体返回收银单的当前状态。',
  'a repeat: the checkout as it is now': '重发：收银单的当前状态',
  'made: checkout_url is live': '已创建：checkout_url 可用',
  'a page of checkouts': '收银单列表，分页',
  'the merchant’s number of the sale, 6–28 of letters, digits, _ - | *; its first order has it too':
    '商户的收银单号，6–28 位字母、数字及 _ - | *；它的第一个订单也用此单号',
  'the checkout': '收银单',
  'Nothing more is placed for it, and what is open is closed at WeChat Pay. Money that still comes is treated as late. After 202 read the checkout, or repeat the request.':
    '不再为它下单，未结束的订单在微信支付关单。此后仍到账的款项按迟到付款处理。收到 202 后请查询收银单，或重发请求。',
  'cancelled, or expired before: nothing of it can be paid': '已取消，或此前已过期：不能再付款',
  'closing: WeChat Pay is not yet certain of an order': '关闭中：微信支付尚未确认其中某个订单已关闭',
  'the number of the checkout that made it': '创建该订单的收银单的单号',
  'the ways to pay that its page may offer; all that the merchant has enabled when absent':
    '页面可提供的支付方式；默认为商户已启用的全部方式',
  'the merchant’s own sale: two numbers of one sale are never both kept; its out_trade_no when absent':
    '商户自己的一笔交易：同一笔交易的两个单号不会都收款；默认为其 out_trade_no',
  'of all of its orders': '其全部订单共用',
  'the page that the payer opens, on whatever device': '付款人打开的页面，不限设备',
  'until then its page makes orders': '在此之前，页面可以创建订单',
  'the numbers of its orders, the oldest first': '其订单的单号，最早的在前',
  'the number that keeps the sale; it stays when the money goes back': '成交订单的单号；退款后仍保留',
  'Answers with the order by which this payer can pay, and its client: the same one to who asks the same again, else that of the next number, behind which those before are closed. Once the sale is paid it is the order that is. After 202 repeat the same request.':
    '返回该付款人可支付的订单及其 client：相同的请求得到同一个订单，否则为下一个单号的订单，其下单前先关闭之前的订单。交易支付后返回已支付的订单。返回 202 后请重发同一请求。',
  'the order: client or code_url is live while it can be paid': '该订单：可支付期间 client 或 code_url 有效',
  'the order that this is about': '所涉及的订单',
}
