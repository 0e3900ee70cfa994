import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../dev/servers/servers.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import { openStore } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'
import { until, within } from '../stage/until.ts'
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

const isReached = (store: Store) => until('the database is reached', () => store.isReachable())
const isRead = (store: Store) =>
  until('a record is read', async () => (await store.references.findHolder('1900000001', 'r')) === null)

/** `operation` says in time that the database is away. */
async function expectRefusal(limit_ms: number, operation: () => Promise<unknown>): Promise<void> {
  await expect(within(limit_ms, operation)).rejects.toBeInstanceOf(StoreUnavailable)
}

describe('a store whose database is away', () => {
  it('opens all the same, says so at once, and works when the database has come', async () => {
    const port = await freePort()
    const store = await openBy(port)
    await expectRefusal(3_000, () => store.leases.acquire('a', 'me', 1_000, 0))
    expect(await store.isReachable()).toBe(false)
    await expect(store.ensureIndexes()).rejects.toBeInstanceOf(StoreUnavailable)

    await startWay(port)
    await isReached(store)
    await isRead(store)
    await until('a list is read', () => store.orders.list('1900000001', {}, { limit: 1 }))
  })

  it('names the setting, the address without its password, and what the network said', async () => {
    const port = await freePort()
    const uri = `mongodb://weft:p%40ss@127.0.0.1:${port}/weft?directConnection=true`
    const store = await openStore({ uri, sealer: sealerOf('one') })
    open.push(store)
    const answer = store.merchants.find('1900000001')
    const named = `the database at 127.0.0.1:${port}, which MONGODB_URI names, did not answer: `
    await expect(answer).rejects.toThrow(`${named}connect ECONNREFUSED 127.0.0.1:${port}`)
    await expect(answer).rejects.not.toThrow(/p%40ss|initial connection/)
  })

  it('says so within two and a half seconds when it went away, and heals by itself', async () => {
    const way = await startWay()
    const store = await openBy(way.port)
    await isReached(store)
    await way.close()
    await expectRefusal(5_000, () => store.references.findHolder('1900000001', 'r'))
    expect(await store.isReachable()).toBe(false)

    await startWay(way.port)
    await isReached(store)
    await isRead(store)
  })

  it('says so within two and a half seconds when it only fell silent', async () => {
    const way = await startWay()
    const store = await openBy(way.port)
    await isReached(store)
    way.state.is_silent = true
    await expectRefusal(5_000, () => store.references.findHolder('1900000001', 'r'))
    way.state.is_silent = false
    await isReached(store)
  })

  it('can be closed before it ever came', async () => {
    const store = await openBy(await freePort())
    await store.close()
    expect(await store.isReachable()).toBe(false)
  })
})

describe('a database URI that can never work', () => {
  it('is refused at once', async () => {
    await expect(openStore({ uri: 'postgres://x', sealer: sealerOf('one') })).rejects.toThrow(
      /^MONGODB_URI cannot be used: /,
    )
    await expect(openStore({ uri: 'mongodb://127.0.0.1/?noSuchOption=1', sealer: sealerOf('one') })).rejects.toThrow(
      /^MONGODB_URI cannot be used: .*nosuchoption/,
    )
  })
})
