import type { Context } from 'koa'
import { chineseDamage } from '../../domain/bill/damage.ts'
import type { DisableReason } from '../../domain/merchant/record.ts'
import type { UrlObjection } from '../../runtime/address.ts'
import { catalogue } from './catalogue.ts'
import type { ProblemCode } from './catalogue.ts'
import type { CatalogueEntry } from './catalogueentry.ts'
import { readerLanguage } from './language.ts'
import type { Language } from './language.ts'

/** One field that is wrong: `field` is a JSON Pointer into the body, `/query/…` or `/path/…`. */
export interface FieldError {
  field: string
  code: string
  detail: string
}

/** What WeChat Pay itself answered. */
export interface WeChatRefusal {
  status: number | null
  code: string
  message: string
}

/** An answer of RFC 9457 as it goes over the wire (docs/api.md, Errors). */
export interface ProblemBody {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  errors: FieldError[]
  retryable: boolean
  remedy: string
  wechat: WeChatRefusal | null
  request_id: string
  [extension: string]: unknown
}

interface ProblemParts {
  /** fill the texts, and are members of the answer too: `state`, `allowed`, `required_scope` */
  values?: Record<string, string | number | string[]>
  errors?: FieldError[]
  wechat?: WeChatRefusal
  headers?: Record<string, string>
  cause?: unknown
}

/** Problem is an error answer from the catalogue. It may be thrown anywhere below app.ts, which answers with it. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly parts: ProblemParts

  constructor(code: ProblemCode, parts: ProblemParts = {}) {
    super(code, { cause: parts.cause })
    this.code = code
    this.parts = parts
  }

  get status(): number {
    return catalogue[this.code].status
  }

  /** What `unavailableProblem` was made of; null: it is another problem. */
  get absent_part(): AbsentPart | null {
    return this.code === 'unavailable' ? ((this.parts.values?.['part'] ?? null) as AbsentPart | null) : null
  }
}

/** What Weft needs and may not reach. */
export type AbsentPart = 'temporal' | 'database' | 'workers' | 'wechat'

/** The problem `unavailable`: `part` names what cannot be reached. */
export function unavailableProblem(part: AbsentPart, cause?: unknown): Problem {
  return new Problem('unavailable', { values: { part }, headers: { 'Retry-After': '2' }, cause })
}

export const problem_media_type = 'application/problem+json'

/** Who reads a problem, and from where. */
export interface ProblemReader {
  language: Language
  /** this installation's address, before the page that explains the code */
  base_url: string
  request_id: string
}

/** The answer's body, in the reader's language. */
export function problemBody(problem: Problem, { language, base_url, request_id }: ProblemReader): ProblemBody {
  const entry: CatalogueEntry = catalogue[problem.code]
  const { values = {}, errors = [], wechat } = problem.parts
  return {
    ...values,
    type: `${base_url}/docs/errors/${problem.code}`,
    title: entry.title[language],
    status: entry.status,
    detail: fillTemplate(entry.detail[language], values, language),
    code: problem.code,
    errors,
    retryable: entry.retryable,
    remedy: fillTemplate(entry.remedy[language], values, language),
    wechat: wechat ?? null,
    request_id,
  }
}

/** Values that are words themselves, in Chinese; as members of the answer they stay what programs know. */
const chinese_values: Readonly<Record<UrlObjection | DisableReason | AbsentPart, string>> = {
  'it is not a URL': '不是完整的 URL',
  'it holds a user name or password': '含有用户名或密码',
  'it holds a fragment': '含有片段（#）',
  'it is not https': '不是 https',
  'its address is private': '是内网地址',
  'answered 410 Gone': '该地址应答了 410 Gone',
  'failed for 5 days': '连续失败 5 天',
  temporal: 'Temporal',
  database: '数据库',
  workers: 'worker',
  wechat: '微信支付',
}

function fillTemplate(text: string, values: NonNullable<ProblemParts['values']>, language: Language): string {
  const said = (value: string | number) => (language === 'zh-CN' ? chineseValue(String(value)) : String(value))
  const between = language === 'en' ? ', ' : '、'
  return text.replace(/\{(\w+)\}/g, (_, name: string) => [values[name] ?? '–'].flat().map(said).join(between))
}

function chineseValue(value: string): string {
  if (Object.hasOwn(chinese_values, value)) return chinese_values[value as keyof typeof chinese_values]
  return chineseDamage(value) ?? value
}

/** Answers `ctx` with `problem`. */
export function answerProblem(
  ctx: Context,
  problem: Problem,
  { base_url, request_id }: Omit<ProblemReader, 'language'>,
): void {
  const language = readerLanguage(ctx)
  ctx.status = problem.status
  ctx.set(problem.parts.headers ?? {})
  ctx.set('Content-Language', language)
  ctx.vary('Accept-Language')
  ctx.body = JSON.stringify(problemBody(problem, { language, base_url, request_id }))
  ctx.type = problem_media_type
}
