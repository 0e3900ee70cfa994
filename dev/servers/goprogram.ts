import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { cacheLog } from './cache.ts'
import { run } from './child.ts'
import { need } from './search.ts'
import type { Tell } from './search.ts'

/**
 * Builds a Go program from the module registry into `directory`, and tells how far it is. Go's module and build caches
 * stay the user's own, and hold only what is whole: a build that was cut short goes on from there.
 */
export async function goInstall(module: string, directory: string, remedy: string, tell: Tell): Promise<void> {
  const go = need('go', remedy)
  mkdirSync(directory, { recursive: true })
  const name = module.split('@')[0]?.split('/').at(-1) ?? 'install'
  const env = { ...process.env, GOBIN: directory }
  // The plan downloads all modules, and then lists the work of each package that Go's build cache does not hold.
  const plan = cacheLog(`go-${name}-plan`)
  tell(() => downloadingNow(read(plan)))
  await run(go, ['install', '-n', module], { log: plan, env })
  const total = plannedPackages(read(plan))
  rmSync(plan)
  const log = cacheLog(`go-${name}`)
  tell(() => compilingNow(read(log), total))
  await run(go, ['install', '-v', module], { log, env })
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
