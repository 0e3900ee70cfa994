/** What descriptions of fields say, in Chinese, by what they say in English: orders, refunds, events, money. */
export const field_descriptions: Readonly<Record<string, string>> = {
  'RFC 9457. Further members by code, such as `state`, `allowed`, `required_scope`, `fields`.':
    'RFC 9457。视错误码还有其他字段，例如 `state`、`allowed`、`required_scope`、`fields`。',
  'a page about this code: /docs/errors/<code>': '该错误码的说明页：/docs/errors/<code>',
  'JSON Pointer': 'JSON Pointer',
  'true: send the identical request again': 'true：可原样重发请求',
  'how it is paid: a code to scan (NATIVE, when absent), in WeChat or a mini program (JSAPI), in a phone’s browser (MWEB), in an app (APP)':
    '支付方式：扫码（NATIVE，默认）、微信内或小程序（JSAPI）、手机浏览器（MWEB）、应用内（APP）',
  'one of the merchant’s; the first that fits trade_type when absent':
    '商户的 appid 之一；默认为第一个适用于 trade_type 的',
  'JSAPI must have it, no other method takes it; kept sealed, told to nobody':
    'JSAPI 必填，其他方式不接受；加密保存，不告知任何人',
  'the payer’s, of this very appid': '付款人在该 appid 下的 openid',
  'the payer’s own address as it reached the shop, IPv4 or IPv6; a public one':
    '商城所见的付款人自己的公网地址，IPv4 或 IPv6',
  'Wap: a browser, whatever the phone': 'Wap：浏览器，不限手机系统',
  'MWEB must have it, with h5_info; elsewhere payer_client_ip alone':
    'MWEB 必填且须含 h5_info；其他方式只需 payer_client_ip',
  'goes into the payer’s client as it is, while it can be paid; null: there is nothing to hand over, or only code_url':
    '可付款期间原样交给付款人的客户端；null 表示没有可交的，或只有 code_url',
  'seconds as text: iOS takes no number': '秒数，须为字符串：iOS 不接受数字',
  'for WeixinJSBridge.invoke("getBrandWCPayRequest")': '用于 WeixinJSBridge.invoke("getBrandWCPayRequest")',
  'for wx.requestPayment': '用于 wx.requestPayment',
  'for PayReq of WeChat’s OpenSDK': '用于微信 OpenSDK 的 PayReq',
  'opened by the payer’s browser, once, within five minutes': '由付款人的浏览器在五分钟内打开一次',
  'of which appids it is known what they are of: 公众号, 小程序, 移动应用':
    '已知类型的 appid：公众号、小程序、移动应用',
  'the trade_types that orders may have': '订单可用的 trade_type',
  'the merchant’s order number, 6–32 of letters, digits, _ - | *': '商户订单号，6–32 位字母、数字及 _ - | *',
  'the refund’s number, 1–64 of letters, digits, _ - | * @': '商户退款单号，1–64 位字母、数字及 _ - | * @',
  'what is bought; the payer sees it; at most 127 bytes in UTF-8': '商品描述，付款人可见；UTF-8 编码不超过 127 字节',
  'fen, an integer of at most 10,000,000,000': '分，整数，最大 10,000,000,000',
  'seconds the payer has, 120–604800; the merchant’s setting when absent': '可付款的秒数，120–604800；默认为商户设置',
  'instead of expire_in; changes on every retry if computed': '代替 expire_in；若由当前时间算出，每次重发都会不同',
  'the merchant’s own sale: two numbers of one sale are never both kept':
    '商户自己的一笔交易：同一笔交易的两个单号不会都收款',
  'at most 128 bytes in UTF-8; goes to WeChat Pay and comes back in its bills':
    '最多 128 字节（UTF-8）；会发给微信支付，并出现在账单中',
  'at most 20 keys and 6 kB of JSON; never leaves Weft except to the merchant':
    '最多 20 个键、6 kB 的 JSON；除商户外不会发给任何一方',
  'https, at most 512 bytes in UTF-8; where the payer goes back to, with out_trade_no once it is over':
    'https，最多 512 字节（UTF-8）；付款人返回的地址，结束后附带 out_trade_no',
  'the language of the checkout page; the browser’s when absent': '收银台的语言；默认按浏览器',
  'RFC 3339, +08:00, with milliseconds': 'RFC 3339，+08:00，带毫秒',
  'why a person should look': '须由人处理的原因',
  'what Weft does next by itself': 'Weft 接下来自动进行的动作',
  'the text of the QR code, while it can be paid': '二维码的内容，仅在可付款期间',
  'of the event that was sent to the merchant; null: none was': '发给商户的事件的序号；null 表示没有发送',
  'the refund that this is about': '所涉及的退款',
  'the payment, where it is not the order’s own': '所涉及的付款（不是订单自己的付款时）',
  'null on the last page': '最后一页为 null',
  'shipped, or cannot be': '已履约，或无法履约',
  'required when refused': '拒绝时必填',
  'these orders, at most 50': '指定的订单，最多 50 个',
  'of these sales, at most 50': '指定的 reference，最多 50 个',
  'orders in one of these states; created, awaiting_payment, closing when absent and no out_trade_no is given':
    '处于其中一种状态的订单；未填写且未指定 out_trade_no 时为 created、awaiting_payment、closing',
  'with one of these codes; any: with some': '带有其中一种提醒的订单；any 表示任意提醒',
  'true: count them, and ask nothing': 'true：只计数，不查询',
  'how many WeChat Pay is asked about now; of a preview how many orders there are':
    '正在查询的订单数；预览时为符合条件的订单数',
  'those it is asked about; of a preview none': '正在查询的单号；预览时为空',
  'not asked about: they were asked about less than 5 s ago, or are paid and on their way to being fulfilled':
    '未查询的单号：不到 5 秒前查询过，或已付款、正在履约',
  'an order whose last_check_time is not before this has its answer': '订单的 last_check_time 不早于该时刻，即已有结果',
  'keep the money as a sale, or give it back': '接受款项，交易成立；或退回款项',
  'a second payment of the order; its own payment when absent': '订单的重复付款；默认为订单自己的付款',
  'the order whose own payment is given back': '退回该订单自己的付款',
  'instead of out_trade_no: exactly this payment, a second one too':
    '代替 out_trade_no：指定一笔付款，也可以是重复付款',
  'the payment’s total; checked when sent': '付款总额；提交时会核对',
  'the payer sees it; at most 80 bytes in UTF-8': '付款人可见；UTF-8 编码不超过 80 字节',
  'WeChat Pay’s number': '微信支付的单号',
  'the payment’s': '付款的金额',
  'what leaves the merchant’s account at WeChat Pay': '从商户在微信支付的账户支出的金额',
  'null: none was asked for': 'null 表示不需要审批',
  'paid to the payer by hand': '线下退款给付款人',
  'to a bank card of the payer’s, or to the merchant’s own account, to be paid by hand from there':
    '退至付款人的银行卡，或退至商户自己的账户后线下退款',
  'WeChat Pay’s code of the bank, such as ICBC_DEBIT; of the payer’s card only, as the two below':
    '微信支付的银行类型，例如 ICBC_DEBIT；与下面两项一样，仅用于付款人的银行卡',
  'encrypted for WeChat Pay at once; never kept, never logged': '立即为微信支付加密，不保存，不记日志',
  'of the card’s owner; encrypted for WeChat Pay at once; never kept, never logged':
    '持卡人姓名；立即为微信支付加密，不保存，不记日志',
  'what shows that the payer has the money: a transfer’s number, a receipt':
    '证明付款人已收到款项的凭证：转账单号、回单',
  'with order=asc always there, to go on from; of a list null on the last page':
    'order=asc 时始终存在，用于继续；列表的最后一页为 null',
  'with order=asc: whether there is more to read now': 'order=asc 时：现在是否还有更多可读',
  'what an endpoint is sent, and what is read of it; told apart by its type; there will be more types':
    '发往地址的内容，查询事件时返回的也是它；以 type 区分，今后会有更多类型',
  'where it is read; not in what is sent': '仅在查询时返回，发送的内容中没有',
  'to which endpoints it goes, where it is read; not in what is sent':
    '投递到哪些地址，仅在查询时返回，发送的内容中没有',
  'the webhook-id of every attempt to deliver it': '每次投递尝试的 webhook-id',
  'counts per order, without gaps; null: it is about no order': '按订单递增，没有空号；null 表示与订单无关',
  'absent where its payment belongs to no order': '付款没有对应订单时不存在',
  'HTTP status; null: no answer came': 'HTTP 状态码；null 表示没有应答',
  'the first KiB of what was answered': '应答的前 1 KiB',
  'how it was understood: fulfilled, pending, refused, heard or not heard':
    '应答如何被理解：fulfilled、pending、refused、heard 或 not heard',
  'why it was refused, at most 200 characters': '拒绝的原因，最多 200 字',
  'why it is refused, at most 200 characters': '拒绝的原因，最多 200 字',
  'why the answer could not be read, or what in it looks like an error under a status of success':
    '应答无法解读的原因，或状态码为成功而内容像错误之处',
  'to this endpoint; to all when absent': '发往该地址；默认为全部地址',
  exclusive: '不含该时刻',
  'true: count them, and send nothing': 'true：只计数，不发送',
  'how many are sent now; of a preview how many there are': '正在发送的数量；预览时为总数',
  'of a preview: whether all were counted; else whether none is left': '预览时：是否已全部计入；否则：是否已无剩余',
  'to go on with; null: these were the last': '用于继续；null 表示已是最后一批',
  'https, public': 'https，公网地址',
  '“*”: all of them. “test.ping” comes on request, whatever is chosen':
    '“*” 表示全部。“test.ping” 应请求发送，与此处的选择无关',
  'whsec_…, shown this once': 'whsec_…，仅显示这一次',
  'false: there is more than is shown': 'false 表示还有未列出的',
  'what happened and what to do, in the language of Accept-Language': '发生了什么、怎么处理，语言按 Accept-Language',
  'fen that wait behind it': '涉及的金额（分）',
  'which of several things is meant, or what WeChat Pay itself said; null where the code says all':
    '指明具体是哪一个，或微信支付的原话；代码已说明一切时为 null',
  'the workflow in Temporal that cannot go on, the step that fails, and its last error':
    'Temporal 中无法继续的工作流、失败的步骤及最近的错误',
  'what Weft does next by itself; null: nothing happens without a person':
    'Weft 接下来自动进行的动作；null 表示须由人处理',
  'of this refund, not of the merchant itself': '针对该退款，而不是商户自身',
  'notification; query: WeChat Pay’s answer to a question; bill_line: to one that a bill led to; merchant':
    'notification：通知；query：微信支付对查询的答复；bill_line：由账单引起的查询的答复；merchant：商户的确认',
  'unsigned: WeChat Pay does not sign what is no success; both of its hosts said so':
    'unsigned：微信支付不对失败的答复签名，其两个域名的答复一致',
  'of the key that signed it': '签名所用密钥的序列号',
  'of the body as it came, hex': '收到的原始内容的摘要，十六进制',
  'how often it came again': '重复收到的次数',
  'what it led to; null: nothing so far': '产生的效果；null 表示尚无',
  'WeChat Pay’s Request-ID; null: it sent none': '微信支付的 Request-ID；null 表示没有提供',
  'what was said, in the clear; only with decrypt=true, else null': '明文内容；仅当 decrypt=true，否则为 null',
  'WeChat Pay’s moment': '微信支付记录的发生时间',
  ours: '本系统的入账时间',
  'the account’s sub-key: a number, or “-” where it has none': '科目的辅助核算项：单号，没有则为 “-”',
  'fen, debit positive, credit negative': '分，借方为正，贷方为负',
  'their amounts sum to 0': '金额合计为 0',
  'of what a bill says the bill: <mchid>/<day>/<type>/<version>': '来自账单的为账单标识：<商户号>/<日期>/<类型>/<版本>',
  'the entry that this one takes back': '本分录红字冲销的分录',
  'who corrected the book, and why; null of all other entries': '更正账本的人与原因；其他分录为 null',
  'all that was booked up to this moment': '截至该时刻的全部分录',
  'every account of the book, behind them those of movements that Weft does not know; fen, debit positive':
    '账本的全部科目，其后是未识别变动的科目；分，借方为正',
  'always 0: anything else is a fault': '始终为 0，否则即为故障',
  'of the merchant’s API certificate': '商户 API 证书的序列号',
  'of WeChat Pay’s public key': '微信支付公钥的 ID',
  'all that a person should look at; what concerns money first': '须由人处理的全部事项，涉及款项的在前',
  'fen of one payment; null: any number': '单笔付款的金额（分）；null 表示不限',
  'fen of a Beijing day; null: any number': '每个北京时间日的金额（分）；null 表示不限',
  'what takes the refunds that nobody approved above so many fen waits for a second person; null: none does':
    '未经审批的退款合计超过该金额（分）时须由另一人审批；null 表示都不需要',
  'what numbers of orders begin with; none: with anything': '订单号的前缀；为空表示不限',
  'millionths of the amount that settles: 0.6 % is 6000': '结算金额的百万分之几：0.6 % 为 6000',
  'null: all that have no rate of their own': 'null：没有单独费率的全部付款',
  'fen by which one payment may be off': '单笔允许的偏差（分）',
  'fen by which those beyond it may be off together': '超出单笔偏差的付款合计允许的偏差（分）',
  'what WeChat Pay may charge; null: fees are summed only': '微信支付可收取的手续费；null 表示只汇总手续费',
  'whose fund flows are fetched and posted: 基本账户, 运营账户, 手续费账户':
    '下载资金账单并入账的账户：基本账户、运营账户、手续费账户',
  'days for which files of bills are kept; null: for good': '账单文件的保留天数；null 表示永久',
  'how payers reach the merchant: on the checkout page': '付款人联系商户的方式，显示在收银台',
}
