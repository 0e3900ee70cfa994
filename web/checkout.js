/**
 * Keeps the checkout page up to date, and does what its payer presses. The page stands without it; it decides nothing and
 * shows only what the server says.
 */
import { payInWeChat, weChatBridge } from './bridge.js'
import {
  askNow,
  closeStream,
  keepPace,
  noteMiniProgram,
  openStream,
  pageQuery,
  renewCode,
  requestAnswer,
  requestView,
} from './question.js'
import {
  applyView,
  choosing_scenes,
  element,
  here,
  isCodeOld,
  isOpen,
  page,
  passing_problems,
  setPaying,
  showResult,
  updateCountdown,
  words,
} from './screen.js'

/** A browser that was sent to WeChat and is still here after this long did not get there. */
const leaving_limit_ms = 15_000

/** `has_left`: the payer has gone to WeChat by H5, and nothing says how it went there. */
const payer = { has_left: false }

/** The button stays in focus, and says that it is at work: one that is disabled would lose who is on it. */
async function submitCheck(event) {
  event.preventDefault()
  const button = event.target.querySelector('button')
  if (button.getAttribute('aria-disabled') === 'true') return
  button.setAttribute('aria-disabled', 'true')
  button.textContent = words.check_busy
  showResult('')
  const answer = await requestView('/check', 'POST')
  button.removeAttribute('aria-disabled')
  button.textContent = words.check
  showChecked(answer)
}

/** Paid and closed are scenes of their own, shown by now. */
function showChecked(answer) {
  if (isOpen()) showResult(words.check_results[answer ? answer.check : 'unavailable'] ?? '')
}

/**
 * Pays right here: the server makes or finds the order, and says what opens WeChat. Whatever WeChat says then is a hint,
 * so the page has it asked.
 */
async function payHere() {
  if (page.is_paying) return
  setPaying(true)
  showResult('')
  const answer = await requestAnswer('/pay')
  if (answer?.errand_url) {
    setTimeout(() => setPaying(false), leaving_limit_ms)
    return location.assign(answer.errand_url)
  }
  if (answer?.object !== 'checkout') {
    setPaying(false)
    const is_passing = !answer?.code || passing_problems.includes(answer.code)
    showResult(is_passing ? words.not_placed : words.not_payable)
    return void askNow()
  }
  applyView(answer)
  closeStream() // it told of the order before, or of none
  openStream()
  if (answer.call?.kind === 'jsapi') await weChatBridge() // who taps again meanwhile would call two pay sheets up
  setPaying(false)
  if (!answer.call && page.scene === 'tap') showResult(words.not_placed)
  if (answer.call?.kind === 'jsapi') await openSheet(answer.call)
  payer.has_left = answer.call?.kind === 'h5'
  if (payer.has_left) location.assign(answer.call.h5_url)
}

async function openSheet(call) {
  const { outcome, said } = await payInWeChat(call, { limit_ms: 0 })
  if (!isOpen()) return // the page has learnt by itself how it went
  const words_of_it = words.sheet_outcomes[outcome]
  showResult(said ? `${words_of_it} ${words.sheet_said.replace('{said}', said)}` : words_of_it)
  if (outcome === 'no_bridge') return
  const answer = await requestView('/check', 'POST')
  // WeChat Pay may not know yet of what its pay sheet calls paid, or of nothing at all.
  if (outcome === 'ok') showChecked(answer)
}

/** The payer is back: where he was at WeChat, nobody has said how it went there, so WeChat is asked. */
function comeBack() {
  openStream()
  if (!payer.has_left) return void askNow()
  payer.has_left = false
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
    history.replaceState(null, '', here + pageQuery()) // a reload must not pay once more by itself
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

/** Once a second, and at once. */
function tick() {
  updateCountdown()
  if (isCodeOld()) void renewCode()
  keepPace()
}

element('check').addEventListener('submit', (event) => void submitCheck(event))
element('renew').addEventListener('submit', (event) => {
  event.preventDefault()
  void renewCode({ is_asked_for: true })
})
document.getElementById('pay')?.addEventListener('submit', (event) => {
  event.preventDefault()
  void payHere()
})
document.querySelector('main').addEventListener('click', (event) => void copyText(event))
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return closeStream()
  comeBack()
  if (page.scene === 'ready') goOn()
})
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return
  if (page.is_paying) setPaying(false)
  comeBack()
})
document.addEventListener('WeixinJSBridgeReady', noteMiniProgram)
noteMiniProgram()
setInterval(tick, 1_000)
tick()
openStream()
goOn()
