import { parseArgs } from 'node:util'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { enabledProducts, fittingApp } from '../../domain/order/method.ts'
import { readAuthorities } from '../../runtime/authorities.ts'
import { shownTo } from '../../runtime/config.ts'
import type { Config } from '../../runtime/config.ts'
import { liveMistakes } from '../../runtime/fitness.ts'
import { connectTemporal } from '../../runtime/temporal.ts'
import type { Store } from '../../store/store.ts'
import { createAccounts } from '../../wechat/accounts.ts'
import type { WeChatAccount } from '../../wechat/accounts.ts'
import { createDispatcher } from '../../wechat/connection.ts'
import { wechatHosts } from '../../wechat/hosts.ts'
import { createTrusts } from '../../wechat/trust.ts'
import { check_usage, CommandError } from '../command.ts'
import { checkNotifications, checkNotifyAddress } from './address.ts'
import { checkFulfilment } from './fulfilment.ts'
import { checkCertificateFile, checkHosts, checkSignedCall } from './identity.ts'
import type { CheckLanguage } from './item.ts'
import { checkApiKey, checkAuthority, checkKeys, lastNotification } from './keys.ts'
import { checkLine, lineText, lineView, tallyOf } from './outcome.ts'
import type { CheckLine } from './outcome.ts'
import { checkMethods } from './probe.ts'
import type { ProbePayer } from './probe.ts'
import { consoleQuestions } from './questions.ts'
import { checkAppSecrets } from './secret.ts'

/** What was asked for behind the word `check`. */
export interface CheckRequest {
  mchid: string
  language: CheckLanguage
  is_json: boolean
  /** path of the merchant's own certificate */
  certificate_path: string | null
  /** for probe orders that only one person may pay */
  payer: ProbePayer | null
}

/** Reads the words behind `check`. The language is that of --lang, else of the environment. Throws CommandError. */
export function readCheckRequest(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CheckRequest {
  const text = { type: 'string' } as const
  const options = { lang: text, json: { type: 'boolean' }, certificate: text, openid: text, appid: text } as const
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true })
    const [mchid, ...rest] = positionals
    if (mchid === undefined || rest.length > 0) throw new RangeError('which merchant?')
    if (values.appid !== undefined && values.openid === undefined)
      throw new RangeError('--appid says of which app an openid is: give --openid as well')
    return {
      mchid,
      language: languageOf(values.lang, environment),
      is_json: values.json ?? false,
      certificate_path: values.certificate ?? null,
      payer: values.openid === undefined ? null : { openid: values.openid, appid: values.appid ?? null },
    }
  } catch (error) {
    throw new CommandError(`${(error as Error).message}\n${check_usage}`)
  }
}

/** As other programs choose: LC_ALL before LC_MESSAGES before LANG. */
function languageOf(
  lang: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): CheckLanguage {
  const named = lang ?? (environment.LC_ALL || environment.LC_MESSAGES || environment.LANG || 'en')
  if (/^zh/i.test(named)) return 'zh'
  if (lang === undefined || lang === 'en') return 'en'
  throw new RangeError(`there is no language ${lang}; there are en and zh`)
}

export interface CheckParts {
  store: Store
  config: Config
  request: Pick<CheckRequest, 'mchid' | 'certificate_path' | 'payer'>
  /** Unix ms */
  now?: () => number
}

/** Looks at everything of one merchant, in the order in which one thing rests on another. Throws CommandError. */
export async function checkMerchant(parts: CheckParts): Promise<CheckLine[]> {
  const { store, config, request, now = Date.now } = parts
  const merchant = await store.merchants.find(request.mchid)
  if (merchant === null) throw new CommandError(`there is no merchant ${request.mchid}`)
  assertPayerTried(merchant, request.payer)
  const lines = settingsLines(merchant, config)
  const dispatcher = createDispatcher()
  const temporal = connectTemporal(config.temporal)
  try {
    const { account, mistakes } = await openAccount(store, config, merchant, { dispatcher, now })
    if (account === null) lines.push(checkLine(merchant.wechat ? 'setup_unusable' : 'setup_missing', { mistakes }))
    else lines.push(...(await checkWeChat({ store, config, request, now, merchant, account, dispatcher })))
    const { notify_url: url, mode, mchid } = merchant
    const last = await lastNotification(store, mchid)
    const serial = account?.client.keyring.newest()?.serial ?? 'NONE'
    lines.push(...(await checkNotifyAddress({ store, mchid, url, mode, serial, now })), checkNotifications(last))
    const { queue_prefix } = config
    lines.push(await checkFulfilment({ store, merchant, temporal, queue_prefix, shown: shownTo(config), now }))
    lines.push(...(await checkAppSecrets({ store, merchant }, { dispatcher, test_wechat_url: config.test_wechat_url })))
    return [...lines, ...consoleQuestions(merchant, config.public_url)]
  } finally {
    await Promise.all([dispatcher.close(), temporal.close()])
  }
}

