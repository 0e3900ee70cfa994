import { createServer } from 'node:net'
import type { Server } from 'node:net'
import type { HeldPort } from './servers/port.ts'

/** Where people know the parts of an embedded run. */
export const wished_ports = {
  api: 7700,
  simulator: 7701,
  shop: 7702,
  temporal_ui: 7703,
  temporal: 7233,
  database: 27017,
}
export type StartPorts = Record<keyof typeof wished_ports, HeldPort>

const host = '127.0.0.1'
const highest_port = 65_535

/**
 * Holds one port per wish. A taken port moves to the next free one that nobody else here wished for: so the others keep
 * the number people know.
 */
export async function reservePorts<Name extends string>(wishes: Record<Name, number>): Promise<Record<Name, HeldPort>> {
  const wished = Object.values<number>(wishes)
  const reserved: [string, HeldPort][] = []
  for (const [name, wish] of Object.entries<number>(wishes)) {
    let server = await listen(wish)
    for (let port = wish + 1; server === null && port <= highest_port; port += 1) {
      if (!wished.includes(port)) server = await listen(port)
    }
    if (server === null) throw new Error(`no free port from ${wish} on; end a program that listens there`)
    reserved.push([name, heldPort(server)])
  }
  return Object.fromEntries(reserved) as Record<Name, HeldPort>
}

function heldPort(server: Server): HeldPort {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  return {
    port: address.port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Who asks already, as a script that waits for the API, is refused at once: kept, he would keep the port from its server. */
async function listen(port: number): Promise<Server | null> {
  const server = createServer((early) => early.resetAndDestroy())
  server.unref()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen({ port, host }, () => resolve(server))
  })
}
