import { console_outcomes } from './consolewords.ts'
import { item_names, result_names } from './item.ts'
import type { CheckLanguage, CheckOutcome, CheckVerdict } from './item.ts'
import { probe_outcomes } from './probewords.ts'
import { wechat_outcomes } from './wechatwords.ts'
import { own_outcomes } from './words.ts'

/** Every end that a look can have, by its code. */
export const outcomes = { ...own_outcomes, ...wechat_outcomes, ...probe_outcomes, ...console_outcomes }
export type OutcomeCode = keyof typeof outcomes

/** What an outcome speaks of: `{name}` of its texts. */
export type CheckValues = Readonly<Record<string, string | number>>

/** CheckLine is what one look at a merchant's set-up came to. */
export interface CheckLine {
  code: OutcomeCode
  values: CheckValues
}

export function checkLine(code: OutcomeCode, values: CheckValues = {}): CheckLine {
  return { code, values }
}

export function resultOf({ code }: CheckLine): CheckVerdict {
  return outcomes[code].result
}

/** A line as programs read it. Codes are never used for another meaning; texts may change. */
export function lineView(line: CheckLine, language: CheckLanguage) {
  const { item, result, says, remedy }: CheckOutcome = outcomes[line.code]
  return {
    ...{ type: 'check', item, code: line.code, result, values: line.values },
    says: filled(says[language], line.values),
    remedy: remedy === null ? null : filled(remedy[language], line.values),
  }
}

/** A line as people read it, with its remedy below. */
export function lineText(line: CheckLine, language: CheckLanguage): string {
  const { item, result, says, remedy } = lineView(line, language)
  const said = `${result_names[result][language]}  ${item_names[item][language]}: ${says}`
  return remedy === null ? said : `${said}\n${' '.repeat(10)}→ ${remedy}`
}

/** How many lines there are of each result. */
export function tallyOf(lines: readonly CheckLine[]): Record<CheckVerdict, number> {
  const tally = { ok: 0, failed: 0, question: 0 }
  for (const line of lines) tally[resultOf(line)] += 1
  return tally
}

function filled(text: string, values: CheckValues): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? '–'))
}
