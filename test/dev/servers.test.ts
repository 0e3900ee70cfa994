import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import mongoose from 'mongoose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { placeInCache, withLock } from '../../dev/servers/cache.ts'
import { runToEnd } from '../../dev/servers/child.ts'
import { aptMirrors } from '../../dev/servers/debian.ts'
import { cachedFerretDb } from '../../dev/servers/ferretdb.ts'
import { goInstall } from '../../dev/servers/goprogram.ts'
import { go_sums } from '../../dev/servers/pins.ts'
import { identityOf, isRunning } from '../../dev/servers/process.ts'
import type { ProcessIdentity } from '../../dev/servers/process.ts'
import { search, withProgress } from '../../dev/servers/search.ts'
import { clearDatabase, freePort, startDatabase, startTemporal } from '../../dev/servers/servers.ts'
import { plainTemporal } from '../../runtime/config.ts'
import { until } from '../stage/until.ts'

const scratch = mkdtempSync(join(tmpdir(), 'weft-servers-'))
/** A first run of all fetches the servers. */
const first_run_ms = 600_000

afterAll(() => {
  clearDatabase(join(scratch, 'kept/database'))
  clearDatabase(join(scratch, 'orphans/database'))
  rmSync(scratch, { recursive: true, force: true })
})

describe('a database started for a run', () => {
  it('holds what it held after it was killed and started again', { timeout: first_run_ms }, async () => {
    const data_dir = join(scratch, 'kept/database')
    const there_at_release: string[][] = []
    const release = () => Promise.resolve(void there_at_release.push(readdirSync(data_dir)))
    const database = await startDatabase({ data_dir, port: { port: await freePort(), release } })
    // A port that is held stays so until FerretDB's PostgreSQL is up: another start would take it meanwhile.
    if (database.kind === 'ferretdb') expect(there_at_release.at(0)).toContain('postgres.pid')
    expect(there_at_release).toHaveLength(1)
    const count = async (): Promise<number> => {
      const connection = await mongoose.createConnection(`${database.uri}/servers_test`).asPromise()
      await connection.collection('rows').insertOne({ kept: true })
      return connection
        .collection('rows')
        .countDocuments()
        .finally(() => connection.close())
    }
    expect(await count()).toBe(1)
    for (const expected of [2, 3]) {
      database.kill()
      await database.restart()
      expect(await count()).toBe(expected)
    }
    await database.stop()
    expect(dataFilesIn(join(scratch, 'kept/database'))).not.toEqual([])
    if (database.kind === 'mongodb') return
    // An earlier version kept the cluster in the cache, under a name that a marker in the directory gives.
    const name = randomBytes(8).toString('hex')
    const cached = join(cachedFerretDb()?.root ?? '', 'var/lib/postgresql/weft', name)
    mkdirSync(cached, { recursive: true })
    renameSync(join(scratch, 'kept/database/postgres/var/lib/postgresql/data'), join(scratch, 'moved'))
    await runToEnd('mv', [join(scratch, 'moved'), join(cached, 'data')], { log: join(scratch, 'mv.log') })
    writeFileSync(join(scratch, 'kept/database/postgres.cluster'), name)
    await database.restart()
    expect(await count()).toBe(4)
    expect(existsSync(cached)).toBe(false)
    await database.stop()
  })

  /** What PostgreSQL or mongod writes into the place where its data is. */
  function dataFilesIn(directory: string): string[] {
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    return files.filter((file) => /(^|\/)(PG_VERSION|WiredTiger)$/.test(file))
  }
})

describe('a Temporal server started for a run', () => {
  it('holds its workflows and its ports after it was killed and started again', { timeout: first_run_ms }, async () => {
    const temporal = await startTemporal({
      data_dir: join(scratch, 'kept/temporal'),
      namespaces: ['second'],
      search_attributes: { WeftState: 'Keyword' },
    })
    const connection = await Connection.connect({ address: temporal.address })
    const client = new Client({ connection, namespace: 'second' })
    const started = { taskQueue: 'nobody', workflowId: 'kept', searchAttributes: { WeftState: ['created'] } }
    await client.workflow.start('anything', started)
    const { pid } = temporal
    temporal.kill()
    await temporal.restart()
    expect(temporal.pid).not.toBe(pid)
    const kept = await client.workflow.getHandle('kept').describe()
    expect(kept.status.name).toBe('RUNNING')
    expect(kept.searchAttributes['WeftState']).toEqual(['created'])
    await connection.close()
    await temporal.stop()
  })

  it('is the configured one where there is one, and then is not ours to stop', { timeout: first_run_ms }, async () => {
    const own = await startTemporal({ data_dir: null, search_attributes: {} })
    const configured = await startTemporal({
      data_dir: null,
      search_attributes: {},
      configured: plainTemporal(own.address),
    })
    expect(configured.found.how).toBe('configured')
    await configured.stop()
    expect(() => configured.kill()).toThrow(/configured/)
    const connection = await Connection.connect({ address: own.address })
    await connection.close()
    await own.stop()
  })
})

