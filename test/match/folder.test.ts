import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { left_ms, makeFolder, quiet_ms, removeLeftFolders, thisProcess } from '../../match/folder.ts'

describe('a folder of a comparison', () => {
  let root: string
  const now_ms = Date.now()
  const self = thisProcess()
  const alive = 4_242
  const isAlive = (pid: number) => pid === alive
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'weft-folder-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  /** A folder with a file in it, both last written to so long ago. */
  function made(name: string, ago_ms: number, file_ago_ms = ago_ms): string {
    const path = join(root, name)
    mkdirSync(path)
    writeFileSync(join(path, 'id-0'), 'lines')
    const at = (ago: number) => new Date(now_ms - ago)
    utimesSync(join(path, 'id-0'), at(file_ago_ms), at(file_ago_ms))
    utimesSync(path, at(ago_ms), at(ago_ms))
    return name
  }
  const remove = async () => await removeLeftFolders(root, { now_ms, self, isAlive })
  const of = (pid: number, begun_ms = self.begun_ms, host = self.host) => `match-${host}-${pid}-${begun_ms}-aB3dEf`

  it.each([
    ['whose process is gone', of(4_243), quiet_ms + 1],
    ['of a process before this one, with its number', of(self.pid, self.begun_ms - 1), quiet_ms + 1],
    ['of another machine, a day old', of(alive, 1, 'elsewhere'), left_ms + 1],
    ['whose process has a number that another has by now, a day old', of(alive), left_ms + 1],
    ['of an earlier version, a day old', 'match-aB3dEf', left_ms + 1],
  ])('%s is removed', async (_, name, ago_ms) => {
    made(name, ago_ms)
    expect(await remove()).toBe(1)
    expect(readdirSync(root)).toEqual([])
  })

  it.each([
    ['of this process, however old', of(self.pid), 2 * left_ms],
    ['whose process lives', of(alive), left_ms - 1],
    ['whose process is gone here, and that is still written to', of(4_243), quiet_ms - 1],
    ['of another machine', of(4_243, 1, 'elsewhere'), left_ms - 1],
    ['of an earlier version', 'match-aB3dEf', left_ms - 1],
    ['of somebody else', 'bills', 2 * left_ms],
  ])('%s stays', async (_, name, ago_ms) => {
    made(name, ago_ms)
    expect(await remove()).toBe(0)
    expect(existsSync(join(root, name, 'id-0'))).toBe(true)
  })

  it('in which a file is written to stays, however old the folder', async () => {
    made(of(4_243), 2 * left_ms, 1_000)
    expect(await remove()).toBe(0)
  })

  it('is named for the process that makes it, and nothing is removed where there is no root', async () => {
    const path = await makeFolder(join(root, 'new'))
    expect(path.startsWith(join(root, 'new', `match-${self.host}-${self.pid}-${self.begun_ms}-`))).toBe(true)
    expect(await removeLeftFolders(join(root, 'new'), { now_ms: now_ms + 2 * left_ms })).toBe(0)
    expect(await removeLeftFolders(join(root, 'nowhere'), { now_ms })).toBe(0)
  })
})
