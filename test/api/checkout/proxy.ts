import { createServer, request } from 'node:http'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Between browser and API: passes everything on but the streams of events, with which it does as it is told. */
export class BufferingProxy {
  readonly #server: Server
  readonly #streams = new Set<ServerResponse>()
  #is_silent = false
  /** how many streams it has taken */
  taken = 0

  /** `holds`: what comes by a stream is kept back from the first byte on, as by a proxy that buffers. */
  private constructor(target: string, holds: 'streams' | 'nothing') {
    this.#is_silent = holds === 'streams'
    this.#server = createServer((asked, answer) => {
      const passed = request(`${target}${asked.url}`, { method: asked.method, headers: asked.headers }, (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers)
        if (given.headers['content-type']?.startsWith('text/event-stream') !== true) return void given.pipe(answer)
        this.taken += 1
        this.#streams.add(answer)
        answer.flushHeaders()
        given.on('data', (bytes: Buffer) => void (this.#is_silent || answer.write(bytes)))
        given.on('end', () => void (this.#is_silent || answer.end()))
      })
      asked.pipe(passed)
      passed.on('error', () => answer.destroy())
      answer.on('close', () => {
        this.#streams.delete(answer)
        passed.destroy()
      })
    })
  }

  static async to(target: string, holds: 'streams' | 'nothing'): Promise<BufferingProxy> {
    const proxy = new BufferingProxy(target, holds)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on nothing comes by any stream, and nobody is told: the connections stay open. */
  fallSilent(): void {
    this.#is_silent = true
  }

  get open(): number {
    return this.#streams.size
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}
