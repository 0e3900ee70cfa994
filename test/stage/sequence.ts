import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'
import { filesByNeed } from './projects.ts'

/** The files that take longest on two idle cores, the longest first. */
const longest = [
  'test/journeys/fault/walk.test.ts',
  'test/dev/start.test.ts',
  'test/journeys/fault/backlog.test.ts',
  'test/journeys/order/review.test.ts',
  'test/journeys/bill/days.test.ts',
  'test/journeys/refund/end.test.ts',
  'test/journeys/refund/days.test.ts',
  'test/journeys/fault/race.test.ts',
  'test/journeys/order/intervention.test.ts',
  'test/journeys/fault/crash.test.ts',
  'test/api/checkout/browser.test.ts',
  'test/browser/checkout.test.ts',
  'test/api/v1/ordercommands.test.ts',
  'test/journeys/order/late.test.ts',
  'test/dev/purchase.test.ts',
  'test/journeys/fault/wechat.test.ts',
  'test/journeys/refund/request.test.ts',
  'test/dev/servers.test.ts',
  'test/journeys/order/close.test.ts',
  'test/journeys/fault/mixed.test.ts',
  'test/journeys/delivery/answer.test.ts',
  'test/journeys/order/days.test.ts',
  'test/workflows/replay.test.ts',
]

/**
 * Begins with the files that have a process of their own, since a worker that makes room for one is ended, and the next
 * loads all modules anew. Then those that take longest, so that no worker is left alone with one of them at the end.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config
    const gone = longest.filter((file) => !existsSync(join(root, file)))
    if (gone.length > 0) throw new Error(`test/stage/sequence.ts names files that are gone: ${gone.join(', ')}`)
    const places = new Map(longest.map((file, place) => [join(root, file), place]))
    const { served } = filesByNeed(root)
    const served_ids = new Set(served.map((file) => join(root, file)))
    const placeOf = ({ moduleId, project }: TestSpecification) => {
      if (project.config.isolate) return -1
      return places.get(moduleId) ?? longest.length + (served_ids.has(moduleId) ? 0 : 1)
    }
    const by_size = await super.sort(specifications)
    return by_size.sort((one, other) => placeOf(one) - placeOf(other))
  }
}
