import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { aptInstall } from '../dev/servers/packages.ts'
import { findCommand, requireCommand } from '../dev/servers/search.ts'

const example = (name: string) => new URL(`../examples/${name}`, import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'weft-clients-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the Android example uses of Android and of WeChat's OpenSDK (6.8), by its signatures alone. */
const opensdk: Record<string, string> = {
  'android/os/Bundle': 'public class Bundle {}',
  'android/content/Context': 'public abstract class Context {}',
  'android/content/Intent': 'public class Intent {}',
  'android/app/Activity': `public class Activity extends android.content.Context {
    protected void onCreate(android.os.Bundle state) {}
    protected void onNewIntent(android.content.Intent intent) {}
    public android.content.Intent getIntent() { return null; }
    public void setIntent(android.content.Intent intent) {}
    public void finish() {}
  }`,
  'org/json/JSONException': 'public class JSONException extends Exception {}',
  'org/json/JSONObject':
    'public class JSONObject { public String getString(String name) throws JSONException { return name; } }',
  'com/tencent/mm/opensdk/constants/ConstantsAPI': 'public interface ConstantsAPI { int COMMAND_PAY_BY_WX = 5; }',
  'com/tencent/mm/opensdk/modelbase/BaseReq': 'public abstract class BaseReq { public abstract int getType(); }',
  'com/tencent/mm/opensdk/modelbase/BaseResp': `public abstract class BaseResp {
    public interface ErrCode { int ERR_OK = 0; int ERR_COMM = -1; int ERR_USER_CANCEL = -2; }
    public int errCode;
    public String errStr;
    public abstract int getType();
  }`,
  'com/tencent/mm/opensdk/modelpay/PayReq': `public class PayReq extends com.tencent.mm.opensdk.modelbase.BaseReq {
    public String appId, partnerId, prepayId, nonceStr, timeStamp, packageValue, sign, extData;
    public int getType() { return 5; }
  }`,
  'com/tencent/mm/opensdk/openapi/IWXAPI': `public interface IWXAPI {
    boolean registerApp(String appId);
    boolean handleIntent(android.content.Intent intent, IWXAPIEventHandler handler);
    boolean isWXAppInstalled();
    boolean sendReq(com.tencent.mm.opensdk.modelbase.BaseReq request);
  }`,
  'com/tencent/mm/opensdk/openapi/IWXAPIEventHandler': `public interface IWXAPIEventHandler {
    void onReq(com.tencent.mm.opensdk.modelbase.BaseReq request);
    void onResp(com.tencent.mm.opensdk.modelbase.BaseResp response);
  }`,
  'com/tencent/mm/opensdk/openapi/WXAPIFactory': `public class WXAPIFactory {
    public static IWXAPI createWXAPI(android.content.Context context, String appId) { return null; }
    public static IWXAPI createWXAPI(android.content.Context context, String appId, boolean isChecked) { return null; }
  }`,
}

describe('the Android example', () => {
  it('is taken by a compiler that knows the OpenSDK’s signatures', async () => {
    if (findCommand('javac') === null) await aptInstall(['default-jdk-headless'], 'install a JDK', () => undefined)
    for (const [path, code] of Object.entries(opensdk)) {
      const file = join(folder, `${path}.java`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, `package ${dirname(path).replaceAll('/', '.')};\n${code}\n`)
    }
    const activity = join(folder, 'WXPayEntryActivity.java')
    writeFileSync(activity, readFileSync(example('android.java')))
    const args = [
      '-proc:none',
      '-Xlint:all,-serial',
      '-Werror',
      '-encoding',
      'UTF-8',
      '-sourcepath',
      folder,
      '-d',
      folder,
      activity,
    ]
    const { stderr } = await promisify(execFile)(requireCommand('javac', 'install a JDK'), args)
    expect(stderr).toBe('')
  }, 300_000)
})
