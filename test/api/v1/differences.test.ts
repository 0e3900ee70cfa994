import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { newDifference } from '../../../activities/bill/differences.ts'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { preview_shape } from '../../../api/v1/bills/preview.ts'
import { difference_shape } from '../../../api/v1/bills/shape.ts'
import { newReconciliation } from '../../../domain/bill/reconciliation.ts'
import type { DayKey } from '../../../domain/bill/reconciliation.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { DifferenceEvent, DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { differenceView } from '../../../domain/bill/view.ts'
import type { DifferenceView } from '../../../domain/bill/view.ts'
import { paymentEntry } from '../../../domain/journal.ts'
import { outsideRefundNo } from '../../../domain/ids.ts'
import { newRefund } from '../../../domain/refund/record.ts'
import { publicId } from '../../../store/ids.ts'
import { merchantSample, mchid, orderSample, paymentSample } from '../../store/samples.ts'
import { keepBill } from './billsample.ts'
import { newNumber, now, openApiStage, paidOrder, reserve } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())
afterEach(() => {
  stage.on = {}
  stage.given.length = 0
})

const bill_date = '2026-11-22'
const day = { mchid, bill_date }
const times = { found_time: now(), patience_time: now() }
await stage.store.reconciliations.begin(newReconciliation(day, now(), 'one'))

async function noted(kind: DifferenceKind, given: Partial<DifferenceRecord> = {}, of: DayKey = day) {
  const difference = { ...newDifference(of, kind, newNumber('S'), times), ...given }
  await stage.store.differences.note([difference])
  return difference
}
const record = async ({ _id }: DifferenceRecord) => {
  const found = await stage.store.differences.find(_id)
  if (found === null) throw new Error('no such difference')
  return found
}
/** A refund that is recorded here. */
const recordedRefund = async (out_refund_no: string) => {
  const draft = { out_refund_no, origin: 'outside', requested_by: { kind: 'weft', id: null }, notify_url: '' } as const
  const refund = newRefund(paymentSample(newNumber()), { ...draft, is_full: false, create_time: now(), amount: 1 })
  await stage.store.refunds.insert(refund)
}
const resolve = (difference: DifferenceRecord, body: object, options = {}) =>
  stage.call<DifferenceView>('POST', `/v1/differences/${difference.id}/resolution`, { reason: 'why', ...body }, options)
const commands = () => stage.given.map(({ command }) => command)
/** What the day's run does about one difference. */
const running = (act: () => Promise<unknown>) => ({
  concludeDay: async () => {
    await act()
    return true
  },
})
const moved = async (difference: DifferenceRecord, event: DifferenceEvent) =>
  await stage.store.differences.apply(difference._id, {
    ...{ event, operation_id: newNumber(event), time: now(), actor: { kind: 'weft', id: null } },
  })

/** A payment of 990 of which the bill says that the merchant gets 10 fen less. */
async function couponed(apart = 10) {
  const { payment } = await paidOrder(stage)
  const { transaction_id, out_trade_no } = payment
  await stage.store.journal.post(paymentEntry(payment, payment.success_time))
  const bill = { transaction_id, currency: 'CNY', total: 990, settled_total: 990 - apart }
  const difference = await noted('amount', { transaction_id, out_trade_no, amount: apart, bill })
  return { difference, payment }
}
async function limited(above: number | null, above_per_day: number | null = null): Promise<void> {
  const merchant = (await stage.store.merchants.find(mchid)) ?? merchantSample()
  const refund_approval = above === null && above_per_day === null ? null : { above, above_per_day }
  await stage.store.merchants.save({ ...merchant, settings: { ...merchant.settings, refund_approval } })
}

