import type { ReceivedCall } from './authentication.ts'
import type { BillOffice } from './bills/office.ts'
import { listCertificates } from './certificates.ts'
import type { CallEffect, CallOperation, FaultSubject } from './faults.ts'
import type { WeChatKeys } from './keys.ts'
import type { Payer } from './payer.ts'
import type { BasicPayments, CallOutcome } from './payments.ts'
import { productOfPath } from './product.ts'
import type { Merchant } from './records.ts'
import type { DomesticRefunds, RefundSight } from './refunds.ts'
import type { SimulatorState } from './state.ts'

/** One of WeChat Pay's calls; the first group of `path` is the number it is about. */
export interface CallRoute {
  operation: CallOperation
  method: 'GET' | 'POST'
  path: RegExp
  perform(
    merchant: Merchant,
    call: ReceivedCall,
    id: string,
    effect: CallEffect | null,
  ): CallOutcome | Promise<CallOutcome>
}

export function routesOf({ payments, refunds, payer, keys, bills }: RouteTools): CallRoute[] {
  return [
    {
      operation: 'place',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/(native|jsapi|app|h5)$/,
      perform: (merchant, call, path) =>
        payments.place(merchant, call.body, { trade_type: productOfPath(path), host: hostOf(call) }),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)$/,
      perform: (merchant, call, id, effect) => payments.query(merchant, id, searchOf(call), paymentSight(effect)),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/id\/([^/]+)$/,
      perform: (merchant, call, id, effect) =>
        payments.queryTransaction(merchant, id, searchOf(call), paymentSight(effect)),
    },
    {
      operation: 'close',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)\/close$/,
      perform: (merchant, call, id) =>
        payments.close(merchant, id, call.body, (order, armed) => payer.payArmed(order, armed)),
    },
    {
      operation: 'refund',
      method: 'POST',
      path: /^\/v3\/refund\/domestic\/refunds$/,
      perform: (merchant, call) => refunds.create(merchant, call.body),
    },
    {
      operation: 'query_refund',
      method: 'GET',
      path: /^\/v3\/refund\/domestic\/refunds\/([^/]+)$/,
      perform: (merchant, _, id, effect) => refunds.query(merchant, id, refundSight(effect)),
    },
    {
      operation: 'abnormal_refund',
      method: 'POST',
      path: /^\/v3\/refund\/domestic\/refunds\/([^/]+)\/apply-abnormal-refund$/,
      perform: (merchant, call, id) => refunds.applyAbnormal(merchant, id, call),
    },
    {
      operation: 'certificates',
      method: 'GET',
      path: /^\/v3\/certificates$/,
      perform: (merchant, call) => listCertificates(merchant, searchOf(call), keys),
    },
    ...billRoutes(bills),
  ]
}

function billRoutes(bills: BillOffice): CallRoute[] {
  return [
    {
      operation: 'trade_bill',
      method: 'GET',
      path: /^\/v3\/bill\/tradebill$/,
      perform: (merchant, call, _, effect) => bills.applyForTrades(merchant, searchOf(call), hostOf(call), effect),
    },
    {
      operation: 'fund_flow_bill',
      method: 'GET',
      path: /^\/v3\/bill\/fundflowbill$/,
      perform: (merchant, call, _, effect) => bills.applyForFlows(merchant, searchOf(call), hostOf(call), effect),
    },
    {
      operation: 'bill_download',
      method: 'GET',
      path: /^\/v3\/billdownload\/file$/,
      perform: (merchant, call, _, effect) => bills.download(merchant, searchOf(call), effect),
    },
  ]
}

interface RouteTools {
  payments: BasicPayments
  refunds: DomesticRefunds
  payer: Payer
  keys: WeChatKeys
  bills: BillOffice
}

function paymentSight(effect: CallEffect | null): 'truth' | 'before_payment' {
  return effect?.kind === 'lagging' ? 'before_payment' : 'truth'
}

function refundSight(effect: CallEffect | null): RefundSight {
  if (effect?.kind === 'stale') return { kind: 'as_accepted' }
  if (effect?.kind === 'lagging') return { kind: 'lagging', hidden_ms: effect.delay_ms ?? Infinity }
  return { kind: 'truth' }
}

function searchOf(call: ReceivedCall): URLSearchParams {
  const start = call.url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : call.url.slice(start + 1))
}

/** Where the caller has found this WeChat Pay: links lead there again. */
function hostOf(call: ReceivedCall): string {
  return call.headers.host ?? ''
}

/** The number in the path, decoded; what cannot be decoded stays as it is and fails its rule. */
export function pathNumber(pattern: RegExp, path: string): string {
  const raw = pattern.exec(path)?.[1] ?? ''
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

/** Which order and refund a call is about, for faults and the list of calls; its body has not been checked yet. */
export function callSubject(
  operation: CallOperation,
  mchid: string,
  id: string,
  call: ReceivedCall,
  { state, bills }: { state: SimulatorState; bills: BillOffice },
): FaultSubject {
  const { body } = call
  const ofPayment = (number: string | null): string | null =>
    (number === null ? undefined : state.payments.get(number)?.out_trade_no) ?? null
  switch (operation) {
    case 'place':
      return { out_trade_no: textIn(body, 'out_trade_no'), out_refund_no: null }
    case 'refund': {
      const out_trade_no = ofPayment(textIn(body, 'transaction_id')) ?? textIn(body, 'out_trade_no')
      return { out_trade_no, out_refund_no: textIn(body, 'out_refund_no') }
    }
    case 'query_refund':
      return { out_trade_no: state.findRefund(mchid, id)?.out_trade_no ?? null, out_refund_no: id }
    case 'abnormal_refund': {
      const refund = state.refunds.get(id)
      return { out_trade_no: refund?.out_trade_no ?? null, out_refund_no: refund?.out_refund_no ?? null }
    }
    case 'trade_bill':
    case 'fund_flow_bill':
      return { out_trade_no: null, out_refund_no: null, bill_date: searchOf(call).get('bill_date') }
    case 'bill_download': {
      const bill_date = bills.dateOfLink(searchOf(call).get('token'))
      return { out_trade_no: null, out_refund_no: null, bill_date }
    }
    case 'query':
    case 'close':
    case 'certificates':
      return { out_trade_no: ofPayment(id) ?? id, out_refund_no: null }
  }
}

function textIn(body: Buffer, field: string): string | null {
  return new RegExp(`"${field}"\\s*:\\s*"([^"]{1,64})"`).exec(body.toString('latin1'))?.[1] ?? null
}
