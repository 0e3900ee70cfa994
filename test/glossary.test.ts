import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const repository = new URL('..', import.meta.url).pathname
const glossary = 'docs/zh-CN/glossary.md'
const read = (path: string) => readFileSync(join(repository, path), 'utf8')

/** The rows of the glossary: a term, its one translation, and what is not said any more. */
const rows = [...read(glossary).matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  .map(([, english = '', chinese = '', others = '']) => ({ english, chinese, others: others.split('、') }))
  .filter(({ english }) => english !== 'English' && !/^-+$/.test(english))

/** Everything in Chinese that people read: documents, and the texts of the rooms. */
const shown = [
  'README.zh-CN.md',
  'docs/zh-CN/*.md',
  'api/*.ts',
  'domain/*.ts',
  'simulator/*.ts',
  'dev/*.ts',
  'workflows/*.ts',
  'cli/*.ts',
]
const paths = execFileSync('git', ['ls-files', ...shown], { cwd: repository, encoding: 'utf8' })
const texts = paths
  .split('\n')
  .filter((path) => path !== '' && path !== glossary)
  .map((path) => ({ path, text: read(path) }))
  .filter(({ text }) => /[\u4e00-\u9fff]/.test(text))

describe('the Chinese texts', () => {
  it('are all looked at', () => {
    expect(texts.length).toBeGreaterThan(12)
    expect(rows.length).toBeGreaterThan(12)
  })

  it.each(rows)('say “$english” as $chinese and in no other way', ({ chinese, others }) => {
    const elsewhere = texts.flatMap(({ path, text }) =>
      others.filter((other) => text.replaceAll(chinese, '').includes(other)).map((other) => `${path}: ${other}`),
    )
    expect(elsewhere).toEqual([])
  })
})
