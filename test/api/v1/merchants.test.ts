import { afterAll, describe, expect, it } from 'vitest'
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

  it('says above which amount its refunds wait for a second person', async () => {
    expect(await shown()).toEqual({ ...default_settings, refund_approval: null })
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, refund_approval: { above: 100_000 } })
    const none_per_day = { above: 100_000, above_per_day: null }
    expect(await shown()).toEqual({ ...default_settings, refund_approval: none_per_day })
    const refund_approval = { above: null, above_per_day: 500_000 }
    await stage.store.merchants.updateSettings(mchid, { ...default_settings, refund_approval })
    expect(await shown()).toEqual({ ...default_settings, refund_approval })
  })

  it('may have an endpoint that hears of refunds alone', async () => {
    const wanted = { url: 'https://shop.example.com/refunds', event_types: refund_event_types }
    const { status, body } = await stage.call('POST', '/v1/endpoints', wanted)
    expect([status, body['event_types']]).toEqual([201, refund_event_types])
  })
})
