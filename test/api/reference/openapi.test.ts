import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { endpoints } from '../../../api/app.ts'
import { catalogue } from '../../../api/http/catalogue.ts'
import { openApi, problemsOf } from '../../../api/reference/openapi.ts'
import { scopes } from '../../../domain/merchant/scope.ts'

const document = openApi(endpoints, '1.2.3')
const operations = Object.values(document.paths).flatMap((item) => Object.values(item))

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

  it('names, of each problem, only what the catalogue knows, and leaves none of them out', () => {
    const used = new Set(endpoints.flatMap(problemsOf))
    const elsewhere = ['method_not_allowed']
    expect([...used, ...elsewhere].toSorted()).toEqual(Object.keys(catalogue).toSorted())
  })
})
