import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ferretdb_version } from '../../dev/servers/ferretdb.ts'
import { assertFiles, assertGoSum, go_sums, PinBroken, pinnedModule } from '../../dev/servers/pins.ts'

const directory = mkdtempSync(join(tmpdir(), 'weft-pins-'))
afterAll(() => rmSync(directory, { recursive: true }))
const sumOf = (text: string) => createHash('sha256').update(text).digest('hex')
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
})
