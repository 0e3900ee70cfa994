import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identityOf, isRunning } from '../../dev/servers/process.ts'
import type { ProcessIdentity } from '../../dev/servers/process.ts'
import { clearDatabase } from '../../dev/servers/servers.ts'
import { openBrowser } from '../stage/browser.ts'
import { endWithThisProcess } from '../stage/guard.ts'
import { until } from '../stage/until.ts'

const repository = new URL('../..', import.meta.url).pathname
/** Fetching the servers on a machine that has none takes minutes. */
const first_run_ms = 600_000
/** Weft asks WeChat after 3 s instead of 30. */
const time_scale = 10

/** What a clone would hold: the files that git knows, changed or not; the packages are the ones there are. */
function clone(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-clone-'))
  const listed = execFileSync('git', ['ls-files', '-z', '-c', '-o', '--exclude-standard'], { cwd: repository })
  for (const path of listed.toString().split('\0')) {
    if (path === '' || path.startsWith('test/') || !existsSync(join(repository, path))) continue
    cpSync(join(repository, path), join(folder, path), { recursive: true })
  }
  // One link per package: should anything here install or remove packages, it would not be the repository's.
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

/** `npm start` as a person's terminal runs it: npm leads the foreground group that Ctrl-C goes to. */
class Start {
  readonly #process: ChildProcess
  output = ''
  status: number | null | undefined

  constructor(
    folder: string,
    { args = [], environment = {} }: { args?: string[]; environment?: NodeJS.ProcessEnv } = {},
  ) {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|VITEST|NODE_ENV|TEMPORAL_|MONGODB_|WEFT_)/.test(name),
    )
    this.#process = spawn('npm', ['start', ...(args.length > 0 ? ['--', ...args] : [])], {
      cwd: folder,
      env: { ...Object.fromEntries(own), WEFT_TIME_SCALE: String(time_scale), ...environment },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    endWithThisProcess(this.#process, { whole_group: true })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.output += bytes.toString()))
    }
    this.#process.once('exit', (status) => (this.status = status))
  }

  async says(pattern: RegExp, within_ms = first_run_ms): Promise<RegExpMatchArray> {
    return until(
      `npm start says ${pattern.source}`,
      () => {
        const found = pattern.exec(this.output)
        if (found === null && this.status !== undefined) throw new Error(`ended with ${this.status}: ${this.output}`)
        return found
      },
      { within_ms },
    )
  }

  async ended(): Promise<number | null> {
    await until('npm start ended', () => this.status !== undefined)
    return this.status ?? null
  }

  pressCtrlC(): void {
    process.kill(-(this.#process.pid ?? 0), 'SIGINT')
  }

  /** SIGKILL to npm alone: what it started has to find out. */
  killNpm(): void {
    this.#process.kill('SIGKILL')
  }

  /** SIGKILL to npm and to Weft: nobody is left to tidy up. */
  killBoth(): void {
    process.kill(-(this.#process.pid ?? 0), 'SIGKILL')
  }

  /** The process that is Weft, and all that it and npm have started. */
  family(): ProcessIdentity[] {
    const parents = new Map(
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(Number(name))]),
    )
    const found = [this.#process.pid ?? 0]
    for (const above of found) for (const [pid, parent] of parents) if (parent === above) found.push(pid)
    return found.map(identityOf).filter((identity) => identity !== null)
  }
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}

const allGone = (family: ProcessIdentity[]) =>
  until('all of it is gone', () => family.every((member) => !isRunning(member)))

const folder = clone()
const browser = await openBrowser()
/** The one that runs now; a later test ends it and begins another. */
const run = { start: new Start(folder) }

beforeAll(() => run.start.says(/Ctrl-C stops everything/), first_run_ms)

afterAll(async () => {
  await browser.close()
  if (run.start.status === undefined) run.start.pressCtrlC()
  await run.start.ended()
  clearDatabase(join(folder, '.weft/database'))
  rmSync(folder, { recursive: true, force: true })
})

function demo(): Record<string, string> {
  const lines = readFileSync(join(folder, '.weft/demo.env'), 'utf8').trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

async function inBrowser(story: (page: Page) => Promise<void>): Promise<void> {
  const visit = await browser.newContext({ locale: 'en-GB', viewport: { width: 1_280, height: 900 } })
  await story(await visit.newPage()).finally(() => visit.close())
}

/** Buys the first tea; answers its number, with the checkout page open. */
async function buy(page: Page): Promise<string> {
  await page.goto(`${demo().WEFT_SHOP_URL}/`)
  await page.getByRole('button', { name: 'Buy' }).first().click()
  await page.getByRole('heading', { name: 'Waiting for your payment' }).waitFor()
  await page.evaluate('window.is_same_page = true')
  return (await page.locator('#number').textContent()) ?? ''
}

/** Scans the code with the simulated phone and presses the button of a story there. */
async function onPhone(page: Page, button: string | RegExp): Promise<void> {
  const [phone] = await Promise.all([page.context().waitForEvent('page'), page.locator('#test-phone').click()])
  await phone.getByRole('button', { name: button }).click()
  await phone.locator('main[data-screen=paid]').waitFor()
}

async function turnsFulfilled(page: Page): Promise<void> {
  await page.getByText('The shop has confirmed your order').waitFor()
  expect(await page.evaluate('window.is_same_page')).toBe(true)
}

async function orderSeenByApi(out_trade_no: string): Promise<Record<string, unknown>> {
  const { WEFT_URL, WEFT_KEY } = demo()
  const answer = await fetch(`${WEFT_URL}/v1/orders/${out_trade_no}`, {
    headers: { authorization: `Bearer ${WEFT_KEY}` },
  })
  return (await answer.json()) as Record<string, unknown>
}

describe('npm start on a fresh clone', () => {
  it('ends its start with the banner', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }
    expect(run.start.output).toContain(`Weft ${version}   WeChat Pay orders that cannot get lost`)
    expect(run.start.output).toMatch(/^ {2}Temporal {4}\d+\.\d+\.\d+ +ready +\d+(\.\d)? s {3}\S/m)
    expect(run.start.output).toMatch(/^ {2}MongoDB {5}\d+\.\d+\.\d+ +ready +\d+(\.\d)? s {3}\S/m)
    expect(run.start.output).toMatch(/^ {2}WeChat Pay {2}simulator ready {8}no real money moves$/m)
    expect(run.start.output).toMatch(/^ {2}api, worker {9}ready +\d+(\.\d)? s$/m)
    expect(run.start.output).toContain(`  Buy      ${demo().WEFT_SHOP_URL} `)
    expect(run.start.output).not.toMatch(/warning|deprecat|\bat \S+ \(/i)
  })

  it('says in .weft/demo.env where everything is', () => {
    expect(demo()).toEqual({
      WEFT_URL: expect.stringMatching(/^http:\/\/localhost:\d+$/) as string,
      WEFT_KEY: expect.stringMatching(/^weft_test_\S{43,}$/) as string,
      WEFT_MCHID: '1900000001',
      WEFT_SIMULATOR_URL: expect.stringMatching(/^http:\/\/localhost:\d+$/) as string,
      WEFT_SHOP_URL: expect.stringMatching(/^http:\/\/localhost:\d+$/) as string,
      WEFT_TEMPORAL_ADDRESS: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      WEFT_TEMPORAL_UI_URL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      MONGODB_URI: expect.stringMatching(/^mongodb:\/\/127\.0\.0\.1:\d+$/) as string,
    })
  })

  it('refuses a second start over the same data, in one line', async () => {
    const second = new Start(folder)
    expect(await second.ended()).not.toBe(0)
    expect(second.output).toMatch(
      /^Weft does not start: Weft runs already over \S+ \(process \d+\); end that one first$/m,
    )
    expect(existsSync(join(folder, '.weft/demo.env'))).toBe(true)
  })
})

describe('an order bought on the shop’s page', () => {
  it('turns to fulfilled on the checkout page when it is paid on the phone, without a reload', () =>
    inBrowser(async (page) => {
      const number = await buy(page)
      await onPhone(page, /^Pay$/)
      await turnsFulfilled(page)
      expect(await orderSeenByApi(number)).toMatchObject({ state: 'fulfilled' })
      await page.goto(`${demo().WEFT_SHOP_URL}/`)
      await page.locator(`tr[data-order="${number}"]`).getByText('shipped').first().waitFor()
    }))

  it('turns to fulfilled all the same when the notification is lost', () =>
    inBrowser(async (page) => {
      const number = await buy(page)
      await onPhone(page, /lose the notification/)
      await turnsFulfilled(page)
      expect(await orderSeenByApi(number)).toMatchObject({ state: 'fulfilled', found_by: 'query' })
    }))
})

describe('Temporal UI', () => {
  it('explains a waiting order to someone who has never seen the code', () =>
    inBrowser(async (page) => {
      const number = await buy(page)
      const workflow = encodeURIComponent(`order/${demo().WEFT_MCHID}/${number}`)
      await page.goto(`${demo().WEFT_TEMPORAL_UI_URL}/namespaces/default/workflows/${workflow}`)
      await page.getByText('Place the order at WeChat').first().waitFor()
      await page
        .getByText(/Until WeChat is asked|Ask WeChat/)
        .first()
        .waitFor()
      await page.getByRole('tab', { name: 'User Metadata' }).click()
      // The UI shows texts of workflows in frames of their own.
      const shown = async (text: string | RegExp): Promise<void> => {
        const somewhere = page.frames().map((frame) => frame.getByText(text).first())
        const seen = await Promise.all(somewhere.map((place) => place.isVisible().catch(() => false)))
        if (!seen.includes(true)) throw new Error(`${String(text)} is not shown`)
      }
      await until('the order is explained', async () => {
        await shown(`Order ${number} of merchant ${demo().WEFT_MCHID}`)
        await shown('Waiting for the payer. A notification ends the wait; without one Weft asks WeChat by plan.')
        await shown('¥128.00')
        await shown(/Next: WeChat is asked .* after placing, then every/)
        return true
      })
    }))
})

describe('the end of npm start', () => {
  let waiting = ''

  it('by Ctrl-C leaves no process and takes demo.env away', async () => {
    await inBrowser(async (page) => void (waiting = await buy(page)))
    const family = run.start.family()
    expect(family.length).toBeGreaterThan(4)
    run.start.pressCtrlC()
    expect(await run.start.ended()).toBe(0)
    await allGone(family)
    expect(existsSync(join(folder, '.weft/demo.env'))).toBe(false)
  })

  it('loses nothing: the next start goes on with the order that waited', async () => {
    run.start = new Start(folder)
    await run.start.says(/Ctrl-C stops everything/)
    expect(await orderSeenByApi(waiting)).toMatchObject({ state: 'awaiting_payment' })
    const { WEFT_SIMULATOR_URL, WEFT_MCHID: mchid } = demo()
    const body = JSON.stringify({ mchid, out_trade_no: waiting, story: 'pay' })
    await fetch(`${WEFT_SIMULATOR_URL}/control/pay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    await until('the order is fulfilled', async () => (await orderSeenByApi(waiting)).state === 'fulfilled')
  })

  it('by SIGKILL of Weft itself leaves nothing behind, and the next start can be a fresh one', async () => {
    const family = run.start.family()
    run.start.killBoth()
    await allGone(family)
    await until('demo.env is gone', () => !existsSync(join(folder, '.weft/demo.env')))
    run.start = new Start(folder, { args: ['--fresh'] })
    await run.start.says(/Ctrl-C stops everything/)
    expect(await orderSeenByApi(waiting)).toMatchObject({ status: 404 })
  })

  it('by SIGKILL of npm leaves no process either', async () => {
    const family = run.start.family()
    run.start.killNpm()
    await run.start.ended()
    await allGone(family)
    expect(existsSync(join(folder, '.weft/demo.env'))).toBe(false)
  })

  it('by a mistake in the settings is one line with its remedy', async () => {
    const mistaken = new Start(folder, { environment: { WEFT_TIME_SCALE: '0' } })
    expect(await mistaken.ended()).not.toBe(0)
    expect(mistaken.output).toMatch(/^Weft \S+ ?\S*: WEFT_TIME_SCALE would slow time down; write 1 or more$/m)
    expect(mistaken.output).not.toMatch(/^\s+at /m)
  })

  it('by a configured server that is not there names the setting and the address', async () => {
    const absent = new Start(folder, { environment: { MONGODB_URI: 'mongodb://127.0.0.1:1/?directConnection=true' } })
    expect(await absent.ended()).not.toBe(0)
    expect(absent.output).toMatch(
      /^Weft stops: the database at 127\.0\.0\.1:1, which MONGODB_URI names, did not answer: .*; start it, correct MONGODB_URI/m,
    )
    expect(absent.output).not.toMatch(/--fresh|initial connection/)
  })
})
