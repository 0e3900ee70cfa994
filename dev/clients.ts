/**
 * `npm run check` makes TypeScript of docs/openapi.json by two generators and compiles, with what each made, every
 * request that the documents show and a reader of events: a client that people generate takes what they copy.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTypescript, { astToString } from 'openapi-typescript'
import { generateApi } from 'swagger-typescript-api'
import ts from 'typescript'

const repository = new URL('..', import.meta.url)
const folder = new URL('node_modules/.cache/weft/clients/', repository)
/** Whose requests are compiled. */
const documents = [
  ...['README.md', 'docs/integrate.md', 'docs/operate.md', 'docs/reconcile.md'],
  ...['README.zh-CN.md', 'docs/zh-CN/integrate.md', 'docs/zh-CN/operate.md', 'docs/zh-CN/reconcile.md'],
]

interface ShownRequest {
  document: string
  method: 'post' | 'patch'
  path: string
  /** a JavaScript expression */
  body: string
}

interface KeptContract {
  paths: Record<string, Partial<Record<ShownRequest['method'], OperationBody>>>
}

interface OperationBody {
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
}

const contract = JSON.parse(readFileSync(new URL('docs/openapi.json', repository), 'utf8')) as KeptContract
const requests = documents.flatMap(shownRequests)
if (requests.length < 6) throw new Error(`the documents show only ${requests.length} requests: are they still found?`)

/** `curl $WEFT_URL/v1/… -d '{…}'`, and the order of the example in Node. */
function shownRequests(document: string): ShownRequest[] {
  const text = readFileSync(new URL(document, repository), 'utf8')
  const curls = text.matchAll(/curl [^\n]*?\$WEFT_URL(\/v1\/[^\s"']+)(?:[^\n]|\\\n)*?-d '(\{[^']*\})'/g)
  const orders = text.matchAll(/const order = (\{.*\})$/gm)
  return [
    ...[...curls].map(([call, path = '', body = '']) => {
      return { document, method: call.includes('-X PATCH') ? ('patch' as const) : ('post' as const), path, body }
    }),
    ...[...orders].map(([, body = '']) => ({ document, method: 'post' as const, path: '/v1/orders', body })),
  ]
}

/** The path as the document writes it, and the name of its body's schema. */
function operationOf({ document, method, path }: ShownRequest): { template: string; schema: string } {
  const fitting = Object.entries(contract.paths).filter(([template, operations]) => {
    const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`)
    return operations[method]?.requestBody !== undefined && pattern.test(path)
  })
  const [template, operations] = fitting.find(([one]) => one === path) ?? fitting[0] ?? []
  const schema = operations?.[method]?.requestBody?.content['application/json']?.schema.$ref
  if (!template || !schema) throw new Error(`${document}: ${method} ${path} is not in docs/openapi.json`)
  return { template, schema: schema.split('/').at(-1) ?? '' }
}

/** What the example in Node makes its numbers with. */
const numbers = 'declare const newNumber: () => string\n'

/** A reader of events: only a union that is told apart by `type` compiles. */
const reader = `
  if (event.type === 'order.paid') return event.data.order.out_trade_no
  if (event.type === 'refund.succeeded') return event.data.refund.amount.refund.toFixed()
  if (event.type === 'reconciliation.completed') return event.data.reconciliation.bill_date
  if (event.type === 'test.ping') return event.data.endpoint.url
  return event.id
}
`

async function openapiTypescriptClient(): Promise<string> {
  write('paths.ts', astToString(await openapiTypescript(JSON.stringify(contract))))
  const bodies = requests.map((request, at) => {
    const { template } = operationOf(request)
    const type = `paths['${template}']['${request.method}']['requestBody']['content']['application/json']`
    return `/** ${request.document} */\nexport const body_${at}: ${type} = ${request.body}\n`
  })
  const told = `export function told(event: components['schemas']['EventMessage']): string {${reader}`
  return write(
    'first.ts',
    [`import type { components, paths } from './paths.ts'\n`, numbers, ...bodies, told].join('\n'),
  )
}

async function swaggerTypescriptClient(): Promise<string> {
  const { files } = await generateApi({
    spec: contract,
    fileName: 'schemas.ts',
    output: false,
    generateClient: false,
    silent: true,
  })
  write('schemas.ts', files.map(({ fileContent }) => fileContent).join('\n'))
  const bodies = requests.map((request, at) => {
    return `/** ${request.document} */\nexport const body_${at}: schemas.${operationOf(request).schema} = ${request.body}\n`
  })
  const told = `export function told(event: schemas.EventMessage): string {${reader}`
  return write('second.ts', [`import type * as schemas from './schemas.ts'\n`, numbers, ...bodies, told].join('\n'))
}

function write(name: string, text: string): string {
  const path = fileURLToPath(new URL(name, folder))
  writeFileSync(path, text)
  return path
}

/** What does not compile, each with its place. */
function compile(paths: string[]): string[] {
  const program = ts.createProgram(paths, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    types: [],
  })
  return ts
    .getPreEmitDiagnostics(program)
    .map((flaw) =>
      ts.formatDiagnostic(flaw, { ...ts.sys, getCanonicalFileName: (name) => name, getNewLine: () => '\n' }).trim(),
    )
}

mkdirSync(folder, { recursive: true })
const [readers, writers] = await Promise.all([openapiTypescriptClient(), swaggerTypescriptClient()])
const flaws = compile([readers, writers])
for (const flaw of flaws) console.error(flaw)
if (flaws.length > 0) process.exitCode = 1
else console.log(`clients of two generators take the ${requests.length} requests that the documents show`)