describe('a difference', () => {
  it('explains itself: both sides, what differs, the answer, and where the rest is read', async () => {
    await stage.store.orders.insert(orderSample('TEA*1'))
    await recordedRefund('R|1')
    const sides = { bill: { line: 7, total: 990 }, weft: { total: 991 }, fields: ['total: 990 in the bill, 991 here'] }
    const difference = await noted('amount', { ...sides, out_trade_no: 'TEA*1', out_refund_no: 'R|1' })
    const evidence_id = `${mchid}/bill_line/T1/SUCCESS`
    await stage.store.differences.noteAnswer(difference._id, { asked_time: now(), says: 'SUCCESS', evidence_id })
    const { status, body } = await stage.call<DifferenceView>('GET', `/v1/differences/${difference.id}`)
    expect(status).toBe(200)
    const linked = { order: 'TEA*1', refund: 'R|1' }
    expect(body).toEqual(differenceView(await record(difference), { evidenceId: (id) => publicId('evd', id), linked }))
    expect(body).toMatchObject({
      ...sides,
      answer: { says: 'SUCCESS', evidence_id: publicId('evd', evidence_id) },
      timeline: [{ event: 'found', actor: { kind: 'weft', id: null } }],
      links: {
        day: '/v1/reconciliations/2026-11-22',
        line: `/v1/differences/${difference.id}/line`,
        order: '/v1/orders/TEA*1',
        refund: '/v1/refunds/R%7C1',
        journal: '/v1/journal?out_trade_no=TEA*1',
      },
    })
    expect(() => difference_shape.strict().parse(body)).not.toThrow()
  })

  it('links to what is recorded here: no order of another system’s, a refund by the number that it has here', async () => {
    const refund_id = newNumber('5030')
    await recordedRefund(outsideRefundNo(refund_id))
    const links = async (given: Partial<DifferenceRecord>) => {
      const { id } = await noted('refund_missing_here', given)
      return (await stage.call<DifferenceView>('GET', `/v1/differences/${id}`)).body.links
    }
    const unknown = { out_trade_no: 'ELSEWHERE', out_refund_no: 'CONSOLE' }
    expect(await links(unknown)).toMatchObject({ order: null, refund: null })
    expect(await links({ ...unknown, refund_id })).toMatchObject({ refund: `/v1/refunds/${refund_id}%40wechat` })
    const listed = await stage.call<{ data: DifferenceView[] }>('GET', '/v1/differences?kind=refund_missing_here')
    expect(listed.body.data.map(({ links: { order } }) => order)).toEqual([null, null])
  })

  it('that an earlier version found does not say when', async () => {
    const { found_time: _, ...old } = await noted('amount')
    await stage.store.differences.note([{ ...old, _id: `${old._id}x`, id: `${old.id}x` }])
    expect((await stage.call<DifferenceView>('GET', `/v1/differences/${old.id}x`)).body.timeline).toEqual([])
  })

  it('shows its line as WeChat Pay wrote it, of the version that has it', async () => {
    const file = '交易时间\r\n`2026-11-22 10:00:00,`茶\r\n`2026-11-22 10:00:01,`last'
    for (const [at, text] of ['another\nversion\nof it', file].entries())
      await keepBill(stage.store, { type: 'trade', version: at + 1, bytes: Buffer.from(text), date: bill_date })
    const line = async (given: Partial<DifferenceRecord>) => {
      const { id } = await noted('amount', given)
      const answer = await stage.call<{ bytes: string; version: number }>('GET', `/v1/differences/${id}/line`)
      const { version, bytes } = answer.body
      return answer.status === 200 ? `${version}: ${Buffer.from(bytes, 'base64').toString()}` : answer.status
    }
    expect(await line({ bill: { line: 2 }, bill_version: 2 })).toBe('2: `2026-11-22 10:00:00,`茶\r')
    expect(await line({ bill: { line: 3 }, bill_version: 2 })).toBe('2: `2026-11-22 10:00:01,`last')
    expect(await line({ bill: { line: 2 }, bill_version: 1 })).toBe('1: version')
    expect(await line({ bill: { line: 4 }, bill_version: 2 })).toBe(404)
    expect(await line({ bill: null })).toBe(404)
  })

  it('is somebody’s work, with a note, each an entry of its timeline', async () => {
    const difference = await noted('malformed')
    const patch = (body: object, options = {}) =>
      stage.call<DifferenceView>('PATCH', `/v1/differences/${difference.id}`, body, options)
    const { status, body } = await patch({ owner: '李', note: '已问客服，工单 8812' })
    expect([status, body.owner, body.note, body.state]).toEqual([200, '李', '已问客服，工单 8812', 'open'])
    expect(body.timeline.map(({ event, reason }) => [event, reason])).toEqual([
      ['found', null],
      ['assigned', '李'],
      ['noted', '已问客服，工单 8812'],
    ])
    expect((await patch({ owner: null })).body).toMatchObject({ owner: null, note: '已问客服，工单 8812' })
    const mine = await stage.call<{ data: unknown[] }>('GET', `/v1/differences?owner=${encodeURIComponent('李')}`)
    expect(mine.body.data).toEqual([])
    expect((await patch({ note: '帐'.repeat(334) })).status, 'more than 1,000 bytes').toBe(400)
    expect((await patch({ note: '帐'.repeat(333) })).status).toBe(200)
    expect((await patch({})).status).toBe(400)
    const reader = await stage.newKey({ scopes: ['money:read'] })
    expect((await patch({ owner: 'x' }, { key: reader })).status).toBe(403)
    const entry = { event: 'noted', operation_id: 'n', from: 'open', to: 'open', time: now(), reason: 'x' } as const
    const timeline = Array.from({ length: 200 }, (_, n) => ({
      ...{ ...entry, revision: n + 1, actor: { kind: 'merchant', id: 'key_1' } as const },
    }))
    const old = await noted('malformed', { revision: 200, timeline })
    const answer = await stage.call('PATCH', `/v1/differences/${old.id}`, { note: 'x' })
    expect([answer.status, answer.body.code]).toEqual([409, 'difference_state'])
  })

  it('is filtered by who works on it and when it is due, and counted by age', async () => {
    const other = await stage.store.merchants.find(mchid)
    expect(other).not.toBeNull()
    await noted('duplicate', { owner: 'zhao', amount: 70, due_time: '2026-11-25T10:00:00.000+08:00' })
    await noted('duplicate', { owner: 'zhao', amount: 30, due_time: '2026-11-26T10:00:00.000+08:00' })
    const list = async (query: string) =>
      (await stage.call<{ data: DifferenceView[] }>('GET', `/v1/differences?${query}`)).body.data.map(
        ({ amount }) => amount,
      )
    expect(await list('owner=zhao')).toEqual([30, 70])
    expect(await list(`owner=zhao&due_before=${encodeURIComponent('2026-11-26T10:00:00+08:00')}`)).toEqual([70])
    const { body } = await stage.call<{ count: number; ages: { count: number }[] }>('GET', '/v1/differences/exposure')
    expect(body.count).toBeGreaterThanOrEqual(2)
    expect(body.ages.reduce((sum, { count }) => sum + count, 0)).toBe(body.count)
  })
})

