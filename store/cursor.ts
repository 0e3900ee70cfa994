import { createHash } from 'node:crypto'
import { beijingTime, isWritable, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'

/** Where a page ended: the time it is sorted by, then the `_id`, which makes the place exact. */
export interface PagePosition {
  time: Time
  _id: string
}

/** A cursor that Weft did not make. */
export class CursorMalformed extends Error {
  override readonly name = 'CursorMalformed'

  constructor() {
    super('the cursor is not one that Weft gave out')
  }
}

const longest_cursor = 2_048

/** What a list is known by: all that says which records it has, and in which order. */
export function listMark(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts), 'utf8').digest('base64url').slice(0, 12)
}

/** `position` in the list of this mark as an opaque word for URLs. */
export function encodeCursor(position: PagePosition, mark: string): string {
  return Buffer.from(JSON.stringify([milliseconds(position.time), position._id, mark]), 'utf8').toString('base64url')
}

/**
 * The reverse of `encodeCursor`; anything else throws `CursorMalformed`, and so does the cursor of another list: its place
 * means nothing here. Those of earlier versions have no mark, and go on.
 */
export function decodeCursor(cursor: string, mark: string | null = null): PagePosition {
  const parsed = parseCursor(cursor)
  if (!Array.isArray(parsed) || parsed.length < 2 || parsed.length > 3) throw new CursorMalformed()
  const [ms, _id, of_list] = parsed as unknown[]
  if (of_list !== undefined && (typeof of_list !== 'string' || (mark !== null && of_list !== mark)))
    throw new CursorMalformed()
  if (typeof ms !== 'number' || !Number.isSafeInteger(ms) || ms < 0 || !isWritable(ms)) throw new CursorMalformed()
  if (typeof _id !== 'string') throw new CursorMalformed()
  return { time: beijingTime(ms), _id }
}

function parseCursor(cursor: string): unknown {
  if (cursor.length > longest_cursor || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw new CursorMalformed()
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw new CursorMalformed()
  }
}

/** Where a reader of a feed stands: behind this place, whose event says that it is still the same feed. */
export interface FeedPlace {
  position: number
  event_id: string
}

export function encodeFeedCursor({ position, event_id }: FeedPlace): string {
  return Buffer.from(JSON.stringify(['feed', position, event_id]), 'utf8').toString('base64url')
}

/** The reverse of `encodeFeedCursor`, or null for a cursor of `encodeCursor`, of whatever list; anything else throws `CursorMalformed`. */
export function decodeFeedCursor(cursor: string): FeedPlace | null {
  const parsed = parseCursor(cursor)
  if (!Array.isArray(parsed) || parsed[0] !== 'feed') {
    decodeCursor(cursor)
    return null
  }
  const [, position, event_id, ...rest] = parsed as unknown[]
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) throw new CursorMalformed()
  if (typeof event_id !== 'string' || rest.length > 0) throw new CursorMalformed()
  return { position, event_id }
}
