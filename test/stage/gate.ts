import { connect, constants, createServer } from 'node:http2'
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

/** What passes between a worker and Temporal about a run: a task on its way to the worker, or what came of one. */
export interface Message {
  kind: 'workflow_task' | 'workflow_task_done' | 'activity' | 'activity_done'
  /** its bytes: the run's workflow id is among them */
  body: Buffer
}

export type Fate = 'pass' | 'lose'
/** Looks at a message before it passes, and decides. */
export type Watch = (message: Message) => Promise<Fate>

const asked: Record<string, Message['kind']> = {
  RespondWorkflowTaskCompleted: 'workflow_task_done',
  RespondActivityTaskCompleted: 'activity_done',
}
const answered: Record<string, Message['kind']> = {
  PollWorkflowTaskQueue: 'workflow_task',
  PollActivityTaskQueue: 'activity',
}
const frame_bytes = 5
/** A poll that nothing came of: a frame with an empty message. */
const nothing = Buffer.alloc(frame_bytes)

/**
 * The one way from a worker to Temporal, in the hands of a test: each task and each answer waits until the test has
 * looked at it, so that it can happen between any two of them what only the worst moment brings. Where `Wire` holds back
 * bytes, this knows messages: gRPC is HTTP/2, and ids stand in it as they are.
 */
export class Gate {
  watch: Watch = () => Promise.resolve('pass')
  readonly #server: Http2Server
  readonly #target: string
  #temporal: ClientHttp2Session
  readonly #polls = new Set<Call>()
  /** how many want nobody to ask: the first of them has it so */
  #closed = 0
  #reopened: Promise<void> = Promise.resolve()

  private constructor(address: string) {
    this.#target = `http://${address}`
    this.#temporal = this.#connect()
    this.#server = createServer()
    this.#server.on('stream', (stream, headers) => void this.#pass(new Call(stream, headers, () => this.#session())))
  }

  /** `address`: host:port of Temporal. */
  static async to(address: string): Promise<Gate> {
    const gate = new Gate(address)
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve))
    return gate
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on no worker asks for workflow tasks: what is scheduled stays scheduled, until the answer is called. */
  async stopAsking(): Promise<() => void> {
    const before = this.#reopened
    let reopen = () => {}
    this.#reopened = new Promise((resolve) => (reopen = resolve))
    this.#closed += 1
    await before
    await Promise.all([...this.#polls].map((call) => call.takeBack()))
    let is_over = false
    return () => {
      if (!is_over) this.#closed -= 1
      is_over = true
      reopen()
    }
  }

  async close(): Promise<void> {
    this.#temporal.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #connect(): ClientHttp2Session {
    const session = connect(this.#target)
    session.on('error', () => undefined) // said by each call
    // Temporal ends each connection after some minutes, once what is under way on it is answered.
    session.on('goaway', () => {
      if (this.#temporal === session) this.#temporal = this.#connect()
    })
    return session
  }

  #session(): ClientHttp2Session {
    if (this.#temporal.closed || this.#temporal.destroyed) this.#temporal = this.#connect()
    return this.#temporal
  }

  async #pass(call: Call): Promise<void> {
    const { method } = call
    const body = await call.body()
    const kind = asked[method]
    // What is lost on its way to Temporal is refused by it, as the run is gone: the worker must hear that, too.
    if (kind !== undefined) await this.watch({ kind, body: unframed(body) })
    const answer = await (method === 'PollWorkflowTaskQueue' ? this.#poll(call, body) : call.forward(body))
    const brought = answered[method]
    const task = brought === undefined ? nothing : unframed(answer.body)
    const is_lost = brought !== undefined && (await this.watch({ kind: brought, body: task })) === 'lose'
    call.answer(is_lost ? { ...answer, body: nothing } : answer)
  }

  /** Asks again where the question was taken back. */
  async #poll(call: Call, body: Buffer): Promise<Answer> {
    for (;;) {
      while (this.#closed > 0) await this.#reopened
      this.#polls.add(call)
      const answer = await call.forward(body)
      this.#polls.delete(call)
      if (!call.wasTakenBack) return answer
    }
  }
}

interface Answer {
  headers: IncomingHttpHeaders
  body: Buffer
  trailers: IncomingHttpHeaders
}

/** One call on its way. */
class Call {
  readonly method: string
  readonly #stream: ServerHttp2Stream
  readonly #headers: IncomingHttpHeaders
  readonly #session: () => ClientHttp2Session
  #request: ClientHttp2Stream | null = null
  #has_answer = false
  #was_taken_back = false

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, session: () => ClientHttp2Session) {
    this.method = String(headers[':path']).split('/').at(-1) ?? ''
    this.#stream = stream
    this.#headers = headers
    this.#session = session
    stream.on('error', () => undefined) // said by 'close'
    stream.on('close', () => this.#request?.close(constants.NGHTTP2_CANCEL))
  }

  get wasTakenBack(): boolean {
    return this.#was_taken_back
  }

  async body(): Promise<Buffer> {
    return await whole(this.#stream)
  }

  async forward(body: Buffer): Promise<Answer> {
    this.#was_taken_back = false
    this.#has_answer = false
    const request = this.#session().request(this.#headers)
    this.#request = request
    const answer: Answer = { headers: {}, body: nothing, trailers: {} }
    request.on('error', () => undefined)
    request.on('response', (headers) => {
      this.#has_answer = true
      answer.headers = headers
    })
    request.on('trailers', (trailers: IncomingHttpHeaders) => {
      answer.trailers = trailers
    })
    request.end(body)
    answer.body = await whole(request)
    return answer
  }

  /** Unless its answer has begun to come, the question has never been asked. */
  async takeBack(): Promise<void> {
    const request = this.#request
    if (request === null || this.#has_answer || request.closed) return
    this.#was_taken_back = true
    const closed = new Promise<void>((resolve) => request.on('close', () => resolve()))
    request.close(constants.NGHTTP2_CANCEL)
    await closed
  }

  answer({ headers, body, trailers }: Answer): void {
    const stream = this.#stream
    if (stream.destroyed) return
    if (headers[':status'] === undefined) return stream.close(constants.NGHTTP2_CANCEL)
    if (headers['grpc-status'] !== undefined) return stream.respond(headers, { endStream: true })
    stream.respond(headers, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end(body)
  }
}

/** A message without its frame: whether it is packed, and its length. */
function unframed(frame: Buffer): Buffer {
  const message = frame.subarray(frame_bytes)
  return frame[0] === 1 ? gunzipSync(message) : message
}

async function whole(stream: ServerHttp2Stream | ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve) => {
    stream.on('end', () => resolve())
    stream.on('close', () => resolve()) // cut off: whoever asked hears that there is no answer
  })
  return Buffer.concat(chunks)
}
