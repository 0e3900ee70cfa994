import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../store/connection.ts'
import { openStore } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'
import { database_uri, sealerOf } from './database.ts'

const server = new URL(database_uri)
const open: { close: () => Promise<void> }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

/** A way to the database that can be taken away, given back, and made silent. */
async function startWay(port = 0) {
  const sockets = new Set<Socket>()
  const state = { is_silent: false }
  const listener = createServer((near) => {
    const far = connect(Number(server.port), server.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    near.on('data', (data) => void (state.is_silent || far.write(data)))
    far.on('data', (data) => near.write(data))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  const close = async () => {
    sockets.forEach((socket) => socket.destroy())
    await new Promise<void>((resolve) => void listener.close(() => resolve()))
  }
  const way = { port: (listener.address() as AddressInfo).port, state, close }
  open.push({ close: () => way.close().catch(() => {}) })
  return way
}

async function openBy(port: number): Promise<Store> {
  const store = await openStore({
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    database: 'store_test_connection',
    sealer: sealerOf('one'),
  })
  open.push(store)
  return store
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await pause(20)
}

/** Milliseconds until `operation` said that the database is away. */
async function timeToRefusal(operation: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await expect(operation()).rejects.toBeInstanceOf(StoreUnavailable)
  return performance.now() - begin
}

describe('a store whose database is away', () => {
  it('opens all the same, says so at once, and works when the database has come', async () => {
    const taken = await startWay()
    await taken.close()
    const store = await openBy(taken.port)
    expect(await timeToRefusal(() => store.leases.acquire('a', 'me', 1_000, 0))).toBeLessThan(1_500)
    expect(await store.isReachable()).toBe(false)
    await expect(store.ensureIndexes()).rejects.toBeInstanceOf(StoreUnavailable)

    await startWay(taken.port)
    await until(() => store.isReachable())
    expect(await store.orders.find({ mchid: '1900000001', out_trade_no: 'NOT-THERE' })).toBeNull()
    await until(async () => (await store.orders.list('1900000001', {}, { limit: 1 }).catch(() => null)) !== null)
  }, 20_000)

  it('says so within two and a half seconds when it went away, and heals by itself', async () => {
    const way = await startWay()
    const store = await openBy(way.port)
    expect(await store.isReachable()).toBe(true)
    await way.close()
    expect(await timeToRefusal(() => store.references.findHolder('1900000001', 'r'))).toBeLessThan(2_500)
    expect(await store.isReachable()).toBe(false)

    await startWay(way.port)
    await until(() => store.isReachable())
    expect(await store.references.findHolder('1900000001', 'r')).toBeNull()
  }, 20_000)

  it('says so within two and a half seconds when it only fell silent', async () => {
    const way = await startWay()
    const store = await openBy(way.port)
    expect(await store.isReachable()).toBe(true)
    way.state.is_silent = true
    expect(await timeToRefusal(() => store.references.findHolder('1900000001', 'r'))).toBeLessThan(2_500)
    way.state.is_silent = false
    await until(() => store.isReachable())
  }, 20_000)

  it('can be closed before it ever came', async () => {
    const taken = await startWay()
    await taken.close()
    const store = await openBy(taken.port)
    await store.close()
    expect(await store.isReachable()).toBe(false)
  })
})

describe('a database URI that can never work', () => {
  it('is refused at once', async () => {
    await expect(openStore({ uri: 'postgres://x', sealer: sealerOf('one') })).rejects.toThrow()
    await expect(openStore({ uri: 'mongodb://127.0.0.1/?noSuchOption=1', sealer: sealerOf('one') })).rejects.toThrow()
  })
})
