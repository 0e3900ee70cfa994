import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../dev/servers/servers.ts'
import { seededRandom } from '../../simulator/random.ts'
import type { OwnServers } from '../stage/outage.ts'
import { startRole } from '../stage/role.ts'
import type { Role } from '../stage/role.ts'
import type { Stage } from '../stage/stage.ts'
import { Wire } from '../stage/wire.ts'

/** An API or a worker that is killed, frozen, stopped and cut off, and comes back each time. */
interface Member {
  name: 'api' | 'worker'
  settings: Record<string, string>
  role: Role
  /** its own ways to Temporal and to the database */
  wires: { Temporal: Wire; 'the database': Wire }
  /** something is being done to it */
  is_taken: boolean
}

const member_acts = ['kill', 'kill', 'freeze', 'freeze', 'stop', 'cut', 'silence'] as const

/** Longer than a heartbeat may be away: Temporal gives the work to another worker meanwhile. */
const freeze_ms = { from: 2_000, to: 16_000 }
const away_ms = { from: 0, to: 4_000 }
/** Longer than the store waits for an answer, and than a worker's poll. */
const cut_ms = { from: 500, to: 20_000 }
/** What the first API, the second, the first worker and the second see on their clocks, beside everybody else's. */
const ahead_ms = [0, -20_000, 0, 45_000]

/** Two APIs and two workers as processes of their own, the servers under them, and all that happens to either. */
export class Troupe {
  /** what was done, in order: shown when something stays open */
  readonly acts: string[] = []
  readonly #stage: Stage
  readonly #servers: OwnServers
  readonly #random: () => number
  readonly #members: Member[] = []

  private constructor(stage: Stage, servers: OwnServers, random: () => number) {
    this.#stage = stage
    this.#servers = servers
    this.#random = random
  }

  static async start(stage: Stage, servers: OwnServers, ports: readonly number[], seed: number): Promise<Troupe> {
    const troupe = new Troupe(stage, servers, seededRandom(seed))
    const clocks = ahead_ms.map((ahead) => clockSettings(ahead))
    for (const port of ports) await troupe.#enlist('api', { WEFT_PORT: String(port), ...clocks.shift() })
    for (let count = 0; count < 2; count += 1) await troupe.#enlist('worker', { ...clocks.shift() })
    return troupe
  }

  /** One act on whatever chance names. Resolves when what was taken away is back. */
  async act(): Promise<void> {
    const how = this.#pick([...member_acts, 'run', 'run', 'run'] as const)
    if (how === 'run') return await this.#disturbRun()
    const member = this.#pick(this.#members.filter(({ is_taken }) => !is_taken))
    if (member === undefined) return
    member.is_taken = true
    const acts = {
      kill: () => this.#kill(member),
      freeze: () => this.#freeze(member),
      stop: () => this.#stop(member),
      cut: () => this.#cut(member),
      silence: () => this.#silence(member),
    }
    await acts[how ?? 'kill']()
    member.is_taken = false
  }

