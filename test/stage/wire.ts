import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Says of the bytes a client just sent whether they, and all behind them on that connection, are to wait. */
type Catch = (sent: Buffer) => boolean

/** How long a server may still work on what a departed client had sent, before its connection is ended too. */
const last_answer_ms = 3_000

/** The network between a client and a server, in the hands of a test: it can be slow, silent, or gone. */
export class Wire {
  readonly #server: Server
  readonly #target: { host: string; port: number }
  readonly #lines = new Set<Line>()
  #catch: Catch | null = null
  #is_cut = false
  #caught = 0

  private constructor(address: string) {
    const [host = '127.0.0.1', port] = address.split(':')
    this.#target = { host, port: Number(port) }
    this.#server = createServer((client) => this.#accept(client))
  }

  /** `address`: host:port of the server. */
  static async to(address: string): Promise<Wire> {
    const wire = new Wire(address)
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve))
    return wire
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** How often `catchFirst` and `hold` have held something back. */
  get caught(): number {
    return this.#caught
  }

  /** From now on nothing that a client sends arrives, and nobody is told so. */
  hold(): void {
    this.#catch = () => true
  }

  /** The first bytes that `matches` waits for are held back with their connection; all others pass. */
  catchFirst(matches: Catch): void {
    this.#catch = (sent) => {
      if (!matches(sent)) return false
      this.#catch = null
      return true
    }
  }

  /**
   * What was held back arrives now, also when its client has long gone; nothing more is held. Resolves when the server
   * has answered it, or has ended the connection.
   */
  async release(): Promise<void> {
    this.#catch = null
    await Promise.all([...this.#lines].map((line) => line.release()))
  }

  /** Ends all connections at once, loses what was held back, and refuses new ones. */
  cut(): void {
    this.#is_cut = true
    for (const line of this.#lines) line.cut()
  }

  mend(): void {
    this.#is_cut = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    if (this.#is_cut) return void client.destroy()
    const line = new Line(client, connect(this.#target), (sent) => this.#holds(sent))
    this.#lines.add(line)
    void line.ended.then(() => this.#lines.delete(line))
  }

  #holds(sent: Buffer): boolean {
    if (this.#catch === null || !this.#catch(sent)) return false
    this.#caught += 1
    return true
  }
}

/** One connection through the wire. */
class Line {
  readonly ended: Promise<void>
  readonly #client: Socket
  readonly #server: Socket
  #held: Buffer[] | null = null
  #has_left = false

  constructor(client: Socket, server: Socket, holds: Catch) {
    this.#client = client
    this.#server = server
    for (const socket of [client, server]) socket.on('error', () => undefined) // said by 'close'
    client.on('data', (sent: Buffer) => {
      if (this.#held === null && holds(sent)) this.#held = []
      if (this.#held === null) server.write(sent)
      else this.#held.push(sent)
    })
    client.on('close', () => {
      this.#has_left = true
      if (this.#held === null) server.destroy()
    })
    server.on('data', (answer: Buffer) => void (this.#has_left ? undefined : client.write(answer)))
    this.ended = new Promise((resolve) =>
      server.on('close', () => {
        client.destroy()
        resolve()
      }),
    )
  }

  async release(): Promise<void> {
    const held = this.#held
    if (held === null || held.length === 0) {
      this.#held = null
      return
    }
    this.#held = null
    const answered = new Promise<void>((resolve) => {
      this.#server.once('data', () => resolve())
      this.#server.once('close', () => resolve())
    })
    for (const sent of held) this.#server.write(sent)
    if (this.#has_left) setTimeout(() => this.#server.destroy(), last_answer_ms).unref()
    await answered
  }

  cut(): void {
    this.#held = null
    this.#client.destroy()
    this.#server.destroy()
  }
}
