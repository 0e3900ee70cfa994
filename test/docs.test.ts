import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../api/http/catalogue.ts'
import { attention_texts } from '../domain/attention.ts'
import { search_attributes } from '../domain/messages.ts'
import { createMetrics } from '../runtime/metrics.ts'

const repository = new URL('..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(repository, path), 'utf8')
const tracked = execFileSync('git', ['ls-files', '-c', '-o', '--exclude-standard'], {
  cwd: repository,
  encoding: 'utf8',
})
const files = tracked.split('\n').filter((path) => path !== '' && existsSync(join(repository, path)))
const pages = files.filter((path) => path.endsWith('.md'))

/** The first cells of table rows that are code: what a table lists. */
function listed(path: string): string[] {
  const cells = read(path).matchAll(/^\| ([^|]+) \|/gm)
  return [...cells].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
}

/** The anchors of a page, as GitHub makes them of its headings, and those that it names itself. */
function anchors(path: string): string[] {
  const text = read(path).replace(/^```[\s\S]*?^```/gm, '')
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = '']) => id)]
}

describe.each(['docs/operate.md', 'docs/zh-CN/operate.md'])('%s', (path) => {
  const rows = listed(path)

  it('lists every setting that there is, and none else', () => {
    const source = read('runtime/config.ts')
    const schema = source.slice(source.indexOf('z.object({'), source.indexOf('type Environment'))
    const settings = [...schema.matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(([, name]) => name)
    expect(settings.length).toBeGreaterThan(15)
    expect(rows.filter((row) => /^(TEMPORAL|MONGODB|WEFT)_/.test(row)).sort()).toEqual(settings.sort())
  })

  it('says what to do about every attention', () => {
    expect(rows).toEqual(expect.arrayContaining(Object.keys(attention_texts)))
  })

  it('names only metrics that exist, and the search attributes', () => {
    const { registry } = createMetrics()
    const known = registry.getMetricsAsArray().map(({ name }) => name)
    const named = rows.filter((row) => row.startsWith('weft_')).map((row) => row.replace(/\{.*/, ''))
    expect(named.filter((name) => !known.includes(name))).toEqual([])
    for (const { name } of Object.values(search_attributes))
      expect(read(path)).toContain(`--name ${name} --type Keyword`)
  })
})

describe.each(['README.md', 'README.zh-CN.md'])('%s', (path) => {
  it('gives every dependency its reason, and no other', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const wanted = Object.keys(dependencies).map((name) => name.replace(/^@temporalio\/.*/, '@temporalio/*'))
    const table =
      read(path)
        .split(/^## (?:Dependencies|依赖)$/m)[1]
        ?.split(/^Development only|^仅开发使用/m)[0] ?? ''
    const rows = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)])
    expect(rows.map(([, name]) => name).sort()).toEqual([...new Set(wanted)].sort())
  })

  it('names only commands that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = [...read(path).matchAll(/npm run ([a-z]+)/g)].map(([, name = '']) => name)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

describe('test/README.md', () => {
  it('shows a journey that is run', () => {
    expect(read('test/README.md')).toContain(`\`\`\`ts\n${read('test/journeys/refund/whole.test.ts')}\`\`\`\n`)
  })
})

describe('the documents', () => {
  it('lead to files that exist', () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(repository, dirname(page), target)))
        .map((target) => `${page} → ${target}`),
    )
    expect(broken).toEqual([])
  })

  it('lead to sections that exist', () => {
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)\s#:]*)#([^)]+)\)/g)].map(([, target = '', section = '']) => ({
        page,
        target: target === '' ? page : join(dirname(page), target),
        section,
      })),
    )
    const broken = links.filter(({ target, section }) => target.endsWith('.md') && !anchors(target).includes(section))
    expect(links.length).toBeGreaterThan(80)
    expect(broken.map(({ page, target, section }) => `${page} → ${target}#${section}`)).toEqual([])
  })

  it('in Chinese lead to a page in Chinese, where there is one', () => {
    const english = pages
      .filter((page) => page.startsWith('docs/zh-CN/'))
      .flatMap((page) =>
        [...read(page).matchAll(/\[([^\]]*)\]\(\.\.\/([a-z-]+\.md)[^)]*\)/g)]
          .filter(
            ([, text = '', target = '']) => files.includes(`docs/zh-CN/${target}`) && !/^English$|英文/.test(text),
          )
          .map(([link]) => `${page}: ${link}`),
      )
    expect(english).toEqual([])
  })

  it('tell of each problem the status that it has', () => {
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/\b([45]\d\d) ((?:`[a-z_]+`(?:, |、| and | or | 和 | 或 )?)+)/g)].flatMap(
        ([, status = '', codes = '']) =>
          [...codes.matchAll(/`([a-z_]+)`/g)].map(([, code = '']) => ({ page, status: Number(status), code })),
      ),
    )
    const statuses: Record<string, { status: number } | undefined> = catalogue
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ status, code }) => statuses[code]?.status !== status)).toEqual([])
  })

  it('name only paths of the rooms that exist', () => {
    const rooms = [...new Set(files.filter((path) => /^[a-z]+\//.test(path)).map((path) => path.split('/')[0]))]
    const path_pattern = new RegExp(`(?<![\\w/.<>-])(?:${rooms.join('|')})/[a-z0-9_][\\w./-]*`, 'g')
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(path_pattern)].map(([path]) => [page, path.replace(/[.-]+$/, '')] as const),
    )
    expect(named.length).toBeGreaterThan(80)
    const is_there = (path: string) => ['', '.ts', '.js'].some((end) => existsSync(join(repository, `${path}${end}`)))
    expect(named.filter(([, path]) => !is_there(path)).map(([page, path]) => `${page}: ${path}`)).toEqual([])
  })

  it('have the sections that comments cite', () => {
    const cites = files
      .filter((path) => /\.(ts|js|sh)$/.test(path))
      .flatMap((path) => [...read(path).matchAll(/\b(architecture|api|money|wechat-pay)(?:\.md)?,? §(\d+)/g)])
      .map(([, page = '', section = '']) => `${page} §${section}`)
    const missing = [...new Set(cites)].filter((cite) => {
      const [page = '', section = ''] = cite.split(' §')
      return !new RegExp(`^## ${section}\\.? `, 'm').test(read(`docs/${page}.md`))
    })
    expect(cites.length).toBeGreaterThan(50)
    expect(missing).toEqual([])
  })
})
