import { catalogue } from '../http/catalogue.ts'
import type { ProblemCode } from '../http/catalogue.ts'
import type { Endpoint } from '../http/endpoint.ts'
import type { Language } from '../http/language.ts'
import { Problem, problemBody } from '../http/problem.ts'
import type { ProblemBody } from '../http/problem.ts'

/** What stands for a word of a path in examples. */
const path_examples: Record<string, string> = {
  out_trade_no: 'T20261123000001',
  out_refund_no: 'R20261123000001',
  event_id: 'evt_2b7xq4',
  delivery_id: 'dlv_5kd3ma',
  endpoint_id: 'ep_7hj2wz',
  difference_id: 'dif_4yq6tn',
  bill_date: '2026-11-22',
  type: 'trade',
  code: 'evidence_unapplied',
  mchid: '1900000001',
  evidence_id: 'evd_6pn4rc',
}

/** What stands for a word of a problem's texts in examples. */
const problem_examples: Record<string, string | string[]> = {
  ...path_examples,
  action: 'refund',
  allowed: ['awaiting_payment', 'closing'],
  appid: 'wx0000000000000009',
  code: 'PARAM_ERROR',
  enabled: ['NATIVE', 'JSAPI'],
  fetch_time: '2026-11-23T10:30:00.000+08:00',
  fields: ['/amount/total'],
  instead: 'accept_wechat',
  kind: 'missing_there',
  kinds: ['official_account', 'mini_program'],
  limit: '16',
  message: '参数错误',
  methods: ['NATIVE', 'JSAPI'],
  paid_by: 'T20261123000002',
  part: 'database',
  reason: 'it is not https',
  required_scope: 'orders:write',
  result: 'fulfilled',
  state: 'closed',
  time: '2026-11-23T12:00:00.000+08:00',
  trade_type: 'MWEB',
  version: '2',
  why: 'its payment is not recorded here',
  flaw: 'its piece 3 of 21 is gone',
  refund: '990',
  refundable: '500',
}

/** A problem as it is answered, its words filled with examples: none of the texts keeps a `{hole}`. */
export function problemExample(code: ProblemCode, language: Language, base_url: string): ProblemBody {
  const { detail, remedy } = catalogue[code]
  const holes = [detail.en, detail['zh-CN'], remedy.en, remedy['zh-CN']].flatMap((text) => [
    ...text.matchAll(/\{(\w+)\}/g),
  ])
  const values = Object.fromEntries(holes.map(([, name = '']) => [name, problem_examples[name] ?? '…']))
  return problemBody(new Problem(code, { values }), { language, base_url, request_id: 'req_3m5y…' })
}

const reason = 'the payer asked for it'

/** A body for each operation that takes one, to be copied. */
export const body_examples: Record<string, Record<string, unknown>> = {
  createOrder: { out_trade_no: 'T20261123000001', description: 'A cup of tea', amount: { total: 990 } },
  checkMany: { create_time_from: '2026-11-23T00:00:00+08:00', preview: true },
  confirmFulfilment: { result: 'fulfilled' },
  resolveReview: { decision: 'reject', reason: 'paid twice by mistake' },
  openCheckoutOrder: { trade_type: 'JSAPI', payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' } },
  createCheckout: { out_trade_no: 'T20261123000001', description: 'A cup of tea', amount: { total: 990 } },
  createRefund: { out_refund_no: 'R20261123000001', out_trade_no: 'T20261123000001', amount: { refund: 990 } },
  approveRefund: { decision: 'approve', reason },
  handleAbnormalRefund: { type: 'MERCHANT_BANK_CARD', reason: 'the card was closed' },
  payOutRefund: { proof: 'bank transfer 20261123-17', reason: 'the card was closed' },
  redeliverMany: { endpoint_id: 'ep_7hj2wz', preview: true },
  createEndpoint: { url: 'https://shop.example.cn/weft' },
  settleAttention: { reason: 'looked at, and explained' },
  workOnDifference: { owner: 'Li Lei', note: 'asked WeChat Pay on 23 November' },
  resolveDifferences: { action: 'ignore', kind: 'fee', reason: 'the contract was changed on that day' },
  resolveDifference: { action: 'check', reason: 'WeChat Pay answered late that day' },
}

/** The names in problems' texts that have an example. */
export const example_names = Object.keys(problem_examples)

/** A call that can be copied, with the values of examples. */
export function curlExample({ name, method, path }: Endpoint): string {
  const example = body_examples[name]
  const address = `$WEFT_URL${path.replace(/\{(\w+)\}/g, (_, word: string) => path_examples[word] ?? word)}`
  const verb = method === 'GET' || (method === 'POST' && example !== undefined) ? '' : ` -X ${method}`
  const key = `-H "authorization: Bearer $WEFT_KEY"`
  if (example === undefined) return `curl${verb} ${address} ${key}`
  return `curl${verb} ${address} ${key} -H 'content-type: application/json' \\\n  -d '${JSON.stringify(example)}'`
}