/** An openid that no order would be tried with must not pass for one that was. Throws CommandError. */
function assertPayerTried(merchant: MerchantRecord, payer: ProbePayer | null): void {
  if (payer === null) return
  const { mchid } = merchant
  if (!enabledProducts(merchant).includes('JSAPI'))
    throw new CommandError(`--openid is for orders of JSAPI, which merchant ${mchid} has not enabled`)
  if (fittingApp(merchant, 'JSAPI', payer.appid) !== null) return
  const whose = payer.appid === null ? 'no app' : `no app ${payer.appid}`
  throw new CommandError(
    `--openid: merchant ${mchid} has ${whose} that JSAPI orders are placed with; see apps of its file`,
  )
}

function settingsLines(merchant: MerchantRecord, config: Config): CheckLine[] {
  const { mchid, mode, state } = merchant
  const methods = enabledProducts(merchant).join(', ')
  const mistakes = mode === 'live' ? liveMistakes(config, 'api').join('; ') : ''
  if (mistakes !== '') return [checkLine('settings_unfit', { mistakes })]
  return [checkLine(state === 'paused' ? 'settings_paused' : 'settings_fit', { mchid, mode, methods })]
}

/** The merchant as api and worker would speak for it, or why they could not. */
async function openAccount(
  store: Store,
  config: Config,
  { mchid }: MerchantRecord,
  { dispatcher, now }: { dispatcher: ReturnType<typeof createDispatcher>; now: () => number },
): Promise<{ account: WeChatAccount | null; mistakes: string }> {
  const mistakes: unknown[] = []
  const accounts = createAccounts({
    load: (wanted) => store.merchants.openSetup(wanted),
    live_mistakes: liveMistakes(config, 'api'),
    trusts: createTrusts(readAuthorities(config)),
    test_wechat_url: config.test_wechat_url,
    dispatcher,
    now,
    user_agent: 'Weft',
    on_mistake: (_, mistake) => mistakes.push(mistake),
  })
  const account = await accounts.find(mchid)
  return { account, mistakes: mistakes.map(mistakeText).join('; ') || 'WEFT_TEST_WECHAT_URL is not set' }
}

/** What is wrong with a set-up names its fields, never a value of them. */
function mistakeText(mistake: unknown): string {
  return mistake instanceof Error ? mistake.message : typeof mistake === 'string' ? mistake : JSON.stringify(mistake)
}

interface WeChatParts extends Required<CheckParts> {
  merchant: MerchantRecord
  account: WeChatAccount
  dispatcher: ReturnType<typeof createDispatcher>
}

/** All that is between the merchant and WeChat Pay. Without a signed call that is taken, nothing else is tried. */
async function checkWeChat(parts: WeChatParts): Promise<CheckLine[]> {
  const { store, config, request, now, merchant, account, dispatcher } = parts
  const { mchid, mode } = merchant
  const { client } = account
  const hosts = mode === 'live' ? wechatHosts : { main: config.test_wechat_url ?? '', backup: null }
  const lines = await checkHosts(dispatcher, hosts, now)
  const signed = await checkSignedCall(client)
  lines.push(...signed.lines, checkCertificateFile(request.certificate_path, { ...client.credentials, mchid }, now()))
  if (!signed.is_accepted) return lines
  const probed = await checkMethods({ store, merchant, transport: client.transport, payer: request.payer, now })
  const has_fault = signed.lines.some(({ code }) => code === 'apiv3_key_wrong')
  if (!has_fault) lines.push(checkApiKey(client, signed.listed.length > 0, await lastNotification(store, mchid)))
  const authorities = readAuthorities(config)
  lines.push(...checkKeys(client, probed, now()))
  lines.push(...checkAuthority(client, signed.listed, { mode, authorities, now_ms: now() }), ...probed.lines)
  return lines
}

/** Prints the lines and their sum; answers the exit code. */
export function printLines(
  lines: readonly CheckLine[],
  { language, is_json }: Pick<CheckRequest, 'language' | 'is_json'>,
  print: (line: string) => void,
): 0 | 1 {
  const tally = tallyOf(lines)
  for (const line of lines) print(is_json ? JSON.stringify(lineView(line, language)) : lineText(line, language))
  print(is_json ? JSON.stringify({ type: 'sum', ...tally }) : sums[language](tally))
  return tally.failed > 0 ? 1 : 0
}

const sums = {
  en: ({ ok, failed, question }) => `\n${ok} ok, ${failed} failed, ${question} questions to answer`,
  zh: ({ ok, failed, question }) => `\n通过 ${ok} 项，失败 ${failed} 项，待确认 ${question} 项`,
} as const satisfies Record<CheckLanguage, (tally: ReturnType<typeof tallyOf>) => string>

/** `npm run merchant -- check …`: answers the exit code. Throws CommandError. */
export async function runCheck(
  { store, config }: { store: Store; config: Config },
  words: readonly string[],
  print: (line: string) => void,
): Promise<0 | 1> {
  const request = readCheckRequest(words, process.env)
  return printLines(await checkMerchant({ store, config, request }), request, print)
}
