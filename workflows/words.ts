import type { BillType } from '../domain/bill/row.ts'
import type { ReconciliationState } from '../domain/bill/reconciliation.ts'
import type { Bilingual } from '../domain/language.ts'
import type { OrderState } from '../domain/order/record.ts'
import type { RefundState } from '../domain/refund/record.ts'

/** One sentence per state of an order, for someone who has never seen the code. */
export const order_sentences: Record<OrderState, Bilingual> = {
  created: {
    en: 'Being placed at WeChat Pay. The same request is sent again until WeChat answers.',
    'zh-CN': '正在微信支付下单。微信支付答复之前，会重发同一请求。',
  },
  awaiting_payment: {
    en: 'Waiting for the payer. A notification ends the wait; without one Weft asks WeChat by plan.',
    'zh-CN': '等待付款人付款。收到通知即结束等待；没有通知时按计划向微信支付查询。',
  },
  closing: {
    en: 'Being closed. Only WeChat’s answer to a query closes it; a payment found meanwhile wins.',
    'zh-CN': '正在关单。只有微信支付的查询结果才能证实关闭；其间查到付款则以付款为准。',
  },
  paid: {
    en: 'Paid and booked. The merchant is told, and its answer is the fulfilment.',
    'zh-CN': '已付款并入账。正在通知商户，以商户的应答为履约结果。',
  },
  fulfilled: {
    en: 'Done: paid, and the merchant has fulfilled.',
    'zh-CN': '已完成：已付款，商户已履约。',
  },
  closed: {
    en: 'Closed at WeChat without a payment. Money that still arrives starts this order again.',
    'zh-CN': '已在微信支付关单，未付款。之后若仍有款项到账，本订单会再次运行。',
  },
  failed: {
    en: 'WeChat refused the order. Nothing can be paid on it.',
    'zh-CN': '微信支付拒绝了该订单，无法付款。',
  },
  review: {
    en: 'A person must decide. Nothing is shipped or refunded until then.',
    'zh-CN': '待人工处理。作出决定之前不会发货，也不会退款。',
  },
  refunding: {
    en: 'The money is on its way back to the payer, by a refund of its own run.',
    'zh-CN': '正在退款给付款人，退款有自己的工作流。',
  },
  refunded: { en: 'The payer has the money back.', 'zh-CN': '款项已退回付款人。' },
}

export const refund_sentences: Record<RefundState, Bilingual> = {
  created: {
    en: 'Being reserved on its payment, so that all refunds together never exceed it.',
    'zh-CN': '正在该笔付款上锁定可退金额，使各笔退款合计不超过付款。',
  },
  awaiting_approval: { en: 'Waits for a second person’s approval.', 'zh-CN': '等待另一人审批。' },
  processing: {
    en: 'On its way. WeChat is asked until it says that the refund has ended.',
    'zh-CN': '退款处理中。会持续向微信支付查询，直到退款结束。',
  },
  abnormal: {
    en: 'The payer’s account does not take the money. A person names another way; Weft keeps asking.',
    'zh-CN': '付款人的账户无法收款，须由人指定其他方式；其间继续查询。',
  },
  succeeded: { en: 'Done: the payer has the money.', 'zh-CN': '已完成：付款人已收到退款。' },
  closed: {
    en: 'WeChat closed it: the money is back with the merchant. A new try needs a new number.',
    'zh-CN': '微信支付已关闭该退款，款项已回到商户账户。再次退款须用新单号。',
  },
  refused: {
    en: 'WeChat never took it. The reservation is given back.',
    'zh-CN': '微信支付没有受理。已释放锁定的可退金额。',
  },
  rejected: { en: 'Not approved. The reservation is given back.', 'zh-CN': '审批未通过。已释放锁定的可退金额。' },
  returned_to_merchant: {
    en: 'WeChat paid it to the merchant’s own account: the payer is still owed.',
    'zh-CN': '微信支付把退款付到了商户自己的账户，付款人尚未收到。',
  },
}

