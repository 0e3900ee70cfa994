import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { cacheLog } from './cache.ts'
import { runToEnd } from './child.ts'
import { assertGoSum, pinnedModule } from './pins.ts'
import { requireCommand } from './search.ts'
import type { Tell } from './search.ts'

/** Leaves a debugger's tables out, as Temporal's own releases do: a sixth of the file, and seconds of linking. */
const stripped = ['-ldflags=-s -w']

/**
 * Builds a Go program from the module registry into `directory`, and reports how far it is. Go's module and build
 * caches stay the user's own, and hold only what is whole: a build that was cut short goes on from there.
 */
export async function goInstall(module: string, directory: string, remedy: string, tell: Tell): Promise<void> {
  const go = requireCommand('go', remedy)
  mkdirSync(directory, { recursive: true })
  const name = module.split('@')[0]?.split('/').at(-1) ?? 'install'
  const env = { ...compilerMemory(), ...process.env, GOBIN: directory }
  await assertPinned(go, module, env)
  // The plan downloads all modules, and then lists the work of each package that Go's build cache does not hold.
  const plan = cacheLog(`go-${name}-plan`)
  tell(() => downloadingNow(read(plan)))
  await runToEnd(go, ['install', '-n', ...stripped, module], { log: plan, env })
  const total = plannedPackages(read(plan))
  rmSync(plan)
  const log = cacheLog(`go-${name}`)
  tell(() => compilingNow(read(log), total))
  await runToEnd(go, ['install', '-v', ...stripped, module], { log, env })
}

/** Downloads the module alone, and goes on only where it is the one that was pinned. */
async function assertPinned(go: string, program: string, env: NodeJS.ProcessEnv): Promise<void> {
  const module = pinnedModule(program)
  const { stdout } = await promisify(execFile)(go, ['mod', 'download', '-json', module], { env })
  assertGoSum(module, stdout)
}

/** Counts the packages that `go install -n` plans to compile: it makes a directory for each. */
function plannedPackages(plan: string): number {
  return plan.match(/^mkdir -p \$WORK\/b\d+\/$/gm)?.length ?? 0
}

/** Says in words which module `go install` downloads, from what it has written so far. */
function downloadingNow(output: string): string {
  const modules = output.match(/^go: downloading \S+/gm) ?? []
  const latest = modules.at(-1)?.split(' ').at(-1)
  return latest === undefined ? 'asking for Go modules' : `downloading ${latest} (${modules.length} modules so far)`
}

/** Says in words which package `go install -v` compiles, which writes one import path a line as it begins each. */
function compilingNow(output: string, total: number): string {
  const packages = output.match(/^[\w./~+-]+$/gm) ?? []
  const latest = packages.at(-1) ?? 'its packages'
  const count = packages.length.toLocaleString('en-US')
  const of = total === 0 ? '' : ` of ${total.toLocaleString('en-US')}` // a Go that writes its plan otherwise
  return `compiling ${latest} (${count}${of} packages)`
}

function read(log: string): string {
  return readFileSync(log, 'utf8')
}

const gib = 2 ** 30

/**
 * Lets the compilers, of which one runs per processor, collect garbage only from a GiB on where the machine has twice
 * that for each: this saves a quarter of their work on a large package, a seventh on all of Temporal. Unlike their
 * flags it leaves what they make as it is, and so what the user's build cache holds of it.
 */
function compilerMemory(): NodeJS.ProcessEnv {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity)
  return memory / availableParallelism() < 2 * gib ? {} : { GOGC: 'off', GOMEMLIMIT: '1GiB' }
}
