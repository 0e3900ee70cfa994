import { createServer } from 'node:net'
import type { Server } from 'node:net'

const host = '127.0.0.1'
const highest_port = 65_535

/** A port of 127.0.0.1 that is held, so that no other start takes it while the servers before it come up. */
export interface ReservedPort {
  port: number
  /** Frees the port for the server it is held for, which must listen at once. */
  release(): Promise<void>
}

/**
 * Holds one port per wish. A taken port moves to the next free one that nobody else here wished for: so the others keep
 * the number people know.
 */
export async function reservePorts<Name extends string>(
  wishes: Record<Name, number>,
): Promise<Record<Name, ReservedPort>> {
  const wished = Object.values<number>(wishes)
  const reserved: [string, ReservedPort][] = []
  for (const [name, wish] of Object.entries<number>(wishes)) {
    let server = await listen(wish)
    for (let port = wish + 1; server === null && port <= highest_port; port += 1) {
      if (!wished.includes(port)) server = await listen(port)
    }
    if (server === null) throw new Error(`no free port from ${wish} on; end a program that listens there`)
    reserved.push([name, reservedPort(server)])
  }
  return Object.fromEntries(reserved) as Record<Name, ReservedPort>
}

function reservedPort(server: Server): ReservedPort {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  return {
    port: address.port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function listen(port: number): Promise<Server | null> {
  const server = createServer()
  server.unref()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen({ port, host }, () => resolve(server))
  })
}
