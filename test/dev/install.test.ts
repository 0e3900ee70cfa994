import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const installer = new URL('../../dev/install.js', import.meta.url).pathname
const lockOf = (version: string) => JSON.stringify({ packages: { '': {}, 'node_modules/koa': { version } } })

describe('the installer', () => {
  let folder = ''
  const at = (path: string) => join(folder, path)

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-install-'))
    mkdirSync(at('dev'))
    cpSync(installer, at('dev/install.js'))
    writeFileSync(at('package.json'), '{"type":"module"}')
    writeFileSync(at('package-lock.json'), lockOf('3.3.0'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function installed(version: string, { older }: { older: boolean }): void {
    mkdirSync(at('node_modules'))
    writeFileSync(at('node_modules/.package-lock.json'), lockOf(version))
    const time = Date.now() / 1_000 + (older ? -60 : 60)
    utimesSync(at('node_modules/.package-lock.json'), time, time)
  }

  /** Runs it with an npm that only notes what it was told. */
  function run(npm_status = 0): { status: number | null; stderr: string; told: string | null } {
    writeFileSync(
      at('npm.js'),
      `import { writeFileSync } from 'node:fs'
       writeFileSync(${JSON.stringify(at('told'))}, process.argv.slice(2).join(' '))
       if (${npm_status}) console.error('npm error code E503\\nnpm error The registry is away\\nnpm error\\nnpm error Usage:\\nnpm error npm ci')
       process.exit(${npm_status})`,
    )
    const env = { ...process.env, npm_execpath: at('npm.js') }
    const { status, stderr } = spawnSync(process.execPath, [at('dev/install.js')], { env, encoding: 'utf8' })
    return { status, stderr, told: existsSync(at('told')) ? readFileSync(at('told'), 'utf8') : null }
  }

  it('installs exactly what the lock file says when there are no packages', () => {
    const { status, told } = run()
    expect(status).toBe(0)
    expect(told).toMatch(/^ci --include=dev /)
  })

  it('does nothing when the packages are newer than the lock file', () => {
    installed('3.3.0', { older: false })
    expect(run().told).toBeNull()
  })

  it('installs when the lock file is newer and wants another version', () => {
    installed('3.2.0', { older: true })
    expect(run().told).toMatch(/^ci /)
  })

  it('does nothing when a checkout only touched the lock file', () => {
    installed('3.3.0', { older: true })
    expect(run().told).toBeNull()
  })

  it('waits for another command that installs, and then has nothing to do', async () => {
    mkdirSync(at('.weft'))
    writeFileSync(at('.weft/install.pid'), String(process.pid))
    const second = spawn(process.execPath, [at('dev/install.js')], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(second, 'exit')
    const [said] = (await once(second.stdout, 'data')) as [Buffer]
    expect(said.toString()).toContain('another command is installing')
    installed('3.3.0', { older: false })
    rmSync(at('.weft/install.pid'))
    expect(await ended).toEqual([0, null])
  })

  it('does not wait for one that was killed', () => {
    mkdirSync(at('.weft'))
    writeFileSync(at('.weft/install.pid'), '999999999')
    expect(run().told).toMatch(/^ci /)
    expect(existsSync(at('.weft/install.pid'))).toBe(false)
  })

  it('says in one line that it failed, and stops the command', () => {
    const { status, stderr } = run(1)
    expect(status).toBe(1)
    expect(stderr).toMatch(/^npm ci failed: code E503 \| The registry is away .*start again.*\n$/)
  })
})
