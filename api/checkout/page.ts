import { milliseconds } from '../../domain/calendar.ts'
import { readableAmount } from '../../domain/money.ts'
import { languages } from '../http/language.ts'
import type { Language } from '../http/language.ts'
import { html, jsonScript, trustedHtml } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import { dead_code_svg, markSvg, qrCodeSvg, scan_svg, scene_marks } from './image.ts'
import { scenes } from './scene.ts'
import type { Scene } from './scene.ts'
import type { PayerView } from './view.ts'
import { checkout_words } from './words.ts'
import type { CheckoutWords } from './words.ts'

/** The result of "I have paid", where the order's own state does not show it. */
export const check_results = ['not_yet', 'limit', 'unavailable'] as const
export type CheckResult = (typeof check_results)[number]

export interface CheckoutPage {
  view: PayerView
  language: Language
  /** the last part of the page's own address */
  token: string
  assets: PageAssets
  is_phone: boolean
  /** from the redirect of the form without scripts; null otherwise */
  check_result: CheckResult | null
}

/** Addresses of the page's style and script, relative to the page: they hold behind any prefix. */
export interface PageAssets {
  style: string
  script: string
  /** the scripts that `script` imports: asked for beside it, and not after it */
  modules: string[]
}

/** Scenes in which more may happen by itself. */
const moving_scenes: readonly Scene[] = ['preparing', 'waiting', 'confirming', 'paid', 'late', 'refunding']
const payable_scenes: readonly Scene[] = ['preparing', 'waiting']
const checkable_scenes: readonly Scene[] = ['waiting', 'confirming']
const faded_scenes: readonly Scene[] = ['confirming', 'expired', 'closed']
const leavable_scenes: readonly Scene[] = scenes.filter(
  (scene) => !['preparing', 'waiting', 'confirming'].includes(scene),
)

/** The whole page, as it stands without scripts; web/checkout.js keeps it up to date. */
export async function checkoutPage(page: CheckoutPage): Promise<string> {
  const { view, language, assets } = page
  const words = checkout_words[language]
  const head = html`<title>${readableAmount(view.amount)} · ${words.page_title(view.merchant_name)}</title>
    ${moving_scenes.includes(view.scene) ? html`<noscript><meta http-equiv="refresh" content="5" /></noscript>` : null}
    ${assets.modules.map((module) => html`<link rel="modulepreload" href="${module}" />`)}
    <script type="module" src="${assets.script}"></script>`
  const body = html`${testBanner(view, words)}
    <main class="sheet" data-scene="${view.scene}">
      <header class="what">
        <p class="merchant">${view.merchant_name}</p>
        <h1 class="amount">${readableAmount(view.amount)}</h1>
        <p class="item">${view.description}</p>
      </header>
      ${await codeSection(view, words)}
      ${page.is_phone ? sceneElement(['waiting'], view, 'p', 'phone-hint', words.phone_hint) : null}
      <section class="state" role="status" aria-live="polite">
        <h2 id="title">${words.scenes[view.scene].title}</h2>
        <p id="line">${words.scenes[view.scene].line}</p>
      </section>
      ${sceneElement(payable_scenes, view, 'p', 'timer', html`${words.left} ${countdown(view)}`)}
      ${actionSection(page, words)} ${troubleSection(view, words)}
      <dl class="number">
        <dt>${words.number}</dt>
        <dd>
          <code id="number">${view.out_trade_no}</code>
          <button type="button" class="quiet" id="copy" hidden>${words.copy}</button>
        </dd>
      </dl>
      <noscript>
        <p class="no-script">
          ${moving_scenes.includes(view.scene) ? words.no_script : null}
          <a href="${page.token}?lang=${language}">${words.reload}</a>
        </p>
      </noscript>
    </main>
    ${jsonScript('page-data', { view, words: scriptWords(words) })}`
  return renderFrame({ language, head, body, style: assets.style, address: page.token })
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
  const head = html`<title>${checkout_words['zh-CN'][which].title} · ${checkout_words.en[which].title}</title>
    ${which === 'unavailable' ? html`<meta http-equiv="refresh" content="5" />` : null}`
  const body = html`<main class="sheet plain">
    ${languages.map(
      (language) =>
        html`<section lang="${language}">
          <h1>${checkout_words[language][which].title}</h1>
          <p>${checkout_words[language][which].line}</p>
        </section>`,
    )}
  </main>`
  return renderFrame({ language: 'zh-CN', head, body, style, address: null })
}

interface PageFrame {
  language: Language
  head: SafeHtml
  body: SafeHtml
  style: string
  /** where the links to the other languages lead; null: none */
  address: string | null
}

