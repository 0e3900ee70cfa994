import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { beijingTime } from '../../../domain/calendar.ts'
import type { RefundView } from '../../../domain/event/view.ts'
import type { AbnormalHandling, PayoutCommand, RefundApproval } from '../../../domain/messages.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import type { WeChatAccount } from '../../../wechat/accounts.ts'
import { decryptField } from '../../../wechat/cipher.ts'
import { createKeyring } from '../../../wechat/keyring.ts'
import { at, mchid } from '../../store/samples.ts'
import { platformPublicKey, publicKeyId } from '../../wechat/server.ts'
import { privateKey } from '../../wechat/vectors.ts'
import { facts, newNumber, openApiStage, paidOrder, refundBecomes, reserve } from '../apistage.ts'

const stage = await openApiStage()
const approver = await stage.newKey()
afterAll(() => stage.close())
afterEach(() => {
  stage.on = {}
  stage.given.length = 0
  stage.accounts = { find: () => Promise.resolve(null), forget: () => undefined }
})

type Answered = RefundView & { timeline: { event: string }[] }
const ask = (refund: { out_refund_no: string }, what: string, body?: unknown, key = stage.key) =>
  stage.call<Answered>('POST', `/v1/refunds/${refund.out_refund_no}/${what}`, body, { key })
const commands = () => stage.given.map(({ command }) => command)
const state = ({ state, revision }: RefundRecord) => ({ kind: 'state', state, revision }) as const
const refused = (code: 'refund_state' | 'wechat_refused' | 'approver_is_requester' | 'refund_exceeds_payment') =>
  ({ kind: 'refused', code, state: 'processing' }) as const

async function created(): Promise<RefundRecord> {
  const { order } = await paidOrder(stage)
  const out_refund_no = newNumber('R')
  stage.on = { reserve: async (refund) => state((await stage.store.refunds.find(refund)) as RefundRecord) }
  await stage.call('POST', '/v1/refunds', { out_refund_no, out_trade_no: order.out_trade_no, amount: { refund: 90 } })
  stage.on = {}
  stage.given.length = 0
  return (await stage.store.refunds.find({ mchid, out_refund_no })) as RefundRecord
}

const waiting = async () => await reserve(stage, await created(), beijingTime(Date.now() + 60_000))
const accepted = { event: 'accepted', facts, next_query_time: at(0) } as const
const processing = async () => await refundBecomes(stage, await reserve(stage, await created()), accepted)
const ended = async (event: 'abnormal' | 'closed' | 'returned_to_merchant' | 'succeeded') =>
  await refundBecomes(stage, await processing(), { event, facts })

