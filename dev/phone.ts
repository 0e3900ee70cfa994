/**
 * `npm run phone -- <link> [wechat|browser]` opens a payment link as a phone does, in a window of its own. A page can
 * give another page no User-Agent and no WeixinJSBridge, so the demo does not pretend: this is a real Chromium that is
 * told to be a phone, and Weft is served to it as to any other.
 */
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { PhoneBrowser } from '../simulator/phone.ts'
import { findChromium, findHeadlessChromium } from './servers/chromium.ts'

type WindowKind = Parameters<PhoneBrowser>[1]

const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'
const agents: Record<WindowKind, string> = {
  wechat: `${iphone} Mobile/15E148 MicroMessenger/8.0.54(0x18003631) NetType/WIFI Language/zh_CN`,
  browser: `${iphone} Version/18.1 Mobile/15E148 Safari/604.1`,
}

/** PhoneWindows opens links in windows that are a phone's WeChat or its browser; each keeps its cookies until the end. */
export class PhoneWindows {
  readonly #simulator_url: string
  readonly #headless: boolean
  #browser: Promise<Browser> | null = null
  readonly #contexts = new Map<WindowKind, Promise<BrowserContext>>()

  constructor({ simulator_url, headless = false }: { simulator_url: string; headless?: boolean }) {
    this.#simulator_url = simulator_url
    this.#headless = headless
  }

  /** Opens a link. Rejects where there is no Chromium, or no screen to show it on. */
  async open(link: string, kind: WindowKind): Promise<Page> {
    const context = await this.#context(kind)
    const page = await context.newPage()
    await page.goto(link)
    return page
  }

  async close(): Promise<void> {
    const browser = await this.#browser?.catch(() => null)
    await browser?.close()
  }

  /** Resolves when the person has closed the last window. */
  async closed(): Promise<void> {
    const browser = await this.#browser
    if (browser?.isConnected()) await new Promise<void>((resolve) => browser.once('disconnected', () => resolve()))
  }

  async #context(kind: WindowKind): Promise<BrowserContext> {
    const known = this.#contexts.get(kind)
    if (known !== undefined) return known
    const made = this.#launched().then((browser) => this.#newContext(browser, kind))
    this.#contexts.set(kind, made)
    made.catch(() => this.#contexts.delete(kind))
    return made
  }

  async #newContext(browser: Browser, kind: WindowKind): Promise<BrowserContext> {
    const context = await browser.newContext({
      userAgent: agents[kind],
      locale: 'zh-CN',
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    })
    if (kind === 'wechat') {
      const bridge = await fetch(`${this.#simulator_url}/phone/bridge.js`)
      await context.addInitScript({ content: await bridge.text() })
    }
    return context
  }

  /** The one Chromium of all windows; a new one once the person has closed it. */
  #launched(): Promise<Browser> {
    this.#browser ??= this.#launch()
    return this.#browser
  }

  async #launch(): Promise<Browser> {
    const forget = (): void => {
      this.#browser = null
      this.#contexts.clear()
    }
    try {
      if (!this.#headless) assertScreen(process.env)
      const { chromium } = await import('playwright-core') // only here: npm start has no use for it before
      const executablePath = await (this.#headless ? findHeadlessChromium() : findChromium())
      const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
      const browser = await chromium.launch({ executablePath, headless: this.#headless, args })
      browser.once('disconnected', forget)
      return browser
    } catch (error) {
      forget()
      throw error
    }
  }
}

/** Says it before Chromium does, which ends without a word that helps. Throws where Linux has no screen. */
function assertScreen({ DISPLAY, WAYLAND_DISPLAY }: NodeJS.ProcessEnv): void {
  if (process.platform !== 'linux' || DISPLAY || WAYLAND_DISPLAY) return
  throw new Error(
    'there is no screen to open a window on (DISPLAY, WAYLAND_DISPLAY); run this where there is one, or open the link in ' +
      'the developer tools of a Chrome (docs/simulator.md, The phone)',
  )
}

/** Where the demo's simulator is. Throws with a remedy where no demo runs here. */
function runningSimulator(): string {
  try {
    const text = readFileSync(new URL('../.weft/demo.env', import.meta.url), 'utf8')
    const url = /^WEFT_SIMULATOR_URL=(.+)$/m.exec(text)?.[1]
    if (url !== undefined) return url
  } catch {
    // told below, as a file without the address
  }
  throw new Error('no demo runs here; begin with npm start')
}

async function main(): Promise<void> {
  const [link, kind = 'wechat'] = process.argv.slice(2)
  if (link === undefined || !URL.canParse(link) || !(kind === 'wechat' || kind === 'browser')) {
    console.error('npm run phone -- <link> [wechat|browser]    opens a payment link as a phone does')
    process.exitCode = 2
    return
  }
  const windows = new PhoneWindows({ simulator_url: runningSimulator() })
  await windows.open(link, kind)
  await windows.closed()
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'the window could not be opened')
    process.exitCode = 1
  })
}
