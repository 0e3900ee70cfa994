import type { Middleware } from 'koa'
import compress from 'koa-compress'

/** Pages, their scripts and styles, drawings, and JSON. Not CSV and archives, which are read as they are written. */
const compressed_types = /^(text\/(html|css|javascript|plain)|image\/svg\+xml|application\/(problem\+)?json)\b/

/**
 * Below this an answer fits into what a connection sends at once: compressing it would cost time and win none. Most
 * answers of the API are smaller, so that merchants' orders do not pay for what readers of lists and pages win.
 */
const threshold_bytes = 4_096

/**
 * Compresses answers for whoever accepts it. A stream of events passes by: it is written past Koa, and what is sent by
 * it must not wait for more.
 */
export function compression(): Middleware {
  return compress({ filter: (type) => compressed_types.test(type), threshold: threshold_bytes, deflate: false })
}
