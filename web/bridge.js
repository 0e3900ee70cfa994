/**
 * Opens WeChat's pay sheet from a page inside WeChat. What it answers is a hint and never proof: the page asks the server
 * whatever came.
 */

/** How long WeChat may take to put its bridge into a page. */
const bridge_limit_ms = 5_000

/** How long WeChat may say nothing of a pay sheet: a payer who types a password has that long. */
const answer_limit_ms = 120_000

/** By what WeChat's answer ends with: the name before that is another one in each of its clients. */
const outcomes = [
  ['ok', /:ok$/i],
  ['cancel', /:cancel$/i],
]

/** WeChat's bridge; null: none came, so this is no WeChat, or one that cannot pay. */
export async function weChatBridge({ limit_ms = bridge_limit_ms } = {}) {
  if (window.WeixinJSBridge) return window.WeixinJSBridge
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), limit_ms)
    document.addEventListener(
      'WeixinJSBridgeReady',
      () => {
        clearTimeout(timer)
        resolve(window.WeixinJSBridge ?? null)
      },
      { once: true },
    )
  })
}

/** Shows the pay sheet for `call`, finished by the server. `said`: WeChat's own words where it could not. */
export async function payInWeChat(call, options) {
  const bridge = await weChatBridge(options)
  if (!bridge) return { outcome: 'no_bridge', said: null }
  const { kind: _, ...parameters } = call
  let timer
  const answer = await new Promise((resolve) => {
    timer = setTimeout(() => resolve('silent'), answer_limit_ms)
    try {
      bridge.invoke('getBrandWCPayRequest', parameters, resolve)
    } catch ({ message }) {
      resolve({ err_msg: message })
    }
  })
  clearTimeout(timer)
  if (answer === 'silent') return { outcome: 'silent', said: null }
  const { err_msg, err_desc } = answer ?? {}
  const [outcome] = outcomes.find(([, ending]) => ending.test(err_msg)) ?? ['fail']
  return { outcome, said: outcome === 'fail' ? err_desc || err_msg || null : null }
}
