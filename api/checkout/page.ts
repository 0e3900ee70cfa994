import { milliseconds } from '../../domain/calendar.ts'
import { readableAmount } from '../../domain/money.ts'
import { html, jsonScript, trusted } from '../http/markup.ts'
import type { Content, Markup } from '../http/markup.ts'
import { fadedDrawing, markDrawing, marks, qrDrawing, scan_drawing } from './image.ts'
import { scenes } from './view.ts'
import type { PayerView, Scene } from './view.ts'
import { languages, phrases } from './words.ts'
import type { Language, Phrases } from './words.ts'

/** What became of "I have paid", where the order itself does not say it. */
export const check_results = ['not_yet', 'limit', 'unavailable'] as const
export type CheckResult = (typeof check_results)[number]

export interface CheckoutPage {
  view: PayerView
  language: Language
  /** the last part of the page's own address */
  token: string
  assets: Assets
  is_phone: boolean
  /** told by the button without scripts, after its redirect */
  check_result: CheckResult | null
}

/** Addresses of the page's style and script, relative to the page: they hold behind any prefix. */
export interface Assets {
  style: string
  script: string
}

/** Scenes in which more may happen by itself. */
const moving: readonly Scene[] = ['preparing', 'waiting', 'confirming', 'paid', 'late', 'refunding']
const to_pay: readonly Scene[] = ['preparing', 'waiting']
const to_check: readonly Scene[] = ['waiting', 'confirming']
const faded: readonly Scene[] = ['confirming', 'expired', 'closed']
const to_leave: readonly Scene[] = scenes.filter((scene) => !['preparing', 'waiting', 'confirming'].includes(scene))

/** The whole page, as it stands without scripts; web/checkout.js keeps it up to date. */
export async function checkoutPage(page: CheckoutPage): Promise<string> {
  const { view, language, assets } = page
  const words = phrases[language]
  const head = html`<title>${readableAmount(view.amount)} · ${words.page_title(view.merchant_name)}</title>
    ${moving.includes(view.scene) ? html`<noscript><meta http-equiv="refresh" content="5" /></noscript>` : null}
    <script type="module" src="${assets.script}"></script>`
  const body = html`${testBanner(view, words)}
    <main class="sheet" data-scene="${view.scene}">
      <header class="what">
        <p class="merchant">${view.merchant_name}</p>
        <h1 class="amount">${readableAmount(view.amount)}</h1>
        <p class="item">${view.description}</p>
      </header>
      ${await stage(view, words)} ${page.is_phone ? part(['waiting'], view, 'p', 'phone-hint', words.phone_hint) : null}
      <section class="state" role="status" aria-live="polite">
        <h2 id="title">${words.scenes[view.scene].title}</h2>
        <p id="line">${words.scenes[view.scene].line}</p>
      </section>
      ${part(to_pay, view, 'p', 'timer', html`${words.left} ${countdown(view)}`)} ${actions(page, words)}
      ${trouble(view, words)}
      <dl class="number">
        <dt>${words.number}</dt>
        <dd>
          <code id="number">${view.out_trade_no}</code>
          <button type="button" class="quiet" id="copy" hidden>${words.copy}</button>
        </dd>
      </dl>
      <noscript>
        <p class="no-script">
          ${moving.includes(view.scene) ? words.no_script : null}
          <a href="${page.token}?lang=${language}">${words.reload}</a>
        </p>
      </noscript>
    </main>
    ${jsonScript('page-data', { view, words: scriptWords(words) })}`
  return frame({ language, head, body, style: assets.style, address: page.token })
}

/** The page for a link that leads to no order, in both languages: nothing is known of who follows it. */
export function unknownPage(style: string): string {
  return plainPage('unknown', style)
}

/** The page for a moment in which the records cannot be read. */
export function unavailablePage(style: string): string {
  return plainPage('unavailable', style)
}

function plainPage(which: 'unknown' | 'unavailable', style: string): string {
  const head = html`<title>${phrases['zh-CN'][which].title} · ${phrases.en[which].title}</title>
    ${which === 'unavailable' ? html`<meta http-equiv="refresh" content="5" />` : null}`
  const body = html`<main class="sheet plain">
    ${languages.map(
      (language) =>
        html`<section lang="${language}">
          <h1>${phrases[language][which].title}</h1>
          <p>${phrases[language][which].line}</p>
        </section>`,
    )}
  </main>`
  return frame({ language: 'zh-CN', head, body, style, address: null })
}

interface Frame {
  language: Language
  head: Markup
  body: Markup
  style: string
  /** where the links to the other languages lead; null: none */
  address: string | null
}

