import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { most_told } from '../../../activities/bill/conclusion.ts'
import { newDifference } from '../../../activities/bill/differences.ts'
import type { DifferenceEvent, DifferenceKind } from '../../../domain/bill/difference.ts'
import { differenceId } from '../../../domain/ids.ts'
import { endpointSample, mchid } from '../../store/samples.ts'
import { bill_date, day, Desk, none } from './desk.ts'

const person = { kind: 'merchant', id: 'key_li' } as const

describe('what merchants are told of a day', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
    desk.answers = { trade_bill: () => none, fund_flow_bill: () => none }
    await desk.store.endpoints.add(endpointSample('https://finance.example.cn/weft', { event_types: ['*'] }))
  })
  afterEach(async () => await desk.drop())

  const found = async (kind: DifferenceKind, ...subjects: string[]) => {
    const times = { found_time: desk.time(), patience_time: desk.time(desk.now_ms + 3 * 86_400_000) }
    await desk.store.differences.note(subjects.map((subject) => newDifference(day, kind, subject, times)))
  }
  const move = async (kind: DifferenceKind, subject: string, event: DifferenceEvent) => {
    const _id = differenceId(day, kind, subject)
    const { revision = 0 } = (await desk.store.differences.find(_id)) ?? {}
    await desk.store.reconciliations.noteMoved(day)
    await desk.store.differences.apply(_id, {
      event,
      operation_id: `${event}:${revision}`,
      time: desk.time(),
      actor: person,
      reason: 'why',
    })
  }
  /** A look that finds no more than is noted already. */
  const look = async () => {
    const { run } = await desk.perform('openDay', { day, look: `look ${desk.now_ms}` })
    desk.now_ms += 1_000
    return run
  }
  const told = async (type?: string) => {
    const { data } = await desk.store.events.list(mchid, { type }, { limit: 300, order: 'asc' })
    return data
  }
  const bodies = async (type: string) =>
    (await told(type)).map(({ body }) => (JSON.parse(body) as { data: Record<string, Record<string, unknown>> }).data)
  const follow = async (batch: string) => await desk.perform('followDay', { day, batch })

  it('is each result once, and again only where it changed', async () => {
    const run = await look()
    await desk.perform('closeDay', { day, run })
    await desk.perform('closeDay', { day, run })
    await desk.perform('closeDay', { day, run: await look() })
    expect((await told()).map(({ _id }) => _id)).toEqual([`${mchid}/reconciliation.completed/${bill_date}:1`])
    await found('malformed', 'line-1')
    await desk.perform('closeDay', { day, run: await look() })
    const results = await bodies('reconciliation.completed')
    expect(results.map(({ reconciliation }) => reconciliation?.['state'])).toEqual(['balanced', 'different'])
    expect(results[1]).toMatchObject({ reconciliation: { bill_date, differences: { malformed: 1 }, untold_count: 0 } })
  })

  it('is each opening once, whatever waits, and each with a run that delivers it', async () => {
    await found('duplicate', 'line-4')
    await found('missing_here', 'T1')
    await desk.perform('closeDay', { day, run: await look() })
    await desk.perform('closeDay', { day, run: await look() })
    const [event] = await told('difference.opened')
    const { id } = (await desk.store.differences.find(differenceId(day, 'duplicate', 'line-4'))) ?? { id: '' }
    expect(await told('difference.opened')).toHaveLength(1)
    expect(event?._id).toBe(`${mchid}/difference.opened/${id}:0`)
    expect(await bodies('difference.opened')).toMatchObject([{ difference: { id, kind: 'duplicate', state: 'open' } }])
    const deliveries = (await told()).map(({ _id }) => expect.stringContaining(`delivery/${_id}/`) as string)
    expect(new Set(desk.started)).toEqual(new Set(deliveries))
    await move('duplicate', 'line-4', 'ignored')
    await move('duplicate', 'line-4', 'reopened')
    await follow('b')
    expect((await told('difference.opened')).map(({ _id }) => _id.split(':').at(-1))).toEqual(['0', '2'])
  })

  it('is not lost where the step dies behind any of its writes, nor told under a second id', async () => {
    await found('duplicate', 'line-4', 'line-5')
    const { differences, events, reconciliations } = desk.store
    const run = await look()
    for (const write of [
      [desk.store.deliveries, 'insertMissing'],
      [events, 'insert'],
      [differences, 'noteTold'],
      [reconciliations, 'conclude'],
      [events, 'insert'],
    ] as const)
      await desk.dying(write, 'closeDay', { day, run })
    await desk.perform('closeDay', { day, run })
    const types = (await told()).map(({ type }) => type)
    expect(types.sort()).toEqual(['difference.opened', 'difference.opened', 'reconciliation.completed'])
    const { data } = await desk.store.deliveries.list(mchid, {}, { limit: 10 })
    expect(data).toHaveLength(3)
  })

  it('is the number alone where very many open at once, also where the step dies half-way', async () => {
    const subjects = Array.from({ length: most_told + 1 }, (_, n) => `line-${n}`)
    await found('malformed', ...subjects)
    const { differences } = desk.store
    const run = await look()
    let left = 60
    const noteTold = differences.noteTold.bind(differences)
    Object.assign(differences, {
      noteTold: async (...given: Parameters<typeof noteTold>) => {
        if (left === 0) throw new Error('the worker died')
        left -= 1
        await noteTold(...given)
      },
    })
    await expect(desk.perform('closeDay', { day, run })).rejects.toThrow('died')
    Reflect.deleteProperty(differences, 'noteTold')
    await desk.perform('closeDay', { day, run })
    expect(await told('difference.opened')).toEqual([])
    const [result] = await bodies('reconciliation.completed')
    expect(result).toMatchObject({ reconciliation: { differences: { malformed: 101 }, untold_count: 101 } })
    await found('duplicate', 'line-7')
    await desk.perform('closeDay', { day, run: await look() })
    expect(await bodies('difference.opened')).toMatchObject([{ difference: { kind: 'duplicate' } }])
  })

  it('follows a person at once', async () => {
    await found('duplicate', 'line-4')
    await desk.perform('closeDay', { day, run: await look() })
    const codes = async () => ((await desk.store.merchants.find(mchid))?.attentions ?? []).map(({ code }) => code)
    expect(await codes()).toEqual(['differences_open'])
    await move('duplicate', 'line-4', 'ignored')
    await follow('b')
    expect(await desk.store.reconciliations.find(day)).toMatchObject({ state: 'balanced', is_proven: true })
    expect(await codes()).toEqual([])
    await move('duplicate', 'line-4', 'reopened')
    await follow('c')
    await follow('c')
    expect(await desk.store.reconciliations.find(day)).toMatchObject({
      state: 'different',
      differences: { duplicate: 1 },
    })
    expect(await told('reconciliation.completed')).toHaveLength(3)
  })

  it('counts again what a person moved while a look ended', async () => {
    await found('duplicate', 'line-4')
    const { differences } = desk.store
    const run = await look()
    Object.assign(differences, {
      tally: async (...given: Parameters<typeof differences.tally>) => {
        Reflect.deleteProperty(differences, 'tally')
        const counted = await differences.tally(...given)
        await move('duplicate', 'line-4', 'ignored')
        expect(await follow('b'), 'the look has the day in hand').toBeNull()
        return counted
      },
    })
    expect(await desk.perform('closeDay', { day, run })).toMatchObject({ state: 'balanced', differences: {} })
  })

  it('follows at another day’s look where who moved the difference died', async () => {
    await found('duplicate', 'line-4')
    await desk.perform('closeDay', { day, run: await look() })
    await move('duplicate', 'line-4', 'ignored')
    const next = { mchid, bill_date: '2026-11-23' }
    const { run } = await desk.perform('openDay', { day: next, look: 'next' })
    await desk.perform('closeDay', { day: next, run })
    expect(await desk.store.reconciliations.find(day)).toMatchObject({ state: 'balanced', is_moved: false })
  })
})
