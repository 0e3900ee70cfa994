import { afterAll, describe, expect, it } from 'vitest'
import { giveBack, takeOver } from '../../../dev/takeover.ts'
import type { ProblemBody } from '../../../api/http/problem.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const stage = await Stage.open({ settings: { fulfilment: { mode: 'event' } } })
afterAll(async () => {
  await stage.close()
})

interface EventAnswer {
  id: string
  type: string
  sequence: number
  data: { order: { state: string; out_trade_no: string } }
  deliveries: { id: string; endpoint_id: string; state: string }[]
}
interface DeliveryAnswer {
  id: string
  event_id: string
  state: string
  attempts: { number: number; status: number | null; read_as: string; remark: string | null }[]
}
interface List<T> {
  data: T[]
  next_cursor: string | null
}

/** An order that is paid and shipped, both of whose events can be read: they are derived right after its states. */
async function fulfilled(): Promise<OrderKey> {
  const order = await stage.ordered()
  stage.pay(order)
  await stage.reaches(order, 'fulfilled')
  const told = () => stage.store.events.ofOrder(order.mchid, order.out_trade_no)
  await until('both events', async () => (await told()).length === 2)
  return order
}

describe('the events of an order', () => {
  it('are told in their order, each with the state at its time and its deliveries', async () => {
    const { out_trade_no } = await fulfilled()
    const path = `/v1/events?out_trade_no=${out_trade_no}&order=asc`
    const { data: events } = (await stage.call<List<EventAnswer>>('GET', path)).body
    expect(events.map(({ type, sequence, data }) => [type, sequence, data.order.state])).toEqual([
      ['order.paid', 1, 'paid'],
      ['order.fulfilled', 2, 'fulfilled'],
    ])
    const [paid] = events
    const one = await stage.call<EventAnswer>('GET', `/v1/events/${paid?.id}`)
    expect(one.body.data.order.out_trade_no).toBe(out_trade_no)
    expect(one.body.deliveries).toHaveLength(1)
    const [heard] = stage.shop.of(out_trade_no)
    expect(one.body.id).toBe(heard?.id)
  })

  it('are not needed to see how answers are read: a ping says it, and decides nothing', async () => {
    const { body: all } = await stage.call<{ data: { id: string }[] }>('GET', '/v1/endpoints')
    const ping = () => stage.call<DeliveryAnswer>('POST', `/v1/endpoints/${all.data[0]?.id}/ping`)
    const well = await ping()
    expect([well.status, well.body]).toMatchObject([
      200,
      { event_type: 'test.ping', state: 'delivered', attempts: [{ number: 1, status: 200, read_as: 'fulfilled' }] },
    ])
    const usual = stage.shop.answer
    stage.shop.answer = ({ type }) =>
      type === 'test.ping' ? { status: 200, body: '{"fulfilment":"REFUSED"}' } : usual({ type } as never)
    const badly = await ping()
    stage.shop.answer = usual
    expect(badly.body).toMatchObject({ state: 'undelivered', attempts: [{ number: 1, read_as: 'not heard' }] })
    expect(badly.body.attempts[0]?.remark).toContain('REFUSED')
    expect((await stage.call('GET', '/v1/attention')).body).toMatchObject({ data: [] })
  })

  it('are decided by a developer’s own shop while it has taken over, and by the one before after that', async () => {
    // As .weft/demo.env names it: the shop's page, at another name of the machine than its endpoint.
    const demo = {
      weft_url: stage.config.public_url,
      key: stage.key,
      shop_url: stage.shop.url.replace('127.0.0.1', 'localhost'),
    }
    const own = 'http://127.0.0.1:9/weft'
    const deciding = async () => {
      const { body } = await stage.call<{ data: { url: string; role: string }[] }>('GET', '/v1/endpoints')
      return body.data.filter(({ role }) => role === 'fulfilment').map(({ url }) => url)
    }
    const secret = await takeOver(demo, own)
    expect(secret).toMatch(/^whsec_/)
    expect(await deciding()).toEqual([own])
    expect(await takeOver(demo, own)).not.toBe(secret)
    expect(await deciding()).toEqual([own])
    await giveBack(demo)
    expect(await deciding()).toEqual([stage.shop.url])
    const { body } = await stage.call<{ data: { id: string; url: string }[] }>('GET', '/v1/endpoints')
    const { id } = body.data.find(({ url }) => url === own) ?? {}
    expect(
      (
        await fetch(`${demo.weft_url}/v1/endpoints/${id}`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${stage.key}` },
        })
      ).status,
    ).toBe(204)
  })

  it('can be filtered, paged, and are nobody else’s', async () => {
    await Promise.all([fulfilled(), fulfilled()])
    const first = await stage.call<List<EventAnswer>>('GET', '/v1/events?type=order.paid&limit=1')
    const second = await stage.call<List<EventAnswer>>(
      'GET',
      `/v1/events?type=order.paid&limit=1&cursor=${first.body.next_cursor}`,
    )
    expect(first.body.data[0]?.type).toBe('order.paid')
    expect(second.body.data[0]?.id).not.toBe(first.body.data[0]?.id)
    const future = await stage.call<List<EventAnswer>>('GET', '/v1/events?time_from=2036-01-01T00:00:00Z')
    expect(future.body).toEqual({ data: [], next_cursor: null })
    expect((await stage.call<ProblemBody>('GET', '/v1/events?type=order.lost')).status).toBe(400)
    expect((await stage.call<ProblemBody>('GET', '/v1/events/evt_nothing')).status).toBe(404)
  })
})

describe('the feed', () => {
  interface Feed extends List<EventAnswer> {
    next_cursor: string
    has_more: boolean
  }
  const read = async (cursor: string | null) => {
    const from = cursor === null ? '' : `&cursor=${cursor}`
    return (await stage.call<Feed>('GET', `/v1/events?order=asc&limit=3${from}`)).body
  }

  it('has a cursor at its end too, from which it goes on with all that came', async () => {
    const followed = { ids: [] as string[], cursor: null as string | null }
    const follow = async () => {
      for (let has_more = true; has_more;) {
        const page = await read(followed.cursor)
        followed.ids.push(...page.data.map(({ id }) => id))
        followed.cursor = page.next_cursor
        has_more = page.has_more
      }
    }
    await fulfilled()
    await follow()
    expect((await read(followed.cursor)).data).toEqual([])
    const { mchid, out_trade_no } = await fulfilled()
    await until('both new events were followed', async () => {
      await follow()
      const told = await stage.store.events.ofOrder(mchid, out_trade_no)
      return told.length === 2 && told.every(({ id }) => followed.ids.includes(id))
    })
    expect((await stage.call<ProblemBody>('GET', '/v1/events?order=asc&cursor=nonsense')).status).toBe(400)
  })
})

describe('a delivery', () => {
  it('shows its attempts and how the answer was read', async () => {
    const { out_trade_no } = await fulfilled()
    const path = `/v1/deliveries?out_trade_no=${out_trade_no}&state=delivered`
    const { body } = await stage.call<List<DeliveryAnswer>>('GET', path)
    expect(body.data).toHaveLength(1)
    const one = await stage.call<DeliveryAnswer>('GET', `/v1/deliveries/${body.data[0]?.id}`)
    expect(one.body).toMatchObject({ state: 'delivered', attempts: [{ number: 1, status: 200 }] })
    expect(one.body.event_id).toBe(stage.shop.of(out_trade_no)[0]?.id)
    expect((await stage.call<ProblemBody>('GET', '/v1/deliveries/dlv_nothing')).status).toBe(404)
  })
})
