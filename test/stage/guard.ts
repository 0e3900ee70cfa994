import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/**
 * Ends a test's child by SIGKILL when this process ends, however it does: a shell waits for the end of its own input,
 * which nobody has to write. `whole_group`: the child leads a group of its own, and all of that ends.
 */
export function endWithThisProcess(child: ChildProcess, { whole_group = false } = {}): void {
  const target = `${whole_group ? '-' : ''}${child.pid}`
  const script = 'cat >/dev/null; kill -s KILL -- "$1" 2>/dev/null'
  const guard = spawn('sh', ['-c', script, 'sh', target], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  // Its number may be another process's soon.
  child.once('exit', () => guard.kill('SIGKILL'))
}
