import type { Language } from '../http/language.ts'
import type { PayerRefund } from './money.ts'
import type { Scene } from './scene.ts'
import { way_words } from './waywords.ts'
import type { SceneText, WayWords } from './waywords.ts'

export interface CheckoutWords {
  /** in its own language, on the link that leads to it */
  language_name: string
  page_title: (merchant: string) => string
  test_banner: string
  test_phone: string
  scan: string
  scan_alt: string
  phone_hint: string
  phone_steps: string[]
  copy_link: string
  left: string
  /** a duration in whole days, in front of hours, minutes and seconds */
  days: string
  ending: string
  check: string
  check_busy: string
  check_results: { not_yet: string; limit: string; unavailable: string }
  /** when WeChat was last asked: a time of day in Beijing */
  asked: (time: string) => string
  renew: string
  /** how to pay, where the payer has the choice */
  ways: WayWords
  number: string
  transaction: string
  paid: string
  paid_time: string
  /** a day and time in Beijing */
  moment: (time: string) => string
  refund: string
  second_refund: string
  /** of money that was paid by another order of the same sale */
  other_refund: string
  /** of a refund that was paid outside WeChat Pay */
  paid_by_hand: string
  refund_states: Record<PayerRefund['state'], (account: string | null) => string>
  /** WeChat Pay's name of an account, as the payer knows it */
  account: (name: string) => string
  copy: string
  copied: string
  back: string
  back_again: string
  no_way_back: string
  support: string
  support_link: string
  back_soon: string
  reload: string
  no_script: string
  connection_lost: string
  trouble: string
  trouble_lines: string[]
  scenes: Record<Scene, SceneText>
  unknown: SceneText
  unavailable: SceneText
}

const chinese: CheckoutWords = {
  language_name: '中文',
  page_title: (merchant) => `向${merchant}付款`,
  test_banner: '测试模式：不会动用真实资金',
  test_phone: '打开模拟手机付款',
  scan: '微信扫一扫，向商家付款',
  scan_alt: '微信支付二维码',
  phone_hint: '您正在手机上浏览：这个二维码不能长按识别，也不能从相册识别，要显示在另一台设备上才能扫。',
  phone_steps: [
    '复制本页链接，发到电脑或另一台设备，例如通过微信“文件传输助手”。',
    '在那里打开链接，会看到同一个二维码。',
    '用这部手机打开微信“扫一扫”，对准那里的屏幕付款。',
  ],
  copy_link: '复制本页链接',
  left: '剩余支付时间',
  days: '{days} 天',
  ending: '支付时间还剩不到 1 分钟。',
  check: '我已支付',
  check_busy: '正在查询…',
  check_results: {
    not_yet: '微信支付还没有收到这笔付款。如果您刚刚付过，请不要重复付款，本页会自动更新。',
    limit: '查询已达上限。到账后本页仍会自动更新，您无需再操作。',
    unavailable: '暂时无法查询，请稍后再试。到账后本页会自动更新。',
  },
  asked: (time) => `上次向微信支付查询：${time}`,
  renew: '换一个二维码',
  ways: way_words['zh-CN'],
  number: '商户单号',
  transaction: '交易单号',
  paid: '实付金额',
  paid_time: '支付时间',
  moment: (time) => time,
  refund: '退款',
  second_refund: '重复付款的退款',
  other_refund: '另一次付款的退款',
  paid_by_hand: '已由商家退还',
  refund_states: {
    pending: (account) => `正在退回${account ?? '原账户'}`,
    delayed: () => '没能退回原账户，商家会另行退还',
    done: (account) => (account === null ? '已原路退回' : `已退回${account}`),
  },
  account: (name) => (name === '支付用户零钱' ? '微信零钱' : name),
  copy: '复制',
  copied: '已复制',
  back: '返回商家',
  back_again: '返回商家重新下单',
  no_way_back: '您可以关闭本页，回到下单的页面或 App 查看订单；联系商家时请告知商户单号。',
  support: '联系商家：',
  support_link: '商家客服',
  back_soon: '即将自动返回商家…',
  reload: '刷新页面',
  no_script: '浏览器没有运行脚本：本页每 5 秒自动刷新一次。',
  connection_lost: '网络不稳定，正在重新连接…',
  trouble: '扫码遇到问题？',
  trouble_lines: [
    '提示“商家订单信息有误”：同一个二维码只能由第一个扫码的微信账号付款，请用那个账号再扫一次，或返回商家重新下单。',
    '二维码须用微信“扫一扫”对准屏幕，不能长按识别或从相册选取。',
    '已经付款而本页没有变化：请点“我已支付”，不要再付一次。',
  ],
  scenes: {
    ready: { title: '待付款', line: '请点下面的按钮付款。现在还没有扣款。' },
    advised: { title: '请换一种方式付款', line: '' },
    tap: { title: '等待付款', line: '如果没有看到微信支付，请再点一次按钮。付款后本页会自动更新。' },
    elsewhere: {
      title: '已在另一处打开付款',
      line: '这笔订单已在另一台设备或另一个应用里打开付款。点下面的按钮可以改在这里付，那边随即失效。',
    },
    again: { title: '可以重新付款', line: '上一次付款没有完成，已经关闭，您没有被扣款。' },
    in_shop: { title: '请在商家的页面付款', line: '这笔订单在商家的页面或 App 里付款。付款后本页会自动更新。' },
    preparing: { title: '正在准备二维码', line: '正在向微信支付下单，请稍候。' },
    waiting: { title: '等待付款', line: '付款后本页会自动更新，请不要关闭。' },
    stale: {
      title: '二维码已失效',
      line: '订单仍然有效，本页会自动换一个新的二维码；如果没有，请点“换一个二维码”。请不要再扫旧的。',
    },
    confirming: { title: '正在向微信支付确认', line: '支付时间已到，请不要再扫码。如果您已经付款，结果会显示在这里。' },
    paid: { title: '付款成功', line: '已由微信支付核实，正在通知商家。' },
    accepted: { title: '付款成功 · 商家处理中', line: '已由微信支付核实，商家确认后本页会更新。您可以离开本页。' },
    fulfilled: { title: '付款成功', line: '商家已确认您的订单。' },
    expired: {
      title: '订单已过期',
      line: '支付时间内没有收到付款，订单已在微信支付关闭。如仍需购买，请返回商家重新下单。',
    },
    closed: { title: '订单已关闭', line: '商家已关闭这笔订单，请不要再付款。如仍需购买，请返回商家重新下单。' },
    failed: { title: '无法付款', line: '微信支付没有接受这笔订单，您没有被扣款。请返回商家重新下单。' },
    review: {
      title: '商家正在处理',
      line: '已收到您的付款，商家正在核对这笔订单。请不要再次付款，如有疑问请联系商家。',
    },
    late: {
      title: '款项将原路退回',
      line: '付款到达时订单已经结束。款项将原路退回：零钱一般 5 分钟内到账，银行卡 1–3 个工作日。',
    },
    refunding: {
      title: '款项将原路退回',
      line: '这笔订单不再继续，商家不会发货。款项将原路退回：零钱一般 5 分钟内到账，银行卡 1–3 个工作日。',
    },
    returning: {
      title: '退款中 {pending}',
      line: '商家已发起退款，款项将原路退回：零钱一般 5 分钟内到账，银行卡 1–3 个工作日。',
    },
    delayed: {
      title: '退款没有到账',
      line: '款项没能退回您付款的账户，商家会另行处理。请联系商家，并告知下面的商户单号。',
    },
    part_refunded: { title: '已部分退款 {refunded}', line: '您付了 {paid}，其中 {refunded} 已退还给您，去向见下方。' },
    refunded: { title: '已全额退款', line: '款项已全部退还给您，去向见下方，也可在微信账单中查看。' },
  },
  unknown: { title: '没有这笔订单', line: '链接不完整或已失效。请返回商家，重新打开付款页面。' },
  unavailable: { title: '暂时无法打开', line: '服务正在恢复，您的订单和付款不会丢失。请过几秒再刷新本页。' },
}

