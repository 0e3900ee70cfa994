import type { CheckOutcome } from './item.ts'

/** What looking at our own side can come to: settings, the notify address, the merchant's endpoint. */
export const own_outcomes = {
  settings_fit: {
    item: 'settings',
    result: 'ok',
    says: {
      en: 'merchant {mchid} is {mode} and enabled, its methods are {methods}',
      zh: '商户 {mchid} 为 {mode} 模式，已启用，支付方式：{methods}',
    },
    remedy: null,
  },
  settings_paused: {
    item: 'settings',
    result: 'question',
    says: { en: 'merchant {mchid} is paused and takes no new orders', zh: '商户 {mchid} 已暂停，不接收新订单' },
    remedy: {
      en: 'is that meant? "state": "enabled" in its file ends it',
      zh: '是否有意如此？在商户文件中设置 "state": "enabled" 即可恢复',
    },
  },
  settings_unfit: {
    item: 'settings',
    result: 'failed',
    says: { en: 'not fit for real money: {mistakes}', zh: '不适合真实资金：{mistakes}' },
    remedy: {
      en: 'correct the settings of this command, of api and of worker',
      zh: '请更正本命令以及 api、worker 的配置',
    },
  },
  setup_missing: {
    item: 'settings',
    result: 'failed',
    says: { en: 'the merchant has no WeChat Pay set-up', zh: '该商户没有微信支付配置' },
    remedy: {
      en: 'add "wechat" to its file and apply it: npm run merchant -- file.json',
      zh: '在商户文件中填写 "wechat"，再执行 npm run merchant -- file.json',
    },
  },
  setup_unusable: {
    item: 'settings',
    result: 'failed',
    says: { en: 'the WeChat Pay set-up cannot be used: {mistakes}', zh: '微信支付配置无法使用：{mistakes}' },
    remedy: {
      en: 'correct the merchant’s file and apply it; of a test merchant, set WEFT_TEST_WECHAT_URL',
      zh: '请更正商户文件并重新执行；test 商户还须设置 WEFT_TEST_WECHAT_URL',
    },
  },

  notify_in_the_clear: {
    item: 'notify_address',
    result: 'failed',
    says: { en: '{url} is not https: WeChat Pay sends nothing there', zh: '{url} 不是 https：微信支付不会通知该地址' },
    remedy: {
      en: 'put TLS in front of the api, set WEFT_PUBLIC_URL, and notify_url in the merchant’s file',
      zh: '在 api 前面配置 TLS，设置 WEFT_PUBLIC_URL，并更新商户文件中的 notify_url',
    },
  },
  notify_unresolved: {
    item: 'notify_address',
    result: 'failed',
    says: { en: '{host} has no address: {error}', zh: '域名 {host} 无法解析：{error}' },
    remedy: { en: 'add the name to the public DNS', zh: '请在公网 DNS 中添加解析' },
  },
  notify_private: {
    item: 'notify_address',
    result: 'failed',
    says: {
      en: '{host} leads to {addresses}, which is no public address',
      zh: '{host} 解析为 {addresses}，不是公网地址',
    },
    remedy: {
      en: 'have the name lead to the address under which your proxy is reached from the internet; if only this network resolves it so, run this from outside',
      zh: '请让域名解析到公网可访问的代理地址；若只有内网这样解析，请在外部网络执行本命令',
    },
  },
  notify_public: {
    item: 'notify_address',
    result: 'ok',
    says: { en: '{host} leads to the public {addresses}', zh: '{host} 解析到公网地址 {addresses}' },
    remedy: null,
  },
  notify_of_a_test: {
    item: 'notify_address',
    result: 'ok',
    says: {
      en: '{url} is a test merchant’s: only the simulator has to reach it',
      zh: '{url} 属于 test 商户：只需模拟器能够访问',
    },
    remedy: null,
  },
  notify_tls: {
    item: 'notify_address',
    result: 'ok',
    says: {
      en: 'its certificate, by {issuer}, is valid until {until}, with a whole chain',
      zh: '其 https 证书由 {issuer} 签发，有效期至 {until}，证书链完整',
    },
    remedy: null,
  },
  notify_tls_ending: {
    item: 'notify_address',
    result: 'question',
    says: { en: 'its certificate ends at {until}', zh: '其 https 证书将于 {until} 到期' },
    remedy: {
      en: 'is it renewed by itself? WeChat Pay notifies no address whose certificate has ended',
      zh: '是否会自动续期？证书过期后微信支付不会通知该地址',
    },
  },
  notify_tls_bad: {
    item: 'notify_address',
    result: 'failed',
    says: { en: 'its certificate is not trusted: {error}', zh: '其 https 证书不被信任：{error}' },
    remedy: {
      en: 'use a certificate of a public CA for exactly this name, and have the server send the intermediate certificates too',
      zh: '请使用公共 CA 为该域名签发的证书，并在服务器上配置完整的中间证书',
    },
  },
  notify_answered: {
    item: 'notify_address',
    result: 'ok',
    says: {
      en: 'a message with WeChat Pay’s headers came through to this installation, which refused it as it should',
      zh: '带微信签名头的测试消息已送达本套 Weft，并按预期被拒绝',
    },
    remedy: null,
  },
  notify_away: {
    item: 'notify_address',
    result: 'failed',
    says: { en: '{url} does not answer: {error}', zh: '{url} 没有应答：{error}' },
    remedy: {
      en: 'see that the api runs and that proxy and firewall let POST through to it, without a login',
      zh: '请确认 api 正在运行，代理和防火墙放行 POST 请求，且不要求登录',
    },
  },
  notify_redirected: {
    item: 'notify_address',
    result: 'failed',
    says: { en: '{url} answers {status}, a redirect to {location}', zh: '{url} 应答 {status}，重定向到 {location}' },
    remedy: {
      en: 'WeChat Pay follows no redirect: have exactly this address lead to the api, or set notify_url to where it leads',
      zh: '微信支付不跟随重定向：请让该地址直接到达 api，或将 notify_url 改为最终地址',
    },
  },
  notify_stranger: {
    item: 'notify_address',
    result: 'failed',
    says: { en: '{url} answers {status}, and not as Weft', zh: '{url} 应答 {status}，但不是 Weft' },
    remedy: {
      en: 'something before the api answers in its place (firewall, login, another site): lead the path /wechat/notify/ to it unchanged',
      zh: '有其他程序（防火墙、登录页或其他网站）代为应答：请将 /wechat/notify/ 原样转发到 api',
    },
  },
  notify_elsewhere: {
    item: 'notify_address',
    result: 'failed',
    says: {
      en: 'a Weft answers {status} at {url}, and not for this merchant',
      zh: '{url} 的 Weft 应答 {status}，但不认识该商户',
    },
    remedy: {
      en: 'see that the address ends in /wechat/notify/{mchid} and leads to the installation with this database',
      zh: '请确认地址以 /wechat/notify/{mchid} 结尾，并到达使用本数据库的那套 Weft',
    },
  },
  notify_unrecorded: {
    item: 'notify_address',
    result: 'failed',
    says: {
      en: 'a Weft answers at {url}, and the message with WeChat Pay’s headers has not come to this database',
      zh: '{url} 的 Weft 有应答，但带微信签名头的测试消息没有到达本数据库',
    },
    remedy: {
      en: 'either a proxy drops the Wechatpay-… headers or changes the body, or it is another installation, or its clock is more than 300 s off',
      zh: '可能是代理丢弃了 Wechatpay-… 请求头或修改了消息体，也可能是另一套 Weft，或其时钟偏差超过 300 秒',
    },
  },
  notify_untold: {
    item: 'notify_address',
    result: 'question',
    says: {
      en: 'a Weft answers at {url}; whether it is this one was looked at too often just now',
      zh: '{url} 的 Weft 有应答；由于刚才检查过于频繁，无法确认是否为本套',
    },
    remedy: { en: 'run this again in five minutes', zh: '请在五分钟后重新执行' },
  },
  notify_failing: {
    item: 'notify_address',
    result: 'failed',
    says: { en: 'Weft answers {status} at {url}', zh: '{url} 的 Weft 应答 {status}' },
    remedy: {
      en: 'its log says why: database away, or no key of WeChat Pay’s loaded',
      zh: '原因见其日志：数据库不可用，或尚未加载微信支付公钥/平台证书',
    },
  },

  notification_genuine: {
    item: 'notification',
    result: 'ok',
    says: {
      en: 'WeChat Pay itself reached it: the last notification came at {time}, of {out_trade_no}',
      zh: '微信支付已成功通知：最近一次为 {time}，订单 {out_trade_no}',
    },
    remedy: null,
  },
  notification_none: {
    item: 'notification',
    result: 'question',
    says: {
      en: 'none has come from WeChat Pay so far, and only one that comes shows its way in',
      zh: '尚未收到微信支付的通知，只有真实通知才能证明其可达',
    },
    remedy: {
      en: 'buy something for ¥0.01, give it back, and run this again',
      zh: '请购买 ¥0.01 的商品并退款，然后重新执行',
    },
  },

  fulfilment_none: {
    item: 'fulfilment',
    result: 'ok',
    says: { en: 'mode none: what is paid counts as shipped', zh: 'none 模式：付款即视为已履约' },
    remedy: null,
  },
  fulfilment_unasked: {
    item: 'fulfilment',
    result: 'question',
    says: {
      en: 'mode none: what is paid counts as shipped, whatever the fulfilment endpoint answers. Is that meant?',
      zh: 'none 模式：付款即视为已履约，与履约地址的应答无关。确定如此？',
    },
    remedy: {
      en: 'where the endpoint is to decide, put {"settings": {"fulfilment": {"mode": "event"}}} into the merchant’s file and apply it',
      zh: '如应由该地址决定，请在商户文件中写入 {"settings": {"fulfilment": {"mode": "event"}}} 并重新执行',
    },
  },
  fulfilment_confirm: {
    item: 'fulfilment',
    result: 'question',
    says: {
      en: 'mode confirm: you call POST /v1/orders/{number}/fulfilment within {hours} h',
      zh: 'confirm 模式：由您在 {hours} 小时内调用 POST /v1/orders/{number}/fulfilment',
    },
    remedy: { en: 'does your backend do that?', zh: '您的后端是否已实现？' },
  },
  fulfilment_missing: {
    item: 'fulfilment',
    result: 'failed',
    says: { en: 'mode event, and there is no endpoint that decides', zh: 'event 模式，但没有履约地址' },
    remedy: {
      en: 'add an endpoint with the role fulfilment to the merchant’s file, or by POST /v1/endpoints',
      zh: '请在商户文件中或通过 POST /v1/endpoints 添加 role 为 fulfilment 的地址',
    },
  },
  fulfilment_disabled: {
    item: 'fulfilment',
    result: 'failed',
    says: { en: '{url} is disabled: {reason}', zh: '{url} 已停用：{reason}' },
    remedy: {
      en: 'mend it, then POST /v1/endpoints/{endpoint_id}/enable',
      zh: '修复后调用 POST /v1/endpoints/{endpoint_id}/enable',
    },
  },
  fulfilment_heard: {
    item: 'fulfilment',
    result: 'ok',
    says: {
      en: '{url} answered test.ping with {status}, which is read as “{read_as}”',
      zh: '{url} 对 test.ping 应答 {status}，识别为“{read_as}”',
    },
    remedy: null,
  },
  fulfilment_unheard: {
    item: 'fulfilment',
    result: 'failed',
    says: { en: '{url} did not take test.ping: {answer}', zh: '{url} 没有接受 test.ping：{answer}' },
    remedy: {
      en: 'mend the endpoint: it verifies the signature and answers 2xx within 15 s (docs/integrate.md)',
      zh: '请修复该地址：应校验签名并在 15 秒内返回 2xx（见 docs/zh-CN/integrate.md）',
    },
  },
  fulfilment_untold: {
    item: 'fulfilment',
    result: 'failed',
    says: {
      en: 'test.ping to {url} was not sent within {seconds} s: {error}',
      zh: '{seconds} 秒内未能向 {url} 发送 test.ping：{error}',
    },
    remedy: {
      en: 'see that a worker runs and that TEMPORAL_… of this command is that of the workers; the ping still goes out once one does',
      zh: '请确认 worker 正在运行，且本命令的 TEMPORAL_… 与其一致；worker 恢复后该 ping 仍会发出',
    },
  },
} as const satisfies Record<string, CheckOutcome>