describe('a parent that is killed', () => {
  it('leaves no server behind', { timeout: first_run_ms }, async () => {
    const data = join(scratch, 'orphans')
    mkdirSync(data)
    const servers = new URL('../../dev/servers/servers.ts', import.meta.url).href
    writeFileSync(
      join(data, 'parent.mjs'),
      `import { startDatabase, startTemporal } from '${servers}'
       await startDatabase({ data_dir: '${data}/database' })
       await startTemporal({ data_dir: '${data}/temporal', search_attributes: {} })
       console.log('ready')
       setInterval(() => undefined, 1000)`,
    )
    const args = ['--import', import.meta.resolve('tsx'), join(data, 'parent.mjs')]
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => parent.stdout.once('data', resolve))
    const noted = ['database', 'temporal'].flatMap((kind) =>
      readdirSync(join(data, kind))
        .filter((name) => name.endsWith('.pid'))
        .flatMap((name) => {
          const pids = JSON.parse(readFileSync(join(data, kind, name), 'utf8')) as Record<string, ProcessIdentity>
          return [pids['supervisor'], pids['child']].filter((pid) => pid !== undefined)
        }),
    )
    expect(noted.length).toBeGreaterThanOrEqual(4)
    expect(noted.every(isRunning)).toBe(true)
    parent.kill('SIGKILL')
    await until('no server is left', () => !noted.some(isRunning))
  })

  it('leaves no child of a test behind, nor what that has started', async () => {
    const guard = new URL('../stage/guard.ts', import.meta.url).href
    const file = join(scratch, 'parent.mjs')
    writeFileSync(
      file,
      `import { spawn } from 'node:child_process'
       import { endWithThisProcess } from '${guard}'
       const child = spawn('sh', ['-c', 'sleep 600 & echo $!; wait'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
       endWithThisProcess(child, { whole_group: true })
       child.stdout.once('data', (started) => console.log(child.pid + ' ' + started))`,
    )
    const args = ['--import', import.meta.resolve('tsx'), file]
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const said = await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve))
    const family = said
      .toString()
      .trim()
      .split(/\s+/)
      .map((pid) => identityOf(Number(pid)))
    expect(family.map((one) => one !== null && isRunning(one))).toEqual([true, true])
    parent.kill('SIGKILL')
    await until('both are gone', () => !family.some((one) => one !== null && isRunning(one)))
  })
})

describe('the search for a server', () => {
  it('takes what is here before it fetches, and the first fetch that succeeds', async () => {
    const tried: string[] = []
    const way = (how: string, found: string | null) => ({
      how,
      find: async () => {
        tried.push(how)
        return found
      },
    })
    const failing = { how: 'official', find: async () => Promise.reject(new Error('does not answer')) }
    const said: string[] = []
    const fetches = [failing, way('registry', '/there'), way('never', '/nowhere')]
    const fetched = await search({ name: 'Thing', here: [way('path', null)], fetches }, (line) => said.push(line))
    expect(fetched).toEqual({ where: '/there', how: 'registry' })
    expect(said).toEqual(['Thing: does not answer'])
    expect(tried).not.toContain('never')
    const here = await search({ name: 'Thing', here: [way('path', '/here')], fetches: [way('never', '')] })
    expect(here.how).toBe('path')
  })

  it('names a missing tool and its remedy in one line', async () => {
    vi.stubEnv('PATH', scratch)
    await expect(goInstall('example.invalid/x@v1', scratch, 'install Go', () => undefined)).rejects.toThrow(
      'go is missing: install Go',
    )
  })

  it('refuses a name in the environment that leads nowhere', async () => {
    vi.stubEnv('TEMPORAL_CLI_PATH', join(scratch, 'no-such-file'))
    await expect(startTemporal({ data_dir: null, search_attributes: {} })).rejects.toThrow(
      /^TEMPORAL_CLI_PATH names .*no-such-file/,
    )
  })

  afterEach(() => vi.unstubAllEnvs())
})

