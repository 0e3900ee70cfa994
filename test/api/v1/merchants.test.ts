import { afterAll, describe, expect, it } from 'vitest'
import { default_bill_settings } from '../../../domain/merchant/bill.ts'
import type { BillSettings } from '../../../domain/merchant/bill.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import { refund_event_types } from '../../../domain/refund/record.ts'
import { mchid } from '../../store/samples.ts'
import { openApiStage } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())

describe('a merchant', () => {
  const shown = async () => {
    const { body } = await stage.call<{ settings: object }>('GET', `/v1/merchants/${mchid}`)
    return body.settings
  }
  const bills = default_bill_settings
  const products = ['NATIVE']

  it('says what was agreed on about its bills, and what never was', async () => {
    expect(await shown()).toMatchObject({ bills })
    const rates = [{ from_date: '2026-01-01', rate_ppm: 6_000 }]
    const fee_contract = { rates, line_tolerance: 1, day_tolerance: 0 }
    const said: BillSettings = { number_prefixes: ['TEA-'], fee_contract, accounts: ['BASIC', 'FEES'], keep_days: 400 }
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, bills: said })
    const view = { ...fee_contract, rates: [{ ...rates[0], trade_type: null }] }
    expect(await shown()).toMatchObject({ bills: { ...said, fee_contract: view } })
    await stage.store.merchants.updateSettings(mchid, default_settings)
  })

  it('says above which amount its refunds wait for a second person', async () => {
    expect(await shown()).toEqual({ ...default_settings, bills, products, refund_approval: null })
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, refund_approval: { above: 100_000 } })
    const none_per_day = { above: 100_000, above_per_day: null }
    expect(await shown()).toEqual({ ...default_settings, bills, products, refund_approval: none_per_day })
    const refund_approval = { above: null, above_per_day: 500_000 }
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, refund_approval })
    expect(await shown()).toEqual({ ...default_settings, bills, products, refund_approval })
  })

  it('says how payers reach it', async () => {
    const support = { phone: null, link: 'https://tea.example.cn/help' }
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, support })
    expect(await shown()).toMatchObject({ support })
  })

  it('may have an endpoint that hears of refunds alone', async () => {
    const wanted = { url: 'https://shop.example.com/refunds', event_types: refund_event_types }
    const { status, body } = await stage.call('POST', '/v1/endpoints', wanted)
    expect([status, body['event_types']]).toEqual([201, refund_event_types])
  })
})