describe('a person', () => {
  it('ignores and reopens, and the day is told each time, marked before it', async () => {
    const difference = await noted('malformed')
    const ignored = await resolve(difference, { action: 'ignore' })
    expect([ignored.status, ignored.body.state]).toEqual([200, 'ignored'])
    expect(stage.given).toMatchObject([{ command: 'concludeDay', arguments: [{ bill_date }] }])
    expect(await stage.store.reconciliations.find(day)).toMatchObject({ is_moved: true })
    expect((await resolve(difference, { action: 'ignore' })).body.code).toBe('difference_state')
    const reopened = await resolve(difference, { action: 'reopen' })
    expect(reopened.body).toMatchObject({
      state: 'open',
      timeline: [{ event: 'found' }, { event: 'ignored' }, { event: 'reopened' }],
    })
    expect((await resolve(difference, { action: 'reopen' })).body.code).toBe('difference_state')
    stage.on = { concludeDay: () => Promise.resolve(false) }
    expect((await resolve(difference, { action: 'ignore' })).status, 'it is recorded, Temporal or not').toBe(200)
  })

  it.each(['check', 'ignore', 'reopen', 'accept_wechat', 'refund'] as const)(
    'sees what %s would do, and nothing is done',
    async (action) => {
      const { difference, payment } = await couponed()
      if (action === 'reopen') await moved(difference, 'ignored')
      const before = await record(difference)
      const refund = action === 'refund' ? { refund: { out_refund_no: newNumber('R'), amount: 90 } } : {}
      const { status, body } = await resolve(difference, { action, preview: true, ...refund })
      expect(status).toBe(200)
      const preview = preview_shape.strict().parse(body)
      expect(await record(difference)).toEqual(before)
      expect(commands()).toEqual([])
      expect(await stage.store.journal.ofOrder(mchid, payment.out_trade_no)).toHaveLength(1)
      expect(await stage.store.payments.find(mchid, payment.transaction_id)).toEqual(payment)
      const pay = `pay:${mchid}:${payment.transaction_id}`
      const number = refund.refund?.out_refund_no ?? ''
      const effects = {
        check: { asks_wechat: true, state: 'open', posts: [], pays: null },
        ignore: { state: 'ignored', posts: [], tells: ['reconciliation.completed'] },
        reopen: { state: 'open', tells: ['difference.opened', 'reconciliation.completed'] },
        accept_wechat: { state: 'settled', posts: [{ id: `rev:${pay}`, reverses: pay }, { id: `${pay}#2` }] },
        refund: { state: 'open', pays: 90, posts: [{ id: `refund:${mchid}:${number}:accepted` }, {}] },
      }
      expect(preview).toMatchObject({ action, needs_second_person: false, ...effects[action] })
    },
  )

  it('has WeChat asked, is answered what it says, and told where that takes longer or cannot be', async () => {
    const difference = await noted('missing_there', { transaction_id: 'T1' })
    stage.on = running(async () => {
      await stage.store.differences.noteAnswer(difference._id, {
        asked_time: now(),
        says: 'SUCCESS',
        evidence_id: null,
      })
      await stage.store.differences.endCheck(difference._id, (await record(difference)).check_time ?? now())
    })
    const asked = await resolve(difference, { action: 'check' })
    expect([asked.status, asked.body.answer?.says]).toEqual([200, 'SUCCESS'])
    const said = { event: 'check_asked', actor: { id: stage.key.id }, reason: 'why' }
    expect(asked.body.timeline).toMatchObject([{ event: 'found' }, said])
    expect((await resolve(difference, { action: 'check' })).body.timeline).toHaveLength(2)
    expect(commands(), 'not twice within five seconds').toEqual(['concludeDay'])
    stage.on = { concludeDay: () => Promise.resolve(false) }
    const away = await resolve(await noted('missing_there'), { action: 'check' })
    expect([away.status, away.body.code]).toEqual([503, 'unavailable'])
    const malformed = await resolve(await noted('malformed'), { action: 'check' })
    expect([malformed.status, malformed.body.code]).toEqual([409, 'difference_action'])
    expect(malformed.body.remedy).toContain('ignore')
  })

  it('accepts WeChat’s word, which the day’s run books', async () => {
    const { difference } = await couponed()
    stage.on = running(() => moved(difference, 'accepted'))
    const { status, body } = await resolve(difference, { action: 'accept_wechat' })
    expect([status, body.state]).toEqual([200, 'settled'])
    expect(body.timeline.map(({ event, actor }) => [event, actor.id])).toEqual([
      ['found', null],
      ['accept_asked', stage.key.id],
      ['accepted', null],
    ])
    expect((await resolve(difference, { action: 'accept_wechat' })).body.code).toBe('difference_state')
  })

  it.each(difference_kinds.filter((kind) => kind !== 'amount' && kind !== 'fee'))(
    'cannot accept it of %s, and is told what to do',
    async (kind) => {
      const { status, body } = await resolve(await noted(kind), { action: 'accept_wechat' })
      expect([status, body.code]).toEqual([409, 'difference_action'])
    },
  )

  it('is told why: 订单金额 differs too, in the reader’s language', async () => {
    const { payment } = await paidOrder(stage)
    const { transaction_id } = payment
    const bill = { transaction_id, currency: 'CNY', total: 991, settled_total: 991 }
    const difference = await noted('amount', { transaction_id, amount: 1, bill })
    const { status, body } = await resolve(difference, { action: 'accept_wechat' })
    expect([status, body.code, body['because']]).toEqual([409, 'difference_action', 'other_total'])
    expect(body.detail).toContain('订单金额 differs too')
    const zh = await resolve(difference, { action: 'accept_wechat' }, { headers: { 'accept-language': 'zh-CN' } })
    expect(zh.body.detail).toContain('订单金额也不一致')
    expect((await resolve(await noted('malformed'), { action: 'check' })).body.detail).toContain('cannot be asked')
  })

  it('is told an action that is left, of its kind and in its state', async () => {
    for (const kind of difference_kinds) {
      const difference = await noted(kind)
      for (const action of ['check', 'refund', 'accept_wechat']) {
        const refund = action === 'refund' ? { refund: { out_refund_no: newNumber('R') } } : {}
        const { status, body } = await resolve(difference, { action, preview: true, ...refund })
        if (status === 200) continue
        expect([status, body.code], `${action} of ${kind}`).toEqual([409, 'difference_action'])
        const left = await resolve(difference, { action: body['instead'], preview: true })
        expect(left.status, `${String(body['instead'])} in place of ${action} of ${kind}`).toBe(200)
      }
    }
    const over = await noted('missing_there')
    await moved(over, 'vanished')
    expect((await resolve(over, { action: 'accept_wechat' })).body.code).toBe('difference_state')
  })

  it.each([' ', '\u3000', '\u00a0\u2003', '\u200b', '\u202e'])(
    'takes no reason, owner or note of %j',
    async (blank) => {
      const difference = await noted('number')
      const reasoned = await resolve(difference, { action: 'ignore', reason: blank })
      const work = { owner: blank, note: blank }
      const written = await stage.call<ProblemBody>('PATCH', `/v1/differences/${difference.id}`, work)
      const fieldsOf = ({ errors }: ProblemBody) => errors.map(({ field, code }) => `${field} ${code}`)
      expect([reasoned, written].map(({ status, body }) => [status, ...fieldsOf(body)])).toEqual([
        [400, '/reason blank'],
        [400, '/owner blank', '/note blank'],
      ])
    },
  )

  it('is not enough above the merchant’s limit, and the same person is no second one', async () => {
    await limited(9)
    const { difference } = await couponed(10)
    expect((await resolve(difference, { action: 'accept_wechat', preview: true })).body).toMatchObject({
      needs_second_person: true,
    })
    const first = await resolve(difference, { action: 'accept_wechat' })
    expect([first.status, first.body.state]).toEqual([202, 'open'])
    expect(first.body.proposal).toMatchObject({ actor: { id: stage.key.id }, reason: 'why', action: 'accept_wechat' })
    expect((await resolve(difference, { action: 'accept_wechat' })).body.code).toBe('approver_is_requester')
    const clerk = await stage.newKey({ scopes: ['money:read', 'money:write'] })
    expect((await resolve(difference, { action: 'accept_wechat' }, { key: clerk })).body.code).toBe('forbidden')
    expect((await record(difference)).state).toBe('open')
    stage.on = running(() => moved(difference, 'accepted'))
    const second = await stage.newKey({ scopes: ['money:write', 'refunds:approve'] })
    const accepted = await resolve(difference, { action: 'accept_wechat' }, { key: second })
    expect(accepted.body).toMatchObject({ state: 'settled', proposal: null })
    const below = await couponed(9)
    stage.on = running(() => moved(below.difference, 'accepted'))
    expect((await resolve(below.difference, { action: 'accept_wechat' })).body.state).toBe('settled')
    await limited(null)
  })

  it('is proposed anew where a look has changed the sides since: nobody agrees to more than he saw', async () => {
    await limited(9)
    const { difference } = await couponed(10)
    await resolve(difference, { action: 'accept_wechat' })
    // A bill that was issued anew.
    await stage.store.differences.note([
      { ...difference, amount: 900, bill: { ...difference.bill, settled_total: 90 } },
    ])
    const second = await stage.newKey({ scopes: ['money:write', 'refunds:approve'] })
    const proposed = await resolve(difference, { action: 'accept_wechat' }, { key: second })
    expect([proposed.status, proposed.body.state]).toEqual([202, 'open'])
    expect(proposed.body.proposal).toMatchObject({ actor: { id: second.id } })
    expect(Object.keys(proposed.body.proposal ?? {})).toEqual(['actor', 'time', 'reason', 'action'])
    stage.on = running(() => moved(difference, 'accepted'))
    await resolve(difference, { action: 'accept_wechat' })
    expect(await record(difference)).toMatchObject({ state: 'settled', agreed: 'settled_total 90' })
    await limited(null)
  })

  it('gives the payment back by the refund’s own door, once', async () => {
    const { difference } = await couponed()
    stage.on = {
      reserve: async (refund) => {
        const { state, revision } = await reserve(stage, refund)
        return { kind: 'state', state, revision }
      },
    }
    const refund = { out_refund_no: newNumber('R'), reason: '多收退回' }
    const asked = await resolve(difference, { action: 'refund', refund })
    expect([asked.status, asked.body.state]).toEqual([200, 'open'])
    expect(asked.body.deed).toEqual({ action: 'refund', out_refund_no: refund.out_refund_no, entry_ids: [] })
    const made = await stage.store.refunds.find({ mchid, out_refund_no: refund.out_refund_no })
    expect(made).toMatchObject({ state: 'processing', amount: { refund: 990 }, reason: '多收退回', origin: 'api' })
    const again = await resolve(difference, { action: 'refund', refund })
    expect(again.body.timeline.map(({ event }) => event)).toEqual(['found', 'refund_asked'])
    expect(again.body.links.refund).toBe(`/v1/refunds/${refund.out_refund_no}`)
    expect(made?.metadata).toEqual({ difference_id: difference.id, difference_reason: 'why' })
    expect(commands().filter((command) => command === 'reserve')).toHaveLength(1)
    const more = await resolve(difference, { action: 'refund', refund: { out_refund_no: newNumber('R') } })
    expect([more.status, more.body.code]).toEqual([409, 'refund_exceeds_payment'])
  })

  it('is told that a refund still waits for its approval, at each repeat', async () => {
    const { difference } = await couponed()
    stage.on = {
      reserve: async (refund) => {
        const { state, revision } = await reserve(stage, refund, now())
        return { kind: 'state', state, revision }
      },
    }
    const wanted = { action: 'refund', refund: { out_refund_no: newNumber('R') } }
    expect((await resolve(difference, wanted)).status).toBe(202)
    const again = await resolve(difference, wanted)
    expect([again.status, again.body.deed?.out_refund_no]).toEqual([202, wanted.refund.out_refund_no])
  })

  it('cannot give back what is not recorded, nor without the scope, nor without a number', async () => {
    const refund = { out_refund_no: newNumber('R') }
    const missing = await resolve(await noted('missing_here', { transaction_id: 'T9' }), { action: 'refund', refund })
    expect([missing.status, missing.body.code]).toEqual([409, 'difference_action'])
    const { difference } = await couponed()
    expect((await resolve(difference, { action: 'refund' })).status).toBe(400)
    expect((await resolve(difference, { action: 'ignore', refund })).status).toBe(400)
    const key = await stage.newKey({ scopes: ['money:write'] })
    expect((await resolve(difference, { action: 'refund', refund }, { key })).body.code).toBe('forbidden')
  })

  it('settles many at once by kind and days, and opens them again', async () => {
    const other = { mchid, bill_date: '2026-11-19' }
    const later = { mchid, bill_date: '2026-11-20' }
    await Promise.all([
      ...Array.from({ length: 3 }, () => noted('refund_number', {}, other)),
      ...Array.from({ length: 2 }, () => noted('refund_number', {}, later)),
      noted('refund_state', {}, other),
    ])
    const all = (body: object) =>
      stage.call<{ done: number; left: number }>('POST', '/v1/differences/resolutions', {
        ...{ action: 'ignore', kind: 'refund_number', reason: 'one cause', bill_date_from: '2026-11-19' },
        ...{ bill_date_to: '2026-11-20', ...body },
      })
    expect((await all({ bill_date_to: '2026-11-18' })).status, 'days in the wrong order').toBe(400)
    expect((await all({ preview: true })).body).toMatchObject({ done: 0, left: 5 })
    expect((await all({ bill_date_to: '2026-11-19' })).body).toMatchObject({ done: 3, left: 0 })
    expect((await all({})).body).toMatchObject({ done: 2, left: 0 })
    expect((await all({})).body).toMatchObject({ done: 0, left: 0 })
    const days = stage.given.map(({ arguments: [given] }) => (given as DayKey).bill_date)
    expect(days).toEqual(['2026-11-19', '2026-11-20'])
    const ignored = await stage.store.differences.some(mchid, { kind: 'refund_number', bill_date: '2026-11-19' }, 5)
    expect(ignored.map(({ state, timeline }) => [state, timeline.at(-1)?.reason])).toEqual(
      Array.from({ length: 3 }, () => ['ignored', 'one cause']),
    )
    for (const { _id } of ignored.slice(0, 1))
      for (const event of ['reopened', 'accept_asked', 'accepted'] as const)
        await stage.store.differences.apply(_id, {
          ...{ event, operation_id: event, time: now(), actor: { kind: 'merchant', id: 'key_a' } },
        })
    expect((await all({ action: 'reopen' })).body, 'what is settled with what is ignored').toMatchObject({
      ...{ done: 5, left: 0 },
    })
    expect((await all({ action: 'accept_wechat' })).body.code).toBe('difference_action')
  })

  it('accepts that a payment was never made: the preview takes it out of the book', async () => {
    const { payment } = await paidOrder(stage)
    const { transaction_id, out_trade_no } = payment
    await stage.store.journal.post(paymentEntry(payment, payment.success_time))
    const difference = await noted('phantom_payment', { transaction_id, out_trade_no, amount: 990 })
    await limited(989)
    const preview = await resolve(difference, { action: 'accept_wechat', preview: true })
    const pay = `pay:${mchid}:${transaction_id}`
    expect(preview.body).toMatchObject({ state: 'settled', needs_second_person: true, posts: [{ reverses: pay }] })
    await limited(null)
    expect((await resolve(difference, { action: 'accept_wechat' })).body.state).toBe('settling')
  })

  it('is one person for a day’s sum too, which what is accepted takes from; a preview takes nothing', async () => {
    await limited(null, 25)
    const needing = async ({ difference }: { difference: DifferenceRecord }) => {
      const { body } = await resolve(difference, { action: 'accept_wechat', preview: true })
      return (body as unknown as { needs_second_person: boolean }).needs_second_person
    }
    const [first, second] = [await couponed(15), await couponed(15)]
    expect([await needing(first), await needing(second)]).toEqual([false, false])
    expect((await resolve(first.difference, { action: 'accept_wechat' })).body.state).toBe('settling')
    expect(await needing(second)).toBe(true)
    expect((await resolve(second.difference, { action: 'accept_wechat' })).body).toMatchObject({ state: 'open' })
    await limited(null)
  })
})

