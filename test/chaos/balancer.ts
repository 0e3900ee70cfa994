import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

/**
 * What stands before the APIs of an installation: each connection goes to the next of them that takes it. It knows
 * nothing of what it carries, and does not notice that a process is frozen.
 */
export class Balancer {
  readonly #server: Server
  readonly #ports: readonly number[]
  readonly #sockets = new Set<Socket>()
  #next = 0

  private constructor(ports: readonly number[]) {
    this.#ports = ports
    this.#server = createServer((client) => this.#carry(client, this.#ports.length))
  }

  /** Listens on `port` of the loopback, for the APIs on `ports`. */
  static async open(port: number, ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports)
    await new Promise<void>((resolve) => balancer.#server.listen(port, '127.0.0.1', resolve))
    return balancer
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  /** `tries`: how many APIs may still be asked; none left ends the client's connection. */
  #carry(client: Socket, tries: number): void {
    if (tries === 0) return void client.destroy()
    const port = this.#ports[this.#next++ % this.#ports.length] ?? 0
    const server = connect({ host: '127.0.0.1', port })
    for (const socket of [client, server]) this.#sockets.add(socket)
    const refused = () => this.#carry(client, tries - 1)
    server.once('error', refused)
    server.once('connect', () => {
      server.off('error', refused)
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.on('error', () => to.destroy())
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
      }
      client.pipe(server)
      server.pipe(client)
    })
  }
}
