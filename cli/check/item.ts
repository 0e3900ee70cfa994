export type CheckLanguage = 'en' | 'zh'
export type CheckText = Readonly<Record<CheckLanguage, string>>

/** `question`: no program can tell, or not from here; a person looks where the remedy says. */
export type CheckVerdict = 'ok' | 'failed' | 'question'

/** What is looked at, in the order of the list. */
export type CheckItem = keyof typeof item_names

/** One end that a look can have: every one says what is so, and what to do where that is not well. */
export interface CheckOutcome {
  item: CheckItem
  result: CheckVerdict
  says: CheckText
  remedy: CheckText | null
}

export const result_names = {
  ok: { en: 'ok      ', zh: '通过　' },
  failed: { en: 'FAILED  ', zh: '失败　' },
  question: { en: 'question', zh: '待确认' },
} as const satisfies Record<CheckVerdict, CheckText>

export const item_names = {
  settings: { en: 'settings', zh: '配置' },
  hosts: { en: 'WeChat Pay’s hosts', zh: '微信支付域名' },
  clock: { en: 'clock', zh: '时钟' },
  certificate: { en: 'API certificate', zh: '商户 API 证书' },
  apiv3_key: { en: 'APIv3 key', zh: 'APIv3 密钥' },
  keys: { en: 'WeChat Pay’s keys', zh: '微信支付公钥或平台证书' },
  authority: { en: 'WeChat Pay’s CA', zh: '微信支付 CA' },
  probe: { en: 'probe order', zh: '试下单' },
  notify_address: { en: 'notify address', zh: '通知地址' },
  notification: { en: 'notifications', zh: '支付通知' },
  fulfilment: { en: 'fulfilment', zh: '履约' },
  app_secret: { en: 'app secret', zh: 'AppSecret' },
  console: { en: 'in WeChat’s console', zh: '微信后台设置' },
} as const satisfies Record<string, CheckText>
