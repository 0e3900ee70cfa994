import { ApplicationFailure, log } from '@temporalio/workflow'
import { actor_kinds } from '../domain/actor.ts'
import { unreadableReason } from './payload.ts'

/** What a field may hold; a list names the words it may be. What may be null may also be left out. */
type Field = 'id' | 'text' | 'text_or_null' | 'actor' | 'envelope' | readonly string[]
type Shape = Readonly<Record<string, Field>>

const order_key = { mchid: 'id', out_trade_no: 'id' } as const
const command = { operation_id: 'id', actor: 'actor', reason: 'text_or_null' } as const
const envelope = { envelope: 'envelope' } as const

/**
 * What each message and each start of a run carries, in any of the given shapes; fields beyond them are ignored. A new
 * handler adds its line here: what has none is not read.
 */
const shapes = {
  payOrder: [order_key],
  refundPayment: [{ mchid: 'id', out_refund_no: 'id' }],
  deliverEvent: [{ delivery_id: 'id' }],
  reconcileDay: [{ mchid: 'id', bill_date: 'id' }],
  concludeDay: [{ mchid: 'id', bill_date: 'id' }],
  paymentFound: [{ evidence_id: 'id' }, envelope],
  checkRequested: [{ operation_id: 'id' }],
  refundOfOrderChanged: [{ out_refund_no: 'id' }],
  refundChanged: [{ evidence_id: 'text_or_null' }, envelope],
  refresh: [command],
  close: [command],
  confirmFulfilment: [{ ...command, result: ['fulfilled', 'refused'] }],
  resolveReview: [{ ...command, decision: ['accept', 'reject'], transaction_id: 'text_or_null' }],
  requestRefund: [{ ...command, out_refund_no: 'id' }],
  approve: [{ ...command, decision: ['approve', 'reject'] }],
  payOut: [{ ...command, proof: 'text' }],
  handleAbnormal: [
    {
      ...command,
      type: ['USER_BANK_CARD', 'MERCHANT_BANK_CARD'],
      bank_type: 'text_or_null',
      bank_account: 'text_or_null',
      real_name: 'text_or_null',
      serial_no: 'text',
    },
  ],
} as const satisfies Record<string, readonly Shape[]>

/** What arrives at a run, by the name of its shape. */
export type MessageName = keyof typeof shapes

const longest = { id: 1_000, text: 20_000, body: 200_000 }

/** Why `given` is not what `name` carries; null: it is. */
export function messageFlaw(name: MessageName, given: unknown): string | null {
  const undecoded = unreadableReason(given)
  if (undecoded !== null) return `its payload cannot be decoded: ${undecoded}`
  if (!isObject(given)) return `an object is wanted, not ${given === null ? 'null' : typeof given}`
  const flaws = (shapes[name] as readonly Shape[]).map((shape) => shapeFlaw(shape, given))
  return flaws.includes(null) ? null : flaws.join('; or ')
}

function shapeFlaw(shape: Shape, given: Record<string, unknown>): string | null {
  const wrong = Object.entries(shape).filter(([name, field]) => !holds(field, given[name]))
  return wrong.length === 0 ? null : wrong.map(([name, field]) => `${name} must be ${fieldText(field)}`).join(', ')
}

function holds(field: Field, value: unknown): boolean {
  if (typeof field !== 'string') return field.includes(value as string)
  switch (field) {
    case 'id':
      return isText(value, longest.id) && value !== ''
    case 'text':
      return isText(value, longest.text)
    case 'text_or_null':
      return value === undefined || value === null || isText(value, longest.text)
    case 'actor':
      return isObject(value) && holds(actor_kinds, value.kind) && holds('text_or_null', value.id)
    case 'envelope':
      return isObject(value) && isText(value.body, longest.body) && isHeaders(value.headers)
  }
}

function fieldText(field: Field): string {
  return typeof field === 'string' ? field.replaceAll('_', ' ') : field.join(' or ')
}

function isText(value: unknown, most: number): boolean {
  return typeof value === 'string' && value.length <= most
}

function isHeaders(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((header) => isText(header, longest.text))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * A signal's handler that `take`s what it can read. Anything else is logged and dropped: what fails in a handler would
 * fail every workflow task of the run from then on.
 */
export function signalHandler<M>(name: MessageName, take: (message: M) => void): (given: M) => void {
  return (given) => {
    const flaw = messageFlaw(name, given)
    if (flaw === null) take(given)
    else log.warn('a signal that cannot be read was dropped', { signal: name, flaw })
  }
}

/** An update's validator: whoever sends what cannot be read is told so, and the run never hears of it. */
export function updateValidator(name: MessageName): (given: unknown) => void {
  return (given) => assertReadable(name, given)
}

/** Throws the failure that refuses an update, or ends a run that was started with nothing to read. */
export function assertReadable(name: MessageName, given: unknown): void {
  const flaw = messageFlaw(name, given)
  if (flaw === null) return
  throw ApplicationFailure.nonRetryable(`${name} cannot be read: ${flaw}`, 'unreadable_message')
}
