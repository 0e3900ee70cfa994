import type { Call } from './authentication.ts'
import type { Book } from './book.ts'
import { listCertificates } from './certificates.ts'
import type { CallEffect, CallOperation, FaultSubject } from './faults.ts'
import type { Keys } from './keys.ts'
import type { Payer } from './payer.ts'
import type { Outcome, Payments } from './payments.ts'
import type { Merchant } from './records.ts'
import type { Refunds, RefundSight } from './refunds.ts'

/** One of WeChat Pay's calls; the first group of `path` is the number it is about. */
export interface Route {
  operation: CallOperation
  method: 'GET' | 'POST'
  path: RegExp
  act(merchant: Merchant, call: Call, id: string, effect: CallEffect | null): Outcome | Promise<Outcome>
}

export function routesOf({ payments, refunds, payer, keys }: RouteTools): Route[] {
  return [
    {
      operation: 'place',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/native$/,
      act: (merchant, call) => payments.place(merchant, call.body),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)$/,
      act: (merchant, call, id, effect) => payments.query(merchant, id, searchOf(call), paymentSight(effect)),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/id\/([^/]+)$/,
      act: (merchant, call, id, effect) =>
        payments.queryTransaction(merchant, id, searchOf(call), paymentSight(effect)),
    },
    {
      operation: 'close',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)\/close$/,
      act: (merchant, call, id) =>
        payments.close(merchant, id, call.body, (order, armed) => payer.payArmed(order, armed)),
    },
    {
      operation: 'refund',
      method: 'POST',
      path: /^\/v3\/refund\/domestic\/refunds$/,
      act: (merchant, call) => refunds.create(merchant, call.body),
    },
    {
      operation: 'query_refund',
      method: 'GET',
      path: /^\/v3\/refund\/domestic\/refunds\/([^/]+)$/,
      act: (merchant, _, id, effect) => refunds.query(merchant, id, refundSight(effect)),
    },
    {
      operation: 'abnormal_refund',
      method: 'POST',
      path: /^\/v3\/refund\/domestic\/refunds\/([^/]+)\/apply-abnormal-refund$/,
      act: (merchant, call, id) => refunds.applyAbnormal(merchant, id, call),
    },
    {
      operation: 'certificates',
      method: 'GET',
      path: /^\/v3\/certificates$/,
      act: (merchant, call) => listCertificates(merchant, searchOf(call), keys),
    },
  ]
}

interface RouteTools {
  payments: Payments
  refunds: Refunds
  payer: Payer
  keys: Keys
}

function paymentSight(effect: CallEffect | null): 'truth' | 'before_payment' {
  return effect?.kind === 'lagging' ? 'before_payment' : 'truth'
}

function refundSight(effect: CallEffect | null): RefundSight {
  if (effect?.kind === 'stale') return { kind: 'as_accepted' }
  if (effect?.kind === 'lagging') return { kind: 'lagging', hidden_ms: effect.delay_ms ?? Infinity }
  return { kind: 'truth' }
}

function searchOf(call: Call): URLSearchParams {
  const start = call.url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : call.url.slice(start + 1))
}

/** The number in the path, decoded; what cannot be decoded stays as it is and fails its rule. */
export function idOf(pattern: RegExp, path: string): string {
  const raw = pattern.exec(path)?.[1] ?? ''
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

/** Which order and refund a call is about, for faults and the list of calls; its body has not been checked yet. */
export function subjectOf(operation: CallOperation, mchid: string, id: string, body: Buffer, book: Book): FaultSubject {
  const ofPayment = (number: string | null): string | null =>
    (number === null ? undefined : book.payments.get(number)?.out_trade_no) ?? null
  switch (operation) {
    case 'place':
      return { out_trade_no: textIn(body, 'out_trade_no'), out_refund_no: null }
    case 'refund': {
      const out_trade_no = ofPayment(textIn(body, 'transaction_id')) ?? textIn(body, 'out_trade_no')
      return { out_trade_no, out_refund_no: textIn(body, 'out_refund_no') }
    }
    case 'query_refund':
      return { out_trade_no: book.findRefund(mchid, id)?.out_trade_no ?? null, out_refund_no: id }
    case 'abnormal_refund': {
      const refund = book.refunds.get(id)
      return { out_trade_no: refund?.out_trade_no ?? null, out_refund_no: refund?.out_refund_no ?? null }
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
