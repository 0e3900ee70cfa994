import type { Language } from '../http/language.ts'
import type { Advice, ErrandResult, WayObstacle } from './way.ts'

/**
 * The words of one scene: its heading, and a sentence below it. A screen reader reads both out when they change.
 * `{paid}`, `{refunded}` and `{pending}` stand for the amounts.
 */
export interface SceneText {
  title: string
  line: string
}

/** The methods that a page can be paid by. */
export type PageMethod = 'NATIVE' | 'JSAPI' | 'MWEB'
/** The scenes of a checkout that have a button to pay with. */
export type ChoosingScene = 'ready' | 'tap' | 'elsewhere' | 'again'

/** What the page says of the ways to pay, in one language. */
export interface WayWords {
  /** the button that pays right here; `{amount}` stands for the amount */
  pay: Record<PageMethod, Record<ChoosingScene, string>>
  pay_busy: string
  /** what came of WeChat's pay sheet, as far as WeChat says; `{said}`: WeChat's own words */
  sheet_outcomes: { ok: string; cancel: string; fail: string; no_bridge: string; silent: string }
  sheet_said: string
  /** why the payer cannot pay yet */
  errand_results: Record<ErrandResult, string>
  /** what to do where the page cannot be paid, and how, step by step */
  advices: Record<Advice, SceneText & { steps: string[] }>
  /** why not here, and then the line of the advice */
  obstacles: Record<WayObstacle, (line: string) => string>
  link_alt: string
  open_wechat: string
}

const chinese: WayWords = {
  pay: {
    NATIVE: {
      ready: '显示付款二维码',
      tap: '显示付款二维码',
      elsewhere: '在这里显示二维码',
      again: '重新生成二维码',
    },
    JSAPI: {
      ready: '微信支付 {amount}',
      tap: '微信支付 {amount}',
      elsewhere: '在这里付款 {amount}',
      again: '重新付款 {amount}',
    },
    MWEB: {
      ready: '去微信付款 {amount}',
      tap: '再去微信付款 {amount}',
      elsewhere: '在这里付款 {amount}',
      again: '重新付款 {amount}',
    },
  },
  pay_busy: '正在下单…',
  sheet_outcomes: {
    ok: '正在向微信支付确认…',
    cancel: '付款已取消。需要时可以再点按钮；如果您已经付过，请点“我已支付”。',
    fail: '微信没能打开支付，请再点一次。',
    no_bridge: '微信没有响应。请关闭本页，在微信聊天里重新点开链接。',
    silent: '微信还没有答复。如果您已经付过，请点“我已支付”；没有付过，请再点一次按钮。',
  },
  sheet_said: '微信提示：{said}',
  errand_results: {
    failed: '微信没有完成授权，请再点一次按钮。仍然不行时，请在另一台设备上打开本页链接。',
    not_kept: '授权没有保存下来，请再点一次按钮。仍然如此时，请允许保存 Cookie，或在另一台设备上打开本页链接。',
    visitor: '请先点页面下方的“使用完整服务”，再付款。',
    no_script: '在微信里付款需要运行脚本。请允许本页运行脚本，或在另一台设备上打开本页链接。',
    not_placed: '暂时无法下单，请稍后再点一次。',
    not_payable: '这里无法付款，请返回商家。',
  },
  advices: {
    open_in_wechat: {
      title: '请在微信里打开本页',
      line: '本页要在微信聊天里打开，才能用这部手机付款。',
      steps: [
        '复制本页链接。',
        '打开微信，把链接发给“文件传输助手”或任何一个聊天。',
        '在聊天里点开链接付款。本页会自动更新。',
      ],
    },
    open_in_browser: {
      title: '请在手机浏览器里打开本页',
      line: '本页要在手机自带的浏览器里打开，才能用这部手机付款。',
      steps: [
        '点右上角“…”，选择“在浏览器打开”；或者复制本页链接。',
        '在手机浏览器里打开链接。',
        '点“去微信付款”。本页会自动更新。',
      ],
    },
    scan_elsewhere: {
      title: '请用另一台设备显示二维码',
      line: '本页要在电脑或另一台设备上打开，再用这部手机的微信扫码付款。',
      steps: [
        '复制本页链接，发到电脑或另一台设备，例如通过微信“文件传输助手”。',
        '在那里打开链接，会看到付款二维码。',
        '用这部手机打开微信“扫一扫”，对准那里的屏幕付款。',
      ],
    },
    scan_link: {
      title: '请用手机打开本页',
      line: '用手机微信扫这个二维码，会在手机上打开本页，在那里付款。',
      steps: [],
    },
    ask_shop: {
      title: '暂时无法在线付款',
      line: '现在没有可用的付款方式，请联系商家。',
      steps: [],
    },
  },
  obstacles: {
    refused: (line) => `商家暂时不能在这里用微信支付收款。${line}`,
    no_address: (line) => `无法确认您的网络地址，因此不能在这里用微信支付付款。${line}`,
  },
  link_alt: '本页链接的二维码',
  open_wechat: '打开微信付款',
}

