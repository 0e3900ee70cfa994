import { z } from 'zod'
import { isChanging } from '../http/authentication.ts'
import { catalogue } from '../http/catalogue.ts'
import type { ProblemCode } from '../http/catalogue.ts'
import type { DeclaredResponse, Endpoint } from '../http/endpoint.ts'
import { problem_media_type } from '../http/problem.ts'
import { body_examples } from './example.ts'

type Json = Record<string, unknown>

/**
 * An OpenAPI 3.1 document. Written here, since zod itself turns schemas into JSON Schema: what is left by hand is to lift
 * named schemas into `components`. The package `zod-openapi` would spare those forty lines; problems, scopes, headers
 * and the openness of answers would have to be handed to it all the same, in its form instead of the document's.
 */
export interface OpenApi extends Json {
  openapi: '3.1.0'
  paths: Record<string, Record<string, Json>>
  components: { schemas: Record<string, Json> } & Json
}

/** Problems that every endpoint with a key can answer with. */
const common_problems: readonly ProblemCode[] = [
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'internal',
  'unavailable',
]
const input_problems: readonly ProblemCode[] = ['invalid_request']
const pause_problems: readonly ProblemCode[] = ['merchant_paused']
const body_problems: readonly ProblemCode[] = ['malformed_json', 'body_too_large', 'unsupported_media_type']

/** Node's own answer (api/http/server.ts), given before anybody here sees the request. */
const too_long = 'address and headers are over 8 kB together: no body'

/** The codes an endpoint can answer with, its own first. */
export function problemsOf(endpoint: Endpoint): ProblemCode[] {
  const body = endpoint.body === null ? [] : body_problems
  const paused = isChanging(endpoint.scope) && !endpoint.problems.includes('merchant_paused')
  return [...endpoint.problems, ...input_problems, ...body, ...(paused ? pause_problems : []), ...common_problems]
}

/** Contract is what merchants call, and what they are told by type of event. */
export interface Contract {
  endpoints: readonly Endpoint[]
  messages: Readonly<Record<string, z.ZodType>>
}

/** The whole API in one document, from the declarations that also route and validate it. */
export function openApi({ endpoints, messages }: Contract, version: string): OpenApi {
  const schemas: Record<string, Json> = { Problem: problemSchema() }
  const paths: OpenApi['paths'] = {}
  for (const endpoint of endpoints) {
    const item = (paths[endpoint.path] ??= {})
    item[endpoint.method.toLowerCase()] = operationObject(endpoint, schemas)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Weft',
      version,
      description:
        'WeChat Pay orders that cannot get lost. Amounts are integer fen. Known fields are always present, null when ' +
        'unknown; new fields and values may appear, so ignore what you do not know. Unknown request fields are refused.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    paths,
    webhooks: webhooksOf(messages, schemas),
    components: {
      schemas,
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'weft_live_… or weft_test_…' } },
    },
  }
}

/** What a merchant's own endpoint is sent, by type of event (Standard Webhooks). */
function webhooksOf(messages: Contract['messages'], schemas: Record<string, Json>): Json {
  const text = { type: 'string' }
  const headers = [
    ['webhook-id', 'the event’s id: the same on every attempt'],
    ['webhook-timestamp', 'Unix seconds of this attempt'],
    ['webhook-signature', 'v1,… by HMAC-SHA-256, several while a secret is changed'],
  ]
  const parameters = headers.map(([name, description]) => ({
    name,
    in: 'header',
    required: true,
    schema: text,
    description,
  }))
  const responses = {
    '2XX': {
      description: 'heard. What the fulfilment endpoint says to order.paid decides: an empty body means fulfilled',
      content: { 'application/json': { schema: fulfilmentAnswerSchema() } },
    },
    default: { description: 'not heard: it is sent again' },
  }
  const webhooks = Object.entries(messages).map(([type, message]) => {
    const content = { 'application/json': { schema: schemaOf(message, 'output', schemas) } }
    const operationId = `receive${type.split(/[._]/).map(capitalised).join('')}`
    const post = {
      operationId,
      tags: ['webhooks'],
      security: [],
      parameters,
      requestBody: { required: true, content },
      responses,
    }
    return [type, { post }]
  })
  return Object.fromEntries(webhooks) as Json
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function fulfilmentAnswerSchema(): Json {
  return {
    type: 'object',
    properties: {
      fulfilment: { type: 'string', enum: ['fulfilled', 'pending', 'refused'] },
      reason: { type: 'string', description: 'why it is refused, at most 200 characters' },
    },
  }
}

function operationObject(endpoint: Endpoint, schemas: Record<string, Json>): Json {
  const { name, summary, description, scope, body, responses: answers } = endpoint
  return {
    operationId: name,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [endpoint.path.split('/')[2] ?? 'other'],
    'x-required-scope': scope,
    parameters: [
      ...parametersOf(endpoint.params, 'path', schemas),
      ...parametersOf(endpoint.query, 'query', schemas),
      {
        name: 'Request-Id',
        in: 'header',
        schema: { type: 'string' },
        description: 'said back in the answer where it is 1–64 of letters, digits, _ -; else one is made',
      },
    ],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input', schemas), ...exampleOf(name) } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, responseObject(answer, schemas)]),
      ),
      ...problemResponses(problemsOf(endpoint)),
      431: { description: too_long },
    },
  }
}

