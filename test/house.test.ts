import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const repository = new URL('..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(repository, path), 'utf8')

/** Every room but test/: a test may be as long as its stories, and names what it likes. */
const rooms = [
  ...[
    'activities',
    'api',
    'bench',
    'cli',
    'dev',
    'domain',
    'match',
    'proof',
    'runtime',
    'simulator',
    'store',
    'web',
    'wechat',
  ],
  ...['worker', 'workflows'],
]
const files = execFileSync('git', ['ls-files', ...rooms], { cwd: repository, encoding: 'utf8' }).split('\n')
const sources = files.filter((path) => /\.(ts|js|mjs)$/.test(path))

/** Types, interfaces, classes and enums that stand at the top of a file. */
function typeNames(path: string): string[] {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest)
  return source.statements.flatMap((statement) =>
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isEnumDeclaration(statement)
      ? [statement.name?.text ?? 'default']
      : [],
  )
}

describe('the rooms', () => {
  it('declare no type, interface or class twice', () => {
    const declared = new Map<string, string[]>()
    for (const path of sources.filter((one) => one.endsWith('.ts')))
      for (const name of typeNames(path)) declared.set(name, [...(declared.get(name) ?? []), path])
    expect(declared.size).toBeGreaterThan(300)
    const twice = [...declared].filter(([, paths]) => paths.length > 1)
    expect(twice.map(([name, paths]) => `${name}: ${paths.join(', ')}`)).toEqual([])
  })

  it('have no file of more than 400 lines', () => {
    const long = sources.map((path) => [path, read(path).split('\n').length - 1] as const)
    expect(long.length).toBeGreaterThan(200)
    expect(long.filter(([, lines]) => lines > 400)).toEqual([])
  })
})
