import { day_reports } from '../../v1/bills/figures.ts'
import { bill_descriptions, unit_descriptions } from './bills.ts'
import { call_descriptions } from './calls.ts'
import { checkout_descriptions } from './checkouts.ts'
import { field_descriptions } from './fields.ts'

const figures = Object.values(day_reports).flatMap((columns) => columns.map(({ words }) => words))
const figure_names: Readonly<Record<string, string>> = Object.fromEntries(
  figures.map((words) => [words.en, words['zh-CN']]),
)

const descriptions: Readonly<Record<string, string>> = {
  ...bill_descriptions,
  ...call_descriptions,
  ...checkout_descriptions,
  ...field_descriptions,
}

/** What is put together of a part that has a translation and of words that need none; the first that fits holds. */
const forms: [RegExp, (parts: string[]) => string | null][] = [
  [/^(?:(.*); )?(\S+) when absent$/, ([said = '', value = '']) => joined(said, `默认为 ${value}`)],
  [/^one or several, comma-separated, of: (.*)$/, ([values = '']) => `以下之一或多个，以逗号分隔：${values}`],
  [
    /^(.*?); (.*)$/,
    ([name = '', unit = '']) =>
      name in figure_names && unit in unit_descriptions ? `${figure_names[name]}；${unit_descriptions[unit]}` : null,
  ],
]

function joined(said: string, end: string): string | null {
  if (said === '') return end
  const chinese = chineseDescription(said)
  return chinese === null ? null : `${chinese}；${end}`
}

/** A description of the OpenAPI document in Chinese; null: there is no translation of it. */
export function chineseDescription(description: string): string | null {
  const known = Object.hasOwn(descriptions, description) ? descriptions[description] : undefined
  if (known !== undefined) return known
  for (const [form, say] of forms) {
    const [, ...parts] = form.exec(description) ?? []
    const chinese = parts.length === 0 ? null : say(parts)
    if (chinese !== null) return chinese
  }
  return null
}
