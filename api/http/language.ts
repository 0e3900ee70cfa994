import type { Context } from 'koa'

/** The languages of everything a person reads here. */
export const languages = ['zh-CN', 'en'] as const
export type Language = (typeof languages)[number]

/** One sentence in each language that people read here. */
export type Bilingual = Record<Language, string>

/** The language of whoever asks: English for those who do not say, since most of them are programs. */
export function readerLanguage(ctx: Context): Language {
  if (!ctx.get('Accept-Language')) return 'en'
  const preferred = ctx.acceptsLanguages(['en', 'zh-CN', 'zh'])
  return preferred === 'zh' ? 'zh-CN' : (languages.find((language) => language === preferred) ?? 'en')
}
