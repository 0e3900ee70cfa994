import type { Answer, Command, Confirmation, PaymentFound } from '../domain/messages.ts'

/** What can come to an order from outside. A handler puts it here and waits or returns; only the body acts. */
export type Item =
  | { kind: 'payment'; found: PaymentFound }
  | { kind: 'check'; operation_id: string }
  | { kind: 'close'; asked: Asked<Command> }
  | { kind: 'refresh'; command: Command }
  | { kind: 'confirm'; asked: Asked<Confirmation> }

/** A command with the place its answer goes. `reply` is set once, by the body, after the record has answered. */
export interface Asked<C> {
  command: C
  reply: Answer | null
}

export type ItemKind = Item['kind']

/** What is taken first: money, then what somebody waits for, then what may be asked again. */
const urgency: Record<ItemKind, number> = { payment: 0, close: 1, confirm: 1, refresh: 2, check: 3 }

/**
 * By urgency, then first in, first out, within one run. An item is taken when its step begins and is gone when the
 * record has answered.
 */
export class Inbox {
  private readonly items: Item[] = []

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** One question answers all who ask meanwhile: a second check adds nothing. */
  put(item: Item): void {
    if (item.kind === 'check' && this.has('check')) return
    const behind = this.items.findIndex(({ kind }) => urgency[kind] > urgency[item.kind])
    this.items.splice(behind < 0 ? this.items.length : behind, 0, item)
  }

  /** The most urgent, oldest item, left in place until `done`: a step that fails or is retried finds it again. */
  get first(): Item | undefined {
    return this.items[0]
  }

  done(item: Item): void {
    const index = this.items.indexOf(item)
    if (index >= 0) this.items.splice(index, 1)
  }

  /** Whether something waits that one of `kinds` names. */
  has(...kinds: ItemKind[]): boolean {
    return this.items.some((item) => kinds.includes(item.kind))
  }
}
