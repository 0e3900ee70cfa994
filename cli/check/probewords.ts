import type { CheckOutcome } from './item.ts'

/** What a probe order can come to, or why there was none. */
export const probe_outcomes = {
  probe_closed: {
    item: 'probe',
    result: 'ok',
    says: {
      en: '{method} with {appid}: placed for ¥0.01, closed, and seen closed ({out_trade_no})',
      zh: '{method}（{appid}）：¥0.01 下单成功，已关闭并查询确认（{out_trade_no}）',
    },
    remedy: null,
  },
  probe_not_permitted: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method} with {appid}: the product is not enabled for this merchant ({error})',
      zh: '{method}（{appid}）：该商户未开通此产品（{error}）',
    },
    remedy: {
      en: 'apply for it in 产品中心 → 我的产品, or take {method} out of settings.products',
      zh: '请在“产品中心 → 我的产品”申请开通，或从 settings.products 中去掉 {method}',
    },
  },
  probe_appid_unbound: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method}: {appid} is not bound to {mchid} ({error})',
      zh: '{method}：{appid} 未与 {mchid} 绑定（{error}）',
    },
    remedy: {
      en: 'bind it in 产品中心 → AppID账号管理, and confirm it in that app’s own console; or take it out of appids',
      zh: '请在“产品中心 → AppID账号管理”关联，并在该应用的后台确认；或从 appids 中去掉',
    },
  },
  probe_payer_unknown: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method} with {appid}: the openid is not one of this appid’s ({error})',
      zh: '{method}（{appid}）：openid 不属于该 appid（{error}）',
    },
    remedy: {
      en: 'an openid is a person’s under one appid only: take one of this appid, and name the appid by --appid',
      zh: 'openid 只在对应的 appid 下有效：请使用该 appid 的 openid，并用 --appid 指定 appid',
    },
  },
  probe_refused: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method} with {appid}: WeChat Pay refuses it ({error})',
      zh: '{method}（{appid}）：微信支付拒绝下单（{error}）',
    },
    remedy: {
      en: 'WeChat’s own words say why; its support asks for the Request-ID',
      zh: '原因见微信返回的说明；联系微信支付客服时请提供 Request-ID',
    },
  },
  probe_unanswered: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method} with {appid}: no answer that can be believed ({error})',
      zh: '{method}（{appid}）：没有可信的应答（{error}）',
    },
    remedy: {
      en: 'mend what is said of hosts and keys, and run this again',
      zh: '请先解决域名和公钥的问题，再重新执行',
    },
  },
  probe_open: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{out_trade_no} was placed and is not seen closed. Nobody has its code, and it ends within minutes',
      zh: '{out_trade_no} 已下单但未确认关闭。无人持有其支付凭证，几分钟后即失效',
    },
    remedy: {
      en: 'a worker closes it after five minutes; run this again then',
      zh: 'worker 会在五分钟后关闭；请届时重新执行',
    },
  },
  probe_paid: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{out_trade_no} was paid, though nobody had its code',
      zh: '{out_trade_no} 竟被支付，尽管无人持有其支付凭证',
    },
    remedy: {
      en: 'GET /v1/attention will name it as orphan_payment: give it back, and find out who has the merchant’s key',
      zh: 'GET /v1/attention 会以 orphan_payment 列出：请退款，并查明谁持有商户私钥',
    },
  },
  probe_left: {
    item: 'probe',
    result: 'ok',
    says: { en: '{out_trade_no}, left by an earlier check, is closed', zh: '此前检查遗留的 {out_trade_no} 已关闭' },
    remedy: null,
  },
  probe_needs_openid: {
    item: 'probe',
    result: 'question',
    says: {
      en: '{method} with {appid} was not tried: WeChat Pay takes such an order only for a person known under this appid',
      zh: '{method}（{appid}）未试下单：此类订单必须指定该 appid 下的用户',
    },
    remedy: {
      en: 'add --appid {appid} --openid <an openid of yours under it>: the order is closed at once, and nobody is asked to pay',
      zh: '请加上 --appid {appid} --openid <该 appid 下您自己的 openid>：订单会立即关闭，不会要求任何人付款',
    },
  },
  probe_has_no_app: {
    item: 'probe',
    result: 'failed',
    says: {
      en: '{method} is enabled, and the merchant has no app that it can be used with',
      zh: '已启用 {method}，但商户没有可用的应用',
    },
    remedy: {
      en: 'name the app with its kind in "apps" of the merchant’s file (docs/methods.md), or take {method} out of settings.products',
      zh: '请在商户文件的 "apps" 中填写应用及其类型（见 docs/zh-CN/methods.md），或从 settings.products 中去掉 {method}',
    },
  },
} as const satisfies Record<string, CheckOutcome>
