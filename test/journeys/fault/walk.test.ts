import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import { Gate } from '../../stage/gate.ts'
import type { Fate, Message, Watch } from '../../stage/gate.ts'
import { startRole } from '../../stage/role.ts'
import type { Role } from '../../stage/role.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const walks_at_once = 5
const most_tries = 50
/** Far longer than Temporal needs to write a task, and as long as a task may take: behind it the run has gone another way. */
const task_comes_within_ms = 10_000

/** What must hold of a refund of everything that ended well, whatever happened to its runs. */
async function expectRefundedOnce(stage: Stage, order: OrderKey, out_refund_no: string): Promise<void> {
  const { mchid, out_trade_no } = order
  const { refunds } = stage.simulator.control.view(mchid, out_trade_no)
  expect(refunds.map((refund) => [refund.out_refund_no, refund.status])).toEqual([[out_refund_no, 'SUCCESS']])
  const payments = await stage.store.payments.ofOrder(mchid, `${mchid}/${out_trade_no}`)
  const element = { out_refund_no, amount: 990, state: 'succeeded', incomes: { accepted: 'sales' } }
  expect(payments.map((payment) => payment.refunds)).toEqual([[element]])
  const entries = await stage.store.journal.ofOrder(mchid, out_trade_no)
  expect(entries.map(({ kind }) => kind).sort()).toEqual(['payment', 'refund_accepted', 'refund_succeeded'])
  const { timeline } = await stage.record(order)
  expect(timeline.filter(({ event }) => event === 'refund_changed')).toHaveLength(1)
  const evidence = await stage.store.evidence.ofOrder(mchid, out_trade_no)
  expect(evidence.filter(({ outcome }) => outcome === null)).toEqual([])
}

async function historyLength(stage: Stage, out_refund_no: string): Promise<number> {
  try {
    return (await stage.refundRun(out_refund_no).describe()).historyLength
  } catch {
    return 0 // not started yet
  }
}

async function hasEnded(stage: Stage, out_refund_no: string): Promise<boolean> {
  try {
    return (await stage.refundRun(out_refund_no).describe()).status.name !== 'RUNNING'
  } catch {
    return false
  }
}

/** The last event of each step that Temporal wrote: a run can be lost after these, and nowhere between them. */
async function stepsOf(stage: Stage, out_refund_no: string): Promise<number[]> {
  const { events } = await stage.refundRun(out_refund_no).fetchHistory()
  return (events ?? []).flatMap((event, index, all) => {
    const is_task = event.workflowTaskScheduledEventAttributes ?? event.workflowTaskStartedEventAttributes
    return is_task || all[index + 1]?.activityTaskStartedEventAttributes ? [Number(event.eventId)] : []
  })
}

/** Between which two things a run is lost: what had just passed or was about to, and how many events its history had. */
interface Place {
  kind: Message['kind'] | 'workflow_task_waits'
  length: number
}
const nameOf = ({ kind, length }: Place) => `${kind} at ${length}`

interface Way {
  places: Place[]
  /** numbers of events: see stepsOf */
  steps: number[]
}

interface Asked {
  order: OrderKey
  out_refund_no: string
}

/** Refunds whose worker is behind a gate. Each refund's messages are shown to whoever asked for them. */
class Walk {
  readonly #watched = new Map<string, Watch>()

