import { z } from 'zod'
import { languages } from '../domain/language.ts'
import type { Language } from '../domain/language.ts'
import type { ShownTo } from '../domain/messages.ts'
import { isForStrangers, notifyUrlObjection, readNetworks } from './address.ts'

/** A key of the installation that seals secrets; the first of the list seals, all of them open. */
export interface MasterKey {
  id: string
  /** 32 bytes, base64 */
  key: string
}

/** How every process reaches Temporal. */
export interface TemporalConfig {
  address: string
  namespace: string
  api_key: string | null
  /** null: plain text */
  tls: { server_name: string | null; ca_path: string | null; cert_path: string | null; key_path: string | null } | null
}

/** A Temporal without TLS, key or namespace of its own, as development servers and those of tests are. */
export function plainTemporal(address: string): TemporalConfig {
  return { address, namespace: 'default', api_key: null, tls: null }
}

/**
 * All that goes with TEMPORAL_ADDRESS, as not set: for a Temporal that was brought along, which a key or a certificate of
 * another one would keep everybody from.
 */
export const no_connection = {
  TEMPORAL_NAMESPACE: '',
  TEMPORAL_API_KEY: '',
  TEMPORAL_TLS: '',
  TEMPORAL_TLS_SERVER_NAME: '',
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: '',
  TEMPORAL_TLS_CLIENT_CERT_PATH: '',
  TEMPORAL_TLS_CLIENT_KEY_PATH: '',
  TEMPORAL_DEPLOYMENT_NAME: '',
  TEMPORAL_WORKER_BUILD_ID: '',
} as const

/** Config holds the settings of a process, checked. Never logged: it holds keys. */
export interface Config {
  temporal: TemporalConfig
  mongodb_uri: string
  database: string
  host: string
  /** 0 takes any free port */
  port: number
  /** where payers and WeChat Pay reach this installation, without a slash at the end */
  public_url: string
  /** newest first */
  master_keys: MasterKey[]
  /** replaces WeChat Pay's hosts for merchants of mode `test`; null: they speak to the real ones too */
  test_wechat_url: string | null
  /** PEM of those who may issue platform certificates to live merchants; null: nobody is asked (docs/operate.md) */
  wechat_ca_path: string | null
  /** the same for merchants of mode `test`: what the simulator issues with */
  test_wechat_ca_path: string | null
  allow_private_endpoints: boolean
  /** addresses and networks of the proxies whose word on who asked is believed; none: nobody's */
  trusted_proxies: string[]
  /**
   * divides every duration of `default_policy` (not `limits` and the other constants of domain/policy); 1 for real
   * money
   */
  time_scale: number
  /** put before the names of all task queues, so that several Wefts can share a namespace */
  queue_prefix: string
  /** the version that this worker runs as, by Temporal's Worker Versioning; null: without versions */
  deployment: { name: string; build_id: string } | null
  /** of what Temporal UI says about runs, to those who operate this installation */
  language: Language
  log_level: LogLevel
  /** where a role answers /metrics, a worker /healthz and an API /readyz; null: nowhere */
  metrics_port: number | null
  /** how long an API that ends still takes requests, and says on /readyz that it will not for long */
  drain_ms: number
}

const log_levels = ['error', 'warn', 'info', 'debug', 'silly'] as const
export type LogLevel = (typeof log_levels)[number]

