/** HTML that needs no more escaping. Only `html` and `trusted` make it. */
export class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

export type Content = string | number | Markup | null | false | readonly Content[]

/** Text that is markup already and comes from our own code, such as a drawn QR code. Never from outside. */
export function trusted(text: string): Markup {
  return new Markup(text)
}

/** A template whose holes are escaped, in text and in double-quoted attributes. null and false leave a hole empty. */
export function html(parts: TemplateStringsArray, ...holes: Content[]): Markup {
  return new Markup(parts.reduce((before, part, index) => `${before}${filled(holes[index - 1] ?? null)}${part}`))
}

/** A value for JavaScript to read, inside `<script type="application/json">`: it cannot end the element. */
export function jsonScript(id: string, value: unknown): Markup {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c')
  return html`<script type="application/json" id="${id}">
    ${trusted(text)}
  </script>`
}

function filled(content: Content): string {
  if (content === null || content === false) return ''
  if (content instanceof Markup) return content.toString()
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content))
  return content.map(filled).join('')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
