import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'

const buffer_bytes = 64 * 1024
/** how much may wait to be written before `drained` makes the caller wait */
const pending_bytes = 4 * 1024 * 1024
/** how much may wait at all: a caller that never waits would fill the memory */
const most_pending_bytes = 64 * 1024 * 1024
/** some hundred lines: what is done with them at once takes a millisecond or two */
const read_bytes = 64 * 1024

/** FNV-1a with a last mixing, so that its low bits are as good as its high ones. */
export function keyHash(key: string, seed: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b9)) >>> 0
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Partitions are lines in files, each line in the file that its key belongs to, so that what has one key lies in one
 * file. `add` writes into a buffer for each file; what is full goes to the disk one after the other.
 */
export class Partitions {
  readonly #folder: string
  readonly name: string
  readonly #seed: number
  readonly #line_counts: number[]
  readonly #buffers: (Buffer | null)[]
  readonly #filled: number[]
  readonly #handles: (FileHandle | null)[]
  readonly #free: Buffer[] = []
  readonly #queue: { index: number; bytes: Buffer }[] = []
  #pending = 0
  #pump: Promise<void> | null = null
  #failure: Error | null = null

  /** `seed`: partitions of what lay in one partition need another hash. */
  constructor(folder: string, { name, count, seed }: { name: string; count: number; seed: number }) {
    this.#folder = folder
    this.name = name
    this.#seed = seed
    this.#line_counts = Array.from({ length: count }, () => 0)
    this.#buffers = Array.from({ length: count }, () => null)
    this.#filled = Array.from({ length: count }, () => 0)
    this.#handles = Array.from({ length: count }, () => null)
  }

  get count(): number {
    return this.#line_counts.length
  }

  lineCount(index: number): number {
    return this.#line_counts[index] ?? 0
  }

  /** Throws what an earlier write failed with, and when nobody has waited for `drained` for too long. */
  add(key: string, line: string): void {
    if (this.#failure !== null) throw this.#failure
    if (this.#pending > most_pending_bytes) throw new RangeError('too much waits to be written: wait for drained()')
    const index = keyHash(key, this.#seed) % this.count
    this.#line_counts[index] = this.lineCount(index) + 1
    const most_bytes = line.length * 3 + 1
    if ((this.#filled[index] ?? 0) + most_bytes > buffer_bytes) this.#flush(index)
    if (most_bytes > buffer_bytes) {
      this.#enqueue(index, Buffer.from(`${line}\n`))
      return
    }
    const buffer = (this.#buffers[index] ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(buffer_bytes))
    const start = this.#filled[index] ?? 0
    const end = start + buffer.write(line, start)
    buffer[end] = 0x0a
    this.#filled[index] = end + 1
  }

  /** Waits while more is to be written than should be in memory. */
  async drained(): Promise<void> {
    if (this.#pending > pending_bytes) await this.#pump
    if (this.#failure !== null) throw this.#failure
  }

  /** Writes what is left. Nothing may be added afterwards. */
  async end(): Promise<void> {
    for (let index = 0; index < this.count; index += 1) this.#flush(index)
    await this.#pump
    await this.close()
    if (this.#failure !== null) throw this.#failure
  }

  /** The lines of one file, some hundred at a time, so that others have their turn between. */
  async *read(index: number): AsyncGenerator<string[]> {
    if (this.lineCount(index) === 0) return
    const handle = await open(this.#path(index))
    try {
      const decoder = new StringDecoder('utf8')
      const buffer = Buffer.allocUnsafe(read_bytes)
      let rest = ''
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, read_bytes)
        if (bytesRead === 0) break
        const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split('\n')
        rest = lines.pop() ?? ''
        yield lines
      }
      if (rest !== '') throw new RangeError(`${this.#path(index)} ends within a line`)
    } finally {
      await handle.close()
    }
  }

  /** Gives the disk back what a file that is done with takes of it. */
  async remove(index: number): Promise<void> {
    await rm(this.#path(index), { force: true })
  }

  /** Lets go of the files, after what is being written. */
  async close(): Promise<void> {
    await this.#pump
    for (const [index, handle] of this.#handles.entries()) {
      this.#handles[index] = null
      await handle?.close()
    }
    this.#buffers.fill(null)
    this.#free.length = 0
  }

  #path(index: number): string {
    return join(this.#folder, `${this.name}-${index}`)
  }

  #flush(index: number): void {
    const buffer = this.#buffers[index]
    if (!buffer) return
    this.#enqueue(index, buffer.subarray(0, this.#filled[index]))
    this.#buffers[index] = null
    this.#filled[index] = 0
  }

  #enqueue(index: number, bytes: Buffer): void {
    this.#queue.push({ index, bytes })
    this.#pending += bytes.length
    // Not at once: a run must not be over before it is known as the one under way.
    this.#pump ??= Promise.resolve().then(() => this.#writeQueue())
  }

  /** Never rejects: a failure is thrown by whoever comes next. */
  async #writeQueue(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        if (this.#failure === null) await this.#write(next.index, next.bytes)
      } catch (error) {
        this.#failure = error as Error
      }
      this.#pending -= next.bytes.length
    }
    this.#pump = null
  }

  async #write(index: number, bytes: Buffer): Promise<void> {
    const handle = (this.#handles[index] ??= await open(this.#path(index), 'a'))
    await handle.appendFile(bytes)
    if (bytes.buffer.byteLength === buffer_bytes) this.#free.push(Buffer.from(bytes.buffer))
  }
}
