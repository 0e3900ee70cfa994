import { Readable } from 'node:stream'
import type { Router } from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import type { Scope } from '../../domain/merchant/scope.ts'
import type { Logger } from '../../runtime/logger.ts'
import { assertNotPaused, authenticate, authorise, isChanging } from './authentication.ts'
import type { Caller } from './authentication.ts'
import { readJsonBody } from './body.ts'
import type { ProblemCode } from './catalogue.ts'
import type { ApiContext } from './context.ts'
import { readerLanguage } from './language.ts'
import type { Language } from './language.ts'
import { readQuery } from './query.ts'
import { requestOf } from './request.ts'
import { exactRouter } from './router.ts'
import { validate } from './validation.ts'

/** One request to one endpoint, checked. */
export interface EndpointCall<P = unknown, Q = unknown, B = unknown> {
  context: ApiContext
  caller: Caller
  params: P
  query: Q
  body: B
  /** the body as it came, before defaults; undefined when there was none */
  sent: unknown
  request_id: string
  language: Language
  /** the first of `types` that the request's header takes, by its own preference; null: it takes none of them */
  accepts: (header: 'accept' | 'accept-encoding' | 'accept-language', types: readonly string[]) => string | null
  log: Logger
}

export interface HttpReply {
  status: number
  body?: unknown
  /** in place of `body`: what is no JSON */
  file?: ReplyFile
  headers?: Record<string, string>
}

/** ReplyFile is what an endpoint answers as it is: a text, or bytes that are read while they are sent. */
export interface ReplyFile {
  type: string
  content: string | AsyncIterable<Buffer | string>
  /** what it is saved as */
  name?: string
  /** it is to be shown, and its name is for whoever saves it */
  is_shown?: boolean
  /** in bytes, where it is known: who reads is told when something is missing */
  size?: number
}

/** What one status of an endpoint means, and the shape of its body. */
export interface DeclaredResponse {
  description: string
  schema?: z.ZodType
  /** in place of `schema`, or beside it where JSON can be asked for: the types of a file, the first where none is asked for */
  file_types?: readonly string[]
  headers?: Record<string, string>
}

/** Declares one endpoint: its route, authorisation, validation, OpenAPI and documentation all come from here. */
export interface EndpointDeclaration<P, Q, B> {
  /** the operation's name in OpenAPI, camelCase */
  name: string
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** as OpenAPI writes it: `/v1/orders/{out_trade_no}` */
  path: string
  scope: Scope
  summary: string
  description?: string
  params?: z.ZodType<P>
  query?: z.ZodType<Q>
  body?: z.ZodType<B>
  responses: Record<number, DeclaredResponse>
  /** problems of its own; those that every endpoint can answer with are added */
  problems: ProblemCode[]
  /**
   * answers a body that today's rules refuse where it repeats a request that was taken under earlier ones; null: it is none
   */
  repeat?: (call: EndpointCall<P, Q, undefined>) => Promise<HttpReply | null>
  handle: (call: EndpointCall<P, Q, B>) => Promise<HttpReply>
}

export type Endpoint = Omit<
  EndpointDeclaration<unknown, unknown, unknown>,
  'params' | 'query' | 'body' | 'repeat' | 'handle'
> & {
  params: z.ZodType
  query: z.ZodType
  /** null: the endpoint takes no body */
  body: z.ZodType | null
  repeat: ((call: EndpointCall<unknown, unknown, undefined>) => Promise<HttpReply | null>) | null
  handle: (call: EndpointCall) => Promise<HttpReply>
}

const no_input = z.strictObject({})

/** Checks a declaration's types against each other and widens it to Endpoint, so that a list of them has one type. */
export function declareEndpoint<P = Record<string, never>, Q = Record<string, never>, B = undefined>(
  declaration: EndpointDeclaration<P, Q, B>,
): Endpoint {
  const { params, query, body, repeat, handle, ...rest } = declaration
  return {
    ...rest,
    params: params ?? no_input,
    query: query ?? no_input,
    body: body ?? null,
    repeat: repeat ? (call) => repeat(call as EndpointCall<P, Q, undefined>) : null,
    handle: (call) => handle(call as EndpointCall<P, Q, B>),
  }
}

