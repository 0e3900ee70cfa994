import { bill_chapters } from './billpaths.ts'
import { denial_chapters } from './denialpaths.ts'
import { handling_chapters } from './handlingpaths.ts'
import { line_chapters } from './linepaths.ts'
import { chapters } from './paths.ts'
import type { Chapter } from './paths.ts'
import { rare_chapters } from './rarepaths.ts'
import { refund_chapters } from './refundpaths.ts'
import { way_chapters } from './waypaths.ts'

/** Every way that the code can go: `coverage.ts` says what is missing, and `replay.test.ts` replays what is stored. */
export const all_chapters: Chapter[] = [
  ...chapters,
  ...refund_chapters,
  ...handling_chapters,
  ...rare_chapters,
  ...line_chapters,
  ...denial_chapters,
  ...way_chapters,
  ...bill_chapters,
]
