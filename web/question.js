/**
 * What the page asks the server, and hears from it by itself: server-sent events, and questions, more often where no
 * stream comes through.
 */
import { ask_limit_ms, askingInterval, isMute, isResting, stream_again_ms } from './pace.js'
import { applyView, here, page, showConnection } from './screen.js'

/** A check or a fresh code goes to WeChat and back. */
const command_limit_ms = 15_000
/** When no fresh code came, it is asked for again after this long. */
const renew_again_ms = 30_000

const asking = {
  /** @type {{ source: EventSource, opened_ms: number, heard_ms: number | null } | null} */
  stream: null,
  /** when the last question began */
  asked_ms: performance.now(),
  is_asking: false,
  is_renewing: false,
  is_in_mini_program: false,
}

const page_language = document.documentElement.lang

/** What the server is told with each question: the language of this page, and what it cannot know of the browser. */
export function pageQuery() {
  return `?lang=${page_language}${asking.is_in_mini_program ? '&in=mini_program' : ''}`
}

/**
 * WeChat tells every page that it is within a mini program, and the server not on each system: nothing can be paid there,
 * so the page asks what else can be done.
 */
export function noteMiniProgram() {
  if (asking.is_in_mini_program || window.__wxjs_environment !== 'miniprogram') return
  asking.is_in_mini_program = true
  if (asking.stream) {
    closeStream() // it was opened without a word of the mini program, and would show what can be paid elsewhere
    openStream()
  }
  if (page.view.way?.trade_type === 'JSAPI') void askNow()
}

/** Asks the server; throws where no answer comes in time, or none that can be read. */
async function ask(path, { method, limit_ms }) {
  const ending = new AbortController() // AbortSignal.timeout is younger than phones that pay
  const timer = setTimeout(() => ending.abort(), limit_ms)
  try {
    const headers = { accept: 'application/json' }
    const options = { method, headers, cache: 'no-store', signal: ending.signal }
    const response = await fetch(here + path + pageQuery(), options)
    return { is_ok: response.ok, answer: await response.json() }
  } finally {
    clearTimeout(timer)
  }
}

/** Asks for the view and shows it, or null: no answer, or none that is a view. */
export async function requestView(path, method = 'GET') {
  const started_ms = performance.now()
  const is_look = method === 'GET'
  try {
    const { is_ok, answer } = await ask(path, { method, limit_ms: is_look ? ask_limit_ms : command_limit_ms })
    if (!is_ok) throw new Error(`refused: ${answer.code}`)
    showConnection(true)
    applyView(answer, { rtt_ms: is_look ? performance.now() - started_ms : 0 })
    return answer
  } catch {
    if (is_look) showConnection(false)
    return null
  }
}

/** What the server answers, a view or not, as a problem or where the browser goes; null: nothing that can be read. */
export async function requestAnswer(path) {
  try {
    const { is_ok, answer } = await ask(path, { method: 'POST', limit_ms: command_limit_ms })
    if (is_ok) showConnection(true)
    return answer
  } catch {
    return null
  }
}

/** Asks for a fresh code, once until it is there or half a minute has passed. */
export async function renewCode({ is_asked_for = false } = {}) {
  if (asking.is_renewing && !is_asked_for) return
  asking.is_renewing = true
  await requestView('/code', 'POST')
  setTimeout(() => (asking.is_renewing = false), renew_again_ms)
}

export async function askNow() {
  if (asking.is_asking) return
  asking.is_asking = true
  asking.asked_ms = performance.now()
  await requestView('/order')
  asking.is_asking = false
}

/**
 * Streams while the page is seen and there is something to wait for; the browser itself reconnects when a connection
 * merely broke. A hidden page lets its stream go and asks instead: over HTTP/1.1 a browser has six connections to a host,
 * and a seventh tab would hang.
 */
export function openStream() {
  if (asking.stream || document.hidden || isResting(page.view)) return
  const source = new EventSource(`${here}/events${pageQuery()}`)
  const stream = { source, opened_ms: performance.now(), heard_ms: null }
  asking.stream = stream
  const noteHeard = () => (stream.heard_ms = performance.now())
  source.addEventListener('heartbeat', noteHeard)
  source.addEventListener('order', (event) => {
    noteHeard()
    showConnection(true)
    applyView(JSON.parse(event.data))
    if (isResting(page.view)) closeStream()
  })
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) giveUpStream()
  })
}

export function closeStream() {
  asking.stream?.source.close()
  asking.stream = null
}

function giveUpStream() {
  closeStream()
  setTimeout(openStream, stream_again_ms)
}

/**
 * Lets a stream go that has fallen silent, and asks when a question is due. Questions never wait for the stream: one that
 * is open and says nothing looks exactly like one to which nothing happens.
 */
export function keepPace() {
  const now_ms = performance.now()
  const { stream, asked_ms } = asking
  if (stream && isMute(stream, now_ms)) giveUpStream()
  const every_ms = askingInterval({ view: page.view, is_hidden: document.hidden, stream: asking.stream, now_ms })
  if (every_ms !== null && now_ms - asked_ms >= every_ms) void askNow()
}
