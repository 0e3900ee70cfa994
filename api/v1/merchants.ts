import { z } from 'zod'
import { attentionView, sortedByUrgency } from '../../domain/attention.ts'
import { billSettings, flow_accounts } from '../../domain/merchant/bill.ts'
import { refund_or_hold } from '../../domain/merchant/record.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { mchid_pattern } from '../../domain/ids.ts'
import { app_kinds } from '../../domain/merchant/product.ts'
import { enabledProducts, trade_types } from '../../domain/order/method.ts'
import { declareEndpoint } from '../http/endpoint.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { Problem } from '../http/problem.ts'
import { attention, nullable_text, time } from './shapes.ts'

const bill_settings = z.object({
  number_prefixes: z.array(z.string()).meta({ description: 'what numbers of orders begin with; none: with anything' }),
  fee_contract: z
    .object({
      rates: z.array(
        z.object({
          from_date: z.string().meta({ format: 'date' }),
          rate_ppm: z.int().meta({ description: 'millionths of the amount that settles: 0.6 % is 6000' }),
          trade_type: nullable_text.meta({ description: 'null: all that have no rate of their own' }),
        }),
      ),
      line_tolerance: z.int().meta({ description: 'fen by which one payment may be off' }),
      day_tolerance: z.int().meta({ description: 'fen by which those beyond it may be off together' }),
    })
    .nullable()
    .meta({ description: 'what WeChat Pay may charge; null: fees are summed only' }),
  accounts: z
    .array(z.enum(flow_accounts))
    .meta({ description: 'whose fund flows are fetched and posted: 基本账户, 运营账户, 手续费账户' }),
  keep_days: z.int().nullable().meta({ description: 'days for which files of bills are kept; null: for good' }),
})

const merchant_shape = z
  .object({
    object: z.literal('merchant'),
    mchid: z.string(),
    name: z.string(),
    mode: z.enum(['live', 'test']),
    state: z.enum(['enabled', 'paused']),
    notify_url: z.string(),
    appids: z.array(z.string()),
    apps: z
      .array(z.object({ appid: z.string(), kind: z.enum(app_kinds), secret_hint: nullable_text }))
      .meta({ description: 'of which appids it is known what they are of: 公众号, 小程序, 移动应用' }),
    serial_no: nullable_text.meta({ description: 'of the merchant’s API certificate' }),
    public_key_id: nullable_text.meta({ description: 'of WeChat Pay’s public key' }),
    fulfilment_endpoint_id: nullable_text,
    attentions: z.array(attention).meta({ description: 'all that a person should look at; what concerns money first' }),
    settings: z.object({
      order_expire_in: z.int(),
      late_payment: z.enum(refund_or_hold),
      fulfilment: z.object({
        mode: z.enum(['event', 'confirm', 'none']),
        deadline_in: z.int(),
        on_refused: z.enum(refund_or_hold),
        on_overdue: z.enum(refund_or_hold),
      }),
      refund_approval: z
        .object({
          above: z.int().nullable().meta({ description: 'fen of one payment; null: any number' }),
          above_per_day: z.int().nullable().meta({ description: 'fen of a Beijing day; null: any number' }),
        })
        .nullable()
        .meta({
          description:
            'what takes the refunds that nobody approved above so many fen waits for a second person; null: none does',
        }),
      bills: bill_settings,
      support: z
        .object({ phone: nullable_text, link: nullable_text })
        .nullable()
        .meta({ description: 'how payers reach the merchant: on the checkout page' }),
      products: z.array(z.enum(trade_types)).meta({ description: 'the trade_types that orders may have' }),
    }),
    create_time: time,
  })
  .meta({ id: 'Merchant' })

/** A merchant as its own keys see it. Nothing secret is ever shown. */
function merchantView(merchant: MerchantRecord): z.output<typeof merchant_shape> {
  const approval_limits = merchant.settings.refund_approval ?? null
  return {
    object: 'merchant',
    mchid: merchant.mchid,
    name: merchant.name,
    mode: merchant.mode,
    state: merchant.state,
    notify_url: merchant.notify_url,
    appids: merchant.appids,
    apps: (merchant.apps ?? []).map(({ appid, kind, hint }) => ({ appid, kind, secret_hint: hint })),
    serial_no: merchant.wechat?.serial_no ?? null,
    public_key_id: merchant.wechat?.public_key_id ?? null,
    fulfilment_endpoint_id: merchant.fulfilment_endpoint_id,
    attentions: sortedByUrgency(merchant.attentions ?? []).map(attentionView),
    settings: {
      ...merchant.settings,
      refund_approval: approval_limits && {
        above: approval_limits.above,
        above_per_day: approval_limits.above_per_day ?? null,
      },
      bills: billSettingsView(merchant),
      support: merchant.settings.support ?? null,
      products: [...enabledProducts(merchant)],
    },
    create_time: merchant.create_time,
  }
}

function billSettingsView({ settings }: MerchantRecord): z.output<typeof bill_settings> {
  const { number_prefixes, fee_contract, accounts, keep_days } = billSettings(settings)
  const rates = fee_contract?.rates.map((rate) => ({ ...rate, trade_type: rate.trade_type ?? null })) ?? []
  return { number_prefixes, fee_contract: fee_contract && { ...fee_contract, rates }, accounts, keep_days }
}

const getMerchant = declareEndpoint({
  name: 'getMerchant',
  method: 'GET',
  path: '/v1/merchants/{mchid}',
  scope: 'settings:read',
  summary: 'The merchant of this key',
  params: z.object({ mchid: z.string().regex(mchid_pattern, 'mchid') }),
  responses: { 200: { description: 'the merchant', schema: merchant_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const merchant = params.mchid === caller.mchid ? await context.store.merchants.find(caller.mchid) : null
    if (merchant === null) throw new Problem('not_found')
    return { status: 200, body: merchantView(merchant) }
  },
})

export const merchant_endpoints: readonly Endpoint[] = [getMerchant]
