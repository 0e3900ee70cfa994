import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { endpoints } from '../../../api/app.ts'
import { catalogue } from '../../../api/http/catalogue.ts'
import { event_messages } from '../../../api/v1/events/message.ts'
import { body_examples, curlExample } from '../../../api/reference/example.ts'
import { bill_descriptions, unit_descriptions } from '../../../api/reference/chinese/bills.ts'
import { call_descriptions } from '../../../api/reference/chinese/calls.ts'
import { checkout_descriptions } from '../../../api/reference/chinese/checkouts.ts'
import { chineseDescription } from '../../../api/reference/chinese/description.ts'
import { field_descriptions } from '../../../api/reference/chinese/fields.ts'
import { openApi, problemsOf } from '../../../api/reference/openapi.ts'
import { chinese_summaries } from '../../../api/reference/words.ts'
import { event_types } from '../../../domain/event/event.ts'
import { scopes } from '../../../domain/merchant/scope.ts'

const document = openApi({ endpoints, messages: event_messages }, '1.2.3')
const operations = Object.values(document.paths).flatMap((item) => Object.values(item))

/** All that the document describes in words. */
function descriptions(): Set<string> {
  const texts = new Set<string>()
  const walk = (part: unknown): void => {
    if (Array.isArray(part)) return part.forEach(walk)
    if (typeof part !== 'object' || part === null) return
    for (const [name, inner] of Object.entries(part)) {
      if (name === 'example' || name === 'examples') continue
      if (name === 'description' && typeof inner === 'string') texts.add(inner)
      else walk(inner)
    }
  }
  walk(document)
  return texts
}

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(structuredClone(document))
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
    expect(validator.version).toBe('3.1')
  })

  it('has every endpoint under a name of its own, with a scope that exists', () => {
    expect(operations).toHaveLength(endpoints.length)
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(endpoints.length)
    for (const { scope } of endpoints) expect(scopes).toContain(scope)
  })

  it('refers to no shape that it does not have', () => {
    const text = JSON.stringify(document)
    const named = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name)
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(named))
    expect(text).not.toContain('$defs')
  })

  it('tells merchants that unknown fields are refused, and that answers may grow', () => {
    const { OrderRequest, Order } = document.components.schemas
    expect(OrderRequest).toMatchObject({ additionalProperties: false })
    expect(Order).not.toHaveProperty('additionalProperties')
    expect(OrderRequest?.['required']).toEqual(['out_trade_no', 'description', 'amount'])
  })

  it('has no default in a request: generators would require the field', () => {
    const text = JSON.stringify(document)
    expect(text).not.toMatch(/"default":(?!\{"description")/)
    for (const told of ['CNY when absent', 'entries per page; 50 when absent']) expect(text).toContain(told)
  })

  it('joins no shapes by allOf: what generators make of a union within one does not compile in Java and Go', () => {
    expect(JSON.stringify(document)).not.toContain('"allOf"')
  })

  it('lists no types but one with null: oapi-codegen takes no other list', () => {
    const lists = [...JSON.stringify(document).matchAll(/"type":\[([^\]]*)\]/g)].map(([, types = '']) =>
      types.split(','),
    )
    expect(lists.length).toBeGreaterThan(50)
    expect(lists.filter((types) => types.filter((type) => type !== '"null"').length > 1)).toEqual([])
  })

  it('has patterns that PCRE, Rust and ECMAScript read alike: ASCII, and no \\u', () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
      ([, text = '']) => JSON.parse(text) as string,
    )
    expect(patterns.length).toBeGreaterThan(50)
    expect(patterns.filter((pattern) => !/^[ -~]*$/.test(pattern) || /\\[ux]/.test(pattern))).toEqual([])
    for (const pattern of patterns)
      for (const flags of ['', 'u']) expect(() => new RegExp(pattern, flags)).not.toThrow()
  })

  it('names each form of answer that can be asked for', () => {
    const types = { json: 'application/json', csv: 'text/csv', html: 'text/html' } as const
    const asked = operations.flatMap(({ operationId, parameters, responses }) => {
      const [format] = (parameters as { name: string; schema: { enum: (keyof typeof types)[] } }[]).filter(
        ({ name }) => name === 'format',
      )
      const { content } = (responses as Record<string, { content?: object }>)['200'] ?? {}
      const named = Object.keys(content ?? {}).sort()
      return format ? [[operationId, named, format.schema.enum.map((one) => types[one]).sort()] as const] : []
    })
    expect(asked.length).toBeGreaterThan(5)
    for (const [operationId, named, wanted] of asked) expect(named, String(operationId)).toEqual(wanted)
  })

  it('tells every type of event apart by its type, and says where each is sent', () => {
    const { schemas } = document.components
    const message = schemas['EventMessage'] as { discriminator: { mapping: Record<string, string> }; oneOf: unknown[] }
    expect(Object.keys(message.discriminator.mapping)).toEqual(event_types)
    expect(Object.keys(document['webhooks'] as object)).toEqual(event_types)
    for (const [type, reference] of Object.entries(message.discriminator.mapping)) {
      expect(message.oneOf).toContainEqual({ $ref: reference })
      const { properties } = schemas[reference.split('/').at(-1) ?? ''] as { properties: Record<string, unknown> }
      expect(properties['type']).toMatchObject({ const: type })
    }
  })

  it('shows a call of every endpoint that the endpoint takes, and names each in Chinese', () => {
    const names = endpoints.map(({ name }) => name)
    expect(Object.keys(chinese_summaries).toSorted()).toEqual(names.toSorted())
    expect(Object.keys(body_examples).toSorted()).toEqual(
      endpoints.flatMap(({ name, body }) => (body === null ? [] : [name])).toSorted(),
    )
    for (const { name, body } of endpoints)
      if (body !== null) expect([name, body.safeParse(body_examples[name]).error]).toEqual([name, undefined])
    const shown = endpoints.map(curlExample)
    for (const call of shown) expect(call).not.toMatch(/[{]\w+[}]/)
  })

  it('has each of its descriptions in Chinese, as the pages of /docs show them', () => {
    const texts = descriptions()
    // Of an answer that is a problem, the pages show the catalogue's own titles instead.
    const shown = [...texts].filter((text) => !text.startsWith('`'))
    expect(shown.length).toBeGreaterThan(300)
    expect(shown.filter((text) => chineseDescription(text) === null)).toEqual([])
    expect(chineseDescription('entries per page; 50 when absent')).toBe('每页条数；默认为 50')
  })

  it('has one translation of each description, and none of what nothing says', () => {
    const tables = [bill_descriptions, unit_descriptions, call_descriptions, checkout_descriptions, field_descriptions]
    const translated = tables.flatMap((table) => Object.keys(table))
    expect(translated.filter((text, place) => translated.indexOf(text) !== place)).toEqual([])
    const texts = [...descriptions()]
    const is_said = (text: string) =>
      texts.some((one) => one === text || one.startsWith(`${text}; `) || one.endsWith(`; ${text}`))
    expect(translated.filter((text) => !is_said(text))).toEqual([])
  })

  it('names, of each problem, only what the catalogue knows, and leaves none of them out', () => {
    const used = new Set(endpoints.flatMap(problemsOf))
    // What no endpoint answers: a router does, and a payer's page at a checkout.
    const elsewhere = ['method_not_allowed', 'method_not_offered']
    expect([...used, ...elsewhere].toSorted()).toEqual(Object.keys(catalogue).toSorted())
  })
})
