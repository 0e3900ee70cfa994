import { existsSync } from 'node:fs'
import { aptInstall } from './packages.ts'
import { fromEnvironment, fromPath, requireCommand, search, withProgress } from './search.ts'
import type { Progress, SearchWay } from './search.ts'

const remedy = 'install Chromium or Chrome, or let CHROMIUM_PATH name one'
const on_macos = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
const with_windows: SearchWay<string>[] = [
  fromPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
  { how: 'found among the applications', find: async () => (existsSync(on_macos) ? on_macos : null) },
]

/** The path of a Chromium or Chrome that can show windows, installed with apt where there is none and root asks. */
export async function findChromium(progress: Progress = () => undefined): Promise<string> {
  const wanted = {
    name: 'Chromium',
    here: [fromEnvironment('CHROMIUM_PATH'), ...with_windows],
    fetches: [fromApt('chromium', progress)],
  }
  return (await search(wanted, progress)).where
}

/**
 * The path of a Chromium for pages that nobody looks at. The one without windows takes a sixth of the processor time for
 * a page: no toolbar is drawn, no profile is made. A Chromium or Chrome that is here does the same, and spares the fetch.
 */
export async function findHeadlessChromium(progress: Progress = () => undefined): Promise<string> {
  const command = 'chromium-headless-shell'
  const wanted = {
    name: 'Chromium without windows',
    here: [fromEnvironment('CHROMIUM_PATH'), fromPath(command), ...with_windows],
    fetches: [fromApt(command, progress), fromApt('chromium', progress)],
  }
  return (await search(wanted, progress)).where
}

function fromApt(command: string, progress: Progress): SearchWay<string> {
  const line = 'Chromium: installing with apt, about 1 min, first start only'
  const install = async () => {
    await aptInstall([command], remedy, progress)
    return requireCommand(command, remedy)
  }
  return { how: 'installed with apt', find: () => withProgress(progress, line, install) }
}