describe('an approval', () => {
  /** A run that records what it is told. */
  const recording = {
    approve: async (refund: { mchid: string; out_refund_no: string }, { decision, actor, reason }: RefundApproval) =>
      state(
        await refundBecomes(stage, refund, { event: decision === 'approve' ? 'approved' : 'rejected', actor, reason }),
      ),
  }

  it('lets a waiting refund go, and says who gave it', async () => {
    const refund = await waiting()
    stage.on = recording
    const { status, body } = await ask(refund, 'approval', { decision: 'approve', reason: 'seen' }, approver)
    expect([status, body.state]).toEqual([200, 'processing'])
    expect(body.approval).toMatchObject({
      decision: 'approve',
      by: { kind: 'merchant', id: approver.id },
      reason: 'seen',
    })
  })

  it('is given once: the same again is 200, another answer is 409 and shows the first', async () => {
    const refund = await waiting()
    stage.on = recording
    await ask(refund, 'approval', { decision: 'reject', reason: 'no receipt' }, approver)
    const again = await ask(refund, 'approval', { decision: 'reject', reason: 'still none' }, approver)
    const other = await ask(refund, 'approval', { decision: 'approve', reason: 'found' }, approver)
    expect([again.status, again.body.state, again.body.approval?.reason]).toEqual([200, 'rejected', 'no receipt'])
    expect([other.status, other.body.code, other.body['result']]).toEqual([409, 'already_decided', 'reject'])
    expect(commands()).toEqual(['approve'])
  })

  it.each(['approve', 'reject'])('to %s never comes from the key that asked for the refund', async (decision) => {
    const { status, body } = await ask(await waiting(), 'approval', { decision, reason: 'mine' })
    expect([status, body.code]).toEqual([403, 'approver_is_requester'])
    expect(commands()).toEqual([])
  })

  it('needs its scope and a reason', async () => {
    const refund = await waiting()
    const key = await stage.newKey({ scopes: ['refunds:read', 'refunds:write'] })
    const unscoped = await ask(refund, 'approval', { decision: 'approve', reason: 'x' }, key)
    expect([unscoped.status, unscoped.body['required_scope']]).toEqual([403, 'refunds:approve'])
    expect((await ask(refund, 'approval', { decision: 'approve' }, approver)).status).toBe(400)
  })

  it('of a refund that waits for none is refused', async () => {
    const { status, body } = await ask(await processing(), 'approval', { decision: 'approve', reason: 'x' }, approver)
    expect([status, body.code, body['state']]).toEqual([409, 'refund_state', 'processing'])
    expect(body['allowed']).toEqual(['awaiting_approval'])
  })

  it('that nobody recorded is not promised', async () => {
    const refund = await waiting()
    const answerTo = async (outcome: 'timeout' | 'unavailable') => {
      stage.on = { approve: () => Promise.resolve(outcome) }
      const { status, body } = await ask(refund, 'approval', { decision: 'approve', reason: 'x' }, approver)
      return [status, body['part']]
    }
    expect([await answerTo('timeout'), await answerTo('unavailable')]).toEqual([
      [503, 'workers'],
      [503, 'temporal'],
    ])
  })

  it('that its run refuses is refused in its words', async () => {
    const refund = await waiting()
    stage.on = { approve: () => Promise.resolve(refused('approver_is_requester')) }
    const { status, body } = await ask(refund, 'approval', { decision: 'approve', reason: 'x' }, approver)
    expect([status, body.code]).toEqual([403, 'approver_is_requester'])
  })
})

describe('asking WeChat now', () => {
  it('answers with the refund as the answer leaves it', async () => {
    const refund = await processing()
    stage.on = {
      checkRefund: async () => {
        await stage.store.refunds.noteAsked(refund, beijingTime(Date.now()))
        await refundBecomes(stage, refund, { event: 'succeeded', facts })
      },
    }
    const { status, body } = await ask(refund, 'check')
    expect([status, body.state]).toEqual([200, 'succeeded'])
    expect(body.last_check_time).not.toBeNull()
  })

  it('is done once in five seconds', async () => {
    const refund = await processing()
    const moment = Date.now()
    stage.still_ms = moment
    stage.on = { checkRefund: async () => void (await stage.store.refunds.noteAsked(refund, beijingTime(moment))) }
    const first = await ask(refund, 'check')
    const again = await ask(refund, 'check')
    stage.still_ms = null
    expect(again.body.last_check_time).toBe(first.body.last_check_time)
    expect(commands()).toEqual(['checkRefund'])
  })

  it('is not done for a refund that WeChat cannot know, but of what it has ended: it may tell otherwise now', async () => {
    const moment = Date.now()
    stage.on = { checkRefund: async (key) => void (await stage.store.refunds.noteAsked(key, beijingTime(moment))) }
    const unsent = await waiting()
    expect((await ask(unsent, 'check')).body.state).toBe(unsent.state)
    expect(commands()).toEqual([])
    const closed = await ended('closed')
    expect((await ask(closed, 'check')).body.state).toBe(closed.state)
    expect(commands()).toEqual(['checkRefund'])
  })

  it('of an unknown number takes in the refund that somebody made outside', async () => {
    const known = await processing()
    const out_refund_no = newNumber('OUT')
    const outside = {
      ...known,
      _id: `${mchid}/${out_refund_no}`,
      out_refund_no,
      sent: null,
      origin: 'outside' as const,
    }
    stage.on = { checkRefund: async () => void (await stage.store.refunds.insert(outside)) }
    const { status, body } = await ask({ out_refund_no }, 'check')
    expect([status, body.origin, body.out_refund_no]).toEqual([200, 'outside', out_refund_no])
    expect(stage.given[0]?.arguments[0]).toEqual({ mchid, out_refund_no, out_trade_no: '-' })
  })

  it('of a number that WeChat does not know either is not found', async () => {
    const { status, body } = await ask({ out_refund_no: newNumber('R') }, 'check')
    expect([status, body.code]).toEqual([404, 'not_found'])
  })
})

