import { html } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'

/** A named schema as a table of its fields. */
export function shapeSection(name: string, schema: object): SafeHtml {
  const { properties, required = [] } = schema as {
    properties?: Record<string, SchemaPart & { description?: string }>
    required?: string[]
  }
  if (properties === undefined)
    return html`<section id="shape-${name}">
      <h3>${name}</h3>
      <p>${typeOf(schema)}</p>
    </section>`
  return html`<section id="shape-${name}">
    <h3>${name}</h3>
    <table>
      ${Object.entries(properties).map(
        ([field, inner]) =>
          html`<tr>
            <td><code>${field}</code>${required.includes(field) ? '' : '?'}</td>
            <td>${typeOf(inner)}</td>
            <td>${inner.description ?? ''}</td>
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
export function typeOf(schema: SchemaPart): HtmlContent {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return html`<a href="#shape-${name}">${name}</a>`
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum !== undefined) return schema.enum.map(String).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return choices.map((part, at) => html`${at === 0 ? '' : ' or '}${typeOf(part)}`)
  if (schema.allOf !== undefined)
    return schema.allOf.map((part, at) => html`${at === 0 ? '' : ' with '}${typeOf(part)}`)
  if (schema.items !== undefined) return html`list of ${typeOf(schema.items)}`
  if (schema.properties !== undefined) {
    return html`{
    ${Object.entries(schema.properties).map(([name, inner], at) => html`${at === 0 ? '' : ', '}${name}: ${typeOf(inner)}`)}
    }`
  }
  return schema.format ?? [schema.type ?? 'any'].flat().join(' or ')
}
