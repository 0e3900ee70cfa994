/** HTML that needs no more escaping. Only `html` and `trusted` make it. */
export class SafeHtml {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

export type HtmlContent = string | number | SafeHtml | null | false | readonly HtmlContent[]

/** Text that is markup already and comes from our own code, such as a drawn QR code. Never from outside. */
export function trustedHtml(text: string): SafeHtml {
  return new SafeHtml(text)
}

/** A template whose holes are escaped, in text and in double-quoted attributes. null and false leave a hole empty. */
export function html(parts: TemplateStringsArray, ...holes: HtmlContent[]): SafeHtml {
  return new SafeHtml(
    parts.reduce((before, part, index) => `${before}${renderContent(holes[index - 1] ?? null)}${part}`),
  )
}

/** A value for JavaScript to read, inside `<script type="application/json">`: it cannot end the element. */
export function jsonScript(id: string, value: unknown): SafeHtml {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c')
  return html`<script type="application/json" id="${id}">
    ${trustedHtml(text)}
  </script>`
}

function renderContent(content: HtmlContent): string {
  if (content === null || content === false) return ''
  if (content instanceof SafeHtml) return content.toString()
  if (typeof content === 'string' || typeof content === 'number') return escapeHtml(String(content))
  return content.map(renderContent).join('')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
