import type { Context } from 'koa'
import { limits } from '../../domain/policy.ts'
import { readerLanguage } from './language.ts'
import { Problem } from './problem.ts'
import { pointer, ruleError } from './validation.ts'

/**
 * The parameters of a request's query, each at most once. Throws `invalid_request` above 4 kB, above 64 parameters and
 * for a name that comes twice. The only reader of queries, with the one below: Koa's own takes time by the square of what
 * is sent.
 */
export function readQuery(ctx: Context): Record<string, string> {
  const language = readerLanguage(ctx)
  const refuse = (field: string, rule: string) =>
    new Problem('invalid_request', { errors: [ruleError(field, rule, language)] })
  if (ctx.querystring.length > limits.query_bytes) throw refuse('/query', 'query_size')
  const given = [...new URLSearchParams(ctx.querystring)]
  if (given.length > limits.query_parameters) throw refuse('/query', 'query_size')
  const parameters = new Map<string, string>()
  for (const [name, value] of given) {
    if (parameters.has(name)) throw refuse(pointer(['query', name]), 'repeated')
    parameters.set(name, value)
  }
  return Object.fromEntries(parameters)
}

/**
 * The parameters that a page is opened with: of a name that comes twice the first, and none where there are too many bytes.
 * Never throws. Apps add their own to every link that is handed on, the same ones again each time.
 */
export function readPageQuery(ctx: Context): Record<string, string> {
  if (ctx.querystring.length > limits.query_bytes) return {}
  return Object.fromEntries([...new URLSearchParams(ctx.querystring)].reverse())
}
