import { attention_texts } from './attention.ts'
import type { AttentionCode } from './attention.ts'
import type { Language } from './language.ts'

const chinese: Record<AttentionCode, string> = {
  not_placed: '微信支付尚未确认下单，系统会一直重发同一请求。detail 写有最近的错误。',
  wechat_setup: '微信支付拒绝了该商户本身（密钥、证书、权限或 appid）。请更正配置，等待中的工作随后会自动继续。',
  product_not_enabled:
    '微信支付拒绝该商户使用某种支付方式（见 detail）。请到微信支付商户平台“产品中心”开通，或从商户配置的 products 中移除。',
  wechat_key_missing:
    '本地没有微信支付的密钥，或不是它现在签名所用的密钥，任何应答都无法核实。请填入微信支付公钥，或让平台证书得以下载。',
  payer_unknown:
    '微信没有告知微信内付款人的身份，该付款人无法在微信里的收银台页面付款。detail 指出须在微信公众平台设置什么，或说明微信连续两次失败，下一位付款人未必会遇到。',
  checkout_exhausted:
    '收银单的订单数已达上限，有付款人被拒绝。请查明是谁反复打开它，取消该收银单，并为这笔交易创建新的收银单。',
  wechat_unreachable: '微信支付已数分钟没有应答。请检查到其两个域名的网络。',
  wechat_answer_unclear:
    '微信支付数分钟来一直以某个错误码答复，无法继续（见 detail）。请查阅其文档或咨询其客服。系统会继续询问，答复改变后自动继续。',
  close_uncertain:
    '微信支付 30 分钟仍未确认关单。查单证实关闭之前，订单保持未关闭。关单失败时，detail 写有微信支付的答复。',
  payment_contradicted: '收到的款项与订单不符。请接受或拒绝。',
  refunded_outside: '首次看到该笔付款时它已被退款。请查明是谁退的款。',
  late_payment_held: '款项在订单结束后到账，按设置保留。请退款或接受。',
  phantom_payment: '微信支付称该订单的付款从未发生。请勿发货；到微信支付商户平台核对后接受或拒绝。',
  second_payment: '已付款的订单又收到一笔付款。请拒绝（款项退回）或接受。',
  orphan_payment: '收到一笔系统不认识的单号的付款。请找出是哪个系统下的单。',
  fulfilment_pending: '商户应答稍后处理，时间已过半。请询问商户。',
  fulfilment_overdue: '商户尚未告知已发货，或已告知无法发货。请询问后决定。',
  delivery_failing: '商户的地址连续五次未接收某个事件。请查看它的应答并修复。',
  undelivered: '某个事件重试完毕仍未送达，已放弃。请在地址恢复后重新投递。',
  not_enough: '商户在微信支付的余额不足以退款。请充值，同一笔退款随后会自动继续。',
  refund_slow: '微信支付受理该退款已有数日仍未完成。请持退款单号咨询微信支付客服。',
  refund_abnormal: '付款人的账户无法收款。请指定另一张银行卡，或退至商户账户后线下退款。',
  refund_closed: '微信支付关闭了一笔应付给付款人的退款，款项已回到商户账户。请重新退款，或线下退款。',
  refund_refused: '微信支付拒绝了一笔应付给付款人的退款。请排除原因后重新退款，或线下退款。',
  refund_owed:
    '微信支付曾称从未发生的一笔付款其实存在，而其订单已按退款了结：款项应退还付款人。请按 transaction_id 退款。',
  refund_number_taken:
    '微信支付在该退款单号下已有另一笔在 Weft 之外发起的退款，本次退款没有发起。请换新单号退款，或确认后了结此提醒。',
  returned_to_merchant: '微信支付把退款付到了商户自己的账户。请线下退款给付款人，并登记凭证。',
  approval_waiting: '一笔超过限额的退款等待另一人审批。请用另一个密钥批准或拒绝。',
  run_stuck:
    '该工作流的某一步反复失败，等待不会使其恢复。请查看错误，排除原因，然后在 Temporal 中终止（Terminate）它：系统会按记录重新开始。',
  book_adrift: '记录与账本不一致。请运行 npm run audit，它会列出每个单号和每一分钱。',
  evidence_unapplied: '微信支付的一条消息没有产生效果，或说的是别的事。请查看日志，然后了结此项。',
  notification_unreadable: '微信支付的一条通知验签通过，但内容无法识别。请查看日志，查明后了结此项。',
  foreign_notification: '收到的通知属于另一个商户号。请更正使用该商户号的系统的通知地址。',
  promotion_unreadable: '某笔付款带有系统无法识别的优惠，已按商户未让利入账。请与微信支付的结算金额核对。',
  signatures_failing: '收到的通知验签失败，付款只能靠查询发现。请检查微信支付公钥。',
  clock_wrong: '微信支付签名的通知因时间过早或过晚被拒：本机时钟不准。请用时间服务器校准。',
  wechat_key_new: '微信支付出示了一张此处未见过的平台证书。请与微信支付商户平台核对序列号和指纹，不符则弃用该证书。',
  key_expiring: '一个 API 密钥将在两周内到期。请创建新密钥，并在到期前让商户系统换用。',
  bill_late: '微信支付到 15:00 仍未生成账单。系统会继续申请；请到微信支付商户平台查看账单是否已生成。',
  differences_open: '账单与本地记录不一致，且不会自行恢复。请逐条查看差异并处理。',
  differences_overdue: '有差异未在期限（due_time）前处理完。请列出已到期的未结差异并处理。',
  day_unproven: '某一天未能核实：账单不完整或自相矛盾，原因见该日的对账结果。',
  bill_expiring: '某个未核实的日子，其账单即将超出微信支付的保留期。请立即核对：detail 写有日期和命令。',
  decryption_failing:
    '通知验签通过但无法解密：此处的 APIv3 密钥与微信支付商户平台上的不一致。请把平台上的密钥填入商户配置文件。',
}

/** Why a person should look at each attention code, and what to do, in both languages. */
export const attention_reasons: Record<Language, Record<AttentionCode, string>> = {
  en: attention_texts,
  'zh-CN': chinese,
}