  constructor(
    readonly stage: Stage,
    readonly gate: Gate,
  ) {
    gate.watch = async (message) => {
      for (const [id, watch] of this.#watched) if (message.body.includes(id)) return await watch(message)
      return 'pass'
    }
  }

  /** A refund of everything that WeChat ends without telling: it takes the same way each time. */
  async prepared(): Promise<Asked> {
    const { out_trade_no, mchid } = await this.stage.fulfilled()
    const out_refund_no = this.stage.refundNumber()
    this.stage.simulator.control.addFault({ operation: 'notify', fault: 'lose', mchid, out_refund_no })
    return { order: { mchid, out_trade_no }, out_refund_no }
  }

  async ask({ order, out_refund_no }: Asked): Promise<void> {
    await this.stage.refund({ out_refund_no, out_trade_no: order.out_trade_no, amount: { refund: 990 } })
  }

  /** The places of a refund to which nothing happens, in their order: those that two refunds in turn have passed. */
  async usualWay(): Promise<Way> {
    let last = await this.#way()
    for (let tries = 1; tries <= most_tries; tries += 1) {
      const way = await this.#way()
      if (way.places.map(nameOf).join() === last.places.map(nameOf).join()) return way
      last = way
    }
    throw new Error('no two refunds go the same way')
  }

  async #way(): Promise<Way> {
    const refund = await this.prepared()
    const { out_refund_no } = refund
    const places: Place[] = []
    this.#watched.set(this.#idOf(refund), async ({ kind }) => {
      const length = await this.#lengthOf(refund)
      if (kind === 'workflow_task') places.push({ kind: 'workflow_task_waits', length: length - 1 })
      places.push({ kind, length })
      return 'pass'
    })
    await this.ask(refund)
    await until('its run ended', () => hasEnded(this.stage, out_refund_no))
    this.#watched.delete(this.#idOf(refund))
    const once = places.filter((place, index) => places.findIndex((one) => nameOf(one) === nameOf(place)) === index)
    return { places: once, steps: await stepsOf(this.stage, out_refund_no) }
  }

  /** Loses the run of a refund at this place, which comes after `before`. */
  async loseAt(place: Place, before: Place | undefined): Promise<Asked> {
    // On a busy machine a step may take another way: then the refund ends undisturbed, and the next one is to be lost.
    for (let tries = 1; tries <= most_tries; tries += 1) {
      const refund = await this.prepared()
      const is_waiting = place.kind === 'workflow_task_waits'
      if (await (is_waiting ? this.#loseWaiting(refund, place.length, before) : this.#loseAtMessage(refund, place)))
        return refund
    }
    throw new Error(`no refund came to ${nameOf(place)}`)
  }

  async #loseAtMessage(refund: Asked, place: Place): Promise<boolean> {
    const held = this.#heldAt(refund, place)
    const asking = this.ask(refund)
    const passes = await held
    if (passes !== null) {
      await this.#lose(refund)
      passes('lose')
    }
    await asking
    return passes !== null
  }

  /**
   * What brought a task is the refund's start, or what the worker did before; then nobody takes it. On a busy machine
   * another event may come beside it, or what the worker did came too late and counts no more. Then the task that is
   * waited for never comes, and all other walks wait too, since nobody asks: so it is given up.
   */
  async #loseWaiting(refund: Asked, length: number, before: Place | undefined): Promise<boolean> {
    const held = before && this.#heldAt(refund, before)
    const asking = before && this.ask(refund)
    const passes = await held
    if (passes === null) return false
    const goOn = await this.gate.stopAsking()
    try {
      const started = asking ?? this.ask(refund)
      passes?.('pass')
      const is_there = await this.#comesTo(refund, length)
      if (is_there) await this.#lose(refund)
      goOn()
      await started
      return is_there
    } finally {
      goOn()
    }
  }

  async #comesTo(refund: Asked, length: number): Promise<boolean> {
    const begun = performance.now()
    for (;;) {
      const now = await this.#lengthOf(refund)
      if (now === length) return true
      if (now > length || performance.now() - begun > task_comes_within_ms) return false
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async #lose({ out_refund_no }: Asked): Promise<void> {
    await this.stage.refundRun(out_refund_no).terminate('lost')
  }

  /** The whole of it: the order's run speaks of the refund's number, too. */
  #idOf({ out_refund_no }: Asked): string {
    return this.stage.refundRun(out_refund_no).workflowId
  }

  async #lengthOf({ out_refund_no }: Asked): Promise<number> {
    return await historyLength(this.stage, out_refund_no)
  }

  /** Waits for the message at `place`, and answers how to decide about it. Null: the run has ended without it. */
  async #heldAt(refund: Asked, place: Place): Promise<((fate: Fate) => void) | null> {
    const held: ((fate: Fate) => void)[] = []
    this.#watched.set(this.#idOf(refund), async ({ kind }) => {
      const is_here = nameOf({ kind, length: await this.#lengthOf(refund) }) === nameOf(place)
      // A second message may have come while the length was asked for: held as well, nobody would ever let it go.
      if (!is_here || held.length > 0) return 'pass'
      this.#watched.delete(this.#idOf(refund))
      return await new Promise<Fate>((resolve) => held.push(resolve))
    })
    await until(nameOf(place), async () => held.length > 0 || (await hasEnded(this.stage, refund.out_refund_no)), {
      every_ms: 20,
    })
    return held[0] ?? null
  }
}

