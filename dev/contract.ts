/**
 * `npm run openapi` writes docs/openapi.json; `npm run check` compares it with the declarations, so that no change of
 * the API goes unseen through review.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { endpoints } from '../api/app.ts'
import { event_messages } from '../api/v1/events/message.ts'
import { openApi } from '../api/reference/openapi.ts'
import { release } from '../runtime/release.ts'

const path = new URL('../docs/openapi.json', import.meta.url)
const current = `${JSON.stringify(openApi({ endpoints, messages: event_messages }, release()), null, 2)}\n`

if (process.argv.includes('--check')) checkContract()
else writeFileSync(path, current)

function checkContract(): void {
  const kept = readFileSync(path, 'utf8')
  if (kept === current) return
  const lost = missingParts(JSON.parse(kept), JSON.parse(current))
  for (const place of lost) console.error(`gone from the API: ${place}`)
  console.error('docs/openapi.json is not what the code declares: run npm run openapi and read the difference')
  if (lost.length > 0) console.error('/v1 only grows: what was there must stay')
  process.exitCode = 1
}

/** Paths, methods, answers, fields and values that were there and are not any more. */
function missingParts(before: unknown, after: unknown, place = ''): string[] {
  if (Array.isArray(before)) {
    const now = Array.isArray(after) ? after.map((value) => JSON.stringify(value)) : []
    return before
      .filter((value) => !now.includes(JSON.stringify(value)))
      .map((value) => `${place}: ${JSON.stringify(value)}`)
  }
  if (typeof before !== 'object' || before === null) return []
  return Object.entries(before).flatMap(([name, value]) => {
    const now = (after as Record<string, unknown> | undefined)?.[name]
    return now === undefined ? [`${place}/${name}`] : missingParts(value, now, `${place}/${name}`)
  })
}
