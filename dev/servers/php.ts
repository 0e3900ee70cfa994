import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { aptInstall } from './packages.ts'
import { fromEnvironment, fromPath, NotFoundHere, requireCommand, search, withProgress } from './search.ts'
import type { Progress } from './search.ts'

const remedy = "install PHP's command line (php-cli), or let PHP_PATH name it"
/** What an integration without a package needs: signatures and JSON. */
const modules = ['openssl', 'hash', 'json']

/** The path of a PHP command line for the examples' tests, installed with apt where there is none and root asks. */
export async function findPhp(progress: Progress = () => undefined): Promise<string> {
  const wanted = {
    name: 'PHP',
    here: [fromEnvironment('PHP_PATH'), fromPath('php')],
    fetches: [
      {
        how: 'installed with apt',
        find: () =>
          withProgress(progress, 'PHP: installing with apt, about 20 s, first start only', async () => {
            await aptInstall(['php-cli'], remedy, progress)
            return requireCommand('php', remedy)
          }),
      },
    ],
  }
  const { where } = await search(wanted, progress)
  const { stdout } = await promisify(execFile)(where, ['-m'])
  const has = new Set(stdout.toLowerCase().split(/\s+/))
  const missing = modules.filter((module) => !has.has(module))
  if (missing.length > 0) throw new NotFoundHere(`${where} lacks ${missing.join(', ')}: ${remedy}`)
  return where
}
