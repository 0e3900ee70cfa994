import { existsSync } from 'node:fs'
import { aptInstall } from './packages.ts'
import { fromEnvironment, fromPath, requireCommand, search, withProgress } from './search.ts'
import type { Progress } from './search.ts'

const remedy = 'install Chromium or Chrome, or let CHROMIUM_PATH name one'
const on_macos = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

/** The path of a Chromium or Chrome for the page tests, installed with apt where there is none and root asks. */
export async function findChromium(progress: Progress = () => undefined): Promise<string> {
  const wanted = {
    name: 'Chromium',
    here: [
      fromEnvironment('CHROMIUM_PATH'),
      fromPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
      { how: 'found among the applications', find: async () => (existsSync(on_macos) ? on_macos : null) },
    ],
    fetches: [
      {
        how: 'installed with apt',
        find: () =>
          withProgress(progress, 'Chromium: installing with apt, about 1 min, first start only', async () => {
            await aptInstall(['chromium'], remedy, progress)
            return requireCommand('chromium', remedy)
          }),
      },
    ],
  }
  return (await search(wanted, progress)).where
}
