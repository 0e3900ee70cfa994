const looked_for_every_ms = 300

/**
 * Calls `onEnd` once when npm, which runs this process, is no longer there: killed, it could not signal this process,
 * and what it started would go on without an owner. Does nothing where npm is not the parent. Answers how to end the
 * watch.
 */
export function watchParent(onEnd: () => void, environment: NodeJS.ProcessEnv = process.env): () => void {
  if (environment.npm_lifecycle_event === undefined) return () => undefined
  const parent = process.ppid
  const watch = setInterval(() => {
    // Whoever loses its parent is given another at once.
    if (process.ppid === parent) return
    clearInterval(watch)
    onEnd()
  }, looked_for_every_ms)
  watch.unref()
  return () => clearInterval(watch)
}
