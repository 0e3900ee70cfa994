import { createHash } from 'node:crypto'
import type { Router } from '@koa/router'
import type { Context } from 'koa'
import { attention_codes } from '../../domain/attention.ts'
import { attention_reasons } from '../../domain/reason.ts'
import { remedyCall } from '../../domain/remedy.ts'
import { catalogue } from '../http/catalogue.ts'
import type { ProblemCode } from '../http/catalogue.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { languages, readerLanguage } from '../http/language.ts'
import type { Language } from '../http/language.ts'
import { html, trustedHtml } from '../http/markup.ts'
import type { HtmlContent, SafeHtml } from '../http/markup.ts'
import { Problem } from '../http/problem.ts'
import { exactRouter } from '../http/router.ts'
import { curlExample, problemExample } from './example.ts'
import { openApi, problemsOf } from './openapi.ts'
import type { Contract, OpenApi } from './openapi.ts'
import { descriptionIn, shapeSection, typeOf } from './shape.ts'
import { chinese_summaries, words } from './words.ts'

interface DocsPlace {
  version: string
  base_url: string
}

/**
 * Serves the API's documentation: /openapi.json, and the same as pages in the reader's language that load nothing from
 * other hosts.
 */
export function docsRouter(contract: Contract, { version, base_url }: DocsPlace): Router {
  const { json, pages } = documentation(contract, version)
  const router = exactRouter()
  router.get('/', (ctx) => ctx.redirect('/docs'))
  router.get('/openapi.json', (ctx) => {
    ctx.body = json
    ctx.type = 'application/json; charset=utf-8'
  })
  router.get('/docs', (ctx) => sendPage(ctx, (language) => pages.get(language) ?? ''))
  router.get('/docs/attention', (ctx) => sendPage(ctx, attentionPage))
  router.get('/docs/errors/:code', (ctx) => {
    const code = String(ctx.params['code'])
    if (!Object.hasOwn(catalogue, code)) throw new Problem('not_found')
    sendPage(ctx, (language) => errorPage(code as ProblemCode, language, base_url))
  })
  return router
}

interface Documentation {
  version: string
  json: string
  pages: ReadonlyMap<Language, string>
}

/** What was written last of each contract: of one process, all there is, since its version stays. */
const written = new WeakMap<Contract, Documentation>()

/** Writes the documentation, once per process: it is most of what an API's start takes, and tests start many. */
function documentation(contract: Contract, version: string): Documentation {
  const known = written.get(contract)
  if (known?.version === version) return known
  const document = openApi(contract, version)
  const pages = new Map(languages.map((language) => [language, referencePage(contract, document, language)]))
  const made = { version, json: JSON.stringify(document), pages }
  written.set(contract, made)
  return made
}

const style = `
:root { color-scheme: light dark; font: 16px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif }
body { overflow-wrap: anywhere; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 6rem }
h2 { margin-top: 3rem } h3 { margin: 2.5rem 0 .25rem }
code, pre { font: .9em ui-monospace, Menlo, Consolas, monospace }
pre { overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8884; border-radius: 6px }
table { border-collapse: collapse; width: 100%; margin: .75rem 0 }
th, td { overflow-wrap: anywhere; text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8883 }
.method { display: inline-block; min-width: 4.2em; font-weight: 600 }
.quiet { opacity: .7 }
@media (min-width: 40rem) { td:first-child code { white-space: nowrap } }
nav ul { columns: 16rem; padding-left: 1.2rem }
@media (max-width: 40rem) { table, tbody, tr, td { display: block } th { display: none } td { border: 0; padding: .1rem 0 } tr { border-bottom: 1px solid #8883; padding: .35rem 0 } }
details { margin: .5rem 0 } summary { cursor: pointer }
@media print { :root { color-scheme: light } }
`
/** Whole, so that what is hashed is what is sent, whoever formats the templates around it. */
const style_element = trustedHtml(`<style>${style}</style>`)
const style_hash = createHash('sha256').update(style, 'utf8').digest('base64')

function sendPage(ctx: Context, pageOf: (language: Language) => string): void {
  const language = readerLanguage(ctx)
  ctx.set('Content-Security-Policy', `default-src 'none'; style-src 'sha256-${style_hash}'; frame-ancestors 'none'`)
  ctx.set('X-Content-Type-Options', 'nosniff')
  ctx.set('Content-Language', language)
  ctx.vary('Accept-Language')
  ctx.type = 'html'
  ctx.body = pageOf(language)
}