describe('a refund', () => {
  let stage: Stage
  let walk: Walk
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, worker: false, simulator: { time_scale: 60 } })
    const gate = await Gate.to(stage.config.temporal.address)
    stage.endsWith(() => gate.close())
    const temporal = { ...stage.config.temporal, address: gate.address }
    await stage.startWorker({ config: { ...stage.config, temporal } })
    walk = new Walk(stage, gate)
  })
  afterAll(async () => await stage.close())

  /** The refund came to its end by another run, and nothing of it happened twice. */
  async function endsOnce({ order, out_refund_no }: Asked): Promise<void> {
    await stage.refundReaches(out_refund_no, 'succeeded')
    await until('the merchant heard', () => stage.shop.typesOf(order.out_trade_no).includes('refund.succeeded'))
    await until('its run ended', () => hasEnded(stage, out_refund_no))
    await until('all evidence is settled', async () =>
      (await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)).every(({ outcome }) => outcome !== null),
    )
    await expectRefundedOnce(stage, order, out_refund_no)
  }

  it('whose run is lost at any event of its history is made once, booked once and told once', async () => {
    const { places, steps } = await walk.usualWay()
    const lost: Place[] = []
    const left = places.entries()
    const work = async () => {
      for (const [index, place] of left) {
        const refund = await walk.loseAt(place, places[index - 1])
        lost.push(place)
        await endsOnce(refund)
      }
    }
    await Promise.all(Array.from({ length: walks_at_once }, work))
    // Before and after each task of the worker, and so after every step that Temporal wrote.
    expect(lost.map(nameOf).sort()).toEqual(places.map(nameOf).sort())
    expect([...new Set(lost.map(({ length }) => length))].sort((a, b) => a - b)).toEqual(steps)
  })

  it('that was reset to any earlier event does nothing a second time', async () => {
    const order = await stage.fulfilled()
    const { control } = stage.simulator
    // Held until the run waits for its end, so that what was sent and what came are never one task.
    control.holdRefunds({ mchid: stage.mchid })
    const { body } = await stage.refund({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    const { out_refund_no } = body
    const resetPoints = async () => {
      const { events } = await stage.refundRun(out_refund_no).fetchHistory()
      return (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes)
    }
    await stage.refundReaches(out_refund_no, 'processing')
    await until('its run waits', async () => (await resetPoints()).length >= 2)
    control.releaseRefunds({ mchid: stage.mchid })
    await stage.refundReaches(out_refund_no, 'succeeded')
    await until('its run ended', () => hasEnded(stage, out_refund_no))
    await expectRefundedOnce(stage, order, out_refund_no)
    // A run that begins anew may ask WeChat, which does no harm: all but when that was stays as it is.
    const { asked: _, ...before } = await stage.refundRecord(out_refund_no)
    const { connection, namespace } = stage.temporal
    const { runId: run_id } = await stage.refundRun(out_refund_no).describe()
    const points = await resetPoints()
    expect(points.length).toBeGreaterThanOrEqual(3)
    for (const { eventId } of points) {
      await connection.workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution: { workflowId: stage.refundRun(out_refund_no).workflowId, runId: run_id },
        reason: 'an operator wants to see it again',
        workflowTaskFinishEventId: eventId as never,
        requestId: randomUUID(),
      })
      await until('the new run ended', () => hasEnded(stage, out_refund_no))
      const { asked: __, ...after } = await stage.refundRecord(out_refund_no)
      expect(after, `reset to ${String(eventId)}`).toEqual(before)
      await expectRefundedOnce(stage, order, out_refund_no)
    }
  })
})

