import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { createLimits } from '../../wechat/limits.ts'
import type { WeChatOperation } from '../../wechat/errors.ts'
import { createMembership, member_every_ms } from '../../worker/membership.ts'
import { freshStore } from '../store/database.ts'

const { store, drop } = await freshStore({ is_indexed: false })
afterAll(drop)
const clock = { now: 0 }
const whole = { of: 1, rank: 0 }
const guest = { of: 32, rank: 31 }

beforeEach(async () => {
  for (const { _id } of await store.members.all()) await store.members.leave(_id)
})

function process(id: string) {
  const membership = createMembership({ members: store.members, now: () => clock.now, id })
  const limits = createLimits({ now: () => clock.now, share: membership.share })
  return { id, ...membership, limits }
}
async function rounds(processes: { look(): Promise<void> }[], count: number) {
  for (let round = 0; round < count; round += 1) {
    clock.now += member_every_ms
    for (const each of processes) await each.look()
  }
}

describe('the processes that call WeChat Pay', () => {
  it('have the whole alone, and half each once both count the other; a newcomer is a guest until then', async () => {
    const [a, b] = [process('a'), process('b')]
    await a.look()
    expect(a.share()).toEqual(whole)
    await b.look()
    expect([a.share(), b.share()]).toEqual([whole, guest])
    await rounds([b], 1)
    expect(b.share()).toEqual(guest)
    await rounds([a, b], 3)
    expect([a.share(), b.share()]).toEqual([
      { of: 2, rank: 0 },
      { of: 2, rank: 1 },
    ])
    await b.leave()
    await rounds([a], 3)
    expect(a.share()).toEqual(whole)
  })

  it('give the share of one that died to the others, which itself has stopped believing in it by then', async () => {
    const [a, b] = [process('a'), process('b')]
    await rounds([a, b], 5)
    await rounds([a], 4)
    expect([a.share(), b.share()]).toEqual([{ of: 2, rank: 0 }, guest])
    await rounds([a], 4)
    expect([a.share(), b.share()]).toEqual([whole, guest])
    await b.look()
    expect(b.share()).toEqual(guest)
    await rounds([a, b], 3)
    expect([a.share().of, b.share().of]).toEqual([2, 2])
  })

  it.each([
    ['refund', 200, 150],
    ['refund', 403, 6],
    ['place', 200, 500],
    ['query_refund', 200, 300],
    ['fund_flow_bill', 200, 3],
  ] as const)(
    'stay together, as %s answered %i, under %i in any second, come and go',
    async (operation, status, most) => {
      const sent: number[] = []
      const call = async ({ limits }: ReturnType<typeof process>, what: WeChatOperation) => {
        for (let is_sent = true; is_sent;) {
          is_sent = await limits
            .run(what, () => Promise.resolve({ status }))
            .then(
              () => true,
              () => false,
            )
          if (is_sent) sent.push(clock.now)
        }
      }
      const [a, b] = [process('a'), process('b')]
      const started = clock.now
      for (let ms = 0; ms < 40_000; ms += 20) {
        clock.now = started + ms
        const is_a_alive = ms < 12_000 || ms > 30_000
        if (is_a_alive && ms % member_every_ms === 0) await a.look()
        if (ms >= 4_500 && (ms - 700) % member_every_ms === 0) await b.look()
        if (is_a_alive) await call(a, operation)
        if (ms >= 4_700) await call(b, operation)
      }
      const greatest = sent.reduce((max, from, at) => {
        let end = at
        while (end < sent.length && (sent[end] ?? 0) < from + 1_000) end += 1
        return Math.max(max, end - at)
      }, 0)
      expect(greatest).toBeLessThanOrEqual(most)
      expect(sent.length).toBeGreaterThan(most * 5)
    },
  )
})

it.each([1, 2, 3, 4, 5, 6, 7, 8, 20])('the parts of %i stay under what WeChat Pay takes in any second', async (of) => {
  const published = [
    ['refund', 200, 150],
    ['refund', 403, 6],
    ['place', 200, 500],
    ['query_refund', 200, 300],
    ['abnormal_refund', 200, 150],
    ['fund_flow_bill', 200, 3],
  ] as const
  for (const [operation, status, most] of published) {
    const guests = Array.from({ length: 8 }, () => guest)
    const shares = [...Array.from({ length: of }, (_, rank) => ({ of, rank })), ...guests]
    const all = shares.map((share) => createLimits({ now: () => clock.now, share: () => share }))
    let sent = 0
    for (let ms = 0; ms < 1_000; ms += 20) {
      for (const limits of all)
        while (
          await limits
            .run(operation, () => Promise.resolve({ status }))
            .then(
              () => true,
              () => false,
            )
        )
          sent += 1
      clock.now += 20
    }
    expect(sent, operation).toBeLessThanOrEqual(most)
    expect(sent, operation).toBeGreaterThan(0)
  }
})
