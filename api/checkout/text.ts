import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { readableAmount } from '../../domain/money.ts'
import type { Language } from '../http/language.ts'
import { html } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import type { PayerRefund } from './money.ts'
import { choosing_scenes, over_scenes } from './scene.ts'
import type { Scene } from './scene.ts'
import type { PayerView } from './view.ts'
import { checkout_words } from './words.ts'
import type { CheckoutWords } from './words.ts'
import type { ChoosingScene } from './waywords.ts'

/** SceneNote is what of the page changes with the order, in the reader's language: the script puts it where it stands. */
export interface SceneNote {
  title: string
  line: string
  /** when WeChat was last asked; empty: never */
  asked: string
  /** what the link back to the shop says */
  back: string
  /** what the button to pay with says; empty: there is none */
  pay: string
  /** markup: how to pay elsewhere, step by step */
  advice: string
  /** markup: all that is known of the order's numbers and money, as the page itself has it */
  receipt: string
}

export function sceneNote(view: PayerView, language: Language): SceneNote {
  const words = checkout_words[language]
  const { title, line } = sceneText(view, words)
  const amounts = {
    paid: readableFen(view, view.money?.paid ?? view.amount.total),
    refunded: readableFen(view, view.money?.refunded ?? 0),
    pending: readableFen(view, view.money?.refund_pending ?? 0),
  }
  const fill = (text: string) =>
    text.replaceAll(/\{(paid|refunded|pending)\}/g, (_, of: keyof typeof amounts) => amounts[of])
  return {
    title: fill(title),
    line: fill(line),
    asked: view.last_check_time === null ? '' : words.asked(clockTime(view.last_check_time)),
    back: over_scenes.includes(view.scene) ? words.back_again : words.back,
    pay: payLabel(view, words),
    advice: adviceList(view, words).toString(),
    receipt: receipt(view, words).toString(),
  }
}

/** What the scene says; of an advice, what the advice does, and before it why the page cannot be paid right here. */
function sceneText({ scene, way }: PayerView, words: CheckoutWords): { title: string; line: string } {
  if (scene !== 'advised' || !way?.advice) return words.scenes[scene]
  const { title, line } = words.ways.advices[way.advice]
  return { title, line: way.obstacle === null ? line : words.ways.obstacles[way.obstacle](line) }
}

/** What the button that pays right here says. */
export function payLabel({ scene, way, amount }: PayerView, words: CheckoutWords): string {
  if (!isChoosing(scene) || !way?.trade_type || way.trade_type === 'APP') return ''
  return words.ways.pay[way.trade_type][scene].replace('{amount}', readableAmount(amount))
}

function isChoosing(scene: Scene): scene is ChoosingScene {
  return choosing_scenes.includes(scene)
}

/** The steps of the advice, of which the link of the page is the first matter. */
export function adviceList({ scene, way, checkout_url }: PayerView, words: CheckoutWords): SafeHtml {
  const steps = scene === 'advised' && way?.advice ? words.ways.advices[way.advice].steps : []
  return html`<div id="advice">
    ${
      steps.length > 0 && [
        html`<ol>
          ${steps.map((step) => html`<li>${step}</li>`)}
        </ol>`,
        html`<code id="link">${checkout_url}</code>`,
        html`<button type="button" class="quiet" data-copy="link">${words.copy_link}</button>`,
      ]
    }
  </div>`
}

/** The amounts, times and numbers that a payer may need when he speaks with the merchant, or looks into his WeChat bill. */
export function receipt(view: PayerView, words: CheckoutWords): SafeHtml {
  const { money } = view
  return html`<dl class="receipt" id="receipt">
    ${
      money && [
        money.paid === null ? null : row(words.paid, readableFen(view, money.paid)),
        row(words.paid_time, words.moment(readableTime(money.success_time))),
        ...money.refunds.map((refund) => row(refundLabel(refund, words), refundText(view, refund, words))),
        row(words.transaction, copied('transaction', money.transaction_id, words)),
      ]
    }
    ${view.returns.map((refund) => row(words.other_refund, refundText(view, refund, words)))}
    ${row(words.number, copied('number', view.out_trade_no, words))}
  </dl>`
}

function row(label: string, content: HtmlContent): SafeHtml {
  return html`<div>
    <dt>${label}</dt>
    <dd>${content}</dd>
  </div>`
}

function copied(id: string, text: string, words: CheckoutWords): SafeHtml {
  return html`<code id="${id}">${text}</code>
    <button type="button" class="quiet" data-copy="${id}">${words.copy}</button>`
}

function refundLabel({ is_of_second }: PayerRefund, words: CheckoutWords): string {
  return is_of_second ? words.second_refund : words.refund
}

/** How much went where, and when; of what is still under way, that it is. */
function refundText(view: PayerView, refund: PayerRefund, words: CheckoutWords): SafeHtml {
  const place = refund.account && words.account(refund.account)
  const said = refund.is_by_hand ? words.paid_by_hand : words.refund_states[refund.state](place)
  const time = refund.time === null ? null : html`<br />${words.moment(readableTime(refund.time))}`
  return html`<span>${readableFen(view, refund.amount)} ${said}${time}</span>`
}

function readableFen({ amount }: PayerView, fen: number): string {
  return readableAmount({ total: fen, currency: amount.currency })
}

/** `2026-11-23 12:00:05` in Beijing. */
function readableTime(time: Time): string {
  return beijingTime(milliseconds(time)).slice(0, 19).replace('T', ' ')
}

/** `12:00:05` in Beijing. */
function clockTime(time: Time): string {
  return readableTime(time).slice(11)
}