const english: CheckoutWords = {
  language_name: 'English',
  page_title: (merchant) => `Pay ${merchant}`,
  test_banner: 'Test mode: no real money moves',
  test_phone: 'Open the simulated phone',
  scan: '微信扫一扫 · Scan with WeChat to pay',
  scan_alt: 'WeChat Pay QR code',
  phone_hint:
    'You are on a phone: WeChat cannot read this code from a long press or from the album. It has to be on the screen of another device.',
  phone_steps: [
    'Copy the link of this page and send it to a computer or another device, for example by File Transfer in WeChat.',
    'Open it there: it shows the same code.',
    'Open “Scan” in WeChat on this phone and point it at that screen.',
  ],
  copy_link: 'Copy the link of this page',
  left: 'Time left to pay',
  days: '{days} d',
  ending: 'Less than a minute is left to pay.',
  check: 'I have paid',
  check_busy: 'Asking…',
  check_results: {
    not_yet:
      'WeChat Pay has not received this payment yet. If you have just paid, do not pay again: this page updates by itself.',
    limit: 'This order has been asked about often enough. The page still updates by itself once the money is in.',
    unavailable: 'WeChat Pay cannot be asked at the moment. The page updates by itself once the money is in.',
  },
  asked: (time) => `WeChat Pay was last asked at ${time} Beijing time`,
  renew: 'Get a new code',
  ways: way_words['en'],
  number: 'Order number',
  transaction: 'Transaction number',
  paid: 'Paid',
  paid_time: 'Time of payment',
  moment: (time) => `${time} Beijing time`,
  refund: 'Refund',
  second_refund: 'Refund of the second payment',
  other_refund: 'Refund of the other payment',
  paid_by_hand: 'given back by the shop',
  refund_states: {
    pending: (account) => `on its way to ${account ?? 'where it was paid from'}`,
    delayed: () => 'did not reach the account you paid from; the shop sees to it',
    done: (account) => (account === null ? 'back to where it was paid from' : `back on ${account}`),
  },
  account: (name) => (name === '支付用户零钱' ? 'your WeChat balance' : name),
  copy: 'Copy',
  copied: 'Copied',
  back: 'Back to the shop',
  back_again: 'Order again at the shop',
  no_way_back:
    'You can close this page and look at your order where you placed it. If you contact the shop, give the order number.',
  support: 'Contact the shop:',
  support_link: 'help page',
  back_soon: 'Taking you back to the shop…',
  reload: 'Reload the page',
  no_script: 'Scripts do not run in this browser: the page reloads every 5 seconds.',
  connection_lost: 'The connection is unsteady, trying again…',
  trouble: 'Trouble scanning?',
  trouble_lines: [
    '“商家订单信息有误”: a code can be paid only by the WeChat account that scanned it first. Scan it again with that account, or order again at the shop.',
    'Use “Scan” inside WeChat and point it at the screen; long press and album do not work.',
    'Paid, and nothing changes here? Press “I have paid”; do not pay twice.',
  ],
  scenes: {
    ready: { title: 'Ready to pay', line: 'Press the button below to pay. Nothing has been charged yet.' },
    advised: { title: 'Pay another way', line: '' },
    tap: {
      title: 'Waiting for your payment',
      line: 'If WeChat Pay does not open, press the button again. This page updates by itself once you have paid.',
    },
    elsewhere: {
      title: 'Opened for payment elsewhere',
      line: 'This order is open for payment on another device or in another app. Press below to pay here instead; over there it then ends.',
    },
    again: {
      title: 'You can pay again',
      line: 'The last attempt was not finished and is closed. You were not charged.',
    },
    in_shop: {
      title: 'Pay on the shop’s own page',
      line: 'This order is paid on the shop’s page or in its app. This page updates by itself once you have paid.',
    },
    preparing: { title: 'Preparing the code', line: 'The order is being placed at WeChat Pay. One moment.' },
    waiting: {
      title: 'Waiting for your payment',
      line: 'This page updates by itself once you have paid. Keep it open.',
    },
    stale: {
      title: 'This code has expired',
      line: 'The order is still good, and this page gets a new code by itself. If it does not, press “Get a new code”. Please do not scan the old one.',
    },
    confirming: {
      title: 'Confirming with WeChat Pay',
      line: 'The time to pay is over; please do not scan any more. If you have paid, the result appears here.',
    },
    paid: { title: 'Payment received', line: 'Verified with WeChat Pay. The shop is being notified.' },
    accepted: {
      title: 'Payment received · the shop is on it',
      line: 'Verified with WeChat Pay. This page changes once the shop has confirmed; you need not keep it open.',
    },
    fulfilled: { title: 'Payment received', line: 'The shop has confirmed your order.' },
    expired: {
      title: 'This order has expired',
      line: 'No payment arrived in time, and the order was closed at WeChat Pay. To buy it still, order again at the shop.',
    },
    closed: {
      title: 'This order is closed',
      line: 'The shop has closed this order; please do not pay. To buy it still, order again at the shop.',
    },
    failed: {
      title: 'This order cannot be paid',
      line: 'WeChat Pay did not accept the order. You were not charged. Please order again at the shop.',
    },
    review: {
      title: 'The shop is looking into it',
      line: 'Your payment has arrived and the shop is checking this order. Please do not pay again; ask the shop if in doubt.',
    },
    late: {
      title: 'Your money is on its way back',
      line: 'The payment arrived after the order had ended. It goes back the way it came: usually to a WeChat balance within 5 minutes, to a bank card in 1–3 working days.',
    },
    refunding: {
      title: 'Your money is on its way back',
      line: 'This order does not go ahead, and nothing will be shipped. The money goes back the way it came: usually to a WeChat balance within 5 minutes, to a bank card in 1–3 working days.',
    },
    returning: {
      title: '{pending} is on its way back',
      line: 'The shop has started a refund. It goes back the way it came: usually to a WeChat balance within 5 minutes, to a bank card in 1–3 working days.',
    },
    delayed: {
      title: 'The refund has not arrived',
      line: 'It could not be sent to the account you paid from, and the shop sees to it. Please contact the shop and give the order number below.',
    },
    part_refunded: {
      title: '{refunded} refunded',
      line: 'You paid {paid}, and {refunded} of it went back to you, as shown below.',
    },
    refunded: {
      title: 'Refunded in full',
      line: 'You have all of your money back, as shown below. Your WeChat bill shows it too.',
    },
  },
  unknown: {
    title: 'No such order',
    line: 'The link is incomplete or no longer valid. Go back to the shop and open its payment page again.',
  },
  unavailable: {
    title: 'Not available at the moment',
    line: 'The service is coming back; your order and your payment are safe. Reload in a few seconds.',
  },
}

export const checkout_words: Record<Language, CheckoutWords> = { 'zh-CN': chinese, en: english }
