import type { H5Opening } from './h5.ts'
import { html, page, yuan } from './markup.ts'
import type { PhoneMarkup } from './markup.ts'
import type { AuthorizeError } from './oauth.ts'
import type { Story } from './payer.ts'
import { products } from './product.ts'
import type { Order } from './records.ts'
import type { SheetOpening, SheetResult } from './sheet.ts'
import { wordings } from './words.ts'
import type { PhoneLanguage } from './words.ts'

/** What a payer can do on the pay sheet and on the H5 page, beside paying and leaving. */
const odd_stories: Story[] = ['lose_notification', 'notify_three_times', 'notify_late', 'wrong_amount']

/** The pay sheet, open: who asks for how much, and a button for each thing the payer may do. */
export function sheetPage(
  { order }: Extract<SheetOpening, { kind: 'open' }>,
  merchant: string,
  form: Record<string, string>,
  language: PhoneLanguage,
): string {
  const body = payCard(order, merchant, { action: '/phone/sheet', fields: form }, language)
  return page({ language, screen: 'sheet', body, path: null })
}

/**
 * The pay sheet when it is over, or was never opened: its script tells the page that called it up. One that has
 * something to read stays until it is closed.
 */
export function sheetEndPage(
  end: { result: SheetResult; text: string | null; origin: string },
  language: PhoneLanguage,
): string {
  const words = wordings[language]
  const { result, text, origin } = end
  const said = text ?? (isPaid(result) ? words.sheet_paid : words.sheet_left)
  const body = html`<section
    class="card summary"
    data-result="${JSON.stringify(result)}"
    data-origin="${origin}"
    data-stays="${String(text !== null)}"
  >
    <p class="state ${isPaid(result) ? 'paid' : 'open'}" role="status">${said}</p>
    <p><button class="secondary" data-close>${words.close}</button></p>
  </section>`
  const head = html`<script src="/phone/sheet.js" defer></script>`
  return page({ language, screen: text === null ? 'sheet_over' : 'sheet_refused', body, path: null, head })
}

/** The page of an h5_url, in the place of WeChat itself: opening it is what a tap on "open WeChat" does. */
export function h5Page(
  { order, back }: Extract<H5Opening, { kind: 'open' }>,
  merchant: string,
  h5_url: string,
  language: PhoneLanguage,
): string {
  const body = payCard(order, merchant, { action: '/phone/h5', fields: { h5_url, back } }, language)
  return page({ language, screen: 'h5', body, path: null })
}

/** The page of an h5_url when it is over, or that was never opened; it leads back to the merchant, without a result. */
export function h5EndPage(
  end: { screen: 'h5_paid' | 'h5_left' | 'h5_refused'; text: string | null; back: string },
  language: PhoneLanguage,
): string {
  const words = wordings[language]
  const { screen, text, back } = end
  const said = text ?? (screen === 'h5_paid' ? words.sheet_paid : words.sheet_left)
  const body = html`<section class="card summary">
    <p class="state ${screen === 'h5_paid' ? 'paid' : 'open'}" role="status">${said}</p>
    ${isWebAddress(back) ? html`<p><a class="button" href="${back}" data-back>${words.back_to_merchant}</a></p>` : ''}
  </section>`
  const isGoing = screen !== 'h5_refused' && isWebAddress(back)
  const head = isGoing ? { head: html`<meta http-equiv="refresh" content="1;url=${back}" />` } : {}
  return page({ language, screen, body, path: null, ...head })
}

/** What WeChat shows where a page asks who the payer is, and may not, or asks wrongly. */
export function authorizeErrorPage({ errcode, text }: AuthorizeError, language: PhoneLanguage): string {
  const body = html`<section class="card summary" data-errcode="${errcode ?? ''}">
    <h1>Oops! Something went wrong:(</h1>
    <p role="status">${text}${errcode === null ? '' : ` (${errcode})`}</p>
  </section>`
  return page({ language, screen: 'authorize_refused', body, path: null })
}

function payCard(
  order: Order,
  merchant: string,
  form: { action: string; fields: Record<string, string> },
  language: PhoneLanguage,
): PhoneMarkup {
  const words = wordings[language]
  const hidden = Object.entries({ ...form.fields, lang: language }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  )
  return html`<section class="card summary">
      <p class="merchant">${merchant}</p>
      <p class="amount"><small>¥</small><span data-amount>${yuan(order.total)}</span></p>
      <dl>
        <dt>${words.item}</dt>
        <dd>${order.description}</dd>
        <dt>${words.number}</dt>
        <dd>${order.out_trade_no}</dd>
        <dt>${words.product}</dt>
        <dd data-product="${order.trade_type}">${products[order.trade_type].title}</dd>
      </dl>
    </section>
    <form method="post" action="${form.action}" class="pay">
      ${hidden}
      <button class="primary" name="story" value="pay" data-story="pay">${words.stories.pay.title}</button>
      <button class="secondary" name="story" value="cancel" data-story="cancel">${words.stories.cancel.title}</button>
      <details class="card stories">
        <summary>${words.misbehave}</summary>
        ${odd_stories.map(
          (story) =>
            html`<button name="story" value="${story}" data-story="${story}">
              <strong>${words.stories[story].title}</strong><span>${words.stories[story].text}</span>
            </button>`,
        )}
      </details>
    </form>`
}

function isPaid(result: SheetResult): boolean {
  return 'err_msg' in result && result.err_msg.endsWith(':ok')
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
