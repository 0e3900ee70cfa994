import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAuditor } from '../../proof/auditor.ts'
import { proof_patience } from '../../proof/finding.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { Logger } from '../../runtime/logger.ts'
import { breakerOf, writerInto } from '../stage/book.ts'
import { fulfilledStory } from '../stage/dossiers.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import { freshStore } from '../store/database.ts'
import { mchid, merchantSample, noon } from '../store/samples.ts'

/** A merchant with three sound orders and an auditor over them, a day later. */
async function stage() {
  const { store, database, drop } = await freshStore({ is_indexed: false })
  await store.merchants.save(merchantSample())
  for (const number of ['A-1', 'A-2', 'A-3']) {
    const story = fulfilledStory(number, `t-${number}`)
    await story.keep(store, writerInto(database))
  }
  const woken: string[] = []
  const told: { message: string; out_trade_no?: string; kind?: string }[] = []
  const warned: string[] = []
  const log = {
    ...silentLogger,
    error: (message: string, about: object) => void told.push({ message, ...about }),
    warn: (message: string) => void warned.push(message),
  }
  const auditorOf = (round_size = 20_000) =>
    createAuditor({
      store,
      every_ms: 600_000,
      patience: proof_patience,
      wake: ({ out_trade_no }) => Promise.resolve(void woken.push(out_trade_no ?? 'none')),
      round_size,
      now: () => noon + 24 * 60 * 60 * 1000,
      log: log as unknown as Logger,
    })
  return {
    store,
    drop,
    told,
    warned,
    woken,
    auditorOf,
    harm: breakerOf(database),
    write: writerInto(database),
    attentions: async () => (await store.merchants.find(mchid))?.attentions?.map(({ code }) => code) ?? [],
  }
}

describe('the auditor', () => {
  let here: Awaited<ReturnType<typeof stage>>
  beforeEach(async () => {
    here = await stage()
  })
  afterEach(() => here.drop())

  async function lose(number: string): Promise<object> {
    const [entry] = await here.store.journal.ofOrder(mchid, number)
    await here.harm('journal', { _id: entry?._id }, null)
    return { ...entry, occurred_time: new Date(noon), booked_time: new Date(noon) }
  }

  it('says nothing while all agree', async () => {
    const auditor = here.auditorOf()
    for (let round = 0; round < 3; round++) expect(await auditor.audit()).toBe(true)
    expect(here.told).toEqual([])
    expect(await here.attentions()).toEqual([])
  })

  it('raises attention for what is adrift in two rounds in a row, and names it once', async () => {
    await lose('A-2')
    const auditor = here.auditorOf()
    await auditor.audit()
    expect(await here.attentions()).toEqual([])
    expect(new Set(here.woken)).toEqual(new Set(['A-2', 'none']))
    for (let round = 0; round < 3; round++) await auditor.audit()
    expect(await here.attentions()).toEqual(['book_adrift'])
    expect(here.told.filter(({ kind }) => kind === 'entry_missing')).toEqual([
      expect.objectContaining({ mchid, out_trade_no: 'A-2', transaction_id: 't-A-2', amount: 990 }),
    ])
    expect(here.told.some(({ kind }) => kind === 'totals_differ')).toBe(true)
  })

  it('is not alarmed by what is put right before the next round', async () => {
    const entry = await lose('A-2')
    const auditor = here.auditorOf()
    await auditor.audit()
    await here.write('journal', [entry])
    for (let round = 0; round < 3; round++) await auditor.audit()
    expect(here.told).toEqual([])
    expect(await here.attentions()).toEqual([])
  })

  it('lifts its attention once all is clean, and leaves others’ alone', async () => {
    const entry = await lose('A-2')
    const auditor = here.auditorOf()
    for (let round = 0; round < 3; round++) await auditor.audit()
    await here.store.merchants.noteAttention(mchid, 'orphan_payment', '2026-11-24T12:00:00.000+08:00')
    await here.write('journal', [entry])
    await auditor.audit()
    expect(await here.attentions()).toEqual(['orphan_payment'])
  })

  it('lifts what an auditor before it had raised', async () => {
    await here.store.merchants.noteAttention(mchid, 'book_adrift', '2026-11-24T12:00:00.000+08:00')
    await here.auditorOf().audit()
    expect(await here.attentions()).toEqual([])
  })

  it('goes on where a round has stopped, and comes round to what is adrift', async () => {
    await lose('A-3')
    const auditor = here.auditorOf(1)
    let rounds = 0
    while ((await here.attentions()).length === 0 && rounds < 10) {
      await auditor.audit()
      rounds += 1
    }
    expect(await here.attentions()).toEqual(['book_adrift'])
    // One order a round, and the third is adrift: found in the third, told in the fourth.
    expect(rounds).toBe(4)
  })

  it('leaves the work to the one that holds the lease', async () => {
    const [first, second] = [here.auditorOf(), here.auditorOf()]
    expect(await first.audit()).toBe(true)
    expect(await second.audit()).toBe(false)
    await first.release()
    expect(await second.audit()).toBe(true)
  })

  it('gives every other merchant its turn when one cannot be read', async () => {
    await here.store.merchants.save(merchantSample({ _id: '1800000001', mchid: '1800000001' }))
    await here.write('orders', [{ _id: '1800000001/BAD', mchid: '1800000001', out_trade_no: 'BAD' }])
    await lose('A-1')
    const auditor = here.auditorOf()
    for (let round = 0; round < 2; round++) await auditor.audit()
    expect(await here.attentions()).toEqual(['book_adrift'])
  })

  it('says once in a round that the database is away, however many merchants there are', async () => {
    await here.store.merchants.save(merchantSample({ _id: '1800000001', mchid: '1800000001' }))
    await here.store.merchants.save(merchantSample({ _id: '1800000002', mchid: '1800000002' }))
    const away = () => Promise.reject(new StoreUnavailable(new Error('away')))
    Object.assign(here.store.orders, { inTurn: away })
    const auditor = here.auditorOf()
    for (let round = 1; round <= 2; round++) {
      await auditor.audit()
      expect(here.warned).toHaveLength(round)
    }
  })
})
