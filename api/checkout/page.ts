import { milliseconds } from '../../domain/calendar.ts'
import { readableAmount } from '../../domain/money.ts'
import { languages } from '../http/language.ts'
import type { Language } from '../http/language.ts'
import { html, jsonScript, trustedHtml } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import { dead_code_svg, markSvg, qrCodeSvg, scan_svg, scene_marks } from './image.ts'
import {
  checkable_scenes,
  choosing_scenes,
  faded_scenes,
  leavable_scenes,
  moving_scenes,
  open_scenes,
  payable_scenes,
  scenes,
} from './scene.ts'
import type { Scene } from './scene.ts'
import { adviceList, receipt, sceneNote } from './text.ts'
import type { SceneNote } from './text.ts'
import type { PayerView } from './view.ts'
import { passing_problems } from './way.ts'
import type { ErrandResult } from './way.ts'
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
  /** how the page's payer came back from WeChat, or could not be sent there; null: he was not on his way */
  errand_result: ErrandResult | null
  /** where H5 leads for a browser without scripts; null: nowhere, or not yet */
  h5_url: string | null
}

/** Addresses of the page's style and script, relative to the page: they hold behind any prefix. */
export interface PageAssets {
  style: string
  script: string
  /** the scripts that `script` imports: asked for beside it, and not after it */
  modules: string[]
}

/** Characters of an amount in the largest type: ¥99999.99 */
const widest_amount = 9
/** The payer is warned when so much of the time is left. */
const ending_s = 60

/** A part of the page with all that it is made from. */
type PagePart = CheckoutPage & { words: CheckoutWords; note: SceneNote }

/** The whole page, as it stands without scripts; web/checkout.js keeps it up to date. */
export async function checkoutPage(page: CheckoutPage): Promise<string> {
  const { view, language, assets } = page
  const words = checkout_words[language]
  const part = { ...page, words, note: sceneNote(view, language) }
  const is_moving = moving_scenes.includes(view.scene)
  const head = html`<title>${readableAmount(view.amount)} · ${words.page_title(view.merchant_name)}</title>
    ${is_moving ? html`<noscript><meta http-equiv="refresh" content="5" /></noscript>` : null}
    ${assets.modules.map((module) => html`<link rel="modulepreload" href="${module}" />`)}
    <script type="module" src="${assets.script}"></script>`
  const body = html`${testBanner(view, words)}
    <main class="sheet" data-scene="${view.scene}">
      ${whatSection(view)} ${await codeSection(view, words)} ${phoneSection(part)}
      <section class="state" role="status" aria-live="polite">
        <h2 id="title" tabindex="-1">${part.note.title}</h2>
        <p id="line">${part.note.line}</p>
      </section>
      ${sceneElement(['advised'], view, 'div', 'phone-hint advice', adviceList(view, words))}
      ${sceneElement(payable_scenes, view, 'p', 'timer', html`${words.left} ${countdown(view, words)}`)}
      <p class="ending" id="ending" role="status">${isEnding(view) ? words.ending : null}</p>
      ${actionSection(part)} ${troubleSection(view, words)} ${supportSection(view, words)} ${receipt(view, words)}
      <noscript>
        <p class="no-script">
          ${is_moving ? words.no_script : null}
          <a href="${page.token}?lang=${language}">${words.reload}</a>
        </p>
      </noscript>
    </main>
    ${jsonScript('page-data', { view, ...script_rules, words: scriptWords(words) })}`
  return renderFrame({ language, head, body, style: assets.style, address: page.token })
}

function whatSection(view: PayerView): SafeHtml {
  const amount = readableAmount(view.amount)
  return html`<header class="what">
    <p class="merchant">${view.merchant_name}</p>
    <h1 class="${amount.length > widest_amount ? 'amount long' : 'amount'}">${amount}</h1>
    <p class="item">${view.description}</p>
  </header>`
}

/** The page for a link that leads to no order, in both languages: nothing is known of who follows it. */
export function unknownPage(style: string): string {
  return plainPage('unknown', style, null)
}

/** The page for a moment in which the records cannot be read; it looks again by itself, by `retry`. */
export function unavailablePage(style: string, retry: string): string {
  const again = html`<noscript><meta http-equiv="refresh" content="5" /></noscript>
    <script type="module" src="${retry}"></script>`
  return plainPage('unavailable', style, again)
}

function plainPage(which: 'unknown' | 'unavailable', style: string, again: SafeHtml | null): string {
  const head = html`<title>${checkout_words['zh-CN'][which].title} · ${checkout_words.en[which].title}</title> ${again}`
  const body = html`<main class="sheet plain">
    ${languages.map((language, place) => {
      const { title, line } = checkout_words[language][which]
      const heading = trustedHtml(place === 0 ? 'h1' : 'h2')
      return html`<section lang="${language}"><${heading}>${title}</${heading}><p>${line}</p></section>`
    })}
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
  return html`<header class="banner"><span>${words.test_banner}</span> ${link}</header>`
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
    ${sceneElement(['waiting'], view, 'div', 'tile', qr)} ${await linkTile(view, words)}
    ${sceneElement(['preparing'], view, 'div', 'tile', html`<div class="qr skeleton" aria-hidden="true"></div>`)}
    ${sceneElement(faded_scenes, view, 'div', 'tile', over)} ${marked}
    ${sceneElement(['preparing', 'waiting'], view, 'p', 'scan', html`${scan_svg} <span>${words.scan}</span>`)}
  </section>`
}