describe('a worker, killed while refunds wait', () => {
  let stage: Stage
  const workers: Role[] = []
  afterAll(async () => await stage.close())

  it('leaves each to the next one, which ends it as it should', async () => {
    stage = await Stage.open({
      time_scale: 20,
      worker: false,
      settings: { refund_approval: { above: 500 } },
      simulator: { time_scale: 20 },
    })
    workers.push(await startRole(stage, 'worker'))
    const { control } = stage.simulator
    const names = ['approval', 'unanswered', 'processing', 'abnormal', 'untold'] as const
    const orders = new Map<string, OrderKey>()
    for (const name of names) orders.set(name, await stage.fulfilled())
    const numberOf = new Map(names.map((name) => [name, stage.refundNumber()]))
    const ask = async (name: (typeof names)[number], refund: number) =>
      await stage.refund({
        out_refund_no: numberOf.get(name),
        out_trade_no: orders.get(name)?.out_trade_no,
        amount: { refund },
      })
    control.holdRefunds({ mchid: stage.mchid })
    const silent = { mchid: stage.mchid, out_refund_no: numberOf.get('unanswered') ?? '' }
    // Silent about it to the end, so that it is unanswered still when the worker is killed.
    for (const operation of ['refund', 'query_refund'] as const)
      control.addFault({ operation, fault: 'timeout_after', ...silent })
    for (const name of names) await ask(name, name === 'approval' ? 600 : 400)
    const numbers = (name: (typeof names)[number]) => numberOf.get(name) ?? ''
    await stage.refundReaches(numbers('approval'), 'awaiting_approval')
    for (const name of ['processing', 'abnormal', 'untold'] as const)
      await until('WeChat has taken it', async () => (await stage.refundRecord(numbers(name))).facts !== null)
    await until(
      'it was sent and never answered',
      async () => (await stage.refundRecord(numbers('unanswered'))).submission.unanswered,
    )
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('abnormal'), status: 'ABNORMAL' })
    await stage.refundReaches(numbers('abnormal'), 'abnormal')
    await workers[0]?.kill()
    control.removeFaults(null)

    // While nobody works: WeChat ends two of them, and tells.
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('untold'), status: 'SUCCESS' })
    control.finishRefund({ mchid: stage.mchid, out_refund_no: numbers('abnormal'), status: 'SUCCESS' })
    workers.push(await startRole(stage, 'worker'))
    control.releaseRefunds({ mchid: stage.mchid })
    for (const name of ['unanswered', 'processing', 'abnormal', 'untold'] as const) {
      await stage.refundReaches(numbers(name), 'succeeded')
      const { refunds } = control.view(stage.mchid, orders.get(name)?.out_trade_no ?? '')
      expect(refunds.map(({ status }) => status)).toEqual(['SUCCESS'])
      await until('the merchant heard', () =>
        stage.shop.typesOf(orders.get(name)?.out_trade_no ?? '').includes('refund.succeeded'),
      )
    }
    expect((await stage.refundRecord(numbers('approval'))).state).toBe('awaiting_approval')
    expect(control.view(stage.mchid, orders.get('approval')?.out_trade_no ?? '').refunds).toEqual([])
  })
})
