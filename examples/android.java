// Two classes of an Android app: implementation 'com.tencent.mm.opensdk:wechat-sdk-android:6.8.0'.
// `client` is what the shop's backend (examples/methods.mjs, kind "app") answered, as Weft signed it.
package cn.example.shop.wxapi; // applicationId + ".wxapi": WeChat looks for WXPayEntryActivity there, exported

import android.app.Activity;
import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import com.tencent.mm.opensdk.constants.ConstantsAPI;
import com.tencent.mm.opensdk.modelbase.BaseReq;
import com.tencent.mm.opensdk.modelbase.BaseResp;
import com.tencent.mm.opensdk.modelpay.PayReq;
import com.tencent.mm.opensdk.openapi.IWXAPI;
import com.tencent.mm.opensdk.openapi.IWXAPIEventHandler;
import com.tencent.mm.opensdk.openapi.WXAPIFactory;
import org.json.JSONException;
import org.json.JSONObject;

class PaySheet {
    /** False: WeChat is not here. The app's 包名 and 应用签名 must be those of open.weixin.qq.com, else errCode is -1. */
    static boolean open(Context context, JSONObject client) throws JSONException {
        String appId = client.getString("appId");
        IWXAPI api = WXAPIFactory.createWXAPI(context, appId, true);
        api.registerApp(appId);
        if (!api.isWXAppInstalled()) return false;
        PayReq request = new PayReq();
        request.appId = appId;
        request.partnerId = client.getString("partnerId");
        request.prepayId = client.getString("prepayId");
        request.packageValue = client.getString("packageValue"); // Sign=WXPay
        request.nonceStr = client.getString("nonceStr");
        request.timeStamp = client.getString("timeStamp");
        request.sign = client.getString("sign");
        return api.sendReq(request);
    }
}

public class WXPayEntryActivity extends Activity implements IWXAPIEventHandler {
    static final String APP_ID = "wx…";

    @Override
    public void onCreate(Bundle state) {
        super.onCreate(state);
        WXAPIFactory.createWXAPI(this, APP_ID).handleIntent(getIntent(), this);
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        setIntent(intent);
        WXAPIFactory.createWXAPI(this, APP_ID).handleIntent(intent, this);
    }

    @Override
    public void onReq(BaseReq request) {}

    /** 0 paid, -1 an error of signature or set-up, -2 cancelled: each is a hint. Show what the backend says of the order. */
    @Override
    public void onResp(BaseResp response) {
        if (response.getType() == ConstantsAPI.COMMAND_PAY_BY_WX) showOrder(response.errCode == BaseResp.ErrCode.ERR_USER_CANCEL);
        finish();
    }

    void showOrder(boolean isCancelled) {} // GET /orders/<out_trade_no> of the shop's backend
}
