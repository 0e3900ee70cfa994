/**
 * What WeChat puts into every page it shows: `window.WeixinJSBridge`, some time after the page has loaded, announced by
 * the event `WeixinJSBridgeReady`. Of its functions it has `getBrandWCPayRequest`, which opens the pay sheet of the
 * phone at `base` in a window of its own. Where no window can be opened, or it is closed without an answer, the payer has
 * cancelled. WeChat on Android sends each call by a hidden frame of weixin:, over which the page's
 * Content-Security-Policy decides; this bridge needs no frame, so it does not show whether a page allows one.
 */
export function bridgeScript(base: string): string {
  return `(() => {
  'use strict'
  const base = ${JSON.stringify(base)}
  if (window.WeixinJSBridge || window.top !== window) return
  const agent = navigator.userAgent
  const isMiniProgram = /miniProgram/i.test(agent)
  const isDesktop = /WindowsWechat|MacWechat/i.test(agent)
  if (isMiniProgram) window.__wxjs_environment = 'miniprogram'

  function openSheet(parameters, tell) {
    const request = { client: 'jsapi', parameters: JSON.stringify(parameters), page_url: location.href }
    const sheet = window.open(base + '/phone/sheet?' + new URLSearchParams(request), '_blank', 'popup,width=420,height=640')
    if (sheet === null) return tell({ err_msg: 'get_brand_wcpay_request:cancel', err_desc: 'the browser blocked the pay sheet' })
    let isOver = false
    const end = (result) => {
      if (isOver) return
      isOver = true
      clearInterval(watch)
      removeEventListener('message', hear)
      tell(result)
    }
    const hear = ({ origin, source, data }) => {
      if (origin === base && source === sheet && data && data.weixin_sheet) end(data.weixin_sheet)
    }
    const watch = setInterval(() => sheet.closed && end({ err_msg: 'get_brand_wcpay_request:cancel' }), 200)
    addEventListener('message', hear)
  }

  const functions = {
    getBrandWCPayRequest(parameters, tell) {
      if (!isMiniProgram && !isDesktop) return openSheet(parameters, tell)
      setTimeout(() => tell({ err_msg: '调用支付JSAPI缺少参数：total_fee' }), 50)
    },
  }
  const bridge = {
    invoke(name, parameters, callback) {
      const tell = (result) => callback && callback(result)
      if (Object.hasOwn(functions, name)) return functions[name](parameters, tell)
      setTimeout(() => tell({ err_msg: name + ':function_not_exist' }), 0)
    },
    call() {},
    on() {},
  }
  const arrive = () =>
    setTimeout(() => {
      window.WeixinJSBridge = bridge
      document.dispatchEvent(new Event('WeixinJSBridgeReady'))
    }, 100)
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', arrive)
  else arrive()
})()
`
}

/** The script of the sheet's own page: tells the page that opened it what became of it, and closes. */
export const sheetScript = `(() => {
  'use strict'
  const done = document.querySelector('[data-result]')
  if (done === null) return
  const { result, origin, stays } = done.dataset
  if (window.opener) window.opener.postMessage({ weixin_sheet: JSON.parse(result) }, origin)
  const close = () => window.close()
  for (const button of document.querySelectorAll('[data-close]')) button.addEventListener('click', close)
  if (stays !== 'true') setTimeout(close, 800)
})()
`