describe('the cache of fetched servers', () => {
  beforeEach(() => vi.stubEnv('XDG_CACHE_HOME', mkdtempSync(join(scratch, 'cache-'))))
  afterEach(() => vi.unstubAllEnvs())

  const cache = (): string => join(process.env['XDG_CACHE_HOME'] ?? '', 'weft')
  const waiting = (): void => undefined

  it('holds nothing of a fetch that failed half-way', async () => {
    const half = placeInCache('thing-1', async (into) => {
      writeFileSync(join(into, 'half'), '')
      throw new Error('line cut')
    })
    await expect(half).rejects.toThrow('line cut')
    expect(existsSync(join(cache(), 'thing-1'))).toBe(false)
    expect(readdirSync(join(cache(), 'partial'))).toEqual([])
  })

  it('clears what a fetch that was killed left, and places the whole', async () => {
    mkdirSync(join(cache(), 'partial/thing-1~999-dead'), { recursive: true })
    const path = await placeInCache('thing-1', async (into) => writeFileSync(join(into, 'whole'), ''))
    expect(readdirSync(path)).toEqual(['whole'])
    expect(readdirSync(join(cache(), 'partial'))).toEqual([])
  })

  it('lets one fetch at a time', async () => {
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      await sleep(5)
      inside -= 1
    }
    await Promise.all([1, 2, 3].map(() => withLock('thing', waiting, work)))
    expect(most).toBe(1)
  })

  it('lets the second of two searches at once wait, and find what the first has fetched', async () => {
    let fetched: string | null = null
    let letOn = waiting
    const second_waits = new Promise<void>((resolve) => (letOn = resolve))
    const fetch = async (): Promise<string> => {
      await second_waits
      return (fetched = '/there')
    }
    const wanted = {
      name: 'Thing',
      here: [{ how: 'in the cache', find: async () => fetched }],
      fetches: [{ how: 'registry', find: fetch }],
    }
    const said: string[] = []
    const progress = (line: string): void => {
      said.push(line)
      letOn()
    }
    const found = await Promise.all([search(wanted, progress), search(wanted, progress)])
    expect(found.map(({ how }) => how)).toEqual(['registry', 'in the cache'])
    expect(said).toEqual(['Thing: another process is fetching it, waiting for that one'])
  })

  it.each([
    ['whose owner has ended', `${hostname()},${process.pid},another%20start`, 0],
    ['of another machine that fell silent', 'elsewhere,1,7', 120_000],
    ['that names its owner otherwise and fell silent', 'owner.json', 120_000],
  ])('takes over a lock %s', async (_case, owner, silent_ms) => {
    const lock = locked(owner, silent_ms)
    const held = await withLock('thing', waiting, async () => readdirSync(lock))
    expect(held).toEqual([`${hostname()},${process.pid},${identityOf(process.pid)?.started}`])
    expect(existsSync(lock)).toBe(false)
  })

  it.each([
    ['whose owner runs', `${hostname()},${process.pid},${identityOf(process.pid)?.started}`, 120_000],
    ['of another machine that was heard of just now', 'elsewhere,1,7', 0],
  ])('waits for a lock %s', async (_case, owner, silent_ms) => {
    const lock = locked(owner, silent_ms)
    const waited: boolean[] = []
    const done = withLock(
      'thing',
      () => {
        waited.push(existsSync(join(lock, owner)))
        rmSync(lock, { recursive: true })
      },
      async () => 'done',
    )
    expect(await done).toBe('done')
    expect(waited).toEqual([true])
  })

  function locked(owner: string, silent_ms: number): string {
    const lock = join(cache(), 'locks/thing.lock')
    mkdirSync(lock, { recursive: true })
    writeFileSync(join(lock, owner), '')
    const since = new Date(Date.now() - silent_ms)
    utimesSync(lock, since, since)
    return lock
  }
})

