import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { at, deliverySample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const store = memoryStore(createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] }))
const stage = await playApi(store)
afterAll(() => stage.close())

interface Sent {
  count: number
  is_complete: boolean
  next_cursor: string | null
}
const send = (body: object) => stage.call<Sent>('POST', '/v1/redeliveries', body)
const sent = () => stage.given.filter(({ command }) => command === 'redeliver').length

describe('events that were given up', () => {
  it('are counted, then sent once more a hundred at a time, each once', async () => {
    const given_up = Array.from({ length: 130 }, (_, n) => deliverySample(`T-${n}`, 1, { state: 'undelivered' }))
    const others = [
      deliverySample('HEARD', 1, { state: 'delivered' }),
      deliverySample('WAITS', 1, { state: 'waiting' }),
      deliverySample('ELSEWHERE', 1, { state: 'undelivered', endpoint_id: 'ep_two', create_time: at(500) }),
    ]
    await store.deliveries.insertMissing([...given_up, ...others])
    expect((await send({ preview: true })).body).toEqual({ count: 131, is_complete: true, next_cursor: null })
    expect((await send({ preview: true, endpoint_id: 'ep_two' })).body.count).toBe(1)
    expect((await send({ preview: true, create_time_from: at(400) })).body.count).toBe(1)
    expect(sent()).toBe(0)
    const first = await send({ endpoint_id: 'ep_one' })
    expect([first.status, first.body.count, first.body.is_complete]).toEqual([202, 100, false])
    const rest = await send({ endpoint_id: 'ep_one', cursor: first.body.next_cursor })
    expect(rest.body).toEqual({ count: 30, is_complete: true, next_cursor: null })
    const numbers = stage.given.map(({ arguments: [delivery] }) => (delivery as { out_trade_no: string }).out_trade_no)
    expect(new Set(numbers).size).toBe(130)
  })

  it('are not sent for a cursor of another choice', async () => {
    const before = sent()
    const first = await send({ endpoint_id: 'ep_one' })
    expect((await send({ endpoint_id: 'ep_two', cursor: first.body.next_cursor })).status).toBe(400)
    expect(sent()).toBe(before + 100)
  })

  it('are not sent more often than the merchant has its turn, but counted', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send({ endpoint_id: 'ep_two' })))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const { headers } of refused) expect(headers.get('retry-after')).toMatch(/^([1-9]|10)$/)
    expect((await send({ preview: true })).status).toBe(200)
  })
})