describe('an abnormal refund', () => {
  const card = { type: 'USER_BANK_CARD', bank_type: 'ICBC_DEBIT', bank_account: '6222020000000000', real_name: '张三' }
  const keyring = createKeyring({ keys: [platformPublicKey], download: () => Promise.resolve([]), now: Date.now })
  const account = {
    find: () => Promise.resolve({ mchid, client: { keyring } } as WeChatAccount),
    forget: () => undefined,
  }

  it('goes to another card, whose number and owner only WeChat can read', async () => {
    const refund = await ended('abnormal')
    stage.accounts = account
    stage.on = {
      handleAbnormal: async () => {
        const resumed = { event: 'resumed', facts, next_query_time: at(0) } as const
        return state(await refundBecomes(stage, refund, resumed))
      },
    }
    const { status, body } = await ask(refund, 'abnormal', card)
    expect([status, body.state]).toEqual([200, 'processing'])
    const handling = stage.given[0]?.arguments[1] as AbnormalHandling
    expect(handling).toMatchObject({ type: 'USER_BANK_CARD', bank_type: 'ICBC_DEBIT', serial_no: publicKeyId })
    const opened = [handling.bank_account, handling.real_name].map((field) =>
      decryptField(field ?? '', privateKey('go-sdk')),
    )
    expect(opened).toEqual([card.bank_account, card.real_name])
    expect(JSON.stringify([stage.given, body])).not.toMatch(/6222020000000000|张三/)
  })

  it('goes to another card above the limit only by a second person, and below it by anybody', async () => {
    const refund = await ended('abnormal')
    stage.accounts = account
    stage.on = { handleAbnormal: () => Promise.resolve(state(refund)) }
    const limit = async (above: number | null, above_per_day: number | null = null) => {
      const merchant = await stage.store.merchants.find(mchid)
      if (merchant === null) throw new Error('no merchant')
      const refund_approval = above === null && above_per_day === null ? null : { above, above_per_day }
      await stage.store.merchants.updateSettings(mchid, { ...merchant.settings, refund_approval })
    }
    const writer = await stage.newKey({ scopes: ['refunds:write'] })
    const second = await stage.newKey({ scopes: ['refunds:write', 'refunds:approve'] })
    const said = async (key = stage.key, body: object = card) => {
      const answer = await ask(refund, 'abnormal', body, key)
      return `${answer.status} ${answer.body.code ?? ''}`.trim()
    }
    await limit(89)
    expect([await said(), await said(writer)]).toEqual(['403 approver_is_requester', '403 forbidden'])
    expect(commands()).toEqual([])
    expect([await said(second), await said(stage.key, { type: 'MERCHANT_BANK_CARD' })]).toEqual(['200', '200'])
    await limit(90)
    expect(await said()).toBe('200')
    await limit(null)
    expect(await said()).toBe('200')
    await limit(null, 89)
    expect(await said()).toBe('403 approver_is_requester')
    await limit(null, 90)
    expect(await said()).toBe('200')
  })

  it('goes to the merchant without a card', async () => {
    const refund = await ended('abnormal')
    stage.accounts = account
    stage.on = { handleAbnormal: () => Promise.resolve(state(refund)) }
    expect((await ask(refund, 'abnormal', { type: 'MERCHANT_BANK_CARD' })).status).toBe(200)
    const plain = { bank_type: null, bank_account: null, real_name: null, serial_no: publicKeyId }
    expect(stage.given[0]?.arguments[1]).toMatchObject(plain)
  })

  it.each([
    ['a card without its owner', { ...card, real_name: null }],
    ['the merchant’s account with a card', { ...card, type: 'MERCHANT_BANK_CARD' }],
    ['a card number with letters', { ...card, bank_account: 'ABCDEFGH' }],
    ['another way', { type: 'CASH' }],
  ])('does not go to %s, and nothing of it is said back', async (_, body) => {
    const refund = await ended('abnormal')
    const answer = await ask(refund, 'abnormal', body)
    expect(answer.status).toBe(400)
    expect(JSON.stringify(answer.body)).not.toMatch(/6222020000000000|张三|ABCDEFGH/)
    expect(commands()).toEqual([])
  })

  it('whose card WeChat refuses is answered in WeChat’s words', async () => {
    const refund = await ended('abnormal')
    stage.accounts = account
    const wechat = { code: 'PARAM_ERROR', message: '银行卡号错误' }
    stage.on = { handleAbnormal: () => Promise.resolve({ ...refused('wechat_refused'), wechat }) }
    const { status, body } = await ask(refund, 'abnormal', card)
    expect([status, body.code, body.wechat?.code]).toEqual([422, 'wechat_refused', 'PARAM_ERROR'])
  })

  it('that WeChat took the card of, and answered wrongly, is answered as it is: nobody has to send the card again', async () => {
    const refund = await ended('abnormal')
    stage.accounts = account
    const since_time = at(9)
    stage.on = {
      handleAbnormal: async () => {
        await stage.store.refunds.noteAttention(refund, 'abnormal', { code: 'evidence_unapplied', since_time })
        return refused('refund_state')
      },
    }
    const { status, body } = await ask(refund, 'abnormal', card)
    expect([status, body.state, body.attention?.code]).toEqual([200, 'abnormal', 'evidence_unapplied'])
    stage.on = { handleAbnormal: () => Promise.resolve(refused('wechat_refused')) }
    expect((await ask(refund, 'abnormal', card)).status).toBe(422)
  })

  it('is the only one that can be redirected', async () => {
    const { status, body } = await ask(await processing(), 'abnormal', card)
    expect([status, body.code, body['allowed']]).toEqual([409, 'refund_state', ['abnormal']])
  })

  it('of a merchant without a set-up says so', async () => {
    expect((await ask(await ended('abnormal'), 'abnormal', card)).body.code).toBe('merchant_not_ready')
  })
})

