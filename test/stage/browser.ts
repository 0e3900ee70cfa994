import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'
import { findHeadlessChromium } from '../../dev/servers/chromium.ts'

/** Playwright waits 30 s unless told: on a machine that is busy with something else a page may need more. */
const patience_ms = 120_000

/** A browser that speaks to nobody but the page under test. */
export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: await findHeadlessChromium(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  const newContext = browser.newContext.bind(browser)
  browser.newContext = async (options) => {
    const context = await newContext(options)
    context.setDefaultTimeout(patience_ms)
    return context
  }
  return browser
}

/** What is no fault of a page: an answer that is an error, and a WeChat that this machine does not have. */
const not_the_pages = ['Failed to load resource', "ailed to launch 'weixin:", "ot allowed to launch 'weixin:"]

/** Keeps what a page complains of: script errors and whatever its own content security policy forbade. */
export function collectComplaints(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !not_the_pages.some((text) => message.text().includes(text)))
      complaints.push(message.text())
  })
}