describe('what a difference has taken of the day’s sum', () => {
  it.each(['alone', 'with all of its kind'])('is what was agreed: other sides take anew; %s', async (way) => {
    await limited(null, 300)
    const { difference } = await couponed(15)
    const needing = async (body: object): Promise<unknown> => {
      const request = { kind: 'amount', bill_date_from: bill_date, bill_date_to: bill_date, action: 'accept_wechat' }
      const path = way === 'alone' ? `/v1/differences/${difference.id}/resolution` : '/v1/differences/resolutions'
      const asked = { reason: 'why', action: 'accept_wechat', ...(way !== 'alone' && request), ...body }
      const answer = await stage.call<{ needs_second_person?: boolean }>('POST', path, asked)
      return answer.body.needs_second_person ?? answer.status
    }
    const crash = vi.spyOn(stage.store.differences, 'apply').mockRejectedValue(new Error('crashed'))
    expect(await needing({}), 'behind its claim').toBe(500)
    crash.mockRestore()
    expect(await needing({ preview: true })).toBe(false)
    const bill = { ...difference.bill, settled_total: 490 }
    await stage.store.differences.note([{ ...difference, bill, amount: 500 }])
    expect(await needing({ preview: true })).toBe(true)
    await moved(difference, 'ignored')
    await limited(null)
  })
})