describe('a payout', () => {
  const recording = {
    payOut: async (refund: RefundRecord | object, { proof, reason, actor }: PayoutCommand) => {
      const payout = { proof, reason: reason ?? '', by: actor, time: at(9) }
      return state(await refundBecomes(stage, refund as RefundRecord, { event: 'paid_out', payout }))
    },
  }
  const paid = { proof: 'transfer 17', reason: 'WeChat paid us' }

  it.each(['returned_to_merchant', 'closed'] as const)('of a refund that is %s is recorded once', async (event) => {
    const refund = await ended(event)
    stage.on = recording
    const first = await ask(refund, 'payout', paid)
    expect([first.status, first.body.payout?.proof, first.body.payout?.by.id]).toEqual([200, paid.proof, stage.key.id])
    const again = await ask(refund, 'payout', { ...paid, reason: 'again' })
    const other = await ask(refund, 'payout', { ...paid, proof: 'transfer 18' })
    expect([again.status, again.body.payout?.reason]).toEqual([200, paid.reason])
    expect([other.status, other.body.code, other.body['result']]).toEqual([409, 'already_decided', 'transfer 17'])
    expect(commands()).toEqual(['payOut'])
  })

  it('of a refund that reached the payer, or may still, is refused', async () => {
    for (const refund of [await processing(), await ended('succeeded')]) {
      const { status, body } = await ask(refund, 'payout', paid)
      expect([status, body.code]).toEqual([409, 'refund_state'])
    }
  })

  it('that the payment has no room for says how much there is', async () => {
    const refund = await ended('closed')
    stage.on = { payOut: () => Promise.resolve(refused('refund_exceeds_payment')) }
    const { status, body } = await ask(refund, 'payout', paid)
    expect([status, body.code, body['refundable']]).toEqual([409, 'refund_exceeds_payment', 900])
  })

  it('needs its scope, its proof and its reason', async () => {
    const refund = await ended('closed')
    const key = await stage.newKey({ scopes: ['refunds:write', 'money:read'] })
    expect((await ask(refund, 'payout', paid, key)).body['required_scope']).toBe('money:write')
    const { body } = await ask(refund, 'payout', {})
    expect(body.errors.map(({ field }) => field)).toEqual(['/proof', '/reason'])
  })
})
