/**
 * Keeps the checkout page up to date: server-sent events, and asking, more often where they do not come through. The
 * page stands without it; it decides nothing and shows only what the server says.
 */
import { payInWeChat } from './bridge.js'
import { ask_limit_ms, askingInterval, isMute, isOvertaken, isResting, stream_again_ms } from './pace.js'

/** A check or a fresh code goes to WeChat and back. */
const command_limit_ms = 15_000
/** How long "paid" is seen before the browser goes back to the shop by itself. */
const back_after_ms = 5_000

const {
  view: first_view,
  words,
  open_scenes,
  payable_scenes,
  choosing_scenes,
  passing_problems,
  ending_s,
} = JSON.parse(element('page-data').textContent)
const here = location.pathname
/** What the server says comes in the language of this page. */
const in_language = `?lang=${document.documentElement.lang}`
document.documentElement.dataset.script = 'runs'

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
  /** as the server last sent it, by the element that it is */
  markup: { receipt: '', advice: '' },
  /** what stood where the page says that the connection is lost */
  line: '',
  is_renewing: false,
  is_paying: false,
  pay_label: document.getElementById('pay-button')?.textContent ?? '',
  /** the payer has gone to WeChat by H5, and nothing says how it went there */
  has_left: false,
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
  if (isOvertaken(view, page.view)) return
  page.offset_ms = Date.parse(view.server_time) + rtt_ms / 2 - performance.timeOrigin - performance.now()
  const is_new_code = view.code?.placed_time !== page.view.code?.placed_time
  page.view = view
  if (is_new_code && view.code) showCode(view.code)
  showLinks(view)
  showNote(view.note)
  showScene(view.scene)
  updateCountdown()
}

/** Writes only what is new: a live region reads out whatever is written into it. */
function showText(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text
}

function showNote(note) {
  showText('title', note.title)
  showText('line', note.line)
  showText('asked', note.asked)
  showText('back', note.back)
  showMarkup('receipt', note.receipt)
  showMarkup('advice', note.advice)
  page.pay_label = note.pay
  if (document.getElementById('pay-button') && !page.is_paying) showText('pay-button', note.pay)
}

/** Markup of the server's own, escaped there like the page. Whoever is on one of its buttons stays there. */
function showMarkup(id, markup) {
  if (page.markup[id] === markup) return
  page.markup[id] = markup
  const { copy } = document.activeElement?.dataset ?? {}
  element(id).outerHTML = markup
  if (copy) document.querySelector(`[data-copy="${copy}"]`)?.focus()
}

function showScene(scene) {
  const before = page.scene
  if (scene === before) return
  const focused = document.activeElement
  page.scene = scene
  document.querySelector('main').dataset.scene = scene
  for (const part of document.querySelectorAll('[data-in]')) {
    part.hidden = !part.dataset.in.split(' ').includes(scene) || (part.id === 'back' && !wayBack())
  }
  showText('check-result', page.is_leaving ? words.back_soon : '')
  document.title = `${element('title').textContent} · ${page.view.merchant_name}`
  // What was in focus is gone: whoever works by keyboard or listens goes on at what is new.
  if (focused?.closest('main') && focused.closest('[hidden]')) element('title').focus()
  if (open_scenes.includes(before) && ['paid', 'accepted', 'fulfilled'].includes(scene)) leaveSoon()
}

/** The time to pay is over, by the server's clock; whether it was paid WeChat Pay has still to say. */
function showTimeOver() {
  showText('title', words.confirming.title)
  showText('line', words.confirming.line)
  showScene('confirming')
}

function wayBack() {
  return page.view.return_url ?? page.view.support?.link
}

function showCode(code) {
  const image = new Image()
  image.alt = words.scan_alt
  image.src = `${here}/code.svg?placed=${encodeURIComponent(code.placed_time)}`
  image.addEventListener('load', () => element('qr').replaceChildren(image))
}

function showLinks(view) {
  if (wayBack()) element('back').href = wayBack()
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
  showText('check-result', words.back_soon)
  setTimeout(() => location.assign(page.view.return_url), back_after_ms)
}

/** Once a second: the countdown, and what its end and the code's age mean. */
function updateCountdown() {
  const left_s = Math.max(0, Math.floor((Date.parse(page.view.time_expire) - serverNow()) / 1_000))
  element('left').textContent = readableDuration(left_s)
  showText('ending', page.scene === 'waiting' && left_s <= ending_s ? words.ending : '')
  if (left_s === 0 && payable_scenes.includes(page.scene)) showTimeOver()
  const { code, scene } = page.view
  const is_old = code ? serverNow() >= Date.parse(code.renew_time) : scene === 'stale'
  if ((scene === 'waiting' || scene === 'stale') && is_old && left_s > 0) void renewCode()
}

