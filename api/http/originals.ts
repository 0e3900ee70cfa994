import type { CatalogueEntry } from './catalogueentry.ts'

/** What readers of a bill's original are answered where there is no file to give. A part of the catalogue. */
export const original_problems = {
  original_absent: {
    status: 404,
    retryable: false,
    title: { en: 'WeChat Pay has no such bill', 'zh-CN': '微信支付没有该账单' },
    detail: {
      en: 'On {fetch_time} WeChat Pay said that there is nothing to list in the {type} bill of {bill_date}: version {version} has no file.',
      'zh-CN': '微信支付于 {fetch_time} 答复：{bill_date} 的 {type} 账单无内容可列。版本 {version} 没有文件。',
    },
    remedy: {
      en: 'Nothing is missing here, unless money moved on that day: then have the day looked at again, POST /v1/reconciliations/{bill_date}. A bill that WeChat Pay makes later is the next version.',
      'zh-CN':
        '这并非缺失，除非当日确有款项变动：如有，请重新核对当日，POST /v1/reconciliations/{bill_date}。微信支付之后生成的账单是下一个版本。',
    },
  },
  original_dropped: {
    status: 410,
    retryable: false,
    title: { en: 'Not kept any more', 'zh-CN': '原始文件已清除' },
    detail: {
      en: 'The file was dropped at {time}, as the merchant’s setting keep_days wants it.',
      'zh-CN': '该文件已按商户设置 keep_days 于 {time} 清除。',
    },
    remedy: {
      en: 'What is known of it stands in GET /v1/bills and in the day: its hash, its size, and what was found.',
      'zh-CN': '其哈希、大小和核对结果仍可在 GET /v1/bills 和当日的对账结果中查看。',
    },
  },
  original_damaged: {
    status: 503,
    retryable: true,
    title: { en: 'Damaged here, and fetched anew', 'zh-CN': '保存的原始文件已损坏，正在重新下载' },
    detail: {
      en: 'What is kept of version {version} of the {type} bill of {bill_date} is not what was fetched: {flaw}.',
      'zh-CN': '{bill_date} 的 {type} 账单（版本 {version}）保存的内容与下载时不一致：{flaw}。',
    },
    remedy: {
      en: 'Weft has the day looked at, which fetches the file from WeChat Pay again. Ask again in a minute; if it stays so, see what the day’s run says in Temporal, or start it by POST /v1/reconciliations/{bill_date}.',
      'zh-CN':
        'Weft 已重新核对当日，会从微信支付重新下载该文件。请一分钟后重试；若仍如此，请在 Temporal 中查看当日的运行，或通过 POST /v1/reconciliations/{bill_date} 重新核对。',
    },
  },
  original_lost: {
    status: 410,
    retryable: false,
    title: { en: 'Damaged here, and nowhere else', 'zh-CN': '原始文件已损坏，且无法重新下载' },
    detail: {
      en: 'What is kept of version {version} of the {type} bill of {bill_date} is not what was fetched: {flaw}. WeChat Pay does not give this version any more.',
      'zh-CN':
        '{bill_date} 的 {type} 账单（版本 {version}）保存的内容与下载时不一致：{flaw}。微信支付已不再提供该版本。',
    },
    remedy: {
      en: 'Take the collection bill_parts out of a backup, or the file out of a day.zip that was taken before. Hash and size stand in GET /v1/bills/{bill_date}/{type}; what was found of the day stands.',
      'zh-CN':
        '请从备份中恢复集合 bill_parts，或从先前取得的 day.zip 中取出该文件。其哈希和大小见 GET /v1/bills/{bill_date}/{type}；当日的核对结果仍然有效。',
    },
  },
} as const satisfies Record<string, CatalogueEntry>