/** A body that can be copied, where the operation has one. */
function exampleOf(name: string): Json {
  const example = body_examples[name]
  return example === undefined ? {} : { example }
}

function parametersOf(schema: z.ZodType, where: 'path' | 'query', schemas: Record<string, Json>): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input', schemas) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }))
}

function responseObject(answer: DeclaredResponse, schemas: Record<string, Json>): Json {
  const { description, schema, file_types = [], headers = {} } = answer
  const content: Json = {
    ...(schema && { 'application/json': { schema: schemaOf(schema, 'output', schemas) } }),
    ...Object.fromEntries(file_types.map((type) => [type, { schema: { type: 'string' } }])),
  }
  const named = Object.entries(headers).map(([name, value]) => [name, { schema: { type: 'string', const: value } }])
  return {
    description,
    headers: { 'Request-Id': { schema: { type: 'string' } }, ...Object.fromEntries(named) },
    ...(Object.keys(content).length === 0 ? {} : { content }),
  }
}

function problemResponses(codes: readonly ProblemCode[]): Json {
  const by_status = new Map<number, ProblemCode[]>()
  for (const code of new Set(codes)) {
    const { status } = catalogue[code]
    by_status.set(status, [...(by_status.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...by_status].map(([status, of_status]) => [
      status,
      {
        description: of_status.map((code) => `\`${code}\`: ${catalogue[code].title.en}`).join('; '),
        content: { [problem_media_type]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  )
}

/** JSON Schema of `schema`; what has a name goes to `schemas` once and is referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Record<string, Json>): Json {
  const {
    $schema: _,
    $defs = {},
    ...root
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (io === 'input') tellDefault(jsonSchema)
      // What we answer may grow: a client that refuses unknown fields would break on the next release.
      else if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
      const discriminator = discriminatorOf(zodSchema)
      if (discriminator !== null) Object.assign(jsonSchema, { discriminator })
    },
  })
  for (const [name, definition] of Object.entries($defs)) schemas[name] = rewriteReferences(definition) as Json
  return rewriteReferences(root) as Json
}

/**
 * Says in words what holds when a field of a request is absent. As `default` it would make generators require the field:
 * openapi-typescript takes what has a default for something that is always there.
 */
function tellDefault(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.default === undefined) return
  const value = typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)
  const told = `${value} when absent`
  delete schema.default
  if (schema.description?.endsWith(told)) return
  schema.description = [schema.description, told].filter((text) => text !== undefined).join('; ')
}

/** A list of types as `anyOf`: oapi-codegen, for Go, knows no other list than one of a type and null. */
function spreadTypes(schema: Json): Json {
  const { type, ...rest } = schema
  if (!Array.isArray(type) || type.filter((one) => one !== 'null').length < 2) return schema
  return { ...rest, anyOf: type.map((one: unknown) => ({ type: one })) }
}

/** The field that tells the members of a union apart, and the name of each; null: no such union, or it has no names. */
function discriminatorOf(schema: z.core.$ZodType): Json | null {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return null
  const propertyName = String(schema.def.discriminator)
  const members = schema.options.map((option) => {
    const { id } = z.globalRegistry.get(option) ?? {}
    const [value] = (option as z.ZodObject<Record<string, z.ZodLiteral>>).shape[propertyName]?.values ?? []
    return [String(value), id === undefined ? null : `#/components/schemas/${id}`] as const
  })
  if (members.some(([, reference]) => reference === null)) return null
  return { propertyName, mapping: Object.fromEntries(members) }
}

function rewriteReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewriteReferences)
  if (typeof value !== 'object' || value === null) return value
  const schema = 'type' in value ? spreadTypes(value) : value
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => name !== 'id' || typeof (value as Json)['id'] !== 'string' || !hasSchemaName(value as Json))
      .map(([name, inner]) => [
        name,
        name === '$ref' && typeof inner === 'string'
          ? inner.replace('#/$defs/', '#/components/schemas/')
          : rewriteReferences(inner),
      ]),
  )
}

/** zod repeats a schema's name inside it as `id`, which JSON Schema does not know. */
function hasSchemaName(value: Json): boolean {
  return 'type' in value && typeof value['type'] === 'string'
}

function problemSchema(): Json {
  const text = { type: 'string' }
  return {
    type: 'object',
    description: 'RFC 9457. Further members by code, such as `state`, `allowed`, `required_scope`, `fields`.',
    required: ['type', 'title', 'status', 'detail', 'code', 'errors', 'retryable', 'remedy', 'wechat', 'request_id'],
    properties: {
      type: { ...text, description: 'a page about this code: /docs/errors/<code>' },
      title: text,
      status: { type: 'integer' },
      detail: text,
      code: { ...text, examples: Object.keys(catalogue) },
      errors: {
        type: 'array',
        items: {
          type: 'object',
          required: ['field', 'code', 'detail'],
          properties: { field: { ...text, description: 'JSON Pointer' }, code: text, detail: text },
        },
      },
      retryable: { type: 'boolean', description: 'true: send the identical request again' },
      remedy: text,
      wechat: {
        type: ['object', 'null'],
        properties: { status: { type: ['integer', 'null'] }, code: text, message: text },
      },
      request_id: text,
    },
  }
}