/** A start with settings that cannot be used. `message` has one line per mistake: what, why, remedy. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const flag = z
  .enum(['true', 'false', '1', '0'], 'is neither true nor false; write one of them')
  .transform((text) => text === 'true' || text === '1')

const port = z.coerce
  .number('is not a port; write a number from 0 to 65535')
  .int('is not a port; write a whole number')
  .min(0, 'is not a port; write a number from 0 to 65535')
  .max(65_535, 'is not a port; write a number from 0 to 65535')

const web_url = z
  .url({ protocol: /^https?$/, error: 'is not an http(s) address; write one like https://pay.example.cn' })
  .refine((url) => !/[?#]/.test(url), 'has a query or a fragment; write it without')
  .transform((url) => url.replace(/\/+$/, ''))

const path = z.string().min(1)

const environment_schema = z.object({
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/]+$/, 'is not host:port; write one like 127.0.0.1:7233, without a scheme')
    .default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z
    .string()
    .regex(/^[\w.-]{2,}$/, 'is not a namespace name; use letters, digits, . _ -')
    .default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS: flag.optional(),
  TEMPORAL_TLS_SERVER_NAME: z.string().min(1).optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: path.optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: path.optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: path.optional(),
  TEMPORAL_DEPLOYMENT_NAME: z
    .string()
    // Of other names a worker would start, and never be given a task: the server refuses them where nobody sees it.
    .regex(
      /^(?!__)[^.:\s]{1,64}$/,
      'is no deployment name; write it without dots, colons and spaces, not with __ before it',
    )
    .optional(),
  TEMPORAL_WORKER_BUILD_ID: z
    .string()
    .regex(/^(?!__)[^\s]{1,255}$/, 'is no build id; write it without spaces, not with __ before it')
    .optional(),
  MONGODB_URI: z
    .string('is missing: Weft keeps its records in MongoDB; set it, e.g. mongodb://127.0.0.1:27017')
    .regex(
      /^mongodb(\+srv)?:\/\/\S+$/,
      'is not a MongoDB address; write one that begins with mongodb:// or mongodb+srv://',
    ),
  WEFT_DATABASE: z
    .string()
    .regex(/^[\w-]{1,63}$/, 'is not a database name; use letters, digits, _ -')
    .default('weft'),
  WEFT_HOST: z.string().min(1).default('127.0.0.1'),
  WEFT_PORT: port.default(7700),
  WEFT_PUBLIC_URL: web_url
    .refine((url) => notifyUrlObjection(`${url}/wechat/notify/${'9'.repeat(32)}`) === null, {
      error: 'is not an address that WeChat Pay notifies; write one like https://pay.example.cn, without user name',
    })
    .optional(),
  WEFT_MASTER_KEY: z
    .string('is missing: it seals WeChat keys and webhook secrets; make one with `openssl rand -base64 32` and keep it')
    .transform(readMasterKeys),
  WEFT_TEST_WECHAT_URL: web_url.optional(),
  WEFT_WECHAT_CA_PATH: path.optional(),
  WEFT_TEST_WECHAT_CA_PATH: path.optional(),
  WEFT_ALLOW_PRIVATE_ENDPOINTS: flag.default(false),
  WEFT_TRUSTED_PROXIES: z.string().transform(readProxies).default([]),
  WEFT_TIME_SCALE: z.coerce
    .number('is not a number; write 1 or more')
    .min(1, 'would slow time down; write 1 or more')
    .max(1_000_000, 'is too large; write at most 1000000')
    .default(1),
  WEFT_QUEUE_PREFIX: z
    .string()
    .regex(/^[\w.-]{0,64}$/, 'is not a queue prefix; use at most 64 letters, digits, . _ -')
    .default(''),
  WEFT_LANGUAGE: z.enum(languages, `is no language of Weft's; write one of ${languages.join(', ')}`).default('en'),
  WEFT_LOG_LEVEL: z.enum(log_levels, `is no log level; write one of ${log_levels.join(', ')}`).default('info'),
  WEFT_METRICS_PORT: port.optional(),
  WEFT_DRAIN_MS: z.coerce
    .number('is not a number; write milliseconds from 0 to 20000')
    .int('is not a whole number of milliseconds')
    .min(0, 'is negative; write milliseconds from 0 to 20000')
    .max(20_000, 'is too long; write at most 20000')
    .default(5_000),
})

type EnvironmentVariables = z.output<typeof environment_schema>

/**
 * The settings of this process. Empty variables count as not set. Throws ConfigError with one line per mistake, so that
 * a start with three mistakes needs one more try and not three.
 */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== undefined && text !== ''))
  const parsed = environment_schema.safeParse(given)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(mistakeLine).join('\n'))
  const settings = parsed.data
  const mistake = tlsMistake(settings) ?? deploymentMistake(settings)
  if (mistake) throw new ConfigError(mistake)
  return {
    temporal: temporalConfig(settings),
    mongodb_uri: settings.MONGODB_URI,
    database: settings.WEFT_DATABASE,
    host: settings.WEFT_HOST,
    port: settings.WEFT_PORT,
    public_url: settings.WEFT_PUBLIC_URL ?? `http://localhost:${settings.WEFT_PORT}`,
    master_keys: settings.WEFT_MASTER_KEY,
    test_wechat_url: settings.WEFT_TEST_WECHAT_URL ?? null,
    wechat_ca_path: settings.WEFT_WECHAT_CA_PATH ?? null,
    test_wechat_ca_path: settings.WEFT_TEST_WECHAT_CA_PATH ?? null,
    allow_private_endpoints: settings.WEFT_ALLOW_PRIVATE_ENDPOINTS,
    trusted_proxies: settings.WEFT_TRUSTED_PROXIES,
    time_scale: settings.WEFT_TIME_SCALE,
    queue_prefix: settings.WEFT_QUEUE_PREFIX,
    deployment: deploymentOf(settings),
    language: settings.WEFT_LANGUAGE,
    log_level: settings.WEFT_LOG_LEVEL,
    metrics_port: settings.WEFT_METRICS_PORT ?? null,
    drain_ms: settings.WEFT_DRAIN_MS,
  }
}

