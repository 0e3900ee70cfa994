import { html, trustedHtml } from '../../api/http/markup.ts'
import type { SafeHtml } from '../../api/http/markup.ts'
import { readableAmount } from '../../domain/money.ts'
import { proofLine, proofs } from '../proofs.ts'
import type { ShopOrder, ShopRefund } from './orders.ts'
import { isRefundable, isUnderWay, refundProgress } from './refunds.ts'
import { teas } from './teas.ts'
import type { Tea } from './teas.ts'
import { languages, wishes, words } from './words.ts'
import type { ShopLanguage } from './words.ts'

const yuan = (total: number) => readableAmount({ total, currency: 'CNY' })

/** The first page: the teas, and the latest orders. */
export function counterPage(language: ShopLanguage, orders: ShopOrder[]): string {
  const said = words[language]
  const body = html`<section class="teas">${teas.map((tea) => teaCard(tea, language))}</section>
    <details class="proofs">
      <summary>${said.proof}</summary>
      <ul>
        ${wishes.map((wish) => html`<li>${said.wishes[wish]} · ${proofLine(proofs.shop[wish], language)}</li>`)}
      </ul>
    </details>
    <h2>${said.orders}</h2>
    ${orderTable(orders.slice(0, 8), language)}`
  return frame({ language, path: '/', title: said.shop, body, refresh_s: null })
}

/** The page of one order: what the shop did, and the events that it received. */
export function orderPage(language: ShopLanguage, order: ShopOrder): string {
  const said = words[language]
  const rows: [string, string | number][] = [
    [said.tea, order.description],
    [said.amount, yuan(order.total)],
    [said.state, stateWords(order, language)],
    [said.shipped, said.times(order.shipped)],
    ...order.refunds.map((refund): [string, string] => [said.refund, refundWords(refund, language)]),
  ]
  const body = html`<h2><code>${order.out_trade_no}</code></h2>
    <dl>
      ${rows.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${order.decision === 'pending' ? button(order, 'ship', said.ship_now, language) : null}
    ${isRefundable(order) ? refundForm(order, language) : null}
    ${
      order.state === 'new' && order.checkout_url
        ? html`<p><a class="button" href="${order.checkout_url}">${said.pay}</a></p>`
        : null
    }
    <h3>${said.events}</h3>
    ${order.events.length === 0 ? html`<p class="soft">${said.nothing_heard}</p>` : null}
    <ol class="events">
      ${order.events.map(
        ({ sequence, type, time }) =>
          html`<li><b>${sequence}</b> <code>${type}</code> ${said.story[type] ?? null} <time>${time}</time></li>`,
      )}
    </ol>
    <p><a href="/?lang=${language}">${said.to_shop}</a></p>`
  return frame({
    language,
    path: `/orders/${order.out_trade_no}`,
    title: order.out_trade_no,
    body,
    refresh_s: isFinished(order) ? null : 2,
  })
}

/** Nothing more is expected to happen by itself: the page stands still, for reading. */
function isFinished(order: ShopOrder): boolean {
  if (order.refunds.some(isUnderWay)) return false
  return order.shipped > 0 || ['closed', 'failed', 'refunded'].includes(order.state)
}

function button({ out_trade_no }: ShopOrder, what: 'ship' | 'refund', name: string, language: ShopLanguage): SafeHtml {
  return html`<form method="post" action="/orders/${out_trade_no}/${what}?lang=${language}">
    <button>${name}</button>
  </form>`
}

function refundForm(order: ShopOrder, language: ShopLanguage): SafeHtml {
  return html`${button(order, 'refund', words[language].give_back, language)}
    <details class="proofs">
      <summary>${words[language].proof}</summary>
      <p>${proofLine(proofs.shop.give_back, language)}</p>
    </details>`
}

function refundWords({ amount, state }: ShopRefund, language: ShopLanguage): string {
  return `${yuan(amount)} · ${words[language].refund_states[state] ?? state}`
}

