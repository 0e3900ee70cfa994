import { closeInOrder } from '../runtime/shutdown.ts'
import type { ShutdownStep } from '../runtime/shutdown.ts'
import type { Logger } from '../runtime/logger.ts'

/** The order in which the parts end: first those that let new work in, last those that others still ask. */
const ending_order = ['demo.env', 'api', 'worker', 'shop', 'simulator', 'store', 'Temporal', 'database'] as const
type Part = (typeof ending_order)[number]

/** What a start has brought up so far, and how it ends. */
export class StartedParts {
  readonly #steps = new Map<Part, ShutdownStep>()
  readonly #log: Logger
  #ending: Promise<boolean> | null = null

  constructor(log: Logger) {
    this.#log = log
  }

  add(name: Part, limit_ms: number, close: () => unknown): void {
    this.#steps.set(name, { name, limit_ms, close })
  }

  get isEnding(): boolean {
    return this.#ending !== null
  }

  /** Ends all of it, once; false when a part did not end as it should. */
  end(): Promise<boolean> {
    const steps = ending_order.flatMap((name) => this.#steps.get(name) ?? [])
    this.#ending ??= closeInOrder(steps, this.#log)
    return this.#ending
  }
}
