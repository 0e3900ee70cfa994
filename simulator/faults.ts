import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Random } from './random.ts'
import { milliseconds, isTime } from '../domain/calendar.ts'
import { flow_accounts } from '../domain/merchant/bill.ts'
import { plant_names } from './bills/plants.ts'
import type { BillPlant, PlantName } from './bills/plants.ts'
import { errcode_texts } from './errcode.ts'
import type { IdentityOperation } from './errcode.ts'
import { ControlError, findRefusal } from './refusal.ts'

const callFaults = [
  /** the call is received, nothing is done, no answer ever comes */
  'timeout_before',
  /** the call takes effect, no answer ever comes */
  'timeout_after',
  /** the connection is cut before, or after, the call takes effect */
  'disconnect',
  'disconnect_after',
  /** the answer named by status and code; with `acted` the call takes effect all the same */
  'error',
  /** the call takes effect at once, its answer comes `delay_ms` later */
  'slow',
  /** answered well, signed by a key that is not WeChat Pay's */
  'wrong_signature',
  /** answered with a signature probe */
  'probe',
] as const

const queryFaults = [...callFaults, /** the query does not see the payment yet */ 'lagging'] as const

const refundQueryFaults = [
  ...callFaults,
  /** the query does not find the refund; with `delay_ms` only while the refund is younger */
  'lagging',
  /** the query sees the refund as it was accepted, however it stands by now */
  'stale',
] as const

const billFaults = [...callFaults, /** the hash of another file */ 'wrong_hash'] as const

const downloadFaults = [
  ...callFaults,
  /** the link is taken for one that is over */
  'expired',
  /** half the file, well ended; or the connection breaks in the middle of it */
  'truncated',
  'cut_off',
  /** plain where GZIP was asked for, and the other way round */
  'other_form',
] as const

/** How a refund ends by itself in place of SUCCESS; `RETURNED` is SUCCESS to the merchant's own account. */
const refundEndFaults = ['ABNORMAL', 'CLOSED', 'RETURNED'] as const

/** Of api.weixin.qq.com, which says who payers are; its errors are numbers, as `40163`. */
const identityFaults = [
  'timeout_before',
  'timeout_after',
  'disconnect',
  'disconnect_after',
  'error',
  'slow',
  /** a page of some gateway, with status 200 */
  'html',
  /** the payer is a visitor without a name: `is_snapshotuser` */
  'visitor',
] as const

const notifyFaults = [
  /** the notification is never sent */
  'lose',
  /** this one delivery gets lost on its way; the table goes on */
  'drop',
  /** this delivery leaves `delay_ms` later, so that others overtake it */
  'slow',
  /** this delivery is sent three times at once, the latest signed first */
  'duplicate',
  'wrong_signature',
  'probe',
] as const

type NotifyFault = (typeof notifyFaults)[number]
type IdentityFault = (typeof identityFaults)[number]
export type RefundEndFault = (typeof refundEndFaults)[number]

/** What may go wrong with each operation. */
const faultsOf = {
  place: callFaults,
  query: queryFaults,
  close: callFaults,
  refund: callFaults,
  query_refund: refundQueryFaults,
  abnormal_refund: callFaults,
  certificates: callFaults,
  trade_bill: billFaults,
  fund_flow_bill: billFaults,
  bill_download: downloadFaults,
  /** plants: what the next issue of a bill says other than the truth */
  trade_bill_content: plant_names.trade,
  fund_flow_bill_content: plant_names.fundflow,
  end_refund: refundEndFaults,
  notify: notifyFaults,
  access_token: identityFaults,
  jscode2session: identityFaults,
} as const satisfies Record<string, readonly string[]>

type FaultOperation = keyof typeof faultsOf
type PlantOperation = 'trade_bill_content' | 'fund_flow_bill_content'
export type CallOperation = Exclude<FaultOperation, 'notify' | 'end_refund' | PlantOperation | IdentityOperation>
type CallFault = (typeof faultsOf)[CallOperation][number]
const operations = Object.keys(faultsOf) as [FaultOperation, ...FaultOperation[]]

/** FaultSubject is what a call or a notification is about; null for what it does not name. */
export interface FaultSubject {
  out_trade_no: string | null
  out_refund_no: string | null
  /** the day of the bill that a call is about */
  bill_date?: string | null
  /** the kind of a notification's resource */
  original_type?: 'transaction' | 'refund'
}

