import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aptInstall } from '../dev/servers/packages.ts'
import { findCommand, requireCommand } from '../dev/servers/search.ts'
import { freePort } from '../dev/servers/servers.ts'
import { endWithThisProcess } from './stage/guard.ts'
import { Stage, stageApps } from './stage/stage.ts'
import { until } from './stage/until.ts'

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
  })
})

/** Where the shop says that it is. Nothing is sent there: pages are played, and what they ask goes to the backend. */
const shop_url = 'https://shop.example.cn'
const agents = {
  wechat: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0.54',
  browser: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36',
}

interface Answered {
  out_trade_no: string
  client: Record<string, string>
}

const mini_secret = 'f'.repeat(32)

describe('a shop with pages and apps of its own', () => {
  let stage: Stage
  let backend = ''
  const ends: (() => unknown)[] = []
  /** what the backend answered to each order, the last at the end */
  const answered: Answered[] = []

  beforeAll(async () => {
    stage = await Stage.open({ ways_to_pay: true })
    const apps = stageApps(stage.appid).map((app) => ({
      ...app,
      ...(app.kind === 'official_account' && { oauth_domain: new URL(shop_url).hostname }),
      ...(app.kind === 'mini_program' && { secret: mini_secret }),
    }))
    await stage.simulator.control.register({ mchid: stage.mchid, apps, pay_directories: [`${shop_url}/`] })
    backend = await startBackend()
  })
  afterAll(async () => {
    for (const end of ends) end()
    await stage.close()
  })

  async function startBackend(): Promise<string> {
    const [account, mini, phone] = stageApps(stage.appid)
    const port = await freePort()
    const env = {
      PATH: process.env.PATH,
      ...{ WEFT_URL: stage.config.public_url, WEFT_KEY: stage.key, SHOP_URL: shop_url, PORT: String(port) },
      ...{ MP_APPID: account.appid, MP_SECRET: account.secret, APP_APPID: phone.appid },
      ...{ MINI_APPID: mini.appid, MINI_SECRET: mini_secret },
      WECHAT_URL: stage.simulator.url,
      WECHAT_OPEN_URL: stage.simulator.url,
    }
    const program = spawn(process.execPath, [example('methods.mjs')], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    endWithThisProcess(program)
    ends.push(() => program.kill())
    const url = `http://127.0.0.1:${port}`
    await until('the backend listens', async () => (await fetch(`${url}/nowhere`)).status === 404)
    return url
  }

  /** What a client asks of its shop, as the shop’s proxy hands it on. */
  async function askBackend(
    path: string,
    { method = 'GET', body, agent = '' }: { method?: string; body?: string; agent?: string },
  ) {
    const headers = { 'user-agent': agent, 'x-forwarded-for': '203.0.113.7' }
    const answer = await fetch(`${backend}${path}`, { method, headers, redirect: 'manual', ...(body && { body }) })
    if (method === 'POST' && answer.ok) answered.push((await answer.clone().json()) as Answered)
    return answer
  }

  /** The shop’s page in a browser that is played: where it goes, and what it says. */
  function openPage(address: string, agent: string, bridge?: object) {
    const html = readFileSync(example('page.html'), 'utf8')
    const script = /<script>([^]*)<\/script>/.exec(html)?.[1] ?? ''
    const gone: string[] = []
    const elements = { pay: { onclick: () => Promise.resolve() }, said: { textContent: '' } }
    const heard = new Map<string, () => void>()
    const page = createContext({
      URLSearchParams,
      navigator: { userAgent: agent },
      location: {
        search: new URL(address).search,
        replace: (to: string) => gone.push(to),
        assign: (to: string) => gone.push(to),
      },
      document: {
        getElementById: (id: keyof typeof elements) => elements[id],
        addEventListener: (name: string, hear: () => void) => heard.set(name, hear),
      },
      fetch: (path: string, given: object = {}) => askBackend(path, { ...given, agent }),
    })
    runInContext(script, page)
    const tap = async () => {
      const done = elements.pay.onclick()
      // WeChat puts its bridge into the page some time later.
      const ready = bridge && (await until('the page waits', () => heard.get('WeixinJSBridgeReady')))
      if (bridge) page['WeixinJSBridge'] = bridge
      ready?.()
      await done
      return elements.said.textContent
    }
    return { gone, tap }
  }

  const lastOrder = () => ({ mchid: stage.mchid, out_trade_no: answered.at(-1)?.out_trade_no ?? '' })

  /** The pay sheet of a phone, called up by a page. */
  const bridgeThat = (story: 'pay' | 'cancel') => ({
    invoke: (name: string, parameters: Record<string, unknown>, tell: (result: object) => void) => {
      expect(name).toBe('getBrandWCPayRequest')
      const call = { client: 'jsapi', parameters: { ...parameters }, page_url: `${shop_url}/`, story } as const
      tell(stage.simulator.control.answerSheet(call))
    },
  })

  /** WeChat’s way to the page: the shop sends the payer to ask who pays, and WeChat sends it back with a code. */
  async function addressInWeChat(sale: string): Promise<string> {
    const { gone } = openPage(`${shop_url}/?sale=${sale}`, agents.wechat)
    expect(gone).toEqual([`/wechat?sale=${sale}`])
    const asked = (await askBackend(gone[0] ?? '', {})).headers.get('location') ?? ''
    const back = await fetch(asked, { redirect: 'manual', headers: { 'user-agent': agents.wechat } })
    return back.headers.get('location') ?? ''
  }

  it('is paid in WeChat by the page, which believes its backend and not the sheet', async () => {
    const address = await addressInWeChat('S-wechat')
    expect(await openPage(address, agents.wechat, bridgeThat('pay')).tap()).toMatch(
      /^(awaiting_payment|paid|fulfilled)$/,
    )
    const order = await stage.reaches(lastOrder(), 'fulfilled')
    expect([order.trade_type, order.reference]).toEqual(['JSAPI', 'S-wechat'])
  })

  it('is not paid where the payer goes back, and says so', async () => {
    const address = await addressInWeChat('S-cancelled')
    expect(await openPage(address, agents.wechat, bridgeThat('cancel')).tap()).toBe('已取消')
    expect((await stage.record(lastOrder())).state).toBe('awaiting_payment')
  })

  it('says why where the code was used before, as after a reload', async () => {
    const address = await addressInWeChat('S-reloaded')
    await openPage(address, agents.wechat, bridgeThat('cancel')).tap()
    expect(await openPage(address, agents.wechat).tap()).toMatch(/^WeChat says 40163: code been used/)
  })

  it('is paid in the phone’s browser by a jump that comes back to the page', async () => {
    const page = openPage(`${shop_url}/?sale=S-h5`, agents.browser)
    expect(await page.tap()).toBe('')
    const jump = new URL(page.gone[0] ?? '')
    expect(jump.searchParams.get('redirect_url')).toBe(`${shop_url}/?sale=S-h5`)
    stage.pay(lastOrder())
    const order = await stage.reaches(lastOrder(), 'fulfilled')
    expect(order.trade_type).toBe('MWEB')
    expect(readFileSync(example('page.html'), 'utf8')).toContain('<meta name="referrer" content="origin" />')
  })

  it.each([
    ['pay', /^(awaiting_payment|paid|fulfilled)$/, 'fulfilled'],
    ['cancel', /^已取消$/, 'awaiting_payment'],
  ] as const)('is told by the mini program: %s', async (story, says, state) => {
    interface MiniPage {
      data: { said: string }
      setData: (data: object) => void
      onLoad: (query: object) => void
      pay: () => Promise<void>
    }
    const pages: MiniPage[] = []
    const appid = stageApps(stage.appid)[1].appid
    const wx = {
      login: () => Promise.resolve(stage.simulator.control.login({ appid: stageApps(stage.appid)[1].appid })),
      request: (given: {
        url: string
        method: string
        data?: object
        success: (answer: object) => void
        fail: (why: object) => void
      }) => {
        const body = given.data === undefined ? {} : { body: JSON.stringify(given.data) }
        askBackend(given.url.slice(shop_url.length), { method: given.method, ...body })
          .then(async (answer) => given.success({ statusCode: answer.status, data: await answer.json() }))
          .catch((error: unknown) => given.fail({ errMsg: String(error) }))
      },
      requestPayment: (parameters: Record<string, unknown>) => {
        const call = { client: 'mini_program', parameters: { ...parameters }, appid, story } as const
        const result = stage.simulator.control.answerSheet(call) as { errMsg: string }
        return result.errMsg === 'requestPayment:ok'
          ? Promise.resolve(result)
          : Promise.reject(Object.assign(new Error(result.errMsg), result))
      },
    }
    runInContext(
      readFileSync(example('miniprogram.js'), 'utf8'),
      createContext({ wx, Page: (page: MiniPage) => pages.push(page) }),
    )
    const page = pages[0]
    if (page === undefined) throw new Error('no page was declared')
    page.setData = (data) => void Object.assign(page.data, data)
    page.onLoad({ sale: `S-mini-${story}` })
    await page.pay()
    expect(page.data.said).toMatch(says)
    if (state === 'fulfilled') await stage.reaches(lastOrder(), state)
    else expect((await stage.record(lastOrder())).state).toBe(state)
  })

  it('gives an app exactly what the OpenSDK is handed', async () => {
    await askBackend('/orders', { method: 'POST', body: JSON.stringify({ kind: 'app', sale: 'S-app' }) })
    const { kind, ...parameters } = answered.at(-1)?.client ?? {}
    expect(kind).toBe('app')
    const used = [...readFileSync(example('android.java'), 'utf8').matchAll(/client\.getString\("(\w+)"\)/g)]
    expect(used.map(([, name]) => name).sort()).toEqual(Object.keys(parameters).sort())
    const told = stage.simulator.control.answerSheet({ client: 'app', parameters })
    expect(told).toMatchObject({ errCode: 0 })
    await stage.reaches(lastOrder(), 'fulfilled')
  })
})