const english: WayWords = {
  pay: {
    NATIVE: {
      ready: 'Show the code',
      tap: 'Show the code',
      elsewhere: 'Show the code here',
      again: 'Get a new code',
    },
    JSAPI: {
      ready: 'Pay {amount} with WeChat',
      tap: 'Pay {amount} with WeChat',
      elsewhere: 'Pay {amount} here',
      again: 'Pay {amount} again',
    },
    MWEB: {
      ready: 'Pay {amount} in WeChat',
      tap: 'Go to WeChat again',
      elsewhere: 'Pay {amount} here',
      again: 'Pay {amount} again',
    },
  },
  pay_busy: 'One moment…',
  sheet_outcomes: {
    ok: 'Confirming with WeChat Pay…',
    cancel:
      'The payment was cancelled. Press the button again when you like; if you have paid after all, press “I have paid”.',
    fail: 'WeChat could not open the payment. Please press again.',
    no_bridge: 'WeChat does not answer. Close this page and open its link from a chat in WeChat again.',
    silent: 'WeChat has not answered yet. If you have paid, press “I have paid”; if not, press the button again.',
  },
  sheet_said: 'WeChat says: {said}',
  errand_results: {
    failed:
      'WeChat has not said who you are. Please press the button again; if that does not help, open this page’s link on another device.',
    not_kept:
      'What WeChat said of you was not kept. Please press the button again; if that does not help, allow cookies, or open this page’s link on another device.',
    visitor: 'First press “使用完整服务” (full service) below this page, then pay.',
    no_script: 'Paying inside WeChat needs scripts. Let this page run them, or open its link on another device.',
    not_placed: 'The order cannot be placed at the moment. Please press again in a while.',
    not_payable: 'This cannot be paid here. Please go back to the shop.',
  },
  advices: {
    open_in_wechat: {
      title: 'Open this page in WeChat',
      line: 'To pay with this phone, open the page from a chat in WeChat.',
      steps: [
        'Copy the link of this page.',
        'Open WeChat and send the link to File Transfer, or to any chat.',
        'Open it in the chat and pay. This page updates by itself.',
      ],
    },
    open_in_browser: {
      title: 'Open this page in your phone’s browser',
      line: 'To pay with this phone, open the page in the browser that came with it.',
      steps: [
        'Press “…” at the top and choose “Open in browser”, or copy the link of this page.',
        'Open the link in the phone’s browser.',
        'Press “Pay in WeChat” there. This page updates by itself.',
      ],
    },
    scan_elsewhere: {
      title: 'Show the code on another device',
      line: 'Open this page on a computer or another device, and scan its code with WeChat on this phone.',
      steps: [
        'Copy the link of this page and send it to a computer or another device, for example by File Transfer in WeChat.',
        'Open it there: it shows the code to pay with.',
        'Open “Scan” in WeChat on this phone and point it at that screen.',
      ],
    },
    scan_link: {
      title: 'Open this page on your phone',
      line: 'Scan this code with WeChat: the page opens on your phone, and you pay there.',
      steps: [],
    },
    ask_shop: {
      title: 'This cannot be paid online at the moment',
      line: 'There is no way to pay right now. Please ask the shop.',
      steps: [],
    },
  },
  obstacles: {
    refused: (line) => `WeChat Pay does not let the shop take payments here. ${line}`,
    no_address: (line) => `Your network address is not known, so WeChat Pay does not take payments here. ${line}`,
  },
  link_alt: 'QR code of this page’s link',
  open_wechat: 'Open WeChat and pay',
}

export const way_words: Record<Language, WayWords> = { 'zh-CN': chinese, en: english }
