import type { Client, WithStartWorkflowOperation } from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import type { Driver, Pending, Run } from './driver.ts'
import type { World } from './world.ts'

/** An attempt of an activity: when it may begin, and what it answered once it has run. */
interface Attempt {
  activity: Pending
  workflow_id: string
  due_ms: number
  answer: { value: unknown } | { failure: Error } | null
}

type Course = () => Promise<void>

/** What a start names. */
interface Start {
  workflowId: string
  args: readonly unknown[]
}

/** No activity makes more writes than this. */
const most_writes = 9

/**
 * The runs of one story, as a server would keep them: one per workflow id, with their timers and the attempts of their
 * activities. Everything that could be next is offered; nothing happens but what is chosen, one thing at a time.
 */
export class Runs {
  readonly #driver: Driver
  readonly #world: World
  /** what must hold whenever a run has ended */
  readonly #ended: (workflow_id: string, run: Run) => Promise<void>
  readonly #live = new Map<string, Run>()
  readonly #starting = new Map<string, Promise<Run>>()
  readonly #attempts = new Map<Pending, Attempt>()
  /** attempts of activities that nobody waits for any more: a worker may still be at them */
  #orphaned: Pending[] = []
  /** answers of updates that an activity waits for, by workflow and update */
  readonly #answers = new Map<string, unknown>()
  #deaths = 0
  /** what becomes of the next attempts while nothing is chosen: a number says after how many writes its worker dies */
  readonly perils: (number | null)[] = []

  constructor(driver: Driver, world: World, ended: (workflow_id: string, run: Run) => Promise<void>) {
    this.#driver = driver
    this.#world = world
    this.#ended = ended
    world.client = this.#client()
  }

  get isEmpty(): boolean {
    return this.#live.size === 0
  }

