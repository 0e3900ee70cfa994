import type { BrowserContext } from 'playwright-core'

/**
 * Plays the half of WeChat on Android that is outside of its pages. There the bridge hands each call over by a hidden frame
 * of `weixin:`, over which the page's Content-Security-Policy decides; a frame that it blocks asks for nothing, and the
 * call reaches nobody. Here the browser's own request is how WeChat hears of it.
 */
export async function playAndroid(visit: BrowserContext): Promise<void> {
  await visit.addInitScript(by_frame)
  visit.on('page', (page) => {
    page.on('request', (request) => {
      if (request.url() === handed_over) void page.evaluate('window.hearCalls()').catch(() => undefined)
    })
  })
}

const handed_over = 'weixin://dispatch_message/'

/** Has whatever bridge comes into the page be called by frames. */
const by_frame = `{
  const calls = []
  let bridge
  window.hearCalls = () => calls.splice(0).forEach((call) => call())
  const invoke = (given) => (...call) => {
    calls.push(() => given.invoke(...call))
    const frame = document.createElement('iframe')
    frame.hidden = true
    frame.src = '${handed_over}'
    document.documentElement.append(frame)
  }
  Object.defineProperty(window, 'WeixinJSBridge', {
    get: () => bridge,
    set: (given) => (bridge = { ...given, invoke: invoke(given) }),
  })
}`
