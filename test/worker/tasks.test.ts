import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { endWorker } from '../../worker/end.ts'
import { createTasks } from '../../worker/tasks.ts'
import { until } from '../stage/until.ts'

/** A worker of the SDK as far as its states go: it runs until it is told to end, and then for as long as its tasks last. */
function playedWorker() {
  const worker = {
    state: 'INITIALIZED' as 'INITIALIZED' | 'RUNNING' | 'DRAINING' | 'STOPPED' | 'FAILED',
    finish: () => undefined as void,
    fail: (_error: Error) => undefined as void,
    getState: () => worker.state,
    shutdown: () => void (worker.state = 'DRAINING'),
    run: () => {
      worker.state = 'RUNNING'
      return new Promise<void>((resolve, reject) => {
        worker.finish = () => {
          worker.state = 'STOPPED'
          resolve()
        }
        worker.fail = (error) => {
          worker.state = 'FAILED'
          reject(error)
        }
      })
    },
  }
  return worker
}

function playedTasks(count = 2) {
  const told: string[] = []
  const say = (level: string) => (message: string) => void told.push(`${level}: ${message}`)
  const log = { ...silentLogger, warn: say('warn'), error: say('error') }
  const workers = Array.from({ length: count }, playedWorker)
  const tasks = createTasks(workers, { log, on_failure: () => void told.push('failed') })
  tasks.run()
  return { tasks, workers, told, log }
}

describe('the tasks of a worker', () => {
  it('are waited for, all of them, and whoever asks meanwhile is told that it is well and ending', async () => {
    const { tasks, workers, told } = playedTasks()
    const [quick, slow] = workers
    expect(tasks.health()).toEqual({ is_well: true, says: { status: 'ok' } })
    let is_over = false
    const ended = tasks.end().then(() => (is_over = true))
    expect(workers.map(({ state }) => state)).toEqual(['DRAINING', 'DRAINING'])
    quick?.fail(new Error('Timed out while waiting for worker to shutdown gracefully'))
    await until('it is told', () => told.length === 1)
    expect(is_over).toBe(false)
    expect(tasks.health()).toEqual({ is_well: true, says: { status: 'ending' } })
    slow?.finish()
    await ended
    expect(told).toEqual(['warn: a worker ended with tasks under way'])
  })

  it('that end by themselves end the process, and are not well', async () => {
    const { tasks, workers, told } = playedTasks()
    workers[0]?.fail(new Error('the connection is not ours any more'))
    await until('it is told', () => told.length === 2)
    expect(told).toEqual(['error: a worker stopped by itself', 'failed'])
    expect(tasks.health().is_well).toBe(false)
  })
})

describe('the end of a worker', () => {
  it('takes no task any more at once, whatever a round is busy with, and gives the tasks all of their time', async () => {
    const { tasks, workers, told, log } = playedTasks(1)
    const order: string[] = []
    const step = (name: string) => () => Promise.resolve(void order.push(name))
    const round = { end: () => undefined as void }
    const busy = () => new Promise<void>((resolve) => (round.end = resolve))
    const parts = {
      tasks,
      rounds: [{ close: busy }, { close: step('an idle round') }],
      leave: step('the membership'),
      closeConnections: step('connections'),
      closeHealth: step('metrics'),
      closeStore: step('database'),
    }
    const ended = endWorker(parts, log)
    expect(workers[0]?.state).toBe('DRAINING')
    expect(order).toEqual(['an idle round'])
    workers[0]?.finish()
    round.end()
    await ended
    expect(order).toEqual(['an idle round', 'the membership', 'connections', 'metrics', 'database'])
    expect(told).toEqual([])
  })
})
