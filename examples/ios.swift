// Of an iOS app: pod 'WechatOpenSDK-XCFramework'. Nothing here was compiled: it is text to go by.
// `client` is what the shop's backend (examples/methods.mjs, kind "app") answered, as Weft signed it.
import UIKit
import WechatOpenSDK

/// Once, in application(_:didFinishLaunchingWithOptions:). Bundle ID and Universal Links must be those of open.weixin.qq.com.
func registerWeChat(appId: String) {
    WXApi.registerApp(appId, universalLink: "https://shop.example.cn/app/")
}

/// False: WeChat is not here, or the sheet could not be opened.
func openPaySheet(_ client: [String: String], completion: @escaping (Bool) -> Void) {
    guard WXApi.isWXAppInstalled(), let seconds = UInt32(client["timeStamp"] ?? "") else { return completion(false) }
    let request = PayReq()
    request.partnerId = client["partnerId"] ?? ""
    request.prepayId = client["prepayId"] ?? ""
    request.package = client["packageValue"] ?? "" // Sign=WXPay
    request.nonceStr = client["nonceStr"] ?? ""
    request.timeStamp = seconds
    request.sign = client["sign"] ?? ""
    WXApi.send(request, completion: completion)
}

extension AppDelegate: WXApiDelegate {
    func application(
        _ application: UIApplication,
        continue userActivity: NSUserActivity,
        restorationHandler: @escaping ([UIUserActivityRestoring]?) -> Void
    ) -> Bool {
        return WXApi.handleOpenUniversalLink(userActivity, delegate: self)
    }

    /// 0 paid, -1 an error of signature or set-up, -2 cancelled: each is a hint. Show what the backend says of the order.
    func onResp(_ response: BaseResp) {
        guard let answer = response as? PayResp else { return }
        showOrder(isCancelled: answer.errCode == WXErrCodeUserCancel.rawValue)
    }
}