/** This page's own link as a code, for a computer that no method can be paid on: a phone opens the page with it. */
async function linkTile(view: PayerView, words: CheckoutWords): Promise<SafeHtml | null> {
  if (view.way?.advice !== 'scan_link') return null
  const link = trustedHtml(await qrCodeSvg(view.checkout_url))
  const qr = html`<div class="qr" role="img" aria-label="${words.ways.link_alt}">${link}</div>`
  return sceneElement(['advised'], view, 'div', 'tile', qr)
}

/** On a phone the code is on the very screen that would have to scan it: says how another one shows it. */
function phoneSection({ view, words, is_phone }: PagePart): SafeHtml | null {
  if (!is_phone || view.way !== null) return null
  const content = html`<p>${words.phone_hint}</p>
    <ol>
      ${words.phone_steps.map((step) => html`<li>${step}</li>`)}
    </ol>
    <code id="link">${view.checkout_url}</code>
    <button type="button" class="quiet" data-copy="link">${words.copy_link}</button>`
  return sceneElement(['waiting'], view, 'div', 'phone-hint', content)
}

/** Seconds left as the server sees it; the script counts on from there, by the server's clock. */
function secondsLeft(view: PayerView): number {
  return Math.max(0, Math.floor((milliseconds(view.time_expire) - milliseconds(view.server_time)) / 1_000))
}

function isEnding(view: PayerView): boolean {
  return view.scene === 'waiting' && secondsLeft(view) <= ending_s
}

function countdown(view: PayerView, words: CheckoutWords): SafeHtml {
  const left = readableDuration(secondsLeft(view), words)
  return html`<time id="left" role="timer" datetime="${view.time_expire}">${left}</time>`
}

/** `14:59`, `1:14:59` and, beyond a day, `6 d 14:14:59`: digits that keep their places while they count. */
function readableDuration(seconds: number, words: CheckoutWords): string {
  const pad = (number: number) => String(number).padStart(2, '0')
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3_600) % 24, (seconds / 60) % 60].map(Math.floor)
  const clock = `${pad(minutes ?? 0)}:${pad(seconds % 60)}`
  if (days) return `${words.days.replace('{days}', String(days))} ${pad(hours ?? 0)}:${clock}`
  return hours ? `${hours}:${clock}` : clock
}

function actionSection(part: PagePart): SafeHtml {
  const { view, language, token, check_result, words, note } = part
  const check = html`<form method="post" action="${token}/check?lang=${language}" id="check">
    <button type="submit" class="primary">${words.check}</button>
  </form>`
  const renew = html`<form method="post" action="${token}/code?lang=${language}" id="renew">
    <button type="submit" class="primary">${words.renew}</button>
  </form>`
  const is_open = open_scenes.includes(view.scene)
  const result = check_result && is_open ? words.check_results[check_result] : errandResult(part)
  const way_back = view.return_url ?? view.support?.link ?? null
  return html`<section class="actions">
    ${view.way === null ? null : sceneElement(choosing_scenes, view, 'div', 'pay', payForm(part))}
    ${sceneElement(['stale'], view, 'div', 'renew', renew)}
    ${sceneElement(checkable_scenes, view, 'div', 'check', check)}
    <p id="check-result" role="status">${result}</p>
    ${sceneElement(checkable_scenes, view, 'p', 'asked', html`<span id="asked">${note.asked}</span>`)}
    <a
      class="primary"
      id="back"
      data-in="${leavable_scenes.join(' ')}"
      href="${way_back ?? '#'}"
      ${leavable_scenes.includes(view.scene) && way_back !== null ? null : trustedHtml('hidden')}
      >${note.back}</a
    >
    ${way_back === null ? sceneElement(leavable_scenes, view, 'p', 'no-way-back', words.no_way_back) : null}
  </section>`
}

/** The one button that pays right here. Without scripts H5's address takes its place once there is one. */
function payForm({ view, language, token, note, words, h5_url }: PagePart): SafeHtml {
  const form = html`<form method="post" action="${token}/pay?lang=${language}" id="pay">
    <button type="submit" class="primary" id="pay-button">${note.pay}</button>
  </form>`
  if (h5_url === null || view.scene !== 'tap') return form
  return html`<noscript>
      <a class="primary" href="${h5_url}" referrerpolicy="origin">${words.ways.open_wechat}</a>
    </noscript>
    ${form}`
}

function errandResult({ errand_result, view, words }: PagePart): string | null {
  if (errand_result === null || !choosing_scenes.includes(view.scene)) return null
  return words.ways.errand_results[errand_result]
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

/** How the merchant is reached, where a payer may have to. */
function supportSection(view: PayerView, words: CheckoutWords): SafeHtml | null {
  if (view.support === null) return null
  const { phone, link } = view.support
  const phoned = phone === null ? null : html`<a href="tel:${phone.replaceAll(' ', '')}">${phone}</a>`
  const linked = link === null ? null : html`<a href="${link}" rel="noopener noreferrer">${words.support_link}</a>`
  return sceneElement(
    leavable_scenes,
    view,
    'p',
    'support',
    html`${words.support} ${phoned}${phoned && linked ? ' · ' : null}${linked}`,
  )
}

/** What the script decides by. */
const script_rules = { open_scenes, payable_scenes, choosing_scenes, passing_problems, ending_s }

/** The words that the script puts into the page while it lives, beside those that the server sends with each answer. */
function scriptWords(words: CheckoutWords) {
  const { check_results, check, check_busy, copy, copied, back_soon, connection_lost, scan_alt, days, ending } = words
  const said = { check_results, check, check_busy, copied, back_soon, connection_lost, scan_alt, days, ending }
  const { pay_busy, sheet_outcomes, sheet_said, errand_results } = words.ways
  const { not_placed, not_payable } = errand_results
  const pay = { pay_busy, not_placed, not_payable, sheet_outcomes, sheet_said }
  return { ...said, ...pay, copy, confirming: words.scenes.confirming }
}
