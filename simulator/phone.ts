import { toString as qrToString } from 'qrcode'
import { beijingTime } from '../domain/calendar.ts'
import { stories } from './payer.ts'
import type { Payer, Story } from './payer.ts'
import type { Order } from './records.ts'
import { isReturned } from './refund.ts'
import type { Refund } from './refund.ts'
import { ControlError } from './refusal.ts'
import type { SimulatorState } from './state.ts'
import { wordings } from './words.ts'
import type { PhoneLanguage, PhoneWords } from './words.ts'

/** PhoneMarkup is text that is HTML already; everything else is escaped by `html`. */
class PhoneMarkup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Piece = string | number | PhoneMarkup | Piece[]

function render(piece: Piece): string {
  if (piece instanceof PhoneMarkup) return piece.text
  if (Array.isArray(piece)) return piece.map(render).join('')
  return String(piece).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function html(strings: TemplateStringsArray, ...pieces: Piece[]): PhoneMarkup {
  return new PhoneMarkup(strings.map((text, index) => text + render(pieces[index] ?? '')).join(''))
}

/** What the phone shows of an order. */
type Screen = 'open' | 'paid' | 'closed' | 'armed' | 'expired'

const storiesOf: Record<Screen, Story[]> = {
  open: [
    'lose_notification',
    'notify_three_times',
    'notify_late',
    'pay_while_closing',
    'pay_after_close_sent',
    'forge_notification',
    'wrong_amount',
  ],
  armed: [],
  paid: ['second_payment'],
  closed: ['pay_after_close'],
  expired: [],
}

/** StoryNotes are small lines below the buttons of stories, given by the program that starts the simulator. */
export type StoryNotes = Partial<Record<Story, Record<PhoneLanguage, string>>>

/** StoryOutcome names the story that was played, or the code of its refusal; both null when none was asked for. */
interface StoryOutcome {
  story: string | null
  refused: string | null
}

interface PhoneTools {
  state: SimulatorState
  payer: Payer
  notes: StoryNotes
  now: () => number
}

/** Phone is the payer's phone: pages without script, that a thumb or a browser test can use. */
export class Phone {
  readonly #tools: PhoneTools

  constructor(tools: PhoneTools) {
    this.#tools = tools
  }

  /** Renders the page for one code, with what became of the story that was just asked for. */
  orderPage(code_url: string, language: PhoneLanguage, outcome: StoryOutcome): string {
    const { payer } = this.#tools
    const order = this.#findOrder(code_url)
    const words = wordings[language]
    if (order === null) return this.startPage(language, words.unknown_code)
    const refusal = payer.paymentRefusal(order, code_url, null)
    const screen = screenOf(order, refusal)
    const notice = noticeOf(outcome, refusal, screen, language)
    const body = html` ${this.#summary(order, screen, language)}
      ${notice === null ? '' : html`<p class="notice" role="status">${notice}</p>`} ${this.#refunds(order, language)}
      ${screen === 'open' || screen === 'armed' ? this.#payForm(code_url, language) : ''}
      ${this.#storyForm(code_url, screen, language)}
      <details class="code">
        <summary>${words.code}</summary>
        <img
          src="/phone/qr.svg?code_url=${encodeURIComponent(code_url)}"
          alt="${words.code}"
          width="180"
          height="180"
        />
        <code>${code_url}</code>
      </details>`
    return page({ language, screen, body, path: `/phone?code_url=${encodeURIComponent(code_url)}` })
  }

  /** Renders the page without a code: what this is, a field to paste one, and the codes that can be paid now. */
  startPage(language: PhoneLanguage, mistake: string | null): string {
    const words = wordings[language]
    const open = this.#openOrders()
    const body = html` <section class="card">
        <h1>${words.start_title}</h1>
        <p>${words.start_text}</p>
        ${mistake === null ? '' : html`<p class="notice" role="status">${mistake}</p>`}
        <form method="get" action="/phone">
          <input type="hidden" name="lang" value="${language}" />
          <label for="code_url">${words.paste}</label>
          <input id="code_url" name="code_url" required autocomplete="off" placeholder="weixin://wxpay/bizpayurl…" />
          <button class="primary">${words.scan}</button>
        </form>
      </section>
      <section class="card">
        <h2>${words.open_orders}</h2>
        ${open.length === 0 ? html`<p class="quiet">${words.no_open_orders}</p>` : ''}
        <ul class="orders">
          ${open.map((order) => orderLink(order, this.#nameOf(order), language))}
        </ul>
      </section>`
    return page({ language, screen: 'start', body, path: '/phone' })
  }

  /** Plays the story of a button. Returns the address of the page to go to next. */
  playStory(code_url: string, story: string, language: PhoneLanguage): string {
    const next = new URLSearchParams({ code_url, lang: language })
    try {
      const known = stories.find((candidate) => candidate === story)
      if (known === undefined) throw new ControlError(400, 'PARAM_ERROR', 'no such story')
      this.#tools.payer.pay({ code_url, story: known })
      next.set('told', known)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      next.set('refused', error.code)
    }
    return `/phone?${next.toString()}`
  }

  /** The code as the merchant would show it, as SVG. */
  async qrSvg(code_url: string): Promise<string> {
    return qrToString(code_url.slice(0, 512), { type: 'svg', margin: 1, errorCorrectionLevel: 'M' })
  }

  #findOrder(code_url: string): Order | null {
    return this.#tools.state.findOrderByCode(code_url, this.#tools.now())
  }

  #nameOf(order: Order): string {
    return this.#tools.state.merchants.get(order.mchid)?.name ?? order.mchid
  }

  #openOrders(): Order[] {
    const latest = [...this.#tools.state.orders.values()].slice(-200).reverse()
    return latest
      .filter((order) => order.trade_state === 'NOTPAY' && order.time_expire > this.#tools.now())
      .slice(0, 10)
  }

  #summary(order: Order, screen: Screen, language: PhoneLanguage): PhoneMarkup {
    const words = wordings[language]
    const paid = screen === 'paid' ? this.#tools.state.payments.get(order.transaction_id ?? '') : undefined
    return html` <section class="card summary">
      <p class="state ${screen}">${words.screens[screen]}</p>
      <p class="merchant">${this.#nameOf(order)}</p>
      <p class="amount"><small>¥</small><span data-amount>${yuan(paid?.total ?? order.total)}</span></p>
      <dl>
        <dt>${words.item}</dt>
        <dd>${order.description}</dd>
        <dt>${words.number}</dt>
        <dd>${order.out_trade_no}</dd>
        ${
          paid === undefined
            ? html`<dt>${words.until}</dt>
                <dd>${shortTime(order.time_expire)}</dd>`
            : html`<dt>${words.paid_at}</dt>
                <dd>${shortTime(paid.success_time)}</dd>
                <dt>${words.transaction}</dt>
                <dd data-transaction>${paid.transaction_id}</dd>`
        }
      </dl>
    </section>`
  }

  /** What came back of the order's money, or is on its way. */
  #refunds(order: Order, language: PhoneLanguage): PhoneMarkup | string {
    const words = wordings[language]
    const refunds = this.#tools.state.refundsOf(order.mchid, order.out_trade_no)
    if (refunds.length === 0) return ''
    return html` <section class="card" data-refunds>
      <h2>${words.refunds}</h2>
      <ul class="refunds">
        ${refunds.map((refund) => refundItem(refund, words))}
      </ul>
    </section>`
  }

  #payForm(code_url: string, language: PhoneLanguage): PhoneMarkup {
    const words = wordings[language]
    return html` <form method="post" action="/phone" class="pay">
      ${hiddenFields(code_url, language)}
      <button class="primary" name="story" value="pay" data-story="pay">${words.stories.pay.title}</button>
      ${this.#note('pay', language)}
      <button class="secondary" name="story" value="cancel" data-story="cancel">${words.stories.cancel.title}</button>
      ${this.#note('cancel', language)}
    </form>`
  }

  #note(story: Story, language: PhoneLanguage): PhoneMarkup | string {
    const note = this.#tools.notes[story]?.[language]
    if (note === undefined) return ''
    const { proof } = wordings[language]
    return html`<details class="note">
      <summary>${proof}</summary>
      <small data-note="${story}">${note}</small>
    </details>`
  }

  #storyForm(code_url: string, screen: Screen, language: PhoneLanguage): PhoneMarkup | string {
    const words = wordings[language]
    if (storiesOf[screen].length === 0) return ''
    return html` <section class="card">
      <h2>${words.misbehave}</h2>
      <form method="post" action="/phone" class="stories">
        ${hiddenFields(code_url, language)}
        ${storiesOf[screen].map(
          (story) =>
            html` <button name="story" value="${story}" data-story="${story}">
                <strong>${words.stories[story].title}</strong><span>${words.stories[story].text}</span>
              </button>
              ${this.#note(story, language)}`,
        )}
      </form>
    </section>`
  }
}

function screenOf(order: Order, refusal: ControlError | null): Screen {
  if (order.trade_state === 'CLOSED') return 'closed'
  if (order.trade_state !== 'NOTPAY') return 'paid'
  if (order.armed !== null) return 'armed'
  return refusal === null ? 'open' : 'expired'
}

function noticeOf(
  outcome: StoryOutcome,
  refusal: ControlError | null,
  screen: Screen,
  language: PhoneLanguage,
): string | null {
  const { refusals, confirmations } = wordings[language]
  if (outcome.refused !== null) return refusals[outcome.refused] ?? outcome.refused
  if (outcome.story !== null && outcome.story in confirmations) return confirmations[outcome.story] ?? null
  if (screen === 'armed') return wordings[language].armed
  return screen === 'expired' && refusal !== null ? (refusals[refusal.code] ?? refusal.message) : null
}

function hiddenFields(code_url: string, language: PhoneLanguage): PhoneMarkup {
  return html`<input type="hidden" name="code_url" value="${code_url}" />
    <input type="hidden" name="lang" value="${language}" />`
}

function refundItem(refund: Refund, words: PhoneWords): PhoneMarkup {
  const { amount, reason, success_time, create_time } = refund
  const state = isReturned(refund) ? 'returned' : refund.status
  return html`<li data-refund="${refund.status}">
    <span><b>¥${yuan(amount.payer_refund)}</b> ${words.refund_states[state]}</span>
    <small>${shortTime(success_time ?? create_time)} · ${words.refund_to} ${refund.user_received_account}</small>
    ${reason !== null && isReasonShown(refund) ? html`<small>${words.refund_reason}: ${reason}</small>` : ''}
  </li>`
}

/** The payer does not see the reason of a partial refund of one yuan or less (docs/wechat-pay.md §2.4). */
function isReasonShown({ amount }: Refund): boolean {
  return amount.refund === amount.total || amount.refund > 100
}

function orderLink(order: Order, merchant: string, language: PhoneLanguage): PhoneMarkup {
  const address = `/phone?${new URLSearchParams({ code_url: order.code_url, lang: language }).toString()}`
  return html`<li>
    <a href="${address}">
      <span>${merchant}<br /><small>${order.description}</small></span
      ><b>¥${yuan(order.total)}</b></a
    >
  </li>`
}

function page(content: { language: PhoneLanguage; screen: string; body: PhoneMarkup; path: string }): string {
  const words = wordings[content.language]
  const other: PhoneLanguage = content.language === 'en' ? 'zh-CN' : 'en'
  const separator = content.path.includes('?') ? '&' : '?'
  return html`<!doctype html>
    <html lang="${content.language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${content.screen === 'armed' ? html`<meta http-equiv="refresh" content="3" />` : ''}
        <title>${words.title}</title>
        <link rel="stylesheet" href="/phone/style.css" />
      </head>
      <body>
        <header>
          <a href="/phone?lang=${content.language}">${words.title}</a>
          <a href="${content.path}${separator}lang=${other}" lang="${other}" data-language>${words.other_language}</a>
        </header>
        <main data-screen="${content.screen}">${content.body}</main>
        <footer>${words.footer}</footer>
      </body>
    </html>`.text
}

/** Fen as people read them: 1 → 0.01. */
function yuan(fen: number): string {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')}`
}

function shortTime(ms: number): string {
  return beijingTime(ms).slice(0, 19).replace('T', ' ')
}
