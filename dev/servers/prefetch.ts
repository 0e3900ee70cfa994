import { findHeadlessChromium } from './chromium.ts'
import { findDatabase } from './database.ts'
import { findPhp } from './php.ts'
import { reasonOf } from './search.ts'
import { findTemporal } from './temporal.ts'
import { findTimeSkippingServer } from './testserver.ts'

/**
 * Fetches all that tests and the embedded run need, side by side, and says where each came from. Ends with 1 where
 * something is neither here nor to be fetched. A Chromium with windows is left to the first phone that is opened. Usage: `npx tsx dev/servers/prefetch.ts`
 */
const say = (line: string): void => console.log(line)
const wanted: [name: string, find: () => Promise<string>][] = [
  ['Temporal', async () => (await findTemporal(say)).how],
  ['MongoDB', async () => (await findDatabase(say)).how],
  ['Time-skipping server', async () => (await findTimeSkippingServer(say)).found.how],
  ['Chromium', async () => findHeadlessChromium(say)],
  ['PHP', async () => findPhp(say)],
]
const began = Date.now()
const outcomes = await Promise.all(
  wanted.map(async ([name, find]) => {
    try {
      const how = await find()
      say(`${name}: ${how}, ${((Date.now() - began) / 1000).toFixed(1)} s`)
      return true
    } catch (error) {
      console.error(reasonOf(error))
      return false
    }
  }),
)
process.exitCode = outcomes.every(Boolean) ? 0 : 1
