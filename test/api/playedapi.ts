import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../api/app.ts'
import { pageContext } from '../../api/checkout/context.ts'
import { checkoutRouter } from '../../api/checkout/router.ts'
import type { ApiContext } from '../../api/http/context.ts'
import type { ProblemBody } from '../../api/http/problem.ts'
import { createRateLimiter } from '../../api/http/ratelimit.ts'
import { createApiServer } from '../../api/http/server.ts'
import { intakeRouter } from '../../api/notify/intake.ts'
import type { Commands } from '../../api/temporal/commands.ts'
import { createQuestions } from '../../api/temporal/question.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { scopes } from '../../domain/merchant/scope.ts'
import { default_policy } from '../../domain/policy.ts'
import { readConfig } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { newToken, randomId, tokenHash } from '../../runtime/secrets.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatAccounts } from '../../wechat/accounts.ts'
import type { Openids } from '../../wechat/openid.ts'
import { mchid, merchantSample } from '../store/samples.ts'

export type Answer<T = Record<string, unknown>> = { status: number; headers: Headers; body: T & ProblemBody }

export interface Key {
  id: string
  token: string
}

/** The whole API over a store. The runs are played by the test: what a command brings about is its to say. */
export interface ApiStage {
  url: string
  /** what it works with, for what no endpoint of the merchant's does */
  context: ApiContext
  store: Store
  /** in place of Temporal: every command is kept, and answered by `on` where the test says how */
  given: { command: keyof Commands; arguments: unknown[] }[]
  on: Partial<Commands>
  accounts: WeChatAccounts
  /** what the API logged as errors */
  logged: string[]
  /** how much later it is for the API than for everybody else, ms */
  ahead_ms: number
  /** Unix ms at which its clock stands still, so that nothing is over before it was looked at; null: it goes */
  still_ms: number | null
  /** with all scopes */
  key: Key
  newKey(given?: { scopes?: readonly string[]; expire_time?: string | null }): Promise<Key>
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    options?: { key?: Key; headers?: Record<string, string> },
  ): Promise<Answer<T>>
  /** Posts what WeChat Pay would; `address`: what stands behind the merchant's own address. Answers the status. */
  notify(body: string, headers?: Record<string, string>, address?: string): Promise<number>
  close(): Promise<void>
}

/** Credentials that nobody ever uses: that they are there is what counts. */
const sealed = { sealed: 'c2VhbGVk', key_id: 'one' }
const wechat: NonNullable<MerchantRecord['wechat']> = {
  serial_no: 'A'.repeat(40),
  private_key: sealed,
  apiv3_key: sealed,
  public_key_id: 'PUB_KEY_ID_1',
  public_key: null,
  certificates: [],
  retired_apiv3_keys: [],
}

/** Serves the API over `whole`; `store` is what it sees of it, `drop` what is done with it in the end. */
export async function playApi(
  whole: Store,
  { store = whole, drop = () => Promise.resolve() }: { store?: Store; drop?: () => Promise<unknown> } = {},
): Promise<ApiStage> {
  await whole.merchants.save(merchantSample({ wechat }))
  const stage: Omit<ApiStage, 'context'> = {
    url: '',
    store: whole,
    given: [],
    on: {},
    logged: [],
    ahead_ms: 0,
    still_ms: null,
    accounts: { find: () => Promise.resolve(null), forget: () => undefined },
    key: await addKey(whole, scopes, null),
    newKey: ({ scopes: some = scopes, expire_time = null } = {}) => addKey(whole, some, expire_time),
    call: async (method, path, body, { key = stage.key, headers = {} } = {}) => {
      const answer = await fetch(`${stage.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key.token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) as never }
    },
    notify: async (body, headers = {}, address = '') =>
      (await fetch(`${stage.url}/wechat/notify/${mchid}${address}`, { method: 'POST', headers, body })).status,
    close: async () => {
      await new Promise((resolve) => server.close(resolve).closeAllConnections())
      await drop()
    },
  }
  const context = contextOf(stage, store)
  const app = createApp(context, [intakeRouter(context), checkoutRouter(pageContext(context, nobody))], '0.0.0')
  const handle = app.callback()
  const server = createApiServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stage.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(stage, { context })
}

/** No page of this API asks WeChat who its payer is. */
const nobody: Openids = {
  authoriseUrl: () => 'https://open.weixin.qq.com/',
  fetch: async () => ({ kind: 'unavailable', errcode: null }),
}

function contextOf(stage: Omit<ApiStage, 'context'>, store: Store): ApiContext {
  const clock = () => stage.still_ms ?? Date.now()
  const log: Logger = { ...silentLogger, error: (message) => void stage.logged.push(message), child: () => log }
  return {
    config: readConfig({
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      MONGODB_URI: 'mongodb://127.0.0.1:1',
      WEFT_MASTER_KEY: randomBytes(32).toString('base64'),
    }),
    store,
    commands: commandsOf(stage),
    questions: createQuestions(clock),
    accounts: { find: (one) => stage.accounts.find(one), forget: (one) => stage.accounts.forget(one) },
    limiter: createRateLimiter(Date.now, { per_second: 1e6, burst: 1e6 }), // its own test has the real one
    log,
    metrics: createMetrics(),
    draining: new AbortController().signal,
    policy: default_policy,
    now: () => clock() + stage.ahead_ms,
  }
}

/** Updates nobody answers time out; signals and starts are taken. */
const unplayed: Commands = {
  prepay: () => Promise.resolve('timeout'),
  close: () => Promise.resolve('timeout'),
  refresh: () => Promise.resolve('timeout'),
  confirm: () => Promise.resolve('timeout'),
  resolveReview: () => Promise.resolve('timeout'),
  check: () => Promise.resolve(),
  startOrder: () => Promise.resolve(),
  signalPaymentFound: () => Promise.resolve(true),
  reserve: () => Promise.resolve('timeout'),
  approve: () => Promise.resolve('timeout'),
  payOut: () => Promise.resolve('timeout'),
  handleAbnormal: () => Promise.resolve('timeout'),
  checkRefund: () => Promise.resolve(),
  deliver: () => Promise.resolve(),
  redeliver: () => Promise.resolve(),
  startRefund: () => Promise.resolve(),
  startDay: () => Promise.resolve(),
  concludeDay: () => Promise.resolve(true),
  signalRefundChanged: () => Promise.resolve(true),
  orderQueueBacklogAge: () => Promise.resolve(0),
  isReachable: () => Promise.resolve(true),
}

function commandsOf(stage: Omit<ApiStage, 'context'>): Commands {
  const played = Object.keys(unplayed).map((name): [string, unknown] => {
    const command = name as keyof Commands
    const send = (...given: unknown[]) => {
      stage.given.push({ command, arguments: given })
      const answer = (stage.on[command] ?? unplayed[command]) as (...given: unknown[]) => Promise<unknown>
      return answer(...given)
    }
    return [command, send]
  })
  return Object.fromEntries(played) as unknown as Commands
}

async function addKey(store: Store, some: readonly string[], expire_time: string | null): Promise<Key> {
  const token = newToken('test')
  const id = randomId('key')
  await store.keys.add({
    _id: tokenHash(token),
    id,
    mchid,
    mode: 'test',
    name: 'test',
    scopes: [...some],
    hint: token.slice(-4),
    create_time: beijingTime(Date.now()),
    expire_time,
    revoke_time: null,
    last_use_time: null,
  })
  return { id, token }
}