function renderPage(title: string, body: HtmlContent, language: Language): string {
  return `<!doctype html>${html`<html lang="${language}">
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

function summaryOf({ name, summary }: Endpoint, language: Language): string {
  return (language === 'zh-CN' && chinese_summaries[name]) || summary
}

function referencePage({ endpoints, messages }: Contract, document: OpenApi, language: Language): string {
  const word = (name: keyof typeof words) => words[name][language]
  const part = (id: string, name: 'endpoints' | 'events' | 'shapes' | 'errors') =>
    html`<h2 id="${id}">${word(name)}</h2>`
  return renderPage(
    word('title'),
    html`<h1>${word('title')}</h1>
      <p>${word('intro')} <a href="/openapi.json">OpenAPI 3.1</a>. ${word('guide')}</p>
      <nav>
        <h2>${word('contents')}</h2>
        <ul>
          ${endpoints.map(
            (endpoint) => html`<li><a href="#${endpoint.name}">${summaryOf(endpoint, language)}</a></li>`,
          )}
        </ul>
        <p>
          <a href="#events">${word('events')}</a> · <a href="#shapes">${word('shapes')}</a> ·
          <a href="#errors">${word('errors')}</a> · <a href="/docs/attention">${word('attention')}</a>
        </p>
      </nav>
      ${part('endpoints', 'endpoints')} ${endpoints.map((endpoint) => endpointSection(endpoint, document, language))}
      ${part('events', 'events')}
      <p>${word('events_intro')}</p>
      <table>
        <tr>
          <th>${word('type')}</th>
          <th>${word('carries')}</th>
        </tr>
        ${Object.keys(messages).map((type) => eventRow(type, document, language))}
      </table>
      ${part('shapes', 'shapes')}
      ${Object.entries(document.components.schemas).map(([name, schema]) => shapeSection(name, schema, language))}
      ${part('errors', 'errors')}
      <table>
        <tr>
          <th>${word('code')}</th>
          <th>${word('status')}</th>
          <th>${word('what')}</th>
        </tr>
        ${Object.entries(catalogue).map(
          ([code, { status, title }]) =>
            html`<tr>
              <td>${errorLink(code)}</td>
              <td>${status}</td>
              <td>${title[language]}</td>
            </tr>`,
        )}
      </table>`,
    language,
  )
}

interface WebhookObject {
  post: { requestBody: { content: Record<string, { schema: object }> } }
}

function eventRow(type: string, document: OpenApi, language: Language): SafeHtml {
  const webhook = (document['webhooks'] as Record<string, WebhookObject>)[type]
  const [content] = Object.values(webhook?.post.requestBody.content ?? {})
  return html`<tr>
    <td><code>${type}</code></td>
    <td>${content ? typeOf(content.schema, language) : ''}</td>
  </tr>`
}

function errorLink(code: string): SafeHtml {
  return html`<a href="/docs/errors/${code}"><code>${code}</code></a>`
}

interface OperationObject {
  parameters: { name: string; in: string; required?: boolean; description?: string; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

function endpointSection(endpoint: Endpoint, document: OpenApi, language: Language): SafeHtml {
  const { method, path, name, description, scope, responses: answers } = endpoint
  const operation = document.paths[path]?.[method.toLowerCase()] as unknown as OperationObject
  const parameters = operation.parameters.filter((parameter) => parameter.in !== 'header')
  const request = Object.values(operation.requestBody?.content ?? {})[0]
  const word = (of: keyof typeof words) => words[of][language]
  return html`<section id="${name}">
    <h3><span class="method">${method}</span> <code>${path}</code></h3>
    <p>
      ${summaryOf(endpoint, language)}${language === 'zh-CN' ? '。' : '.'}
      <span class="quiet">${word('scope')} <code>${scope}</code></span>
    </p>
    ${description === undefined ? null : html`<p>${descriptionIn(language, description)}</p>`}
    <pre>${curlExample(endpoint)}</pre>
    ${
      parameters.length === 0
        ? null
        : html`<table>
            ${parameters.map(
              (parameter) =>
                html`<tr>
                  <td><code>${parameter.name}</code>${parameter.required ? ' *' : ''}</td>
                  <td>${parameter.in}</td>
                  <td>
                    ${parameter.description ? descriptionIn(language, parameter.description) : typeOf(parameter.schema, language)}
                  </td>
                </tr>`,
            )}
          </table>`
    }
    ${request === undefined ? null : html`<p>${word('body')}: ${typeOf(request.schema, language)}</p>`}
    <table>
      ${Object.entries(answers).map(([status, { description: meaning }]) => {
        const content = Object.values(operation.responses[status]?.content ?? {})[0]
        return html`<tr>
          <td>${status}</td>
          <td>${descriptionIn(language, meaning)}</td>
          <td>${content ? typeOf(content.schema, language) : ''}</td>
        </tr>`
      })}
    </table>
    <p class="quiet">${word('errors_here')}: ${problemsOf(endpoint).map((code) => html`${errorLink(code)} `)}</p>
  </section>`
}

/** What a person does about each attention: where the details of runs in Temporal UI lead to. */
function attentionPage(language: Language): string {
  const word = (of: keyof typeof words) => words[of][language]
  const number = {
    out_trade_no: '{out_trade_no}',
    out_refund_no: '{out_refund_no}',
    transaction_id: '{transaction_id}',
  }
  return renderPage(
    `${word('attention')} – Weft`,
    html`<p><a href="/docs">${word('title')}</a></p>
      <h1>${word('attention')}</h1>
      <p>${word('attention_intro')}</p>
      <table>
        <tr>
          <th>${word('code')}</th>
          <th>${word('what')}</th>
          <th>${word('call')}</th>
        </tr>
        ${attention_codes.map((code) => {
          const call = remedyCall(code, number, language)
          return html`<tr id="${code}">
            <td><code>${code}</code></td>
            <td>${attention_reasons[language][code]}</td>
            <td>${call === null ? '' : html`<code>${decodeURIComponent(call)}</code>`}</td>
          </tr>`
        })}
      </table>`,
    language,
  )
}

function errorPage(code: ProblemCode, language: Language, base_url: string): string {
  const { status, retryable, title } = catalogue[code]
  const example = problemExample(code, language, base_url)
  const word = (of: keyof typeof words) => words[of][language]
  return renderPage(
    `${code} – Weft`,
    html`<p><a href="/docs">${word('title')}</a> · <a href="/docs#errors">${word('all_errors')}</a></p>
      <h1><code>${code}</code> <span class="quiet">${status}</span></h1>
      <h2>${title[language]}</h2>
      <p>${example.detail}</p>
      <p>${word(retryable ? 'retryable' : 'not_retryable')}</p>
      <h2>${word('remedy')}</h2>
      <p>${example.remedy}</p>
      <h2>${word('example')}</h2>
      <pre>${JSON.stringify(example, null, 2)}</pre>
      <p class="quiet">${Object.keys(catalogue).map((other) => html`${errorLink(other)} `)}</p>`,
    language,
  )
}