function readableDuration(seconds) {
  const pad = (number) => String(number).padStart(2, '0')
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3_600) % 24, (seconds / 60) % 60].map(Math.floor)
  const clock = `${pad(minutes)}:${pad(seconds % 60)}`
  if (days > 0) return `${words.days.replace('{days}', days)} ${pad(hours)}:${clock}`
  return hours > 0 ? `${hours}:${clock}` : clock
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
    const response = await fetch(here + path + in_language, {
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
  if (!is_there) page.line = element('line').textContent
  showText('line', is_there ? page.line : words.connection_lost)
}

/**
 * Streams while the page is seen and there is something to wait for; the browser itself reconnects when a connection
 * merely broke. A hidden page lets its stream go and asks instead: over HTTP/1.1 a browser has six connections to a host,
 * and a seventh tab would hang.
 */
function openStream() {
  if (page.stream || document.hidden || isResting(page.view)) return
  const source = new EventSource(`${here}/events${in_language}`)
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

/** The button stays in focus, and says that it is at work: one that is disabled would lose who is on it. */
async function submitCheck(event) {
  event.preventDefault()
  const button = event.target.querySelector('button')
  if (button.getAttribute('aria-disabled') === 'true') return
  button.setAttribute('aria-disabled', 'true')
  button.textContent = words.check_busy
  showText('check-result', '')
  const answer = await requestView('/check', 'POST')
  button.removeAttribute('aria-disabled')
  button.textContent = words.check
  // Paid and closed are scenes of their own, shown by now.
  if (answer && !open_scenes.includes(answer.scene)) return
  showText('check-result', words.check_results[answer ? answer.check : 'unavailable'] ?? '')
}

function submitRenewal(event) {
  event.preventDefault()
  page.is_renewing = false
  void renewCode()
}

/**
 * Pays right here: the server makes or finds the order, and says what opens WeChat. Whatever WeChat says then is a hint,
 * so the page has it asked.
 */
async function payHere() {
  if (page.is_paying) return
  setPaying(true)
  showText('check-result', '')
  const answer = await requestAnswer('/pay')
  if (answer?.errand_url) return location.assign(answer.errand_url)
  setPaying(false)
  if (answer?.object !== 'checkout') {
    const is_passing = !answer?.code || passing_problems.includes(answer.code)
    showText('check-result', is_passing ? words.not_placed : words.not_payable)
    return void askNow()
  }
  applyView(answer)
  if (!answer.call && page.scene === 'tap') showText('check-result', words.not_placed)
  closeStream() // it told of the order before, or of none
  openStream()
  if (answer.call?.kind === 'jsapi') await openSheet(answer.call)
  page.has_left = answer.call?.kind === 'h5'
  if (page.has_left) location.assign(answer.call.h5_url)
}

/** The button says that it is at work, and stays in focus. */
function setPaying(is_paying) {
  page.is_paying = is_paying
  const button = element('pay-button')
  button.setAttribute('aria-disabled', String(is_paying))
  button.textContent = is_paying ? words.pay_busy : page.pay_label
}

/** What the server answers, a view or not, as a problem or where the browser goes; null: nothing that can be read. */
async function requestAnswer(path) {
  try {
    const response = await fetch(here + path + in_language, {
      method: 'POST',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(command_limit_ms),
    })
    return await response.json()
  } catch {
    return null
  }
}

async function openSheet(call) {
  const { outcome, said } = await payInWeChat(call)
  if (outcome === 'silent' && !open_scenes.includes(page.scene)) return // the page has learnt it by itself
  const words_of_it = words.sheet_outcomes[outcome]
  showText('check-result', said ? `${words_of_it} ${words.sheet_said.replace('{said}', said)}` : words_of_it)
  if (outcome === 'no_bridge') return
  await requestView('/check', 'POST')
  if (outcome === 'ok' && !open_scenes.includes(page.scene)) showText('check-result', '')
}

/** The payer is back from WeChat: nobody has said how it went there, so WeChat is asked. */
function comeBack() {
  if (!page.has_left) return void askNow()
  page.has_left = false
  void requestView('/check', 'POST')
}

/**
 * What a page does by itself: a computer shows its code, a payer who was asked of WeChat goes on where he tapped, and one
 * who comes back by H5's link is looked after.
 */
function goOn() {
  const { way, scene } = page.view
  const query = new URLSearchParams(location.search)
  if (query.has('paying')) {
    history.replaceState(null, '', here + in_language) // a reload must not pay once more by itself
    if (way?.trade_type === 'JSAPI' && choosing_scenes.includes(scene)) return void payHere()
  }
  // A page that nobody sees, as one that a browser loads in advance, makes no order.
  if (way?.trade_type === 'NATIVE' && scene === 'ready' && !document.hidden) return void payHere()
  if (way?.trade_type === 'MWEB' && scene === 'tap') void requestView('/check', 'POST')
}

/** A button with `data-copy` copies the text of the element that it names; the receipt's come and go. */
async function copyText({ target }) {
  const button = target.closest('[data-copy]')
  if (!button) return
  const source = element(button.dataset.copy)
  try {
    await navigator.clipboard.writeText(source.textContent)
  } catch {
    getSelection().selectAllChildren(source)
    document.execCommand('copy') // pages without https have no other way
  }
  const label = button.textContent
  if (label === words.copied) return
  button.textContent = words.copied
  setTimeout(() => (button.textContent = label), 2_000)
}

element('check').addEventListener('submit', (event) => void submitCheck(event))
element('renew').addEventListener('submit', submitRenewal)
document.getElementById('pay')?.addEventListener('submit', (event) => {
  event.preventDefault()
  void payHere()
})
document.querySelector('main').addEventListener('click', (event) => void copyText(event))
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return closeStream()
  comeBack()
  openStream()
  if (page.scene === 'ready') goOn()
})
setInterval(() => {
  updateCountdown()
  keepPace()
}, 1_000)
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return
  if (page.is_paying) setPaying(false)
  comeBack()
})
updateCountdown()
openStream()
goOn()
