import type { CatalogueEntry } from './catalogueentry.ts'

/** Why the merchant cannot take this order now: what its file or WeChat Pay's console still has to say. */
export const merchant_problems = {
  merchant_not_ready: {
    status: 409,
    retryable: false,
    title: { en: 'The merchant is not set up', 'zh-CN': '商户尚未配置完成' },
    detail: {
      en: 'WeChat Pay credentials or an appid are missing for merchant {mchid}.',
      'zh-CN': '商户 {mchid} 缺少微信支付密钥或 appid。',
    },
    remedy: {
      en: 'Complete the merchant’s file and run `npm run merchant -- file.json`.',
      'zh-CN': '请补全商户配置文件并执行 `npm run merchant -- file.json`。',
    },
  },
  product_not_enabled: {
    status: 409,
    retryable: false,
    title: { en: 'This way to pay is not enabled', 'zh-CN': '未开通该支付方式' },
    detail: {
      en: 'The merchant does not take {trade_type}; enabled are: {enabled}.',
      'zh-CN': '商户未启用 {trade_type}；已启用：{enabled}。',
    },
    remedy: {
      en: 'Use an enabled trade_type. Or have the product enabled in WeChat Pay’s console (产品中心) first, then named in settings.products of the merchant’s file.',
      'zh-CN':
        '请使用已启用的 trade_type；或先在微信支付商户平台“产品中心”开通该产品，再写入商户配置文件的 settings.products。',
    },
  },
  app_missing: {
    status: 409,
    retryable: false,
    title: { en: 'The merchant has no such app', 'zh-CN': '商户没有可用的应用' },
    detail: {
      en: '{trade_type} needs an appid of the merchant’s, of the kind {kinds}; asked for was {appid}.',
      'zh-CN': '{trade_type} 须使用该商户的 appid，类型为 {kinds}；请求的是 {appid}。',
    },
    remedy: {
      en: 'Leave appid out or send one of the merchant’s. An app that is bound to the merchant in WeChat Pay’s console is named with its kind in `apps` of the merchant’s file.',
      'zh-CN':
        '请省略 appid，或使用该商户的 appid。已在微信支付商户平台绑定的应用，须连同类型写入商户配置文件的 apps。',
    },
  },
  merchant_paused: {
    status: 409,
    retryable: true,
    title: { en: 'The merchant is paused', 'zh-CN': '商户已暂停' },
    detail: {
      en: 'Merchant {mchid} takes no new orders and refunds, and its keys only read.',
      'zh-CN': '商户 {mchid} 暂不接受新的订单和退款，其密钥只能读取。',
    },
    remedy: {
      en: 'Ask the operator to resume the merchant, then send the same request again.',
      'zh-CN': '请联系运维人员恢复该商户，然后重新发送相同的请求。',
    },
  },
} as const satisfies Record<string, CatalogueEntry>