/** What runs are told of those who read them in Temporal UI. */
export function shownTo({ language, public_url }: Pick<Config, 'language' | 'public_url'>): ShownTo {
  return { language, guide_url: `${public_url}/docs/attention` }
}

/** The value is never repeated: it may be a key with one letter too many. */
function mistakeLine(issue: { path: PropertyKey[]; message: string }): string {
  return `${issue.path.map(String).join('.')} ${issue.message}`
}

function temporalConfig(settings: EnvironmentVariables): TemporalConfig {
  const has_tls_settings = Boolean(
    settings.TEMPORAL_TLS_SERVER_NAME ??
    settings.TEMPORAL_TLS_SERVER_CA_CERT_PATH ??
    settings.TEMPORAL_TLS_CLIENT_CERT_PATH,
  )
  // An API key over plain text would be a key given away, so it brings TLS with it unless that is refused by name.
  const has_tls = settings.TEMPORAL_TLS ?? (has_tls_settings || settings.TEMPORAL_API_KEY !== undefined)
  return {
    address: settings.TEMPORAL_ADDRESS,
    namespace: settings.TEMPORAL_NAMESPACE,
    api_key: settings.TEMPORAL_API_KEY ?? null,
    tls: has_tls
      ? {
          server_name: settings.TEMPORAL_TLS_SERVER_NAME ?? null,
          ca_path: settings.TEMPORAL_TLS_SERVER_CA_CERT_PATH ?? null,
          cert_path: settings.TEMPORAL_TLS_CLIENT_CERT_PATH ?? null,
          key_path: settings.TEMPORAL_TLS_CLIENT_KEY_PATH ?? null,
        }
      : null,
  }
}

function tlsMistake(settings: EnvironmentVariables): string | null {
  const { TEMPORAL_TLS_CLIENT_CERT_PATH: cert, TEMPORAL_TLS_CLIENT_KEY_PATH: key } = settings
  if (Boolean(cert) === Boolean(key)) return null
  const missing = cert ? 'TEMPORAL_TLS_CLIENT_KEY_PATH' : 'TEMPORAL_TLS_CLIENT_CERT_PATH'
  return `${missing} is missing: a client certificate and its key belong together; set both or neither`
}

function deploymentOf(settings: EnvironmentVariables): Config['deployment'] {
  const { TEMPORAL_DEPLOYMENT_NAME: name, TEMPORAL_WORKER_BUILD_ID: build_id } = settings
  return name === undefined || build_id === undefined ? null : { name, build_id }
}

function deploymentMistake(settings: EnvironmentVariables): string | null {
  const { TEMPORAL_DEPLOYMENT_NAME: name, TEMPORAL_WORKER_BUILD_ID: build_id } = settings
  if (Boolean(name) === Boolean(build_id)) return null
  const missing = name ? 'TEMPORAL_WORKER_BUILD_ID' : 'TEMPORAL_DEPLOYMENT_NAME'
  return `${missing} is missing: a deployment and its build id belong together; set both or neither`
}

/** `id:base64,id:base64`, newest first; a single base64 without a name is the key `1`. */
function readMasterKeys(text: string, context: z.RefinementCtx): MasterKey[] {
  const keys = text.split(',').map((part) => {
    const [first = '', second] = part.trim().split(':', 2)
    return second === undefined ? { id: '1', encoded: first } : { id: first, encoded: second }
  })
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (keys.some(({ id }) => !/^[\w.-]{1,32}$/.test(id))) {
    return refuse('has a key without a usable name; write name:base64,name:base64 with names of letters and digits')
  }
  if (new Set(keys.map(({ id }) => id)).size < keys.length) {
    return refuse('has two keys of one name; give each its own: the name is stored with what the key seals')
  }
  if (keys.some(({ encoded }) => Buffer.from(encoded, 'base64').length !== 32)) {
    return refuse('has a key that is not base64 of 32 bytes; make one with `openssl rand -base64 32`')
  }
  return keys.map(({ id, encoded }) => ({ id, key: encoded }))
}

/**
 * `10.0.0.0/8,192.0.2.7`. Everybody, as `0.0.0.0/0` or its two halves, is refused: then whoever asks could name any address
 * as his own.
 */
function readProxies(text: string, context: z.RefinementCtx): string[] {
  const names = text.split(',').map((part) => part.trim())
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (names.some(isForStrangers)) {
    return refuse('names everybody; write the addresses of your own proxies, as 10.0.0.0/8')
  }
  try {
    readNetworks(names)
  } catch {
    return refuse('has a part that is neither an address nor a network; write them like 10.0.0.0/8,192.0.2.7')
  }
  return names
}