describe('many differences of a kind', () => {
  interface Batch {
    count: number
    sum: number
    done: number
    proposed: number
    needs_second_person: boolean
    left_out: { reason: string; count: number; differences: string[] }[]
    left: number
    next: string | null
  }
  const days = { bill_date_from: '2026-10-01', bill_date_to: '2026-10-02' }
  const of_day = { mchid, bill_date: '2026-10-01' }
  const all = async (body: object, options = {}) => {
    const request = { kind: 'amount', reason: 'one cause', ...days, ...body }
    return (await stage.call<Batch>('POST', '/v1/differences/resolutions', request, options)).body
  }
  const couponedThen = async (apart: number, given: Partial<DifferenceRecord> = {}) => {
    const { payment } = await paidOrder(stage)
    const { transaction_id, out_trade_no } = payment
    const bill = { transaction_id, currency: 'CNY', total: 990, settled_total: 990 - apart }
    return await noted('amount', { transaction_id, out_trade_no, amount: apart, bill, ...given }, of_day)
  }
  const statesOf = async (some: DifferenceRecord[]) => (await Promise.all(some.map(record))).map(({ state }) => state)
  const ended = async () => {
    for (const { _id } of await stage.store.differences.some(mchid, { bill_date: of_day.bill_date }, 500))
      for (const event of ['accepted', 'ignored'] as const)
        await stage.store.differences.apply(_id, {
          ...{ event, operation_id: newNumber(event), time: now(), actor: { kind: 'weft', id: null } },
        })
    await limited(null)
  }
  afterEach(ended)

  it('are accepted by one call, but for those that cannot be, which are named; a preview does nothing', async () => {
    const [one, other] = [await couponedThen(4), await couponedThen(5)]
    const odd = await couponedThen(6, { bill: null })
    const seen = await all({ action: 'accept_wechat', preview: true })
    const left_out = [{ reason: 'not_bookable', count: 1, differences: [odd.id] }]
    expect(seen).toMatchObject({ count: 2, sum: 9, done: 0, left_out, left: 3, next: null, needs_second_person: false })
    expect(await statesOf([one, other, odd])).toEqual(['open', 'open', 'open'])
    expect(commands()).toEqual([])
    expect(await all({ action: 'accept_wechat' })).toMatchObject({ count: 2, done: 2, left_out, left: 1 })
    expect(await statesOf([one, other, odd])).toEqual(['settling', 'settling', 'open'])
    expect(stage.given).toMatchObject([{ command: 'concludeDay', arguments: [of_day] }])
    expect(await all({ action: 'accept_wechat' }), 'once').toMatchObject({ count: 0, done: 0, left: 1 })
  })

  it('need a second person for their sum, who is another one and may approve', async () => {
    await limited(8)
    const some = [await couponedThen(4), await couponedThen(5)]
    expect(await all({ action: 'accept_wechat', preview: true })).toMatchObject({ sum: 9, needs_second_person: true })
    expect(await all({ action: 'accept_wechat' })).toMatchObject({ done: 0, proposed: 2, needs_second_person: true })
    const reasonsOf = ({ left_out }: Batch) => left_out.map(({ reason, count }) => [reason, count])
    expect(reasonsOf(await all({ action: 'accept_wechat' }))).toEqual([['approver_is_requester', 2]])
    const clerk = await stage.newKey({ scopes: ['money:read', 'money:write'] })
    expect(reasonsOf(await all({ action: 'accept_wechat' }, { key: clerk }))).toEqual([['no_approver', 2]])
    expect(await statesOf(some)).toEqual(['open', 'open'])
    const late = await couponedThen(1)
    const second = await stage.newKey({ scopes: ['money:write', 'refunds:approve'] })
    expect(await all({ action: 'accept_wechat' }, { key: second })).toMatchObject({ done: 2, proposed: 1 })
    expect(await statesOf([...some, late])).toEqual(['settling', 'settling', 'open'])
  })

  it('are another matter for a second person where their line has another payment since', async () => {
    await limited(8)
    const of_line = async () => {
      const { transaction_id, out_trade_no } = (await paidOrder(stage)).payment
      return { transaction_id, out_trade_no }
    }
    const doubled = await noted('duplicate', { ...(await of_line()), amount: 990 }, of_day)
    const wanted = { action: 'refund', kind: 'duplicate' }
    expect(await all(wanted)).toMatchObject({ done: 0, proposed: 1 })
    // A bill that was issued anew.
    await stage.store.differences.note([{ ...doubled, ...(await of_line()) }])
    const second = await stage.newKey({ scopes: ['money:write', 'refunds:write', 'refunds:approve'] })
    expect(await all(wanted, { key: second })).toMatchObject({ done: 0, proposed: 1 })
  })

  it('are asked about, each once in ten minutes', async () => {
    const answered = { answer: { asked_time: now(), says: 'SUCCESS', evidence_id: null } }
    const [fresh, known] = [await couponedThen(1), await couponedThen(2, answered)]
    const left_out = [{ reason: 'checked_lately', count: 1, differences: [known.id] }]
    expect(await all({ action: 'check' })).toMatchObject({ count: 1, done: 1, left_out })
    expect(await record(fresh)).toMatchObject({ check_time: expect.any(String) as string })
    expect((await record(fresh)).timeline).toMatchObject([{ event: 'check_asked', reason: 'one cause' }])
    expect(await all({ action: 'check' })).toMatchObject({ done: 0, left_out: [{ count: 2 }] })
    expect((await all({ action: 'check', kind: 'malformed' })) as object).toMatchObject({ code: 'difference_action' })
  })

  it('are given back whole by their refunds’ own door, each once, however often it is asked for', async () => {
    stage.on = {
      reserve: async (refund) => {
        const { state, revision } = await reserve(stage, refund)
        return { kind: 'state', state, revision }
      },
    }
    const [one, again] = [await couponedThen(4), await couponedThen(5)]
    const { transaction_id } = one
    const same = await noted('amount', { transaction_id, amount: 4, bill: { line: 9 } }, of_day)
    const nobody = await noted('amount', { amount: 3 }, of_day)
    const wanted = { action: 'refund', reason: 'paid for nothing' }
    expect(await all({ ...wanted, preview: true })).toMatchObject({ count: 2, sum: 1_980, done: 0 })
    await stage.store.differences.apply(again._id, {
      ...{ event: 'noted', operation_id: 'n', time: now(), actor: { kind: 'merchant', id: 'k' }, note: 'x' },
    })
    const done = await all(wanted)
    expect(done).toMatchObject({ count: 2, done: 2 })
    expect(done.left_out.map(({ reason }) => reason).sort()).toEqual(['no_payment', 'nothing_left'])
    const first = [one, same].filter(({ id }) => !done.left_out.some(({ differences }) => differences.includes(id)))
    for (const { id } of [...first, again])
      expect(await stage.store.refunds.find({ mchid, out_refund_no: id })).toMatchObject({ amount: { refund: 990 } })
    expect((await record(again)).deed).toMatchObject({ action: 'refund', out_refund_no: again.id })
    expect(await all(wanted)).toMatchObject({ count: 0, done: 0 })
    expect(commands().filter((command) => command === 'reserve')).toHaveLength(2)
    expect((await record(nobody)).state).toBe('open')
    const key = await stage.newKey({ scopes: ['money:write'] })
    expect((await all(wanted, { key })) as object).toMatchObject({ code: 'forbidden' })
  })
})
