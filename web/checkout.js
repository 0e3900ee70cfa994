/**
 * Keeps the checkout page up to date: server-sent events, and asking, more often where they do not come through. The
 * page stands without it; it decides nothing and shows only what the server says.
 */
import { ask_limit_ms, askingInterval, isMute, isResting, stream_again_ms } from './pace.js'

/** A check or a fresh code goes to WeChat and back. */
const command_limit_ms = 15_000
/** How long "paid" is seen before the browser goes back to the shop by itself. */
const back_after_ms = 5_000
const before_payment = ['preparing', 'waiting', 'confirming']

const { view: first_view, words } = JSON.parse(element('page-data').textContent)
const here = location.pathname

const page = {
  view: first_view,
  scene: first_view.scene,
  /** the server's clock minus ours; ours may be wrong or be set while we run */
  offset_ms: Date.parse(first_view.server_time) - performance.timeOrigin - performance.now(),
  /** @type {{ source: EventSource, opened_ms: number, heard_ms: number | null } | null} */
  stream: null,
  /** when the last question began */
  asked_ms: performance.now(),
  is_asking: false,
  is_renewing: false,
  is_leaving: false,
  was_offline: false,
}

function element(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

function serverNow() {
  return performance.timeOrigin + performance.now() + page.offset_ms
}

/** Takes what the server says now. An answer that was overtaken by a newer one changes nothing. */
function applyView(view, { rtt_ms = 0 } = {}) {
  if (view.revision < page.view.revision) return
  page.offset_ms = Date.parse(view.server_time) + rtt_ms / 2 - performance.timeOrigin - performance.now()
  const is_new_code = view.code?.placed_time !== page.view.code?.placed_time
  page.view = view
  if (is_new_code && view.code) showCode(view.code)
  showLinks(view)
  showScene(view.scene)
  updateCountdown()
}

function showScene(scene) {
  const before = page.scene
  if (scene === before) return
  page.scene = scene
  document.querySelector('main').dataset.scene = scene
  for (const part of document.querySelectorAll('[data-in]')) {
    part.hidden = !part.dataset.in.split(' ').includes(scene) || (part.id === 'back' && !page.view.return_url)
  }
  element('check-result').textContent = page.is_leaving ? words.back_soon : ''
  element('title').textContent = words.scenes[scene].title
  element('line').textContent = words.scenes[scene].line
  document.title = `${words.scenes[scene].title} · ${page.view.merchant_name}`
  if (before_payment.includes(before) && (scene === 'paid' || scene === 'fulfilled')) leaveSoon()
}

function showCode(code) {
  const image = new Image()
  image.alt = words.scan_alt
  image.src = `${here}/code.svg?placed=${encodeURIComponent(code.placed_time)}`
  image.addEventListener('load', () => element('qr').replaceChildren(image))
}

function showLinks(view) {
  if (view.return_url) element('back').href = view.return_url
  const phone = document.getElementById('test-phone')
  if (!phone) return
  phone.hidden = !view.test_phone_url
  if (view.test_phone_url) phone.href = view.test_phone_url
}

/** Only a page that saw the payment arrive goes back by itself: whoever opens it again wants to read it. */
function leaveSoon() {
  const { return_url } = page.view
  if (!return_url || page.is_leaving) return
  page.is_leaving = true
  element('check-result').textContent = words.back_soon
  setTimeout(() => location.assign(page.view.return_url), back_after_ms)
}

/** Once a second: the countdown, and what its end and the code's age mean. */
function updateCountdown() {
  const left_s = Math.max(0, Math.floor((Date.parse(page.view.time_expire) - serverNow()) / 1_000))
  element('left').textContent = readableDuration(left_s)
  if (left_s === 0 && (page.scene === 'waiting' || page.scene === 'preparing')) showScene('confirming')
  const { code, state } = page.view
  const is_old = code ? serverNow() >= Date.parse(code.renew_time) : state === 'awaiting_payment'
  if (state === 'awaiting_payment' && is_old && left_s > 0) void renewCode()
}

function readableDuration(seconds) {
  const pad = (number) => String(number).padStart(2, '0')
  const hours = Math.floor(seconds / 3_600)
  const minutes = Math.floor(seconds / 60) % 60
  return `${hours > 0 ? `${hours}:${pad(minutes)}` : pad(minutes)}:${pad(seconds % 60)}`
}

/** A fresh code, asked for by the page itself; when none came, again in half a minute. */
async function renewCode() {
  if (page.is_renewing) return
  page.is_renewing = true
  await requestView('/code', 'POST')
  setTimeout(() => (page.is_renewing = false), 30_000)
}

/** Asks the server and shows its answer, or null: no answer, or none that can be read. */
async function requestView(path, method = 'GET') {
  const started_ms = performance.now()
  try {
    const response = await fetch(here + path, {
      method,
      headers: { accept: 'application/json' },
      cache: 'no-store',
      signal: AbortSignal.timeout(method === 'GET' ? ask_limit_ms : command_limit_ms),
    })
    if (!response.ok) throw new Error(`status ${response.status}`)
    const answer = await response.json()
    showConnection(true)
    applyView(answer, { rtt_ms: method === 'GET' ? performance.now() - started_ms : 0 })
    return answer
  } catch {
    if (method === 'GET') showConnection(false)
    return null
  }
}

function showConnection(is_there) {
  if (page.was_offline === !is_there) return
  page.was_offline = !is_there
  const { line } = words.scenes[page.scene]
  element('line').textContent = is_there ? line : words.connection_lost
}

/**
 * Streams while the page is seen and there is something to wait for; the browser itself reconnects when a connection
 * merely broke. A hidden page lets its stream go and asks instead: over HTTP/1.1 a browser has six connections to a host,
 * and a seventh tab would hang.
 */
function openStream() {
  if (page.stream || document.hidden || isResting(page.view)) return
  const source = new EventSource(`${here}/events`)
  const stream = { source, opened_ms: performance.now(), heard_ms: null }
  page.stream = stream
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

function closeStream() {
  page.stream?.source.close()
  page.stream = null
}

function giveUpStream() {
  closeStream()
  setTimeout(openStream, stream_again_ms)
}

/**
 * Once a second: lets a stream go that has fallen silent, and asks when a question is due. Questions never wait for the
 * stream: one that is open and says nothing looks exactly like one to which nothing happens.
 */
function keepPace() {
  const now_ms = performance.now()
  if (page.stream && isMute(page.stream, now_ms)) giveUpStream()
  const every_ms = askingInterval({ view: page.view, is_hidden: document.hidden, stream: page.stream, now_ms })
  if (every_ms !== null && now_ms - page.asked_ms >= every_ms) void askNow()
}

async function askNow() {
  if (page.is_asking) return
  page.is_asking = true
  page.asked_ms = performance.now()
  await requestView('/order')
  page.is_asking = false
}

async function submitCheck(event) {
  event.preventDefault()
  const button = event.target.querySelector('button')
  button.disabled = true
  button.textContent = words.check_busy
  element('check-result').textContent = ''
  const answer = await requestView('/check', 'POST')
  button.disabled = false
  button.textContent = words.check
  // Paid and closed are scenes of their own, shown by now.
  if (answer && !before_payment.includes(answer.scene)) return
  element('check-result').textContent = words.check_results[answer ? answer.check : 'unavailable'] ?? ''
}

async function copyNumber(event) {
  const number = element('number')
  try {
    await navigator.clipboard.writeText(number.textContent)
  } catch {
    getSelection().selectAllChildren(number)
    document.execCommand('copy') // pages without https have no other way
  }
  event.target.textContent = words.copied
  setTimeout(() => (event.target.textContent = words.copy), 2_000)
}

element('check').addEventListener('submit', (event) => void submitCheck(event))
element('copy').addEventListener('click', (event) => void copyNumber(event))
element('copy').hidden = false
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return closeStream()
  void askNow()
  openStream()
})
setInterval(() => {
  updateCountdown()
  keepPace()
}, 1_000)
updateCountdown()
openStream()
