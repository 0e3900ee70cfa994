/** A line without its LF; `size` is its own; of a line over the limit only the first bytes may be here. */
export type TakeLine = (line: Buffer, size: number) => void

const lf = 0x0a

/** Of a line that is too long so much is kept, as of any that cannot be read (`MalformedLine`). */
export const kept_bytes = 4 * 1024

/** No line of a bill comes near this. What is longer is counted and passed over, and takes no memory. */
export const line_limit = 64 * 1024

/**
 * LineCutter cuts a stream of bytes at LF, before anything is decoded: a chunk may end within a character. It holds the
 * end of a chunk that is no whole line yet, at most `line_limit`.
 */
export class LineCutter {
  #parts: Buffer[] = []
  #size = 0

  /** `take` gets views of `bytes`, good until it returns. */
  push(bytes: Buffer, take: TakeLine): void {
    let from = 0
    for (let end = bytes.indexOf(lf); end >= 0; end = bytes.indexOf(lf, from)) {
      if (this.#size > 0) {
        this.#keep(bytes.subarray(from, end))
        this.#release(take)
      } else take(bytes.subarray(from, end), end - from)
      from = end + 1
    }
    if (from < bytes.length) this.#keep(bytes.subarray(from))
  }

  /** The last line, when no LF ends it. */
  end(take: TakeLine): void {
    if (this.#size > 0) this.#release(take)
  }

  #keep(part: Buffer): void {
    const isLong = this.#size > line_limit
    this.#size += part.length
    if (isLong) return
    this.#parts.push(Buffer.from(part.subarray(0, line_limit)))
    if (this.#size > line_limit) this.#parts = [Buffer.from(Buffer.concat(this.#parts).subarray(0, kept_bytes))]
  }

  #release(take: TakeLine): void {
    const [line, size] = [Buffer.concat(this.#parts), this.#size]
    this.#parts = []
    this.#size = 0
    take(line, size)
  }
}
