import type { Logger } from './logger.ts'

/** One thing to end, and how long it may take. */
export interface ShutdownStep {
  name: string
  limit_ms: number
  close: () => unknown
}

/**
 * Closes `steps` in their order (what takes requests first, the database last), each within its limit. A step that
 * fails or is late is logged, and the next one follows. Returns whether all of them closed in time.
 */
export async function closeInOrder(steps: readonly ShutdownStep[], log: Logger): Promise<boolean> {
  let is_clean = true
  for (const step of steps) {
    const outcome = await closeWithin(step)
    if (outcome === 'done') continue
    is_clean = false
    log.warn('a part did not end as it should', { part: step.name, limit_ms: step.limit_ms, error: outcome })
  }
  return is_clean
}

async function closeWithin({ limit_ms, close }: ShutdownStep): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<unknown>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`not ended within ${limit_ms} ms`)), limit_ms)
  })
  const closing = (async () => close())().then(
    () => 'done' as const,
    (error: unknown) => error,
  )
  return Promise.race([closing, limit]).finally(() => clearTimeout(timer))
}

/**
 * Ends the process on the first SIGINT or SIGTERM: steps in order, then exit 0, or 1 when one of them failed. A second
 * signal ends it at once. Answers a function that takes the handlers away again.
 */
export function closeOnSignal(steps: readonly ShutdownStep[], log: Logger, host: ShutdownHost = process): () => void {
  let is_closing = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (is_closing) {
      log.warn('ended at once by a second signal', { signal })
      host.exit(1)
      return
    }
    is_closing = true
    log.info('shutting down', { signal })
    void closeInOrder(steps, log).then((is_clean) => {
      log.info('ended', { is_clean })
      host.exit(is_clean ? 0 : 1)
    })
  }
  host.on('SIGINT', onSignal)
  host.on('SIGTERM', onSignal)
  return () => {
    host.off('SIGINT', onSignal)
    host.off('SIGTERM', onSignal)
  }
}

/**
 * Starts a role, and ends it on a signal by `steps`. One that comes while it still waits for its servers ends the process
 * at once: the first process of a container ignores what it has no handler for, and would wait on until it is killed.
 */
export async function startUntilSignal<T>(
  start: () => Promise<T>,
  steps: (started: T) => readonly ShutdownStep[],
  log: Logger,
  host: ShutdownHost = process,
): Promise<readonly ShutdownStep[]> {
  const letGo = closeOnSignal([], log, host)
  const closing = steps(await start())
  closeOnSignal(closing, log, host)
  letGo()
  return closing
}

/** The little of `process` that shutting down needs. */
export interface ShutdownHost {
  on(signal: 'SIGINT' | 'SIGTERM', handler: (signal: NodeJS.Signals) => void): unknown
  off(signal: 'SIGINT' | 'SIGTERM', handler: (signal: NodeJS.Signals) => void): unknown
  exit(code: number): void
}

/** Ends the process with 1 after closing, so that what started it starts it anew: half a process looks like a whole one. */
export function endOnFailure(
  failed: AbortSignal,
  steps: readonly ShutdownStep[],
  log: Logger,
  host: Pick<ShutdownHost, 'exit'> = process,
): void {
  const end = () => void closeInOrder(steps, log).then(() => host.exit(1))
  if (failed.aborted) end()
  else failed.addEventListener('abort', end, { once: true })
}
