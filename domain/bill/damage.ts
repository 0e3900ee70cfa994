/** How it shows that what is kept of a bill's original is not what was fetched. Kept, and sent to programs, in English. */
export const damage_texts = {
  piece_gone: (number: number, count: number) => `its piece ${number} of ${count} is gone`,
  other_hash: (found: string, fetched: string | null) =>
    `its SHA-1 is ${found}, and was ${fetched ?? 'none'} when it was fetched`,
  not_compressed: (message: string) => `it does not decompress: ${message}`,
  known_since: (time: string) => `known since ${time}`,
}

const chinese_forms: readonly [form: RegExp, say: (...found: string[]) => string][] = [
  [/^its piece (\d+) of (\d+) is gone$/, (number, count) => `分块缺失（序号 ${number}，共 ${count} 块）`],
  [/^its SHA-1 is (\w+), and was (\w+) when it was fetched$/, (found, was) => `SHA-1 为 ${found}，下载时为 ${was}`],
  [/^it does not decompress: (.*)$/s, (message) => `无法解压（${message}）`],
  [/^known since (\S+)$/, (time) => `已于 ${time} 发现`],
]

/** A damage in Chinese; null: it is none of these, as the words of an earlier version. */
export function chineseDamage(damage: string): string | null {
  for (const [form, say] of chinese_forms) {
    const found = form.exec(damage)
    if (found !== null) return say(...found.slice(1))
  }
  return null
}
