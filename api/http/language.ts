import type { Context } from 'koa'
import { languages } from '../../domain/language.ts'
import type { Language } from '../../domain/language.ts'

export { languages } from '../../domain/language.ts'
export type { Bilingual, Language } from '../../domain/language.ts'

/** The language of whoever asks: English for those who do not say, since most of them are programs. */
export function readerLanguage(ctx: Context): Language {
  if (!ctx.get('Accept-Language')) return 'en'
  const preferred = ctx.acceptsLanguages(['en', 'zh-CN', 'zh'])
  return preferred === 'zh' ? 'zh-CN' : (languages.find((language) => language === preferred) ?? 'en')
}
