import {
  CancellationScope,
  condition,
  defineSignal,
  log,
  setDefaultSignalHandler,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import { operationId } from '../domain/ids.ts'
import { signals } from '../domain/messages.ts'
import type { Inbox, PendingCommand } from './inbox.ts'
import { signalHandler } from './shape.ts'
import { told } from './shown.ts'
import { handler_texts } from './words.ts'

/** What an update's handler replies from when no command was answered: the record, or that there is none. */
type RecordReply<P, A> = (current: P | null | undefined) => A

/** Puts a command into the inbox and returns the body's reply; `recordReply` says what holds where no record exists. */
export async function replyWhenDone<C, P, A>(
  run: { current: P | null | undefined },
  command: C,
  put: (asked: PendingCommand<C, A>) => void,
  recordReply: RecordReply<P, A>,
): Promise<A> {
  const asked: PendingCommand<C, A> = { command, reply: null }
  put(asked)
  return await withoutCancel(async () => {
    await condition(() => asked.reply !== null || run.current === null)
    return asked.reply ?? recordReply(run.current)
  })
}

/** Returns what holds once the record is out of `created`, or turns out not to exist. */
export function replyOnceBegun<P extends { state: string }, A>(
  run: { current: P | null | undefined },
  recordReply: RecordReply<P, A>,
): Promise<A> {
  return withoutCancel(async () => {
    await condition(() => run.current !== undefined && run.current?.state !== 'created')
    return recordReply(run.current)
  })
}

/** Handlers run in the root scope: without this a cancel would fail their awaits. */
function withoutCancel<A>(work: () => Promise<A>): Promise<A> {
  return CancellationScope.nonCancellable(work)
}

const checkRequested = defineSignal<[{ operation_id: string }?]>(signals.check_requested)

/** Sets the handlers that runs of both kinds have: a check, and signals that nobody knows. */
export function setSharedHandlers(inbox: Pick<Inbox<{ kind: 'check'; operation_id: string }>, 'put'>): void {
  const putCheck = signalHandler<{ operation_id: string }>('checkRequested', ({ operation_id }) =>
    inbox.put({ kind: 'check', operation_id }),
  )
  // A person at Temporal's own tools sends it without input (docs/operate.md, Temporal UI).
  const anonymous = { operation_id: operationId.check('temporal_ui', workflowInfo().runId) }
  setHandler(checkRequested, (given) => putCheck(given ?? anonymous), {
    description: told(handler_texts.check),
  })
  setDefaultSignalHandler((name) => log.warn('a signal of unknown name was ignored', { signal: name }))
}
