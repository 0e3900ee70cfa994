import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../../runtime/logger.ts'
import { removeLeftFolders } from '../../match/folder.ts'

/** Where days are compared on the disk of whichever worker does it. */
export const scratch_folder = join(tmpdir(), 'weft-match')

/** how often a worker looks for what killed ones left on its disk, beside at its start */
export const scratch_every_ms = 3_600_000

/** Removes what comparisons of killed workers left on this disk; what a living one works with stays. */
export async function removeLeftScratch({ log, now }: { log: Logger; now: () => number }): Promise<void> {
  const count = await removeLeftFolders(scratch_folder, { now_ms: now() })
  if (count > 0) log.info('removed what killed workers left of comparisons', { folders: count, in: scratch_folder })
}
