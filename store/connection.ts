import mongoose from 'mongoose'
import type { Connection, ConnectOptions } from 'mongoose'

/**
 * The database did not do what it was asked, or did not say so. Nothing is known of the outcome, so the one thing to
 * do is the same again: every write of this room can be repeated. FerretDB reports a lost PostgreSQL as server error 1,
 * which is why no error but 11000 is read as anything else.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'

  /** `hosts`: where it was looked for */
  constructor(cause: unknown, hosts?: string) {
    const named = hosts === undefined ? 'the database' : `the database at ${hosts}, which MONGODB_URI names,`
    super(`${named} did not answer: ${textOf(cause)}`, { cause })
  }
}

/** The database's address is wrong in itself: unlike a server that is away, it does not get better. */
export class AddressUnusable extends Error {
  override readonly name = 'AddressUnusable'

  constructor(cause: unknown) {
    super(`MONGODB_URI cannot be used: ${textOf(cause)}; correct it`, { cause })
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/** Others wrote the same record first, every time. The record is sound: the same call again, a little later. */
export class WriteContended extends Error {
  override readonly name = 'WriteContended'

  constructor(_id: string) {
    super(`the record ${_id} was changed by others during each of the attempts to write it`)
  }
}

/** A write was asked for on a record that does not exist: a mistake of the caller, which no repeat mends. */
export class RecordMissing extends Error {
  override readonly name = 'RecordMissing'

  constructor(_id: string) {
    super(`there is no record ${_id}`)
  }
}

/**
 * A record lies there and cannot be worked with: by hand, by a restored backup or by a newer program it came to be what
 * no rule here knows. Not `StoreUnavailable`, though a run repeats both, at most every 30 s: the API answers `internal`
 * and logs the error, Temporal shows it at the run's activity, and the audit finds the record, since proofs and lists
 * read without this check. A person mends the record, and the run goes on.
 */
export class RecordUnreadable extends Error {
  override readonly name = 'RecordUnreadable'

  constructor(collection: string, _id: string, flaw: string) {
    super(`the record ${_id} of ${collection} cannot be used: ${flaw}`)
  }
}

/** One for what somebody waits for, one for what may take its time: a slow list must not hold up an order. */
export interface Connections {
  fast: Connection
  slow: Connection
  /** Waits for `operation`, as `runOperation` does; what it throws says where the database was looked for. */
  run: <T>(operation: () => PromiseLike<T>) => Promise<T>
  /** Resolves when the database answers. Throws `StoreUnavailable` within about two seconds. */
  ping(): Promise<void>
  close(): Promise<void>
}

/**
 * No validation by the server, no buffering, no implicit indexes. Retries of the driver are off: a caller repeats a
 * write by itself and knows how; a hidden second try would only double the time until it hears. FerretDB 2.7 takes
 * both concerns and, being one node on a journaled PostgreSQL, has nothing to add to them.
 */
const shared_options: ConnectOptions = {
  autoIndex: false,
  autoCreate: false,
  bufferCommands: false,
  retryWrites: false,
  retryReads: false,
  readPreference: 'primary',
  readConcern: { level: 'majority' },
  writeConcern: { w: 'majority', journal: true },
  heartbeatFrequencyMS: 2_000,
}

const fast_options: ConnectOptions = {
  ...shared_options,
  serverSelectionTimeoutMS: 1_000,
  connectTimeoutMS: 1_500,
  maxPoolSize: 32,
}

/** Patient with an answer, not with an absence: whether a server is there shows within two seconds. */
const slow_options: ConnectOptions = {
  ...shared_options,
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  socketTimeoutMS: 60_000,
  waitQueueTimeoutMS: 10_000,
  maxPoolSize: 8,
}

const longest_pause_ms = 2_000

/** Where the records lie, and how long the fast connection waits for an answer to one operation. */
export interface DatabaseAddress {
  /** mongodb://… or mongodb+srv://…, of MongoDB 7 or newer or FerretDB 2.7 */
  uri: string
  /** absent: the one the URI names */
  database?: string
  /** 1,800 unless told; tests on a busy machine give more */
  answer_within_ms?: number
}

/**
 * Opens both connections. Waits for the first attempt only: when the database is away, operations fail at once with
 * `StoreUnavailable` until it is there. Throws AddressUnusable for a URI that can never work.
 */
export async function openConnections({
  uri,
  database,
  answer_within_ms = 1_800,
}: DatabaseAddress): Promise<Connections> {
  const database_options: ConnectOptions = database === undefined ? {} : { dbName: database }
  const openings = [
    new ConnectionOpening(uri, {
      ...fast_options,
      ...database_options,
      // Waiting for a free connection is a part of waiting for the answer, and ends first to say which of them it was.
      waitQueueTimeoutMS: Math.max(1, answer_within_ms - 300),
      socketTimeoutMS: answer_within_ms,
    }),
    new ConnectionOpening(uri, { ...slow_options, ...database_options }),
  ] as const
  await Promise.all(openings.map((opening) => opening.begin()))
  const hosts = hostsOf(uri)
  const unavailable = (error: unknown) => {
    const failed = openings.find(({ failure }) => failure !== null)
    // Before its first connection mongoose only says how to use it; the last attempt to connect knows more.
    return new StoreUnavailable(error instanceof mongoose.MongooseError ? (failed?.failure ?? error) : error, hosts)
  }
  const [fast, slow] = openings.map(({ connection }) => connection) as [Connection, Connection]
  return {
    fast,
    slow,
    run: (operation) => runOperation(operation, unavailable),
    ping: () => runOperation(() => pingOn(fast), unavailable),
    close: async () => {
      await Promise.all(openings.map((opening) => opening.close()))
    },
  }
}

/** The hosts of a URI, without name and password: `db-1:27017,db-2:27017`. */
function hostsOf(uri: string): string {
  const [, hosts = 'an address that cannot be read'] = /^[^:]+:\/\/(?:[^/]*@)?([^/?]+)/.exec(uri) ?? []
  return hosts
}

/**
 * Brings one connection up. The driver heals a connection that once was there, and gives up on one that never was:
 * that case is the loop here.
 */
class ConnectionOpening {
  readonly connection = mongoose.createConnection()
  /** what the last attempt failed of; null once one succeeded */
  failure: unknown = null
  readonly #uri: string
  readonly #options: ConnectOptions
  #is_closed = false
  #pause: NodeJS.Timeout | undefined

  constructor(uri: string, options: ConnectOptions) {
    this.#uri = uri
    this.#options = options
    // The failure of an operation reaches its caller; that of a heartbeat has no caller.
    this.connection.on('error', () => {})
  }

  async begin(): Promise<void> {
    try {
      await this.connection.openUri(this.#uri, { ...this.#options })
    } catch (error) {
      if (isHopeless(error)) throw new AddressUnusable(error)
      this.failure = error
      this.#tryLater(100)
    }
  }

  async close(): Promise<void> {
    this.#is_closed = true
    clearTimeout(this.#pause)
    await this.connection.close()
  }

  #tryLater(pause_ms: number): void {
    if (this.#is_closed) return
    const retry = () => {
      this.connection.openUri(this.#uri, { ...this.#options }).then(
        () => {
          this.failure = null
          if (this.#is_closed) void this.connection.close()
        },
        (error: unknown) => {
          this.failure = error
          this.#tryLater(Math.min(pause_ms * 2, longest_pause_ms))
        },
      )
    }
    this.#pause = setTimeout(retry, pause_ms)
    this.#pause.unref()
  }
}

/** A URI that is wrong in itself, unlike a server that is away, will not get better. */
function isHopeless(error: unknown): boolean {
  const hopeless = ['MongoParseError', 'MongoInvalidArgumentError', 'MongooseError', 'TypeError']
  return error instanceof Error && hopeless.includes(error.name)
}

/** A record of that `_id` is there already: `_id` is the only unique index, so a collision has one meaning. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 11_000
}

/** Mistakes in this program, found before the database was asked: they are thrown as they are. */
const own_mistakes = ['CastError', 'ValidationError', 'StrictModeError', 'BSONError']

/** Waits for `operation`. A duplicate and our own mistakes come as they are, all else as `StoreUnavailable`. */
export async function runOperation<T>(
  operation: () => PromiseLike<T>,
  unavailable = (error: unknown) => new StoreUnavailable(error),
): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    if (isDuplicate(error) || (error instanceof Error && own_mistakes.includes(error.name))) throw error
    throw unavailable(error)
  }
}

async function pingOn({ db }: Connection): Promise<void> {
  if (db === undefined) throw new mongoose.MongooseError('there was no connection yet')
  await db.command({ ping: 1 })
}
