import type { Language } from '../domain/language.ts'
import type { OrderProgress, RefundProgress } from '../domain/messages.ts'
import type { OrderStep } from '../domain/order/record.ts'
import type { Policy } from '../domain/policy.ts'
import type { RefundStep } from '../domain/refund/record.ts'
import { clockText } from './shown.ts'

/**
 * What Weft does next, as the plan that it follows. Never the moment of the next try: retries are decided in activities,
 * which a run hears nothing of, so a moment told here would stand when it has long passed. A deadline stays what it is.
 */
type StepPlan<Progress> = Record<Language, (progress: Progress, policy: Policy) => string>

const order_plans: Record<OrderStep, StepPlan<OrderProgress>> = {
  place: {
    en: (_, { place_retry_ms }) =>
      `the same request is sent to WeChat until it answers, at most ${longest(place_retry_ms, 'en')} apart`,
    'zh-CN': (_, { place_retry_ms }) =>
      `向微信支付重发同一请求直到答复，间隔不超过 ${longest(place_retry_ms, 'zh-CN')}`,
  },
  ask_wechat: {
    en: (_, { query_plan_ms, query_every_ms }) =>
      `WeChat is asked ${spansText(query_plan_ms, 'en')} after placing, then every ${spanText(query_every_ms, 'en')}`,
    'zh-CN': (_, { query_plan_ms, query_every_ms }) =>
      `下单后 ${spansText(query_plan_ms, 'zh-CN')}向微信支付查询，之后每 ${spanText(query_every_ms, 'zh-CN')}一次`,
  },
  close: {
    en: (_, { close_retry_ms }) =>
      `WeChat is asked until it says closed or paid, at most ${longest(close_retry_ms, 'en')} apart`,
    'zh-CN': (_, { close_retry_ms }) =>
      `向微信支付查询直到答复已关闭或已付款，间隔不超过 ${longest(close_retry_ms, 'zh-CN')}`,
  },
  deliver: {
    en: (_, { delivery_retry_ms }) =>
      `the merchant is told until it answers: at once, then after ${spansText(delivery_retry_ms, 'en')}`,
    'zh-CN': (_, { delivery_retry_ms }) =>
      `通知商户直到其应答：先立即通知，之后依次间隔 ${spansText(delivery_retry_ms, 'zh-CN')}`,
  },
  await_fulfilment: {
    en: ({ fulfilment: { deadline_time } }) =>
      deadline_time === null
        ? 'the order is fulfilled at once'
        : `the merchant’s answer is waited for until ${clockText(deadline_time)} Beijing time`,
    'zh-CN': ({ fulfilment: { deadline_time } }) =>
      deadline_time === null ? '订单立即视为已履约' : `等待商户应答，截止北京时间 ${clockText(deadline_time)}`,
  },
  refund: {
    en: () => 'the refund goes its way in a run of its own',
    'zh-CN': () => '退款在自己的工作流中进行',
  },
}

const refund_plans: Record<RefundStep, StepPlan<RefundProgress>> = {
  reserve: { en: () => 'it is reserved on its payment', 'zh-CN': () => '在该笔付款上锁定可退金额' },
  await_approval: {
    en: ({ approval_expire_time }) =>
      `approval is waited for until ${clockText(approval_expire_time ?? '–')} Beijing time`,
    'zh-CN': ({ approval_expire_time }) => `等待审批，截止北京时间 ${clockText(approval_expire_time ?? '–')}`,
  },
  submit: {
    en: (_, { refund }) =>
      `the same request is sent to WeChat until it answers, at least ${spanText(refund.spacing_ms, 'en')} after another refund of the payment`,
    'zh-CN': (_, { refund }) =>
      `向微信支付重发同一请求直到答复，与同一付款的上一笔退款至少间隔 ${spanText(refund.spacing_ms, 'zh-CN')}`,
  },
  ask_wechat: {
    en: ({ state }, { refund }) =>
      state === 'abnormal'
        ? `WeChat is asked every ${spanText(refund.abnormal_query_every_ms, 'en')}`
        : `WeChat is asked ${spansText(refund.query_plan_ms, 'en')} after it took it, then every ${spanText(refund.query_every_ms, 'en')}`,
    'zh-CN': ({ state }, { refund }) =>
      state === 'abnormal'
        ? `每 ${spanText(refund.abnormal_query_every_ms, 'zh-CN')}向微信支付查询一次`
        : `微信支付受理后 ${spansText(refund.query_plan_ms, 'zh-CN')}查询，之后每 ${spanText(refund.query_every_ms, 'zh-CN')}一次`,
  },
  tell_order: { en: () => 'its order is told', 'zh-CN': () => '通知订单工作流' },
}

/** What follows for an order by itself; null: nothing, or a step of a later version. */
export function orderPlan(order: OrderProgress, policy: Policy, language: Language): string | null {
  return planText(order_plans, order, policy, language)
}

/** As `orderPlan`. A balance that is too low is asked about apart from all plans. */
export function refundPlan(refund: RefundProgress, policy: Policy, language: Language): string | null {
  if (refund.attention !== 'not_enough') return planText(refund_plans, refund, policy, language)
  const every = spanText(policy.refund.not_enough_ms, language)
  return language === 'en' ? `the same request is sent every ${every}` : `每 ${every}重发同一请求`
}

function planText<P extends Pick<OrderProgress, 'next_action'>>(
  plans: Record<string, StepPlan<P>>,
  progress: P,
  policy: Policy,
  language: Language,
): string | null {
  const what = progress.next_action?.what
  return what !== undefined && Object.hasOwn(plans, what) ? (plans[what]?.[language](progress, policy) ?? null) : null
}

/** `30 s, 1 min, 3 min`: a plan as people read it. */
function spansText(spans_ms: readonly number[], language: Language): string {
  return spans_ms.map((ms) => spanText(ms, language)).join(language === 'en' ? ', ' : '、')
}

function longest(spans_ms: readonly number[], language: Language): string {
  return spanText(spans_ms.at(-1) ?? 0, language)
}

const units = {
  second: { en: 's', 'zh-CN': '秒' },
  minute: { en: 'min', 'zh-CN': '分钟' },
  hour: { en: 'h', 'zh-CN': '小时' },
} as const

function spanText(ms: number, language: Language): string {
  if (ms < 60_000) return `${ms / 1_000} ${units.second[language]}`
  return ms < 3_600_000 ? `${ms / 60_000} ${units.minute[language]}` : `${ms / 3_600_000} ${units.hour[language]}`
}