export const day_sentences: Record<ReconciliationState, Bilingual> = {
  waiting_for_bill: {
    en: 'Waiting for WeChat’s bills, which it makes after 9:00 of the next day.',
    'zh-CN': '等待微信支付的账单，次日 9:00 之后生成。',
  },
  running: {
    en: 'Compared with what is recorded; WeChat is asked about what differs.',
    'zh-CN': '正在与本地记录核对，并就不一致之处向微信支付查询。',
  },
  balanced: {
    en: 'Every row of the bill and every record of the day is accounted for.',
    'zh-CN': '账单的每一行与当日的每条记录均已对上。',
  },
  different: {
    en: 'Bill and records differ. What may heal by itself waits; the rest is for a person.',
    'zh-CN': '账单与记录不一致。可能自行恢复的继续等待，其余须由人处理。',
  },
}

/** What each step of a run does, as the timeline of Temporal UI names it. */
export const step_texts = {
  place_in_line: { en: 'Place the order at WeChat, in line', 'zh-CN': '在微信支付下单（随任务直接完成）' },
  deliver_in_line: { en: 'Tell the merchant, in line', 'zh-CN': '通知商户（随任务直接完成）' },
  deliver: {
    en: 'Tell the merchant (its retries are the schedule)',
    'zh-CN': '通知商户（重试即投递计划）',
  },
  wake_runs: { en: 'Wake other runs', 'zh-CN': '唤起其他工作流' },
  wake_order: { en: 'Wake the order', 'zh-CN': '唤起订单' },
  place: { en: 'Place the order at WeChat', 'zh-CN': '在微信支付下单' },
  ask_on_request: { en: 'Ask WeChat now, on request', 'zh-CN': '应请求立即向微信支付查询' },
  prove: { en: 'Ask WeChat what holds', 'zh-CN': '向微信支付查询当前结果' },
  poll_payment: {
    en: 'Ask WeChat by plan until paid or expired (its retries are the plan)',
    'zh-CN': '按计划向微信支付查询，直到付款或过期（重试即查询计划）',
  },
  close: { en: 'Close at WeChat until a query proves it', 'zh-CN': '在微信支付关单，直到查询证实' },
  submit_refund: {
    en: 'Ask WeChat for the refund (a repeat only after a query)',
    'zh-CN': '向微信支付申请退款（先查询，再重发）',
  },
  poll_refund: {
    en: 'Ask WeChat by plan until the refund has ended (its retries are the plan)',
    'zh-CN': '按计划向微信支付查询，直到退款结束（重试即查询计划）',
  },
  handle_abnormal: { en: 'Send the money of an abnormal refund elsewhere', 'zh-CN': '为异常退款指定其他收款方式' },
  find_payment: { en: 'Find the payment of a refund made outside', 'zh-CN': '查找在 Weft 之外发起的退款所属的付款' },
  start_days: { en: 'Start the runs of yesterday', 'zh-CN': '启动昨日的对账' },
  open_day: { en: 'Begin the day', 'zh-CN': '开始当日对账' },
  match_day: { en: 'Compare the bill with what is recorded', 'zh-CN': '核对账单与本地记录' },
  ask_differences: { en: 'Ask WeChat about what differs', 'zh-CN': '就差异向微信支付查询' },
  await_healing: { en: 'Wait until what the bill found is recorded', 'zh-CN': '等待账单发现的款项入账' },
  post_bills: { en: 'Post what the bills say', 'zh-CN': '按账单入账' },
  write_report: { en: 'Count the day for reports', 'zh-CN': '统计当日报表' },
  accept_differences: {
    en: 'Book what people accepted of WeChat’s word',
    'zh-CN': '将人工认可的微信支付结果入账',
  },
  follow_day: { en: 'Count the day’s differences anew', 'zh-CN': '重新统计当日差异' },
  check_differences: { en: 'Ask WeChat what people want to know', 'zh-CN': '应人工请求向微信支付查询' },
  close_day: { en: 'Prove the day, or say why not', 'zh-CN': '给出当日是否核实及原因' },
} as const satisfies Record<string, Bilingual>

