import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { logTail } from './child.ts'
import type { Child } from './child.ts'

const host = '127.0.0.1'
const listening_within_ms = 60_000

/** A port of 127.0.0.1 that is held, so that no other start takes it while what comes before its server comes up. */
export interface HeldPort {
  port: number
  /** Frees the port for the server it is held for, which must listen at once. May be called again. */
  release(): Promise<void>
}

/** A port that nobody holds, since nobody but its server is likely to ask for it. */
export async function anyPort(): Promise<HeldPort> {
  return { port: await freePort(), release: () => Promise.resolve() }
}

/**
 * Returns a port of 127.0.0.1 on which nothing listens: the preferred one where it is free, else one the system
 * chooses.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred
  return systemPort()
}

/** Whether nothing listens on this port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ port, host }, () => server.close(() => resolve(true)))
  })
}

/**
 * Frees the ports that are held, and resolves when nothing listens on any of them: their server comes next. One that was
 * killed a moment ago may hold its port for a moment more; one that still does after 5 s has it for good, and that is the
 * failure.
 */
export async function untilPortsFree(held: HeldPort[]): Promise<void> {
  await Promise.all(held.map((one) => one.release()))
  const until = Date.now() + 5_000
  for (const { port } of held) {
    while (!(await isFree(port))) {
      if (Date.now() > until) throw new Error(`port ${port} is taken by another program`)
      await sleep(50)
    }
  }
}

/** Whether something accepts connections on this port of 127.0.0.1. */
async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    const say = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(2_000, () => say(false))
    socket.once('connect', () => say(true))
    socket.once('error', () => say(false))
  })
}

/**
 * A connection closed from the listening side leaves the port in TIME_WAIT: for a minute the system gives it to no one
 * who asks for any port, while our server, which asks for this one, may have it. So two starts at once do not collide.
 */
async function systemPort(): Promise<number> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the system gave no port')
  const client = connect(address.port, host)
  const [accepted] = (await once(server, 'connection')) as [Socket]
  accepted.end()
  client.resume()
  await once(client, 'end')
  client.destroy()
  await new Promise((resolve) => server.close(resolve))
  return address.port
}

/** Waits until a child listens on its port; rejects with its last words where it ends or stays silent instead. */
export async function untilListening(child: Child, port: number): Promise<void> {
  const until = Date.now() + listening_within_ms
  while (child.isRunning() && Date.now() < until) {
    if ((await isListening(port)) && child.isRunning()) return
    await sleep(30)
  }
  child.kill()
  throw new Error(`nothing answers on port ${port}: ${logTail(child.log)}`)
}