describe('a Go program that is built', () => {
  beforeEach(() => vi.stubEnv('XDG_CACHE_HOME', mkdtempSync(join(scratch, 'cache-'))))
  afterEach(() => vi.unstubAllEnvs())

  /** Puts a `go` on the PATH that does nothing but write what the real one does, and in between waits to be let on. */
  function playGo(): { letOn: (step: string) => void; into: string } {
    const bin = mkdtempSync(join(scratch, 'go-'))
    writeFileSync(
      join(bin, 'go'),
      `#!/bin/sh
       until_let_on() { while [ ! -e "${bin}/$1" ]; do sleep 0.02; done; }
       case "$2" in
         download) echo '{"Sum":"${go_sums['github.com/temporalio/cli@v1.5.1']}"}' ;;
         -n)
           echo 'go: downloading example.invalid/one v1.0.0'
           echo 'go: downloading example.invalid/two/v2 v2.1.0'
           until_let_on downloaded
           for number in 001 002 1203; do echo "mkdir -p \\$WORK/b$number/"; echo "cd /x"; done ;;
         -v)
           echo internal/cpu
           echo example.invalid/two/v2/some-c++
           until_let_on compiled
           echo "$4" > "$GOBIN/program" ;;
       esac`,
      { mode: 0o755 },
    )
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`)
    return { letOn: (step) => writeFileSync(join(bin, step), ''), into: join(bin, 'made') }
  }

  it('says what it downloads and compiles, and how far it is', async () => {
    const { letOn, into } = playGo()
    const program = 'github.com/temporalio/cli/cmd/temporal@v1.5.1' // one that is pinned
    const said: string[] = []
    const progress = (line: string): void => void said.push(line)
    const built = withProgress(
      progress,
      'Thing: building, about 3 min, first start only',
      (tell) => goInstall(program, into, 'install Go', tell),
      20,
    )
    const saying =
      (words: string): (() => boolean) =>
      () =>
        said.some((line) => line.includes(words))
    await until('it downloads', saying('Thing: downloading example.invalid/two/v2 (2 modules so far), '))
    letOn('downloaded')
    await until('it compiles', saying('Thing: compiling example.invalid/two/v2/some-c++ (2 of 3 packages), '))
    letOn('compiled')
    await built
    expect(said[0]).toBe('Thing: building, about 3 min, first start only')
    expect(said.join('\n')).toContain('Thing: downloading example.invalid/two/v2 (2 modules so far), ')
    expect(said.at(-1)).toMatch(
      /^Thing: compiling example.invalid\/two\/v2\/some-c\+\+ \(2 of 3 packages\), \d+ s so far$/,
    )
    expect(readFileSync(join(into, 'program'), 'utf8')).toBe(`${program}\n`)
  })
})

describe('a configured server that is not there', () => {
  it('is named with its setting and what to do', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const uri = `mongodb://weft:secret@${address}/?directConnection=true`
    const wanted = { data_dir: join(scratch, 'none'), uri }
    const configured = plainTemporal(address)
    const both = [startDatabase(wanted), startTemporal({ data_dir: null, search_attributes: {}, configured })]
    const [database, temporal] = await Promise.allSettled(both)
    expect(database).toMatchObject({ reason: { name: 'NotFoundHere' } })
    expect(String(database?.status === 'rejected' && database.reason)).toBe(
      `NotFoundHere: the database at ${address}, which MONGODB_URI names, did not answer: connect ECONNREFUSED ${address}; ` +
        'start it, correct MONGODB_URI, or leave it out and one is brought along',
    )
    expect(String(temporal?.status === 'rejected' && temporal.reason)).toMatch(
      `NotFoundHere: the Temporal server at ${address}, which TEMPORAL_ADDRESS names, did not answer without TLS: `,
    )
  })
})

describe("the machine's apt mirrors", () => {
  const etc = join(scratch, 'apt')
  beforeAll(() => {
    mkdirSync(join(etc, 'sources.list.d'), { recursive: true })
    writeFileSync(
      join(etc, 'sources.list'),
      '# deb http://commented/ x main\ndeb [arch=amd64 signed-by=/k] http://one/debian/ x main\ndeb-src http://src x main\n',
    )
    writeFileSync(
      join(etc, 'sources.list.d/a.sources'),
      'Types: deb deb-src\n# URIs: http://commented\nURIs: http://two/debian\n http://three/debian\nSuites: x\n\n' +
        'Types: deb\nEnabled: no\nURIs: http://disabled\n\n' +
        `Types: deb\nURIs: mirror+file://${etc}/mirrors\nSuites: x\n`,
    )
    writeFileSync(join(etc, 'sources.list.d/b.sources.disabled'), 'Types: deb\nURIs: http://other\n')
    writeFileSync(join(etc, 'mirrors'), 'http://four/debian\tpriority:1\n')
  })

  it('are read from both notations, without the disabled ones', () => {
    expect(aptMirrors(etc)).toEqual([
      'http://one/debian',
      'http://two/debian',
      'http://three/debian',
      'http://four/debian',
    ])
  })
})

describe('a free port', () => {
  it('is the preferred one, and another when that is taken', async () => {
    const preferred = await freePort()
    expect(await freePort(preferred)).toBe(preferred)
    const taken = createServer().listen(preferred, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    expect(await freePort(preferred)).not.toBe(preferred)
    taken.close()
  })
})
