/**
 * Where a checkout page is opened, as far as it decides how one pays there:
 * `wechat` inside WeChat on a phone or tablet · `wechat_desktop` inside WeChat on a computer · `mini_program` in the
 * web-view of a mini program · `phone` in a phone's browser · `app` in another app's web-view on a phone · `desktop`
 * everywhere else.
 */
export const browser_kinds = ['desktop', 'wechat', 'wechat_desktop', 'mini_program', 'phone', 'app'] as const
export type BrowserKind = (typeof browser_kinds)[number]

/** WeChat's words for the system that an H5 payment comes from (docs/wechat-pay.md §2.1). */
export type H5Type = 'iOS' | 'Android' | 'Wap'

/** PayerBrowser is the browser that a page is opened in, by its own word: good for choosing a way, never for trust. */
export interface PayerBrowser {
  kind: BrowserKind
  h5_type: H5Type
}

interface BrowserRule {
  kind: BrowserKind
  /** all of these are in the User-Agent … */
  has: RegExp[]
  /** … and none of these */
  lacks?: RegExp[]
}

const handheld = /\b(Android|iPhone|iPad|iPod|OpenHarmony|HarmonyOS)\b/i
/** A tablet is held before the phone that scans it; of Androids only phones say `Mobile`. */
const phone =
  /\biPhone|\biPod|\bAndroid\b.*\bMobile\b|\bPhone;.*OpenHarmony|\bHarmonyOS\b.*\bMobile\b|Windows Phone|\bMobi/i
const tablet = /\biPad\b|\bTablet\b/i

/** Systems of computers that are of a phone's family: HarmonyOS calls a computer so. */
const computer = /\bPC;.*OpenHarmony/i

/** Apps that show pages by themselves and do not hand them on to WeChat, as they name themselves. */
const apps =
  /AlipayClient|\bAliApp\((?!TUnionSDK)|\bQQ\/|Weibo|DingTalk|\bLark\b|Feishu|aweme|BytedanceWebview|NewsArticle|musical_ly|XiaoHongShu|xhsdiscover|Kwai|baiduboxapp|Bilibili|\bjdapp\b|pinduoduo|\bTitansX?\/|com\.unionpay|\bFB_?(AN|AV|IAB)\b|Instagram|\bLine\/|KAKAOTALK/i

/** Browsers of phones' makers and others, as they name themselves; those built of the system's web-view look like an app's. */
const browsers = /\b\w+Browser\/|\b(Quark|Via)\//

/**
 * The first rule that fits decides. WeChat on computers and WeCom call themselves MicroMessenger too, and a mini
 * program's web-view does so beside its own word.
 */
const rules: readonly BrowserRule[] = [
  { kind: 'mini_program', has: [/miniProgram/i] },
  { kind: 'app', has: [/wxwork/i, handheld] },
  { kind: 'desktop', has: [/wxwork/i] },
  { kind: 'wechat', has: [/MicroMessenger/i, handheld], lacks: [computer] },
  { kind: 'wechat_desktop', has: [/MicroMessenger/i] },
  { kind: 'app', has: [phone, apps] },
  // Android's own word for a web-view, Tencent's for its own in others' apps, what HarmonyOS says of one, and what Safari
  // says and an app's web-view on iOS does not.
  { kind: 'app', has: [phone, /; wv\)/], lacks: [browsers] },
  { kind: 'app', has: [phone, /\bTBS\//] },
  { kind: 'app', has: [/\bArkWeb\/[\d.]+ Mobile\s*$/] },
  { kind: 'app', has: [/\biPhone|\biPod/], lacks: [/\bSafari\//, browsers] },
  { kind: 'desktop', has: [tablet] },
  { kind: 'desktop', has: [computer] },
  { kind: 'phone', has: [phone] },
]

const most_characters = 1_024

/** Reads the header `User-Agent`; whatever no rule fits is a desktop, whose code any phone can scan. */
export function payerBrowser(user_agent: string): PayerBrowser {
  const text = user_agent.slice(0, most_characters)
  const fits = ({ has, lacks = [] }: BrowserRule) =>
    has.every((pattern) => pattern.test(text)) && !lacks.some((pattern) => pattern.test(text))
  return { kind: rules.find(fits)?.kind ?? 'desktop', h5_type: h5Type(text) }
}

function h5Type(user_agent: string): H5Type {
  if (/\b(iPhone|iPad|iPod)\b/.test(user_agent)) return 'iOS'
  return /\bAndroid\b/.test(user_agent) ? 'Android' : 'Wap'
}