/** Routes for `endpoints`. Problems are thrown; app.ts answers them. */
export function endpointRouter(endpoints: readonly Endpoint[], context: ApiContext): Router {
  const router = exactRouter()
  for (const declared of endpoints) {
    const path = declared.path.replace(/\{(\w+)\}/g, ':$1')
    router.register(path, [declared.method], async (ctx) => serveEndpoint(declared, context, ctx))
  }
  return router
}

/** Authenticates before it validates, so that a caller without a key learns nothing, not even which fields exist. */
async function serveEndpoint(declared: Endpoint, context: ApiContext, ctx: Context): Promise<void> {
  const { request_id, log } = requestOf(ctx)
  const language = readerLanguage(ctx)
  const caller = await authenticate(context, ctx.headers.authorization)
  ctx.set({ ...context.limiter.take(caller.key.id) })
  authorise(caller, declared.scope)
  // Those that name the problem themselves read the merchant anyway.
  const looks_itself = declared.problems.includes('merchant_paused')
  if (isChanging(declared.scope) && !looks_itself) await assertNotPaused(context, caller)
  const params = validate(declared.params, { ...(ctx.params as Record<string, string>) }, 'path', language)
  const query = validate(declared.query, readQuery(ctx), 'query', language)
  const sent = declared.method === 'GET' ? undefined : await readJsonBody(ctx.req)
  const named = { mchid: caller.mchid, ...logFieldsOf(params) }
  const accepts = acceptsOf(ctx)
  const call = { context, caller, params, query, sent, request_id, language, accepts, log: log.child(named) }
  const reply = await answerBody(declared, call)
  ctx.status = reply.status
  ctx.set(reply.headers ?? {})
  if (reply.file !== undefined) return await sendFile(ctx, reply.file, call.log)
  if (reply.body === undefined) return
  ctx.body = JSON.stringify(reply.body)
  ctx.type = 'application/json; charset=utf-8'
}

/** Checks the body and has the endpoint answer. That a request is safe to repeat goes before rules that came after it. */
async function answerBody(declared: Endpoint, call: Omit<EndpointCall, 'body'>): Promise<HttpReply> {
  const { sent, language } = call
  let body: unknown
  try {
    body = validate(declared.body ?? no_input.optional(), sent, 'body', language)
  } catch (problem) {
    const reply = await declared.repeat?.({ ...call, body: undefined })
    if (!reply) throw problem
    return reply
  }
  return await declared.handle({ ...call, body })
}

function acceptsOf(ctx: Context): EndpointCall['accepts'] {
  const read = {
    accept: 'accepts',
    'accept-encoding': 'acceptsEncodings',
    'accept-language': 'acceptsLanguages',
  } as const
  return (header, types) => ctx[read[header]]([...types]) || null
}

/**
 * Sends a file as fast as it is taken. Its first piece is read before the answer begins, so that what fails at once is
 * still a problem; what fails later breaks the connection, and is logged, since nobody else is told.
 */
async function sendFile(
  ctx: Context,
  { type, content, name, is_shown = false, size }: ReplyFile,
  log: Logger,
): Promise<void> {
  const body = typeof content === 'string' ? content : Readable.from(await begun(content, log), { objectMode: false })
  ctx.type = type
  if (name !== undefined) ctx.set('Content-Disposition', `${is_shown ? 'inline' : 'attachment'}; filename="${name}"`)
  ctx.body = body
  if (size !== undefined) ctx.length = size
}

async function begun<T>(source: AsyncIterable<T>, log: Logger): Promise<AsyncIterable<T>> {
  const reader = source[Symbol.asyncIterator]()
  const first = await reader.next()
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await reader.next()) yield next.value
    } catch (error) {
      log.error('an answer broke off, since what it is made of failed', { error })
      throw error
    } finally {
      await reader.return?.()
    }
  })()
}

/** The numbers a log line can be found by. */
function logFieldsOf(params: unknown): Record<string, unknown> {
  return typeof params === 'object' && params !== null ? { ...params } : {}
}