function renderFrame({ language, head, body, style, address }: PageFrame): string {
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
                >${checkout_words[other].language_name}</a
              >`,
          )}
        </footer>
      </body>
    </html> `.toString()
}

/** An element that is there in some scenes only; the script shows and hides it by the same list. */
function sceneElement(
  shown_in: readonly Scene[],
  view: PayerView,
  tag: 'p' | 'div',
  name: string,
  content: HtmlContent,
): SafeHtml {
  const element = trustedHtml(tag)
  const hidden = shown_in.includes(view.scene) ? null : trustedHtml(' hidden')
  return html`<${element} class="${name}" data-in="${shown_in.join(' ')}"${hidden}>${content}</${element}>`
}

function testBanner(view: PayerView, words: CheckoutWords): SafeHtml | null {
  if (!view.test_mode) return null
  const link = html`<a
    id="test-phone"
    href="${view.test_phone_url ?? '#'}"
    target="_blank"
    rel="noopener noreferrer"
    ${view.test_phone_url === null ? trustedHtml('hidden') : null}
    >${words.test_phone}</a
  >`
  return html`<p class="banner"><span>${words.test_banner}</span> ${link}</p>`
}

async function codeSection(view: PayerView, words: CheckoutWords): Promise<SafeHtml> {
  const code = view.code === null ? null : trustedHtml(await qrCodeSvg(view.code.url))
  const qr = html`<div class="qr" id="qr" role="img" aria-label="${words.scan_alt}">${code}</div>`
  const over = html`<div class="qr faded" aria-hidden="true">${trustedHtml(await dead_code_svg)}</div>`
  const marked = scenes.flatMap((scene) => {
    const mark = scene_marks[scene]
    return mark ? [sceneElement([scene], view, 'div', `mark ${mark}`, markSvg(mark))] : []
  })
  return html`<section class="stage">
    ${sceneElement(['waiting'], view, 'div', 'tile', qr)}
    ${sceneElement(['preparing'], view, 'div', 'tile', html`<div class="qr skeleton" aria-hidden="true"></div>`)}
    ${sceneElement(faded_scenes, view, 'div', 'tile', over)} ${marked}
    ${sceneElement(payable_scenes, view, 'p', 'scan', html`${scan_svg} <span>${words.scan}</span>`)}
  </section>`
}

/** The time left as the server sees it; the script counts on from there, by the server's clock. */
function countdown(view: PayerView): SafeHtml {
  const left_s = Math.max(0, Math.floor((milliseconds(view.time_expire) - milliseconds(view.server_time)) / 1_000))
  return html`<time id="left" role="timer" datetime="${view.time_expire}">${readableDuration(left_s)}</time>`
}

/** `14:59`, `1:14:59` and, beyond a day, `26:14:59`: digits that keep their places while they count. */
function readableDuration(seconds: number): string {
  const pad = (number: number) => String(number).padStart(2, '0')
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  return `${hours > 0 ? `${hours}:${pad(minutes)}` : pad(minutes)}:${pad(seconds % 60)}`
}

function actionSection({ view, language, token, check_result }: CheckoutPage, words: CheckoutWords): SafeHtml {
  const check = html`<form method="post" action="${token}/check?lang=${language}" id="check">
    <button type="submit" class="primary">${words.check}</button>
  </form>`
  const renew = html`<noscript>
    <form method="post" action="${token}/code?lang=${language}"><button class="quiet">${words.renew}</button></form>
  </noscript>`
  const result = check_result && view.scene === 'waiting' ? words.check_results[check_result] : null
  const leaves = leavable_scenes.includes(view.scene) && view.return_url !== null
  return html`<section class="actions">
    ${sceneElement(checkable_scenes, view, 'div', 'check', check)}
    ${sceneElement(['preparing'], view, 'div', 'renew', view.state === 'awaiting_payment' ? renew : null)}
    <p id="check-result" role="status">${result}</p>
    <a
      class="primary"
      id="back"
      data-in="${leavable_scenes.join(' ')}"
      href="${view.return_url ?? '#'}"
      ${leaves ? null : trustedHtml('hidden')}
      >${words.back}</a
    >
  </section>`
}

function troubleSection(view: PayerView, words: CheckoutWords): SafeHtml {
  const lines = words.trouble_lines.map((line) => html`<li>${line}</li>`)
  return sceneElement(
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
function scriptWords(words: CheckoutWords) {
  const { scenes, check_results, check, check_busy, copy, copied, back_soon, connection_lost, scan_alt } = words
  return { scenes, check_results, check, check_busy, copy, copied, back_soon, connection_lost, scan_alt }
}
