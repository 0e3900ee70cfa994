import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { closeInOrder, closeOnSignal, startUntilSignal } from '../../runtime/shutdown.ts'
import type { ShutdownHost } from '../../runtime/shutdown.ts'
import { until } from '../stage/until.ts'

class Host extends EventEmitter implements ShutdownHost {
  exits: number[] = []
  exit(code: number): void {
    this.exits.push(code)
  }
}

describe('shutting down', () => {
  it('ends one part after the other', async () => {
    const ended: string[] = []
    const step = (name: string, after_ms: number) => ({
      name,
      limit_ms: 60_000,
      close: async () => {
        await new Promise((resolve) => setTimeout(resolve, after_ms))
        ended.push(name)
      },
    })
    expect(await closeInOrder([step('api', 30), step('database', 0)], silentLogger)).toBe(true)
    expect(ended).toEqual(['api', 'database'])
  })

  it('goes on past a part that fails, throws at once, or never ends', async () => {
    const ended: string[] = []
    const is_clean = await closeInOrder(
      [
        { name: 'fails', limit_ms: 60_000, close: async () => Promise.reject(new Error('no')) },
        {
          name: 'throws',
          limit_ms: 60_000,
          close: () => {
            throw new Error('no')
          },
        },
        { name: 'hangs', limit_ms: 20, close: () => new Promise(() => undefined) },
        { name: 'database', limit_ms: 60_000, close: () => ended.push('database') },
      ],
      silentLogger,
    )
    expect([is_clean, ended]).toEqual([false, ['database']])
  })

  it('begins with the first signal and is cut short by the second', async () => {
    const host = new Host()
    const gate: { open?: () => void } = {}
    const close = () => new Promise<void>((resolve) => (gate.open = resolve))
    const forget = closeOnSignal([{ name: 'api', limit_ms: 5_000, close }], silentLogger, host)
    host.emit('SIGTERM', 'SIGTERM')
    expect(host.exits).toEqual([])
    host.emit('SIGINT', 'SIGINT')
    expect(host.exits).toEqual([1])
    gate.open?.()
    await until('the clean end', () => host.exits.length === 2)
    expect(host.exits).toEqual([1, 0])
    forget()
    expect(host.listenerCount('SIGTERM')).toBe(0)
  })

  it('ends a role that is told to while it waits for its servers, and by its steps once it has started', async () => {
    const host = new Host()
    const closed: string[] = []
    const gate: { open?: () => void } = {}
    const start = () => new Promise<string>((resolve) => (gate.open = () => resolve('worker')))
    const stepsOf = (name: string) => [{ name, limit_ms: 60_000, close: () => void closed.push(name) }]
    const started = startUntilSignal(start, stepsOf, silentLogger, host)
    host.emit('SIGTERM', 'SIGTERM')
    await until('the end at once', () => host.exits.length === 1)
    expect([host.exits, closed]).toEqual([[0], []])
    gate.open?.() // only a process that is played goes on
    await started
    expect(host.listenerCount('SIGTERM')).toBe(1)
    host.emit('SIGTERM', 'SIGTERM')
    await until('the end by its steps', () => host.exits.length === 2)
    expect([host.exits, closed]).toEqual([[0, 0], ['worker']])
  })
})
