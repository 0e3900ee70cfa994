import { afterAll, describe, expect, it } from 'vitest'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { openStore } from '../../store/store.ts'
import { database_uri, freshStore } from './database.ts'
import { at, evidenceSample, mchid } from './samples.ts'

const { store, database, drop } = await freshStore()
afterAll(drop)

const counter = { count: 0 }
async function archived(given: Partial<EvidenceRecord> = {}): Promise<EvidenceRecord> {
  const evidence = evidenceSample(`n-${++counter.count}`, given)
  expect(await store.evidence.archive(evidence)).toEqual({ inserted: true, evidence })
  return evidence
}

describe('evidence', () => {
  it('is kept as it came, whatever the names of its headers', async () => {
    const evidence = await archived()
    expect(await store.evidence.find(evidence._id)).toStrictEqual(evidence)
    expect(await store.evidence.findPublic(mchid, evidence.id)).toStrictEqual(evidence)
    expect(await store.evidence.findPublic('1900000002', evidence.id)).toBeNull()
    const sealed = await archived({ kind: 'query', raw: store.sealer.seal('{"openid":"o"}', 'somewhere') })
    expect(await store.evidence.find(sealed._id)).toStrictEqual(sealed)
  })

  it('that arrives ten times at once is archived once', async () => {
    const arrivals = Array.from({ length: 10 }, (_, n) => evidenceSample('race', { receive_time: at(n) }))
    const answers = await Promise.all(arrivals.map((arrival) => store.evidence.archive(arrival)))
    expect(answers.filter(({ inserted }) => inserted)).toHaveLength(1)
    const kept = await store.evidence.find(`${mchid}/notification/race`)
    for (const { evidence } of answers) expect(evidence).toStrictEqual(kept)
  })

  it('that arrives in two processes at once, in any order, is archived once, and each is answered for itself', async () => {
    const other = await openStore({ uri: database_uri, database, sealer: store.sealer, answer_within_ms: 30_000 })
    const names = Array.from({ length: 40 }, (_, n) => `together-${n}`)
    for (let round = 0; round < 5; round += 1) {
      const samples = names.map((name) => evidenceSample(`${name}-${round}`))
      // In one round there is one that nobody can store: the field is not one of a record.
      const broken = round === 0 ? [evidenceSample('broken', { surplus: true } as never)] : []
      const arrivals = [store, other, store].map((one, turn) => {
        const turned = [...samples.slice(turn * 10), ...broken, ...samples.slice(0, turn * 10)]
        return Promise.allSettled((turn === 1 ? turned.reverse() : turned).map((each) => one.evidence.archive(each)))
      })
      const answers = (await Promise.all(arrivals)).flat()
      const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [String(answer.reason)] : []))
      expect(refused).toEqual(Array(broken.length * 3).fill(expect.stringContaining('no such field: surplus')))
      const taken = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
      const firsts = taken.filter(({ inserted }) => inserted).map(({ evidence }) => evidence._id)
      expect(firsts.toSorted()).toEqual(samples.map(({ _id }) => _id).toSorted())
      for (const sample of samples) expect(await store.evidence.find(sample._id)).toStrictEqual(sample)
    }
    await other.close()
  })

  it('that names other numbers under a known id is another one, and is kept beside the first', async () => {
    const first = await archived({ out_trade_no: 'TEA-A' })
    for (const given of [{ out_trade_no: 'TEA-B' }, { transaction_id: 't2' }, { out_refund_no: 'R-2' }]) {
      const told = { ...first, ...given, body_sha256: Object.keys(given).join().padEnd(64, 'c') }
      const answer = await store.evidence.archive(told)
      expect(answer).toMatchObject({ inserted: true, other_than: first, evidence: given })
      expect(await store.evidence.find(answer.evidence._id)).toStrictEqual(answer.evidence)
      expect(await store.evidence.findPublic(mchid, answer.evidence.id)).toStrictEqual(answer.evidence)
      expect(await store.evidence.archive(told)).toEqual({ ...answer, inserted: false })
    }
    expect(await store.evidence.find(first._id)).toStrictEqual(first)
    const again = await store.evidence.archive({ ...first, body_sha256: 'd'.repeat(64) })
    expect(again).toStrictEqual({ inserted: false, evidence: first })
  })

  it('has one outcome: the first stands and a repeat is harmless', async () => {
    const { _id } = await archived()
    const outcome = { outcome: 'applied', applied_to: `${mchid}/TEA-1`, time: at(30) } as const
    const settled = await store.evidence.recordOutcome(_id, outcome)
    expect(settled).toMatchObject({ outcome: 'applied', applied_to: `${mchid}/TEA-1`, applied_time: at(30) })
    expect(settled).not.toHaveProperty('unapplied')
    const repeated = await store.evidence.recordOutcome(_id, { outcome: 'linked', applied_to: 'other', time: at(40) })
    expect(repeated).toStrictEqual(settled)
    expect(
      await store.evidence.recordOutcome(_id, { outcome: 'orphan', applied_to: null, time: at(40) }),
    ).toStrictEqual(settled)
    expect(await store.evidence.find(_id)).toStrictEqual(settled)
    expect(await store.evidence.recordOutcome('1900000001/notification/none', outcome)).toBeNull()
  })

  it('of an orphan stays to be looked at until its order has come', async () => {
    const { _id } = await archived()
    const orphan = await store.evidence.recordOutcome(_id, { outcome: 'orphan', applied_to: null, time: at(30) })
    expect(orphan).toMatchObject({ outcome: 'orphan', unapplied: true, applied_time: null, applied_to: null })
    const applied = await store.evidence.recordOutcome(_id, { outcome: 'applied', applied_to: 'x', time: at(90) })
    expect(applied).toMatchObject({ outcome: 'applied', applied_time: at(90), applied_to: 'x' })
    expect(applied).not.toHaveProperty('unapplied')
  })

  it('without an effect is found by the sweeper, oldest first, and orphans and refunds apart', async () => {
    const [late, early] = [await archived({ receive_time: at(-998) }), await archived({ receive_time: at(-999) })]
    const orphan = await archived({ receive_time: at(-1000) })
    await store.evidence.recordOutcome(orphan._id, { outcome: 'orphan', applied_to: null, time: at(0) })
    const refund = await archived({ receive_time: at(-1001), subject: 'refund' })
    const applied = await archived({ receive_time: at(-1002) })
    await store.evidence.recordOutcome(applied._id, { outcome: 'applied', applied_to: 'x', time: at(0) })
    const limit = 10
    const found = async (question: object) => {
      const answer = await store.evidence.findUnapplied({ received_before: at(-997), limit, ...question })
      return answer.map(({ _id }) => _id)
    }
    expect(await found({})).toEqual([refund, orphan, early, late].map(({ _id }) => _id))
    expect(await found({ limit: 2 })).toEqual([refund._id, orphan._id])
    expect(await found({ outcome: null, subject: 'payment' })).toEqual([early._id, late._id])
    expect(await found({ outcome: 'orphan' })).toEqual([orphan._id])
    expect(await found({ received_after: at(-999) })).toEqual([late._id])
    expect(await found({ received_before: at(-1001) })).toEqual([])
  })

  it('of one order is read in the order of its arrival', async () => {
    const second = await archived({ out_trade_no: 'OF-ORDER', receive_time: at(2) })
    const first = await archived({ out_trade_no: 'OF-ORDER', receive_time: at(1) })
    expect(await store.evidence.ofOrder(mchid, 'OF-ORDER')).toStrictEqual([first, second])
  })
})

