import { z } from 'zod'

/** What zod calls a type, as readers of Chinese call it. */
const type_names: Readonly<Record<string, string>> = {
  string: '字符串',
  number: '数字',
  int: '整数',
  boolean: '布尔值 true 或 false',
  object: '对象',
  record: '对象',
  array: '数组',
  null: 'null',
}

const otherwise = z.locales.zhCN().localeError

/** What an issue of zod says in Chinese: zod's own words leave its types in English, and call a long text a large number. */
export function chineseIssue(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `须为${typeName(issue.expected)}，实际为${typeName(typeOf(issue.input))}`
    case 'invalid_value':
      return issue.values.length === 1
        ? `须为 ${String(issue.values[0])}`
        : `须为以下之一：${issue.values.map(String).join('、')}`
    case 'too_big':
      return limitText(issue.origin, issue.maximum, { number: '不能大于', text: '不能超过', list: '最多' })
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1) return '不能为空'
      return limitText(issue.origin, issue.minimum, { number: '不能小于', text: '至少', list: '至少' })
    case 'invalid_union':
      return '不符合允许的任何一种形式'
    default:
      return messageOf(otherwise(issue))
  }
}

function limitText(origin: string, limit: number | bigint, words: Record<'number' | 'text' | 'list', string>): string {
  if (origin === 'string') return `${words.text} ${limit} 个字符`
  if (origin === 'array' || origin === 'set') return `${words.list} ${limit} 项`
  return `${words.number} ${limit}`
}

function typeName(type: string): string {
  return type_names[type] ?? type
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function messageOf(said: ReturnType<typeof otherwise>): string {
  return (typeof said === 'string' ? said : said?.message) ?? '格式不正确'
}
