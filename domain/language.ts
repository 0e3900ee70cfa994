/** The languages of everything a person reads here. */
export const languages = ['zh-CN', 'en'] as const
export type Language = (typeof languages)[number]

/** One sentence in each language that people read here. */
export type Bilingual = Readonly<Record<Language, string>>
