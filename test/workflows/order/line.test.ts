import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evidenceId, workflowId } from '../../../domain/ids.ts'
import { order_updates, signals } from '../../../domain/messages.ts'
import { workflowCode } from '../../stage/bundle.ts'
import { paidOrder, reserved } from '../../stage/acts.ts'
import { Driver } from '../../stage/driver.ts'
import type { Run } from '../../stage/driver.ts'
import { Runs } from '../../stage/runs.ts'
import { World } from '../../stage/world.ts'
import type { ShopAnswer } from '../../stage/world.ts'

const actor = { kind: 'merchant', id: 'key-1' }

describe('an order whose first attempts are made in line', () => {
  let driver: Driver
  beforeAll(async () => {
    const { code } = await workflowCode()
    driver = await Driver.open(code, World.activities)
  })
  afterAll(async () => await driver.close())

  /** An order that nothing has happened to, in a process that has seen that all are quick. */
  async function begun(shop: ShopAnswer[] = [], is_warm = true) {
    const world = await World.open('event', shop)
    if (is_warm) await world.warm()
    return storyOf(world)
  }
  function storyOf(world: World) {
    const runs = new Runs(driver, world, (_id, { ending }) => {
      expect(ending).toMatchObject({ kind: 'completed' })
      return Promise.resolve()
    })
    return { world, runs, run: () => runs.running('payOrder', workflowId.order(world.key), world.key) }
  }
  type Story = ReturnType<typeof storyOf>

  /** Goes on, over all waits, until `isThere` or until nothing is left to do. */
  async function goOn({ world, runs }: Story, isThere: () => Promise<boolean> = () => Promise.resolve(false)) {
    while (!runs.isEmpty && !(await isThere())) if (!(await runs.proceed())) runs.pass()
    return await world.record()
  }
  const isIn =
    (state: string, { world }: Story) =>
    async () =>
      (await world.record()).state === state

  async function placed(story: Story): Promise<Run> {
    const run = await story.run()
    await goOn(story, isIn('awaiting_payment', story))
    return run
  }
  async function pay({ world, run }: Story, id = 'T1') {
    const transaction = { id, total: 990 }
    ;(id === 'T1' ? world.wechat.transactions : world.wechat.seconds).push(transaction)
    ;(await run()).signal(signals.payment_found, { evidence_id: await world.notified(transaction) })
  }
  /** All of the money is asked back. */
  async function askForRefund({ world, run }: Story) {
    await reserved(world, 'R1', 'T1', 990)
    const command = { operation_id: 'refund_requested:R1', actor, reason: null, out_refund_no: 'R1' }
    ;(await run()).update(order_updates.request_refund, 'refund', command)
  }
  const eventsOf = async ({ world }: Story) => (await world.record()).timeline.map(({ event }) => event)
  const way_in_line = ['load', 'placeInLine', 'recordPlaced', 'recordPayment', 'deliverPaidInLine', 'recordFulfilment']

  it('needs no other activity when WeChat and the shop answer quickly', async () => {
    const story = await begun()
    await placed(story)
    await pay(story)
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(story.world.performed).toEqual(way_in_line)
  })

  it('has the answer linked to a question that it called off for the notification of the money', async () => {
    const story = await begun()
    const { world } = story
    const run = await placed(story)
    while (run.timers.size === 0) await story.runs.proceed() // it waits for its first question
    const paid = { id: 'T1', total: 990 }
    world.wechat.transactions.push(paid)
    run.signal(signals.check_requested)
    await run.activate(world.now_ms)
    await world.perform('askOnRequest', { order: world.key, operation_id: 'check:1' }) // its answer finds nobody
    run.signal(signals.payment_found, { evidence_id: await world.notified(paid) })
    expect((await goOn(story)).state).toBe('fulfilled')
    const { mchid, out_trade_no } = world.key
    const answer = await world.store.evidence.find(evidenceId.query(mchid, out_trade_no, 'SUCCESS', 'T1'))
    expect(answer?.outcome).toBe('linked')
  })

  it('goes the regular way where they were not seen to be quick', async () => {
    const story = await begun([], false)
    await placed(story)
    await pay(story)
    expect((await goOn(story)).state).toBe('fulfilled')
    const { performed } = story.world
    expect(performed.slice(1, 3)).toEqual(['placeInLine', 'place'])
    expect(performed.slice(-3)).toEqual(['deliverPaidInLine', 'deliverPaid', 'recordFulfilment'])
  })

  it('goes the way of before when its run was told nothing else', async () => {
    const story = await begun()
    delete story.world.policy.calls_in_line
    await placed(story)
    story.world.policy.calls_in_line = true // the worker has changed since
    await pay(story)
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(story.world.performed).toEqual([
      'load',
      'place',
      'recordPlaced',
      'recordPayment',
      'deliverPaid',
      'recordFulfilment',
    ])
  })

  it('is refused in line as it is otherwise', async () => {
    const story = await begun(['refused'])
    await placed(story)
    await pay(story)
    await goOn(story, isIn('refunding', story))
    expect(await eventsOf(story)).toEqual(['placed', 'payment_found', 'fulfilment_refused'])
    expect(story.world.performed).not.toContain('deliverPaid')
    for (const id of story.runs.ids) await story.runs.terminate(id)
  })

  it.each(['away', 'unreachable'] as const)(
    'that is not heard in line (%s) is told by its schedule',
    async (silence) => {
      const story = await begun([silence])
      await placed(story)
      await pay(story)
      expect((await goOn(story)).state).toBe('fulfilled')
      expect(story.world.calls.map((headers) => headers['weft-attempt'])).toEqual(['1', '2'])
      expect(new Set(story.world.calls.map((headers) => headers['webhook-id'])).size).toBe(1)
    },
  )

  it('is told again under the same id when its worker dies while the shop is asked', async () => {
    const story = await begun()
    await placed(story)
    await pay(story)
    story.runs.perils.push(null, 0)
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(story.world.calls.length).toBe(2)
    expect(new Set(story.world.calls.map((headers) => headers['webhook-id'])).size).toBe(1)
  })

  it('asks no shop where all of the money is asked back already', async () => {
    const story = storyOf(await paidOrder({ mode: 'event' })) // its run was lost
    await story.world.warm()
    await askForRefund(story)
    await goOn(story, isIn('refunding', story))
    expect(await eventsOf(story)).toEqual(['placed', 'payment_found', 'fulfilment_stopped', 'full_refund_requested'])
    expect(story.world.calls).toEqual([])
    for (const id of story.runs.ids) await story.runs.terminate(id)
  })

  it('writes the shop’s answer down before the refund that was asked for meanwhile', async () => {
    const story = await begun()
    const run = await placed(story)
    story.world.pauses.shop = () => askForRefund(story)
    await pay(story)
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(run.updates.get('refund')).toMatchObject({ kind: 'state', state: 'fulfilled' })
    expect(story.world.performed).toEqual([
      ...way_in_line.slice(0, -1),
      'reserveRefund',
      ...way_in_line.slice(-1),
      'recordRefundRequested',
    ])
  })

  it('takes a refund that was asked for meanwhile before it asks a shop again that was not heard', async () => {
    const story = await begun(['away'])
    await placed(story)
    story.world.pauses.shop = () => askForRefund(story)
    await pay(story)
    await goOn(story, isIn('refunding', story))
    expect(await eventsOf(story)).toEqual(['placed', 'payment_found', 'fulfilment_stopped', 'full_refund_requested'])
    expect(story.world.calls).toHaveLength(1)
    for (const id of story.runs.ids) await story.runs.terminate(id)
  })

  it('books a second payment that comes meanwhile right after the answer', async () => {
    const story = await begun()
    await placed(story)
    story.world.pauses.shop = () => pay(story, 'T2')
    await pay(story)
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(await eventsOf(story)).toEqual(['placed', 'payment_found', 'fulfilled', 'second_payment_found'])
    expect(story.world.calls).toHaveLength(1)
  })

  it('is placed by a later attempt, at its time, when WeChat did not answer the first', async () => {
    const story = await begun()
    const asked: number[] = []
    story.world.pauses.wechat = () => Promise.resolve(void asked.push(story.world.now_ms))
    story.world.wechat.silence = 'after'
    await placed(story)
    const [first = 0, second = 0] = asked
    expect(second - first).toBeGreaterThanOrEqual(1_000)
    expect(asked).toHaveLength(2)
  })

  it('is paid when money comes for a placement that was never answered', async () => {
    const story = await begun()
    story.world.wechat.silence = 'after'
    story.world.pauses.wechat = async () => {
      story.world.pauses.wechat = () => Promise.resolve()
      await pay(story)
    }
    await story.run()
    expect((await goOn(story)).state).toBe('fulfilled')
    expect(await eventsOf(story)).toEqual(['payment_found', 'fulfilled'])
  })

  it.each([
    ['fails when WeChat refuses the first', null, 'failed'],
    ['is closed when WeChat refuses it after one that was not answered', 'before', 'closed'],
  ] as const)('%s', async (_, silence, state) => {
    const story = await begun()
    story.world.wechat.silence = silence
    story.world.wechat.refusals.push('RULE_LIMIT')
    await story.run()
    expect((await goOn(story)).state).toBe(state)
    expect(story.world.performed.slice(0, 2)).toEqual(['load', 'placeInLine'])
  })
})
