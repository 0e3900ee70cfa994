import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { reservePorts } from '../../dev/ports.ts'
import { isFree, untilPortsFree } from '../../dev/servers/port.ts'
import type { HeldPort } from '../../dev/servers/port.ts'
import { freePort } from '../../dev/servers/servers.ts'

/** Three free ports in a row. */
async function freeRow(): Promise<[number, number, number]> {
  for (;;) {
    const first = await freePort()
    const [second, third] = [first + 1, first + 2]
    if (third <= 65_535 && (await isFree(second)) && (await isFree(third))) return [first, second, third]
  }
}

const releaseAll = (held: Record<string, HeldPort>) => Promise.all(Object.values(held).map((port) => port.release()))

describe('the ports of npm start', () => {
  it('are the wished ones where they are free, and are kept from others until they are used', async () => {
    const [first, second] = await freeRow()
    const held = await reservePorts({ api: first, shop: second })
    expect([held.api.port, held.shop.port]).toEqual([first, second])
    expect(await isFree(first)).toBe(false)
    await held.api.release()
    expect(await isFree(first)).toBe(true)
    await releaseAll({ shop: held.shop })
  })

  it('are freed though somebody has asked for what is not there yet, and waits', async () => {
    const [first] = await freeRow()
    const held = await reservePorts({ api: first })
    const early = connect(first, '127.0.0.1').on('error', () => undefined)
    await new Promise<unknown>((resolve) => early.once('connect', resolve).once('close', resolve))
    await held.api.release()
    expect(await isFree(first)).toBe(true)
    early.destroy()
  })

  it('are freed by the server that they are held for, as often as it starts', async () => {
    const [first, second] = await freeRow()
    const held = await reservePorts({ database: first, shop: second })
    for (const _start of [1, 2]) await untilPortsFree([held.database])
    expect([await isFree(first), await isFree(second)]).toEqual([true, false])
    await releaseAll(held)
  })

  it('move to the next free one where they are taken, but not to one that another wished for', async () => {
    const [first, second, third] = await freeRow()
    const taken = createServer().listen(first, '127.0.0.1')
    await once(taken, 'listening')
    const held = await reservePorts({ api: first, shop: second })
    expect(held.shop.port).toBe(second)
    expect(held.api.port).toBeGreaterThanOrEqual(third)
    await releaseAll(held)
    taken.close()
  })
})
