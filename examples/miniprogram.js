// pages/pay/pay.js of a mini program; `<button bindtap="pay">` in pay.wxml. The shop's backend is examples/methods.mjs,
// its domain stands in the mini program's console: 开发管理 → 服务器域名 → request合法域名.
const shop = 'https://shop.example.cn'

function ask(method, path, data) {
  return new Promise((resolve, reject) => {
    wx.request({
      url: `${shop}${path}`,
      method,
      data,
      success: ({ statusCode, data }) => (statusCode === 200 ? resolve(data) : reject(new Error(String(data)))),
      fail: ({ errMsg }) => reject(new Error(errMsg)),
    })
  })
}

Page({
  data: { sale: '', said: '' },

  onLoad({ sale }) {
    this.setData({ sale })
  },

  async pay() {
    try {
      const { code } = await wx.login() // new at every try: a code is good once, for five minutes
      const { out_trade_no, client } = await ask('POST', '/orders', {
        sale: this.data.sale,
        kind: 'mini_program',
        code,
      })
      const { kind: _kind, ...parameters } = client // timeStamp, nonceStr, package, signType, paySign: as Weft signed them
      await wx.requestPayment(parameters)
      // That it succeeded is a hint: the backend asks Weft.
      const { state } = await ask('GET', `/orders/${out_trade_no}`)
      this.setData({ said: state })
    } catch ({ errMsg, message }) {
      this.setData({ said: errMsg === 'requestPayment:fail cancel' ? '已取消' : (errMsg ?? message) })
    }
  },
})
