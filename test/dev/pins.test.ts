import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { seen_sums } from '../../dev/servers/cache.ts'
import { ferretdb_version } from '../../dev/servers/ferretdb.ts'
import { assertDownload, assertFiles, assertGoSum, go_sums, PinBroken, pinnedModule } from '../../dev/servers/pins.ts'

const directory = mkdtempSync(join(tmpdir(), 'weft-pins-'))
afterAll(() => rmSync(directory, { recursive: true }))
const sumOf = (text: string) => createHash('sha256').update(text).digest('hex')
const archive = join(directory, 'archive')
const file = (name: string, text: string) => writeFileSync(join(directory, name), text)

describe('a server program', () => {
  it('is run only when each of its files is the pinned one', () => {
    file('server.jar', 'genuine')
    const sums = { 'server.jar': sumOf('genuine') }
    expect(() => assertFiles(directory, sums)).not.toThrow()
    expect(() => assertFiles(directory, { ...sums, 'more.jar': sumOf('') })).toThrow(/more.jar is missing/)
    file('stranger.jar', '')
    expect(() => assertFiles(directory, sums)).toThrow(/stranger.jar .* not pinned/)
    file('server.jar', 'altered')
    expect(() => assertFiles(directory, { ...sums, 'stranger.jar': sumOf('') })).toThrow(PinBroken)
  })

  it('that is built with Go is built from the pinned module', () => {
    const module = pinnedModule(`github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v${ferretdb_version}`)
    expect(() => assertGoSum(module, JSON.stringify({ Sum: go_sums[module] }))).not.toThrow()
    expect(() => assertGoSum(module, JSON.stringify({ Sum: 'h1:another=' }))).toThrow(PinBroken)
    expect(() => assertGoSum(module, '{}')).toThrow(PinBroken)
    expect(() => pinnedModule('github.com/temporalio/cli/cmd/temporal@v9.9.9')).toThrow(/pins.ts/)
  })

  it('that is downloaded is run only when it is the pinned one', () => {
    file('archive', 'genuine')
    const [seen, pins] = [sumsInMemory(), { 'thing_1_linux.tar.gz': sumOf('genuine') }]
    expect(() => assertDownload(archive, 'thing_1_linux.tar.gz', seen, pins)).not.toThrow()
    file('archive', 'altered')
    expect(() => assertDownload(archive, 'thing_1_linux.tar.gz', seen, pins)).toThrow(/not .*its pin/)
    expect(seen.read()).toEqual({})
  })

  it('that nobody could pin is run only while it is what it was the first time', () => {
    const seen = sumsInMemory()
    file('archive', 'first')
    assertDownload(archive, 'thing_2.tgz', seen, {})
    expect(() => assertDownload(archive, 'thing_2.tgz', seen, {})).not.toThrow()
    file('archive', 'another')
    expect(() => assertDownload(archive, 'thing_2.tgz', seen, {})).toThrow(PinBroken)
    expect(() => assertDownload(archive, 'thing_3.tgz', seen, {})).not.toThrow() // another version has a sum of its own
    expect(seen.read()).toEqual({ 'thing_2.tgz': sumOf('first'), 'thing_3.tgz': sumOf('another') })
  })

  it('is known by a sum that outlives it in the cache', () => {
    vi.stubEnv('XDG_CACHE_HOME', directory)
    expect(seen_sums.read()).toEqual({})
    seen_sums.write({ 'thing_2.tgz': sumOf('first') })
    expect(seen_sums.read()).toEqual({ 'thing_2.tgz': sumOf('first') })
    writeFileSync(join(directory, 'weft/sums.json'), '{')
    expect(() => seen_sums.read()).toThrow(SyntaxError)
    vi.unstubAllEnvs()
  })
})

/** What a cache has seen, in memory. */
function sumsInMemory() {
  const kept = { sums: {} as Record<string, string> }
  return { read: () => kept.sums, write: (sums: Record<string, string>) => void (kept.sums = sums) }
}
