import type { PhoneLanguage } from './words.ts'
import { wordings } from './words.ts'

/** PhoneMarkup is text that is HTML already; everything else is escaped by `html`. */
export class PhoneMarkup {
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

export function html(strings: TemplateStringsArray, ...pieces: Piece[]): PhoneMarkup {
  return new PhoneMarkup(strings.map((text, index) => text + render(pieces[index] ?? '')).join(''))
}

interface PhonePage {
  language: PhoneLanguage
  /** which page it is, for tests: `data-screen` */
  screen: string
  body: PhoneMarkup
  /** where the other language is; null: nowhere, since the page cannot be asked for again */
  path: string | null
  /** what stands in the head besides */
  head?: PhoneMarkup
}

/** Renders a whole page of the phone. */
export function page({ language, screen, body, path, head }: PhonePage): string {
  const words = wordings[language]
  const other: PhoneLanguage = language === 'en' ? 'zh-CN' : 'en'
  const separator = path?.includes('?') ? '&' : '?'
  return html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${head ?? ''}
        <title>${words.title}</title>
        <link rel="stylesheet" href="/phone/style.css" />
      </head>
      <body>
        <header>
          <a href="/phone?lang=${language}">${words.title}</a>
          ${
            path === null
              ? ''
              : html`<a href="${path}${separator}lang=${other}" lang="${other}" data-language
                  >${words.other_language}</a
                >`
          }
        </header>
        <main data-screen="${screen}">${body}</main>
        <footer>${words.footer}</footer>
      </body>
    </html>`.text
}

/** Fen as people read them: 1 → 0.01. */
export function yuan(fen: number): string {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')}`
}