  get ids(): string[] {
    return [...this.#live.keys()]
  }

  find(workflow_id: string): Run | undefined {
    return this.#live.get(workflow_id)
  }

  /** The run that is there, or a new one: how signals and updates with a start reach a workflow. */
  async running(type: string, workflow_id: string, argument: unknown): Promise<Run> {
    const live = this.#live.get(workflow_id)
    if (live !== undefined) return live
    const starting =
      this.#starting.get(workflow_id) ?? this.#driver.start(type, workflow_id, argument, this.#world.now_ms)
    this.#starting.set(workflow_id, starting)
    const run = await starting
    this.#starting.delete(workflow_id)
    this.#live.set(workflow_id, run)
    return run
  }

  /** Everything that could be next. */
  possible(): Course[] {
    const next: Course[] = []
    for (const [workflow_id, run] of this.#live) {
      if (run.hasNews) next.push(() => this.#activate(workflow_id, run))
      for (const timer of run.timers.values())
        if (timer.due_ms <= this.#world.now_ms) next.push(async () => run.fire(timer))
    }
    for (const attempt of this.#attempts.values()) next.push(...this.#courses(attempt))
    for (const activity of this.#orphaned) {
      next.push(async () => {
        this.#orphaned = this.#orphaned.filter((other) => other !== activity)
        await this.#world.perform(activity.name, activity.argument)
      })
    }
    const due = this.#due()
    if (due.length > 1) next.push(async () => void (await Promise.all(due.map((attempt) => this.#perform(attempt)))))
    if (this.nextDue() !== null) next.push(async () => this.pass())
    return next
  }

  /** One step of what happens when nothing goes wrong. False: there is nothing to do but to let time pass. */
  async proceed(): Promise<boolean> {
    for (const [workflow_id, run] of this.#live) {
      if (!run.hasNews) continue
      await this.#activate(workflow_id, run)
      return true
    }
    for (const attempt of this.#attempts.values()) {
      const { activity, answer, due_ms } = attempt
      if (activity.is_cancelled && answer === null) this.#endCancelled(attempt)
      else if (answer !== null) this.#report(attempt)
      else if (due_ms <= this.#world.now_ms) await this.#endure(attempt)
      else continue
      return true
    }
    for (const run of this.#live.values()) {
      for (const timer of run.timers.values()) {
        if (timer.due_ms > this.#world.now_ms) continue
        run.fire(timer)
        return true
      }
    }
    return false
  }

  /** The earliest moment at which something is due that is not due yet. */
  nextDue(): number | null {
    const { now_ms } = this.#world
    const timers = [...this.#live.values()].flatMap((run) => [...run.timers.values()].map(({ due_ms }) => due_ms))
    const attempts = [...this.#attempts.values()].filter(({ answer }) => answer === null).map(({ due_ms }) => due_ms)
    const coming = [...timers, ...attempts].filter((due_ms) => due_ms > now_ms)
    return coming.length === 0 ? null : Math.min(...coming)
  }

  pass(): void {
    this.#world.now_ms = this.nextDue() ?? this.#world.now_ms
  }

  async terminate(workflow_id: string): Promise<void> {
    const run = this.#live.get(workflow_id)
    if (run === undefined) return
    await run.end()
    this.#forget(workflow_id)
  }

  /** What the runs wait for, for a story that does not come to rest. */
  get waits(): string {
    return [...this.#attempts.values()]
      .map(({ activity, workflow_id }) => `${activity.name} of ${workflow_id}`)
      .join(', ')
  }

  #due(): Attempt[] {
    return [...this.#attempts.values()].filter(({ answer, due_ms }) => answer === null && due_ms <= this.#world.now_ms)
  }

  /** The courses that an activity's attempt can take. */
  #courses(attempt: Attempt): Course[] {
    const world = this.#world
    const { activity } = attempt
    if (attempt.answer !== null) return [async () => this.#report(attempt), async () => this.#lose(attempt)]
    const ended = activity.is_cancelled ? [async () => this.#endCancelled(attempt)] : []
    if (attempt.due_ms > world.now_ms) return ended
    const silently = (silence: 'before' | 'after') => async () => {
      world.wechat.silence = silence
      await this.#perform(attempt)
      world.wechat.silence = null
    }
    const perform = () => this.#perform(attempt)
    const die = () => this.#die(attempt, this.#deaths++ % most_writes)
    return [
      ...ended,
      perform,
      perform,
      perform,
      silently('before'),
      silently('after'),
      die,
      async () => this.#lose(attempt),
    ]
  }

  async #endure(attempt: Attempt): Promise<void> {
    const peril = this.perils.shift() ?? null
    return peril === null ? await this.#perform(attempt) : await this.#die(attempt, peril)
  }

  /** The worker dies after so many writes, or just before it would have answered. */
  async #die(attempt: Attempt, writes: number): Promise<void> {
    this.#world.writes.left = writes
    await this.#perform(attempt)
    this.#world.writes.left = Infinity
    this.#lose(attempt)
  }

  async #perform(attempt: Attempt): Promise<void> {
    const { name, argument } = attempt.activity
    attempt.answer = await this.#world.perform(name, argument)
  }

  /** The attempt's answer reaches the server: it is the result, or a failure that says when the next attempt is. */
  #report(attempt: Attempt): void {
    const { activity, answer, workflow_id } = attempt
    if (answer === null) return
    if ('value' in answer) {
      this.#attempts.delete(activity)
      this.#live.get(workflow_id)?.complete(activity, answer.value)
    } else this.#tryAgain(attempt, answer.failure)
  }

  /** The worker died, or took too long: what it did is done, what it would have said is not heard. */
  #lose(attempt: Attempt): void {
    this.#tryAgain(attempt, new Error('the attempt timed out'))
  }

  #tryAgain(attempt: Attempt, failure: Error): void {
    const { activity, workflow_id } = attempt
    if (activity.is_cancelled) return this.#endCancelled(attempt)
    if (activity.is_local || activity.maximum_attempts === 1) {
      this.#attempts.delete(activity)
      this.#live.get(workflow_id)?.fail(activity, failure)
      return
    }
    const asked = failure instanceof ApplicationFailure ? Number(failure.nextRetryDelay ?? 1_000) : 1_000
    attempt.answer = null
    attempt.due_ms = this.#world.now_ms + asked
  }

  #endCancelled({ activity, workflow_id }: Attempt): void {
    this.#attempts.delete(activity)
    this.#live.get(workflow_id)?.endCancelled(activity)
  }

  async #activate(workflow_id: string, run: Run): Promise<void> {
    await run.activate(this.#world.now_ms)
    for (const why of run.refusals.values()) throw new Error(`an update was rejected: ${why}`)
    for (const activity of run.activities.values()) {
      if (this.#attempts.has(activity)) continue
      this.#attempts.set(activity, { activity, workflow_id, due_ms: this.#world.now_ms, answer: null })
    }
    for (const [activity, attempt] of this.#attempts) {
      if (attempt.workflow_id !== workflow_id || run.activities.has(activity.seq)) continue
      this.#attempts.delete(activity)
      if (attempt.answer === null) this.#orphaned.push(activity)
    }
    for (const [id, answer] of run.updates) if (answer !== null) this.#answers.set(`${workflow_id} ${id}`, answer)
    if (run.ending === null) return
    this.#forget(workflow_id)
    await this.#ended(workflow_id, run)
  }

  #forget(workflow_id: string): void {
    this.#live.delete(workflow_id)
    for (const [activity, attempt] of this.#attempts) {
      if (attempt.workflow_id !== workflow_id) continue
      this.#attempts.delete(activity)
      this.#orphaned.push(activity)
    }
  }

  /** As much of a client as activities call. An update that is not answered yet makes its caller come again. */
  #client(): Client {
    const running = (type: string, { workflowId, args }: Start) => this.running(type, workflowId, args[0])
    const workflow = {
      start: running,
      signalWithStart: async (type: string, options: Start & { signal: string; signalArgs: unknown[] }) =>
        (await running(type, options)).signal(options.signal, ...options.signalArgs),
      executeUpdateWithStart: async (
        name: string,
        options: { args: unknown[]; updateId: string; startWorkflowOperation: WithStartWorkflowOperation<never> },
      ) => {
        const { args, updateId, startWorkflowOperation } = options
        const start = startWorkflowOperation.options as unknown as Start
        const key = `${start.workflowId} ${updateId}`
        if (this.#answers.has(key)) {
          const answer = this.#answers.get(key)
          this.#answers.delete(key)
          return answer
        }
        const run = await running(String(startWorkflowOperation.workflowTypeOrFunc), start)
        run.update(name, updateId, ...args)
        throw ApplicationFailure.create({ message: 'the update is not answered yet', nextRetryDelay: 100 })
      },
    }
    return { workflow } as unknown as Client
  }
}
