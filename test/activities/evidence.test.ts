import { describe, expect, it } from 'vitest'
import { evidenceSample, placed } from '../store/samples.ts'
import { World } from '../stage/world.ts'

/** An order that is paid with a promotion that WeChat tells of like this. */
async function paidWith(promotion: unknown): Promise<World> {
  const world = await World.open('none', [])
  await world.store.orders.apply(world.key, placed())
  const told = JSON.parse(world.wechat.transaction({ id: 'T1', total: 990 })) as object
  const body = JSON.stringify({ ...told, promotion_detail: [promotion] })
  const { evidence } = await world.store.evidence.archive({
    ...evidenceSample('n1'),
    out_trade_no: world.key.out_trade_no,
    raw: { headers: { 'wechatpay-timestamp': '1' }, body },
  })
  await tell(world, evidence._id)
  return world
}

const tell = (world: World, evidence_id: string) =>
  world.perform('recordPayment', { order: world.key, found: { evidence_id } })

const attentions = async ({ store, key }: World) =>
  ((await store.merchants.find(key.mchid))?.attentions ?? []).map(({ code }) => code)

describe('a payment with a promotion', () => {
  it('that is understood is settled without it, and nobody has to look', async () => {
    const world = await paidWith({ type: 'NOCASH', amount: 90 })
    expect((await world.store.payments.find(world.key.mchid, 'T1'))?.settled_total).toBe(900)
    expect(await attentions(world)).toEqual([])
  })

  it('that cannot be understood is booked all the same, and a person hears that it may settle for less', async () => {
    const world = await paidWith({ type: 'NOCASH', amount: 'ninety' })
    expect((await world.record()).state).toBe('paid')
    expect((await world.store.payments.find(world.key.mchid, 'T1'))?.settled_total).toBe(990)
    expect(await attentions(world)).toEqual(['promotion_unreadable'])
  })

  it('is not told of again once a person has looked, however often its evidence is', async () => {
    const world = await paidWith({ type: 'NOCASH' })
    expect(await world.store.merchants.liftAttention(world.key.mchid, 'promotion_unreadable')).toBe(true)
    const [evidence] = await world.store.evidence.ofOrder(world.key.mchid, world.key.out_trade_no)
    await tell(world, evidence?._id ?? '')
    expect(await attentions(world)).toEqual([])
  })
})

describe('a notification that travelled in a signal', () => {
  const arrives = async (world: World, transaction: { id: string; total: number }) => {
    const body = world.wechat.transaction(transaction)
    const envelope = { headers: { 'wechatpay-timestamp': '1' }, body }
    await world.perform('recordPayment', { order: world.key, found: { envelope } })
  }

  it('is booked for what it says itself, though another message had its id before', async () => {
    const world = await World.open('none', [])
    await world.store.orders.apply(world.key, placed())
    await arrives(world, { id: 'T1', total: 990 })
    expect(await attentions(world)).toEqual([])
    await arrives(world, { id: 'T2', total: 990 })
    const { mchid, out_trade_no } = world.key
    expect((await world.store.payments.find(mchid, 'T2'))?.role).toBe('second')
    expect(await attentions(world)).toContain('evidence_unapplied')
    expect(await world.store.evidence.ofOrder(mchid, out_trade_no)).toHaveLength(2)
  })
})
