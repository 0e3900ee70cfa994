import type { Story } from './payer.ts'
import type { RefundStatus } from './refund.ts'

export type PhoneLanguage = 'zh-CN' | 'en'

export interface PhoneWords {
  title: string
  other_language: string
  footer: string
  start_title: string
  start_text: string
  paste: string
  scan: string
  open_orders: string
  no_open_orders: string
  unknown_code: string
  item: string
  product: string
  number: string
  until: string
  paid_at: string
  transaction: string
  code: string
  misbehave: string
  /** opens the name of the test that proves a story */
  proof: string
  armed: string
  /** of the pay sheet and the H5 page */
  sheet_paid: string
  sheet_left: string
  close: string
  back_to_merchant: string
  open_link: string
  open_link_text: string
  link: string
  open_in_wechat: string
  open_in_browser: string
  /** what became of opening a link */
  link_texts: Partial<Record<string, string>>
  whose_phone: string
  whose_phone_text: string
  payer: string
  change_payer: string
  screens: Record<'open' | 'paid' | 'closed' | 'armed' | 'expired', string>
  refunds: string
  /** what the payer sees of a refund; `returned` went to the merchant instead */
  refund_states: Record<RefundStatus | 'returned', string>
  refund_reason: string
  refund_to: string
  stories: Record<Story, { title: string; text: string }>
  /** by story: what the page says when it is done */
  confirmations: Partial<Record<string, string>>
  /** by code: why it could not be done */
  refusals: Partial<Record<string, string>>
}

const chinese: PhoneWords = {
  title: '微信支付 · 模拟',
  other_language: 'English',
  footer: '这是模拟器扮演的付款人手机，不会产生真实资金。',
  start_title: '付款人的手机',
  start_text: '商户下单后得到 code_url（weixin://wxpay/bizpayurl…）。在这里粘贴它，就等于用微信扫一扫。',
  paste: '粘贴 code_url',
  scan: '扫一扫',
  open_orders: '可以支付的订单',
  no_open_orders: '现在没有待支付的订单。',
  unknown_code: '没有这个二维码对应的订单。',
  item: '商品',
  product: '支付方式',
  number: '商户单号',
  until: '支付截止',
  paid_at: '支付时间',
  transaction: '交易单号',
  code: '二维码',
  misbehave: '让微信支付出点意外',
  proof: '测试证明',
  armed: '商户关单的那一刻，这笔钱会到账。本页会自动刷新。',
  sheet_paid: '支付成功',
  sheet_left: '已取消支付',
  close: '知道了',
  back_to_merchant: '返回商家',
  open_link: '打开链接',
  open_link_text: '在另一个窗口里，像手机那样打开付款链接：User-Agent、屏幕和微信的 WeixinJSBridge 都和手机一样。',
  link: '付款链接',
  open_in_wechat: '在微信里打开',
  open_in_browser: '在手机浏览器里打开',
  link_texts: {
    link_opened: '已在新窗口打开。',
    no_window:
      '这里打不开新窗口。在有屏幕的电脑上运行 npm run phone -- <链接>；或者看 docs/simulator.md，用浏览器自带的开发者工具。',
    no_link: '这不是付款链接。',
  },
  whose_phone: '这是谁的手机',
  whose_phone_text: '同一个人在同一个 appid 下总是同一个 openid。换一个名字就是换一个人。',
  payer: '名字',
  change_payer: '换人',
  screens: {
    open: '待支付',
    paid: '支付成功',
    closed: '订单已关闭',
    armed: '等待商户关单',
    expired: '无法支付',
  },
  refunds: '退款',
  refund_states: {
    PROCESSING: '退款中',
    SUCCESS: '已退款',
    CLOSED: '退款已关闭，钱没有退回',
    ABNORMAL: '退款异常，等待商户处理',
    returned: '已退回商户，请联系商户',
  },
  refund_reason: '退款原因',
  refund_to: '退回',
  stories: {
    pay: { title: '立即支付', text: '支付，一切正常' },
    cancel: { title: '取消', text: '不支付' },
    lose_notification: { title: '支付，但通知丢失', text: '商户永远收不到通知，只能主动查单' },
    notify_three_times: { title: '支付，通知来三次', text: '同一通知同时发三次，次序颠倒' },
    notify_late: { title: '支付，通知迟到', text: '一分钟后才发通知' },
    pay_while_closing: { title: '在订单过期关闭的瞬间支付', text: '商户关单时钱刚好到账，关单被拒绝' },
    pay_after_close_sent: { title: '关单已发出后支付', text: '关单生效之前钱到账，关单没有应答' },
    forge_notification: { title: '伪造支付通知', text: '没有付款，却有一条用别人的密钥签名的通知' },
    wrong_amount: { title: '支付金额不符', text: '实际扣款比订单多一分' },
    second_payment: { title: '同一订单再付一次', text: '以另一个交易单号再发一条支付通知' },
    pay_after_close: { title: '关闭之后仍然扣款', text: '微信侧的竞态：订单已关闭，钱却到账了' },
  },
  confirmations: {
    cancel: '已取消，没有付款。',
    forge_notification: '伪造的通知已发出，没有付款。',
    lose_notification: '已支付，通知丢失了。',
    notify_three_times: '已支付，通知发了三次。',
    notify_late: '已支付，通知会迟到。',
    wrong_amount: '已支付，金额与订单不符。',
    second_payment: '重复付款的通知已发出。',
    pay_after_close: '订单关闭之后，钱还是到账了。',
  },
  refusals: {
    ORDER_PAID: '订单已支付，不能重复支付。',
    PAID_BY_ANOTHER: '订单已由他人支付。',
    ORDER_CLOSED: '订单已关闭，不能支付。',
    ORDER_EXPIRED: '已超过支付截止时间。',
    CODE_DEAD: '二维码已失效：商户换了新的二维码。',
    CODE_EXPIRED: '二维码已过期（超过两小时）。',
    LINK_EXPIRED: '支付链接已过期（超过五分钟）。',
    PAYER_MISMATCH: '下单账号与支付账号不一致。',
    ORDER_NOT_CLOSED: '订单没有关闭。',
    ORDER_NOT_PAID: '订单还没有支付。',
    ORDER_NOT_EXIST: '没有这个二维码对应的订单。',
    PARAM_ERROR: '没有这个操作。',
  },
}

