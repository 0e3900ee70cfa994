import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runToEnd, startChild } from '../dev/servers/child.ts'
import type { Child } from '../dev/servers/child.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
export const compiled = join(root, '.weft', 'bench')

/**
 * Compiles what is measured, as production runs it: the loader that runs TypeScript directly wraps every function,
 * which costs a hot path a tenth of its time. Types are not checked here.
 */
export async function compile(directory: string): Promise<void> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await runToEnd(process.execPath, [tsc, '-p', join(root, 'bench')], { log: join(directory, 'tsc.log') })
  cpSync(join(root, 'web'), join(compiled, 'web'), { recursive: true })
}

interface ProcessOptions {
  /** names its log and, when profiled, its profile */
  name: string
  /** a compiled file, `api/main.js` */
  script: string
  environment: Record<string, string>
  /** where its log goes */
  directory: string
  node_options?: string[]
}

/**
 * Runs compiled code as a process of its own, as in production: the API, a worker, the simulator. With
 * `WEFT_BENCH_PROFILE` naming a folder, each leaves a CPU profile there when it ends.
 */
export async function startProcess(options: ProcessOptions): Promise<Child> {
  const { name, script, environment, directory, node_options = [] } = options
  const profile_dir = process.env.WEFT_BENCH_PROFILE
  const profiling = profile_dir ? ['--cpu-prof', `--cpu-prof-dir=${join(profile_dir, name)}`] : []
  return await startChild({
    command: process.execPath,
    args: [...node_options, ...profiling, join(compiled, script)],
    log: join(directory, `${name}.log`),
    stop_signal: 'TERM',
    grace_s: 45,
    cwd: root,
    env: { ...inheritedEnvironment(), NODE_ENV: 'production', ...environment },
  })
}

/** What any program needs, and nothing of ours: a setting of the caller's own shell must not change a figure. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, XDG_CACHE_HOME } = process.env
  return { PATH, HOME, TMPDIR, XDG_CACHE_HOME }
}