function frame({ language, head, body, style, address }: Frame): string {
  const others = languages.filter((other) => other !== language && address !== null)
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="color-scheme" content="light dark" />
        <meta name="format-detection" content="telephone=no" />
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${style}" />
        ${head}
      </head>
      <body>
        ${body}
        <footer>
          <span>微信支付 · WeChat Pay</span>
          ${others.map(
            (other) =>
              html`<a href="${address}?lang=${other}" lang="${other}" hreflang="${other}"
                >${phrases[other].language_name}</a
              >`,
          )}
        </footer>
      </body>
    </html> `.toString()
}

/** An element that is there in some scenes only; the script shows and hides it by the same list. */
function part(shown_in: readonly Scene[], view: PayerView, tag: 'p' | 'div', name: string, content: Content): Markup {
  const element = trusted(tag)
  const hidden = shown_in.includes(view.scene) ? null : trusted(' hidden')
  return html`<${element} class="${name}" data-in="${shown_in.join(' ')}"${hidden}>${content}</${element}>`
}

function testBanner(view: PayerView, words: Phrases): Markup | null {
  if (!view.test_mode) return null
  const link = html`<a
    id="test-phone"
    href="${view.test_phone_url ?? '#'}"
    target="_blank"
    rel="noopener noreferrer"
    ${view.test_phone_url === null ? trusted('hidden') : null}
    >${words.test_phone}</a
  >`
  return html`<p class="banner"><span>${words.test_banner}</span> ${link}</p>`
}

async function stage(view: PayerView, words: Phrases): Promise<Markup> {
  const code = view.code === null ? null : trusted(await qrDrawing(view.code.url))
  const qr = html`<div class="qr" id="qr" role="img" aria-label="${words.scan_alt}">${code}</div>`
  const over = html`<div class="qr faded" aria-hidden="true">${trusted(await fadedDrawing())}</div>`
  const marked = scenes.flatMap((scene) => {
    const mark = marks[scene]
    return mark ? [part([scene], view, 'div', `mark ${mark}`, markDrawing(mark))] : []
  })
  return html`<section class="stage">
    ${part(['waiting'], view, 'div', 'tile', qr)}
    ${part(['preparing'], view, 'div', 'tile', html`<div class="qr skeleton" aria-hidden="true"></div>`)}
    ${part(faded, view, 'div', 'tile', over)} ${marked}
    ${part(to_pay, view, 'p', 'scan', html`${scan_drawing} <span>${words.scan}</span>`)}
  </section>`
}

/** The time left as the server sees it; the script counts on from there, by the server's clock. */
function countdown(view: PayerView): Markup {
  const left_s = Math.max(0, Math.floor((milliseconds(view.time_expire) - milliseconds(view.server_time)) / 1_000))
  return html`<time id="left" role="timer" datetime="${view.time_expire}">${readableDuration(left_s)}</time>`
}

/** `14:59`, `1:14:59` and, beyond a day, `26:14:59`: digits that keep their places while they count. */
function readableDuration(seconds: number): string {
  const pad = (number: number) => String(number).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  return `${hours > 0 ? `${hours}:${pad(minutes)}` : pad(minutes)}:${pad(seconds % 60)}`
}

function actions({ view, language, token, check_result }: CheckoutPage, words: Phrases): Markup {
  const check = html`<form method="post" action="${token}/check?lang=${language}" id="check">
    <button type="submit" class="primary">${words.check}</button>
  </form>`
  const renew = html`<noscript>
    <form method="post" action="${token}/code?lang=${language}"><button class="quiet">${words.renew}</button></form>
  </noscript>`
  const result = check_result && view.scene === 'waiting' ? words.check_results[check_result] : null
  const leaves = to_leave.includes(view.scene) && view.return_url !== null
  return html`<section class="actions">
    ${part(to_check, view, 'div', 'check', check)}
    ${part(['preparing'], view, 'div', 'renew', view.state === 'awaiting_payment' ? renew : null)}
    <p id="check-result" role="status">${result}</p>
    <a
      class="primary"
      id="back"
      data-in="${to_leave.join(' ')}"
      href="${view.return_url ?? '#'}"
      ${leaves ? null : trusted('hidden')}
      >${words.back}</a
    >
  </section>`
}

function trouble(view: PayerView, words: Phrases): Markup {
  const lines = words.trouble_lines.map((line) => html`<li>${line}</li>`)
  return part(
    ['waiting'],
    view,
    'div',
    'trouble',
    html`<details>
      <summary>${words.trouble}</summary>
      <ul>
        ${lines}
      </ul>
    </details>`,
  )
}

/** The words that the script puts into the page while it lives. */
function scriptWords(words: Phrases) {
  const { scenes, check_results, check, check_busy, copy, copied, back_soon, connection_lost, scan_alt } = words
  return { scenes, check_results, check, check_busy, copy, copied, back_soon, connection_lost, scan_alt }
}
