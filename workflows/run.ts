import { allHandlersFinished, condition, continueAsNew, workflowInfo } from '@temporalio/workflow'
import type { Policy } from '../domain/policy.ts'
import type { Inbox } from './inbox.ts'

/** What one run holds, of an order or a refund. */
export interface Run<Key, Progress, Item extends { kind: string }> {
  key: Key
  inbox: Inbox<Item>
  policy: Policy
  /** the record as last read or written: undefined before it was read, null where there is none */
  current: Progress | null | undefined
}

/** One step of a run, from the record as it is to the record as it is then. */
export type RunStep<R, P> = (run: R, current: P) => Promise<P>

/** How all runs of one kind go on. Made once per kind: what each run holds is multiplied by the orders that wait. */
export interface RunPlan<R, P extends { state: string }> {
  /** what a run does by itself in each state; a state without a step is at rest */
  steps: Partial<Record<P['state'], RunStep<R, P>>>
  /** what goes before that; undefined where nothing does */
  urgentStep: (run: R, current: P) => RunStep<R, P> | undefined
  /** takes over what a step returned */
  update: (run: R, current: P) => P
}

type Runnable = { key: unknown; inbox: { readonly isEmpty: boolean } }

/** Moves a record until nothing is left to do, the inbox is empty and all handlers have replied. Returns it as it is then. */
export async function runToRest<R extends Runnable, P extends { state: string }>(
  run: R,
  known: P,
  plan: RunPlan<R, P>,
): Promise<P> {
  let current = known
  for (;;) {
    for (let step = nextStep(run, current, plan); step !== undefined; step = nextStep(run, current, plan)) {
      current = plan.update(run, await step(run, current))
      if (isHistoryLong(current, plan)) await renewHistory(run)
    }
    await condition(allHandlersFinished)
    // No await between this look and the return: a fact signalled during the last step is still taken.
    if (run.inbox.isEmpty) return current
  }
}

function nextStep<R, P extends { state: string }>(
  run: R,
  current: P,
  { urgentStep, steps }: RunPlan<R, P>,
): RunStep<R, P> | undefined {
  return urgentStep(run, current) ?? steps[current.state as P['state']]
}

/** Whether a run that goes on should do so in a new history: months of questions to WeChat would outgrow one. */
function isHistoryLong<R, P extends { state: string }>({ state }: P, { steps }: RunPlan<R, P>): boolean {
  return workflowInfo().continueAsNewSuggested && state !== 'created' && steps[state as P['state']] !== undefined
}

/** Continues as a new run, which needs no more than the key: the record knows everything else. */
async function renewHistory({ key, inbox }: Runnable): Promise<void> {
  // A handler that waits for its item waits for the body: so the body waits for handlers only while there is none.
  await condition(() => allHandlersFinished() || !inbox.isEmpty)
  if (inbox.isEmpty) await continueAsNew(key)
}

/**
 * Takes the most urgent item, and of equal ones the oldest. It leaves the inbox only after the record has answered
 * (architecture §4.3).
 */
export async function takeItem<R, P, Item extends { kind: string }>(
  run: R & { inbox: Inbox<Item> },
  current: P,
  handle: (run: R, current: P, item: Item) => Promise<P>,
): Promise<P> {
  const item = run.inbox.first
  if (item === undefined) return current
  const next = await handle(run, current, item)
  run.inbox.remove(item)
  return next
}