/** The order was not placed; its number is kept, so that trying again cannot make a second one. */
export function failedPage(language: ShopLanguage, order: ShopOrder, why: string): string {
  const said = words[language]
  const body = html`<h2>${said.failed}</h2>
    <p><code>${order.out_trade_no}</code></p>
    <p class="soft">${why}</p>
    <form method="post" action="/orders/${order.out_trade_no}/pay?lang=${language}">
      <button>${said.try_again}</button>
    </form>
    <p><a href="/?lang=${language}">${said.to_shop}</a></p>`
  return frame({ language, path: '/', title: said.failed, body, refresh_s: null })
}

function teaCard(tea: Tea, language: ShopLanguage): SafeHtml {
  const said = words[language]
  return html`<article>
    ${cup(tea.colour)}
    <h2>${tea.name[language]}</h2>
    <p class="soft">${tea.note[language]}</p>
    <p class="price">${yuan(tea.price)}</p>
    <form method="post" action="/buy?lang=${language}">
      <input type="hidden" name="tea" value="${tea.id}" />
      <label>
        <span>${said.wish}</span>
        <select name="wish">
          ${wishes.map((wish) => html`<option value="${wish}">${said.wishes[wish]}</option>`)}
        </select>
      </label>
      <button>${said.buy}</button>
    </form>
  </article>`
}

function orderTable(orders: ShopOrder[], language: ShopLanguage): SafeHtml {
  const said = words[language]
  if (orders.length === 0) return html`<p class="soft">${said.no_orders}</p>`
  const rows = orders.map(
    (order) =>
      html`<tr data-order="${order.out_trade_no}">
        <td>
          <a href="/orders/${order.out_trade_no}?lang=${language}"><code>${order.out_trade_no}</code></a>
        </td>
        <td>${order.description}</td>
        <td class="money">${yuan(order.total)}</td>
        <td>${stateWords(order, language)}</td>
        <td>${said.times(order.shipped)}</td>
      </tr>`,
  )
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${[said.number, said.tea, said.amount, said.state, said.shipped].map((name) => html`<th>${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

const decision_states = { fulfilled: 'shipped', refused: 'refused', pending: 'later', stopped: 'stopped' } as const

/** The state in the shop's words: after the payment what it decided or refunded, otherwise Weft's state. */
function stateWords(order: ShopOrder, language: ShopLanguage): string {
  const { states } = words[language]
  const state = isSold(order) ? (refundProgress(order) ?? decision_states[order.decision]) : order.state
  return states[state] ?? state
}

/** An order that was shipped stays so for Weft, also when its money goes back. */
function isSold(order: ShopOrder): order is ShopOrder & { decision: keyof typeof decision_states } {
  return order.decision !== null && (order.state === 'paid' || order.state === 'fulfilled')
}

function cup(colour: string): SafeHtml {
  return html`<svg viewBox="0 0 96 72" width="96" height="72" fill="none" aria-hidden="true">
    <path d="M38 12c-4-5 4-6 0-11M50 12c-4-5 4-6 0-11" class="steam" />
    <ellipse cx="44" cy="26" rx="30" ry="8" fill="${colour}" />
    <path d="M14 26c0 22 10 36 30 36s30-14 30-36" class="line" />
    <ellipse cx="44" cy="26" rx="30" ry="8" class="line" />
    <path d="M73 32c14-4 16 16-5 16" class="line" />
    <path d="M20 68h48" class="line" />
  </svg>`
}

interface ShopFrame {
  language: ShopLanguage
  path: string
  title: string
  body: SafeHtml
  refresh_s: number | null
}

function frame({ language, path, title, body, refresh_s }: ShopFrame): string {
  const said = words[language]
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/shop.css" />
        <title>${title === said.shop ? title : `${title} · ${said.shop}`}</title>
        ${refresh_s === null ? null : html`<meta http-equiv="refresh" content="${refresh_s}" />`}
      </head>
      <body>
        <header>
          <h1><a href="/?lang=${language}">${said.shop}</a></h1>
          <p>${said.motto}</p>
          <nav>
            ${languages
              .filter((other) => other !== language)
              .map(
                (other) =>
                  html`<a href="${path}?lang=${other}" lang="${other}" hreflang="${other}"
                    >${words[other].language_name}</a
                  >`,
              )}
          </nav>
        </header>
        <main>${body}</main>
      </body>
    </html>
    ${trustedHtml('\n')}`.toString()
}
