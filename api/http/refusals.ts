import type { CatalogueEntry } from './catalogueentry.ts'

/** The problems of refunds, as the catalogue has them. */
export const refund_problems = {
  refund_number_reused: {
    status: 409,
    retryable: false,
    title: { en: 'The refund number was used with another body', 'zh-CN': '商户退款单号重复且内容不一致' },
    detail: {
      en: 'A refund {out_refund_no} exists, and this request differs from it in: {fields}.',
      'zh-CN': '退款单 {out_refund_no} 已存在，且本次请求的以下字段与其不同：{fields}。',
    },
    remedy: {
      en: 'Send the same body to get the existing refund, or use a new out_refund_no for another refund.',
      'zh-CN': '如需取回原退款单，请发送相同的请求体；如为另一笔退款，请使用新的 out_refund_no。',
    },
  },
  refund_state: {
    status: 409,
    retryable: false,
    title: { en: 'Not possible in this state of the refund', 'zh-CN': '当前退款状态不允许此操作' },
    detail: {
      en: 'The refund is {state}; this is possible in {allowed}.',
      'zh-CN': '退款状态为 {state}；仅在 {allowed} 时允许此操作。',
    },
    remedy: {
      en: 'Read the refund and act on the state it is in.',
      'zh-CN': '请查询退款单，并根据其当前状态处理。',
    },
  },
  order_not_paid: {
    status: 409,
    retryable: false,
    title: { en: 'The order is not paid', 'zh-CN': '订单未支付' },
    detail: {
      en: 'No money of this order has arrived; its state is {state}.',
      'zh-CN': '该订单尚未收到付款，状态为 {state}。',
    },
    remedy: {
      en: 'Ask WeChat Pay with POST /v1/orders/{out_trade_no}/check. An order that nobody paid is ended with POST …/close.',
      'zh-CN': '请先通过 POST /v1/orders/{out_trade_no}/check 向微信支付查询；确未支付的订单可用 POST …/close 关闭。',
    },
  },
  refund_exceeds_payment: {
    status: 409,
    retryable: false,
    title: { en: 'More than is left of the payment', 'zh-CN': '退款金额超过可退金额' },
    detail: {
      en: 'Asked for {refund} fen; {refundable} fen of the payment are neither refunded nor on their way back.',
      'zh-CN': '申请退款 {refund} 分；该笔支付尚可退 {refundable} 分。',
    },
    remedy: {
      en: 'Refund at most {refundable} fen; what GET /v1/refunds?out_trade_no=… lists has the rest. The same number may be used again: it was never sent to WeChat Pay.',
      'zh-CN':
        '退款金额不得超过 {refundable} 分，其余去向见 GET /v1/refunds?out_trade_no=…。该退款单号未提交至微信支付，可以再次使用。',
    },
  },
  refund_limit_reached: {
    status: 409,
    retryable: false,
    title: { en: 'The payment has had 50 refunds', 'zh-CN': '该笔支付的退款次数已达上限' },
    detail: {
      en: 'WeChat Pay takes at most 50 refunds of one payment, closed ones included.',
      'zh-CN': '微信支付对同一笔支付最多受理 50 次退款，已关闭的也计算在内。',
    },
    remedy: {
      en: 'Pay the rest back outside WeChat Pay.',
      'zh-CN': '请线下退款，退还余款。',
    },
  },
  refund_window_closed: {
    status: 409,
    retryable: false,
    title: { en: 'The payment is older than a year', 'zh-CN': '已超过退款期限' },
    detail: {
      en: 'WeChat Pay takes no refund of a payment older than 365 days.',
      'zh-CN': '支付完成超过 365 天后，微信支付不再受理退款。',
    },
    remedy: {
      en: 'Pay it back outside WeChat Pay.',
      'zh-CN': '请线下退款。',
    },
  },
  number_prefix_reserved: {
    status: 409,
    retryable: false,
    title: { en: 'Numbers with “@” are Weft’s own', 'zh-CN': '含 “@” 的单号由系统保留' },
    detail: {
      en: 'Refunds that Weft makes by itself have an “@” in their number, so that no number of yours can meet them.',
      'zh-CN': '系统自动退款的单号中含有 “@”，以免与您的单号冲突。',
    },
    remedy: { en: 'Use a number without “@”.', 'zh-CN': '请使用不含 “@” 的退款单号。' },
  },
  approver_is_requester: {
    status: 403,
    retryable: false,
    title: { en: 'Two persons are needed', 'zh-CN': '需由另一人审批' },
    detail: {
      en: 'It was asked for with the same key; somebody else decides on it.',
      'zh-CN': '该申请由同一密钥提出，须由其他人审批。',
    },
    remedy: {
      en: 'Have it decided with another key that has the scope refunds:approve.',
      'zh-CN': '请使用另一个具有 refunds:approve 权限的密钥审批。',
    },
  },
} as const satisfies Record<string, CatalogueEntry>
