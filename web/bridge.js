/**
 * Opens WeChat's pay sheet from a page inside WeChat. What it answers is a hint and never proof: the page asks the server
 * whatever came.
 */

/** How long WeChat may take to put its bridge into a page. */
const bridge_limit_ms = 5_000

/** How long WeChat may say nothing of a pay sheet: a payer who types a password has that long. */
const answer_limit_ms = 120_000

const outcomes = {
  silent: 'silent',
  'get_brand_wcpay_request:ok': 'ok',
  'get_brand_wcpay_request:cancel': 'cancel',
}

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
  const answer = await new Promise((resolve) => {
    setTimeout(() => resolve({ err_msg: 'silent' }), answer_limit_ms)
    bridge.invoke('getBrandWCPayRequest', parameters, resolve)
  })
  const outcome = outcomes[answer?.err_msg] ?? 'fail'
  return { outcome, said: outcome === 'fail' ? (answer?.err_desc ?? answer?.err_msg ?? null) : null }
}
