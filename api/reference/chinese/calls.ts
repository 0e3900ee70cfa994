/** What descriptions of endpoints, their parameters and answers say, in Chinese, by what they say in English. */
export const call_descriptions: Readonly<Record<string, string>> = {
  'WeChat Pay orders that cannot get lost. Amounts are integer fen. Known fields are always present, null when unknown; new fields and values may appear, so ignore what you do not know. Unknown request fields are refused.':
    '不会丢失的微信支付订单。金额为整数，单位为分。已知字段始终存在，未知时为 null；今后可能增加字段和取值，请忽略不认识的内容。请求中的未知字段会被拒绝。',
  'Places the order at WeChat Pay and answers with a code to scan, or what opens the payer’s client. Safe to repeat: the same body is answered with the order as it is now. After 202 repeat the same request until the state is no longer “created”.':
    '在微信支付下单，并返回可扫描的二维码，或调起付款人客户端的参数。可以安全地重发：同一请求体返回订单的当前状态。收到 202 后请原样重发，直到状态不再是 created。',
  'placed: client or code_url, and checkout_url, are live': '已下单：client 或 code_url 以及 checkout_url 可用',
  'The stored code, or, when it is older than 110 minutes (of MWEB 4), a new one: the old code then dies. `client` is signed anew each time.':
    '已有的二维码或支付参数；超过 110 分钟（MWEB 为 4 分钟）则返回新的，旧的随即失效。`client` 每次重新签名。',
  'Weft-Bill-Sha1 is the SHA-1 that WeChat Pay signed, of the file without any content coding. An answer that ends early, or has fewer bytes than its Content-Length, is not whole. A bill without trade has no file: 404 `original_absent`. One that is damaged here is fetched anew: 503 `original_damaged`, ask again.':
    'Weft-Bill-Sha1 是微信支付签名的 SHA-1，针对未经内容编码的文件。提前结束或字节数少于 Content-Length 的应答不完整。没有交易的账单没有文件：404 `original_absent`。本地损坏的原始账单会重新下载：503 `original_damaged`，请稍后再试。',
  'said back in the answer where it is 1–64 of letters, digits, _ -; else one is made':
    '若为 1–64 位的字母、数字或 _ -，应答会原样返回；否则自动生成',
  'address and headers are over 8 kB together: no body': '请求地址与请求头合计超过 8 kB：没有应答体',
  'a repeat: the order as it is now': '重发：订单的当前状态',
  'accepted here; WeChat Pay is silent or refuses the merchant’s set-up. Repeat the same request':
    '已受理；微信支付没有答复，或拒绝了商户的配置。请原样重发',
  'entries per page': '每页条数',
  'next_cursor of the page before': '上一页的 next_cursor',
  'next_cursor of the call before': '上一次调用的 next_cursor',
  'one or several, comma-separated': '一个或多个，以逗号分隔',
  'one or several, comma-separated; one that holds commas itself is found as well':
    '一个或多个，以逗号分隔；自身含逗号的取值也能查到',
  'by its refunds, the merchant’s own too: any, one that the payer has, none':
    '按退款筛选，含商户自己发起的：any 有退款，succeeded 付款人已收到退款，none 没有退款',
  'RFC 3339, any offset': 'RFC 3339，时区不限',
  'a page of orders': '订单列表，分页',
  'the order': '订单',
  'An order is closed when WeChat Pay says so. After 202 read the order, or repeat the request.':
    '以微信支付的答复为准才算关闭。收到 202 后请查询订单，或重发请求。',
  'closed at WeChat Pay': '已在微信支付关单',
  'closing: WeChat Pay is not yet certain': '关闭中：微信支付尚未确定',
  'At most one question per 5 s and order; otherwise the last answer, see last_check_time.':
    '每个订单每 5 秒最多查询一次；更频繁时返回上次的结果，见 last_check_time。',
  'the order as it is now': '订单的当前状态',
  'Each as POST /v1/orders/{out_trade_no}/check asks, without waiting for the answer: that is in the order, as soon as its last_check_time is not before the time told here. Count them first, with preview; then repeat the call with its next_cursor until that is null. Of one merchant five calls go at once, and then one in ten seconds.':
    '逐笔按 POST /v1/orders/{out_trade_no}/check 查询，但不等待结果：订单的 last_check_time 不早于应答中的 time 时，结果已在订单中。请先用 preview 计数，再带上 next_cursor 重复调用，直到它为 null。每个商户可连续调用五次，之后每十秒一次。',
  'a preview: how many there are': '预览：共有多少',
  'WeChat Pay is asked about these': '正在向微信支付查询这些订单',
  'not placed yet: WeChat Pay is silent. Repeat the request': '尚未下单：微信支付没有答复。请重发请求',
  'Decided once: the same answer again is 200, another one 409. A refusal leads to a refund by default.':
    '只决定一次：同样的答复再次提交为 200，不同的为 409。默认情况下，拒绝履约会导致退款。',
  'kept durably; it takes effect as soon as a worker is back': '已持久保存，worker 恢复后即生效',
  'Of an order in review, or of a second payment named by transaction_id. Rejected money goes back by itself. Decided once: the same answer again is 200, another one 409.':
    '针对待人工处理的订单，或由 transaction_id 指定的重复付款。被拒绝的款项会自动退回。只决定一次：同样的决定再次提交为 200，不同的为 409。',
  'Reserves the amount on the payment, then asks WeChat Pay for the refund until it is certain. Safe to repeat: the same body is answered with the refund as it is now. After 202 repeat the same request until the state is no longer “created”. A number that was refused here was never sent, and may be sent again with any body.':
    '在该笔付款上锁定可退金额，再向微信支付申请退款，直到结果确定。可以安全地重发：同一请求体返回退款的当前状态。收到 202 后请原样重发，直到状态不再是 created。在此被拒绝的单号从未发往微信支付，可以用任意请求体再次提交。',
  'a repeat: the refund as it is now': '重发：退款的当前状态',
  'reserved: on its way, or waiting for an approval': '已锁定可退金额：处理中，或等待审批',
  'accepted here, not reserved yet. Repeat the same request': '已受理，尚未锁定可退金额。请原样重发',
  'Those that Weft made by itself and those made outside it are among them: see origin.':
    '包含 Weft 自动发起的退款和在 Weft 之外发起的退款，见 origin。',
  'a page of refunds': '退款列表，分页',
  'the refund': '退款',
  'At most one question per 5 s and refund; otherwise the last answer, see last_check_time. A number that Weft does not know is asked about too: a refund made in WeChat Pay’s console is then taken in, with origin “outside”.':
    '每笔退款每 5 秒最多查询一次；更频繁时返回上次的结果，见 last_check_time。Weft 不认识的单号也会查询：在微信支付商户平台发起的退款会被纳入，origin 为 outside。',
  'the refund as it is now': '退款的当前状态',
  'A refund above the merchant’s refund_approval limit waits for a second person: never for the key that asked for it. Decided once: the same answer again is 200, another one 409.':
    '超过商户 refund_approval 限额的退款须由另一人审批，不能使用申请退款的同一密钥。只决定一次：同样的决定再次提交为 200，不同的为 409。',
  'Where what goes back of the payment is above the merchant’s refund_approval, of a payment or of a day, another card is named by a second person: a key with refunds:approve, never the one that asked for the refund.':
    '该付款的退款合计超过商户的 refund_approval（单笔付款或单日）时，须由另一人指定其他银行卡：使用有 refunds:approve 权限的密钥，且不能是申请退款的同一密钥。',
  'For a refund that WeChat Pay paid to the merchant, closed or refused. It is booked, and the payer is owed nothing more. Recorded once: the same proof again is 200, another one 409.':
    '用于微信支付退到商户账户、已关闭或已拒绝的退款。登记后入账，不再欠付款人。只登记一次：同样的凭证再次提交为 200，不同的为 409。',
  'With order=asc the feed, for shops without a public address: in the order in which events can be read, each at least once and never one left out. Its next_cursor is always there: keep it with what you have done, and go on from it, at once while has_more is true, else later. Without order=asc, or of one out_trade_no, a list to look things up.':
    'order=asc 为事件流，供没有公网地址的商城使用：按事件可读的先后排列，每个至少一次，绝不遗漏。next_cursor 始终存在：请与处理结果一并保存，并从它继续；has_more 为 true 时立即继续，否则稍后。不带 order=asc，或只查一个 out_trade_no 时，是供查阅的列表。',
  'oldest or newest first': 'asc 最早的在前，desc 最新的在前',
  'a page of events': '事件列表，分页',
  'the event': '事件',
  'a page of deliveries': '投递列表，分页',
  'the delivery': '投递',
  'Under the same webhook-id, hence harmless; beside the order of events, and without any effect on the order. A delivery that is still under way needs no other, nor one that was asked for less than 5 s ago; of one merchant 200 go at once, and then 10 a second. Read the delivery for what came of it.':
    '沿用同一 webhook-id，因此无害；不受事件先后顺序约束，对订单没有任何影响。仍在进行的投递，以及不到 5 秒前请求过的投递，不会再发；每个商户可连续 200 次，之后每秒 10 次。结果请查询该投递。',
  'it is sent now; the delivery as it was before': '正在发送；返回发送之前的投递',
  'Each as POST /v1/deliveries/{delivery_id}/redeliver sends it: under its webhook-id, beside the order of events, without any effect on an order. Count them first, with preview; then repeat the call with its next_cursor until that is null. Of one merchant five calls go at once, and then one in ten seconds. What is still not heard stays undelivered.':
    '逐个按 POST /v1/deliveries/{delivery_id}/redeliver 发送：沿用各自的 webhook-id，不受事件先后顺序约束，对订单没有任何影响。请先用 preview 计数，再带上 next_cursor 重复调用，直到它为 null。每个商户可连续调用五次，之后每十秒一次。仍未送达的保持 undelivered。',
  'these are sent now': '正在发送这些事件',
  'The secret is shown in this answer and never again. The answer of the one fulfilment endpoint to order.paid decides, in fulfilment mode “event”; observers are only notified. The same URL again answers the existing endpoint without a secret, or 409 where it differs; 201 with a further secret where a fulfilment endpoint was left half made by a failure.':
    '密钥只在本次应答中显示一次。履约模式为 event 时，由唯一的履约地址对 order.paid 的应答决定是否履约；observer 为仅订阅通知的地址。同一 URL 再次提交会返回已有的地址（不含密钥），内容不同则为 409；若履约地址因故障只建成一半，则返回 201 和另一个密钥。',
  'the existing one': '已有的地址',
  'made; keep the secret': '已登记；请保存密钥',
  'all of them': '全部地址',
  'the endpoint': '地址',
  gone: '已删除',
  'It becomes the one fulfilment endpoint; the one before stays, as an observer. What was sent to that one and is not answered yet is still answered there. A repeat is answered with 200 as well.':
    '成为唯一的履约地址；原来的履约地址保留，改为仅订阅通知的地址。已发往原地址、尚未答复的事件仍由原地址答复。重复提交同样返回 200。',
  'the endpoint, whose answers decide': '该地址，今后由它的应答决定',
  'An observer is disabled by 410 or after five days of failure. It hears of what happens from now on; what it missed is in GET /v1/events. A repeat is answered with 200 as well.':
    '仅订阅通知的地址在应答 410 或连续失败五天后被停用。重新启用后只收到此后的事件，错过的见 GET /v1/events。重复提交同样返回 200。',
  'the endpoint, enabled': '该地址，已启用',
  'Signed and sent like any event, once and to this endpoint alone; nothing follows from its answer. That of the fulfilment endpoint is read as if it decided about an order: read_as of the attempt says fulfilled, pending, refused or not heard, and remark why it could not be read.':
    '与其他事件一样签名和发送，仅一次、仅发往该地址，应答不产生任何后果。履约地址的应答按决定订单的方式解读：尝试中的 read_as 为 fulfilled、pending、refused 或 not heard，remark 说明无法解读的原因。',
  'it was answered, or not: its delivery, with the one attempt': '已应答或未应答：该投递及其唯一一次尝试',
  'it is still under way: read the delivery': '仍在进行：请查询该投递',
  'Orders, checkouts, refunds, money without an order, the merchant itself and events that were given up. There are no pages: resolve what is shown, and the rest follows; is_complete says whether there is more.':
    '包括订单、收银单、退款、无对应订单的付款、商户自身，以及已放弃的事件。不分页：处理完所列事项，其余的会随后出现；is_complete 表示是否还有更多。',
  'at most so many; 100 when absent': '最多返回的条数；默认为 100',
  'what is stuck; empty when nothing is': '待处理的事项；没有则为空',
  'Removes an attention of the merchant itself (kind merchant); it comes back when its cause does. With out_refund_no, refund_number_taken of that refund, or refund_closed of one that was asked for. Any other attention of an order, a refund or a payment is removed only by a decision on it. A repeat is answered with 200 as well.':
    '消除商户自身（kind 为 merchant）的一条提醒；原因再次出现时它会再次出现。带 out_refund_no 时，消除该退款的 refund_number_taken，或曾被请求的退款的 refund_closed。订单、退款或付款的其他提醒只能通过相应的决定消除。重复提交同样返回 200。',
  'what is still stuck': '仍待处理的事项',
  'Notifications and answers as they were kept before anything was done about them, refunds’ included.':
    '通知与答复，按处理之前保存的原样，含退款的。',
  'a page of evidence': '证据列表，分页',
  'With decrypt=true what was said, which may name the payer: takes the scope evidence:decrypt as well, and each such reading is logged with its key. What cannot be decrypted any more is shown as it came.':
    'decrypt=true 时返回明文，其中可能含有付款人信息：还需要 evidence:decrypt 权限，每次查看都会连同密钥记入日志。已无法解密的按原样返回。',
  'the evidence': '证据',
  'What each account means, and what each event books: docs/money.md.':
    '各科目的含义与每个事件的记账见 docs/zh-CN/money.md。',
  'by WeChat Pay’s moment': '按微信支付记录的发生时间',
  'a page of entries': '分录列表，分页',
  'as the book stood then; now when absent': '账本在该时刻的余额；默认为现在',
  'the balances': '余额',
  'WeChat Pay’s bills of the day are fetched, and everything is compared anew. Every day is, by itself. 100 at once, and then one in 5 s.':
    '下载当日的微信支付账单并重新核对。每天都会自动进行。可连续 100 次，之后每 5 秒一次。',
  'a Beijing day, 2026-11-22': '北京时间的日期，例如 2026-11-22',
  'it has begun': '已开始',
  'the day': '该日',
  'the first day, Beijing': '起始日，北京时间',
  'the last day, with it': '结束日，含当日',
  'a page of days': '各日对账结果，分页',
  'a page of differences': '差异列表，分页',
  'fen and number, youngest first': '金额（分）与笔数，时间最短的在前',
  'the difference': '差异',
  'Each change is an entry of its timeline, which takes 200 of them. What is not given stays as it is.':
    '每次变更都是时间线上的一条，最多 200 条。未提交的字段保持不变。',
  'Read from the original each time, so that no copy of it outlives the bill. About three in a second.':
    '每次都从原始账单读取，账单删除后不留副本。每秒约三次。',
  'the line': '该行',
  'trade: 交易账单; fundflow: 资金账单 of the basic account; fundflow_operation, fundflow_fees: of the others that are fetched':
    'trade：交易账单；fundflow：基本账户资金账单；fundflow_operation、fundflow_fees：运营账户、手续费账户资金账单（若已配置下载）',
  'the bill': '账单',
  'the newest without it': '默认为最新版本',
  'the file': '文件',
  'In the order of the lines, the first 10,000; how many there are, and what they come to, is in `versions` of the bill. Compared is what Weft reads: not names of goods and other text, and not the balance, which follows from the lines before. 404: the first version, or one that was not compared, since its day was not looked at or one of the two files is not whole.':
    '按行的顺序，前 10,000 条；总数与合计见账单的 `versions`。只比较 Weft 读取的内容：不含商品名称等文本，也不含由前面各行得出的余额。404：第一个版本，或未作比较的版本（当日未对账，或两个文件之一不完整）。',
  'a page of lines': '账单行列表，分页',
  'CSV for spreadsheets (UTF-8 with a byte-order mark, CRLF), or a page to print. Amounts are numbers in yuan. Order numbers begin with a tab, so that a spreadsheet keeps them as text.':
    '供表格软件使用的 CSV（UTF-8 带 BOM，CRLF），或可打印的页面。金额为数字，单位为元。单号以制表符开头，使表格软件按文本保存。',
  'the language; without it that of Accept-Language, and Chinese where there is none':
    '语言；默认按 Accept-Language，两者都没有则为中文',
  'without it by Accept, csv where that has no say': '默认按 Accept，未指明则为 csv',
  'the statement': '对账单',
  'With bill_date and no state, all that a day found, over or not. Form: see the statement of a day.':
    '只带 bill_date、不带 state 时，为当日发现的全部差异，无论是否已了结。格式同当日的财务对账单。',
  'the list': '列表',
  'To be checked without database or network by `npm run reconcile -- --verify day.zip`. The same records make the same bytes. An answer that ends early is no archive.':
    '可用 `npm run reconcile -- --verify day.zip` 在没有数据库和网络的情况下校验。相同的记录得到相同的字节。提前结束的应答不是有效的存档。',
  'the archive': '存档',
  'Of many, repeat the call with `after` until `next` is null: what was done once is not done again, so a call that broke off is simply made again. Above the merchant’s refund_approval, counted over the sum of the call, accept_wechat and refund are proposed by one key and done by the same request of another that has refunds:approve. refund gives back all that is left of each payment, needs the scope refunds:write too, and names each refund by its difference.':
    '数量很多时，请带上 `after` 重复调用，直到 `next` 为 null：已处理的不会再次处理，中断的调用原样重发即可。整次调用的合计超过商户的 refund_approval 时，accept_wechat 与 refund 由一个密钥提出，再由另一个有 refunds:approve 权限的密钥提交同样的请求来执行。refund 退回每笔付款的全部可退金额，还需要 refunds:write 权限，退款单号由差异得出。',
  'what was done, what was left out and why, and what is left': '已处理的、略过的及原因，以及剩余的',
  'of the differences that were looked at, those that it is or would be done about': '所查看的差异中，已处理或将处理的',
  'fen that they move; of check, ignore and reopen fen at stake':
    '涉及入账或退款的金额（分）；check、ignore、reopen 为差异金额',
  'a second person has to make the same request': '须由另一人提交同样的请求',
  'the ids of the first of them': '其中前若干条的 id',
  'of the same kind and days, in a state in which it can be done': '同类、同日期且处于可处理状态的',
  'more of them stand behind this one; null: these were all': '其后还有更多；null 表示已是全部',
  'Above the merchant’s refund_approval, accept_wechat is proposed by one key and accepted by the same request of another that has refunds:approve; a refund waits for its own approval. refund needs the scope refunds:write too.':
    '超过商户的 refund_approval 时，accept_wechat 由一个密钥提出，再由另一个有 refunds:approve 权限的密钥提交同样的请求来认可；退款另有自己的审批。refund 还需要 refunds:write 权限。',
  'the difference as it is now, or the preview': '差异的当前状态，或预览',
  'recorded; it is being done, or a second person has to accept': '已登记；正在执行，或须由另一人认可',
  'Payments and refunds of the day as they are recorded here, fees as its bill has them; orders by the day on which they were created, as they were at the day’s last look. Days that were not looked at yet are left out.':
    '付款与退款按本地记录，手续费按账单；订单按创建日，以该日最近一次对账时的状态为准。尚未对账的日期不列出。',
  'the last day, with it at most 92 days': '结束日，含当日，最多 92 天',
  'json without it': '默认为 json',
  'the report': '报表',
  'The lag is from success_time to the first arrival. Of rejected ones only the newest thousand are kept. Days that were not looked at yet are left out.':
    '时延为 success_time 到首次到达。被拒绝的通知只保留最近一千条。尚未对账的日期不列出。',
  'By the day on which an order was created, as it was at the day’s last look. Days that were not looked at yet are left out.':
    '按订单创建日，以该日最近一次对账时的状态为准。尚未对账的日期不列出。',
  'As far as it is recorded: of rejected notifications only the newest thousand are kept. Days that were not looked at yet are left out.':
    '以记录为限：被拒绝的通知只保留最近一千条。尚未对账的日期不列出。',
  'In 1/1000 fen. Days that were not looked at yet are left out.': '单位为千分之一分。尚未对账的日期不列出。',
  'the merchant': '商户',
  'the event’s id: the same on every attempt': '事件 id，每次尝试都相同',
  'Unix seconds of this attempt': '本次尝试的 Unix 秒数',
  'v1,… by HMAC-SHA-256, several while a secret is changed': 'v1,…，HMAC-SHA-256；更换密钥期间有多个',
  'heard. What the fulfilment endpoint says to order.paid decides: an empty body means fulfilled':
    '已送达。履约地址对 order.paid 的应答决定是否履约：空的 body 表示已履约',
  'not heard: it is sent again': '未送达：会再次发送',
  'weft_live_… or weft_test_…': 'weft_live_… 或 weft_test_…',
}
