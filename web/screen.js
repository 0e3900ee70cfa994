/**
 * What the checkout page shows: the view that the server sent last, and every part of the page made to fit it. It decides
 * nothing and asks for nothing.
 */
import { isOvertaken } from './pace.js'

/** How long "paid" is seen before the browser goes back to the shop by itself. */
const back_after_ms = 5_000
/** A picture of a code that did not come is asked for again this much later. */
const picture_again_ms = 3_000

const {
  view: first_view,
  words: page_words,
  open_scenes,
  payable_scenes,
  choosing_scenes,
  passing_problems,
  ending_s,
} = JSON.parse(element('page-data').textContent)
document.documentElement.dataset.script = 'runs'

export { choosing_scenes, passing_problems }
export const words = page_words
/** The page's own address. */
export const here = location.pathname

export const page = {
  view: first_view,
  scene: first_view.scene,
  /** the server's clock minus the page's own, which begins with the page: a device's may be wrong, or be set meanwhile */
  offset_ms: Date.parse(first_view.server_time) - performance.now(),
  /** as the server last sent it, by the element that it is */
  markup: { receipt: '', advice: '' },
  /** what stood where the page says that the connection is lost */
  line: '',
  is_paying: false,
  pay_label: document.getElementById('pay-button')?.textContent ?? '',
  is_leaving: false,
  was_offline: false,
}

export function element(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/** Whether the order has not ended yet, nor its money come. */
export function isOpen() {
  return open_scenes.includes(page.scene)
}

function serverNow() {
  return performance.now() + page.offset_ms
}

/** Takes what the server says now. An answer that was overtaken by a newer one changes nothing. */
export function applyView(view, { rtt_ms = 0 } = {}) {
  if (isOvertaken(view, page.view)) return
  page.offset_ms = Date.parse(view.server_time) + rtt_ms / 2 - performance.now()
  const is_new_code = view.code?.placed_time !== page.view.code?.placed_time
  page.view = view
  if (is_new_code && view.code) showCode(view.code)
  showLinks(view)
  showNote(view.note)
  showScene(view.scene)
  updateCountdown()
}

/** Writes only what is new: a live region reads out whatever is written into it. */
export function showText(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text
}

/** Says what came of what the payer has done, below his buttons. */
export function showResult(text) {
  showText('check-result', text)
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
  showResult(page.is_leaving ? words.back_soon : '')
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

/** Shows the code once its picture is there; until then asks for the picture again, unless there is a newer code. */
function showCode(code) {
  const isNewest = () => page.view.code?.placed_time === code.placed_time
  const image = new Image()
  image.alt = words.scan_alt
  image.src = `${here}/code.svg?placed=${encodeURIComponent(code.placed_time)}`
  image.addEventListener('load', () => isNewest() && element('qr').replaceChildren(image))
  image.addEventListener('error', () => setTimeout(() => isNewest() && showCode(code), picture_again_ms))
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
  showResult(words.back_soon)
  setTimeout(() => location.assign(page.view.return_url), back_after_ms)
}

function secondsLeft() {
  return Math.max(0, Math.floor((Date.parse(page.view.time_expire) - serverNow()) / 1_000))
}

/** Shows how much of the time to pay is left, and that it is over. */
export function updateCountdown() {
  const left_s = secondsLeft()
  element('left').textContent = readableDuration(left_s)
  showText('ending', page.scene === 'waiting' && left_s <= ending_s ? words.ending : '')
  if (left_s === 0 && payable_scenes.includes(page.scene)) showTimeOver()
}

/** Whether the code that is to be scanned has grown old, and a fresh one would still be of use. */
export function isCodeOld() {
  const { code, scene } = page.view
  const is_old = code ? serverNow() >= Date.parse(code.renew_time) : scene === 'stale'
  return (scene === 'waiting' || scene === 'stale') && is_old && secondsLeft() > 0
}

function readableDuration(seconds) {
  const pad = (number) => String(number).padStart(2, '0')
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3_600) % 24, (seconds / 60) % 60].map(Math.floor)
  const clock = `${pad(minutes)}:${pad(seconds % 60)}`
  if (days > 0) return `${words.days.replace('{days}', days)} ${pad(hours)}:${clock}`
  return hours > 0 ? `${hours}:${clock}` : clock
}

export function showConnection(is_there) {
  if (page.was_offline === !is_there) return
  page.was_offline = !is_there
  if (!is_there) page.line = element('line').textContent
  showText('line', is_there ? page.line : words.connection_lost)
}

/** The button says that it is at work, and stays in focus. */
export function setPaying(is_paying) {
  page.is_paying = is_paying
  const button = document.getElementById('pay-button')
  if (!button) return // the merchant has chosen the way to pay
  button.setAttribute('aria-disabled', String(is_paying))
  button.textContent = is_paying ? words.pay_busy : page.pay_label
}
