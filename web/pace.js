/**
 * When the checkout page asks by itself, how long it believes in a stream, and which answer is the newer. Pure: the page hands in what it sees, and
 * a test can too. Times are milliseconds of one clock that only runs forward.
 */

/** How often the page asks; `null`: not at all. */
const ask_every_ms = { seen: 2_500, streaming: 12_000, hidden: 10_000, moving: 5_000, choosing: 5_000, resting: 30_000 }

/**
 * The server says something every ten seconds. After this much silence a stream counts for nothing: a proxy keeps back
 * what comes, or the connection is gone and nobody has said so.
 */
const mute_after_ms = 25_000

/** After a stream was refused, broke for good or fell silent, the next one is tried this much later. */
export const stream_again_ms = 30_000

/** After this long without an answer a question is asked anew. */
export const ask_limit_ms = 8_000

/** The order, or a checkout without one, rests in these states: no stream is held for it. */
const resting_states = ['fulfilled', 'closed', 'failed', 'review', 'refunding', 'refunded', 'expired', 'cancelled']

/** Scenes in which something is on its way, or a person is at it, though the order rests: somebody waits for that. */
const moving_scenes = ['review', 'late', 'refunding', 'returning', 'delayed']

/** Scenes of a checkout that has no order that could be paid: only another page, or this payer, moves it. */
const choosing_scenes = ['ready', 'again', 'advised']

export function isResting({ state }) {
  return resting_states.includes(state)
}

/** How long after a question the next one is due; null: none is. A stream changes that only while it is heard. */
export function askingInterval({ view, is_hidden, stream, now_ms }) {
  if (isResting(view)) {
    if (is_hidden) return null
    return moving_scenes.includes(view.scene) ? ask_every_ms.moving : ask_every_ms.resting
  }
  if (is_hidden) return ask_every_ms.hidden
  if (choosing_scenes.includes(view.scene)) return ask_every_ms.choosing
  return isHeard(stream, now_ms) ? ask_every_ms.streaming : ask_every_ms.seen
}

/** Whether something came by this stream, and not long ago. Open is not heard: a proxy may hold back the first byte. */
function isHeard(stream, now_ms) {
  return stream !== null && stream.heard_ms !== null && now_ms - stream.heard_ms < mute_after_ms
}

/** Whether a stream has been silent for so long, since it was opened or last heard, that it is better let go. */
export function isMute({ opened_ms, heard_ms }, now_ms) {
  return now_ms - (heard_ms ?? opened_ms) >= mute_after_ms
}

/**
 * Whether `view` is older than what is `seen`. Revisions count the changes of one order. Of two orders in one turn the
 * one with the payment is shown from then on, whichever it is.
 */
export function isOvertaken(view, seen) {
  if (view.turn !== seen.turn) return view.turn < seen.turn
  if (view.out_trade_no !== seen.out_trade_no) return seen.money !== null && view.money === null
  return view.revision < seen.revision
}
