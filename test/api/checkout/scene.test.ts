import { brotliCompressSync, constants } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { scenes } from '../../../api/checkout/scene.ts'
import type { Scene } from '../../../api/checkout/scene.ts'
import { sceneNote } from '../../../api/checkout/text.ts'
import type { ShownOrder } from '../../../api/checkout/view.ts'
import { languages } from '../../../api/http/language.ts'
import { at } from '../../store/samples.ts'
import { gallery_assets, pageOf, paidSample, refundIn, scene_samples, shownOrder, support, viewOf } from './gallery.ts'

const said = (shown: ShownOrder, language: 'zh-CN' | 'en' = 'zh-CN') => {
  const view = viewOf(shown)
  const { title, line, receipt } = sceneNote(view, language)
  return {
    scene: view.scene,
    title,
    line,
    receipt: receipt
      .replaceAll(/\s*<[^>]+>\s*/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim(),
  }
}
const fulfilled = (...refunds: Parameters<typeof paidSample>[1] & object) => paidSample({ state: 'fulfilled' }, refunds)

describe('the scene of money that goes back', () => {
  const second = { transaction_id: 'another', out_refund_no: 'R-2' }
  const cases: [string, Scene, ShownOrder][] = [
    ['a refund that the merchant made, under way', 'returning', fulfilled(refundIn('processing'))],
    ['the same before the merchant has shipped', 'returning', paidSample({ state: 'paid' }, [refundIn('processing')])],
    ['a part that is back', 'part_refunded', fulfilled(refundIn('succeeded', 300))],
    [
      'a part that is back and another under way',
      'returning',
      fulfilled(refundIn('succeeded', 300), refundIn('processing', 690)),
    ],
    ['¥3 and ¥6.90, both back', 'refunded', fulfilled(refundIn('succeeded', 300), refundIn('succeeded', 690))],
    ['all of it at once', 'refunded', fulfilled(refundIn('succeeded'))],
    ['a refund that waits for a second person', 'fulfilled', fulfilled(refundIn('awaiting_approval'))],
    ['a refund that was refused', 'fulfilled', fulfilled(refundIn('refused'))],
    ['a refund that WeChat closed', 'fulfilled', fulfilled(refundIn('closed'))],
    ['a refund that the payer’s bank does not take', 'delayed', fulfilled(refundIn('abnormal', 300))],
    ['one that went to the merchant instead', 'delayed', fulfilled(refundIn('returned_to_merchant'))],
    ['the same, then paid by hand', 'refunded', fulfilled(refundIn('returned_to_merchant', 990, { payout: payout() }))],
    ['a refund that is owed, under way', 'refunding', paidSample({ state: 'refunding' }, [refundIn('processing')])],
    ['one that is owed and not yet made', 'refunding', paidSample({ state: 'refunding' })],
    ['one that is owed and was refused', 'delayed', paidSample({ state: 'refunding' }, [refundIn('refused')])],
    [
      'one that is owed and was refused, and the next',
      'refunding',
      paidSample({ state: 'refunding' }, [refundIn('refused'), refundIn('created', 989)]),
    ],
    ['the refund of a second payment only', 'fulfilled', fulfilled(refundIn('succeeded', 990, second))],
    [
      'money in review of which a part went back',
      'review',
      paidSample({ state: 'review' }, [refundIn('succeeded', 300)]),
    ],
    ['what is refunded by its state, whatever is recorded', 'refunded', paidSample({ state: 'refunded' })],
  ]
  it.each(cases)('is, of %s, %s', (_what, scene, shown) => expect(viewOf(shown).scene).toBe(scene))

  function payout() {
    return {
      proof: 'bank receipt 7',
      reason: 'card closed',
      by: { kind: 'operator', id: null },
      time: at(200),
    } as const
  }

  it('names the amounts, when each went, and where to', () => {
    const returning = said(scene_samples.returning)
    expect(returning.title).toBe('退款中 ¥6.90')
    expect(returning.receipt).toContain('退款 ¥3.00 已退回微信零钱 2026-11-23 12:02:40')
    expect(returning.receipt).toContain('退款 ¥6.90 正在退回微信零钱')
    const part = said(scene_samples.part_refunded)
    expect([part.title, part.line]).toEqual(['已部分退款 ¥3.00', '您付了 ¥9.90，其中 ¥3.00 已退还给您，去向见下方。'])
    expect(said(scene_samples.refunded).title).toBe('已全额退款')
    expect(said(scene_samples.part_refunded, 'en').receipt).toContain(
      'Refund ¥3.00 back on your WeChat balance 2026-11-23 12:02:40 Beijing time',
    )
    const card = fulfilled(refundIn('processing', 990, { account: '招商银行信用卡0403' }))
    expect(said(card).receipt).toContain('正在退回招商银行信用卡0403')
    const hand = fulfilled(refundIn('returned_to_merchant', 990, { payout: payout() }))
    expect(said(hand).receipt).toContain('退款 ¥9.90 已由商家退还 2026-11-23 12:03:20')
  })

  it('tells what came back to the payer where a coupon had paid a part', () => {
    const shown = paidSample({ state: 'fulfilled' }, [refundIn('succeeded')], { payer_total: 790 })
    const [refund] = shown.refunds
    if (refund?.facts) refund.facts.payer_refund = 790
    expect(said(shown).receipt).toMatch(/实付金额 ¥7.90 .*退款 ¥7.90 已退回/)
  })

  it('keeps the refund of a second payment apart', () => {
    const refund = refundIn('succeeded', 990, { transaction_id: 'another', out_refund_no: 'R-2' })
    expect(said(fulfilled(refund)).receipt).toContain('重复付款的退款 ¥9.90 已退回微信零钱')
  })
})

describe('the receipt', () => {
  it('has the amount, the time and both numbers, named as WeChat’s own bill names them', () => {
    const { receipt } = said(scene_samples.fulfilled)
    expect(receipt).toBe(
      '实付金额 ¥9.90 支付时间 2026-11-23 12:01:00 交易单号 4200001234202611231234567890 复制 商户单号 TEA-1 复制',
    )
    expect(said(scene_samples.waiting).receipt).toBe('商户单号 TEA-1 复制')
  })
})

describe('a paid order', () => {
  it('is in the merchant’s hands once he has said so, or where he confirms by asking', () => {
    const of = (mode: 'event' | 'confirm' | 'none', result: 'pending' | null) =>
      viewOf(paidSample({ fulfilment: { mode, result, reason: null, deadline_time: null } })).scene
    expect([of('event', null), of('event', 'pending'), of('confirm', null)]).toEqual(['paid', 'accepted', 'accepted'])
    expect(said(scene_samples.accepted).title).toBe('付款成功 · 商家处理中')
  })
})

describe('the way on', () => {
  const return_url = 'https://shop.example.cn/back'
  const page = (shown: ShownOrder, contact: typeof support | null = support) => pageOf(viewOf(shown, contact), 'zh-CN')

  it('leads back to the shop with the order’s number when it is over, and orders anew there', async () => {
    for (const scene of ['expired', 'closed', 'failed'] as const) {
      const { order } = scene_samples[scene]
      const html = await page(shownOrder({ ...order, return_url }))
      expect(html).toContain(`href="${return_url}?out_trade_no=TEA-1"`)
      expect(html).toContain('返回商家重新下单')
    }
  })

  it('is a new code where the order still lives, with or without scripts', async () => {
    const html = await page(scene_samples.stale)
    expect(html).toMatch(/<div class="renew" data-in="stale"\s*><form method="post" action="[^"]+\/code\?lang=zh-CN"/)
    expect(html).toContain('换一个二维码')
  })

  it('leads to the merchant’s own page where the order names none, and else says what to do', async () => {
    const [helped, alone] = await Promise.all([page(scene_samples.fulfilled), page(scene_samples.fulfilled, null)])
    expect(helped).toMatch(/id="back"[^>]*href="https:\/\/tea.example.cn\/help"\s*>/)
    expect(helped).not.toContain('您可以关闭本页')
    expect(alone).toContain('您可以关闭本页')
    expect(alone).toMatch(/id="back"[^>]*hidden/)
  })

  it('has the merchant’s phone and page wherever it says to contact him, and hides nothing it was not told', async () => {
    for (const scene of scenes) {
      for (const language of languages) {
        const html = await pageOf(viewOf(scene_samples[scene]), language)
        if (!/联系商家|contact the shop|ask the shop/.test(sceneNote(viewOf(scene_samples[scene]), language).line))
          continue
        expect(html).toMatch(/<p class="support" data-in="[^"]*"\s*>/)
        expect(html).toContain('href="tel:+8657188886666"')
        expect(html).toMatch(/<p class="support"[^]*?<a href="https:\/\/tea\.example\.cn\/help"[^]*?<\/p>/)
      }
    }
    expect(await page(scene_samples.review, null)).not.toContain('class="support"')
  })
})

describe('the page', () => {
  it.each(scenes)('says %s in both languages, with nothing left open', async (scene) => {
    const view = viewOf(scene_samples[scene])
    expect(view.scene).toBe(scene)
    for (const language of languages) {
      const { title, line } = sceneNote(view, language)
      expect(`${title}${line}`).not.toMatch(/[{}]|undefined|null/)
      expect(await pageOf(view, language)).toContain(`data-scene="${scene}"`)
    }
  })

  it('warns of the end within the last minute, and not before', async () => {
    const warned = async (left_s: number) =>
      />支付时间还剩不到 1 分钟。</.test(await pageOf(viewOf(shownOrder({ time_expire: at(60 + left_s) })), 'zh-CN'))
    expect([await warned(61), await warned(60), await warned(1)]).toEqual([false, true, true])
  })

  it('counts long times in days', async () => {
    const left = async (seconds: number, language: 'zh-CN' | 'en') =>
      />([^<]*)<\/time/.exec(await pageOf(viewOf(shownOrder({ time_expire: at(60 + seconds) })), language))?.[1]
    expect(await left(7 * 86_400, 'zh-CN')).toBe('7 天 00:00:00')
    expect(await left(86_399, 'zh-CN')).toBe('23:59:59')
    expect(await left(6 * 86_400 + 3_661, 'en')).toBe('6 d 01:01:01')
  })

  it('makes an amount that is long smaller', async () => {
    const of = (total: number) => pageOf(viewOf(shownOrder({ amount: { total, currency: 'CNY' } })), 'zh-CN')
    expect(await of(9_999_999)).toContain('<h1 class="amount">¥99999.99')
    expect(await of(100_000_000)).toContain('<h1 class="amount long">¥1000000.00')
  })

  it('says when WeChat was last asked', async () => {
    expect(await pageOf(viewOf(scene_samples.waiting), 'zh-CN')).toContain('上次向微信支付查询：12:00:30')
  })

  it('tells a phone how another device pays, with the link', async () => {
    const page = await pageOf(viewOf(scene_samples.waiting), 'zh-CN', { is_phone: true })
    expect(page).toContain('文件传输助手')
    expect(page).toContain('https://pay.example.cn/pay/token-of-this-page-0123456789')
  })

  it('keeps the simulator’s link on what is paid, and has none for real money', () => {
    expect(viewOf(scene_samples.fulfilled).test_phone_url).toContain('/phone?code_url=weixin')
  })

  it('weighs at most 30 kB on its way, with all it loads', async () => {
    const size = (bytes: Buffer | string) =>
      brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }).length
    const loaded = [...gallery_assets.values()].reduce((total, { content }) => total + size(content), 0)
    for (const scene of scenes) {
      const page = await pageOf(viewOf(scene_samples[scene]), 'zh-CN', { is_phone: true })
      expect(size(page) + loaded).toBeLessThanOrEqual(30_000)
    }
  })
})
