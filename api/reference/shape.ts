import type { Language } from '../http/language.ts'
import { html } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import { chineseDescription } from './chinese/description.ts'
import { words } from './words.ts'

/** What the document says of something, in the reader's language. */
export function descriptionIn(language: Language, description = ''): string {
  return (language === 'zh-CN' && chineseDescription(description)) || description
}

/** A named schema as a table of its fields. */
export function shapeSection(name: string, schema: object, language: Language): SafeHtml {
  const { properties, required = [] } = schema as {
    properties?: Record<string, SchemaPart & { description?: string }>
    required?: string[]
  }
  if (properties === undefined)
    return html`<section id="shape-${name}">
      <h3>${name}</h3>
      <p>${typeOf(schema, language)}</p>
    </section>`
  return html`<section id="shape-${name}">
    <h3>${name}</h3>
    <table>
      ${Object.entries(properties).map(
        ([field, inner]) =>
          html`<tr>
            <td><code>${field}</code>${required.includes(field) ? '' : '?'}</td>
            <td>${typeOf(inner, language)}</td>
            <td>${descriptionIn(language, inner.description)}</td>
          </tr>`,
      )}
    </table>
  </section>`
}

interface SchemaPart {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  format?: string
  items?: SchemaPart
  anyOf?: SchemaPart[]
  oneOf?: SchemaPart[]
  allOf?: SchemaPart[]
  properties?: Record<string, SchemaPart>
}

/** A schema in a few words, for people. */
export function typeOf(schema: SchemaPart, language: Language): HtmlContent {
  const told = (part: SchemaPart) => typeOf(part, language)
  const word = (name: 'or' | 'with' | 'list_of') => words[name][language]
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return html`<a href="#shape-${name}">${name}</a>`
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum !== undefined) return schema.enum.map(String).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return choices.map((part, at) => html`${at === 0 ? '' : ` ${word('or')} `}${told(part)}`)
  if (schema.allOf !== undefined)
    return schema.allOf.map((part, at) => html`${at === 0 ? '' : ` ${word('with')} `}${told(part)}`)
  if (schema.items !== undefined) return html`${word('list_of')} ${told(schema.items)}`
  if (schema.properties !== undefined) {
    return html`{
    ${Object.entries(schema.properties).map(([name, inner], at) => html`${at === 0 ? '' : ', '}${name}: ${told(inner)}`)}
    }`
  }
  return schema.format ?? [schema.type ?? 'any'].flat().join(` ${word('or')} `)
}
