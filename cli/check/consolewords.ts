import type { CheckOutcome } from './item.ts'

/** What only WeChat's consoles know, as questions with the place where each is answered; and what the apps are held for. */
export const console_outcomes = {
  app_secret_accepted: {
    item: 'app_secret',
    result: 'ok',
    says: {
      en: 'that of {appid} was taken: WeChat found fault only with a code that was made up ({error})',
      zh: '{appid} 的 AppSecret 已被接受：微信只拒绝了虚构的 code（{error}）',
    },
    remedy: null,
  },
  app_secret_wrong: {
    item: 'app_secret',
    result: 'failed',
    says: { en: 'that of {appid} is refused ({error})', zh: '{appid} 的 AppSecret 被拒绝（{error}）' },
    remedy: {
      en: 'take it from that app’s own console (mp.weixin.qq.com → 设置与开发 → 开发接口管理 → 基本配置), put it into "apps" and apply the file',
      zh: '请在该应用的后台（mp.weixin.qq.com →“设置与开发 → 开发接口管理 → 基本配置”）获取，填入 "apps" 后重新执行',
    },
  },
  app_secret_untold: {
    item: 'app_secret',
    result: 'question',
    says: {
      en: 'whether that of {appid} is right could not be found out ({error})',
      zh: '无法确认 {appid} 的 AppSecret 是否正确（{error}）',
    },
    remedy: {
      en: 'let the api reach {host}, and run this again',
      zh: '请确保 api 能访问 {host}，然后重新执行',
    },
  },
  app_secret_missing: {
    item: 'app_secret',
    result: 'question',
    says: {
      en: '{appid} has none, so Weft’s own page cannot find out who pays within WeChat',
      zh: '{appid} 没有 AppSecret，Weft 的收银台无法在微信内识别付款人',
    },
    remedy: {
      en: 'put it into "apps" of the merchant’s file; only your own pages need none of it',
      zh: '请在商户文件的 "apps" 中填写；若只在自有页面使用 JSAPI，则无需填写',
    },
  },

  console_payment_directory: {
    item: 'console',
    result: 'question',
    says: {
      en: 'JSAPI: is {directory} a 支付授权目录? Without it payers read “当前页面的URL未注册”',
      zh: 'JSAPI：{directory} 是否已设为支付授权目录？否则用户会看到“当前页面的URL未注册”',
    },
    remedy: {
      en: 'pay.weixin.qq.com → 产品中心 → 开发配置 → JSAPI支付 → 支付授权目录; at most five, each with its slash at the end',
      zh: 'pay.weixin.qq.com →“产品中心 → 开发配置 → JSAPI支付 → 支付授权目录”；最多五个，须以斜杠结尾',
    },
  },
  console_oauth_domain: {
    item: 'console',
    result: 'question',
    says: {
      en: 'JSAPI: is {host} the 网页授权域名 of {appid}? Without it payers read “redirect_uri域名与后台配置不一致” (10003)',
      zh: 'JSAPI：{host} 是否为 {appid} 的网页授权域名？否则用户会看到“redirect_uri域名与后台配置不一致”（10003）',
    },
    remedy: {
      en: 'mp.weixin.qq.com → 设置与开发 → 账号设置 → 功能设置 → 网页授权域名; the file MP_verify_….txt must be served at the root of the name. Needs a verified 服务号 (else 10005)',
      zh: 'mp.weixin.qq.com →“设置与开发 → 账号设置 → 功能设置 → 网页授权域名”；MP_verify_….txt 须能在域名根目录访问。须为已认证的服务号（否则 10005）',
    },
  },
  console_mini_program: {
    item: 'console',
    result: 'question',
    says: {
      en: 'mini program {appid}: is it bound to {mchid} on both sides, and released?',
      zh: '小程序 {appid}：是否已与 {mchid} 双向关联，且已发布？',
    },
    remedy: {
      en: 'pay.weixin.qq.com → 产品中心 → AppID账号管理 asks for it; mp.weixin.qq.com of the mini program → 功能 → 微信支付 confirms it',
      zh: 'pay.weixin.qq.com →“产品中心 → AppID账号管理”发起，小程序 mp.weixin.qq.com →“功能 → 微信支付”确认',
    },
  },
  console_mobile_app: {
    item: 'console',
    result: 'question',
    says: {
      en: 'app {appid}: do 包名 and 应用签名 (Android), Bundle ID and Universal Links (iOS) match what is in the shops?',
      zh: 'App {appid}：Android 的包名和应用签名、iOS 的 Bundle ID 和 Universal Links 是否与上架版本一致？',
    },
    remedy: {
      en: 'open.weixin.qq.com → 管理中心 → 移动应用. Where they do not, the OpenSDK answers errCode -1 and says no more',
      zh: 'open.weixin.qq.com →“管理中心 → 移动应用”。不一致时 OpenSDK 只返回 errCode -1',
    },
  },
  console_h5_domain: {
    item: 'console',
    result: 'question',
    says: {
      en: 'H5: is {host} an H5支付域名? Without it payers read “商家存在未配置的参数”',
      zh: 'H5：{host} 是否已设为 H5 支付域名？否则用户会看到“商家存在未配置的参数”',
    },
    remedy: {
      en: 'pay.weixin.qq.com → 产品中心 → 开发配置 → H5支付 → H5支付域名. H5 has to be applied for, and 个体工商户 and 小微商户 do not get it',
      zh: 'pay.weixin.qq.com →“产品中心 → 开发配置 → H5支付 → H5支付域名”。H5 支付须单独申请，个体工商户和小微商户不能开通',
    },
  },
} as const satisfies Record<string, CheckOutcome>
