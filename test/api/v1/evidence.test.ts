import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { scopes } from '../../../domain/merchant/scope.ts'
import { newEvidence, rawPlace } from '../../../store/evidence.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { at, mchid } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const store = memoryStore(createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] }))
const stage = await playApi(store)
afterAll(() => stage.close())

interface Shown {
  id: string
  kind: string
  wechat_request_id: string | null
  content: string | null
}

const out_trade_no = 'TEA-0001'
const about = { mchid, subject: 'payment', out_trade_no, transaction_id: 'tx1' } as const
const envelope = { headers: { 'request-id': 'REQ-1', 'wechatpay-timestamp': '1' }, body: '{"resource":"sealed"}' }
const notification = newEvidence({
  ...about,
  ...{ _id: `${mchid}/notification/n1`, kind: 'notification', raw: envelope, body: envelope.body, receive_time: at(1) },
})
const answer_id = { _id: `${mchid}/query/${out_trade_no}/SUCCESS/tx1` }
const said = { headers: { 'request-id': 'REQ-2' }, body: '{"payer":{"openid":"o1"}}' }
const answer = newEvidence({
  ...about,
  ...answer_id,
  ...{ kind: 'query', raw: store.sealer.seal(JSON.stringify(said), rawPlace(answer_id)), body: said.body },
  receive_time: at(2),
})
for (const one of [notification, answer]) await store.evidence.archive(one)

const show = (id: string, query = '', key = stage.key) =>
  stage.call<Shown>('GET', `/v1/evidence/${id}${query}`, undefined, { key })

describe('the evidence of an order', () => {
  it('is listed by its number, newest first, without what it says', async () => {
    const { body } = await stage.call<{ data: Shown[] }>('GET', `/v1/evidence?out_trade_no=${out_trade_no}`)
    expect(body.data.map(({ id }) => id)).toEqual([answer.id, notification.id])
    expect(JSON.stringify(body)).not.toContain('openid')
    expect((await stage.call('GET', '/v1/evidence')).status).toBe(400)
    const elsewhere = await stage.call<{ data: Shown[] }>('GET', '/v1/evidence?out_trade_no=TEA-0002')
    expect(elsewhere.body.data).toEqual([])
  })

  it('shows WeChat Pay’s Request-ID, and in the clear only who asks for it', async () => {
    expect((await show(answer.id)).body).toMatchObject({ wechat_request_id: 'REQ-2', content: null })
    expect((await show(answer.id, '?decrypt=true')).body).toMatchObject({ content: said.body })
    expect((await show('evd_nothing')).status).toBe(404)
  })

  it('is decrypted where it is a notification, and shown as it came where it cannot be', async () => {
    expect((await show(notification.id, '?decrypt=true')).body).toMatchObject({ content: envelope.body })
    const read = () => ({ verdict: 'verified', plaintext: '{"trade_state":"SUCCESS"}' })
    stage.accounts.find = () => Promise.resolve({ read } as never)
    const shown = await show(notification.id, '?decrypt=true')
    expect(shown.body).toMatchObject({ wechat_request_id: 'REQ-1', content: '{"trade_state":"SUCCESS"}' })
  })

  it('is not read in the clear by a key that may only read', async () => {
    const key = await stage.newKey({ scopes: scopes.filter((scope) => scope !== 'evidence:decrypt') })
    expect((await show(answer.id, '', key)).status).toBe(200)
    const refused = await show(answer.id, '?decrypt=true', key)
    expect([refused.status, refused.body['required_scope' as never]]).toEqual([403, 'evidence:decrypt'])
  })
})