const common_fields = {
  status: z.int().min(202).max(599).optional(),
  code: z.string().min(1).max(32).optional(),
  message: z.string().max(256).optional(),
  delay_ms: z.int().min(0).max(3_600_000).optional(),
  acted: z.boolean().optional(),
  /** happens so many times, then no more; without `times` it stays until it is deleted */
  times: z.int().min(1).max(1_000_000).optional(),
  /** happens to this share of the calls */
  rate: z.number().min(0).max(1).optional(),
  mchid: z.string().optional(),
  out_trade_no: z.string().optional(),
  out_refund_no: z.string().optional(),
  /** of notifications and of rows of bills, those of payments or of refunds */
  original_type: z.enum(['transaction', 'refund']).optional(),
  bill_date: z.iso.date().optional(),
  /** the account of the fund flow that a plant is in; the basic one unless said */
  account: z.enum(flow_accounts).optional(),
  /** happens only before this moment of the simulator's clock, RFC 3339 */
  until: z.string().refine(isTime, 'not RFC 3339').optional(),
  /** what a plant puts in: a number, a state, or how many fen more */
  value: z.string().min(1).max(64).optional(),
  /** how many rows a plant takes that names no number, or invents; one unless said */
  rows: z.int().min(1).max(100_000).optional(),
}

/** A fault by its name, or an error by its code or status alone: `SIGN_ERROR`, `429`, `USER_PAYING`. */
const faultName = z.string().min(1)

/**
 * `POST /control/faults`. Fault names: see the lists above; an error may also be named by its code or its status in
 * place of `error`.
 */
export const faultRequest = z
  .strictObject({
    operation: z.enum(operations),
    fault: faultName,
    ...common_fields,
  })
  .superRefine((request, context) => {
    if (readFault(request) === null) {
      context.addIssue({ code: 'custom', path: ['fault'], message: `not a fault of ${request.operation}` })
    }
    if (plantedBill(request) !== null && (request.times ?? request.rate ?? request.until) !== undefined) {
      context.addIssue({ code: 'custom', path: ['fault'], message: 'a plant stays until it is deleted' })
    }
    const counts = ['amount', 'fee', 'broken_chain'].includes(request.fault)
    if (counts && !/^-?\d{1,12}$/.test(request.value ?? '1')) {
      context.addIssue({ code: 'custom', path: ['value'], message: 'how many fen more' })
    }
  })

export type FaultRequest = z.input<typeof faultRequest>

interface ErrorResponse {
  status: number
  code: string
  message: string
  number: number
}

interface FaultEffect<Kind> {
  kind: Kind
  /** null when the request names none */
  delay_ms: number | null
  acted: boolean
  error: ErrorResponse | null
}

export type CallEffect = FaultEffect<CallFault>
export type NotifyEffect = FaultEffect<NotifyFault>
export type IdentityEffect = FaultEffect<IdentityFault>

/** Fault is a fault that was asked for, and how often it still happens. */
export interface Fault {
  fault_id: string
  request: FaultRequest
  times_left: number | null
}

function readFault(request: FaultRequest): { kind: string; error: ErrorResponse | null } | null {
  const { operation } = request
  const names: readonly string[] = faultsOf[operation]
  if (names.includes(request.fault) && request.fault !== 'error') return { kind: request.fault, error: null }
  if (operation === 'notify' || operation === 'end_refund' || plantedBill(request) !== null) return null
  if (operation === 'access_token' || operation === 'jscode2session') {
    const error = identityError(request)
    return error && { kind: 'error', error }
  }
  if (request.fault === 'error') {
    const known = findRefusal(request.code ?? String(request.status ?? 500))
    const base = known ?? { status: 400, code: 'PARAM_ERROR', message: '参数错误', number: 268435461 }
    return { kind: 'error', error: requestedError(base, request) }
  }
  const named = findRefusal(request.fault)
  return named === null ? null : { kind: 'error', error: requestedError(named, request) }
}

/** An error of api.weixin.qq.com by its number, or one of a gateway before it by its status. */
function identityError(request: FaultRequest): ErrorResponse | null {
  const code = request.fault === 'error' ? (request.code ?? String(request.status ?? -1)) : request.fault
  const message = request.message ?? ''
  if (Object.hasOwn(errcode_texts, code)) return { status: 200, code, message, number: Number(code) }
  return /^[1-5]\d\d$/.test(code) ? { status: Number(code), code, message, number: 0 } : null
}

function requestedError(base: ErrorResponse, request: FaultRequest): ErrorResponse {
  return {
    status: request.status ?? usualStatus(request.operation, base),
    code: request.code ?? base.code,
    message: request.message ?? base.message,
    number: base.number,
  }
}

/** The status of an error that names only its code: MCH_NOT_EXISTS is 404 on refunds (docs/wechat-pay.md §2.4). */
function usualStatus(operation: FaultOperation, { code, status }: ErrorResponse): number {
  return code === 'MCH_NOT_EXISTS' && /refund/.test(operation) ? 404 : status
}

/** Which bill a request plants something in; null when it is no plant. */
function plantedBill({ operation }: FaultRequest): BillPlant['bill'] | null {
  if (operation === 'trade_bill_content') return 'trade'
  return operation === 'fund_flow_bill_content' ? 'fundflow' : null
}

