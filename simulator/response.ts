import type { Context } from 'koa'

/**
 * CallResponse is what goes back on the wire; `body` null sends none. `hold` never answers, `cut` breaks the
 * connection, also in the middle of a body.
 */
export type CallResponse =
  | { kind: 'answer'; status: number; headers: Record<string, string>; body: string | Buffer | null }
  | { kind: 'cut_body'; headers: Record<string, string>; body: Buffer }
  | { kind: 'hold' | 'cut' }

/** Writes a response; one that is held is cut after `hold_ms`. */
export function writeResponse(ctx: Context, answer: CallResponse, hold_ms: number): void {
  if (answer.kind === 'answer') {
    ctx.body = answer.body
    ctx.status = answer.status
    ctx.set(answer.headers)
    return
  }
  ctx.respond = false
  if (answer.kind === 'cut_body') {
    ctx.res.writeHead(200, { ...answer.headers, 'Content-Length': 2 * answer.body.length + 1 })
    ctx.res.write(answer.body, () => ctx.req.socket.destroy())
    return
  }
  const cut = (): void => void ctx.req.socket.destroy()
  if (answer.kind === 'cut') return cut()
  const timer = setTimeout(cut, hold_ms)
  ctx.res.on('close', () => clearTimeout(timer))
}
