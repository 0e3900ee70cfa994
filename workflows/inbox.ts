import type {
  AbnormalHandling,
  OrderAnswer,
  RefundApproval,
  Command,
  Confirmation,
  ReviewDecision,
  PaymentFound,
  PayoutCommand,
  RefundAnswer,
  RefundChanged,
  FullRefundCommand,
} from '../domain/messages.ts'

/** What can come to an order from outside. A handler puts it here and waits or returns; only the body acts. */
export type OrderItem =
  | { kind: 'payment'; found: PaymentFound }
  | { kind: 'check'; operation_id: string }
  | { kind: 'close'; asked: PendingCommand<Command> }
  | { kind: 'refresh'; command: Command }
  | { kind: 'confirm'; asked: PendingCommand<Confirmation> }
  | { kind: 'review'; asked: PendingCommand<ReviewDecision> }
  | { kind: 'refund_request'; asked: PendingCommand<FullRefundCommand> }
  | { kind: 'refund_news'; out_refund_no: string }

/** What can come to a refund. */
export type RefundItem =
  | { kind: 'news'; found: RefundChanged }
  | { kind: 'check'; operation_id: string }
  | { kind: 'approval'; asked: PendingCommand<RefundApproval, RefundAnswer> }
  | { kind: 'abnormal'; asked: PendingCommand<AbnormalHandling, RefundAnswer> }
  | { kind: 'payout'; asked: PendingCommand<PayoutCommand, RefundAnswer> }

/** A command with the place its answer goes. `reply` is set once, by the body, after the record has answered. */
export interface PendingCommand<C, A = OrderAnswer> {
  command: C
  reply: A | null
}

export type OrderItemKind = OrderItem['kind']
export type RefundItemKind = RefundItem['kind']

/** What is taken first: money, then what somebody waits for, then what may be asked again. */
export const order_urgency: Record<OrderItemKind, number> = {
  payment: 0,
  close: 1,
  confirm: 1,
  review: 1,
  refund_request: 1,
  refund_news: 1,
  refresh: 2,
  check: 3,
}
export const refund_urgency: Record<RefundItemKind, number> = { approval: 0, abnormal: 0, payout: 0, news: 1, check: 2 }

/**
 * By urgency, then first in, first out, within one run. An item is taken when its step begins and is gone when the
 * record has answered.
 */
export class Inbox<I extends { kind: string } = OrderItem> {
  private readonly items: I[] = []
  private readonly urgency: Record<I['kind'], number>

  constructor(urgency: Record<I['kind'], number>) {
    this.urgency = urgency
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** One question answers all who ask meanwhile: a second check adds nothing. */
  put(item: I): void {
    if (item.kind === 'check' && this.has('check')) return
    const urgencyOf = (one: I) => this.urgency[one.kind as I['kind']]
    const behind = this.items.findIndex((one) => urgencyOf(one) > urgencyOf(item))
    this.items.splice(behind < 0 ? this.items.length : behind, 0, item)
  }

  /** The most urgent, oldest item, left in place until `done`: a step that fails or is retried finds it again. */
  get first(): I | undefined {
    return this.items[0]
  }

  remove(item: I): void {
    const index = this.items.indexOf(item)
    if (index >= 0) this.items.splice(index, 1)
  }

  /** Whether something waits that one of `kinds` names. */
  has(...kinds: I['kind'][]): boolean {
    return this.items.some((item) => kinds.includes(item.kind))
  }
}
