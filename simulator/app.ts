import Router from '@koa/router'
import Koa from 'koa'
import type { Context } from 'koa'
import getRawBody from 'raw-body'
import type { Logger } from '../runtime/logger.ts'
import type { Control, FinishRefundRequest } from './control.ts'
import type { Gateway } from './gateway.ts'
import type { Phone } from './phone.ts'
import { ControlError } from './refusal.ts'
import { writeResponse } from './response.ts'
import { addSites, formOf, payer_cookie, payerOf, sendPage } from './sites.ts'
import type { SiteTools } from './sites.ts'
import { stylesheet } from './style.ts'
import { languageFor, wordings } from './words.ts'

const call_limit_bytes = 65_536
const control_limit_bytes = 6_291_456

interface AppTools extends SiteTools {
  gateway: Gateway
  control: Control
  phone: Phone
  logger: Logger
}

/** WeChat Pay's paths below `/v3`, WeChat's other sites, the payer's phone at `/phone`, the control side at `/control`. */
export function createApp(tools: AppTools): Koa {
  const app = new Koa()
  app.on('error', (error: unknown) => tools.logger.warn('a connection failed', { error }))
  const router = new Router()
  addControl(router, tools.control)
  addPhone(router, tools.phone)
  addSites(router, tools)
  app.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/v3/')) {
      await next()
      return
    }
    const body = await readBytes(ctx, call_limit_bytes)
    if (body === null) return respondEmpty(ctx, 413)
    const call = { method: ctx.method, url: ctx.req.url ?? '', path: ctx.path, headers: ctx.headers, body }
    writeResponse(ctx, await tools.gateway.handleCall(call), tools.hold_ms)
  })
  app.use(async (ctx, next) => {
    try {
      await next()
      if (ctx.body === undefined && ctx.status === 404) respondEmpty(ctx, 404)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      ctx.status = error.status
      ctx.body = { code: error.code, message: error.message }
    }
  })
  app.use(router.routes())
  return app
}

/** Bytes as they came, or null when they are too many. */
async function readBytes(ctx: Context, limit: number): Promise<Buffer | null> {
  try {
    return await getRawBody(ctx.req, { limit })
  } catch (error) {
    if ((error as { type?: string }).type === 'entity.too.large') return null
    throw error
  }
}

function respondEmpty(ctx: Context, status: number): void {
  ctx.body = null
  ctx.status = status
}

/** A request's JSON. Its shape is the control side's to check. */
async function readJson(ctx: Context): Promise<never> {
  const bytes = await readBytes(ctx, control_limit_bytes)
  if (bytes === null) throw new ControlError(400, 'TOO_LARGE', `a request has at most ${control_limit_bytes} bytes`)
  try {
    return JSON.parse(bytes.toString('utf8') || '{}') as never
  } catch {
    throw new ControlError(400, 'PARAM_ERROR', 'the body is not JSON')
  }
}

