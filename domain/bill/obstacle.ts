/** Why an action cannot be done about a difference, in the words of both languages. Programs go by the code. */
export const obstacle_texts = {
  nothing_recorded: {
    en: 'no record here, or no line of the bill, says what would be changed',
    'zh-CN': '本地没有记录，或账单中没有该行，无从更正',
  },
  signed_answer: {
    en: 'it is recorded from WeChat Pay’s signed answer alone, and never from a line of a bill',
    'zh-CN': '只按微信支付签名的答复入账，绝不按账单的一行',
  },
  no_record_says_so: {
    en: 'no record here could say so',
    'zh-CN': '本地没有可以据以记录的单据',
  },
  other_number: {
    en: 'the line names it under another number',
    'zh-CN': '账单行的单号不同',
  },
  other_currency: {
    en: 'the currency differs too',
    'zh-CN': '货币种类也不一致',
  },
  other_total: {
    en: '订单金额 differs too, and what the payer paid is what WeChat Pay signed: another sum is another payment',
    'zh-CN': '订单金额也不一致；付款人所付的是微信支付所签名的金额，金额不同即是另一笔支付',
  },
  other_refund: {
    en: '申请退款金额 differs too, and what was asked for is what WeChat Pay took',
    'zh-CN': '申请退款金额也不一致；申请的金额以微信支付受理的为准',
  },
  no_amount: {
    en: '应结订单金额 or 退款金额 of the line is no amount between 0 and the whole',
    'zh-CN': '账单行的应结订单金额或退款金额不是 0 与全额之间的金额',
  },
  paid_by_hand: {
    en: 'something was paid back by hand and booked by the old amount',
    'zh-CN': '部分已线下退款，并按原金额入账',
  },
  not_ended: {
    en: 'the refund is not recorded here as ended',
    'zh-CN': '该退款在本地尚未终结',
  },
  refunded: {
    en: 'a refund holds money of the payment, or has taken it: so it was there',
    'zh-CN': '有退款锁定或已退该支付的金额，可见它确实存在',
  },
  not_asked: {
    en: 'WeChat Pay cannot be asked about this kind',
    'zh-CN': '该种类无法向微信支付查询',
  },
  no_payment: {
    en: 'its payment is not recorded here',
    'zh-CN': '其支付在本地没有记录',
  },
} as const satisfies Record<string, { en: string; 'zh-CN': string }>
export type Obstacle = keyof typeof obstacle_texts
