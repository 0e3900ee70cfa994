import type { Language } from '../http/language.ts'
import type { Scene } from './scene.ts'

/** The words of one scene: its heading, and a sentence below it. A screen reader reads both out when they change. */
interface SceneText {
  title: string
  line: string
}

export interface CheckoutWords {
  /** in its own language, on the link that leads to it */
  language_name: string
  page_title: (merchant: string) => string
  test_banner: string
  test_phone: string
  scan: string
  scan_alt: string
  phone_hint: string
  left: string
  check: string
  check_busy: string
  check_results: { not_yet: string; limit: string; unavailable: string }
  renew: string
  number: string
  copy: string
  copied: string
  back: string
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
  phone_hint:
    '您正在手机上浏览：这个二维码不能长按识别，也不能从相册识别。请在电脑或另一台设备上打开本页，再用手机微信扫一扫。',
  left: '剩余支付时间',
  check: '我已支付',
  check_busy: '正在查询…',
  check_results: {
    not_yet: '微信支付还没有收到这笔付款。如果您刚刚付过，请不要重复付款，本页会自动更新。',
    limit: '查询已达上限。到账后本页仍会自动更新，您无需再操作。',
    unavailable: '暂时无法查询，请稍后再试。到账后本页会自动更新。',
  },
  renew: '换一个二维码',
  number: '商户订单号',
  copy: '复制',
  copied: '已复制',
  back: '返回商家',
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
    preparing: { title: '正在准备二维码', line: '正在向微信支付下单，请稍候。' },
    waiting: { title: '等待付款', line: '付款后本页会自动更新，请不要关闭。' },
    confirming: { title: '正在向微信支付确认', line: '支付时间已到，请不要再扫码。如果您已经付款，结果会显示在这里。' },
    paid: { title: '付款成功', line: '已由微信支付核实，正在通知商家。' },
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
    refunded: { title: '已退款', line: '款项已退还给您，一般原路退回您付款的账户，可在微信账单中查看。' },
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
    'You are on a phone: WeChat cannot read this code from a long press or from the album. Open this page on a computer or another device, then scan it with WeChat.',
  left: 'Time left to pay',
  check: 'I have paid',
  check_busy: 'Asking…',
  check_results: {
    not_yet:
      'WeChat Pay has not received this payment yet. If you have just paid, do not pay again: this page updates by itself.',
    limit: 'This order has been asked about often enough. The page still updates by itself once the money is in.',
    unavailable: 'WeChat Pay cannot be asked at the moment. The page updates by itself once the money is in.',
  },
  renew: 'Get a new code',
  number: 'Order number',
  copy: 'Copy',
  copied: 'Copied',
  back: 'Back to the shop',
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
    preparing: { title: 'Preparing the code', line: 'The order is being placed at WeChat Pay. One moment.' },
    waiting: {
      title: 'Waiting for your payment',
      line: 'This page updates by itself once you have paid. Keep it open.',
    },
    confirming: {
      title: 'Confirming with WeChat Pay',
      line: 'The time to pay is over; please do not scan any more. If you have paid, the result appears here.',
    },
    paid: { title: 'Payment received', line: 'Verified with WeChat Pay. The shop is being notified.' },
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
    refunded: {
      title: 'Refunded',
      line: 'You have your money back, as a rule in the account you paid from. Your WeChat bill shows it.',
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