describe('a message that was not believed', () => {
  const rejection = { mchid, receive_time: at(0), reason: 'signature', headers: { 'a.b': 'c' }, body: 'x' }

  it('is kept with its reason, cut at 16 KiB, newest first', async () => {
    await store.rejections.keep(rejection)
    await store.rejections.keep({ ...rejection, reason: 'timestamp', body: 'y'.repeat(20_000) })
    await store.rejections.keep({ ...rejection, mchid: '1900000002' })
    const [newest, older, ...others] = await store.rejections.recent(mchid, 10)
    expect(others).toEqual([])
    expect(older).toStrictEqual(rejection)
    expect(newest?.body).toBe('y'.repeat(16 * 1024))
    expect(await store.rejections.countByReason(mchid)).toEqual({ signature: 1, timestamp: 1 })
    expect(await store.rejections.recent(mchid, 1)).toHaveLength(1)
  })

  it('cannot fill the database: only the newest thousand or so are kept', async () => {
    const flooded = '1900000003'
    for (let round = 0; round < 30; round++) {
      const flood = Array.from({ length: 50 }, () => store.rejections.keep({ ...rejection, mchid: flooded }))
      await Promise.all(flood)
    }
    const kept = await store.rejections.countByReason(flooded)
    expect(kept['signature']).toBeGreaterThanOrEqual(1_000)
    expect(kept['signature']).toBeLessThanOrEqual(1_150)
    expect(await store.rejections.recent(mchid, 10)).toEqual([])
  })
})
