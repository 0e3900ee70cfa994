import { randomBytes } from 'node:crypto'
import { beijingTime } from '../../domain/calendar.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { enabledProducts, payment_methods } from '../../domain/order/method.ts'
import type { TradeType } from '../../domain/order/method.ts'
import type { Store } from '../../store/store.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import { placeBody, placeOrder, placePath } from '../../wechat/payments.ts'
import { closeProbe } from '../../wechat/probe.ts'
import type { ProbeEnd } from '../../wechat/probe.ts'
import type { Transport } from '../../wechat/transport.ts'
import { errorText } from './identity.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine, OutcomeCode } from './outcome.ts'

/** What probe orders begin with, so that a person knows one in WeChat's console. Weft has no order under such a number. */
const number_prefix = 'WEFTPROBE'
/** WeChat Pay takes no payment behind this, whatever becomes of this process. */
const life_ms = 2 * 60_000
const total = 1
/** An address that is nobody's (RFC 5737): WeChat Pay compares it with the payer's only where somebody pays. */
const scene_info = { payer_client_ip: '203.0.113.1', h5_info: { type: 'Wap' } } as const
/** What was written down later than this may be another check's that is still at it. */
const under_way_ms = 60_000

/** Somebody whom WeChat knows under an appid, for orders that only one person may pay; without the appid of the first that fits. */
export interface ProbePayer {
  openid: string
  appid: string | null
}

export interface ProbeParts {
  store: Pick<Store, 'probes'>
  merchant: MerchantRecord
  transport: Transport
  payer: ProbePayer | null
  now: () => number
}

/** One order that is tried. */
interface ProbePlan {
  method: TradeType
  appid: string
  openid: string | null
}

/** What the probe orders came to, and whether an answer of WeChat Pay's was verified by its key. */
export interface ProbedMethods {
  lines: CheckLine[]
  has_verified: boolean
  /** why an answer was not believed; null: none was disbelieved */
  unverified: string | null
}

/**
 * Places an order of one fen for each method and app, and closes it. Nobody is given its code, so nobody can pay it; its
 * number is written down before, so that a worker closes it where this process dies or WeChat Pay is away.
 */
export async function checkMethods(parts: ProbeParts): Promise<ProbedMethods> {
  const probed: ProbedMethods = { lines: await closeLeft(parts), has_verified: false, unverified: null }
  for (const plan of plansOf(parts.merchant, parts.payer)) {
    if ('code' in plan) {
      probed.lines.push(plan)
      continue
    }
    const { line, failure } = await probeOrder(parts, plan)
    probed.lines.push(line)
    probed.has_verified ||= failure === null
    if (failure?.reason === 'no_key' || failure?.reason === 'unverified') probed.unverified = errorText(failure)
  }
  return probed
}

/**
 * What is tried: each method that is enabled with each app that fits it. Where any appid does, H5 takes the first, since
 * Native has seen whether the others are bound.
 */
function plansOf(merchant: MerchantRecord, payer: ProbePayer | null): (ProbePlan | CheckLine)[] {
  const enabled = enabledProducts(merchant)
  return enabled.flatMap((method): (ProbePlan | CheckLine)[] => {
    const { needs_openid, app_kinds } = payment_methods[method]
    const fitting = merchant.appids.filter((appid) => {
      const kind = merchant.apps?.find((app) => app.appid === appid)?.kind
      return app_kinds === null || (kind !== undefined && app_kinds.includes(kind))
    })
    const tried = method === 'MWEB' && enabled.includes('NATIVE') ? fitting.slice(0, 1) : fitting
    if (tried.length === 0) return [checkLine('probe_has_no_app', { method })]
    return tried.map((appid, place) => {
      if (!needs_openid) return { method, appid, openid: null }
      const is_theirs = payer !== null && (payer.appid === null ? place === 0 : payer.appid === appid)
      return is_theirs ? { method, appid, openid: payer.openid } : checkLine('probe_needs_openid', { method, appid })
    })
  })
}

