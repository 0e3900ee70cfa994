import { z } from 'zod'
import { milliseconds } from '../../../domain/calendar.ts'
import { codeTerms } from '../../../domain/order/method.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { clientCall } from '../../../wechat/clientcall.ts'
import type { ClientCall } from '../../../wechat/clientcall.ts'
import type { ApiContext } from '../../http/context.ts'

const sheet = {
  timeStamp: z.string().meta({ description: 'seconds as text: iOS takes no number' }),
  nonceStr: z.string(),
  package: z.string().meta({ description: '`prepay_id=…`' }),
  signType: z.literal('RSA'),
  paySign: z.string(),
}

/** What the payer's client is opened with, by its kind. */
export const client_call = z
  .discriminatedUnion('kind', [
    z
      .object({ kind: z.literal('jsapi'), appId: z.string(), ...sheet })
      .meta({ id: 'JsapiCall', description: 'for WeixinJSBridge.invoke("getBrandWCPayRequest")' }),
    z
      .object({ kind: z.literal('mini_program'), ...sheet })
      .meta({ id: 'MiniProgramCall', description: 'for wx.requestPayment' }),
    z
      .object({
        kind: z.literal('app'),
        appId: z.string(),
        partnerId: z.string(),
        prepayId: z.string(),
        packageValue: z.literal('Sign=WXPay'),
        nonceStr: z.string(),
        timeStamp: z.string(),
        sign: z.string(),
      })
      .meta({ id: 'AppCall', description: 'for PayReq of WeChat’s OpenSDK' }),
    z
      .object({ kind: z.literal('h5'), h5_url: z.string() })
      .meta({ id: 'H5Call', description: 'opened by the payer’s browser, once, within five minutes' }),
  ])
  .meta({ id: 'ClientCall' }) satisfies z.ZodType<ClientCall>

/** What of the API's context a ClientCall needs: who signs, and a clock. */
export type ClientContext = Pick<ApiContext, 'accounts' | 'policy' | 'now'>

/** What the payer's client can be opened with now; null: nothing, or WeChat Pay takes it no more. */
export async function currentCall(
  { accounts, policy, now }: ClientContext,
  order: OrderRecord,
): Promise<ClientCall | null> {
  const { code, state, trade_type, mchid } = order
  if (state !== 'awaiting_payment' || code === null || trade_type === 'NATIVE') return null
  const dies_ms = milliseconds(code.placed_time) + codeTerms(policy, trade_type).life_ms
  if (now() >= Math.min(dies_ms, milliseconds(order.time_expire))) return null
  const account = await accounts.find(mchid)
  return account && clientCall(order, account.client.credentials.private_key, now())
}
