import { z } from 'zod'
import type { Bilingual, Language } from './language.ts'

/** What zod calls a type, as readers call it. */
const type_names: Readonly<Record<string, Bilingual>> = {
  string: { en: 'text', 'zh-CN': '字符串' },
  number: { en: 'a number', 'zh-CN': '数字' },
  int: { en: 'a whole number', 'zh-CN': '整数' },
  boolean: { en: 'true or false', 'zh-CN': '布尔值 true 或 false' },
  object: { en: 'an object', 'zh-CN': '对象' },
  record: { en: 'an object', 'zh-CN': '对象' },
  array: { en: 'a list', 'zh-CN': '数组' },
  null: { en: 'null', 'zh-CN': ' null' },
}

const otherwise = { en: z.locales.en().localeError, 'zh-CN': z.locales.zhCN().localeError }

/** What a number, a text or a list may be at most, or has to be at least. */
const limit_texts = {
  too_big: {
    number: { en: 'must be at most {limit}', 'zh-CN': '不能大于 {limit}' },
    text: { en: 'must have at most {limit} characters', 'zh-CN': '不能超过 {limit} 个字符' },
    list: { en: 'must have at most {limit} entries', 'zh-CN': '最多 {limit} 项' },
  },
  too_small: {
    number: { en: 'must be at least {limit}', 'zh-CN': '不能小于 {limit}' },
    text: { en: 'must have at least {limit} characters', 'zh-CN': '至少 {limit} 个字符' },
    list: { en: 'must have at least {limit} entries', 'zh-CN': '至少 {limit} 项' },
  },
} as const satisfies Record<string, Record<string, Bilingual>>

/** What an issue of zod says: zod's own words speak of its types, and call a long text a large number. */
export function issueText(issue: z.core.$ZodRawIssue, language: Language): string {
  return issueWords(issue)?.[language] ?? messageOf(otherwise[language](issue)) ?? no_words[language]
}

const no_words: Bilingual = { en: 'has not the right form', 'zh-CN': '格式不正确' }

function issueWords(issue: z.core.$ZodRawIssue): Bilingual | null {
  switch (issue.code) {
    case 'invalid_type': {
      const [wanted, found] = [typeName(issue.expected), typeName(typeOf(issue.input))]
      return {
        en: `must be ${wanted.en}, not ${found.en}`,
        'zh-CN': `须为${wanted['zh-CN']}，实际为${found['zh-CN']}`,
      }
    }
    case 'invalid_value': {
      const [first, ...others] = issue.values.map(String)
      if (others.length === 0) return { en: `must be ${first}`, 'zh-CN': `须为 ${first}` }
      return {
        en: `must be one of: ${[first, ...others].join(', ')}`,
        'zh-CN': `须为以下之一：${[first, ...others].join('、')}`,
      }
    }
    case 'too_big':
      return limitText('too_big', issue.origin, issue.maximum)
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1)
        return { en: 'must not be empty', 'zh-CN': '不能为空' }
      if (issue.origin === 'array' && Number(issue.minimum) === 1)
        return { en: 'must not be empty', 'zh-CN': '至少 1 项' }
      return limitText('too_small', issue.origin, issue.minimum)
    case 'invalid_union':
      return { en: 'has none of the forms that are allowed', 'zh-CN': '不符合允许的任何一种形式' }
    case 'invalid_format':
      return no_words
    default:
      return null
  }
}

function limitText(code: keyof typeof limit_texts, origin: string, limit: number | bigint): Bilingual {
  const of = origin === 'string' ? 'text' : origin === 'array' || origin === 'set' ? 'list' : 'number'
  const { en, 'zh-CN': chinese } = limit_texts[code][of]
  const fill = (text: string) => text.replace('{limit}', String(limit))
  return { en: fill(en), 'zh-CN': fill(chinese) }
}

function typeName(type: string): Bilingual {
  return type_names[type] ?? { en: type, 'zh-CN': type }
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function messageOf(said: ReturnType<(typeof otherwise)[Language]>): string | undefined {
  return typeof said === 'string' ? said : said?.message
}
