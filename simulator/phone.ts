import { toString as qrToString } from 'qrcode'
import { beijingTime } from '../domain/calendar.ts'
import { html, page, yuan } from './markup.ts'
import type { PhoneMarkup } from './markup.ts'
import { phone_payer } from './openid.ts'
import { stories } from './payer.ts'
import type { Payer, Story } from './payer.ts'
import { newestCode, products } from './product.ts'
import type { Order } from './records.ts'
import { isReturned } from './refund.ts'
import type { Refund } from './refund.ts'
import { ControlError } from './refusal.ts'
import type { SimulatorState } from './state.ts'
import { wordings } from './words.ts'
import type { PhoneLanguage, PhoneWords } from './words.ts'

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

/** Where a phone opens a link: in WeChat itself, or in its browser. */
const phone_browsers = ['wechat', 'browser'] as const

/** PhoneBrowser opens a link in a window that is a phone's WeChat or its browser. Rejects where there can be none. */
export type PhoneBrowser = (link: string, kind: (typeof phone_browsers)[number]) => Promise<void>

interface PhoneTools {
  state: SimulatorState
  payer: Payer
  notes: StoryNotes
  /** null: whoever started the simulator has no browser for it */
  browser: PhoneBrowser | null
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
        ${order.trade_type === 'NATIVE' ? qrImage(code_url, words) : ''}
        <code>${code_url}</code>
      </details>`
    const refresh = screen === 'armed' ? { head: html`<meta http-equiv="refresh" content="3" />` } : {}
    return page({ language, screen, body, path: `/phone?code_url=${encodeURIComponent(code_url)}`, ...refresh })
  }

  /** Renders the page without a code: what this is, a field to paste one, and the codes that can be paid now. */
  startPage(language: PhoneLanguage, mistake: string | null, payer = phone_payer): string {
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
      </section>
      ${linkForm(this.#tools.browser !== null, language)} ${payerForm(payer, language)}`
    return page({ language, screen: 'start', body, path: '/phone' })
  }

  /** Plays the story of a button. Returns the address of the page to go to next. */
  playStory(code_url: string, story: string, payer: string, language: PhoneLanguage): string {
    const next = new URLSearchParams({ code_url, lang: language })
    try {
      const known = stories.find((candidate) => candidate === story)
      if (known === undefined) throw new ControlError(400, 'PARAM_ERROR', 'no such story')
      this.#tools.payer.pay({ code_url, story: known, payer })
      next.set('told', known)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      next.set('refused', error.code)
    }
    return `/phone?${next.toString()}`
  }

  /** Opens a link in WeChat or in the phone's browser. Returns the address of the page to go to next. */
  async openLink(link: string, kind: string, language: PhoneLanguage): Promise<string> {
    const told = await this.#opened(link, kind)
    return `/phone?${new URLSearchParams({ lang: language, told }).toString()}`
  }

  async #opened(link: string, kind: string): Promise<'link_opened' | 'no_window' | 'no_link'> {
    const known = phone_browsers.find((one) => one === kind)
    if (known === undefined || !/^https?:/.test(link) || !URL.canParse(link)) return 'no_link'
    try {
      await this.#tools.browser?.(link, known)
      return this.#tools.browser === null ? 'no_window' : 'link_opened'
    } catch {
      return 'no_window' // this machine has no screen, or no browser: the page says what else can be done
    }
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
        <dt>${words.product}</dt>
        <dd data-product="${order.trade_type}">${products[order.trade_type].title}</dd>
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

/** Where a link can be opened as a phone does, or how else it can be done. */
function linkForm(hasBrowser: boolean, language: PhoneLanguage): PhoneMarkup {
  const words = wordings[language]
  return html` <section class="card">
    <h2>${words.open_link}</h2>
    <p class="quiet">${hasBrowser ? words.open_link_text : (words.link_texts['no_window'] ?? '')}</p>
    ${
      hasBrowser
        ? html`<form method="post" action="/phone/link">
            <input type="hidden" name="lang" value="${language}" />
            <label for="link">${words.link}</label>
            <input id="link" name="link" type="url" required autocomplete="off" placeholder="http://…/pay/…" />
            <button name="kind" value="wechat" data-open="wechat">${words.open_in_wechat}</button>
            <button name="kind" value="browser" data-open="browser">${words.open_in_browser}</button>
          </form>`
        : ''
    }
  </section>`
}

function payerForm(payer: string, language: PhoneLanguage): PhoneMarkup {
  const words = wordings[language]
  return html` <section class="card">
    <h2>${words.whose_phone}</h2>
    <p class="quiet">${words.whose_phone_text}</p>
    <form method="post" action="/phone/payer">
      <input type="hidden" name="lang" value="${language}" />
      <label for="payer">${words.payer}</label>
      <input id="payer" name="payer" required maxlength="64" autocomplete="off" value="${payer}" />
      <button>${words.change_payer}</button>
    </form>
  </section>`
}

function qrImage(code_url: string, words: PhoneWords): PhoneMarkup {
  const address = `/phone/qr.svg?code_url=${encodeURIComponent(code_url)}`
  return html`<img src="${address}" alt="${words.code}" width="180" height="180" />`
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
  const address = `/phone?${new URLSearchParams({ code_url: newestCode(order), lang: language }).toString()}`
  return html`<li>
    <a href="${address}">
      <span
        >${merchant}<br /><small data-product="${order.trade_type}"
          >${order.description} · ${products[order.trade_type].title}</small
        ></span
      ><b>¥${yuan(order.total)}</b></a
    >
  </li>`
}

function shortTime(ms: number): string {
  return beijingTime(ms).slice(0, 19).replace('T', ' ')
}