const english: PhoneWords = {
  title: 'WeChat Pay · simulated',
  other_language: '中文',
  footer: "The payer's phone, played by a simulator. No real money moves.",
  start_title: "The payer's phone",
  start_text:
    'Placing an order gives the merchant a code_url (weixin://wxpay/bizpayurl…). Pasting it here is scanning it with WeChat.',
  paste: 'Paste a code_url',
  scan: 'Scan',
  open_orders: 'Orders that can be paid',
  no_open_orders: 'No order waits for a payer now.',
  unknown_code: 'There is no order with this code.',
  item: 'Item',
  product: 'Paid by',
  number: 'Order number',
  until: 'Pay until',
  paid_at: 'Paid at',
  transaction: 'Transaction',
  code: 'The code',
  misbehave: 'Make WeChat Pay misbehave',
  proof: 'Proof',
  armed: 'The money arrives the moment the merchant closes the order. This page refreshes itself.',
  sheet_paid: 'Paid',
  sheet_left: 'Not paid',
  close: 'Close',
  back_to_merchant: 'Back to the merchant',
  open_link: 'Open a link',
  open_link_text:
    'In a window of its own, a payment link is opened as a phone opens it: with its User-Agent, its screen, and WeChat’s WeixinJSBridge.',
  link: 'Payment link',
  open_in_wechat: 'Open in WeChat',
  open_in_browser: 'Open in the phone’s browser',
  link_texts: {
    link_opened: 'It is open in a window of its own.',
    no_window:
      'No window can be opened from here. On a computer with a screen run npm run phone -- <link>, or use your browser’s developer tools as docs/simulator.md says.',
    no_link: 'That is no payment link.',
  },
  whose_phone: 'Whose phone this is',
  whose_phone_text: 'A person has one openid at each appid, always the same. Another name is another person.',
  payer: 'Name',
  change_payer: 'Change',
  screens: {
    open: 'To be paid',
    paid: 'Paid',
    closed: 'Order closed',
    armed: 'Waiting for the merchant to close',
    expired: 'Cannot be paid',
  },
  refunds: 'Refunds',
  refund_states: {
    PROCESSING: 'On its way',
    SUCCESS: 'Refunded',
    CLOSED: 'Closed: the money did not come back',
    ABNORMAL: 'Abnormal: the merchant has to see to it',
    returned: 'Went back to the merchant: ask there',
  },
  refund_reason: 'Reason',
  refund_to: 'To',
  stories: {
    pay: { title: 'Pay', text: 'Pay, and all goes well' },
    cancel: { title: 'Cancel', text: 'Do not pay' },
    lose_notification: { title: 'Pay, lose the notification', text: 'The merchant never hears of it and has to ask' },
    notify_three_times: {
      title: 'Pay, notify three times',
      text: 'The same notification three times at once, out of order',
    },
    notify_late: { title: 'Pay, notify late', text: 'The notification leaves a minute later' },
    pay_while_closing: { title: 'Pay while it expires', text: 'The money arrives during the close, which is refused' },
    pay_after_close_sent: {
      title: 'Pay after the close was sent',
      text: 'Before it takes effect; the close is never answered',
    },
    forge_notification: {
      title: 'Forge a notification',
      text: "Nobody pays, yet a notification says so, signed by a stranger's key",
    },
    wrong_amount: { title: 'Pay a wrong amount', text: 'One fen more is taken than was ordered' },
    second_payment: {
      title: 'Pay the same order again',
      text: 'One more notification, with another transaction number',
    },
    pay_after_close: {
      title: 'Take the money after the close',
      text: "WeChat's own race: closed, and yet the money arrives",
    },
  },
  confirmations: {
    cancel: 'Cancelled. Nothing was paid.',
    forge_notification: 'The forged notification is on its way. Nothing was paid.',
    lose_notification: 'Paid, and the notification got lost.',
    notify_three_times: 'Paid, and notified three times.',
    notify_late: 'Paid. The notification comes late.',
    wrong_amount: 'Paid, with an amount that is not the order’s.',
    second_payment: 'The notification of a second payment is on its way.',
    pay_after_close: 'The order was closed, and the money arrived all the same.',
  },
  refusals: {
    ORDER_PAID: 'The order is paid already.',
    PAID_BY_ANOTHER: 'Somebody else has paid this order.',
    ORDER_CLOSED: 'The order is closed and cannot be paid.',
    ORDER_EXPIRED: 'The time to pay is over.',
    CODE_DEAD: 'This code is dead: the merchant made a newer one.',
    CODE_EXPIRED: 'This code is older than two hours.',
    LINK_EXPIRED: 'This link is older than five minutes.',
    PAYER_MISMATCH: 'The order was placed for another payer.',
    ORDER_NOT_CLOSED: 'The order is not closed.',
    ORDER_NOT_PAID: 'The order has not been paid.',
    ORDER_NOT_EXIST: 'There is no order with this code.',
    PARAM_ERROR: 'There is no such action.',
  },
}

export const wordings: Record<PhoneLanguage, PhoneWords> = { 'zh-CN': chinese, en: english }

/** The language asked for by name, else by the browser, else Chinese. */
export function languageFor(named: string | null, accepted: string | undefined): PhoneLanguage {
  if (named === 'en' || named === 'zh-CN') return named
  const first = (accepted ?? '').split(',').find((part) => /^\s*(zh|en)\b/i.test(part))
  return first !== undefined && /^\s*en/i.test(first) ? 'en' : 'zh-CN'
}