  async killTemporal(): Promise<void> {
    this.#note('Temporal is killed')
    this.#servers.temporal.kill()
    await sleep(this.#between(away_ms))
    await this.#servers.temporal.restart()
  }

  /** Sets Temporal back to how it was `age_ms` before. */
  async restoreTemporal(age_ms: number): Promise<void> {
    const copy = join(this.#servers.directory, 'copy')
    await this.#servers.temporal.stop()
    cpSync(this.#servers.temporal_dir, copy, { recursive: true })
    await this.#servers.temporal.restart()
    await sleep(age_ms)
    this.#note(`Temporal is set back by ${age_ms} ms`)
    await this.#servers.temporal.stop()
    this.#dropTemporal()
    for (const name of databaseFiles(copy)) cpSync(join(copy, name), join(this.#servers.temporal_dir, name))
    await this.#servers.temporal.restart()
  }

  async loseTemporal(): Promise<void> {
    this.#note('Temporal is lost with its data')
    await this.#servers.temporal.stop()
    this.#dropTemporal()
    await this.#servers.temporal.restart()
  }

  async killDatabase(): Promise<void> {
    this.#note('the database is killed')
    this.#servers.database.kill()
    await sleep(this.#between(away_ms))
    await this.#servers.database.restart()
  }

  /** The database keeps its connections and answers nobody. */
  async freezeDatabase(): Promise<void> {
    const duration_ms = this.#between(freeze_ms)
    this.#note(`the database stands still for ${duration_ms} ms`)
    this.#servers.database.freeze(true)
    await sleep(duration_ms)
    this.#servers.database.freeze(false)
  }

  #dropTemporal(): void {
    for (const name of databaseFiles(this.#servers.temporal_dir)) rmSync(join(this.#servers.temporal_dir, name))
  }

  async #enlist(name: Member['name'], settings: Record<string, string>): Promise<void> {
    const temporal = await Wire.to(this.#stage.config.temporal.address)
    const database = await Wire.to(new URL(this.#stage.config.mongodb_uri).host)
    for (const wire of [temporal, database]) this.#stage.endsWith(() => wire.close())
    const addresses = { TEMPORAL_ADDRESS: temporal.address, MONGODB_URI: `mongodb://${database.address}` }
    const all = { ...settings, ...addresses }
    const role = await startRole(this.#stage, name, all)
    this.#members.push({
      name,
      settings: all,
      role,
      wires: { Temporal: temporal, 'the database': database },
      is_taken: false,
    })
  }

  async #kill(member: Member): Promise<void> {
    this.#note(`${member.name} is killed`)
    await member.role.kill()
    await this.#bringBack(member)
  }

  async #stop(member: Member): Promise<void> {
    this.#note(`${member.name} is asked to stop`)
    await member.role.stop()
    await this.#bringBack(member)
  }

  async #freeze(member: Member): Promise<void> {
    const duration_ms = this.#between(freeze_ms)
    this.#note(`${member.name} stands still for ${duration_ms} ms`)
    member.role.freeze()
    await sleep(duration_ms)
    member.role.thaw()
  }

  /** One of its servers is refused to it, which all others reach. */
  async #cut(member: Member): Promise<void> {
    const [name, wire, duration_ms] = this.#pickWire(member)
    this.#note(`${member.name} is cut off from ${name} for ${duration_ms} ms`)
    wire.cut()
    await sleep(duration_ms)
    wire.mend()
  }

  /** What it sends to one of its servers arrives much later, and nobody is told so. */
  async #silence(member: Member): Promise<void> {
    const [name, wire, duration_ms] = this.#pickWire(member)
    this.#note(`${member.name} is not heard by ${name} for ${duration_ms} ms`)
    wire.hold()
    await sleep(duration_ms)
    await Promise.race([wire.release(), sleep(cut_ms.to)])
  }

  #pickWire({ wires }: Member): [name: string, wire: Wire, duration_ms: number] {
    const name = this.#pick(['Temporal', 'the database'] as const) ?? 'Temporal'
    return [name, wires[name], this.#between(cut_ms)]
  }

  async #bringBack(member: Member): Promise<void> {
    await sleep(this.#between(away_ms))
    member.role = await startRole(this.#stage, member.name, member.settings)
  }

  /** What an operator may do to a run by mistake: terminate, cancel, or reset it to any of its tasks. */
  async #disturbRun(): Promise<void> {
    const { client } = this.#stage.temporal
    const query = `WeftMerchant = '${this.#stage.mchid}' AND ExecutionStatus = 'Running'`
    const running: { workflowId: string; runId: string }[] = []
    try {
      for await (const run of client.workflow.list({ query, pageSize: 50 })) running.push(run)
      const chosen = this.#pick(running)
      if (chosen === undefined) return
      const handle = client.workflow.getHandle(chosen.workflowId, chosen.runId)
      const how = this.#pick(['terminate', 'cancel', 'reset', 'reset'] as const)
      this.#note(`${how} ${chosen.workflowId}`)
      if (how === 'terminate') await handle.terminate('chaos')
      if (how === 'cancel') await handle.cancel()
      if (how === 'reset') await this.#reset(chosen)
    } catch (error) {
      this.#note(`… came to nothing: ${String(error)}`) // the run has ended meanwhile, or Temporal is away
    }
  }

  async #reset({ workflowId, runId }: { workflowId: string; runId: string }): Promise<void> {
    const { client } = this.#stage.temporal
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory()
    const tasks = (events ?? []).filter(
      ({ workflowTaskCompletedEventAttributes: task }) => task !== null && task !== undefined,
    )
    const task = this.#pick(tasks)
    if (task?.eventId === undefined || task.eventId === null) return
    await client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId, runId },
      reason: 'chaos',
      requestId: crypto.randomUUID(),
      workflowTaskFinishEventId: task.eventId,
    })
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#random() * from.length)]
  }

  #between({ from, to }: { from: number; to: number }): number {
    return Math.floor(from + this.#random() * (to - from))
  }

  #note(what: string): void {
    this.acts.push(`${new Date().toISOString().slice(11, 23)} ${what}`)
  }
}

/** Environment of a process whose clock is not everybody's. */
function clockSettings(ahead: number): Record<string, string> {
  if (ahead === 0) return {}
  const skew = fileURLToPath(new URL('skew.js', import.meta.url))
  return { NODE_OPTIONS: `--import=${skew}`, WEFT_CHAOS_AHEAD_MS: String(ahead) }
}

/** SQLite keeps its newest pages in files beside the database's own. */
function databaseFiles(directory: string): string[] {
  return ['temporal.db', 'temporal.db-wal', 'temporal.db-shm'].filter((name) => existsSync(join(directory, name)))
}

/** Ports for the APIs behind the balancer. */
export async function apiPorts(): Promise<number[]> {
  return [await freePort(), await freePort()]
}
