import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { RejectionWatch } from '../../../api/notify/rejections.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import type { Rejection } from '../../../store/rejections.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { at, evidenceSample, mchid, merchantSample, noon, orderSample } from '../../store/samples.ts'

const body = Buffer.from('{}')
const forged = { verdict: 'rejected', reason: 'bad_signature', serial_no: 'PUB_KEY_ID_1' } as const
const headless = { verdict: 'rejected', reason: 'missing_header', serial_no: null } as const
const stale = (timestamp: number, is_signed = true) =>
  ({ verdict: 'rejected', reason: 'stale', serial_no: 'PUB_KEY_ID_1', is_signed, timestamp }) as const

/** A watch at noon over a merchant of its own; `found_by` is how its one payment came to be known. */
async function watching(found_by: 'notification' | 'query' | null = null, found_time = at(-600)) {
  const clock = { ms: noon }
  const kept: Rejection[] = []
  const lines: string[] = []
  const store = memoryStore(createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] }))
  store.rejections.keep = async (rejection) => void kept.push(rejection)
  await store.merchants.save(merchantSample())
  const payment = { transaction_id: '4200', role: 'order', success_time: at(-660), found_time } as const
  if (found_by !== null)
    await store.orders.insert(
      orderSample('T-100001', { state: 'paid', payment: { ...payment, found_by, bank_type: null } }),
    )
  const log = { ...silentLogger, info: (line: string) => void lines.push(line) }
  const watch = new RejectionWatch({ store, now: () => clock.ms, log })
  const attentions = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    return ((await store.merchants.find(mchid))?.attentions ?? []).map(({ code }) => code)
  }
  const refuse = (read: Parameters<typeof watch.noteRejected>[1]) => watch.noteRejected(mchid, read, {}, body)
  return { clock, kept, lines, store, watch, attentions, refuse }
}

describe('notifications that are not believed', () => {
  it('are only counted when they lack headers or are stale, and a few of the others kept and logged', async () => {
    const { clock, kept, lines, refuse } = await watching()
    for (let turn = 0; turn < 1_080; turn += 1) {
      refuse(headless)
      refuse(stale(0, false))
      refuse(forged)
    }
    expect([kept.length, lines.length]).toEqual([5, 5])
    clock.ms += 60_000
    for (let turn = 0; turn < 100; turn += 1) refuse(forged)
    expect(kept.map(({ reason }) => reason)).toEqual(Array<string>(6).fill('bad_signature'))
  })

  it('of one reason do not push out those of another', async () => {
    const { kept, refuse } = await watching()
    for (let turn = 0; turn < 1_080; turn += 1) refuse(forged)
    refuse({ ...forged, reason: 'unknown_serial' })
    expect(kept.at(-1)?.reason).toBe('unknown_serial')
  })

  it('call nobody while genuine ones come, however many strangers knock', async () => {
    const { clock, attentions, refuse } = await watching('notification')
    for (let turn = 0; turn < 50; turn += 1) {
      clock.ms += 10_000
      refuse(forged)
    }
    expect(await attentions()).toEqual([])
  })

  it('call for a person once five came in a row and a payment had to be found by asking', async () => {
    const { attentions, refuse, watch } = await watching('query')
    for (let turn = 0; turn < 4; turn += 1) refuse(forged)
    expect(await attentions()).toEqual([])
    refuse(forged)
    expect(await attentions()).toEqual(['signatures_failing'])
    watch.noteVerified(mchid)
    expect(await attentions()).toEqual([])
  })

  it('call nobody while the notification may still come, or once it came to another process', async () => {
    const early = await watching('query', at(-60))
    for (let turn = 0; turn < 5; turn += 1) early.refuse(forged)
    expect(await early.attentions()).toEqual([])
    const elsewhere = await watching('query')
    await elsewhere.store.evidence.archive(evidenceSample('N1', { out_trade_no: 'T-100001' }))
    for (let turn = 0; turn < 5; turn += 1) elsewhere.refuse(forged)
    expect(await elsewhere.attentions()).toEqual([])
  })

  it('call nobody for a payment that was found before a genuine one came', async () => {
    const { attentions, refuse, watch } = await watching('query')
    watch.noteVerified(mchid)
    for (let turn = 0; turn < 10; turn += 1) refuse(forged)
    expect(await attentions()).toEqual([])
    expect(await watch.areGenuineMissing(mchid)).toBe(false)
  })

  it('say that the clock is wrong when WeChat Pay signed three of them and all are as old', async () => {
    const { clock, attentions, refuse, watch } = await watching()
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await attentions()).toEqual([])
      clock.ms += 15_000
      refuse(stale(clock.ms / 1_000 + 400 - turn))
    }
    expect(await attentions()).toEqual(['clock_wrong'])
    watch.noteVerified(mchid)
    expect(await attentions()).toEqual([])
  })

  it.each([
    ['one message again and again', () => stale(noon / 1_000 - 400)],
    ['messages of other ages: somebody replays them', (turn: number) => stale(noon / 1_000 - 1_000 * (turn + 1))],
    ['messages that WeChat Pay did not sign', (turn: number) => stale(noon / 1_000 - 400 - turn, false)],
  ])('say nothing of the clock for %s', async (_what, message) => {
    const { attentions, refuse } = await watching()
    for (let turn = 0; turn < 8; turn += 1) refuse(message(turn))
    expect(await attentions()).toEqual([])
  })
})