function addControl(router: Router, control: Control): void {
  router.post('/control/merchants', async (ctx) => {
    ctx.body = await control.register(await readJson(ctx))
  })
  router.post('/control/pay', async (ctx) => {
    ctx.body = control.pay(await readJson(ctx))
  })
  router.post('/control/sheets', async (ctx) => {
    ctx.body = control.answerSheet(await readJson(ctx))
  })
  router.post('/control/openids', async (ctx) => {
    ctx.body = control.openid(await readJson(ctx))
  })
  router.post('/control/logins', async (ctx) => {
    ctx.body = control.login(await readJson(ctx))
  })
  router.post('/control/refunds', async (ctx) => {
    ctx.body = control.createConsoleRefund(await readJson(ctx))
  })
  router.post('/control/refunds/:refund_id', async (ctx) => {
    const end: object = await readJson(ctx)
    ctx.body = control.finishRefund({ ...(end as FinishRefundRequest), refund_id: ctx.params['refund_id'] ?? '' })
  })
  router.post('/control/refunds/:mchid/:out_refund_no', async (ctx) => {
    const { mchid = '', out_refund_no = '' } = ctx.params
    const end: object = await readJson(ctx)
    ctx.body = control.finishRefund({ ...(end as FinishRefundRequest), mchid, out_refund_no })
  })
  router.post('/control/faults', async (ctx) => {
    ctx.body = control.addFault(await readJson(ctx))
  })
  router.get('/control/faults', (ctx) => {
    ctx.body = control.listFaults()
  })
  router.delete('/control/faults', (ctx) => {
    ctx.body = control.removeFaults(null)
  })
  router.delete('/control/faults/:fault_id', (ctx) => {
    ctx.body = control.removeFaults(ctx.params['fault_id'] ?? '')
  })
  router.post('/control/notifications', async (ctx) => {
    ctx.body = await control.notify(await readJson(ctx))
  })
  router.post('/control/notifications/refund', async (ctx) => {
    ctx.body = await control.notifyRefund(await readJson(ctx))
  })
  router.post('/control/notifications/:id/resend', async (ctx) => {
    ctx.body = await control.resend(ctx.params['id'] ?? '')
  })
  router.post('/control/bills', async (ctx) => {
    ctx.body = control.issueBills(await readJson(ctx))
  })
  router.post('/control/transfers', async (ctx) => {
    ctx.body = control.transfer(await readJson(ctx))
  })
  router.get('/control/authority', async (ctx) => {
    ctx.body = await control.authority()
  })
  router.post('/control/keys/rotate', async (ctx) => {
    ctx.body = await control.rotate(await readJson(ctx))
  })
  router.get('/control/book', (ctx) => {
    const { mchid, out_trade_no } = ctx.query
    if (typeof mchid !== 'string') throw new ControlError(400, 'PARAM_ERROR', 'name the merchant by ?mchid=')
    ctx.body = control.view(mchid, typeof out_trade_no === 'string' ? out_trade_no : null)
  })
}

/** Asserts that a form was sent by a page of the phone: other sites may not open windows or change whose it is. */
function assertOwnPage(ctx: Context): void {
  const origin = ctx.get('origin')
  if (origin !== '' && origin !== `http://${ctx.host}`)
    throw new ControlError(409, 'OTHER_ORIGIN', 'another site sent this')
}

function addPhone(router: Router, phone: Phone): void {
  const singleValue = (value: string | string[] | undefined): string | null =>
    typeof value === 'string' ? value : null
  router.get('/', (ctx) => ctx.redirect('/phone'))
  router.get('/phone', (ctx) => {
    const language = languageFor(singleValue(ctx.query['lang']), ctx.get('accept-language'))
    const code_url = singleValue(ctx.query['code_url'])?.trim()
    const outcome = { story: singleValue(ctx.query['told']), refused: singleValue(ctx.query['refused']) }
    const said = wordings[language].link_texts[outcome.story ?? ''] ?? null
    const page = code_url ? phone.orderPage(code_url, language, outcome) : phone.startPage(language, said, payerOf(ctx))
    sendPage(ctx, page)
  })
  router.post('/phone', async (ctx) => {
    const form = await formOf(ctx)
    const language = languageFor(form.get('lang'), ctx.get('accept-language'))
    ctx.redirect(phone.playStory(form.get('code_url') ?? '', form.get('story') ?? '', payerOf(ctx), language))
    ctx.status = 303
  })
  router.post('/phone/link', async (ctx) => {
    assertOwnPage(ctx)
    const form = await formOf(ctx)
    const language = languageFor(form.get('lang'), ctx.get('accept-language'))
    ctx.redirect(await phone.openLink(form.get('link') ?? '', form.get('kind') ?? '', language))
    ctx.status = 303
  })
  router.post('/phone/payer', async (ctx) => {
    assertOwnPage(ctx)
    const form = await formOf(ctx)
    ctx.cookies.set(payer_cookie, encodeURIComponent(form.get('payer')?.trim() ?? ''), { sameSite: 'lax' })
    ctx.redirect(`/phone?lang=${languageFor(form.get('lang'), ctx.get('accept-language'))}`)
    ctx.status = 303
  })
  router.get('/phone/style.css', (ctx) => {
    ctx.type = 'css'
    ctx.body = stylesheet
  })
  router.get('/phone/qr.svg', async (ctx) => {
    ctx.type = 'svg'
    ctx.body = await phone.qrSvg(singleValue(ctx.query['code_url']) ?? '-')
  })
}
