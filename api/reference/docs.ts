import { createHash } from 'node:crypto'
import type { Router } from '@koa/router'
import type { Context } from 'koa'
import { catalogue } from '../http/catalogue.ts'
import type { ProblemCode } from '../http/catalogue.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { html, trustedHtml } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import { Problem } from '../http/problem.ts'
import { exactRouter } from '../http/router.ts'
import { openApi, problemsOf } from './openapi.ts'
import type { OpenApi } from './openapi.ts'

/** Serves the API's documentation: /openapi.json, and the same as pages that load nothing from other hosts. */
export function docsRouter(endpoints: readonly Endpoint[], version: string): Router {
  const document = openApi(endpoints, version)
  const json = JSON.stringify(document)
  const reference = referencePage(endpoints, document)
  const router = exactRouter()
  router.get('/openapi.json', (ctx) => {
    ctx.body = json
    ctx.type = 'application/json; charset=utf-8'
  })
  router.get('/docs', (ctx) => sendPage(ctx, reference))
  router.get('/docs/errors/:code', (ctx) => {
    const code = String(ctx.params['code'])
    if (!Object.hasOwn(catalogue, code)) throw new Problem('not_found')
    sendPage(ctx, errorPage(code as ProblemCode))
  })
  return router
}

const style = `
:root { color-scheme: light dark; font: 16px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 6rem }
h2 { margin-top: 3rem } h3 { margin: 2.5rem 0 .25rem }
code, pre { font: .9em ui-monospace, Menlo, Consolas, monospace }
pre { overflow-x: auto; padding: 1rem; border: 1px solid #8884; border-radius: 6px }
table { border-collapse: collapse; width: 100%; margin: .75rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8883 }
.method { display: inline-block; min-width: 4.2em; font-weight: 600 }
.quiet { opacity: .7 }
details { margin: .5rem 0 } summary { cursor: pointer }
`
/** Whole, so that what is hashed is what is sent, whoever formats the templates around it. */
const style_element = trustedHtml(`<style>${style}</style>`)
const style_hash = createHash('sha256').update(style, 'utf8').digest('base64')

function sendPage(ctx: Context, page: string): void {
  ctx.set('Content-Security-Policy', `default-src 'none'; style-src 'sha256-${style_hash}'; frame-ancestors 'none'`)
  ctx.set('X-Content-Type-Options', 'nosniff')
  ctx.type = 'html'
  ctx.body = page
}

function renderPage(title: string, body: HtmlContent): string {
  return `<!doctype html>${html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${title}</title>
      ${style_element}
    </head>
    <body>
      ${body}
    </body>
  </html>`.toString()}`
}

function referencePage(endpoints: readonly Endpoint[], document: OpenApi): string {
  return renderPage(
    'Weft API',
    html`<h1>Weft API</h1>
      <p>
        Send <code>Authorization: Bearer weft_…</code>. Amounts are integer fen, times are RFC 3339. The same as
        <a href="/openapi.json">OpenAPI 3.1</a>.
      </p>
      <h2>Endpoints</h2>
      ${endpoints.map((endpoint) => endpointSection(endpoint, document))}
      <h2>Shapes</h2>
      ${Object.entries(document.components.schemas).map(([name, schema]) => shapeSection(name, schema))}
      <h2>Errors</h2>
      <table>
        <tr>
          <th>code</th>
          <th>status</th>
          <th>what</th>
        </tr>
        ${Object.entries(catalogue).map(
          ([code, { status, title }]) =>
            html`<tr>
              <td>${errorLink(code)}</td>
              <td>${status}</td>
              <td>${title.en} · ${title['zh-CN']}</td>
            </tr>`,
        )}
      </table>`,
  )
}

function errorLink(code: string): SafeHtml {
  return html`<a href="/docs/errors/${code}"><code>${code}</code></a>`
}

interface OperationObject {
  parameters: { name: string; in: string; required?: boolean; description?: string; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

function endpointSection(endpoint: Endpoint, document: OpenApi): SafeHtml {
  const { method, path, name, summary, description, scope, responses: answers } = endpoint
  const operation = document.paths[path]?.[method.toLowerCase()] as unknown as OperationObject
  const parameters = operation.parameters.filter((parameter) => parameter.in !== 'header')
  const request = Object.values(operation.requestBody?.content ?? {})[0]
  return html`<section id="${name}">
    <h3><span class="method">${method}</span> <code>${path}</code></h3>
    <p>
      ${summary}. <span class="quiet">Scope <code>${scope}</code></span>
    </p>
    ${description === undefined ? null : html`<p>${description}</p>`}
    ${
      parameters.length === 0
        ? null
        : html`<table>
            ${parameters.map(
              (parameter) =>
                html`<tr>
                  <td><code>${parameter.name}</code>${parameter.required ? ' *' : ''}</td>
                  <td>${parameter.in}</td>
                  <td>${parameter.description ?? typeOf(parameter.schema)}</td>
                </tr>`,
            )}
          </table>`
    }
    ${request === undefined ? null : html`<p>Body: ${typeOf(request.schema)}</p>`}
    <table>
      ${Object.entries(answers).map(([status, { description: meaning }]) => {
        const content = Object.values(operation.responses[status]?.content ?? {})[0]
        return html`<tr>
          <td>${status}</td>
          <td>${meaning}</td>
          <td>${content ? typeOf(content.schema) : ''}</td>
        </tr>`
      })}
    </table>
    <p class="quiet">Errors: ${problemsOf(endpoint).map((code) => html`${errorLink(code)} `)}</p>
  </section>`
}

function shapeSection(name: string, schema: object): SafeHtml {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, SchemaPart & { description?: string }>
    required?: string[]
  }
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
  properties?: Record<string, SchemaPart>
}

/** A schema in a few words, for people. */
function typeOf(schema: SchemaPart): HtmlContent {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return html`<a href="#shape-${name}">${name}</a>`
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum !== undefined) return schema.enum.map(String).join(' | ')
  if (schema.anyOf !== undefined) return schema.anyOf.map((part, at) => html`${at === 0 ? '' : ' or '}${typeOf(part)}`)
  if (schema.items !== undefined) return html`list of ${typeOf(schema.items)}`
  if (schema.properties !== undefined) {
    return html`{
    ${Object.entries(schema.properties).map(([name, inner], at) => html`${at === 0 ? '' : ', '}${name}: ${typeOf(inner)}`)}
    }`
  }
  return schema.format ?? [schema.type ?? 'any'].flat().join(' or ')
}

function errorPage(code: ProblemCode): string {
  const { status, retryable, title, detail, remedy } = catalogue[code]
  return renderPage(
    `${code} – Weft`,
    html`<p><a href="/docs">Weft API</a></p>
      <h1><code>${code}</code> <span class="quiet">${status}</span></h1>
      <p>
        ${retryable ? 'Retryable: send the identical request again. · 可以原样重试。' : 'Not retryable as it is. · 原样重试无效。'}
      </p>
      ${(['en', 'zh-CN'] as const).map(
        (language) =>
          html`<section lang="${language}">
            <h2>${title[language]}</h2>
            <p>${detail[language]}</p>
            <p>→ ${remedy[language]}</p>
          </section>`,
      )}`,
  )
}
