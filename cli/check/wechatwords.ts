import type { CheckOutcome } from './item.ts'

/** What speaking with WeChat Pay can come to: hosts, clock, certificate and keys. */
export const wechat_outcomes = {
  host_reached: {
    item: 'hosts',
    result: 'ok',
    says: { en: '{host} answers in {duration_ms} ms', zh: '{host} 在 {duration_ms} 毫秒内应答' },
    remedy: null,
  },
  host_away: {
    item: 'hosts',
    result: 'failed',
    says: { en: '{host} does not answer: {error}', zh: '{host} 没有应答：{error}' },
    remedy: {
      en: 'let api and worker reach it: DNS, proxy, firewall, TLS. Use its name, never a fixed IP',
      zh: '请确保 api 和 worker 能访问：检查 DNS、代理、防火墙、TLS。请使用域名，不要固定 IP',
    },
  },
  clock_right: {
    item: 'clock',
    result: 'ok',
    says: { en: '{seconds} s from that of {host}', zh: '与 {host} 相差 {seconds} 秒' },
    remedy: null,
  },
  clock_off: {
    item: 'clock',
    result: 'failed',
    says: {
      en: '{seconds} s from that of {host}; at 300 s WeChat Pay refuses all calls, and Weft all notifications',
      zh: '与 {host} 相差 {seconds} 秒；达到 300 秒时，微信支付将拒绝所有请求，Weft 也会拒绝所有通知',
    },
    remedy: {
      en: 'set the clock by a time server (NTP), here and where api and worker run',
      zh: '请在本机以及 api、worker 所在机器上用 NTP 校时',
    },
  },
  clock_unknown: {
    item: 'clock',
    result: 'question',
    says: { en: 'no host of WeChat Pay’s told the time', zh: '微信支付没有返回时间' },
    remedy: { en: 'is the clock set by a time server (NTP)?', zh: '时钟是否由 NTP 校准？' },
  },

  certificate_accepted: {
    item: 'certificate',
    result: 'ok',
    says: {
      en: 'WeChat Pay takes calls that the private key signs under serial {serial}',
      zh: '微信支付接受该私钥以序列号 {serial} 签名的请求',
    },
    remedy: null,
  },
  certificate_refused: {
    item: 'certificate',
    result: 'failed',
    says: {
      en: 'WeChat Pay refuses what is signed under serial {serial}: {message}',
      zh: '微信支付拒绝以序列号 {serial} 签名的请求：{message}',
    },
    remedy: {
      en: 'serial_no and private_key must be of one certificate that console 账户中心 → API安全 → 商户API证书 shows as valid; else apply for another there, and put key and serial into the file',
      zh: 'serial_no 与 private_key 须属于商户平台“账户中心 → API安全 → 商户API证书”中同一张有效证书；否则请重新申请，并更新商户文件中的私钥和序列号',
    },
  },
  certificate_unproven: {
    item: 'certificate',
    result: 'question',
    says: { en: 'no signed call was answered: {error}', zh: '签名请求没有得到应答：{error}' },
    remedy: {
      en: 'mend what is said of the hosts, and run this again',
      zh: '请先解决域名访问问题，再重新执行',
    },
  },
  merchant_unknown: {
    item: 'certificate',
    result: 'failed',
    says: {
      en: 'WeChat Pay does not take {mchid} for a merchant: {message}',
      zh: '微信支付不认可商户号 {mchid}：{message}',
    },
    remedy: {
      en: 'compare mchid with the console: 账户中心 → 商户信息',
      zh: '请核对商户平台“账户中心 → 商户信息”中的商户号',
    },
  },
  certificate_dates: {
    item: 'certificate',
    result: 'question',
    says: {
      en: 'when it ends is not known here: Weft keeps the key and the serial, not the certificate',
      zh: '无法得知其有效期：Weft 只保存私钥和序列号，不保存证书',
    },
    remedy: {
      en: 'add --certificate apiclient_cert.pem, or look at 账户中心 → API安全 → 商户API证书 (five years from its making)',
      zh: '请加上 --certificate apiclient_cert.pem，或在“账户中心 → API安全 → 商户API证书”查看（自申请起五年）',
    },
  },
  certificate_in_force: {
    item: 'certificate',
    result: 'ok',
    says: {
      en: '{path} is of this merchant, key and serial, and valid until {until}',
      zh: '{path} 与商户号、私钥、序列号一致，有效期至 {until}',
    },
    remedy: null,
  },
  certificate_ending: {
    item: 'certificate',
    result: 'question',
    says: { en: '{path} ends at {until}', zh: '{path} 将于 {until} 到期' },
    remedy: {
      en: 'who applies for the next one, and when? Both are taken meanwhile',
      zh: '由谁、何时申请新证书？过渡期内新旧证书均有效',
    },
  },
  certificate_over: {
    item: 'certificate',
    result: 'failed',
    says: { en: '{path} is valid from {from} until {until} only', zh: '{path} 的有效期为 {from} 至 {until}' },
    remedy: {
      en: 'apply for another in 账户中心 → API安全 → 商户API证书, and put key and serial into the file',
      zh: '请在“账户中心 → API安全 → 商户API证书”重新申请，并更新商户文件中的私钥和序列号',
    },
  },
  certificate_of_another: {
    item: 'certificate',
    result: 'failed',
    says: { en: '{path} is not what this merchant is set up with: {what}', zh: '{path} 与该商户的配置不符：{what}' },
    remedy: {
      en: 'take apiclient_cert.pem and apiclient_key.pem of one download, and the serial of that certificate',
      zh: '请使用同一次下载的 apiclient_cert.pem 和 apiclient_key.pem，以及该证书的序列号',
    },
  },
  certificate_unreadable: {
    item: 'certificate',
    result: 'failed',
    says: { en: '{path} cannot be read as a certificate: {error}', zh: '{path} 无法读取为证书：{error}' },
    remedy: { en: 'name the PEM file apiclient_cert.pem', zh: '请指定 PEM 文件 apiclient_cert.pem' },
  },

  apiv3_key_opens_list: {
    item: 'apiv3_key',
    result: 'ok',
    says: {
      en: '32 characters; it opened WeChat Pay’s list of certificates',
      zh: '长度 32 位；已成功解密微信支付平台证书列表',
    },
    remedy: null,
  },
  apiv3_key_opens_notification: {
    item: 'apiv3_key',
    result: 'ok',
    says: { en: '32 characters; it opened the notification of {time}', zh: '长度 32 位；已成功解密 {time} 的支付通知' },
    remedy: null,
  },
  apiv3_key_wrong: {
    item: 'apiv3_key',
    result: 'failed',
    says: {
      en: 'it does not open what WeChat Pay encrypts: {message}',
      zh: '无法解密微信支付返回的内容：{message}',
    },
    remedy: {
      en: 'set it anew in 账户中心 → API安全 → APIv3密钥, and put the same into the file',
      zh: '请在“账户中心 → API安全 → APIv3密钥”重新设置，并同步更新商户文件',
    },
  },
  apiv3_key_changed: {
    item: 'apiv3_key',
    result: 'question',
    says: {
      en: 'the last notification, of {time}, was encrypted with another key',
      zh: '最近一次通知（{time}）是用另一个密钥加密的',
    },
    remedy: {
      en: 'was it changed in the console after that? Else put the one that stands there into the file',
      zh: '此后是否在商户平台修改过密钥？若没有，请将平台上的密钥填入商户文件',
    },
  },
  apiv3_key_unproven: {
    item: 'apiv3_key',
    result: 'question',
    says: {
      en: '32 characters; with a public key WeChat Pay encrypts nothing but notifications, and none has come',
      zh: '长度 32 位；公钥模式下微信支付只加密通知，而尚未收到通知',
    },
    remedy: {
      en: 'buy something for ¥0.01 and run this again',
      zh: '请购买 ¥0.01 的商品，然后重新执行',
    },
  },

  key_public: {
    item: 'keys',
    result: 'ok',
    says: { en: '{key_id} verified WeChat Pay’s answer', zh: '{key_id} 已验证微信支付的应答签名' },
    remedy: null,
  },
  key_unproven: {
    item: 'keys',
    result: 'question',
    says: { en: '{key_id} has verified nothing yet', zh: '{key_id} 尚未验证过任何签名' },
    remedy: {
      en: 'WeChat Pay signs no refusal: mend what the probe order says, and run this again',
      zh: '微信支付不对错误应答签名：请先解决试下单的问题，再重新执行',
    },
  },
  key_wrong: {
    item: 'keys',
    result: 'failed',
    says: {
      en: 'WeChat Pay’s answer does not verify with {key_id}: {error}',
      zh: '微信支付的应答无法用 {key_id} 验签：{error}',
    },
    remedy: {
      en: 'download the public key in 账户中心 → API安全 → 微信支付公钥, and put it with its id into the file',
      zh: '请在“账户中心 → API安全 → 微信支付公钥”下载公钥，与其 ID 一并填入商户文件',
    },
  },
  key_certificate: {
    item: 'keys',
    result: 'ok',
    says: {
      en: 'platform certificate {key_id} is valid from {from} until {until}',
      zh: '平台证书 {key_id} 有效期为 {from} 至 {until}',
    },
    remedy: null,
  },
  key_ending: {
    item: 'keys',
    result: 'question',
    says: {
      en: 'the newest platform certificate, {key_id}, ends at {until}',
      zh: '最新的平台证书 {key_id} 将于 {until} 到期',
    },
    remedy: {
      en: 'Weft takes its successor in by itself once WeChat Pay lists it; better go over to the public key, which has no end',
      zh: '新证书公布后 Weft 会自动接收；建议改用没有有效期的微信支付公钥',
    },
  },
  key_missing: {
    item: 'keys',
    result: 'failed',
    says: { en: 'there is no key of WeChat Pay’s in force', zh: '没有可用的微信支付公钥或平台证书' },
    remedy: {
      en: 'put the public key and its id from 账户中心 → API安全 → 微信支付公钥 into the file',
      zh: '请将“账户中心 → API安全 → 微信支付公钥”中的公钥及其 ID 填入商户文件',
    },
  },

  authority_named: {
    item: 'authority',
    result: 'ok',
    says: {
      en: 'each certificate was issued by those in {setting}',
      zh: '所有平台证书均由 {setting} 中的 CA 签发',
    },
    remedy: null,
  },
  authority_needless: {
    item: 'authority',
    result: 'ok',
    says: { en: 'not asked: the merchant has a public key', zh: '无需检查：该商户使用微信支付公钥' },
    remedy: null,
  },
  authority_unnamed: {
    item: 'authority',
    result: 'question',
    says: {
      en: '{setting} is not set, so certificates are held against dates and those before them only',
      zh: '未设置 {setting}，平台证书只核对有效期和前后签名关系',
    },
    remedy: {
      en: 'take WeChat Pay’s trust chain from its documentation, name the file; or use its public key',
      zh: '请从微信支付文档获取信任链证书并指定文件，或改用微信支付公钥',
    },
  },
  authority_refuses: {
    item: 'authority',
    result: 'failed',
    says: { en: 'certificate {key_id} is refused: {refusal}', zh: '平台证书 {key_id} 被拒绝：{refusal}' },
    remedy: {
      en: 'see that {setting} holds WeChat Pay’s whole chain; if it does, treat the APIv3 key as leaked (docs/operate.md)',
      zh: '请确认 {setting} 包含微信支付完整的 CA 链；若确实完整，请按 APIv3 密钥泄露处理（见 docs/zh-CN/operate.md）',
    },
  },
} as const satisfies Record<string, CheckOutcome>
