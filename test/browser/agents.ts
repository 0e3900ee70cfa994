import type { BrowserKind, H5Type } from '../../api/checkout/agent.ts'

const chrome_webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const safari_webkit = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
const iphone = `Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) ${safari_webkit}`
const android = 'Mozilla/5.0 (Linux; Android 14; V2324A Build/UP1A.231005.007'

/** AgentSample is a User-Agent as one such browser sends it, and where a page is opened then. */
interface AgentSample {
  agent: string
  kind: BrowserKind
  h5_type: H5Type
}

/** What browsers call themselves. */
export const agents = {
  'Chrome on Windows': {
    agent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome_webkit} Chrome/138.0.0.0 Safari/537.36`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'Safari on a Mac': {
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari_webkit} Version/18.5 Safari/605.1.15`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'Firefox on Linux': {
    agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'Safari on an iPhone': {
    agent: `${iphone} Version/18.5 Mobile/15E148 Safari/604.1`,
    kind: 'phone',
    h5_type: 'iOS',
  },
  'Chrome on an iPhone': {
    agent: `${iphone} CriOS/138.0.7204.33 Mobile/15E148 Safari/604.1`,
    kind: 'phone',
    h5_type: 'iOS',
  },
  'Chrome on Android': {
    agent: `Mozilla/5.0 (Linux; Android 10; K) ${chrome_webkit} Chrome/138.0.0.0 Mobile Safari/537.36`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'QQ Browser on Android': {
    agent: `${android}) ${chrome_webkit} Version/4.0 Chrome/121.0.6167.71 MQQBrowser/15.3 Mobile Safari/537.36`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'the browser of HarmonyOS': {
    agent: `Mozilla/5.0 (Phone; OpenHarmony 5.0) ${chrome_webkit} Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.0.4`,
    kind: 'phone',
    h5_type: 'Wap',
  },
  'Safari on an iPad': {
    agent: `Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) ${safari_webkit} Version/16.6 Mobile/15E148 Safari/604.1`,
    kind: 'desktop',
    h5_type: 'iOS',
  },
  'Chrome on an Android tablet': {
    agent: `Mozilla/5.0 (Linux; Android 13; SM-X200) ${chrome_webkit} Chrome/138.0.0.0 Safari/537.36`,
    kind: 'desktop',
    h5_type: 'Android',
  },
  'WeChat on an iPhone': {
    agent: `${iphone} Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) NetType/WIFI Language/zh_CN`,
    kind: 'wechat',
    h5_type: 'iOS',
  },
  'WeChat on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/130.0.6723.103 Mobile Safari/537.36 XWEB/1300467 MMWEBSDK/20250503 MMWEBID/4021 MicroMessenger/8.0.61.2880(0x28003D34) WeChat/arm64 Weixin NetType/4G Language/zh_CN ABI/arm64`,
    kind: 'wechat',
    h5_type: 'Android',
  },
  'WeChat on HarmonyOS': {
    agent: `Mozilla/5.0 (Phone; OpenHarmony 5.0) ${chrome_webkit} Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile MicroMessenger/8.0.10(0xf38000ad) NetType/WIFI Language/zh_CN`,
    kind: 'wechat',
    h5_type: 'Wap',
  },
  'WeChat on an iPad': {
    agent: `Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) ${safari_webkit} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN`,
    kind: 'wechat',
    h5_type: 'iOS',
  },
  'WeChat on Windows': {
    agent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090a13) UnifiedPCWindowsWechat(0xf2541022) XWEB/16467 Flue`,
    kind: 'wechat_desktop',
    h5_type: 'Wap',
  },
  'WeChat on a Mac': {
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari_webkit} MicroMessenger/6.8.0(0x16080000) NetType/WIFI MiniWechat MacWechat/3.8.10(0x13080a10) XWEB/1227 Flue`,
    kind: 'wechat_desktop',
    h5_type: 'Wap',
  },
  'an old WeChat on a Mac': {
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari_webkit} Version/15.0 Safari/605.1.15 MicroMessenger/2.3.30`,
    kind: 'wechat_desktop',
    h5_type: 'Wap',
  },
  'a mini program’s web-view on an iPhone': {
    agent: `${iphone} Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) NetType/WIFI Language/zh_CN miniProgram/wx0000000000000001`,
    kind: 'mini_program',
    h5_type: 'iOS',
  },
  'a mini program’s web-view on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/130.0.6723.103 Mobile Safari/537.36 XWEB/1300467 MicroMessenger/8.0.61.2880(0x28003D34) WeChat/arm64 Weixin GPVersion/1 NetType/4G Language/zh_CN ABI/arm64 MiniProgramEnv/android`,
    kind: 'mini_program',
    h5_type: 'Android',
  },
  'a mini program’s web-view on Windows': {
    agent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 MicroMessenger/7.0.20.1781(0x6700143B) NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF`,
    kind: 'mini_program',
    h5_type: 'Wap',
  },
  'WeCom on a phone': {
    agent: `${iphone} Mobile/15E148 wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh`,
    kind: 'app',
    h5_type: 'iOS',
  },
  'WeCom on Windows': {
    agent: `Mozilla/5.0 (Windows NT 10.0; WOW64) ${chrome_webkit} Chrome/108.0.5359.220 Safari/537.36 wxwork/4.1.36 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron WeMail embeddisk`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'Alipay on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/105.0.5195.148 MYWeb/1.3.126 UWS/3.22.2 Mobile Safari/537.36 AliApp(AP/10.7.46) AlipayClient/10.7.46`,
    kind: 'app',
    h5_type: 'Android',
  },
  'QQ on an iPhone': {
    agent: `${iphone} Mobile/15E148 QQ/9.1.30.614 V1_IPH_SQ_9.1.30_1_APP_A Pixel/1170 SimpleUISwitch/0`,
    kind: 'app',
    h5_type: 'iOS',
  },
  'Douyin on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/118.0.5993.159 Mobile Safari/537.36 aweme_320500 JsSdk/1.0 NetType/WIFI AppName/aweme BytedanceWebview/d8a21c6`,
    kind: 'app',
    h5_type: 'Android',
  },
  'an app’s web-view on an iPhone': { agent: `${iphone} Mobile/15E148`, kind: 'app', h5_type: 'iOS' },
  'an app’s web-view on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/138.0.0.0 Mobile Safari/537.36`,
    kind: 'app',
    h5_type: 'Android',
  },
  'the browser of HarmonyOS on a computer': {
    agent: `Mozilla/5.0 (PC; OpenHarmony 6.0) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47 HuaweiBrowser/6.0.1`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'the browser of HarmonyOS on a tablet': {
    agent: `Mozilla/5.0 (Tablet; OpenHarmony 6.0) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47 HuaweiBrowser/6.0.1`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'WeChat on a HarmonyOS computer': {
    agent: `Mozilla/5.0 (PC; OpenHarmony 6.0) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47 MicroMessenger/4.1.0(0xf2640000) NetType/WIFI Language/zh_CN`,
    kind: 'wechat_desktop',
    h5_type: 'Wap',
  },
  'WeChat on Linux': {
    agent: `Mozilla/5.0 (X11; Linux x86_64) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) UnifiedPCLinuxWechat(0xf2640000) XWEB/16467`,
    kind: 'wechat_desktop',
    h5_type: 'Wap',
  },
  'an app’s web-view on HarmonyOS': {
    agent: `Mozilla/5.0 (Phone; OpenHarmony 6.0) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47 Mobile`,
    kind: 'app',
    h5_type: 'Wap',
  },
  'Alipay on HarmonyOS': {
    agent: `Mozilla/5.0 (Phone; OpenHarmony 6.0) ${chrome_webkit} Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0.0.47 Mobile AliApp(AP/10.7.80) AlipayClient/10.7.80`,
    kind: 'app',
    h5_type: 'Wap',
  },
  'Chrome on HarmonyOS 4, which is an Android': {
    agent: `Mozilla/5.0 (Linux; Android 12; HarmonyOS; ALN-AL00; HMSCore 6.14.0.302) ${chrome_webkit} Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'Taobao on Android, whose web-view is its own': {
    agent: `Mozilla/5.0 (Linux; U; Android 14; zh-CN; V2324A Build/UP1A.231005.007) ${chrome_webkit} Version/4.0 Chrome/100.0.4896.58 UCBS/5.12.0 Mobile Safari/537.36 AliApp(TB/10.45.10) UCBS/2.11.1.1 TTID/600000`,
    kind: 'app',
    h5_type: 'Android',
  },
  'Weibo on an iPhone': {
    agent: `${iphone} Mobile/15E148 Weibo (iPhone15,2__weibo__15.6.0__iphone__os18.5)`,
    kind: 'app',
    h5_type: 'iOS',
  },
  'QQ on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/121.0.6167.71 MQQBrowser/6.2 TBS/047601 Mobile Safari/537.36 V1_AND_SQ_9.1.75_10028_YYB_D QQ/9.1.75.25965 NetType/WIFI`,
    kind: 'app',
    h5_type: 'Android',
  },
  'an app with Tencent’s web-view on Android': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/89.0.4389.72 MQQBrowser/6.2 TBS/046291 Mobile Safari/537.36`,
    kind: 'app',
    h5_type: 'Android',
  },
  'the browser of a vivo, which says that it is a web-view': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/123.0.6312.118 Mobile Safari/537.36 VivoBrowser/27.3.10.1`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'the browser of a Xiaomi': {
    agent: `Mozilla/5.0 (Linux; U; Android 15; zh-cn; 24129PN74C Build/AQ3A.240627.003) ${chrome_webkit} Version/4.0 Chrome/135.0.7049.79 Mobile Safari/537.36 XiaoMi/MiuiBrowser/20.4`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'UC Browser on an iPhone, which names Alibaba’s SDK': {
    agent: `Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X; zh-CN) AppleWebKit/537.51.1 (KHTML, like Gecko) Mobile/21A329 UCBrowser/16.1.8.2075 Mobile AliApp(TUnionSDK/0.1.20.4)`,
    kind: 'phone',
    h5_type: 'iOS',
  },
  'Quark on an iPhone, which is no Safari by its own word': {
    agent: `Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X; zh-cn) AppleWebKit/601.1.46 (KHTML, like Gecko) Mobile/20G75 Quark/6.9.0.1966 Mobile`,
    kind: 'phone',
    h5_type: 'iOS',
  },
  'Via on Android, which says that it is a web-view': {
    agent: `${android}; wv) ${chrome_webkit} Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36 Via/5.9`,
    kind: 'phone',
    h5_type: 'Android',
  },
  'Safari on an iPad that asks for pages of computers': {
    agent: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari_webkit} Version/26.0 Safari/605.1.15`,
    kind: 'desktop',
    h5_type: 'Wap',
  },
  'Safari on an iPhone of 2026': {
    agent: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) ${safari_webkit} Version/26.0 Mobile/15E148 Safari/604.1`,
    kind: 'phone',
    h5_type: 'iOS',
  },
  'a program': { agent: 'curl/8.5.0', kind: 'desktop', h5_type: 'Wap' },
  'a browser that says nothing': { agent: '', kind: 'desktop', h5_type: 'Wap' },
} as const satisfies Record<string, AgentSample>