/** Closes what an earlier check was not seen to close. */
async function closeLeft({ store, merchant, transport, now }: ProbeParts): Promise<CheckLine[]> {
  const { mchid } = merchant
  const lines: CheckLine[] = []
  const before = beijingTime(now() - under_way_ms)
  for (const probe of await store.probes.findLeft({ before, mchid, limit: 50 })) {
    const { out_trade_no } = probe
    const end = await endOf(transport, probe)
    if (end === 'unknown') continue // it may never have been placed; the worker knows when that is certain
    if (end !== 'open') await store.probes.remove(probe)
    lines.push(checkLine(end_codes[end] ?? 'probe_left', { out_trade_no }))
  }
  return lines
}

const end_codes: Readonly<Partial<Record<ProbeEnd, OutcomeCode>>> = {
  open: 'probe_open',
  unknown: 'probe_open',
  paid: 'probe_paid',
}

async function probeOrder(
  parts: ProbeParts,
  plan: ProbePlan,
): Promise<{ line: CheckLine; failure: WeChatPayError | null }> {
  const { store, merchant, transport, now } = parts
  const { mchid } = merchant
  const probe = { mchid, out_trade_no: probeNumber(plan.method, now()) }
  await store.probes.note({ ...probe, create_time: beijingTime(now()) })
  const failure = await place(parts, probe, plan)
  if (failure !== null && !failure.outcome_unknown) {
    await store.probes.remove(probe)
    return { line: refusalLine(plan, failure), failure }
  }
  const end = await endOf(transport, probe)
  if (end === 'closed' || end === 'paid') await store.probes.remove(probe)
  if (failure !== null) return { line: refusalLine(plan, failure), failure }
  const { method, appid } = plan
  const line = checkLine(end_codes[end] ?? 'probe_closed', { method, appid, out_trade_no: probe.out_trade_no })
  return { line, failure }
}

async function place(
  { merchant, transport, now }: ProbeParts,
  probe: OrderKey,
  { method, appid, openid }: ProbePlan,
): Promise<WeChatPayError | null> {
  const body = placeBody({
    ...probe,
    appid,
    description: 'Weft 自检 self-check',
    time_expire: beijingTime(now() + life_ms),
    attach: null,
    notify_url: merchant.notify_url,
    amount: { total, currency: 'CNY' },
    openid,
    ...(payment_methods[method].needs_scene_info && { scene_info }),
  })
  try {
    await placeOrder(transport, method, { path: placePath(method), body })
    return null
  } catch (error) {
    if (error instanceof WeChatPayError) return error
    throw error
  }
}

/** What a probe has become, as far as it can be found out now. */
async function endOf(transport: Transport, probe: OrderKey): Promise<ProbeEnd> {
  try {
    return await closeProbe(transport, probe)
  } catch (error) {
    if (error instanceof WeChatPayError) return 'open'
    throw error
  }
}

/** `WEFTPROBE-NATIVE-<ms>-<letters>`: at most 32 characters, and never the same again. */
function probeNumber(method: string, now_ms: number): string {
  return `${number_prefix}-${method}-${now_ms.toString(36)}${randomBytes(2).toString('hex')}`.toUpperCase()
}

/** What each code of WeChat Pay's says of the set-up; any other is told in its own words. */
const refusal_outcomes: Readonly<Record<string, OutcomeCode>> = {
  NO_AUTH: 'probe_not_permitted',
  NOAUTH: 'probe_not_permitted',
  APPID_MCHID_NOT_MATCH: 'probe_appid_unbound',
  APPID_NOT_EXIST: 'probe_appid_unbound',
  OPENID_MISMATCH: 'probe_payer_unknown',
}

function refusalLine({ method, appid, openid }: ProbePlan, failure: WeChatPayError): CheckLine {
  const values = { method, appid, error: errorText(failure) }
  const known = refusal_outcomes[failure.code ?? '']
  if (known !== undefined) return checkLine(known, values)
  // By its words, since its code is that of any mistake; they choose what a person reads, and nothing else.
  if (openid !== null && /openid/i.test(failure.wechat_message ?? '')) return checkLine('probe_payer_unknown', values)
  return checkLine(
    failure.reason === 'answer' && failure.kind !== 'again' ? 'probe_refused' : 'probe_unanswered',
    values,
  )
}
