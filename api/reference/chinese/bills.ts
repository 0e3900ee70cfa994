/** What descriptions of fields say, in Chinese, by what they say in English: bills, days, differences. */
export const bill_descriptions: Readonly<Record<string, string>> = {
  'none: WeChat Pay said that there was no trade, so this version has no file':
    'none：微信支付答复当日没有交易，该版本没有文件',
  'the bill is whole, and every line of it and every record agree': '账单完整，且每一行与每条记录一致',
  'why it is not proven, but for its differences': '除差异之外未核实的原因',
  'on one side only so far; the other may still come': '目前只有一方，另一方可能稍后出现',
  'of other systems on this merchant number': '使用同一商户号的其他系统的',
  'lines that cannot be read': '无法读取的行',
  'lines of WeChat Pay’s bill by class; they add up to `all`': '微信支付账单的行数，按类别；合计为 `all`',
  'payments and refunds recorded here, by class': '本地记录的付款与退款，按类别',
  'what the bill says, in fen, without foreign lines': '账单的合计（分），不含其他系统的行',
  'what is recorded here, in fen': '本地记录的合计（分）',
  'by appid and shape of number (`*`: any), those of most money first; at most 20':
    '按 appid 与单号形态（`*` 表示任意）分组，金额大的在前，最多 20 组',
  'what other systems took and gave back, in fen': '其他系统的收款与退款（分）',
  'of the basic account at WeChat Pay, in fen; null: the day has no movement':
    '微信支付基本账户的余额（分）；null 表示当日没有变动',
  'the same of each account whose fund flow was compared: those that `settings.bills.accounts` names':
    '同上，适用于每个已核对资金账单的账户，即 `settings.bills.accounts` 所列',
  业务类型: '业务类型',
  'movements under words that Weft does not know, booked on other.<业务类型>, or on wechat.transfer where another account has its other side; at most 20 words':
    'Weft 不认识的业务类型的变动，记入 other.<业务类型>；若另一账户有对应变动则记入 wechat.transfer；最多 20 种',
  'by the merchant’s fee_contract; null: it has none': '按商户的 fee_contract；null 表示没有约定',
  'payments charged as agreed, within a line’s tolerance': '按约定收费（在单笔偏差之内）的付款',
  'null: this look did not count them': 'null 表示本次对账没有统计',
  'what they are off by': '偏差金额',
  'payments charged less': '少收的付款',
  'payments charged more': '多收的付款',
  'fees that are not whole fen': '不是整数分的手续费',
  'in 1/1000 fen, as the bill has them': '千分之一分，与账单一致',
  'how many of each kind are not over': '各类未了结差异的数量',
  'open differences of which no difference.opened was sent': '未发送 difference.opened 的待处理差异',
  'lines that the bills which were read, issued anew, have otherwise than before; which: GET /v1/bills/{bill_date}/{type}/changes':
    '重新出具的账单与之前不同的行；明细见 GET /v1/bills/{bill_date}/{type}/changes',
  'null: they are being posted': 'null 表示正在入账',
  'what the bills of the day move in the book, by account, in fen, debit positive; null: not posted':
    '当日账单在账本中的变动，按科目，分，借方为正；null 表示未入账',
  'null: this day was last looked at by a version that kept only the text': 'null：该日由只保存文本的旧版本核对',
  'in the language of Accept-Language; in events English': '语言按 Accept-Language；事件中为英文',
  'what the text speaks of; amounts in fen': '文本涉及的取值；金额单位为分',
  'what the kind means, in the language of Accept-Language': '该种类的含义，语言按 Accept-Language',
  'waiting: the other side may still come; open: a person has to look; healed, ignored: over':
    'waiting：另一方可能稍后出现；open：须由人处理；healed、ignored：已了结',
  'fen at stake': '涉及的金额（分）',
  'what disagrees; of a malformed line why it cannot be read': '不一致之处；无法读取的行为其原因',
  'the line of the bill; null: none': '账单的行；null 表示没有',
  'what is recorded here; null: nothing': '本地记录；null 表示没有',
  'what WeChat Pay said when it was asked': '微信支付对查询的答复',
  'when it must be settled; of what waits, when the other side must have come':
    '处理期限；等待中的为另一方最迟出现的时间',
  'who works on it': '负责人',
  'somebody wants this done; a second person has to': '有人提出的处理，须由另一人执行',
  'entries of the book that it posted': '已入账的分录',
  'what a person had done about it last': '人工最近一次处理的结果',
  'where its day, the line as WeChat Pay wrote it, its order with the timeline, its refund (or the one that was asked for) and its book entries are read; order and refund null: none is recorded here':
    '读取该日、微信支付原始行、订单及时间线、退款（或所申请的退款）、账本分录的地址；order 与 refund 为 null 表示本地没有记录',
  'full days since the end of the difference’s day': '自差异所属日结束起的整天数',
  'exclusive; null: without an end': '不含该值；null 表示没有上限',
  'of the trade bill that was read': '所读取的交易账单的版本',
  'its number in the file, from 1; of a record of several lines the first': '在文件中的行号，从 1 起；跨多行的为首行',
  'base64, at most 4 KiB of it': 'base64，最多 4 KiB',
  'the same as UTF-8, for people': '同一内容的 UTF-8 文本，供人阅读',
  'who works on it, at most 200 bytes of UTF-8; null: nobody': '负责人，最多 200 字节（UTF-8）；null 表示无人',
  'at most 1,000 bytes of UTF-8; null: none': '最多 1,000 字节（UTF-8）；null 表示没有',
  'at most 1,000 bytes of UTF-8': '最多 1,000 字节（UTF-8）',
  'the newest': '最新版本',
  'from 1; a bill that WeChat Pay issued anew is the next one': '从 1 起；微信支付重新出具的账单为下一版本',
  'what WeChat Pay signed, hex; null: there is no file': '微信支付签名的摘要，十六进制；null 表示没有文件',
  'of the bytes that are kept, hex; always what WeChat Pay signed':
    '所保存字节的摘要，十六进制；始终与微信支付签名的一致',
  'of the file as WeChat Pay made it': '微信支付所生成文件的字节数',
  'lines and fen (what came in less what went out) of the version before and of this one, and what leads from one to the other; null: the first, or not compared':
    '前一版本与本版本的行数和金额（收入减支出，分），以及两者之间的差别；null 表示首个版本或未比较',
  'since then what is kept is known not to be the file; it is fetched anew while WeChat Pay has it':
    '自该时刻起已知所保存的不是该文件；只要微信支付仍保留就会重新下载',
  'all that WeChat Pay ever issued of it, oldest first': '微信支付出具过的全部版本，最早的在前',
  'its number in the file before, from 1; null: it is new': '在前一文件中的行号，从 1 起；null 表示新增',
  'its number in this file; null: it is gone': '在本文件中的行号；null 表示已删除',
  'transaction_id, out_trade_no and the like': 'transaction_id、out_trade_no 等单号',
  'fen: what it does to the account now, less what it did before': '对账户余额的影响与之前之差（分）',
  'what the bill calls it; null: it is no column of its own': '账单中的列名；null 表示不是单独的列',
  'what differs; of a line that is new or gone all that it says. Amounts in fen, fees in 1/1000 fen':
    '不同之处；新增或删除的行为其全部内容。金额单位为分，手续费为千分之一分',
  'the first Beijing day': '起始日，北京时间',
  'the last Beijing day, with it': '结束日，北京时间，含当日',
  'go on behind this difference: `next` of the last answer': '从该差异之后继续：上次应答的 `next`',
  'true: say what it would do, and do nothing': 'true：只说明效果，不执行',
  'check: ask WeChat Pay now; ignore: it is understood, and nothing is to be done; reopen; refund: give the money of its payment back; accept_wechat: book what WeChat Pay says':
    'check：立即向微信支付查询；ignore：已查明，无需处理；reopen：重新打开；refund：退回付款；accept_wechat：以微信支付为准入账',
  'of action refund': '仅用于 action 为 refund',
  'fen; all that is left of the payment when absent': '分；默认为该付款的全部可退金额',
  'in which the difference would be then': '处理后差异的状态',
  'entries of the book; of a refund those that it makes once WeChat Pay has paid it':
    '账本分录；退款为微信支付退款成功后产生的分录',
  'events that would be sent, the day’s only where its result changes': '将发送的事件；当日的事件仅在结果变化时发送',
  'fen that go back to the payer; null: none': '退回付款人的金额（分）；null 表示没有',
}

/** What a number of a report is counted in, behind its name. */
export const unit_descriptions: Readonly<Record<string, string>> = {
  'how many': '数量',
  fen: '分',
  '1/1000 fen': '千分之一分',
  'ms, to within 2.5 %; null: none was measured': '毫秒，误差 2.5 % 以内；null 表示没有测得',
  '0 to 1; null: of nothing': '0 到 1；null 表示没有可计的',
}