const most_faults = 1_000

/** Faults decides call by call what goes wrong. */
export class Faults {
  readonly #random: Random
  readonly #now: () => number
  readonly #faults = new Map<string, Fault>()

  constructor(random: Random, now: () => number) {
    this.#random = random
    this.#now = now
  }

  /** Adds a fault. Throws ControlError while 1,000 stand, since every call looks through all of them. */
  add(request: FaultRequest): Fault {
    if (this.#faults.size >= most_faults) {
      const message = '1,000 faults stand already: remove them by DELETE /control/faults, or one by its fault_id'
      throw new ControlError(409, 'TOO_MANY_FAULTS', message)
    }
    const fault: Fault = { fault_id: randomUUID(), request, times_left: request.times ?? null }
    this.#faults.set(fault.fault_id, fault)
    return fault
  }

  list(): Fault[] {
    return [...this.#faults.values()]
  }

  /** Removes one fault, or all; answers how many. */
  remove(fault_id: string | null): number {
    if (fault_id !== null) return this.#faults.delete(fault_id) ? 1 : 0
    const count = this.#faults.size
    this.#faults.clear()
    return count
  }

  /** Takes the fault that hits this call, if any: the oldest that matches. */
  takeForCall(operation: CallOperation, mchid: string, subject: FaultSubject): CallEffect | null {
    return this.#take<CallFault>(operation, faultsOf[operation], mchid, subject)
  }

  /** Takes the fault that hits this question about a payer, if any. */
  takeForIdentity(operation: IdentityOperation, mchid: string, subject: FaultSubject): IdentityEffect | null {
    return this.#take<IdentityFault>(operation, identityFaults, mchid, subject)
  }

  /** Takes the fault that decides how this refund ends in place of SUCCESS, if any. */
  takeRefundEnd(mchid: string, subject: FaultSubject): RefundEndFault | null {
    return this.#take<RefundEndFault>('end_refund', refundEndFaults, mchid, subject)?.kind ?? null
  }

  /** Takes the fault that loses this notification. Called once, when it is made. */
  takeLoss(mchid: string, subject: FaultSubject): boolean {
    return this.#take('notify', ['lose'], mchid, subject) !== null
  }

  /** Takes the fault that hits this delivery of a notification, if any. */
  takeForDelivery(mchid: string, subject: FaultSubject): NotifyEffect | null {
    const kinds = notifyFaults.filter((kind) => kind !== 'lose')
    return this.#take<NotifyFault>('notify', kinds, mchid, subject)
  }

  /** The plants that stand for the bills of this merchant, the oldest first. Taking none out, they stay. */
  plantsOf(mchid: string): BillPlant[] {
    return [...this.#faults.values()].flatMap(({ request }) => {
      const bill = plantedBill(request)
      if (bill === null || (request.mchid !== undefined && request.mchid !== mchid)) return []
      return [
        {
          bill,
          fault: request.fault as PlantName,
          bill_date: request.bill_date ?? null,
          out_trade_no: request.out_trade_no ?? null,
          out_refund_no: request.out_refund_no ?? null,
          original_type: request.original_type ?? null,
          value: request.value ?? null,
          rows: request.rows ?? 1,
          ...(request.account && { account: request.account }),
        },
      ]
    })
  }

  #take<Kind extends string>(
    operation: FaultOperation,
    kinds: readonly Kind[],
    mchid: string,
    subject: FaultSubject,
  ): FaultEffect<Kind> | null {
    for (const fault of this.#faults.values()) {
      const { request } = fault
      const read = readFault(request)
      const kind = kinds.find((candidate) => candidate === read?.kind)
      if (request.operation !== operation || read === null || kind === undefined) continue
      if (request.mchid !== undefined && request.mchid !== mchid) continue
      if (!isAbout(request, subject)) continue
      if (request.until !== undefined && this.#now() >= milliseconds(request.until)) continue
      if (request.rate !== undefined && this.#random() >= request.rate) continue
      if (fault.times_left !== null) {
        fault.times_left -= 1
        if (fault.times_left <= 0) this.#faults.delete(fault.fault_id)
      }
      return { kind, delay_ms: request.delay_ms ?? null, acted: request.acted ?? false, error: read.error }
    }
    return null
  }
}

/** Whether a fault that names an order, a refund or a kind of notification means this one. */
function isAbout(request: FaultRequest, subject: FaultSubject): boolean {
  const names = ['out_trade_no', 'out_refund_no', 'original_type', 'bill_date'] as const
  return names.every((name) => request[name] === undefined || request[name] === subject[name])
}

/** How long `slow` takes without `delay_ms`. */
export const slow_ms = 1_000