export const fetch_texts: Record<BillType, Bilingual> = {
  trade: {
    en: 'Fetch the trade bill (its retries wait until WeChat has made it)',
    'zh-CN': '下载交易账单（重试即等待账单生成）',
  },
  fundflow: {
    en: 'Fetch the fund flow (its retries wait until WeChat has made it)',
    'zh-CN': '下载资金账单（重试即等待账单生成）',
  },
  fundflow_operation: {
    en: 'Fetch the fund flow of OPERATION (its retries wait until WeChat has made it)',
    'zh-CN': '下载运营账户资金账单（重试即等待账单生成）',
  },
  fundflow_fees: {
    en: 'Fetch the fund flow of FEES (its retries wait until WeChat has made it)',
    'zh-CN': '下载手续费账户资金账单（重试即等待账单生成）',
  },
}

/** What each timer waits for. */
export const timer_texts = {
  first_query: { en: 'Until WeChat is asked for the first time', 'zh-CN': '首次向微信支付查询之前' },
  fulfilment_overdue: { en: 'Until the merchant’s answer is overdue', 'zh-CN': '商户应答的截止时间之前' },
  fulfilment_half: {
    en: 'Until half of the time for the answer is gone',
    'zh-CN': '应答时间过半之前',
  },
  approval: { en: 'Until the approval runs out', 'zh-CN': '审批期限之前' },
  not_enough: {
    en: 'Until the balance may suffice and the same request goes again',
    'zh-CN': '余额可能充足、重发同一请求之前',
  },
  refund_proof: {
    en: 'Until WeChat can be asked whether it took the refund after all',
    'zh-CN': '可以查询微信支付是否已受理退款之前',
  },
  outside_payment: {
    en: 'Until the payment of a refund made outside is booked',
    'zh-CN': '在 Weft 之外发起的退款所属的付款入账之前',
  },
} as const satisfies Record<string, Bilingual>

/** What each signal and update of a run is for, as Temporal UI says it to whoever would send one. */
export const handler_texts = {
  payment_found: {
    en: 'WeChat says this order has a payment; names the evidence.',
    'zh-CN': '微信支付告知该订单有付款；参数为证据编号。',
  },
  prepay: { en: 'Answers once the order is placed, or cannot be.', 'zh-CN': '下单完成或无法下单时答复。' },
  close: { en: 'Asks for a close; answers once that is recorded.', 'zh-CN': '请求关单，记录后答复。' },
  confirm_fulfilment: { en: 'The merchant says whether it shipped.', 'zh-CN': '商户告知是否已发货。' },
  resolve_review: {
    en: 'A person decides on money in review, or on a second payment.',
    'zh-CN': '由人对待人工处理的款项或重复付款作出决定。',
  },
  request_refund: {
    en: 'All of the payment is to go back: stops what the order is about, then answers.',
    'zh-CN': '付款须全额退回：先停止订单的后续动作，再答复。',
  },
  refund_of_order: { en: 'A refund of this order has something to tell.', 'zh-CN': '该订单的一笔退款有新情况。' },
  refresh: {
    en: 'Wants a code that can still be scanned; the record tells when it is there.',
    'zh-CN': '请求可扫描的二维码；是否就绪见订单记录。',
  },
  refund_changed: {
    en: 'WeChat says something about this refund: it is asked what.',
    'zh-CN': '微信支付告知该退款有变化，随后查询。',
  },
  reserve: {
    en: 'Answers once the refund is reserved, or cannot be.',
    'zh-CN': '锁定可退金额或无法锁定时答复。',
  },
  approve: { en: 'A second person approves or rejects.', 'zh-CN': '另一人批准或拒绝。' },
  abnormal: {
    en: 'Says where the money of an abnormal refund goes instead.',
    'zh-CN': '指定异常退款的其他收款方式。',
  },
  pay_out: { en: 'The payer was paid by hand.', 'zh-CN': '已线下退款给付款人。' },
  check: { en: 'Somebody wants WeChat asked now. Needs no input.', 'zh-CN': '请求立即向微信支付查询，无需参数。' },
  differences_moved: {
    en: 'Differences of this day were moved, or something is to be done about them. Needs no input.',
    'zh-CN': '当日差异的状态有变，或有待办的处理，无需参数。',
  },
} as const satisfies Record<string, Bilingual>
