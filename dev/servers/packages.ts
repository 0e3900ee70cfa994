import { join } from 'node:path'
import { cacheLog, withLock } from './cache.ts'
import { runToEnd } from './child.ts'
import { findCommand, NotFoundHere, requireCommand } from './search.ts'
import type { Progress } from './search.ts'

/** Installs packages with the machine's own apt, which takes root. */
export async function aptInstall(packages: string[], remedy: string, progress: Progress): Promise<void> {
  const apt = requireCommand('apt-get', remedy)
  if (process.getuid?.() !== 0) throw new NotFoundHere(`only root can install ${packages.join(', ')}: ${remedy}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const log = cacheLog(`apt-${packages[0] ?? 'install'}`)
  const args = ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=600', ...packages]
  await withLock(
    'apt',
    () => progress(`${packages.join(', ')}: waiting for another installation`),
    async () => {
      // Fresh lists first: an image often comes without any, and old ones name versions the mirror no longer has.
      await runToEnd(apt, ['update'], { log, env })
      await runToEnd(apt, args, { log, env })
    },
  )
}

/** A command that a Debian package brings: the one that is there, or after installing the package. */
export async function commandOrPackage(command: string, remedy: string, progress: Progress): Promise<string> {
  const here = findCommand(command)
  if (here !== null) return here
  await aptInstall([command], remedy, progress)
  return requireCommand(command, remedy)
}

/** Copies a Maven artifact and all it needs at run time into `directory`/lib. */
export async function mavenCopy(pom: string, directory: string, remedy: string): Promise<void> {
  const maven = requireCommand('mvn', remedy)
  const args = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
  await runToEnd(maven, [...args, `-DoutputDirectory=${join(directory, 'lib')}`], { log: cacheLog('maven') })
}
